/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making and running a VM by /dev/kvm's ioctls; nothing is assumed of the host, every capability is asked for. */
#include "vm.h"

#include "engine.h"
#include "output.h"
#include "stop.h"

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
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <x86intrin.h>

#define PAGE_BYTES UINT64_C(4096)
#define MIB UINT64_C(1048576)

static int refuse(struct gim_error *error, const char *what)
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
static void *reserve(uint64_t bytes)
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
		return refuse(error, "KVM does not say how large a vCPU's page is");
	vm->run_bytes = (size_t)bytes;
	vm->vcpus = calloc(vm->vcpu_count, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	for (uint32_t i = 0; i < vm->vcpu_count; i++)
		vm->vcpus[i].fd = -1;
	for (uint32_t i = 0; i < vm->vcpu_count; i++) {
		struct vm_vcpu *vcpu = &vm->vcpus[i];
		if ((vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)i)) < 0)
			return refuse(error, "KVM makes no vCPU");
		void *run = mmap(NULL, vm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
		if (run == MAP_FAILED)
			return refuse(error, "a vCPU's page cannot be mapped");
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
		return refuse(error, "KVM does not say how fast the guest's TSC is");
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
		return refuse(error, "KVM makes no VM");
	/* A hypercall instruction that is not the host's own shall be an error, not be patched again and again. */
	if (vm->capabilities[VM_CAP_DISABLE_QUIRKS2] & KVM_X86_QUIRK_FIX_HYPERCALL_INSN)
		(void)enable(vm, KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_FIX_HYPERCALL_INSN);
	vm->extra_gpa = (ram_bytes + 2 * MIB - 1) / (2 * MIB) * (2 * MIB);
	vm->ram = reserve(ram_bytes ? ram_bytes : PAGE_BYTES);
	vm->regions[0] = (struct vm_region){.bytes = ram_bytes, .memory = vm->ram};
	vm->region_count = ram_bytes ? 1 : 0;
	vm->extra = reserve(extra_bytes ? extra_bytes : PAGE_BYTES);
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
		return refuse(error, "MSRs cannot be made to exit");
	if (ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter))
		return refuse(error, "the MSR filter is refused");
	vm->deadline = msrs & VM_MSRS_DEADLINE;
	return 0;
}

/*
 * Memory.
 */
static int set_slot(struct vm *vm, uint64_t gpa, uint64_t bytes, const void *memory, bool readonly, struct gim_error *error)
{
	const struct kvm_userspace_memory_region region = {.slot = vm->slot_count,
	                                                   .flags = readonly ? KVM_MEM_READONLY : 0,
	                                                   .guest_phys_addr = gpa,
	                                                   .memory_size = bytes,
	                                                   .userspace_addr = (uint64_t)(uintptr_t)memory};
	if (vm->slot_count == VM_SLOTS_MAX)
		return error_set(error, GIM_E_LIMIT, "more than %d memory slots", VM_SLOTS_MAX);
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		return refuse(error, "a memory slot is refused");
	vm->slot_count++;
	return 0;
}

/* Slots can be neither changed nor overlap, so all of them go. */
static int remove_slots(struct vm *vm, struct gim_error *error)
{
	for (; vm->slot_count; vm->slot_count--) {
		const struct kvm_userspace_memory_region none = {.slot = vm->slot_count - 1};
		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &none))
			return refuse(error, "a memory slot cannot be removed");
	}
	return 0;
}

/* The lowest page of the machine at or above gpa. */
static bool next_page(const struct gim_machine *machine, uint64_t gpa, struct gim_page *next)
{
	struct gim_page page;
	next->gpa = GIM_UNKNOWN;
	for (unsigned i = 0; machine && gim_machine_page(machine, i, &page); i++)
		if (page.gpa != GIM_UNKNOWN && page.gpa >= gpa && page.gpa < next->gpa)
			*next = page;
	return next->gpa != GIM_UNKNOWN;
}

int vm_add_region(struct vm *vm, uint64_t gpa, uint64_t bytes, uint8_t *memory, bool readonly, struct gim_error *error)
{
	if (vm->region_count == VM_REGIONS_MAX)
		return error_set(error, GIM_E_LIMIT, "more than %d regions of memory", VM_REGIONS_MAX);
	vm->regions[vm->region_count++] = (struct vm_region){.gpa = gpa, .bytes = bytes, .memory = memory, .readonly = readonly};
	vm->pages_moved = true;
	return 0;
}

