/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two states side by side: one walk over both states' objects in step. */
#include "error.h"
#include "state.h"
#include "visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[GIM_DIFF_KINDS] = {
    [GIM_DIFF_CHANGED] = "changed", [GIM_DIFF_ONLY_A] = "only-a", [GIM_DIFF_ONLY_B] = "only-b",
    [GIM_DIFF_BACK] = "clock-back", [GIM_DIFF_CLOCK] = "clock",   [GIM_DIFF_DEFAULT] = "default",
    [GIM_DIFF_FORM] = "form",       [GIM_DIFF_ORDER] = "order",   [GIM_DIFF_APART] = "apart",
};

const char *gim_difference_name(enum gim_difference_kind kind)
{
	return (unsigned)kind < GIM_DIFF_KINDS ? kind_names[kind] : "unknown";
}

struct diff {
	struct gim_diff_options options;
	gim_difference_fn *visit;
	void *user;
	struct gim_diff_counts *counts;
	struct gim_error *error;
	bool differs;
	char path[256], key[128];
};

/* Is path `wanted` or below it? */
static bool at_or_below(const char *path, const char *wanted)
{
	const size_t length = strlen(wanted);
	return !strncmp(path, wanted, length) && (!path[length] || path[length] == '.' || path[length] == '[');
}

static int tell(struct diff *diff, enum gim_difference_kind kind, const struct gim_value *a, const struct gim_value *b)
{
	const bool counts = diff->options.exact || kind <= GIM_DIFF_BACK;
	const char *wanted = diff->options.path;
	/* What is above it says something of it too: the item that it is in is missing. */
	if (wanted && !at_or_below(diff->path, wanted) && !at_or_below(wanted, diff->path))
		return 0;
	const struct gim_difference difference = {kind, counts, diff->path, diff->key, a, b};
	diff->counts->of[kind]++;
	diff->differs |= counts;
	return diff->visit ? diff->visit(diff->user, &difference) : 0;
}

static size_t append(struct diff *diff, size_t used, const char *separator, const char *name)
{
	const int more = snprintf(diff->path + used, sizeof(diff->path) - used, "%s%s", separator, name);
	return used + (size_t)more < sizeof(diff->path) ? used + (size_t)more : sizeof(diff->path) - 1;
}

static size_t append_index(struct diff *diff, size_t used, uint32_t index)
{
	char text[16];
	(void)snprintf(text, sizeof(text), "[%u]", index);
	return append(diff, used, "", text);
}

/*
 * Leaves.
 */
static bool same_value(const struct gim_value *a, const struct gim_value *b)
{
	if (a->kind == GIM_VALUE_NUMBER)
		return a->number == b->number;
	return a->length_bytes == b->length_bytes && (!a->length_bytes || !memcmp(a->bytes, b->bytes, a->length_bytes));
}

static int diff_leaf(struct diff *diff, const struct gim_value *a, const struct gim_value *b)
{
	const bool in_a = a->presence != GIM_ABSENT, in_b = b->presence != GIM_ABSENT;
	const enum gim_change_kind change = (enum gim_change_kind)a->field->change;
	diff->counts->steps++;
	if (in_a == in_b && (!in_a || same_value(a, b)))
		return 0;
	if (change == GIM_CHANGE_FORM)
		return tell(diff, GIM_DIFF_FORM, a, b);
	if (in_a != in_b)
		return tell(diff, gim_value_at_default(in_a ? a : b) ? GIM_DIFF_DEFAULT : in_a ? GIM_DIFF_ONLY_A : GIM_DIFF_ONLY_B, a, b);
	if (change == GIM_CHANGE_CLOCK)
		return tell(diff, a->number < b->number ? GIM_DIFF_CLOCK : GIM_DIFF_BACK, a, b);
	return tell(diff, GIM_DIFF_CHANGED, a, b);
}

/* Does an object hold nothing but defaults? */
static bool is_bare(struct diff *diff, const struct gim_object *object)
{
	for (uint32_t f = 0; f < object->record->field_count; f++) {
		const struct gim_field *field = &object->record->fields[f];
		const uint32_t count = gim_object_count(object, field);
		for (uint32_t i = 0; i < count; i++) {
			if (field->record) {
				const struct gim_object item = gim_object_item(object, field, i);
				if (!is_bare(diff, &item))
					return false;
				continue;
			}
			const struct gim_value value = gim_object_value(object, field, i);
			diff->counts->steps++;
			if (value.presence != GIM_ABSENT && field->change == GIM_CHANGE_GUEST && !gim_value_at_default(&value))
				return false;
		}
	}
	return true;
}

/*
 * Lists. Their items stand for the same thing when their keys are equal, or their indices where there are no keys.
 */
static bool has_keys(const struct gim_record *record)
{
	for (uint32_t f = 0; f < record->field_count; f++)
		if (record->fields[f].key)
			return true;
	return false;
}

