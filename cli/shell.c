/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate shell: the commands, one a line, on a state that is held in memory until it is saved. */
#include "shell.h"

#include "line.h"
#include "near.h"
#include "output.h"
#include "source.h"
#include "stop.h"
#include "words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRIPT_LINE_MAX = 65536, SCRIPT_DEPTH_MAX = 16 };

static struct {
	bool running, interactive, keep_going, ending;
	int worst;
	unsigned depth; /* of scripts */
	bool told;      /* where a script failed, the innermost says */
} shell;

bool shell_is_running(void)
{
	return shell.running;
}

bool shell_is_interactive(void)
{
	return shell.interactive;
}

/* One sentence on what cannot be. */
static int refuse(const char *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(const char *file, const char *format, ...)
{
	struct gim_error error = GIM_ERROR_INIT;
	error.code = GIM_E_ARGUMENT;
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(error.text, sizeof(error.text), format, arguments);
	va_end(arguments);
	return output_error(file, &error, false);
}

/*
 * XDG Base Directory Specification: what should persist, and is no data of the user's.
 */
static bool make_folders(char *path)
{
	for (char *at = path + 1;; at++) {
		if (*at && *at != '/')
			continue;
		const char end = *at;
		*at = '\0';
		const bool there = !mkdir(path, 0700) || errno == EEXIST;
		*at = end;
		if (!there || !end)
			return there;
	}
}

bool shell_state_path(char *path, size_t size, const char *name)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	const bool own = state && *state == '/';
	if (!own && !(home && *home == '/'))
		return false;
	const int length = snprintf(path, size, "%s%s/gimstate", own ? state : home, own ? "" : "/.local/state");
	if (length < 0 || (size_t)length + strlen(name) + 2 > size || !make_folders(path))
		return false;
	(void)snprintf(path + length, size - (size_t)length, "/%s", name);
	return true;
}

/*
 * Changes that are not saved.
 */
static int save(const char *path, bool force)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct remarks remarks = {.findings = NULL};
	int status = EXIT_YES;
	if (source_save(path, force, remarks_take, &remarks, &error))
		status = output_error(path ? path : source_held(), &error, false);
	else
		remarks_put(&remarks);
	remarks_free(&remarks);
	if (!status) {
		put_safe(stdout, source_held());
		puts(": saved");
	}
	return status;
}

/* Nobody can be asked any more: the terminal is gone. */
static void rescue(void)
{
	struct gim_error error = GIM_ERROR_INIT;
	char path[4096], name[300];
	const char *held = source_held(), *base = held ? strrchr(held, '/') : NULL;
	if (!held || !source_changed())
		return;
	(void)snprintf(name, sizeof(name), "unsaved-%.200s-%ld.json", base && base[1] ? base + 1 : held, (long)getpid());
	if (!shell_state_path(path, sizeof(path), name))
		(void)refuse(held, "the changes are lost: there is no folder to keep them in");
	else if (source_rescue(path, &error))
		(void)output_error(path, &error, false);
	else
		fprintf(stderr, "gimstate: the changes were kept in %s: set --from takes them\n", path);
}

/* May the changes be forgotten? They may be saved here. */
static bool may_forget(bool force)
{
	if (force || !source_held() || !source_changed())
		return true;
	if (!shell.interactive)
		return refuse(source_held(), "it has changes that are not saved: save writes them, --force or quit! forgets them"), false;
	for (;;) {
		char *answer = NULL;
		put_safe(stdout, source_held());
		fputs(" has changes that are not saved.\n", stdout);
		const enum line_result result = line_read("Save them? [y]es, [n]o, [c]ancel: ", false, &answer);
		const char first = answer ? *answer : '\0';
		free(answer);
		if (result == LINE_STOPPED)
			return false;
		if (result != LINE_READ)
			return rescue(), true;
		if (first == 'y')
			return !save(NULL, false);
		if (first == 'n' || first == 'c')
			return first == 'n';
	}
}

/*
 * Commands.
 */
int run_open(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	(void)count;
	/* Nobody is asked about changes for a file that does not open. Saving them may change that file: it is opened after it. */
	if (source_changed() && source_try(operands[0], &error))
		return output_error(operands[0], &error, false);
	if (!may_forget(options->force))
		return EXIT_NO_ANSWER;
	if (source_hold(operands[0], &error))
		return output_error(operands[0], &error, false);
	machine_stop();
	return EXIT_YES;
}

int run_save(const struct options *options, int count, char **operands)
{
	if (!count && !source_changed()) {
		put_safe(stdout, source_held());
		puts(": nothing has changed");
		return EXIT_YES;
	}
	return save(count ? operands[0] : NULL, options->force);
}

