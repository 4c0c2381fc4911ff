/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the JSON description at the end of a migration stream: a pull scanner that keeps order and repeated keys, which a JSON library would not. */
#include "error.h"
#include "qemu/vmsd.h"

#include <stdlib.h>
#include <string.h>

/* Deeper than QEMU nests, shallower than a stack ends. */
enum { DEPTH_MAX = 24 };

/* Lists grow on a stack that all levels share: what a nested list pushed is gone when the outer one goes on. */
struct scanner {
	char *text; /* in the arena; strings are terminated in place */
	size_t at, size;
	unsigned depth;
	struct gim_arena *arena;
	uint8_t *stack;
	size_t top, capacity;
	bool starved; /* there was no memory for the stack */
	struct gim_error *error;
};

static int fail(struct scanner *scanner, const char *expected)
{
	if (scanner->at >= scanner->size)
		return gim_fail(scanner->error, GIM_E_CORRUPT, scanner->at, "the description ends where %s is expected", expected);
	return gim_fail(scanner->error, GIM_E_CORRUPT, scanner->at, "the description has 0x%02x where %s is expected",
	                (unsigned)(uint8_t)scanner->text[scanner->at], expected);
}

static int starved(struct scanner *scanner)
{
	if (scanner->starved)
		return gim_fail(scanner->error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	return GIM_ARENA_FAIL(scanner->arena, scanner->error, scanner->at, "the description does not fit into the memory limit");
}

static int push(struct scanner *scanner, const void *item, size_t size)
{
	if (scanner->top + size > scanner->capacity) {
		const size_t capacity = (scanner->capacity ? scanner->capacity : 4096) * 2;
		uint8_t *grown = capacity > GIM_ARENA_LIMIT ? NULL : realloc(scanner->stack, capacity);
		scanner->starved = !grown && capacity <= GIM_ARENA_LIMIT;
		if (!grown)
			return starved(scanner);
		scanner->stack = grown;
		scanner->capacity = capacity;
	}
	memcpy(scanner->stack + scanner->top, item, size);
	scanner->top += size;
	return 0;
}

/* The list that was pushed since the stack was at base becomes an array in the arena. */
static int pop(struct scanner *scanner, size_t base, size_t item_size, const void **items, uint32_t *count)
{
	const size_t size = scanner->top - base;
	void *copy = gim_arena_alloc(scanner->arena, size);
	if (!copy)
		return starved(scanner);
	if (size)
		memcpy(copy, scanner->stack + base, size);
	*items = copy;
	*count = (uint32_t)(size / item_size);
	scanner->top = base;
	return 0;
}

/*
 * Tokens.
 */
static char peek(struct scanner *scanner)
{
	while (scanner->at < scanner->size && memchr(" \t\r\n", scanner->text[scanner->at], 4))
		scanner->at++;
	return scanner->at < scanner->size ? scanner->text[scanner->at] : '\0';
}

static int take(struct scanner *scanner, char wanted, const char *what)
{
	if (peek(scanner) != wanted)
		return fail(scanner, what);
	scanner->at++;
	return 0;
}

static bool unescape(struct scanner *scanner, char *out)
{
	static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	const char code = scanner->at < scanner->size ? scanner->text[scanner->at++] : '\0';
	if (code == 'u') { /* no name of QEMU's has one that matters */
		for (int i = 0; i < 4; i++, scanner->at++)
			if (scanner->at >= scanner->size || !memchr("0123456789abcdefABCDEF", scanner->text[scanner->at], 22))
				return false;
		*out = '?';
		return true;
	}
	for (size_t i = 0; i + 1 < sizeof(escapes); i += 2)
		if (code == escapes[i])
			return *out = escapes[i + 1], true;
	return false;
}

/* The text becomes shorter where it was escaped, so that it stays where it is. */
static int take_string(struct scanner *scanner, const char **string)
{
	if (take(scanner, '"', "a string"))
		return scanner->error->code;
	char *out = scanner->text + scanner->at;
	*string = out;
	while (scanner->at < scanner->size && scanner->text[scanner->at] != '"') {
		const char code = scanner->text[scanner->at++];
		if ((uint8_t)code < 0x20)
			return scanner->at--, fail(scanner, "a character of a string");
		*out = code;
		if (code == '\\' && !unescape(scanner, out))
			return fail(scanner, "an escaped character");
		out++;
	}
	if (scanner->at >= scanner->size)
		return fail(scanner, "the end of a string");
	scanner->at++;
	*out = '\0';
	return 0;
}

static int take_number(struct scanner *scanner, uint64_t largest, uint64_t *number)
{
	const char first = peek(scanner);
	uint64_t value = 0;
	if (first < '0' || first > '9')
		return fail(scanner, "a number that is not negative");
	for (; scanner->at < scanner->size && scanner->text[scanner->at] >= '0' && scanner->text[scanner->at] <= '9'; scanner->at++) {
		const unsigned digit = (unsigned)(scanner->text[scanner->at] - '0');
		if (value > (largest - digit) / 10)
			return gim_fail(scanner->error, GIM_E_LIMIT, scanner->at, "a number in the description is larger than 0x%llx",
			                (unsigned long long)largest);
		value = value * 10 + digit;
	}
	*number = value;
	return 0;
}

static int take_u32(struct scanner *scanner, uint32_t *number)
{
	uint64_t value;
	int result = take_number(scanner, UINT32_MAX, &value);
	if (!result)
		*number = (uint32_t)value;
	return result;
}

/* What an object or an array holds: called for each key (NULL in an array), before its value. */
typedef int member_fn(struct scanner *scanner, const char *key, void *user);

static int take_members(struct scanner *scanner, char open, char close, member_fn *member, void *user)
{
	int result = take(scanner, open, open == '{' ? "an object" : "an array");
	if (!result && ++scanner->depth > DEPTH_MAX)
		result = gim_fail(scanner->error, GIM_E_LIMIT, scanner->at, "the description is nested deeper than %d levels", DEPTH_MAX);
	for (bool first = true; !result && peek(scanner) != close; first = false) {
		const char *key = NULL;
		if (!first)
			result = take(scanner, ',', "a comma or the end of a list");
		if (!result && open == '{')
			result = take_string(scanner, &key);
		if (!result && open == '{')
			result = take(scanner, ':', "a colon");
		if (!result)
			result = member(scanner, key, user);
	}
	if (!result)
		result = take(scanner, close, "the end of a list");
	scanner->depth--;
	return result;
}

static int skip_member(struct scanner *scanner, const char *key, void *user);

static int skip_value(struct scanner *scanner)
{
	const char *string;
	switch (peek(scanner)) {
	case '{':
		return take_members(scanner, '{', '}', skip_member, NULL);
	case '[':
		return take_members(scanner, '[', ']', skip_member, NULL);
	case '"':
		return take_string(scanner, &string);
	default: {
		const size_t from = scanner->at;
		while (scanner->at < scanner->size && scanner->text[scanner->at] &&
		       strchr("+-.0123456789truefalsnE", scanner->text[scanner->at]))
			scanner->at++;
		return scanner->at == from ? fail(scanner, "a value") : 0;
	}
	}
}

static int skip_member(struct scanner *scanner, const char *key, void *user)
{
	(void)key;
	(void)user;
	return skip_value(scanner);
}

/*
 * The description.
 */
/* Keys of a vmsd: they stand in devices, subsections, "struct" objects, and, once an element, in fields themselves. *known: it was one. */
static int take_vmsd_key(struct scanner *scanner, const char *key, struct qemu_vmsd *vmsd, bool *known);

/* A field that is being read. */
struct pending_field {
	struct qemu_field field;
	struct qemu_vmsd inner; /* the element that is being read */
	bool has_inner;
	size_t base; /* of the elements that are complete */
};

static int push_inner(struct scanner *scanner, struct pending_field *pending)
{
	int result = pending->has_inner ? push(scanner, &pending->inner, sizeof(pending->inner)) : 0;
	pending->inner = (struct qemu_vmsd){.name = NULL};
	pending->has_inner = false;
	return result;
}

static int struct_member(struct scanner *scanner, const char *key, void *user)
{
	bool known;
	int result = take_vmsd_key(scanner, key, user, &known);
	return result || known ? result : skip_value(scanner);
}

static int take_struct(struct scanner *scanner, struct pending_field *pending)
{
	int result = push_inner(scanner, pending);
	if (!result)
		result = take_members(scanner, '{', '}', struct_member, &pending->inner);
	pending->has_inner = true;
	return result;
}

static int field_member(struct scanner *scanner, const char *key, void *user)
{
	struct pending_field *pending = user;
	bool known = false;
	int result = 0;
	if (!strcmp(key, "name"))
		return take_string(scanner, &pending->field.name);
	if (!strcmp(key, "type"))
		return take_string(scanner, &pending->field.type);
	if (!strcmp(key, "size"))
		return take_number(scanner, QEMU_SECTION_LIMIT, &pending->field.size);
	if (!strcmp(key, "array_len"))
		return take_u32(scanner, &pending->field.count);
	if (!strcmp(key, "struct"))
		return take_struct(scanner, pending);
	/* An element of a queue begins with its vmsd's name. */
	if (!strcmp(key, "vmsd_name"))
		result = push_inner(scanner, pending);
	if (!result)
		result = take_vmsd_key(scanner, key, &pending->inner, &known);
	pending->has_inner |= known;
	return result || known ? result : skip_value(scanner);
}

static int fields_member(struct scanner *scanner, const char *key, void *user)
{
	struct pending_field pending = {.field = {.name = "", .type = "", .count = 1}, .base = scanner->top};
	(void)key;
	(void)user;
	int result = take_members(scanner, '{', '}', field_member, &pending);
	if (!result)
		result = push_inner(scanner, &pending);
	const void *inner = NULL;
	if (!result)
		result = pop(scanner, pending.base, sizeof(struct qemu_vmsd), &inner, &pending.field.inner_count);
	if (result)
		return result;
	pending.field.inner = pending.field.inner_count ? inner : NULL;
	return push(scanner, &pending.field, sizeof(pending.field));
}

static int subsections_member(struct scanner *scanner, const char *key, void *user)
{
	struct qemu_vmsd vmsd = {.name = NULL};
	(void)key;
	(void)user;
	(void)peek(scanner);
	const size_t from = scanner->at;
	int result = take_members(scanner, '{', '}', struct_member, &vmsd);
	vmsd.text = (uint32_t)from;
	vmsd.text_end = (uint32_t)scanner->at;
	if (!result && !vmsd.name)
		result = gim_fail(scanner->error, GIM_E_CORRUPT, scanner->at, "a subsection in the description has no name");
	return result ? result : push(scanner, &vmsd, sizeof(vmsd));
}

static int take_vmsd_key(struct scanner *scanner, const char *key, struct qemu_vmsd *vmsd, bool *known)
{
	const size_t base = scanner->top;
	const void *items = NULL;
	*known = true;
	if (!strcmp(key, "vmsd_name"))
		return take_string(scanner, &vmsd->name);
	if (!strcmp(key, "version"))
		return take_u32(scanner, &vmsd->version);
	if (!strcmp(key, "fields")) {
		int result = take_members(scanner, '[', ']', fields_member, NULL);
		if (!result)
			result = pop(scanner, base, sizeof(struct qemu_field), &items, &vmsd->field_count);
		vmsd->fields = items;
		return result;
	}
	if (!strcmp(key, "subsections")) {
		(void)peek(scanner);
		vmsd->subsections_text = (uint32_t)scanner->at;
		int result = take_members(scanner, '[', ']', subsections_member, NULL);
		vmsd->subsections_end = (uint32_t)scanner->at;
		if (!result)
			result = pop(scanner, base, sizeof(struct qemu_vmsd), &items, &vmsd->subsection_count);
		vmsd->subsections = items;
		return result;
	}
	*known = false;
	return 0;
}

static int device_member(struct scanner *scanner, const char *key, void *user)
{
	struct qemu_device *device = user;
	if (!strcmp(key, "name"))
		return take_string(scanner, &device->name);
	if (!strcmp(key, "instance_id"))
		return take_u32(scanner, &device->instance);
	return struct_member(scanner, key, &device->vmsd);
}

static int devices_member(struct scanner *scanner, const char *key, void *user)
{
	struct qemu_device device = {.name = NULL};
	(void)key;
	(void)user;
	(void)peek(scanner);
	device.text = (uint32_t)scanner->at;
	int result = take_members(scanner, '{', '}', device_member, &device);
	device.text_end = (uint32_t)scanner->at;
	if (!result && !device.name)
		result = gim_fail(scanner->error, GIM_E_CORRUPT, scanner->at, "a device in the description has no name");
	return result ? result : push(scanner, &device, sizeof(device));
}

static int top_member(struct scanner *scanner, const char *key, void *user)
{
	struct qemu_description *description = user;
	const void *items = NULL;
	if (!strcmp(key, "configuration"))
		description->configuration = true;
	if (!strcmp(key, "page_size"))
		return take_u32(scanner, &description->page_bytes);
	if (strcmp(key, "devices") != 0)
		return skip_value(scanner);
	const size_t base = scanner->top;
	int result = take_members(scanner, '[', ']', devices_member, NULL);
	if (!result)
		result = pop(scanner, base, sizeof(struct qemu_device), &items, &description->device_count);
	description->devices = items;
	return result;
}

int qemu_description_parse(struct gim_arena *arena, const char *text, size_t size, struct qemu_description *description,
                           struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	struct scanner scanner = {.size = size, .arena = arena, .error = &own};
	struct qemu_description parsed = {.page_bytes = 0};
	scanner.text = gim_arena_copy(arena, text, size);
	int result = scanner.text ? take_members(&scanner, '{', '}', top_member, &parsed) : starved(&scanner);
	if (!result && peek(&scanner))
		result = fail(&scanner, "the end of the description");
	free(scanner.stack);
	if (result)
		return gim_fail_as(error, &own);
	*description = parsed;
	return 0;
}
