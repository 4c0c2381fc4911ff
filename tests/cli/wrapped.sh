# SPDX-License-Identifier: GPL-3.0-or-later
# States within other files: snapshots in disk images, libvirt's save images, archives of one file.
state=$SAMPLES/hyperv-4.sav other=$SAMPLES/kvm.sav
same() { "$GIMSTATE" dump "$1" 2>&1 | diff expected - | grep '^[<>]' | grep -v size_bytes | head -n 5 | sed "s|^|$1: |"; }
"$GIMSTATE" dump "$state" >expected
bytes() { # WIDTH NUMBER…: big-endian, or little-endian with LITTLE set
	local width=$1 i text
	shift
	for number; do
		text=
		for ((i = 0; i < width; i++)); do
			byte=$(printf '\\x%02x' $((number >> 8 * i & 255)))
			if [ -n "$LITTLE" ]; then text=$text$byte; else text=$byte$text; fi
		done
		printf '%b' "$text"
	done
}
fill() { truncate -s %512 "$1"; }
size() { stat -c %s "$1"; }
# image OUT NAME STATE…: clusters of 512 bytes, and states of less than 64 of them.
image() {
	local out=$1 names=() l1s=() sizes=() entries i
	shift
	truncate -s 512 "$out"
	while [ $# != 0 ]; do
		names+=("$1") sizes+=("$(size "$2")") entries=()
		for ((i = 0; i < $(size "$2"); i += 512)); do entries+=($((1 << 63 | $(size "$out") + i))); done
		cat "$2" >>"$out" && fill "$out"
		i=$(size "$out")
		bytes 8 "${entries[@]}" >>"$out" && fill "$out"
		l1s+=("$(size "$out")")
		bytes 8 $((1 << 63 | i)) >>"$out" && fill "$out"
		shift 2
	done
	table=$(size "$out")
	for i in "${!names[@]}"; do
		{
			bytes 8 "${l1s[i]}" && bytes 4 1 && bytes 2 1 ${#names[i]} && bytes 4 $((1700000000 + i)) 0
			bytes 8 $((1500000000 * (i + 1))) && bytes 4 "${sizes[i]}" 16 && bytes 8 "${sizes[i]}" 0
			printf '%s' "$((i + 1))${names[i]}"
		} >>"$out"
		truncate -s %8 "$out"
	done
	{ printf 'QFI\373' && bytes 4 3 && bytes 8 0 && bytes 4 0 9 && bytes 8 0 && bytes 4 0 0 && bytes 8 0 0 && bytes 4 0 ${#names[@]} && bytes 8 "$table" 0 0 0 && bytes 4 4 104; } |
		dd of="$out" conv=notrunc status=none
}
image one.qcow2 only "$state"
same one.qcow2
same one.qcow2//only
same one.qcow2//1
try info one.qcow2
try get one.qcow2 snapshot.name snapshot.state_bytes
try verify one.qcow2
image two.qcow2 before "$state" after "$other"
try info two.qcow2
try info two.qcow2 --json
try info two.qcow2 --snapshot after
for command in dump units verify "get --json" "extract --unit GIM" "check -t vbox:7.1"; do
	case $command in
	get*) status $command two.qcow2 gim.provider ;;
	*) status $command two.qcow2 ;;
	esac
done
same two.qcow2//before
try verify two.qcow2//before two.qcow2//2
try verify --snapshot before two.qcow2 one.qcow2
try get --snapshot after two.qcow2 gim.provider
try diff two.qcow2//1 two.qcow2//2 gim.provider
try diff --snapshot before two.qcow2 two.qcow2
try set two.qcow2 --snapshot before hyperv.hypercall=0x7f001 -o changed.sav
try get changed.sav hyperv.hypercall
try set two.qcow2 --snapshot before hyperv.hypercall=0x7f001 --in-place
try convert --snapshot before two.qcow2 converted.sav --layout vbox-hyperv-3 --lossy
try dump two.qcow2//nothing
try check -t vbox:7.1 --snapshot before two.qcow2
try shell two.qcow2 --snapshot before -c "get gim.provider" -c "get --snapshot after gim.provider" -c "open --snapshot after two.qcow2" -c "get gim.provider"
xz -k two.qcow2
same two.qcow2.xz//before
tar -cJf image.tar.xz two.qcow2
same image.tar.xz//two.qcow2//before
tar -cJf single.tar.xz one.qcow2
same single.tar.xz
"$GIMSTATE" dump - <single.tar.xz | diff expected - | grep '^[<>]' | grep -v size_bytes
# A state alone never takes its image's place.
sum=$(cat one.qcow2 two.qcow2 | cksum)
try set one.qcow2 hyperv.hypercall=0 --in-place
try set one.qcow2 hyperv.hypercall=0 -o one.qcow2 --force
try set two.qcow2//before hyperv.hypercall=0 -o two.qcow2 --force
try convert one.qcow2 one.qcow2 --layout vbox-hyperv-3 --lossy --force
try shell one.qcow2 -c "set hyperv.hypercall=0" -c save
[ "$sum" = "$(cat one.qcow2 two.qcow2 | cksum)" ] && echo unchanged
# What is refused.
cp one.qcow2 encrypted.qcow2 && poke encrypted.qcow2 35 '\0002'
cp one.qcow2 file.qcow2 && poke file.qcow2 79 '\0004'
cp one.qcow2 none.qcow2 && poke none.qcow2 63 '\0'
head -c 1000 one.qcow2 >cut.qcow2
for file in encrypted file none cut; do try dump $file.qcow2; done
try verify cut.qcow2
# libvirt's save images: each compression, either byte order.
xml="<domain type='kvm'><name>tiny</name><features><hyperv><relaxed state='on'/></hyperv></features></domain>"
save() { # OUT FORMAT, and the stream on standard input
	{
		printf LibvirtQemudSave
		bytes 4 2 $((${#xml} + 1 + 10 + 53)) 1 "$2" $((${#xml} + 1))
		head -c 56 /dev/zero
		printf '%s\0<cookie/>\0' "$xml"
		head -c 53 /dev/zero
		cat
	} >"$1"
}
for LITTLE in "" yes; do
	save raw.save 0 <"$state"
	gzip -c "$state" | save gzip.save 1
	bzip2 -c "$state" | save bzip2.save 2
	xz -c "$state" | save xz.save 3
	zstd -qc "$state" | save zstd.save 5
	save sparse.save 6 <"$state"
	for format in raw gzip bzip2 xz zstd sparse; do same $format.save; done
	"$GIMSTATE" dump - <gzip.save | diff expected - | grep '^[<>]' | grep -v size_bytes
	try get zstd.save libvirt.format libvirt.big_endian libvirt.was_running libvirt.cookie
done
try info xz.save
try info --json raw.save
"$GIMSTATE" extract raw.save --field libvirt.xml | cmp - <(printf %s "$xml") && echo same
try verify bzip2.save
try check one.qcow2
tar -cf save.tar xz.save
same save.tar
same save.tar//xz.save
cp raw.save part.save && printf Part | dd of=part.save bs=1 seek=12 conv=notrunc status=none
head -c 150 raw.save >cut.save
for file in part cut; do try dump $file.save; done
try verify part.save
# In a tree states are found in what wraps them; an image with several is as many states, and one of a disk alone passed over.
mkdir -p tree/of && cp one.qcow2 two.qcow2 none.qcow2 part.save tree/of/ && cp plain.tar tree/ 2>/dev/null
try check -r -t vbox:7.1 tree
# Each of several is judged as if it were named, in every form, by the cache and by several threads; by its id, where two have one name.
LITTLE= image twins.qcow2 twin "$state" twin "$other"
try verify two.qcow2 twins.qcow2
try verify two.qcow2 --json
try verify two.qcow2 --ndjson
try check two.qcow2
try check twins.qcow2 -t vbox:7.1 --tap
try check two.qcow2 -t vbox:7.1 -t nothing --ndjson | cut -c 1-160
try check two.qcow2 -t nothing -t vbox:7.1 --tap
mkdir folder && cp two.qcow2 twins.qcow2 folder/
for form in --junit --sarif --json --markdown; do
	"$GIMSTATE" check -r folder -t vbox:7.1 -j 1 --cache cache $form >one.out
	echo "[$?] $form: $(grep -o 'folder/tw[^" |&)]*' one.out | sort -u | tr '\n' ' ')"
	for jobs in 1 3; do "$GIMSTATE" check -r folder -t vbox:7.1 -j $jobs --cache cache $form | cmp - one.out; done
done
xz -kc two.qcow2 >several.qcow2.xz
try verify several.qcow2.xz
try check "two.qcow2//none" -t vbox:7.1
try check - -t vbox:7.1 <two.qcow2
# lzop, where it is.
if command -v lzop >/dev/null; then
	for level in 1 3 9; do
		lzop -$level -c "$SAMPLES/hyperv-4.sav" | save lzop.save 4
		same lzop.save
	done
	lzop -C -c "$state" >state.lzo
	same state.lzo
fi
