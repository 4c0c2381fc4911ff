/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest memory as a file for other tools: raw, so that an address is a place in the file, or an ELF core with the vCPUs' registers. */
#include "memory.h"

#include "error.h"
#include "guest.h"
#include "visit.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a segment of the address space goes. */
struct piece {
	struct gim_memory_segment segment;
	uint64_t offset;
};

struct exporting {
	struct gim_memory *memory;
	struct gim_output *output;
	struct piece *pieces;
	size_t count;
	uint64_t size;    /* of the whole file */
	uint64_t written; /* of a packed file, which is written in order */
};

/*
 * Pages, into a file that has holes where they are zeros.
 */
static uint64_t offset_of(const struct exporting *exporting, uint64_t gpa)
{
	size_t i = 0;
	while (i + 1 < exporting->count && gpa >= exporting->pieces[i].segment.end)
		i++;
	return exporting->pieces[i].offset + (gpa - exporting->pieces[i].segment.gpa);
}

static bool has_bytes(uint8_t kind)
{
	return kind == GIM_MEMORY_RAM || kind == GIM_MEMORY_ROM || kind == GIM_MEMORY_DEVICE;
}

/* So many pages of zeros are left out as a hole; fewer between others are written with them, which is one call, and a file of fewer extents. */
enum { HOLE_PAGES = 16, THREADS_MAX = 8 };

/* Where the next piece to be written of a chunk begins and ends, from page *from on; false: there is none. */
static bool next_piece(const struct gim_memory_chunk *chunk, size_t pages, size_t *from, size_t *end)
{
	while (*from < pages && !has_bytes(chunk->kinds[*from]))
		++*from;
	*end = *from;
	for (size_t i = *from; i < pages && i - *end < HOLE_PAGES; i++)
		if (has_bytes(chunk->kinds[i]))
			*end = i + 1;
	return *from < pages;
}

/* Write a chunk's pages that are no zeros, as many at a time as lie together. Called by several threads. */
static int put_chunk(void *user, const struct gim_memory_chunk *chunk, void **kept, struct gim_error *error)
{
	struct exporting *exporting = (struct exporting *)user;
	const size_t pages = chunk->size_bytes / GIM_PAGE_BYTES;
	const uint64_t offset = offset_of(exporting, chunk->gpa);
	int result = 0;
	(void)kept;
	for (size_t from = 0, end; !result && next_piece(chunk, pages, &from, &end); from = end)
		result = gim_output_write_at(exporting->output, offset + from * GIM_PAGE_BYTES, chunk->bytes + from * GIM_PAGE_BYTES,
		                             (end - from) * GIM_PAGE_BYTES, error);
	return result;
}

/*
 * The same in order, for a file that is packed.
 */
static int put_zeros(struct exporting *exporting, uint64_t until)
{
	static const uint8_t zeros[16 * GIM_PAGE_BYTES];
	int result = 0;
	while (!result && exporting->written < until) {
		const uint64_t left = until - exporting->written;
		const size_t step = left < sizeof(zeros) ? (size_t)left : sizeof(zeros);
		result = gim_output_write(exporting->output, zeros, step);
		exporting->written += step;
	}
	return result;
}

static int put_in_order(void *user, const struct gim_memory_chunk *chunk, void **kept, struct gim_error *error)
{
	struct exporting *exporting = (struct exporting *)user;
	(void)kept;
	(void)error; /* a refused write is told by commit */
	int result = put_zeros(exporting, offset_of(exporting, chunk->gpa));
	if (!result)
		result = gim_output_write(exporting->output, chunk->bytes, chunk->size_bytes);
	exporting->written += chunk->size_bytes;
	return result ? GIM_E_IO : 0;
}

/* While some wait for the disk, others unpack. */
static unsigned count_threads(const struct gim_export_options *options)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (options && options->threads)
		return options->threads;
	return processors < 1 ? 1 : processors < THREADS_MAX / 2 ? 2 * (unsigned)processors : THREADS_MAX;
}

