# SPDX-License-Identifier: GPL-3.0-or-later
# Feature words stand in the CPUID leaves that the unit cpum saves, too: both change, or nothing does.
state=$SAMPLES/hyperv-cpum.sav
leaves() { "$GIMSTATE" dump --all "$1"; }
leaves "$state" >before
try set "$state" hyperv.features.hints=+deprecate_auto_eoi hyperv.features.misc=-crash_msrs -o both.sav
leaves both.sav | diff before - | grep '^[<>] [gh]'
try verify both.sav
try set both.sav hyperv.features.hints=-deprecate_auto_eoi hyperv.features.misc=+crash_msrs -o back.sav --json
leaves back.sav | diff before - | grep '^[<>] [gh]'
# What is no feature word changes the GIM unit alone; so does a word that stays as it is.
try set "$state" hyperv.guest_os_id=1 hyperv.features.hints=0x130 -o other.sav
# Alone, on demand; then the two disagree, and changing both is refused.
try set "$state" hyperv.features.hints=0x30 --gim-only -o alone.sav
leaves alone.sav | diff before - | grep '^[<>] [gh]'
try set alone.sav hyperv.features.hints=+deprecate_auto_eoi -o refused.sav
try set alone.sav hyperv.features.hints=+deprecate_auto_eoi -o refused.sav --json
try set alone.sav hyperv.features.hints=0x130 --gim-only -o mended.sav
cmp "$state" mended.sav && echo same
# Without the unit cpum nothing else shows them.
try set "$SAMPLES/hyperv-4.sav" hyperv.features.hints=0x30 -o alone.sav --force
# Damage before the changed units is not sealed with new checksums.
cp "$state" damaged.sav
poke damaged.sav "$(($(find_bytes damaged.sav release)))" R
try set damaged.sav hyperv.guest_os_id=1 -o refused.sav
try set damaged.sav hyperv.features.hints=0x30 -o refused.sav
ls
