# SPDX-License-Identifier: GPL-3.0-or-later
state=$SAMPLES/hyperv-4.sav
# What would be lost is refused, unless it may be.
try convert "$state" --to vbox:5.2 --dry-run
try convert "$state" three.sav --to vbox:5.2
try convert "$state" three.sav --to vbox:5.2 --lossy
try verify three.sav
try convert three.sav back.sav --layout vbox-hyperv-4
"$GIMSTATE" dump "$state" >before
"$GIMSTATE" dump back.sav | diff before - | grep '^[<>]'
# Nothing to lose: there and back gives the same bytes.
"$GIMSTATE" set "$state" hyperv.debug.udp_guest_dst_port=0 hyperv.debug.udp_guest_src_port=0 -o plain.sav >/dev/null
try convert plain.sav 3.sav --layout vbox-hyperv-3 --json
"$GIMSTATE" convert 3.sav 4.sav --to vbox:7.1 >/dev/null && cmp plain.sav 4.sav && echo same
# To a layout without vCPUs, and back: how many there are, other units say.
"$GIMSTATE" convert "$state" 1.sav --layout vbox-hyperv-1 --lossy | grep -c LOST
try verify 1.sav
try convert 1.sav 1to4.sav --layout vbox-hyperv-4
# From what an old release wrote; the same layout changes nothing.
try convert "$SAMPLES/hyperv-2.sav" --to vbox:7.2 --dry-run
try convert "$SAMPLES/kvm.sav" kvm.sav --to vbox:5.0
cmp "$SAMPLES/kvm.sav" kvm.sav && echo same
try convert "$SAMPLES/none.sav" none.sav --to vbox:5.0
cmp "$SAMPLES/none.sav" none.sav && echo same
# What cannot be done.
try convert "$SAMPLES/kvm.sav" out.sav --layout vbox-hyperv-4
try convert "$state" out.sav --layout vbox-hyperv-5
try convert "$state" out.sav --to vbox:4.3
try convert "$state" out.sav --to vbox
try convert "$state" out.sav --to qemu:7.2
try convert "$state" kvm.sav
try convert "$state"
try convert "$state" "$state"
# What is no file of units: a document's fields, and what is packed.
"$GIMSTATE" dump --json "$state" >fields.json
try convert fields.json fields-3.json --to vbox:5.2 --lossy
try convert fields-3.json again.json --to vbox:5.2
cmp fields-3.json again.json && echo same
try convert fields.json refused.json --container 2.0
try convert "$SAMPLES/kvm.sav" packed.sav.gz
gzip -dc packed.sav.gz | cmp "$SAMPLES/kvm.sav" - && echo same
try convert packed.sav.gz unpacked.sav --to vbox:7.2
cmp "$SAMPLES/kvm.sav" unpacked.sav && echo same
ls