static int put_pages(struct exporting *exporting, const struct gim_export_options *options, struct gim_error *error)
{
	const bool packed = gim_output_is_packed(exporting->output);
	const struct piece *last = exporting->count ? &exporting->pieces[exporting->count - 1] : NULL;
	const struct gim_memory_walk walk = {.end = last ? last->segment.end : 1,
	                                     .threads = packed ? 1 : count_threads(options),
	                                     .look = packed ? put_in_order : put_chunk,
	                                     .progress = options ? options->progress : NULL,
	                                     .progress_user = options ? options->progress_user : NULL,
	                                     .user = exporting};
	int result = packed ? 0 : gim_output_resize(exporting->output, exporting->size, error);
	if (!result)
		result = gim_memory_walk(exporting->memory, &walk, error);
	if (!result && packed)
		result = put_zeros(exporting, exporting->size) ? GIM_E_IO : 0;
	return result;
}

/*
 * Segments.
 */
static int find_pieces(struct exporting *exporting, bool raw, struct gim_error *error)
{
	struct gim_memory_segment segment;
	uint64_t ram_end = 0;
	size_t count = 0;
	for (uint64_t gpa = 0; gim_memory_segment(exporting->memory, gpa, &segment); gpa = segment.end, count++)
		if (gim_memory_segment_kind(exporting->memory, &segment) == GIM_MEMORY_RAM)
			ram_end = segment.end;
	exporting->pieces = calloc(count + 1, sizeof(*exporting->pieces));
	if (!exporting->pieces)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	for (uint64_t gpa = 0; gim_memory_segment(exporting->memory, gpa, &segment) && (!raw || segment.gpa < ram_end); gpa = segment.end)
		exporting->pieces[exporting->count++] = (struct piece){.segment = segment, .offset = segment.gpa};
	exporting->size = ram_end;
	return 0;
}

/*
 * The ELF core.
 */
/* The registers of a thread as the x86-64 ABI of Linux has them in a core, in their order. */
static const struct {
	uint16_t offset, width; /* in struct guest_vcpu; width 0: none is known */
} registers[] = {
#define REG(member)                                                                                                                        \
	{                                                                                                                                  \
		offsetof(struct guest_vcpu, member), sizeof(GIM_MEMBER(guest_vcpu, member))                                                \
	}
    REG(r15),     REG(r14),     REG(r13),         REG(r12),         REG(rbp),         REG(rbx),         REG(r11),
    REG(r10),     REG(r9),      REG(r8),          REG(rax),         REG(rcx),         REG(rdx),         REG(rsi),
    REG(rdi),     {0, 0},       REG(rip),         REG(cs.selector), REG(rflags),      REG(rsp),         REG(ss.selector),
    REG(fs.base), REG(gs.base), REG(ds.selector), REG(es.selector), REG(fs.selector), REG(gs.selector),
};

enum { REGISTERS = sizeof(registers) / sizeof(registers[0]), STATUS_PID = 32, STATUS_REGISTERS = 112, STATUS_BYTES = 336 };

static void put_note(struct gim_buffer *file, const struct guest_vcpu *vcpu, uint32_t index)
{
	static const char owner[8] = "CORE";
	uint8_t status[STATUS_BYTES] = {0};
	const uint32_t pid = index + 1; /* 0 would be no thread */
	memcpy(status + STATUS_PID, &pid, sizeof(pid));
	for (size_t i = 0; i < REGISTERS; i++) {
		const uint64_t value =
		    registers[i].width ? gim_number_load((const uint8_t *)vcpu + registers[i].offset, registers[i].width) : 0;
		memcpy(status + STATUS_REGISTERS + 8 * i, &value, sizeof(value));
	}
	gim_buffer_number(file, 5, 4);
	gim_buffer_number(file, STATUS_BYTES, 4);
	gim_buffer_number(file, NT_PRSTATUS, 4);
	gim_buffer_bytes(file, owner, sizeof(owner));
	gim_buffer_bytes(file, status, sizeof(status));
}

