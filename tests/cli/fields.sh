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
