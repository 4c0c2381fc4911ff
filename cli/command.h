/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a command is: a row of one table, which the parser, the usage lines and help all read. */
#ifndef COMMAND_H
#define COMMAND_H

#include "gimstate.h"

/* Over many files the highest counts. */
enum { EXIT_YES = 0, EXIT_NO = 1, EXIT_NO_ANSWER = 2 };

/* The arguments of an option that may be given several times. */
#define WORDS_MAX 64
struct words {
	const char *items[WORDS_MAX];
	unsigned count;
};

/* The options of a call. */
struct options {
	bool json, ndjson, all, raw, hex, quick, force, screenshot, in_place, gim_only, lossy, dry_run, exact, whole, junit, tap, verbose,
	    strict, notes, resume, keep_going, sarif, markdown, html, svg, recursive, origin, ram, pages;
	const char *unit, *output, *layout, *against, *field, *to, *from, *container, *producer, *host_bits, *member, *engine, *clock,
	    *repeat, *timeout, *config, *write_baseline, *jobs, *shard, *cache, *snapshot;
	const char *as, *bits, *max, *elf, *index;
	const char *sandbox, *kernel, *append, *smp, *mem, *for_time, *provider, *save_at[2], *symbols, *gdb;
	const char *base;
	struct words target, with, probe, error, ignore, command;
};

struct option_row {
	const char *name; /* without the dashes; NULL ends a list */
	char letter;      /* or 0 */
	size_t offset;    /* in struct options: of a bool; with an argument, of a const char *, or with "..." after it of a struct words */
	const char *argument; /* as usage shows it, or NULL; "NAME...": may be given several times; "A B": two, of a const char *[2] */
	const char *help;
};

/* What must be there before a command can run. */
enum needs { NEEDS_NOTHING, NEEDS_SHELL, NEEDS_STATE, NEEDS_MACHINE };

/* What a command needs of the system, and keeps in the sandbox (sandbox.h). */
enum access {
	ACCESS_SHELL,   /* what the shell has, in which alone it runs */
	ACCESS_SESSION, /* any file, as the user says it, and VMs, but no other program and no network */
	ACCESS_NAMED,   /* to read what its words name, and to write what they name as output */
	ACCESS_COPIES,  /* and files without a name, which others need only for what is packed or a pipe */
	ACCESS_AROUND,  /* and to read any file, since what it reads names others: settings, configurations, links */
	ACCESS_MACHINE, /* what its words name, files without a name, VMs of /dev/kvm, and a port for GDB where it is told to */
};

struct command {
	const char *name; /* NULL ends the table */
	const char *arguments;
	const char *help;
	const struct option_row *options;
	int min, max; /* number of operands; max -1: any */
	int (*run)(const struct options *options, int count, char **operands);
	int implied; /* how many operands the state stands for that the shell holds */
	enum needs needs;
	enum access access;
	bool informs; /* its "no" is an answer that a script goes on after */
	bool hidden;  /* for other programs of ours: no help names it */
};

extern const struct command commands[];
/* Of every command that the sandbox is for. */
extern const struct option_row common_options[];

/* NULL when there is none of that name. */
const struct command *command_find(const char *name);

/* Read the words after the command's name by its row, and run it. json: a mistake is to be told as JSON, whatever the words say. */
int call(const struct command *command, bool json, int count, char **words);
/* Is "--json" among the words? Mistakes before it are told as JSON too. */
bool wants_json(int count, char **words);

/* Does an operand name standard input, or a member of the archive that comes from there? */
bool is_standard_input(const char *word);

/* What stands before a command in its usage: "gimstate ", or in the shell nothing. */
extern const char *call_prefix;

/* Say that the command line is wrong; command may be NULL. Returns EXIT_NO_ANSWER. */
int usage_error(const struct command *command, bool json, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Say that there is no command of that name. Returns EXIT_NO_ANSWER. */
int command_missing(bool json, const char *word);

int run_dump(const struct options *options, int count, char **operands);
int run_info(const struct options *options, int count, char **operands);
int run_units(const struct options *options, int count, char **operands);
int run_verify(const struct options *options, int count, char **operands);
int run_extract(const struct options *options, int count, char **operands);
int run_mem(const struct options *options, int count, char **operands);
int run_search(const struct options *options, int count, char **operands);
int run_get(const struct options *options, int count, char **operands);
int run_set(const struct options *options, int count, char **operands);
int run_convert(const struct options *options, int count, char **operands);
int run_diff(const struct options *options, int count, char **operands);
int run_check(const struct options *options, int count, char **operands);
int run_merge(const struct options *options, int count, char **operands);
int run_profile(const struct options *options, int count, char **operands);
int run_pack(const struct options *options, int count, char **operands);
int run_unpack(const struct options *options, int count, char **operands);
int run_rules(const struct options *options, int count, char **operands);
int run_replay_guest(const struct options *options, int count, char **operands); /* replay --kernel, --resume */
int run_report(const struct options *options, int count, char **operands);
int run_replay(const struct options *options, int count, char **operands);
int run_fields(const struct options *options, int count, char **operands);
int run_complete(const struct options *options, int count, char **operands);
int run_help(const struct options *options, int count, char **operands);

#endif
