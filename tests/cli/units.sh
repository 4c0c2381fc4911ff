# SPDX-License-Identifier: GPL-3.0-or-later
try units "$SAMPLES/kvm.sav"
try units "$SAMPLES/kvm-live.sav"
try units --json "$SAMPLES/none.sav"
# On a pipe as in a file, but for the share of a whole that is not known.
cat "$SAMPLES/kvm.sav" | "$GIMSTATE" units - | cut -c 1-50
