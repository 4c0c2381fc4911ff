/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest memory of a saved state: which ranges there are, where each page's bytes are found, and reading them. */
#include "memory.h"

#include "error.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The index is made of slabs, a word for each page: its place, and below it what it is. */
enum { SLAB_PAGES = GIM_SLAB_PAGES, STATE_BITS = 64 - GIM_PLACE_BITS };

struct range {
	struct gim_memory_range range;
	uint64_t pages;
	uint64_t **slabs; /* NULL: all of its pages are absent */
};

struct gim_memory {
	struct gim_state *state;
	const struct gim_memory_format *format;
	struct gim_memory_options options;
	struct range *ranges;
	uint32_t *order; /* of gim_memory_range */
	struct gim_memory_segment *segments;
	size_t range_count, segment_count;
	uint64_t ram_bytes, all_bytes, index_bytes;
	bool rest_is_zero;
	void *own;
	struct gim_page_reader *reader; /* for gim_memory_read; made when first needed */
};

static int no_memory(struct gim_error *error)
{
	return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
}

const char *gim_memory_kind_name(enum gim_memory_kind kind)
{
	static const char *const names[GIM_MEMORY_KINDS] = {
	    [GIM_MEMORY_HOLE] = "hole",           [GIM_MEMORY_RAM] = "ram",         [GIM_MEMORY_ZERO] = "zero",
	    [GIM_MEMORY_BALLOONED] = "ballooned", [GIM_MEMORY_MISSING] = "missing", [GIM_MEMORY_ROM] = "rom",
	    [GIM_MEMORY_DEVICE] = "device",
	};
	return (unsigned)kind < GIM_MEMORY_KINDS ? names[kind] : "unknown";
}

/*
 * The window.
 */
int gim_window_new(struct gim_window *window, struct gim_input *input, bool forward, struct gim_error *error)
{
	*window = (struct gim_window){.input = input, .bytes = malloc(GIM_WINDOW_BYTES + GIM_WINDOW_SLACK), .forward = forward};
	return window->bytes ? 0 : no_memory(error);
}

void gim_window_free(struct gim_window *window)
{
	free(window->bytes);
	window->bytes = NULL;
}

int gim_window_peek(struct gim_window *window, uint64_t offset, size_t size, const uint8_t **bytes, size_t *got, struct gim_error *error)
{
	enum { ALONE = 8 * 1024 };
	assert(size <= GIM_WINDOW_BYTES / 2);
	size_t start = 0, have = 0;
	if (offset >= window->offset && offset - window->offset <= window->size) {
		start = (size_t)(offset - window->offset);
		have = window->size - start;
	}
	if (have < size) {
		const size_t want = window->forward || have ? GIM_WINDOW_BYTES : size > ALONE ? size : ALONE;
		size_t more = 0;
		memmove(window->bytes, window->bytes + start, have);
		window->offset = offset;
		window->size = have;
		int result = gim_input_read(window->input, offset + have, window->bytes + have, want - have, &more, error);
		if (result)
			return result;
		window->size = have += more;
		start = 0;
	}
	*bytes = window->bytes + start;
	*got = have;
	return 0;
}

/*
 * Building the index.
 */
void gim_memory_set_own(struct gim_memory *memory, void *own)
{
	memory->own = own;
}

void *gim_memory_own(const struct gim_memory *memory)
{
	return memory->own;
}

struct gim_state *gim_memory_state(const struct gim_memory *memory)
{
	return memory->state;
}

int gim_memory_progress(struct gim_memory *memory, uint64_t done_bytes, struct gim_error *error)
{
	const struct gim_memory_options *options = &memory->options;
	if (options->progress && options->progress(options->progress_user, done_bytes, memory->state->input.size))
		return gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped");
	return 0;
}

static int check_range(const struct gim_memory *memory, const struct gim_memory_range *range, struct gim_error *error)
{
	const uint64_t last_page = GIM_PAGE_BYTES - 1;
	if (range->size_bytes & last_page || (range->gpa != GIM_UNKNOWN && range->gpa & last_page))
		return gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN,
		                "a range of memory (%s) at 0x%" PRIx64 " of %" PRIu64 " bytes: whole pages of %d bytes are expected",
		                range->name, range->gpa, range->size_bytes, GIM_PAGE_BYTES);
	if (range->size_bytes > GIM_MEMORY_LIMIT - memory->all_bytes || memory->range_count == GIM_MEMORY_RANGES_MAX)
		return gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN,
		                "it would be more memory than any machine has: %u ranges and %" PRIu64 " bytes are read at most",
		                GIM_MEMORY_RANGES_MAX, GIM_MEMORY_LIMIT);
	if (range->gpa != GIM_UNKNOWN && range->gpa > UINT64_MAX / 2 - range->size_bytes)
		return gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "a range of memory at 0x%" PRIx64 ", where no guest can have one",
		                range->gpa);
	return 0;
}

