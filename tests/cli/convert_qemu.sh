# SPDX-License-Identifier: GPL-3.0-or-later
# A migration stream for an older QEMU: what that does not know is named, and left out when it may be lost.
cp "$SAMPLES"/qemu-kvm.mig .
# A subsection that no table lists, in place of one that all releases know.
LC_ALL=C sed 's,cpu/tsc_khz,cpu/tomorro,g' qemu-kvm.mig >newer.mig
try verify newer.mig
try convert qemu-kvm.mig known.mig --to qemu:7.2
cmp qemu-kvm.mig known.mig && echo "the same bytes"
try convert newer.mig refused.mig --to qemu:7.2
try convert newer.mig --to qemu:7.2 --dry-run --json
try convert newer.mig older.mig --to qemu:7.2 --lossy
try units older.mig
grep -c tomorro older.mig
try verify older.mig
try diff qemu-kvm.mig older.mig
# Of releases in between it is not known.
try convert newer.mig same.mig --to qemu:9.0
cmp newer.mig same.mig && echo "the same bytes"
try convert newer.mig oldest.mig --to qemu:6.2 --lossy
try check newer.mig --target qemu:7.2 --target qemu:9.0
try convert qemu-kvm.mig refused.mig --to vbox:7.2
try convert qemu-kvm.mig refused.mig --to qemu:7.3
# The shell keeps it as the form in which save writes.
try shell newer.mig -c 'convert --to qemu:7.2 --lossy' -c 'set kvm.clock_ns=absent' -c 'set kvm.clock_ns=20000000000' -c 'save held.mig'
cmp older.mig held.mig && echo "the same bytes"
ls refused* 2>/dev/null || echo "nothing was written"