uint8_t *vm_add_memory(struct vm *vm, uint64_t bytes, struct gim_error *error)
{
	uint8_t *memory = vm->added_count < VM_REGIONS_MAX ? reserve(bytes) : NULL;
	if (!memory) {
		(void)error_set(error, GIM_E_MEMORY, "no address space for %llu KiB of guest memory", (unsigned long long)(bytes >> 10));
		return NULL;
	}
	vm->added[vm->added_count].bytes = memory;
	vm->added[vm->added_count++].size = bytes;
	return memory;
}

int vm_hide(struct vm *vm, uint64_t gpa, uint64_t bytes, struct gim_error *error)
{
	const unsigned count = vm->region_count;
	struct vm_region old[VM_REGIONS_MAX];
	int result = 0;
	memcpy(old, vm->regions, sizeof(old));
	vm->region_count = 0;
	for (unsigned i = 0; !result && i < count; i++) {
		const uint64_t end = old[i].gpa + old[i].bytes, above = gpa + bytes;
		if (old[i].gpa < gpa)
			result = vm_add_region(vm, old[i].gpa, (end < gpa ? end : gpa) - old[i].gpa, old[i].memory, old[i].readonly, error);
		if (!result && end > above) {
			const uint64_t from = old[i].gpa > above ? old[i].gpa : above;
			result = vm_add_region(vm, from, end - from, old[i].memory + (from - old[i].gpa), old[i].readonly, error);
		}
	}
	return result;
}

/* A region but for the machine's pages in it. */
static int place_region(struct vm *vm, const struct vm_region *region, const struct gim_machine *machine, struct gim_error *error)
{
	const uint64_t end = region->gpa + region->bytes;
	struct gim_page page;
	uint64_t at = region->gpa;
	int result = 0;
	while (!result && at < end) {
		const uint64_t to = next_page(machine, at, &page) && page.gpa < end ? page.gpa : end;
		if (to > at)
			result = set_slot(vm, at, to - at, region->memory + (at - region->gpa), region->readonly, error);
		at = to == end ? end : to + PAGE_BYTES;
	}
	return result;
}

int vm_place_pages(struct vm *vm, const struct gim_machine *machine, struct gim_error *error)
{
	struct gim_page page;
	int result = remove_slots(vm, error);
	for (unsigned i = 0; !result && i < vm->region_count; i++)
		result = place_region(vm, &vm->regions[i], machine, error);
	for (uint64_t at = 0; !result && next_page(machine, at, &page) && page.gpa < vm->ram_bytes; at = page.gpa + PAGE_BYTES)
		result = set_slot(vm, page.gpa, PAGE_BYTES, page.bytes, true, error);
	if (!result && vm->extra_bytes)
		result = set_slot(vm, vm->extra_gpa, vm->extra_bytes, vm->extra, false, error);
	vm->pages_moved = result;
	return result;
}

/*
 * vCPUs.
 */
enum { CPUID_MAX = 256, FIRST_LEAF = 0x40000000, LAST_LEAF = 0x400000ff };
#define HYPERVISOR_PRESENT (1u << 31)
#define OSXSAVE (1u << 27)
#define TSC_DEADLINE (1u << 24)

int vm_read_host_cpuid(struct vm *vm, struct gim_error *error)
{
	if (vm->host_cpuid)
		return 0;
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(struct kvm_cpuid_entry2));
	uint32_t kept = 0;
	if (!cpuid)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	cpuid->nent = CPUID_MAX;
	if (ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid)) {
		free(cpuid);
		return refuse(error, "KVM does not say which CPUID leaves it has");
	}
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
		if (entry->function == 1)
			entry->ecx |= HYPERVISOR_PRESENT;
		if (entry->function < FIRST_LEAF || entry->function > LAST_LEAF)
			cpuid->entries[kept++] = *entry;
	}
	cpuid->nent = kept;
	vm->host_cpuid = cpuid;
	return 0;
}

/* The leaves that say which processor it is, by its APIC's id. The TSC-deadline timer would be the kernel's APIC's, unless its MSR comes to us. */
static void name_vcpu(struct vm *vm, uint32_t vcpu)
{
	for (uint32_t i = 0; i < vm->host_cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &vm->host_cpuid->entries[i];
		if (entry->function == 1) {
			entry->ebx = (entry->ebx & 0xffff) | (vm->vcpu_count < 255 ? vm->vcpu_count : 255) << 16 | vcpu << 24;
			entry->ecx = (entry->ecx & ~TSC_DEADLINE) | (vm->deadline ? TSC_DEADLINE : 0);
		} else if (entry->function == 0xb || entry->function == 0x1f) {
			entry->edx = vcpu;
		}
	}
}

