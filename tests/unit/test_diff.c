/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests the comparison of states on objects made from the tables: every field, every kind of difference, and how the work grows. */
#include "../sparse.h"
#include "guest.h"
#include "hyperv/hyperv.h"
#include "kvm/kvm.h"
#include "state.h"
#include "vbox/units.h"
#include "visit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct gim_format no_container = {.name = "vbox"};

struct pair {
	struct gim_state a, b;
};

static void begin(struct pair *pair)
{
	*pair = (struct pair){.a = {.format = &no_container}, .b = {.format = &no_container}};
}

static void end(struct pair *pair)
{
	gim_arena_free(&pair->a.arena);
	gim_arena_free(&pair->b.arena);
}

/* A copy, since an array of objects may move when one is added. */
static struct gim_object add(struct gim_state *state, const struct gim_record *record)
{
	const struct gim_object *object = gim_state_object(state, record, NULL);
	assert_non_null(object);
	return *object;
}

static void grow(struct gim_state *state, struct gim_list *list, const struct gim_record *item, uint32_t count)
{
	assert_int_equal(gim_list_grow(&state->arena, list, item, count, NULL), 0);
}

/* Every leaf is there, at its default; lists have so many items, told apart by their keys. */
static void fill(struct gim_state *state, const struct gim_object *object, uint32_t items)
{
	for (uint32_t f = 0; f < object->record->field_count; f++) {
		const struct gim_field *field = &object->record->fields[f];
		if (field->kind == GIM_LIST)
			grow(state, (struct gim_list *)(void *)(object->data + field->offset), field->record, items);
		for (uint32_t i = 0; i < gim_object_count(object, field); i++) {
			if (!field->record) {
				object->presence[field->offset + i * field->width] = GIM_STORED;
				continue;
			}
			const struct gim_object item = gim_object_item(object, field, i);
			fill(state, &item, items);
			for (uint32_t k = 0; field->kind == GIM_LIST && k < item.record->field_count; k++) {
				static const char names[] = "abcdefgh";
				const struct gim_field *key = &item.record->fields[k];
				if (!key->key)
					continue;
				if (key->kind == GIM_TEXT)
					*(struct gim_text *)(void *)(item.data + key->offset) = (struct gim_text){names + i % 8, 1};
				else
					gim_number_store(item.data + key->offset, key->width, i);
			}
		}
	}
}

struct heard {
	unsigned count, counting;
	enum gim_difference_kind kind;
	char path[256], key[128];
};

static int hear(void *user, const struct gim_difference *difference)
{
	struct heard *heard = (struct heard *)user;
	heard->count++;
	heard->counting += difference->counts;
	heard->kind = difference->kind;
	(void)snprintf(heard->path, sizeof(heard->path), "%s", difference->path);
	(void)snprintf(heard->key, sizeof(heard->key), "%s", difference->key);
	return 0;
}

static struct heard compare(const struct pair *pair, const struct gim_diff_options *options, int result)
{
	struct heard heard = {0};
	assert_int_equal(gim_state_diff(&pair->a, &pair->b, options, hear, &heard, NULL, NULL), result);
	assert_int_equal(heard.counting > 0, result == 1);
	return heard;
}

/*
 * One edit is one difference, at its path, in every field of every record.
 */
static unsigned leaves_seen, edits;

static int edit_leaf(void *user, const char *path, const struct gim_object *object, const struct gim_field *field, uint32_t index)
{
	const struct pair *pair = (const struct pair *)user;
	uint8_t *at = object->data + field->offset + (size_t)index * field->width;
	const struct gim_text text = {"zz", 2};
	if (leaves_seen++ % (sparse() > 1 ? 4 : 1))
		return 0;
	uint8_t saved[sizeof(struct gim_text)];
	memcpy(saved, at, field->width);
	if (field->kind == GIM_TEXT)
		memcpy(at, &text, sizeof(text));
	else
		gim_number_store(at, field->width, gim_number_load(at, field->width) ^ 1);
	const struct gim_diff_options exact = {.exact = true};
	const struct heard heard = compare(pair, &exact, 1);
	/* Another key makes it another item: one is gone, and one is new. */
	assert_int_equal(heard.count, field->key ? 2 : 1);
	if (!field->key)
		assert_string_equal(heard.path, path);
	memcpy(at, saved, field->width);
	/* Only in one of them, at its default. */
	object->presence[field->offset + (size_t)index * field->width] = GIM_ABSENT;
	if (!field->key) {
		const struct heard absent = compare(pair, NULL, 0);
		assert_int_equal(absent.kind, field->change == GIM_CHANGE_FORM ? GIM_DIFF_FORM : GIM_DIFF_DEFAULT);
		assert_string_equal(absent.path, path);
	}
	object->presence[field->offset + (size_t)index * field->width] = GIM_STORED;
	edits++;
	return 0;
}

