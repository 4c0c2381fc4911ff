/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing a state with what was changed in it: which units get another payload, and that this payload will be read again as what it is now. */
#include "error.h"
#include "guest.h"
#include "state.h"
#include "visit.h"

#include <stdlib.h>
#include <string.h>

struct comparison {
	const struct gim_state *again;
	struct gim_error *error;
};

static bool same_value(const struct gim_value *a, const struct gim_value *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == GIM_VALUE_NUMBER)
		return a->number == b->number;
	return a->length_bytes == b->length_bytes && (!a->length_bytes || !memcmp(a->bytes, b->bytes, a->length_bytes));
}

/* Was this leaf written as it is? What is derived, or has no room in the layout, was not; what is missing in the state was made up. */
static int compare_leaf(void *user, const char *path, const struct gim_value *value)
{
	const struct comparison *comparison = (const struct comparison *)user;
	const struct gim_value again = gim_state_value(comparison->again, path);
	const bool absent = value->presence == GIM_ABSENT, absent_again = again.presence == GIM_ABSENT;
	if (absent == absent_again && (absent || same_value(value, &again)))
		return 0;
	(void)gim_fail(comparison->error, GIM_E_VALUE, GIM_UNKNOWN, "%s",
	               absent         ? "it has no value, but the layout holds it"
	               : absent_again ? "it has a value, but the layout does not hold it"
	                              : "it cannot be changed to that: the unit would not hold it when it is read again");
	gim_error_path(comparison->error, path);
	return GIM_E_VALUE;
}

int gim_unit_check(const struct gim_state *state, uint32_t unit_version, const struct gim_buffer *payload, struct gim_error *error)
{
	struct gim_state again = {.format = state->format, .unit_format = state->unit_format, .codec = state->codec};
	struct gim_error own = GIM_ERROR_INIT;
	const struct comparison comparison = {&again, error};
	int result = gim_unit_decode(&again, &state->codec, unit_version, payload->bytes, payload->size, NULL, NULL, &own);
	if (result == GIM_E_MEMORY) {
		(void)gim_fail_as(error, &own);
	} else if (result) {
		result = gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "what was set cannot be read again: %s", own.text);
		gim_error_path(error, own.path);
	}
	for (size_t i = 0; !result && i < again.object_count; i++) {
		const struct gim_object *object = gim_state_find(state, again.objects[i].record);
		if (object)
			result = gim_object_visit(object, "", compare_leaf, (void *)(uintptr_t)&comparison, error);
	}
	gim_arena_free(&again.arena);
	return result;
}

/*
 * What else shows the guest interface.
 */
/* The words of CPUID that are others than in the payload as it was. Their number. */
static size_t changed_words(const struct gim_state *state, const struct gim_state *was, struct gim_cpuid_word *words)
{
	const struct gim_provider *provider = gim_unit_provider(state);
	const struct gim_object *before =
	    provider && provider == gim_unit_provider(was) && provider->record ? gim_state_find(was, provider->record) : NULL;
	size_t count = 0;
	for (const struct gim_cpuid_row *row = before ? provider->cpuid : NULL; row && row->leaf; row++) {
		const struct gim_object *now = gim_state_find(state, provider->record);
		const struct gim_cpuid_word word = {row, (uint32_t)gim_number_load(before->data + row->offset, 4),
		                                    (uint32_t)gim_number_load(now->data + row->offset, 4)};
		if (word.before != word.after && count < GIM_CPUID_WORDS_MAX)
			words[count++] = word;
	}
	return count;
}

/* What was decoded of the machine shows it, too. */
static void show_words(struct gim_state *state, const struct gim_cpuid_word *words, size_t count)
{
	const struct gim_object *object = gim_state_find(state, &guest_record);
	const struct gim_list *leaves = object ? &((const struct guest *)(const void *)object->data)->cpuid : NULL;
	for (uint32_t i = 0; leaves && i < leaves->count; i++) {
		struct guest_cpuid *leaf = (struct guest_cpuid *)leaves->items + i;
		uint32_t *const registers[] = {&leaf->eax, &leaf->ebx, &leaf->ecx, &leaf->edx};
		for (size_t w = 0; w < count; w++)
			if (leaf->leaf == words[w].row->leaf && *registers[words[w].row->reg] == words[w].before)
				*registers[words[w].row->reg] = words[w].after;
	}
}

