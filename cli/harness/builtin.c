/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the built-in probes look at: the state's own values, pages, clocks, timers, messages, and the faults that the specification wants. */
#include "builtin.h"

#include "output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096u
#define PAGE_MASK (~UINT64_C(0xfff))
#define SLOT_BYTES 256u
#define HZ_100NS 10000000u

enum {
	MSR_HV_GUEST_OS_ID = 0x40000000,
	MSR_HV_HYPERCALL = 0x40000001,
	MSR_HV_TIME_REF_COUNT = 0x40000020,
	MSR_HV_REFERENCE_TSC = 0x40000021,
	MSR_HV_SCONTROL = 0x40000080,
	MSR_HV_SIMP = 0x40000083,
	MSR_HV_EOM = 0x40000084,
	MSR_HV_SINT0 = 0x40000090,
	MSR_HV_STIMER0_CONFIG = 0x400000b0,
	MSR_HV_STIMER0_COUNT = 0x400000b1,
};

/*
 * Values of the state.
 */
static int keep_number(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	if (value->presence == GIM_ABSENT || value->kind != GIM_VALUE_NUMBER)
		return 0;
	*(uint64_t *)user = value->number;
	return 1;
}

/* false: the state does not hold it. */
static bool number_at(const struct builtin_context *context, const char *path, uint64_t *number)
{
	return gim_state_visit(context->state, path, keep_number, number, NULL) == 1;
}

static bool provider_is(const struct builtin_context *context, const char *name)
{
	uint64_t number;
	char path[64];
	/* Only the interface that is in use has a record. */
	(void)snprintf(path, sizeof(path), "%s.features.base", name);
	return number_at(context, path, &number);
}

struct msr_search {
	uint32_t msr;
	struct gim_msr_info info;
	bool found;
};

static int keep_msr(void *user, const struct gim_msr_info *info)
{
	struct msr_search *search = (struct msr_search *)user;
	if (info->msr != search->msr)
		return 0;
	search->info = *info;
	search->found = true;
	return 1;
}

/* May the guest read and write it? */
static bool is_open(const struct builtin_context *context, uint32_t msr)
{
	struct msr_search search = {.msr = msr};
	(void)gim_machine_msrs(context->engine->machine, 0, keep_msr, &search);
	return search.found && (search.info.readable || search.info.writable);
}

/*
 * state: every MSR reads back what was saved.
 */
struct state_writer {
	FILE *script;
	const struct builtin_context *context;
	uint32_t vcpu;
};

static bool shared(const char *path)
{
	return !strchr(path, '[');
}

static int write_state_msr(void *user, const struct gim_msr_info *info)
{
	const struct state_writer *writer = (const struct state_writer *)user;
	uint64_t number;
	if (!*info->path || !number_at(writer->context, info->path, &number) || (shared(info->path) && writer->vcpu))
		return 0;
	if (!info->readable)
		fprintf(writer->script, "@%u rdmsr %s\n@%u expect #GP\n", writer->vcpu, info->name, writer->vcpu);
	if (info->readable && !info->computed)
		fprintf(writer->script, "@%u rdmsr %s\n@%u expect 0x%" PRIx64 "\n", writer->vcpu, info->name, writer->vcpu, number);
	else if (!info->computed)
		fprintf(writer->script, "@%u state %s\n@%u expect 0x%" PRIx64 "\n", writer->vcpu, info->path, writer->vcpu, number);
	return 0;
}

static int write_state(FILE *script, const struct builtin_context *context)
{
	for (uint32_t vcpu = 0; vcpu < context->engine->vcpus; vcpu++) {
		const struct state_writer writer = {script, context, vcpu};
		(void)gim_machine_msrs(context->engine->machine, vcpu, write_state_msr, (void *)(uintptr_t)&writer);
	}
	return 0;
}

/*
 * cpuid: every leaf of the interface is what the machine says.
 */
enum { FIRST_LEAF = 0x40000000, LAST_LEAF = 0x400000ff };

