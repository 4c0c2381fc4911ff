/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON that is printed while it is made, so that a report of any length needs no memory. It looks as output_document prints it. */
#ifndef JSON_PUT_H
#define JSON_PUT_H

#include "output.h"

struct json_put {
	struct members members; /* of what was begun last */
	FILE *stream;
	bool one_line;
	unsigned depth, filled; /* filled: a bit for each depth at which something stands */
};

/* Nothing is begun yet. */
void json_put_start(struct json_put *put, FILE *stream, bool one_line);
/* Begin an object ('{') or array ('['), and end it. key: NULL within arrays, and for what is outermost. */
void json_put_begin(struct json_put *put, const char *key, char bracket);
void json_put_end(struct json_put *put, char bracket);
void json_put_text(struct json_put *put, const char *key, const char *text);
void json_put_number(struct json_put *put, const char *key, int64_t number);
void json_put_true(struct json_put *put, const char *key);
/* A value that jansson holds; takes the reference. */
void json_put_value(struct json_put *put, const char *key, json_t *value);

#endif