static int put_step(const char *label, const char *what)
{
	if (!what)
		return refuse(NULL, "there is nothing to %s", label);
	printf("%s: ", label);
	put_safe(stdout, what);
	putchar('\n');
	return EXIT_YES;
}

int run_undo(const struct options *options, int count, char **operands)
{
	(void)options, (void)count, (void)operands;
	return put_step("undo", source_undo());
}

int run_redo(const struct options *options, int count, char **operands)
{
	(void)options, (void)count, (void)operands;
	return put_step("redo", source_redo());
}

static void put_change(void *user, const char *what, bool done, bool saved)
{
	(void)user;
	printf("%s  ", done ? saved ? "saved " : "done  " : "undone");
	put_safe(stdout, what);
	putchar('\n');
}

int run_changes(const struct options *options, int count, char **operands)
{
	(void)options, (void)count, (void)operands;
	source_changes(put_change, NULL);
	return EXIT_YES;
}

int run_echo(const struct options *options, int count, char **operands)
{
	(void)options;
	for (int i = 0; i < count; i++) {
		fputs(i ? " " : "", stdout);
		put_safe(stdout, operands[i]);
	}
	putchar('\n');
	return EXIT_YES;
}

int run_quit(const struct options *options, int count, char **operands)
{
	(void)count, (void)operands;
	shell.ending = may_forget(options->force);
	return shell.ending ? EXIT_YES : EXIT_NO_ANSWER;
}

int run_quit_anyway(const struct options *options, int count, char **operands)
{
	(void)options, (void)count, (void)operands;
	shell.ending = true;
	return EXIT_YES;
}

/*
 * Lines.
 */
/* What a command needs is there, or what is missing is said. */
static bool is_ready(const struct command *command)
{
	if (command->needs == NEEDS_STATE && !source_held())
		return refuse(NULL, "%s needs a state: open FILE opens one", command->name), false;
	if (command->needs == NEEDS_MACHINE && !machine_running())
		return refuse(NULL, "%s needs a machine: start makes one of the state", command->name), false;
	return true;
}

/* Is it a line of the probe language? set, which both have, is the shell's where it assigns. */
static bool is_operation(const struct line_words *words)
{
	const char *first = words->items[0];
	const size_t length = strlen(first);
	if (*first == '@' || *first == '~' || (length > 1 && first[length - 1] == ':'))
		return true;
	if (!strcmp(first, "set"))
		return machine_running() && words->count > 1 && words->items[1][0] != '-' && !strchr(words->items[1], '=');
	return !command_find(first) && machine_has_operation(first);
}

static int run_words(const char *text, struct line_words *words, bool *informs)
{
	const struct command *command = command_find(words->items[0]);
	if (is_operation(words))
		return machine_running() ? machine_line(text)
		                         : refuse(NULL, "%s needs a machine: start makes one of the state", words->items[0]);
	if (!command) {
		struct near near = NEAR(words->items[0]);
		near_offer_commands(&near, true);
		return refuse(NULL, "there is no command %s%s; help lists them", words->items[0], near.text);
	}
	if (command->run == run_shell)
		return refuse(NULL, "this is the shell; open FILE opens another state");
	*informs = command->informs;
	return is_ready(command) ? call(command, false, words->count - 1, words->items + 1) : EXIT_NO_ANSWER;
}

/* Returns the status; *informs: a "no" stops no script. */
static int run_line(const char *text, bool *informs)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct line_words words = {.count = 0};
	int status = EXIT_YES;
	*informs = false;
	if (words_split(text, &words, NULL, &error))
		return output_error(NULL, &error, false);
	if (words.count)
		status = run_words(text, &words, informs);
	words_free(&words);
	output_flush();
	return status;
}

/* Where it failed; of scripts within scripts only the innermost says so. */
static void tell_place(const char *script, unsigned number, const char *text)
{
	if (shell.told || shell.ending)
		return;
	output_flush();
	fputs("gimstate: ", stderr);
	put_safe(stderr, script);
	fprintf(stderr, ":%u: %s ", number, shell.keep_going ? "this failed:" : "stopped at:");
	put_safe(stderr, text + strspn(text, " \t"));
	fputc('\n', stderr);
	shell.told = true;
}

/* One line of a script. Returns whether to go on. */
static bool script_line(const char *script, unsigned number, const char *text, int *worst)
{
	bool informs = false;
	shell.told = false;
	const int status = run_line(text, &informs);
	*worst = status > *worst ? status : *worst;
	if (stop_wanted) {
		*worst = EXIT_NO_ANSWER;
		return false;
	}
	if (status && !(informs && status == EXIT_NO)) {
		tell_place(script, number, text);
		if (!shell.keep_going)
			return false;
	}
	return !shell.ending && !ferror(stdout);
}

