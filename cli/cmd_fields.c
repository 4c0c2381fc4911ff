/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate fields: the tables themselves; of a single field also its layouts and the names of its bits and values. */
#include "command.h"
#include "output.h"
#include "path.h"

#include <inttypes.h>
#include <string.h>

/* What one layout holds and another does not: fields that are told, by path. */
struct comparison {
	const char *names[2]; /* of the layouts */
	json_t *held[2];      /* by which field; the keys of objects */
};

struct listing {
	const char *path; /* NULL: all */
	json_t *fields;   /* NULL: print as text */
	unsigned count;
	bool details;
	struct comparison against; /* names[1] NULL: none */
};

/* The names are a table of their own: value or bits, name, help. */
static int put_name(void *user, const char *name, uint64_t low_or_value, unsigned width, const char *help)
{
	char place[40];
	(void)user;
	if (width > 1)
		(void)snprintf(place, sizeof(place), "bits %" PRIu64 "-%" PRIu64, low_or_value, low_or_value + width - 1);
	else if (width)
		(void)snprintf(place, sizeof(place), "bit %" PRIu64, low_or_value);
	else if (low_or_value < 10)
		(void)snprintf(place, sizeof(place), "%" PRIu64, low_or_value);
	else
		(void)snprintf(place, sizeof(place), "0x%" PRIx64, low_or_value);
	printf("  %-11s %s%s%s\n", place, name, help ? ": " : "", help ? help : "");
	return 0;
}

static int add_name(void *user, const char *name, uint64_t low_or_value, unsigned width, const char *help)
{
	char value[24];
	(void)snprintf(value, sizeof(value), "0x%" PRIx64, low_or_value);
	json_t *json = json_pack("{s:s}", "name", name);
	if (width)
		(void)json_object_update_new(json, json_pack("{s:i, s:i}", "low_bit", (int)low_or_value, "width_bits", (int)width));
	else
		(void)json_object_set_new(json, "value", json_string(value));
	if (help)
		(void)json_object_set_new(json, "help", json_text(help));
	return json_array_append_new((json_t *)user, json);
}

static json_t *words_json(const char *words)
{
	json_t *json = json_array();
	for (words += strspn(words, " "); *words; words += strspn(words, " ")) {
		const size_t length = strcspn(words, " ");
		(void)json_array_append_new(json, json_stringn(words, length));
		words += length;
	}
	return json;
}

static json_t *field_json(const struct gim_field_info *info)
{
	char reset[24];
	json_t *json = json_object(), *names = json_array();
	(void)snprintf(reset, sizeof(reset), "0x%" PRIx64, info->reset);
	(void)gim_names_visit(info->path, add_name, names, NULL);
	(void)json_object_set_new(json, "path", json_text(info->path));
	(void)json_object_set_new(json, "kind", json_text(info->kind));
	(void)json_object_set_new(json, "show", json_text(info->show));
	(void)json_object_set_new(json, "help", json_text(info->help ? info->help : ""));
	(void)json_object_set_new(json, "reset", json_string(reset));
	(void)json_object_set_new(json, "layouts", words_json(info->layouts ? info->layouts : ""));
	if (*info->source)
		(void)json_object_set_new(json, "source", json_text(info->source));
	if (gim_source_url(info->source))
		(void)json_object_set_new(json, "url", json_text(gim_source_url(info->source)));
	(void)json_object_set_new(json, "names", names);
	return json;
}

/* The one of the two layouts that alone holds it; NULL: both or neither do. */
static const char *held_by(const struct comparison *against, const char *path)
{
	const bool one = json_object_get(against->held[0], path), other = json_object_get(against->held[1], path);
	return one == other ? NULL : against->names[other];
}

