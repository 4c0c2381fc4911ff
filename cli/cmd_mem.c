/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate mem: what memory the guest has, and what is in it: as bytes, texts, numbers, instructions, or a structure of its interface. */
#include "command.h"
#include "guest_memory.h"
#include "output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_BYTES = 256, STEP_BYTES = 64 * 1024, TEXT_MIN = 4, DISASSEMBLE_MAX = 1 << 20 };

struct shown {
	struct guest_memory memory;
	const struct options *options;
	const char *file;
	uint64_t gpa, size;
	struct gim_error error;
};

/*
 * What there is.
 */
static json_t *address_json(uint64_t gpa)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "0x%" PRIx64, gpa);
	return gpa == GIM_UNKNOWN ? json_null() : json_string(text);
}

static void count_kinds(const struct gim_memory *memory, uint64_t pages[GIM_MEMORY_KINDS])
{
	uint64_t size;
	for (uint64_t gpa = 0; gpa < gim_memory_end(memory); gpa += size) {
		const enum gim_memory_kind kind = gim_memory_at(memory, gpa, &size);
		pages[kind] += size / 4096;
	}
	pages[GIM_MEMORY_HOLE] = 0;
}

static json_t *map_json(const struct gim_memory *memory, const uint64_t pages[GIM_MEMORY_KINDS])
{
	struct gim_memory_range range;
	json_t *ranges = json_array(), *counts = json_object();
	for (unsigned i = 0; gim_memory_range(memory, i, &range); i++)
		(void)json_array_append_new(ranges, json_pack("{s:s, s:o, s:o, s:o}", "kind", gim_memory_kind_name(range.kind), "gpa",
		                                              address_json(range.gpa), "size_bytes", size_json(range.size_bytes), "name",
		                                              json_text(range.name)));
	for (int kind = GIM_MEMORY_RAM; kind < GIM_MEMORY_KINDS; kind++)
		(void)json_object_set_new(counts, gim_memory_kind_name((enum gim_memory_kind)kind), size_json(pages[kind]));
	return json_pack("{s:o, s:o, s:o, s:o}", "ram_bytes", size_json(gim_memory_ram_bytes(memory)), "index_bytes",
	                 size_json(gim_memory_index_bytes(memory)), "ranges", ranges, "pages", counts);
}

static int show_map(struct shown *shown)
{
	const struct gim_memory *memory = shown->memory.memory;
	uint64_t pages[GIM_MEMORY_KINDS] = {0};
	struct gim_memory_range range;
	if (!memory)
		return error_set(&shown->error, GIM_E_ARGUMENT, "an address is expected: the machine's memory is all RAM");
	count_kinds(memory, pages);
	if (shown->options->json) {
		output_document(json_pack("{s:o, s:o}", "file", json_text(shown->file), "memory", map_json(memory, pages)), false);
		return 0;
	}
	for (unsigned i = 0; gim_memory_range(memory, i, &range); i++) {
		char from[32] = "(anywhere)", to[32] = "";
		if (range.gpa != GIM_UNKNOWN) {
			(void)snprintf(from, sizeof(from), "0x%" PRIx64, range.gpa);
			(void)snprintf(to, sizeof(to), "0x%" PRIx64, range.gpa + range.size_bytes - 1);
		}
		printf("%-6s  %12s  %12s  %12" PRIu64 "  ", gim_memory_kind_name(range.kind), from, to, range.size_bytes);
		put_safe(stdout, range.name);
		putchar('\n');
	}
	fputs("pages:", stdout);
	for (int kind = GIM_MEMORY_RAM; kind < GIM_MEMORY_KINDS; kind++)
		if (pages[kind])
			printf(" %" PRIu64 " %s", pages[kind], gim_memory_kind_name((enum gim_memory_kind)kind));
	putchar('\n');
	return 0;
}

/*
 * Bytes, piece by piece.
 */
typedef void bytes_fn(void *user, uint64_t gpa, const uint8_t *bytes, size_t size);

static int each_piece(struct shown *shown, bytes_fn *take, void *user)
{
	uint8_t *bytes = malloc(STEP_BYTES);
	int result = bytes ? 0 : error_set(&shown->error, GIM_E_MEMORY, "out of memory");
	for (uint64_t done = 0; !result && done < shown->size;) {
		const uint64_t left = shown->size - done;
		const size_t step = left < STEP_BYTES ? (size_t)left : STEP_BYTES;
		result = guest_memory_read(&shown->memory, shown->gpa + done, bytes, step, &shown->error);
		if (!result)
			take(user, shown->gpa + done, bytes, step);
		if (ferror(stdout))
			break;
		done += step;
	}
	free(bytes);
	return result;
}

