/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hyper-V's MSRs and CPUID leaves: what opens each, what it takes and gives, and the pages that go with them. */
#include "hyperv.h"

#include "visit.h"

#include <stdlib.h>

/*
 * Gates. A row: the words with the bits cleared close it, whatever else is offered, and only with them it opens.
 */
enum { BASE, MISC, SYNDBG, WORDS };

struct gate {
	uint32_t msr;
	uint8_t word, bit;
	bool readable, writable, vbox;
	uint64_t takes; /* a value that may be written */
};

static const struct gate gates[] = {
    {0x40000000, BASE, 5, true, true, true, LINUX_ID},  {0x40000001, BASE, 5, true, true, true, 0},
    {0x40000002, BASE, 6, true, false, true, 0},        {0x40000003, BASE, 7, true, true, true, 0},
    {0x40000010, BASE, 0, true, false, false, 0},       {0x40000020, BASE, 1, true, false, true, 0},
    {0x40000021, BASE, 9, true, true, true, 0},         {0x40000022, BASE, 11, true, false, true, 0},
    {0x40000023, BASE, 11, true, false, true, 0},       {0x40000070, BASE, 4, false, true, true, 1},
    {0x40000071, BASE, 4, true, true, true, 0x4030},    {0x40000072, BASE, 4, true, true, true, 0x20},
    {0x40000073, BASE, 4, true, true, true, 0},         {0x40000080, BASE, 2, true, true, true, 0},
    {0x40000081, BASE, 2, true, false, true, 0},        {0x40000082, BASE, 2, true, true, true, 0},
    {0x40000083, BASE, 2, true, true, true, 0},         {0x40000084, BASE, 2, true, true, true, 0},
    {0x40000090, BASE, 2, true, true, true, 0x10030},   {0x4000009f, BASE, 2, true, true, true, 0x10030},
    {0x400000b0, BASE, 3, true, true, true, 0},         {0x400000b1, BASE, 3, true, true, true, 0},
    {0x400000b6, BASE, 3, true, true, true, 0},         {0x400000b7, BASE, 3, true, true, true, 0},
    {0x400000f0, BASE, 10, true, false, false, 0},      {0x400000f1, MISC, 11, true, true, false, 0},
    {0x400000f1, SYNDBG, 1, true, true, false, 0},      {0x400000f2, MISC, 11, true, true, true, 0},
    {0x400000f2, SYNDBG, 1, true, true, true, 0},       {0x400000f3, MISC, 11, true, true, false, 0x1000},
    {0x400000f3, SYNDBG, 1, true, true, false, 0x1000}, {0x400000f5, MISC, 11, true, true, false, 0x1000},
    {0x400000ff, SYNDBG, 1, true, true, false, 4},      {0x40000100, MISC, 10, true, true, true, 1},
    {0x40000104, MISC, 10, true, true, true, 1},        {0x40000105, MISC, 10, true, true, true, 0},
    {0x40000106, BASE, 13, true, true, false, 1},       {0x40000107, BASE, 13, true, true, false, 1},
    {0x40000108, BASE, 13, true, true, false, 0},       {0x40000114, MISC, 23, true, true, false, 0x102},
    {0x40000115, MISC, 23, true, true, false, 5},       {0x40000118, BASE, 15, true, true, false, 1},
};

static void check_access(struct gim_machine *machine, const struct gate *gate, bool open)
{
	uint64_t value;
	assert_int_equal(gim_machine_rdmsr(machine, 1, gate->msr, &value), open && gate->readable ? GIM_ACCESS_DONE : GIM_ACCESS_GP);
	assert_int_equal(gim_machine_wrmsr(machine, 1, gate->msr, gate->takes), open && gate->writable ? GIM_ACCESS_DONE : GIM_ACCESS_GP);
}

static struct gim_machine *machine_with(const uint32_t words[WORDS], enum gim_gating gating)
{
	static const char *const keys[WORDS] = {"features.base", "features.misc", "features.syndbg"};
	struct gim_setting settings[WORDS];
	char texts[WORDS][16];
	for (unsigned i = 0; i < WORDS; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "0x%x", words[i]);
		settings[i] = (struct gim_setting){keys[i], texts[i]};
	}
	return hv_test_new(&(struct hv_test){.gating = gating, .settings = settings, .setting_count = WORDS});
}

