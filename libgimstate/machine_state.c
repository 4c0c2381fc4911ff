/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine and saved states: taking a guest interface over, and saving it as a native state. */
#include "machine_parts.h"

#include "error.h"
#include "guest.h"
#include "status.h"
#include "visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FACTS "VirtualBox's GIM unit"

const struct gim_rule gim_load_rules[GIM_LOAD_RULES] = {
    [GIM_LOAD_PROVIDER] = {"LOAD-PROVIDER", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH),
                           "the state's guest interface is the machine's", .why = "the guest would find another hypervisor than it knows",
                           .mend = "configure the machine with the state's provider", .source = FACTS},
    [GIM_LOAD_FEWER_VCPUS] = {"LOAD-FEWER-VCPUS", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_LOADED_TOO_MUCH),
                              "the state has at least as many vCPUs as the machine", .why = "some vCPUs would have no registers",
                              .mend = "give the machine as many vCPUs as the state has", .source = FACTS},
    [GIM_LOAD_MORE_VCPUS] = {"LOAD-MORE-VCPUS", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_LOADED_TOO_LITTLE),
                             "the state has at most as many vCPUs as the machine", .why = "registers of some vCPUs would be lost",
                             .mend = "give the machine as many vCPUs as the state has", .source = FACTS},
    [GIM_LOAD_PAGE] = {"LOAD-PAGE", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH),
                       "an enabled page is aligned and lies in the guest's RAM, where no other page lies",
                       .why = "the page cannot be put where the guest has it", .mend = "give the machine as much RAM as the state's",
                       .source = FACTS},
    [GIM_LOAD_VERSION] = {"LOAD-VERSION", GIM_WARNING, GIM_E_VERSION, 0, NULL, "the provider's version is a known one",
                          .why = "what the version stands for is not known; the guest gets the newest one's behaviour",
                          .mend = "look who wrote the state: VirtualBox writes 0", .source = FACTS},
    [GIM_LOAD_ABSENT] = {"LOAD-ABSENT", GIM_NOTE, GIM_E_VALUE, 0, NULL, "the state holds the field",
                         .why = "what the guest had set there is not known", .mend = "nothing: the layout cannot hold it", .source = FACTS},
};

/*
 * Loading.
 */
struct loading {
	struct gim_machine *machine;
	struct gim_state *state;
	const struct gim_object *head; /* NULL: the state has none */
	gim_report_fn *report;
	void *user;
	struct gim_error *error;
};

static const struct gim *head_of(const struct gim_object *object)
{
	return (const struct gim *)(const void *)object->data;
}

static bool is_none(const struct gim_provider *provider)
{
	return !strcmp(provider->name, "none");
}

static int check_provider(struct loading *loading)
{
	const struct gim_provider *wanted = loading->machine->provider, *found = gim_unit_provider(loading->state);
	/* Other containers have no head; there the record says it. */
	if (found ? found == wanted : wanted->record ? gim_state_find(loading->state, wanted->record) != NULL : is_none(wanted))
		return 0;
	(void)gim_fail_rule(loading->error, &gim_load_rules[GIM_LOAD_PROVIDER], GIM_UNKNOWN,
	                    "the state's provider is %s, the machine's is %s", found ? found->name : "none that it names", wanted->name);
	gim_error_path(loading->error, "gim.provider");
	return GIM_E_VALUE;
}

static int decode_interface(struct loading *loading)
{
	const unsigned parts = GIM_PART_GIM | GIM_PART_INFO;
	const struct gim_provider *wanted = loading->machine->provider;
	struct gim_error own = GIM_ERROR_INIT;
	int result = gim_state_decode(loading->state, parts, loading->report, loading->user, &own);
	/* What has no guest interface is loaded where none is expected: VirtualBox has the unit since 5.0 only. */
	if (result == GIM_E_NO_UNIT && is_none(wanted))
		return 0;
	if (result) { /* another provider's payload need not be understood */
		const struct gim_provider *found = gim_unit_provider(loading->state);
		return found && found != wanted ? check_provider(loading) : gim_fail_as(loading->error, &own);
	}
	if (loading->state->damaged & parts)
		return gim_fail(loading->error, GIM_E_CORRUPT, GIM_UNKNOWN,
		                "the state is damaged: it was decoded before, but not to its end");
	return 0;
}

