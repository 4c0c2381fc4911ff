# SPDX-License-Identifier: GPL-3.0-or-later
mkdir -p vm/Snapshots
cp "$SAMPLES/hyperv-4.sav" vm/Snapshots/now.sav
cp "$SAMPLES/kvm.sav" vm/Snapshots/first.sav
cat >vm/vm.vbox <<'END'
<?xml version="1.0"?>
<VirtualBox xmlns="http://www.virtualbox.org/" version="1.19-linux">
  <Machine uuid="{5c7abc46-ccc4-4d2f-b319-0613b40de8d5}" name="vm" OSType="Windows10_64" stateFile="Snapshots/now.sav" snapshotFolder="Snapshots">
    <Snapshot uuid="{3c7abc46-ccc4-4d2f-b319-0613b40de8d5}" name="the first" stateFile="Snapshots/first.sav">
      <Hardware><CPU count="3"/><Memory RAMSize="128"/><Paravirt provider="KVM"/></Hardware>
      <Snapshots>
        <Snapshot uuid="{4c7abc46-ccc4-4d2f-b319-0613b40de8d5}" name="off">
          <Hardware><CPU count="1"/></Hardware>
        </Snapshot>
      </Snapshots>
    </Snapshot>
    <Hardware><CPU count="2"/><Memory RAMSize="128"/><Paravirt provider="Default"/></Hardware>
  </Machine>
</VirtualBox>
END
# All states that a VM has, each by its own settings.
try check vm/vm.vbox
try check vm/vm.vbox --target vbox:7.2
# A state finds its VM, beside it or above it.
try check vm/Snapshots/first.sav
(cd vm/Snapshots && "$GIMSTATE" check now.sav)
# It is called like its VM.
cp vm/Snapshots/now.sav moved.sav
sed 's/Default/Legacy/; s/RAMSize="128"\/><Paravirt provider="L/RAMSize="64"\/><Paravirt provider="L/' vm/vm.vbox >moved.vbox
try check moved.sav
# Other settings than those of the state; with a release.
try check vm/Snapshots/first.sav -t moved.vbox
try check vm/Snapshots/now.sav -t vm/vm.vbox@vbox:5.1
try profile vm/vm.vbox
# A VM without saved states, with one that is missing, and what is none.
sed 's/stateFile="[^"]*"//' vm/vm.vbox >off.vbox
try check off.vbox
rm vm/Snapshots/first.sav
try check vm/vm.vbox
echo '<VirtualBox><Machine></VirtualBox>' >broken.vbox
try check broken.vbox
try check moved.sav -t broken.vbox