int gim_memory_add_range(struct gim_memory *memory, const struct gim_memory_range *range, uint32_t *number, struct gim_error *error)
{
	int result = check_range(memory, range, error);
	if (result)
		return result;
	struct range *ranges = realloc(memory->ranges, (memory->range_count + 1) * sizeof(*ranges));
	if (!ranges)
		return no_memory(error);
	memory->ranges = ranges;
	const uint64_t pages = range->size_bytes / GIM_PAGE_BYTES, slabs = (pages + SLAB_PAGES - 1) / SLAB_PAGES;
	ranges[memory->range_count] = (struct range){.range = *range, .pages = pages};
	ranges[memory->range_count].slabs = calloc(slabs ? (size_t)slabs : 1, sizeof(uint64_t *));
	if (!ranges[memory->range_count].slabs)
		return no_memory(error);
	*number = (uint32_t)memory->range_count++;
	memory->all_bytes += range->size_bytes;
	memory->ram_bytes += range->kind == GIM_MEMORY_RAM ? range->size_bytes : 0;
	memory->index_bytes += sizeof(struct range) + slabs * sizeof(uint64_t *);
	return 0;
}

int gim_memory_set_page(struct gim_memory *memory, uint32_t number, uint64_t index, enum gim_page_state state, uint64_t place,
                        struct gim_error *error)
{
	const struct range *range = &memory->ranges[number];
	assert(number < memory->range_count && index < range->pages && !(place >> GIM_PLACE_BITS));
	uint64_t **slab = &range->slabs[index / SLAB_PAGES];
	if (!*slab) {
		*slab = calloc(SLAB_PAGES, sizeof(uint64_t));
		if (!*slab)
			return no_memory(error);
		memory->index_bytes += SLAB_PAGES * sizeof(uint64_t);
	}
	(*slab)[index % SLAB_PAGES] = place << STATE_BITS | state;
	return 0;
}

void gim_memory_rest_is_zero(struct gim_memory *memory)
{
	memory->rest_is_zero = true;
}

enum gim_page_state gim_memory_page(const struct gim_memory *memory, uint32_t number, uint64_t index, uint64_t *place)
{
	const uint64_t *slab = memory->ranges[number].slabs[index / SLAB_PAGES];
	const uint64_t word = slab && slab[index % SLAB_PAGES] ? slab[index % SLAB_PAGES] : memory->rest_is_zero ? GIM_PAGE_ZERO : 0;
	*place = word >> STATE_BITS;
	return (enum gim_page_state)(word & ((1u << STATE_BITS) - 1));
}

uint32_t gim_memory_range_count(const struct gim_memory *memory)
{
	return (uint32_t)memory->range_count;
}

const struct gim_memory_range *gim_memory_range_numbered(const struct gim_memory *memory, uint32_t number)
{
	return &memory->ranges[number].range;
}

bool gim_memory_is_rest_zero(const struct gim_memory *memory)
{
	return memory->rest_is_zero;
}

uint64_t gim_memory_slab_count(const struct gim_memory_range *range)
{
	return (range->size_bytes / GIM_PAGE_BYTES + SLAB_PAGES - 1) / SLAB_PAGES;
}

const uint64_t *gim_memory_slab(const struct gim_memory *memory, uint32_t number, uint64_t slab)
{
	return memory->ranges[number].slabs[slab];
}

bool gim_memory_word(uint64_t word, enum gim_page_state *state, uint64_t *place)
{
	const unsigned number = word & ((1u << STATE_BITS) - 1);
	*place = word >> STATE_BITS;
	*state = (enum gim_page_state)number;
	return number <= GIM_PAGE_BALLOONED;
}

/*
 * The address space.
 */
static int by_address(const struct gim_memory_range *a, const struct gim_memory_range *b)
{
	return a->gpa < b->gpa ? -1 : a->gpa > b->gpa;
}

