/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate help: printed from the table of commands. */
#include "command.h"

#include <stdio.h>

static void help_command(const struct command *command)
{
	printf("gimstate %s%s %s\n\n%s\n", command->name, command->options->name ? " [OPTIONS]" : "", command->arguments, command->help);
	for (const struct option_row *row = command->options; row->name; row++) {
		char left[64], letter[8] = "   ";
		(void)snprintf(left, sizeof(left), "--%s%s%s", row->name, row->argument ? " " : "", row->argument ? row->argument : "");
		if (row->letter)
			(void)snprintf(letter, sizeof(letter), "-%c,", row->letter);
		printf("%s  %s %-26s %s\n", row == command->options ? "\n" : "", letter, left, row->help);
	}
}

static void help_all(void)
{
	printf("gimstate COMMAND [OPTIONS] [FILE...]\n\n"
	       "Shows and checks saved states of virtual machines: the guest interface in them, and what is around it.\n\n");
	for (const struct command *command = commands; command->name; command++)
		printf("  %-8s %-13s %s\n", command->name, command->arguments, command->help);
	printf(
	    "\nFILE - is standard input. Options may follow operands; after -- all words are operands.\n"
	    "More: gimstate help COMMAND, gimstate --version.\n"
	    "Exit status: 0 yes, done; 1 the answer is no: corrupt, absent; 2 no answer: usage, I/O, not a known format, no such field.\n");
}

int run_help(const struct options *options, int count, char **operands)
{
	(void)options;
	if (!count) {
		help_all();
		return EXIT_YES;
	}
	const struct command *command = command_find(operands[0]);
	if (!command)
		return usage_error(NULL, false, "there is no command %s", operands[0]);
	help_command(command);
	return EXIT_YES;
}
