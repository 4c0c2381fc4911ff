/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values for people: the value itself, and what it means. */
#include "value.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Appends to a text that may be too small, and counts what the whole would need, as snprintf does. */
struct writer {
	char *text;
	size_t size, length;
};

static void put(struct writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct writer *writer, const char *format, ...)
{
	size_t room = writer->length < writer->size ? writer->size - writer->length : 0;
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(room ? writer->text + writer->length : NULL, room, format, arguments);
	va_end(arguments);
	if (length > 0)
		writer->length += (size_t)length;
}

/* Quoted, with everything that is not printable ASCII escaped: the terminal never sees a byte of the input that could steer it. */
static void put_string(struct writer *writer, const char *bytes, size_t length)
{
	put(writer, "\"");
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)bytes[i];
		if (byte == '"' || byte == '\\')
			put(writer, "\\%c", byte);
		else if (byte >= 0x20 && byte < 0x7f)
			put(writer, "%c", byte);
		else
			put(writer, "\\x%02x", byte);
	}
	put(writer, "\"");
}

/* Long byte strings are shown by their beginning; extract gives the whole. */
enum { BYTES_SHOWN = 32 };

static void put_bytes(struct writer *writer, const char *bytes, size_t length)
{
	if (!length)
		put(writer, "none");
	for (size_t i = 0; i < length && i < BYTES_SHOWN; i++)
		put(writer, "%02x", (unsigned char)bytes[i]);
	if (length > BYTES_SHOWN)
		put(writer, "… (%zu bytes)", length);
}

size_t gim_value_text(const struct gim_value *value, char *text, size_t size_bytes)
{
	struct writer writer = {text, size_bytes, 0};
	const struct gim_field *field = value->field;
	const struct gim_name *name = NULL;
	if (size_bytes)
		text[0] = '\0';
	if (value->presence == GIM_ABSENT) {
		put(&writer, "absent");
	} else if (value->kind == GIM_VALUE_BYTES) {
		if (field->show == GIM_STRING)
			put_string(&writer, value->bytes, value->length_bytes);
		else if (field->show == GIM_PNG)
			put(&writer, "(%zu bytes)", value->length_bytes);
		else
			put_bytes(&writer, value->bytes, value->length_bytes);
	} else {
		switch ((enum gim_show)field->show) {
		case GIM_BOOL:
			if (value->number > 1)
				put(&writer, "%" PRIu64, value->number);
			else
				put(&writer, "%s", value->number ? "true" : "false");
			break;
		case GIM_ENUM:
			name = gim_name_of(field->names, value->number);
			if (name)
				put(&writer, "%s", name->name);
			else
				put(&writer, "%" PRIu64, value->number);
			break;
		case GIM_DEC:
		case GIM_NS:
		case GIM_HZ:
		case GIM_SIZE:
			put(&writer, "%" PRIu64, value->number);
			break;
		default:
			put(&writer, "0x%" PRIx64, value->number);
		}
	}
	return writer.length;
}

static uint64_t bit_mask(const struct gim_bit *bit)
{
	uint64_t ones = bit->width >= 64 ? UINT64_MAX : (UINT64_C(1) << bit->width) - 1;
	return ones << bit->low;
}

static void put_bits(struct writer *writer, const struct gim_bit *bits, uint64_t value)
{
	uint64_t known = 0;
	for (const struct gim_bit *bit = bits; bit->name; bit++) {
		uint64_t mask = bit_mask(bit), part = value & mask;
		uint64_t number = bit->in_place ? part : part >> bit->low;
		known |= mask;
		const struct gim_name *name = gim_name_of(bit->names, number);
		const char *space = writer->length ? ", " : "";
		if (name)
			put(writer, "%s%s %s", space, bit->name, name->name);
		else if (bit->width == 1 && part)
			put(writer, "%s%s", space, bit->name);
		else if (bit->width > 1 && part)
			put(writer, "%s%s 0x%" PRIx64, space, bit->name, number);
	}
	if (value & ~known)
		put(writer, "%sUNKNOWN 0x%" PRIx64, writer->length ? ", " : "", value & ~known);
}

/* A number with a unit that suits its size: three digits after the point, as many as matter. */
static void put_scaled(struct writer *writer, uint64_t value, const char *const *units, unsigned count, unsigned step)
{
	unsigned unit = 0;
	double number = (double)value;
	for (; unit + 1 < count && number >= step; unit++)
		number /= step;
	if (unit)
		put(writer, "%.6g %s", number, units[unit]);
}

static void put_number_meaning(struct writer *writer, const struct gim_field *field, uint64_t number)
{
	static const char *const times[] = {"ns", "us", "ms", "s"};
	static const char *const frequencies[] = {"Hz", "kHz", "MHz", "GHz"};
	static const char *const sizes[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	const struct gim_name *name = gim_name_of(field->names, number);
	switch ((enum gim_show)field->show) {
	case GIM_ADDRESS:
		if (number == UINT64_MAX)
			put(writer, "none");
		break;
	case GIM_NS:
		put_scaled(writer, number, times, 4, 1000);
		break;
	case GIM_HZ:
		put_scaled(writer, number, frequencies, 4, 1000);
		break;
	case GIM_SIZE:
		put_scaled(writer, number, sizes, 5, 1024);
		break;
	case GIM_IP4:
		put(writer, "%u.%u.%u.%u", (unsigned)number & 255, (unsigned)(number >> 8) & 255, (unsigned)(number >> 16) & 255,
		    (unsigned)(number >> 24) & 255);
		break;
	case GIM_PORT:
		put(writer, "port %u", ((unsigned)number & 255) << 8 | ((unsigned)number >> 8 & 255));
		break;
	case GIM_ENUM:
		if (!name)
			put(writer, "UNKNOWN");
		else if (name->help)
			put(writer, "%s", name->help);
		break;
	case GIM_BOOL:
		if (number > 1)
			put(writer, "UNKNOWN, neither 0 nor 1");
		break;
	default:
		if (name)
			put(writer, "%s", name->name);
	}
}

static void put_meaning(struct writer *writer, const struct gim_value *value)
{
	const struct gim_field *field = value->field;
	if (field->explain) {
		char explained[256];
		field->explain(value->number, explained, sizeof(explained));
		put(writer, "%s", explained);
	} else if (field->bits) {
		put_bits(writer, field->bits, value->number);
	} else {
		put_number_meaning(writer, field, value->number);
	}
}

size_t gim_value_meaning(const struct gim_value *value, char *text, size_t size_bytes)
{
	struct writer writer = {text, size_bytes, 0};
	if (size_bytes)
		text[0] = '\0';
	if (value->presence == GIM_ABSENT || value->kind == GIM_VALUE_BYTES)
		return 0;
	if (value->presence == GIM_IMPLIED) {
		char more[512];
		struct writer after = {more, sizeof(more), 0};
		more[0] = '\0';
		put_meaning(&after, value);
		put(&writer, "implied%s%s", *more ? ", " : "", more);
	} else {
		put_meaning(&writer, value);
	}
	return writer.length;
}
