/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making a VM by /dev/kvm's ioctls; nothing is assumed of the host, every capability is asked for. */
#include "vm_parts.h"

#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t vm_now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#ifdef __x86_64__

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <x86intrin.h>

int vm_refuse(struct gim_error *error, const char *what)
{
	return error_set(error, errno == ENOMEM ? GIM_E_MEMORY : GIM_E_IO, "%s: %s", what, strerror(errno));
}

static const struct {
	const char *name;
	int number;
	bool needed;
} capability_rows[VM_CAPS] = {
    [VM_CAP_USER_MEMORY] = {"KVM_CAP_USER_MEMORY", KVM_CAP_USER_MEMORY, true},
    [VM_CAP_IMMEDIATE_EXIT] = {"KVM_CAP_IMMEDIATE_EXIT", KVM_CAP_IMMEDIATE_EXIT, true},
    [VM_CAP_READONLY_MEM] = {"KVM_CAP_READONLY_MEM", KVM_CAP_READONLY_MEM, true},
    [VM_CAP_USER_SPACE_MSR] = {"KVM_CAP_X86_USER_SPACE_MSR", KVM_CAP_X86_USER_SPACE_MSR, true},
    [VM_CAP_MSR_FILTER] = {"KVM_CAP_X86_MSR_FILTER", KVM_CAP_X86_MSR_FILTER, true},
    [VM_CAP_DISABLE_QUIRKS2] = {"KVM_CAP_DISABLE_QUIRKS2", KVM_CAP_DISABLE_QUIRKS2, false},
    [VM_CAP_ADJUST_CLOCK] = {"KVM_CAP_ADJUST_CLOCK", KVM_CAP_ADJUST_CLOCK, false},
    [VM_CAP_GET_TSC_KHZ] = {"KVM_CAP_GET_TSC_KHZ", KVM_CAP_GET_TSC_KHZ, false},
    [VM_CAP_ENFORCE_PV_FEATURE_CPUID] = {"KVM_CAP_ENFORCE_PV_FEATURE_CPUID", KVM_CAP_ENFORCE_PV_FEATURE_CPUID, false},
    [VM_CAP_HYPERV] = {"KVM_CAP_HYPERV", KVM_CAP_HYPERV, false},
};

const char *vm_capability_name(enum vm_capability capability)
{
	return capability_rows[capability].name;
}

static int open_kvm(struct vm *vm, struct gim_error *error)
{
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0 && errno == ENOENT)
		return error_set(error, GIM_E_UNSUPPORTED, "there is no /dev/kvm");
	if (vm->kvm < 0)
		return error_set(error, GIM_E_UNSUPPORTED, "/dev/kvm cannot be opened: %s%s", strerror(errno),
		                 errno == EACCES ? "; its group, mostly kvm, may" : "");
	const int version = ioctl(vm->kvm, KVM_GET_API_VERSION, 0);
	if (version < 0)
		return error_set(error, GIM_E_UNSUPPORTED, "/dev/kvm is there, but is not KVM's device: %s", strerror(errno));
	if (version != KVM_API_VERSION)
		return error_set(error, GIM_E_UNSUPPORTED, "/dev/kvm speaks version %d of its interface, %d is expected", version,
		                 KVM_API_VERSION);
	for (unsigned i = 0; i < VM_CAPS; i++) {
		vm->capabilities[i] = ioctl(vm->kvm, KVM_CHECK_EXTENSION, capability_rows[i].number);
		if (vm->capabilities[i] <= 0 && capability_rows[i].needed)
			return error_set(error, GIM_E_UNSUPPORTED, "this host's KVM has no %s", capability_rows[i].name);
	}
	return 0;
}

int vm_probe(struct gim_error *error)
{
	struct vm vm = {.kvm = -1, .fd = -1};
	int result = open_kvm(&vm, error);
	if (!result && (vm.fd = ioctl(vm.kvm, KVM_CREATE_VM, 0)) < 0)
		result = error_set(error, GIM_E_UNSUPPORTED, "KVM makes no VM: %s", strerror(errno));
	vm_close(&vm);
	return result;
}

