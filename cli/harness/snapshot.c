/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Taking and loading snapshots: which pages were ever touched, the kernel says. */
#include "snapshot.h"

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, ENTRIES = 512 };

/* Linux, pagemap.rst: the page is in memory, or swapped out. */
#define PAGE_IS_THERE (UINT64_C(3) << 62)

struct kept_page {
	uint64_t gpa;
	uint8_t bytes[PAGE_BYTES];
};

struct snapshot {
	struct gim_state *state;
	struct kept_page *pages;
	size_t count, room;
	uint64_t ram_bytes;
};

static int keep_page(struct snapshot *snapshot, const struct engine *engine, uint64_t gpa, struct gim_error *error)
{
	static const uint8_t zeroes[PAGE_BYTES];
	const uint8_t *bytes = (const uint8_t *)engine->ram + gpa;
	if (!memcmp(bytes, zeroes, PAGE_BYTES))
		return 0;
	if (snapshot->count == snapshot->room) {
		const size_t room = snapshot->room ? 2 * snapshot->room : 64;
		struct kept_page *pages = reallocarray(snapshot->pages, room, sizeof(*pages));
		if (!pages)
			return error_set(error, GIM_E_MEMORY, "out of memory for what is in the machine's");
		snapshot->pages = pages;
		snapshot->room = room;
	}
	struct kept_page *page = &snapshot->pages[snapshot->count++];
	page->gpa = gpa;
	memcpy(page->bytes, bytes, PAGE_BYTES);
	return 0;
}

/* The entries of the pages from gpa on; where the kernel does not tell, all of them are looked at. */
static void read_map(int map, const struct engine *engine, uint64_t gpa, uint64_t entries[ENTRIES])
{
	const off_t at = (off_t)(((uintptr_t)engine->ram + gpa) / PAGE_BYTES * sizeof(*entries));
	const ssize_t got = map < 0 ? -1 : pread(map, entries, ENTRIES * sizeof(*entries), at);
	for (size_t i = got < 0 ? 0 : (size_t)got / sizeof(*entries); i < ENTRIES; i++)
		entries[i] = PAGE_IS_THERE;
}

static int keep_memory(struct snapshot *snapshot, const struct engine *engine, struct gim_error *error)
{
	const long host_page = sysconf(_SC_PAGESIZE);
	const int map = host_page == PAGE_BYTES ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) : -1;
	uint64_t entries[ENTRIES];
	int result = 0;
	for (uint64_t gpa = 0; !result && engine->ram && gpa < engine->ram_bytes; gpa += (uint64_t)ENTRIES * PAGE_BYTES) {
		read_map(map, engine, gpa, entries);
		for (uint64_t i = 0; !result && i < ENTRIES && gpa + i * PAGE_BYTES < engine->ram_bytes; i++)
			if (entries[i] & PAGE_IS_THERE)
				result = keep_page(snapshot, engine, gpa + i * PAGE_BYTES, error);
		if (!result)
			result = engine_stopped(error);
	}
	if (map >= 0)
		(void)close(map);
	return result;
}

int snapshot_take(struct engine *engine, struct snapshot **snapshot, struct gim_error *error)
{
	struct snapshot *made = calloc(1, sizeof(*made));
	int result = made ? 0 : error_set(error, GIM_E_MEMORY, "out of memory");
	if (!result)
		result = engine_save(engine, &made->state, error);
	if (!result)
		result = keep_memory(made, engine, error);
	if (!result)
		made->ram_bytes = engine->ram_bytes;
	if (result)
		snapshot_free(&made);
	else
		*snapshot = made;
	return result;
}

int snapshot_load(const struct snapshot *snapshot, struct engine *engine, struct gim_error *error)
{
	if (engine->ram_bytes != snapshot->ram_bytes)
		return error_set(error, GIM_E_VALUE, "the snapshot is of a machine with other RAM");
	for (size_t i = 0; i < snapshot->count; i++)
		memcpy((uint8_t *)engine->ram + snapshot->pages[i].gpa, snapshot->pages[i].bytes, PAGE_BYTES);
	return engine_load(engine, snapshot->state, NULL, NULL, error);
}

void snapshot_free(struct snapshot **snapshot)
{
	if (!*snapshot)
		return;
	gim_state_free(&(*snapshot)->state);
	free((*snapshot)->pages);
	free(*snapshot);
	*snapshot = NULL;
}