static int compare_values(const struct gim_value *a, const struct gim_value *b)
{
	if (a->kind == GIM_VALUE_NUMBER)
		return (a->number > b->number) - (a->number < b->number);
	const size_t shared = a->length_bytes < b->length_bytes ? a->length_bytes : b->length_bytes;
	const int order = shared ? memcmp(a->bytes, b->bytes, shared) : 0;
	return order ? order : (a->length_bytes > b->length_bytes) - (a->length_bytes < b->length_bytes);
}

static int compare_keys(struct diff *diff, const struct gim_object *a, const struct gim_object *b)
{
	int order = 0;
	diff->counts->steps++;
	for (uint32_t f = 0; !order && f < a->record->field_count; f++) {
		const struct gim_field *field = &a->record->fields[f];
		if (!field->key)
			continue;
		const struct gim_value one = gim_object_value(a, field, 0), two = gim_object_value(b, field, 0);
		order = compare_values(&one, &two);
	}
	return order;
}

static void describe_keys(struct diff *diff, const struct gim_object *item)
{
	size_t used = 0;
	for (uint32_t f = 0; f < item->record->field_count && used < sizeof(diff->key); f++) {
		const struct gim_field *field = &item->record->fields[f];
		if (!field->key)
			continue;
		char text[64];
		const struct gim_value value = gim_object_value(item, field, 0);
		(void)gim_value_text(&value, text, sizeof(text));
		used += (size_t)snprintf(diff->key + used, sizeof(diff->key) - used, "%s%s %s", used ? ", " : "", field->name, text);
	}
}

struct entry {
	struct gim_object item;
	uint32_t index;
};

static int compare_entries(const void *one, const void *two, void *user)
{
	const struct entry *a = (const struct entry *)one, *b = (const struct entry *)two;
	const int order = compare_keys((struct diff *)user, &a->item, &b->item);
	return order ? order : (a->index > b->index) - (a->index < b->index);
}

#define NO_ITEM UINT32_MAX

/* Find for each item of b's list the one of a's that is the same thing: of_b[i], and of_a the other way; NO_ITEM where there is none. */
static int match_items(struct diff *diff, const struct gim_object *a, const struct gim_object *b, const struct gim_field *field,
                       uint32_t *of_a, uint32_t *of_b)
{
	const uint32_t count_a = gim_object_count(a, field), count_b = gim_object_count(b, field);
	struct entry *entries = calloc((size_t)count_a + count_b + 1, sizeof(*entries));
	if (!entries)
		return gim_fail(diff->error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	struct entry *entries_b = entries + count_a;
	for (uint32_t i = 0; i < count_a; i++)
		entries[i] = (struct entry){gim_object_item(a, field, i), i};
	for (uint32_t i = 0; i < count_b; i++)
		entries_b[i] = (struct entry){gim_object_item(b, field, i), i};
	qsort_r(entries, count_a, sizeof(*entries), compare_entries, diff);
	qsort_r(entries_b, count_b, sizeof(*entries), compare_entries, diff);
	for (uint32_t i = 0, j = 0; i < count_a && j < count_b;) {
		const int order = compare_keys(diff, &entries[i].item, &entries_b[j].item);
		if (!order) {
			of_a[entries[i].index] = entries_b[j].index;
			of_b[entries_b[j].index] = entries[i].index;
		}
		i += order <= 0;
		j += order >= 0;
	}
	free(entries);
	return 0;
}

/* The same by index. */
static void match_indices(uint32_t count_a, uint32_t count_b, uint32_t *of_a, uint32_t *of_b)
{
	for (uint32_t i = 0; i < count_a && i < count_b; i++)
		of_a[i] = of_b[i] = i;
}

static bool in_other_order(const uint32_t *of_a, uint32_t count)
{
	uint32_t last = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (of_a[i] == NO_ITEM)
			continue;
		if (of_a[i] < last)
			return true;
		last = of_a[i];
	}
	return false;
}

static int diff_object(struct diff *diff, const struct gim_object *a, const struct gim_object *b, size_t used);

/* An item that only one of the lists has. */
static int diff_lonely(struct diff *diff, const struct gim_object *item, bool is_b)
{
	const bool bare = !has_keys(item->record) && is_bare(diff, item);
	return tell(diff, bare ? GIM_DIFF_DEFAULT : is_b ? GIM_DIFF_ONLY_B : GIM_DIFF_ONLY_A, NULL, NULL);
}

