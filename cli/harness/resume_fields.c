/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading a state's vCPUs by the names of their fields, in one table. */
#include "resume_fields.h"

#include "output.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* An array's elements, and those of a list, are rows with "[]" for their number. */
struct row {
	const char *name;
	size_t offset;  /* in struct resume_vcpu, of a number or an array of numbers; with an MSR it goes there too when it is not 0 */
	unsigned count; /* of numbers; elements beyond it are not looked at */
	uint32_t msr;   /* 0: none; of an array the number of its first */
	uint32_t stride;
};
#define FIELD(path, member)                                                                                                                \
	{                                                                                                                                  \
		.name = path, .offset = offsetof(struct resume_vcpu, member), .count = 1                                                   \
	}
#define SAME(member) FIELD(#member, member)
#define ARRAY(member)                                                                                                                      \
	{                                                                                                                                  \
		.name = #member "[]", .offset = offsetof(struct resume_vcpu, member),                                                      \
		.count = sizeof(((struct resume_vcpu *)0)->member) / sizeof(uint64_t)                                                      \
	}
#define MSR(field, number)                                                                                                                 \
	{                                                                                                                                  \
		.name = "msr." field, .msr = number                                                                                        \
	}
#define SEGMENT(name, id)                                                                                                                  \
	FIELD(name ".base", segments[id].base), FIELD(name ".limit", segments[id].limit),                                                  \
	    FIELD(name ".attributes", segments[id].attributes), FIELD(name ".selector", segments[id].selector),                            \
	    FIELD(name ".descriptor", segments[id].descriptor)

