# SPDX-License-Identifier: GPL-3.0-or-later
# set --from: the whole guest interface from another state, mostly from what dump --json printed.
for sample in "$SAMPLES"/*.sav; do
	"$GIMSTATE" dump --json "$sample" | "$GIMSTATE" set "$sample" --from - -o same.sav --force && cmp "$sample" same.sav
done
state=$SAMPLES/hyperv-4.sav
"$GIMSTATE" dump --json "$state" >state.json
edit() { # NAME SCRIPT
	sed "$2" state.json >"$1.json"
	cmp -s state.json "$1.json" && echo "$1: nothing was edited"
}
# Changes of the command line come last.
edit changed 's/"0x20053"/"0x20099"/; s/"trailing": ""/"trailing": "\\u0000\\u00ff"/; s/"raw_mode": false/"raw_mode": 100/'
try set "$state" --from changed.json -o changed.sav
try set "$state" --from changed.json 'hyperv.vp[1].sint[3]=0x20098' gim.trailing= -o more.sav
try set "$state" --from changed.json -o changed.sav --force --json
"$GIMSTATE" dump changed.sav | grep -v ^source | cmp - <("$GIMSTATE" dump changed.json | grep -v ^source) && echo same
try verify changed.sav
"$GIMSTATE" dump --json changed.sav >again.json
try set changed.sav --from again.json --in-place
"$GIMSTATE" dump --json changed.sav | cmp again.json - && echo same
# From a state of any kind; another layout of the same container is written as such.
try set "$SAMPLES/hyperv-3.sav" --from "$state" -o four.sav
try get four.sav gim.layout
try set "$state" --from "$SAMPLES/hyperv-1.sav" -o one.sav
"$GIMSTATE" dump one.sav | grep -v ^source | cmp - <("$GIMSTATE" dump "$SAMPLES/hyperv-1.sav" | grep -v ^source) && echo same
# Another provider, only when it is said.
try set "$SAMPLES/minimal.sav" --from "$SAMPLES/none.sav" -o none.sav
try set "$SAMPLES/minimal.sav" --from "$SAMPLES/none.sav" --gim-only -o none.sav
# What the unit does not hold, and what the layout must.
refuse() { # NAME SCRIPT
	edit "$@"
	try set "$state" --from "$1.json" -o refused.sav | sed 's/line [0-9]*/line .../'
}
refuse more '0,/"scontrol": null/s//"scontrol": "0x1"/'
refuse fewer '0,/"simp": "0x20001"/s//"simp": null/'
refuse layout 's/vbox-hyperv-4/vbox-hyperv-5/'
refuse older 's/vbox-hyperv-4/vbox-hyperv-2/'
refuse native 's/"vbox-hyperv-4"/null/'
refuse head '/"gim": {/,/^  },/d'
refuse long 's/"Hyper-V TSC page"/"Hyper-V TSC page, which is more than fits"/'
refuse syntax 's/"trailing": ""/"trailing": /'
try set "$SAMPLES/hyperv-4-unchecked.sav" --from state.json -o refused.sav
try set "$SAMPLES/kvm.sav" --from state.json -o refused.sav --json
try set "$state" --from missing.json -o refused.sav
try set "$state" --from state.json hyperv.nosuch=1 -o refused.sav
try set "$state" --from state.json
try set "$state" -o refused.sav
ls refused* 2>/dev/null || echo "nothing was written"
