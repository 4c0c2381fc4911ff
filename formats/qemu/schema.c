/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The built-in section schemas of x86 machines, a row a field in the order of the wire. */
#include "qemu/schema.h"
#include "state.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ARRAY(name_, type_, size_, count_)                                                                                                 \
	{                                                                                                                                  \
		.name = name_, .type = type_, .size = size_, .count = count_                                                               \
	}
#define U8(name) ARRAY(name, "uint8", 1, 1)
#define U16(name) ARRAY(name, "uint16", 2, 1)
#define U32(name) ARRAY(name, "uint32", 4, 1)
#define U64(name) ARRAY(name, "uint64", 8, 1)
#define S32(name) ARRAY(name, "int32", 4, 1)
#define S64(name) ARRAY(name, "int64", 8, 1)
#define U32S(name, count) ARRAY(name, "uint32", 4, count)
#define U64S(name, count) ARRAY(name, "uint64", 8, count)
#define BYTES(name, size) ARRAY(name, "buffer", size, 1)
#define UNUSED(size) ARRAY("unused", "unused_buffer", size, 1)
#define STRUCTS(name_, size_, count_, vmsd)                                                                                                \
	{                                                                                                                                  \
		.name = name_, .type = "struct", .size = size_, .count = count_, .inner = &(vmsd), .inner_count = 1                        \
	}

#define SECTION(name_, oldest, version_, fields_)                                                                                          \
	.name = name_, .version = version_, .minimum = oldest, .fields = fields_, .field_count = COUNT(fields_)
#define VMSD(name, version, fields)                                                                                                        \
	{                                                                                                                                  \
		SECTION(name, version, version, fields)                                                                                    \
	}

/*
 * The cpu section: registers, then what only some CPUs or hypervisors have in subsections.
 */
static const struct qemu_field fpreg_fields[] = {U64("tmp_mant"), U16("tmp_exp")};
static const struct qemu_vmsd fpreg = VMSD("fpreg", 1, fpreg_fields);
static const struct qemu_field segment_fields[] = {U32("selector"), U64("base"), U32("limit"), U32("flags")};
static const struct qemu_vmsd segment = VMSD("segment", 1, segment_fields);
static const struct qemu_field xmm_fields[] = {U64("_q_ZMMReg[0]"), U64("_q_ZMMReg[1]")};
static const struct qemu_vmsd xmm = VMSD("xmm_reg", 1, xmm_fields);
static const struct qemu_field ymm_high_fields[] = {U64("_q_ZMMReg[2]"), U64("_q_ZMMReg[3]")};
static const struct qemu_vmsd ymm_high = VMSD("ymmh_reg", 1, ymm_high_fields);
static const struct qemu_field mtrr_fields[] = {U64("base"), U64("mask")};
static const struct qemu_vmsd mtrr = VMSD("mtrr_var", 1, mtrr_fields);

