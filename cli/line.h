/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The line that a person types. */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>

enum line_result {
	LINE_READ,
	LINE_STOPPED, /* Ctrl-C: what was typed is dropped */
	LINE_END,     /* end of input */
	LINE_GONE,    /* the terminal is gone, or the shell is told to end */
};

/* Load what reading takes, for who cannot load it later. false: it is not there. */
bool line_load(void);

/* Prepare, with the history of earlier times; and keep that of now. */
void line_start(void);
void line_finish(void);

/* Ask for a line; history: it is kept there. *line is the caller's, and NULL unless LINE_READ. */
enum line_result line_read(const char *prompt, bool history, char **line);

#endif
