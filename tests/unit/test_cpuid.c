/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests that a feature word changes where the unit cpum saves CPUID leaves, too, or that the state is not written. */
#include "state.h"
#include "vbox/ssm_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FEATURES = 0x01000089, HOST_WORDS = 4 + 256 + 4 + 512 };

struct leaf {
	uint32_t leaf, subleaf, subleaf_mask, eax, edx, flags;
};

/* What the states here are made of. */
struct made {
	uint32_t version; /* of the unit cpum; 0: no such unit */
	uint32_t leaf_bytes, count_more;
	size_t before, cut; /* bytes in front of the leaves, bytes missing at the end */
	bool live;
	struct leaf leaves[4];
};

static const struct made plain = {
    23,
    32,
    0,
    100,
    0,
    false,
    {{1, 0, 0, 5, 0, 0}, {0x40000000, 0, 0, 6, 0, 0}, {0x40000001, 0, 0, FEATURES, 0, 0}, {0x80000000, 0, 0, 0, 0, 0}}};

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static struct gim_buffer cpum_payload(const struct made *made, bool final)
{
	static const uint8_t host[HOST_WORDS];
	struct gim_buffer payload = {.bytes = NULL};
	for (size_t i = 0; i < (final ? made->before : 2); i++)
		gim_buffer_number(&payload, final ? 0xa5 : 0, 1);
	gim_buffer_number(&payload, made->leaf_bytes, 4);
	gim_buffer_number(&payload, 4 + made->count_more, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct leaf *leaf = &made->leaves[i];
		const uint32_t words[] = {leaf->leaf, leaf->subleaf, leaf->subleaf_mask, leaf->eax,
		                          0x11111111, 0x22222222,    leaf->edx,          leaf->flags};
		for (size_t w = 0; w < 8; w++)
			gim_buffer_number(&payload, words[w], 4);
	}
	for (size_t i = 0; i < 4; i++)
		gim_buffer_number(&payload, 0x55555555, 4);
	gim_buffer_number(&payload, 16, 4);
	gim_buffer_bytes(&payload, host, 256);
	gim_buffer_number(&payload, 32, 4);
	gim_buffer_bytes(&payload, host, 512);
	payload.size -= made->cut;
	return payload;
}

static void add_unit(struct ssm_writer *writer, const char *name, uint32_t instance, uint32_t version, uint32_t pass,
                     struct gim_buffer *payload)
{
	assert_int_equal(ssm_writer_unit(writer, name, instance, version, pass, NULL), 0);
	assert_int_equal(ssm_writer_data(writer, SSM_WRITE_RAW, payload->bytes, payload->size, NULL), 0);
	gim_buffer_free(payload);
}

/* KVM with one vCPU, between units that must stay. */
static struct gim_buffer state_of(const struct made *made)
{
	const struct ssm_write_options options = {7, 1, 6, 167084, 64, 8, 8, true, made->live, 4};
	struct gim_buffer out = {.bytes = NULL}, payload = {.bytes = NULL};
	struct ssm_writer *writer = NULL;
	assert_int_equal(ssm_writer_new(&options, collect, &out, &writer, NULL), 0);
	if (made->live) {
		payload = cpum_payload(made, false);
		add_unit(writer, "cpum", 1, made->version, 0, &payload);
	}
	gim_buffer_number(&payload, 0, 8);
	add_unit(writer, "SSM", 0, 1, GIM_PASS_FINAL, &payload);
	if (made->version) {
		payload = cpum_payload(made, true);
		add_unit(writer, "cpum", 1, made->version, GIM_PASS_FINAL, &payload);
	}
	gim_buffer_number(&payload, 3, 4);
	gim_buffer_number(&payload, 0, 4);
	gim_buffer_number(&payload, 1, 4);
	for (size_t i = 0; i < 37; i++)
		gim_buffer_number(&payload, 0, 1);
	gim_buffer_number(&payload, 0x10040, 8);
	gim_buffer_number(&payload, FEATURES, 4);
	add_unit(writer, "GIM", 0, 1, GIM_PASS_FINAL, &payload);
	assert_int_equal(ssm_writer_finish(writer, NULL), 0);
	ssm_writer_free(&writer);
	return out;
}

