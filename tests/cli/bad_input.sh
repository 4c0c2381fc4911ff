# SPDX-License-Identifier: GPL-3.0-or-later
# What is no saved state, and what is a damaged one.
mkdir folder
: >empty
echo "no such magic, but long enough to be looked at as a header of a state" >text
cp "$SAMPLES/kvm.sav" magic.sav && poke magic.sav 3 X
for file in missing folder empty text magic.sav; do
	for command in dump info units "get --json" "extract --unit GIM" "verify" "verify --quick"; do
		# shellcheck disable=SC2086
		case $command in
		get*) status $command $file gim.provider ;;
		*) status $command $file ;;
		esac
	done
done
try dump missing
try dump folder
try dump empty
try info --json text
# A damaged GIM unit: what stands before the damage is shown, the error follows. Without checksums damage is met only where it matters.
damage() { # NAME OFFSET-IN-PAYLOAD BYTES
	cp "$SAMPLES/hyperv-4-unchecked.sav" "$1"
	poke "$1" $(($("$GIMSTATE" units --json "$1" | sed -n '/"GIM"/,/offset/s/.*"offset": \([0-9]*\).*/\1/p') + 51 + $2)) "$3"
}
damage provider.sav 0 '\0011'
damage version.sav 8 '\0011'
payload=$("$GIMSTATE" dump --hex "$SAMPLES/hyperv-4-unchecked.sav" | head -n 1)
echo "$payload"
try dump provider.sav
try dump version.sav
text=$(("$(find_bytes "$SAMPLES/hyperv-4-unchecked.sav" 'Hyper-V TSC page')" - 1))
cp "$SAMPLES/hyperv-4-unchecked.sav" length.sav
poke length.sav $text '\0377'
"$GIMSTATE" dump length.sav 2>error | tail -n 12
echo "[${PIPESTATUS[0]}] $(cat error)"
try info length.sav
try get length.sav gim.provider hyperv.guest_os_id
try get length.sav hyperv.crash.p0
try get length.sav hyperv.crash.p0 --json
status dump --json length.sav
status extract length.sav --unit GIM
# Damage of the container around it.
cp "$SAMPLES/kvm.sav" crc.sav
poke crc.sav $(("$(find_bytes crc.sav GIM)" + 20)) X
status dump crc.sav
status extract crc.sav --unit GIM
status verify crc.sav
status verify --quick crc.sav
# Standard input is read once; what it was already read for would be empty for the next.
try verify - -
try check - -//a.sav -t vbox:7.2 --json
try merge - --ndjson -
try set - --from - -o out.sav
try convert - out.sav --base - --gim-only
status verify - crc.sav <"$SAMPLES/kvm.sav"
