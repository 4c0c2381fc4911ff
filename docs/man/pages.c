/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes manual pages into a folder, from the table of commands, the rules, and the prose in docs/man/: gimstate(1), one for each command, gimstate-rules(7). */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATE "November 26, 2026"
enum { LINE_WIDTH = 76, REFERENCES_MAX = 16 };

static FILE *page;

static void begin(const char *folder, const char *name, int section)
{
	char path[4096], title[64];
	(void)snprintf(path, sizeof(path), "%s/%s.%d", folder, name, section);
	page = fopen(path, "w");
	if (!page) {
		perror(path);
		exit(1);
	}
	size_t length = 0;
	for (; name[length] && length < sizeof(title) - 1; length++)
		title[length] = (char)(name[length] >= 'a' && name[length] <= 'z' ? name[length] - 'a' + 'A' : name[length]);
	title[length] = '\0';
	fprintf(page,
	        ".\\\" SPDX-License-Identifier: GPL-3.0-or-later\n.\\\" Made by docs/man/pages.c: look there, and beside it.\n.Dd " DATE
	        "\n.Dt %s %d\n.Os\n.Sh NAME\n.Nm %s\n",
	        title, section, name);
}

static void end(void)
{
	if (fclose(page)) {
		perror("a manual page");
		exit(1);
	}
}

static void put_word(const char *word, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (word[i] == '\\')
			fputs("\\e", page);
		else
			putc(word[i], page);
}

/* Plain text: lines of moderate length, a sentence begins one. */
static void put_text(const char *text)
{
	size_t column = 0;
	for (bool ended = false; *text; text += strspn(text, " \n")) {
		const size_t length = strcspn(text, " \n");
		if (column && (ended || column + 1 + length > LINE_WIDTH)) {
			putc('\n', page);
			column = 0;
		} else if (column) {
			putc(' ', page);
			column++;
		}
		if (!column && strchr(".'", *text))
			fputs("\\&", page);
		put_word(text, length);
		column += length;
		ended = length > 1 && strchr(".?!", text[length - 1]) && text[length - 2] != '.';
		text += length;
	}
	putc('\n', page);
}

/* "NAME[/INST]", "FILE...", "A B": as one argument. */
static void put_argument(const char *argument)
{
	fprintf(page, "Ar ");
	for (const char *at = argument; *at; at++) {
		if (*at == ' ')
			fputs(" Ar ", page);
		else if (!strncmp(at, "...", 3)) {
			fputs(" ...", page);
			at += 2;
		} else
			putc(*at, page);
	}
}

static void put_flag(const struct option_row *row)
{
	fprintf(page, "Fl -%s", row->name);
	if (row->argument) {
		putc(' ', page);
		put_argument(row->argument);
	}
}

/* The usage line's words, each after before and followed by after: those in brackets may be left out. */
static void put_each(const char *arguments, const char *before, const char *after)
{
	while (*arguments) {
		const size_t length = strcspn(arguments, " ");
		char word[64];
		(void)snprintf(word, sizeof(word), "%.*s", (int)length, arguments);
		const bool optional = *word == '[' && word[length - 1] == ']';
		if (optional)
			word[length - 1] = '\0';
		fprintf(page, "%s%s", before, optional ? "Op " : "");
		put_argument(word + optional);
		fputs(after, page);
		arguments += length + strspn(arguments + length, " ");
	}
}

static void put_operands(const char *arguments)
{
	put_each(arguments, ".", "\n");
}

static void put_item_operands(const char *arguments)
{
	put_each(arguments, " ", "");
	putc('\n', page);
}

static void put_options(const struct option_row *rows)
{
	for (; rows->name; rows++) {
		fputs(".It ", page);
		if (rows->letter)
			fprintf(page, "Fl %c , ", rows->letter);
		put_flag(rows);
		putc('\n', page);
		put_text(rows->help);
	}
}

static FILE *open_prose(const char *name)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "docs/man/%s.mdoc", name);
	FILE *prose = fopen(path, "r");
	if (!prose) {
		perror(path);
		exit(1);
	}
	return prose;
}

/* The prose of a page up to its first section, or from there on. */
static void put_prose(const char *name, bool sections)
{
	char line[1024];
	bool inside = false;
	FILE *prose = open_prose(name);
	while (fgets(line, sizeof(line), prose)) {
		inside = inside || !strncmp(line, ".Sh", 3);
		if (inside == sections && strncmp(line, ".\\\" ", 4) != 0)
			fputs(line, page);
	}
	(void)fclose(prose);
}

/* Another page. */
struct reference {
	int section;
	char name[64];
};

static int by_section(const void *left, const void *right)
{
	const struct reference *a = left, *b = right;
	return a->section != b->section ? a->section - b->section : strcmp(a->name, b->name);
}