static void take_hex(void *user, uint64_t gpa, const uint8_t *bytes, size_t size)
{
	(void)gpa;
	(void)hex_put(user, bytes, size);
}

static int show_hex(struct shown *shown)
{
	struct hex hex = {.offset = shown->gpa};
	int result = each_piece(shown, take_hex, &hex);
	hex_end(&hex);
	return result;
}

struct text {
	uint64_t from;
	size_t length;
	char begin[TEXT_MIN];
};

static void end_text(struct text *text)
{
	if (text->length >= TEXT_MIN)
		putchar('\n');
	text->length = 0;
}

static void take_text(void *user, uint64_t gpa, const uint8_t *bytes, size_t size)
{
	struct text *text = (struct text *)user;
	for (size_t i = 0; i < size; i++) {
		if ((bytes[i] < 0x20 || bytes[i] > 0x7e) && bytes[i] != '\t') {
			end_text(text);
			continue;
		}
		if (!text->length)
			text->from = gpa + i;
		if (text->length >= TEXT_MIN)
			putchar(bytes[i]);
		else
			text->begin[text->length] = (char)bytes[i];
		if (++text->length == TEXT_MIN)
			printf("%08" PRIx64 "  %.*s", text->from, TEXT_MIN, text->begin);
	}
}

static int show_strings(struct shown *shown)
{
	struct text text = {.length = 0};
	int result = each_piece(shown, take_text, &text);
	end_text(&text);
	return result;
}

struct numbers {
	unsigned width;
};

static void take_numbers(void *user, uint64_t gpa, const uint8_t *bytes, size_t size)
{
	const unsigned width = ((const struct numbers *)user)->width;
	for (size_t i = 0; i + width <= size; i += width) {
		uint64_t number = 0;
		memcpy(&number, bytes + i, width);
		printf("%08" PRIx64 "  0x%0*" PRIx64 "  %" PRIu64 "\n", gpa + i, 2 * (int)width, number, number);
	}
}

static int show_numbers(struct shown *shown, unsigned width)
{
	if (shown->size % width)
		return error_set(&shown->error, GIM_E_ARGUMENT, "%" PRIu64 " bytes are no whole number of %u-byte words", shown->size,
		                 width);
	return each_piece(shown, take_numbers, &(struct numbers){width});
}

static int show_u32(struct shown *shown)
{
	return show_numbers(shown, 4);
}

static int show_u64(struct shown *shown)
{
	return show_numbers(shown, 8);
}

/*
 * Instructions.
 */
static int put_instruction(void *user, uint64_t address, const uint8_t *bytes, size_t size, const char *text)
{
	(void)user;
	printf("%08" PRIx64 "  ", address);
	for (size_t i = 0; i < 10; i++)
		printf(i < size ? "%02x" : "  ", i < size ? bytes[i] : 0);
	printf("%s  %s\n", size > 10 ? "…" : " ", text);
	return ferror(stdout);
}

static uint64_t number_at(const struct gim_state *state, const char *path, uint64_t otherwise)
{
	struct gim_value value;
	return value_look_up(state, path, &value) ? value.number : otherwise;
}

/* Of the code that the first vCPU ran; 64 where the state does not say. */
static unsigned code_bits(struct gim_state *state)
{
	enum { LONG_MODE = 1 << 10, LONG_CODE = 1 << 13, BIG_CODE = 1 << 14 };
	if (!state)
		return 64;
	(void)gim_state_decode(state, GIM_PART_GUEST, NULL, NULL, NULL);
	const uint64_t efer = number_at(state, "guest.vcpu[0].msr.efer", LONG_MODE);
	const uint64_t descriptor = number_at(state, "guest.vcpu[0].cs.descriptor", GIM_UNKNOWN);
	const uint64_t attributes =
	    descriptor != GIM_UNKNOWN ? descriptor >> 8 : number_at(state, "guest.vcpu[0].cs.attributes", LONG_CODE);
	const uint64_t protected = number_at(state, "guest.vcpu[0].cr0", 1);
	if (efer & LONG_MODE && attributes & LONG_CODE)
		return 64;
	return protected & 1 && attributes & BIG_CODE ? 32 : 16;
}

