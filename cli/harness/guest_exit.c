/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a guest exits for: MSRs, the local APIC, ports, calls, and what nobody serves. All with the lock. */
#include "guest_debug.h"
#include "guest_resume.h"

#include "guest64.h"
#include "output.h"

#include <errno.h>
#include <string.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sys/ioctl.h>

#define PAGE_MASK (~UINT64_C(0xfff))
#define MSR_APIC_BASE 0x1bu
#define MSR_X2APIC 0x800u
#define MSR_TSC_DEADLINE 0x6e0u

static int refuse(struct gim_error *error, const char *what)
{
	return error_set(error, GIM_E_IO, "%s: %s", what, strerror(errno));
}

static void after_core(struct guest *guest, uint32_t vcpu)
{
	guest->in_core = false;
	if (guest->ended_vector >= 0) {
		const uint8_t vector = (uint8_t)guest->ended_vector;
		guest->ended_vector = -1;
		gim_machine_eoi(guest->machine, vcpu, vector);
	}
}

static void count(struct guest *guest, uint32_t vcpu, enum guest_exit_kind kind)
{
	if (guest->foreign)
		guest->log.exits[vcpu][kind]++;
}

/* What nobody serves. */
static void log_access(struct guest *guest, uint32_t vcpu, enum guest_access_kind kind, bool write, unsigned size, uint64_t address,
                       uint64_t value)
{
	struct kvm_regs regs = {.rip = 0};
	if (!guest->foreign)
		return;
	(void)ioctl(guest->vm.vcpus[vcpu].fd, KVM_GET_REGS, &regs);
	const struct guest_access access = {
	    .kind = kind, .write = write, .vcpu = vcpu, .size_bytes = size, .address = address, .value = value, .rip = regs.rip};
	guest_log_access(&guest->log, &access);
}

static bool serve_apic_msr(struct guest *guest, uint32_t vcpu, bool write, uint32_t msr, uint64_t *value)
{
	struct apic *apic = &guest->apics.items[vcpu];
	const uint64_t tsc = vm_tsc(&guest->vm);
	const uint32_t offset = (msr - MSR_X2APIC) * 16;
	if (msr == MSR_APIC_BASE)
		return write ? apic_write_base(apic, *value) : (*value = apic->base, true);
	if (msr == MSR_TSC_DEADLINE)
		return write ? (apic_write_deadline(&guest->apics, vcpu, *value), true) : (*value = apic_read_deadline(apic), true);
	if (!apic_is_x2(apic))
		return false;
	return write ? apic_write(&guest->apics, vcpu, offset, tsc, *value) : apic_read(&guest->apics, vcpu, offset, tsc, value);
}

static void serve_msr(struct guest *guest, uint32_t vcpu, struct kvm_run *run)
{
	const bool write = run->exit_reason == KVM_EXIT_X86_WRMSR;
	const uint32_t msr = run->msr.index;
	uint64_t value = write ? run->msr.data : 0;
	bool done;
	if (msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE || (msr >= MSR_X2APIC && msr < MSR_X2APIC + 0x100)) {
		done = serve_apic_msr(guest, vcpu, write, msr, &value);
	} else {
		guest->in_core = true;
		done = (write ? gim_machine_wrmsr(guest->machine, vcpu, msr, value)
		              : gim_machine_rdmsr(guest->machine, vcpu, msr, &value)) == GIM_ACCESS_DONE;
		after_core(guest, vcpu);
	}
	if (!done)
		log_access(guest, vcpu, GUEST_ACCESS_MSR, write, 8, msr, value);
	run->msr.error = !done;
	if (!write)
		run->msr.data = value;
}

