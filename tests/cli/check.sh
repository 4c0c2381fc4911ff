# SPDX-License-Identifier: GPL-3.0-or-later
# Fingerprints follow from the names that are given, so those must not be of a folder that differs from place to place.
cp "$SAMPLES/hyperv-4.sav" "$SAMPLES/kvm.sav" .
hv=hyperv-4.sav kvm=kvm.sav
# A release: what it loads, and what it does not.
try check "$kvm" --target vbox:7.2
try check "$kvm" --target vbox:7.2 --notes
try check "$hv" -t vbox:5.2 -t vbox:7.1
# Another state, and profiles of it; the release may be given with them.
try check "$hv" -t "state:$SAMPLES/hyperv-4.sav"
try check "$hv" -t "$kvm"
"$GIMSTATE" profile "$kvm" >kvm.json
try check "$kvm" -t kvm.json
try check "$kvm" -t kvm.json@vbox:5.0
# What a VM does not have.
cat >vm.json <<'END'
{"gimstate": 1,
 "profile": {"release": "vbox:7.2", "tsc_fixed": true, "unit": [{"name": "SSM", "instance": 0, "version": 1}, {"name": "GIM", "instance": 0},
   {"name": "mm", "instance": 1, "version": 1}, {"name": "tm", "instance": 1}]},
 "gim": {"provider": "kvm"},
 "guest": {"vcpus": 2, "ram_bytes": "0x10000", "tsc_hz": "0x3b9aca00"}}
END
try check "$kvm" -t vm.json
try check "$kvm" -t vm.json --json
# A damaged container; VirtualBox meets the damage first.
cp "$kvm" damaged.sav
poke damaged.sav $(($(find_bytes damaged.sav 'Host OS') + 2)) X
try check damaged.sav -t vm.json
# Several states: all are told, and the worst counts.
try check "$kvm" "$hv" nothing.sav /dev/null -t vbox:7.2
try check "$kvm" -t vbox:7.2 -t nothing.json -t vbox:6.0
head -c 100 /dev/urandom >random
try check random -t vbox:7.2
# No answer.
try check "$kvm"
try check "$kvm" -t vbox:9.1
try check "$kvm" -t vbox
try check "$kvm" -t -
try check "$kvm" -t qemu:7.2
echo '{"gimstate": 1, "profile": {"vcpus": 2}}' >bad.json
try check "$kvm" -t bad.json
for what in "cat $kvm" "gzip -c $kvm" "tar cf - -C $SAMPLES kvm.sav" "echo text"; do
	$what | "$GIMSTATE" check - -t vbox:7.2
	echo "[$?]"
done
tar cf - -C "$SAMPLES" kvm.sav | "$GIMSTATE" check -//kvm.sav -t vbox:7.2
echo "[$?]"
"$GIMSTATE" check - -t vbox:7.2 <"$kvm"
echo "[$?]"
try check
try check "$kvm" -t vbox:7.2 --error NO-RULE
