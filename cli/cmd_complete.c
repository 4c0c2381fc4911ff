/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate complete: what can stand where a command line ends, one a line; cli/completions/ are the scripts that ask. */
#include "command.h"
#include "complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After the last of these begins what is completed: the rest of the word stays as it is. */
static const char *last_part(const char *line)
{
	const char *text = line;
	for (const char *at = line; *at; at++)
		if (strchr(" \t\n\"'=,", *at))
			text = at + 1;
	return text;
}

/* The command's own name, by which the line begins, is whatever it was called by. */
static const char *after_name(const char *line)
{
	line += strspn(line, " ");
	line += strcspn(line, " ");
	return line + strspn(line, " ");
}

int run_complete(const struct options *options, int count, char **operands)
{
	(void)options, (void)count;
	const char *line = after_name(operands[0]), *text = last_part(line);
	char *before = strndup(line, (size_t)(text - line));
	struct completions found = {.count = 0};
	if (before)
		complete(before, text, &found);
	for (size_t i = 0; i < found.count; i++) {
		const struct completion *item = &found.items[i];
		printf("%s%s\t%s\n", item->text, found.append == '=' && !complete_is_open(item->text) ? "=" : "",
		       item->help ? item->help : "");
	}
	if (found.files)
		puts("/\tfiles, too");
	completions_free(&found);
	free(before);
	return EXIT_YES;
}