static int diff_items(struct diff *diff, const struct gim_object *a, const struct gim_object *b, const struct gim_field *field, size_t used,
                      const uint32_t *of_a, const uint32_t *of_b)
{
	const uint32_t count_a = gim_object_count(a, field), count_b = gim_object_count(b, field);
	int result = 0;
	for (uint32_t i = 0; !result && i < count_a; i++) {
		const struct gim_object item = gim_object_item(a, field, i);
		const size_t length = append_index(diff, used, i);
		describe_keys(diff, &item);
		if (of_a[i] == NO_ITEM) {
			result = diff_lonely(diff, &item, false);
		} else {
			const struct gim_object other = gim_object_item(b, field, of_a[i]);
			result = diff_object(diff, &item, &other, length);
		}
	}
	for (uint32_t i = 0; !result && i < count_b; i++) {
		if (of_b[i] != NO_ITEM)
			continue;
		const struct gim_object item = gim_object_item(b, field, i);
		(void)append_index(diff, used, i);
		describe_keys(diff, &item);
		result = diff_lonely(diff, &item, true);
	}
	diff->key[0] = '\0';
	return result;
}

static int diff_list(struct diff *diff, const struct gim_object *a, const struct gim_object *b, const struct gim_field *field, size_t used)
{
	const uint32_t count_a = gim_object_count(a, field), count_b = gim_object_count(b, field);
	uint32_t *of_a = malloc(((size_t)count_a + count_b + 1) * sizeof(*of_a));
	if (!of_a)
		return gim_fail(diff->error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	uint32_t *of_b = of_a + count_a;
	memset(of_a, 0xff, ((size_t)count_a + count_b) * sizeof(*of_a));
	int result = 0;
	if (!has_keys(field->record))
		match_indices(count_a, count_b, of_a, of_b);
	else
		result = match_items(diff, a, b, field, of_a, of_b);
	if (!result && in_other_order(of_a, count_a))
		result = tell(diff, GIM_DIFF_ORDER, NULL, NULL);
	if (!result)
		result = diff_items(diff, a, b, field, used, of_a, of_b);
	free(of_a);
	return result;
}

static int diff_field(struct diff *diff, const struct gim_object *a, const struct gim_object *b, const struct gim_field *field, size_t used)
{
	int result = 0;
	used = append(diff, used, ".", field->name);
	if (field->kind == GIM_LIST)
		return diff_list(diff, a, b, field, used);
	for (uint32_t i = 0; !result && i < gim_object_count(a, field); i++) {
		const size_t length = field->count ? append_index(diff, used, i) : used;
		if (field->record) {
			const struct gim_object one = gim_object_item(a, field, i), two = gim_object_item(b, field, i);
			result = diff_object(diff, &one, &two, length);
		} else {
			const struct gim_value one = gim_object_value(a, field, i), two = gim_object_value(b, field, i);
			result = diff_leaf(diff, &one, &two);
		}
	}
	return result;
}

static int diff_object(struct diff *diff, const struct gim_object *a, const struct gim_object *b, size_t used)
{
	int result = 0;
	for (uint32_t f = 0; !result && f < a->record->field_count; f++)
		result = diff_field(diff, a, b, &a->record->fields[f], used);
	return result;
}

/* Is the record a provider's? */
static bool is_interface(const struct gim_record *record)
{
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		if ((*each)->record == record)
			return true;
	return false;
}

/* A top record; a state that says nothing of it has no object. */
static int diff_record(struct diff *diff, const struct gim_record *record, const struct gim_object *a, const struct gim_object *b)
{
	diff->path[0] = '\0';
	diff->key[0] = '\0';
	const size_t used = append(diff, 0, "", record->name);
	if (a && b)
		return diff_object(diff, a, b, used);
	if (!is_interface(record))
		return tell(diff, GIM_DIFF_APART, NULL, NULL);
	return tell(diff, a ? GIM_DIFF_ONLY_A : GIM_DIFF_ONLY_B, NULL, NULL);
}

static int no_leaf(void *user, const char *path, const struct gim_value *value)
{
	(void)user, (void)path, (void)value;
	return 0;
}

/* Either state may have a longer list than the other, so that a path is right when one of them has it. */
static int check_path(const struct gim_state *a, const struct gim_state *b, const char *path, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	const int result = gim_state_visit(a, path, no_leaf, NULL, &own);
	if (!result || !gim_state_visit(b, path, no_leaf, NULL, NULL))
		return 0;
	(void)gim_fail_as(error, &own);
	return result;
}

int gim_state_diff(const struct gim_state *a, const struct gim_state *b, const struct gim_diff_options *options, gim_difference_fn *visit,
                   void *user, struct gim_diff_counts *counts, struct gim_error *error)
{
	struct gim_diff_counts own = {.steps = 0};
	struct diff diff = {.visit = visit, .user = user, .counts = &own, .error = error};
	if (options)
		diff.options = *options;
	int result = diff.options.path ? check_path(a, b, diff.options.path, error) : 0;
	for (size_t i = 0; !result && i < a->object_count; i++)
		result = diff_record(&diff, a->objects[i].record, &a->objects[i], gim_state_find(b, a->objects[i].record));
	for (size_t i = 0; !result && i < b->object_count; i++)
		if (!gim_state_find(a, b->objects[i].record))
			result = diff_record(&diff, b->objects[i].record, NULL, &b->objects[i]);
	if (result)
		return result;
	if (counts)
		*counts = own;
	return diff.differs;
}