/* The built-in local APICs take over what the guest's were; the interface can do without. */
static void decode_apics(struct loading *loading)
{
	struct gim_error own = GIM_ERROR_INIT;
	if (loading->machine->lapics && gim_state_decode(loading->state, GIM_PART_GUEST, NULL, NULL, &own))
		gim_report(loading->report, loading->user, &gim_load_rules[GIM_LOAD_ABSENT], own.offset, own.unit, "machine.apic",
		           "not all units could be decoded: %s; what they hold of local APICs is not taken over", own.text);
}

static int check_vcpus(struct loading *loading, const struct gim_object *object)
{
	const struct gim_machine *machine = loading->machine;
	const struct gim_runtime *runtime = machine->provider->runtime;
	uint32_t found = 0;
	if (object && runtime->list_item)
		found = ((const struct gim_list *)(const void *)(object->data + runtime->list_offset))->count;
	const uint32_t others = loading->state->codec.vcpus;
	if (found && found != machine->vcpus) {
		const int rule = found < machine->vcpus ? GIM_LOAD_FEWER_VCPUS : GIM_LOAD_MORE_VCPUS;
		return gim_fail_rule(loading->error, &gim_load_rules[rule], GIM_UNKNOWN, "the state has %u vCPUs, the machine has %u",
		                     found, machine->vcpus);
	}
	/* An old layout says nothing of vCPUs. */
	if (!found && others && others != machine->vcpus)
		return gim_fail_rule(loading->error, &gim_unit_rules[GIM_UNIT_VCPUS], GIM_UNKNOWN,
		                     "other units of the state are of %u vCPUs, the machine has %u", others, machine->vcpus);
	return 0;
}

/* Where the payload ends within a vCPU's part, the unit has fewer vCPUs, and bytes behind them. */
static int accept_unit(struct loading *loading, const struct gim_object *object)
{
	struct gim_error own = GIM_ERROR_INIT;
	const bool accepted = !gim_unit_accept(loading->state, &own);
	int result = accepted || own.rule == &gim_unit_rules[GIM_UNIT_TRAILING] ? check_vcpus(loading, object) : 0;
	return result || accepted ? result : gim_fail_as(loading->error, &own);
}

/* A number of the guest's or the machine's record, or GIM_UNKNOWN. */
static uint64_t number_at(const struct gim_state *state, const char *path)
{
	const struct gim_value value = gim_state_value(state, path);
	return value.presence == GIM_ABSENT ? GIM_UNKNOWN : value.number;
}

static const struct machine_state *saved_machine(const struct gim_state *state)
{
	const struct gim_object *object = gim_state_find(state, &machine_state_record);
	return object ? (const struct machine_state *)(const void *)object->data : NULL;
}

/* The clock as it was saved: the embedder's own is the embedder's to set. */
static void take_clock(struct gim_machine *machine, const struct gim_state *state)
{
	struct gim_saved_clock *saved = &machine->saved;
	saved->tsc = number_at(state, "machine.tsc");
	if (saved->tsc == GIM_UNKNOWN)
		saved->tsc = number_at(state, "guest.vcpu[0].tsc");
	saved->tsc_hz = number_at(state, "guest.tsc_hz");
	if (saved->tsc_hz == 0)
		saved->tsc_hz = GIM_UNKNOWN;
	saved->virtual_ns = number_at(state, "guest.virtual_ns");
	saved->utc_ns = number_at(state, "machine.utc_ns");
	if (saved->virtual_ns != GIM_UNKNOWN)
		machine->virtual_ns = saved->virtual_ns;
	if (!machine->host.tsc && saved->tsc != GIM_UNKNOWN)
		machine->clock_tsc = saved->tsc;
	if (saved->utc_ns != GIM_UNKNOWN) {
		machine->clock_since_tsc = machine->clock_tsc;
		machine->clock_utc_ns = saved->utc_ns;
	}
}

/* A state in VirtualBox's layout was made by what serves more than it shows; a native one says how it was. */
static void take_configuration(struct loading *loading)
{
	struct gim_machine *machine = loading->machine;
	const struct machine_state *saved = saved_machine(loading->state);
	const struct gim_text layout = loading->head ? head_of(loading->head)->layout : (struct gim_text){NULL, 0};
	if (!machine->config.keep_gating && saved)
		machine->gating = saved->gating ? GIM_GATING_PRODUCER : GIM_GATING_WORDS;
	else if (!machine->config.keep_gating && layout.length > 5 && !memcmp(layout.bytes, "vbox-", 5))
		machine->gating = GIM_GATING_PRODUCER;
	if (!loading->head || !loading->head->presence[offsetof(struct gim, provider_version)])
		return;
	const uint32_t version = head_of(loading->head)->provider_version, newest = machine->provider->runtime->newest_version;
	machine->newest = !version || (saved && saved->newest);
	machine->config.provider_version = version ? version : newest;
	if (version > newest)
		gim_report(loading->report, loading->user, &gim_load_rules[GIM_LOAD_VERSION], GIM_UNKNOWN, NULL, "gim.provider_version",
		           "version %u was found, %u is the newest that is known", version, newest);
}

