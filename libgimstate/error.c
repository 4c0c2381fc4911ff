/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The error object: first failure wins, nothing is allocated. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int code;
	const char *name;
} code_names[] = {
    {GIM_OK, "ok"},
    {GIM_E_ARGUMENT, "argument"},
    {GIM_E_PATH, "path"},
    {GIM_E_VALUE, "value"},
    {GIM_E_NO_UNIT, "no-unit"},
    {GIM_E_UNSUPPORTED, "unsupported"},
    {GIM_E_FORMAT, "format"},
    {GIM_E_VERSION, "version"},
    {GIM_E_TRUNCATED, "truncated"},
    {GIM_E_CORRUPT, "corrupt"},
    {GIM_E_LIMIT, "limit"},
    {GIM_E_IO, "io"},
    {GIM_E_MEMORY, "memory"},
    {GIM_E_STOPPED, "stopped"},
};

const char *gim_code_name(int code)
{
	for (size_t i = 0; i < sizeof(code_names) / sizeof(code_names[0]); i++)
		if (code_names[i].code == code)
			return code_names[i].name;
	return "unknown";
}

static void fill(struct gim_error *error, int code, uint64_t offset, const char *format, va_list arguments)
    __attribute__((format(printf, 4, 0)));

static void fill(struct gim_error *error, int code, uint64_t offset, const char *format, va_list arguments)
{
	error->code = code;
	error->rule = NULL;
	error->offset = offset;
	error->payload_offset = GIM_UNKNOWN;
	error->unit[0] = '\0';
	error->path[0] = '\0';
	(void)vsnprintf(error->text, sizeof(error->text), format, arguments);
}

int gim_fail(struct gim_error *error, int code, uint64_t offset, const char *format, ...)
{
	if (error && !error->code) {
		va_list arguments;
		va_start(arguments, format);
		fill(error, code, offset, format, arguments);
		va_end(arguments);
	}
	return code;
}

int gim_fail_rule(struct gim_error *error, const struct gim_rule *rule, uint64_t offset, const char *format, ...)
{
	if (error && !error->code) {
		va_list arguments;
		va_start(arguments, format);
		fill(error, rule->code, offset, format, arguments);
		va_end(arguments);
		error->rule = rule;
	}
	return rule->code;
}

bool gim_is_world(int code)
{
	return code == GIM_E_IO || code == GIM_E_MEMORY;
}

int gim_fail_as(struct gim_error *error, const struct gim_error *own)
{
	if (error && !error->code)
		*error = *own;
	return own->code;
}

int gim_fail_errno(struct gim_error *error, const char *format, ...)
{
	int reason = errno;
	int code = reason == ENOMEM ? GIM_E_MEMORY : GIM_E_IO;
	if (error && !error->code) {
		va_list arguments;
		va_start(arguments, format);
		fill(error, code, GIM_UNKNOWN, format, arguments);
		va_end(arguments);
		size_t used = strlen(error->text);
		(void)snprintf(error->text + used, sizeof(error->text) - used, ": %s", strerror(reason));
	}
	return code;
}

void gim_error_unit(struct gim_error *error, const char *name, uint32_t instance)
{
	if (error && error->code && !error->unit[0])
		(void)snprintf(error->unit, sizeof(error->unit), "%s/%u", name, instance);
}

void gim_error_payload(struct gim_error *error, uint64_t payload_offset)
{
	if (error && error->code && error->offset == GIM_UNKNOWN && error->payload_offset == GIM_UNKNOWN)
		error->payload_offset = payload_offset;
}

void gim_error_path(struct gim_error *error, const char *path)
{
	if (error && error->code && !error->path[0])
		(void)snprintf(error->path, sizeof(error->path), "%s", path);
}
