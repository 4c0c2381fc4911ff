/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Converting the guest interface to another version of its layout: what it holds is encoded by the one and decoded again, and the two are compared. */
#include "error.h"
#include "state.h"
#include "status.h"
#include "visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct gim_rule gim_convert_rules[GIM_CONVERT_RULES] = {
    [GIM_CONVERT_FILLED] = {"CONVERT-FILLED", GIM_NOTE, GIM_E_VALUE, 0, NULL, "the old layout did not hold the field: it gets its default",
                            .why = "the target shows the guest a default where the source said nothing",
                            .mend = "set the field to what it was, where that is known", .source = "the layouts"},
    [GIM_CONVERT_DROPPED] = {"CONVERT-DROPPED", GIM_NOTE, GIM_E_VALUE, 0, NULL,
                             "the new layout does not hold the field, which had its default",
                             .why = "nothing: a layout without the field stands for its default", .mend = "nothing",
                             .source = "the layouts"},
    [GIM_CONVERT_LOST] = {"CONVERT-LOST", GIM_ERROR, GIM_E_VALUE, 0, NULL,
                          "the new layout does not hold the field, so that its value is lost",
                          .why = "the guest does not find what it had set up",
                          .mend = "do without the conversion, or have the guest set it up again", .source = "the layouts"},
    [GIM_CONVERT_OFFER] = {"CONVERT-OFFER", GIM_WARNING, GIM_E_VALUE, 0, NULL,
                           "the release offers every feature that the guest was offered",
                           .why = "the guest may use what the release does not implement, and does not ask again",
                           .mend = "set the feature words to what the release offers, before the guest has used more, or restart the guest",
                           .source = "what each release of VirtualBox wrote"},
    [GIM_CONVERT_CONTAINER] = {"CONVERT-CONTAINER", GIM_NOTE, GIM_E_VALUE, 0, NULL, "the container is another",
                               .why = "nothing: every unit's payload is the same", .mend = "nothing",
                               .source = "VirtualBox's saved-state format"},
    [GIM_CONVERT_SUPPLIED] = {"CONVERT-SUPPLIED", GIM_NOTE, GIM_E_VALUE, 0, NULL, "the old container says what the new one's header holds",
                              .why = "loaders of old units go by the producer's revision",
                              .mend = "give what is known: --producer, --host-bits", .source = "VirtualBox's saved-state format"},
    [GIM_CONVERT_PROVIDER] = {"CONVERT-PROVIDER", GIM_WARNING, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH),
                              "the provider stays the same",
                              .why = "VirtualBox compares it with the VM's, and refuses another; other units go by it, too",
                              .mend = "keep the provider, or give the VM the new one and see whether the other units let it pass",
                              .source = "VirtualBox's GIM unit"},
    [GIM_CONVERT_CARRIED] = {"CONVERT-CARRIED", GIM_NOTE, GIM_E_VALUE, 0, NULL,
                             "the field has the same value in the other hypervisor's state", .why = "nothing: both keep it",
                             .mend = "nothing", .source = "the layouts"},
    [GIM_CONVERT_DERIVED] = {"CONVERT-DERIVED", GIM_NOTE, GIM_E_VALUE, 0, NULL,
                             "the field follows from others, or from the time of the save",
                             .why = "hypervisors keep the same clock, or the same page, in different ways", .mend = "nothing",
                             .source = "the layouts; docs/qemu.md says the rule of clocks"},
    [GIM_CONVERT_CONFIGURED] =
	{"CONVERT-CONFIGURED", GIM_WARNING, GIM_E_VALUE, 0, NULL, "the target machine is configured to offer what the source offered",
         .why = "CPUID is a setting of the machine, and not in the other state: a guest may use what it is not shown any more",
         .mend = "configure the target machine alike: -cpu …,hv-…, or VirtualBox's --paravirt-provider",
         .source = "QEMU's command line, and VirtualBox's settings"},
};

struct comparison {
	const struct gim_state *other;
	bool back; /* what is walked through is the new state */
	gim_report_fn *report;
	void *user;
	bool lost;
};

