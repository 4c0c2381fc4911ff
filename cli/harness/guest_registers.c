/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a vCPU has, as one table: read from KVM and given to it, and as JSON of the document in a bundle (gimstate-bundle(5)). */
#include "guest_registers.h"

#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__

#include <sys/ioctl.h>
#include <x86intrin.h>

#define MSRS_MAX 1024
#define MSR_TSC 0x10u
#define MSR_TSC_ADJUST 0x3bu
#define MSR_TSC_DEADLINE 0x6e0u

static int refuse(struct gim_error *error, const char *what)
{
	return error_set(error, GIM_E_IO, "%s: %s", what, strerror(errno));
}

static int no_memory(struct gim_error *error)
{
	return error_set(error, GIM_E_MEMORY, "out of memory");
}

int guest_bad(struct gim_error *error, const char *path, const char *expected)
{
	return error_set(error, GIM_E_CORRUPT, "%s: %s: %s is expected", GUEST_DOCUMENT, path, expected);
}

struct row {
	const char *name;
	size_t offset;
	uint8_t width;
	uint16_t count; /* of an array; 0: a single one */
};
#define ONE(name, member)                                                                                                                  \
	{                                                                                                                                  \
		name, offsetof(struct saved_vcpu, member), sizeof(((struct saved_vcpu *)0)->member), 0                                     \
	}
#define MANY(name, member)                                                                                                                 \
	{                                                                                                                                  \
		name, offsetof(struct saved_vcpu, member), sizeof(((struct saved_vcpu *)0)->member[0]),                                    \
		    sizeof(((struct saved_vcpu *)0)->member) / sizeof(((struct saved_vcpu *)0)->member[0])                                 \
	}