static int write_cpuid(FILE *script, const struct builtin_context *context)
{
	uint32_t regs[4];
	for (uint32_t leaf = FIRST_LEAF; leaf <= LAST_LEAF; leaf++)
		if (gim_machine_cpuid(context->engine->machine, 0, leaf, 0, regs) == GIM_ACCESS_DONE)
			fprintf(script, "cpuid 0x%x\nexpect eax 0x%x\nexpect ebx 0x%x\nexpect ecx 0x%x\nexpect edx 0x%x\n", leaf, regs[0],
			        regs[1], regs[2], regs[3]);
	return 0;
}

/*
 * pages: they are where the state has them, and right.
 */
static uint64_t page_gpa(const struct builtin_context *context, const char *name)
{
	struct gim_page page;
	for (unsigned i = 0; gim_machine_page(context->engine->machine, i, &page); i++)
		if (!strcmp(page.name, name))
			return page.gpa;
	return GIM_UNKNOWN;
}

/* 10^7 * 2^64 / tsc_hz: what the scale must be, to a millionth. */
static uint64_t reference_scale(uint64_t tsc_hz)
{
	return (uint64_t)(18446744073709551616.0 * HZ_100NS / (double)tsc_hz);
}

static void write_hyperv_pages(FILE *script, const struct builtin_context *context)
{
	uint64_t hypercall = 0, reference = 0, os_id = 0;
	const uint64_t code = page_gpa(context, "hyperv.hypercall_page"), clock = page_gpa(context, "hyperv.tsc_page");
	(void)number_at(context, "hyperv.hypercall", &hypercall);
	(void)number_at(context, "hyperv.reference_tsc", &reference);
	(void)number_at(context, "hyperv.guest_os_id", &os_id);
	if (hypercall & 1) {
		fprintf(script, "hypercall_page:\nvalue 0x%" PRIx64 "\nexpect 0x%" PRIx64 "\n", code & PAGE_MASK, hypercall & PAGE_MASK);
		fprintf(script, "read 0x%" PRIx64 " u8\nexpect 1..0xff\n", hypercall & PAGE_MASK);
		fprintf(script, "write 0x%" PRIx64 " u8 0\nread 0x%" PRIx64 " u8\nexpect 1..0xff\n", hypercall & PAGE_MASK,
		        hypercall & PAGE_MASK);
	}
	if (hypercall & 1 && os_id)
		fprintf(script, "# a call code that nobody has: HV_STATUS_INVALID_HYPERCALL_CODE\nhypercall rcx=0xbeef\nexpect rax 2\n");
	if (!(reference & 1))
		return;
	const uint64_t gpa = reference & PAGE_MASK, scale = reference_scale(context->engine->tsc_hz);
	fprintf(script, "tsc_page:\nvalue 0x%" PRIx64 "\nexpect 0x%" PRIx64 "\n", clock & PAGE_MASK, gpa);
	fprintf(script, "~read 0x%" PRIx64 " u32\n~expect 1..0xfffffffe\n", gpa);
	fprintf(script, "~read 0x%" PRIx64 " u64\n~expect 0x%" PRIx64 "..0x%" PRIx64 "\n", gpa + 8, scale - scale / 1000000,
	        scale + scale / 1000000);
	fprintf(script, "~clock reference 0x%" PRIx64 "\nset before\n", gpa);
	if (is_open(context, MSR_HV_TIME_REF_COUNT))
		fprintf(script, "~rdmsr HV_X64_MSR_TIME_REF_COUNT\nexpect $before..$before+10000000\nset before\n");
	fprintf(script, "~clock reference 0x%" PRIx64 "\nexpect $before..$before+10000000\n", gpa);
}

