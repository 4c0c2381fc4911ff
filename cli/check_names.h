/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names with numbers in the order of their first use, of which there may be many; and arrays that grow one by one. */
#ifndef CHECK_NAMES_H
#define CHECK_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct check_names {
	char **texts; /* by number */
	size_t count;
	uint32_t *slots; /* of a hash table: 0, or a number plus 1 */
	size_t slot_count;
};

#define CHECK_NO_NAME SIZE_MAX

/* The name's number, a new one at its first use; CHECK_NO_NAME: out of memory. */
size_t check_names_number(struct check_names *names, const char *name);
void check_names_free(struct check_names *names);

/* The array of `count` items with room for one more; NULL: out of memory, and the array is as it was. It must have grown by this alone. */
void *check_array_grow(void *array, size_t count, size_t item_bytes);

#endif
