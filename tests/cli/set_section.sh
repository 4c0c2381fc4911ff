# SPDX-License-Identifier: GPL-3.0-or-later
# Taking the section kvmclock out of a migration stream, and adding it.
cp "$SAMPLES"/qemu-kvm.mig .
try set qemu-kvm.mig kvm.clock_ns=absent -o gone.mig
try units gone.mig
try get gone.mig kvm.clock_ns kvm.clock_reliable
try verify gone.mig
try set gone.mig kvm.clock_ns=20000000000 -o back.mig
cmp qemu-kvm.mig back.mig && echo "the same bytes"
try set gone.mig kvm.clock_ns=5 kvm.clock_reliable=false --in-place --json
try verify gone.mig
# What neither comes nor goes.
try set qemu-kvm.mig kvm.clock_ns=absent kvm.clock_reliable=true -o refused.mig
try set qemu-kvm.mig kvm.clock_reliable=absent -o refused.mig
try set qemu-kvm.mig kvm.vcpu[0].steal_time=absent -o refused.mig
try set "$SAMPLES"/kvm.sav kvm.wall_clock=absent -o refused.sav
# Into a stream without the clock that the guest reads, it is lost.
"$GIMSTATE" set qemu-kvm.mig kvm.clock_ns=absent -o gone.mig --force >/dev/null
try set gone.mig --from qemu-kvm.mig -o refused.mig
try set gone.mig kvm.clock_ns=1 -o some.mig
try set some.mig --from qemu-kvm.mig -o back.mig --force
cmp qemu-kvm.mig back.mig && echo "the same bytes"
# The shell keeps that it is gone, and that it is there.
try shell qemu-kvm.mig -c 'set kvm.clock_ns=absent' -c 'set hyperv.vp[1].vp_assist=0x5001' -c verify -c undo -c undo -c 'get kvm.clock_ns' -c redo -c 'save held.mig'
cmp gone.mig held.mig && echo "the same bytes"
try shell gone.mig -c 'set kvm.clock_ns=1' -c 'get kvm.clock_reliable' -c 'save held.mig --force'
cmp some.mig held.mig && echo "the same bytes"
ls refused* 2>/dev/null || echo "nothing was written"