/* The provider is one thing for all units; those that go by the old one cannot be changed here. */
static int change_provider(struct gim_state *state, const struct gim_provider *before, const struct gim_write_options *options,
                           struct gim_error *error)
{
	const struct gim_provider *after = gim_unit_provider(state);
	if (!options->gim_only) {
		(void)gim_fail(
		    error, GIM_E_VALUE, GIM_UNKNOWN,
		    "it cannot become %s: other units are those of a VM with %s, and VirtualBox would refuse the state; --gim-only "
		    "changes the GIM unit alone",
		    after->name, before->name);
		gim_error_path(error, "gim.provider");
		return GIM_E_VALUE;
	}
	gim_report(options->report, options->report_user, &gim_convert_rules[GIM_CONVERT_PROVIDER], GIM_UNKNOWN, "GIM/0", "gim.provider",
	           "%s -> %s: a VM with %s refuses the state (%s, %d)", before->name, after->name, before->name,
	           gim_convert_rules[GIM_CONVERT_PROVIDER].status_name, gim_convert_rules[GIM_CONVERT_PROVIDER].status);
	return state->format->check_provider ? state->format->check_provider(state, after, options->report, options->report_user, error)
	                                     : 0;
}

/* What changes in the GIM unit changes elsewhere, too: feature words where the container saves CPUID leaves. */
static int change_others(struct gim_state *state, const struct gim_buffer *payload, uint32_t unit_version, struct gim_changes *changes,
                         const struct gim_write_options *options, struct gim_error *error)
{
	struct gim_state was = {.format = state->format, .unit_format = state->unit_format, .codec = state->codec};
	struct gim_cpuid_word words[GIM_CPUID_WORDS_MAX];
	int result = 0;
	/* A payload that does not decode has nothing that a change could be told by. */
	const bool known = !gim_unit_decode(&was, &state->codec, unit_version, payload->bytes, payload->size, NULL, NULL, NULL);
	const size_t count = known && !options->gim_only ? changed_words(state, &was, words) : 0;
	if (known && gim_unit_provider(&was) != gim_unit_provider(state))
		result = change_provider(state, gim_unit_provider(&was), options, error);
	if (!result && count && state->format->change_cpuid)
		result = state->format->change_cpuid(state, words, count, changes, options->report, options->report_user, error);
	if (!result)
		show_words(state, words, count);
	gim_arena_free(&was.arena);
	return result;
}

/*
 * Changes.
 */
int gim_changes_add(struct gim_changes *changes, uint64_t offset, struct gim_buffer *payload, struct gim_error *error)
{
	size_t at = 0;
	if (payload->failed || changes->count == GIM_CHANGES_MAX) {
		gim_buffer_free(payload);
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	}
	while (at < changes->count && changes->items[at].offset < offset)
		at++;
	memmove(&changes->items[at + 1], &changes->items[at], (changes->count - at) * sizeof(changes->items[0]));
	changes->items[at] = (struct gim_change){offset, payload->bytes, payload->size};
	changes->count++;
	*payload = (struct gim_buffer){.bytes = NULL};
	return 0;
}

void gim_changes_free(struct gim_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++)
		free(changes->items[i].payload);
}

/* What changes in the GIM unit, and with it. */
int gim_state_changes(struct gim_state *state, const struct gim_write_options *options, struct gim_changes *changes,
                      struct gim_error *error)
{
	if (!state->gim_whole || state->fields_only || state->format->interface)
		return 0;
	struct gim_buffer before = {.bytes = NULL}, after = {.bytes = NULL};
	struct gim_unit unit;
	int result = gim_unit_find(state, "GIM", 0, GIM_PASS_FINAL, &unit, error);
	if (!result)
		result = gim_unit_buffer(state, &unit, SIZE_MAX, &before, error);
	if (!result)
		result = gim_unit_encode(state, &state->codec, &after, error);
	const bool changed = !result && (before.size != after.size || memcmp(before.bytes, after.bytes, after.size) != 0);
	if (!result) /* also when it is the same: what was set may be derived, and have no place in it */
		result = gim_unit_check(state, unit.version, &after, error);
	if (changed && !result)
		result = change_others(state, &before, unit.version, changes, options, error);
	if (changed && !result)
		result = gim_changes_add(changes, unit.offset, &after, error);
	gim_buffer_free(&before);
	gim_buffer_free(&after);
	return result;
}

int gim_state_write(struct gim_state *state, const struct gim_write_options *options, gim_sink_fn *sink, void *user,
                    struct gim_error *error)
{
	static const struct gim_write_options defaults = {.gim_only = false};
	struct gim_changes changes = {.count = 0};
	if (!state->format->write || !(state->input.seekable || state->fields_only))
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
		                state->format->write ? "a stream cannot be written again; give a file"
		                                     : "this container cannot be written");
	options = options ? options : &defaults;
	int result = gim_state_changes(state, options, &changes, error);
	if (!result)
		result = state->format->write(state, &changes, options, sink, user, error);
	gim_changes_free(&changes);
	return result;
}
