# SPDX-License-Identifier: GPL-3.0-or-later
# The guest interface of a state of each kind; of samples all of it, by their own .dump files.
for state in "$SAMPLES"/*.sav; do
	"$GIMSTATE" dump "$state" 2>&1 | cmp - "${state%.sav}.dump" || echo "$(basename "$state"): its .dump differs: make samples"
done
try dump "$SAMPLES/kvm.sav"
try dump "$SAMPLES/none.sav"
"$GIMSTATE" dump - <"$SAMPLES/hyperv-4.sav" | grep -c '^hyperv\.'