enum { CPU_FIELDS_SINCE_12 = 3 };
static const struct qemu_field cpu_fields[] = {
    U64S("env.regs", 16),
    U64("env.eip"),
    U64("env.eflags"),
    U32("env.hflags"),
    U16("env.fpuc"),
    U16("env.fpus_vmstate"),
    U16("env.fptag_vmstate"),
    U16("env.fpregs_format_vmstate"),
    STRUCTS("env.fpregs", 10, 8, fpreg),
    STRUCTS("env.segs", 20, 6, segment),
    STRUCTS("env.ldt", 20, 1, segment),
    STRUCTS("env.tr", 20, 1, segment),
    STRUCTS("env.gdt", 20, 1, segment),
    STRUCTS("env.idt", 20, 1, segment),
    U32("env.sysenter_cs"),
    U64("env.sysenter_esp"),
    U64("env.sysenter_eip"),
    U64("env.cr[0]"),
    U64("env.cr[2]"),
    U64("env.cr[3]"),
    U64("env.cr[4]"),
    U64S("env.dr", 8),
    S32("env.a20_mask"),
    U32("env.mxcsr"),
    STRUCTS("env.xmm_regs[0]", 16, 16, xmm),
    U64("env.efer"),
    U64("env.star"),
    U64("env.lstar"),
    U64("env.cstar"),
    U64("env.fmask"),
    U64("env.kernelgsbase"),
    U32("env.smbase"),
    U64("env.pat"),
    U32("env.hflags2"),
    U64("env.vm_hsave"),
    U64("env.vm_vmcb"),
    U64("env.tsc_offset"),
    U64("env.intercept"),
    U16("env.intercept_cr_read"),
    U16("env.intercept_cr_write"),
    U16("env.intercept_dr_read"),
    U16("env.intercept_dr_write"),
    U32("env.intercept_exceptions"),
    U8("env.v_tpr"),
    U64S("env.mtrr_fixed", 11),
    U64("env.mtrr_deftype"),
    STRUCTS("env.mtrr_var", 16, 8, mtrr),
    S32("env.interrupt_injected"),
    U32("env.mp_state"),
    U64("env.tsc"),
    S32("env.exception_nr"),
    U8("env.soft_interrupt"),
    U8("env.nmi_injected"),
    U8("env.nmi_pending"),
    U8("env.has_error_code"),
    U32("env.sipi_vector"),
    U64("env.mcg_cap"),
    U64("env.mcg_status"),
    U64("env.mcg_ctl"),
    U64S("env.mce_banks", 40),
    U64("env.tsc_aux"),
    U64("env.system_time_msr"),
    U64("env.wall_clock_msr"),
    U64("env.xcr0"),
    U64("env.xstate_bv"),
    STRUCTS("env.xmm_regs[1]", 16, 16, ymm_high),
};

static const struct qemu_field async_pf_fields[] = {U64("env.async_pf_en_msr")};
static const struct qemu_field async_pf_int_fields[] = {U64("env.async_pf_int_msr")};
static const struct qemu_field pv_eoi_fields[] = {U64("env.pv_eoi_en_msr")};
static const struct qemu_field steal_time_fields[] = {U64("env.steal_time_msr")};
static const struct qemu_field poll_control_fields[] = {U64("env.poll_control_msr")};
static const struct qemu_field fpop_fields[] = {U16("env.fpop"), U64("env.fpip"), U64("env.fpdp")};
static const struct qemu_field tsc_adjust_fields[] = {U64("env.tsc_adjust")};
static const struct qemu_field tsc_deadline_fields[] = {U64("env.tsc_deadline")};
static const struct qemu_field misc_enable_fields[] = {U64("env.msr_ia32_misc_enable")};
static const struct qemu_field feature_control_fields[] = {U64("env.msr_ia32_feature_control")};
static const struct qemu_field hypercall_fields[] = {U64("env.msr_hv_guest_os_id"), U64("env.msr_hv_hypercall")};
static const struct qemu_field vapic_fields[] = {U64("env.msr_hv_vapic")};
static const struct qemu_field time_fields[] = {U64("env.msr_hv_tsc")};
static const struct qemu_field crash_fields[] = {U64S("env.msr_hv_crash_params", 5)};
static const struct qemu_field runtime_fields[] = {U64("env.msr_hv_runtime")};
static const struct qemu_field synic_fields[] = {U64("env.msr_hv_synic_control"), U64("env.msr_hv_synic_evt_page"),
                                                 U64("env.msr_hv_synic_msg_page"), U64S("env.msr_hv_synic_sint", 16)};
static const struct qemu_field stimer_fields[] = {U64S("env.msr_hv_stimer_config", 4), U64S("env.msr_hv_stimer_count", 4)};
static const struct qemu_field reenlightenment_fields[] = {U64("env.msr_hv_reenlightenment_control"),
                                                           U64("env.msr_hv_tsc_emulation_control"), U64("env.msr_hv_tsc_emulation_status")};