#define REG(name) ONE(#name, regs.name)
#define CONTROL(name) ONE(#name, sregs.name)
#define EVENT(name) ONE("events." #name, events.name)
#define APIC(name) ONE("apic." #name, apic.name)
#define SEGMENT(name)                                                                                                                      \
	ONE(#name ".base", sregs.name.base), ONE(#name ".limit", sregs.name.limit), ONE(#name ".selector", sregs.name.selector),           \
	    ONE(#name ".type", sregs.name.type), ONE(#name ".present", sregs.name.present), ONE(#name ".dpl", sregs.name.dpl),             \
	    ONE(#name ".db", sregs.name.db), ONE(#name ".s", sregs.name.s), ONE(#name ".l", sregs.name.l), ONE(#name ".g", sregs.name.g),  \
	    ONE(#name ".avl", sregs.name.avl), ONE(#name ".unusable", sregs.name.unusable)
#define TABLE(name) ONE(#name ".base", sregs.name.base), ONE(#name ".limit", sregs.name.limit)

static const struct row rows[] = {
    ONE("activity", activity),
    ONE("interruptible", interruptible),
    ONE("init", init),
    ONE("nmi", nmi),
    ONE("startup", startup),
    REG(rax),
    REG(rbx),
    REG(rcx),
    REG(rdx),
    REG(rsi),
    REG(rdi),
    REG(rsp),
    REG(rbp),
    REG(r8),
    REG(r9),
    REG(r10),
    REG(r11),
    REG(r12),
    REG(r13),
    REG(r14),
    REG(r15),
    REG(rip),
    REG(rflags),
    SEGMENT(cs),
    SEGMENT(ds),
    SEGMENT(es),
    SEGMENT(fs),
    SEGMENT(gs),
    SEGMENT(ss),
    SEGMENT(tr),
    SEGMENT(ldt),
    TABLE(gdt),
    TABLE(idt),
    CONTROL(cr0),
    CONTROL(cr2),
    CONTROL(cr3),
    CONTROL(cr4),
    CONTROL(cr8),
    CONTROL(efer),
    MANY("interrupt_bitmap", sregs.interrupt_bitmap),
    MANY("dr", debug.db),
    ONE("dr6", debug.dr6),
    ONE("dr7", debug.dr7),
    EVENT(exception.injected),
    EVENT(exception.nr),
    EVENT(exception.has_error_code),
    EVENT(exception.error_code),
    EVENT(interrupt.injected),
    EVENT(interrupt.nr),
    EVENT(interrupt.soft),
    EVENT(interrupt.shadow),
    EVENT(nmi.injected),
    EVENT(nmi.pending),
    EVENT(nmi.masked),
    ONE("xcr0", xcrs.xcrs[0].value),
    MANY("xsave", xsave),
    APIC(base),
    APIC(icr),
    APIC(timer_due_tsc),
    APIC(id),
    APIC(tpr),
    APIC(ldr),
    APIC(dfr),
    APIC(svr),
    APIC(esr),
    APIC(divide),
    APIC(initial_count),
    MANY("apic.lvt", apic.lvt),
    MANY("apic.irr", apic.irr),
    MANY("apic.isr", apic.isr),
    MANY("apic.auto_eoi", apic.auto_eoi),
};

json_t *guest_hex(uint64_t value)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return json_string(text);
}

/* false: it is no number of so many bytes. */
bool guest_read_hex(const json_t *json, unsigned width, uint64_t *value)
{
	const char *text = json_string_value(json);
	if (!text || strncmp(text, "0x", 2) != 0 || !text[2] || strlen(text) > 2 + 2 * width ||
	    strspn(text + 2, "0123456789abcdef") != strlen(text) - 2)
		return false;
	*value = strtoull(text, NULL, 16);
	return true;
}

/* Numbers are little-endian, as this host is. */
static json_t *row_json(const struct row *row, const struct saved_vcpu *vcpu)
{
	const char *at = (const char *)vcpu + row->offset;
	json_t *array = row->count ? json_array() : NULL;
	unsigned count = row->count;
	uint64_t value = 0;
	if (!array) {
		memcpy(&value, at, row->width);
		return guest_hex(value);
	}
	/* Zeros at the end of an array say nothing. */
	static const char zeros[8];
	while (count && !memcmp(at + (count - 1) * row->width, zeros, row->width))
		count--;
	for (unsigned i = 0; i < count; i++) {
		value = 0;
		memcpy(&value, at + i * row->width, row->width);
		(void)json_array_append_new(array, guest_hex(value));
	}
	return array;
}

static bool read_row(const struct row *row, const json_t *json, struct saved_vcpu *vcpu)
{
	char *at = (char *)vcpu + row->offset;
	uint64_t value;
	if (row->count ? !json_is_array(json) || json_array_size(json) > row->count : !json_is_string(json))
		return false;
	memset(at, 0, (size_t)row->width * (row->count ? row->count : 1));
	for (size_t i = 0; i < (row->count ? json_array_size(json) : 1); i++) {
		if (!guest_read_hex(row->count ? json_array_get(json, i) : json, row->width, &value))
			return false;
		memcpy(at + i * row->width, &value, row->width);
	}
	return true;
}

/*
 * MSRs: those that the kernel keeps.
 */
static struct kvm_msr_list *list_msrs(struct guest *guest, struct gim_error *error)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MSRS_MAX * sizeof(list->indices[0]));
	if (!list) {
		(void)no_memory(error);
		return NULL;
	}
	list->nmsrs = MSRS_MAX;
	if (ioctl(guest->vm.kvm, KVM_GET_MSR_INDEX_LIST, list)) {
		(void)refuse(error, "KVM does not say which MSRs it has");
		free(list);
		return NULL;
	}
	return list;
}

/* The TSC goes on by its offset. Where the core serves KVM's MSRs, the kernel's say nothing. */
static bool is_kept(const struct guest *guest, uint32_t msr)
{
	if (msr == MSR_TSC || msr == MSR_TSC_ADJUST || msr == MSR_TSC_DEADLINE)
		return false;
	return guest->kernel_clock || !(msr == 0x11 || msr == 0x12 || (msr >= 0x4b564d00 && msr <= 0x4b564d0f));
}

static bool move_msr(int fd, unsigned long request, uint32_t msr, uint64_t *value)
{
	uint64_t bytes[(sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)) / sizeof(uint64_t)] = {0};
	struct kvm_msrs *one = (struct kvm_msrs *)(void *)bytes;
	one->nmsrs = 1;
	one->entries[0] = (struct kvm_msr_entry){.index = msr, .data = *value};
	if (ioctl(fd, request, one) != 1)
		return false;
	*value = one->entries[0].data;
	return true;
}

