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

/* Appends ", name", or "..." once and for all where it does not fit. */
static void append_name(char *text, size_t size, const char *name)
{
	const size_t used = strlen(text), ellipsis = sizeof(", ...");
	if (used + strlen(name) + ellipsis + 2 <= size)
		(void)snprintf(text + used, size - used, "%s%s", used ? ", " : "", name);
	else if (used + ellipsis <= size && (used < 3 || strcmp(text + used - 3, "...") != 0))
		(void)snprintf(text + used, size - used, ", ...");
}

void gim_field_names(const struct gim_field *field, char *text, size_t size)
{
	for (const struct gim_name *name = field->names; name && name->name; name++)
		append_name(text, size, name->name);
	for (const struct gim_bit *bit = field->bits; bit && bit->name; bit++)
		if (bit->width == 1)
			append_name(text, size, bit->name);
}

void gim_field_takes(const struct gim_field *field, char *text, size_t size)
{
	(void)snprintf(text, size, "%s0x%" PRIx64, field->show == GIM_BOOL ? "true, false or a number up to " : "0 to ",
	               gim_number_largest(field->width));
	gim_field_names(field, text, size);
}
