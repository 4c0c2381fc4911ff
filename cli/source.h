/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The states that commands read: files, or the one that the shell holds, with the changes that were made to it. */
#ifndef SOURCE_H
#define SOURCE_H

#include "gimstate.h"

/* How much of a changed state is needed. */
enum source_need {
	SOURCE_FIELDS, /* its guest interface; all else as it is in the file, which costs no copy */
	SOURCE_WHOLE,  /* all that a save would write */
};

/* As gim_state_open (settled: as gim_state_open_settled) where name is a file; *state is the caller's. */
int source_open(const char *name, enum source_need need, bool settled, struct gim_state **state, struct gim_error *error);
/* The same to read the fields at paths: all of a changed state where one of them is beside its guest interface. */
int source_open_paths(const char *name, int count, char **paths, struct gim_state **state, struct gim_error *error);
/* The path of a file that holds all of it, until the next change: name itself, or that of a copy. NULL: *error says why. */
const char *source_path(const char *name, struct gim_error *error);

/* The one leaf at a path of what was decoded; false: it is absent, or there is none. */
bool source_value(const struct gim_state *state, const char *path, struct gim_value *value);

/*
 * The state that the shell holds. Commands know it by the pointers that these two return: as it is now, and as it was last saved. NULL: none.
 */
const char *source_held(void);
const char *source_saved(void);
bool source_is_held(const char *name);

/* Hold the state at path, and forget the one before. */
int source_hold(const char *path, struct gim_error *error);
/* Would source_hold take it? What is held stays. */
int source_try(const char *path, struct gim_error *error);
void source_release(void);

/* How a changed state is to be written, as in struct gim_write_options. */
struct source_form {
	bool gim_only;
	const char *container, *release, *producer;
	unsigned host_bits;
};

/* Keep what state, which was opened as the held one, now is, as one more change. what: a few words on it. form may be NULL. Without a difference nothing is kept. */
int source_edit(struct gim_state *state, const char *what, const struct source_form *form, struct gim_error *error);
bool source_changed(void);
/* One change back, or forth again: what it was; NULL when there is none. */
const char *source_undo(void);
const char *source_redo(void);
/* Visit the changes since the file was read, in their order; done: not taken back. */
typedef void source_change_fn(void *user, const char *what, bool done, bool saved);
void source_changes(source_change_fn *visit, void *user);

/* Write it; path NULL: to its own file. It is that file from then on. report gets what changes beside the guest interface. */
int source_save(const char *path, bool replace, gim_report_fn *report, void *user, struct gim_error *error);
/* Write the changed interface as a JSON document, when nobody can be asked any more. */
int source_rescue(const char *path, struct gim_error *error);

#endif