/* A layout without any CPUID word (QEMU's) does not say what the guest was shown: what the machine offers stays. */
static void keep_offers(struct gim_machine *machine, const struct gim_object *offered)
{
	const struct gim_cpuid_row *first = machine->provider->cpuid;
	const struct gim_record *record = machine->provider->record;
	for (const struct gim_cpuid_row *row = first; row && row->leaf; row++)
		if (row->record == record && machine->object.presence[row->offset])
			return;
	for (const struct gim_cpuid_row *row = first; row && row->leaf; row++)
		if (row->record == record)
			memcpy(machine->object.data + row->offset, offered->data + row->offset, sizeof(uint32_t));
}

/* Copies of the state's objects become the machine's. */
static int take_objects(struct loading *loading, const struct gim_object *object)
{
	struct gim_machine *machine = loading->machine;
	const struct gim_runtime *runtime = machine->provider->runtime;
	int result = 0;
	machine->head.record = NULL;
	if (loading->head)
		result = gim_object_copy(&machine->state_arena, loading->head, &machine->head, loading->error);
	if (result || !machine->provider->record)
		return result;
	const struct gim_object offered = machine->object;
	result = object ? gim_object_copy(&machine->state_arena, object, &machine->object, loading->error)
	                : gim_object_new(&machine->state_arena, machine->provider->record, &machine->object, loading->error);
	if (!result && object)
		keep_offers(machine, &offered);
	if (result || !runtime->list_item)
		return result;
	struct gim_list *list = (struct gim_list *)(void *)(machine->object.data + runtime->list_offset);
	result = gim_list_grow(&machine->state_arena, list, runtime->list_item, machine->vcpus, loading->error);
	machine->vcpu_data = list->items;
	return result;
}

/* The built-in local APICs, of a native state or as VirtualBox saved its own. */
static void take_lapics(struct gim_machine *machine, const struct gim_state *state)
{
	const struct machine_state *saved = saved_machine(state);
	const struct gim_object *object = gim_state_find(state, &guest_record);
	const struct guest *guest = object ? (const struct guest *)(const void *)object->data : NULL;
	for (uint32_t vcpu = 0; machine->lapics && vcpu < machine->vcpus; vcpu++) {
		struct machine_apic *lapic = &machine->lapics[vcpu];
		if (saved && vcpu < saved->apic.count) {
			*lapic = ((const struct machine_apic *)saved->apic.items)[vcpu];
			continue;
		}
		if (!guest || vcpu >= guest->vcpu.count)
			continue;
		const struct guest_vcpu *from = &((const struct guest_vcpu *)guest->vcpu.items)[vcpu];
		const uint8_t *presence = guest->vcpu.presence + (size_t)vcpu * sizeof(*from);
		if (!presence[offsetof(struct guest_vcpu, apic.irr)])
			continue;
		memcpy(lapic->irr, from->apic.irr, sizeof(lapic->irr));
		memcpy(lapic->isr, from->apic.isr, sizeof(lapic->isr));
		lapic->icr = (uint64_t)from->apic.icr_high << 32 | from->apic.icr_low;
		lapic->svr = from->apic.svr;
		lapic->tpr = from->apic.tpr;
	}
}

/*
 * What the state did not hold, and what it became: a note for each field, and one for neighbours in the list of vCPUs that became the same.
 */
struct absent {
	struct loading *loading;
	char path[192], text[64];
	uint32_t more;
};

static void tell_absent(struct absent *absent)
{
	struct loading *loading = absent->loading;
	char more[64] = "";
	if (!absent->path[0])
		return;
	if (absent->more)
		(void)snprintf(more, sizeof(more), ", as on the next %u vCPU%s", absent->more, absent->more == 1 ? "" : "s");
	const struct gim_value layout = gim_state_value(loading->state, "gim.layout");
	const bool named = layout.presence != GIM_ABSENT && layout.length_bytes;
	gim_report(loading->report, loading->user, &gim_load_rules[GIM_LOAD_ABSENT], GIM_UNKNOWN, NULL, absent->path,
	           "%.*s does not hold it; it became %s%s", named ? (int)layout.length_bytes : 9, named ? layout.bytes : "the state",
	           absent->text, more);
	absent->path[0] = '\0';
	absent->more = 0;
}

