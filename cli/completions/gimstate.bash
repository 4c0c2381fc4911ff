# SPDX-License-Identifier: GPL-3.0-or-later
# Completion for bash: gimstate itself knows what can stand at the cursor.
_gimstate() {
	local item word=${COMP_WORDS[COMP_CWORD]} files=
	COMPREPLY=()
	# What bash takes for the word may end at a "," that gimstate goes on after.
	local kept=
	[[ $word != *,* ]] || kept=${word%,*},
	while IFS=$'\t' read -r item _; do
		if [[ $item == / ]]; then files=1; else COMPREPLY+=("$kept$item"); fi
	done < <("${COMP_WORDS[0]}" complete "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
	[[ $word != = ]] || word=
	[[ -z $files ]] || { compopt -o filenames && mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word"); }
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *[.=[] ]] || compopt -o nospace
}
complete -F _gimstate gimstate
