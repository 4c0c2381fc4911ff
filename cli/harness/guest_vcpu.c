/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guest's vCPUs: their registers at the start, what reaches them from outside, and the thread that each is run by. */
#include "guest_debug.h"

#include "image.h"
#include "output.h"

#include <errno.h>
#include <string.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sys/ioctl.h>

static int refuse(struct gim_error *error, const char *what)
{
	return error_set(error, GIM_E_IO, "%s: %s", what, strerror(errno));
}

/*
 * vCPUs from outside: their registers.
 */
static int reset_registers(struct guest *guest, uint32_t vcpu, const struct kvm_sregs *sregs, const struct kvm_regs *regs,
                           struct gim_error *error)
{
	const int fd = guest->vm.vcpus[vcpu].fd;
	if (ioctl(fd, KVM_SET_SREGS, sregs) || ioctl(fd, KVM_SET_REGS, regs))
		return refuse(error, "a vCPU's registers are refused");
	return 0;
}

int guest_init_vcpu(struct guest *guest, uint32_t vcpu, struct gim_error *error)
{
	/* Intel SDM, processor state following INIT. */
	const struct kvm_regs regs = {.rip = 0xfff0, .rflags = 2, .rdx = 0x600};
	guest->vcpus[vcpu].activity = VCPU_WAITS;
	return reset_registers(guest, vcpu, guest->pristine, &regs, error);
}

static int start_up(struct guest *guest, uint32_t vcpu, uint8_t vector, struct gim_error *error)
{
	struct kvm_sregs sregs = *(const struct kvm_sregs *)guest->pristine;
	const struct kvm_regs regs = {.rflags = 2, .rdx = 0x600};
	sregs.cs.selector = (uint16_t)(vector << 8);
	sregs.cs.base = (uint64_t)vector << 12;
	guest->vcpus[vcpu].activity = VCPU_RUNS;
	return reset_registers(guest, vcpu, &sregs, &regs, error);
}

