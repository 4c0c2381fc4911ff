/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conformance of hypercalls that reach other virtual processors: interrupts between them, and what flushes tell the embedder. */
#include "../conformance.h"

#include <stddef.h>
#include <string.h>

/* Two targets, in the first and in the second bank of 64. */
enum { SENDER = 0, FIRST = 2, SECOND = 65 };

static const struct guest_kind many = {.provider = "hyperv", .vcpus = GUEST_VCPUS_MAX};

/* Whom a call is for. */
enum target { TO_FIRST, TO_SECOND, TO_BOTH, TO_ALL };

static bool is_meant(enum target target, uint32_t vcpu)
{
	return target == TO_ALL || (vcpu == FIRST && target != TO_SECOND) || (vcpu == SECOND && target != TO_FIRST);
}

/* A call's input, word by word. */
struct input {
	uint64_t words[14];
	size_t count;
};

static void put(struct input *input, uint64_t word)
{
	input->words[input->count++] = word;
}

/* A set of virtual processors: format 0 with its banks, or 1 for all. Returns how many words its banks have. */
static unsigned put_set(struct input *input, enum target target)
{
	const unsigned before = (unsigned)input->count + 2;
	put(input, target == TO_ALL);
	put(input, (target == TO_FIRST || target == TO_BOTH ? 1 : 0) | (target == TO_SECOND || target == TO_BOTH ? 2 : 0));
	if (target == TO_FIRST || target == TO_BOTH)
		put(input, UINT64_C(1) << FIRST % 64);
	if (target == TO_SECOND || target == TO_BOTH)
		put(input, UINT64_C(1) << SECOND % 64);
	return (unsigned)input->count - before;
}

static void start(struct guest *guest)
{
	guest_start(guest, &many);
	guest_wrmsr(guest, SENDER, HV_GUEST_OS_ID, HV_LINUX_OS_ID);
	guest_wrmsr(guest, SENDER, HV_HYPERCALL, GUEST_HYPERCALL_PAGE | 1);
}

static uint64_t call(struct guest *guest, uint64_t control, bool fast, const struct input *input)
{
	return fast ? hv_call_fast(guest, SENDER, control, input->words, input->count)
	            : hv_call(guest, SENDER, control, input->words, input->count);
}

/*
 * HV-IP.
 */
enum { IPI_VECTOR = 0xfe };

struct ipi {
	enum target target;
	bool fast, ex;
};

static void ipi(struct guest *guest, const void *data)
{
	const struct ipi *row = (const struct ipi *)data;
	struct input input = {.count = 0};
	uint64_t control = row->ex ? 0x15 : 0xb;
	start(guest);
	put(&input, IPI_VECTOR);
	if (row->ex)
		control |= (uint64_t)put_set(&input, row->target) << 17;
	else
		put(&input, UINT64_C(1) << FIRST);
	expect_number(guest, "the status", call(guest, control, row->fast, &input), 0);
	guest_take_interrupts(guest);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		expect(guest, guest->interrupts[vcpu][IPI_VECTOR] == is_meant(row->target, vcpu), "vCPU %u took the interrupt %u times",
		       vcpu, guest->interrupts[vcpu][IPI_VECTOR]);
}

/*
 * HV-TF.
 */
struct flush {
	enum target target;
	bool fast, ex, list;
};
#define SPACE_ID UINT64_C(0x123000)
#define RANGE (UINT64_C(0x7f0012345000) | 3)

enum { ALL_PROCESSORS = 1, ALL_SPACES = 2 };

