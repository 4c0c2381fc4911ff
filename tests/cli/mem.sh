# SPDX-License-Identifier: GPL-3.0-or-later
# Guest memory: what there is, bytes of it in every form, searching it, and files of it.
kvm=$SAMPLES/kvm-ram.sav hyperv=$SAMPLES/hyperv-ram.sav
try mem "$kvm"
try mem "$kvm" --json
try mem "$kvm" 0x7c00 32
try mem "$kvm" 0x7c00 12 --as disasm
try mem "$kvm" 0x7c00 12 --as disasm --bits 16
try mem "$kvm" 0x7c00 512 --as strings
try mem "$kvm" 0x7d40 8 --as u32
try mem "$kvm" 0x7d40 8 --as u64
try mem "$kvm" 0x11040 --as pvclock
try mem "$kvm" 0x10040 --as wall-clock
try mem "$kvm" 0x11000 --as steal-time
try mem "$hyperv" 0x7f000 --as hypercall-page
try mem "$hyperv" 0x7e000 --as tsc-page
try mem "$hyperv" 0x20000 --as sim-page
try mem "$hyperv" 0x20000 --as sief-page
# Nothing waits in a page of zeros; the first vCPU's code is of so many bits as its code segment says.
try mem "$hyperv" 0x21000 --as sim-page
cp "$TOP/tests/fuzz/corpus/bundle/guest" guest.tar
try mem guest.tar 0x200010 4 --as disasm
try mem "$hyperv" --as tsc-page
# Over the border of a page, and what cannot be read.
try mem "$kvm" 0x7ffc 8
try mem "$kvm" 0x9fffc 8
try mem "$kvm" 0x100000000
try mem "$kvm" 0x7ffffff 2
try mem "$kvm" 0x1000 6 --as u32
try mem "$kvm" 0x1000 --as poetry
try mem "$kvm" soon
try mem "$kvm" 0x1000 0
try mem "$kvm" 0x1000 --json
try mem "$SAMPLES/kvm.sav"
try mem - 0x7c00 16 <"$kvm"
try search "$kvm" "a text"
try search "$kvm" "FA31C0" --as hex
try search "$kvm" 0xdeadbeef --as u32
try search "$kvm" 0x3b9aca00 --as u64
try search "$kvm" "a text" --to 0x7d00
try search "$kvm" "a text" --from 0x7d00 --to 0x7d01 --json
try search "$kvm" 0 --as u64 --max 2
try search "$kvm" FA3 --as hex
try search "$kvm" 0x100000000 --as u32
try search "$kvm" ""
try search "$kvm" x --as poetry
try search "$kvm" x --max 0
try search "$SAMPLES/none.sav" x
try extract "$kvm" --ram -o ram
stat -c '%s' ram
[ "$(stat -c %b ram)" -lt 200 ] && echo sparse
cmp -n 4096 -i 0x7000:0 ram <(printf '%b' "$("$GIMSTATE" mem "$kvm" 0x7000 4096 | sed 's/^[0-9a-f]*  //; s/  .*//; s/ //g; s/../\\x&/g' | tr -d '\n')") && echo same
"$GIMSTATE" extract "$kvm" --ram -o ram.gz && gzip -dc ram.gz | cmp - ram && echo same
try extract "$kvm" --ram -o ram
try extract "$kvm" --ram
try extract "$kvm" --ram -o -
try extract "$kvm" --elf core -o core
try extract "$kvm" --elf core --json
"$GIMSTATE" extract "$kvm" --elf core.gz && gzip -dc core.gz | cmp - core && echo same
cmp -n 4096 -i 0x7000:0x8000 ram core && echo same
try extract "$SAMPLES/none.sav" --ram -o none
# Of a migration stream, in every encoding; what is packed is in the ROM.
stream=$SAMPLES/qemu-kvm.mig
try mem "$stream"
try mem "$stream" 0x2000 8
try mem "$stream" 0xfffffffc 4
"$GIMSTATE" extract "$stream" --ram -o streamed && stat -c %s streamed
for page in 0 1 2 3; do
	od -An -tx1 -j $((page * 4096)) -N 8 streamed
done
try extract "$stream" --elf streamed.elf
try dump --pages "$hyperv" --unit GIM
try dump --pages "$SAMPLES/kvm.sav" --json | tail -n 12
"$GIMSTATE" dump --pages "$kvm" | grep '^kvm_pages'
"$GIMSTATE" dump --pages "$hyperv" | grep '^hyperv_pages'
try get "$hyperv" hyperv_pages.tsc.tsc_hz
# In the shell the held state is meant, and when its machine runs, that.
"$GIMSTATE" shell "$kvm" -c 'mem 0x7c00 16' -c 'search deadbeef --as hex' -c 'search beefde --as hex' -c 'start core' -c 'mem 0x7c00 16' -c 'search text'
echo "[$?]"
# A page that does not unpack any more, and a file that ends within its pages, are no answer.
cp "$kvm" damaged.sav
poke damaged.sav $(($(find_bytes "$kvm" 'a text in guest') - 1)) '\0377'
try mem damaged.sav 0x7c00 16
try search damaged.sav text
try extract damaged.sav --ram -o damaged
try mem damaged.sav 0x10040 12
ls damaged 2>&1
# An index that is kept: made, used, and made anew where it is of no use; what is none is not touched.
try search "$kvm" "a text" --index index --json
try search "$kvm" "a text" --index index --json
try mem "$kvm" 0x7c00 16 --index index
try mem "$hyperv" 0x20000 16 --index index
try extract "$hyperv" --ram -o again --index index && cmp again <("$GIMSTATE" extract "$hyperv" --ram -o ram --force && cat ram) && echo same
poke index 3000 '\0001'
try mem "$hyperv" 0x20000 16 --index index
try mem "$hyperv" 0x20000 16 --index index
head -c 500 index >cut && mv cut index
try mem "$hyperv" 0x20000 16 --index index
cp "$kvm" precious
try mem "$hyperv" 0x20000 16 --index precious
cmp precious "$kvm" && echo untouched
try mem "$hyperv" 0x20000 16 --index nowhere/index