static struct kvm_cpuid_entry2 *find_leaf(const struct vm *vm, uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; vm->host_cpuid && i < vm->host_cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &vm->host_cpuid->entries[i];
		if (entry->function == leaf && (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || entry->index == subleaf))
			return entry;
	}
	return NULL;
}

/* Words that say which processor it is, and those whose bits are features; bits that are not the processor's alone stay. */
static const struct {
	uint32_t leaf;
	uint8_t reg; /* 0 to 3: eax to edx */
	bool features;
	uint32_t stay;
} adopted[] = {
    {0, 1, false, 0},
    {0, 2, false, 0},
    {0, 3, false, 0},
    {1, 0, false, 0},
    {1, 2, true, HYPERVISOR_PRESENT | OSXSAVE | TSC_DEADLINE},
    {1, 3, true, 0},
    {7, 1, true, 0},
    {7, 2, true, 0},
    {7, 3, true, 0},
    {0x80000001, 2, true, 0},
    {0x80000001, 3, true, 0},
    {0x80000002, 0, false, 0},
    {0x80000002, 1, false, 0},
    {0x80000002, 2, false, 0},
    {0x80000002, 3, false, 0},
    {0x80000003, 0, false, 0},
    {0x80000003, 1, false, 0},
    {0x80000003, 2, false, 0},
    {0x80000003, 3, false, 0},
    {0x80000004, 0, false, 0},
    {0x80000004, 1, false, 0},
    {0x80000004, 2, false, 0},
    {0x80000004, 3, false, 0},
};

void vm_adopt_cpuid(struct vm *vm, uint32_t leaf, uint32_t subleaf, const uint32_t regs[4], uint32_t lost[4])
{
	struct kvm_cpuid_entry2 *entry = find_leaf(vm, leaf, subleaf);
	memset(lost, 0, 4 * sizeof(lost[0]));
	for (size_t i = 0; entry && !subleaf && i < sizeof(adopted) / sizeof(adopted[0]); i++) {
		uint32_t *const words[] = {&entry->eax, &entry->ebx, &entry->ecx, &entry->edx};
		const unsigned reg = adopted[i].reg;
		if (adopted[i].leaf != leaf)
			continue;
		const uint32_t host = *words[reg], stay = adopted[i].stay;
		*words[reg] = (host & stay) | (regs[reg] & ~stay & (adopted[i].features ? host : UINT32_MAX));
		if (adopted[i].features)
			lost[reg] = regs[reg] & ~host & ~stay;
	}
}

uint64_t vm_xcr0(const struct vm *vm)
{
	const struct kvm_cpuid_entry2 *entry = find_leaf(vm, 0xd, 0);
	return entry ? entry->eax | (uint64_t)entry->edx << 32 : 1;
}

unsigned vm_address_bits(const struct vm *vm)
{
	const struct kvm_cpuid_entry2 *entry = find_leaf(vm, 0x80000008, 0);
	const unsigned bits = entry ? entry->eax & 0xff : 36;
	return bits >= 32 && bits <= 52 ? bits : 36;
}

bool vm_xsave_place(const struct vm *vm, unsigned component, uint32_t *at, uint32_t *bytes)
{
	const struct kvm_cpuid_entry2 *entry = vm_xcr0(vm) >> component & 1 ? find_leaf(vm, 0xd, component) : NULL;
	if (!entry)
		return false;
	*at = entry->ebx;
	*bytes = entry->eax;
	return *bytes;
}

int vm_set_cpuid(struct vm *vm, struct gim_machine *machine, uint32_t vcpu, struct gim_error *error)
{
	int result = vm_read_host_cpuid(vm, error);
	if (result)
		return result;
	struct kvm_cpuid2 *cpuid = vm->host_cpuid;
	const uint32_t host = cpuid->nent;
	uint32_t regs[4];
	name_vcpu(vm, vcpu);
	for (uint32_t leaf = FIRST_LEAF; leaf <= LAST_LEAF && cpuid->nent < CPUID_MAX; leaf++)
		if (gim_machine_cpuid(machine, vcpu, leaf, 0, regs) == GIM_ACCESS_DONE)
			cpuid->entries[cpuid->nent++] =
			    (struct kvm_cpuid_entry2){.function = leaf, .eax = regs[0], .ebx = regs[1], .ecx = regs[2], .edx = regs[3]};
	if (ioctl(vm->vcpus[vcpu].fd, KVM_SET_CPUID2, cpuid))
		result = refuse(error, "a vCPU's CPUID is refused");
	cpuid->nent = host;
	return result;
}

