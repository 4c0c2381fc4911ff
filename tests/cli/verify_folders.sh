# SPDX-License-Identifier: GPL-3.0-or-later
# In folders verify finds what check finds: states of any kind, packed or not, each once, and what cannot be looked at.
mkdir -p vms/deep vms/none
cp "$SAMPLES/kvm.sav" "$SAMPLES/qemu-kvm.mig" vms
head -c 500 "$SAMPLES/kvm.sav" >vms/deep/short.sav
gzip -c "$SAMPLES/hyperv-4.sav" >vms/deep/packed
echo "no state" >vms/deep/note.txt
: >vms/deep/empty
: >vms/.keep
ln -s ../deep vms/none/again
ln -s .. vms/deep/up
try verify -r vms
try verify vms
try verify -r vms/kvm.sav vms/none
mkdir nothing
try verify -r nothing
"$GIMSTATE" verify -r vms --ndjson 2>&1 | sed -n 's/.*"file":"\([^"]*\)","verdict":"\([^"]*\)".*/\1 \2/p'
"$GIMSTATE" verify -r vms --json | grep -c '"verdict"'
"$GIMSTATE" check -r vms --target qemu:7.2 --ndjson 2>/dev/null | sed -n 's/.*"state":"\([^"]*\)".*/\1/p'
