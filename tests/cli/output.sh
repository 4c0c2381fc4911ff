# SPDX-License-Identifier: GPL-3.0-or-later
# Output that does not arrive is no answer.
[ -w /dev/full ] || { echo "there is no /dev/full"; exit 77; }
state=$SAMPLES/hyperv-4.sav
for command in "dump $state" "dump --json $state" "dump --raw $state" "info $state" "units $state" "verify $state" "extract --unit GIM $state" \
	"get $state gim.provider" "fields" "fields --layout qemu:7.2" "help" "--version" "rules" "rules --json" "info --json missing" \
	"check $state -t vbox:5.2" "check $state -t vbox:5.2 --html" "report $state --html" "shell $state -c fields"; do
	# shellcheck disable=SC2086
	"$GIMSTATE" $command >/dev/full 2>error
	echo "[$?] $(grep -c 'cannot write to standard output: No space left on device$' error) of $(wc -l <error) ${command//$SAMPLES\//}"
done
"$GIMSTATE" dump "$state" >&- 2>error
echo "[$?] $(cat error)"
"$GIMSTATE" extract "$state" --unit GIM -o out >&-
echo "[$?] $(wc -c <out)"
# A reader that went away.
mkfifo pipe
exec 3<>pipe 4>pipe 3>&-
"$GIMSTATE" verify "$state" >&4
echo "[$?]"
exec 4>&-
# Colour is for terminals.
"$GIMSTATE" dump "$state" | grep -c "$(printf '\033')" || true
