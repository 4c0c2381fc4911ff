/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine's life: configured, brought up, reset, moved and ended; and handing accesses on to its provider. */
#include "machine_parts.h"

#include "error.h"
#include "lapic.h"
#include "visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_APIC_HZ UINT64_C(1000000000)
/* Below, a tick of 100 ns is no TSC tick; above, no clock is. */
#define TSC_HZ_MIN UINT64_C(10000001)
#define TSC_HZ_MAX UINT64_C(1000000000000)

static const char *const phase_names[] = {[GIM_PHASE_NEW] = "is new",
                                          [GIM_PHASE_INIT] = "is initialised",
                                          [GIM_PHASE_COMPLETED] = "has completed its initialisation",
                                          [GIM_PHASE_LOADED] = "is loaded",
                                          [GIM_PHASE_RUNNING] = "runs"};

int gim_machine_expect(const struct gim_machine *machine, unsigned phases, const char *what, struct gim_error *error)
{
	if (phases & 1u << machine->phase)
		return 0;
	return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s is out of order: the machine %s", what, phase_names[machine->phase]);
}

bool gim_machine_runs(struct gim_machine *machine)
{
	if (machine->phase == GIM_PHASE_COMPLETED)
		machine->phase = GIM_PHASE_RUNNING;
	return machine->phase == GIM_PHASE_RUNNING;
}

static const struct gim_field *list_field(const struct gim_machine *machine)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	return runtime->list_item ? gim_record_field(machine->provider->record, runtime->list_offset) : NULL;
}

const char *gim_machine_list_name(const struct gim_machine *machine)
{
	const struct gim_field *field = list_field(machine);
	return field ? field->name : "vcpu";
}

void *gim_machine_vcpu_own(const struct gim_machine *machine, uint32_t vcpu)
{
	return machine->vcpu_own + vcpu * machine->provider->runtime->vcpu_bytes;
}

/*
 * Configuring.
 */
static const struct gim_provider *find_provider(const char *name, struct gim_error *error)
{
	for (const struct gim_provider *const *each = gim_providers; name && *each; each++)
		if (!strcmp((*each)->name, name))
			return *each;
	(void)gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "there is no provider %s: none, minimal, hyperv and kvm are",
	               name ? name : "without a name");
	return NULL;
}

static int check_memory(const struct gim_machine_config *config, const struct gim_host *host, struct gim_error *error)
{
	if (!host->memory_read != !host->memory_write)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "memory_read and memory_write go together");
	if (config->ram && host->memory_read)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		                "guest RAM is either at config.ram or behind memory_read and memory_write");
	if (config->ram_bytes % GIM_PAGE_BYTES || config->ram_bytes > SIZE_MAX / 2)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		                "%llu bytes of RAM: a multiple of 4096 is expected that the host can address",
		                (unsigned long long)config->ram_bytes);
	return 0;
}

static int check_config(const struct gim_machine_config *config, const struct gim_host *host, const struct gim_provider *provider,
                        struct gim_error *error)
{
	if (!provider->runtime)
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "%s cannot be brought to life", provider->title);
	if (config->provider_version > provider->runtime->newest_version)
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "version %u of %s is unknown: %u is the newest, and 0 stands for it",
		                config->provider_version, provider->name, provider->runtime->newest_version);
	if (!config->vcpus || config->vcpus > GIM_VCPUS_MAX)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%u vCPUs: 1 to %u are possible", config->vcpus, GIM_VCPUS_MAX);
	if (config->tsc_hz < TSC_HZ_MIN || config->tsc_hz > TSC_HZ_MAX)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "a TSC of %llu Hz: more than 10 MHz and at most 1 THz are possible",
		                (unsigned long long)config->tsc_hz);
	if (config->apic_hz > TSC_HZ_MAX)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "an APIC timer of %llu Hz: at most 1 THz is possible",
		                (unsigned long long)config->apic_hz);
	if (config->gating != GIM_GATING_WORDS && config->gating != GIM_GATING_PRODUCER)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "a gating of %u is none of enum gim_gating", (unsigned)config->gating);
	if (!host->interrupt && (host->apic_read || host->apic_write))
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		                "apic_read and apic_write go with interrupt: the built-in local APIC serves all or nothing");
	return check_memory(config, host, error);
}

