# replay on the core: built-in probes, own probes, what failed, forms of output, saving after.
run() { "$GIMSTATE" "$@"; echo "exit $?"; }
cp "$SAMPLES/hyperv-4.sav" state.sav
run replay state.sav --engine core | sed 's/TSC [0-9.]* GHz/TSC/'
cat >good.probe <<'PROBE'
# the guest's own registers
start: @1 rdmsr HV_X64_MSR_VP_INDEX
@1 expect 1
rdmsr hyperv.guest_os_id # by the path of its field
expect 0x1040a00004a65
set id
value $id+1-1
expect 0x1040a00004a64..0x1040a00004a66
wrmsr HV_X64_MSR_VP_INDEX 0
expect #GP
cpuid 0x40000003
expect eax 0x2 mask 0x2
write 0x3000 u32 0x12345678
read 0x3000 u16
expect 0x5678
write 0x3000 hex 0102030405060708090a
read 0x3000 10
expect bytes 0102030405060708090a
read 0xfffffffff000 u8
expect #PF
hypercall rcx=0xbeef
expect rax 2
reload
rdmsr hyperv.guest_os_id
expect $id
PROBE
run replay state.sav --engine core --probe good.probe | sed 's/TSC [0-9.]* GHz/TSC/'
printf 'rdmsr HV_X64_MSR_VP_INDEX\nexpect 7\nrdmsr 0x4000001f\nexpect 0\n' >wrong.probe
run replay state.sav --engine core --probe wrong.probe | sed 's/TSC [0-9.]* GHz/TSC/'
run replay state.sav --engine core --probe wrong.probe --tap
run replay state.sav --engine core --probe wrong.probe --junit
run replay state.sav --engine core --probe wrong.probe --json | grep -E '"(met|failed|skipped|reason|verdict)"|exit'
echo "== the machine is saved after it"
printf 'wrmsr hyperv.guest_os_id 0x8100000000000000\nexpect ok\n' >change.probe
run replay state.sav --engine core --probe change.probe --save-after native.json | tail -1
run get native.json hyperv.guest_os_id
run replay native.json --engine core | tail -2
run replay state.sav --engine core --probe change.probe --save-after again.sav --layout vbox-hyperv-4 2>&1 | grep -E "scontrol|exit"
run get again.sav hyperv.guest_os_id
run verify again.sav
run replay state.sav --engine core --save-after native.json
run replay state.sav --engine core --save-after other.sav --layout vbox-hyperv-9
echo "== mistakes"
mistake() { printf '%s\n' "$1" >bad.probe; run replay state.sav --engine core --probe bad.probe 2>&1 | tail -2; }
mistake 'frobnicate 1'
mistake 'rdmsr'
mistake 'rdmsr HV_X64_MSR_NONE'
mistake 'wrmsr 1 two'
mistake 'wrmsr 1 $two'
mistake '@9 rdtsc'
mistake '@x rdtsc'
mistake 'wait 3h'
mistake 'expect 1'
mistake 'read 0x1000 300'
mistake 'write 0x1000 hex 123'
mistake 'hypercall r99=1'
mistake 'state hyperv.nothing'
mistake 'state hyperv'
mistake '@0'
mistake '~@0 rdtsc'
mistake 'value 18446744073709551616'
mistake 'value 1+'
mistake 'wait 61s'
mistake 'set a'
mistake 'read 0x1000 0'
mistake 'write 0x1000 u8 0x100'
mistake 'write 0x1000 16 1'
mistake $'rdtsc\nexpect 5..1'
mistake $'rdtsc\nexpect foo'
mistake $'rdtsc\nexpect eax 1'
mistake $'rdtsc\nexpect ok 1'
mistake $'rdtsc\nexpect bytes 00'
mistake $'read 0x1000 2\nexpect bytes 00'
mistake $'rdmsr 1\nwrmsr 1 2\nexpect 1'
mistake "$(printf 'echo%25s' '' | sed 's/ / x/g')"
echo "== nothing wrong: a mark of UTF-8, ends of lines of two characters, comments, what only a run knows"
printf '\357\273\277echo a #b\r\ncpuid 0x40000000 # no fault\r\nexpect #GP #no fault\r\nset a 5\r\nwrite 0x1000 u8 $a-1\nwait 1ms\nexpect ok\nread 0x1000 2\nexpect bytes 0401\n' >odd.probe
run replay state.sav --engine core --probe odd.probe
echo "== what an expectation judges is shown, and not what stands before it"
printf 'cpuid 0x40000000\nset a\nexpect ebx 1\nexpect ecx 1\nexpect interrupts 0x30 1\n' >judge.probe
run replay state.sav --engine core --probe judge.probe --tap
echo "== a run that ends before its end"
printf 'rdtsc\nexpect ok\nset n 5\nconnect message 1 $n 1\n' >ends.probe
run replay state.sav --engine core --probe ends.probe 2>&1
run replay state.sav --engine core --probe ends.probe --tap 2>/dev/null
run replay state.sav --engine core --probe ends.probe --junit 2>/dev/null
run replay state.sav --engine core --probe ends.probe --json | tail -n 6
run replay state.sav --engine core --save-after native.json --json | tail -n 7
echo "== a pipe is read once, and all probes before the first runs"
printf 'expect interrupts 1 0\n' | run replay state.sav --engine core --probe - --repeat 3 | grep -c ' ok$'
run replay - --probe - 2>&1
run replay state.sav --probe - --probe - 2>&1
run replay state.sav --engine core --probe judge.probe --probe bad.probe 2>&1
run replay state.sav --tap --json 2>&1 | grep text
run replay state.sav --tap --junit 2>&1
run replay state.sav --engine core --smp 2 2>&1
run replay state.sav --engine core --clock kernel 2>&1
run replay state.sav --engine turbo 2>&1
run replay state.sav --probe none.probe 2>&1
run replay state.sav --repeat 0 2>&1
run replay "$SAMPLES/none.sav" --engine core 2>&1 | sed 's/TSC [0-9.]* GHz/TSC/'
run replay "$SAMPLES/minimal.sav" --engine core 2>&1 | sed 's/TSC [0-9.]* GHz/TSC/'
