# SPDX-License-Identifier: GPL-3.0-or-later
try get "$SAMPLES/kvm.sav" gim.provider
try get "$SAMPLES/kvm.sav" gim.provider 'kvm.vcpu[1].tsc'
try get "$SAMPLES/kvm.sav" 'kvm.vcpu[0]'
try get "$SAMPLES/hyperv-1.sav" hyperv.crash.p0
try get "$SAMPLES/hyperv-1.sav" hyperv.crash
try get "$SAMPLES/kvm.sav" hyperv.guest_os_id
try get "$SAMPLES/kvm.sav" 'hyperv.vp[0].simp'
try get "$SAMPLES/kvm.sav" 'kvm.vcpu[3].tsc' gim.provider
try get "$SAMPLES/kvm.sav" nosuch.field
try get "$SAMPLES/kvm.sav" gim.provider kvm.nosuch
try get "$SAMPLES/hyperv-4.sav" 'hyperv.vp[0].sint[99]'
try get "$SAMPLES/hyperv-4.sav" 'hyperv.vp[x].simp'
try get "$SAMPLES/kvm.sav" 'kvm.vcpu[1]' gim.layout --json
try get "$SAMPLES/kvm.sav" hyperv.guest_os_id --json
try get "$SAMPLES/kvm.sav" kvm.nosuch --json
cat "$SAMPLES/kvm.sav" | "$GIMSTATE" get - source.release guest.tsc_hz