static void write_kvm_pages(FILE *script, const struct builtin_context *context)
{
	char path[64];
	uint64_t system_time, wall;
	for (uint32_t vcpu = 0; vcpu < context->engine->vcpus; vcpu++) {
		(void)snprintf(path, sizeof(path), "kvm.vcpu[%u].system_time", vcpu);
		if (!number_at(context, path, &system_time) || !(system_time & 1))
			continue;
		const uint64_t gpa = system_time & ~UINT64_C(1);
		fprintf(script, "pvclock%u:\n", vcpu);
		fprintf(script, "@%u read 0x%" PRIx64 " u32\n@%u expect 0 mask 1\n", vcpu, gpa, vcpu);
		/* Two readings and the TSC between them: the page's clock goes as the TSC does. */
		fprintf(script, "@%u ~rdtsc\nset tsc0\n@%u ~clock pvclock 0x%" PRIx64 "\nset ns0\n", vcpu, vcpu, gpa);
		fprintf(script, "@%u ~rdtsc\nset tsc1\nwait 2ms\n@%u ~rdtsc\nset tsc2\n", vcpu, vcpu);
		fprintf(script, "@%u ~clock pvclock 0x%" PRIx64 "\nset ns1\n@%u ~rdtsc\nset tsc3\n", vcpu, gpa, vcpu);
		fprintf(script, "~scale $tsc2-$tsc1 1000000000\nset least\n~scale $tsc3-$tsc0 1000000000\nset most\n");
		fprintf(script, "~value $ns1-$ns0\nexpect $least-100..$most+100\n");
	}
	if (number_at(context, "kvm.wall_clock", &wall) && wall)
		fprintf(script, "wall_clock:\nread 0x%" PRIx64 " u32\nexpect 0 mask 1\n", wall);
}

static int write_pages(FILE *script, const struct builtin_context *context)
{
	if (provider_is(context, "hyperv"))
		write_hyperv_pages(script, context);
	if (provider_is(context, "kvm"))
		write_kvm_pages(script, context);
	return 0;
}

/*
 * time: it goes on from what was saved, as the TSC does, and not back when it is saved and loaded again.
 */
/* The reference time at a TSC between two readings of it. after: the scripts' condition is where it can be told. */
static void write_reference_time(FILE *script, const struct builtin_context *context, uint64_t saved)
{
	fprintf(script, "~rdtsc\nset tsc0\n~rdmsr HV_X64_MSR_TIME_REF_COUNT\nset time\n~rdtsc\nset tsc1\n");
	fprintf(script, "~scale $tsc0-0x%" PRIx64 " %u\nset least\n~scale $tsc1-0x%" PRIx64 " %u\nset most\n",
	        context->engine->loaded_tsc[1], HZ_100NS, context->engine->loaded_tsc[0], HZ_100NS);
	fprintf(script, "~value $time\nexpect 0x%" PRIx64 "+$least-1..0x%" PRIx64 "+$most+1\n", saved, saved);
	fprintf(script, "reload:\nreload\n~rdmsr HV_X64_MSR_TIME_REF_COUNT\nexpect $time..$time+600000000\n");
}

/* A clock when the state was saved: the state's own, or what the machine made of a layout without it. */
static bool saved_clock(const struct builtin_context *context, const char *path, uint64_t *time)
{
	return number_at(context, path, time) ||
	       (context->engine->loaded && gim_state_visit(context->engine->loaded, path, keep_number, time, NULL) == 1);
}

static void write_pvclock_time(FILE *script, const struct builtin_context *context, uint32_t vcpu, uint64_t gpa)
{
	uint64_t saved;
	fprintf(script, "@%u ~rdtsc\nset tsc0\n@%u ~clock pvclock 0x%" PRIx64 "\nset time\n@%u ~rdtsc\nset tsc1\n", vcpu, vcpu, gpa, vcpu);
	if (saved_clock(context, "kvm.clock_ns", &saved)) {
		fprintf(script, "~scale $tsc0-0x%" PRIx64 " 1000000000\nset least\n~scale $tsc1-0x%" PRIx64 " 1000000000\nset most\n",
		        context->engine->loaded_tsc[1], context->engine->loaded_tsc[0]);
		fprintf(script, "~value $time\nexpect 0x%" PRIx64 "+$least-1000..0x%" PRIx64 "+$most+1000\n", saved, saved);
	}
	fprintf(script, "reload:\nreload\n@%u ~clock pvclock 0x%" PRIx64 "\nexpect $time..$time+60000000000\n", vcpu, gpa);
}

