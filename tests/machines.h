/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What tests of whole machines share: random numbers that are the same everywhere, and a machine's state in another form. */
#ifndef MACHINES_H
#define MACHINES_H

#include "state.h"
#include "wrap.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64 */
struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
	uint64_t number = random->state += UINT64_C(0x9e3779b97f4a7c15);
	number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
	return number ^ number >> 31;
}

static inline uint32_t random_below(struct random *random, uint32_t limit)
{
	return (uint32_t)((random_next(random) >> 32) * limit >> 32);
}

/* True once in so many. */
static inline bool random_once(struct random *random, uint32_t times)
{
	return !random_below(random, times);
}

/* Through what a saved state may go before it is loaded. */
enum machines_form {
	MACHINES_NATIVE,   /* nothing */
	MACHINES_DOCUMENT, /* the text of a JSON document */
	MACHINES_VBOX,     /* and this plus v: VirtualBox's GIM unit in version v of its provider's layout */
};

static inline bool machines_document(const struct gim_state *native, struct gim_buffer *file, struct gim_error *error)
{
	json_t *json = NULL;
	char *text = NULL;
	if (!gim_state_json(native, NULL, &json, error) && !json_object_set_new(json, "gimstate", json_integer(1)))
		text = json_dumps(json, JSON_COMPACT);
	if (text)
		gim_buffer_bytes(file, text, strlen(text));
	json_decref(json);
	free(text);
	return text && !file->failed;
}

static inline bool machines_vbox(struct gim_state *native, const char *provider, unsigned version, unsigned vcpus, struct gim_buffer *file,
                                 struct gim_error *error)
{
	struct gim_buffer payload = {.bytes = NULL};
	char layout[32];
	(void)snprintf(layout, sizeof(layout), "vbox-%s-%u", provider, version);
	const struct wrap_clock clock = {vcpus, gim_state_value(native, "machine.tsc").number,
	                                 gim_state_value(native, "guest.tsc_hz").number,
	                                 gim_state_value(native, "guest.virtual_ns").number};
	const bool done =
	    !gim_state_payload(native, layout, wrap_collect, &payload, error) && wrap_at(&clock, payload.bytes, payload.size, file);
	gim_buffer_free(&payload);
	return done;
}

/* The native state in that form, in whose place it comes; `file` holds it, both are the caller's. NULL: that failed. */
static inline struct gim_state *machines_reform(struct gim_state *native, unsigned form, const char *provider, unsigned vcpus,
                                                struct gim_buffer *file, struct gim_error *error)
{
	struct gim_state *state = NULL;
	if (form == MACHINES_NATIVE)
		return native;
	const bool done = form == MACHINES_DOCUMENT ? machines_document(native, file, error)
	                                            : machines_vbox(native, provider, form - MACHINES_VBOX, vcpus, file, error);
	if (done && gim_state_open_memory(file->bytes, file->size, &state, error))
		state = NULL;
	gim_state_free(&native);
	return state;
}

#endif
