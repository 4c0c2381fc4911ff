# SPDX-License-Identifier: GPL-3.0-or-later
# What is not known, but nearly: commands, options, rules and fields that were perhaps meant. And "-" where a file is written.
try dmp kvm.sav
try "$SAMPLES/kvm.sav"
try -v
try help verfy
try dump --josn kvm.sav
try check --taget=vbox:7.2 kvm.sav
try dump -z kvm.sav
try rules gim-ver-01
try check "$SAMPLES/kvm.sav" --ignore GIM-VERR-001 --target vbox:7.2
"$GIMSTATE" --help rules | head -n 1
for path in kvm.wallclock KVM.wall-clock wall_clock hyperv.guest_os 'hyperv.vp[1].stimer[3].cfg' 'hyperv.vpp[1].simp' nothing.like.it; do
	try get "$SAMPLES/kvm.sav" "$path"
done
# Of a list an item must be said, in a state that has it or has not.
try get "$SAMPLES/hyperv-4.sav" hyperv.vp.simp
try get "$SAMPLES/hyperv-4.sav" 'hyperv.vp[].simp'
try get "$SAMPLES/hyperv-4.sav" 'hyperv.vp[9].simp'
try get "$SAMPLES/kvm.sav" hyperv.vp
try diff "$SAMPLES/kvm.sav" "$SAMPLES/kvm.sav" kvm.wallclock
try fields hyperv.vp.simpp
try fields kvm.vcpu.gpa --layout vbox-hyperv-4
try set "$SAMPLES/kvm.sav" kvm.wallclock=1 -o x.sav
try set "$SAMPLES/kvm.sav" guest.vcpus=1 -o x.sav
try shell "$SAMPLES/kvm.sav" -c undoo
try set "$SAMPLES/kvm.sav" kvm.wall_clock=1 -o -
try set "$SAMPLES/kvm.sav" kvm.wall_clock=1 --output=-
try convert "$SAMPLES/kvm.sav" -
try replay "$SAMPLES/kvm.sav" --save-at 5 -
try shell "$SAMPLES/kvm.sav" -c 'save -'
try extract "$SAMPLES/kvm.sav" --elf -
ls -- -
"$GIMSTATE" convert - --dry-run <"$SAMPLES/kvm.sav"
echo "[$?]"
# A snapshot that there cannot be.
try info "$SAMPLES/kvm.sav" --snapshot nope
try info "$SAMPLES/kvm.sav//nope"
# Units, releases and ranges; and names that say something else than what is written.
try extract "$SAMPLES/kvm.sav" --unit gim
try check "$SAMPLES/kvm.sav" --target vbox7.2
try check "$SAMPLES/kvm.sav" --target nofile.vbox
try search "$SAMPLES/kvm-ram.sav" Linux --from 0x2000 --to 0x1000
"$GIMSTATE" dump --json "$SAMPLES/hyperv-4.sav" >state.json
try set state.json hyperv.tsc_sequence=3 -o state.sav
try set state.json hyperv.tsc_sequence=3 -o other.json
try convert "$SAMPLES/kvm.sav" kvm.json
try convert "$SAMPLES/kvm.sav" kvm-copy.sav
"$GIMSTATE" convert --json "$SAMPLES/kvm.sav" again.json 2>&1 >/dev/null
try shell "$SAMPLES/kvm.sav" -c 'save shell.json'
