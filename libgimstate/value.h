/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The values that a field takes, and their names. */
#ifndef GIM_VALUE_H
#define GIM_VALUE_H

#include "field.h"

/* The name of a value, and the value or the single bit of a name; names and bits may be NULL, and NULL is returned when there is none. */
const struct gim_name *gim_name_of(const struct gim_name *names, uint64_t value);
const struct gim_name *gim_name_find(const struct gim_name *names, const char *text, size_t length);
const struct gim_bit *gim_bit_find(const struct gim_bit *bits, const char *text, size_t length);

/* The largest number of width_bytes bytes. */
uint64_t gim_number_largest(unsigned width_bytes);

/* Append the names that a number field takes to a text, for people; "..." stands for those that do not fit. */
void gim_field_names(const struct gim_field *field, char *text, size_t size);

/* What a number field takes: its range and its names. */
void gim_field_takes(const struct gim_field *field, char *text, size_t size);

#endif