static void edit_record(const struct gim_record *record)
{
	struct pair pair;
	if (!record)
		return;
	begin(&pair);
	const struct gim_object a = add(&pair.a, record), b = add(&pair.b, record);
	fill(&pair.a, &a, 3);
	fill(&pair.b, &b, 3);
	assert_int_equal(compare(&pair, NULL, 0).count, 0);
	assert_int_equal(gim_object_leaves(&b, "", edit_leaf, &pair, NULL), 0);
	end(&pair);
}

static void one_edit(void **unused)
{
	(void)unused;
	edit_record(&source_record);
	edit_record(&gim_record);
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		edit_record((*each)->record);
	edit_record(&guest_record);
	for (const struct gim_format *const *each = gim_formats; *each; each++)
		for (const struct gim_record *const *record = (*each)->records; record && *record; record++)
			edit_record(*record);
	print_message("%u edits\n", edits);
	assert_true(edits > 500);
}

#define SET(object, type, member, number) GIM_STORE(&(object), type, member, number)

static void clocks(void **unused)
{
	(void)unused;
	struct pair pair;
	begin(&pair);
	const struct gim_object a = add(&pair.a, &guest_record), b = add(&pair.b, &guest_record);
	SET(a, guest, virtual_ns, 1000);
	SET(b, guest, virtual_ns, 1001);
	assert_int_equal(compare(&pair, NULL, 0).kind, GIM_DIFF_CLOCK);
	assert_int_equal(compare(&pair, &(struct gim_diff_options){.exact = true}, 1).kind, GIM_DIFF_CLOCK);
	SET(b, guest, virtual_ns, 999);
	const struct heard back = compare(&pair, NULL, 1);
	assert_int_equal(back.kind, GIM_DIFF_BACK);
	assert_string_equal(back.path, "guest.virtual_ns");
	end(&pair);
}

/* What one layout cannot hold: a default there is told apart from a value that is lost. */
static void absent(void **unused)
{
	(void)unused;
	struct pair pair;
	begin(&pair);
	const struct gim_object a = add(&pair.a, &hv_state_record), b = add(&pair.b, &hv_state_record);
	SET(a, hv_state, debug.bootp_xid, 0);
	assert_int_equal(compare(&pair, NULL, 0).kind, GIM_DIFF_DEFAULT);
	SET(a, hv_state, debug.bootp_xid, 7);
	assert_int_equal(compare(&pair, NULL, 1).kind, GIM_DIFF_ONLY_A);
	SET(b, hv_state, debug.bootp_xid, 7);
	assert_int_equal(compare(&pair, NULL, 0).count, 0);
	b.presence[offsetof(struct hv_state, debug.bootp_xid)] = GIM_IMPLIED; /* omitted, but it has that value */
	assert_int_equal(compare(&pair, NULL, 0).count, 0);
	/* An item of which nothing is known but defaults is told apart too. */
	struct gim_list *list = &((struct hv_state *)(void *)a.data)->vp;
	grow(&pair.a, list, &hv_vp_record, 1);
	list->presence[offsetof(struct hv_vp, simp)] = GIM_STORED;
	assert_int_equal(compare(&pair, NULL, 0).kind, GIM_DIFF_DEFAULT);
	((struct hv_vp *)list->items)->simp = 0x5001;
	const struct heard item = compare(&pair, NULL, 1);
	assert_int_equal(item.kind, GIM_DIFF_ONLY_A);
	assert_string_equal(item.path, "hyperv.vp[0]");
	/* It is also what differs at a path within the item. */
	assert_int_equal(compare(&pair, &(struct gim_diff_options){.path = "hyperv.vp[0].simp"}, 1).count, 1);
	assert_int_equal(compare(&pair, &(struct gim_diff_options){.path = "hyperv.debug"}, 0).count, 0);
	assert_int_equal(gim_state_diff(&pair.a, &pair.b, &(struct gim_diff_options){.path = "hyperv.nothing"}, NULL, NULL, NULL, NULL),
	                 GIM_E_PATH);
	end(&pair);
}

static void whole_records(void **unused)
{
	(void)unused;
	struct pair pair;
	begin(&pair);
	(void)add(&pair.a, &guest_record);
	assert_int_equal(compare(&pair, NULL, 0).kind, GIM_DIFF_APART);
	(void)add(&pair.b, &kvm_state_record);
	const struct heard heard = compare(&pair, NULL, 1);
	assert_int_equal(heard.kind, GIM_DIFF_ONLY_B);
	assert_string_equal(heard.path, "kvm");
	assert_int_equal(heard.count, 2);
	end(&pair);
}

