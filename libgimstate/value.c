/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of values and bits, both ways, and what a field takes. */
#include "value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct gim_name *gim_name_of(const struct gim_name *names, uint64_t value)
{
	for (; names && names->name; names++)
		if (names->value == value)
			return names;
	return NULL;
}

const struct gim_name *gim_name_find(const struct gim_name *names, const char *text, size_t length)
{
	for (; names && names->name; names++)
		if (strlen(names->name) == length && !memcmp(names->name, text, length))
			return names;
	return NULL;
}

const struct gim_bit *gim_bit_find(const struct gim_bit *bits, const char *text, size_t length)
{
	for (; bits && bits->name; bits++)
		if (bits->width == 1 && strlen(bits->name) == length && !memcmp(bits->name, text, length))
			return bits;
	return NULL;
}

uint64_t gim_number_largest(unsigned width_bytes)
{
	return width_bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width_bytes) - 1;
}

void gim_field_takes(const struct gim_field *field, char *text, size_t size)
{
	const uint64_t largest = gim_number_largest(field->width);
	size_t used = (size_t)snprintf(text, size, "0 to 0x%" PRIx64, largest);
	if (field->show == GIM_BOOL)
		used = (size_t)snprintf(text, size, "true, false or a number up to 0x%" PRIx64, largest);
	for (const struct gim_name *name = field->names; name && name->name && used < size; name++)
		used += (size_t)snprintf(text + used, size - used, ", %s", name->name);
	for (const struct gim_bit *bit = field->bits; bit && bit->name && used < size; bit++)
		if (bit->width == 1)
			used += (size_t)snprintf(text + used, size - used, ", %s", bit->name);
}
