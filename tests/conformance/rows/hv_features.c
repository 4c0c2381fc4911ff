/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conformance of what CPUID words open: MSRs and hypercalls, stage by stage, each on a new machine; and of the CPUID leaves. */
#include "../conformance.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The words that a stage may open bits of, as settings name them. */
enum word { NONE, BASE, PARTITION, MISC, HINTS, SPIN_RETRIES, SYNDBG, WORDS };
static const char *const word_keys[WORDS] = {
    [NONE] = "features.power",    [BASE] = "features.base",   [PARTITION] = "features.partition",
    [MISC] = "features.misc",     [HINTS] = "features.hints", [SPIN_RETRIES] = "features.spin_retries",
    [SYNDBG] = "features.syndbg",
};

struct opens {
	enum word word;
	uint32_t bits;
};

/* A guest that is shown these words and no other. */
struct shown {
	struct guest_kind kind;
	char values[WORDS][16];
};

static void start_with(struct guest *guest, struct shown *shown, const uint32_t words[WORDS])
{
	shown->kind = (struct guest_kind){.provider = "hyperv", .vcpus = 2};
	for (unsigned word = 0; word < WORDS; word++) {
		(void)snprintf(shown->values[word], sizeof(shown->values[word]), "0x%x", words[word]);
		shown->kind.settings[word] = (struct gim_setting){word_keys[word], shown->values[word]};
	}
	guest_start(guest, &shown->kind);
}

/*
 * HV-FT.
 */
enum access { READ, READ_GP, WRITE, WRITE_GP };

static void expect_reset(struct guest *guest)
{
	expect_number(guest, "the number of resets that were asked for", guest->resets, 1);
}

static void expect_invariant(struct guest *guest)
{
	uint32_t regs[4] = {0, 0, 0, 0};
	if (!guest->machine)
		return;
	/* CPUID 0x80000007 is the embedder's; what it is to show is in the register. */
	expect_number(guest, "TSC_INVARIANT_CONTROL", guest_rdmsr(guest, 0, HV_TSC_INVARIANT_CONTROL), 1);
	expect(guest, gim_machine_cpuid(guest->machine, 0, 0x80000007, 0, regs) == GIM_ACCESS_NOT_OURS,
	       "leaf 0x80000007 is answered, which is the embedder's");
}

