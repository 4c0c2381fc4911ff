/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finding the unit that the command line names. */
#include "unit_name.h"

#include "near.h"
#include "output.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct unit_name {
	char name[GIM_UNIT_NAME_BYTES];
	uint32_t instance, pass;
	bool any_instance;
};

/* Read the number after *at's first character. */
static bool take_number(const char **at, uint32_t *number)
{
	char *end;
	const unsigned long long value = strtoull(*at + 1, &end, 10);
	if (!isdigit((unsigned char)(*at)[1]) || value > UINT32_MAX)
		return false;
	*number = (uint32_t)value;
	*at = end;
	return true;
}

/* Where NAME ends: a slash in it is no end when no number follows to the pass or the text's end. */
static size_t name_length(const char *text)
{
	const char *pass = strrchr(text, '@'), *end = pass ? pass : text + strlen(text), *slash = end;
	while (slash > text && isdigit((unsigned char)slash[-1]))
		slash--;
	return (size_t)((slash > text && slash < end && slash[-1] == '/' ? slash - 1 : end) - text);
}

static bool parse(const char *text, struct unit_name *wanted)
{
	const size_t length = name_length(text);
	const char *at = text + length;
	if (!length || length >= sizeof(wanted->name))
		return false;
	*wanted = (struct unit_name){.pass = GIM_PASS_FINAL, .any_instance = *at != '/'};
	memcpy(wanted->name, text, length);
	if (*at == '/' && !take_number(&at, &wanted->instance))
		return false;
	if (!strcmp(at, "@final"))
		return true;
	if (*at == '@' && !take_number(&at, &wanted->pass))
		return false;
	return !*at;
}

/* Only what is no stream has a size from the beginning, and can be searched twice. */
static bool can_search_again(const struct gim_state *state)
{
	struct gim_value size;
	return value_look_up(state, "source.size_bytes", &size) && size.presence == GIM_STORED;
}

int unit_by_name(struct gim_state *state, const char *text, struct gim_unit *unit, struct gim_error *error)
{
	struct unit_name wanted;
	if (!parse(text, &wanted))
		return error_set(error, GIM_E_ARGUMENT, "%s names no unit: NAME, NAME/INSTANCE or NAME/INSTANCE@PASS is expected", text);
	if (!wanted.any_instance)
		return gim_unit_find(state, wanted.name, wanted.instance, wanted.pass, unit, error);
	if (can_search_again(state)) {
		/* Nearly all are 0, and those the directory finds at once. */
		struct gim_error own = GIM_ERROR_INIT;
		const int result = gim_unit_find(state, wanted.name, 0, wanted.pass, unit, &own);
		if (result != GIM_E_NO_UNIT) {
			if (result && !error->code)
				*error = own;
			return result;
		}
	}
	struct gim_unit next = {.offset = 0};
	struct near near = NEAR(wanted.name);
	int result;
	while ((result = gim_unit_next(state, &next, error)) > 0) {
		near_offer(&near, "", next.name);
		if (!strcmp(next.name, wanted.name) && next.pass == wanted.pass) {
			*unit = next;
			return 0;
		}
	}
	return result ? result
	              : error_set(error, GIM_E_NO_UNIT, "there is no unit %s%s; gimstate units lists those that there are", wanted.name,
	                          near.text);
}
