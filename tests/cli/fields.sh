# SPDX-License-Identifier: GPL-3.0-or-later
"$GIMSTATE" fields | grep '^gim\.'
"$GIMSTATE" fields --layout vbox-kvm-1 | cut -d ' ' -f 1
try fields hyperv.hypercall
try fields gim.provider
"$GIMSTATE" fields hyperv.hypercall_page | cut -d ' ' -f 1
"$GIMSTATE" fields 'kvm.vcpu[0].flags' | head -n 1
try fields nosuch
try fields --layout nosuch
try fields gim.delimiter --json
# What a release saves, and what another saves besides.
for name in qemu:7.2 qemu-7.2 qemu-11.1 vbox:7.2; do "$GIMSTATE" fields --layout $name | wc -l; done
for name in qemu:9.9 qemu:2.0 qemu 7.2 'qemu 7.2' qemu:7; do try fields --layout "$name"; done
try fields --layout qemu:7.2 --against qemu:11.1
try fields --layout qemu:7.2 --against vbox:7.2 kvm
try fields --layout vbox-hyperv-4 --against vbox-hyperv-3
try fields --layout vbox-hyperv-4 --against vbox-hyperv-3 --json
try fields --layout vbox-hyperv-4 --against vbox-hyperv-3 kvm
try fields --layout qemu:7.2 --against qemu:11.1 --json
try fields --layout qemu:7.2 --against qemu:99.1 --json
try fields --against qemu:7.2
