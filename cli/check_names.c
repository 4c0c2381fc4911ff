/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hash table with open addressing, at most half full. */
#include "check_names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The capacity is a power of two. */
void *check_array_grow(void *array, size_t count, size_t item_bytes)
{
	return count & (count - 1) ? array : realloc(array, (count ? 2 * count : 1) * item_bytes);
}

static size_t slot_of(const struct check_names *names, const char *name)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (const char *at = name; *at; at++)
		sum = (sum ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
	size_t slot = (size_t)(sum ^ sum >> 32) & (names->slot_count - 1);
	while (names->slots[slot] && strcmp(names->texts[names->slots[slot] - 1], name) != 0)
		slot = (slot + 1) & (names->slot_count - 1);
	return slot;
}

static bool widen(struct check_names *names)
{
	const size_t count = names->slot_count ? 2 * names->slot_count : 64;
	uint32_t *slots = calloc(count, sizeof(*slots));
	if (!slots)
		return false;
	free(names->slots);
	names->slots = slots;
	names->slot_count = count;
	for (size_t i = 0; i < names->count; i++)
		names->slots[slot_of(names, names->texts[i])] = (uint32_t)i + 1;
	return true;
}

size_t check_names_number(struct check_names *names, const char *name)
{
	if (names->count == UINT32_MAX - 1 || (2 * (names->count + 1) > names->slot_count && !widen(names)))
		return CHECK_NO_NAME;
	const size_t slot = slot_of(names, name);
	if (names->slots[slot])
		return names->slots[slot] - 1;
	char **texts = check_array_grow(names->texts, names->count, sizeof(*texts)), *own = texts ? strdup(name) : NULL;
	names->texts = texts ? texts : names->texts;
	if (!own)
		return CHECK_NO_NAME;
	names->texts[names->count++] = own;
	names->slots[slot] = (uint32_t)names->count;
	return names->count - 1;
}

void check_names_free(struct check_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->texts[i]);
	free(names->texts);
	free(names->slots);
	*names = (struct check_names){.count = 0};
}
