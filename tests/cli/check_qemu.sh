# SPDX-License-Identifier: GPL-3.0-or-later
# What a migration stream is checked for: releases, command lines, libvirt's descriptions, this host, and what is asked for without any.
cp "$SAMPLES/qemu-kvm.mig" "$SAMPLES/kvm.sav" .
# Without a target: what would suit is named.
try check qemu-kvm.mig
try check - <qemu-kvm.mig
try check kvm.sav
# Releases and command lines.
try check qemu-kvm.mig -t qemu:7.2
try check qemu-kvm.mig -t 'qemu:11.1 -M pc-i440fx-7.2 -accel kvm -cpu host -smp 2'
try check qemu-kvm.mig -t 'qemu:7.2 -M pc -cpu host,kvm=off -smp 3' -t 'qemu:7.2 -M q35 -accel tcg -smp 1 -m 64'
try check qemu-kvm.mig -t 'qemu:7.2 -cpu qemu64,-kvm-steal-time,tsc-frequency=2.5G'
try check qemu-kvm.mig -t 'qemu:6.2 -M pc'
try check qemu-kvm.mig -t 'qemu:7.2 -M pc -smp none'
try check qemu-kvm.mig -t 'qemu:7.2 pc'
try check qemu-kvm.mig -t qemu:12.9
try check qemu-kvm.mig -t 'qemu:7.2 -M pc -global x86_64-cpu.kvm-steal-time=off -cpu host'
# A guest with Hyper-V's interface and without a SynIC: of sints that the stream leaves out nothing is said; one that it has is judged.
"$GIMSTATE" set qemu-kvm.mig hyperv.guest_os_id=0x1040a00004a65 -o hyperv.mig >/dev/null
"$GIMSTATE" set hyperv.mig 'hyperv.vp[0].sint[2]=0x5' -o sint.mig >/dev/null
for mig in hyperv sint; do "$GIMSTATE" check $mig.mig -t qemu:7.2 | grep -E ': fits|sint\[2\]'; done
# VirtualBox loads no migration stream, and QEMU no saved state.
try check qemu-kvm.mig -t vbox:7.2
try check kvm.sav -t qemu:7.2
# libvirt's description of a VM; what it hands on to QEMU is read, too.
domain() { # ARGUMENTS IN -cpu'S PLACE…
	echo "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>vm</name><vcpu>2</vcpu>"
	echo "<os><type machine='pc-i440fx-7.2'>hvm</type></os><cpu mode='host-passthrough'/><qemu:commandline>"
	for word; do echo "<qemu:arg value='$word'/>"; done
	echo "</qemu:commandline></domain>"
}
domain >vm.xml
domain -cpu host,-kvmclock >less.xml
domain -cpu host -machine pc-q35-7.2 -smp 3 -device vmcoreinfo >other.xml
domain -smp >broken.xml
echo "<domain type='xen'/>" >xen.xml
for xml in vm less other broken xen missing; do try check qemu-kvm.mig -t libvirt:$xml.xml; done
try check qemu-kvm.mig -t less.xml --json
try profile less.xml
# The machine that this test runs on: something is said of it, or why it is not known.
"$GIMSTATE" check qemu-kvm.mig -t host >out 2>&1
case $? in
0 | 1) grep -cE '^qemu-kvm.mig on host: ' out ;;
*) grep -q /dev/kvm out && echo 1 ;;
esac
# An option that is misspelt is told, as all that are passed over.
try check qemu-kvm.mig -t 'qemu:7.2 -M pc -spm 3 -nographic' --notes
# What verify asks of any target is not told where the target has it.
"$GIMSTATE" set qemu-kvm.mig hyperv.reenlightenment.control=0x100ee -o reenl.mig >/dev/null
for target in qemu:7.2 'qemu:7.2 -cpu host,hv-reenlightenment' 'qemu:7.2 -cpu host,hv-reenlightenment,tsc-freq=2G' vbox:7.2; do
	told=$("$GIMSTATE" check reenl.mig -t "$target" --ndjson | grep -oE 'GIM-QEMU-(REENLIGHT|007)' | uniq -c | xargs)
	echo "$target: ${told:-nothing}"
done