static int write_time(FILE *script, const struct builtin_context *context)
{
	uint64_t number;
	char path[64];
	if (provider_is(context, "hyperv") && is_open(context, MSR_HV_TIME_REF_COUNT)) {
		if (saved_clock(context, "hyperv.time_ref_count", &number))
			write_reference_time(script, context, number);
	}
	for (uint32_t vcpu = 0; provider_is(context, "kvm") && vcpu < context->engine->vcpus; vcpu++) {
		(void)snprintf(path, sizeof(path), "kvm.vcpu[%u].system_time", vcpu);
		if (number_at(context, path, &number) && number & 1) {
			write_pvclock_time(script, context, vcpu, number & ~UINT64_C(1));
			break; /* the vCPUs share one clock; the pages' own differences are those of `pages` */
		}
	}
	return 0;
}

/*
 * faults: what the guest may not do is answered as the specification says.
 */
static int write_fault(void *user, const struct gim_msr_info *info)
{
	FILE *script = (FILE *)user;
	if (!info->writable)
		fprintf(script, "wrmsr %s 0\nexpect #GP\n", info->name);
	if (!info->readable)
		fprintf(script, "rdmsr %s\nexpect #GP\n", info->name);
	return 0;
}

static int write_faults(FILE *script, const struct builtin_context *context)
{
	(void)gim_machine_msrs(context->engine->machine, 0, write_fault, script);
	if (!provider_is(context, "hyperv"))
		return 0;
	fprintf(script, "reserved:\nrdmsr 0x4000001f\nexpect #GP\nwrmsr 0x4000001f 0\nexpect #GP\n");
	if (is_open(context, MSR_HV_SINT0))
		fprintf(script, "wrmsr HV_X64_MSR_SINT15 0xf\nexpect #GP\n");
	if (is_open(context, MSR_HV_STIMER0_CONFIG))
		fprintf(script, "wrmsr HV_X64_MSR_STIMER3_CONFIG 0x8000000000000000\nexpect #GP\n");
	return 0;
}

/*
 * messages: what was queued when the state was saved arrives, all of it and in order.
 */
static int write_messages(FILE *script, const struct builtin_context *context)
{
	uint64_t vp, sint, type, simp;
	char path[64];
	for (unsigned i = 0;; i++) {
		(void)snprintf(path, sizeof(path), "hyperv.message[%u].vp", i);
		if (!number_at(context, path, &vp))
			return 0;
		(void)snprintf(path, sizeof(path), "hyperv.message[%u].sint", i);
		if (!number_at(context, path, &sint))
			return 0;
		(void)snprintf(path, sizeof(path), "hyperv.message[%u].type", i);
		if (!number_at(context, path, &type))
			return 0;
		(void)snprintf(path, sizeof(path), "hyperv.vp[%u].simp", (unsigned)vp);
		if (!number_at(context, path, &simp) || !(simp & 1))
			continue;
		const uint64_t slot = (simp & PAGE_MASK) + sint * SLOT_BYTES;
		/* The slot is the guest's memory, which the state does not hold: it is empty, and the end of message makes the next one come. */
		fprintf(script, "message%u:\n@%u wrmsr HV_X64_MSR_EOM 0\n", i, (unsigned)vp);
		fprintf(script, "@%u read 0x%" PRIx64 " u32\nexpect 0x%" PRIx64 "\n@%u write 0x%" PRIx64 " u32 0\n", (unsigned)vp, slot,
		        type, (unsigned)vp, slot);
	}
}

/*
 * timers: a synthetic timer of the first vCPU fires, by message, once and periodically.
 */
enum { PROBE_SINT = 15, PROBE_VECTOR = 0xe7, PROBE_TIMER = 3 };