static void *zeroed(size_t count, size_t size, struct gim_error *error)
{
	void *memory = calloc(count ? count : 1, size ? size : 1);
	if (!memory)
		(void)gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	return memory;
}

static int allocate_pages(struct gim_machine *machine, struct gim_error *error)
{
	const char *const *names = machine->provider->runtime->page_names;
	for (; names && names[machine->page_count]; machine->page_count++) {
		/* Aligned, so that a hypervisor can map it as it is. */
		uint8_t *bytes = aligned_alloc(GIM_PAGE_BYTES, GIM_PAGE_BYTES);
		if (!bytes)
			return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
		memset(bytes, 0, GIM_PAGE_BYTES);
		machine->pages[machine->page_count] = (struct gim_overlay){names[machine->page_count], GIM_UNKNOWN, bytes};
	}
	return 0;
}

static int allocate_object(struct gim_machine *machine, struct gim_error *error)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	if (!machine->provider->record)
		return 0;
	int result = gim_object_new(&machine->state_arena, machine->provider->record, &machine->object, error);
	if (result || !runtime->list_item)
		return result;
	struct gim_list *list = (struct gim_list *)(void *)(machine->object.data + runtime->list_offset);
	result = gim_list_grow(&machine->state_arena, list, runtime->list_item, machine->vcpus, error);
	machine->vcpu_data = list->items;
	machine->vcpu_size = runtime->list_item->size;
	return result;
}

static int allocate(struct gim_machine *machine, struct gim_error *error)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	if (!(machine->own = zeroed(1, runtime->machine_bytes, error)) ||
	    !(machine->vcpu_own = zeroed(machine->vcpus, runtime->vcpu_bytes, error)))
		return GIM_E_MEMORY;
	if (!machine->ram && !machine->host.memory_read) {
		machine->ram_owned = true;
		if (!(machine->ram = zeroed(1, (size_t)machine->config.ram_bytes, error)))
			return GIM_E_MEMORY;
	}
	if (!machine->host.interrupt) {
		if (!(machine->lapics = zeroed(machine->vcpus, sizeof(*machine->lapics), error)))
			return GIM_E_MEMORY;
		for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
			gim_lapic_reset(&machine->lapics[vcpu]);
	}
	int result = allocate_object(machine, error);
	if (!result)
		result = allocate_pages(machine, error);
	if (!result)
		result = gim_msr_index(machine, error);
	return result ? result : gim_counters_new(machine, error);
}

static int apply_setting(struct gim_machine *machine, const struct gim_setting_row *row, const char *value, struct gim_error *error)
{
	char path[64];
	if (row->set)
		return row->set(machine, value, error);
	(void)snprintf(path, sizeof(path), ".%s", row->key);
	return gim_object_set(&machine->arena, &machine->object, path, value, error);
}

static int apply_settings(struct gim_machine *machine, const struct gim_setting *settings, size_t count, struct gim_error *error)
{
	for (size_t i = 0; i < count; i++) {
		const struct gim_setting *setting = &settings[i];
		const struct gim_setting_row *row = machine->provider->runtime->settings;
		while (row && row->key && strcmp(row->key, setting->key) != 0)
			row++;
		if (!row || !row->key)
			return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the provider %s has no setting %s", machine->provider->name,
			                setting->key);
		for (size_t other = 0; other < i; other++)
			if (!strcmp(settings[other].key, setting->key))
				return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the setting %s is given twice", setting->key);
		int result = apply_setting(machine, row, setting->value, error);
		if (result)
			return result;
	}
	return 0;
}