static void all_gates(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {
		uint32_t words[WORDS] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
		struct gim_machine *machine = machine_with(words, GIM_GATING_WORDS);
		check_access(machine, &gates[i], true);
		gim_machine_free(&machine);
		words[gates[i].word] = ~(UINT32_C(1) << gates[i].bit);
		machine = machine_with(words, GIM_GATING_WORDS);
		check_access(machine, &gates[i], false);
		gim_machine_free(&machine);
		machine = machine_with(words, GIM_GATING_PRODUCER);
		check_access(machine, &gates[i], gates[i].vbox);
		gim_machine_free(&machine);
	}
}

/* Each row of the table is in the list above, by one of its numbers. */
static void no_gate_forgotten(void **unused)
{
	(void)unused;
	for (const struct gim_msr_row *row = hv_msrs; row->name; row++) {
		bool found = row->first == 0x400000f4; /* between its neighbours */
		for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++)
			found = found || gates[i].msr == row->first;
		if (!found)
			fail_msg("%s is not tested", row->name);
	}
}

/*
 * Values.
 */
static void plain_values(void **unused)
{
	(void)unused;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){0});
	assert_int_equal(rdmsr(machine, 0, 0x40000002), 0);
	assert_int_equal(rdmsr(machine, 1, 0x40000002), 1);
	assert_int_equal(rdmsr(machine, 0, 0x40000003), 0);
	assert_int_equal(rdmsr(machine, 0, 0x40000022), TSC_HZ);
	assert_int_equal(rdmsr(machine, 0, 0x40000023), 1000000000);
	assert_int_equal(rdmsr(machine, 0, 0x40000081), 1);
	assert_int_equal(rdmsr(machine, 0, 0x40000084), 0);
	assert_int_equal(rdmsr(machine, 0, 0x40000105), UINT64_C(7) << 61);
	for (uint32_t sint = 0; sint < HV_SINTS; sint++)
		assert_int_equal(rdmsr(machine, 1, 0x40000090 + sint), 0x10000);
	uint64_t value;
	assert_int_equal(gim_machine_rdmsr(machine, 0, 0x40000004, &value), GIM_ACCESS_NOT_OURS);
	assert_int_equal(gim_machine_rdmsr(machine, 2, 0x40000002, &value), GIM_ACCESS_NOT_OURS);
	gim_machine_free(&machine);
}

static void kept_values(void **unused)
{
	(void)unused;
	static const struct {
		uint32_t msr;
		uint64_t value;
		bool vcpu;
	} kept[] = {
	    {0x40000000, LINUX_ID, false},
	    {0x40000080, 1, true},
	    {0x40000091, 0x20031, true},
	    {0x400000f3, 0x16000, false},
	    {0x400000f4, 0x17000, false},
	    {0x400000f5, 0x18000, false},
	    {0x40000100, 0x1000000000000001, false},
	    {0x40000104, 0x1000000000000005, false},
	    {0x40000106, UINT64_C(1) << 32 | 0x100ff, false},
	    {0x40000107, 1, false},
	    {0x40000118, 1, false},
	};
	struct gim_machine *machine = hv_test_new(&(struct hv_test){0});
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const uint64_t before = rdmsr(machine, 0, kept[i].msr);
		wrmsr(machine, 1, kept[i].msr, kept[i].value);
		assert_int_equal(rdmsr(machine, 1, kept[i].msr), kept[i].value);
		assert_int_equal(rdmsr(machine, 0, kept[i].msr), kept[i].vcpu ? before : kept[i].value);
	}
	gim_machine_free(&machine);
}

static void refused_values(void **unused)
{
	(void)unused;
	static const struct {
		uint32_t msr;
		uint64_t value;
	} refused[] = {
	    {0x40000071, 0x1000}, {0x40000071, 0x100000},   {0x40000071, 0x80000000},
	    {0x40000071, 0x2000}, {0x40000106, 0x100},      {0x40000106, 0x20000},
	    {0x40000107, 2},      {0x40000108, 1},          {0x40000108, 2},
	    {0x40000118, 2},      {0x40000118, 0xdeadbeef}, {0x400000b0, 0x2000},
	    {0x400000b0, 0x8000}, {0x400000b6, 0x100000},   {0x400000b0, UINT64_C(1) << 32},
	};
	struct gim_machine *machine = hv_test_new(&(struct hv_test){0});
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const uint64_t before = rdmsr(machine, 1, refused[i].msr);
		no_wrmsr(machine, 1, refused[i].msr, refused[i].value);
		assert_int_equal(rdmsr(machine, 1, refused[i].msr), before);
	}
	gim_machine_free(&machine);
}