static int show_instructions(struct shown *shown)
{
	uint64_t bits = code_bits(shown->memory.state);
	if (shown->options->bits && !memory_number(shown->options->bits, &bits))
		return error_set(&shown->error, GIM_E_ARGUMENT, "--bits takes 16, 32 or 64, not %s", shown->options->bits);
	if (shown->size > DISASSEMBLE_MAX)
		return error_set(&shown->error, GIM_E_LIMIT, "%" PRIu64 " bytes are asked for: at most %d are disassembled at a time",
		                 shown->size, DISASSEMBLE_MAX);
	uint8_t *bytes = malloc((size_t)shown->size);
	int result = bytes ? 0 : error_set(&shown->error, GIM_E_MEMORY, "out of memory");
	if (!result)
		result = guest_memory_read(&shown->memory, shown->gpa, bytes, (size_t)shown->size, &shown->error);
	if (!result)
		result = gim_disassemble(bytes, (size_t)shown->size, shown->gpa, (unsigned)bits, put_instruction, NULL, &shown->error);
	free(bytes);
	return result > 0 ? 0 : result;
}

static const struct {
	const char *name;
	int (*show)(struct shown *shown);
} forms[] = {
    {"hex", show_hex}, {"strings", show_strings}, {"u32", show_u32}, {"u64", show_u64}, {"disasm", show_instructions},
};

/*
 * Structures of guest interfaces.
 */
struct kind {
	const char *name;
	size_t size;
	char known[256]; /* names of all, for a sentence */
};

static int find_kind(void *user, const char *name, const char *help, size_t size)
{
	struct kind *kind = (struct kind *)user;
	const size_t length = strlen(kind->known);
	(void)help;
	(void)snprintf(kind->known + length, sizeof(kind->known) - length, ", %s", name);
	if (!strcmp(name, kind->name))
		kind->size = size;
	return 0;
}

static int show_structure(struct shown *shown, struct kind *kind, const char *others)
{
	struct fields fields = {.meanings = true, .stored_only = true};
	(void)gim_page_kinds_visit(find_kind, kind);
	if (!kind->size)
		return error_set(&shown->error, GIM_E_ARGUMENT, "--as %s: there are %s%s", kind->name, others, kind->known);
	uint8_t *bytes = malloc(kind->size);
	int result = bytes ? 0 : error_set(&shown->error, GIM_E_MEMORY, "out of memory");
	if (!result)
		result = guest_memory_read(&shown->memory, shown->gpa, bytes, kind->size, &shown->error);
	if (!result)
		result = gim_page_decode(kind->name, bytes, kind->size, fields_put, &fields, &shown->error);
	if (!result && !fields.stored)
		printf("%s: nothing is waiting there\n", kind->name);
	fields_end(&fields);
	free(bytes);
	return result;
}

static int show(struct shown *shown, int count)
{
	const char *as = shown->options->as ? shown->options->as : "hex";
	if (count < 2)
		return show_map(shown);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (!strcmp(as, forms[i].name))
			return forms[i].show(shown);
	return show_structure(shown, &(struct kind){.name = as}, "hex, strings, u32, u64, disasm");
}

int run_mem(const struct options *options, int count, char **operands)
{
	struct shown shown = {.options = options, .file = operands[0], .size = USUAL_BYTES, .error = GIM_ERROR_INIT};
	if ((count > 1 && !memory_number(operands[1], &shown.gpa)) ||
	    (count > 2 && (!memory_number(operands[2], &shown.size) || !shown.size)))
		return usage_error(command_find("mem"), options->json, "%s: an address and a number of bytes are expected",
		                   operands[count > 2 && memory_number(operands[1], &shown.gpa) ? 2 : 1]);
	if ((options->as || options->bits) && count < 2)
		return usage_error(command_find("mem"), options->json, "--as and --bits need an address");
	if (options->json && count > 1)
		return usage_error(command_find("mem"), true, "--json tells what memory there is; without an address");
	int result = guest_memory_open(&shown.memory, shown.file, options->index, &shown.error);
	if (!result)
		result = show(&shown, count);
	const int status = result ? memory_failed(&shown.memory, shown.file, &shown.error, options->json) : EXIT_YES;
	guest_memory_free(&shown.memory);
	return status;
}
