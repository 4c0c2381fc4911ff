/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A VM of /dev/kvm: what the host can, its memory with the machine's pages, its vCPUs, and running one under a watchdog. */
#ifndef VM_H
#define VM_H

#include "gimstate.h"

#include <pthread.h>

struct kvm_run;
struct kvm_regs;
struct kvm_sregs;
struct kvm_cpuid2;

/* What the host's KVM was asked for, in the order of vm.c's table. */
enum vm_capability {
	VM_CAP_USER_MEMORY,
	VM_CAP_IMMEDIATE_EXIT,
	VM_CAP_READONLY_MEM,
	VM_CAP_USER_SPACE_MSR,
	VM_CAP_MSR_FILTER,
	VM_CAP_DISABLE_QUIRKS2,
	VM_CAP_ADJUST_CLOCK,
	VM_CAP_GET_TSC_KHZ,
	VM_CAP_ENFORCE_PV_FEATURE_CPUID,
	VM_CAP_HYPERV,
	VM_CAPS
};

struct vm_vcpu {
	int fd;
	struct kvm_run *run;
	bool started;     /* CPUID was set, and it may have run */
	pthread_t thread; /* of vm_join */
};

/* Memory as the guest sees it, where the machine has no page. */
struct vm_region {
	uint64_t gpa, bytes;
	uint8_t *memory;
	bool readonly; /* writes exit, and change nothing */
};

#define VM_REGIONS_MAX 64
#define VM_SLOTS_MAX (2 * VM_REGIONS_MAX)

struct vm {
	int kvm, fd;
	int capabilities[VM_CAPS];
	uint32_t vcpu_count;
	struct vm_vcpu *vcpus;
	size_t run_bytes;
	uint8_t *ram; /* from address 0 */
	uint64_t ram_bytes;
	uint8_t *extra; /* the harness's own memory, outside of the guest's RAM */
	uint64_t extra_gpa, extra_bytes;
	struct vm_region regions[VM_REGIONS_MAX]; /* by rising address; at first all RAM */
	unsigned region_count;
	struct {
		void *bytes;
		uint64_t size;
	} added[VM_REGIONS_MAX]; /* memory beside the RAM */
	unsigned added_count;
	unsigned slot_count;
	bool deadline;               /* the MSR of the TSC-deadline timer comes to us */
	bool pages_moved;            /* the memory slots are no longer those of the machine's pages */
	uint64_t tsc_hz, tsc_offset; /* the guest's TSC is the host's plus the offset */
	uint64_t msr_exits;
	struct kvm_cpuid2 *host_cpuid; /* the leaves that the host has; asked for once */
};

/* Is KVM here, and can it what every VM of ours needs? */
int vm_probe(struct gim_error *error);

/* Make a VM with vCPUs, RAM (zeroed) and extra_bytes of memory of the harness's own above it. On failure what was made is left to vm_close. */
int vm_open(struct vm *vm, uint32_t vcpus, uint64_t ram_bytes, uint64_t extra_bytes, struct gim_error *error);
void vm_close(struct vm *vm);

/* A capability's name and what the host answers. */
const char *vm_capability_name(enum vm_capability capability);

/* Which MSRs exit to us instead of being served in the kernel. */
enum { VM_MSRS_HYPERV = 1, VM_MSRS_KVM = 2, VM_MSRS_APIC_BASE = 4, VM_MSRS_DEADLINE = 8 };
int vm_filter_msrs(struct vm *vm, unsigned msrs, struct gim_error *error);

/* Devices lie there, and RAM is not seen. */
int vm_hide(struct vm *vm, uint64_t gpa, uint64_t bytes, struct gim_error *error);
/* One more region, above all that there are; and zeroed memory for one that is no RAM, which lives as long as the VM; NULL: there is none. */
int vm_add_region(struct vm *vm, uint64_t gpa, uint64_t bytes, uint8_t *memory, bool readonly, struct gim_error *error);
uint8_t *vm_add_memory(struct vm *vm, uint64_t bytes, struct gim_error *error);

/* Lay memory slots so that the machine's pages are read-only and the rest is RAM. */
int vm_place_pages(struct vm *vm, const struct gim_machine *machine, struct gim_error *error);

/* Ask for the host's CPUID, which the vCPUs will have; and let a leaf say what a guest knows: which processor it is, and only features that it had. lost: those that this host
 * does not have. Before vm_set_cpuid. */
int vm_read_host_cpuid(struct vm *vm, struct gim_error *error);
void vm_adopt_cpuid(struct vm *vm, uint32_t leaf, uint32_t subleaf, const uint32_t regs[4], uint32_t lost[4]);
/* Which components XSAVE can have, and where in its area one of them is; false: there is none. After vm_read_host_cpuid. */
uint64_t vm_xcr0(const struct vm *vm);
/* How many bits a guest-physical address has. */
unsigned vm_address_bits(const struct vm *vm);
bool vm_xsave_place(const struct vm *vm, unsigned component, uint32_t *at, uint32_t *bytes);

/* The vCPU's CPUID: the host's, with the machine's leaves. Once, before it runs. */
int vm_set_cpuid(struct vm *vm, struct gim_machine *machine, uint32_t vcpu, struct gim_error *error);

/* KVM's own MSRs that the vCPU's CPUID does not show shall fault, as they do with the core. Before its CPUID is set. */
int vm_enforce_cpuid(struct vm *vm, uint32_t vcpu, struct gim_error *error);

/* The vCPU's next entry raises #UD. */
int vm_raise_ud(struct vm *vm, uint32_t vcpu, struct gim_error *error);

/* The guest's TSC now. */
uint64_t vm_tsc(const struct vm *vm);

/* Run a vCPU until it exits for something that is not served here; MSRs are served by the machine. end_ns: of CLOCK_MONOTONIC, when the watchdog ends it:
 * GIM_E_STOPPED. */
int vm_run(struct vm *vm, struct gim_machine *machine, uint32_t vcpu, uint64_t end_ns, struct gim_error *error);
uint64_t vm_now_ns(void);

/*
 * A thread for each vCPU: each joins, then enters the guest again and again. Any thread may kick a vCPU's out, as long as that thread lives.
 */
void vm_join(struct vm_vcpu *vcpu);
void vm_kick(struct vm_vcpu *vcpu);
/* 0: it exited, 1: it was kicked, or a signal came. What it exited for is complete only when it has entered again. */
int vm_enter(struct vm_vcpu *vcpu, struct gim_error *error);
/* Complete it without running the guest, as far as that goes: 1: it is complete, 0: it exited again, since the same instruction, or one that the kernel took with it, had more. */
int vm_complete(struct vm_vcpu *vcpu, struct gim_error *error);
/* An exit that nobody serves, as a sentence. */
int vm_describe_exit(const struct vm *vm, uint32_t vcpu, struct gim_error *error);
/* A write to one of the machine's pages, which is ignored? */
bool vm_is_page_write(const struct gim_machine *machine, const struct kvm_run *run);

#endif
