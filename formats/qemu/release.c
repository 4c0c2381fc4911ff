/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a stream an older release does not know: named, and left out. */
#include "error.h"
#include "qemu/decode.h"
#include "qemu/schema.h"

#include <stdio.h>
#include <string.h>

struct leaving {
	struct qemu_items *items;
	const struct gim_release *release;
	gim_report_fn *report;
	void *user;
	struct gim_error *error;
	unsigned found;
	unsigned others; /* sections that no table knows */
};

/* "is new in qemu:8.0", or what is known instead. */
static const char *since(const struct qemu_newer *newer, char *text, size_t size)
{
	if (newer->major)
		(void)snprintf(text, size, "is new in qemu:%u.%u", newer->major, newer->minor);
	else
		(void)snprintf(text, size, "is newer than qemu:%u.%u", QEMU_TABLES_MAJOR, QEMU_TABLES_MINOR);
	return text;
}

static void lose(struct leaving *leaving, const struct qemu_section *section, const char *what, const struct qemu_newer *newer,
                 unsigned long long bytes)
{
	char unit[280], text[64];
	(void)snprintf(unit, sizeof(unit), "%s/%u", section->name, section->instance);
	gim_report(leaving->report, leaving->user, &gim_convert_rules[GIM_CONVERT_LOST], section->offset, unit, NULL,
	           "%s %s, so that qemu:%u.%u does not load it: its %llu bytes are lost", what, since(newer, text, sizeof(text)),
	           leaving->release->major, leaving->release->minor, bytes);
	leaving->found++;
}

static void wonder(struct leaving *leaving, const struct qemu_section *section, const char *what)
{
	char unit[280];
	(void)snprintf(unit, sizeof(unit), "%s/%u", section->name, section->instance);
	gim_report(leaving->report, leaving->user, &qemu_rules[QEMU_RELEASE_UNKNOWN], section->offset, unit, NULL,
	           "whether qemu:%u.%u loads %s is not known: it stays", leaving->release->major, leaving->release->minor, what);
	leaving->found++;
}

/* A subsection ends where the next one of the section itself begins: those inside it are parts, too. */
static size_t end_of_part(const struct qemu_loaded *loaded, size_t part)
{
	while (++part < loaded->part_count)
		if (qemu_part_own(loaded, &loaded->parts[part]))
			return (size_t)loaded->parts[part].head;
	return loaded->used;
}

static int leave_subsections(struct leaving *leaving, struct qemu_loaded *loaded)
{
	const struct qemu_section *section = loaded->section;
	int result = 0;
	for (size_t i = 1; !result && i < loaded->part_count; i++) {
		const struct qemu_part *part = &loaded->parts[i];
		struct qemu_newer newer;
		const enum qemu_knowledge knowledge =
		    qemu_part_own(loaded, part) ? qemu_knows(section->name, part->vmsd->name, leaving->release, &newer) : QEMU_KNOWN;
		const size_t at = (size_t)part->head, size = end_of_part(loaded, i) - at;
		if (knowledge == QEMU_NOT_SURE)
			wonder(leaving, section, part->vmsd->name);
		if (knowledge != QEMU_NEWER)
			continue;
		lose(leaving, section, part->vmsd->name, &newer, size);
		result = qemu_loaded_splice(loaded, at, size, NULL, 0, leaving->error);
		i--; /* what stood behind it stands there now */
	}
	if (!result && loaded->used < loaded->size)
		wonder(leaving, section, "what stands behind the known subsections");
	return result;
}

static int leave_section(struct leaving *leaving, size_t index)
{
	const struct qemu_section *section = &leaving->items->stream->devices.items[index];
	struct qemu_loaded *loaded;
	struct qemu_newer newer;
	const enum qemu_knowledge knowledge = qemu_knows(section->name, NULL, leaving->release, &newer);
	leaving->others += knowledge == QEMU_NOT_SURE;
	if (knowledge == QEMU_NEWER) {
		lose(leaving, section, "the section", &newer, (unsigned long long)section->size_bytes);
		leaving->items->loaded[index].removed = true;
		return 0;
	}
	if (!qemu_schema_newest(section->name))
		return 0; /* it is known as a whole, or not at all */
	int result = qemu_items_at(leaving->items, index, &loaded, leaving->error);
	return result || loaded->removed ? result : leave_subsections(leaving, loaded);
}

int qemu_leave_out(struct qemu_items *items, const struct gim_release *release, gim_report_fn *report, void *user, struct gim_error *error)
{
	struct leaving leaving = {items, release, report, user, error, 0, 0};
	int result = 0;
	for (size_t i = 0; !result && i < items->stream->devices.count; i++)
		result = leave_section(&leaving, i);
	if (!result && qemu_older_than_tables(release))
		gim_report(report, user, &qemu_rules[QEMU_RELEASE_UNKNOWN], GIM_UNKNOWN, NULL, NULL,
		           "which subsections qemu:%u.%u loads is not known: no release before qemu:%u.%u was looked at", release->major,
		           release->minor, QEMU_TABLES_MAJOR, QEMU_TABLES_MINOR);
	if (!result && leaving.others)
		gim_report(report, user, &qemu_rules[QEMU_RELEASE_UNKNOWN], GIM_UNKNOWN, NULL, NULL,
		           "which releases load %u other sections is not known: they are those of the machine's devices", leaving.others);
	return result ? result : leaving.found || leaving.others;
}

int qemu_check_release(struct gim_state *state, const struct gim_release *release, gim_report_fn *report, void *user,
                       struct gim_error *error)
{
	struct qemu_stream *stream = state->container;
	struct qemu_items items;
	unsigned major, minor;
	int result = qemu_find_devices(stream, error);
	if (!result)
		result = qemu_items_open(&items, stream, error);
	if (result)
		return result;
	qemu_machine_release(&stream->configuration, &major, &minor);
	const bool older = release->major < major || (release->major == major && release->minor < minor);
	if (older)
		gim_report(report, user, &qemu_rules[QEMU_RELEASE_MACHINE], GIM_UNKNOWN, NULL, "qemu.machine",
		           "the machine %s is new in qemu:%u.%u: qemu:%u.%u does not have it", stream->configuration.machine, major, minor,
		           release->major, release->minor);
	result = qemu_leave_out(&items, release, report, user, error);
	qemu_items_close(&items);
	return result < 0 ? result : result || older;
}
