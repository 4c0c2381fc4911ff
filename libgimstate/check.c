/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Check: a state is read once, then judged for targets, with all that is found in the order in which a loader meets it. */
#include "check.h"

#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More units, or more findings for a target, than anything real has. */
enum { UNITS_MAX = 65536, FINDINGS_MAX = 4096 };

/* A finding that is kept. place: when a loader meets it, see place_of. */
struct kept {
	struct gim_finding finding;
	size_t place;
};

struct list {
	struct kept *items;
	size_t count, capacity;
};

struct gim_check {
	struct gim_arena arena;  /* texts of what follows */
	struct gim_state *state; /* NULL: it cannot be opened */
	const struct gim_format *format;
	struct gim_unit *units;
	size_t unit_count;
	struct list container; /* what verify found */
	struct list decoded;   /* what decoding found beside that */
	struct gim_buffer interface;
	size_t interface_unit; /* which unit it is; GIM_NO_UNIT: none was met */
	bool interface_whole, interface_more;
	bool failed; /* out of memory while listening */
};

/*
 * Places. Each unit has room for what verify finds in it, between the stages of its own loader: its header was judged before it is met.
 */
enum { PLACES = GIM_STAGES + 1 };

static size_t place_of(size_t unit, enum gim_stage stage)
{
	return unit == GIM_NO_UNIT ? SIZE_MAX : (unit + 1) * PLACES + stage;
}

