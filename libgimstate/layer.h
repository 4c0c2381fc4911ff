/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a state may be wrapped in, beneath its format: a layer takes an input over and becomes the input in its place. Each is a file in layers/. */
#ifndef GIM_LAYER_H
#define GIM_LAYER_H

#include "field.h"
#include "input.h"

/* How often one thing may be wrapped in another. */
#define GIM_LAYERS_MAX 6

struct gim_state;
struct gim_record;

/* A layer's own struct begins with this one, and is allocated by calloc. */
struct gim_layer {
	const struct gim_layer_kind *kind;
	struct gim_input below; /* what is wrapped */
};

struct gim_layer_kind {
	const char *within; /* for the sentence of an error, on what is found in it: "unpacked, this is a text" */
	/* Do the first bytes of an input say that it is one? part: somebody names a part of it. */
	bool (*bid)(const uint8_t *head, size_t size, bool part);
	bool seeks; /* any place of the input below must be readable: a stream is copied to a file first */
	bool once;  /* what it gives is never one of its kind again */
	bool parts; /* it has parts with names, as in FILE//NAME */
	bool more;  /* the file has more than what it gives, which would be lost were that written in its place */
	/* Load the library that it needs, which is loaded by name; NULL: none, or those of gim_prepare. */
	int (*load)(struct gim_error *error);
	/* Wrap an input that nothing was read of (gim_input_wrap). part: the one to open; NULL: there must be but one. The caller closes the input on failure. */
	int (*open)(struct gim_input *input, const char *part, struct gim_error *error);
	/* As gim_input_read of the input that it became; of a stream, offset only tells how much was read before. */
	int (*read)(struct gim_layer *layer, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error);
	/* Free what it holds, but neither the layer itself nor the input below; may be NULL. */
	void (*end)(struct gim_layer *layer);
	/* What it says of the state: a top record, and a function that attaches its object. May be NULL. */
	const struct gim_record *record;
	int (*describe)(struct gim_layer *layer, struct gim_state *state, struct gim_error *error);
	/* The settings of the VM, as they would stand in a settings file. NULL: it has none. */
	struct gim_text (*settings)(const struct gim_layer *layer);
	/* As gim_snapshots_visit. NULL: it has none. */
	int (*snapshots)(struct gim_input *input, gim_snapshot_fn *visit, void *user, struct gim_error *error);
};

/* What is wrong with what a state is wrapped in. */
enum gim_layer_rule { GIM_LAYER_DAMAGED, GIM_LAYER_CUT, GIM_LAYER_LIMIT, GIM_LAYER_UNFINISHED, GIM_LAYER_EMPTY, GIM_LAYER_RULES };
extern const struct gim_rule gim_layer_rules[GIM_LAYER_RULES];

extern const struct gim_layer_kind *const gim_layers[]; /* NULL-terminated (registry.c) */

/* Let *input become what layer makes of it: the layer takes over what it was. size: GIM_UNKNOWN for a stream. */
void gim_input_wrap(struct gim_input *input, struct gim_layer *layer, const struct gim_layer_kind *kind, bool seekable, uint64_t size);

/* Free a layer and all below it. NULL is fine. */
void gim_layer_free(struct gim_layer *layer);

/* The kind that bids for these first bytes; NULL: none does. */
const struct gim_layer_kind *gim_layer_find(const uint8_t *head, size_t size, bool part);

/* Open the layer that *input is; it is closed on failure. */
int gim_layer_open(struct gim_input *input, const struct gim_layer_kind *kind, const char *part, struct gim_error *error);

/* For the sentence of an error: the names of the first parts that there are; begins as {0}. */
struct gim_names {
	char text[128];
	size_t used;
	uint64_t count; /* of all */
};
void gim_names_add(struct gim_names *names, const char *name);

/* Open the layers of an input down to the first that has the VM's settings; *settings lives as long as the input. GIM_E_NO_UNIT: there are none. */
int gim_layers_settings(struct gim_input *input, struct gim_text *settings, struct gim_error *error);

/* Attach to state what the layers of its input say of it. */
int gim_layers_describe(struct gim_state *state, struct gim_error *error);

#endif
