/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A vCPU as a state's fields have it, in the forms of KVM and of our APICs (Intel SDM; KVM's documentation). */
#include "guest_registers.h"
#include "guest_resume.h"
#include "resume_fields.h"

#include <string.h>

#ifdef __x86_64__

#define NO_VECTOR UINT64_C(0xffffffff)
#define IA32E 0x400u /* of EFER: LMA */
#define RFLAGS_IF 0x200u
#define NMI_VECTOR 2
#define PAGE_FAULT 14
#define LEFT_MAX (UINT64_C(1) << 62) /* of what a timer has left: it will not be seen to fire */

/*
 * Registers.
 */
static void set_general(const struct resume_vcpu *from, struct kvm_regs *to)
{
	*to = (struct kvm_regs){.rax = from->rax,
	                        .rbx = from->rbx,
	                        .rcx = from->rcx,
	                        .rdx = from->rdx,
	                        .rsi = from->rsi,
	                        .rdi = from->rdi,
	                        .rsp = from->rsp,
	                        .rbp = from->rbp,
	                        .r8 = from->r8,
	                        .r9 = from->r9,
	                        .r10 = from->r10,
	                        .r11 = from->r11,
	                        .r12 = from->r12,
	                        .r13 = from->r13,
	                        .r14 = from->r14,
	                        .r15 = from->r15,
	                        .rip = from->rip,
	                        .rflags = from->rflags};
}

/* Attributes are bits 40 to 55 of the descriptor, whose upper word some save instead. One that is not present cannot be used. */
static struct kvm_segment segment(const struct resume_vcpu *from, enum resume_segment id)
{
	const uint64_t descriptor = from->segments[id].descriptor;
	const uint32_t attributes = descriptor ? descriptor >> 8 & 0xf0ff : (uint32_t)from->segments[id].attributes;
	return (struct kvm_segment){
	    .base = from->segments[id].base,
	    .limit = (uint32_t)from->segments[id].limit,
	    .selector = (uint16_t)from->segments[id].selector,
	    .type = attributes & 15,
	    .s = attributes >> 4 & 1,
	    .dpl = attributes >> 5 & 3,
	    .present = attributes >> 7 & 1,
	    .avl = attributes >> 12 & 1,
	    .l = attributes >> 13 & 1,
	    .db = attributes >> 14 & 1,
	    .g = attributes >> 15 & 1,
	    .unusable = attributes >> 16 & 1 || !(attributes >> 7 & 1),
	};
}

static void set_control(const struct resume_vcpu *from, struct kvm_sregs *to)
{
	*to = (struct kvm_sregs){
	    .es = segment(from, RESUME_ES),
	    .cs = segment(from, RESUME_CS),
	    .ss = segment(from, RESUME_SS),
	    .ds = segment(from, RESUME_DS),
	    .fs = segment(from, RESUME_FS),
	    .gs = segment(from, RESUME_GS),
	    .ldt = segment(from, RESUME_LDTR),
	    .tr = segment(from, RESUME_TR),
	    .gdt = {.base = from->gdtr.base, .limit = (uint16_t)from->gdtr.limit},
	    .idt = {.base = from->idtr.base, .limit = (uint16_t)from->idtr.limit},
	    .cr0 = from->cr0,
	    .cr2 = from->cr2,
	    .cr3 = from->cr3,
	    .cr4 = from->cr4,
	    .cr8 = from->apic.tpr >> 4 & 15,
	    .efer = from->efer,
	};
	/* Processors that enter guests by hardware want a busy task, which a task register always holds. */
	if (!to->tr.unusable)
		to->tr.type |= 2;
}

/*
 * Extended state: an image as XSAVE writes it, in its standard form.
 */
