/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fields as HTML: groups as the records have them, each field with its value, what that means, what the field is, and where that is written. */
#include "report.h"

#include "command.h"
#include "output.h"
#include "test_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Longer values are cut; the page is to be read. */
enum { VALUE_LONGEST = 300, ABSENT_NAMED = 16 };

struct listing {
	const char *const *but;
	size_t items; /* of each list */
	bool open, coarse;
	size_t stored, left_out; /* leaves; left_out: of items beyond those */
	char *group;             /* path of the group that is gathered; NULL: none */
	FILE *rows;              /* of it */
	char *text;
	size_t size;
	size_t group_stored, absent;
	char last_absent[128]; /* the name that was listed last */
};

static int is_there(void *user, const char *path, const struct gim_value *value)
{
	(void)user;
	(void)path;
	return value->presence != GIM_ABSENT;
}

bool report_stores(const struct gim_state *state, const char *path)
{
	return gim_state_visit(state, path, is_there, NULL, NULL) == 1;
}

/*
 * A field.
 */
struct bits {
	FILE *stream;
	uint64_t number;
	bool begun;
};

/* A bit that is set, with what it is. What a whole value is stands beside it already. */
static int put_bit(void *user, const char *name, uint64_t low, unsigned width, const char *help)
{
	struct bits *bits = (struct bits *)user;
	const uint64_t mask = width < 64 ? (UINT64_C(1) << width) - 1 : UINT64_MAX;
	if (!width || low >= 64 || !(bits->number >> low & mask) || !help)
		return 0;
	fputs(bits->begun ? "" : "<ul class=\"bits\">", bits->stream);
	bits->begun = true;
	fputs("<li><code>", bits->stream);
	put_xml(bits->stream, name);
	fputs("</code> ", bits->stream);
	put_xml(bits->stream, help);
	fputs("</li>", bits->stream);
	return 0;
}

static void put_value(FILE *stream, const struct gim_value *value)
{
	char text[VALUE_LONGEST], meaning[VALUE_LONGEST];
	const size_t length = gim_value_text(value, text, sizeof(text));
	(void)gim_value_meaning(value, meaning, sizeof(meaning));
	fputs("<td><code>", stream);
	put_xml(stream, text);
	fputs(length >= sizeof(text) ? "…</code>" : "</code>", stream);
	if (*meaning) {
		fputs(" <span class=\"meaning\">", stream);
		put_xml(stream, meaning);
		fputs("</span>", stream);
	}
	fputs(value->presence == GIM_IMPLIED ? " <span class=\"meaning\">(not stored: its default)</span></td>" : "</td>", stream);
}

static void put_help(FILE *stream, const char *path, const struct gim_value *value)
{
	const char *source = gim_value_source(value), *url = gim_source_url(source);
	struct bits bits = {.stream = stream, .number = value->number};
	fputs("<td class=\"help\">", stream);
	put_xml(stream, gim_value_help(value));
	if (*source) {
		fputs(" <cite>", stream);
		if (url)
			fprintf(stream, "<a href=\"%s\" rel=\"noreferrer\">", url);
		put_xml(stream, source);
		fputs(url ? "</a></cite>" : "</cite>", stream);
	}
	if (value->kind == GIM_VALUE_NUMBER)
		(void)gim_names_visit(path, put_bit, &bits, NULL);
	fputs(bits.begun ? "</ul></td></tr>\n" : "</td></tr>\n", stream);
}

/* How much of a path names its group: an item of a list ("hyperv.vp[0]"), else the record around it; of a coarse listing the first two names. */
static size_t group_length(const struct listing *listing, const char *path)
{
	const char *dot = strrchr(path, '.'), *item = strchr(path, ']');
	const size_t first = strcspn(path, ".");
	const size_t second = path[first] ? first + 1 + strcspn(path + first + 1, ".[") : first;
	if (listing->coarse)
		return path[second] ? second : first;
	if (item && item[1] == '.')
		return (size_t)(item + 1 - path);
	return dot ? (size_t)(dot - path) : strlen(path);
}

/*
 * Groups.
 */
/* The row that names what is absent. */
static void end_absent(struct listing *listing)
{
	if (listing->absent > ABSENT_NAMED)
		fprintf(listing->rows, " and %zu more", listing->absent - ABSENT_NAMED);
	if (listing->absent)
		fputs("</td></tr>\n", listing->rows);
	listing->absent = 0;
	listing->last_absent[0] = '\0';
}

