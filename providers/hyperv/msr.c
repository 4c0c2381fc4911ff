/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All MSRs of the Hyper-V interface: one row each, and what needs no file of its own (TLFS, synthetic MSRs). */
#include "runtime.h"

/* Registers of the local APIC, by their offset. */
enum { APIC_TPR = 0x80, APIC_EOI = 0xb0, APIC_ICR = 0x300 };

static enum gim_access read_vp_index(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)machine;
	(void)index;
	*value = vcpu;
	return GIM_ACCESS_DONE;
}

static enum gim_access write_reset(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	if (*value & 1 && machine->host.reset)
		machine->host.reset(machine->host.user);
	return GIM_ACCESS_DONE;
}

static enum gim_access read_runtime(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	*value = hv_vp_runtime(machine, vcpu);
	return GIM_ACCESS_DONE;
}

static enum gim_access read_tsc_frequency(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	*value = machine->tsc_hz;
	return GIM_ACCESS_DONE;
}

static enum gim_access read_apic_frequency(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	*value = machine->config.apic_hz;
	return GIM_ACCESS_DONE;
}

static enum gim_access write_eoi(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	(void)value;
	return gim_apic_write(machine, vcpu, APIC_EOI, 0) ? GIM_ACCESS_GP : GIM_ACCESS_DONE;
}

static enum gim_access read_icr(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	return gim_apic_read(machine, vcpu, APIC_ICR, value) ? GIM_ACCESS_GP : GIM_ACCESS_DONE;
}

static enum gim_access write_icr(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	return gim_apic_write(machine, vcpu, APIC_ICR, *value) ? GIM_ACCESS_GP : GIM_ACCESS_DONE;
}

static enum gim_access read_tpr(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	return gim_apic_read(machine, vcpu, APIC_TPR, value) ? GIM_ACCESS_GP : GIM_ACCESS_DONE;
}

static enum gim_access write_tpr(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	return gim_apic_write(machine, vcpu, APIC_TPR, (uint8_t)*value) ? GIM_ACCESS_GP : GIM_ACCESS_DONE;
}

static enum gim_access read_sversion(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)machine;
	(void)vcpu;
	(void)index;
	*value = 1;
	return GIM_ACCESS_DONE;
}

/*
 * Crashes.
 */
#define CRASH_NOTIFY (UINT64_C(1) << 63)
#define CRASH_MESSAGE (UINT64_C(1) << 62)
#define CRASH_NO_DUMP (UINT64_C(1) << 61)

/* Reading says what can be reported; the member keeps what was. */
static enum gim_access read_crash_control(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)machine;
	(void)vcpu;
	(void)index;
	*value = CRASH_NOTIFY | CRASH_MESSAGE | CRASH_NO_DUMP;
	return GIM_ACCESS_DONE;
}

static enum gim_access write_crash_control(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	const struct hv_crash *said = &hv_state(machine)->crash;
	char message[GIM_PAGE_BYTES];
	struct gim_crash crash = {
	    .vcpu = vcpu, .parameters = {said->p0, said->p1, said->p2, said->p3, said->p4}, .no_dump = *value & CRASH_NO_DUMP};
	if (!(*value & CRASH_NOTIFY))
		return GIM_ACCESS_DONE;
	if (*value & CRASH_MESSAGE && said->p4 && said->p4 <= sizeof(message) &&
	    !gim_machine_read(machine, said->p3, message, (size_t)said->p4, NULL)) {
		crash.message = message;
		crash.message_bytes = (size_t)said->p4;
	}
	if (machine->host.crash)
		machine->host.crash(machine->host.user, &crash);
	return GIM_ACCESS_DONE;
}

/*
 * The rows. BASE and MISC are the bits of CPUID 0x40000003 eax and edx that open them.
 */
