# SPDX-License-Identifier: GPL-3.0-or-later
# Old containers become new ones; what their header lacks is supplied, and the list says so.
units() { "$GIMSTATE" units "$1" --json | grep -E '"(name|instance|version|payload_bytes)"'; }
fields() { "$GIMSTATE" dump --all "$1" | grep -v '^source'; }
for old in 1.1 1.2; do
	state=$SAMPLES/old-$old.sav
	try convert "$state" --container 2.0 --dry-run
	try convert "$state" "$old.sav" --container 2.0
	try verify "$old.sav"
	try info "$old.sav"
	diff <(units "$state") <(units "$old.sav") && diff <(fields "$state") <(fields "$old.sav") && echo "the same units"
	# Again: nothing changes.
	try convert "$old.sav" again.sav --container 2.0
	cmp "$old.sav" again.sav && rm again.sav && echo same
done
state=$SAMPLES/old-1.1.sav
try convert "$state" given.sav --container 2.0 --producer 7.2.22r175245 --host-bits 32 --json
"$GIMSTATE" dump given.sav | grep -E '^source\.(producer|release|host_bits)'
try convert "$SAMPLES/old-1.2.sav" --container 2.0 --producer 7.2.22r175245 --dry-run
try convert "$SAMPLES/kvm.sav" kvm.sav --container 2.0 --host-bits 32
cmp "$SAMPLES/kvm.sav" kvm.sav && echo same
# A release writes its own container, and its own layout.
try convert "$SAMPLES/old-1.2.sav" release.sav --to vbox:5.1 --lossy
try verify release.sav
# Without an option all bytes are copied, whatever is in them.
try convert "$state" copy.sav
cmp "$state" copy.sav && echo same
head -c 400 "$SAMPLES/hyperv-4.sav" >torn.sav
# What cannot be done.
try convert "$SAMPLES/old-1.2.sav" refused.sav --layout vbox-hyperv-3
try set "$state" kvm.wall_clock=1 -o refused.sav
try convert "$SAMPLES/kvm.sav" refused.sav --container 1.2
try convert "$state" refused.sav --container 2.0 --host-bits 16
try convert "$state" refused.sav --producer 7.2.22r175245
for producer in 7.2.22 7.2r1 7.2.22r0 0.2.22r1 1001.0.0r1 7.2.22r10000001 7.2.22r175245x -7.2.22r1 ''; do
	try convert "$state" refused.sav --container 2.0 --producer="$producer"
done
cp "$state" damaged.sav
poke damaged.sav "$(find_bytes damaged.sav release)" R
try convert damaged.sav refused.sav --container 2.0
try convert torn.sav refused.sav --container 2.0
head -c 300 "$state" >short.sav
try convert short.sav refused.sav --container 2.0
ls
