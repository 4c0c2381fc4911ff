/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes numbers in sections, adding subsections where QEMU would write them and taking them out where it would not. */
#include "error.h"
#include "qemu/decode.h"
#include "qemu/schema.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_number(uint8_t *bytes, unsigned width, uint64_t number)
{
	for (unsigned i = width; i-- > 0; number >>= 8)
		bytes[i] = (uint8_t)number;
}

int qemu_loaded_splice(struct qemu_loaded *loaded, size_t at, size_t size, const uint8_t *bytes, size_t new_size, struct gim_error *error)
{
	uint8_t *made = malloc(loaded->size - size + new_size + 1);
	if (!made)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	memcpy(made, loaded->bytes, at);
	if (new_size)
		memcpy(made + at, bytes, new_size);
	memcpy(made + at + new_size, loaded->bytes + at + size, loaded->size - at - size);
	free(loaded->bytes);
	loaded->bytes = made;
	loaded->size += new_size - size;
	loaded->changed = true;
	return qemu_loaded_split(loaded, error);
}

/* Where QEMU would write this subsection: before the first of those that follow it in its table. */
static size_t place_for(const struct qemu_loaded *loaded, const struct qemu_vmsd *table, uint32_t index)
{
	for (size_t i = 1; i < loaded->part_count; i++) {
		uint32_t other;
		if (qemu_subsection_find(table, loaded->parts[i].vmsd->name, &other) && other > index)
			return (size_t)loaded->parts[i].head;
	}
	return loaded->used;
}

static void put_default(struct gim_buffer *buffer, const struct qemu_vmsd *subsection)
{
	for (uint32_t f = 0; f < subsection->field_count; f++)
		for (uint32_t i = 0; i < subsection->fields[f].count; i++)
			gim_buffer_number(buffer, qemu_schema_default(subsection->name), (unsigned)subsection->fields[f].size);
}

static int add_subsection(struct qemu_loaded *loaded, const struct qemu_vmsd *table, uint32_t index, struct gim_error *error)
{
	const struct qemu_vmsd *subsection = &table->subsections[index];
	struct gim_buffer made = {.big = true};
	if (loaded->used != loaded->size)
		return gim_fail(
		    error, GIM_E_UNSUPPORTED, loaded->section->offset,
		    "section %s/%u ends in %zu bytes that are not known, so that no subsection is added behind them: what it has "
		    "can be changed",
		    loaded->section->name, loaded->section->instance, loaded->size - loaded->used);
	gim_buffer_number(&made, QEMU_SUBSECTION_MARK, 1);
	gim_buffer_number(&made, strlen(subsection->name), 1);
	gim_buffer_bytes(&made, subsection->name, strlen(subsection->name));
	gim_buffer_number(&made, subsection->version, 4);
	put_default(&made, subsection);
	int result = made.failed ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory")
	                         : qemu_loaded_splice(loaded, place_for(loaded, table, index), 0, made.bytes, made.size, error);
	gim_buffer_free(&made);
	return result;
}

/* Does a subsection hold what it would be left out for? Of another shape than ours it is another one, and one with others inside says something. */
static bool says_nothing(const struct qemu_loaded *loaded, const struct qemu_part *part, const struct qemu_vmsd *known)
{
	struct gim_buffer plain = {.big = true};
	put_default(&plain, known);
	const bool nothing = !plain.failed && plain.size == part->size && !part->vmsd->subsection_count &&
	                     !memcmp(plain.bytes, loaded->bytes + part->offset, plain.size);
	gim_buffer_free(&plain);
	return nothing;
}

/* QEMU leaves a subsection out that says nothing. */
static int drop_default(struct qemu_loaded *loaded, size_t at, struct gim_error *error)
{
	const struct qemu_vmsd *table = qemu_schema_newest(loaded->section->name);
	for (size_t i = 1; table && i < loaded->part_count; i++) {
		const struct qemu_part *part = &loaded->parts[i];
		uint32_t index;
		if (at < part->offset || at >= part->offset + part->size || !qemu_subsection_find(table, part->vmsd->name, &index))
			continue;
		return says_nothing(loaded, part, &table->subsections[index])
		           ? qemu_loaded_splice(loaded, (size_t)part->head, (size_t)(part->offset + part->size - part->head), NULL, 0,
		                                error)
		           : 0;
	}
	return 0;
}

static int patch(const struct qemu_place *place, const char *name, uint64_t number, struct gim_error *error)
{
	if (place->width < 8 && number >> (8 * place->width))
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "0x%llx does not fit into the %u bytes of %s: at most 0x%llx is possible",
		                (unsigned long long)number, place->width, name, (1ULL << (8 * place->width)) - 1);
	put_number(place->loaded->bytes + place->at, place->width, number);
	place->loaded->changed = true;
	return drop_default(place->loaded, place->at, error);
}

static int put_one(struct qemu_items *items, const char *name, uint32_t instance, uint32_t index, uint64_t number, struct gim_error *error)
{
	struct qemu_place place;
	int result = qemu_items_locate(items, name, instance, index, &place, error);
	if (!result && place.presence == GIM_ABSENT)
		result = qemu_items_add(items, name, error);
	if (result > 0)
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "the stream has no place for %s", name);
	if (!result && place.presence == GIM_ABSENT)
		result = qemu_items_locate(items, name, instance, index, &place, error);
	assert(result || place.presence); /* what was added has a place for what it was added for */
	if (result || number == place.number)
		return result;
	if (place.presence == GIM_IMPLIED) {
		const struct qemu_section *section = place.loaded->section;
		result = add_subsection(place.loaded, qemu_schema_newest(section->name), place.subsection, error);
		if (!result)
			result = qemu_items_locate(items, name, instance, index, &place, error);
		if (!result && place.presence != GIM_STORED)
			return gim_fail(error, GIM_E_UNSUPPORTED, section->offset,
			                "the stream describes section %s/%u otherwise than it is known, so that %s cannot be added to it",
			                section->name, section->instance, name);
	}
	return result ? result : patch(&place, name, number, error);
}

int qemu_items_put(void *user, const char *name, uint32_t instance, uint32_t index, uint64_t number, struct gim_error *error)
{
	struct qemu_items *items = user;
	struct qemu_place first;
	if (instance != GIM_ITEM_ALL)
		return put_one(items, name, instance, index, number, error);
	int result = qemu_items_locate(items, name, 0, index, &first, error);
	if (result || (first.presence && first.number == number))
		return result; /* where vCPUs differ and nothing is changed, they go on differing */
	char section[64];
	(void)snprintf(section, sizeof(section), "%.*s", (int)strcspn(name, ":"), name);
	const uint32_t count = qemu_items_count(items, section);
	if (!count)
		return put_one(items, name, 0, index, number, error);
	for (uint32_t i = 0; !result && i < count; i++)
		result = put_one(items, name, i, index, number, error);
	return result;
}

static uint64_t default_at(const struct qemu_place *place)
{
	const struct qemu_part *parts = place->loaded->parts;
	size_t at = place->loaded->part_count;
	while (at-- > 1)
		if (place->at >= parts[at].offset && place->at < parts[at].offset + parts[at].size)
			return qemu_schema_default(parts[at].vmsd->name);
	return 0;
}

int qemu_items_omit(void *user, const char *name, uint32_t instance, uint32_t index, struct gim_error *error)
{
	struct qemu_place place;
	int result = qemu_items_locate(user, name, instance == GIM_ITEM_ALL ? 0 : instance, index, &place, error);
	return result || place.presence != GIM_STORED ? result : qemu_items_put(user, name, instance, index, default_at(&place), error);
}
