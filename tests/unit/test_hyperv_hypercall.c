/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hypercalls: register conventions, checks and status codes, and what each call does. */
#include "hyperv_guest.h"

#define FAST (UINT64_C(1) << 16)
#define VARIABLE(n) ((uint64_t)(n) << 17)
#define REPS(n) ((uint64_t)(n) << 32)
#define START(n) ((uint64_t)(n) << 48)
enum { UNDEFINED = 0xffff }; /* #UD */

static const struct gim_setting debugging = {"hypercall_debug", "true"};

/* A call of 64-bit code; the status, and the reps above it. */
static uint64_t call_at(struct guest *guest, uint64_t control, uint64_t input, uint64_t output)
{
	struct gim_registers registers = {.rcx = control, .rdx = input, .r8 = output, .rax = 0x1234, .long_mode = true};
	const struct gim_registers before = registers;
	const enum gim_access access = gim_machine_hypercall(guest->machine, 0, &registers);
	if (access == GIM_ACCESS_UD) {
		assert_memory_equal(&registers, &before, sizeof(before));
		return UNDEFINED;
	}
	assert_int_equal(access, GIM_ACCESS_DONE);
	assert_int_equal(registers.rdx, input);
	assert_int_equal(registers.r8, output);
	return registers.rax;
}

static void store(struct guest *guest, uint64_t gpa, const uint64_t *words, size_t count)
{
	memset(guest->ram + INPUT, 0, 4096);
	for (size_t i = 0; i < count; i++)
		gim_store(guest->ram + gpa + 8 * i, words[i], 8);
}

static uint64_t call(struct guest *guest, uint64_t control, const uint64_t *words, size_t count)
{
	store(guest, INPUT, words, count);
	return call_at(guest, control, INPUT, OUTPUT);
}

/* The words of input in registers. */
static uint64_t call_fast(struct guest *guest, uint64_t control, const uint64_t *words, size_t count, struct gim_registers *registers)
{
	uint64_t all[14] = {0};
	memcpy(all, words, count * sizeof(*words));
	*registers = (struct gim_registers){.rcx = control | FAST, .rdx = all[0], .r8 = all[1], .long_mode = true};
	memcpy(registers->xmm, all + 2, sizeof(registers->xmm));
	const enum gim_access access = gim_machine_hypercall(guest->machine, 0, registers);
	return access == GIM_ACCESS_UD ? UNDEFINED : registers->rax;
}

#define CODE(id, code, name) code,

/* What the guest is shown, set by the tests' own hand. */
static struct hv_features *words(struct guest *guest)
{
	return &hv_state(guest->machine)->features;
}

static void table(void **unused)
{
	(void)unused;
	static const uint16_t codes[] = {HV_CALLS(CODE)};
	for (size_t i = 1; i < sizeof(codes) / sizeof(*codes); i++)
		assert_true(codes[i - 1] < codes[i]); /* they are searched */
	/* Each of them is there, and nothing else. */
	struct guest *guest = guest_new(1, false, &debugging, 1);
	*words(guest) = (struct hv_features){0};
	hv_state(guest->machine)->debug.options = 0;
	words(guest)->syndbg = 2;
	for (uint32_t code = 0, known = 0; code < 0x10000; code++) {
		const bool is_known = known < sizeof(codes) / sizeof(*codes) && codes[known] == code;
		known += is_known;
		assert_int_equal(call_at(guest, code, INPUT, OUTPUT),
		                 is_known ? HV_STATUS_ACCESS_DENIED : HV_STATUS_INVALID_HYPERCALL_CODE);
	}
	assert_int_equal(counter(guest, "hypercalls"), 0x10000);
	assert_int_equal(counter(guest, "hypercalls.PostMessage"), 1);
	assert_int_equal(counter(guest, "hypercalls.ExtCallGetBootZeroedMemory"), 1);
	guest_free(guest);
}

