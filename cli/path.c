/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Matching paths against those of the tables. */
#include "path.h"

#include "gimstate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* *pattern stands at "[]" or "[n]"; *path may stand at an index. Of a place in a state it may be left out at the end alone. */
static bool match_index(const char **pattern, const char **path, bool of_state)
{
	const unsigned long size = (*pattern)[1] == ']' ? 0 : strtoul(*pattern + 1, NULL, 10);
	*pattern += strcspn(*pattern, "]") + 1;
	if (**path != '[')
		return !of_state || !**path;
	if ((*path)[1] == ']') {
		*path += 2;
		return !of_state;
	}
	char *end;
	const unsigned long index = strtoul(*path + 1, &end, 10);
	if (!isdigit((unsigned char)(*path)[1]) || *end != ']')
		return false;
	*path = end + 1;
	/* "[16]" is also how the tables write an array of 16. */
	return !size || index < size || (index == size && !**path);
}

static bool matches(const char *pattern, const char *path, bool of_state)
{
	while (*path) {
		if (*pattern == '[') {
			if (!match_index(&pattern, &path, of_state))
				return false;
		} else if (*pattern != *path) {
			return false;
		} else {
			pattern++;
			path++;
		}
	}
	return !*pattern || *pattern == '.' || *pattern == '[';
}

bool path_matches(const char *pattern, const char *path)
{
	return matches(pattern, path, false);
}

struct search {
	const char *path;
	bool found;
};

static int compare(void *user, const struct gim_field_info *info)
{
	struct search *search = (struct search *)user;
	search->found = matches(info->path, search->path, true);
	return search->found;
}

bool path_exists(const char *path)
{
	struct search search = {.path = path};
	(void)gim_fields_visit(NULL, compare, &search, NULL);
	return search.found;
}
