# SPDX-License-Identifier: GPL-3.0-or-later
# What a file that is written may be, and what it is like afterwards.
state=$SAMPLES/kvm.sav
mode() { stat -c '%a %n' "$@"; }
write() { try set "$state" kvm.wall_clock=0x7000 -o "$@"; }
mkdir folder elsewhere
umask 027
write new.sav
mode new.sav
chmod 4604 new.sav
write new.sav
write new.sav --force
mode new.sav
chmod 600 new.sav
try set new.sav kvm.wall_clock=0x8000 --in-place
mode new.sav
write folder
write folder/
write ""
write nowhere/new.sav
write new.sav/new.sav
write /dev/null --force
# A symbolic link is neither followed nor replaced, whatever it stands for.
cp new.sav elsewhere/target.sav
ln -s elsewhere/target.sav link.sav
ln -s nothing dangling.sav
write link.sav --force
write dangling.sav --force
try set link.sav kvm.wall_clock=0x9000 --in-place
cmp new.sav elsewhere/target.sav && echo untouched
ls -A elsewhere
# A folder may be reached by one.
ln -s elsewhere there
write there/new.sav
# The input, by any name.
ln new.sav hard.sav
for name in new.sav ./new.sav folder/../new.sav hard.sav link.sav; do try set new.sav kvm.wall_clock=0 -o $name --force; done
try convert new.sav hard.sav --force
try extract new.sav --unit GIM -o hard.sav --force
# No room. The old file is as it was, and nothing is left.
cp new.sav full.sav
(ulimit -f 0 && write full.sav --force) 2>&1 | cat
cmp new.sav full.sav && echo untouched
ls -A . elsewhere folder