static const struct qemu_field xss_fields[] = {U64("env.xss")};
static const struct qemu_field tsc_khz_fields[] = {S64("env.tsc_khz")};
static const struct qemu_field smi_count_fields[] = {U64("env.msr_smi_count")};
static const struct qemu_field pkru_fields[] = {U32("env.pkru")};
static const struct qemu_field pkrs_fields[] = {U32("env.pkrs")};
static const struct qemu_field spec_ctrl_fields[] = {U64("env.spec_ctrl")};
static const struct qemu_field tsx_ctrl_fields[] = {U32("env.tsx_ctrl")};
static const struct qemu_field tsc_scale_fields[] = {U64("env.amd_tsc_scale_msr")};
static const struct qemu_field umwait_fields[] = {U32("env.umwait")};
static const struct qemu_field virt_ssbd_fields[] = {U64("env.virt_ssbd")};
static const struct qemu_field xfd_fields[] = {U64("env.msr_xfd"), U64("env.msr_xfd_err")};

/* Known by name only: it is passed by the description, or by the next footer. */
#define OPAQUE(name_)                                                                                                                      \
	{                                                                                                                                  \
		.name = name_, .version = 1, .minimum = 1                                                                                  \
	}

/* In the order in which QEMU writes them. */
static const struct qemu_vmsd cpu_subsections[] = {
    OPAQUE("cpu/exception_info"),
    VMSD("cpu/async_pf_msr", 1, async_pf_fields),
    VMSD("cpu/async_pf_int_msr", 1, async_pf_int_fields),
    VMSD("cpu/async_pv_eoi_msr", 1, pv_eoi_fields),
    VMSD("cpu/steal_time_msr", 1, steal_time_fields),
    VMSD("cpu/poll_control_msr", 1, poll_control_fields),
    VMSD("cpu/fpop_ip_dp", 1, fpop_fields),
    VMSD("cpu/msr_tsc_adjust", 1, tsc_adjust_fields),
    VMSD("cpu/msr_tscdeadline", 1, tsc_deadline_fields),
    VMSD("cpu/msr_ia32_misc_enable", 1, misc_enable_fields),
    VMSD("cpu/msr_ia32_feature_control", 1, feature_control_fields),
    OPAQUE("cpu/msr_architectural_pmu"),
    OPAQUE("cpu/mpx"),
    VMSD("cpu/msr_hyperv_hypercall", 1, hypercall_fields),
    VMSD("cpu/msr_hyperv_vapic", 1, vapic_fields),
    VMSD("cpu/msr_hyperv_time", 1, time_fields),
    VMSD("cpu/msr_hyperv_crash", 1, crash_fields),
    VMSD("cpu/msr_hyperv_runtime", 1, runtime_fields),
    VMSD("cpu/msr_hyperv_synic", 1, synic_fields),
    VMSD("cpu/msr_hyperv_stimer", 1, stimer_fields),
    VMSD("cpu/msr_hyperv_reenlightenment", 1, reenlightenment_fields),
    OPAQUE("cpu/avx512"),
    VMSD("cpu/xss", 1, xss_fields),
    VMSD("cpu/umwait", 1, umwait_fields),
    VMSD("cpu/tsc_khz", 1, tsc_khz_fields),
    VMSD("cpu/msr_smi_count", 1, smi_count_fields),
    VMSD("cpu/pkru", 1, pkru_fields),
    VMSD("cpu/pkrs", 1, pkrs_fields),
    VMSD("cpu/spec_ctrl", 1, spec_ctrl_fields),
    VMSD("cpu/amd_tsc_scale_msr", 1, tsc_scale_fields),
    OPAQUE("cpu/mcg_ext_ctl"),
    OPAQUE("cpu/intel_pt"),
    VMSD("cpu/virt_ssbd", 1, virt_ssbd_fields),
    OPAQUE("cpu/svn_npt"),
    OPAQUE("cpu/svm_guest"),
    OPAQUE("cpu/nested_state"),
    VMSD("cpu/msr_tsx_ctrl", 1, tsx_ctrl_fields),
    OPAQUE("cpu/intel_sgx"),
    OPAQUE("cpu/pdptrs"),
    VMSD("cpu/msr_xfd", 1, xfd_fields),
    OPAQUE("cpu/intel_amx_xtile"),
    OPAQUE("cpu/arch_lbr"),
    OPAQUE("cpu/triple_fault"),
    OPAQUE("cpu/xen_vcpu"),
};

