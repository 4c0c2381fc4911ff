/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Completion. What an operand or an option's argument is, the word says by which usage calls it. */
#include "complete.h"

#include "command.h"
#include "harness/engine.h"
#include "harness/replay.h"
#include "path.h"
#include "shell.h"
#include "source.h"
#include "words.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Where it stands. */
struct place {
	struct completions *found;
	const char *text;
	const char *within; /* what of its word is before it: "hyperv.hypercall=", "--engine=" */
	const char *path;   /* of the field whose value it is */
	const char *state;  /* whose fields are meant: the one that is held, or of the operand before; NULL */
	const char *help;   /* of what is added next */
	bool assigned;      /* = comes after a path */
};

bool complete_is_open(const char *text)
{
	const size_t length = strlen(text);
	return length && (text[length - 1] == '.' || text[length - 1] == '[');
}

static void add_part(struct place *place, const char *item, size_t length)
{
	struct completions *found = place->found;
	const size_t typed = strlen(place->text);
	if (strncmp(item, place->text, typed < length ? typed : length) != 0 || typed > length)
		return;
	if (found->count && strlen(found->items[found->count - 1].text) == length &&
	    !memcmp(found->items[found->count - 1].text, item, length))
		return;
	if (found->count == found->room) {
		const size_t room = found->room ? 2 * found->room : 64;
		struct completion *items = reallocarray(found->items, room, sizeof(*items));
		if (!items)
			return;
		found->items = items;
		found->room = room;
	}
	char *copy = strndup(item, length);
	if (copy)
		found->items[found->count++] = (struct completion){copy, place->help};
}

static void add(struct place *place, const char *item)
{
	add_part(place, item, strlen(item));
}

static void add_helped_item(struct place *place, const char *item, const char *help)
{
	place->help = help;
	add(place, item);
	place->help = NULL;
}

void completions_free(struct completions *found)
{
	for (size_t i = 0; i < found->count; i++)
		free(found->items[i].text);
	free(found->items);
	memset(found, 0, sizeof(*found));
}

/*
 * Paths, one component after the other: those of the state that is meant, with as many items as its lists have; else those of the tables.
 */
static void add_path(struct place *place, const char *path)
{
	const size_t typed = strlen(place->text);
	if (strncmp(path, place->text, typed) != 0)
		return;
	size_t end = typed + strcspn(path + typed, ".[");
	add_part(place, path, end + (path[end] != '\0'));
}

static int add_leaf(void *user, const char *path, const struct gim_value *value)
{
	(void)value;
	add_path((struct place *)user, path);
	return 0;
}

static int add_field(void *user, const struct gim_field_info *info)
{
	add_path((struct place *)user, info->path);
	return 0;
}

static void add_paths(struct place *place)
{
	struct gim_state *state = NULL;
	if (place->state && !source_open(place->state, SOURCE_FIELDS, false, &state, NULL)) {
		(void)gim_state_decode(state, GIM_PART_GIM | GIM_PART_INFO, NULL, NULL, NULL);
		(void)gim_state_visit(state, NULL, add_leaf, place, NULL);
	}
	gim_state_free(&state);
	if (!place->found->count)
		(void)gim_fields_visit(NULL, add_field, place, NULL);
}

static void add_assignments(struct place *place)
{
	place->found->append = '=';
	add_paths(place);
}

/* Names of values and bits; before the name of a bit may stand + or -. */
static int add_name(void *user, const char *name, uint64_t low_or_value, unsigned width, const char *help)
{
	struct place *place = (struct place *)user;
	char item[128];
	const bool sign = *place->text == '+' || *place->text == '-';
	(void)low_or_value, (void)width, (void)help;
	(void)snprintf(item, sizeof(item), "%.1s%s", sign ? place->text : "", name);
	add(place, item);
	return 0;
}

static int add_names(void *user, const struct gim_field_info *info)
{
	struct place *place = (struct place *)user;
	if (!path_matches(info->path, place->path))
		return 0;
	(void)gim_names_visit(info->path, add_name, place, NULL);
	return 1;
}

/*
 * Names of other things.
 */