static void note_absent(struct absent *absent, const char *path, const struct gim_value *value, bool again)
{
	struct gim_value became = *value;
	char text[sizeof(absent->text)];
	became.presence = GIM_STORED;
	(void)gim_value_text(&became, text, sizeof(text));
	if (again && absent->path[0] && !strcmp(text, absent->text)) {
		absent->more++;
		return;
	}
	tell_absent(absent);
	(void)snprintf(absent->path, sizeof(absent->path), "%s", path);
	(void)snprintf(absent->text, sizeof(absent->text), "%s", *text ? text : "empty");
}

static int note_leaf(void *user, const char *path, const struct gim_object *object, const struct gim_field *field, uint32_t index)
{
	struct absent *absent = (struct absent *)user;
	const struct gim_value value = gim_object_value(object, field, index);
	if (value.presence == GIM_ABSENT)
		note_absent(absent, path, &value, false);
	return 0;
}

/* One leaf of all items of the per-vCPU list, one after the other. */
struct column {
	struct absent *absent;
	const struct gim_field *list;
};

static int note_column(void *user, const char *path, const struct gim_object *object, const struct gim_field *field, uint32_t index)
{
	const struct column *column = (const struct column *)user;
	const struct gim_machine *machine = column->absent->loading->machine;
	const struct gim_object first = gim_object_item(&machine->object, column->list, 0);
	const size_t at = (size_t)(object->data - first.data); /* a sub-record lies within its item */
	bool again = false;
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++) {
		struct gim_object item = gim_object_item(&machine->object, column->list, vcpu);
		item = (struct gim_object){object->record, item.data + at, item.presence + at};
		const struct gim_value value = gim_object_value(&item, field, index);
		char whole[192];
		(void)snprintf(whole, sizeof(whole), "%s.%s[%u]%s", machine->provider->record->name, column->list->name, vcpu,
		               path + strcspn(path, "."));
		if (value.presence == GIM_ABSENT)
			note_absent(column->absent, whole, &value, again);
		again = value.presence == GIM_ABSENT;
	}
	tell_absent(column->absent);
	return 0;
}

static void tell_absents(struct loading *loading)
{
	struct gim_machine *machine = loading->machine;
	struct absent absent = {.loading = loading};
	for (uint32_t f = 0; loading->report && machine->provider->record && f < machine->provider->record->field_count; f++) {
		const struct gim_field *field = &machine->provider->record->fields[f];
		char rest[64];
		(void)snprintf(rest, sizeof(rest), ".%s", field->name);
		if (field->kind != GIM_LIST) {
			(void)gim_object_leaves(&machine->object, rest, note_leaf, &absent, NULL);
			tell_absent(&absent);
		} else if (field->offset == machine->provider->runtime->list_offset &&
		           field->record == machine->provider->runtime->list_item) {
			const struct gim_object first = gim_object_item(&machine->object, field, 0);
			struct column column = {&absent, field};
			(void)gim_object_leaves(&first, "", note_column, &column, NULL);
		}
	}
}

static int take_over(struct loading *loading, const struct gim_object *object)
{
	struct gim_machine *machine = loading->machine;
	const struct gim_runtime *runtime = machine->provider->runtime;
	int result = take_objects(loading, object);
	if (result)
		return result;
	take_configuration(loading);
	take_clock(machine, loading->state);
	machine->phase = GIM_PHASE_LOADED;
	if (runtime->loaded)
		result = runtime->loaded(machine, loading->state, loading->report, loading->user, loading->error);
	if (result)
		return result;
	take_lapics(machine, loading->state);
	tell_absents(loading);
	if (machine->provider->record)
		gim_object_store_all(&machine->object);
	return 0;
}

int gim_machine_load(struct gim_machine *machine, struct gim_state *state, gim_report_fn *report, void *user, struct gim_error *error)
{
	struct loading loading = {.machine = machine, .state = state, .report = report, .user = user, .error = error};
	int result = gim_machine_expect(machine, 1u << GIM_PHASE_COMPLETED, "loading a state", error);
	if (!result)
		result = decode_interface(&loading);
	if (result)
		return result;
	decode_apics(&loading);
	loading.head = gim_state_find(state, &gim_record);
	const struct gim_object *object = machine->provider->record ? gim_state_find(state, machine->provider->record) : NULL;
	result = check_provider(&loading);
	if (!result)
		result = accept_unit(&loading, object);
	if (result)
		return result;
	const struct gim_machine before = *machine;
	machine->state_arena = (struct gim_arena){.blocks = NULL};
	result = take_over(&loading, object);
	if (result) {
		gim_arena_free(&machine->state_arena);
		*machine = before;
		return result;
	}
	struct gim_arena old = before.state_arena;
	gim_arena_free(&old);
	return 0;
}

