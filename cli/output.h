/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How commands print: errors, findings, fields, JSON documents. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "gimstate.h"

#include <jansson.h>
#include <stdio.h>

/* Colours, on a terminal only and never with NO_COLOR. */
enum style { STYLE_NONE, STYLE_DIM, STYLE_GOOD, STYLE_WARNING, STYLE_BAD };

/* Find out about terminals, and listen for JSON values that there is no memory for; before anything is printed. */
void output_start(void);

/* Send on what was printed so far; a failure is remembered. */
void output_flush(void);
/* Something could not be printed for want of memory: that is told at the end. */
void output_no_memory(void);
bool output_is_starved(void);
/* At the end: was all of it made, and did it arrive? Else why not, on stderr. */
bool output_finish(void);

/* Print text so that no byte of it can steer the terminal. */
void put_safe(FILE *stream, const char *text);
/* The same, with what replace answers (NULL: nothing) in place of an ASCII character, for markup. */
void put_replaced(FILE *stream, const char *text, const char *(*replace)(char byte));
/* As put_safe, in a style. */
void put_styled(FILE *stream, enum style style, const char *text);

/*
 * Errors.
 */
/* Fill *error unless it holds an earlier failure; returns code. */
int error_set(struct gim_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The exit status of an error: EXIT_NO where the input was understood and is damaged or lacks what was asked for, else EXIT_NO_ANSWER. */
int error_status(const struct gim_error *error);
/* The same while decoding: whatever the input did wrong then is damage. */
int error_decode_status(const struct gim_error *error);

/* "gimstate: FILE: sentence (at byte 0x5a)" on stderr, or the JSON document {"error": …}; returns error_status. file may be NULL. */
int output_error(const char *file, const struct gim_error *error, bool json);

/*
 * JSON. Texts of the input are made valid first: bytes that are not UTF-8 become U+00nn.
 */
json_t *json_text(const char *text);
/* Takes the members of an object one after another: a jansson object does, and a stream (json_put.h). */
struct members {
	void (*text)(struct members *to, const char *key, const char *text);
	void (*number)(struct members *to, const char *key, int64_t number);
};
/* What is printed of them everywhere. file may be NULL. */
void finding_members(const struct gim_finding *finding, struct members *to);
void error_members(const char *file, const struct gim_error *error, struct members *to);
json_t *error_json(const char *file, const struct gim_error *error);
/* Where it is, in words, after a space; nothing when it has no place. */
void put_error_place(FILE *stream, const struct gim_error *error);
json_t *rule_json(const struct gim_rule *rule);
json_t *finding_json(const struct gim_finding *finding);
json_t *unit_json(const struct gim_unit *unit);
/* A number that may be GIM_UNKNOWN: null. */
json_t *size_json(uint64_t size);

/* Is the file `path` the input itself ("-": standard input), under whatever name? */
bool input_is(const char *input, const char *path);

/* Commit what was written to output, or forget it when writing failed by another's fault; frees it. result: what the writing returned. */
int output_end(struct gim_output *output, int result, struct gim_error *error);

/* Before work that takes long: is a file in the way that is not to be replaced? */
int output_check(const char *path, bool replace, struct gim_error *error);

/* Write the state, which was read from the file `from` (NULL: from none), with what was changed in it to the file path: as a bundle, when that is what its name says. */
int output_state(struct gim_state *state, const struct gim_write_options *how, const char *from, const char *path, bool replace,
                 struct gim_error *error);

/* Written is what was read, whatever the name says: tell who expects it to become something else how it does. Not with --json. */
void output_tell_form(const struct gim_state *state, const char *path);

/* Print the members of a bundle: name, size, and SHA-256 where it is there. */
void members_put(const json_t *members);

/* Print the document {"gimstate": 1, …} with body's members; takes the reference. */
void output_document(json_t *body, bool one_line);

/*
 * Findings of decoding: gathered, then printed after the fields that they speak about.
 */
struct remarks {
	json_t *findings; /* an array, or NULL */
};

/* gim_report_fn; user is a struct remarks. */
void remarks_take(void *user, const struct gim_finding *finding);
/* "# warning: …" on stderr, without the one that the error says again. */
void remarks_print(const struct remarks *remarks, const struct gim_error *error);
/* What was done, on stdout: "unit cpum/1: hyperv.features.hints: sentence". */
void remarks_put(const struct remarks *remarks);
/* The same into a document, when there are any. */
void remarks_json(const struct remarks *remarks, const struct gim_error *error, json_t *body);
void remarks_free(struct remarks *remarks);

const char *severity_name(enum gim_severity severity);

/*
 * Fields: "path = value  meaning", one a line. A list, an array or a sub-record of which nothing is there is one line, so lines of absent leaves
 * wait until what follows is known.
 */
struct fields {
	const char *within; /* do not shorten paths beyond this one; may be NULL */
	bool meanings;      /* print them */
	bool stored_only;   /* print nothing that is absent */
	const char *skip;   /* print nothing whose path begins like this; may be NULL */
	uint64_t stored;    /* leaves that are not absent */
	char *previous;     /* path of the last of those */
	char **waiting;     /* paths of absent leaves after it */
	size_t waiting_count;
};

/* gim_visit_fn; user is a struct fields. */
int fields_put(void *user, const char *path, const struct gim_value *value);
/* Print what waits, and free. */
void fields_end(struct fields *fields);

/* The one leaf at a path; false: it is absent, or there is no such leaf. Its bytes are the state's. */
bool value_look_up(const struct gim_state *state, const char *path, struct gim_value *value);

/* A value as text, all of it; free it. NULL when memory is out. */
char *value_text(const struct gim_value *value);
/* The same of the leaf at a path: "absent" where there is none. */
char *value_text_at(const struct gim_state *state, const char *path);
/* What it means, likewise. */
char *value_meaning(const struct gim_value *value);

/*
 * Bytes in hexadecimal, 16 a line, from offset on.
 */
struct hex {
	uint64_t offset;
	unsigned char line[16];
	unsigned used;
};
/* gim_sink_fn; user is a struct hex. */
int hex_put(void *user, const void *bytes, size_t size);
/* The line that is not full. */
void hex_end(struct hex *hex);

#endif