static const struct component {
	unsigned number;
	size_t from, bytes; /* in struct resume_vcpu */
	const char *name;
} components[] = {
#define COMPONENT(number, member, name)                                                                                                    \
	{                                                                                                                                  \
		number, offsetof(struct resume_vcpu, xsave.member), sizeof(((struct resume_vcpu *)0)->xsave.member), name                  \
	}
    COMPONENT(2, ymm_high, "AVX"),        COMPONENT(3, bound, "bound"),      COMPONENT(4, bound_config, "bound configuration"),
    COMPONENT(5, opmask, "AVX-512 mask"), COMPONENT(6, zmm_high, "AVX-512"), COMPONENT(7, zmm16, "AVX-512"),
    COMPONENT(9, pkru, "protection key"),
};
enum { LEGACY_BYTES = 512, XSTATE_BV_AT = 512, AREA_BYTES = sizeof(((struct saved_vcpu *)0)->xsave) };

static void put(uint8_t *area, size_t at, uint64_t value, size_t bytes)
{
	memcpy(area + at, &value, bytes);
}

/* A state has x87 registers in one order or in the other, and zeros in its stead. */
static void set_legacy(const struct resume_vcpu *from, uint8_t *area)
{
	put(area, 0, from->fpu.fcw, 2);
	put(area, 2, from->fpu.fsw, 2);
	put(area, 4, from->fpu.ftw, 1);
	put(area, 6, from->fpu.fop, 2);
	put(area, 8, from->fpu.ip, 4);
	put(area, 12, from->fpu.cs, 2);
	put(area, 16, from->fpu.dp, 4);
	put(area, 20, from->fpu.ds, 2);
	put(area, 24, from->fpu.mxcsr & 0xffff, 4); /* higher bits are reserved, and would be refused */
	const unsigned top = from->fpu.fsw >> 11 & 7;
	for (unsigned i = 0; i < 8; i++) {
		const unsigned physical = (i + top) & 7;
		put(area, 32 + 16 * i, from->fpu.st[2 * i] | from->fpu.physical[2 * physical], 8);
		put(area, 40 + 16 * i, from->fpu.st[2 * i + 1] | from->fpu.physical[2 * physical + 1], 2);
	}
	memcpy(area + 160, from->fpu.xmm, sizeof(from->fpu.xmm));
}

static void set_extended(struct guest *guest, uint32_t id, const struct resume_vcpu *from, struct saved_vcpu *to)
{
	uint8_t *area = (uint8_t *)to->xsave;
	uint64_t held = 3;
	set_legacy(from, area);
	/* A state without XSAVE's header has x87 and SSE. */
	const uint64_t wanted = from->xsave_mask || from->xsave.components ? from->xsave.components : 3;
	for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++) {
		const struct component *own = &components[i];
		uint32_t at, bytes;
		if (!(wanted >> own->number & 1))
			continue;
		if (vm_xsave_place(&guest->vm, own->number, &at, &bytes) && at + own->bytes <= AREA_BYTES && bytes >= own->bytes - 7) {
			memcpy(area + at, (const char *)from + own->from, bytes < own->bytes ? bytes : own->bytes);
			held |= UINT64_C(1) << own->number;
		} else {
			guest_note(guest, "vCPU %u: this host has no place for the %s registers, whose content is lost", id, own->name);
		}
	}
	put(area, XSTATE_BV_AT, wanted & held, 8);
	to->xcrs.xcrs[0].value = from->xcr0 & vm_xcr0(&guest->vm);
	if (from->xcr0 & ~vm_xcr0(&guest->vm))
		guest_note(guest, "vCPU %u: XCR0 was 0x%llx, and this host has only 0x%llx of it", id, (unsigned long long)from->xcr0,
		           (unsigned long long)to->xcrs.xcrs[0].value);
}

/*
 * What is being delivered.
 */
/* An INT n is not injected again: its instruction, at which RIP stands, is. */
static void set_event(const struct resume_vcpu *from, struct kvm_vcpu_events *to, struct kvm_sregs *sregs)
{
	enum { EXCEPTION, INTERRUPT, SOFTWARE, NMI };
	const uint64_t vector = from->event.vector;
	if (vector > 255)
		return;
	if (from->event.type == NMI || (from->event.type == EXCEPTION && vector == NMI_VECTOR)) {
		to->nmi.injected = 1;
	} else if (from->event.type == INTERRUPT) {
		to->interrupt.injected = 1;
		to->interrupt.nr = (uint8_t)vector;
	} else if (from->event.type == EXCEPTION) {
		to->exception.injected = 1;
		to->exception.nr = (uint8_t)vector;
		to->exception.has_error_code = from->event.error_code != NO_VECTOR;
		to->exception.error_code = to->exception.has_error_code ? (uint32_t)from->event.error_code : 0;
		if (vector == PAGE_FAULT)
			sregs->cr2 = from->event.address;
	}
}