static void add_commands(struct place *place)
{
	for (const struct command *command = commands; command->name; command++)
		if (!command->hidden && (command->needs == NEEDS_NOTHING || shell_is_running()))
			add_helped_item(place, command->name, command->help);
}

static int add_operation(void *user, const char *name, const char *arguments, const char *help)
{
	(void)arguments;
	add_helped_item((struct place *)user, name, help);
	return 0;
}

static void add_helped(struct place *place)
{
	add_commands(place);
	(void)probe_operations(add_operation, place);
}

static int add_rule(void *user, const struct gim_rule *rule)
{
	add_helped_item((struct place *)user, rule->id, rule->help);
	return 0;
}

static void add_rules(struct place *place)
{
	(void)gim_rules_visit(add_rule, place);
}

static void add_engines(struct place *place)
{
	add(place, "auto");
	for (const struct engine_kind *const *kind = engine_kinds; *kind; kind++)
		add(place, (*kind)->name);
}

static int add_msr(void *user, const struct gim_msr_info *info)
{
	struct place *place = (struct place *)user;
	add(place, info->name);
	if (*info->path)
		add_path(place, info->path);
	return 0;
}

/* Before the machine is started, those that it will have: the table is its provider's. */
static void add_msrs(struct place *place)
{
	struct gim_state *state = NULL;
	struct gim_machine *made = NULL;
	struct gim_machine_config config;
	struct gim_error error = GIM_ERROR_INIT;
	char provider[16];
	if (!machine_running() && place->state && !source_open(place->state, SOURCE_FIELDS, false, &state, &error) &&
	    !replay_machine(state, &config, provider, &error)) {
		config.vcpus = 1;
		config.ram_bytes = 1 << 20;
		(void)gim_machine_new(&config, NULL, &made, &error);
	}
	if (made || machine_running())
		(void)gim_machine_msrs(made ? made : machine_running(), 0, add_msr, place);
	gim_machine_free(&made);
	gim_state_free(&state);
}

static void add_files(struct place *place)
{
	place->found->files = true;
}

/* What a word in a usage line stands for. Others stand for nothing that could be completed. */
static const struct {
	const char *word;
	void (*add)(struct place *place);
} kinds[] = {
    {"FILE", add_files},
    {"IN", add_files},
    {"OUT", add_files},
    {"A", add_files},
    {"B", add_files},
    {"STATE", add_files},
    {"BUNDLE", add_files},
    {"SCRIPT", add_files},
    {"IMAGE", add_files},
    {"TARGET", add_files},
    {"PATH", add_paths},
    {"FIELD", add_paths},
    {"PATH=VALUE", add_assignments},
    {"ID", add_rules},
    {"RULE", add_rules},
    {"COMMAND", add_helped},
    {"ENGINE", add_engines},
    {"MSR", add_msrs},
};

/* word: from a usage line, in brackets perhaps and with "..." perhaps; "on|off" stands for its words. */
static void add_kind(struct place *place, const char *word, size_t length)
{
	while (length && (*word == '[' || *word == '('))
		word++, length--;
	while (length && strchr("].)", word[length - 1]))
		length--;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].word) == length && !memcmp(kinds[i].word, word, length))
			kinds[i].add(place);
	if (!memchr(word, '|', length))
		return;
	for (size_t at = 0, end; at < length; at = end + 1) {
		for (end = at; end < length && word[end] != '|';)
			end++;
		if (word[at] >= 'a' && word[at] <= 'z')
			add_part(place, word + at, end - at);
	}
}

/* The index-th word of a usage line, or the last, when that may be repeated. */
static void add_operand(struct place *place, const char *arguments, int index)
{
	for (const char *at = arguments; *at; at += strspn(at, " ")) {
		const size_t length = strcspn(at, " ");
		const bool last = !at[length] && memchr(at, '.', length);
		if (!index || last) {
			add_kind(place, at, length);
			return;
		}
		index--;
		at += length;
	}
}

/*
 * The line.
 */