/* The ranges that have an address, in its order, then the others; what stands at the same place keeps its order. */
static void sort_ranges(struct gim_memory *memory)
{
	for (uint32_t i = 0; i < memory->range_count; i++) {
		uint32_t at = i;
		for (; at && by_address(&memory->ranges[memory->order[at - 1]].range, &memory->ranges[i].range) > 0; at--)
			memory->order[at] = memory->order[at - 1];
		memory->order[at] = i;
	}
}

static void add_segment(struct gim_memory *memory, uint32_t range, uint64_t from, uint64_t to)
{
	const struct gim_memory_range *own = &memory->ranges[range].range;
	if (from >= to)
		return;
	memory->segments[memory->segment_count++] =
	    (struct gim_memory_segment){.gpa = from, .end = to, .first = (from - own->gpa) / GIM_PAGE_BYTES, .range = range};
}

static int by_segment(const void *a, const void *b)
{
	const struct gim_memory_segment *one = (const struct gim_memory_segment *)a, *other = (const struct gim_memory_segment *)b;
	return one->gpa < other->gpa ? -1 : one->gpa > other->gpa;
}

/* Ranges of one kind may not lie over each other. RAM is what is left of it by ROMs and devices' memory. */
static int lay_kind(struct gim_memory *memory, bool ram, struct gim_error *error)
{
	const size_t covers = memory->segment_count;
	const struct range *last = NULL;
	for (size_t i = 0; i < memory->range_count; i++) {
		const uint32_t number = memory->order[i];
		const struct range *one = &memory->ranges[number];
		if (one->range.gpa == GIM_UNKNOWN || (one->range.kind == GIM_MEMORY_RAM) != ram || !one->range.size_bytes)
			continue;
		if (last && one->range.gpa - last->range.gpa < last->range.size_bytes)
			return gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN,
			                "ranges of memory overlap: %s at 0x%" PRIx64 " and %s at 0x%" PRIx64, last->range.name,
			                last->range.gpa, one->range.name, one->range.gpa);
		last = one;
		uint64_t from = one->range.gpa;
		const uint64_t end = from + one->range.size_bytes;
		for (size_t c = 0; ram && c < covers; c++) {
			const struct gim_memory_segment *cover = &memory->segments[c];
			if (cover->end <= from || cover->gpa >= end)
				continue;
			add_segment(memory, number, from, cover->gpa);
			from = cover->end < end ? cover->end : end;
		}
		add_segment(memory, number, from, end);
	}
	return 0;
}

static int lay_out(struct gim_memory *memory, struct gim_error *error)
{
	/* A cover cuts a range in two. */
	memory->order = calloc(memory->range_count + 1, sizeof(*memory->order));
	memory->segments = calloc(2 * memory->range_count + 1, sizeof(*memory->segments));
	if (!memory->order || !memory->segments)
		return no_memory(error);
	sort_ranges(memory);
	int result = lay_kind(memory, false, error);
	if (!result)
		result = lay_kind(memory, true, error);
	qsort(memory->segments, memory->segment_count, sizeof(*memory->segments), by_segment);
	return result;
}

int gim_memory_build(struct gim_state *state, const struct gim_memory_options *options, gim_memory_fill_fn *fill, void *user,
                     struct gim_memory **memory, struct gim_error *error)
{
	const struct gim_memory_format *format = state->format ? state->format->memory : NULL;
	if (!format)
		return gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN,
		                "the state holds no memory of its guest: a saved state, or a bundle with memory, does");
	if (!state->input.seekable)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		                "memory is read here and there, and a pipe can only be read forward: keep it in a file first");
	struct gim_memory *made = calloc(1, sizeof(*made));
	if (!made)
		return no_memory(error);
	made->state = state;
	made->format = format;
	if (options)
		made->options = *options;
	int result = fill(state, made, user, error);
	if (!result)
		result = lay_out(made, error);
	if (!result && !made->ram_bytes)
		result = gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "the state holds no memory of its guest: none of its ranges is RAM");
	if (result)
		gim_memory_free(&made);
	else
		*memory = made;
	return result;
}

static int go_through(struct gim_state *state, struct gim_memory *memory, void *user, struct gim_error *error)
{
	(void)user;
	return state->format->memory->index(state, memory, error);
}

int gim_memory_open(struct gim_state *state, const struct gim_memory_options *options, struct gim_memory **memory, struct gim_error *error)
{
	return gim_memory_build(state, options, go_through, NULL, memory, error);
}

void gim_page_reader_free(struct gim_page_reader *reader)
{
	if (!reader)
		return;
	gim_window_free(&reader->window);
	free(reader->scratch);
	free(reader);
}