static void set_injected(const struct resume_vcpu *from, struct kvm_vcpu_events *to)
{
	if (from->injected.exception <= 255) {
		to->exception.injected = 1;
		to->exception.nr = (uint8_t)from->injected.exception;
		to->exception.has_error_code = from->injected.has_error_code != 0;
		to->exception.error_code = (uint32_t)from->event.error_code;
	}
	if (from->injected.interrupt <= 255) {
		to->interrupt.injected = 1;
		to->interrupt.nr = (uint8_t)from->injected.interrupt;
		to->interrupt.soft = from->injected.soft_interrupt != 0;
	}
	to->nmi.injected = from->injected.nmi != 0;
	to->nmi.pending = from->injected.nmi_pending != 0;
	to->nmi.masked = from->hflags2 >> 2 & 1;
	to->interrupt.shadow = from->hflags >> 3 & 1 ? KVM_X86_SHADOW_INT_STI : 0;
}

static void set_activity(const struct resume_vcpu *from, struct saved_vcpu *to)
{
	enum { STATE_HALTED = 6, STATE_WAITS = 7, MP_UNINITIALIZED = 1, MP_INIT_RECEIVED = 2, MP_HALTED = 3, MWAIT_BREAKS = 2 };
	to->activity = VCPU_RUNS;
	if (from->run.state == STATE_HALTED || from->run.mp_state == MP_HALTED || from->run.halted)
		to->activity = VCPU_HALTS;
	if (from->run.state == STATE_WAITS || from->run.mp_state == MP_UNINITIALIZED || from->run.mp_state == MP_INIT_RECEIVED ||
	    from->apic.wait_for_sipi)
		to->activity = VCPU_WAITS;
	to->interruptible = from->rflags & RFLAGS_IF || from->run.mwait_flags & MWAIT_BREAKS;
	to->nmi = from->pending.nmi != 0;
	to->startup = NO_STARTUP;
	/* Something that is being delivered ends the wait. */
	if (to->activity == VCPU_HALTS && (to->events.interrupt.injected || to->events.exception.injected || to->events.nmi.injected))
		to->activity = VCPU_RUNS;
}

/*
 * The APIC.
 */
/* What is left until a deadline, which is a time stamp of a TSC that may stand elsewhere here, and go at another speed. */
static uint64_t deadline_left(const struct guest *guest, const struct resume_vcpu *from, const struct resume_clocks *clocks)
{
	__extension__ typedef unsigned __int128 wide;
	const uint64_t left = from->tsc_deadline > from->tsc ? from->tsc_deadline - from->tsc : 0;
	const wide scaled = clocks->tsc_hz ? (wide)left * guest->vm.tsc_hz / clocks->tsc_hz : left;
	return scaled < LEFT_MAX ? (uint64_t)scaled : LEFT_MAX;
}

/* What is left of a count. false: none runs. */
static bool count_left(const struct guest *guest, const struct resume_vcpu *from, const struct resume_clocks *clocks, uint64_t *left)
{
	enum { ARMED = 7, ARMED_OLD = 8 };
	__extension__ typedef unsigned __int128 wide;
	const uint64_t now_ns = clocks->virtual_sync_ns, expiry_ns = from->apic.timer_expiry;
	const bool armed = from->apic.timer_state ? from->apic.timer_state == ARMED || from->apic.timer_state == ARMED_OLD
	                                          : expiry_ns <= INT64_MAX; /* who saves no state says -1 */
	const wide scaled = (wide)(expiry_ns > now_ns ? expiry_ns - now_ns : 0) * guest->vm.tsc_hz / 1000000000;
	*left = scaled < LEFT_MAX ? (uint64_t)scaled : LEFT_MAX;
	return armed;
}

