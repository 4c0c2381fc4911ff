/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Listing the snapshots of a disk image. */
#include "snapshots.h"

#include "output.h"

#include <inttypes.h>
#include <stdio.h>
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