int vm_enforce_cpuid(struct vm *vm, uint32_t vcpu, struct gim_error *error)
{
	struct kvm_enable_cap enforce = {.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = {1}};
	if (!vm->capabilities[VM_CAP_ENFORCE_PV_FEATURE_CPUID])
		return error_set(error, GIM_E_UNSUPPORTED,
		                 "this host's KVM has no %s, so that its kernel serves MSRs that the guest must not use",
		                 vm_capability_name(VM_CAP_ENFORCE_PV_FEATURE_CPUID));
	return ioctl(vm->vcpus[vcpu].fd, KVM_ENABLE_CAP, &enforce) ? refuse(error, "a vCPU's CPUID cannot be enforced") : 0;
}

int vm_raise_ud(struct vm *vm, uint32_t vcpu, struct gim_error *error)
{
	const int fd = vm->vcpus[vcpu].fd;
	struct kvm_vcpu_events events;
	if (ioctl(fd, KVM_GET_VCPU_EVENTS, &events))
		return refuse(error, "a vCPU's events cannot be read");
	events.exception.injected = 1;
	events.exception.nr = 6;
	events.exception.has_error_code = 0;
	return ioctl(fd, KVM_SET_VCPU_EVENTS, &events) ? refuse(error, "#UD cannot be raised") : 0;
}

uint64_t vm_tsc(const struct vm *vm)
{
	return __rdtsc() + vm->tsc_offset;
}

/*
 * Running, under a watchdog: a timer's signal makes KVM_RUN return, and immediate_exit keeps it from being entered.
 */
static _Thread_local struct kvm_run *running;

static void stop_running(int number)
{
	(void)number;
	if (running)
		running->immediate_exit = 1;
}

#define STOP_SIGNAL (SIGRTMIN + 1)

static int catch_signal(void)
{
	const struct sigaction action = {.sa_handler = stop_running};
	return sigaction(STOP_SIGNAL, &action, NULL);
}

static void stop_now(void)
{
	stop_running(0);
}

static int watchdog(timer_t *timer, struct gim_error *error)
{
	static _Thread_local bool made;
	static _Thread_local timer_t own;
	const int number = STOP_SIGNAL;
	if (!made) {
		struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = number};
		event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
		if (catch_signal() || timer_create(CLOCK_MONOTONIC, &event, &own))
			return refuse(error, "there is no timer for the watchdog");
		made = true;
		stop_hook = stop_now;
	}
	*timer = own;
	return 0;
}

static int set_watchdog(timer_t timer, uint64_t end_ns)
{
	const struct itimerspec when = {.it_value = {(time_t)(end_ns / 1000000000), (long)(end_ns % 1000000000)},
	                                .it_interval = {0, end_ns ? 10000000 : 0}};
	return timer_settime(timer, TIMER_ABSTIME, &when, NULL);
}

/* false: it is not for the machine. */
static bool serve_msr(struct vm *vm, struct gim_machine *machine, uint32_t vcpu, struct kvm_run *run)
{
	uint64_t value = 0;
	if (run->exit_reason == KVM_EXIT_X86_RDMSR) {
		run->msr.error = gim_machine_rdmsr(machine, vcpu, run->msr.index, &value) != GIM_ACCESS_DONE;
		run->msr.data = value;
	} else if (run->exit_reason == KVM_EXIT_X86_WRMSR) {
		run->msr.error = gim_machine_wrmsr(machine, vcpu, run->msr.index, run->msr.data) != GIM_ACCESS_DONE;
	} else {
		return false;
	}
	vm->msr_exits++;
	return true;
}