struct heard {
	unsigned count;
	char last[256];
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = (struct heard *)user;
	heard->count++;
	assert_string_equal(finding->path, "kvm.features.base");
	(void)snprintf(heard->last, sizeof(heard->last), "%s: %s", finding->unit, finding->text);
}

/* Change the word; *after is the new file. Returns what writing returned. */
static int change(const struct gim_buffer *before, bool gim_only, struct gim_buffer *after, struct heard *heard, struct gim_error *error)
{
	const struct gim_write_options options = {.gim_only = gim_only, .report = hear, .report_user = heard};
	struct gim_state *state = NULL;
	*error = (struct gim_error)GIM_ERROR_INIT;
	*after = (struct gim_buffer){.bytes = NULL};
	*heard = (struct heard){.count = 0};
	assert_int_equal(gim_state_open_memory(before->bytes, before->size, &state, NULL), 0);
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), 0);
	assert_int_equal(gim_state_set(state, "kvm.features.base", "+pv_eoi", NULL), 0);
	int result = gim_state_write(state, &options, collect, after, error);
	gim_state_free(&state);
	return result;
}

static struct gim_buffer payload_of(const struct gim_buffer *file, const char *name, uint32_t instance, uint32_t pass)
{
	struct gim_buffer payload = {.bytes = NULL};
	struct gim_state *state = NULL;
	struct gim_unit unit;
	assert_int_equal(gim_state_open_memory(file->bytes, file->size, &state, NULL), 0);
	assert_int_equal(gim_unit_find(state, name, instance, pass, &unit, NULL), 0);
	assert_int_equal(gim_unit_read(state, &unit, collect, &payload, NULL), 0);
	gim_state_free(&state);
	return payload;
}

/* Of a unit's payload, only this word changed. */
static void assert_one_word(const struct gim_buffer *before, const struct gim_buffer *after, const char *name, uint32_t instance,
                            uint32_t pass, size_t at)
{
	struct gim_buffer was = payload_of(before, name, instance, pass), is = payload_of(after, name, instance, pass);
	assert_int_equal(was.size, is.size);
	for (size_t i = 0; i < was.size; i++)
		if (was.bytes[i] != is.bytes[i] && (i < at || i >= at + 4))
			fail_msg("%s: byte 0x%zx changed, too", name, i);
	struct gim_cursor cursor = {.bytes = is.bytes, .size = is.size, .position = at};
	assert_int_equal(gim_cursor_u32(&cursor), FEATURES | 0x40);
	gim_buffer_free(&was);
	gim_buffer_free(&is);
}

static void assert_both(const struct made *made)
{
	struct gim_buffer before = state_of(made), after;
	struct gim_error error;
	struct heard heard;
	const size_t leaf = 8 + 2 * 32 + 12;
	if (change(&before, false, &after, &heard, &error))
		fail_msg("%s", error.text);
	assert_int_equal(heard.count, 1 + made->live);
	assert_string_equal(heard.last, "cpum/1: leaf 0x40000001 eax: 0x1000089 -> 0x10000c9");
	assert_int_equal(gim_verify_memory(after.bytes, after.size, NULL, NULL, NULL, NULL), 0);
	assert_one_word(&before, &after, "cpum", 1, GIM_PASS_FINAL, made->before + leaf);
	if (made->live)
		assert_one_word(&before, &after, "cpum", 1, 0, 2 + leaf);
	assert_one_word(&before, &after, "GIM", 0, GIM_PASS_FINAL, 12 + 37 + 8);
	gim_buffer_free(&before);
	gim_buffer_free(&after);
}

