/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cutting a line into words, as a shell does in its simplest form. */
#ifndef WORDS_H
#define WORDS_H

#include "gimstate.h"

#define LINE_WORDS_MAX 256

/*
 * Blanks part words; '…' keeps all as it is, "…" all but \" and \\, and a \ the character after it. # at the beginning of a word starts a comment.
 */
struct line_words {
	char *items[LINE_WORDS_MAX + 1]; /* ended by NULL */
	int count;
	char *text; /* in which they lie */
};

/* What is open where a line ends: for completion, which looks at the part before the cursor. */
struct line_end {
	size_t word_at; /* where the last word begins, its quote included; the length of the line after a blank */
	char quote;     /* that is not closed, or 0 */
	bool comment;
};

/* GIM_E_ARGUMENT: a quote is not closed, or there are too many words. *words is the caller's: words_free. end may be NULL, and is filled also then. */
int words_split(const char *line, struct line_words *words, struct line_end *end, struct gim_error *error);
void words_free(struct line_words *words);

#endif
