# replay in a VM of /dev/kvm: a guest that cannot go on, and a host that does not let us.
run() { "$GIMSTATE" "$@" 2>&1 | sed 's/TSC [0-9.]* GHz/TSC/'; echo "exit ${PIPESTATUS[0]}"; }
cp "$SAMPLES/kvm.sav" state.sav
"$GIMSTATE" replay state.sav --engine kvm >/dev/null 2>reason || { sed 's/^/SKIP /' reason; exit 77; }
run replay state.sav --engine kvm
run replay state.sav
echo "== KVM's clock by the kernel"
run replay state.sav --engine kvm --clock kernel
"$GIMSTATE" replay state.sav --engine kvm --clock kernel --save-after kernel.json >/dev/null && run replay kernel.json --clock kernel | tail -n 2
echo "== what the host can is said"
"$GIMSTATE" replay state.sav --engine kvm --verbose | grep -c '^host: KVM_CAP_[A-Z0-9_]* [0-9]'
echo "== an endless loop: the harness's own memory begins above RAM, with its hypercall stub at 0x800"
printf 'write 0x8000800 hex ebfe\nhypercall\n' >loop.probe
run replay state.sav --engine kvm --probe loop.probe --timeout 1
echo "== a triple fault: no gates for #DF, #GP"
printf 'write 0x80010d0 u64 0\nwrite 0x8001080 u64 0\nrdmsr 0x4000001f\n' >triple.probe
run replay state.sav --engine kvm --probe triple.probe
echo "== an exception that no operation should raise"
printf 'write 0x8000800 hex 0f0b\nhypercall\nexpect #UD\nwrite 0x8000800 hex 31c9f7f1\nhypercall\n' >divide.probe
run replay state.sav --engine kvm --probe divide.probe
echo "== no orphan is left"
pgrep -P $$ -x gimstate
