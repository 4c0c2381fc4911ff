/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Features: the CPUID words that the guest was shown, the MSRs that it uses, and whether the target opens them. All of it goes by the
 * providers' rows. */
#include "check.h"
#include "check_judges.h"

#include "machine.h"
#include "machine_parts.h"
#include "visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint32_t word_at(const struct gim_object *object, uint32_t offset)
{
	return (uint32_t)gim_number_load(object->data + offset, sizeof(uint32_t));
}

/* The names of a word's bits. */
static void name_bits(const struct gim_object *object, uint32_t offset, uint32_t bits, char *text, size_t size)
{
	const struct gim_field *field = gim_record_leaf(object->record, offset);
	const struct gim_value value = {.field = field, .presence = GIM_STORED, .kind = GIM_VALUE_NUMBER, .width_bytes = 4, .number = bits};
	(void)gim_value_meaning(&value, text, size);
}

/* Bits of a word that the target's release did not offer yet. */
static uint32_t offered_later(const struct gim_judging *judging, const struct gim_provider *provider, const struct gim_cpuid_row *row)
{
	uint32_t bits = 0;
	for (const struct gim_layout *const *each = provider->layouts; each && *each; each++)
		for (const struct gim_offer *offer = (*each)->offers; offer && offer->bits && gim_judging_is(judging, (*each)->format);
		     offer++)
			if (offer->record == row->record && offer->offset == row->offset &&
			    gim_target_before(judging->target, offer->major, offer->minor))
				bits |= offer->bits;
	return bits;
}

static void judge_interface_words(struct gim_judging *judging, const struct gim_provider *provider, const struct gim_object *own_object)
{
	(void)own_object;
	for (const struct gim_cpuid_row *row = provider->cpuid; row && row->leaf; row++) {
		const struct gim_object *object = gim_state_find(judging->state, row->record);
		const struct gim_object *target = gim_state_find(&judging->target->state, row->record);
		char path[128], names[256];
		if (!object || !object->presence[row->offset])
			continue;
		const uint32_t own = word_at(object, row->offset);
		const uint32_t missing = target && target->presence[row->offset] ? own & ~word_at(target, row->offset)
		                                                                 : own & offered_later(judging, provider, row);
		if (!missing)
			continue;
		gim_object_path(object, row->offset, path, sizeof(path));
		name_bits(object, row->offset, missing, names, sizeof(names));
		gim_judge(judging, GIM_NO_UNIT, path, "the guest was shown what the target does not offer: %s", names);
	}
}

void gim_judge_words(struct gim_judging *judging)
{
	gim_judging_interfaces(judging, judge_interface_words);
}

static bool serves_msr(const struct gim_list *list, uint32_t number)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (((const struct profile_msr *)list->items)[i].number == number)
			return true;
	return false;
}

/* Do the words of an object show the bits that open an MSR? */
static bool opens(const struct gim_object *object, const struct gim_msr_row *row)
{
	for (size_t g = 0; g < sizeof(row->gate) / sizeof(row->gate[0]); g++) {
		const struct gim_gate *gate = &row->gate[g];
		if (!gate->mask || !object || !object->presence[gate->offset])
			continue;
		if ((gim_number_load(object->data + gate->offset, sizeof(uint32_t)) & gate->mask) != gate->mask)
			return false;
	}
	return true;
}

/* Goes through the MSRs that the guest uses, those whose members are not at their reset values, each once. */
struct use {
	struct gim_judging *judging;
	const struct gim_provider *provider;
	const struct gim_object *own; /* the provider's, of the state */
	void (*judge)(struct use *use, const struct gim_msr_row *row, uint32_t index, const char *path);
};

static bool use_member(struct use *use, const struct gim_object *object, const char *prefix, const struct gim_msr_row *row)
{
	bool used = false;
	const uint32_t count = row->count ? row->count : 1;
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t offset = row->offset + i * (row->step ? row->step : row->width);
		const struct gim_field *field = gim_record_leaf(object->record, offset);
		char leaf[128], path[192];
		if (!field || field->kind > GIM_U64 || object->presence[offset] == GIM_ABSENT ||
		    gim_number_load(object->data + offset, field->width) == field->reset)
			continue;
		gim_object_path(object, offset, leaf, sizeof(leaf));
		(void)snprintf(path, sizeof(path), "%s%s", prefix, *prefix ? strchr(leaf, '.') : leaf);
		use->judge(use, row, i, path);
		used = true;
	}
	return used;
}