static const struct option_row *option_named(const struct command *command, const char *word)
{
	for (const struct option_row *row = command->options; row->name; row++)
		if (word[1] == '-' ? !strncmp(row->name, word + 2, strcspn(word + 2, "=")) && strlen(row->name) == strcspn(word + 2, "=")
		                   : row->letter && row->letter == word[1] && !word[2])
			return row;
	return NULL;
}

static void add_options(struct place *place, const struct command *command)
{
	char item[64];
	for (const struct option_row *row = command->options; row->name; row++) {
		(void)snprintf(item, sizeof(item), "--%s", row->name);
		add_helped_item(place, item, row->help);
	}
}

/* A pipe is read once, and not for this. */
static bool is_regular(const char *path)
{
	struct stat seen;
	return !stat(path, &seen) && S_ISREG(seen.st_mode);
}

/* words[1] to words[count - 1] stand before it. */
static void complete_call(struct place *place, const struct command *command, char **words, int count)
{
	int operands = 0;
	const struct option_row *waiting = NULL;
	for (int i = 1; i < count; i++) {
		const struct option_row *row = words[i][0] == '-' ? option_named(command, words[i]) : NULL;
		if (waiting)
			waiting = NULL;
		else if (row && row->argument && !strchr(words[i], '='))
			waiting = row;
		else if (!row && !operands++ && command->implied && !place->state && is_regular(words[i]))
			place->state = words[i];
	}
	if (!waiting && !strncmp(place->within, "--", 2))
		waiting = option_named(command, place->within);
	if (waiting && waiting->argument)
		add_kind(place, waiting->argument, strlen(waiting->argument));
	else if (*place->text == '-' && !*place->within)
		add_options(place, command);
	else if (command->implied && source_held() && strchr(command->arguments, ' '))
		add_operand(place, command->arguments, operands + command->implied);
	else
		add_operand(place, command->arguments, operands);
}

struct operation_search {
	const char *name, *arguments;
};

static int find_operation(void *user, const char *name, const char *arguments, const char *help)
{
	struct operation_search *search = (struct operation_search *)user;
	(void)help;
	if (strcmp(name, search->name) != 0)
		return 0;
	search->arguments = arguments;
	return 1;
}

/* A label and a vCPU may stand before an operation. */
static int skip_prefixes(char **words, int count)
{
	int skipped = 0;
	while (skipped < count && (words[skipped][0] == '@' || words[skipped][strlen(words[skipped]) - 1] == ':'))
		skipped++;
	return skipped;
}

static void complete_words(struct place *place, char **words, int count)
{
	const int skipped = machine_running() ? skip_prefixes(words, count) : 0;
	words += skipped;
	count -= skipped;
	if (!count) {
		if (!skipped)
			add_commands(place);
		if (machine_running())
			(void)probe_operations(add_operation, place);
		return;
	}
	const struct command *command = skipped ? NULL : command_find(words[0]);
	struct operation_search search = {words[0], NULL};
	if (command)
		complete_call(place, command, words, count);
	else if (probe_operations(find_operation, &search))
		add_operand(place, search.arguments, count - 1);
}

void complete(const char *before, const char *text, struct completions *found)
{
	struct line_words words = {.count = 0};
	struct line_end end;
	struct gim_error error = GIM_ERROR_INIT;
	*found = (struct completions){.append = ' '};
	struct place place = {.found = found, .text = text, .within = "", .state = source_held()};
	/* A quote that is still open belongs to the word that is completed. */
	char *line = strdup(before);
	if (line && words_split(line, &words, &end, &error)) {
		line[end.word_at] = '\0';
		error = (struct gim_error)GIM_ERROR_INIT;
		(void)words_split(line, &words, &end, &error);
	}
	const size_t length = strlen(before);
	const bool inside = line && words.count && length && end.word_at < strlen(line);
	char *within = inside ? words.items[words.count - 1] : NULL;
	if (!line || (line && end.comment))
		goto out;
	if (within && *within) {
		char *equals = strchr(within, '=');
		place.within = within;
		if (equals && within[0] != '-') {
			*equals = '\0';
			place.path = within;
			(void)gim_fields_visit(NULL, add_names, &place, NULL);
			goto out;
		}
	}
	complete_words(&place, words.items, words.count - inside);
out:
	free(line);
	words_free(&words);
}
