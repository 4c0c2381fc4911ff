/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks through RAM records: a word of address and flags, and what each flag says that follows. */
#include "qemu/ram.h"

#include "error.h"
#include "qemu/rules.h"

#include <stdlib.h>
#include <string.h>

/* The word's flags, below the page's address. */
enum {
	RAM_ZERO = 0x02,
	RAM_MEM_SIZE = 0x04,
	RAM_PAGE = 0x08,
	RAM_EOS = 0x10,
	RAM_CONTINUE = 0x20,
	RAM_XBZRLE = 0x40,
	RAM_HOOK = 0x80,
	RAM_COMPRESS = 0x100,
	RAM_MULTIFD_FLUSH = 0x200,
};

const char *const qemu_page_kind_names[QEMU_PAGE_KINDS] = {"zero", "raw", "xbzrle", "zlib", "mapped"};

#define PIECE "a RAM section"

/* One walk. */
struct walk {
	struct qemu_ram *ram;
	struct qemu_reader *reader;
	qemu_page_fn *page;
	void *user;
	struct gim_error *error;
};

/*
 * The list of blocks.
 */
static int take_mapped_head(struct walk *walk, struct qemu_ram_block *block)
{
	enum { HEAD_BYTES = 28, VERSION = 1 };
	const uint8_t *head;
	const uint64_t at = walk->reader->position, base = walk->ram->base;
	int result = qemu_take_bytes(walk->reader, HEAD_BYTES, &head, "the head of mapped RAM", walk->error);
	if (result)
		return result;
	const uint64_t version = qemu_number(head, 4), page_bytes = qemu_number(head + 4, 8);
	const uint64_t bitmap = qemu_number(head + 12, 8), pages = qemu_number(head + 20, 8);
	if (version != VERSION || page_bytes < 512 || page_bytes & (page_bytes - 1))
		return qemu_fail(
		    walk->error, QEMU_RAM_MAPPED, at,
		    "mapped RAM of version %llu with pages of 0x%llx bytes; expected is version %d, and a power of 2 from 512 on",
		    (unsigned long long)version, (unsigned long long)page_bytes, (int)VERSION);
	/* Its places count from the file's beginning, and the walk goes on behind the pages: it must go forward. */
	if (bitmap < base || bitmap - base < walk->reader->position || pages < bitmap || pages > INT64_MAX ||
	    block->used_bytes > INT64_MAX - pages || block->used_bytes / page_bytes / 8 > pages - bitmap)
		return qemu_fail(walk->error, QEMU_RAM_MAPPED, at,
		                 "the bitmap of block %s at 0x%llx and its pages at 0x%llx do not follow this place", block->name,
		                 (unsigned long long)bitmap, (unsigned long long)pages);
	block->mapped = true;
	block->page_bytes = page_bytes;
	block->bitmap_offset = bitmap - base;
	block->pages_offset = pages - base;
	if (walk->page) {
		result = qemu_ram_mapped_pages(walk->ram, block, walk->reader->input, walk->page, walk->user, walk->error);
		if (result)
			return result;
	}
	return qemu_skip(walk->reader, block->pages_offset + block->used_bytes - walk->reader->position, "pages of mapped RAM",
	                 walk->error);
}

/* A block of huge pages says their size in postcopy streams; nothing says whether it does, but a name is never empty and a word of such an address has
 * flags. */
static int take_page_bytes(struct walk *walk, struct qemu_ram_block *block)
{
	const uint8_t *bytes;
	size_t got;
	int result = walk->ram->postcopy ? qemu_look(walk->reader, 8, &bytes, &got, walk->error) : 0;
	if (result || !walk->ram->postcopy || got < 8 || bytes[0])
		return result;
	const uint64_t number = qemu_number(bytes, 8);
	if (number <= walk->ram->page_bytes || number & (number - 1))
		return 0;
	block->page_bytes = number;
	qemu_pass(walk->reader, 8);
	return 0;
}

static int take_block(struct walk *walk, struct qemu_ram_block *block)
{
	char name[256];
	uint64_t ignored;
	int result = qemu_take_name(walk->reader, name, "the name of a RAM block", walk->error);
	if (!result)
		result = qemu_take(walk->reader, 8, &block->used_bytes, "the list of RAM blocks", walk->error);
	if (!result)
		result = take_page_bytes(walk, block);
	if (!result && walk->ram->ignore_shared)
		result = qemu_take(walk->reader, 8, &ignored, "the list of RAM blocks", walk->error);
	if (result)
		return result;
	block->name = gim_arena_copy(walk->ram->arena, name, strlen(name) + 1);
	if (!block->name)
		return GIM_ARENA_FAIL(walk->ram->arena, walk->error, walk->reader->position,
		                      "the list of RAM blocks does not fit into the memory limit");
	return walk->ram->mapped ? take_mapped_head(walk, block) : 0;
}