static int append(struct list *list, const struct gim_finding *finding, size_t place)
{
	if (list->count == FINDINGS_MAX)
		return 0;
	if (list->count == list->capacity) {
		const size_t capacity = list->capacity ? 2 * list->capacity : 16;
		struct kept *items = realloc(list->items, capacity * sizeof(*items));
		if (!items)
			return GIM_E_MEMORY;
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = (struct kept){*finding, place};
	return 0;
}

static const char *copy_text(struct gim_arena *arena, const char *text)
{
	return text ? gim_arena_copy(arena, text, strlen(text) + 1) : NULL;
}

/* Keep a finding, whose texts only live now. */
static int keep(struct gim_arena *arena, struct list *list, const struct gim_finding *finding, size_t place)
{
	struct gim_finding own = *finding;
	own.unit = copy_text(arena, finding->unit);
	own.path = copy_text(arena, finding->path);
	own.text = copy_text(arena, finding->text);
	return own.text ? append(list, &own, place) : GIM_E_MEMORY;
}

/*
 * Reading: listening to verify, then decoding.
 */
static void hear_begin(void *user, const struct gim_format *format)
{
	struct gim_check *check = (struct gim_check *)user;
	check->format = format;
	check->unit_count = 0;
	check->container.count = 0;
	check->interface.size = 0;
	check->interface_unit = GIM_NO_UNIT;
}

static void hear_unit(void *user, const struct gim_unit *unit)
{
	struct gim_check *check = (struct gim_check *)user;
	if (check->unit_count == UNITS_MAX)
		return;
	/* The capacity is a power of two, from 64 on. */
	if (!(check->unit_count & (check->unit_count - 1)) && (check->unit_count >= 64 || !check->unit_count)) {
		const size_t capacity = check->unit_count ? 2 * check->unit_count : 64;
		struct gim_unit *units = realloc(check->units, capacity * sizeof(*units));
		if (!units) {
			check->failed = true;
			return;
		}
		check->units = units;
	}
	check->units[check->unit_count++] = *unit;
}

static void hear_interface(void *user, const uint8_t *bytes, size_t size, bool whole, bool more)
{
	struct gim_check *check = (struct gim_check *)user;
	check->interface.size = 0;
	gim_buffer_bytes(&check->interface, bytes, size);
	check->interface_unit = check->unit_count ? check->unit_count - 1 : GIM_NO_UNIT;
	check->interface_whole = whole;
	check->interface_more = more;
}

/* What verify finds comes at its place by itself: after the units that were met before it. */
static void hear_finding(void *user, const struct gim_finding *finding)
{
	struct gim_check *check = (struct gim_check *)user;
	const size_t place = check->unit_count * PLACES + (check->unit_count ? GIM_STAGES : 0);
	check->failed |= keep(&check->arena, &check->container, finding, place) != 0;
}

/* Of what decoding finds, only what verify does not look at is news. */
static void hear_decoding(void *user, const struct gim_finding *finding)
{
	struct gim_check *check = (struct gim_check *)user;
	if (finding->rule == &gim_unit_rules[GIM_UNIT_VCPUS] || finding->severity == GIM_NOTE)
		check->failed |= keep(&check->arena, &check->decoded, finding, SIZE_MAX) != 0;
}

static int no_memory(struct gim_error *error)
{
	return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
}

/* A directory that is damaged keeps us from opening what a loader, which reads from the front, may meet before it. */
static int hollow_state(struct gim_check *check, struct gim_error *error)
{
	if (check->interface_unit == GIM_NO_UNIT && !check->unit_count)
		return 0;
	check->state = calloc(1, sizeof(*check->state));
	if (!check->state)
		return no_memory(error);
	check->state->input.fd = -1;
	check->state->format = check->format;
	check->state->codec.address_bytes = 8;
	if (check->interface_unit != GIM_NO_UNIT)
		(void)gim_unit_decode(check->state, &check->state->codec, check->units[check->interface_unit].version,
		                      check->interface.bytes, check->interface.size, NULL, NULL, NULL);
	return 0;
}

/* What is damaged is absent, and said already. */
static int decode(struct gim_check *check, unsigned parts, gim_report_fn *report, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	return gim_is_world(gim_state_decode(check->state, parts, report, check, &own)) ? gim_fail_as(error, &own) : 0;
}

/* opened: with *why, whether the state could be opened again. */
static int read_check(struct gim_check *check, int verified, int opened, const struct gim_error *why, struct gim_error *error)
{
	if (verified < 0)
		return verified;
	if (gim_is_world(opened))
		return gim_fail_as(error, why);
	if (check->failed || check->arena.starved || check->interface.failed)
		return no_memory(error);
	if (opened)
		return hollow_state(check, error);
	int result = decode(check, GIM_PART_GIM | GIM_PART_GUEST | GIM_PART_INFO, hear_decoding, error);
	/* Memory that there is not, or that is damaged, says nothing. */
	if (!result && check->state->input.seekable)
		result = decode(check, GIM_PART_PAGES, NULL, error);
	return !result && (check->failed || check->arena.starved) ? no_memory(error) : result;
}

static struct gim_check *new_check(struct gim_error *error)
{
	struct gim_check *check = calloc(1, sizeof(*check));
	if (!check)
		(void)no_memory(error);
	else
		check->interface_unit = GIM_NO_UNIT;
	return check;
}

static struct gim_verify_options listening(const struct gim_verify_options *options, const struct gim_verify_hooks *hooks)
{
	struct gim_verify_options own = {.threads = 0};
	if (options)
		own = *options;
	own.hooks = hooks;
	return own;
}

static int finish_open(struct gim_check *made, int result, struct gim_check **check)
{
	if (result)
		gim_check_free(&made);
	else
		*check = made;
	return result;
}

/* A state is read twice, so what comes through a pipe is copied to a file without a name: *copy, which can be opened as *settled, the caller's. */
static int settle(const char *path, char **settled, struct gim_input *copy, struct gim_error *error)
{
	const size_t length = gim_path_file(path);
	if (length != 1 || *path != '-' || lseek(STDIN_FILENO, 0, SEEK_CUR) >= 0)
		return 0;
	int result = gim_input_open(copy, "-", error);
	if (!result)
		result = gim_input_settle(copy, error);
	if (!result && asprintf(settled, "/proc/self/fd/%d%s", copy->fd, path + length) < 0) {
		*settled = NULL;
		result = no_memory(error);
	}
	return result;
}

static int open_check(const char *path, const struct gim_verify_options *options, struct gim_check *made, struct gim_error *error)
{
	const struct gim_verify_hooks hooks = {made, hear_begin, hear_unit, hear_interface};
	const struct gim_verify_options own = listening(options, &hooks);
	const int verified = gim_verify(path, &own, hear_finding, made, error);
	struct gim_error why = GIM_ERROR_INIT;
	const int opened = verified < 0 ? verified : gim_state_open(path, &made->state, &why);
	return read_check(made, verified, opened, &why, error);
}

int gim_check_open(const char *path, const struct gim_verify_options *options, struct gim_check **check, struct gim_error *error)
{
	char *settled = NULL;
	struct gim_input copy = {.fd = -1};
	struct gim_check *made = new_check(error);
	if (!made)
		return GIM_E_MEMORY;
	int result = settle(path, &settled, &copy, error);
	if (!result)
		result = open_check(settled ? settled : path, options, made, error);
	gim_input_close(&copy);
	free(settled);
	return finish_open(made, result, check);
}

int gim_check_open_memory(const void *bytes, size_t size_bytes, const struct gim_verify_options *options, struct gim_check **check,
                          struct gim_error *error)
{
	struct gim_check *made = new_check(error);
	if (!made)
		return GIM_E_MEMORY;
	const struct gim_verify_hooks hooks = {made, hear_begin, hear_unit, hear_interface};
	const struct gim_verify_options own = listening(options, &hooks);
	const int verified = gim_verify_memory(bytes, size_bytes, &own, hear_finding, made, error);
	struct gim_error why = GIM_ERROR_INIT;
	const int opened = verified < 0 ? verified : gim_state_open_memory(bytes, size_bytes, &made->state, &why);
	return finish_open(made, read_check(made, verified, opened, &why, error), check);
}

void gim_check_free(struct gim_check **check)
{
	if (!check || !*check)
		return;
	gim_state_free(&(*check)->state);
	gim_arena_free(&(*check)->arena);
	gim_buffer_free(&(*check)->interface);
	free((*check)->units);
	free((*check)->container.items);
	free((*check)->decoded.items);
	free(*check);
	*check = NULL;
}

/*
 * Judging.
 */
struct verdict {
	struct gim_judging judging;
	const struct gim_check *check; /* NULL: a state without its container is judged */
	struct gim_arena arena;
	struct list found;
	bool failed;
};

/* A status of the target's own loader means that it does not load. */
static enum gim_severity severity_for(const struct verdict *verdict, const struct gim_rule *rule)
{
	const struct gim_format *loader = verdict->judging.target->state.format;
	const struct gim_format *own = verdict->check ? verdict->check->format : verdict->judging.state->format;
	return loader && loader == own && rule->status && !rule->tools ? GIM_ERROR : rule->severity;
}

static void add(struct verdict *verdict, const struct gim_finding *finding, size_t place)
{
	struct gim_finding own = *finding;
	own.severity = severity_for(verdict, finding->rule);
	verdict->failed |= append(&verdict->found, &own, place) != 0;
}

static size_t find_unit(const struct gim_judging *judging, const char *name)
{
	char own[GIM_UNIT_NAME_BYTES + 16];
	for (size_t i = 0; name && i < judging->unit_count; i++) {
		(void)snprintf(own, sizeof(own), "%s/%u", judging->units[i].name, judging->units[i].instance);
		if (judging->units[i].pass == GIM_PASS_FINAL && !strcmp(own, name))
			return i;
	}
	return GIM_NO_UNIT;
}

void gim_judge(struct gim_judging *judging, size_t unit, const char *path, const char *format, ...)
{
	struct verdict *verdict = (struct verdict *)judging->verdict;
	char text[512], name[GIM_UNIT_NAME_BYTES + 16] = "";
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	const size_t met = unit == GIM_NO_UNIT ? find_unit(judging, judging->row->unit) : unit;
	if (met != GIM_NO_UNIT)
		(void)snprintf(name, sizeof(name), "%s/%u", judging->units[met].name, judging->units[met].instance);
	const struct gim_finding finding = {.rule = &judging->row->rule,
	                                    .offset = met == GIM_NO_UNIT ? GIM_UNKNOWN : judging->units[met].offset,
	                                    .unit = *name ? copy_text(&verdict->arena, name) : NULL,
	                                    .path = copy_text(&verdict->arena, path),
	                                    .text = copy_text(&verdict->arena, text)};
	if (!finding.text)
		verdict->failed = true;
	else
		add(verdict, &finding, place_of(met, judging->row->stage));
}

static bool is_broken(const struct verdict *verdict, const char *id, size_t length)
{
	for (size_t i = 0; i < verdict->found.count; i++) {
		const char *other = verdict->found.items[i].finding.rule->id;
		if (strlen(other) == length && !memcmp(other, id, length))
			return true;
	}
	return false;
}

/* Are the rules kept that must be before this one says anything? */
static bool may_judge(const struct verdict *verdict, const struct gim_rule *rule)
{
	for (const char *id = rule->after; id && *id; id += strspn(id, " ")) {
		const size_t length = strcspn(id, " ");
		if (is_broken(verdict, id, length))
			return false;
		id += length;
	}
	return true;
}

static void judge_table(struct verdict *verdict, const struct gim_check_rule *rows)
{
	for (; rows && rows->rule.id; rows++) {
		verdict->judging.row = rows;
		if (rows->except && gim_judging_is(&verdict->judging, rows->except))
			continue;
		if (rows->judge && may_judge(verdict, &rows->rule))
			rows->judge(&verdict->judging);
	}
}

/*
 * The guest interface's payload, read as the target's loader reads it: that knows how many vCPUs there are.
 */
static enum gim_stage stage_of(const struct gim_rule *rule)
{
	if (rule == &gim_unit_rules[GIM_UNIT_VERSION])
		return GIM_STAGE_HEADER;
	if (rule == &gim_unit_rules[GIM_UNIT_PROVIDER] || rule == &gim_unit_rules[GIM_UNIT_BLOB_VERSION])
		return GIM_STAGE_HEAD;
	return rule == &gim_unit_rules[GIM_UNIT_SHORT] || rule == &gim_unit_rules[GIM_UNIT_TRAILING] ? GIM_STAGE_END : GIM_STAGE_DATA;
}

static void hear_payload(void *user, const struct gim_finding *finding)
{
	struct verdict *verdict = (struct verdict *)user;
	const struct gim_check *check = verdict->check;
	const struct gim_rule *rule = finding->rule;
	struct gim_finding own = *finding;
	own.unit = "GIM/0";
	own.offset = check->units[check->interface_unit].offset;
	own.path = copy_text(&verdict->arena, finding->path);
	own.text = copy_text(&verdict->arena, finding->text);
	/* The count is the target's here; that units disagree about it is said where they were decoded. */
	if (rule == &gim_unit_rules[GIM_UNIT_VCPUS])
		return;
	if (!own.text)
		verdict->failed = true;
	/* Data that nobody reads are that whatever follows them; where too little was read, that may be the damage's fault. */
	else if (check->interface_whole || rule != &gim_unit_rules[GIM_UNIT_SHORT])
		add(verdict, &own, place_of(check->interface_unit, stage_of(rule)));
}

/* Is a rule broken where the loader meets it before the guest interface? */
static bool refused_before(const struct verdict *verdict, const char *id)
{
	for (size_t i = 0; i < verdict->found.count; i++)
		if (!strcmp(verdict->found.items[i].finding.rule->id, id) &&
		    verdict->found.items[i].place < place_of(verdict->check->interface_unit, GIM_STAGE_HEADER))
			return true;
	return false;
}

/* A payload that cannot be decoded to its end. */
static void hear_failure(struct verdict *verdict, const struct gim_error *failure)
{
	if (failure->rule)
		gim_report(hear_payload, verdict, failure->rule, GIM_UNKNOWN, NULL, *failure->path ? failure->path : NULL, "%s",
		           failure->text);
}

/* What the loader overlooks, and only trips over later, is worth telling after that: decoding as it should be finds it. */
static void judge_overlooked(struct verdict *verdict)
{
	const struct gim_check *check = verdict->check;
	struct gim_state scratch = {.format = check->format, .codec = check->state->codec};
	struct gim_error own = GIM_ERROR_INIT;
	if (gim_unit_decode(&scratch, &check->state->codec, check->units[check->interface_unit].version, check->interface.bytes,
	                    check->interface.size, NULL, NULL, &own) == GIM_E_LIMIT) {
		const size_t found = verdict->found.count;
		hear_failure(verdict, &own);
		if (verdict->found.count > found)
			verdict->found.items[found].place = place_of(check->interface_unit, GIM_STAGE_END);
	}
	gim_arena_free(&scratch.arena);
}

static void judge_interface(struct verdict *verdict)
{
	const struct gim_check *check = verdict->check;
	const uint32_t vcpus = gim_judging_vcpus(&verdict->judging.target->state);
	if (!check->state || check->interface_unit == GIM_NO_UNIT)
		return;
	struct gim_state scratch = {.format = check->format, .codec = check->state->codec};
	struct gim_codec codec = check->state->codec;
	struct gim_error own = GIM_ERROR_INIT;
	/* A loader that had refused the count before does not come to read the payload by it. */
	if (vcpus && !refused_before(verdict, "GIM-CPU-001")) {
		codec.vcpus = vcpus;
		codec.exact = true;
	}
	const size_t found = verdict->found.count;
	const int result = gim_unit_decode(&scratch, &codec, check->units[check->interface_unit].version, check->interface.bytes,
	                                   check->interface.size, hear_payload, verdict, &own);
	if (result)
		hear_failure(verdict, &own);
	else if (check->interface_more && verdict->found.count == found)
		gim_report(hear_payload, verdict, &gim_unit_rules[GIM_UNIT_TRAILING], GIM_UNKNOWN, NULL, NULL,
		           "a record without usable data follows the %zu bytes that the loader reads", check->interface.size);
	gim_arena_free(&scratch.arena);
	if (!result && codec.exact)
		judge_overlooked(verdict);
}

/* By place, and at one place in the order in which it was found; there are few. */
static void sort(struct list *list)
{
	for (size_t i = 1; i < list->count; i++) {
		const struct kept item = list->items[i];
		size_t at = i;
		for (; at && list->items[at - 1].place > item.place; at--)
			list->items[at] = list->items[at - 1];
		list->items[at] = item;
	}
}

/* Has the target what verify asks of any target? */
static bool is_met(const struct verdict *verdict, const struct gim_rule *rule)
{
	for (const struct gim_format *const *each = gim_formats; *each; each++)
		for (const struct gim_check_rule *row = (*each)->checks; row && row->rule.id; row++)
			if (row->asked_by == rule && row->met(&verdict->judging))
				return true;
	return false;
}

static void judge_all(struct verdict *verdict)
{
	const struct gim_check *check = verdict->check;
	for (size_t i = 0; check && i < check->container.count; i++)
		if (!is_met(verdict, check->container.items[i].finding.rule))
			add(verdict, &check->container.items[i].finding, check->container.items[i].place);
	if (!verdict->judging.state)
		return;
	judge_table(verdict, gim_check_rules);
	if (check && !is_broken(verdict, "GIM-PROV-001", strlen("GIM-PROV-001")))
		judge_interface(verdict);
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		judge_table(verdict, (*each)->checks);
	for (const struct gim_format *const *each = gim_formats; *each; each++)
		judge_table(verdict, (*each)->checks);
	for (size_t i = 0; check && i < check->decoded.count; i++)
		add(verdict, &check->decoded.items[i].finding, check->decoded.items[i].place);
}

static int judge_and_report(struct verdict *verdict, gim_report_fn *report, void *user, struct gim_error *error)
{
	verdict->judging.verdict = verdict;
	judge_all(verdict);
	int result = verdict->failed || verdict->arena.starved ? no_memory(error) : 0;
	sort(&verdict->found);
	for (size_t i = 0; result >= 0 && i < verdict->found.count; i++) {
		const struct gim_finding *finding = &verdict->found.items[i].finding;
		result |= finding->severity == GIM_ERROR;
		if (report)
			report(user, finding);
	}
	gim_arena_free(&verdict->arena);
	free(verdict->found.items);
	return result;
}

int gim_check_target(struct gim_check *check, const struct gim_target *target, gim_report_fn *report, void *user, struct gim_error *error)
{
	struct verdict verdict = {
	    .judging = {.state = check->state, .target = target, .units = check->units, .unit_count = check->unit_count}, .check = check};
	return judge_and_report(&verdict, report, user, error);
}

int gim_judge_state(const struct gim_state *state, const struct gim_unit *units, size_t unit_count, const struct gim_target *target,
                    gim_report_fn *report, void *user, struct gim_error *error)
{
	struct verdict verdict = {.judging = {.state = state, .target = target, .units = units, .unit_count = unit_count}};
	return judge_and_report(&verdict, report, user, error);
}

int gim_state_check(const struct gim_state *state, const struct gim_target *target, gim_report_fn *report, void *user,
                    struct gim_error *error)
{
	return gim_judge_state(state, NULL, 0, target, report, user, error);
}
