/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was perhaps meant by a word that is not known. */
#include "near.h"

#include "command.h"
#include "output.h"

#include <stdio.h>

void near_offer(struct near *near, const char *prefix, const char *known)
{
	const unsigned distance = gim_word_distance(near->word, known);
	if (distance >= near->distance)
		return;
	near->distance = distance;
	(void)snprintf(near->text, sizeof(near->text), " (perhaps %s%s)", prefix, known);
}

static int offer_rule(void *user, const struct gim_rule *rule)
{
	near_offer((struct near *)user, "", rule->id);
	return 0;
}

int near_no_rule(const char *prefix, const char *id, struct gim_error *error)
{
	struct near near = NEAR(id);
	(void)gim_rules_visit(offer_rule, &near);
	return error_set(error, GIM_E_ARGUMENT, "%sthere is no rule %s%s; gimstate rules lists them", prefix, id, near.text);
}

void near_offer_commands(struct near *near, bool of_shell)
{
	for (const struct command *command = commands; command->name; command++)
		if (!command->hidden && (of_shell || command->needs == NEEDS_NOTHING))
			near_offer(near, "", command->name);
}
