/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was perhaps meant by a word that is not known. */
#ifndef NEAR_H
#define NEAR_H

#include "gimstate.h"

struct near {
	const char *word;
	unsigned distance; /* NEAR's, at first */
	char text[80];     /* "" or " (perhaps WORD)", to go on with in a message */
};
#define NEAR(mistaken)                                                                                                                     \
	{                                                                                                                                  \
		.word = (mistaken), .distance = GIM_WORD_FAR                                                                               \
	}

/* Of all that are offered the nearest is kept, if it is near at all. Before it, as it is shown, stands prefix. */
void near_offer(struct near *near, const char *prefix, const char *known);

/* The commands; of the shell, too? */
void near_offer_commands(struct near *near, bool of_shell);

/* Say that there is no such rule, after prefix. Returns GIM_E_ARGUMENT. */
int near_no_rule(const char *prefix, const char *id, struct gim_error *error);

#endif
