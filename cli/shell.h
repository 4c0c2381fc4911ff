/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the shell know of each other. */
#ifndef SHELL_H
#define SHELL_H

#include "command.h"

/*
 * shell.c: lines, wherever they come from, and the commands on the state that is held.
 */
bool shell_is_running(void);
/* A person sits there, and can be asked. */
bool shell_is_interactive(void);
/* The gimstate folder of XDG's state home, made when it is not there, and "/name" after it. false: there is none. */
bool shell_state_path(char *path, size_t size_bytes, const char *name);

int run_shell(const struct options *options, int count, char **operands);
int run_open(const struct options *options, int count, char **operands);
int run_save(const struct options *options, int count, char **operands);
int run_undo(const struct options *options, int count, char **operands);
int run_redo(const struct options *options, int count, char **operands);
int run_changes(const struct options *options, int count, char **operands);
int run_source(const struct options *options, int count, char **operands);
int run_echo(const struct options *options, int count, char **operands);
int run_quit(const struct options *options, int count, char **operands);
int run_quit_anyway(const struct options *options, int count, char **operands);

/*
 * shell_machine.c: the machine that the held state comes to life in.
 */
/* The engine's name, and the machine; NULL: there is none. */
const char *machine_engine(void);
struct gim_machine *machine_running(void);
/* Is there such an operation of probes? */
bool machine_has_operation(const char *name);
/* Run a line of the probe language. Returns the status. */
int machine_line(const char *text);
/* End it, when there is one. */
void machine_stop(void);

int run_start(const struct options *options, int count, char **operands);
int run_stop(const struct options *options, int count, char **operands);
int run_step(const struct options *options, int count, char **operands);
int run_run(const struct options *options, int count, char **operands);
int run_pages(const struct options *options, int count, char **operands);
int run_events(const struct options *options, int count, char **operands);
int run_stats(const struct options *options, int count, char **operands);
int run_trace(const struct options *options, int count, char **operands);
int run_watch(const struct options *options, int count, char **operands);
int run_unwatch(const struct options *options, int count, char **operands);
int run_reset(const struct options *options, int count, char **operands);
int run_snapshot(const struct options *options, int count, char **operands);
int run_restore(const struct options *options, int count, char **operands);
int run_take(const struct options *options, int count, char **operands);

#endif
