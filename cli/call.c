/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calling a command: its words are read by the table, whoever wrote them: the command line, a script, or a person in the shell. */
#include "command.h"
#include "near.h"
#include "output.h"
#include "path.h"
#include "sandbox.h"
#include "shell.h"
#include "source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *call_prefix = "gimstate ";

int usage_error(const struct command *command, bool json, const char *format, ...)
{
	struct gim_error error = GIM_ERROR_INIT;
	error.code = GIM_E_ARGUMENT;
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(error.text, sizeof(error.text), format, arguments);
	va_end(arguments);
	if (json)
		return output_error(NULL, &error, true);
	(void)output_error(NULL, &error, false);
	if (command)
		fprintf(stderr, "usage: %s%s%s%s%s (more: %shelp %s)\n", call_prefix, command->name,
		        command->options->name ? " [OPTIONS]" : "", *command->arguments ? " " : "", command->arguments, call_prefix,
		        command->name);
	else
		fputs("usage: gimstate COMMAND [OPTIONS] [FILE...] (more: gimstate help)\n", stderr);
	return EXIT_NO_ANSWER;
}

int command_missing(bool json, const char *word)
{
	struct near near = NEAR(word);
	if (*word == '-')
		return usage_error(NULL, json, "a command is expected where %s is; options come after it", word);
	if (strpbrk(word, "./") && !access(word, F_OK))
		return usage_error(NULL, json, "%s is a file, and a command is expected before it: gimstate info %s", word, word);
	near_offer_commands(&near, false);
	return usage_error(NULL, json, "there is no command %s%s", word, near.text);
}

/* Of a line in the shell; the command line has no such limit. */
enum { LINE_OPERANDS_MAX = 512 };

/* Standard input, or a member of the archive that comes from there. */
bool is_standard_input(const char *word)
{
	return !strcmp(word, "-") || !strncmp(word, "-//", 3);
}

static bool is_operand(const char *word)
{
	return word[0] != '-' || is_standard_input(word);
}

/* The row for a word: "--name", "--name=argument", "-n" or "-nargument". */
static const struct option_row *find_option(const struct command *command, const char *word)
{
	const bool is_long = word[1] == '-';
	const size_t length = is_long ? strcspn(word + 2, "=") : 1;
	const struct option_row *tables[] = {command->options, common_options};
	for (size_t i = 0; i < (command->access ? 2 : 1); i++)
		for (const struct option_row *row = tables[i]; row->name; row++)
			if (is_long ? strlen(row->name) == length && !memcmp(row->name, word + 2, length) : row->letter == word[1])
				return row;
	return NULL;
}

static int option_missing(const struct command *command, bool json, const char *word)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	struct near near = NEAR(name + strspn(name, "-"));
	for (const struct option_row *row = command->options; name[1] == '-' && row->name; row++)
		near_offer(&near, "--", row->name);
	return usage_error(command, json, "%s has no option %s%s", command->name, name, near.text);
}

/* Does the last word of these name a file that is written? "-" is standard input, which none is. */
#define NOT_TO_STDIN "- is standard input; what is written goes to a file, and ./- is one of that name"
static bool is_output(const char *arguments)
{
	const char *last = strrchr(arguments, ' ');
	last = last ? last + 1 : arguments;
	return !strcmp(last, "OUT") || !strcmp(last, "[OUT]");
}

/* Take the option words[0], and its argument from that word or the next, a second one from the one after. Returns how many words that was, 0 for a mistake. */
static int take_option(const struct command *command, struct options *options, char **words, int left)
{
	char *word = words[0];
	const struct option_row *row = find_option(command, word);
	if (!row)
		return option_missing(command, options->json, word), 0;
	char *inside = word[1] != '-' ? word + 2 : strchr(word, '=');
	inside = inside && *inside ? inside + (word[1] == '-') : NULL;
	void *slot = (char *)options + row->offset;
	struct words *many = row->argument && strstr(row->argument, "...") ? slot : NULL;
	if (!row->argument && inside)
		return usage_error(command, options->json, "option --%s takes no argument", row->name), 0;
	const bool two = row->argument && strchr(row->argument, ' ');
	if (row->argument && left < (inside ? 1 : 2) + two)
		return usage_error(command, options->json, "option --%s needs its argument%s, %s", row->name, two ? "s" : "",
		                   row->argument),
		       0;
	if (row->argument && is_output(row->argument) && !strcmp(inside && !two ? inside : words[inside ? two : 1 + two], "-"))
		return usage_error(command, options->json, NOT_TO_STDIN), 0;
	if (many && many->count == WORDS_MAX)
		return usage_error(command, options->json, "option --%s is given more than %d times", row->name, WORDS_MAX), 0;
	if (!row->argument)
		*(bool *)slot = true;
	else if (many)
		many->items[many->count++] = inside ? inside : words[1];
	else
		*(const char **)slot = inside ? inside : words[1];
	if (two)
		((const char **)slot)[1] = words[inside ? 1 : 2];
	return (row->argument && !inside ? 2 : 1) + two;
}

/*
 * The state that the shell holds stands for operands that are not given. Where only states can be given, each one that is stands for itself; before other
 * operands it is always meant. diff compares it with what it was, or with the state that is given.
 */
