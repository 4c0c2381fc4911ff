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
# Between hypervisors.
try convert kvm.sav lost.mig --base qemu-kvm.mig --gim-only | grep -E "lost|\\["
try convert kvm.sav carried.mig --base qemu-kvm.mig --gim-only --lossy
try convert qemu-kvm.mig there.sav --base kvm.sav --gim-only --lossy
try convert kvm.sav x.mig --base qemu-kvm.mig
# Cut short, it is shown up to the cut.
head -c 9000 qemu-kvm.mig >cut.mig
try info cut.mig
try verify cut.mig