void gim_memory_free(struct gim_memory **memory)
{
	if (!memory || !*memory)
		return;
	struct gim_memory *own = *memory;
	for (size_t i = 0; i < own->range_count; i++) {
		for (uint64_t s = 0; s < (own->ranges[i].pages + SLAB_PAGES - 1) / SLAB_PAGES; s++)
			free(own->ranges[i].slabs[s]);
		free(own->ranges[i].slabs);
	}
	if (own->own && own->format->free)
		own->format->free(own->own);
	gim_page_reader_free(own->reader);
	free(own->ranges);
	free(own->order);
	free(own->segments);
	free(own);
	*memory = NULL;
}

/*
 * What is there.
 */
uint64_t gim_memory_ram_bytes(const struct gim_memory *memory)
{
	return memory->ram_bytes;
}

uint64_t gim_memory_end(const struct gim_memory *memory)
{
	return memory->segment_count ? memory->segments[memory->segment_count - 1].end : 0;
}

uint64_t gim_memory_index_bytes(const struct gim_memory *memory)
{
	return memory->index_bytes;
}

bool gim_memory_range(const struct gim_memory *memory, unsigned index, struct gim_memory_range *range)
{
	if (index >= memory->range_count)
		return false;
	*range = memory->ranges[memory->order[index]].range;
	return true;
}

