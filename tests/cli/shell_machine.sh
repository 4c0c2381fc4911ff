# SPDX-License-Identifier: GPL-3.0-or-later
# The shell's machine, on the core: operations of probes, time, memory, going back, and taking its state.
run() { "$GIMSTATE" "$@" 2>&1; echo "exit $?"; }
script() { cat >script.gsh; run shell "$@" <script.gsh | sed 's/TSC [0-9.]* GHz/TSC/; s/due in [0-9.e+]* ms/due in a while/'; }
cp "$SAMPLES/hyperv-4.sav" state.sav
echo "== what a guest does"
script state.sav <<'GSH'
start core
rdmsr hyperv.guest_os_id
expect 0x1040a00004a65
@1 rdmsr HV_X64_MSR_VP_INDEX
set index
value $index+1
expect 2
wrmsr HV_X64_MSR_VP_INDEX 0
expect #GP     # a comment
cpuid 0x40000003
write 0x3000 u32 0x12345678
read 0x3000 u16
mem 0x3000 20
hypercall rcx=0xbeef
label: rdmsr 0x4000001f
pages
stats
quit
GSH
echo "== time: a timer, what it brings, what is watched and traced"
script state.sav <<'GSH'
start core
wrmsr HV_X64_MSR_SCONTROL 1
wrmsr HV_X64_MSR_SIMP 0x5001
wrmsr HV_X64_MSR_SINT3 0x60
ack 0x60 3
watch hyperv.vp[0].stimer[0].config hyperv.vp[0].simp
trace on
wrmsr HV_X64_MSR_STIMER0_CONFIG 0x30003
wrmsr HV_X64_MSR_STIMER0_COUNT 10000
step 3ms
trace off
expect interrupts 0x60 2..4
events
wrmsr HV_X64_MSR_STIMER0_CONFIG 0
run 10ms
step 1s
watch
unwatch hyperv.vp[0].simp
watch
reset
unwatch
quit
GSH
echo "== back, and what the machine is becomes the state"
script state.sav <<'GSH'
start core
write 0x3000 u64 0x1122334455667788
snapshot
write 0x3000 u64 0
wrmsr hyperv.guest_os_id 0x8100000000000000
rdmsr hyperv.guest_os_id
restore
rdmsr hyperv.guest_os_id
read 0x3000
reload
read 0x3000
wrmsr hyperv.guest_os_id 0x8100000000000000
take
diff hyperv.guest_os_id
undo
diff hyperv.guest_os_id
redo
save taken.sav
restore other
GSH
run get taken.sav hyperv.guest_os_id
run verify taken.sav
echo "== an edited state comes to life as edited, and an expectation that fails ends a script"
script state.sav <<'GSH'
set hyperv.guest_os_id=0x8100000000000000
start core
rdmsr hyperv.guest_os_id
expect 0x1040a00004a65
echo not reached
GSH
echo "== mistakes"
for line in 'rdmsr 1' 'step 1ms' 'start turbo'; do run shell state.sav -c "$line" -c quit; done
for line in start 'rdmsr' 'rdmsr HV_X64_MSR_NONE' 'frobnicate' '@9 rdtsc' 'step 3h' run 'run soon' 'mem' 'mem x' \
	'mem 0xfffffffff000' 'trace maybe' 'watch hyperv.nothing' 'watch hyperv.vp[0]' 'restore' 'state hyperv.nothing' 'expect 1'; do
	run shell state.sav -c 'start core' -c "$line" | grep -v '^engine'
done
run shell state.sav -c 'start core' -c stop -c 'rdtsc' | grep -v '^engine'
run shell -c 'help rdmsr' -c 'help step'
