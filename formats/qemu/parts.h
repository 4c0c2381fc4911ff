/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the stream reader tell each other. */
#ifndef GIM_QEMU_PARTS_H
#define GIM_QEMU_PARTS_H

#include "qemu/stream.h"

/* Look for the description; what there is of it is in the stream. Fails only when memory or the input does. (tail.c) */
int qemu_find_description(struct qemu_stream *stream, struct gim_error *error);
/* By the description alone; stream->fits says whether all were found. */
int qemu_find_described(struct qemu_stream *stream, struct gim_error *error);

/* Told of what breaks a rule and can be passed over. */
typedef void qemu_complain_fn(void *user, enum qemu_rule rule, uint64_t offset, const struct qemu_section *section, const char *text);

/* A walk through a stream, element by element. (forward.c) */
struct qemu_walk {
	struct qemu_stream *stream;
	struct qemu_sections *sections; /* what was passed */
	qemu_complain_fn *complain;     /* NULL: nobody listens */
	void *user;
	uint64_t stop;        /* an offset at which it ends; GIM_UNKNOWN: none */
	bool only_ram;        /* end behind the first piece of RAM */
	uint32_t next_device; /* of the description */
};

/* From the reader's position to the end of the stream, or stop. Reading fails by rule where it cannot go on. */
int qemu_walk(struct qemu_walk *walk, struct gim_error *error);

/* The same from the first section on. */
int qemu_walk_all(struct qemu_walk *walk, struct gim_error *error);

int qemu_sections_add(struct qemu_sections *sections, const struct qemu_section *section, struct gim_error *error);

#endif
