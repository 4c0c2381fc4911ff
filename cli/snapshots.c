/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Listing the snapshots of a disk image, and naming the states in it. */
#include "snapshots.h"

#include "output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static json_int_t number(uint64_t value)
{
	return value < INT64_MAX ? (json_int_t)value : INT64_MAX;
}

static int add(void *user, const struct gim_snapshot *snapshot)
{
	json_t *one =
	    json_pack("{s:o, s:o, s:I, s:I, s:I}", "id", json_text(snapshot->id), "name", json_text(snapshot->name), "state_bytes",
	              number(snapshot->state_bytes), "date_s", number(snapshot->date_s), "vm_clock_ns", number(snapshot->vm_clock_ns));
	return json_array_append_new((json_t *)user, one);
}

json_t *snapshots_list(const char *path)
{
	json_t *list = json_array();
	if (list && gim_snapshots_visit(path, add, list, NULL)) {
		json_decref(list);
		list = NULL;
	}
	return list;
}

static void put_size(uint64_t bytes)
{
	if (!bytes)
		printf(", of the disk alone");
	else
		printf(", %" PRIu64 " bytes", bytes);
}

static void put_time(uint64_t date_s, uint64_t vm_clock_ns)
{
	const time_t date = (time_t)date_s;
	struct tm broken;
	char text[32] = "";
	if (date_s && gmtime_r(&date, &broken))
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &broken);
	if (*text)
		printf(", made %s UTC", text);
	printf(", after %" PRIu64 ".%03" PRIu64 " s\n", vm_clock_ns / 1000000000, vm_clock_ns / 1000000 % 1000);
}

void snapshots_put(const json_t *list, const char *chosen_id)
{
	size_t i;
	json_t *one;
	json_array_foreach(list, i, one)
	{
		const char *id = json_string_value(json_object_get(one, "id"));
		printf("%-10s ", "snapshot");
		put_safe(stdout, json_string_value(json_object_get(one, "name")));
		printf(" (id ");
		put_safe(stdout, id);
		printf(")%s", chosen_id && !strcmp(id, chosen_id) ? ", this one" : "");
		put_size((uint64_t)json_integer_value(json_object_get(one, "state_bytes")));
		put_time((uint64_t)json_integer_value(json_object_get(one, "date_s")),
		         (uint64_t)json_integer_value(json_object_get(one, "vm_clock_ns")));
	}
}

/*
 * States.
 */
/* Each is looked for in the whole image when it is opened. Nobody keeps more, and who makes an image to keep a program busy does. */
enum { STATES_MAX = 1000 };

struct named {
	char *name, *id;
};

struct states {
	const char *path;
	struct named *items; /* those that hold a VM's state */
	size_t count;
};

static int add_state(void *user, const struct gim_snapshot *snapshot)
{
	struct states *states = (struct states *)user;
	if (!snapshot->state_bytes || states->count > STATES_MAX)
		return 0;
	struct named *items = realloc(states->items, (states->count + 1) * sizeof(*items));
	if (!items)
		return GIM_E_MEMORY;
	states->items = items;
	struct named *own = &items[states->count++];
	*own = (struct named){strdup(snapshot->name), strdup(snapshot->id)};
	return own->name && own->id ? 0 : GIM_E_MEMORY;
}

/* By its name, or where that is none or another's too, by its id. */
static char *name_state(const struct states *states, size_t i)
{
	const char *name = states->items[i].name;
	char *path = NULL;
	for (size_t other = 0; other < states->count; other++)
		if (!*name || (other != i && !strcmp(states->items[other].name, name)))
			name = states->items[i].id;
	return asprintf(&path, "%s//%s", states->path, name) < 0 ? NULL : path;
}

char **snapshots_states(const char *path)
{
	struct states states = {.path = path};
	const bool is_file = strcmp(path, "-") != 0 && !path[gim_path_file(path)];
	const bool several =
	    is_file && !gim_snapshots_visit(path, add_state, &states, NULL) && states.count > 1 && states.count <= STATES_MAX;
	char **paths = several ? calloc(states.count + 1, sizeof(*paths)) : NULL;
	for (size_t i = 0; paths && i < states.count; i++)
		if (!(paths[i] = name_state(&states, i))) {
			snapshots_states_free(paths);
			paths = NULL;
		}
	for (size_t i = 0; i < states.count; i++) {
		free(states.items[i].name);
		free(states.items[i].id);
	}
	free(states.items);
	return paths;
}

void snapshots_states_free(char **states)
{
	for (size_t i = 0; states && states[i]; i++)
		free(states[i]);
	free(states);
}