static void both_change(void **unused)
{
	(void)unused;
	struct made made = plain;
	for (made.version = 17; made.version <= 24; made.version++)
		assert_both(&made);
	made = plain;
	made.live = true;
	assert_both(&made);
	made = plain;
	made.before = 100001; /* nothing is aligned, and there is more than one record */
	assert_both(&made);
	made.before = 0;
	assert_both(&made);
}

/* The sentence why it is not written; alone it is. */
static void assert_refused(const struct made *made, const char *why)
{
	struct gim_buffer before = state_of(made), after;
	struct gim_error error;
	struct heard heard;
	assert_int_equal(change(&before, false, &after, &heard, &error), GIM_E_VALUE);
	assert_int_equal(after.size, 0);
	assert_string_equal(error.unit, "cpum/1");
	if (!strstr(error.text, why) || !strstr(error.text, "--gim-only"))
		fail_msg("%s", error.text);
	assert_int_equal(change(&before, true, &after, &heard, &error), 0);
	assert_int_equal(heard.count, 0);
	assert_one_word(&before, &after, "GIM", 0, GIM_PASS_FINAL, 12 + 37 + 8);
	struct gim_buffer was = payload_of(&before, "cpum", 1, GIM_PASS_FINAL), is = payload_of(&after, "cpum", 1, GIM_PASS_FINAL);
	assert_int_equal(was.size, is.size);
	if (was.size)
		assert_memory_equal(was.bytes, is.bytes, was.size);
	gim_buffer_free(&was);
	gim_buffer_free(&is);
	gim_buffer_free(&before);
	gim_buffer_free(&after);
}

static void refused(void **unused)
{
	(void)unused;
	struct made made = plain;
	made.version = 16;
	assert_refused(&made, "where its version 16 has them is not known");
	made.version = 25;
	assert_refused(&made, "where its version 25 has them is not known");
	made = plain;
	made.leaf_bytes = 31;
	assert_refused(&made, "cannot be told apart");
	made = plain;
	made.count_more = 1;
	assert_refused(&made, "cannot be told apart");
	made = plain;
	made.cut = 1;
	assert_refused(&made, "cannot be told apart");
	made.cut = 100 + 8 + 4 * 32 + 16 + HOST_WORDS; /* nothing at all */
	assert_refused(&made, "cannot be told apart");
	made = plain;
	made.leaves[2].leaf = 0x40000005;
	assert_refused(&made, "no leaf 0x40000001 is saved");
	made = plain;
	made.leaves[3] = made.leaves[2];
	assert_refused(&made, "leaf 0x40000001 has several subleaves");
	made = plain;
	made.leaves[2].subleaf_mask = 1;
	assert_refused(&made, "leaf 0x40000001 has several subleaves");
	made = plain;
	made.leaves[2].eax = 0x89;
	assert_refused(&made, "leaf 0x40000001 eax is 0x89, where the GIM unit had 0x1000089: they disagree already");
}

/* A leaf whose own words look like the size and number of the leaves behind it: here only the rows of the whole unit tell. */
static void two_places(void **unused)
{
	(void)unused;
	struct made made = plain;
	made.leaves[3].edx = 32;
	assert_refused(&made, "cannot be told apart");
	made.leaves[3].edx = 0;
	made.leaves[2].edx = 32;
	made.leaves[2].flags = 1;
	assert_refused(&made, "cannot be told apart");
	/* In the first pass of a live save there is nothing else before them, so that it can be told; the final one is refused all the same. */
	made.live = true;
	assert_refused(&made, "cannot be told apart");
}

static void without_cpum(void **unused)
{
	(void)unused;
	struct made made = plain;
	made.version = 0;
	struct gim_buffer before = state_of(&made), after;
	struct gim_error error;
	struct heard heard;
	assert_int_equal(change(&before, false, &after, &heard, &error), 0);
	assert_int_equal(heard.count, 0);
	assert_one_word(&before, &after, "GIM", 0, GIM_PASS_FINAL, 12 + 37 + 8);
	gim_buffer_free(&before);
	gim_buffer_free(&after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_change),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(two_places),
	    cmocka_unit_test(without_cpum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