static void modes(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, false, NULL, 0);
	struct gim_registers registers = {.rcx = 8 | FAST, .long_mode = true, .cpl = 3};
	assert_int_equal(gim_machine_hypercall(guest->machine, 0, &registers), GIM_ACCESS_UD);
	registers.cpl = 0;
	registers.real_mode = true;
	assert_int_equal(gim_machine_hypercall(guest->machine, 0, &registers), GIM_ACCESS_UD);
	registers.real_mode = false;
	assert_int_equal(gim_machine_hypercall(guest->machine, 0, &registers), GIM_ACCESS_DONE);
	assert_int_equal(registers.rax, 0);
	wrmsr(guest, 0, MSR_GUEST_OS_ID, 0);
	assert_int_equal(gim_machine_hypercall(guest->machine, 0, &registers), GIM_ACCESS_UD);
	wrmsr(guest, 0, MSR_GUEST_OS_ID, 1);
	/* 32-bit code: pairs of registers, of which the upper halves do not count. */
	uint64_t input[] = {0, 1, 0, UINT64_C(0x5000), UINT64_C(0x6000)};
	store(guest, INPUT, input, 5);
	const uint64_t junk = UINT64_C(0xdead00000000);
	registers =
	    (struct gim_registers){.rax = junk | 3, .rdx = junk | 2, .rbx = junk, .rcx = junk | INPUT, .rdi = junk, .rsi = junk | OUTPUT};
	assert_int_equal(gim_machine_hypercall(guest->machine, 0, &registers), GIM_ACCESS_DONE);
	assert_int_equal(registers.rax, 0);
	assert_int_equal(registers.rdx, 2); /* reps */
	assert_int_equal(guest->flushes, 1);
	assert_int_equal(guest->flush.range_count, 2);
	assert_int_equal(guest->flush_ranges[1], 0x6000);
	registers = (struct gim_registers){.rax = 0x8001, .rsi = OUTPUT};
	assert_int_equal(gim_machine_hypercall(guest->machine, 0, &registers), GIM_ACCESS_DONE);
	assert_int_equal(registers.rax, 0);
	assert_int_equal(guest->ram[OUTPUT], 1);
	/* Fast: EBX:ECX, EDI:ESI. */
	synic_on(guest, 0);
	assert_int_equal(gim_machine_connect(guest->machine, GIM_CONNECTION_EVENT, 77, 0, 4, 9, NULL), 0);
	registers = (struct gim_registers){.rax = 0x5d | FAST, .rcx = 77};
	assert_int_equal(gim_machine_hypercall(guest->machine, 0, &registers), GIM_ACCESS_DONE);
	assert_int_equal(registers.rax, 0);
	assert_int_equal(guest->ram[FLAGS(0) + 4 * 256 + 1], 2);
	guest_free(guest);
}

static void input_value(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, false, NULL, 0);
	const uint64_t none[3] = {0};
	for (unsigned bit = 17; bit < 64; bit++)
		assert_int_equal(call(guest, 2 | UINT64_C(1) << bit, none, 3), HV_STATUS_INVALID_HYPERCALL_INPUT);
	for (unsigned bit = 17; bit < 64; bit++) {
		/* Of a list of one: the first repetition, and no variable header. */
		const uint64_t control = 3 | REPS(1) | UINT64_C(1) << bit;
		const bool more_reps = bit > 32 && bit < 41; /* they fit into the page */
		const uint16_t expected = more_reps || bit == 32 ? 0 : bit >= 41 && bit < 44 ? HV_STATUS_INVALID_ALIGNMENT : 3;
		assert_int_equal(call(guest, control, none, 3) & 0xffff, expected);
	}
	assert_int_equal(call(guest, 3, none, 3), HV_STATUS_INVALID_HYPERCALL_INPUT); /* no reps */
	assert_int_equal(call(guest, 3 | REPS(2) | START(2), none, 3), HV_STATUS_INVALID_HYPERCALL_INPUT);
	/* Denied access goes before all of that. */
	words(guest)->hints = 0;
	assert_int_equal(call(guest, 2 | UINT64_C(1) << 63, none, 3), HV_STATUS_ACCESS_DENIED);
	guest_free(guest);
}

