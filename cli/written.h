/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that a command writes: as the library's, but a signal that ends the command leaves nothing half of them behind. */
#ifndef WRITTEN_H
#define WRITTEN_H

#include "gimstate.h"

#include <signal.h>

/* As gim_output_new, gim_output_commit and gim_output_discard; for the main thread. */
int written_new(const char *path, bool replace, struct gim_output **output, struct gim_error *error);
int written_commit(struct gim_output **output, struct gim_error *error);
void written_discard(struct gim_output **output);

/* A file or a folder of that name is there only for now, or will be: a signal takes it away, the last named first. False: out of memory. */
bool written_for_now(const char *path);
/* Forget all those names: what they stood for has come to stay, or is gone. */
void written_to_stay(void);

/* Before the first thread that holds signals while others do not: then one that comes waits for it. The functions above do it themselves. */
void written_catch(void);
/* At the end of a handler, with all signals blocked: the command ends by that signal as if it were caught here. */
void written_end(int number);
/* Put off the signals that end a command, for as long as it takes to give a file its name; *before is what resume needs. In any thread. */
void written_hold(sigset_t *before);
void written_resume(const sigset_t *before);

#endif