/* A field that only one of the two holds. */
static int compare_leaf(void *user, const char *path, const struct gim_value *value)
{
	struct comparison *comparison = (struct comparison *)user;
	const struct gim_value other = gim_state_value(comparison->other, path);
	if (value->presence == GIM_ABSENT || other.presence != GIM_ABSENT)
		return 0;
	const int rule = comparison->back ? GIM_CONVERT_FILLED : gim_value_at_default(value) ? GIM_CONVERT_DROPPED : GIM_CONVERT_LOST;
	char text[128];
	(void)gim_value_text(value, text, sizeof(text));
	comparison->lost |= rule == GIM_CONVERT_LOST;
	static const char *const around[][2] = {{"filled with ", ""}, {"dropped, at its default ", ""}, {"", " is lost"}};
	gim_report(comparison->report, comparison->user, &gim_convert_rules[rule], GIM_UNKNOWN, NULL, path, "%s%s%s", around[rule][0], text,
	           around[rule][1]);
	return 0;
}

/* FORMAT-PROVIDER-VERSION to its layout and version. */
const struct gim_layout *gim_layout_find(const struct gim_provider *provider, const char *name, uint32_t *version)
{
	for (const struct gim_layout *const *each = provider->layouts; each && *each; each++) {
		const size_t length = strlen((*each)->name);
		char *end;
		if (strncmp((*each)->name, name, length) != 0 || name[length] != '-')
			continue;
		const unsigned long number = strtoul(name + length + 1, &end, 10);
		if (end != name + length + 1 && !*end && number >= (*each)->first && number <= (*each)->last) {
			*version = (uint32_t)number;
			return *each;
		}
	}
	return NULL;
}

/* A layout holds something of each virtual processor: as many as other units say. */
static int grow_vcpus(struct gim_state *state, const struct gim_object *object, const struct gim_layout *layout, uint32_t version,
                      struct gim_error *error)
{
	for (const struct gim_row *row = layout->frames[0].rows; object && row->op != GIM_ROW_END; row++) {
		if (row->op != GIM_ROW_EACH || row->count != GIM_COUNT_REST || version < row->since)
			continue;
		struct gim_list *list = (struct gim_list *)(void *)(object->data + row->offset);
		if (!list->count && !state->codec.vcpus)
			return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN,
			                "no unit says how many vCPUs there are, and the layout holds something of each");
		return list->count ? 0 : gim_list_grow(&state->arena, list, row->item, state->codec.vcpus, error);
	}
	return 0;
}

/* An old layout may say nothing of virtual processors; one that does says how many, be it none. */
static int have_vcpus(struct gim_state *state, const struct gim_provider *provider, const struct gim_layout *layout, uint32_t version,
                      struct gim_error *error)
{
	char path[128];
	return gim_unit_vcpus(state, path, sizeof(path))
	           ? 0
	           : grow_vcpus(state, gim_state_find(state, provider->record), layout, version, error);
}

static int no_layout(const struct gim_provider *provider, const char *format, const char *layout, struct gim_error *error)
{
	const struct gim_layout *known = provider->record ? provider->layouts[0] : NULL;
	if (!known)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s is no layout of %s: %s-%s is", layout, provider->name, format,
		                provider->name);
	return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s is no layout of %s: %s-%u to %s-%u are", layout, provider->name,
	                known->name, known->first, known->name, known->last);
}

/* What a conversion leads to; layout NULL: the provider saves nothing. */
struct target {
	const struct gim_provider *provider;
	const struct gim_layout *layout;
	uint32_t version;
};

/* A container writes layouts of its own; where fields alone are written, they may be of any. */
static bool writes(const struct gim_state *state, const char *format)
{
	return state->fields_only || !strcmp(format, gim_unit_format(state));
}

/* FORMAT-PROVIDER, of a provider that saves nothing. */
static bool is_plain(const struct gim_state *state, const struct gim_provider *provider, const char *name)
{
	char plain[64];
	for (const struct gim_format *const *each = gim_formats; *each; each++) {
		(void)snprintf(plain, sizeof(plain), "%s-%s", (*each)->name, provider->name);
		if (!strcmp(plain, name) && writes(state, (*each)->name))
			return true;
	}
	return false;
}

/* The layout of that name, of the state's own provider or of another one. */
static int find_target(const struct gim_state *state, const struct gim_provider *own, const char *name, struct target *target,
                       struct gim_error *error)
{
	for (const struct gim_provider *const *each = gim_providers; *each; each++) {
		*target = (struct target){.provider = *each};
		target->layout = gim_layout_find(*each, name, &target->version);
		if ((*each)->record ? target->layout && writes(state, target->layout->format) : is_plain(state, *each, name))
			return 0;
	}
	return no_layout(own, gim_unit_format(state), name, error);
}

