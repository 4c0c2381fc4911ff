/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of an address, a letter and a name, in any order; what is no such line is no System.map. */
#include "symbols.h"

#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (64u << 20)
#define NEAR_BYTES (UINT64_C(1) << 24) /* farther on from a name it says nothing */

struct symbol {
	uint64_t address;
	const char *name;
};

struct symbols {
	char *text;
	struct symbol *items;
	size_t count, size;
};

void symbols_free(struct symbols **symbols)
{
	if (!symbols || !*symbols)
		return;
	free((*symbols)->text);
	free((*symbols)->items);
	free(*symbols);
	*symbols = NULL;
}

static int read_text(const char *path, char **text, struct gim_error *error)
{
	FILE *file = fopen(path, "re");
	size_t used = 0, size = 1u << 16;
	if (!file)
		return error_set(error, GIM_E_IO, "%s cannot be opened: %s", path, strerror(errno));
	char *bytes = malloc(size + 1);
	while (bytes && !feof(file) && !ferror(file) && used < FILE_MAX_BYTES) {
		char *grown = used == size ? realloc(bytes, 2 * size + 1) : bytes;
		if (!grown)
			break;
		size = used == size ? 2 * size : size;
		bytes = grown;
		used += fread(bytes + used, 1, size - used, file);
	}
	const bool whole = bytes && feof(file);
	(void)fclose(file);
	if (!whole) {
		free(bytes);
		return error_set(error, GIM_E_IO, "%s cannot be read, or has more than %u MiB", path, FILE_MAX_BYTES >> 20);
	}
	bytes[used] = '\0';
	*text = bytes;
	return 0;
}

static int add(struct symbols *symbols, uint64_t address, const char *name)
{
	if (symbols->count == symbols->size) {
		const size_t size = symbols->size ? 2 * symbols->size : 1024;
		struct symbol *grown = realloc(symbols->items, size * sizeof(*grown));
		if (!grown)
			return -1;
		symbols->items = grown;
		symbols->size = size;
	}
	symbols->items[symbols->count++] = (struct symbol){address, name};
	return 0;
}

/* Only code is wanted: letters T, t, W and w. The name ends at a space, behind which Linux names a module. */
static int take_line(struct symbols *symbols, char *line, unsigned number, const char *path, struct gim_error *error)
{
	char *end;
	errno = 0;
	const uint64_t address = strtoull(line, &end, 16);
	if (end == line || errno || end[0] != ' ' || !end[1] || end[2] != ' ' || !end[3])
		return error_set(error, GIM_E_FORMAT, "%s: line %u is no address, letter and name, as a System.map has", path, number);
	if (!strchr("TtWw", end[1]))
		return 0;
	char *name = end + 3;
	name[strcspn(name, " \t\r")] = '\0';
	return add(symbols, address, name) ? error_set(error, GIM_E_MEMORY, "out of memory") : 0;
}

static int compare(const void *a, const void *b)
{
	const struct symbol *left = a, *right = b;
	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	return left->name < right->name ? -1 : left->name > right->name; /* the first in the file stays first */
}

int symbols_open(const char *path, struct symbols **symbols, struct gim_error *error)
{
	struct symbols *made = calloc(1, sizeof(*made));
	int result = made ? read_text(path, &made->text, error) : error_set(error, GIM_E_MEMORY, "out of memory");
	unsigned number = 0;
	for (char *line = result ? NULL : made->text, *next; line && *line && !result; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		number++;
		result = *line ? take_line(made, line, number, path, error) : 0;
	}
	if (!result && made->count)
		qsort(made->items, made->count, sizeof(*made->items), compare);
	if (result)
		symbols_free(&made);
	else
		*symbols = made;
	return result;
}

const char *symbols_find(const struct symbols *symbols, uint64_t address, uint64_t *offset)
{
	size_t low = 0, high = symbols ? symbols->count : 0;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (symbols->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address - symbols->items[low - 1].address >= NEAR_BYTES)
		return NULL;
	/* Of names for one address the first. */
	for (low--; low && symbols->items[low - 1].address == symbols->items[low].address; low--)
		;
	*offset = address - symbols->items[low].address;
	return symbols->items[low].name;
}