/* As a boot loader leaves it: protected mode, flat segments, no paging. */
int guest_boot_registers(struct guest *guest, const struct image *image, struct gim_error *error)
{
	struct kvm_sregs sregs = *(const struct kvm_sregs *)guest->pristine;
	const struct kvm_segment code = {.limit = UINT32_MAX, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1};
	const struct kvm_segment data = {.limit = UINT32_MAX, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
	const struct kvm_regs regs = {.rip = image->entry_gpa, .rax = MULTIBOOT_BOOTED, .rbx = image->info_gpa, .rflags = 2};
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr0 = 0x11; /* protected mode, x87 there */
	guest->vcpus[0].activity = VCPU_RUNS;
	return reset_registers(guest, 0, &sregs, &regs, error);
}

/*
 * A vCPU's thread.
 */
bool guest_can_run(const struct guest *guest, const struct guest_vcpu *vcpu)
{
	if (guest->holding || guest_debug_holds(guest, vcpu->id))
		return false;
	if (vcpu->init || vcpu->activity == VCPU_RUNS)
		return true;
	if (vcpu->activity == VCPU_WAITS)
		return vcpu->startup >= 0;
	return vcpu->nmi || (vcpu->interruptible && apic_pending(&guest->apics.items[vcpu->id]) >= 0);
}

/* Memory slots are changed only while nobody is inside. */
static int place_pages(struct guest *guest, struct gim_error *error)
{
	guest->holding++;
	for (uint32_t i = 0; i < guest->vm.vcpu_count; i++)
		if (guest->vcpus[i].inside)
			guest_kick(&guest->vcpus[i]);
	while (guest->inside)
		(void)pthread_cond_wait(&guest->changed, &guest->lock);
	int result = guest->vm.pages_moved ? vm_place_pages(&guest->vm, guest->machine, error) : 0;
	guest->holding--;
	(void)pthread_cond_broadcast(&guest->changed);
	return result;
}

int guest_complete(struct guest *guest, struct guest_vcpu *vcpu, struct gim_error *error)
{
	int result = 0;
	while (result >= 0 && vcpu->exited && !guest->ended) {
		result = vm_complete(&guest->vm.vcpus[vcpu->id], error);
		vcpu->exited = !result;
		if (!result)
			result = guest_serve_exit(guest, vcpu, error);
	}
	return result < 0 ? result : 0;
}

/* INIT and start-up, which replace all registers. */
static int take_signals(struct guest *guest, struct guest_vcpu *vcpu, struct gim_error *error)
{
	int result = 0;
	if (vcpu->init || (vcpu->activity == VCPU_WAITS && vcpu->startup >= 0))
		result = guest_complete(guest, vcpu, error);
	if (!result && vcpu->init) {
		vcpu->init = false;
		result = guest_init_vcpu(guest, vcpu->id, error);
	}
	if (!result && vcpu->activity == VCPU_WAITS && vcpu->startup >= 0) {
		result = start_up(guest, vcpu->id, (uint8_t)vcpu->startup, error);
		vcpu->startup = -1;
	}
	return result;
}

static int take_interrupt(struct guest *guest, struct guest_vcpu *vcpu, struct gim_error *error)
{
	struct vm_vcpu *own = &guest->vm.vcpus[vcpu->id];
	struct apic *apic = &guest->apics.items[vcpu->id];
	int vector = apic_pending(apic);
	if (guest_debug_steps(guest))
		return own->run->request_interrupt_window = 0; /* a step is one of what the guest does by itself */
	if (vcpu->nmi) {
		vcpu->nmi = false;
		if (ioctl(own->fd, KVM_NMI))
			return refuse(error, "KVM refuses an NMI");
	}
	if (vector >= 0 && own->run->ready_for_interrupt_injection) {
		const struct kvm_interrupt interrupt = {.irq = (uint32_t)vector};
		if (ioctl(own->fd, KVM_INTERRUPT, &interrupt))
			return refuse(error, "KVM refuses an interrupt");
		/* Until it has been entered nothing new is known of it. */
		own->run->ready_for_interrupt_injection = 0;
		if (apic_take(apic, (uint8_t)vector))
			gim_machine_eoi(guest->machine, vcpu->id, (uint8_t)vector);
		vector = apic_pending(apic);
	}
	own->run->request_interrupt_window = vector >= 0;
	own->run->cr8 = apic->tpr >> 4;
	vcpu->activity = VCPU_RUNS;
	return 0;
}

/* The lock is given up meanwhile. */
static int enter(struct guest *guest, struct guest_vcpu *vcpu, struct gim_error *error)
{
	struct vm_vcpu *own = &guest->vm.vcpus[vcpu->id];
	struct apic *apic = &guest->apics.items[vcpu->id];
	struct gim_error failure = GIM_ERROR_INIT;
	own->run->immediate_exit = 0;
	vcpu->inside = true;
	vcpu->kicked = false;
	guest->log.entered = true;
	guest->inside++;
	if (own->run->request_interrupt_window)
		(void)pthread_cond_signal(&guest->clock);
	(void)pthread_mutex_unlock(&guest->lock);
	const int result = vm_enter(own, &failure);
	(void)pthread_mutex_lock(&guest->lock);
	guest->inside--;
	vcpu->inside = false;
	vcpu->exited = !result;
	if ((guest->holding || guest->debug) && !guest->inside)
		(void)pthread_cond_broadcast(&guest->changed);
	if (own->run->cr8 != apic->tpr >> 4)
		apic->tpr = (uint32_t)own->run->cr8 << 4;
	if (result < 0)
		return error_set(error, result, "%s", failure.text);
	return result ? 0 : guest_serve_exit(guest, vcpu, error);
}

static int step(struct guest *guest, struct guest_vcpu *vcpu)
{
	struct gim_error *error = guest->error;
	int result = take_signals(guest, vcpu, error);
	if (!result && guest->vm.pages_moved)
		result = place_pages(guest, error);
	/* While it waited for the others, somebody may have come. */
	if (result || guest->stop || guest->holding || guest_debug_holds(guest, vcpu->id) || vcpu->init || vcpu->activity == VCPU_WAITS)
		return result;
	result = take_interrupt(guest, vcpu, error);
	return result ? result : enter(guest, vcpu, error);
}

void *guest_run_vcpu(void *user)
{
	struct guest_vcpu *vcpu = (struct guest_vcpu *)user;
	struct guest *guest = vcpu->guest;
	int result = 0;
	vm_join(&guest->vm.vcpus[vcpu->id]);
	(void)pthread_mutex_lock(&guest->lock);
	while (!guest->stop) {
		const bool runs = guest_can_run(guest, vcpu);
		if (runs != vcpu->running)
			gim_machine_run(guest->machine, vcpu->id, vcpu->running = runs);
		if (!runs)
			(void)pthread_cond_wait(&guest->changed, &guest->lock);
		else if ((result = step(guest, vcpu)))
			guest_fail(guest, result);
	}
	if ((!guest->failure || guest->foreign) && !guest->ended && (result = guest_complete(guest, vcpu, guest->error)))
		guest_fail(guest, result);
	(void)pthread_mutex_unlock(&guest->lock);
	return NULL;
}

#endif
