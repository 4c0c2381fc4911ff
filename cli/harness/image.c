/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loading a multiboot kernel (Multiboot Specification 0.6.96; System V ABI for ELF). */
#include "image.h"

#include "output.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_MAGIC 0x1badb002u
#define HEADER_WITHIN 8192 /* bytes of the file */
#define NEEDS_VIDEO 4u
#define NEEDS_UNKNOWN 0xfff8u
#define SEGMENTS_MAX 64
#define LOW_KIB 640u
#define MIB 1048576u
#define INFO_FROM 0x10000u

/* What a boot loader tells (Multiboot, boot information format): the memory, and the command line. */
struct info {
	uint32_t flags, mem_lower_kib, mem_upper_kib, boot_device, cmdline, rest[17];
};
enum { INFO_MEMORY = 1, INFO_CMDLINE = 4 };

struct loading {
	const char *path;
	int fd;
	uint64_t file_bytes;
	uint8_t *ram;
	uint64_t ram_bytes;
	Elf32_Ehdr header;
	Elf32_Phdr segments[SEGMENTS_MAX];
	unsigned count; /* of those that are loaded */
	struct gim_error *error;
};

static int read_at(struct loading *loading, uint64_t at, void *bytes, size_t size, const char *what)
{
	uint8_t *to = bytes;
	if (at > loading->file_bytes || size > loading->file_bytes - at)
		return error_set(loading->error, GIM_E_TRUNCATED, "%s: %s would lie at bytes 0x%llx to 0x%llx, and the file has 0x%llx",
		                 loading->path, what, (unsigned long long)at, (unsigned long long)(at + size),
		                 (unsigned long long)loading->file_bytes);
	for (size_t done = 0; done < size;) {
		const ssize_t got = pread(loading->fd, to + done, size - done, (off_t)(at + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return error_set(loading->error, GIM_E_IO, "%s: it cannot be read: %s", loading->path,
			                 got ? strerror(errno) : "it has become shorter");
		done += (size_t)got;
	}
	return 0;
}

static int open_image(struct loading *loading)
{
	struct stat stat;
	if ((loading->fd = (int)TEMP_FAILURE_RETRY(open(loading->path, O_RDONLY | O_CLOEXEC))) < 0 || fstat(loading->fd, &stat))
		return error_set(loading->error, GIM_E_IO, "%s: it cannot be opened: %s", loading->path, strerror(errno));
	if (!S_ISREG(stat.st_mode))
		return error_set(loading->error, GIM_E_FORMAT, "%s: it is no file", loading->path);
	loading->file_bytes = (uint64_t)stat.st_size;
	return 0;
}

static int check_header(struct loading *loading)
{
	const Elf32_Ehdr *header = &loading->header;
	const char *found = NULL;
	if (loading->file_bytes < sizeof(*header))
		found = "it is shorter than an ELF header";
	else if (read_at(loading, 0, &loading->header, sizeof(*header), "the header"))
		return GIM_E_IO;
	else if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		found = "it is no ELF file";
	else if (header->e_ident[EI_CLASS] != ELFCLASS32)
		found = "it is a 64-bit ELF file; objcopy -O elf32-i386 makes a 32-bit one";
	else if (header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_386)
		found = "it is ELF of another processor";
	else if (header->e_type != ET_EXEC)
		found = "it is not linked to run at a place";
	else if (header->e_phentsize != sizeof(Elf32_Phdr))
		found = "its program headers have another size";
	return found
	           ? error_set(loading->error, GIM_E_FORMAT, "%s: %s; a 32-bit multiboot ELF file of x86 is expected", loading->path, found)
	           : 0;
}

static int check_multiboot(struct loading *loading)
{
	uint8_t bytes[HEADER_WITHIN];
	const size_t size = loading->file_bytes < sizeof(bytes) ? (size_t)loading->file_bytes : sizeof(bytes);
	int result = read_at(loading, 0, bytes, size, "the multiboot header");
	for (size_t at = 0; !result && at + 12 <= size; at += 4) {
		uint32_t words[3];
		memcpy(words, bytes + at, sizeof(words));
		if (words[0] != HEADER_MAGIC || words[0] + words[1] + words[2] != 0)
			continue;
		if (words[1] & (NEEDS_VIDEO | NEEDS_UNKNOWN))
			return error_set(loading->error, GIM_E_UNSUPPORTED,
			                 "%s: it needs of its boot loader what there is not here (multiboot flags 0x%x)", loading->path,
			                 words[1]);
		return 0;
	}
	return result ? result
	              : error_set(loading->error, GIM_E_FORMAT, "%s: there is no multiboot header in its first %d bytes", loading->path,
	                          HEADER_WITHIN);
}

static bool overlaps(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

static int check_segment(struct loading *loading, const Elf32_Phdr *segment)
{
	const unsigned long long from = segment->p_paddr, to = from + segment->p_memsz;
	if (segment->p_filesz > segment->p_memsz)
		return error_set(loading->error, GIM_E_CORRUPT, "%s: the segment at 0x%llx has 0x%x bytes in the file and 0x%x in memory",
		                 loading->path, from, segment->p_filesz, segment->p_memsz);
	if (to > loading->ram_bytes)
		return error_set(loading->error, GIM_E_LIMIT,
		                 "%s: the segment from 0x%llx to 0x%llx is outside of the %llu MiB of RAM; --mem gives more", loading->path,
		                 from, to, (unsigned long long)loading->ram_bytes / MIB);
	for (unsigned i = 0; i < loading->count; i++)
		if (overlaps(from, segment->p_memsz, loading->segments[i].p_paddr, loading->segments[i].p_memsz))
			return error_set(loading->error, GIM_E_CORRUPT, "%s: the segments at 0x%llx and 0x%x overlap", loading->path, from,
			                 loading->segments[i].p_paddr);
	return 0;
}

static int load_segments(struct loading *loading)
{
	int result = 0;
	for (unsigned i = 0; !result && i < loading->header.e_phnum; i++) {
		Elf32_Phdr segment;
		result = read_at(loading, loading->header.e_phoff + (uint64_t)i * sizeof(segment), &segment, sizeof(segment),
		                 "a program header");
		if (result || segment.p_type != PT_LOAD || !segment.p_memsz)
			continue;
		if (loading->count == SEGMENTS_MAX)
			return error_set(loading->error, GIM_E_LIMIT, "%s: it has more than %d segments", loading->path, SEGMENTS_MAX);
		result = check_segment(loading, &segment);
		if (!result)
			result = read_at(loading, segment.p_offset, loading->ram + segment.p_paddr, segment.p_filesz, "a segment");
		loading->segments[loading->count++] = segment;
	}
	if (!result && !loading->count)
		result = error_set(loading->error, GIM_E_FORMAT, "%s: it has nothing to load", loading->path);
	return result;
}

/* Where the entry is loaded: its address is a virtual one, before there are any. */
static int find_entry(struct loading *loading, uint32_t *entry_gpa)
{
	const uint32_t entry = loading->header.e_entry;
	for (unsigned i = 0; i < loading->count; i++) {
		const Elf32_Phdr *segment = &loading->segments[i];
		if (entry >= segment->p_vaddr && entry - segment->p_vaddr < segment->p_memsz)
			return *entry_gpa = entry - segment->p_vaddr + segment->p_paddr, 0;
	}
	return error_set(loading->error, GIM_E_CORRUPT, "%s: its entry, 0x%x, is in no segment", loading->path, entry);
}

/* Room outside of all segments, and of the low pages that guests start their other vCPUs in. */
static uint64_t find_room(const struct loading *loading, uint64_t bytes)
{
	uint64_t at = INFO_FROM;
	for (bool again = true; again;) {
		again = false;
		for (unsigned i = 0; i < loading->count; i++)
			if (overlaps(at, bytes, loading->segments[i].p_paddr, loading->segments[i].p_memsz)) {
				at = ((uint64_t)loading->segments[i].p_paddr + loading->segments[i].p_memsz + 15) / 16 * 16;
				again = true;
			}
	}
	return at;
}

static int write_info(struct loading *loading, const char *append, uint32_t *info_gpa)
{
	const size_t path_bytes = strlen(loading->path), append_bytes = append ? strlen(append) : 0;
	const uint64_t bytes = sizeof(struct info) + path_bytes + append_bytes + 2, at = find_room(loading, bytes);
	if (at + bytes > loading->ram_bytes)
		return error_set(loading->error, GIM_E_LIMIT, "%s: no room is left beside it for its command line; --mem gives more",
		                 loading->path);
	const struct info info = {
	    .flags = INFO_MEMORY | INFO_CMDLINE,
	    .mem_lower_kib = LOW_KIB,
	    .mem_upper_kib = loading->ram_bytes > MIB ? (uint32_t)((loading->ram_bytes - MIB) / 1024) : 0,
	    .cmdline = (uint32_t)(at + sizeof(info)),
	};
	char *line = (char *)loading->ram + info.cmdline;
	memcpy(loading->ram + at, &info, sizeof(info));
	memcpy(line, loading->path, path_bytes + 1);
	if (append_bytes) {
		line[path_bytes] = ' ';
		memcpy(line + path_bytes + 1, append, append_bytes + 1);
	}
	*info_gpa = (uint32_t)at;
	return 0;
}

int image_load(const char *path, const char *append, uint8_t *ram, uint64_t ram_bytes, struct image *image, struct gim_error *error)
{
	struct loading loading = {.path = path, .fd = -1, .ram = ram, .ram_bytes = ram_bytes, .error = error};
	struct image loaded = {0, 0};
	int result = open_image(&loading);
	if (!result)
		result = check_header(&loading);
	if (!result)
		result = check_multiboot(&loading);
	if (!result)
		result = load_segments(&loading);
	if (!result)
		result = find_entry(&loading, &loaded.entry_gpa);
	if (!result)
		result = write_info(&loading, append, &loaded.info_gpa);
	if (loading.fd >= 0)
		(void)close(loading.fd);
	if (!result)
		*image = loaded;
	return result;
}
