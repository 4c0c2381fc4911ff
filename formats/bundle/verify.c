/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Judging a bundle: every member against the manifest, the decoded state against the payload, and a whole state by the rules of its own container. */
#include "bundle/bundle.h"

#include "error.h"

#include <stdio.h>

struct verify {
	struct bundle bundle;
	struct gim_arena arena;
	const struct gim_verify_options *options;
	gim_report_fn *report;
	void *user;
};

static void report(const struct verify *verify, const struct gim_error *error)
{
	gim_report(verify->report, verify->user, error->rule, error->offset, *error->unit ? error->unit : NULL,
	           *error->path ? error->path : NULL, "%s", error->text);
}

/* The whole state is read by its own container, and then to its end, where its SHA-256 is known. */
static int verify_whole(struct verify *verify, const struct bundle_member *member, struct gim_error *error)
{
	struct bundle *bundle = &verify->bundle;
	struct gim_input input;
	const struct gim_format *format;
	struct gim_error own = GIM_ERROR_INIT;
	gim_unpacker_input(bundle->unpacker, &input);
	int result = gim_format_find(&input, &format, &own);
	if (result == GIM_E_FORMAT)
		result = gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_MEMBER], GIM_UNKNOWN, "the member %s: %s", member->name, own.text);
	else if (result)
		result = gim_fail_as(error, &own);
	else if (format->pack || gim_unpacker_of(&input) != bundle->unpacker)
		result =
		    gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_MEMBER], GIM_UNKNOWN, "the member %s is packed itself", member->name);
	else
		result = format->verify(&input, verify->options, verify->report, verify->user, error);
	if (gim_unpacker_of(&input) != bundle->unpacker) {
		gim_input_close(&input); /* the other unpacker has taken the bundle's */
		bundle->unpacker = NULL;
	}
	return result ? result : bundle_read(bundle, member, NULL, NULL, error);
}

static int pass_region(void *user, const struct gim_memory_range *range, struct gim_error *error)
{
	(void)user;
	(void)range;
	(void)error;
	return 0;
}

static int verify_machine(struct verify *verify, const struct bundle_member *member, struct gim_error *error)
{
	struct gim_buffer *text = &verify->bundle.machine;
	struct gim_list vcpus = {.count = 0};
	bool any;
	int result = bundle_read(&verify->bundle, member, bundle_collect, text, error);
	if (!result)
		result = bundle_machine_vcpus(text, verify->bundle.manifest.vcpus, &verify->arena, &vcpus, error);
	return result ? result : bundle_machine_regions(text, pass_region, NULL, &any, error);
}

static int verify_member(struct verify *verify, const struct bundle_member *member, struct gim_error *error)
{
	struct bundle *bundle = &verify->bundle;
	if (member->role == BUNDLE_MEMORY && bundle_memory_check(&bundle->manifest, member, error))
		return GIM_E_CORRUPT;
	if (member->role == BUNDLE_MACHINE)
		return verify_machine(verify, member, error);
	if (member->role == BUNDLE_STATE || member == bundle_member_gim(&bundle->manifest))
		return bundle_keep(bundle, member, &verify->arena, error);
	return member->role == BUNDLE_WHOLE ? verify_whole(verify, member, error) : bundle_read(bundle, member, NULL, NULL, error);
}

/* The decoded state must be what the payload decodes to. */
static int compare_state(struct verify *verify, struct gim_error *error)
{
	const struct bundle *bundle = &verify->bundle;
	const struct bundle_member *gim = bundle_member_gim(&bundle->manifest);
	if (!gim || !bundle->inner || !bundle_member_of(&bundle->manifest, BUNDLE_STATE) || *bundle->state.damage)
		return 0;
	struct gim_state state = {.format = bundle->inner, .codec = {.address_bytes = 8, .vcpus = bundle->manifest.vcpus}};
	const struct source *source = (const struct source *)(const void *)bundle->manifest.source.data;
	struct gim_error own = GIM_ERROR_INIT;
	if (source->address_bytes == 4)
		state.codec.address_bytes = 4;
	int result = 0;
	if (!(gim_document_show(&state, &bundle->state, GIM_PART_GIM) & GIM_PART_GIM))
		result = gim_fail(&own, GIM_E_VALUE, GIM_UNKNOWN, "the guest interface is not in it");
	if (!result)
		result = gim_unit_check(&state, gim->unit.version, &bundle->gim, &own);
	gim_arena_free(&state.arena);
	if (!result || own.code == GIM_E_MEMORY)
		return result ? gim_fail_as(error, &own) : 0;
	result = gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_STATE], GIM_UNKNOWN, "the decoded state is not that of the payload: %s",
	                       own.text);
	gim_error_path(error, own.path);
	return result;
}

static int verify_all(struct verify *verify, struct gim_error *error)
{
	struct bundle *bundle = &verify->bundle;
	const struct bundle_member *member = NULL;
	int more, result = 0;
	while (!result && (more = bundle_next(bundle, &member, error))) {
		if (more < 0)
			return more;
		result = verify_member(verify, member, error);
	}
	return result ? result : compare_state(verify, error);
}

int bundle_verify(struct gim_input *input, const struct gim_verify_options *options, gim_report_fn *report_fn, void *user,
                  struct gim_error *error)
{
	struct verify verify = {.options = options, .report = report_fn, .user = user};
	struct gim_error own = GIM_ERROR_INIT;
	int result = bundle_begin(&verify.bundle, input, &verify.arena, NULL, NULL, &own);
	if (!result && !options->quick)
		result = verify_all(&verify, &own);
	if (result && own.rule)
		report(&verify, &own);
	bundle_end(&verify.bundle);
	gim_arena_free(&verify.arena);
	return result && !own.rule ? gim_fail_as(error, &own) : 0;
}
