# SPDX-License-Identifier: GPL-3.0-or-later
# States that are compressed, or stand in archives: read as they are, and written as the name says.
state=$SAMPLES/hyperv-4.sav
same() { "$GIMSTATE" dump "$1" 2>&1 | diff expected - | grep '^[<>]' | sed "s|^|$1: |"; }
cat "$state" | "$GIMSTATE" dump - >expected # a stream has no size in advance
for suffix in gz bz2 xz zst; do
	try set "$state" hyperv.hypercall=0x7f001 -o a.sav.$suffix
	same a.sav.$suffix
	try verify a.sav.$suffix
done
# Always the same bytes.
"$GIMSTATE" set "$state" hyperv.hypercall=0x7f001 -o b.sav.gz >/dev/null
cmp a.sav.gz b.sav.gz && gzip -t a.sav.gz && gzip -dc a.sav.gz | cmp - "$state" && echo same
# In place it stays compressed.
try set b.sav.gz hyperv.hypercall=0x5001 --in-place
gzip -t b.sav.gz
try get b.sav.gz hyperv.hypercall
try set - hyperv.hypercall=0x7f001 -o c.sav <b.sav.gz
cmp c.sav "$state" && echo same
try convert a.sav.zst d.sav.xz --layout vbox-hyperv-3 --lossy
try verify d.sav.xz
try extract "$state" --unit GIM -o gim.bin.gz
gzip -dc gim.bin.gz | wc -c
# A stream is read once, forward.
try info a.sav.zst
try units a.sav.xz
try verify --quick - <a.sav.bz2
# Members of archives, and of archives in archives.
mkdir -p path/in
cp "$state" path/in/it.sav
cp a.sav.xz path/
tar -cf plain.tar path
tar -czf packed.tgz ./path
mkdir outer && cp packed.tgz outer/inner.tgz && tar -cf outer.tar outer
for member in plain.tar//path/in/it.sav packed.tgz//path/in/it.sav packed.tgz//./path/in/it.sav plain.tar//path/a.sav.xz outer.tar//outer/inner.tgz//path/in/it.sav; do
	same $member
	try verify $member
done
"$GIMSTATE" dump -//path/in/it.sav <packed.tgz | diff expected - | grep '^[<>]'
same path//in//it.sav
for file in plain.tar packed.tgz plain.tar//path/in plain.tar//nothing plain.tar//path/in/it.sav//x "$state//x" missing.tar//x path//x//y; do try dump "$file"; done
try set plain.tar//path/in/it.sav hyperv.hypercall=0 --in-place
try set plain.tar//path/in/it.sav hyperv.hypercall=0 -o plain.tar --force
try set - hyperv.hypercall=0 --in-place <a.sav.gz
# What is in it is no state.
echo text | gzip >text.gz
: | gzip >empty.gz
gzip -c packed.tgz >twice.gz
for file in text.gz empty.gz twice.gz; do try dump $file; done
try verify text.gz
# Damage. What was read before it is shown.
head -c 300 a.sav.gz >cut.gz
head -c 3 a.sav.gz >head.gz
cp a.sav.xz flipped.xz && poke flipped.xz 700 '\0\0\0'
for file in cut.gz head.gz flipped.xz; do
	"$GIMSTATE" dump $file 2>&1 >/dev/null | sed 's/^/dump: /'
	try verify $file
done
try set flipped.xz hyperv.hypercall=0 -o refused.sav
ls refused.sav 2>&1
# Small files that become large.
{ gzip -c "$state"; head -c 64M /dev/zero | gzip -c >zeros.gz; for _ in {1..20}; do cat zeros.gz; done; } >large.gz
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
"$GIMSTATE" set large.gz hyperv.hypercall=0 -o large.sav 2>&1
echo "[$?]"
truncate -s 8G sparse && tar -cSf sparse.tar sparse
"$GIMSTATE" verify sparse.tar//sparse
echo "[$?]"
# There is no room to unpack it, or no folder for that.
unset TMPDIR
(ulimit -f 0 && try set a.sav.zst hyperv.hypercall=0 -o refused.sav) 2>&1 | cat
TMPDIR=$PWD/nowhere try set a.sav.zst hyperv.hypercall=0 -o refused.sav
# Without the library.
mkdir lib && : >lib/libarchive.so.13
LD_LIBRARY_PATH=$PWD/lib try dump a.sav.zst
LD_LIBRARY_PATH=$PWD/lib try dump plain.tar//path/in/it.sav
LD_LIBRARY_PATH=$PWD/lib try set "$state" hyperv.hypercall=0 -o refused.sav.gz
LD_LIBRARY_PATH=$PWD/lib status dump "$state"
ls refused* 2>&1 || true
