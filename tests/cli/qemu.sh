# SPDX-License-Identifier: GPL-3.0-or-later
# Migration streams of QEMU: what every command says of them.
cp "$SAMPLES"/qemu-kvm.mig "$SAMPLES"/kvm.sav .
try info qemu-kvm.mig
try units qemu-kvm.mig
try units - <qemu-kvm.mig | head -n 6
try get qemu-kvm.mig kvm.clock_ns kvm.vcpu[0] hyperv.reference_tsc guest.tsc_hz
try dump qemu-kvm.mig -u kvmclock
try dump qemu-kvm.mig -u slirp/0@1 --hex
try extract qemu-kvm.mig -u 0000:00:01.0/../../etc/0 -o device.bin
ls
try verify qemu-kvm.mig
# Subsections come and go, and the description with them.
try set qemu-kvm.mig kvm.clock_ns=30000000000 kvm.vcpu[0].steal_time=0 hyperv.reference_tsc=0x7e001 -o changed.mig
try units changed.mig | grep cpu/
try diff qemu-kvm.mig changed.mig
try verify changed.mig
try set changed.mig kvm.clock_ns=20000000000 kvm.vcpu[0].steal_time=0x202001 hyperv.reference_tsc=0 -o back.mig
cmp qemu-kvm.mig back.mig && echo "the same bytes"
try convert qemu-kvm.mig copy.mig
cmp qemu-kvm.mig copy.mig && echo "the same bytes"
# A masked interrupt is nothing that is in use, and still something that the stream holds.
try set qemu-kvm.mig 'hyperv.vp[0].sint[3]=0x10000' -o masked.mig
try get masked.mig 'hyperv.vp[0].sint[3]' gim.interfaces
# An interface that the source has nothing of is taken out.
"$GIMSTATE" dump --json qemu-kvm.mig >kvm.json
try set masked.mig --from kvm.json -o unmasked.mig
cmp qemu-kvm.mig unmasked.mig && echo "the same bytes"
# Between hypervisors.
try convert kvm.sav lost.mig --base qemu-kvm.mig --gim-only | grep -E "lost|\\["
try convert kvm.sav carried.mig --base qemu-kvm.mig --gim-only --lossy
try convert qemu-kvm.mig there.sav --base kvm.sav --gim-only --lossy
try convert kvm.sav x.mig --base qemu-kvm.mig
try convert kvm.sav x.mig --base qemu-kvm.mig --gim-only --to qemu:7.2
# The file that a failure is about.
try convert kvm.sav x.mig --base nothing.mig --gim-only
try convert nothing.sav x.mig --base qemu-kvm.mig --gim-only
# In the shell: the file alone is written, not the state that is held.
try shell kvm.sav -c "convert --base qemu-kvm.mig --gim-only"
try shell kvm.sav -c "convert --base kvm.sav --gim-only --dry-run"
# Packed, and changed as a bundle: the stream in it is the one that is changed as a file.
"$GIMSTATE" set qemu-kvm.mig kvm.clock_ns=30000000000 kvm.vcpu[0].steal_time=0 -o one.mig >/dev/null
"$GIMSTATE" pack qemu-kvm.mig -o whole.gimb --whole | cut -d " " -f 1
try set whole.gimb kvm.clock_ns=30000000000 kvm.vcpu[0].steal_time=0 -o changed.gimb
try verify changed.gimb
try get changed.gimb kvm.clock_ns kvm.vcpu[0].steal_time
try convert changed.gimb unpacked.mig
cmp one.mig unpacked.mig && echo "the same bytes"
try set changed.gimb kvm.clock_ns=20000000000 kvm.vcpu[0].steal_time=0x202001 --in-place
try convert changed.gimb unpacked.mig --force
cmp qemu-kvm.mig unpacked.mig && echo "the same bytes"
try set qemu-kvm.mig kvm.clock_ns=30000000000 kvm.vcpu[0].steal_time=0 -o direct.gimb
try convert direct.gimb unpacked.mig --force
cmp one.mig unpacked.mig && echo "the same bytes"
cat qemu-kvm.mig | "$GIMSTATE" pack - -o piped.gimb --whole >/dev/null
try convert piped.gimb unpacked.mig --force
cmp qemu-kvm.mig unpacked.mig && echo "the same bytes"
"$GIMSTATE" pack one.mig -o fields.gimb | cut -d " " -f 1
try verify fields.gimb
try get fields.gimb kvm.clock_ns kvm.vcpu[0].steal_time
# Sections in a bundle, which has no description of them.
"$GIMSTATE" pack qemu-kvm.mig -o sections.gimb --with kvmclock --with slirp/0 | cut -d " " -f 1
try units sections.gimb
try dump sections.gimb -u kvmclock
try dump sections.gimb -u slirp --hex
try unpack whole.gimb --member state.mig -o whole.mig
cmp qemu-kvm.mig whole.mig && echo "the same bytes"
# Cut short, it is shown up to the cut.
head -c 9000 qemu-kvm.mig >cut.mig
try info cut.mig
try verify cut.mig
