/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can stand at the cursor: found from the tables that commands, operations, options and fields are rows of. */
#ifndef COMPLETE_H
#define COMPLETE_H

#include "gimstate.h"

struct completion {
	char *text;
	const char *help; /* of the tables, or NULL */
};

struct completions {
	struct completion *items;
	size_t count, room;
	bool files;  /* names of files, too */
	char append; /* after the only one: a blank, or = */
};

/* before: the line up to what is to be completed, text. *found is the caller's: completions_free. */
void complete(const char *before, const char *text, struct completions *found);
void completions_free(struct completions *found);

/* It ends where more must follow: within a path. */
bool complete_is_open(const char *text);

#endif