/* The first segment that ends behind an address; segment_count: there is none. */
static size_t find_segment(const struct gim_memory *memory, uint64_t gpa)
{
	size_t low = 0, high = memory->segment_count;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (memory->segments[middle].end <= gpa)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool gim_memory_segment(const struct gim_memory *memory, uint64_t gpa, struct gim_memory_segment *segment)
{
	const size_t found = find_segment(memory, gpa);
	if (found == memory->segment_count)
		return false;
	*segment = memory->segments[found];
	return true;
}

enum gim_memory_kind gim_memory_segment_kind(const struct gim_memory *memory, const struct gim_memory_segment *segment)
{
	return memory->ranges[segment->range].range.kind;
}

static enum gim_memory_kind kind_of(const struct gim_memory *memory, uint32_t number, uint64_t page)
{
	static const enum gim_memory_kind kinds[] = {[GIM_PAGE_ABSENT] = GIM_MEMORY_MISSING,
	                                             [GIM_PAGE_DATA] = GIM_MEMORY_RAM,
	                                             [GIM_PAGE_ZERO] = GIM_MEMORY_ZERO,
	                                             [GIM_PAGE_BALLOONED] = GIM_MEMORY_BALLOONED};
	const enum gim_memory_kind kind = memory->ranges[number].range.kind;
	uint64_t place;
	return kind == GIM_MEMORY_RAM ? kinds[gim_memory_page(memory, number, page, &place)] : kind;
}

/* For how many pages from this one on the index says the same at a glance. */
static uint64_t same_pages(const struct gim_memory *memory, uint32_t number, uint64_t page)
{
	return memory->ranges[number].slabs[page / SLAB_PAGES] ? 1 : SLAB_PAGES - page % SLAB_PAGES;
}

uint64_t gim_memory_zeros(const struct gim_memory *memory, const struct gim_memory_segment *segment, uint64_t gpa, uint64_t limit)
{
	uint64_t at = gpa, place;
	while (at < gpa + limit) {
		const uint64_t page = segment->first + (at - segment->gpa) / GIM_PAGE_BYTES;
		if (gim_memory_page(memory, segment->range, page, &place) == GIM_PAGE_DATA)
			break;
		at += same_pages(memory, segment->range, page) * GIM_PAGE_BYTES - at % GIM_PAGE_BYTES;
	}
	return at - gpa < limit ? at - gpa : limit;
}

enum gim_memory_kind gim_memory_at(const struct gim_memory *memory, uint64_t gpa, uint64_t *size_bytes)
{
	const size_t first = find_segment(memory, gpa);
	const struct gim_memory_segment *segment = &memory->segments[first], *const end = &memory->segments[memory->segment_count];
	if (segment == end || gpa < segment->gpa) {
		if (size_bytes)
			*size_bytes = segment == end ? GIM_UNKNOWN : segment->gpa - gpa;
		return GIM_MEMORY_HOLE;
	}
	uint64_t at = gpa - gpa % GIM_PAGE_BYTES;
	const enum gim_memory_kind kind = kind_of(memory, segment->range, segment->first + (at - segment->gpa) / GIM_PAGE_BYTES);
	while (size_bytes && segment < end && at >= segment->gpa) {
		const uint64_t page = segment->first + (at - segment->gpa) / GIM_PAGE_BYTES, left = segment->end - at;
		if (kind_of(memory, segment->range, page) != kind)
			break;
		const uint64_t same = same_pages(memory, segment->range, page) * GIM_PAGE_BYTES;
		at += same < left ? same : left;
		segment += at == segment->end;
	}
	if (size_bytes)
		*size_bytes = at - gpa;
	return kind;
}

/*
 * Reading.
 */
int gim_page_reader_new(const struct gim_memory *memory, bool forward, struct gim_page_reader **reader, struct gim_error *error)
{
	struct gim_page_reader *made = calloc(1, sizeof(*made));
	if (!made)
		return no_memory(error);
	made->memory = memory;
	made->scratch = malloc(memory->format->scratch_bytes + 1);
	int result = gim_window_new(&made->window, &memory->state->input, forward, error);
	if (!result && !made->scratch)
		result = no_memory(error);
	if (result)
		gim_page_reader_free(made);
	else
		*reader = made;
	return result;
}

int gim_page_read(struct gim_page_reader *reader, uint32_t number, uint64_t index, uint8_t *page, struct gim_error *error)
{
	uint64_t place;
	(void)gim_memory_page(reader->memory, number, index, &place);
	return reader->memory->format->page(reader, place, page, error);
}

/* Bytes of one page of a range. */
static int read_page(struct gim_page_reader *reader, uint32_t number, uint64_t page, size_t from, uint8_t *bytes, size_t size,
                     struct gim_error *error)
{
	uint8_t whole[GIM_PAGE_BYTES];
	uint64_t place;
	const enum gim_page_state state = gim_memory_page(reader->memory, number, page, &place);
	if (state != GIM_PAGE_DATA) {
		memset(bytes, 0, size);
		return 0;
	}
	const struct gim_memory_format *format = reader->memory->format;
	if (size == GIM_PAGE_BYTES)
		return format->page(reader, place, bytes, error);
	int result = format->page(reader, place, whole, error);
	if (!result)
		memcpy(bytes, whole + from, size);
	return result;
}

static int read_pages(struct gim_page_reader *reader, uint32_t number, uint64_t offset, uint8_t *bytes, size_t size,
                      struct gim_error *error)
{
	int result = 0;
	while (!result && size) {
		const size_t from = offset % GIM_PAGE_BYTES, left = GIM_PAGE_BYTES - from, step = size < left ? size : left;
		result = read_page(reader, number, offset / GIM_PAGE_BYTES, from, bytes, step, error);
		offset += step;
		bytes += step;
		size -= step;
	}
	return result;
}

int gim_memory_read(struct gim_memory *memory, uint64_t gpa, void *bytes, size_t size_bytes, struct gim_error *error)
{
	uint8_t *to = (uint8_t *)bytes;
	int result = memory->reader ? 0 : gim_page_reader_new(memory, false, &memory->reader, error);
	for (const struct gim_memory_segment *segment = &memory->segments[find_segment(memory, gpa)]; !result && size_bytes; segment++) {
		if (segment == &memory->segments[memory->segment_count] || gpa < segment->gpa)
			return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN,
			                "the guest has no memory at 0x%" PRIx64 "; its address space ends at 0x%" PRIx64, gpa,
			                gim_memory_end(memory));
		const uint64_t left = segment->end - gpa;
		const size_t step = size_bytes < left ? size_bytes : (size_t)left;
		const uint64_t offset = segment->first * GIM_PAGE_BYTES + (gpa - segment->gpa);
		result = read_pages(memory->reader, segment->range, offset, to, step, error);
		gpa += step;
		to += step;
		size_bytes -= step;
	}
	return result;
}

int gim_memory_read_range(struct gim_memory *memory, unsigned index, uint64_t offset, void *bytes, size_t size_bytes,
                          struct gim_error *error)
{
	if (index >= memory->range_count)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "there are only %zu ranges of memory", memory->range_count);
	const uint32_t number = memory->order[index];
	const uint64_t all = memory->ranges[number].range.size_bytes;
	if (offset > all || size_bytes > all - offset)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s has only %" PRIu64 " bytes", memory->ranges[number].range.name,
		                all);
	int result = memory->reader ? 0 : gim_page_reader_new(memory, false, &memory->reader, error);
	return result ? result : read_pages(memory->reader, number, offset, (uint8_t *)bytes, size_bytes, error);
}
