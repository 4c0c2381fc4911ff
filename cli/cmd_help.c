/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate help: printed from the table of commands. */
#include "command.h"
#include "harness/builtin.h"
#include "shell.h"

#include <stdio.h>
#include <string.h>

static const char *first_word(const char *text)
{
	static char word[32];
	(void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(text, " ."), text);
	return word;
}

static void help_command(const struct command *command)
{
	printf("%s%s%s%s%s\n\n%s\n", command->needs ? "" : call_prefix, command->name, command->options->name ? " [OPTIONS]" : "",
	       *command->arguments ? " " : "", command->arguments, command->help);
	if (command->implied && shell_is_running())
		printf("\n%s stand%s for the state that is held, when %s not given.\n",
		       command->implied == 2 ? "A and B" : first_word(command->arguments), command->implied == 2 ? "" : "s",
		       command->implied == 2 ? "they are" : "it is");
	for (const struct option_row *row = command->options; row->name; row++) {
		char left[64], letter[8] = "   ";
		(void)snprintf(left, sizeof(left), "--%s%s%s", row->name, row->argument ? " " : "", row->argument ? row->argument : "");
		if (row->letter)
			(void)snprintf(letter, sizeof(letter), "-%c,", row->letter);
		printf("%s  %s %-26s %s\n", row == command->options ? "\n" : "", letter, left, row->help);
	}
}

/* The commands of the shell alone, or the others. */
static void list(bool of_shell)
{
	for (const struct command *command = commands; command->name; command++)
		if (!command->hidden && (command->needs > NEEDS_NOTHING) == of_shell)
			printf("  %-8s %-13s %s\n", command->name, command->arguments, command->help);
}

static int put_operation(void *user, const char *name, const char *arguments, const char *help)
{
	(void)user, (void)arguments, (void)help;
	if (!command_find(name))
		printf(" %s", name);
	return 0;
}

static int help_operation(void *user, const char *name, const char *arguments, const char *help)
{
	if (strcmp(name, (const char *)user) != 0)
		return 0;
	printf("%s%s%s\n\n%s\n", name, *arguments ? " " : "", arguments, help);
	return 1;
}

static void help_all(void)
{
	printf("gimstate COMMAND [OPTIONS] [FILE...]\n\n"
	       "Shows and checks saved states of virtual machines: the guest interface in them, and what is around it.\n\n");
	list(false);
	puts("\nIn the shell also:\n");
	list(true);
	fputs("\nAnd, on a machine that start made, the operations of probes, with @VCPU before them where it is not the first:\n ",
	      stdout);
	(void)probe_operations(put_operation, NULL);
	putchar('\n');
	printf(
	    "\nFILE - is standard input. Options may follow operands; after -- all words are operands.\n"
	    "More: gimstate help COMMAND, gimstate help probe (the language of replay --probe), gimstate --version -v.\n"
	    "Commands give up what they do not need before they read FILE; --sandbox require fails where that cannot be had, --sandbox off "
	    "does not.\n"
	    "Exit status: 0 yes, done; 1 the answer is no: corrupt, absent; 2 no answer: usage, I/O, not a known format, no such field.\n");
}

int run_help(const struct options *options, int count, char **operands)
{
	(void)options;
	if (!count) {
		help_all();
		return EXIT_YES;
	}
	if (!strcmp(operands[0], "probe")) {
		probe_help(stdout);
		fputs("\nWithout --probe these probes run, made of what the state holds (replay --verbose shows them):\n\n", stdout);
		builtin_help(stdout);
		fputs("\nMore: gimstate-probe(5).\n", stdout);
		return EXIT_YES;
	}
	const struct command *command = command_find(operands[0]);
	if (!command && probe_operations(help_operation, operands[0]))
		return EXIT_YES;
	if (!command)
		return command_missing(false, operands[0]);
	help_command(command);
	return EXIT_YES;
}
