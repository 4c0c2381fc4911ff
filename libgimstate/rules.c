/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All rules that there are, from the tables of those who judge by them. */
#include "check.h"
#include "packed.h"

#include <string.h>

static int visit_table(const struct gim_rule *rules, size_t count, gim_rule_fn *visit, void *user)
{
	int result = 0;
	for (size_t i = 0; !result && i < count; i++)
		result = visit(user, &rules[i]);
	return result;
}

static int visit_checks(const struct gim_check_rule *rows, gim_rule_fn *visit, void *user)
{
	int result = 0;
	for (; !result && rows && rows->rule.id; rows++)
		result = visit(user, &rows->rule);
	return result;
}

int gim_rules_visit(gim_rule_fn *visit, void *user)
{
	int result = visit_table(gim_unit_rules, GIM_UNIT_RULES, visit, user);
	if (!result)
		result = visit_table(gim_convert_rules, GIM_CONVERT_RULES, visit, user);
	if (!result)
		result = visit_table(gim_load_rules, GIM_LOAD_RULES, visit, user);
	if (!result)
		result = visit_table(gim_packed_rules, GIM_PACKED_RULES, visit, user);
	if (!result)
		result = visit_table(gim_layer_rules, GIM_LAYER_RULES, visit, user);
	for (const struct gim_provider *const *each = gim_providers; !result && *each; each++)
		result = visit_table((*each)->rules, (*each)->rule_count, visit, user);
	for (const struct gim_format *const *each = gim_formats; !result && *each; each++)
		result = visit_table((*each)->rules, (*each)->rule_count, visit, user);
	if (!result)
		result = visit_checks(gim_check_rules, visit, user);
	for (const struct gim_provider *const *each = gim_providers; !result && *each; each++)
		result = visit_checks((*each)->checks, visit, user);
	for (const struct gim_format *const *each = gim_formats; !result && *each; each++)
		result = visit_checks((*each)->checks, visit, user);
	return result;
}

struct search {
	const char *id;
	const struct gim_rule *found;
};

static int compare(void *user, const struct gim_rule *rule)
{
	struct search *search = (struct search *)user;
	search->found = strcmp(rule->id, search->id) ? NULL : rule;
	return search->found != NULL;
}

const struct gim_rule *gim_rule_find(const char *id)
{
	struct search search = {.id = id};
	(void)gim_rules_visit(compare, &search);
	return search.found;
}
