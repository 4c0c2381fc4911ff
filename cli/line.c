/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading lines of a person, with readline, which is loaded only here: linking it would cost every start of the command. Without it lines are plain. */
#include "line.h"

#include "complete.h"
#include "shell.h"
#include "stop.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

enum { HISTORY_MAX = 1000 };

/* What is used of it, by the names that it has there. */
#define FUNCTIONS(X)                                                                                                                       \
	X(rl_callback_handler_install)                                                                                                     \
	X(rl_callback_handler_remove)                                                                                                      \
	X(rl_callback_read_char)                                                                                                           \
	X(rl_callback_sigcleanup)                                                                                                          \
	X(rl_prep_terminal)                                                                                                                \
	X(rl_resize_terminal)                                                                                                              \
	X(rl_completion_matches)                                                                                                           \
	X(using_history)                                                                                                                   \
	X(add_history)                                                                                                                     \
	X(read_history)                                                                                                                    \
	X(append_history)                                                                                                                  \
	X(history_truncate_file)                                                                                                           \
	X(stifle_history)                                                                                                                  \
	X(history_get)
#define VARIABLES(X)                                                                                                                       \
	X(rl_readline_name)                                                                                                                \
	X(rl_line_buffer)                                                                                                                  \
	X(rl_catch_signals)                                                                                                                \
	X(rl_prep_term_function)                                                                                                           \
	X(rl_getc_function)                                                                                                                \
	X(rl_catch_sigwinch)                                                                                                               \
	X(rl_attempted_completion_function)                                                                                                \
	X(rl_attempted_completion_over)                                                                                                    \
	X(rl_completer_word_break_characters)                                                                                              \
	X(rl_completer_quote_characters)                                                                                                   \
	X(rl_filename_quote_characters)                                                                                                    \
	X(rl_completion_append_character)                                                                                                  \
	X(rl_completion_suppress_append)                                                                                                   \
	X(history_base)                                                                                                                    \
	X(history_length)

#define FUNCTION_MEMBER(name) __typeof__(&name) name;
#define VARIABLE_MEMBER(name) __typeof__(&name) name##_at;
static struct {
	FUNCTIONS(FUNCTION_MEMBER)
	VARIABLES(VARIABLE_MEMBER)
} rl;

static const struct {
	const char *name;
	size_t offset;
} symbols[] = {
#define FUNCTION_ROW(name) {#name, offsetof(__typeof__(rl), name)},
#define VARIABLE_ROW(name) {#name, offsetof(__typeof__(rl), name##_at)},
    FUNCTIONS(FUNCTION_ROW) VARIABLES(VARIABLE_ROW)};

static bool loaded;
static volatile sig_atomic_t gone, resized;
static sigset_t unblocked; /* the signals while a key is waited for */
static char history_path[4096];
static int added; /* lines of this shell */

static struct {
	char *text;
	enum line_result result;
	bool done;
} typed;

bool line_load(void)
{
	void *library = dlopen("libreadline.so.8", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	for (size_t i = 0; library && i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *symbol = dlsym(library, symbols[i].name);
		if (!symbol)
			return false;
		memcpy((char *)&rl + symbols[i].offset, &symbol, sizeof(symbol));
	}
	return library;
}

/*
 * Completion. readline cuts the line at blanks, quotes, = and commas; what may stand there is found out from all before it.
 */
static struct completions found;

static char *next_match(const char *text, int state)
{
	static size_t at;
	(void)text;
	if (!state)
		at = 0;
	return at < found.count ? strdup(found.items[at++].text) : NULL;
}

static char **complete_at(const char *text, int start, int end)
{
	char *before = strndup(*rl.rl_line_buffer_at, (size_t)start);
	char **matches = NULL;
	(void)end;
	if (!before)
		return NULL;
	complete(before, text, &found);
	free(before);
	*rl.rl_attempted_completion_over_at = !found.files;
	*rl.rl_completion_append_character_at = found.append;
	if (found.count)
		matches = rl.rl_completion_matches(text, next_match);
	if (matches)
		*rl.rl_completion_suppress_append_at = complete_is_open(matches[0]);
	completions_free(&found);
	return matches;
}

/*
 * Signals come only while a key is waited for.
 */
static void on_signal(int number)
{
	if (number == SIGWINCH) {
		resized = 1;
	} else {
		gone = 1;
		stop_wanted = 1;
		if (stop_hook)
			stop_hook();
	}
}

/* What is read is what is there, and never waited for: what had been typed is gone when Ctrl-C comes between waiting for a key and reading it. */
static void prepare_terminal(int meta)
{
	struct termios modes;
	rl.rl_prep_terminal(meta);
	if (tcgetattr(STDIN_FILENO, &modes))
		return;
	modes.c_cc[VMIN] = 0;
	modes.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &modes);
}

/* Signals come only here. Returns what is there to read: > 0, or < 0 with errno. */
static int wait_for_input(void)
{
	fd_set set;
	FD_ZERO(&set);
	FD_SET(STDIN_FILENO, &set);
	return pselect(STDIN_FILENO + 1, &set, NULL, NULL, NULL, &unblocked);
}