static int write_timers(FILE *script, const struct builtin_context *context)
{
	const uint64_t page = context->engine->ram_bytes - PAGE_BYTES;
	if (!provider_is(context, "hyperv") || !is_open(context, MSR_HV_STIMER0_CONFIG) || !is_open(context, MSR_HV_SINT0) ||
	    !is_open(context, MSR_HV_SIMP) || !is_open(context, MSR_HV_SCONTROL) || !is_open(context, MSR_HV_TIME_REF_COUNT) ||
	    context->engine->ram_bytes < 2 * PAGE_BYTES)
		return 0;
	fprintf(script, "setup:\nwrmsr HV_X64_MSR_SCONTROL 1\nexpect ok\nwrmsr HV_X64_MSR_SIMP 0x%" PRIx64 "\nexpect ok\n", page | 1);
	fprintf(script, "wrmsr HV_X64_MSR_SINT%d 0x%x\nexpect ok\nack 0x%x %d\n", PROBE_SINT, PROBE_VECTOR, PROBE_VECTOR, PROBE_SINT);
	fprintf(script, "wrmsr HV_X64_MSR_STIMER%d_CONFIG 0\n", PROBE_TIMER);
	/* One-shot in 1 ms, by auto-enable: SINT 15 in bits 16 to 19. */
	fprintf(script, "one_shot:\n~rdmsr HV_X64_MSR_TIME_REF_COUNT\nset now\n");
	fprintf(script, "wrmsr HV_X64_MSR_STIMER%d_CONFIG 0x%x\nexpect ok\n", PROBE_TIMER, PROBE_SINT << 16 | 8);
	fprintf(script, "~wrmsr HV_X64_MSR_STIMER%d_COUNT $now+10000\nexpect ok\nwait 5ms\nexpect messages %d 1\n", PROBE_TIMER,
	        PROBE_SINT);
	fprintf(script, "expect interrupts 0x%x 1\nrdmsr HV_X64_MSR_STIMER%d_CONFIG\nexpect 0 mask 1\n", PROBE_VECTOR, PROBE_TIMER);
	/* How many fit into the time a busy host says; that it is more than once, the timer. */
	fprintf(script, "periodic:\nwrmsr HV_X64_MSR_STIMER%d_COUNT 10000\nwrmsr HV_X64_MSR_STIMER%d_CONFIG 0x%x\nwait 20ms\n", PROBE_TIMER,
	        PROBE_TIMER, PROBE_SINT << 16 | 3);
	fprintf(script, "wrmsr HV_X64_MSR_STIMER%d_CONFIG 0\nexpect messages %d 3..1000\n", PROBE_TIMER, PROBE_SINT);
	fprintf(script, "message:\npost 0 %d 0x12345678 0102030405060708\nexpect 0\nexpect messages %d 4..1001\n", PROBE_SINT, PROBE_SINT);
	return 0;
}

const struct builtin builtins[] = {
    {"state", "every MSR reads back what was saved", false, write_state},
    {"cpuid", "every CPUID leaf of the interface is there", false, write_cpuid},
    {"pages", "the interface's pages are where they were, and right", false, write_pages},
    {"time", "clocks go on from what was saved, and not back across a save and a load", false, write_time},
    {"messages", "what was queued arrives, in order", true, write_messages},
    {"faults", "what the guest may not do gives the fault that the specification says", true, write_faults},
    {"timers", "synthetic timers fire, and messages arrive", true, write_timers},
    {NULL, NULL, false, NULL},
};

void builtin_help(FILE *stream)
{
	for (const struct builtin *builtin = builtins; builtin->name; builtin++)
		fprintf(stream, "  %-9s %s\n", builtin->name, builtin->help);
}

int builtin_probe(const struct builtin *builtin, const struct builtin_context *context, struct probe **probe, struct gim_error *error)
{
	char *text = NULL;
	size_t length = 0;
	FILE *script = open_memstream(&text, &length);
	if (!script)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	int result = builtin->write(script, context);
	if (fclose(script) || result)
		result = error_set(error, GIM_E_MEMORY, "out of memory");
	*probe = NULL;
	if (!result && length)
		result = probe_parse(builtin->name, text, length, probe, error);
	free(text);
	return result;
}