static void addresses(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, true, NULL, 0);
	struct gim_error error = GIM_ERROR_INIT;
	guest->hole = 0x20000;
	for (unsigned i = 1; i < 8; i++)
		assert_int_equal(call_at(guest, 2, INPUT + i, 0), HV_STATUS_INVALID_ALIGNMENT);
	assert_int_equal(call_at(guest, 2, INPUT + 4096 - 24, 0), HV_STATUS_SUCCESS);
	assert_int_equal(call_at(guest, 2, INPUT + 4096 - 16, 0), HV_STATUS_INVALID_ALIGNMENT);
	assert_int_equal(call_at(guest, 3 | REPS(2), INPUT + 4096 - 40, 0), HV_STATUS_SUCCESS | REPS(2));
	assert_int_equal(call_at(guest, 3 | REPS(3), INPUT + 4096 - 40, 0), HV_STATUS_INVALID_ALIGNMENT);
	assert_int_equal(call_at(guest, 3 | REPS(4095), INPUT, 0), HV_STATUS_INVALID_ALIGNMENT);
	static const uint64_t nowhere[] = {0x20000, 0x20ff8 - 16, RAM_BYTES, UINT64_C(1) << 52, UINT64_MAX - 4095, UINT64_MAX - 31};
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++)
		assert_int_equal(call_at(guest, 2, nowhere[i], 0), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(call_at(guest, 0x8001, 1, OUTPUT), HV_STATUS_SUCCESS); /* no input: its address does not matter */
	for (unsigned i = 1; i < 8; i++)
		assert_int_equal(call_at(guest, 0x8001, 0, OUTPUT + i), HV_STATUS_INVALID_ALIGNMENT);
	assert_int_equal(call_at(guest, 0x8001, 0, 0x20000), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(call_at(guest, 0x8002, 0, OUTPUT + 16), HV_STATUS_INVALID_ALIGNMENT);
	/* The hypercall page: what it shows is read, what is written to it is lost. */
	wrmsr(guest, 0, 0x40000001, 0x30001);
	uint8_t below[4096], page[4096];
	memcpy(below, guest->ram + 0x30000, sizeof(below));
	assert_int_equal(call_at(guest, 0x8001, 0, 0x30000), HV_STATUS_SUCCESS);
	assert_memory_equal(guest->ram + 0x30000, below, sizeof(below));
	assert_int_equal(gim_machine_read(guest->machine, 0x30000, page, sizeof(page), &error), 0);
	assert_int_equal(page[0], 0x0f);
	assert_int_equal(call_at(guest, 0x5c, 0x30000, 0), HV_STATUS_INVALID_PARAMETER);
	guest_free(guest);
}

/* The rows of kvm-unit-tests and of Linux' self-tests: what is denied without its bit, and what comes of it with the bit. */
static void gates(void **unused)
{
	(void)unused;
	static const struct {
		uint64_t control;
		size_t word; /* in struct hv_features, of what opens it */
		uint32_t bits;
		uint16_t without, with;
	} rows[] = {
	    {0xbeef, 0, 0, 2, 2},
	    {0x5c, offsetof(struct hv_features, partition), 1 << 4, 6, 3},
	    {0x5d, offsetof(struct hv_features, partition), 1 << 5, 6, 3},
	    {0x6b, offsetof(struct hv_features, syndbg), 2, 2, 6},
	    {0x6b, offsetof(struct hv_features, partition), 1 << 11, 6, 8},
	    {0x02, offsetof(struct hv_features, hints), 1 << 2, 6, 0},
	    {0x0b, offsetof(struct hv_features, hints), 1 << 10, 6, 3},
	    {0x13, offsetof(struct hv_features, hints), 1 << 11, 6, 0},
	    {0x15, offsetof(struct hv_features, hints), 0, 0, 0},
	    {0x08, offsetof(struct hv_features, spin_retries), 0xffffffff, 6, 6},
	    {0x08, offsetof(struct hv_features, host), 0, 6, 6},
	    {0x02 | FAST, offsetof(struct hv_features, misc), 1 << 4, UNDEFINED, 0},
	    {0x8001 | FAST, offsetof(struct hv_features, partition), 1 << 20, 6, 5},
	};
	struct guest *guest = guest_new(1, false, NULL, 0);
	*words(guest) = (struct hv_features){.base = 1 << 5};
	hv_state(guest->machine)->debug.options = 0;
	memset(guest->ram + INPUT, 0, 4096);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const bool fast = rows[i].control & FAST;
		const uint64_t input = fast ? 0 : INPUT, output = fast ? 0 : OUTPUT;
		uint32_t *word = (uint32_t *)(void *)((uint8_t *)words(guest) + rows[i].word);
		assert_int_equal(call_at(guest, rows[i].control, input, output), rows[i].without);
		*word |= rows[i].bits;
		assert_int_equal(call_at(guest, rows[i].control, input, output), rows[i].with);
	}
	words(guest)->spin_retries = 0xfff;
	assert_int_equal(call_at(guest, 8, INPUT, OUTPUT), 0);
	words(guest)->base |= 1 << 2; /* with a SynIC: the type, and the connection, are looked at */
	assert_int_equal(call_at(guest, 0x5c, INPUT, OUTPUT), 5);
	assert_int_equal(call_at(guest, 0x5d, INPUT, OUTPUT), 0x12);
	guest_free(guest);
}

