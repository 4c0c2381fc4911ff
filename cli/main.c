/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line: finds the command, calls it, and makes sure that what it printed arrived. */
#include "command.h"
#include "output.h"
#include "sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int run(int count, char **words)
{
	bool json = false;
	int first = 1;
	for (; first < count && (!strcmp(words[first], "--json") || !strncmp(words[first], "--sandbox", 9)); first++) {
		const char *mode = words[first][9] == '=' ? words[first] + 10 : NULL;
		if (!strcmp(words[first], "--json"))
			json = true;
		else if (!mode && ++first == count)
			return usage_error(NULL, json, "option --sandbox needs its argument, MODE");
		else if (!sandbox_mode(mode ? mode : words[first]))
			return usage_error(NULL, json, "there is no sandbox %s; auto, require and off are", mode ? mode : words[first]);
	}
	if (first == count)
		return usage_error(NULL, json, "no command given");
	if (!strcmp(words[first], "--version")) {
		printf("gimstate %s\n", GIM_VERSION);
		if (first + 1 < count && (!strcmp(words[first + 1], "-v") || !strcmp(words[first + 1], "--verbose")))
			sandbox_describe(stdout);
		return EXIT_YES;
	}
	if (!strcmp(words[first], "--help") || !strcmp(words[first], "-h"))
		return run_help(NULL, first + 1 < count && words[first + 1][0] != '-', words + first + 1);
	const struct command *command = command_find(words[first]);
	if (!command)
		return command_missing(json || wants_json(count, words), words[first]);
	return call(command, json, count - first - 1, words + first + 1);
}

/* A closed descriptor 0, 1 or 2 would be taken by the next file that is opened, and our output would go there. */
static void occupy_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

static bool ended;

/* Without memory libarchive ends the program, with the exit status of a "no". */
static void end(void)
{
	if (!ended)
		_exit(EXIT_NO_ANSWER);
}

int main(int count, char **words)
{
	/* A closed output is an error, told like any other, and so is a file that may not become so large. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	occupy_standard_descriptors();
	(void)atexit(end);
	output_start();
	const int status = run(count, words);
	ended = true;
	return output_finish() ? status : EXIT_NO_ANSWER;
}
