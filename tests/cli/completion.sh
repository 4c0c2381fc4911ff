# SPDX-License-Identifier: GPL-3.0-or-later
# What the shells' completions offer; bash's is run as bash runs it.
cp "$SAMPLES/hyperv-4.sav" a.sav
for line in 'gimstate du' 'gimstate dump --' 'gimstate get a.sav hyperv.vp[' 'gimstate get a.sav hyperv.vp[1].s' 'gimstate get absent.sav hyperv.vp' \
	'gimstate set a.sav hyperv.features.h' 'gimstate set a.sav hyperv.features.hints=rel' 'gimstate replay a.sav --engine=' 'gimstate replay -e c' \
	'gimstate set a.sav hyperv.features.hints=reset_msr,rel' 'gimstate rules SSM-UNIT' 'gimstate undo' 'gimstate und' 'gimstate dump '; do
	echo "- $line"
	"$GIMSTATE" complete "$line"
done
# shellcheck source=/dev/null
. "$TOP/cli/completions/gimstate.bash"
compopt() { printf '(%s) ' "$*"; }
# tab WORD…: the words of a line as bash cuts them, the cursor at their end.
tab() {
	COMP_WORDS=("$GIMSTATE" "$@") COMP_CWORD=$# COMP_LINE="gimstate $*" COMP_POINT=
	COMP_LINE=${COMP_LINE// = /=} COMP_LINE=${COMP_LINE%% = }
	COMP_POINT=${#COMP_LINE}
	echo "bash: $COMP_LINE"
	_gimstate
	echo "${COMPREPLY[@]}"
}
tab un
tab dump a
tab get a.sav hyperv.vp
tab set a.sav hyperv.features.hints = reset_msr,rel
tab replay a.sav --engine = k