static void invariant_tsc_stays(void **unused)
{
	(void)unused;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){0});
	wrmsr(machine, 0, 0x40000118, 0);
	wrmsr(machine, 0, 0x40000118, 1);
	wrmsr(machine, 0, 0x40000118, 1);
	no_wrmsr(machine, 0, 0x40000118, 0);
	assert_int_equal(rdmsr(machine, 0, 0x40000118), 1);
	gim_machine_free(&machine);
}

/*
 * The hypercall page.
 */
static void hypercall_page(void **unused)
{
	(void)unused;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){0});
	poke(machine, 0x14000, 0x1122334455667788, 8);
	wrmsr(machine, 0, 0x40000001, 0x14001);
	assert_int_equal(rdmsr(machine, 0, 0x40000001), 0x14000); /* no OS id, no page */
	wrmsr(machine, 0, 0x40000000, LINUX_ID);
	wrmsr(machine, 0, 0x40000001, 0x14ff5);
	assert_int_equal(rdmsr(machine, 0, 0x40000001), 0x14ff5); /* reserved bits are kept */
	assert_int_equal(peek(machine, 0x14000, 8), 0xc3c1010f);
	poke(machine, 0x14000, 0, 8);
	assert_int_equal(peek(machine, 0x14000, 8), 0xc3c1010f);
	wrmsr(machine, 1, 0x40000001, 0x15001);
	assert_int_equal(peek(machine, 0x15000, 4), 0xc3c1010f);
	assert_int_equal(peek(machine, 0x14000, 8), 0x1122334455667788);
	no_wrmsr(machine, 0, 0x40000001, RAM_BYTES | 1); /* no RAM there: all stays as it was */
	assert_int_equal(rdmsr(machine, 0, 0x40000001), 0x15001);
	assert_int_equal(peek(machine, 0x15000, 4), 0xc3c1010f);
	wrmsr(machine, 0, 0x40000000, 0);
	assert_int_equal(rdmsr(machine, 0, 0x40000001), 0x15000);
	assert_int_equal(peek(machine, 0x15000, 4), 0);
	gim_machine_free(&machine);
}

static void hypercall_page_locks(void **unused)
{
	(void)unused;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){0});
	wrmsr(machine, 0, 0x40000000, LINUX_ID);
	wrmsr(machine, 0, 0x40000001, 0x14003);
	no_wrmsr(machine, 0, 0x40000001, 0x15001);
	no_wrmsr(machine, 0, 0x40000001, 0);
	assert_int_equal(peek(machine, 0x14000, 4), 0xc3c1010f);
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	assert_int_equal(rdmsr(machine, 0, 0x40000001), 0);
	assert_int_equal(peek(machine, 0x14000, 4), 0);
	wrmsr(machine, 0, 0x40000001, 0);
	gim_machine_free(&machine);
	const struct gim_setting no_lock = {"features.misc", "crash_msrs"};
	machine = hv_test_new(&(struct hv_test){.settings = &no_lock, .setting_count = 1});
	wrmsr(machine, 0, 0x40000000, LINUX_ID);
	wrmsr(machine, 0, 0x40000001, 0x14003);
	wrmsr(machine, 0, 0x40000001, 0x15003);
	assert_int_equal(peek(machine, 0x15000, 4), 0xc3c1010f);
	gim_machine_free(&machine);
}

static void hypercall_page_needs_device(void **unused)
{
	(void)unused;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){.no_device = true});
	wrmsr(machine, 0, 0x40000000, LINUX_ID);
	no_wrmsr(machine, 0, 0x40000001, 0x14001);
	no_wrmsr(machine, 0, 0x40000021, 0x15001);
	assert_int_equal(rdmsr(machine, 0, 0x40000001), 0);
	gim_machine_free(&machine);
}

