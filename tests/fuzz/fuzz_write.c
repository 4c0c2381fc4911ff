/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: what can be opened is written again byte for byte, and what was changed or converted is what is read again; else there is a reason. */
#include "gimstate.h"

#include "cursor.h"
#include "fuzz.h"

enum { OUTPUT_LIMIT = 16 << 20 };

static void check(int result, const struct gim_error *error)
{
	MUST(result >= 0 ? !error->code : error->code == result && *error->text && *gim_code_name(result));
}

static int collect(void *user, const void *bytes, size_t size)
{
	struct gim_buffer *out = user;
	if (size > OUTPUT_LIMIT - out->size)
		return 1;
	gim_buffer_bytes(out, bytes, size);
	return out->failed;
}

static struct gim_state *open_state(const uint8_t *bytes, size_t size)
{
	struct gim_state *state = NULL;
	if (gim_state_open_memory(bytes, size, &state, NULL))
		return NULL;
	(void)gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL);
	return state;
}

static int write_state(struct gim_state *state, const struct gim_write_options *options, struct gim_buffer *out)
{
	struct gim_error error = GIM_ERROR_INIT;
	*out = (struct gim_buffer){.bytes = NULL};
	int result = gim_state_write(state, options, collect, out, &error);
	check(result, &error);
	return result;
}

static bool same(const struct gim_buffer *a, const uint8_t *bytes, size_t size)
{
	return a->size == size && (!size || !memcmp(a->bytes, bytes, size));
}

static void unchanged(const uint8_t *bytes, size_t size)
{
	struct gim_state *state = open_state(bytes, size);
	struct gim_buffer out;
	if (!state)
		return;
	if (!write_state(state, NULL, &out))
		MUST(same(&out, bytes, size));
	gim_buffer_free(&out);
	gim_state_free(&state);
}

/* In the new container it is read again, and made anew it does not change. */
static void renewed(const uint8_t *bytes, size_t size)
{
	static const struct gim_write_options options = {.container = "2.0"};
	struct gim_state *state = open_state(bytes, size);
	struct gim_buffer out, again;
	if (state && !write_state(state, &options, &out)) {
		struct gim_state *other = open_state(out.bytes, out.size);
		MUST(other);
		MUST(!write_state(other, &options, &again) && same(&again, out.bytes, out.size));
		gim_buffer_free(&again);
		gim_state_free(&other);
	}
	if (state)
		gim_buffer_free(&out);
	gim_state_free(&state);
}

static int keep_text(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	(void)gim_value_text(value, (char *)user, 64);
	return 0;
}

/* In the layout it is read again as what it was converted to, and converted again it does not change. */
static void converted(const uint8_t *bytes, size_t size, const char *layout)
{
	static const struct gim_write_options options = {.gim_only = true, .container = "2.0"};
	struct gim_state *state = open_state(bytes, size);
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_buffer out = {.bytes = NULL}, again = {.bytes = NULL};
	char text[64] = "", expected[64];
	if (!state)
		return;
	int result = gim_state_convert(state, layout, NULL, NULL, &error);
	check(result, &error);
	if (result >= 0 && !write_state(state, &options, &out)) {
		struct gim_state *other = open_state(out.bytes, out.size);
		MUST(other && !gim_state_visit(other, "gim.layout", keep_text, text, NULL));
		(void)snprintf(expected, sizeof(expected), "\"%s\"", layout);
		MUST(!strcmp(text, expected));
		MUST(!gim_state_convert(other, layout, NULL, NULL, NULL));
		MUST(!write_state(other, &options, &again) && same(&again, out.bytes, out.size));
		gim_state_free(&other);
	}
	gim_buffer_free(&again);
	gim_buffer_free(&out);
	gim_state_free(&state);
}

/* A word that stands in two places: in both, or the state is not written. */
static void changed(const uint8_t *bytes, size_t size, const char *word)
{
	struct gim_state *state = open_state(bytes, size);
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_buffer out = {.bytes = NULL}, back = {.bytes = NULL};
	char before[64] = "", after[64] = "";
	if (state && !gim_state_set(state, word, "+0x80000000", &error) && !write_state(state, NULL, &out)) {
		MUST(!gim_state_visit(state, word, keep_text, before, NULL));
		struct gim_state *other = open_state(out.bytes, out.size);
		MUST(other && !gim_state_visit(other, word, keep_text, after, NULL) && !strcmp(before, after));
		/* What was not changed, since the bit was there, may be something that cannot be changed. */
		if (!same(&out, bytes, size))
			MUST(!gim_state_set(other, word, "-0x80000000", NULL) && !write_state(other, NULL, &back));
		gim_state_free(&other);
	}
	gim_buffer_free(&back);
	gim_buffer_free(&out);
	gim_state_free(&state);
}

static void released(const uint8_t *bytes, size_t size)
{
	struct gim_state *state = open_state(bytes, size);
	struct gim_error error = GIM_ERROR_INIT;
	if (state)
		check(gim_state_check_release(state, "vbox:5.0", NULL, NULL, &error), &error);
	gim_state_free(&state);
}

FUZZ_STATES

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char *const layouts[] = {"vbox-none", "vbox-minimal", "vbox-hyperv-1", "vbox-hyperv-4", "vbox-kvm-1"};
	uint8_t *copy = fuzz_copy(bytes, size);
	for (unsigned round = 0; round < 2 && size && *copy == 0x7f; round++) {
		unchanged(copy, size);
		renewed(copy, size);
		for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
			converted(copy, size, layouts[i]);
		changed(copy, size, "hyperv.features.hints");
		changed(copy, size, "kvm.features.base");
		released(copy, size);
		fuzz_reseal(copy, size);
	}
	free(copy);
	return 0;
}