/* readline's next key. In the midst of a sequence of keys it is waited for, too. */
static int get_key(FILE *stream)
{
	struct pollfd poller = {.fd = fileno(stream), .events = POLLIN};
	unsigned char key;
	for (;;) {
		const ssize_t count = read(poller.fd, &key, 1);
		if (count == 1)
			return key;
		/* A terminal that ends hangs up; with a key for the end it would be a key. */
		if (count < 0 ? errno != EINTR : poll(&poller, 1, 0) > 0 && poller.revents & (POLLHUP | POLLERR | POLLNVAL))
			gone = 1;
		else if (wait_for_input() < 0 && errno != EINTR)
			gone = 1;
		if (gone || stop_wanted)
			return READERR;
	}
}

static void on_line(char *text)
{
	typed.text = text;
	typed.result = text ? LINE_READ : LINE_END;
	typed.done = true;
	rl.rl_callback_handler_remove();
}

static void give_up(enum line_result result)
{
	rl.rl_callback_sigcleanup();
	rl.rl_callback_handler_remove();
	free(typed.text);
	typed.text = NULL;
	typed.result = result;
	typed.done = true;
	if (result == LINE_STOPPED)
		puts("^C");
}

static void wait_for_key(void)
{
	const int ready = wait_for_input();
	if (!gone && !stop_wanted && ready > 0)
		rl.rl_callback_read_char();
	if (gone) {
		give_up(LINE_GONE);
	} else if (stop_wanted) {
		give_up(LINE_STOPPED);
	} else if (ready < 0 && errno != EINTR) {
		give_up(LINE_GONE);
	}
	if (resized && !typed.done) {
		resized = 0;
		rl.rl_resize_terminal();
	}
}

static enum line_result read_plain(const char *prompt, char **line)
{
	size_t room = 0;
	fputs(prompt, stdout);
	(void)fflush(stdout);
	const ssize_t length = getline(line, &room, stdin);
	if (length >= 0) {
		(*line)[strcspn(*line, "\n")] = '\0';
		return LINE_READ;
	}
	const bool stopped = stop_wanted && !gone;
	clearerr(stdin);
	free(*line);
	*line = NULL;
	return gone ? LINE_GONE : stopped ? LINE_STOPPED : LINE_END;
}

static void remember(const char *text)
{
	const HIST_ENTRY *last = rl.history_get(*rl.history_base_at + *rl.history_length_at - 1);
	if (!text[strspn(text, " \t")] || (last && !strcmp(last->line, text)))
		return;
	rl.add_history(text);
	added++;
}

enum line_result line_read(const char *prompt, bool history, char **line)
{
	sigset_t blocked;
	*line = NULL;
	stop_wanted = 0;
	if (gone)
		return LINE_GONE;
	if (!loaded)
		return read_plain(prompt, line);
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGINT);
	(void)sigaddset(&blocked, SIGHUP);
	(void)sigaddset(&blocked, SIGTERM);
	(void)sigaddset(&blocked, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &blocked, &unblocked);
	typed.text = NULL;
	typed.done = false;
	rl.rl_callback_handler_install(prompt, on_line);
	while (!typed.done)
		wait_for_key();
	(void)sigprocmask(SIG_SETMASK, &unblocked, NULL);
	if (typed.result == LINE_END)
		putchar('\n');
	if (typed.text && history)
		remember(typed.text);
	*line = typed.text;
	return typed.result;
}

static void start_history(void)
{
	rl.using_history();
	rl.stifle_history(HISTORY_MAX);
	if (!shell_state_path(history_path, sizeof(history_path), "history"))
		history_path[0] = '\0';
	else
		(void)rl.read_history(history_path);
}

void line_start(void)
{
	const struct sigaction end = {.sa_handler = on_signal}, resize = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	(void)sigaction(SIGHUP, &end, NULL);
	(void)sigaction(SIGTERM, &end, NULL);
	(void)sigaction(SIGWINCH, &resize, NULL);
	loaded = line_load();
	if (!loaded) {
		fputs("gimstate: lines cannot be edited: libreadline.so.8 is not here; install libreadline8\n", stderr);
		return;
	}
	*rl.rl_readline_name_at = "gimstate";
	*rl.rl_catch_signals_at = 0;
	*rl.rl_catch_sigwinch_at = 0;
	*rl.rl_prep_term_function_at = prepare_terminal;
	*rl.rl_getc_function_at = get_key;
	*rl.rl_attempted_completion_function_at = complete_at;
	*rl.rl_completer_word_break_characters_at = " \t\n\"'=,";
	*rl.rl_completer_quote_characters_at = "\"'";
	*rl.rl_filename_quote_characters_at = " \t\n\\\"'#";
	start_history();
}

void line_finish(void)
{
	const int fd = added && *history_path ? open(history_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		return;
	(void)close(fd);
	(void)rl.append_history(added, history_path);
	(void)rl.history_truncate_file(history_path, HISTORY_MAX);
	added = 0;
}