/* In the order of the fields, so that the next one is found at once. */
static const struct row rows[] = {
    SAME(tsc),
    SAME(rip),
    SAME(rflags),
    SAME(rax),
    SAME(rbx),
    SAME(rcx),
    SAME(rdx),
    SAME(rsi),
    SAME(rdi),
    SAME(rbp),
    SAME(rsp),
    SAME(r8),
    SAME(r9),
    SAME(r10),
    SAME(r11),
    SAME(r12),
    SAME(r13),
    SAME(r14),
    SAME(r15),
    SEGMENT("cs", RESUME_CS),
    SEGMENT("ds", RESUME_DS),
    SEGMENT("es", RESUME_ES),
    SEGMENT("fs", RESUME_FS),
    SEGMENT("gs", RESUME_GS),
    SEGMENT("ss", RESUME_SS),
    SEGMENT("ldtr", RESUME_LDTR),
    SEGMENT("tr", RESUME_TR),
    SAME(gdtr.base),
    SAME(gdtr.limit),
    SAME(idtr.base),
    SAME(idtr.limit),
    SAME(cr0),
    SAME(cr2),
    SAME(cr3),
    SAME(cr4),
    FIELD("dr0", dr[0]),
    FIELD("dr1", dr[1]),
    FIELD("dr2", dr[2]),
    FIELD("dr3", dr[3]),
    SAME(dr6),
    SAME(dr7),
    SAME(xcr0),
    SAME(xsave_mask),
    FIELD("msr.efer", efer),
    MSR("star", 0xc0000081),
    MSR("pat", 0x277),
    MSR("lstar", 0xc0000082),
    MSR("cstar", 0xc0000083),
    MSR("sfmask", 0xc0000084),
    MSR("kernel_gs_base", 0xc0000102),
    MSR("sysenter_cs", 0x174),
    MSR("sysenter_eip", 0x176),
    MSR("sysenter_esp", 0x175),
    MSR("tsc_aux", 0xc0000103),
    MSR("misc_enable", 0x1a0),
    MSR("mtrr_def_type", 0x2ff),
    MSR("mtrr_fix_64k_00000", 0x250),
    MSR("mtrr_fix_16k_80000", 0x258),
    MSR("mtrr_fix_16k_a0000", 0x259),
    MSR("mtrr_fix_4k_c0000", 0x268),
    MSR("mtrr_fix_4k_c8000", 0x269),
    MSR("mtrr_fix_4k_d0000", 0x26a),
    MSR("mtrr_fix_4k_d8000", 0x26b),
    MSR("mtrr_fix_4k_e0000", 0x26c),
    MSR("mtrr_fix_4k_e8000", 0x26d),
    MSR("mtrr_fix_4k_f0000", 0x26e),
    MSR("mtrr_fix_4k_f8000", 0x26f),
    MSR("spec_ctrl", 0x48),
    FIELD("msr.tsc_deadline", tsc_deadline),
    MSR("feature_control", 0x3a),
    MSR("xss", 0xda0),
    MSR("mcg_status", 0x17a),
    {.name = "msr.mtrr[].base", .msr = 0x200, .count = RESUME_MTRRS, .stride = 2},
    {.name = "msr.mtrr[].mask", .msr = 0x201, .count = RESUME_MTRRS, .stride = 2},
    SAME(fpu.fcw),
    SAME(fpu.fsw),
    SAME(fpu.ftw),
    SAME(fpu.fop),
    SAME(fpu.ip),
    SAME(fpu.cs),
    SAME(fpu.dp),
    SAME(fpu.ds),
    SAME(fpu.mxcsr),
    ARRAY(fpu.st),
    ARRAY(fpu.physical),
    ARRAY(fpu.xmm),
    SAME(xsave.components),
    ARRAY(xsave.ymm_high),
    ARRAY(xsave.bound),
    ARRAY(xsave.bound_config),
    ARRAY(xsave.opmask),
    ARRAY(xsave.zmm_high),
    ARRAY(xsave.zmm16),
    SAME(xsave.pkru),
    SAME(apic.base),
    SAME(apic.id),
    SAME(apic.tpr),
    SAME(apic.ldr),
    SAME(apic.dfr),
    SAME(apic.logical_id),
    SAME(apic.destination_model),
    SAME(apic.svr),
    ARRAY(apic.isr),
    ARRAY(apic.irr),
    SAME(apic.esr),
    SAME(apic.icr_low),
    SAME(apic.icr_high),
    SAME(apic.lvt_timer),
    SAME(apic.lvt_thermal),
    SAME(apic.lvt_performance),
    SAME(apic.lvt_lint0),
    SAME(apic.lvt_lint1),
    SAME(apic.lvt_error),
    SAME(apic.timer_initial_count),
    SAME(apic.timer_divide),
    SAME(apic.timer_state),
    SAME(apic.timer_next),
    SAME(apic.timer_expiry),
    SAME(apic.wait_for_sipi),
    SAME(event.vector),
    SAME(event.type),
    SAME(event.error_code),
    SAME(event.address),
    SAME(injected.exception),
    SAME(injected.has_error_code),
    SAME(injected.interrupt),
    SAME(injected.soft_interrupt),
    SAME(injected.nmi),
    SAME(injected.nmi_pending),
    SAME(pending.pic),
    SAME(pending.nmi),
    SAME(pending.smi),
    SAME(run.state),
    SAME(run.mwait_flags),
    SAME(run.mp_state),
    SAME(run.halted),
    FIELD("private.hflags", hflags),
    FIELD("private.hflags2", hflags2),
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

#define PREFIX "guest.vcpu["
#define NOTHING UINT64_C(0xffffffff) /* no vector */

struct reading {
	struct resume_vcpu *vcpus;
	uint32_t count;
	uint32_t found; /* vCPUs whose RIP is there, in their order */
	size_t next;    /* row */
};

/* A field's name without its first index, which goes to *index; false: it is longer than any row's. */
static bool shorten(const char *from, char *to, size_t size, unsigned *index)
{
	*index = 0;
	size_t used = 0;
	for (; *from; from++) {
		if (used + 1 >= size)
			return false;
		to[used++] = *from;
		if (*from == '[' && isdigit((unsigned char)from[1])) {
			char *end;
			*index = (unsigned)strtoul(from + 1, &end, 10);
			from = end - 1;
		}
	}
	to[used] = '\0';
	return true;
}

static const struct row *find_row(struct reading *reading, const char *name)
{
	for (size_t i = 0; i < ROWS; i++) {
		const size_t at = (reading->next + i) % ROWS;
		if (strcmp(rows[at].name, name) != 0)
			continue;
		/* An array's next element is likely to follow. */
		reading->next = at;
		return &rows[at];
	}
	return NULL;
}

static void store(struct resume_vcpu *vcpu, const struct row *row, unsigned index, uint64_t number)
{
	if (index >= (row->count ? row->count : 1))
		return;
	if (!row->msr) {
		memcpy((char *)vcpu + row->offset + index * sizeof(number), &number, sizeof(number));
	} else if (vcpu->msr_count < RESUME_MSRS_MAX) {
		vcpu->msrs[vcpu->msr_count].number = row->msr + index * row->stride;
		vcpu->msrs[vcpu->msr_count++].value = number;
	}
}

static int take_field(void *user, const char *path, const struct gim_value *value)
{
	struct reading *reading = (struct reading *)user;
	char name[64], *rest;
	unsigned index;
	if (strncmp(path, PREFIX, strlen(PREFIX)) != 0 || value->presence == GIM_ABSENT || value->kind != GIM_VALUE_NUMBER)
		return 0;
	const unsigned long vcpu = strtoul(path + strlen(PREFIX), &rest, 10);
	if (vcpu >= reading->count || rest[0] != ']' || rest[1] != '.' || !shorten(rest + 2, name, sizeof(name), &index))
		return 0;
	const struct row *row = find_row(reading, name);
	if (row)
		store(&reading->vcpus[vcpu], row, index, value->number);
	if (row && row->offset == offsetof(struct resume_vcpu, rip) && !row->msr && vcpu == reading->found)
		reading->found++;
	return 0;
}

static int keep_number(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	if (value->presence != GIM_ABSENT && value->kind == GIM_VALUE_NUMBER)
		*(uint64_t *)user = value->number;
	return 0;
}

/* Intel SDM: after a reset. */
static const struct resume_vcpu at_reset = {
    .rflags = 2,
    .dr6 = 0xffff0ff0,
    .dr7 = 0x400,
    .xcr0 = 1,
    .fpu = {.fcw = 0x37f, .mxcsr = 0x1f80},
    .apic = {.base = 0xfee00000,
             .dfr = UINT32_MAX,
             .svr = 0xff,
             .lvt_timer = 0x10000,
             .lvt_thermal = 0x10000,
             .lvt_performance = 0x10000,
             .lvt_lint0 = 0x10000,
             .lvt_lint1 = 0x10000,
             .lvt_error = 0x10000,
             .logical_id = UINT64_MAX,
             .destination_model = UINT64_MAX,
             .id = UINT64_MAX,
             .timer_expiry = UINT64_MAX},
    .event = {.vector = NOTHING},
    .injected = {.exception = NOTHING, .interrupt = NOTHING},
};

bool resume_has_vcpus(struct gim_state *state)
{
	uint64_t rip = UINT64_MAX - 1;
	return gim_state_visit(state, "guest.vcpu[0].rip", keep_number, &rip, NULL) == 0 && rip != UINT64_MAX - 1;
}

int resume_read(struct gim_state *state, struct resume_vcpu *vcpus, uint32_t count, struct resume_clocks *clocks, struct gim_error *error)
{
	struct reading reading = {.vcpus = vcpus, .count = count};
	*clocks = (struct resume_clocks){.tsc_hz = 0};
	for (uint32_t i = 0; i < count; i++)
		vcpus[i] = at_reset;
	int result = gim_state_visit(state, "guest.vcpu", take_field, &reading, error);
	if (result)
		return result;
	(void)gim_state_visit(state, "guest.tsc_hz", keep_number, &clocks->tsc_hz, NULL);
	(void)gim_state_visit(state, "guest.virtual_sync_ns", keep_number, &clocks->virtual_sync_ns, NULL);
	if (reading.found < count)
		return error_set(error, GIM_E_VALUE, "the state has the registers of %u of its %u vCPUs, and all are needed", reading.found,
		                 count);
	return 0;
}