static void put_program_header(struct gim_buffer *file, uint32_t type, uint32_t flags, uint64_t offset, uint64_t address, uint64_t size)
{
	gim_buffer_number(file, type, 4);
	gim_buffer_number(file, flags, 4);
	gim_buffer_number(file, offset, 8);
	gim_buffer_number(file, address, 8); /* gdb reads by virtual addresses, others by physical ones */
	gim_buffer_number(file, address, 8);
	gim_buffer_number(file, size, 8);
	gim_buffer_number(file, size, 8);
	gim_buffer_number(file, type == PT_LOAD ? GIM_PAGE_BYTES : 4, 8);
}

static void put_elf_header(struct gim_buffer *file, size_t program_headers)
{
	static const uint8_t ident[EI_NIDENT] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
	gim_buffer_bytes(file, ident, sizeof(ident));
	gim_buffer_number(file, ET_CORE, 2);
	gim_buffer_number(file, EM_X86_64, 2);
	gim_buffer_number(file, EV_CURRENT, 4);
	gim_buffer_number(file, 0, 8); /* entry */
	gim_buffer_number(file, sizeof(Elf64_Ehdr), 8);
	gim_buffer_number(file, 0, 8); /* sections */
	gim_buffer_number(file, 0, 4); /* flags */
	gim_buffer_number(file, sizeof(Elf64_Ehdr), 2);
	gim_buffer_number(file, sizeof(Elf64_Phdr), 2);
	gim_buffer_number(file, program_headers, 2);
	gim_buffer_number(file, sizeof(Elf64_Shdr), 2);
	gim_buffer_number(file, 0, 2);
	gim_buffer_number(file, 0, 2);
}

static const struct gim_list *vcpus_of(struct gim_state *state, struct gim_error *error)
{
	static const struct gim_list none;
	if (gim_state_decode(state, GIM_PART_GUEST, NULL, NULL, error))
		return NULL;
	const struct gim_object *guest = gim_state_find(state, &guest_record);
	return guest ? &((const struct guest *)(const void *)guest->data)->vcpu : &none;
}

/* What stands before the pages; gives them their places. */
static int lay_elf(struct exporting *exporting, struct gim_buffer *file, struct gim_error *error)
{
	const struct gim_list *vcpus = vcpus_of(gim_memory_state(exporting->memory), error);
	if (!vcpus)
		return error ? error->code : GIM_E_CORRUPT;
	const uint64_t note_bytes = vcpus->count * (uint64_t)(12 + 8 + STATUS_BYTES);
	const uint64_t notes_at = sizeof(Elf64_Ehdr) + (exporting->count + 1) * sizeof(Elf64_Phdr);
	uint64_t at = (notes_at + note_bytes + GIM_PAGE_BYTES - 1) / GIM_PAGE_BYTES * GIM_PAGE_BYTES;
	put_elf_header(file, exporting->count + 1);
	put_program_header(file, PT_NOTE, 0, notes_at, 0, note_bytes);
	for (size_t i = 0; i < exporting->count; i++) {
		struct piece *piece = &exporting->pieces[i];
		const uint64_t size = piece->segment.end - piece->segment.gpa;
		piece->offset = at;
		put_program_header(file, PT_LOAD, PF_R | PF_W | PF_X, at, piece->segment.gpa, size);
		at += size;
	}
	for (uint32_t i = 0; i < vcpus->count; i++)
		put_note(file, (const struct guest_vcpu *)vcpus->items + i, i);
	exporting->size = at;
	return file->failed ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : 0;
}

int gim_memory_export(struct gim_memory *memory, enum gim_export form, const struct gim_export_options *options, struct gim_output *output,
                      struct gim_error *error)
{
	struct exporting exporting = {.memory = memory, .output = output};
	struct gim_buffer head = {.bytes = NULL};
	int result = find_pieces(&exporting, form == GIM_EXPORT_RAW, error);
	if (!result && form == GIM_EXPORT_ELF)
		result = lay_elf(&exporting, &head, error);
	if (!result && head.size) {
		exporting.written = head.size;
		result = gim_output_is_packed(output) ? gim_output_write(output, head.bytes, head.size)
		                                      : gim_output_write_at(output, 0, head.bytes, head.size, error);
	}
	if (!result)
		result = put_pages(&exporting, options, error);
	gim_buffer_free(&head);
	free(exporting.pieces);
	return result;
}
