/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate rules: what verify, check and the others judge by; of a single rule all that there is to say. */
#include "command.h"
#include "near.h"
#include "output.h"

#include <stdio.h>

static void put_line(const char *name, const char *text)
{
	if (text)
		printf("%-9s %s\n", name, text);
}

static void put_details(const struct gim_rule *rule)
{
	char status[80];
	printf("%s: %s\n", rule->id, rule->help);
	put_line("severity", severity_name(rule->severity));
	(void)snprintf(status, sizeof(status), "%s (%d)", rule->status_name ? rule->status_name : "", rule->status);
	put_line("status", rule->status_name ? status : NULL);
	put_line("why", rule->why);
	put_line("mend", rule->mend);
	put_line("after", rule->after);
	put_line("source", rule->source);
}

static int put_rule(void *user, const struct gim_rule *rule)
{
	(void)user;
	printf("%-22s %-8s %s\n", rule->id, severity_name(rule->severity), rule->help);
	return ferror(stdout);
}

static int add_rule(void *user, const struct gim_rule *rule)
{
	return json_array_append_new((json_t *)user, rule_json(rule));
}

int run_rules(const struct options *options, int count, char **operands)
{
	const struct gim_rule *rule = count ? gim_rule_find(operands[0]) : NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (count && !rule) {
		(void)near_no_rule("", operands[0], &error);
		return output_error(NULL, &error, options->json);
	}
	if (options->json) {
		json_t *rules = json_array();
		if (rule)
			(void)add_rule(rules, rule);
		else
			(void)gim_rules_visit(add_rule, rules);
		output_document(json_pack("{s:o}", "rules", rules), false);
	} else if (rule) {
		put_details(rule);
	} else {
		(void)gim_rules_visit(put_rule, NULL);
	}
	return EXIT_YES;
}