int gim_machine_load_done(struct gim_machine *machine, struct gim_error *error)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	int result = gim_machine_expect(machine, 1u << GIM_PHASE_LOADED, "the end of loading", error);
	if (result)
		return result;
	machine->virtual_since_tsc = gim_machine_tsc(machine);
	if (runtime->load_done)
		result = runtime->load_done(machine, error);
	if (!result)
		machine->phase = GIM_PHASE_RUNNING;
	return result;
}

/*
 * Saving.
 */
static int save_head(const struct gim_machine *machine, struct gim_state *state, struct gim_error *error)
{
	struct gim_object copy;
	int result = machine->head.record ? gim_object_copy(&state->arena, &machine->head, &copy, error)
	                                  : gim_object_new(&state->arena, &gim_record, &copy, error);
	if (result)
		return result;
	struct gim_object *head = gim_state_attach(state, &copy);
	gim_object_store_all(head);
	GIM_STORE(head, gim, unit_version, 1);
	GIM_STORE(head, gim, provider, machine->provider->vbox_id);
	GIM_STORE(head, gim, provider_version, machine->config.provider_version);
	head->presence[offsetof(struct gim, layout)] = GIM_ABSENT;
	head->presence[offsetof(struct gim, interfaces)] = GIM_ABSENT;
	return 0;
}

static int save_guest(const struct gim_machine *machine, struct gim_state *state, struct gim_error *error)
{
	struct gim_object *object = gim_state_object(state, &guest_record, error);
	if (!object)
		return GIM_E_MEMORY;
	GIM_STORE(object, guest, vcpus, machine->vcpus);
	GIM_STORE(object, guest, ram_bytes, machine->config.ram_bytes);
	GIM_STORE(object, guest, tsc_hz, machine->tsc_hz);
	GIM_STORE(object, guest, virtual_ns, gim_machine_virtual_ns(machine));
	state->codec.vcpus = machine->vcpus;
	return 0;
}

static int save_machine(const struct gim_machine *machine, struct gim_state *state, struct gim_error *error)
{
	struct gim_object *object = gim_state_object(state, &machine_state_record, error);
	if (!object)
		return GIM_E_MEMORY;
	struct machine_state *saved = (struct machine_state *)(void *)object->data;
	saved->tsc = gim_machine_tsc(machine);
	saved->utc_ns = gim_machine_utc_ns(machine);
	saved->gating = (uint8_t)machine->gating;
	saved->newest = machine->newest;
	int result = gim_list_grow(&state->arena, &saved->apic, &machine_apic_record, machine->lapics ? machine->vcpus : 0, error);
	if (!result && machine->lapics)
		memcpy(saved->apic.items, machine->lapics, machine->vcpus * sizeof(*machine->lapics));
	gim_object_store_all(object);
	return result;
}

static int save_provider(struct gim_machine *machine, struct gim_state *state, struct gim_error *error)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	struct gim_object copy;
	/* Between load and load-done no time passes: it is saved as it was loaded. */
	int result = runtime->save && machine->phase != GIM_PHASE_LOADED ? runtime->save(machine, error) : 0;
	if (result || !machine->provider->record)
		return result;
	result = gim_object_copy(&state->arena, &machine->object, &copy, error);
	if (!result) {
		gim_object_store_all(&copy);
		(void)gim_state_attach(state, &copy);
	}
	return result;
}

int gim_machine_save(struct gim_machine *machine, struct gim_state **state, struct gim_error *error)
{
	struct gim_state *saved = NULL;
	int result =
	    gim_machine_expect(machine, 1u << GIM_PHASE_COMPLETED | 1u << GIM_PHASE_LOADED | 1u << GIM_PHASE_RUNNING, "saving", error);
	if (!result)
		result = gim_state_new("json", &saved, error);
	if (!result)
		result = save_head(machine, saved, error);
	if (!result)
		result = save_provider(machine, saved, error);
	if (!result)
		result = save_guest(machine, saved, error);
	if (!result)
		result = save_machine(machine, saved, error);
	if (result) {
		gim_state_free(&saved);
		return result;
	}
	saved->gim_whole = true;
	*state = saved;
	return 0;
}