static void hypercall_code(void **unused)
{
	(void)unused;
	static const struct {
		const char *setting;
		uint32_t code;
	} codes[] = {{"vmcall", 0xc3c1010f}, {"vmmcall", 0xc3d9010f}, {"e6f0c3", 0xc3f0e6}, {"E6F0C3", 0xc3f0e6}};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		const struct gim_setting setting = {"hypercall_code", codes[i].setting};
		struct gim_machine *machine = hv_test_new(&(struct hv_test){.settings = &setting, .setting_count = 1});
		wrmsr(machine, 0, 0x40000000, LINUX_ID);
		wrmsr(machine, 0, 0x40000001, 0x14001);
		assert_int_equal(peek(machine, 0x14000, 4), codes[i].code);
		assert_int_equal(peek(machine, 0x14ff8, 8), 0);
		gim_machine_free(&machine);
	}
}

/*
 * The assist page, the local APIC, the runtime.
 */
static void assist_page(void **unused)
{
	(void)unused;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){0});
	poke(machine, 0x30000, UINT64_MAX, 8);
	wrmsr(machine, 1, 0x40000073, 0x30000);
	assert_int_equal(peek(machine, 0x30000, 8), UINT64_MAX);
	wrmsr(machine, 1, 0x40000073, 0x30001);
	assert_int_equal(rdmsr(machine, 1, 0x40000073), 0x30001);
	assert_int_equal(rdmsr(machine, 0, 0x40000073), 0);
	assert_int_equal(peek(machine, 0x30000, 8), UINT64_C(0xffffffff00000000));
	no_wrmsr(machine, 1, 0x40000073, RAM_BYTES | 1);
	no_wrmsr(machine, 1, 0x40000073, UINT64_MAX);
	assert_int_equal(rdmsr(machine, 1, 0x40000073), 0x30001);
	wrmsr(machine, 1, 0x40000073, 0);
	gim_machine_free(&machine);
}

static void local_apic(void **unused)
{
	(void)unused;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){0});
	wrmsr(machine, 0, 0x40000072, 0x50);
	assert_int_equal(rdmsr(machine, 0, 0x40000072), 0x50);
	assert_int_equal(rdmsr(machine, 1, 0x40000072), 0);
	wrmsr(machine, 0, 0x40000072, 0);
	wrmsr(machine, 0, 0x40000071, UINT64_C(1) << 56 | 0x61); /* to the other vCPU, in xAPIC's manner */
	assert_int_equal(gim_machine_interrupt(machine, 1), 0x61);
	wrmsr(machine, 0, 0x40000071, 0x40000 | 0x62); /* to itself */
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x62);
	wrmsr(machine, 0, 0x40000071, 0x40000 | 0x6f);
	assert_true(gim_machine_interrupt(machine, 0) < 0); /* one of its class is in service */
	wrmsr(machine, 0, 0x40000070, 0);
	wrmsr(machine, 0, 0x40000070, 1);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x6f);
	gim_machine_free(&machine);
}

static uint64_t ran_ns(void *user, uint32_t vcpu)
{
	return *(uint64_t *)user * (vcpu + 1);
}

static void runtime(void **unused)
{
	(void)unused;
	uint64_t ns = 77777;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){.host = {.user = &ns, .vcpu_ran_ns = ran_ns}});
	assert_int_equal(rdmsr(machine, 1, 0x40000010), 0);
	ns += 1000;
	assert_int_equal(rdmsr(machine, 0, 0x40000010), 10);
	assert_int_equal(rdmsr(machine, 1, 0x40000010), 20);
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	assert_int_equal(rdmsr(machine, 1, 0x40000010), 0);
	gim_machine_free(&machine);
	machine = hv_test_new(&(struct hv_test){0});
	gim_machine_step(machine, 5 * TICKS_OF_100NS);
	assert_int_equal(rdmsr(machine, 1, 0x40000010), 5);
	gim_machine_free(&machine);
}

/*
 * Callbacks.
 */
struct heard {
	unsigned resets, crashes;
	struct gim_crash crash;
	char message[8192];
};

static void hear_reset(void *user)
{
	((struct heard *)user)->resets++;
}