static struct guest_cpuid *leaves(struct gim_state *state, const struct gim_object *guest, uint32_t count)
{
	struct gim_list *list = &((struct guest *)(void *)guest->data)->cpuid;
	grow(state, list, &guest_cpuid_record, count);
	memset(list->presence, GIM_STORED, count * sizeof(struct guest_cpuid));
	return (struct guest_cpuid *)list->items;
}

/* CPUID leaves are the same whatever their order, and a repeated one is another. */
static void order(void **unused)
{
	(void)unused;
	struct pair pair;
	begin(&pair);
	const struct gim_object a = add(&pair.a, &guest_record), b = add(&pair.b, &guest_record);
	struct guest_cpuid *one = leaves(&pair.a, &a, 4), *two = leaves(&pair.b, &b, 4);
	for (uint32_t i = 0; i < 4; i++) {
		one[i] = (struct guest_cpuid){.leaf = 0x40000000 + i / 2, .subleaf = i % 2, .eax = i};
		two[3 - i] = one[i];
	}
	const struct heard reversed = compare(&pair, NULL, 0);
	assert_int_equal(reversed.count, 1);
	assert_int_equal(reversed.kind, GIM_DIFF_ORDER);
	assert_string_equal(reversed.path, "guest.cpuid");
	two[3].eax = 9;
	const struct heard changed = compare(&pair, NULL, 1);
	assert_string_equal(changed.path, "guest.cpuid[0].eax");
	assert_string_equal(changed.key, "leaf 0x40000000, subleaf 0x0");
	two[3] = two[2];
	const struct heard repeated = compare(&pair, NULL, 1); /* a's first is gone, b's last is once more */
	assert_int_equal(repeated.count, 3);
	assert_int_equal(repeated.kind, GIM_DIFF_ONLY_B);
	end(&pair);
}

static int stop(void *user, const struct gim_difference *difference)
{
	(void)difference;
	return ++*(unsigned *)user == 1 ? 42 : 0;
}

static void stopping(void **unused)
{
	(void)unused;
	struct pair pair;
	unsigned count = 0;
	begin(&pair);
	const struct gim_object a = add(&pair.a, &guest_record), b = add(&pair.b, &guest_record);
	SET(a, guest, vcpus, 1);
	SET(a, guest, ram_bytes, 1);
	(void)b;
	assert_int_equal(gim_state_diff(&pair.a, &pair.b, NULL, stop, &count, NULL, NULL), 42);
	assert_int_equal(count, 1);
	end(&pair);
}

/*
 * The work grows with the size of the states and no faster: by counting, since a busy machine has its own time.
 */
static uint64_t steps_of(uint32_t vcpus, bool reversed)
{
	struct pair pair;
	struct gim_diff_counts counts;
	begin(&pair);
	const struct gim_object a = add(&pair.a, &guest_record), b = add(&pair.b, &guest_record);
	const struct gim_object hv_a = add(&pair.a, &hv_state_record), hv_b = add(&pair.b, &hv_state_record);
	grow(&pair.a, &((struct guest *)(void *)a.data)->vcpu, &guest_vcpu_record, vcpus);
	grow(&pair.b, &((struct guest *)(void *)b.data)->vcpu, &guest_vcpu_record, vcpus);
	grow(&pair.a, &((struct hv_state *)(void *)hv_a.data)->vp, &hv_vp_record, vcpus);
	grow(&pair.b, &((struct hv_state *)(void *)hv_b.data)->vp, &hv_vp_record, vcpus);
	struct guest_cpuid *one = leaves(&pair.a, &a, vcpus), *two = leaves(&pair.b, &b, vcpus);
	for (uint32_t i = 0; i < vcpus; i++)
		one[i].leaf = two[reversed ? vcpus - 1 - i : i].leaf = i;
	assert_int_equal(gim_state_diff(&pair.a, &pair.b, NULL, NULL, NULL, &counts, NULL), 0);
	assert_int_equal(counts.of[GIM_DIFF_ORDER], reversed);
	end(&pair);
	return counts.steps;
}

static void linear(void **unused)
{
	(void)unused;
	const uint32_t times = sparse() > 1 ? 4 : 16;
	for (int reversed = 0; reversed < 2; reversed++) {
		const uint64_t few = steps_of(64, reversed), many = steps_of(64 * times, reversed);
		print_message("64 vCPUs: %llu steps, %u: %llu\n", (unsigned long long)few, 64 * times, (unsigned long long)many);
		assert_true(few > 64 * 300);
		assert_true(many <= few * (times + 1)); /* so many times as much, and the sorting of keys */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_edit), cmocka_unit_test(clocks),   cmocka_unit_test(absent), cmocka_unit_test(whole_records),
	    cmocka_unit_test(order),    cmocka_unit_test(stopping), cmocka_unit_test(linear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
