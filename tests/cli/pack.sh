# SPDX-License-Identifier: GPL-3.0-or-later
# Bundles: packed, read as states, changed, unpacked.
# What the document holds grows with the tables, so its size and sum are not looked at.
plain() { sed -E 's/^((state|manifest)\.json) .*/\1 .../; /"state.json"/,/}/{s/("size_bytes": ).*/\1...,/;s/("sha256": ).*/\1.../}'; }
show() { try "$@" | plain; }
hyperv=$SAMPLES/hyperv-4.sav cpum=$SAMPLES/hyperv-cpum.sav kvm=$SAMPLES/kvm-memory.sav
# differs FILE STATE: what a dump of FILE says otherwise than one of STATE.
differs() { "$GIMSTATE" dump "$1" | diff <(cat "$2" | "$GIMSTATE" dump -) - | grep '^[<>]' | sed "s|^|$1: |"; }
show pack "$hyperv" -o a.gimb
try verify a.gimb
differs a.gimb "$hyperv"
try info a.gimb
try units a.gimb
show unpack a.gimb -o a
plain <a/manifest.json
"$GIMSTATE" extract "$hyperv" --unit GIM | cmp - a/gim.bin && echo same
"$GIMSTATE" dump --json "$hyperv" | sed '/"source": {/,/^  }/d' | head -n 20 | diff - a/state.json | grep -c '^<'
# Each kind of archive, from files and pipes, and always the same bytes.
for suffix in gimb zip tar tar.gz tgz tar.bz2 tar.xz tar.zst; do
	"$GIMSTATE" pack "$kvm" -o b.$suffix --with tm --with vga/0 >list
	TZ=Asia/Tokyo "$GIMSTATE" pack - -o c.$suffix -w tm -w vga -w tm/1 <"$kvm" >/dev/null
	"$GIMSTATE" unpack b.$suffix -o b.out >/dev/null
	cat c.$suffix | "$GIMSTATE" unpack - -o c.out >/dev/null
	sed -i 's/"name": null/"name": "kvm-memory.sav"/' c.out/manifest.json
	diff -r b.out c.out
	"$GIMSTATE" pack "$kvm" -o c.$suffix --with tm --with vga --force >/dev/null
	cmp b.$suffix c.$suffix
	"$GIMSTATE" verify b.$suffix
	cat b.$suffix | "$GIMSTATE" verify - | sed 's/^-/a pipe/'
	differs b.$suffix "$kvm"
	rm -r b.out c.out