static void hear_crash(void *user, const struct gim_crash *crash)
{
	struct heard *heard = (struct heard *)user;
	heard->crashes++;
	heard->crash = *crash;
	if (crash->message)
		memcpy(heard->message, crash->message, crash->message_bytes);
}

static void guest_resets(void **unused)
{
	(void)unused;
	struct heard heard = {0};
	struct gim_machine *machine = hv_test_new(&(struct hv_test){.host = {.user = &heard, .reset = hear_reset}});
	wrmsr(machine, 0, 0x40000003, 0);
	wrmsr(machine, 0, 0x40000003, 2);
	assert_int_equal(heard.resets, 0);
	wrmsr(machine, 1, 0x40000003, 1);
	assert_int_equal(heard.resets, 1);
	gim_machine_free(&machine);
}

#define NOTIFY (UINT64_C(1) << 63)
#define MESSAGE (UINT64_C(1) << 62)
#define NO_DUMP (UINT64_C(1) << 61)

static void guest_crashes(void **unused)
{
	(void)unused;
	static const char words[] = "panic: it is over";
	struct heard heard = {0};
	struct gim_machine *machine = hv_test_new(&(struct hv_test){.host = {.user = &heard, .crash = hear_crash}});
	assert_int_equal(gim_machine_write(machine, 0x1ff8, words, sizeof(words), NULL), 0);
	for (uint32_t i = 0; i < 5; i++)
		wrmsr(machine, 0, 0x40000100 + i, 0x10 + i);
	wrmsr(machine, 1, 0x40000105, MESSAGE | NO_DUMP);
	assert_int_equal(heard.crashes, 0);
	wrmsr(machine, 1, 0x40000105, NOTIFY);
	assert_int_equal(heard.crashes, 1);
	assert_int_equal(heard.crash.vcpu, 1);
	assert_int_equal(heard.crash.parameters[4], 0x14);
	assert_null(heard.crash.message);
	assert_false(heard.crash.no_dump);
	wrmsr(machine, 0, 0x40000103, 0x1ff8);
	wrmsr(machine, 0, 0x40000104, sizeof(words) - 1);
	wrmsr(machine, 0, 0x40000105, NOTIFY | MESSAGE | NO_DUMP);
	assert_int_equal(heard.crash.message_bytes, sizeof(words) - 1);
	assert_memory_equal(heard.message, words, sizeof(words) - 1);
	assert_true(heard.crash.no_dump);
	assert_int_equal(hv_state(machine)->crash.control, NOTIFY | MESSAGE | NO_DUMP);
	static const uint64_t bad[][2] = {{0x1000, 4097}, {RAM_BYTES - 8, 16}, {UINT64_MAX, 16}, {0x1000, 0}, {0x1000, UINT64_MAX}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wrmsr(machine, 0, 0x40000103, bad[i][0]);
		wrmsr(machine, 0, 0x40000104, bad[i][1]);
		wrmsr(machine, 0, 0x40000105, NOTIFY | MESSAGE);
		assert_null(heard.crash.message);
	}
	wrmsr(machine, 0, 0x40000103, 0x1000);
	wrmsr(machine, 0, 0x40000104, 4096);
	wrmsr(machine, 0, 0x40000105, NOTIFY | MESSAGE);
	assert_int_equal(heard.crash.message_bytes, 4096);
	gim_machine_free(&machine);
}

/*
 * Settings and CPUID.
 */
static void check_leaf(struct gim_machine *machine, uint32_t leaf, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	uint32_t regs[4];
	assert_int_equal(gim_machine_cpuid(machine, 1, leaf, 0, regs), GIM_ACCESS_DONE);
	assert_int_equal(regs[GIM_EAX], eax);
	assert_int_equal(regs[GIM_EBX], ebx);
	assert_int_equal(regs[GIM_ECX], ecx);
	assert_int_equal(regs[GIM_EDX], edx);
}

