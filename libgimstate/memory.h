/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guest memory from inside: the index that a format fills by going through its page records once, and how a page is read again.
 *
 * The index has one word for each page that the state says something of: what it is, and where the format finds it. So it costs 1/512 of the memory that is
 * not absent, whatever is in it.
 */
#ifndef GIM_MEMORY_H
#define GIM_MEMORY_H

#include "state.h"

/* More than any machine has. */
#define GIM_MEMORY_LIMIT ((uint64_t)16 << 40)
#define GIM_MEMORY_RANGES_MAX 1024u

/* What a record says of a page. A page of which none speaks is absent. */
enum gim_page_state { GIM_PAGE_ABSENT, GIM_PAGE_DATA, GIM_PAGE_ZERO, GIM_PAGE_BALLOONED };

/* Where a page's bytes are: the format's own number. */
#define GIM_PLACE_BITS 60

/*
 * For the format's index function.
 */
/* Add a range: kind GIM_MEMORY_RAM, GIM_MEMORY_ROM or GIM_MEMORY_DEVICE, of whole pages. *number: by which pages name it. */
int gim_memory_add_range(struct gim_memory *memory, const struct gim_memory_range *range, uint32_t *number, struct gim_error *error);
/* What a record says of the index-th page of a range; what earlier records said of it is forgotten. The page is one of the range. */
int gim_memory_set_page(struct gim_memory *memory, uint32_t number, uint64_t index, enum gim_page_state state, uint64_t place,
                        struct gim_error *error);
/* Pages of RAM of which no record speaks are zero, not absent. */
void gim_memory_rest_is_zero(struct gim_memory *memory);
/* What the records said last. */
enum gim_page_state gim_memory_page(const struct gim_memory *memory, uint32_t number, uint64_t index, uint64_t *place);
/* All that the index holds, for whoever keeps it: ranges by number, and the words of 512 pages at a time; NULL: none speaks of these. */
enum { GIM_SLAB_PAGES = 512 };
uint32_t gim_memory_range_count(const struct gim_memory *memory);
const struct gim_memory_range *gim_memory_range_numbered(const struct gim_memory *memory, uint32_t number);
bool gim_memory_is_rest_zero(const struct gim_memory *memory);
uint64_t gim_memory_slab_count(const struct gim_memory_range *range);
const uint64_t *gim_memory_slab(const struct gim_memory *memory, uint32_t number, uint64_t slab);
/* What such a word says; false: nothing that set_page would take. */
bool gim_memory_word(uint64_t word, enum gim_page_state *state, uint64_t *place);

/* Make a memory as gim_memory_open does, whose index is what fill adds. */
typedef int gim_memory_fill_fn(struct gim_state *state, struct gim_memory *memory, void *user, struct gim_error *error);
int gim_memory_build(struct gim_state *state, const struct gim_memory_options *options, gim_memory_fill_fn *fill, void *user,
                     struct gim_memory **memory, struct gim_error *error);

/* Tell whoever opens the memory how far it is; negative: stop with this failure. */
int gim_memory_progress(struct gim_memory *memory, uint64_t done_bytes, struct gim_error *error);
/* The format's own, beside the index; freed by its free function. */
void gim_memory_set_own(struct gim_memory *memory, void *own);
void *gim_memory_own(const struct gim_memory *memory);
struct gim_state *gim_memory_state(const struct gim_memory *memory);

/*
 * A window over the input, for whoever reads pages. Each thread has its own.
 */
struct gim_window {
	struct gim_input *input;
	uint8_t *bytes; /* of GIM_WINDOW_BYTES, and slack behind them */
	uint64_t offset;
	size_t size;
	bool forward; /* what is asked for next is likely to follow: read much at a time */
};
enum { GIM_WINDOW_BYTES = 256 * 1024, GIM_WINDOW_SLACK = 64 };
int gim_window_new(struct gim_window *window, struct gim_input *input, bool forward, struct gim_error *error);
void gim_window_free(struct gim_window *window);
/* Make size bytes (at most GIM_WINDOW_BYTES / 2) at offset visible; *got: how many there are, fewer only at the end of the input. */
int gim_window_peek(struct gim_window *window, uint64_t offset, size_t size, const uint8_t **bytes, size_t *got, struct gim_error *error);

/*
 * The address space, for whoever goes through it.
 */
/* A piece of it, without holes, of one range. */
struct gim_memory_segment {
	uint64_t gpa, end;
	uint64_t first; /* page of the range at gpa */
	uint32_t range;
};
/* The first segment that ends behind an address; false: there is none. */
bool gim_memory_segment(const struct gim_memory *memory, uint64_t gpa, struct gim_memory_segment *segment);
/* For how many bytes from an address on, at most limit, which all are of one segment, pages are known to be zeros. */
uint64_t gim_memory_zeros(const struct gim_memory *memory, const struct gim_memory_segment *segment, uint64_t gpa, uint64_t limit);
/* The kind of its range. */
enum gim_memory_kind gim_memory_segment_kind(const struct gim_memory *memory, const struct gim_memory_segment *segment);

struct gim_page_reader {
	const struct gim_memory *memory;
	struct gim_window window;
	void *scratch; /* of scratch_bytes of the format */
};

/* forward: pages will be read in about the order in which they were saved. The caller's: gim_page_reader_free (NULL is fine). */
int gim_page_reader_new(const struct gim_memory *memory, bool forward, struct gim_page_reader **reader, struct gim_error *error);
void gim_page_reader_free(struct gim_page_reader *reader);
/* The bytes of a page of state GIM_PAGE_DATA. */
int gim_page_read(struct gim_page_reader *reader, uint32_t number, uint64_t index, uint8_t *page, struct gim_error *error);

/* What a format that holds guest memory offers (struct gim_format's memory). */
struct gim_memory_format {
	size_t scratch_bytes; /* of each reader, for the format */
	/* Go through all page records, in their order, without unpacking what is only passed over. The input can be seeked. GIM_E_NO_UNIT: the state
	 * holds no memory. */
	int (*index)(struct gim_state *state, struct gim_memory *memory, struct gim_error *error);
	/* The bytes of a page with data, by its place. Called by several threads at once, each with a reader of its own. */
	int (*page)(struct gim_page_reader *reader, uint64_t place, uint8_t *page, struct gim_error *error);
	void (*free)(void *own); /* may be NULL */
	/* For an index in a file: what else than it page needs, as bytes; from such bytes, which may be anybody's, the same again, or GIM_E_CORRUPT; and
	 * does a place, which may be anybody's, lead to nothing but the input's bytes? NULL, all three: no index is kept. */
	void (*keep)(const void *own, struct gim_buffer *bytes);
	int (*take)(struct gim_memory *memory, const uint8_t *bytes, size_t size, struct gim_error *error);
	bool (*sound)(const struct gim_memory *memory, uint64_t place);
};

#endif
