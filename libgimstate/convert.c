/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Converting the guest interface to another version of its layout: what it holds is encoded by the one and decoded again, and the two are compared. */
#include "error.h"
#include "state.h"
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

/* An old layout may say nothing of virtual processors, where the new one holds something of each: as many as other units say. */
static int have_vcpus(struct gim_state *state, const struct gim_provider *provider, const struct gim_layout *layout, uint32_t version,
                      struct gim_error *error)
{
	const struct gim_object *object = gim_state_find(state, provider->record);
	char path[128];
	if (gim_unit_vcpus(state, path, sizeof(path)))
		return 0; /* the old layout says how many, be it none */
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

static int no_layout(const struct gim_provider *provider, const char *layout, struct gim_error *error)
{
	const struct gim_layout *known = provider->layouts[0];
	return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s is no layout of %s: %s-%u to %s-%u are", layout, provider->name,
	                known->name, known->first, known->name, known->last);
}

/* Let the state's objects be those of next. */
static void adopt(struct gim_state *state, const struct gim_state *next)
{
	for (size_t i = 0; i < next->object_count; i++)
		for (size_t own = 0; own < state->object_count; own++)
			if (state->objects[own].record == next->objects[i].record)
				state->objects[own] = next->objects[i];
	state->unit_format = next->unit_format;
	state->layout_version = next->layout_version;
}

int gim_state_convert(struct gim_state *state, const char *layout, gim_report_fn *report, void *user, struct gim_error *error)
{
	const struct gim_provider *provider = gim_unit_provider(state);
	const struct gim_layout *target;
	struct gim_buffer payload = {.bytes = NULL};
	uint32_t version = 0;
	if (!provider)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the state has no guest interface that could be converted");
	if (!provider->record)
		return 0; /* the same in all layouts */
	target = gim_layout_find(provider, layout, &version);
	if (!target || !(state->format->fields_only || !strcmp(target->format, state->format->name)))
		return no_layout(provider, layout, error);
	struct gim_codec codec = state->codec;
	codec.version = version;
	int result = have_vcpus(state, provider, target, version, error);
	if (!result)
		result = gim_unit_encode_as(state, target, &codec, &payload, error);
	struct gim_state next = {.format = state->format, .unit_format = target->format, .codec = state->codec, .arena = state->arena};
	if (!result)
		result = gim_unit_decode(&next, &state->codec, (uint32_t)gim_state_value(state, "gim.unit_version").number, payload.bytes,
		                         payload.size, NULL, NULL, error);
	state->arena = next.arena;
	gim_buffer_free(&payload);
	if (result)
		return result;
	struct comparison forth = {.other = &next, .report = report, .user = user};
	struct comparison back = {.other = state, .back = true, .report = report, .user = user};
	const struct gim_record *const records[] = {&gim_record, provider->record};
	for (size_t i = 0; !result && i < 2; i++)
		result = gim_object_visit(gim_state_find(state, records[i]), "", compare_leaf, &forth, error);
	for (size_t i = 0; !result && i < 2; i++)
		result = gim_object_visit(gim_state_find(&next, records[i]), "", compare_leaf, &back, error);
	if (result)
		return result;
	adopt(state, &next);
	return forth.lost;
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
		return no_layout(provider, layout, error);
	int result = target ? have_vcpus(state, provider, target, codec.version, error) : 0;
	if (!result)
		result = gim_unit_encode_as(state, target, &codec, &payload, error);
	if (!result && sink(user, payload.bytes, payload.size))
		result = gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "the payload was not taken");
	gim_buffer_free(&payload);
	return result;
}