static void set_timer(const struct guest *guest, const struct resume_vcpu *from, const struct resume_clocks *clocks, uint64_t tsc,
                      struct apic *to)
{
	const bool by_deadline = (from->apic.lvt_timer >> 17 & 3) == 2;
	uint64_t left;
	if (by_deadline && from->tsc_deadline)
		to->timer_due_tsc = tsc + deadline_left(guest, from, clocks) + 1;
	else if (!by_deadline && count_left(guest, from, clocks, &left))
		to->timer_due_tsc = tsc + left + 1;
}

static void set_words(const uint64_t from[8], uint32_t to[8])
{
	for (unsigned i = 0; i < 8; i++)
		to[i] = (uint32_t)from[i];
}

static void set_apic(const struct guest *guest, uint32_t id, const struct resume_vcpu *from, const struct resume_clocks *clocks,
                     uint64_t tsc, struct apic *to)
{
	apic_reset(to, id);
	to->base = from->apic.base;
	to->tpr = (uint32_t)from->apic.tpr;
	to->svr = (uint32_t)from->apic.svr;
	to->esr = (uint32_t)from->apic.esr;
	to->ldr = (uint32_t)from->apic.ldr;
	to->dfr = (uint32_t)from->apic.dfr;
	if (from->apic.logical_id != UINT64_MAX)
		to->ldr = apic_is_x2(to) ? (id >> 4) << 16 | 1u << (id & 15) : (uint32_t)from->apic.logical_id << 24;
	if (from->apic.destination_model != UINT64_MAX)
		to->dfr = (uint32_t)from->apic.destination_model << 28 | 0x0fffffff;
	to->icr = from->apic.icr_high << 32 | (uint32_t)from->apic.icr_low;
	to->initial_count = (uint32_t)from->apic.timer_initial_count;
	to->divide = (uint32_t)from->apic.timer_divide;
	to->lvt[APIC_LVT_TIMER] = (uint32_t)from->apic.lvt_timer;
	to->lvt[APIC_LVT_THERMAL] = (uint32_t)from->apic.lvt_thermal;
	to->lvt[APIC_LVT_COUNTERS] = (uint32_t)from->apic.lvt_performance;
	to->lvt[APIC_LVT_LINT0] = (uint32_t)from->apic.lvt_lint0;
	to->lvt[APIC_LVT_LINT1] = (uint32_t)from->apic.lvt_lint1;
	to->lvt[APIC_LVT_ERROR] = (uint32_t)from->apic.lvt_error;
	set_words(from->apic.isr, to->isr);
	set_words(from->apic.irr, to->irr);
	set_timer(guest, from, clocks, tsc, to);
}

static void note_missing(struct guest *guest, uint32_t id, const struct resume_vcpu *from)
{
	if (from->pending.pic)
		guest_note(guest, "vCPU %u: an interrupt of the PIC waits; there is no PIC here, so that it does not come", id);
	if (from->pending.smi)
		guest_note(guest, "vCPU %u: a system management interrupt waits, and is lost", id);
	if (from->apic.id != UINT64_MAX && from->apic.id != id)
		guest_note(guest, "vCPU %u: its APIC id was %llu, and is %u here", id, (unsigned long long)from->apic.id, id);
}

void guest_translate_vcpu(struct guest *guest, uint32_t id, const struct resume_vcpu *from, const struct resume_clocks *clocks,
                          uint64_t tsc, struct saved_vcpu *to)
{
	memset(to, 0, sizeof(*to));
	set_general(from, &to->regs);
	set_control(from, &to->sregs);
	memcpy(to->debug.db, from->dr, sizeof(to->debug.db));
	to->debug.dr6 = from->dr6;
	to->debug.dr7 = from->dr7;
	set_extended(guest, id, from, to);
	set_injected(from, &to->events);
	set_event(from, &to->events, &to->sregs);
	set_activity(from, to);
	set_apic(guest, id, from, clocks, tsc, &to->apic);
	note_missing(guest, id, from);
}

#endif
