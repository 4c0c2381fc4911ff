# SPDX-License-Identifier: GPL-3.0-or-later
# set --from on a migration stream: each field has a place of its own, and what became of each is said.
cp "$SAMPLES"/qemu-kvm.mig "$SAMPLES"/kvm.sav "$SAMPLES"/hyperv-4.sav .
stream=qemu-kvm.mig
"$GIMSTATE" dump --json $stream >stream.json
try set $stream --from stream.json -o same.mig
cmp $stream same.mig && echo "the same bytes"
# Edited JSON, of whatever container; changes of the command line come last.
sed 's/"clock_ns": "[^"]*"/"clock_ns": "0x6fc23ac00"/; s/"clock_reliable": true/"clock_reliable": false/; s/"0x202001"/"0x0"/' stream.json >edited.json
try set $stream --from edited.json kvm.vcpu[1].pv_eoi=0x3001 -o edited.mig
try get edited.mig kvm.clock_ns kvm.clock_reliable kvm.vcpu[0].steal_time kvm.vcpu[1].pv_eoi
try verify edited.mig
try set edited.mig --from $stream --in-place --json
cmp $stream edited.mig && echo "the same bytes"
# A bundle, and another hypervisor's state: nothing is lost unless it is said.
"$GIMSTATE" pack edited.mig -o bundle.gimb >/dev/null
try set $stream --from bundle.gimb kvm.clock_ns=1 -o bundled.mig
try get bundled.mig kvm.clock_ns
try set $stream --from hyperv-4.sav -o lost.mig
try set $stream --from hyperv-4.sav -o lost.mig --json | grep -E '"output"|CONVERT-LOST' | sort | uniq -c
try set $stream --from hyperv-4.sav hyperv.vp[0].vp_assist=0x5001 -o carried.mig --lossy | grep -E -- '->|lost'
try get carried.mig hyperv.guest_os_id hyperv.vp[0].vp_assist hyperv.vp[1].simp
try verify carried.mig
# As convert does it into the rest of another state.
"$GIMSTATE" convert hyperv-4.sav converted.mig --base $stream --gim-only --lossy >/dev/null
"$GIMSTATE" set carried.mig hyperv.vp[0].vp_assist=0 -o as_converted.mig >/dev/null
cmp converted.mig as_converted.mig && echo "the same bytes"
# The other way about there is a unit, with a layout.
try set kvm.sav --from $stream -o refused.sav
# The shell holds the interface, and puts it back with each change.
try shell $stream -c 'set kvm.clock_ns=30000000000' -c 'set hyperv.vp[1].vp_assist=0x5001' -c 'get kvm.clock_ns hyperv.vp[1].vp_assist' \
    -c 'set --from hyperv-4.sav --lossy' -c 'undo' -c 'undo' -c 'save held.mig' | grep -v carried
"$GIMSTATE" set $stream kvm.clock_ns=30000000000 -o direct.mig >/dev/null
cmp held.mig direct.mig && echo "the same bytes"
ls refused* lost* 2>/dev/null || echo "nothing was written"