static int msrs_json(struct guest *guest, uint32_t vcpu, json_t *json, struct gim_error *error)
{
	struct kvm_msr_list *list = list_msrs(guest, error);
	if (!list)
		return error->code;
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		char name[16];
		uint64_t value = 0;
		(void)snprintf(name, sizeof(name), "0x%" PRIx32, list->indices[i]);
		if (is_kept(guest, list->indices[i]) && move_msr(guest->vm.vcpus[vcpu].fd, KVM_GET_MSRS, list->indices[i], &value))
			(void)json_object_set_new(json, name, guest_hex(value));
	}
	free(list);
	return 0;
}

/* An MSR that this host does not take must at least have the value already. */
bool guest_set_msr(struct guest *guest, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	const int fd = guest->vm.vcpus[vcpu].fd;
	uint64_t given = value, had = 0;
	return move_msr(fd, KVM_SET_MSRS, msr, &given) || (move_msr(fd, KVM_GET_MSRS, msr, &had) && had == value);
}

int guest_set_msrs(struct guest *guest, uint32_t vcpu, const json_t *json, struct gim_error *error)
{
	const char *name;
	json_t *text;
	if (!json_is_object(json))
		return guest_bad(error, "msrs", "an object");
	json_object_foreach((json_t *)(uintptr_t)json, name, text)
	{
		json_t *key = json_string(name);
		uint64_t msr = 0, value = 0;
		const bool good = guest_read_hex(key, 4, &msr) && guest_read_hex(text, 8, &value);
		json_decref(key);
		if (!good)
			return guest_bad(error, "msrs", "a number \"0x...\" for each MSR");
		if (is_kept(guest, (uint32_t)msr) && !guest_set_msr(guest, vcpu, (uint32_t)msr, value))
			return error_set(error, GIM_E_UNSUPPORTED,
			                 "vCPU %u: this host's KVM does not take 0x%" PRIx64 " for MSR 0x%" PRIx64, vcpu, value, msr);
	}
	return 0;
}

/*
 * Saving.
 */
static int get_vcpu(struct guest *guest, uint32_t id, struct saved_vcpu *saved, struct gim_error *error)
{
	const struct guest_vcpu *vcpu = &guest->vcpus[id];
	const int fd = guest->vm.vcpus[id].fd;
	if (ioctl(fd, KVM_GET_REGS, &saved->regs) || ioctl(fd, KVM_GET_SREGS, &saved->sregs) ||
	    ioctl(fd, KVM_GET_DEBUGREGS, &saved->debug) || ioctl(fd, KVM_GET_VCPU_EVENTS, &saved->events) ||
	    ioctl(fd, KVM_GET_XCRS, &saved->xcrs) || ioctl(fd, KVM_GET_XSAVE, saved->xsave))
		return refuse(error, "a vCPU's registers cannot be read");
	saved->apic = guest->apics.items[id];
	saved->activity = (uint8_t)vcpu->activity;
	saved->interruptible = vcpu->interruptible;
	saved->init = vcpu->init;
	saved->nmi = vcpu->nmi;
	saved->startup = vcpu->startup < 0 ? NO_STARTUP : (uint32_t)vcpu->startup;
	return 0;
}

int guest_vcpu_json(struct guest *guest, uint32_t id, json_t **json, struct gim_error *error)
{
	struct saved_vcpu *saved = calloc(1, sizeof(*saved));
	json_t *made = json_object(), *msrs = json_object();
	int result = saved ? get_vcpu(guest, id, saved, error) : no_memory(error);
	for (size_t i = 0; !result && i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)json_object_set_new(made, rows[i].name, row_json(&rows[i], saved));
	if (!result)
		result = msrs_json(guest, id, msrs, error);
	(void)json_object_set_new(made, "msrs", msrs);
	free(saved);
	if (result)
		json_decref(made);
	else
		*json = made;
	return result;
}

int guest_read_vcpu(const json_t *json, struct saved_vcpu *saved, struct gim_error *error)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!read_row(&rows[i], json_object_get(json, rows[i].name), saved))
			return guest_bad(error, rows[i].name, "a number \"0x...\" of its size, or an array of such numbers,");
	if (saved->activity > VCPU_WAITS || saved->startup > NO_STARTUP)
		return guest_bad(error, "activity", "0 to 2, and of startup 0x0 to 0x100,");
	return 0;
}