static int refuse_line(const char *script, unsigned number, const char *what)
{
	char place[300];
	(void)snprintf(place, sizeof(place), "%.200s:%u", script, number);
	return refuse(place, "%s", what);
}

/* Read a line without its end. false: there is none. What is no text is told by *problem, before all of it was read. */
static bool read_line(FILE *stream, char line[SCRIPT_LINE_MAX + 1], const char **problem)
{
	size_t length = 0;
	int c;
	while ((c = getc(stream)) != EOF && c != '\n' && !*problem) {
		if (!c)
			*problem = "a zero byte: this is no script";
		else if (length == SCRIPT_LINE_MAX)
			*problem = "the line is too long";
		else
			line[length++] = (char)c;
	}
	line[length] = '\0';
	return length || c != EOF;
}

static int run_script(FILE *stream, const char *script)
{
	char *text = malloc(SCRIPT_LINE_MAX + 1);
	const char *problem = NULL;
	int worst = EXIT_YES;
	bool on = true;
	if (!text)
		return refuse(script, "out of memory");
	if (shell.depth == SCRIPT_DEPTH_MAX) {
		free(text);
		return refuse(script, "scripts within scripts, more than %d deep", SCRIPT_DEPTH_MAX);
	}
	shell.depth++;
	for (unsigned number = 1; on && read_line(stream, text, &problem); number++) {
		on = !problem && script_line(script, number, text, &worst);
		if (problem)
			worst = refuse_line(script, number, problem);
	}
	if (on && ferror(stream))
		worst = refuse(script, "it cannot be read: %s", strerror(errno));
	shell.depth--;
	free(text);
	return worst;
}

int run_source(const struct options *options, int count, char **operands)
{
	(void)options, (void)count;
	FILE *stream = fopen(operands[0], "re");
	if (!stream)
		return refuse(operands[0], "it cannot be opened: %s", strerror(errno));
	const int status = run_script(stream, operands[0]);
	shell.told = status;
	(void)fclose(stream);
	return status;
}

/*
 * A person.
 */
static void make_prompt(char *prompt, size_t size)
{
	const char *held = source_held(), *base = held ? strrchr(held, '/') : NULL;
	char name[64];
	size_t used = 0;
	for (const char *at = base ? base + 1 : held ? held : "gimstate"; *at && used < sizeof(name) - 1; at++)
		name[used++] = (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at;
	name[used] = '\0';
	(void)snprintf(prompt, size, "%s%s%s%s> ", name, source_changed() ? "*" : "", machine_running() ? " " : "",
	               machine_running() ? machine_engine() : "");
}

static int run_interactive(void)
{
	char prompt[160], *text;
	bool informs;
	while (!shell.ending && !ferror(stdout)) {
		make_prompt(prompt, sizeof(prompt));
		text = NULL;
		const enum line_result result = line_read(prompt, true, &text);
		if (result == LINE_READ)
			(void)run_line(text, &informs);
		else if (result == LINE_END)
			shell.ending = may_forget(false);
		free(text);
		if (result == LINE_GONE)
			break;
	}
	if (shell.ending)
		return EXIT_YES;
	rescue(); /* the terminal is gone, which a signal says, or only that nothing can be written there any more */
	return EXIT_NO_ANSWER;
}

static void on_stop(int number)
{
	(void)number;
	stop_wanted = 1;
	if (stop_hook)
		stop_hook();
}

static int run_commands(const struct words *words)
{
	int worst = EXIT_YES;
	bool on = true;
	for (unsigned i = 0; on && i < words->count; i++)
		on = script_line("-c", i + 1, words->items[i], &worst);
	return worst;
}

/* The script is over; what it changed must not be lost without a word. */
static int end_script(int status)
{
	if (shell.ending || !source_held() || !source_changed())
		return status;
	(void)refuse(source_held(), "the changes are not saved: a script ends with save, or with quit!");
	return EXIT_NO_ANSWER;
}

int run_shell(const struct options *options, int count, char **operands)
{
	const struct sigaction stop = {.sa_handler = on_stop};
	struct gim_error error = GIM_ERROR_INIT;
	int status;
	if (count && source_hold(operands[0], &error))
		return output_error(operands[0], &error, false);
	shell.running = true;
	shell.keep_going = options->keep_going;
	shell.interactive = !options->command.count && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	call_prefix = "";
	(void)sigaction(SIGINT, &stop, NULL);
	if (shell.interactive) {
		line_start();
		status = run_interactive();
		line_finish();
	} else {
		status = end_script(options->command.count ? run_commands(&options->command) : run_script(stdin, "standard input"));
	}
	machine_stop();
	source_release();
	return status;
}