/*
 * Making one.
 */
void *vm_reserve(uint64_t bytes)
{
	/* Most of a guest's memory is never touched here, and then costs nothing. */
	void *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static int enable(struct vm *vm, uint32_t capability, uint64_t argument)
{
	struct kvm_enable_cap enable = {.cap = capability, .args = {argument}};
	return ioctl(vm->fd, KVM_ENABLE_CAP, &enable);
}

static int make_vcpus(struct vm *vm, struct gim_error *error)
{
	const int bytes = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (bytes < (int)sizeof(struct kvm_run))
		return vm_refuse(error, "KVM does not say how large a vCPU's page is");
	vm->run_bytes = (size_t)bytes;
	vm->vcpus = calloc(vm->vcpu_count, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	for (uint32_t i = 0; i < vm->vcpu_count; i++)
		vm->vcpus[i].fd = -1;
	for (uint32_t i = 0; i < vm->vcpu_count; i++) {
		struct vm_vcpu *vcpu = &vm->vcpus[i];
		if ((vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)i)) < 0)
			return vm_refuse(error, "KVM makes no vCPU");
		void *run = mmap(NULL, vm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
		if (run == MAP_FAILED)
			return vm_refuse(error, "a vCPU's page cannot be mapped");
		vcpu->run = run;
	}
	return 0;
}

/* What the guest reads by RDTSC, and how fast that goes. */
static int find_tsc(struct vm *vm, struct gim_error *error)
{
	const int khz = ioctl(vm->vcpus[0].fd, KVM_GET_TSC_KHZ, 0);
	uint64_t offset = 0;
	const struct kvm_device_attr attribute = {
	    .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uint64_t)(uintptr_t)&offset};
	if (khz <= 0)
		return vm_refuse(error, "KVM does not say how fast the guest's TSC is");
	vm->tsc_hz = (uint64_t)khz * 1000;
	/* All vCPUs are made at once, and KVM gives them one offset. */
	if (!ioctl(vm->vcpus[0].fd, KVM_GET_DEVICE_ATTR, &attribute))
		vm->tsc_offset = offset;
	return 0;
}

int vm_open(struct vm *vm, uint32_t vcpus, uint64_t ram_bytes, uint64_t extra_bytes, struct gim_error *error)
{
	*vm =
	    (struct vm){.kvm = -1, .fd = -1, .vcpu_count = vcpus, .ram_bytes = ram_bytes, .extra_bytes = extra_bytes, .pages_moved = true};
	int result = open_kvm(vm, error);
	if (result)
		return result;
	const int most = ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if (most > 0 && vcpus > (uint32_t)most)
		return error_set(error, GIM_E_UNSUPPORTED, "%u vCPUs: this host's KVM has at most %d", vcpus, most);
	if ((vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0)) < 0)
		return vm_refuse(error, "KVM makes no VM");
	/* A hypercall instruction that is not the host's own shall be an error, not be patched again and again. */
	if (vm->capabilities[VM_CAP_DISABLE_QUIRKS2] & KVM_X86_QUIRK_FIX_HYPERCALL_INSN)
		(void)enable(vm, KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_FIX_HYPERCALL_INSN);
	vm->extra_gpa = (ram_bytes + 2 * MIB - 1) / (2 * MIB) * (2 * MIB);
	vm->ram = vm_reserve(ram_bytes ? ram_bytes : PAGE_BYTES);
	vm->regions[0] = (struct vm_region){.bytes = ram_bytes, .memory = vm->ram};
	vm->region_count = ram_bytes ? 1 : 0;
	vm->extra = vm_reserve(extra_bytes ? extra_bytes : PAGE_BYTES);
	if (!vm->ram || !vm->extra)
		return error_set(error, GIM_E_MEMORY, "no address space for %llu MiB of guest RAM", (unsigned long long)(ram_bytes / MIB));
	result = make_vcpus(vm, error);
	return result ? result : find_tsc(vm, error);
}