static int put_field(void *user, const struct gim_field_info *info)
{
	struct listing *listing = (struct listing *)user;
	const char *help = info->help ? info->help : "", *only = held_by(&listing->against, info->path);
	if ((listing->path && !path_matches(info->path, listing->path)) || (listing->against.names[1] && !only))
		return 0;
	listing->count++;
	if (listing->fields) {
		json_t *json = field_json(info);
		if (only)
			(void)json_object_set_new(json, "only", json_text(only));
		return json_array_append_new(listing->fields, json);
	}
	if (only) {
		printf("%-40s only in %s: %s\n", info->path, only, help);
		return ferror(stdout);
	}
	if (!listing->details) {
		printf("%-40s %-5s %-7s  %s\n", info->path, info->kind, info->show, help);
		return ferror(stdout);
	}
	printf("%s: %s\nkind     %s, shown as %s\nreset    0x%" PRIx64 "\n", info->path, help, info->kind, info->show, info->reset);
	if (info->layouts && *info->layouts)
		printf("layouts  %s\n", info->layouts);
	if (*info->source)
		printf("source   %s\n", info->source);
	if (gim_source_url(info->source))
		printf("see      %s\n", gim_source_url(info->source));
	return gim_names_visit(info->path, put_name, NULL, NULL);
}

static int count_field(void *user, const struct gim_field_info *info)
{
	struct listing *listing = (struct listing *)user;
	listing->count += !listing->path || path_matches(info->path, listing->path);
	return 0;
}

static int keep_field(void *user, const struct gim_field_info *info)
{
	return json_object_set_new((json_t *)user, info->path, json_true());
}

/* What two layouts differ in. Nothing, or something, is the answer, as of diff. */
static int compare(struct listing *listing, bool json, struct gim_error *error)
{
	struct comparison *against = &listing->against;
	for (unsigned i = 0; i < 2 && !error->code; i++) {
		against->held[i] = json_object();
		(void)gim_fields_visit(against->names[i], keep_field, against->held[i], error);
	}
	const size_t held = json_object_size(against->held[0]);
	listing->fields = json ? json_array() : NULL;
	if (!error->code)
		(void)gim_fields_visit(NULL, put_field, listing, error);
	json_decref(against->held[0]);
	json_decref(against->held[1]);
	if (error->code) {
		json_decref(listing->fields);
		return output_error(NULL, error, json);
	}
	if (listing->fields)
		output_document(json_pack("{s:o}", "fields", listing->fields), false);
	else if (listing->count)
		printf("%u difference%s\n", listing->count, listing->count == 1 ? "" : "s");
	else if (listing->path)
		printf("no differences\n");
	else
		printf("no differences: both hold the same %zu fields\n", held);
	return listing->count ? EXIT_NO : EXIT_YES;
}

/* Not in the layout, or nowhere. */
static int missing(const char *path, const char *layout, struct gim_error *error)
{
	struct listing all = {.path = path};
	(void)gim_fields_visit(NULL, count_field, &all, NULL);
	if (!all.count)
		return gim_field_missing(path, error);
	return error_set(error, GIM_E_PATH, "there is no field %s in %s; gimstate fields %s says which layouts hold it", path, layout,
	                 path);
}

int run_fields(const struct options *options, int count, char **operands)
{
	struct listing listing = {.path = count ? operands[0] : NULL, .against = {.names = {options->layout, options->against}}};
	struct gim_error error = GIM_ERROR_INIT;
	if (options->against && !options->layout)
		return usage_error(command_find("fields"), options->json, "--against goes with --layout: two layouts are compared");
	if (options->against)
		return compare(&listing, options->json, &error);
	if (!gim_fields_visit(options->layout, count_field, &listing, &error) && !listing.count)
		(void)missing(listing.path ? listing.path : "", options->layout, &error);
	if (error.code)
		return output_error(NULL, &error, options->json);
	listing.details = listing.path && listing.count == 1;
	listing.fields = options->json ? json_array() : NULL;
	(void)gim_fields_visit(options->layout, put_field, &listing, &error);
	if (error.code == GIM_E_MEMORY)
		output_no_memory();
	if (listing.fields)
		output_document(json_pack("{s:o}", "fields", listing.fields), false);
	return EXIT_YES;
}