/* Of a vCPU's MSRs the first vCPU that uses one stands for all. */
static void use_vcpus(struct use *use, const struct gim_msr_row *row)
{
	const struct gim_runtime *runtime = use->provider->runtime;
	const struct gim_field *field = gim_record_field(use->own->record, runtime->list_offset);
	for (uint32_t v = 0; v < gim_object_count(use->own, field); v++) {
		const struct gim_object item = gim_object_item(use->own, field, v);
		char prefix[64];
		(void)snprintf(prefix, sizeof(prefix), "%s.%s[%" PRIu32 "]", use->own->record->name, field->name, v);
		if (use_member(use, &item, prefix, row))
			return;
	}
}

/* One register may have several numbers, as KVM's clock has. */
static bool is_same(const struct gim_msr_row *one, const struct gim_msr_row *two)
{
	return one->record == two->record && one->offset == two->offset;
}

typedef void judge_use_fn(struct use *use, const struct gim_msr_row *row, uint32_t index, const char *path);

static void use_msrs(struct gim_judging *judging, const struct gim_provider *provider, const struct gim_object *own, judge_use_fn *judge)
{
	struct use use = {judging, provider, own, judge};
	for (const struct gim_msr_row *row = provider->runtime ? provider->runtime->msrs : NULL; row && row->name; row++) {
		bool again = !row->record;
		for (const struct gim_msr_row *before = provider->runtime->msrs; before < row; before++)
			again |= is_same(before, row);
		if (again)
			continue;
		if (row->flags & GIM_MSR_VCPU)
			use_vcpus(&use, row);
		else
			(void)use_member(&use, own, "", row);
	}
}

static uint32_t msr_number(const struct gim_msr_row *row, uint32_t index)
{
	return row->first + index * (row->stride ? row->stride : 1);
}

/* VirtualBox serves MSRs that it does not show; nobody else does. */
static bool is_open(const struct gim_judging *judging, const struct gim_msr_row *row, const struct gim_object *words_of)
{
	return (gim_judging_is(judging, "vbox") && row->flags & GIM_MSR_VBOX) || opens(words_of, row);
}

static bool is_served(const struct use *use, const struct gim_msr_row *row, uint32_t index, bool *has_number)
{
	const struct gim_list *served = &gim_target_profile(use->judging->target)->msr;
	const struct gim_object *wanted = gim_state_find(&use->judging->target->state, use->own->record);
	*has_number = !served->count;
	for (const struct gim_msr_row *other = use->provider->runtime->msrs; other->name; other++) {
		if (!is_same(row, other) || (served->count && !serves_msr(served, msr_number(other, index))))
			continue;
		*has_number = true;
		if (is_open(use->judging, other, wanted))
			return true;
	}
	return false;
}

/* The same producer also has what it did not show. */
static bool has_hidden(const struct use *use, const struct gim_msr_row *row)
{
	const struct gim_text *wanted = &gim_target_profile(use->judging->target)->hypervisor;
	const char *own = gim_judging_hypervisor(use->judging->state);
	return !opens(use->own, row) && own && strlen(own) == wanted->length && !memcmp(own, wanted->bytes, wanted->length);
}

static void judge_used_msr(struct use *use, const struct gim_msr_row *row, uint32_t index, const char *path)
{
	char name[64];
	bool has_number;
	if (is_served(use, row, index, &has_number) || (has_number && has_hidden(use, row)))
		return;
	gim_msr_name(&(const struct gim_msr_entry){.row = row, .index = index}, name, sizeof(name));
	gim_judge(use->judging, GIM_NO_UNIT, path, "the guest uses %s (MSR 0x%08" PRIx32 "), which %s", name, msr_number(row, index),
	          has_number ? "the target's CPUID words do not open" : "the target does not have");
}

static void judge_interface_used(struct gim_judging *judging, const struct gim_provider *provider, const struct gim_object *own)
{
	use_msrs(judging, provider, own, judge_used_msr);
}

void gim_judge_used(struct gim_judging *judging)
{
	gim_judging_interfaces(judging, judge_interface_used);
}

static void judge_hidden_msr(struct use *use, const struct gim_msr_row *row, uint32_t index, const char *path)
{
	char name[64];
	if (opens(use->own, row))
		return;
	gim_msr_name(&(const struct gim_msr_entry){.row = row, .index = index}, name, sizeof(name));
	gim_judge(use->judging, GIM_NO_UNIT, path,
	          "the guest uses %s (MSR 0x%08" PRIx32 "), which the CPUID words that it was shown do not open", name,
	          msr_number(row, index));
}

static void judge_interface_hidden(struct gim_judging *judging, const struct gim_provider *provider, const struct gim_object *own)
{
	use_msrs(judging, provider, own, judge_hidden_msr);
}

void gim_judge_hidden(struct gim_judging *judging)
{
	gim_judging_interfaces(judging, judge_interface_hidden);
}