static void flush(struct guest *guest, const void *data)
{
	const struct flush *row = (const struct flush *)data;
	struct input input = {.count = 0};
	uint64_t control = (row->list ? 3u : 2u) + (row->ex ? 0x11u : 0u);
	start(guest);
	put(&input, SPACE_ID);
	put(&input, !row->ex && row->target == TO_ALL ? ALL_PROCESSORS : 0);
	if (row->ex)
		control |= (uint64_t)put_set(&input, row->target) << 17;
	else
		put(&input, row->target == TO_ALL ? 0 : UINT64_C(1) << FIRST);
	if (row->list) {
		put(&input, RANGE);
		control |= UINT64_C(1) << 32;
	}
	expect_number(guest, "the status", call(guest, control, row->fast, &input), 0);
	if (!expect(guest, guest->flushes == 1, "there were %u flushes", guest->flushes))
		return;
	expect_number(guest, "the vCPU that asks", guest->flush.vcpu, SENDER);
	expect_number(guest, "the address space", guest->flush.address_space, SPACE_ID);
	expect(guest, !guest->flush.all_spaces, "all address spaces are flushed");
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		expect(guest, (guest->flush_vcpus[vcpu / 64] >> vcpu % 64 & 1) == is_meant(row->target, vcpu), "vCPU %u is%s flushed", vcpu,
		       is_meant(row->target, vcpu) ? " not" : "");
	expect_number(guest, "the number of ranges", guest->flush.range_count, row->list);
	if (row->list)
		expect_number(guest, "the range", guest->flush_ranges[0], RANGE);
}

#define IP(number, title, ...) ROW("HV-IP-" #number, title, .run = ipi, .data = &(const struct ipi){__VA_ARGS__})
#define TF(number, title, ...) ROW("HV-TF-" #number, title, .run = flush, .data = &(const struct flush){__VA_ARGS__})

const struct row hv_processor_rows[] = {
    IP(1, "to one", TO_FIRST, .fast = false, .ex = false),
    IP(2, "to one, fast", TO_FIRST, .fast = true, .ex = false),
    IP(3, "Ex to one", TO_FIRST, .fast = false, .ex = true),
    IP(4, "Ex to one, fast", TO_FIRST, .fast = true, .ex = true),
    IP(5, "Ex to another bank", TO_SECOND, .fast = false, .ex = true),
    IP(6, "Ex to another bank, fast", TO_SECOND, .fast = true, .ex = true),
    IP(7, "Ex to both", TO_BOTH, .fast = false, .ex = true),
    IP(8, "Ex to both, fast", TO_BOTH, .fast = true, .ex = true),
    IP(9, "Ex to all", TO_ALL, .fast = false, .ex = true),
    IP(10, "Ex to all, fast", TO_ALL, .fast = true, .ex = true),
    TF(1, "space of one", TO_FIRST, .list = false),
    TF(2, "list of one", TO_FIRST, .list = true),
    TF(3, "space of all", TO_ALL, .list = false),
    TF(4, "list of all", TO_ALL, .list = true),
    TF(5, "space Ex of another bank", TO_SECOND, .ex = true, .list = false),
    TF(6, "list Ex of another bank", TO_SECOND, .ex = true, .list = true),
    TF(7, "space Ex of both", TO_BOTH, .ex = true, .list = false),
    TF(8, "list Ex of both", TO_BOTH, .ex = true, .list = true),
    TF(9, "space Ex of all", TO_ALL, .ex = true, .list = false),
    TF(10, "list Ex of all", TO_ALL, .ex = true, .list = true),
    TF(11, "space of one, fast", TO_FIRST, .fast = true, .list = false),
    TF(12, "list of one, fast", TO_FIRST, .fast = true, .list = true),
    TF(13, "space of all, fast", TO_ALL, .fast = true, .list = false),
    TF(14, "list of all, fast", TO_ALL, .fast = true, .list = true),
    TF(15, "space Ex of another bank, fast", TO_SECOND, .fast = true, .ex = true, .list = false),
    TF(16, "list Ex of another bank, fast", TO_SECOND, .fast = true, .ex = true, .list = true),
    TF(17, "space Ex of both, fast", TO_BOTH, .fast = true, .ex = true, .list = false),
    TF(18, "list Ex of both, fast", TO_BOTH, .fast = true, .ex = true, .list = true),
    TF(19, "space Ex of all, fast", TO_ALL, .fast = true, .ex = true, .list = false),
    TF(20, "list Ex of all, fast", TO_ALL, .fast = true, .ex = true, .list = true),
    ROW_END,
};