static void serve_mmio(struct guest *guest, uint32_t vcpu, struct kvm_run *run)
{
	const struct apic *apic = &guest->apics.items[vcpu];
	const uint64_t gpa = run->mmio.phys_addr, tsc = vm_tsc(&guest->vm);
	const uint32_t offset = gpa & 0xfff;
	uint64_t value = 0;
	uint32_t word = 0;
	if (apic_is_on(apic) && !apic_is_x2(apic) && (gpa & PAGE_MASK) == (apic->base & PAGE_MASK & ((UINT64_C(1) << 52) - 1))) {
		memcpy(&word, run->mmio.data, sizeof(word));
		if (run->mmio.is_write && !(offset & 15))
			(void)apic_write(&guest->apics, vcpu, offset, tsc, word);
		else if (!run->mmio.is_write)
			(void)apic_read(&guest->apics, vcpu, offset & ~15u, tsc, &value);
		value >>= 8 * (offset & 3);
		memcpy(run->mmio.data, &value, sizeof(value));
	} else {
		memcpy(&value, run->mmio.data, sizeof(value));
		log_access(guest, vcpu, GUEST_ACCESS_MMIO, run->mmio.is_write, run->mmio.len, gpa, run->mmio.is_write ? value : 0);
		if (!run->mmio.is_write)
			memset(run->mmio.data, 0xff, sizeof(run->mmio.data)); /* nothing is there */
	}
}

/* The registers of a call that are where struct kvm_regs has them. */
static const struct {
	size_t from, to;
} call_registers[] = {
#define CALL(name)                                                                                                                         \
	{                                                                                                                                  \
		offsetof(struct kvm_regs, name), offsetof(struct gim_registers, name)                                                      \
	}
    CALL(rax), CALL(rbx), CALL(rcx), CALL(rdx), CALL(rsi), CALL(rdi), CALL(r8),
};

static void move_registers(struct kvm_regs *regs, struct gim_registers *call, bool back)
{
	for (size_t i = 0; i < sizeof(call_registers) / sizeof(call_registers[0]); i++) {
		char *own = (char *)regs + call_registers[i].from, *other = (char *)call + call_registers[i].to;
		memcpy(back ? own : other, back ? other : own, sizeof(uint64_t));
	}
}

/* Is it the interface's page that the vCPU executes? The port is a guest's like any other elsewhere. */
static bool in_hypercall_page(struct guest *guest, int fd, uint64_t rip)
{
	struct kvm_translation translation = {.linear_address = rip};
	struct gim_page page;
	if (ioctl(fd, KVM_TRANSLATE, &translation) || !translation.valid)
		return false;
	for (unsigned i = 0; gim_machine_page(guest->machine, i, &page); i++)
		if (!strcmp(page.name, "hyperv.hypercall_page") && page.gpa == (translation.physical_address & PAGE_MASK))
			return true;
	return false;
}

static int serve_hypercall(struct guest *guest, uint32_t vcpu, struct gim_error *error)
{
	const int fd = guest->vm.vcpus[vcpu].fd;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	struct gim_registers call = {.rax = 0};
	if (ioctl(fd, KVM_GET_REGS, &regs) || ioctl(fd, KVM_GET_SREGS, &sregs) || ioctl(fd, KVM_GET_FPU, &fpu))
		return refuse(error, "a vCPU's registers cannot be read");
	if (!in_hypercall_page(guest, fd, regs.rip + sregs.cs.base))
		return 0;
	move_registers(&regs, &call, false);
	memcpy(call.xmm, fpu.xmm, sizeof(call.xmm));
	call.cpl = sregs.ss.dpl;
	call.real_mode = !(sregs.cr0 & 1);
	call.long_mode = sregs.cs.l;
	guest->in_core = true;
	const enum gim_access access = gim_machine_hypercall(guest->machine, vcpu, &call);
	after_core(guest, vcpu);
	if (access != GIM_ACCESS_DONE)
		return vm_raise_ud(&guest->vm, vcpu, error);
	move_registers(&regs, &call, true);
	if (ioctl(fd, KVM_SET_REGS, &regs))
		return refuse(error, "a vCPU's registers are refused");
	if (memcmp(call.xmm, fpu.xmm, sizeof(call.xmm)) != 0) {
		memcpy(fpu.xmm, call.xmm, sizeof(call.xmm));
		if (ioctl(fd, KVM_SET_FPU, &fpu))
			return refuse(error, "a vCPU's registers are refused");
	}
	return 0;
}