static void leaves(void **unused)
{
	(void)unused;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){0});
	check_leaf(machine, 0x40000000, 0x40000082, 0x7263694d, 0x666f736f, 0x76482074);
	check_leaf(machine, 0x40000001, 0x31237648, 0, 0, 0);
	check_leaf(machine, 0x40000002, 0, 0, 0, 0);
	wrmsr(machine, 0, 0x40000000, LINUX_ID);
	check_leaf(machine, 0x40000002, 14393, 0xa0000, 0, 0);
	check_leaf(machine, 0x40000003, 0xbaff, 0x180830, 0, 0xe8d12);
	check_leaf(machine, 0x40000004, 0xc30, 4095, 0, 0);
	check_leaf(machine, 0x40000005, GIM_VCPUS_MAX, 0, 0, 0);
	check_leaf(machine, 0x40000006, 0, 0, 0, 0);
	check_leaf(machine, 0x40000009, 0, 0, 0, 0);
	check_leaf(machine, 0x40000080, 0x40000082, 0x7263694d, 0x666f736f, 0x53562074);
	check_leaf(machine, 0x40000081, 0x31235356, 0, 0, 0);
	check_leaf(machine, 0x40000082, 2, 0, 0, 0);
	uint32_t regs[4];
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x40000083, 0, regs), GIM_ACCESS_NOT_OURS);
	assert_int_equal(gim_machine_cpuid(machine, 0, 1, 0, regs), GIM_ACCESS_NOT_OURS);
	gim_machine_free(&machine);
}

static void leaves_by_settings(void **unused)
{
	(void)unused;
	static const struct gim_setting settings[] = {{"vendor", "VBoxVBoxVBox"},
	                                              {"vs_interface", "false"},
	                                              {"features.hints", "0x130"},
	                                              {"features.host", "nested_paging,msr_bitmaps"}};
	struct gim_machine *machine =
	    hv_test_new(&(struct hv_test){.gating = GIM_GATING_PRODUCER, .settings = settings, .setting_count = 4});
	check_leaf(machine, 0x40000000, 0x40000006, 0x786f4256, 0x786f4256, 0x786f4256);
	check_leaf(machine, 0x40000003, 0xaaff, 0x180030, 0, 0xe8510);
	check_leaf(machine, 0x40000004, 0x130, 4095, 0, 0);
	check_leaf(machine, 0x40000005, 0, 0, 0, 0);
	check_leaf(machine, 0x40000006, 0xa, 0, 0, 0);
	wrmsr(machine, 0, 0x40000000, UINT64_C(0x0001040a00011db1)); /* Windows 10.0, service pack 1, build 7601 */
	check_leaf(machine, 0x40000002, 7601, 0xa0000, 1, 1 | UINT32_C(0xb1) << 24);
	no_rdmsr(machine, 0, 0x400000f1);
	gim_machine_free(&machine);
}

static void flush(void *user, const struct gim_flush *asked)
{
	(void)user;
	(void)asked;
}

static void flushes_need_the_embedder(void **unused)
{
	(void)unused;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){.host = {.flush = flush}});
	check_leaf(machine, 0x40000004, 0xc36, 4095, 0, 0);
	gim_machine_free(&machine);
}

