/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lint over all tables: every record and every layout that is registered. */
#include "machine.h"
#include "target.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RECORDS_MAX 128

static const struct gim_record *records[RECORDS_MAX];
static size_t record_count;
static unsigned findings;

static void complain(const char *where, const char *which, const char *what)
{
	findings++;
	print_error("%s.%s: %s\n", where, which ? which : "", what);
}

static bool reachable(const struct gim_record *record)
{
	for (size_t i = 0; i < record_count; i++)
		if (records[i] == record)
			return true;
	return false;
}

static void collect(const struct gim_record *record)
{
	if (!record || reachable(record))
		return;
	assert_true(record_count < RECORDS_MAX);
	records[record_count++] = record;
	for (uint32_t f = 0; f < record->field_count; f++)
		collect(record->fields[f].record);
}

static size_t top_count;

/* A state has room for every top record, and finds each by its name. */
static void collect_top(const struct gim_record *record)
{
	unsigned parts = 0;
	if (!record)
		return;
	assert_ptr_equal(gim_record_find(record->name, strlen(record->name), &parts), record);
	assert_true(parts);
	assert_true(++top_count <= GIM_OBJECTS_MAX);
	collect(record);
}

static int collect_all(void **unused)
{
	(void)unused;
	record_count = 0;
	collect_top(&source_record);
	collect_top(&gim_record);
	collect_top(&guest_record);
	collect_top(&machine_state_record);
	collect(&profile_record);
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		collect_top((*each)->record);
	for (const struct gim_format *const *each = gim_formats; *each; each++)
		for (const struct gim_record *const *record = (*each)->records; record && *record; record++)
			collect_top(*record);
	return 0;
}