/* Of all pages that the prose refers to, and of the overview. */
static void put_references(const char *name)
{
	struct reference references[REFERENCES_MAX] = {{.section = 1, .name = "gimstate"}};
	size_t count = 1;
	char line[1024];
	FILE *prose = open_prose(name);
	while (count < REFERENCES_MAX && fgets(line, sizeof(line), prose))
		count += sscanf(line, ".Xr %63s %d", references[count].name, &references[count].section) == 2;
	(void)fclose(prose);
	qsort(references, count, sizeof(references[0]), by_section);
	fputs(".Sh SEE ALSO\n", page);
	for (size_t i = 0, next; i < count; i = next) {
		for (next = i + 1; next < count && !by_section(&references[i], &references[next]); next++)
			;
		fprintf(page, ".Xr %s %d%s\n", references[i].name, references[i].section, next < count ? " ," : "");
	}
}

static void put_statuses(void)
{
	fputs(".Sh EXIT STATUS\n.Bl -tag -width Ds\n.It 0\nyes, or done\n.It 1\nthe answer is no: what was asked for is corrupt, absent, "
	      "or differs\n"
	      ".It 2\nthere is no answer: wrong usage, input or output that failed, an unknown format\n.El\n",
	      page);
}

static bool is_public(const struct command *command)
{
	return !command->hidden && command->needs == NEEDS_NOTHING;
}

static void write_command(const char *folder, const struct command *command)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "gimstate-%s", command->name);
	begin(folder, name, 1);
	fprintf(page, ".Nd %s\n.Sh SYNOPSIS\n.Nm gimstate %s\n", command->help, command->name);
	for (const struct option_row *row = command->options; row->name; row++) {
		fputs(".Op ", page);
		put_flag(row);
		putc('\n', page);
	}
	put_operands(command->arguments);
	fputs(".Sh DESCRIPTION\n", page);
	put_prose(command->name, false);
	if (command->options->name || command->access) {
		fputs(".Pp\nThe options are:\n.Bl -tag -width Ds\n", page);
		put_options(command->options);
		if (command->access)
			put_options(common_options);
		fputs(".El\n", page);
	}
	put_statuses();
	put_prose(command->name, true);
	put_references(command->name);
	end();
}

static void put_commands(bool of_shell)
{
	fputs(".Bl -tag -width Ds\n", page);
	for (const struct command *command = commands; command->name; command++) {
		if (command->hidden || (command->needs == NEEDS_NOTHING) == of_shell)
			continue;
		if (of_shell) {
			const char *mark = strchr(command->name, '!');
			fprintf(page, ".It Ic %.*s%s", (int)strcspn(command->name, "!"), command->name, mark ? "\\&!" : "");
			put_item_operands(command->arguments);
		} else
			fprintf(page, ".It Xr gimstate-%s 1\n", command->name);
		put_text(command->help);
	}
	fputs(".El\n", page);
}

static void write_overview(const char *folder)
{
	begin(folder, "gimstate", 1);
	fputs(".Nd show, check, change and run the guest interface of saved virtual machines\n.Sh SYNOPSIS\n.Nm\n.Op Fl -json\n.Op Fl "
	      "-sandbox Ar MODE\n"
	      ".Ar COMMAND\n.Op Ar OPTIONS\n.Op Ar FILE ...\n.Nm\n.Fl -version\n.Op Fl v\n.Sh DESCRIPTION\n",
	      page);
	put_prose("gimstate", false);
	fputs(".Pp\nThe commands are:\n", page);
	put_commands(false);
	fputs(".Pp\nIn the shell there are also:\n", page);
	put_commands(true);
	put_prose("gimstate", true);
	put_statuses();
	fputs(".Sh SEE ALSO\n.Xr libgimstate 3 ,\n.Xr gimstate-bundle 5 ,\n.Xr gimstate-json 5 ,\n.Xr gimstate-probe 5 ,\n.Xr "
	      "gimstate-rules 7\n",
	      page);
	end();
}

static int put_rule(void *user, const struct gim_rule *rule)
{
	static const char *const severities[] = {"note", "warning", "error"};
	(void)user;
	fprintf(page, ".It Sy %s , No %s", rule->id, severities[rule->severity]);
	if (rule->status_name)
		fprintf(page, " , Dv %s", rule->status_name);
	putc('\n', page);
	put_text(rule->help);
	const struct {
		const char *label, *text;
	} parts[] = {{"Why", rule->why}, {"Mend", rule->mend}, {"Source", rule->source}};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].text) {
			fprintf(page, ".Pp\n.Em %s :\n", parts[i].label);
			put_text(parts[i].text);
		}
	return 0;
}

static void write_rules(const char *folder)
{
	begin(folder, "gimstate-rules", 7);
	fputs(".Nd what saved states are judged by\n.Sh DESCRIPTION\n", page);
	put_prose("rules-list", false);
	fputs(".Bl -tag -width Ds\n", page);
	(void)gim_rules_visit(put_rule, NULL);
	fputs(".El\n.Sh SEE ALSO\n.Xr gimstate-check 1 ,\n.Xr gimstate-rules 1 ,\n.Xr gimstate-verify 1\n", page);
	end();
}

int main(int count, char **words)
{
	if (count != 2)
		return 2;
	write_overview(words[1]);
	for (const struct command *command = commands; command->name; command++)
		if (is_public(command))
			write_command(words[1], command);
	write_rules(words[1]);
	return 0;
}