/* What is no register of KVM's. */
void guest_take_vcpu(struct guest *guest, uint32_t id, const struct saved_vcpu *saved, uint64_t saved_tsc)
{
	struct guest_vcpu *vcpu = &guest->vcpus[id];
	struct apic *apic = &guest->apics.items[id];
	*apic = saved->apic;
	apic->id = id;
	/* Its timer has as long to go as it had. */
	if (apic->timer_due_tsc)
		apic->timer_due_tsc += vm_tsc(&guest->vm) - saved_tsc;
	vcpu->activity = (enum activity)saved->activity;
	vcpu->interruptible = saved->interruptible;
	vcpu->init = saved->init;
	vcpu->nmi = saved->nmi;
	vcpu->startup = saved->startup == NO_STARTUP ? -1 : (int)saved->startup;
}

/* What KVM refuses is said with what of it most likely does not go together. */
static int refuse_control(struct gim_error *error, uint32_t id, const struct kvm_sregs *sregs)
{
	return error_set(
	    error, GIM_E_UNSUPPORTED,
	    "vCPU %u: this host's KVM does not take its control registers and segments, with CR0 0x%llx, CR4 0x%llx, EFER 0x%llx "
	    "and a code segment of type %u with L %u, D %u: %s",
	    id, sregs->cr0, sregs->cr4, sregs->efer, sregs->cs.type, sregs->cs.l, sregs->cs.db, strerror(errno));
}

static int refuse_part(struct gim_error *error, uint32_t id, const char *part)
{
	return error_set(error, GIM_E_UNSUPPORTED, "vCPU %u: this host's KVM does not take its %s: %s", id, part, strerror(errno));
}

int guest_set_registers(struct guest *guest, uint32_t id, struct saved_vcpu *saved, struct gim_error *error)
{
	const int fd = guest->vm.vcpus[id].fd;
	saved->xcrs.nr_xcrs = 1;
	saved->sregs.apic_base = ((const struct kvm_sregs *)guest->pristine)->apic_base; /* the kernel's own, which is not the guest's */
	if (ioctl(fd, KVM_SET_SREGS, &saved->sregs))
		return refuse_control(error, id, &saved->sregs);
	if (ioctl(fd, KVM_SET_REGS, &saved->regs))
		return refuse_part(error, id, "general registers");
	if (saved->xcrs.xcrs[0].value && ioctl(fd, KVM_SET_XCRS, &saved->xcrs))
		return refuse_part(error, id, "XCR0");
	if (ioctl(fd, KVM_SET_XSAVE, saved->xsave))
		return refuse_part(error, id, "x87, SSE and further XSAVE registers");
	if (ioctl(fd, KVM_SET_DEBUGREGS, &saved->debug))
		return refuse_part(error, id, "debug registers");
	return 0;
}

int guest_set_events(struct guest *guest, uint32_t id, const struct saved_vcpu *saved, struct gim_error *error)
{
	struct kvm_vcpu_events events = saved->events;
	events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	if (ioctl(guest->vm.vcpus[id].fd, KVM_SET_VCPU_EVENTS, &events))
		return refuse_part(error, id, "exceptions and interrupts that were being delivered");
	return 0;
}

int guest_set_tsc(struct guest *guest, uint64_t saved, struct gim_error *error)
{
	struct vm *vm = &guest->vm;
	uint64_t offset = saved - __rdtsc(), found = 0;
	const struct kvm_device_attr set = {.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uint64_t)(uintptr_t)&offset};
	const struct kvm_device_attr get = {.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uint64_t)(uintptr_t)&found};
	bool taken = true;
	for (uint32_t i = 0; taken && i < vm->vcpu_count; i++)
		taken = !ioctl(vm->vcpus[i].fd, KVM_SET_DEVICE_ATTR, &set) && !ioctl(vm->vcpus[i].fd, KVM_GET_DEVICE_ATTR, &get) &&
		        found == offset;
	if (taken)
		vm->tsc_offset = offset;
	if (vm_tsc(vm) >= saved)
		return 0;
	return error_set(error, GIM_E_UNSUPPORTED,
	                 "the guest's TSC was 0x%" PRIx64 " and would go back to 0x%" PRIx64
	                 ": this host's KVM cannot set it; go on once its own is past that, or on another host",
	                 saved, vm_tsc(vm));
}

#endif