/* A state of VirtualBox: what that serves without showing it is served. */
static void producer(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, false, NULL, 0);
	*words(guest) = (struct hv_features){.partition = 1 << 11};
	memset(guest->ram + INPUT, 0, 4096);
	guest->machine->gating = GIM_GATING_PRODUCER;
	assert_int_equal(call_at(guest, 0x5c, INPUT, OUTPUT), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(call_at(guest, 0x69, INPUT, OUTPUT), 0);
	words(guest)->syndbg = 2;
	assert_int_equal(call_at(guest, 0x5c, INPUT, OUTPUT), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(call_at(guest, 0x5d, INPUT, OUTPUT), HV_STATUS_ACCESS_DENIED);
	words(guest)->partition = 0;
	assert_int_equal(call_at(guest, 0x69, INPUT, OUTPUT), HV_STATUS_ACCESS_DENIED);
	guest_free(guest);
}

static void flushes(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(130, false, NULL, 0);
	struct gim_registers registers;
	const uint64_t plain[] = {0x1234000, 4, 5};
	assert_int_equal(call(guest, 2, plain, 3), 0);
	assert_int_equal(guest->flush.address_space, 0x1234000);
	assert_true(guest->flush.vcpu == 0 && !guest->flush.all_spaces && !guest->flush.global_too && !guest->flush.range_count);
	assert_true(guest->flush_vcpus[0] == 5 && !guest->flush_vcpus[1]);
	const uint64_t everyone[] = {0, 3, 0};
	assert_int_equal(call_fast(guest, 2, everyone, 3, &registers), 0);
	assert_true(guest->flush.all_spaces && guest->flush.global_too);
	assert_true(guest->flush_vcpus[0] == UINT64_MAX && guest->flush_vcpus[1] == UINT64_MAX && guest->flush_vcpus[2] == 3 &&
	            !guest->flush_vcpus[3]);
	const uint64_t nobody[] = {0, 2, 0};
	assert_int_equal(call(guest, 2, nobody, 3), 0);
	assert_int_equal(guest->flush_vcpus[2], 3);
	const uint64_t unknown[] = {0, 8, 1};
	assert_int_equal(call(guest, 2, unknown, 3), HV_STATUS_INVALID_PARAMETER);
	/* A list, from its third element on. */
	const uint64_t list[] = {0, 2, 1, 0x1000, 0x2000, 0x3000, 0x4007};
	assert_int_equal(call(guest, 3 | REPS(4) | START(2), list, 7), REPS(4));
	assert_int_equal(guest->flush.range_count, 2);
	assert_true(guest->flush_ranges[0] == 0x3000 && guest->flush_ranges[1] == 0x4007);
	assert_int_equal(call_fast(guest, 3 | REPS(4), list, 7, &registers), REPS(4));
	assert_int_equal(guest->flush.range_count, 4);
	assert_int_equal(guest->flush_ranges[3], 0x4007);
	assert_int_equal(call_fast(guest, 3 | REPS(12), list, 7, &registers), HV_STATUS_INVALID_HYPERCALL_INPUT); /* 120 bytes */
	/* Sparse sets. */
	const uint64_t sparse[] = {0, 2, 0, 0x8005, 1, 1, 1};
	assert_int_equal(call(guest, 0x13 | VARIABLE(3), sparse, 7), 0);
	assert_true(guest->flush_vcpus[0] == 1 && !guest->flush_vcpus[1] && guest->flush_vcpus[2] == 1);
	assert_int_equal(call(guest, 0x13 | VARIABLE(2), sparse, 7), HV_STATUS_INVALID_HYPERCALL_INPUT);
	const uint64_t listed[] = {0, 2, 0, 2, 2, 0x7000};
	assert_int_equal(call_fast(guest, 0x14 | VARIABLE(1) | REPS(1), listed, 6, &registers), REPS(1));
	assert_true(!guest->flush_vcpus[0] && guest->flush_vcpus[1] == 2);
	assert_int_equal(guest->flush_ranges[0], 0x7000);
	const uint64_t all[] = {0, 2, 1, 0};
	assert_int_equal(call(guest, 0x13, all, 4), 0);
	assert_int_equal(guest->flush_vcpus[2], 3);
	const uint64_t format[] = {0, 2, 2, 0};
	assert_int_equal(call(guest, 0x13, format, 4), HV_STATUS_INVALID_PARAMETER);
	/* Of processors that are not there, nobody hears. */
	const unsigned before = guest->flushes;
	const uint64_t far[] = {0, 2, 0, UINT64_C(1) << 63, UINT64_MAX};
	assert_int_equal(call(guest, 0x13 | VARIABLE(1), far, 5), 0);
	assert_int_equal(guest->flushes, before);
	/* In parts that cross the page. */
	assert_int_equal(call_at(guest, 0x14 | VARIABLE(64) | REPS(450), INPUT, 0), HV_STATUS_INVALID_ALIGNMENT);
	guest_free(guest);
}

static void expect_ipis(struct guest *guest, const uint32_t *vcpus, unsigned count, uint8_t vector)
{
	assert_int_equal(guest->interrupt_count, count);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(guest->interrupts[i].vcpu, vcpus[i]);
		assert_int_equal(guest->interrupts[i].vector, vector);
	}
	guest->interrupt_count = 0;
}

