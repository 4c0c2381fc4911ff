/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest memory in a migration stream: its blocks, and a walk from page to page in whatever encoding they are. */
#ifndef GIM_QEMU_RAM_H
#define GIM_QEMU_RAM_H

#include "arena.h"
#include "qemu/reader.h"

struct qemu_ram_block {
	const char *name;
	uint64_t used_bytes;
	uint64_t page_bytes; /* of its backing where the stream says it; 0: it does not */
	bool mapped;         /* mapped-ram: page i is at pages_offset + i * page_bytes, when bit i is set */
	uint64_t bitmap_offset,
	    pages_offset; /* in the input; the bitmap consists of little-endian words of 64 bits, the lowest bit first */
};

#define QEMU_RAM_BLOCKS_MAX 4096

/* How pages are stored; a stream may mix all but the last. */
enum qemu_page_kind { QEMU_PAGE_ZERO, QEMU_PAGE_RAW, QEMU_PAGE_XBZRLE, QEMU_PAGE_ZLIB, QEMU_PAGE_MAPPED, QEMU_PAGE_KINDS };
extern const char *const qemu_page_kind_names[QEMU_PAGE_KINDS];

struct qemu_page {
	const struct qemu_ram_block *block;
	uint64_t offset; /* in the block */
	enum qemu_page_kind kind;
	uint64_t at;         /* of the stored bytes in the input */
	uint32_t size_bytes; /* stored: of a whole page unless it is packed; 0: all of it is zero, or u8 says so */
};

/* What the walk through RAM sections knows, over all of them. */
struct qemu_ram {
	struct gim_arena *arena;
	struct qemu_ram_block *blocks; /* in the order of the stream */
	uint32_t block_count;
	uint64_t total_bytes;                 /* of all blocks */
	const struct qemu_ram_block *current; /* to which the next record may belong without a name */
	uint32_t page_bytes;                  /* the target's: 4096 */
	uint64_t base;                        /* file offset at which the input begins, from which mapped-ram counts */
	bool ignore_shared, mapped, postcopy;
	uint64_t pages[QEMU_PAGE_KINDS]; /* passed so far */
};

/* Called once a page, in the order of the stream, in which a later page replaces an earlier one; non-zero stops. */
typedef int qemu_page_fn(void *user, const struct qemu_page *page);

/* Walk through the payload of a START, PART or END section, from the reader's position to behind its end mark. page may be NULL: then the pages of mapped-ram
 * are not gone through. */
int qemu_ram_walk(struct qemu_ram *ram, struct qemu_reader *reader, qemu_page_fn *page, void *user, struct gim_error *error);

/* Visit the pages of a block of mapped-ram. */
int qemu_ram_mapped_pages(const struct qemu_ram *ram, const struct qemu_ram_block *block, struct gim_input *input, qemu_page_fn *page,
                          void *user, struct gim_error *error);

#endif