static void bad_settings(void **unused)
{
	(void)unused;
	static const struct gim_setting bad[] = {
	    {"vendor", "short"},          {"vendor", "far too long a name"},
	    {"vs_interface", "maybe"},    {"hypercall_debug", ""},
	    {"hypercall_code", ""},       {"hypercall_code", "abc"},
	    {"hypercall_code", "zz"},     {"features.base", "0x100000000"},
	    {"features.base", "no_such"}, {"features.all", "1"},
	    {"guest_os_id", "1"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct gim_machine_config config = {
		    .provider = "hyperv", .vcpus = 1, .tsc_hz = TSC_HZ, .ram_bytes = RAM_BYTES, .settings = &bad[i], .setting_count = 1};
		struct gim_machine *machine = NULL;
		struct gim_error error = GIM_ERROR_INIT;
		assert_true(gim_machine_new(&config, NULL, &machine, &error) < 0);
		assert_null(machine);
		assert_true(strlen(error.text) > 10);
	}
	char code[131];
	memset(code, '9', 130);
	code[130] = '\0';
	const struct gim_setting longest = {"hypercall_code", code + 2}, too_long = {"hypercall_code", code};
	struct gim_machine *machine = hv_test_new(&(struct hv_test){.settings = &longest, .setting_count = 1});
	gim_machine_free(&machine);
	const struct gim_machine_config config = {
	    .provider = "hyperv", .vcpus = 1, .tsc_hz = TSC_HZ, .settings = &too_long, .setting_count = 1};
	assert_int_equal(gim_machine_new(&config, NULL, &machine, NULL), GIM_E_VALUE);
}

/* Every word that the guest is shown can be set, and nothing else of the record. */
static void words_are_settings(void **unused)
{
	(void)unused;
	unsigned members = 0;
	for (const struct gim_setting_row *row = hv_settings; row->key; row++) {
		if (row->set)
			continue;
		const struct gim_setting setting = {row->key, "0x5"};
		struct gim_machine *machine = hv_test_new(&(struct hv_test){.settings = &setting, .setting_count = 1});
		const struct gim_field *word = &hv_features_record.fields[members++];
		assert_string_equal(row->key + strlen("features."), word->name);
		uint32_t value;
		memcpy(&value, (const uint8_t *)&hv_state(machine)->features + word->offset, sizeof(value));
		assert_int_equal(value, 5);
		gim_machine_free(&machine);
	}
	assert_int_equal(members, hv_features_record.field_count);
}

static void debug_options(void **unused)
{
	(void)unused;
	const struct gim_setting setting = {"hypercall_debug", "true"};
	struct gim_machine *machine = hv_test_new(&(struct hv_test){.settings = &setting, .setting_count = 1});
	assert_int_equal(rdmsr(machine, 0, 0x400000ff), 4);
	wrmsr(machine, 0, 0x400000ff, 0);
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	assert_int_equal(rdmsr(machine, 0, 0x400000ff), 4);
	gim_machine_free(&machine);
}

/* A reset brings back what the records say, of all members that have an MSR, and both regions lie nowhere. */
static void reset_values(void **unused)
{
	(void)unused;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){0});
	wrmsr(machine, 0, 0x40000000, LINUX_ID);
	wrmsr(machine, 0, 0x40000001, 0x14001);
	wrmsr(machine, 0, 0x40000021, 0x15001);
	wrmsr(machine, 1, 0x40000073, 0x30001);
	wrmsr(machine, 1, 0x40000095, 0x77);
	wrmsr(machine, 0, 0x40000102, 5);
	wrmsr(machine, 0, 0x40000106, 0x100ff);
	wrmsr(machine, 0, 0x40000118, 1);
	assert_int_equal(hv_state(machine)->hypercall_page.gpa, 0x14000);
	assert_int_equal(hv_state(machine)->tsc_page.gpa, 0x15000);
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	static const uint32_t zero[] = {0x40000000, 0x40000001, 0x40000021, 0x40000073, 0x40000102, 0x40000106, 0x40000118};
	for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		assert_int_equal(rdmsr(machine, 1, zero[i]), 0);
	assert_int_equal(rdmsr(machine, 1, 0x40000095), 0x10000);
	assert_int_equal(hv_state(machine)->hypercall_page.gpa, UINT64_MAX);
	assert_int_equal(hv_state(machine)->tsc_page.gpa, UINT64_MAX);
	assert_int_equal(peek(machine, 0x14000, 8), 0);
	assert_int_equal(peek(machine, 0x15000, 8), 0);
	check_leaf(machine, 0x40000002, 0, 0, 0, 0);
	gim_machine_free(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_gates),      cmocka_unit_test(no_gate_forgotten),    cmocka_unit_test(plain_values),
	    cmocka_unit_test(kept_values),    cmocka_unit_test(refused_values),       cmocka_unit_test(invariant_tsc_stays),
	    cmocka_unit_test(hypercall_page), cmocka_unit_test(hypercall_page_locks), cmocka_unit_test(hypercall_page_needs_device),
	    cmocka_unit_test(hypercall_code), cmocka_unit_test(assist_page),          cmocka_unit_test(local_apic),
	    cmocka_unit_test(runtime),        cmocka_unit_test(guest_resets),         cmocka_unit_test(guest_crashes),
	    cmocka_unit_test(leaves),         cmocka_unit_test(leaves_by_settings),   cmocka_unit_test(flushes_need_the_embedder),
	    cmocka_unit_test(bad_settings),   cmocka_unit_test(words_are_settings),   cmocka_unit_test(debug_options),
	    cmocka_unit_test(reset_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
