# SPDX-License-Identifier: GPL-3.0-or-later
# Another provider: only in the GIM unit, and with what else in the state is the old one's.
state=$SAMPLES/hyperv-cpum.sav
try convert "$state" refused.sav --layout vbox-kvm-1
try convert "$state" refused.sav --layout vbox-kvm-1 --gim-only
try convert "$state" refused.sav --layout vbox-kvm-1 --lossy
try convert "$state" kvm.sav --layout vbox-kvm-1 --gim-only --lossy
try verify kvm.sav
"$GIMSTATE" dump kvm.sav | grep '^kvm' | grep -v absent
try convert "$SAMPLES/hyperv-1.sav" --layout vbox-none --gim-only --dry-run --json
# There is nothing to lose; the new one begins as after a reset.
try convert "$SAMPLES/none.sav" hyperv.sav --layout vbox-hyperv-4 --gim-only
try verify hyperv.sav
try convert "$SAMPLES/minimal.sav" none.sav --layout vbox-none --gim-only
cmp "$SAMPLES/none.sav" none.sav && echo same
# Again: nothing changes.
try convert none.sav again.sav --layout vbox-none
cmp none.sav again.sav && echo same
# What cannot be done.
try convert "$SAMPLES/none.sav" refused.sav --layout vbox-kvm-2 --gim-only
try convert "$SAMPLES/none.sav" refused.sav --layout kvm
try convert "$state" refused.sav --layout vbox-none-1
try set "$SAMPLES/none.sav" gim.provider=minimal -o refused.sav
try set "$SAMPLES/none.sav" gim.provider=hyperv --gim-only -o refused.sav
ls