static int implied_operands(const struct command *command, int count, char **words, char **implied)
{
	char *held = (char *)(uintptr_t)source_held(), *saved = (char *)(uintptr_t)source_saved();
	const bool only_states = !strchr(command->arguments, ' ');
	if (!held || !command->implied || (only_states && count) || count > LINE_OPERANDS_MAX - 2)
		return 0;
	const bool both = command->implied == 2 && (!count || path_exists(words[0]));
	implied[0] = both ? saved : held;
	implied[1] = held;
	return both ? 2 : 1;
}

/* How many operands, of so many, are files that are read: all, where nothing else can be given, or those that the shell's state could stand for. */
static int inputs(const struct command *command, int count)
{
	return !strchr(command->arguments, ' ') || count < command->implied ? count : command->implied;
}

/* Whoever reads it second finds nothing there. */
static bool is_read_twice(const struct command *command, const struct options *options, int count, char **words)
{
	int times = (options->from && is_standard_input(options->from)) + (options->base && is_standard_input(options->base));
	for (int i = 0; i < inputs(command, count); i++)
		times += is_standard_input(words[i]);
	for (unsigned i = 0; i < options->probe.count; i++)
		times += is_standard_input(options->probe.items[i]);
	return times > 1;
}

/* A snapshot that an option names is the same as one that a path does: behind each operand that is a state and not the shell's. Returns how many those are,
 * negative without memory. */
static int name_snapshots(const struct command *command, const char *snapshot, int count, char **words, char **named)
{
	int added = 0;
	for (int i = 0; i < inputs(command, count); i++) {
		if (words[i] == source_held() || words[i] == source_saved())
			continue;
		if (asprintf(&named[i], "%s//%s", words[i], snapshot) < 0)
			return named[i] = NULL, -1;
		words[i] = named[i];
		added++;
	}
	return added;
}

/* Run it with the operands that there are now, in the sandbox that they ask for. */
static int run_sandboxed(const struct command *command, struct options *options, int count, char **words)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (sandbox_enter(command, options, count, words, &error))
		return output_error(NULL, &error, options->json);
	return command->run(options, count, words);
}

static int run_operands(const struct command *command, struct options *options, int count, char **words)
{
	if (!options->snapshot)
		return run_sandboxed(command, options, count, words);
	char **named = calloc((size_t)count + 1, sizeof(*named));
	const int added = named ? name_snapshots(command, options->snapshot, count, words, named) : -1;
	int status;
	if (added > 0)
		status = run_sandboxed(command, options, count, words);
	else
		status = usage_error(command, options->json,
		                     added ? "out of memory" : "--snapshot goes with a FILE; the shell's state is one already");
	for (int i = 0; named && i < count; i++)
		free(named[i]);
	free(named);
	return status;
}

static int run_command(const struct command *command, struct options *options, int count, char **words)
{
	int operands = 0;
	bool only_operands = false;
	for (int i = 0; i < count;) {
		char *word = words[i];
		if (only_operands || is_operand(word)) {
			words[operands++] = word; /* they gather at the front, over words that were read already */
			i++;
		} else if (!strcmp(word, "--")) {
			only_operands = true;
			i++;
		} else if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
			char name[32];
			(void)snprintf(name, sizeof(name), "%s", command->name);
			return run_help(NULL, 1, (char *[]){name});
		} else {
			int used = take_option(command, options, words + i, count - i);
			if (!used)
				return EXIT_NO_ANSWER;
			i += used;
		}
	}
	if (command->needs > NEEDS_NOTHING && !shell_is_running())
		return usage_error(NULL, options->json, "%s is a command of the shell; gimstate shell FILE starts one", command->name);
	char *all[LINE_OPERANDS_MAX];
	const int implied = implied_operands(command, operands, words, all);
	if (implied) {
		memcpy(all + implied, words, (size_t)operands * sizeof(*words));
		words = all;
		operands += implied;
	}
	if (operands < command->min)
		return usage_error(command, options->json, "%s needs %s", command->name, command->arguments);
	if (operands && operands == command->max && is_output(command->arguments) && !strcmp(words[operands - 1], "-"))
		return usage_error(command, options->json, NOT_TO_STDIN);
	if (command->max >= 0 && operands > command->max)
		return usage_error(command, options->json, "%s does not take a further operand, %s", command->name, words[command->max]);
	if (is_read_twice(command, options, operands, words))
		return usage_error(command, options->json, "standard input can be read only once: - may stand for one file of a call");
	if (options->sandbox && !sandbox_mode(options->sandbox))
		return usage_error(command, options->json, "there is no sandbox %s; auto, require and off are", options->sandbox);
	return run_operands(command, options, operands, words);
}

/* A mistake in the words before "--json" must be told as JSON too. */
bool wants_json(int count, char **words)
{
	for (int i = 0; i < count && strcmp(words[i], "--") != 0; i++)
		if (!strcmp(words[i], "--json"))
			return true;
	return false;
}

int call(const struct command *command, bool json, int count, char **words)
{
	struct options options = {.json = json || wants_json(count, words)};
	return run_command(command, &options, count, words);
}