static const struct msr_stage {
	struct opens opens;
	uint32_t msr;
	enum access access;
	uint64_t value;
	void (*then)(struct guest *guest);
} msr_stages[] = {
    {{NONE, 0}, HV_GUEST_OS_ID, READ_GP, 0, NULL},
    {{NONE, 0}, HV_HYPERCALL, READ_GP, 0, NULL},
    {{BASE, 1 << 5}, HV_GUEST_OS_ID, WRITE, HV_LINUX_OS_ID, NULL},
    {{NONE, 0}, HV_GUEST_OS_ID, READ, 0, NULL},
    {{NONE, 0}, HV_HYPERCALL, READ, 0, NULL},
    {{NONE, 0}, HV_VP_RUNTIME, READ_GP, 0, NULL},
    {{BASE, 1 << 0}, HV_VP_RUNTIME, READ, 0, NULL},
    {{NONE, 0}, HV_VP_RUNTIME, WRITE_GP, 1, NULL},
    {{NONE, 0}, HV_TIME_REF_COUNT, READ_GP, 0, NULL},
    {{BASE, 1 << 1}, HV_TIME_REF_COUNT, READ, 0, NULL},
    {{NONE, 0}, HV_TIME_REF_COUNT, WRITE_GP, 1, NULL},
    {{NONE, 0}, HV_VP_INDEX, READ_GP, 0, NULL},
    {{BASE, 1 << 6}, HV_VP_INDEX, READ, 0, NULL},
    {{NONE, 0}, HV_VP_INDEX, WRITE_GP, 1, NULL},
    {{NONE, 0}, HV_RESET, READ_GP, 0, NULL},
    {{BASE, 1 << 7}, HV_RESET, READ, 0, NULL},
    {{NONE, 0}, HV_RESET, WRITE, 1, expect_reset},
    {{NONE, 0}, HV_REFERENCE_TSC, READ_GP, 0, NULL},
    {{BASE, 1 << 9}, HV_REFERENCE_TSC, READ, 0, NULL},
    {{NONE, 0}, HV_REFERENCE_TSC, WRITE, 0, NULL},
    {{NONE, 0}, HV_EOM, READ_GP, 0, NULL},
    {{NONE, 0}, HV_EOM, READ_GP, 0, NULL}, /* also where the embedder would have a SynIC: the core always has */
    {{BASE, 1 << 2}, HV_EOM, READ, 0, NULL},
    {{NONE, 0}, HV_EOM, WRITE, 0, NULL},
    {{NONE, 0}, HV_STIMER_CONFIG, READ_GP, 0, NULL},
    {{BASE, 1 << 3}, HV_STIMER_CONFIG, READ, 0, NULL},
    {{NONE, 0}, HV_STIMER_CONFIG, WRITE, 0, NULL},
    {{NONE, 0}, HV_STIMER_CONFIG, WRITE_GP, 1 << 12, NULL},
    {{MISC, 1 << 19}, HV_STIMER_CONFIG, WRITE, 1 << 12, NULL},
    {{NONE, 0}, HV_EOI, READ_GP, 0, NULL},
    {{BASE, 1 << 4}, HV_EOI, WRITE, 1, NULL},
    {{NONE, 0}, HV_TSC_FREQUENCY, READ_GP, 0, NULL},
    {{BASE, 1 << 11}, HV_TSC_FREQUENCY, READ, 0, NULL},
    {{NONE, 0}, HV_TSC_FREQUENCY, WRITE_GP, 1, NULL},
    {{NONE, 0}, HV_REENLIGHTENMENT_CONTROL, READ_GP, 0, NULL},
    {{BASE, 1 << 13}, HV_REENLIGHTENMENT_CONTROL, READ, 0, NULL},
    {{NONE, 0}, HV_REENLIGHTENMENT_CONTROL, WRITE, 1, NULL},
    {{NONE, 0}, HV_TSC_EMULATION_STATUS, WRITE_GP, 1, NULL},
    {{NONE, 0}, HV_CRASH_P0, READ_GP, 0, NULL},
    {{MISC, 1 << 10}, HV_CRASH_P0, READ, 0, NULL},
    {{NONE, 0}, HV_CRASH_P0, WRITE, 1, NULL},
    {{NONE, 0}, HV_DEBUG_STATUS, READ_GP, 0, NULL},
    {{MISC, 1 << 11}, HV_DEBUG_STATUS, READ, 0, NULL},
    {{NONE, 0}, HV_DEBUG_STATUS, WRITE, 0, NULL},
    {{NONE, 0}, HV_TSC_INVARIANT_CONTROL, READ_GP, 0, NULL},
    {{BASE, 1 << 15}, HV_TSC_INVARIANT_CONTROL, READ, 0, NULL},
    {{NONE, 0}, HV_TSC_INVARIANT_CONTROL, WRITE_GP, 0xdeadbeef, NULL},
    {{NONE, 0}, HV_TSC_INVARIANT_CONTROL, WRITE, 1, expect_invariant},
};
#define SYNDBG_STAGE 42 /* that opens the debug MSRs needs the debug leaf too */

static void msr_stage(struct guest *guest, const void *data)
{
	const struct msr_stage *stage = (const struct msr_stage *)data;
	struct shown shown;
	uint32_t words[WORDS] = {0};
	for (const struct msr_stage *each = msr_stages; each <= stage; each++)
		words[each->opens.word] |= each->opens.bits;
	words[SYNDBG] = stage >= &msr_stages[SYNDBG_STAGE] ? 2 : 0;
	start_with(guest, &shown, words);
	switch (stage->access) {
	case READ:
		(void)guest_rdmsr(guest, 0, stage->msr);
		break;
	case READ_GP:
		guest_rdmsr_gp(guest, 0, stage->msr);
		break;
	case WRITE:
		guest_wrmsr(guest, 0, stage->msr, stage->value);
		break;
	default:
		guest_wrmsr_gp(guest, 0, stage->msr, stage->value);
	}
	if (stage->then)
		stage->then(guest);
}

/*
 * HV-FH.
 */
enum {
	UD = 0x10000, /* in the place of a status */
	NOTIFY_LONG_SPIN_WAIT = 8,
	FLUSH_SPACE = 2,
	SEND_IPI = 0xb,
	FLUSH_SPACE_EX = 0x13,
	SEND_IPI_EX = 0x15,
	POST_MESSAGE = 0x5c,
	SIGNAL_EVENT = 0x5d,
	RESET_DEBUG_SESSION = 0x6b,
	EXT_QUERY = 0x8001,
};

