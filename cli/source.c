/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Holding a state: the file stays open and as it is, and each change is kept as a JSON document of the whole guest interface. */
#include "source.h"

#include "command.h"
#include "output.h"
#include "spool.h"
#include "written.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int keep_leaf(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	*(struct gim_value *)user = *value;
	return 0;
}

bool source_value(const struct gim_state *state, const char *path, struct gim_value *value)
{
	*value = (struct gim_value){.presence = GIM_ABSENT};
	(void)gim_state_visit(state, path, keep_leaf, value, NULL);
	return value->presence != GIM_ABSENT;
}

/* What all kept changes may take; beyond it the oldest can no longer be undone. */
#define CHANGES_BYTES_MAX ((size_t)256 << 20)

struct change {
	char *what; /* that made it; NULL for the first, which is the file as it was read */
	char *json; /* the guest interface after it */
	size_t json_bytes;
	bool gim_only;
	char *container, *release, *producer;
	unsigned host_bits;
};

static struct {
	char *name, *saved_name; /* the same text; which of them a command has says which state it means */
	int fd;                  /* of the file, or of the archive that it stands in */
	struct stat seen;
	char path[512]; /* by which it is read */
	struct change *changes;
	size_t count, room, now;
	size_t in_file; /* the change that the file has; SIZE_MAX: one that is gone */
	int copy_fd;    /* a file without a name that holds all of change `copied`; -1 */
	size_t copied;
	char copy_path[40];
} held = {.fd = -1, .copy_fd = -1};

const char *source_held(void)
{
	return held.name;
}

const char *source_saved(void)
{
	return held.saved_name;
}

bool source_is_held(const char *name)
{
	return name && name == held.name;
}

/* Without any change there is no list. */
bool source_changed(void)
{
	return held.count && held.now != held.in_file;
}

/*
 * The file.
 */
static void change_free(struct change *change)
{
	free(change->what);
	free(change->json);
	free(change->container);
	free(change->release);
	free(change->producer);
}

static void drop_copy(void)
{
	if (held.copy_fd >= 0)
		(void)close(held.copy_fd);
	held.copy_fd = -1;
}

void source_release(void)
{
	drop_copy();
	for (size_t i = 0; i < held.count; i++)
		change_free(&held.changes[i]);
	free(held.changes);
	if (held.fd >= 0)
		(void)close(held.fd);
	free(held.name);
	free(held.saved_name);
	memset(&held, 0, sizeof(held));
	held.fd = held.copy_fd = -1;
}

