/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine's counters, as a visit and as JSON. */
#include "machine_parts.h"

#include "error.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned count_names(const char *const *names)
{
	unsigned count = 0;
	while (names && names[count])
		count++;
	return count;
}

int gim_counters_new(struct gim_machine *machine, struct gim_error *error)
{
	machine->counter_count = count_names(machine->provider->runtime->counter_names);
	machine->vcpu_counter_count = count_names(machine->provider->runtime->vcpu_counter_names);
	const size_t all = machine->counter_count + (size_t)machine->vcpu_counter_count * machine->vcpus;
	machine->counters = calloc(all + 1, sizeof(*machine->counters));
	return machine->counters ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
}

void gim_count(struct gim_machine *machine, unsigned index, uint64_t amount)
{
	assert(index < machine->counter_count);
	machine->counters[index] += amount;
}

void gim_count_vcpu(struct gim_machine *machine, uint32_t vcpu, unsigned index, uint64_t amount)
{
	assert(index < machine->vcpu_counter_count && vcpu < machine->vcpus);
	machine->counters[machine->counter_count + vcpu * machine->vcpu_counter_count + index] += amount;
}

static int visit_msrs(const struct gim_machine *machine, gim_counter_fn *counter, void *user)
{
	int result = 0;
	for (unsigned i = 0; !result && i < machine->msr_count; i++) {
		const struct gim_msr_entry *entry = &machine->msrs[i];
		const struct {
			const char *what;
			uint64_t value;
		} counts[] = {{"reads", entry->reads}, {"writes", entry->writes}, {"faults", entry->faults}};
		char msr[64], name[96];
		gim_msr_name(entry, msr, sizeof(msr));
		for (size_t which = 0; !result && which < sizeof(counts) / sizeof(counts[0]); which++) {
			(void)snprintf(name, sizeof(name), "msr.%s.%s", msr, counts[which].what);
			result = counter(user, name, counts[which].value);
		}
	}
	return result;
}

int gim_machine_counters(const struct gim_machine *machine, gim_counter_fn *counter, void *user)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	int result = counter(user, "hypercalls", machine->hypercalls);
	const uint64_t *value = machine->counters;
	for (unsigned i = 0; !result && i < GIM_DEBUG_COUNTERS; i++)
		result = counter(user, gim_debug_counter_names[i], machine->debug_counters[i]);
	for (unsigned i = 0; !result && i < machine->counter_count; i++)
		result = counter(user, runtime->counter_names[i], *value++);
	for (uint32_t vcpu = 0; !result && vcpu < machine->vcpus; vcpu++)
		for (unsigned i = 0; !result && i < machine->vcpu_counter_count; i++) {
			char name[96];
			(void)snprintf(name, sizeof(name), "%s[%u].%s", gim_machine_list_name(machine), vcpu,
			               runtime->vcpu_counter_names[i]);
			result = counter(user, name, *value++);
		}
	return result ? result : visit_msrs(machine, counter, user);
}

static int set_counter(void *user, const char *name, uint64_t value)
{
	return json_object_set_new((json_t *)user, name, json_integer((json_int_t)value));
}

int gim_machine_counters_json(const struct gim_machine *machine, struct json_t **json, struct gim_error *error)
{
	json_t *all = json_object();
	if (!all || gim_machine_counters(machine, set_counter, all)) {
		json_decref(all);
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory while making JSON");
	}
	*json = all;
	return 0;
}
