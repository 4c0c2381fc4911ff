# SPDX-License-Identifier: GPL-3.0-or-later
# What dump --json printed is a state for every command.
state=$SAMPLES/hyperv-4.sav
"$GIMSTATE" dump --json "$state" >state.json
"$GIMSTATE" dump --json --all "$state" >all.json
"$GIMSTATE" dump --json "$SAMPLES/kvm.sav" >kvm.json
for sample in "$SAMPLES"/*.sav; do
	"$GIMSTATE" dump --json --all "$sample" >sample.json
	"$GIMSTATE" dump --all "$sample" | grep -v '^source' >expected
	"$GIMSTATE" dump --all - <sample.json | grep -v '^source' | diff expected -
done
try info state.json | grep -v ^file
try info all.json | grep -v ^file
try verify state.json kvm.json
try get state.json 'hyperv.vp[1].sint[2]' hyperv.time_ref_count vbox
"$GIMSTATE" dump kvm.json | head -n 4
try units state.json
try dump --raw state.json
try dump --unit GIM state.json
try extract state.json --field hyperv.tsc_page.description
# Written again: the same text when nothing has changed, else printed anew.
try set state.json hyperv.hypercall=0x7f001 -o same.json
cmp state.json same.json && echo same
try set all.json hyperv.hypercall=1 'hyperv.vp[1].sint[2]=7' -o changed.json
try diff all.json changed.json
try convert changed.json back.json
cmp changed.json back.json && echo same
try set state.json hyperv.time_ref_count=1 -o refused.json
try convert state.json older.json --layout vbox-hyperv-3
try convert state.json older.json --layout vbox-hyperv-3 --lossy
try get older.json gim.layout hyperv.debug.udp_guest_dst_port
try convert state.json refused.json --container 2.0
try set older.json --from "$state" -o newer.json
try diff newer.json "$state"
# What cannot be read says where and what is expected, and gives no answer; verify says that it is wrong.
edit() { # NAME SCRIPT
	sed "$2" state.json >"$1.json"
	cmp -s state.json "$1.json" && echo "$1: nothing was edited"
	try dump "$1.json" | grep -v '^source\.' | sed 's/line [0-9]*/line .../'
	status verify "$1.json"
}
edit syntax 's/"trailing": ""/"trailing": /'
edit end '/"tsc_sequence"/q'
edit repeated 's/"hypercall": .*/&\n    &/'
edit unknown 's/"tsc_sequence"/"tsc_sequense"/'
edit missing '/"tsc_sequence"/d'
edit record 's/"hyperv": {/"hyper-v": {/'
edit range 's/"delimiter": 255/"delimiter": 256/'
edit type 's/"guest_os_id": ".*"/"guest_os_id": 5/'
edit flag 's/"extended_hypercalls"/"extended"/'
edit enum 's/"reply": "udp"/"reply": "tcp"/'
edit bool 's/"raw_mode": false/"raw_mode": "no"/'
edit text 's/"Hyper-V TSC page"/"Hyper-V \\u20ac page"/'
edit short '0,/"0x10000",/{/"0x10000",/d}'
edit version 's/"gimstate": 1/"gimstate": 2/'
edit form '/"gimstate"/d'
edit control 's/"trailing"/"\\u001b[31m"/'
# A state that is no VirtualBox unit: fields that none of its layouts hold, and no head.
sed '/^  "gim":/,/^  },/d; s/"time_ref_count": null/"time_ref_count": "0x123"/' state.json >native.json
try get native.json hyperv.time_ref_count gim.layout
try set native.json hyperv.crash.p0=0x7e 'hyperv.vp[1].scontrol=1' -o crashed.json
try get crashed.json hyperv.crash 'hyperv.vp[1].scontrol' 'hyperv.vp[0].scontrol'
# With a head that names the provider it can be converted to a layout, and then be a unit.
sed 's/"vbox-hyperv-4"/null/; s/"time_ref_count": null/"time_ref_count": "0x123"/' state.json >headed.json
try convert headed.json unit.json --layout vbox-hyperv-4
try convert headed.json unit.json --layout vbox-hyperv-4 --lossy
try set "$state" --from unit.json -o unit.sav
cmp "$state" unit.sav && echo same
try info native.json | grep -v ^file
# A damaged state: what could be read, and that it was damaged.
cp "$SAMPLES/hyperv-4-unchecked.sav" length.sav
poke length.sav $(("$(find_bytes length.sav 'Hyper-V TSC page')" - 1)) '\0377'
"$GIMSTATE" dump --json length.sav >damaged.json
"$GIMSTATE" dump length.sav 2>/dev/null | grep -v '^source' >expected
"$GIMSTATE" dump damaged.json 2>error | grep -v '^source' | diff expected -
echo "[${PIPESTATUS[0]}] $(cat error)"
try verify damaged.json
try set "$SAMPLES/hyperv-4-unchecked.sav" --from damaged.json -o refused.sav
# Other texts are none of ours.
echo '{\rtf1 text}' >text.rtf
try info text.rtf
echo '[1, 2]' >array.json
try info array.json
ls refused* 2>/dev/null || echo "nothing was written"
