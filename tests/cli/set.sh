# SPDX-License-Identifier: GPL-3.0-or-later
state=$SAMPLES/hyperv-4.sav
try set "$state" hyperv.guest_os_id=0x8100010203040506 'hyperv.vp[1].sint[2]=0x10000' -o one.sav
"$GIMSTATE" dump "$state" >before
"$GIMSTATE" dump one.sav | diff before - | grep '^[<>]'
try verify one.sav
# Names of bits, of values, none, a text; a unit that becomes longer, and shorter again.
try set one.sav hyperv.hypercall=-enabled hyperv.features.hints=+reset_msr,-relaxed_timing hyperv.debug.reply=dhcp_ack -o two.sav
try set two.sav gim.trailing=abc hyperv.tsc_page.gpa=none --in-place
try verify two.sav
try set two.sav gim.trailing= hyperv.guest_os_id=0x1040a00004a65 'hyperv.vp[1].sint[2]=0x20052' hyperv.hypercall=+enabled \
	hyperv.features.hints=reset_msr,relaxed_timing,x2apic_msrs hyperv.debug.reply=0 hyperv.tsc_page.gpa=0x7e000 -o back.sav
cmp "$state" back.sav && echo same
# No change: the same bytes, from any container.
try set "$state" hyperv.hypercall=0x7f001 -o same.sav --json
cmp "$state" same.sav && echo same
# What is refused writes nothing.
for change in hyperv.debug.reply=99999999999 hyperv.debug.reply=nosuch 'hyperv.vp[7].simp=1' hyperv.nosuch=1 kvm.wall_clock=1 guest.vcpus=3 gim.layout=x \
	gim.unit_version=7 gim.provider=kvm hyperv.vp=1 'hyperv.vp[0].scontrol=1' hyperv.hypercall_page.description=12345678901234567890123456789012 hyperv.hypercall hyperv.hypercall= \
	hyperv.features.hints=+reset_msr,0x40 hyperv.features.hints=reset_msr,-apic_msrs hyperv.features.hints=+reset_msr,; do
	try set "$state" "$change" -o refused.sav
done
try set "$state" hyperv.hypercall=1 -o one.sav
try set "$state" hyperv.hypercall=1 -o "$state"
try set "$state" hyperv.hypercall=1
try set - hyperv.hypercall=1 -o refused.sav <"$state"
ls