static void interrupts_between(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(66, false, NULL, 0);
	struct gim_registers registers;
	static const uint32_t two[] = {2}, both[] = {2, 63}, last[] = {65}, spread[] = {2, 65};
	const uint64_t plain[] = {0xfe, 4}, pair[] = {0xfe, UINT64_C(1) << 63 | 4};
	assert_int_equal(call(guest, 0xb, plain, 2), 0);
	expect_ipis(guest, two, 1, 0xfe);
	assert_int_equal(call_fast(guest, 0xb, pair, 2, &registers), 0);
	expect_ipis(guest, both, 2, 0xfe);
	const uint64_t ex[] = {0xfe, 0, 2, 2}, both_ex[] = {0xfe, 0, 3, 4, 2};
	assert_int_equal(call(guest, 0x15 | VARIABLE(1), ex, 4), 0);
	expect_ipis(guest, last, 1, 0xfe);
	assert_int_equal(call_fast(guest, 0x15 | VARIABLE(2), both_ex, 5, &registers), 0);
	expect_ipis(guest, spread, 2, 0xfe);
	const uint64_t everyone[] = {0x10, 1, 0};
	assert_int_equal(call(guest, 0x15, everyone, 3), 0);
	assert_int_equal(interrupts(guest, NULL), 66);
	const uint64_t low[] = {15, 4}, high[] = {0x100, 4}, vtl[] = {0xfe | UINT64_C(0x11) << 32, 4},
		       vtl_0[] = {0xfe | UINT64_C(0x10) << 32, 4};
	assert_int_equal(call(guest, 0xb, low, 2), HV_STATUS_INVALID_HYPERCALL_INPUT);
	assert_int_equal(call(guest, 0xb, high, 2), HV_STATUS_INVALID_HYPERCALL_INPUT);
	assert_int_equal(call(guest, 0xb, vtl, 2), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(call(guest, 0xb, vtl_0, 2), 0);
	expect_ipis(guest, two, 1, 0xfe);
	const uint64_t empty[] = {0, 0, 0};
	assert_int_equal(call(guest, 0x15, empty, 3), 0);
	assert_int_equal(interrupts(guest, NULL), 0);
	guest_free(guest);
}

static void post_words(uint64_t words[32], uint64_t id, uint64_t type, uint64_t size)
{
	words[0] = id;
	words[1] = type | size << 32;
	for (unsigned i = 2; i < 32; i++)
		words[i] = 0x1000 + i;
}

static void connections(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(2, false, NULL, 0);
	uint64_t input[32];
	uint8_t vector;
	synic_on(guest, 1);
	assert_int_equal(gim_machine_connect(guest->machine, GIM_CONNECTION_MESSAGE, 0x10, 1, 8, 0, NULL), 0);
	assert_int_equal(gim_machine_connect(guest->machine, GIM_CONNECTION_EVENT, 0x11, 1, 9, 0x411, NULL), 0);
	post_words(input, 0x10, 0x12345678, 240);
	assert_int_equal(call(guest, 0x5c, input, 32), 0);
	const struct slot *slot = slot_of(guest, 1, 8);
	assert_true(slot->type == 0x12345678 && slot->size == 240 && !slot->flags && slot->origin == 0x10);
	assert_true(slot->payload[0] == 0x1002 && slot->payload[29] == 0x101f);
	assert_int_equal(interrupts(guest, &vector), 1);
	assert_int_equal(vector, 0x48);
	for (unsigned i = 0; i < HV_QUEUE_MAX; i++)
		assert_int_equal(call(guest, 0x5c, input, 32), 0);
	assert_int_equal(call(guest, 0x5c, input, 32), HV_STATUS_INSUFFICIENT_BUFFERS);
	assert_int_equal(interrupts(guest, NULL), 0);
	assert_int_equal(slot->flags, HV_MESSAGE_PENDING);
	static const struct {
		uint32_t id, type, size;
		uint16_t status;
	} wrong[] = {{0x11, 1, 8, 0x12},       {0x1000010, 1, 8, 0x12}, {0x10, 0, 8, 5},
	             {0x10, 0x80000000, 8, 5}, {0x10, 1, 241, 5},       {0x10, 1, UINT32_MAX, 5}};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		post_words(input, wrong[i].id, wrong[i].type, wrong[i].size);
		assert_int_equal(call(guest, 0x5c, input, 32), wrong[i].status);
	}
	struct gim_registers registers;
	assert_int_equal(call_fast(guest, 0x5c, input, 2, &registers), HV_STATUS_INVALID_HYPERCALL_INPUT);
	const uint64_t event[] = {0x11}, flag[] = {0x11 | UINT64_C(1) << 32}, other[] = {0x10};
	assert_int_equal(call_fast(guest, 0x5d, event, 1, &registers), 0);
	assert_int_equal(guest->ram[FLAGS(1) + 9 * 256 + 0x411 / 8], 1 << 0x411 % 8);
	assert_int_equal(interrupts(guest, &vector), 1);
	assert_int_equal(vector, 0x49);
	assert_int_equal(call(guest, 0x5d, event, 1), 0);
	assert_int_equal(interrupts(guest, NULL), 0);
	assert_int_equal(call(guest, 0x5d, flag, 1), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(call(guest, 0x5d, other, 1), HV_STATUS_INVALID_CONNECTION_ID);
	wrmsr(guest, 1, MSR_SCONTROL, 0);
	assert_int_equal(call(guest, 0x5d, event, 1), HV_STATUS_INVALID_SYNIC_STATE);
	guest_free(guest);
}

static void extended(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, false, NULL, 0);
	struct gim_registers registers;
	const uint64_t none[1] = {0};
	memset(guest->ram + OUTPUT, 0xee, 4096);
	assert_int_equal(call(guest, 0x8001, none, 0), 0);
	assert_int_equal(guest->ram[OUTPUT], 1);
	assert_int_equal(guest->ram[OUTPUT + 8], 0xee);
	/* In a register, where that is offered. */
	words(guest)->misc ^= 1 << 15;
	assert_int_equal(call_fast(guest, 0x8001, none, 0, &registers), HV_STATUS_INVALID_PARAMETER);
	words(guest)->misc ^= 1 << 15;
	assert_int_equal(call_fast(guest, 0x8001, none, 0, &registers), 0);
	assert_int_equal(registers.rdx, 1);
	registers = (struct gim_registers){.rax = 0x8001 | FAST};
	assert_int_equal(gim_machine_hypercall(guest->machine, 0, &registers), GIM_ACCESS_DONE);
	assert_true(registers.rcx == 1 && !registers.rbx && !registers.rax);
	assert_int_equal(call_fast(guest, 0x8002, none, 0, &registers), HV_STATUS_INVALID_PARAMETER);
	/* The embedder's memory: it may have been anything. */
	assert_int_equal(call(guest, 0x8002, none, 0), 0);
	for (unsigned i = 0; i < 4088; i++)
		assert_int_equal(guest->ram[OUTPUT + i], 0);
	assert_int_equal(guest->ram[OUTPUT + 4088], 0xee);
	/* The machine's own was zero, until a reset leaves it as it is. */
	gim_machine_free(&guest->machine);
	guest->config.ram = NULL;
	guest_bring_up(guest);
	uint8_t output[24];
	for (unsigned times = 0; times < 2; times++) {
		wrmsr(guest, 0, MSR_GUEST_OS_ID, 1);
		assert_int_equal(call_at(guest, 0x8002, 0, OUTPUT), 0);
		assert_int_equal(gim_machine_read(guest->machine, OUTPUT, output, sizeof(output), NULL), 0);
		assert_true(gim_load(output, 8) == !times && !gim_load(output + 8, 8) &&
		            gim_load(output + 16, 8) == (times ? 0 : RAM_BYTES / 4096));
		assert_int_equal(gim_machine_reset(guest->machine, NULL), 0);
	}
	guest_free(guest);
}