static int configure(struct gim_machine *machine, const struct gim_machine_config *config, struct gim_error *error)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	machine->vcpus = config->vcpus;
	machine->tsc_hz = config->tsc_hz;
	machine->gating = config->gating;
	machine->ram = config->ram;
	machine->newest = !config->provider_version;
	machine->config = *config;
	machine->config.provider = machine->provider->name;
	machine->config.settings = NULL;
	machine->config.setting_count = 0;
	if (machine->newest)
		machine->config.provider_version = runtime->newest_version;
	if (!config->apic_hz)
		machine->config.apic_hz = DEFAULT_APIC_HZ;
	int result = allocate(machine, error);
	if (!result)
		result = apply_settings(machine, config->settings, config->setting_count, error);
	if (!result && runtime->configure)
		result = runtime->configure(machine, error);
	return result;
}

int gim_machine_new_of(const struct gim_provider *provider, const struct gim_machine_config *config, const struct gim_host *host,
                       struct gim_machine **machine, struct gim_error *error)
{
	static const struct gim_host nobody;
	int result = check_config(config, host ? host : &nobody, provider, error);
	if (result)
		return result;
	struct gim_machine *made = zeroed(1, sizeof(*made), error);
	if (!made)
		return GIM_E_MEMORY;
	made->host = host ? *host : nobody;
	made->provider = provider;
	result = configure(made, config, error);
	if (result)
		gim_machine_free(&made);
	else
		*machine = made;
	return result;
}

int gim_machine_new(const struct gim_machine_config *config, const struct gim_host *host, struct gim_machine **machine,
                    struct gim_error *error)
{
	const struct gim_provider *provider = find_provider(config->provider, error);
	return provider ? gim_machine_new_of(provider, config, host, machine, error) : GIM_E_ARGUMENT;
}

/*
 * Bringing up, and ending.
 */
int gim_machine_init(struct gim_machine *machine, struct gim_error *error)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	int result = gim_machine_expect(machine, 1u << GIM_PHASE_NEW, "init", error);
	if (!result && runtime->init)
		result = runtime->init(machine, error);
	if (!result)
		machine->phase = GIM_PHASE_INIT;
	return result;
}

int gim_machine_register_device(struct gim_machine *machine, struct gim_error *error)
{
	int result = gim_machine_expect(machine, 1u << GIM_PHASE_INIT, "registering the device", error);
	if (!result && machine->device)
		result = gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the device is registered already");
	if (!result)
		machine->device = true;
	return result;
}

int gim_machine_init_completed(struct gim_machine *machine, struct gim_error *error)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	int result = gim_machine_expect(machine, 1u << GIM_PHASE_INIT, "the end of initialisation", error);
	machine->virtual_since_tsc = gim_machine_tsc(machine);
	if (!result && runtime->init_completed)
		result = runtime->init_completed(machine, error);
	if (!result)
		machine->phase = GIM_PHASE_COMPLETED;
	return result;
}

void gim_machine_free(struct gim_machine **machine)
{
	struct gim_machine *ended = machine ? *machine : NULL;
	if (!ended)
		return;
	if (ended->phase != GIM_PHASE_NEW && ended->provider->runtime->term)
		ended->provider->runtime->term(ended);
	for (unsigned i = 0; i < ended->page_count; i++)
		free(ended->pages[i].bytes);
	if (ended->ram_owned)
		free(ended->ram);
	free(ended->own);
	free(ended->vcpu_own);
	free(ended->lapics);
	free(ended->msrs);
	free(ended->msr_slots);
	free(ended->counters);
	gim_arena_free(&ended->arena);
	gim_arena_free(&ended->state_arena);
	free(ended);
	*machine = NULL;
}

int gim_machine_reset(struct gim_machine *machine, struct gim_error *error)
{
	int result = gim_machine_expect(machine, 1u << GIM_PHASE_COMPLETED | 1u << GIM_PHASE_RUNNING, "a reset", error);
	if (result)
		return result;
	for (unsigned i = 0; i < machine->page_count; i++)
		gim_page_unmap(machine, i);
	for (uint32_t vcpu = 0; machine->lapics && vcpu < machine->vcpus; vcpu++)
		gim_lapic_reset(&machine->lapics[vcpu]);
	gim_msr_reset(machine);
	if (machine->provider->runtime->reset)
		machine->provider->runtime->reset(machine);
	return 0;
}