/* Another provider's guest interface at its reset values, with as many vCPUs as there are. */
static int begin_anew(const struct gim_state *state, const struct target *target, struct gim_state *fresh, struct gim_error *error)
{
	char path[128];
	const struct gim_list *vcpus = gim_unit_vcpus(state, path, sizeof(path));
	const struct gim_record *record = target->provider->record;
	struct gim_object *head = gim_state_object(fresh, &gim_record, error);
	if (!head)
		return GIM_E_MEMORY;
	GIM_STORE(head, gim, unit_version, (uint32_t)gim_state_value(state, "gim.unit_version").number);
	GIM_STORE(head, gim, provider, target->provider->vbox_id);
	struct gim_object *object = record ? gim_state_object(fresh, record, error) : NULL;
	if (record && !object)
		return GIM_E_MEMORY;
	if (record && target->provider->fresh)
		target->provider->fresh(object);
	if (!fresh->codec.vcpus && vcpus)
		fresh->codec.vcpus = vcpus->count;
	return record ? grow_vcpus(fresh, object, target->layout, target->version, error) : 0;
}

/* What the target holds of `from`, as it will be read again. */
static int write_and_read(struct gim_state *from, const struct target *target, struct gim_state *next, struct gim_error *error)
{
	struct gim_buffer payload = {.bytes = NULL};
	struct gim_codec codec = from->codec;
	codec.version = target->version;
	int result = gim_unit_encode_as(from, target->layout, &codec, &payload, error);
	if (!result)
		result = gim_unit_decode(next, &from->codec, (uint32_t)gim_state_value(from, "gim.unit_version").number, payload.bytes,
		                         payload.size, NULL, NULL, error);
	gim_buffer_free(&payload);
	return result;
}

/* Report every field that only one of the two holds; 1: values are lost. */
static int compare(const struct gim_state *state, const struct gim_state *next, gim_report_fn *report, void *user, struct gim_error *error)
{
	struct comparison forth = {.other = next, .report = report, .user = user};
	struct comparison back = {.other = state, .back = true, .report = report, .user = user};
	const struct {
		const struct gim_state *walked;
		struct comparison *comparison;
	} ways[] = {{state, &forth}, {next, &back}};
	int result = 0;
	for (size_t way = 0; way < 2; way++) {
		const struct gim_record *const records[] = {&gim_record, gim_unit_provider(ways[way].walked)->record};
		for (size_t i = 0; !result && i < 2; i++)
			if (records[i])
				result = gim_object_visit(gim_state_find(ways[way].walked, records[i]), "", compare_leaf,
				                          ways[way].comparison, error);
	}
	return result ? result : forth.lost;
}

int gim_state_convert(struct gim_state *state, const char *layout, gim_report_fn *report, void *user, struct gim_error *error)
{
	const struct gim_provider *provider = gim_unit_provider(state);
	struct target target;
	if (!provider)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		                "the state has no guest interface that could be converted: units lists what it has");
	if (provider->record && !gim_state_find(state, provider->record))
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		                "the guest interface is damaged, so that it cannot be converted: verify says where");
	int result = find_target(state, provider, layout, &target, error);
	if (result)
		return result;
	const char *format = target.layout ? target.layout->format : gim_unit_format(state);
	struct gim_state fresh = {.format = state->format, .unit_format = format, .codec = state->codec, .arena = state->arena};
	if (target.provider != provider)
		result = begin_anew(state, &target, &fresh, error);
	state->arena = fresh.arena;
	if (!result && target.provider == provider && target.layout)
		result = have_vcpus(state, provider, target.layout, target.version, error);
	struct gim_state next = {.format = state->format, .unit_format = format, .codec = state->codec, .arena = state->arena};
	if (!result)
		result = write_and_read(target.provider == provider ? state : &fresh, &target, &next, error);
	state->arena = next.arena;
	if (!result)
		result = compare(state, &next, report, user, error);
	if (result >= 0)
		gim_unit_adopt(state, &next);
	return result;
}

int gim_state_payload(struct gim_state *state, const char *layout, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	const struct gim_provider *provider = gim_unit_provider(state);
	struct gim_codec codec = {.address_bytes = 8};
	const struct gim_layout *target = NULL;
	struct gim_buffer payload = {.bytes = NULL};
	if (!provider)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the state has no guest interface that could be written");
	if (provider->record && !(target = gim_layout_find(provider, layout, &codec.version)))
		return no_layout(provider, gim_unit_format(state), layout, error);
	int result = target ? have_vcpus(state, provider, target, codec.version, error) : 0;
	if (!result)
		result = gim_unit_encode_as(state, target, &codec, &payload, error);
	if (!result && sink(user, payload.bytes, payload.size))
		result = gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "the payload was not taken");
	gim_buffer_free(&payload);
	return result;
}