static const struct call_stage {
	struct opens opens;
	uint32_t control, status;
} call_stages[] = {
    {{BASE, 1 << 5}, 0xbeef, 2},
    {{NONE, 0}, POST_MESSAGE, 6},
    {{PARTITION, 1 << 4}, POST_MESSAGE, 3},
    {{NONE, 0}, SIGNAL_EVENT, 6},
    {{PARTITION, 1 << 5}, SIGNAL_EVENT, 3},
    {{NONE, 0}, RESET_DEBUG_SESSION, 2},
    {{SYNDBG, 1 << 1}, RESET_DEBUG_SESSION, 6},
    {{PARTITION, 1 << 11}, RESET_DEBUG_SESSION, 8},
    {{NONE, 0}, FLUSH_SPACE, 6},
    {{HINTS, 1 << 2}, FLUSH_SPACE, 0},
    {{NONE, 0}, FLUSH_SPACE_EX, 6},
    {{HINTS, 1 << 11}, FLUSH_SPACE_EX, 0},
    {{NONE, 0}, SEND_IPI, 6},
    {{HINTS, 1 << 10}, SEND_IPI, 3},
    {{NONE, 0}, SEND_IPI_EX, 0},
    {{NONE, 0}, NOTIFY_LONG_SPIN_WAIT, 6},
    {{SPIN_RETRIES, 0xfff}, NOTIFY_LONG_SPIN_WAIT, 0},
    {{NONE, 0}, FLUSH_SPACE | HV_FAST, UD},
    {{MISC, 1 << 4}, FLUSH_SPACE | HV_FAST, 0},
    {{NONE, 0}, EXT_QUERY, 6},
    {{PARTITION, 1 << 20}, EXT_QUERY | HV_FAST, 5},
};

static void call_stage(struct guest *guest, const void *data)
{
	const struct call_stage *stage = (const struct call_stage *)data;
	static const uint64_t zeroes[8];
	struct shown shown;
	uint32_t words[WORDS] = {0};
	for (const struct call_stage *each = call_stages; each <= stage; each++)
		words[each->opens.word] |= each->opens.bits;
	start_with(guest, &shown, words);
	guest_wrmsr(guest, 0, HV_GUEST_OS_ID, HV_LINUX_OS_ID);
	guest_wrmsr(guest, 0, HV_HYPERCALL, GUEST_HYPERCALL_PAGE | 1);
	const uint64_t status = stage->control & HV_FAST ? hv_call_fast(guest, 0, stage->control, zeroes, 8)
	                                                 : hv_call(guest, 0, stage->control, zeroes, sizeof(zeroes) / sizeof(zeroes[0]));
	expect_number(guest, "the status (0x10000: #UD)", status == UINT64_MAX ? UD : status, stage->status);
}

/*
 * HV-CP: the leaves that there are.
 */
static void cpuid(struct guest *guest, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	memset(regs, 0, 4 * sizeof(*regs));
	if (guest->machine)
		expect(guest, gim_machine_cpuid(guest->machine, 0, leaf, subleaf, regs) == GIM_ACCESS_DONE, "leaf 0x%x is not answered",
		       leaf);
}

static void cp_leaves(struct guest *guest, const void *data)
{
	static const uint32_t leaves[] = {0x40000000, 0x40000001, 0x40000002, 0x40000003, 0x40000004,
	                                  0x40000005, 0x40000006, 0x40000080, 0x40000081, 0x40000082};
	uint32_t regs[4], again[4];
	(void)data;
	guest_start(guest, &guest_hyperv);
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		cpuid(guest, leaves[i], 0, regs);
		cpuid(guest, leaves[i], 7, again);
		expect(guest, !memcmp(regs, again, sizeof(regs)), "leaf 0x%x depends on the subleaf", leaves[i]);
	}
	cpuid(guest, 0x40000000, 0, regs);
	expect_number(guest, "the highest leaf", regs[0], 0x40000082);
	cpuid(guest, 0x40000001, 0, regs);
	expect_number(guest, "the interface's signature", regs[0], 0x31237648);
	expect(guest, !guest->machine || gim_machine_cpuid(guest->machine, 0, 0x40000083, 0, regs) == GIM_ACCESS_NOT_OURS,
	       "a leaf above the highest is answered");
}

static void cp_threads(struct guest *guest, const void *data)
{
	uint32_t regs[4];
	(void)data;
	guest_start(guest, &guest_hyperv);
	cpuid(guest, 0x40000004, 0, regs);
	expect_number(guest, "the hint that cores are not shared, which the core cannot know", regs[0] & 1u << 18, 0);
}

/*
 * HV-EX.
 */
static void ex_query(struct guest *guest, const void *data)
{
	(void)data;
	guest_start(guest, &guest_hyperv);
	guest_wrmsr(guest, 0, HV_GUEST_OS_ID, HV_LINUX_OS_ID);
	guest_wrmsr(guest, 0, HV_HYPERCALL, GUEST_HYPERCALL_PAGE | 1);
	guest_store(guest, GUEST_OUTPUT, 8, UINT64_MAX);
	expect_number(guest, "the status", hv_call(guest, 0, EXT_QUERY, NULL, 0), 0);
	const uint64_t capabilities = guest_load(guest, GUEST_OUTPUT, 8);
	expect(guest, capabilities <= 1, "the capabilities are 0x%llx", (unsigned long long)capabilities);
}

