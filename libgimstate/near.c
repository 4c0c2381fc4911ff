/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was perhaps meant: how far a word that is not known is from one that is, and which field a path is nearest to. */
#include "error.h"
#include "state.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Longer words are not compared. */
enum { WORD_MAX = 96 };

/* Case, and how words are joined, is what people remember last. */
static int plain(char letter)
{
	return letter == '-' ? '_' : tolower((unsigned char)letter);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Of strings a and b by rows of the table of all their beginnings: letters changed, added, left out, and neighbours swapped. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];
	for (unsigned j = 0; j <= b_length; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			const bool same = plain(a[i - 1]) == plain(b[j - 1]);
			row[j] = least(last[j - 1] + !same, least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) && plain(a[i - 2]) == plain(b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		unsigned *const free_row = before;
		before = last, last = row, row = free_row;
	}
	return last[b_length];
}

unsigned gim_word_distance(const char *word, const char *known)
{
	const size_t length = strnlen(word, WORD_MAX + 1), known_length = strnlen(known, WORD_MAX + 1);
	if (length > WORD_MAX || known_length > WORD_MAX || !length)
		return GIM_WORD_FAR;
	const unsigned changes = distance(word, length, known, known_length);
	const size_t shorter = length < known_length ? length : known_length;
	return changes <= (shorter + 3) / 4 && changes < shorter ? changes : GIM_WORD_FAR;
}

/*
 * Fields. Paths are compared without their indices, which are put back into the one that is found.
 */
struct nearest {
	char path[WORD_MAX + 1], found[WORD_MAX + 1]; /* found has "[]" behind what has items */
	unsigned distance;
};

static void without_indices(const char *path, char *out, size_t size)
{
	size_t used = 0;
	for (; *path && used < size - 1; path++) {
		if (*path == '[')
			path += strcspn(path, "]");
		else
			out[used++] = *path;
		if (!*path)
			break;
	}
	out[used] = '\0';
}

/* One that is named without what it is in, "wall_clock", is as near as can be. */
static void offer(struct nearest *nearest, const char *known)
{
	char plain_path[WORD_MAX + 1];
	without_indices(known, plain_path, sizeof(plain_path));
	const char *last = strrchr(plain_path, '.');
	unsigned changes = gim_word_distance(nearest->path, plain_path);
	if (last && !strcmp(last + 1, nearest->path))
		changes = 0;
	if (changes >= nearest->distance)
		return;
	nearest->distance = changes;
	(void)snprintf(nearest->found, sizeof(nearest->found), "%s", known);
}

static void offer_fields(struct nearest *nearest, const struct gim_record *record, const char *prefix)
{
	char path[WORD_MAX + 1];
	for (uint32_t f = 0; f < record->field_count; f++) {
		const struct gim_field *field = &record->fields[f];
		const bool items = field->kind == GIM_LIST || field->count;
		if (snprintf(path, sizeof(path), "%s.%s%s", prefix, field->name, items ? "[]" : "") >= (int)sizeof(path))
			continue;
		offer(nearest, path);
		if (field->record)
			offer_fields(nearest, field->record, path);
	}
}

static void offer_record(void *user, const struct gim_record *record)
{
	struct nearest *nearest = (struct nearest *)user;
	offer(nearest, record->name);
	offer_fields(nearest, record, record->name);
}

/* As the path that was given has them: its indices in their order, and the first item where it has none. */
static void with_indices(const char *found, const char *path, char *out, size_t size)
{
	size_t used = 0;
	for (const char *at = found; *at && used + 24 < size; at++) {
		if (*at != '[') {
			out[used++] = *at;
			continue;
		}
		path += strcspn(path, "[");
		const size_t length = *path ? strcspn(path, "]") + 1 : 0;
		if (length && strspn(path + 1, "0123456789") == length - 2)
			used += (size_t)snprintf(out + used, size - used, "%.*s", length < 12 ? (int)length : 0, path);
		else if (at[2])
			used += (size_t)snprintf(out + used, size - used, "[0]");
		path += length && path[length - 1] ? length : strlen(path);
		at++;
	}
	out[used] = '\0';
}

int gim_field_missing(const char *path, struct gim_error *error)
{
	struct nearest nearest = {.distance = GIM_WORD_FAR};
	char meant[2 * WORD_MAX] = "";
	if (strlen(path) <= WORD_MAX)
		without_indices(path, nearest.path, sizeof(nearest.path));
	if (*nearest.path)
		gim_records_visit(offer_record, &nearest);
	if (nearest.distance == GIM_WORD_FAR)
		return gim_fail(error, GIM_E_PATH, GIM_UNKNOWN, "there is no field %.96s; gimstate fields lists them", path);
	with_indices(nearest.found, path, meant, sizeof(meant));
	return gim_fail(error, GIM_E_PATH, GIM_UNKNOWN, "there is no field %s (perhaps %s); gimstate fields lists them", path, meant);
}