static int take_blocks(struct walk *walk, uint64_t total)
{
	struct qemu_ram *ram = walk->ram;
	struct qemu_ram_block *blocks = malloc(QEMU_RAM_BLOCKS_MAX * sizeof(*blocks));
	uint32_t count = 0;
	int result = blocks ? 0 : gim_fail(walk->error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	for (uint64_t left = total; !result && left; count++) {
		const uint64_t at = walk->reader->position;
		if (count == QEMU_RAM_BLOCKS_MAX) {
			result = gim_fail(walk->error, GIM_E_LIMIT, at,
			                  "the stream lists more than the %d RAM blocks that are read at most", QEMU_RAM_BLOCKS_MAX);
			break;
		}
		blocks[count] = (struct qemu_ram_block){.name = NULL};
		result = take_block(walk, &blocks[count]);
		if (!result && blocks[count].used_bytes > left)
			result = qemu_fail(walk->error, QEMU_RAM_BLOCK, at,
			                   "block %s has 0x%llx bytes, of which only 0x%llx are left of all blocks'", blocks[count].name,
			                   (unsigned long long)blocks[count].used_bytes, (unsigned long long)left);
		if (!result)
			left -= blocks[count].used_bytes;
	}
	void *copy = result ? NULL : gim_arena_copy(ram->arena, blocks, count * sizeof(*blocks));
	free(blocks);
	if (!result && !copy)
		result = GIM_ARENA_FAIL(ram->arena, walk->error, walk->reader->position,
		                        "the list of RAM blocks does not fit into the memory limit");
	if (result)
		return result;
	ram->blocks = copy;
	ram->block_count = count;
	ram->total_bytes = total;
	ram->current = NULL;
	return 0;
}

/*
 * Pages.
 */
int qemu_ram_mapped_pages(const struct qemu_ram *ram, const struct qemu_ram_block *block, struct gim_input *input, qemu_page_fn *page,
                          void *user, struct gim_error *error)
{
	const uint64_t count = (block->used_bytes + block->page_bytes - 1) / block->page_bytes;
	uint8_t bits[4096];
	int result = 0;
	(void)ram;
	for (uint64_t at = 0; !result && at < (count + 7) / 8; at += sizeof(bits)) {
		const uint64_t left = (count + 7) / 8 - at;
		size_t wanted = left < sizeof(bits) ? (size_t)left : sizeof(bits), got;
		result = gim_input_read(input, block->bitmap_offset + at, bits, wanted, &got, error);
		if (!result && got < wanted)
			result = qemu_fail(error, QEMU_END_OF_FILE, block->bitmap_offset + at + got,
			                   "the stream ends within a bitmap of mapped RAM");
		for (uint64_t i = at * 8; !result && i < (at + wanted) * 8 && i < count; i++) {
			if (!(bits[i / 8 - at] >> i % 8 & 1))
				continue;
			const struct qemu_page mapped = {block, i * block->page_bytes, QEMU_PAGE_MAPPED,
			                                 block->pages_offset + i * block->page_bytes, (uint32_t)block->page_bytes};
			if (page(user, &mapped))
				result = gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped");
		}
	}
	return result;
}

static const struct qemu_ram_block *find_block(const struct qemu_ram *ram, const uint8_t *name, size_t length)
{
	for (uint32_t i = 0; i < ram->block_count; i++)
		if (strlen(ram->blocks[i].name) == length && !memcmp(ram->blocks[i].name, name, length))
			return &ram->blocks[i];
	return NULL;
}

/* The name, unless the page is in the block of the one before it. */
static int take_block_name(struct walk *walk, uint64_t flags, uint64_t at)
{
	const uint8_t *name;
	uint64_t length;
	if (flags & RAM_CONTINUE)
		return walk->ram->current
		           ? 0
		           : qemu_fail(
				 walk->error, QEMU_RAM_BLOCK, at,
				 "a page is said to be in the block of the one before it, and is the first: a block's name is expected");
	int result = qemu_take(walk->reader, 1, &length, PIECE, walk->error);
	if (!result)
		result = qemu_take_bytes(walk->reader, (size_t)length, &name, PIECE, walk->error);
	if (result)
		return result;
	walk->ram->current = find_block(walk->ram, name, (size_t)length);
	return walk->ram->current ? 0
	                          : qemu_fail(walk->error, QEMU_RAM_BLOCK, at, "there is no RAM block %.*s in the stream's list",
	                                      (int)length, (const char *)name);
}

static int take_packed_size(struct walk *walk, enum qemu_page_kind kind, uint32_t *size)
{
	const uint64_t at = walk->reader->position;
	uint64_t mark = 1, bytes = 0;
	int result = kind == QEMU_PAGE_XBZRLE ? qemu_take(walk->reader, 1, &mark, PIECE, walk->error) : 0;
	if (!result)
		result = qemu_take(walk->reader, kind == QEMU_PAGE_XBZRLE ? 2 : 4, &bytes, PIECE, walk->error);
	/* A page that zlib makes longer grows by little. */
	const uint64_t most = (uint64_t)walk->ram->page_bytes + (kind == QEMU_PAGE_ZLIB ? 64 : 0);
	if (!result && (mark != 1 || bytes > most))
		result = qemu_fail(walk->error, QEMU_RAM_DATA, at,
		                   "a page is packed to %llu bytes and has the mark %llu; expected are at most %llu, and 1",
		                   (unsigned long long)bytes, (unsigned long long)mark, (unsigned long long)most);
	if (!result)
		*size = (uint32_t)bytes;
	return result;
}

static int take_page(struct walk *walk, uint64_t word, enum qemu_page_kind kind, uint64_t at)
{
	struct qemu_ram *ram = walk->ram;
	const uint64_t offset = word & ~(uint64_t)(ram->page_bytes - 1);
	uint32_t size = kind == QEMU_PAGE_ZERO ? 1 : ram->page_bytes;
	int result = take_block_name(walk, word, at);
	if (!result && (offset >= ram->current->used_bytes))
		result = qemu_fail(walk->error, QEMU_RAM_PAGE, at, "a page at 0x%llx of block %s, which has 0x%llx bytes",
		                   (unsigned long long)offset, ram->current->name, (unsigned long long)ram->current->used_bytes);
	if (!result && (kind == QEMU_PAGE_XBZRLE || kind == QEMU_PAGE_ZLIB))
		result = take_packed_size(walk, kind, &size);
	if (result)
		return result;
	ram->pages[kind]++;
	const struct qemu_page page = {ram->current, offset, kind, walk->reader->position, kind == QEMU_PAGE_ZERO ? 0 : size};
	if (walk->page && walk->page(walk->user, &page))
		return gim_fail(walk->error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped");
	return qemu_skip(walk->reader, size, PIECE, walk->error);
}

/* 1: it was the end mark. */
static int take_record(struct walk *walk)
{
	const uint64_t at = walk->reader->position;
	uint64_t word;
	int result = qemu_take(walk->reader, 8, &word, PIECE, walk->error);
	if (result)
		return result;
	switch (word & (walk->ram->page_bytes - 1) & ~(uint64_t)RAM_CONTINUE) {
	case RAM_ZERO:
		return take_page(walk, word, QEMU_PAGE_ZERO, at);
	case RAM_PAGE:
		return take_page(walk, word, QEMU_PAGE_RAW, at);
	case RAM_XBZRLE:
		return take_page(walk, word, QEMU_PAGE_XBZRLE, at);
	case RAM_COMPRESS:
		return take_page(walk, word, QEMU_PAGE_ZLIB, at);
	case RAM_MEM_SIZE:
		return take_blocks(walk, word & ~(uint64_t)(walk->ram->page_bytes - 1));
	case RAM_MULTIFD_FLUSH:
		return 0;
	case RAM_EOS:
		return 1;
	case RAM_HOOK:
		return qemu_fail(walk->error, QEMU_RAM_FLAGS, at,
		                 "a record for RDMA, whose pages are not in the stream: save the VM to a file, without RDMA");
	default:
		return qemu_fail(walk->error, QEMU_RAM_FLAGS, at, "Unknown combination of migration flags: 0x%llx",
		                 (unsigned long long)(word & (walk->ram->page_bytes - 1)));
	}
}

int qemu_ram_walk(struct qemu_ram *ram, struct qemu_reader *reader, qemu_page_fn *page, void *user, struct gim_error *error)
{
	struct walk walk = {ram, reader, page, user, error};
	int result;
	while (!(result = take_record(&walk)))
		;
	return result < 0 ? result : 0;
}
