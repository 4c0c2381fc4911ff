/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The KVM interface's frame: what is offered to the guest, and its life. */
#include "runtime.h"

#include "error.h"

#include <string.h>

static int set_catch_up(struct gim_machine *machine, const char *value, struct gim_error *error)
{
	kvm_own(machine)->catch_up = !strcmp(value, "true");
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "the setting catch_up does not take %s: true or false", value);
	return 0;
}

static const struct gim_setting_row settings[] = {
    {"features.base", "CPUID 0x40000001 eax, as names of bits or a number", NULL},
    {"catch_up", "true: after a load the clock shows the real time that passed since the save, too; false (the default): it stood",
     set_catch_up},
    {NULL, NULL, NULL},
};

#define BIT(feature) (1u << (feature))

/* What is served here; and what the embedder may offer, since it is the one who serves it. Where the embedder has the APICs, nobody sets the words of paravirtual EOI: a guest that
 * has one ends its interrupts by the APIC, as it must where the bit is clear. */
#define SERVED                                                                                                                             \
	(BIT(KVM_CLOCKSOURCE) | BIT(KVM_CLOCKSOURCE2) | BIT(KVM_ASYNC_PF) | BIT(KVM_STEAL_TIME) | BIT(KVM_PV_EOI) | BIT(KVM_PV_UNHALT) |   \
	 BIT(KVM_PV_TLB_FLUSH) | BIT(KVM_POLL_CONTROL) | BIT(KVM_PV_SCHED_YIELD) | BIT(KVM_ASYNC_PF_INT) | BIT(KVM_MIGRATION_CONTROL) |    \
	 BIT(KVM_CLOCKSOURCE_STABLE))
#define EMBEDDERS (BIT(KVM_NOP_IO_DELAY) | BIT(KVM_MSI_EXT_DEST_ID))

static int configure(struct gim_machine *machine, struct gim_error *error)
{
	uint32_t *features = &kvm_state(machine)->features.base;
	uint8_t *set = &machine->object.presence[offsetof(struct kvm_state, features.base)];
	if (!*set) {
		*features = SERVED;
		/* A guest must not rely on flushes that nobody does. */
		if (!machine->host.flush)
			*features &= ~BIT(KVM_PV_TLB_FLUSH);
	} else if (*features & ~(SERVED | EMBEDDERS)) {
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN,
		                "the setting features.base has bits 0x%x, which are not served here: 0x%x are",
		                *features & ~(SERVED | EMBEDDERS), SERVED | EMBEDDERS);
	}
	*set = GIM_ABSENT;
	return 0;
}

static int init_completed(struct gim_machine *machine, struct gim_error *error)
{
	(void)error;
	kvm_state(machine)->clock_reliable = 1;
	kvm_clock_init(machine);
	return 0;
}

static int loaded(struct gim_machine *machine, const struct gim_state *state, gim_report_fn *report, void *user, struct gim_error *error)
{
	(void)state;
	(void)report;
	(void)user;
	(void)error;
	kvm_clock_loaded(machine);
	return 0;
}

static int load_done(struct gim_machine *machine, struct gim_error *error)
{
	(void)error;
	kvm_clock_load_done(machine);
	kvm_steal_time_load_done(machine);
	/* An embedder's APICs do not hear of an EOI that the guest makes by its word. */
	for (uint32_t vcpu = 0; !machine->lapics && vcpu < machine->vcpus; vcpu++)
		kvm_eoi(machine, vcpu, 0);
	return 0;
}

static int save(struct gim_machine *machine, struct gim_error *error)
{
	(void)error;
	kvm_state(machine)->clock_ns = kvm_clock_ns(machine);
	kvm_steal_time_save(machine);
	return 0;
}

/* What no MSR holds. The clock goes on. */
static void reset(struct gim_machine *machine)
{
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++) {
		struct kvm_vcpu *registers = kvm_vcpu(machine, vcpu);
		registers->tsc = registers->virtual_ns = registers->gpa = 0;
		registers->steal_ns = 0;
		registers->version = 0;
		registers->flags = registers->async_pf_pending = registers->pv_eoi_pending = 0;
	}
}

const struct gim_runtime kvm_runtime = {
    .newest_version = 1,
    .settings = settings,
    .msrs = kvm_msrs,
    .list_offset = offsetof(struct kvm_state, vcpu),
    .list_item = &kvm_vcpu_record,
    .machine_bytes = sizeof(struct kvm_machine),
    .vcpu_bytes = sizeof(struct kvm_vcpu_own),
    .configure = configure,
    .init_completed = init_completed,
    .loaded = loaded,
    .load_done = load_done,
    .save = save,
    .reset = reset,
    .cpuid = kvm_cpuid_leaf,
    .hypercall = kvm_hypercall,
    .eoi = kvm_eoi,
    .interrupt_wanted = kvm_interrupt_wanted,
    .interrupt_taken = kvm_interrupt_taken,
    .run = kvm_run,
    .async_fault = kvm_async_fault,
};
