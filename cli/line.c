/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading lines of a person. */
#include "line.h"

#include <stdio.h>
#include <stdlib.h>

void line_start(void)
{
}

void line_finish(void)
{
}

enum line_result line_read(const char *prompt, bool history, char **line)
{
	size_t room = 0;
	(void)history;
	fputs(prompt, stdout);
	(void)fflush(stdout);
	*line = NULL;
	if (getline(line, &room, stdin) >= 0)
		return LINE_READ;
	free(*line);
	*line = NULL;
	return LINE_END;
}
