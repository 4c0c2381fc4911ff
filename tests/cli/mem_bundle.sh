# SPDX-License-Identifier: GPL-3.0-or-later
# A guest that replay saved, in a bundle: its memory, its vCPUs, and what is refused of them.
cp "$TOP/tests/fuzz/corpus/bundle/guest" guest.tar
try mem guest.tar
try mem guest.tar 0x200000 32
try mem guest.tar 0x200000 16 --as u64
try mem guest.tar 0xa000 1
try get guest.tar 'guest.vcpu[0].rip' 'guest.vcpu[1].rip' 'guest.vcpu[1].cs' 'guest.vcpu[0].msr.efer'
try search guest.tar 02b0ad1b --as hex
try extract guest.tar --ram -o ram
stat -c %s ram
try extract guest.tar --elf core
cmp -n 4096 <(tail -c 8192 core) <(tar -xOf guest.tar memory/0000200000.bin) && echo same
"$GIMSTATE" dump --pages guest.tar | grep -c '^hyperv_pages'
# A machine of the runtime core lays these pages over the memory: what the memory holds there is not what the guest reads.
try shell guest.tar -k -c 'set hyperv.hypercall=0x200001 hyperv.reference_tsc=0x201001' -c 'get hyperv_pages.hypercall hyperv_pages.tsc' -c 'quit!'
try verify guest.tar
# Cut off within memory, damaged there, and one that holds none.
head -c 20000 guest.tar >cut.tar
try mem cut.tar 0x8000 16
try verify cut.tar
cp guest.tar damaged.tar
poke damaged.tar $((0x$(grep -abo -m 1 -P '\x02\xb0\xad\x1b' guest.tar | head -n 1 | cut -d: -f1 | xargs printf %x) + 9)) x
try mem damaged.tar 0x200000 16
try extract damaged.tar --ram -o damaged
ls damaged 2>&1
try pack guest.tar -o none.tar
try mem none.tar