#define FT(number, title) ROW("HV-FT-" #number, title, .run = msr_stage, .data = &msr_stages[number])
#define FH(number, title) ROW("HV-FH-" #number, title, .run = call_stage, .data = &call_stages[number])

const struct row hv_feature_rows[] = {
    FT(0, "GUEST_OS_ID is closed"),
    FT(1, "HYPERCALL is closed"),
    FT(2, "GUEST_OS_ID can be written"),
    FT(3, "GUEST_OS_ID can be read"),
    FT(4, "HYPERCALL can be read"),
    FT(5, "VP_RUNTIME is closed"),
    FT(6, "VP_RUNTIME can be read"),
    FT(7, "VP_RUNTIME cannot be written"),
    FT(8, "TIME_REF_COUNT is closed"),
    FT(9, "TIME_REF_COUNT can be read"),
    FT(10, "TIME_REF_COUNT cannot be written"),
    FT(11, "VP_INDEX is closed"),
    FT(12, "VP_INDEX can be read"),
    FT(13, "VP_INDEX cannot be written"),
    FT(14, "RESET is closed"),
    FT(15, "RESET can be read"),
    FT(16, "RESET resets"),
    FT(17, "REFERENCE_TSC is closed"),
    FT(18, "REFERENCE_TSC can be read"),
    FT(19, "REFERENCE_TSC can be written"),
    FT(20, "EOM is closed"),
    FT(21, "EOM is closed, SynIC or not"),
    FT(22, "EOM can be read"),
    FT(23, "EOM can be written"),
    FT(24, "STIMER0_CONFIG is closed"),
    FT(25, "STIMER0_CONFIG can be read"),
    FT(26, "STIMER0_CONFIG can be written"),
    FT(27, "direct mode is closed"),
    FT(28, "direct mode can be set"),
    FT(29, "EOI is closed"),
    FT(30, "EOI can be written"),
    FT(31, "TSC_FREQUENCY is closed"),
    FT(32, "TSC_FREQUENCY can be read"),
    FT(33, "TSC_FREQUENCY cannot be written"),
    FT(34, "REENLIGHTENMENT_CONTROL is closed"),
    FT(35, "REENLIGHTENMENT_CONTROL can be read"),
    FT(36, "REENLIGHTENMENT_CONTROL can be written"),
    FT(37, "TSC_EMULATION_STATUS takes only 0"),
    FT(38, "CRASH_P0 is closed"),
    FT(39, "CRASH_P0 can be read"),
    FT(40, "CRASH_P0 can be written"),
    FT(41, "the debug status is closed"),
    FT(42, "the debug status can be read"),
    FT(43, "the debug status can be written"),
    FT(44, "TSC_INVARIANT_CONTROL is closed"),
    FT(45, "TSC_INVARIANT_CONTROL can be read"),
    FT(46, "TSC_INVARIANT_CONTROL has reserved bits"),
    FT(47, "TSC_INVARIANT_CONTROL can be written"),
    FH(0, "a code that there is not"),
    FH(1, "HvPostMessage is closed"),
    FH(2, "HvPostMessage without a SynIC"),
    FH(3, "HvSignalEvent is closed"),
    FH(4, "HvSignalEvent without a SynIC"),
    FH(5, "HvResetDebugSession without the debugger"),
    FH(6, "HvResetDebugSession without the privilege"),
    FH(7, "HvResetDebugSession where MSRs are to be used"),
    FH(8, "HvFlushVirtualAddressSpace is closed"),
    FH(9, "HvFlushVirtualAddressSpace"),
    FH(10, "HvFlushVirtualAddressSpaceEx is closed"),
    FH(11, "HvFlushVirtualAddressSpaceEx"),
    FH(12, "HvSendSyntheticClusterIpi is closed"),
    FH(13, "HvSendSyntheticClusterIpi with a vector below 16"),
    FH(14, "HvSendSyntheticClusterIpiEx to nobody"),
    FH(15, "HvNotifyLongSpinWait is closed"),
    FH(16, "HvNotifyLongSpinWait"),
    FH(17, "input in XMM registers is closed"),
    FH(18, "input in XMM registers"),
    FH(19, "HvExtCallQueryCapabilities is closed"),
    FH(20, "HvExtCallQueryCapabilities has no fast form"),
    ROW("HV-CP-1", "ten leaves, up to 0x40000082", .run = cp_leaves),
    ROW("HV-CP-2", "no hint of shared cores", .run = cp_threads),
    ROW("HV-CP-3", "an array of leaves that is too small", .skip = "leaves are asked for one by one: there is no array"),
    ROW("HV-EX-1", "an extended hypercall's result and output", .run = ex_query),
    ROW_END,
};