int gim_machine_relocate(struct gim_machine *machine, void *ram, struct gim_error *error)
{
	if (!machine->ram || machine->ram_owned)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		                "the guest's RAM is not the embedder's at one place, so it cannot have moved");
	if (!ram)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the guest's RAM cannot move to nowhere");
	machine->ram = ram;
	machine->config.ram = ram;
	return 0;
}

/*
 * Accesses.
 */
enum gim_access gim_machine_cpuid(struct gim_machine *machine, uint32_t vcpu, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	const struct gim_provider *provider = machine->provider;
	uint32_t answer[4] = {0, 0, 0, 0};
	if (vcpu >= machine->vcpus || !gim_machine_runs(machine))
		return GIM_ACCESS_NOT_OURS;
	enum gim_access access =
	    provider->runtime->cpuid ? provider->runtime->cpuid(machine, vcpu, leaf, subleaf, answer) : GIM_ACCESS_NOT_OURS;
	for (const struct gim_cpuid_row *row = provider->cpuid; row && row->leaf; row++)
		if (row->leaf == leaf) {
			memcpy(&answer[row->reg], machine->object.data + row->offset, sizeof(answer[row->reg]));
			access = GIM_ACCESS_DONE;
		}
	if (access == GIM_ACCESS_DONE)
		memcpy(regs, answer, sizeof(answer));
	return access;
}

enum gim_access gim_machine_hypercall(struct gim_machine *machine, uint32_t vcpu, struct gim_registers *registers)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	if (vcpu >= machine->vcpus || !gim_machine_runs(machine) || !runtime->hypercall)
		return GIM_ACCESS_UD;
	machine->hypercalls++;
	return runtime->hypercall(machine, vcpu, registers);
}

void gim_machine_run(struct gim_machine *machine, uint32_t vcpu, bool running)
{
	if (vcpu < machine->vcpus && gim_machine_runs(machine) && machine->provider->runtime->run)
		machine->provider->runtime->run(machine, vcpu, running);
}

void gim_machine_debug_ready(struct gim_machine *machine)
{
	if (gim_machine_runs(machine) && machine->provider->runtime->debug_ready)
		machine->provider->runtime->debug_ready(machine);
}

/* What only one provider has. */
static int not_this_provider(const struct gim_machine *machine, const char *what, struct gim_error *error)
{
	return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s has no %s", machine->provider->title, what);
}

int gim_machine_connect(struct gim_machine *machine, enum gim_connection_kind kind, uint32_t id, uint32_t vcpu, uint8_t sint, uint16_t flag,
                        struct gim_error *error)
{
	if (!machine->provider->runtime->connect)
		return not_this_provider(machine, "connections", error);
	return machine->provider->runtime->connect(machine, kind, id, vcpu, sint, flag, error);
}

#define NO_SUCH_CALL 2 /* TLFS, HV_STATUS_INVALID_HYPERCALL_CODE */

uint16_t gim_machine_post(struct gim_machine *machine, uint32_t vcpu, uint8_t sint, uint32_t type, const void *payload, size_t size_bytes)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	return runtime->post && gim_machine_runs(machine) ? runtime->post(machine, vcpu, sint, type, payload, size_bytes) : NO_SUCH_CALL;
}

uint16_t gim_machine_signal(struct gim_machine *machine, uint32_t vcpu, uint8_t sint, uint16_t flag)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	return runtime->signal && gim_machine_runs(machine) ? runtime->signal(machine, vcpu, sint, flag) : NO_SUCH_CALL;
}

uint16_t gim_machine_raise(struct gim_machine *machine, uint32_t vcpu, uint8_t sint)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	return runtime->raise && gim_machine_runs(machine) ? runtime->raise(machine, vcpu, sint) : NO_SUCH_CALL;
}

int gim_machine_async_fault(struct gim_machine *machine, uint32_t vcpu, uint32_t token, bool ready)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	if (!runtime->async_fault || vcpu >= machine->vcpus)
		return GIM_E_ARGUMENT;
	return gim_machine_runs(machine) ? runtime->async_fault(machine, vcpu, token, ready) : 1;
}