/* Anything in the registers and in memory. */
static void hostile(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(70, true, &debugging, 1);
	uint64_t seed = 88172645463325252u;
	static const uint16_t codes[] = {HV_CALLS(CODE)};
	for (uint32_t vcpu = 0; vcpu < 4; vcpu++)
		synic_on(guest, vcpu);
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(gim_machine_connect(guest->machine, (enum gim_connection_kind)(i % 2), i, i % 4, (uint8_t)i, 0, NULL), 0);
	guest->hole = 0x3000;
	for (unsigned round = 0; round < 50000; round++) {
		uint64_t random[32];
		for (unsigned i = 0; i < 32; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			random[i] = seed >> (seed & 3 ? 0 : seed >> 58);
		}
		const uint16_t code = codes[random[0] % HV_CALL_COUNT];
		struct gim_registers registers = {.rcx = code | (random[1] & FAST) | (random[2] % 4 ? random[3] & REPS(0x7) : 0) |
		                                         (random[4] % 4 ? random[5] & VARIABLE(3) : 0) | (random[6] % 8 ? 0 : random[7]),
		                                  .rdx = random[8] % 4 ? random[8] & 0x4ff8 : random[8],
		                                  .r8 = random[9] % 4 ? random[9] & 0x4ff8 : random[9],
		                                  .long_mode = true};
		memcpy(registers.xmm, random + 10, sizeof(registers.xmm));
		memcpy(guest->ram + (random[22] & 0x4f00), random + 23, 72);
		if (random[31] % 4 == 0)
			memset(guest->ram + (registers.rdx & 0x4ff8), (int)(random[31] >> 60) & 1, 256);
		const enum gim_access access = gim_machine_hypercall(guest->machine, (uint32_t)random[31] % 70, &registers);
		assert_true(access == GIM_ACCESS_DONE || access == GIM_ACCESS_UD);
		if (access == GIM_ACCESS_DONE)
			assert_int_equal(registers.rax & ~UINT64_C(0xfff0000ffff), 0);
		guest->interrupt_count = 0;
	}
	guest_free(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table),       cmocka_unit_test(modes),    cmocka_unit_test(input_value), cmocka_unit_test(addresses),
	    cmocka_unit_test(gates),       cmocka_unit_test(producer), cmocka_unit_test(flushes),     cmocka_unit_test(interrupts_between),
	    cmocka_unit_test(connections), cmocka_unit_test(extended), cmocka_unit_test(hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