#define BASE(bit) GATE(hv_state, features.base, bit)
#define MISC(bit) GATE(hv_state, features.misc, bit)
#define SYNDBG MISC(11), GATE(hv_state, features.syndbg, 1)
#define RO GIM_MSR_READ
#define WO GIM_MSR_WRITE
#define RW (GIM_MSR_READ | GIM_MSR_WRITE)
#define VP GIM_MSR_VCPU
#define VBOX GIM_MSR_VBOX
#define KEPT GIM_MSR_STATE
#define ROW(number, name_, flags_, gate_, ...)                                                                                             \
	{                                                                                                                                  \
		.first = number, .name = "HV_X64_MSR_" name_, .flags = flags_, .gate = {gate_}, __VA_ARGS__                                \
	}
#define ON_STATE(member) GIM_MSR_MEMBER(hv_state, member)
#define ON_VP(member) GIM_MSR_MEMBER(hv_vp, member)

const struct gim_msr_row hv_msrs[] = {
    ROW(0x40000000, "GUEST_OS_ID", RW | VBOX, BASE(5), ON_STATE(guest_os_id), .write = hv_page_write_guest_os_id),
    ROW(0x40000001, "HYPERCALL", RW | VBOX, BASE(5), ON_STATE(hypercall), .write = hv_page_write_hypercall,
        .note = "VirtualBox leaves the code in the guest's memory when the page is disabled, and knows no lock"),
    ROW(0x40000002, "VP_INDEX", RO | VBOX, BASE(6), .read = read_vp_index),
    ROW(0x40000003, "RESET", RW | VBOX, BASE(7), .write = write_reset),
    ROW(0x40000010, "VP_RUNTIME", RO | VP, BASE(0), ON_VP(runtime), .read = read_runtime, .note = "VirtualBox has none: #GP"),
    ROW(0x40000020, "TIME_REF_COUNT", RO | VBOX, BASE(1), ON_STATE(time_ref_count), .read = hv_clock_read_time,
        .note = "VirtualBox divides by whole multiples of 10 MHz, so that it disagrees with its page"),
    ROW(0x40000021, "REFERENCE_TSC", RW | VBOX, BASE(9), ON_STATE(reference_tsc), .write = hv_clock_write_page,
        .note = "VirtualBox writes 24 bytes into the guest's memory, and the sequence is 1 each time"),
    ROW(0x40000022, "TSC_FREQUENCY", RO | VBOX, BASE(11), .read = read_tsc_frequency),
    ROW(0x40000023, "APIC_FREQUENCY", RO | VBOX, BASE(11), .read = read_apic_frequency),

    ROW(0x40000070, "EOI", WO | VBOX, BASE(4), .write = write_eoi, .note = "VirtualBox takes 0 only"),
    ROW(0x40000071, "ICR", RW | VBOX, BASE(4), .read = read_icr, .write = write_icr, .reserved = 0xfff33000),
    ROW(0x40000072, "TPR", RW | VBOX, BASE(4), .read = read_tpr, .write = write_tpr),
    ROW(0x40000073, "VP_ASSIST_PAGE", RW | VBOX | VP, BASE(4), ON_VP(vp_assist), .write = hv_page_write_vp_assist,
        .note = "VirtualBox cannot read it, answers #GP to disabling it, and fills the whole page with zeros"),
    ROW(0x40000080, "SCONTROL", RW | VBOX | VP, BASE(2), ON_VP(scontrol), .write = hv_synic_write_scontrol,
        .note = "VirtualBox neither heeds nor saves it"),
    ROW(0x40000081, "SVERSION", RO | VBOX, BASE(2), .read = read_sversion),
    ROW(0x40000082, "SIEFP", RW | VBOX | VP, BASE(2), ON_VP(siefp), .write = hv_synic_write_siefp,
        .note = "VirtualBox cannot read it, answers #GP to disabling it, and does not save it"),
    ROW(0x40000083, "SIMP", RW | VBOX | VP, BASE(2), ON_VP(simp), .write = hv_synic_write_simp,
        .note = "VirtualBox takes an address that is no RAM"),
    ROW(0x40000084, "EOM", RW | VBOX, BASE(2), .write = hv_synic_write_eom),
    ROW(0x40000090, "SINT#", RW | VBOX | VP, BASE(2), ON_VP(sint), .count = HV_SINTS, .write = hv_synic_write_sint),
    ROW(0x400000b0, "STIMER#_CONFIG", RW | VBOX | VP, BASE(3), ON_VP(stimer[0].config), .count = HV_STIMERS, .stride = 2,
        .step = sizeof(struct hv_stimer), .reserved = ~UINT64_C(0xf1fff), .write = hv_stimer_write_config,
        .note = "VirtualBox has them without timers behind them, as it offers none; it saves neither"),
    ROW(0x400000b1, "STIMER#_COUNT", RW | VBOX | VP, BASE(3), ON_VP(stimer[0].count), .count = HV_STIMERS, .stride = 2,
        .step = sizeof(struct hv_stimer), .write = hv_stimer_write_count),

    ROW(0x400000f0, "GUEST_IDLE", RO, BASE(10), .note = "the embedder halts the virtual processor, if it offers the bit"),
    ROW(0x400000f1, "SYNDBG_CONTROL", RW, SYNDBG, ON_STATE(debug.control), .write = hv_debug_write_control,
        .note = "VirtualBox opens it and the buffers by partition bit 11, and lets only the status be read"),
    ROW(0x400000f2, "SYNDBG_STATUS", RW | VBOX, SYNDBG, ON_STATE(debug.status)),
    ROW(0x400000f3, "SYNDBG_SEND_BUFFER", RW | KEPT, SYNDBG, ON_STATE(debug.send_buffer)),
    ROW(0x400000f4, "SYNDBG_RECV_BUFFER", RW | KEPT, SYNDBG, ON_STATE(debug.receive_buffer)),
    ROW(0x400000f5, "SYNDBG_PENDING_BUFFER", RW | KEPT, SYNDBG, ON_STATE(debug.pending_buffer)),
    ROW(0x400000ff, "SYNDBG_OPTIONS", RW | KEPT, SYNDBG, ON_STATE(debug.options)),

    ROW(0x40000100, "CRASH_P#", RW | VBOX | KEPT, MISC(10), ON_STATE(crash.p0), .count = 5),
    ROW(0x40000105, "CRASH_CTL", RW | VBOX, MISC(10), ON_STATE(crash.control), .read = read_crash_control, .write = write_crash_control),
    ROW(0x40000106, "REENLIGHTENMENT_CONTROL", RW, BASE(13), ON_STATE(reenlightenment.control), .reserved = 0xfffeff00),
    ROW(0x40000107, "TSC_EMULATION_CONTROL", RW, BASE(13), ON_STATE(reenlightenment.emulation_control), .reserved = ~UINT64_C(1),
        .write = hv_clock_write_emulation_control),
    ROW(0x40000108, "TSC_EMULATION_STATUS", RW, BASE(13), ON_STATE(reenlightenment.emulation_status), .reserved = ~UINT64_C(0),
        .write = hv_clock_write_emulation_status),
    ROW(0x40000114, "STIMER_TIME_UNHALTED_TIMER_CONFIG", RW | VP | KEPT, MISC(23), ON_VP(unhalted_timer.config)),
    ROW(0x40000115, "STIMER_TIME_UNHALTED_TIMER_COUNT", RW | VP | KEPT, MISC(23), ON_VP(unhalted_timer.count)),
    ROW(0x40000118, "TSC_INVARIANT_CONTROL", RW, BASE(15), ON_STATE(tsc_invariant_control), .reserved = ~UINT64_C(1),
        .write = hv_clock_write_invariant, .note = "CPUID 0x80000007 edx bit 8 is the embedder's to show while it is set"),
    {.name = NULL},
};