/*
 * The other sections.
 */
static const struct qemu_field clock_fields[] = {U64("clock")};
static const struct qemu_field reliable_fields[] = {ARRAY("clock_is_reliable", "bool", 1, 1)};
static const struct qemu_vmsd clock_subsections[] = {VMSD("kvmclock/clock_is_reliable", 1, reliable_fields)};

static const struct qemu_field timer_fields[] = {S64("cpu_ticks_offset"), UNUSED(8), S64("cpu_clock_offset")};

static const struct qemu_field common_fields[] = {U32("halted"), U32("interrupt_request")};
static const struct qemu_field exception_fields[] = {S32("exception_index")};
static const struct qemu_field occurred_fields[] = {ARRAY("crash_occurred", "bool", 1, 1)};
static const struct qemu_vmsd common_subsections[] = {VMSD("cpu_common/exception_index", 1, exception_fields),
                                                      VMSD("cpu_common/crash_occurred", 1, occurred_fields)};

static const struct qemu_field apic_fields[] = {
    U32("apicbase"),
    U8("id"),
    U8("arb_id"),
    U8("tpr"),
    U32("spurious_vec"),
    U8("log_dest"),
    U8("dest_mode"),
    U32S("isr", 8),
    U32S("tmr", 8),
    U32S("irr", 8),
    U32S("lvt", 6),
    U32("esr"),
    U32S("icr", 2),
    U32("divide_conf"),
    S32("count_shift"),
    U32("initial_count"),
    S64("initial_count_load_time"),
    S64("next_time"),
    S64("timer_expiry"),
};
static const struct qemu_field sipi_fields[] = {S32("sipi_vector"), S32("wait_for_sipi")};
static const struct qemu_vmsd apic_subsections[] = {VMSD("apic_sipi", 1, sipi_fields)};

/* Newer releases use the text's end for more. */
static const struct qemu_field globalstate_fields[] = {U32("size"), BYTES("runstate", 100)};

#define SUBSECTIONS(rows) .subsections = rows, .subsection_count = COUNT(rows)

static const struct qemu_vmsd sections[] = {
    {SECTION("cpu", 11, 12, cpu_fields), SUBSECTIONS(cpu_subsections)},
    {.name = "cpu",
     .version = 11,
     .minimum = 11,
     .fields = cpu_fields,
     .field_count = COUNT(cpu_fields) - CPU_FIELDS_SINCE_12,
     SUBSECTIONS(cpu_subsections)},
    {SECTION("kvmclock", 1, 1, clock_fields), SUBSECTIONS(clock_subsections)},
    {SECTION("timer", 1, 2, timer_fields)},
    {SECTION("cpu_common", 1, 1, common_fields), SUBSECTIONS(common_subsections)},
    {SECTION("apic", 3, 3, apic_fields), SUBSECTIONS(apic_subsections)},
    {SECTION("globalstate", 1, 1, globalstate_fields)},
};

const struct qemu_vmsd *qemu_schema_newest(const char *section)
{
	for (size_t i = 0; i < COUNT(sections); i++)
		if (!strcmp(sections[i].name, section))
			return &sections[i];
	return NULL;
}

const struct qemu_vmsd *qemu_schema_find(const char *section, uint32_t version)
{
	for (size_t i = 0; i < COUNT(sections); i++)
		if (!strcmp(sections[i].name, section) && sections[i].version == version)
			return &sections[i];
	return NULL;
}

const struct qemu_vmsd *qemu_subsection_find(const struct qemu_vmsd *vmsd, const char *name, uint32_t *index)
{
	for (uint32_t i = 0; i < vmsd->subsection_count; i++)
		if (!strcmp(vmsd->subsections[i].name, name))
			return *index = i, &vmsd->subsections[i];
	return NULL;
}

uint64_t qemu_schema_default(const char *subsection)
{
	return !strcmp(subsection, "cpu/poll_control_msr");
}

/* What came after the release of the tables. The guest interface is otherwise the same in all releases from there to 11.1. */
static const struct qemu_newer newer_names[] = {
    {"cpu/xen_vcpu", 8, 0}, {"xen_overlay", 8, 0}, {"xen_evtchn", 8, 0}, {"xen_gnttab", 8, 0}, {"xen_xenstore", 8, 0},
};