static bool snake_case(const char *name)
{
	if (!name || !islower((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '_')
			return false;
	return true;
}

static void check_bits(const char *record, const struct gim_field *field)
{
	uint64_t seen = 0;
	for (const struct gim_bit *bit = field->bits; bit && bit->name; bit++) {
		if (!snake_case(bit->name) || !bit->help || !*bit->help)
			complain(record, bit->name, "a bit needs a snake_case name and a help text");
		if (!bit->width || bit->low + bit->width > field->width * 8) {
			complain(record, bit->name, "the bits are not within the field");
			continue;
		}
		uint64_t mask = (bit->width == 64 ? UINT64_MAX : (UINT64_C(1) << bit->width) - 1) << bit->low;
		if (seen & mask)
			complain(record, bit->name, "the bits overlap others");
		seen |= mask;
		for (const struct gim_bit *other = field->bits; other < bit; other++)
			if (!strcmp(other->name, bit->name))
				complain(record, bit->name, "a name twice");
		if (field->show == GIM_FLAGS && bit->width != 1)
			complain(record, bit->name, "flags are single bits");
	}
	for (const struct gim_name *name = field->names; name && name->name; name++) {
		if (!snake_case(name->name) || !name->help || !*name->help)
			complain(record, name->name, "a value needs a snake_case name and a help text");
		for (const struct gim_name *other = field->names; other < name; other++)
			if (!strcmp(other->name, name->name) || other->value == name->value)
				complain(record, name->name, "a name or a value twice");
	}
}

static unsigned kind_width(const struct gim_field *field)
{
	switch ((enum gim_kind)field->kind) {
	case GIM_U8:
		return 1;
	case GIM_U16:
		return 2;
	case GIM_U32:
		return 4;
	case GIM_U64:
		return 8;
	case GIM_TEXT:
		return sizeof(struct gim_text);
	case GIM_SUB:
	case GIM_LIST:
		return field->record ? field->record->size : 0;
	}
	return 0;
}

static void check_field(const struct gim_record *record, const struct gim_field *field)
{
	const bool number = field->kind <= GIM_U64;
	if (!snake_case(field->name))
		complain(record->name, field->name, "the name is not in snake_case");
	if (!field->help || !*field->help)
		complain(record->name, field->name, "no help");
	if (!kind_width(field) || field->width != kind_width(field))
		complain(record->name, field->name, "the width does not suit the kind");
	const uint32_t elements = field->count ? field->count : 1;
	if (field->kind == GIM_LIST ? field->size != sizeof(struct gim_list) : field->size != field->width * elements)
		complain(record->name, field->name, "size, width and count disagree");
	if (field->offset + field->size > record->size)
		complain(record->name, field->name, "outside its struct");
	if (!number && (field->reset || field->max || field->bits || field->names || field->explain))
		complain(record->name, field->name, "a value rule on what is no number");
	if ((field->show == GIM_ENUM) != (field->names != NULL))
		complain(record->name, field->name, "names and the display as enum belong together");
	if (field->show == GIM_FLAGS && !field->bits)
		complain(record->name, field->name, "flags without names");
	if ((field->show == GIM_STRING || field->show == GIM_PNG) && field->kind != GIM_TEXT)
		complain(record->name, field->name, "a text's display on what is no text");
	if (number && field->width < 8 && (field->reset >> 8 * field->width || field->max >> 8 * field->width))
		complain(record->name, field->name, "the reset value or the maximum does not fit");
	check_bits(record->name, field);
}

/* Members that no row describes would show as a hole larger than alignment makes. */
static void check_coverage(const struct gim_record *record)
{
	uint8_t *owner = calloc(record->size + 1, 1);
	assert_non_null(owner);
	for (uint32_t f = 0; f < record->field_count; f++) {
		const struct gim_field *field = &record->fields[f];
		for (uint32_t i = field->offset; i < field->offset + field->size && i < record->size; i++) {
			if (owner[i])
				complain(record->name, field->name, "overlaps another row");
			owner[i] = 1;
		}
		for (uint32_t g = 0; g < f; g++)
			if (!strcmp(record->fields[g].name, field->name))
				complain(record->name, field->name, "a name twice");
	}
	for (uint32_t i = 0; i < record->size;) {
		uint32_t hole = i;
		while (hole < record->size && !owner[hole])
			hole++;
		/* Padding is shorter than what it aligns, and that is what follows. */
		uint32_t align = 1;
		while (align < 8 && hole % (align * 2) == 0)
			align *= 2;
		if (hole - i >= align)
			complain(record->name, NULL, "a hole: a member has no row");
		i = hole + 1;
	}
	free(owner);
}

static void record_tables(void **unused)
{
	(void)unused;
	findings = 0;
	for (size_t i = 0; i < record_count; i++) {
		if (!snake_case(records[i]->name) || !records[i]->help || !*records[i]->help || !records[i]->field_count)
			complain(records[i]->name, NULL, "a record needs a name, a help text and fields");
		for (uint32_t f = 0; f < records[i]->field_count; f++)
			check_field(records[i], &records[i]->fields[f]);
		check_coverage(records[i]);
	}
	assert_true(record_count >= 20);
	assert_int_equal(findings, 0);
}

/*
 * Layouts.
 */
struct place {
	const char *layout, *frame;
	uint32_t first, last;
};

/* The leaf or list that begins at offset of a record's struct; *size becomes what is left of it from there (an array's rest). */
static const struct gim_field *leaf_at(const struct gim_record *record, uint32_t offset, uint32_t *size)
{
	for (uint32_t f = 0; f < record->field_count; f++) {
		const struct gim_field *field = &record->fields[f];
		if (offset < field->offset || offset >= field->offset + field->size)
			continue;
		offset -= field->offset;
		if (field->kind == GIM_SUB)
			return leaf_at(field->record, offset % field->width, size);
		*size = field->size - offset;
		return field->kind == GIM_LIST ? (offset ? NULL : field) : offset % field->width ? NULL : field;
	}
	return NULL;
}

static const struct gim_field *check_member(const struct place *place, const struct gim_record *record, uint32_t offset, uint32_t size)
{
	uint32_t left = 0;
	if (!record || !reachable(record)) {
		complain(place->layout, place->frame, "a row of a record that nobody shows");
		return NULL;
	}
	const struct gim_field *field = leaf_at(record, offset, &left);
	if (!field || size > left)
		complain(place->layout, record->name, "a row addresses no member, or goes beyond it");
	return size > left ? NULL : field;
}

static void check_rows(const struct place *place, const struct gim_row *rows, unsigned depth);

static void check_each(const struct place *place, const struct gim_row *row, unsigned depth)
{
	const struct gim_field *field = check_member(place, row->record, row->offset, row->size);
	if (!field || field->kind != GIM_LIST || field->record != row->item)
		complain(place->layout, place->frame, "a list row whose items are not the list's");
	if (!row->rows || !row->count)
		complain(place->layout, place->frame, "a list row needs rows and a count");
	if ((row->count == GIM_COUNT_UNTIL || row->count == GIM_COUNT_WHILE) && !row->wire)
		complain(place->layout, place->frame, "a value that ends a list needs a width");
	if (row->rows)
		check_rows(place, row->rows, depth + 1);
}

static void check_number_row(const struct place *place, const struct gim_row *row)
{
	const struct gim_field *field = check_member(place, row->record, row->offset, row->size);
	if (!field)
		return;
	if (field->kind != row->kind || field->width != row->width)
		complain(place->layout, field->name, "kind or width is not the member's");
	if (row->wire && row->wire != GIM_WIRE_ADDRESS && row->wire > 8)
		complain(place->layout, field->name, "more than 8 bytes on the wire");
	if (row->wire == GIM_WIRE_ADDRESS && row->width != 8)
		complain(place->layout, field->name, "an address in fewer than 64 bits");
	if (row->op == GIM_ROW_REST && row->kind != GIM_TEXT)
		complain(place->layout, field->name, "only a byte string can be a rest");
}

static void check_row(const struct place *place, const struct gim_row *row, unsigned depth)
{
	if (row->until && (row->until < row->since || row->until > place->last))
		complain(place->layout, place->frame, "a row's last version is none of the frame's");
	if (row->since && (row->since <= place->first || row->since > place->last) && place->first != place->last)
		complain(place->layout, place->frame, "a row's first version is none of the frame's, or says nothing");
	if (row->when.record)
		check_member(place, row->when.record, row->when.offset, row->when.width);
	if (row->counter_record) {
		const struct gim_field *counter = check_member(place, row->counter_record, row->counter_offset, 4);
		if (counter && counter->kind != GIM_U32)
			complain(place->layout, counter->name, "a counter has 32 bits");
	}
	switch ((enum gim_row_op)row->op) {
	case GIM_ROW_FIELD:
	case GIM_ROW_REST:
		check_number_row(place, row);
		break;
	case GIM_ROW_EACH:
		check_each(place, row, depth);
		break;
	case GIM_ROW_GROUP:
	case GIM_ROW_WITHIN:
		if (row->rows)
			check_rows(place, row->rows, depth + 1);
		else
			complain(place->layout, place->frame, "a group without rows");
		break;
	case GIM_ROW_CONST:
		if (!row->wire || row->wire > 8 || (row->wire < 8 && row->value >> 8 * row->wire))
			complain(place->layout, place->frame, "a constant that does not fit its width");
		break;
	case GIM_ROW_ITEM:
		check_number_row(place, row);
		if (!row->name || !strchr(row->name, ':') || row->wire || row->kind > GIM_U64)
			complain(place->layout, place->frame, "a number by name has a section and a field in it, and no width");
		break;
	case GIM_ROW_VERSION:
	case GIM_ROW_OPEN:
	case GIM_ROW_STOP:
		break;
	default:
		complain(place->layout, place->frame, "a row of no known kind");
	}
}

static void check_rows(const struct place *place, const struct gim_row *rows, unsigned depth)
{
	if (depth > 8) {
		complain(place->layout, place->frame, "rows within rows without an end");
		return;
	}
	for (unsigned i = 0; rows[i].op != GIM_ROW_END; i++) {
		if (i == 1000) {
			complain(place->layout, place->frame, "no END_ROWS");
			return;
		}
		check_row(place, &rows[i], depth);
	}
}

/* Bits that later releases offer are bits with names of a feature word. */
static void check_offers(const struct gim_layout *layout)
{
	const struct place place = {layout->name, "offers", 0, 0};
	for (const struct gim_offer *offer = layout->offers; offer && offer->bits; offer++) {
		const struct gim_field *field = check_member(&place, offer->record, offer->offset, 4);
		uint64_t named = 0;
		for (const struct gim_bit *bit = field ? field->bits : NULL; bit && bit->name; bit++)
			named |= UINT64_C(1) << bit->low;
		if (offer->bits & ~named)
			complain(layout->name, "offers", "an offered bit has no name");
		if (offer != layout->offers &&
		    (offer[-1].major > offer->major || (offer[-1].major == offer->major && offer[-1].minor > offer->minor)))
			complain(layout->name, "offers", "releases out of order");
	}
}

static void check_layout(const struct gim_layout *layout, const char *owner)
{
	check_offers(layout);
	if (!layout->name || strncmp(layout->name, layout->format, strlen(layout->format)) != 0)
		complain(owner, layout->name, "a layout's name begins with its format");
	if (!layout->frame_count || layout->first > layout->last)
		complain(owner, layout->name, "no frames, or no versions");
	for (uint32_t f = 0; f < layout->frame_count; f++) {
		const struct gim_frame *frame = &layout->frames[f];
		const struct place place = {layout->name, frame->name, frame->first ? frame->first : layout->first,
		                            frame->first ? frame->last : layout->last};
		if (!place.first || place.first > place.last)
			complain(layout->name, frame->name, "no versions");
		check_rows(&place, frame->rows, 0);
	}
}

static void layout_tables(void **unused)
{
	(void)unused;
	findings = 0;
	unsigned layouts = 0;
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		for (const struct gim_layout *const *layout = (*each)->layouts; layout && *layout; layout++, layouts++)
			check_layout(*layout, (*each)->name);
	for (const struct gim_format *const *each = gim_formats; *each; each++)
		for (const struct gim_layout *const *layout = (*each)->layouts; layout && *layout; layout++, layouts++)
			check_layout(*layout, (*each)->name);
	assert_true(layouts >= 3);
	assert_int_equal(findings, 0);
}

/*
 * CPUID.
 */
static void check_cpuid_row(const struct gim_provider *provider, const struct gim_cpuid_row *row)
{
	static const char *const registers[] = {"eax", "ebx", "ecx", "edx"};
	uint32_t left = 0;
	const struct gim_field *field = leaf_at(row->record, row->offset, &left);
	char begins[32];
	if (row->record != provider->record || !field || field->kind != GIM_U32 || row->reg > GIM_EDX || row->leaf >> 28 != 4) {
		complain(provider->name, "cpuid", "a row that is no word of the record in a leaf of a hypervisor");
		return;
	}
	(void)snprintf(begins, sizeof(begins), "CPUID 0x%08x %s:", row->leaf, registers[row->reg]);
	if (strncmp(field->help, begins, strlen(begins)) != 0)
		complain(provider->name, field->name, "its help names another leaf or register than its row of CPUID");
	for (const struct gim_cpuid_row *other = provider->cpuid; other < row; other++) {
		if (other->offset == row->offset || (other->leaf == row->leaf && other->reg == row->reg))
			complain(provider->name, field->name, "two rows of CPUID for it");
		if (other->leaf > row->leaf)
			complain(provider->name, field->name, "leaves out of order");
	}
}

/* Every word that says it is a leaf's has its row. */
static unsigned words_of_cpuid(const struct gim_record *record)
{
	unsigned words = 0;
	for (uint32_t f = 0; record && f < record->field_count; f++)
		words += record->fields[f].record ? words_of_cpuid(record->fields[f].record)
		                                  : !strncmp(record->fields[f].help, "CPUID ", strlen("CPUID "));
	return words;
}

static void cpuid_tables(void **unused)
{
	(void)unused;
	findings = 0;
	unsigned all = 0;
	for (const struct gim_provider *const *each = gim_providers; *each; each++) {
		unsigned rows = 0;
		for (const struct gim_cpuid_row *row = (*each)->cpuid; row && row->leaf; row++, rows++)
			check_cpuid_row(*each, row);
		if (rows != words_of_cpuid((*each)->record))
			complain((*each)->name, "cpuid", "a feature word without its row");
		all += rows;
	}
	assert_true(all >= 7);
	assert_int_equal(findings, 0);
}

/*
 * MSRs.
 */
static uint32_t several(uint32_t number)
{
	return number ? number : 1;
}

/* The help of a register's field begins with its MSR, whatever the case of its digits and their leading zeros. */
static bool names_msr(const struct gim_field *field, uint32_t msr)
{
	char number[16];
	(void)snprintf(number, sizeof(number), "0x%x", msr);
	if (strcasestr(field->help, number))
		return true;
	(void)snprintf(number, sizeof(number), "0x%08x", msr);
	return strcasestr(field->help, number);
}

static void check_msr_member(const struct gim_provider *provider, const struct gim_msr_row *row)
{
	if (row->record != (row->flags & GIM_MSR_VCPU ? provider->runtime->list_item : provider->record)) {
		complain(provider->name, row->name, "a member of another record than its scope has");
		return;
	}
	for (uint32_t i = 0; i < several(row->count); i++) {
		uint32_t left = 0;
		const struct gim_field *field = leaf_at(row->record, row->offset + i * (row->step ? row->step : row->width), &left);
		if (!field || field->kind > GIM_U64 || field->width != row->width)
			complain(provider->name, row->name, "no member, or one of another width");
		else if (!i && !names_msr(field, row->first))
			complain(provider->name, field->name, "its help does not name the MSR that holds it");
	}
}

static void check_msr_gate(const struct gim_provider *provider, const struct gim_msr_row *row, const struct gim_gate *gate)
{
	bool shown = false;
	for (const struct gim_cpuid_row *word = provider->cpuid; word && word->leaf; word++)
		shown |= word->offset == gate->offset;
	if (gate->mask && (!shown || gate->mask & (gate->mask - 1)))
		complain(provider->name, row->name, "a gate is one bit of a word that CPUID shows");
}

static void check_msr_use(const struct gim_provider *provider, const struct gim_msr_row *row)
{
	for (const char *c = row->name; *c; c++)
		if (!isupper((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_' && *c != '#')
			complain(provider->name, row->name, "the specification's names are in capital letters");
	if ((several(row->count) > 1) != (strchr(row->name, '#') != NULL))
		complain(provider->name, row->name, "# stands where there are several, and only there");
	if (!(row->flags & (GIM_MSR_READ | GIM_MSR_WRITE)) && (row->record || row->read || row->write))
		complain(provider->name, row->name, "nobody may use it");
	if (!(row->flags & GIM_MSR_WRITE) && (row->write || row->reserved))
		complain(provider->name, row->name, "what is not written has no reserved bits, and no handler of writes");
	if (!(row->flags & GIM_MSR_READ) && row->read)
		complain(provider->name, row->name, "what is not read has no handler of reads");
}

static void check_msr_row(const struct gim_provider *provider, const struct gim_msr_row *row)
{
	check_msr_use(provider, row);
	if (row->record)
		check_msr_member(provider, row);
	check_msr_gate(provider, row, &row->gate[0]);
	check_msr_gate(provider, row, &row->gate[1]);
	for (uint32_t i = 0; i < several(row->count); i++)
		for (const struct gim_msr_row *other = provider->runtime->msrs; other < row; other++)
			for (uint32_t j = 0; j < several(other->count); j++)
				if (row->first + i * several(row->stride) == other->first + j * several(other->stride))
					complain(provider->name, row->name, "another row has its number");
}

static void msr_tables(void **unused)
{
	(void)unused;
	findings = 0;
	unsigned all = 0;
	for (const struct gim_provider *const *each = gim_providers; *each; each++) {
		const struct gim_runtime *runtime = (*each)->runtime;
		for (const struct gim_msr_row *row = runtime->msrs; row && row->name; row++, all++)
			check_msr_row(*each, row);
		unsigned pages = 0;
		while (runtime->page_names && runtime->page_names[pages])
			pages++;
		assert_true(pages <= GIM_PAGES_MAX);
	}
	assert_true(all >= 40);
	assert_int_equal(findings, 0);
}

/* A new object has the reset values that its rows give, and nothing is stored. */
static void fresh_objects(void **unused)
{
	(void)unused;
	struct gim_arena arena = {0};
	for (size_t i = 0; i < record_count; i++) {
		struct gim_object object;
		assert_int_equal(gim_object_new(&arena, records[i], &object, NULL), 0);
		for (uint32_t f = 0; f < records[i]->field_count; f++) {
			const struct gim_field *field = &records[i]->fields[f];
			if (field->kind > GIM_U64)
				continue;
			for (uint32_t e = 0; e < (field->count ? field->count : 1u); e++) {
				struct gim_value value = gim_object_value(&object, field, e);
				assert_true(value.number == field->reset);
				assert_int_equal(value.presence, GIM_ABSENT);
			}
		}
	}
	gim_arena_free(&arena);
}

/*
 * Rules.
 */
struct rules {
	const struct gim_rule *all[512];
	size_t count;
};

static int take_rule(void *user, const struct gim_rule *rule)
{
	struct rules *rules = user;
	assert_true(rules->count < sizeof(rules->all) / sizeof(rules->all[0]));
	rules->all[rules->count++] = rule;
	return 0;
}

static bool is_id(const char *id)
{
	return id && isupper((unsigned char)*id) && strlen(id) <= 24 && strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == strlen(id);
}

/* A rule's prerequisites exist, and none waits for itself. */
static void check_after(const struct gim_rule *rule, const struct gim_rule *from, unsigned depth)
{
	char ids[256], *rest = ids;
	(void)snprintf(ids, sizeof(ids), "%s", from->after ? from->after : "");
	for (char *id; (id = strtok_r(rest, " ", &rest));) {
		const struct gim_rule *before = gim_rule_find(id);
		if (!before)
			complain(rule->id, id, "a prerequisite that does not exist");
		else if (before == rule || depth > 16)
			complain(rule->id, id, "it waits for itself");
		else
			check_after(rule, before, depth + 1);
	}
}

static void rule_tables(void **unused)
{
	(void)unused;
	struct rules rules = {.count = 0};
	findings = 0;
	assert_int_equal(gim_rules_visit(take_rule, &rules), 0);
	for (size_t i = 0; i < rules.count; i++) {
		const struct gim_rule *rule = rules.all[i];
		if (!is_id(rule->id) || gim_rule_find(rule->id) != rule)
			complain("rule", rule->id, "the id is not of capitals, or there twice");
		const char *const texts[] = {rule->help, rule->why, rule->mend, rule->source};
		for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
			if (!texts[t] || !*texts[t] || texts[t][strlen(texts[t]) - 1] == '.')
				complain("rule", rule->id, "help, why, mend and source are there, and end without a full stop");
		if (!rule->code || !rule->status != !rule->status_name)
			complain("rule", rule->id, "it has a code, and a status with its name or none");
		check_after(rule, rule, 0);
	}
	assert_true(rules.count >= 60);
	assert_int_equal(findings, 0);
	assert_null(gim_rule_find("NO-RULE"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(record_tables), cmocka_unit_test(layout_tables), cmocka_unit_test(cpuid_tables),
	    cmocka_unit_test(msr_tables),    cmocka_unit_test(fresh_objects), cmocka_unit_test(rule_tables),
	};
	return cmocka_run_group_tests(tests, collect_all, NULL);
}
