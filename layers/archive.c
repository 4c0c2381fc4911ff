/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layer of a tar or zip archive: its one file, or the one that is named; a stream. */
#include "error.h"
#include "layer.h"
#include "packed.h"

#include <stdlib.h>
#include <string.h>

/* Whatever a part is asked of may be an archive whose beginning is not known. */
static bool bid(const uint8_t *head, size_t size, bool part)
{
	enum { USTAR = 257 };
	return part || (size >= USTAR + 5 && !memcmp(head + USTAR, "ustar", 5)) || (size >= 4 && !memcmp(head, "PK\003\004", 4));
}

/* Archives that were made in different ways name the same file with and without ./ before it. */
static const char *plain(const char *name)
{
	while (!strncmp(name, "./", 2) || *name == '/')
		name += *name == '/' ? 1 : 2;
	return name;
}

static int open_named(struct gim_input *input, const char *name, struct gim_error *error)
{
	struct gim_unpacker *unpacker = NULL;
	struct gim_unpacked member;
	struct gim_names names = {.used = 0};
	int result = gim_unpacker_new(input, GIM_PACKED_ARCHIVE, NULL, &unpacker, error), more = 0;
	while (!result && (more = gim_unpacker_next(unpacker, &member, error)) > 0) {
		if (!strcmp(plain(member.name), plain(name)))
			break;
		if (member.kind == GIM_MEMBER_FILE)
			gim_names_add(&names, plain(member.name));
	}
	if (!result && more <= 0)
		result = more ? more
		              : gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the archive has no member %s; it holds %s", name,
		                         names.used ? names.text : "no files");
	else if (!result && member.kind != GIM_MEMBER_FILE)
		result = gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the archive's member %s is no file", name);
	if (unpacker)
		gim_unpacker_input(unpacker, input);
	return result;
}

/* The name of its only file, which is the caller's. The input stays as it was. */
static int only_name(struct gim_input *input, char **name, struct gim_error *error)
{
	struct gim_unpacker *unpacker = NULL;
	struct gim_unpacked member;
	struct gim_names names = {.used = 0};
	char *first = NULL;
	int result = gim_unpacker_new(input, GIM_PACKED_ARCHIVE, NULL, &unpacker, error), more = 0;
	while (!result && (more = gim_unpacker_next(unpacker, &member, error)) > 0) {
		if (member.kind != GIM_MEMBER_FILE)
			continue;
		if (!first && !(first = strdup(member.name)))
			result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
		gim_names_add(&names, plain(member.name));
	}
	result = more < 0 ? more : result;
	if (!result && names.count != 1)
		result = gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_EMPTY], 0,
		                       "this is an archive, and no bundle, that holds %s: name the state in it, as in FILE//NAME",
		                       names.count ? names.text : "no file");
	if (unpacker)
		(void)gim_unpacker_return(&unpacker, input);
	if (result)
		free(first);
	else
		*name = first;
	return result;
}

static int open_archive(struct gim_input *input, const char *part, struct gim_error *error)
{
	char *name = NULL;
	if (part)
		return open_named(input, part, error);
	/* It is read twice. libarchive unpacks it in the same go, so that what it is compressed in needs no copy. */
	struct gim_unpacker *stream = gim_unpacker_of(input);
	int result = stream && gim_unpacker_return(&stream, input) ? 0 : gim_input_settle(input, error);
	if (!result)
		result = only_name(input, &name, error);
	if (!result)
		result = open_named(input, name, error);
	free(name);
	return result;
}

const struct gim_layer_kind gim_layer_archive = {
    .within = "in the archive",
    .bid = bid,
    .parts = true,
    .open = open_archive,
};