void vm_close(struct vm *vm)
{
	for (uint32_t i = 0; vm->vcpus && i < vm->vcpu_count; i++) {
		if (vm->vcpus[i].run)
			(void)munmap(vm->vcpus[i].run, vm->run_bytes);
		if (vm->vcpus[i].fd >= 0)
			(void)close(vm->vcpus[i].fd);
	}
	free(vm->vcpus);
	free(vm->host_cpuid);
	if (vm->fd >= 0)
		(void)close(vm->fd);
	if (vm->kvm >= 0)
		(void)close(vm->kvm);
	if (vm->ram)
		(void)munmap(vm->ram, vm->ram_bytes ? (size_t)vm->ram_bytes : PAGE_BYTES);
	if (vm->extra)
		(void)munmap(vm->extra, vm->extra_bytes ? (size_t)vm->extra_bytes : PAGE_BYTES);
	for (unsigned i = 0; i < vm->added_count; i++)
		(void)munmap(vm->added[i].bytes, (size_t)vm->added[i].size);
	*vm = (struct vm){.kvm = -1, .fd = -1};
}

int vm_filter_msrs(struct vm *vm, unsigned msrs, struct gim_error *error)
{
	/* KVM documentation, KVM_X86_SET_MSR_FILTER: a clear bit denies. */
	static uint8_t nothing[0x200 / 8];
	enum { BOTH = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE };
	static const struct {
		unsigned msrs;
		uint32_t first, count;
	} rows[] = {{VM_MSRS_HYPERV, 0x40000000, 0x200},
	            {VM_MSRS_KVM, 0x4b564d00, 0x10},
	            {VM_MSRS_KVM, 0x11, 2},
	            {VM_MSRS_APIC_BASE, 0x1b, 1},
	            {VM_MSRS_DEADLINE, 0x6e0, 1}};
	struct kvm_msr_filter filter = {.flags = KVM_MSR_FILTER_DEFAULT_ALLOW};
	for (size_t i = 0, at = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (msrs & rows[i].msrs)
			filter.ranges[at++] =
			    (struct kvm_msr_filter_range){.flags = BOTH, .base = rows[i].first, .nmsrs = rows[i].count, .bitmap = nothing};
	if (enable(vm, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER))
		return vm_refuse(error, "MSRs cannot be made to exit");
	if (ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter))
		return vm_refuse(error, "the MSR filter is refused");
	vm->deadline = msrs & VM_MSRS_DEADLINE;
	return 0;
}

/*
 * vCPUs.
 */
int vm_enforce_cpuid(struct vm *vm, uint32_t vcpu, struct gim_error *error)
{
	struct kvm_enable_cap enforce = {.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = {1}};
	if (!vm->capabilities[VM_CAP_ENFORCE_PV_FEATURE_CPUID])
		return error_set(error, GIM_E_UNSUPPORTED,
		                 "this host's KVM has no %s, so that its kernel serves MSRs that the guest must not use",
		                 vm_capability_name(VM_CAP_ENFORCE_PV_FEATURE_CPUID));
	return ioctl(vm->vcpus[vcpu].fd, KVM_ENABLE_CAP, &enforce) ? vm_refuse(error, "a vCPU's CPUID cannot be enforced") : 0;
}

int vm_raise_ud(struct vm *vm, uint32_t vcpu, struct gim_error *error)
{
	const int fd = vm->vcpus[vcpu].fd;
	struct kvm_vcpu_events events;
	if (ioctl(fd, KVM_GET_VCPU_EVENTS, &events))
		return vm_refuse(error, "a vCPU's events cannot be read");
	events.exception.injected = 1;
	events.exception.nr = 6;
	events.exception.has_error_code = 0;
	return ioctl(fd, KVM_SET_VCPU_EVENTS, &events) ? vm_refuse(error, "#UD cannot be raised") : 0;
}

uint64_t vm_tsc(const struct vm *vm)
{
	return __rdtsc() + vm->tsc_offset;
}

#else

static int not_here(struct gim_error *error)
{
	return error_set(error, GIM_E_UNSUPPORTED, "the probe guest is x86-64 code, and this host is none");
}

int vm_probe(struct gim_error *error)
{
	return not_here(error);
}

#endif
