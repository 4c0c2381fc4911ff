/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A state's document, docs/gimstate-json.md: reading it, and printing it. */
#ifndef GIM_JSON_H
#define GIM_JSON_H

#include "state.h"

enum gim_json_rule {
	GIM_JSON_SYNTAX,
	GIM_JSON_LIMIT,
	GIM_JSON_FORM,
	GIM_JSON_VERSION,
	GIM_JSON_REPEATED,
	GIM_JSON_UNKNOWN,
	GIM_JSON_MISSING,
	GIM_JSON_VALUE,
	GIM_JSON_DAMAGED,
	GIM_JSON_RULES
};
extern const struct gim_rule gim_json_rules[GIM_JSON_RULES];

/* A document is read whole: its text, and what jansson makes of it, together stay below the 64 MiB that the commands promise. */
#define GIM_JSON_TEXT_LIMIT (8u << 20)
#define GIM_JSON_VALUES_LIMIT (40u << 20)

struct gim_document {
	struct gim_object objects[GIM_OBJECTS_MAX]; /* its records but `source`, in its order */
	size_t count;
	char damage[200]; /* the error that had ended the decoding, "" when the state was whole */
};

/* Read a document. The objects live in arena. *document is only touched when all of it is sound. profile (NULL: a state's document):
 * the record of a profile, which then is one of the document's; its records hold what keys there are, and all else is absent. */
int gim_json_read(struct gim_arena *arena, const struct gim_record *profile, const char *text, size_t size, struct gim_document *document,
                  struct gim_error *error);

/* Print the document of all that was decoded, without `source` and the records named in without (comma-separated; NULL: none), to sink. */
int gim_json_print(const struct gim_state *state, const char *without, gim_sink_fn *sink, void *user, struct gim_error *error);

/* Show the document's records of these parts in state, whose arena is the document's. Returns the parts of which there is something; guest is one of what says
 * what the state is. */
unsigned gim_document_show(struct gim_state *state, const struct gim_document *document, unsigned parts);

/* Fail as the document does of which only some could be read. */
int gim_document_damaged(const struct gim_document *document, struct gim_error *error);

/* Read the members of an object that are there, and that object's record knows; all else stays as it is. path: what to call it in an error. */
struct json_t;
int gim_json_read_members(struct gim_arena *arena, const struct gim_object *object, const struct json_t *json, const char *path,
                          struct gim_error *error);

/* Parse a text, with the limits and the errors of gim_json_read. *json is the caller's. */
int gim_json_parse(const char *text, size_t size, struct json_t **json, struct gim_error *error);

#endif