static void put_group(const struct listing *listing)
{
	printf("<details class=\"group\"%s><summary><code>", listing->open && listing->group_stored ? " open" : "");
	put_xml(stdout, listing->group);
	fputs("</code> <small>", stdout);
	if (listing->group_stored)
		printf("%zu value%s", listing->group_stored, listing->group_stored == 1 ? "" : "s");
	else
		fputs("absent", stdout);
	puts("</small></summary>\n<table>\n<tbody>");
	fputs(listing->text ? listing->text : "", stdout);
	puts("</tbody>\n</table>\n</details>");
}

static void end_group(struct listing *listing)
{
	if (!listing->group)
		return;
	end_absent(listing);
	const bool whole = !fclose(listing->rows) && listing->text;
	if (!whole)
		output_no_memory();
	else if (listing->group_stored || !listing->coarse)
		put_group(listing);
	free(listing->text);
	free(listing->group);
	listing->text = NULL;
	listing->group = NULL;
}

static bool begin_group(struct listing *listing, const char *path, size_t length)
{
	end_group(listing);
	listing->group_stored = listing->absent = 0;
	listing->last_absent[0] = '\0';
	listing->rows = open_memstream(&listing->text, &listing->size);
	listing->group = listing->rows ? strndup(path, length) : NULL;
	if (listing->rows && !listing->group) {
		(void)fclose(listing->rows);
		free(listing->text);
		listing->text = NULL;
	}
	if (!listing->group)
		output_no_memory();
	return listing->group;
}

/* Names of what is absent stand in one row, a list's once. */
static void put_absent(struct listing *listing, const char *name)
{
	char plain[sizeof(listing->last_absent)];
	if (*name == '[')
		name += strcspn(name, ".") + 1;
	(void)snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(name, "["), name);
	if (!strcmp(plain, listing->last_absent))
		return;
	(void)snprintf(listing->last_absent, sizeof(listing->last_absent), "%s", plain);
	if (listing->absent >= ABSENT_NAMED) {
		listing->absent++;
		return;
	}
	fputs(listing->absent ? ", <code>" : "<tr class=\"absent\"><th scope=\"row\">absent</th><td colspan=\"2\"><code>", listing->rows);
	put_xml(listing->rows, plain);
	fputs("</code>", listing->rows);
	listing->absent++;
}

static void put_row(struct listing *listing, const char *path, const char *name, const struct gim_value *value)
{
	end_absent(listing);
	fputs("<tr><th scope=\"row\"><code>", listing->rows);
	put_xml(listing->rows, name);
	fputs("</code></th>", listing->rows);
	put_value(listing->rows, value);
	put_help(listing->rows, path, value);
	listing->group_stored++;
	listing->stored++;
}

/* Is it of an item of the outermost list beyond those that are shown? */
static bool is_beyond(const struct listing *listing, const char *path)
{
	const char *at = strchr(path, '['), *end = at ? strchr(at, ']') : NULL;
	return end && end[1] == '.' && strtoull(at + 1, NULL, 10) >= listing->items;
}

/* Is it at or below one of the paths that are left out? */
static bool is_left_out(const struct listing *listing, const char *path)
{
	for (const char *const *each = listing->but; each && *each; each++) {
		const size_t length = strlen(*each);
		if (!strncmp(path, *each, length) && strchr(".[", path[length]))
			return true;
	}
	return false;
}

static int take(void *user, const char *path, const struct gim_value *value)
{
	struct listing *listing = (struct listing *)user;
	const size_t length = group_length(listing, path);
	if (is_left_out(listing, path))
		return 0;
	if (is_beyond(listing, path)) {
		listing->left_out += value->presence != GIM_ABSENT;
		return 0;
	}
	if ((!listing->group || strlen(listing->group) != length || strncmp(listing->group, path, length) != 0) &&
	    !begin_group(listing, path, length))
		return 1;
	const char *name = path[length] == '.' ? path + length + 1 : path[length] ? path + length : path;
	if (value->presence == GIM_ABSENT)
		put_absent(listing, name);
	else
		put_row(listing, path, name, value);
	return ferror(stdout);
}

size_t report_fields_put(const struct gim_state *state, const char *path, const char *const *but, size_t items, bool open)
{
	struct listing listing = {.but = but, .items = items, .open = open, .coarse = but};
	(void)gim_state_visit(state, path, take, &listing, NULL);
	end_group(&listing);
	if (listing.left_out)
		printf("<p class=\"more\">%zu values of further items are left out: <code>gimstate get FILE %s</code> prints all.</p>\n",
		       listing.left_out, path ? path : "PATH");
	return listing.stored;
}