static bool is_before(const struct gim_release *release, unsigned major, unsigned minor)
{
	return release->major < major || (release->major == major && release->minor < minor);
}

bool qemu_older_than_tables(const struct gim_release *release)
{
	return is_before(release, QEMU_TABLES_MAJOR, QEMU_TABLES_MINOR);
}

enum qemu_knowledge qemu_knows(const char *section, const char *subsection, const struct gim_release *release, struct qemu_newer *newer)
{
	const struct qemu_vmsd *table = qemu_schema_newest(section);
	const char *name = subsection ? subsection : section;
	uint32_t index;
	for (size_t i = 0; i < COUNT(newer_names); i++)
		if (!strcmp(newer_names[i].name, name)) {
			*newer = newer_names[i];
			return is_before(release, newer->major, newer->minor) ? QEMU_NEWER : QEMU_KNOWN;
		}
	if (!table)
		return QEMU_NOT_SURE;
	if (!subsection || qemu_subsection_find(table, subsection, &index))
		return QEMU_KNOWN;
	*newer = (struct qemu_newer){.name = subsection};
	/* A table lists all that its release knows. */
	return is_before(release, QEMU_TABLES_MAJOR, QEMU_TABLES_MINOR + 1) ? QEMU_NEWER : QEMU_NOT_SURE;
}

/* Sections are in the order in which QEMU made the devices: kvmclock when all vCPUs were there. */
static const char *const of_vcpus[] = {"timer", "cpu_common", "cpu", "kvm-tpr-opt", "apic", NULL};
static const struct qemu_optional optional[] = {
    {"kvmclock", "clock", "clock_is_reliable", 1, 2, 9, of_vcpus},
};

const struct qemu_optional *qemu_optional_find(const char *section, size_t length)
{
	for (size_t i = 0; i < COUNT(optional); i++)
		if (strlen(optional[i].section) == length && !memcmp(optional[i].section, section, length))
			return &optional[i];
	return NULL;
}

#define ALL UINT64_MAX
const struct qemu_enlightenment qemu_enlightenments[] = {
    {"kvmclock", "kvm", "cpu", "env.system_time_msr", 1, 0, ALL, false},
    {"kvm-asyncpf", "kvm", "cpu", "env.async_pf_en_msr", 1, 0, ALL, false},
    {"kvm-asyncpf-int", "kvm", "cpu", "env.async_pf_int_msr", 1, 0, ALL, false},
    {"kvm-pv-eoi", "kvm", "cpu", "env.pv_eoi_en_msr", 1, 0, ALL, false},
    {"kvm-steal-time", "kvm", "cpu", "env.steal_time_msr", 1, 0, ALL, false},
    {"kvm-poll-control", "kvm", "cpu", "env.poll_control_msr", 1, 1, ALL, true},
    {"hv-relaxed", "hyperv", "cpu", "env.msr_hv_guest_os_id", 1, 0, ALL, false},
    {"hv-relaxed", "hyperv", "cpu", "env.msr_hv_hypercall", 1, 0, ALL, false},
    {"hv-vapic", "hyperv", "cpu", "env.msr_hv_vapic", 1, 0, ALL, false},
    {"hv-time", "hyperv", "cpu", "env.msr_hv_tsc", 1, 0, ALL, false},
    {"hv-crash", "hyperv", "cpu", "env.msr_hv_crash_params", 5, 0, ALL, false},
    {"hv-runtime", "hyperv", "cpu", "env.msr_hv_runtime", 1, 0, ALL, false},
    {"hv-synic", "hyperv", "cpu", "env.msr_hv_synic_control", 1, 0, 1, false},
    {"hv-stimer", "hyperv", "cpu", "env.msr_hv_stimer_config", 4, 0, ALL, false},
    {"hv-reenlightenment", "hyperv", "cpu", "env.msr_hv_reenlightenment_control", 1, 0, ALL, false},
    {.property = NULL},
};