int vm_describe_exit(const struct vm *vm, uint32_t vcpu, struct gim_error *error)
{
	const struct kvm_run *run = vm->vcpus[vcpu].run;
	struct kvm_regs regs = {.rip = 0};
	(void)ioctl(vm->vcpus[vcpu].fd, KVM_GET_REGS, &regs);
	const unsigned long long rip = regs.rip;
	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		return error_set(error, GIM_E_UNSUPPORTED, "vCPU %u: the guest shut down by a triple fault, at 0x%llx", vcpu, rip);
	case KVM_EXIT_INTERNAL_ERROR:
		return error_set(error, GIM_E_UNSUPPORTED, "vCPU %u: the host's KVM cannot run the instruction at 0x%llx (suberror %u)",
		                 vcpu, rip, run->internal.suberror);
	case KVM_EXIT_FAIL_ENTRY:
		return error_set(error, GIM_E_UNSUPPORTED, "vCPU %u: the host cannot enter the guest (reason 0x%llx)", vcpu,
		                 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	default:
		return error_set(error, GIM_E_UNSUPPORTED, "vCPU %u: the guest left for an unexpected reason, %u, at 0x%llx", vcpu,
		                 run->exit_reason, rip);
	}
}

/* Writes to the machine's pages are ignored, as they are by the interface. */
bool vm_is_page_write(const struct gim_machine *machine, const struct kvm_run *run)
{
	struct gim_page page;
	if (run->exit_reason != KVM_EXIT_MMIO || !run->mmio.is_write)
		return false;
	for (unsigned i = 0; gim_machine_page(machine, i, &page); i++)
		if (page.gpa == (run->mmio.phys_addr & ~(PAGE_BYTES - 1)))
			return true;
	return false;
}

int vm_run(struct vm *vm, struct gim_machine *machine, uint32_t vcpu, uint64_t end_ns, struct gim_error *error)
{
	struct vm_vcpu *own = &vm->vcpus[vcpu];
	timer_t timer = NULL;
	int result = watchdog(&timer, error);
	if (!result && vm->pages_moved)
		result = vm_place_pages(vm, machine, error);
	if (result)
		return result;
	own->run->immediate_exit = 0;
	running = own->run;
	if (set_watchdog(timer, end_ns))
		result = refuse(error, "the watchdog's timer is refused");
	if (!result)
		result = engine_stopped(error); /* before the handler knew what to stop */
	for (bool again = true; !result && again;) {
		if (!ioctl(own->fd, KVM_RUN, 0)) {
			again = serve_msr(vm, machine, vcpu, own->run) || vm_is_page_write(machine, own->run);
		} else if (errno == EINTR || errno == EAGAIN) {
			result = engine_stopped(error);
			if (!result && vm_now_ns() >= end_ns)
				result = error_set(error, GIM_E_STOPPED,
				                   "vCPU %u: the watchdog stopped the guest, which did not come to an end", vcpu);
			own->run->immediate_exit = 0;
		} else {
			result = refuse(error, "KVM does not run the guest");
		}
		if (again && !result && vm->pages_moved)
			result = vm_place_pages(vm, machine, error);
	}
	(void)set_watchdog(timer, 0);
	running = NULL;
	if (result)
		return result;
	const uint32_t reason = own->run->exit_reason;
	return reason == KVM_EXIT_IO || reason == KVM_EXIT_IRQ_WINDOW_OPEN ? 0 : vm_describe_exit(vm, vcpu, error);
}

/*
 * Threads.
 */
/* Guests spin while they wait for each other. Where there are more vCPUs than processors, one that is kicked must not wait for long turns of the others. A kernel that does not
 * know of it says so, and then it takes longer. */
static void take_short_turns(void)
{
	const struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attributes = {.size = sizeof(attributes), .policy = SCHED_OTHER, .nice = getpriority(PRIO_PROCESS, 0), .runtime_ns = 200000};
	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void vm_join(struct vm_vcpu *vcpu)
{
	take_short_turns();
	(void)catch_signal();
	vcpu->thread = pthread_self();
}

void vm_kick(struct vm_vcpu *vcpu)
{
	/* It is on its way into the guest, or in it. */
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	(void)pthread_kill(vcpu->thread, STOP_SIGNAL);
}

int vm_enter(struct vm_vcpu *vcpu, struct gim_error *error)
{
	if (!ioctl(vcpu->fd, KVM_RUN, 0))
		return 0;
	return errno == EINTR || errno == EAGAIN ? 1 : refuse(error, "KVM does not run the guest");
}

int vm_complete(struct vm_vcpu *vcpu, struct gim_error *error)
{
	vcpu->run->immediate_exit = 1;
	const int result = vm_enter(vcpu, error);
	vcpu->run->immediate_exit = 0;
	return result;
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