/* A guest that another hypervisor saved knows other devices than the board's. */
static void serve_nothing(struct guest *guest, uint32_t vcpu, struct kvm_run *run, uint8_t *data)
{
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		uint32_t value = 0;
		if (run->io.direction == KVM_EXIT_IO_OUT)
			memcpy(&value, data, run->io.size);
		else
			memset(data, 0xff, run->io.size);
		log_access(guest, vcpu, GUEST_ACCESS_PORT, run->io.direction == KVM_EXIT_IO_OUT, run->io.size, run->io.port, value);
	}
}

static int serve_port(struct guest *guest, uint32_t vcpu, struct kvm_run *run, struct gim_error *error)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	const bool write = run->io.direction == KVM_EXIT_IO_OUT;
	const unsigned size = run->io.size;
	if (write && run->io.port == GUEST_PORT_HYPERCALL && size == 1)
		return serve_hypercall(guest, vcpu, error);
	if (guest->foreign)
		return serve_nothing(guest, vcpu, run, data), 0;
	for (uint32_t i = 0; i < run->io.count; i++, data += size) {
		uint32_t value = 0;
		memcpy(&value, data, size);
		board_access(&guest->board, run->io.port, write, size, &value);
		memcpy(data, &value, size);
	}
	if (guest->board.ended) {
		guest->ended = guest->stop = true;
		(void)pthread_cond_broadcast(&guest->changed);
		(void)pthread_cond_broadcast(&guest->clock);
	}
	return 0;
}

/* Nobody can serve it: the vCPU stays at the instruction. */
static int end_by_exit(struct guest *guest, struct guest_vcpu *vcpu, uint32_t reason, struct gim_error *error)
{
	vcpu->exited = false;
	if (guest_debug_exit(guest, vcpu))
		return 0;
	guest->end = reason == KVM_EXIT_SHUTDOWN ? GUEST_SHUT_DOWN : GUEST_UNRUNNABLE;
	return vm_describe_exit(&guest->vm, vcpu->id, error);
}

static enum guest_exit_kind kind_of(const struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		return GUEST_EXIT_MSR;
	case KVM_EXIT_IO:
		return run->io.direction == KVM_EXIT_IO_OUT && run->io.port == GUEST_PORT_HYPERCALL ? GUEST_EXIT_HYPERCALL
		                                                                                    : GUEST_EXIT_PORT;
	case KVM_EXIT_MMIO:
		return GUEST_EXIT_MMIO;
	case KVM_EXIT_HLT:
		return GUEST_EXIT_HALT;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return GUEST_EXIT_WINDOW;
	case KVM_EXIT_INTR:
		return GUEST_EXIT_SIGNAL;
	case KVM_EXIT_DEBUG:
		return GUEST_EXIT_DEBUG;
	default:
		return GUEST_EXIT_OTHER;
	}
}

int guest_serve_exit(struct guest *guest, struct guest_vcpu *vcpu, struct gim_error *error)
{
	struct kvm_run *run = guest->vm.vcpus[vcpu->id].run;
	int result = 0;
	count(guest, vcpu->id, kind_of(run));
	switch (run->exit_reason) {
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		serve_msr(guest, vcpu->id, run);
		break;
	case KVM_EXIT_IO:
		result = serve_port(guest, vcpu->id, run, error);
		break;
	case KVM_EXIT_MMIO:
		if (!vm_is_page_write(guest->machine, run))
			serve_mmio(guest, vcpu->id, run);
		break;
	case KVM_EXIT_HLT:
		vcpu->activity = VCPU_HALTS;
		vcpu->interruptible = run->if_flag;
		(void)pthread_cond_signal(&guest->clock); /* it may be the last one */
		break;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR:
	case KVM_EXIT_INTR:
		break;
	default:
		return end_by_exit(guest, vcpu, run->exit_reason, error);
	}
	guest_set_clock(guest);
	return result;
}

#endif
