/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the embedder may set of the Hyper-V interface, and what is offered to the guest when it sets nothing. */
#include "runtime.h"

#include "error.h"
#include "visit.h"

#include <string.h>

static int refuse(struct gim_error *error, const char *key, const char *value, const char *expected)
{
	return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "the setting %s does not take \"%s\"; it takes %s", key, value, expected);
}

static int set_vendor(struct gim_machine *machine, const char *value, struct gim_error *error)
{
	struct hv_machine *own = hv_own(machine);
	if (strlen(value) != sizeof(own->vendor))
		return refuse(error, "vendor", value, "exactly 12 characters");
	memcpy(own->vendor, value, sizeof(own->vendor));
	return 0;
}

static int parse_bool(const char *key, const char *value, bool *flag, struct gim_error *error)
{
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return refuse(error, key, value, "true or false");
	*flag = !strcmp(value, "true");
	return 0;
}

static int set_vs_interface(struct gim_machine *machine, const char *value, struct gim_error *error)
{
	bool shown = true;
	int result = parse_bool("vs_interface", value, &shown, error);
	if (!result)
		hv_own(machine)->no_vs_interface = !shown;
	return result;
}

static int set_hypercall_debug(struct gim_machine *machine, const char *value, struct gim_error *error)
{
	return parse_bool("hypercall_debug", value, &hv_own(machine)->hypercall_debug, error);
}

/* The three bytes of the instruction, and a return. */
static const uint8_t vmcall[] = {0x0f, 0x01, 0xc1, 0xc3}, vmmcall[] = {0x0f, 0x01, 0xd9, 0xc3};

static int digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* false: it is no even number of hexadecimal digits, or too many. */
static bool parse_bytes(const char *text, uint8_t *bytes, size_t room, uint32_t *count)
{
	const size_t length = strlen(text);
	if (!length || length % 2 || length / 2 > room)
		return false;
	for (size_t i = 0; i < length / 2; i++) {
		const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	*count = (uint32_t)(length / 2);
	return true;
}

static void set_code(struct hv_machine *own, const uint8_t *code, uint32_t size)
{
	memcpy(own->code, code, size);
	own->code_bytes = size;
}

static int set_hypercall_code(struct gim_machine *machine, const char *value, struct gim_error *error)
{
	struct hv_machine *own = hv_own(machine);
	if (!strcmp(value, "vmcall"))
		set_code(own, vmcall, sizeof(vmcall));
	else if (!strcmp(value, "vmmcall"))
		set_code(own, vmmcall, sizeof(vmmcall));
	else if (!parse_bytes(value, own->code, sizeof(own->code), &own->code_bytes))
		return refuse(error, "hypercall_code", value, "vmcall, vmmcall, or the code's bytes, at most 64, as hexadecimal digits");
	return 0;
}

const struct gim_setting_row hv_settings[] = {
    {"vendor", "what the hypervisor calls itself: exactly 12 characters", set_vendor},
    {"vs_interface", "true (the default) or false: offer the synthetic debugger", set_vs_interface},
    {"hypercall_debug", "true or false (the default): the guest shall debug by hypercalls instead of MSRs", set_hypercall_debug},
    {"hypercall_code", "the hypercall page's code: vmcall (the default), vmmcall, or its bytes as hexadecimal digits", set_hypercall_code},
    {"features.base", "CPUID 0x40000003 eax, as names of bits or a number", NULL},
    {"features.partition", "CPUID 0x40000003 ebx", NULL},
    {"features.power", "CPUID 0x40000003 ecx", NULL},
    {"features.misc", "CPUID 0x40000003 edx", NULL},
    {"features.hints", "CPUID 0x40000004 eax", NULL},
    {"features.spin_retries", "CPUID 0x40000004 ebx", NULL},
    {"features.host", "CPUID 0x40000006 eax", NULL},
    {"features.nested", "CPUID 0x4000000a eax", NULL},
    {"features.syndbg", "CPUID 0x40000082 eax", NULL},
    {NULL, NULL, NULL},
};

/*
 * The words. What the core implements is offered, less what the embedder's settings and callbacks take away.
 */
struct word {
	uint32_t offset; /* in struct hv_state */
	const char *path, *bits;
};
#define WORD(member, bits)                                                                                                                 \
	{                                                                                                                                  \
		offsetof(struct hv_state, member), "." #member, bits                                                                       \
	}

static const struct word offered[] = {
    WORD(features.base, "access_vp_runtime,access_time_ref_count,access_synic,access_stimer,access_apic_msrs,access_hypercall_msrs,"
                        "access_vp_index,access_reset,access_reference_tsc,access_frequency_msrs,access_debug_msrs,"
                        "access_reenlightenment,access_tsc_invariant"),
    WORD(features.partition, "post_messages,signal_events,debugging,fast_hypercall_output,extended_hypercalls"),
    WORD(features.misc, "guest_debugging,xmm_hypercall_input,timer_frequencies,crash_msrs,debug_msrs,"
                        "xmm_hypercall_output,sint_polling,hypercall_msr_lock,direct_stimers"),
    WORD(features.hints, "hypercall_local_flush,hypercall_remote_flush,reset_msr,relaxed_timing,cluster_ipi,ex_processor_masks"),
    WORD(features.spin_retries, "4095"),
    WORD(features.syndbg, "kernel_debugging"),
    {0, NULL, NULL},
};
static const struct word without_vs_interface[] = {
    WORD(features.base, "-access_debug_msrs"),
    WORD(features.partition, "-debugging"),
    WORD(features.misc, "-guest_debugging,-debug_msrs"),
    WORD(features.syndbg, "-kernel_debugging"),
    {0, NULL, NULL},
};
/* A guest must not rely on flushes that nobody does. */
static const struct word without_flush[] = {
    WORD(features.hints, "-hypercall_local_flush,-hypercall_remote_flush"),
    {0, NULL, NULL},
};

/* Words that a setting gave are marked as stored, and stay. */
static int offer(struct gim_machine *machine, const struct word *words, struct gim_error *error)
{
	int result = 0;
	for (const struct word *word = words; !result && word->path; word++) {
		uint8_t *presence = &machine->object.presence[word->offset];
		if (*presence)
			continue;
		result = gim_object_set(&machine->arena, &machine->object, word->path, word->bits, error);
		*presence = GIM_ABSENT;
	}
	return result;
}

int hv_configure(struct gim_machine *machine, struct gim_error *error)
{
	struct hv_machine *own = hv_own(machine);
	if (!own->vendor[0])
		memcpy(own->vendor, "Microsoft Hv", sizeof(own->vendor));
	if (!own->code_bytes)
		set_code(own, vmcall, sizeof(vmcall));
	int result = offer(machine, offered, error);
	if (!result && own->no_vs_interface)
		result = offer(machine, without_vs_interface, error);
	if (!result && !machine->host.flush)
		result = offer(machine, without_flush, error);
	return result;
}
