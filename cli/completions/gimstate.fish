# SPDX-License-Identifier: GPL-3.0-or-later
# Completion for fish: gimstate itself knows what can stand at the cursor.
function __gimstate_complete
	set -l kept (commandline -ct | string replace -r '[^=,]*$' '')
	for line in (gimstate complete (commandline -cp) 2>/dev/null)
		if string match -q '/*' -- $line
			__fish_complete_path (commandline -ct)
		else
			echo $kept$line
		end
	end
end
complete -c gimstate -f -a '(__gimstate_complete)'