done
plain <list
try units b.zip
try dump b.gimb --unit tm
"$GIMSTATE" extract b.tar.xz --unit vga | cmp - <("$GIMSTATE" extract "$kvm" --unit vga) && echo same
# A whole state is that state.
show pack "$cpum" -o whole.gimb --whole
try verify whole.gimb
"$GIMSTATE" dump --all whole.gimb | diff - <(cat "$cpum" | "$GIMSTATE" dump --all -) && echo same
try convert whole.gimb whole.sav
cmp whole.sav "$cpum" && echo same
show unpack whole.gimb --member state.sav -o again.sav
cmp again.sav "$cpum" && echo same
# Changing it leaves a bundle, or its state; changed back it is the same bundle.
try set whole.gimb hyperv.features.hints=-relaxed_timing -o changed.gimb
try verify changed.gimb
try diff --all whole.gimb changed.gimb
try set changed.gimb hyperv.features.hints=+relaxed_timing --in-place
try diff --all whole.gimb changed.gimb
try set whole.gimb hyperv.hypercall=0 -o changed.gimb --force
try set changed.gimb hyperv.hypercall=0x7f001 --in-place
cmp whole.gimb changed.gimb && echo same
try set whole.gimb hyperv.hypercall=0 -o changed.sav.xz
try verify changed.sav.xz
try set "$cpum" hyperv.hypercall=0x7f001 -o set.gimb
cmp whole.gimb set.gimb && echo same
# So it is with parts.
show pack "$cpum" -o parts.gimb --with cpum
try set parts.gimb hyperv.features.hints=-relaxed_timing -o changed.gimb --force
try verify changed.gimb
try diff --all parts.gimb changed.gimb
try set changed.gimb hyperv.features.hints=+relaxed_timing --in-place
cmp parts.gimb changed.gimb && echo same
try set parts.gimb hyperv.hypercall=0 -o refused.sav
try convert parts.gimb converted.zip --layout vbox-hyperv-2 --lossy
try verify converted.zip
try get converted.zip gim.layout
try convert parts.gimb --dry-run --to vbox:5.2
try set "$SAMPLES/hyperv-4.sav" --from parts.gimb -o from.sav
# Packed again it says where it comes from.
show pack parts.gimb -o again.tar.gz --whole
show unpack again.tar.gz -o again
grep -A 4 '"source"' again/manifest.json
# An old container, as it is and converted.
show pack "$SAMPLES/old-1.2.sav" -o old.gimb --whole
try verify old.gimb
try convert old.gimb new.gimb --container 2.0 --producer 7.2.4r170995
try verify new.gimb
"$GIMSTATE" unpack new.gimb --member manifest.json -o new.json >/dev/null
grep -A 3 '"container": {' new.json
# As a target it is its state, but that parts say nothing of the units that it has.
"$GIMSTATE" convert "$cpum" whole.sav.xz >/dev/null
for file in whole.gimb whole.sav.xz parts.gimb; do
	"$GIMSTATE" profile $file | diff <("$GIMSTATE" profile "$cpum") - | grep -c '^[<>]'
	"$GIMSTATE" check "$cpum" --target $file | head -n 1 | sed "s|$SAMPLES/||"
	"$GIMSTATE" check $file --target "$cpum" | head -n 1 | sed "s|$SAMPLES/||"
done
"$GIMSTATE" replay whole.gimb --engine core --save-after machine.gimb | tail -n 1 | sed 's/[0-9]* met/all met/'
try verify machine.gimb
try get machine.gimb gim.provider guest.vcpus
"$GIMSTATE" replay machine.gimb --engine core | tail -n 1 | sed 's/[0-9]* met/all met/'
# Fields only: a JSON document.
"$GIMSTATE" dump --json "$SAMPLES/kvm.sav" >native.json
show pack native.json -o native.gimb
try verify native.gimb
differs native.gimb native.json
try set native.gimb kvm.wall_clock=0x1000 --in-place
try get native.gimb kvm.wall_clock
try set native.gimb kvm.wall_clock=0x2000 -o native2.json
try get native2.json kvm.wall_clock
try units native.gimb
# Writing.
show pack "$hyperv" -o a.gimb
show pack "$hyperv" -o a.gimb --force
show pack "$hyperv" -o a.sav
show pack "$hyperv"
show pack "$hyperv" -o x.gimb --with nothing
show pack "$hyperv" -o x.gimb --with tm --whole
show pack a.gimb -o a.gimb --force
show unpack a.gimb -o a
show unpack a.gimb -o a.gimb
show unpack a.gimb -o list
show unpack a.gimb -o nowhere/a
show unpack a.gimb --member nothing -o nothing
show unpack a.gimb --member gim.bin -o a/gim.bin
show unpack a.gimb --member gim.bin -o a/gim.bin --force
show unpack a.gimb
show unpack "$hyperv" -o x
show unpack list -o x
umask 022
mkdir -m 700 empty
show unpack a.gimb -o empty
stat -c '%a %n' empty empty/*
umask 027
"$GIMSTATE" unpack b.gimb -o modes >/dev/null
stat -c '%a %n' modes modes/* modes/units/*
show pack a.gimb//gim.bin -o x.gimb
try dump b.gimb//units/03-vga.0.bin
ls -A x* nothing refused* .gimstate* 2>/dev/null || true