/* Open the file that path names, or the archive in it. */
static int open_file(const char *path, int *fd, struct stat *seen, char *own_path, size_t size, struct gim_error *error)
{
	const size_t length = gim_path_file(path);
	char *file = strndup(path, length);
	if (!file)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	const int opened = (int)TEMP_FAILURE_RETRY(open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
	free(file);
	if (opened < 0 || fstat(opened, seen)) {
		const int reason = errno;
		if (opened >= 0)
			(void)close(opened);
		return error_set(error, GIM_E_IO, "it cannot be opened: %s", strerror(reason));
	}
	if (!S_ISREG(seen->st_mode)) {
		(void)close(opened);
		return error_set(error, GIM_E_ARGUMENT, "it is no regular file, and the shell reads a state more than once");
	}
	(void)snprintf(own_path, size, "/proc/self/fd/%d%s", opened, path + length);
	*fd = opened;
	return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Does the name still stand for what was read? */
static bool unmoved(void)
{
	struct stat now;
	char *file = strndup(held.name, gim_path_file(held.name));
	const bool same = file && !stat(file, &now) && same_file(&now, &held.seen);
	free(file);
	return same;
}

/* The name says more than a descriptor does (its folder, its ending), as long as it stands for the same file. */
static const char *file_path(void)
{
	return unmoved() ? held.name : held.path;
}

/* Open what the shell is to hold: its descriptor stays open, its state was opened once and is a state. */
static int open_held(const char *path, int *fd, struct stat *seen, char *own_path, size_t size, struct gim_error *error)
{
	struct gim_state *state = NULL;
	int result = is_standard_input(path) ? error_set(error, GIM_E_ARGUMENT, "the shell reads commands from standard input, not a state")
	                                     : open_file(path, fd, seen, own_path, size, error);
	if (result)
		return result;
	result = gim_state_open(path, &state, error);
	gim_state_free(&state);
	if (result)
		(void)close(*fd);
	return result;
}

int source_try(const char *path, struct gim_error *error)
{
	char own_path[sizeof(held.path)];
	struct stat seen;
	int fd = -1;
	const int result = open_held(path, &fd, &seen, own_path, sizeof(own_path), error);
	if (!result)
		(void)close(fd);
	return result;
}

int source_hold(const char *path, struct gim_error *error)
{
	char own_path[sizeof(held.path)];
	struct stat seen;
	int fd = -1;
	const int result = open_held(path, &fd, &seen, own_path, sizeof(own_path), error);
	if (result)
		return result;
	char *name = strdup(path), *saved_name = strdup(path);
	if (!name || !saved_name) {
		free(name);
		free(saved_name);
		(void)close(fd);
		return error_set(error, GIM_E_MEMORY, "out of memory");
	}
	source_release();
	held.name = name;
	held.saved_name = saved_name;
	held.fd = fd;
	held.seen = seen;
	memcpy(held.path, own_path, sizeof(own_path));
	return 0;
}

/*
 * Reading it.
 */
static int apply(struct gim_state *state, const struct change *change, struct gim_error *error)
{
	struct gim_state *from = NULL;
	int result = gim_state_decode(state, GIM_PART_GIM, NULL, NULL, error);
	if (!result)
		result = gim_state_open_memory(change->json, change->json_bytes, &from, error);
	if (!result)
		result = gim_state_decode(from, GIM_PART_GIM, NULL, NULL, error);
	if (!result)
		result = gim_state_set_from(state, from, change->gim_only, error);
	gim_state_free(&from);
	return result;
}

static struct gim_write_options options_of(const struct change *change, gim_report_fn *report, void *user)
{
	return (struct gim_write_options){.gim_only = change->gim_only,
	                                  .container = change->container,
	                                  .release = change->release,
	                                  .producer = change->producer,
	                                  .host_bits = change->host_bits,
	                                  .report = report,
	                                  .report_user = user};
}

/* The file with the change that counts now. */
static int open_changed(bool settled, struct gim_state **state, struct gim_error *error)
{
	int result = (settled ? gim_state_open_settled : gim_state_open)(file_path(), state, error);
	if (!result && source_changed() && (result = apply(*state, &held.changes[held.now], error)))
		gim_state_free(state);
	return result;
}

static int write_fd(void *user, const void *bytes, size_t size)
{
	const char *at = (const char *)bytes;
	while (size) {
		const ssize_t written = write(*(int *)user, at, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return errno = errno ? errno : EIO, -1;
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

static int new_copy(struct gim_error *error)
{
	held.copy_fd = spool_fd(error);
	return held.copy_fd >= 0 ? 0 : error->code;
}

static int make_copy(struct gim_error *error)
{
	struct gim_state *state = NULL;
	const struct gim_write_options how = options_of(&held.changes[held.now], NULL, NULL);
	drop_copy();
	int result = open_changed(true, &state, error);
	if (!result)
		result = new_copy(error);
	errno = 0;
	if (!result && (result = gim_state_write(state, &how, write_fd, &held.copy_fd, error)) == GIM_E_STOPPED && errno) {
		*error = (struct gim_error)GIM_ERROR_INIT;
		result = error_set(error, GIM_E_IO, "a copy with the changes cannot be written: %s", strerror(errno));
	}
	gim_state_free(&state);
	if (result)
		drop_copy();
	held.copied = held.now;
	(void)snprintf(held.copy_path, sizeof(held.copy_path), "/proc/self/fd/%d", held.copy_fd);
	return result;
}

const char *source_path(const char *name, struct gim_error *error)
{
	if (!name || (name != held.name && name != held.saved_name))
		return name;
	if (name == held.saved_name || !source_changed())
		return file_path();
	if ((held.copy_fd < 0 || held.copied != held.now) && make_copy(error))
		return NULL;
	return held.copy_path;
}

int source_open(const char *name, enum source_need need, bool settled, struct gim_state **state, struct gim_error *error)
{
	const bool changed = source_is_held(name) && source_changed();
	const struct change *change = changed ? &held.changes[held.now] : NULL;
	if (changed && need == SOURCE_FIELDS && !change->container && !change->release)
		return open_changed(settled, state, error);
	const char *path = source_path(name, error);
	return path ? (settled ? gim_state_open_settled : gim_state_open)(path, state, error) : error->code;
}

int source_open_paths(const char *name, int count, char **paths, struct gim_state **state, struct gim_error *error)
{
	struct gim_state *opened = NULL;
	unsigned parts = 0;
	int result = source_open(name, SOURCE_FIELDS, false, &opened, error);
	for (int i = 0; !result && i < count; i++)
		parts |= gim_state_parts(opened, paths[i]);
	if (!result && (parts & GIM_PART_GUEST) && source_is_held(name) && source_changed()) {
		gim_state_free(&opened);
		result = source_open(name, SOURCE_WHOLE, false, &opened, error);
	}
	if (!result)
		*state = opened;
	return result;
}

/*
 * Changes.
 */
/* The guest interface as a document of its own. */
static int document_of(struct gim_state *state, char **text, size_t *size, struct gim_error *error)
{
	json_t *body = NULL;
	int result = gim_state_json(state, NULL, &body, error);
	if (!result &&
	    (json_object_set_new(body, "gimstate", json_integer(1)) || !(*text = json_dumps(body, JSON_ENSURE_ASCII | JSON_COMPACT))))
		result = error_set(error, GIM_E_MEMORY, "out of memory");
	json_decref(body);
	if (!result)
		*size = strlen(*text);
	return result;
}

static int text_or_null(char **copy, const char *text)
{
	*copy = text ? strdup(text) : NULL;
	return text && !*copy;
}

static int add_change(const struct change *change, struct gim_error *error)
{
	if (held.count == held.room) {
		const size_t room = held.room ? 2 * held.room : 16;
		struct change *changes = reallocarray(held.changes, room, sizeof(*changes));
		if (!changes)
			return error_set(error, GIM_E_MEMORY, "out of memory");
		held.changes = changes;
		held.room = room;
	}
	held.now = held.count;
	held.changes[held.count++] = *change;
	return 0;
}

/* The file as it was read: what the first undo goes back to. */
static int add_first(struct gim_error *error)
{
	struct change first = {.what = NULL};
	struct gim_state *state = NULL;
	int result = gim_state_open(file_path(), &state, error);
	if (!result)
		result = gim_state_decode(state, GIM_PART_GIM, NULL, NULL, error);
	if (!result)
		result = document_of(state, &first.json, &first.json_bytes, error);
	gim_state_free(&state);
	if (!result && (result = add_change(&first, error)))
		change_free(&first);
	return result;
}

static void drop_from(size_t from)
{
	while (held.count > from)
		change_free(&held.changes[--held.count]);
	if (held.in_file >= from)
		held.in_file = SIZE_MAX;
	if (held.copied >= from)
		drop_copy();
}

static void drop_oldest(void)
{
	size_t bytes = 0, keep = held.count;
	while (keep && (bytes += held.changes[keep - 1].json_bytes) <= CHANGES_BYTES_MAX)
		keep--;
	const size_t drop = keep < held.now ? keep : held.now;
	for (size_t i = 0; i < drop; i++)
		change_free(&held.changes[i]);
	memmove(held.changes, held.changes + drop, (held.count - drop) * sizeof(*held.changes));
	held.count -= drop;
	held.now -= drop;
	held.in_file = held.in_file < drop || held.in_file == SIZE_MAX ? SIZE_MAX : held.in_file - drop;
	if (drop)
		drop_copy();
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_change(const struct change *a, const struct change *b)
{
	return a->json_bytes == b->json_bytes && !memcmp(a->json, b->json, a->json_bytes) && same_text(a->container, b->container) &&
	       same_text(a->release, b->release) && same_text(a->producer, b->producer) && a->host_bits == b->host_bits;
}

int source_edit(struct gim_state *state, const char *what, const struct source_form *form, struct gim_error *error)
{
	static const struct source_form as_it_is;
	struct change next = {.what = NULL};
	int result = held.count ? 0 : add_first(error);
	const struct change *last = result ? NULL : &held.changes[held.now];
	form = form ? form : &as_it_is;
	if (!result)
		result = document_of(state, &next.json, &next.json_bytes, error);
	/* What an earlier change said of the form stays, unless this one says something else. */
	if (!result) {
		next.gim_only = form->gim_only || last->gim_only;
		next.host_bits = form->host_bits ? form->host_bits : last->host_bits;
		if (text_or_null(&next.what, what) || text_or_null(&next.container, form->container ? form->container : last->container) ||
		    text_or_null(&next.release, form->release ? form->release : last->release) ||
		    text_or_null(&next.producer, form->producer ? form->producer : last->producer))
			result = error_set(error, GIM_E_MEMORY, "out of memory");
	}
	const bool differs = !result && !same_change(&next, last);
	if (differs) {
		drop_from(held.now + 1);
		result = add_change(&next, error);
	}
	if (result || !differs)
		change_free(&next);
	else
		drop_oldest();
	return result;
}

const char *source_undo(void)
{
	return held.now ? held.changes[held.now--].what : NULL;
}

const char *source_redo(void)
{
	return held.now + 1 < held.count ? held.changes[++held.now].what : NULL;
}

void source_changes(source_change_fn *visit, void *user)
{
	for (size_t i = 0; i < held.count; i++)
		if (held.changes[i].what)
			visit(user, held.changes[i].what, i <= held.now, held.in_file == i);
}

/*
 * Saving.
 */
/* The file is the held state now; the changes stay, to be undone. */
static int saved_as(const char *path, struct gim_error *error)
{
	struct change *changes = held.changes;
	const size_t count = held.count, room = held.room, now = held.now;
	held.changes = NULL;
	held.count = held.room = held.now = 0;
	struct gim_error own = GIM_ERROR_INIT;
	int result = source_hold(path, &own);
	if (result) {
		held.changes = changes;
		held.count = count;
		held.room = room;
		held.now = now;
		return error_set(error, own.code, "it is written, but the shell stays with what it held: %s", own.text);
	}
	held.changes = changes;
	held.count = count;
	held.room = room;
	held.now = held.in_file = now;
	/* Another container takes no interface in its old layout back. */
	if (count && (changes[now].container || changes[now].release)) {
		drop_from(0);
		held.now = held.in_file = 0;
	}
	return 0;
}

int source_save(const char *path, bool replace, gim_report_fn *report, void *user, struct gim_error *error)
{
	static const struct change as_it_is;
	const struct gim_write_options how = options_of(held.count ? &held.changes[held.now] : &as_it_is, report, user);
	struct gim_state *state = NULL;
	const char *from = file_path();
	char *own = strdup(path ? path : held.name);
	int result = own ? 0 : error_set(error, GIM_E_MEMORY, "out of memory");
	if (!result && !path && held.name[gim_path_file(held.name)])
		result = error_set(error, GIM_E_ARGUMENT, "it stands in an archive, which is not written: save OUT writes a file");
	if (!result && (!path || input_is(held.name, path)) && !replace && !unmoved())
		result =
		    error_set(error, GIM_E_IO, "the file is not what was read: somebody else has changed it; save OUT, or save --force");
	if (!result)
		result = open_changed(true, &state, error);
	if (!result)
		result = output_state(state, &how, from, own, replace || !path || input_is(held.name, path), error);
	if (!result)
		output_tell_form(state, own);
	gim_state_free(&state);
	if (!result)
		result = saved_as(own, error);
	free(own);
	return result;
}

int source_rescue(const char *path, struct gim_error *error)
{
	struct gim_output *output;
	const struct change *change = &held.changes[held.now];
	int result = written_new(path, true, &output, error);
	return result ? result : output_end(output, gim_output_write(output, change->json, change->json_bytes), error);
}
