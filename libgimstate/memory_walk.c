/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Going through guest memory with several threads: each takes the next chunk of the address space, reads it and has it looked at; what came of it is handed on in the order of addresses.
 */
#include "memory.h"

#include "error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_PAGES = 256, CHUNK_BYTES = CHUNK_PAGES * GIM_PAGE_BYTES, THREADS_MAX = 16, SLOTS_EACH = 4 };

/* A chunk from when a thread takes it until it is handed on. */
struct slot {
	struct gim_memory_chunk chunk;
	void *kept;
	struct gim_error error;
	int result;
	bool ready;
};

struct walk {
	struct gim_memory *memory;
	const struct gim_memory_walk *wanted;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	uint64_t all_bytes;     /* that there are to walk over */
	uint64_t next_gpa;      /* where the next chunk begins */
	uint64_t taken, handed; /* chunks */
	bool exhausted, stopping;
	struct slot *slots;
	size_t slot_count;
};

/* One thread's. */
struct worker {
	struct walk *walk;
	struct gim_page_reader *reader;
	uint8_t *bytes, *kinds;
	size_t page_count; /* of both, with what may be asked for behind a chunk */
	uint8_t *dirty;    /* of each page of bytes: it is not zeros */
	pthread_t thread;
	bool started;
};

static void free_worker(struct worker *worker)
{
	gim_page_reader_free(worker->reader);
	free(worker->bytes);
	free(worker->kinds);
	free(worker->dirty);
}

static int new_worker(struct worker *worker, struct walk *walk, struct gim_error *error)
{
	worker->walk = walk;
	worker->page_count = CHUNK_PAGES + (walk->wanted->more_bytes + GIM_PAGE_BYTES - 1) / GIM_PAGE_BYTES;
	worker->bytes = aligned_alloc(GIM_PAGE_BYTES, worker->page_count * GIM_PAGE_BYTES); /* as writing past the page cache wants it */
	worker->kinds = calloc(worker->page_count, 1);
	worker->dirty = malloc(worker->page_count);
	if (!worker->bytes || !worker->kinds || !worker->dirty)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	memset(worker->dirty, 1, worker->page_count);
	return gim_page_reader_new(walk->memory, true, &worker->reader, error);
}

/* The chunk from *gpa on, which moves behind it; false: there is none before the end. */
static bool next_chunk(const struct walk *walk, uint64_t *gpa, struct gim_memory_chunk *chunk)
{
	struct gim_memory_segment segment;
	while (gim_memory_segment(walk->memory, *gpa, &segment) && segment.gpa < walk->wanted->end) {
		const uint64_t end = segment.end < walk->wanted->end ? segment.end : walk->wanted->end;
		uint64_t from = segment.gpa > *gpa ? segment.gpa : *gpa;
		if (walk->wanted->skip_zeros && from < end)
			from += gim_memory_zeros(walk->memory, &segment, from, end - from);
		if (from >= end && end < segment.end)
			return false;
		const uint64_t border = from - from % CHUNK_BYTES + CHUNK_BYTES;
		*gpa = border < end ? border : end;
		*chunk = (struct gim_memory_chunk){.gpa = from, .size_bytes = (size_t)(*gpa - from)};
		if (from < end)
			return true;
		*gpa = segment.end;
	}
	return false;
}

/* Read pages, from the one at gpa on, as far as they are there. */
static int fill(struct worker *worker, uint64_t gpa, size_t pages, size_t *filled, struct gim_error *error)
{
	struct gim_memory_segment segment = {.end = 0};
	int result = 0;
	for (*filled = 0; !result && *filled < pages; gpa += GIM_PAGE_BYTES) {
		if (gpa >= segment.end && (!gim_memory_segment(worker->walk->memory, gpa, &segment) || gpa < segment.gpa))
			break;
		const size_t i = *filled;
		uint8_t *page = worker->bytes + i * GIM_PAGE_BYTES;
		const uint64_t index = segment.first + (gpa - segment.gpa) / GIM_PAGE_BYTES;
		uint64_t place;
		const bool data = gim_memory_page(worker->walk->memory, segment.range, index, &place) == GIM_PAGE_DATA;
		worker->kinds[i] = (uint8_t)gim_memory_at(worker->walk->memory, gpa, NULL);
		if (data)
			result = gim_page_read(worker->reader, segment.range, index, page, error);
		else if (worker->dirty[i])
			memset(page, 0, GIM_PAGE_BYTES);
		worker->dirty[i] = data;
		(*filled)++;
	}
	return result;
}

static int look(struct worker *worker, struct gim_memory_chunk *chunk, void **kept, struct gim_error *error)
{
	const struct gim_memory_walk *wanted = worker->walk->wanted;
	const size_t lead = chunk->gpa % GIM_PAGE_BYTES, whole = lead + chunk->size_bytes;
	size_t pages = (whole + wanted->more_bytes + GIM_PAGE_BYTES - 1) / GIM_PAGE_BYTES, filled;
	pages = pages < worker->page_count ? pages : worker->page_count;
	int result = fill(worker, chunk->gpa - lead, pages, &filled, error);
	if (result)
		return result;
	const size_t more = filled * GIM_PAGE_BYTES - whole;
	chunk->more_bytes = more < wanted->more_bytes ? more : wanted->more_bytes;
	chunk->bytes = worker->bytes + lead;
	chunk->kinds = worker->kinds;
	result = wanted->look ? wanted->look(wanted->user, chunk, kept, error) : 0;
	return result > 0 ? gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped") : result;
}

static void *work(void *user)
{
	struct worker *worker = (struct worker *)user;
	struct walk *walk = worker->walk;
	(void)pthread_mutex_lock(&walk->lock);
	while (!walk->stopping && !walk->exhausted) {
		struct gim_memory_chunk chunk;
		if (walk->taken - walk->handed == walk->slot_count) {
			(void)pthread_cond_wait(&walk->moved, &walk->lock);
			continue;
		}
		if (!next_chunk(walk, &walk->next_gpa, &chunk)) {
			walk->exhausted = true;
			break;
		}
		struct slot *slot = &walk->slots[walk->taken++ % walk->slot_count];
		*slot = (struct slot){.chunk = chunk, .error = GIM_ERROR_INIT};
		(void)pthread_mutex_unlock(&walk->lock);
		const int result = look(worker, &slot->chunk, &slot->kept, &slot->error);
		slot->chunk.bytes = slot->chunk.kinds = NULL;
		(void)pthread_mutex_lock(&walk->lock);
		slot->result = result;
		slot->ready = true;
		(void)pthread_cond_broadcast(&walk->moved);
	}
	(void)pthread_cond_broadcast(&walk->moved);
	(void)pthread_mutex_unlock(&walk->lock);
	return NULL;
}

/* Hand on what one chunk gave. */
static int hand_on(const struct walk *walk, struct slot *slot, uint64_t *done, struct gim_error *error)
{
	const struct gim_memory_walk *wanted = walk->wanted;
	if (slot->result)
		return gim_fail_as(error, &slot->error);
	*done += slot->chunk.size_bytes;
	int result = wanted->done ? wanted->done(wanted->user, &slot->chunk, slot->kept) : 0;
	slot->kept = NULL;
	if (!result && wanted->progress)
		result = wanted->progress(wanted->progress_user, *done, walk->all_bytes);
	return result ? gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped") : 0;
}

/* In the caller's thread, until all is handed on or something fails. */
static int hand_all_on(struct walk *walk, struct gim_error *error)
{
	uint64_t done = 0;
	int result = 0;
	(void)pthread_mutex_lock(&walk->lock);
	while (!result) {
		struct slot *slot = &walk->slots[walk->handed % walk->slot_count];
		if (walk->handed < walk->taken && slot->ready) {
			(void)pthread_mutex_unlock(&walk->lock);
			result = hand_on(walk, slot, &done, error);
			(void)pthread_mutex_lock(&walk->lock);
			if (!result)
				walk->handed++;
			(void)pthread_cond_broadcast(&walk->moved);
		} else if (walk->handed == walk->taken && walk->exhausted) {
			break;
		} else {
			(void)pthread_cond_wait(&walk->moved, &walk->lock);
		}
	}
	walk->stopping = true;
	(void)pthread_cond_broadcast(&walk->moved);
	(void)pthread_mutex_unlock(&walk->lock);
	return result;
}

static int run(struct walk *walk, struct worker *workers, unsigned threads, struct gim_error *error)
{
	int result = 0;
	unsigned started = 0;
	for (unsigned i = 0; !result && i < threads; i++)
		result = new_worker(&workers[i], walk, error);
	for (unsigned i = 0; !result && i < threads; i++)
		started += workers[i].started = !pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	if (!result && !started)
		result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "no thread can be started");
	if (!result)
		result = hand_all_on(walk, error);
	for (unsigned i = 0; i < threads; i++) {
		if (workers[i].started)
			(void)pthread_join(workers[i].thread, NULL);
		free_worker(&workers[i]);
	}
	/* What nobody gets any more. */
	for (uint64_t i = walk->handed; walk->wanted->drop && i < walk->taken; i++)
		if (walk->slots[i % walk->slot_count].kept)
			walk->wanted->drop(walk->wanted->user, walk->slots[i % walk->slot_count].kept);
	return result;
}

static uint64_t count_bytes(const struct gim_memory *memory, uint64_t gpa, uint64_t end)
{
	struct gim_memory_segment segment;
	uint64_t bytes = 0;
	for (; gim_memory_segment(memory, gpa, &segment) && segment.gpa < end; gpa = segment.end)
		bytes += (segment.end < end ? segment.end : end) - (segment.gpa > gpa ? segment.gpa : gpa);
	return bytes;
}

int gim_memory_walk(struct gim_memory *memory, const struct gim_memory_walk *walk, struct gim_error *error)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned threads = walk->threads ? walk->threads : processors > 4 ? 4 : processors > 0 ? (unsigned)processors : 1;
	threads = threads < THREADS_MAX ? threads : THREADS_MAX;
	if (walk->more_bytes > CHUNK_BYTES)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "at most %d bytes can be asked for behind a chunk", CHUNK_BYTES);
	struct gim_memory_walk wanted = *walk;
	if (!wanted.end)
		wanted.end = UINT64_MAX;
	struct walk own = {.memory = memory, .wanted = &wanted, .next_gpa = walk->gpa, .slot_count = (size_t)threads * SLOTS_EACH};
	own.all_bytes = count_bytes(memory, wanted.gpa, wanted.end);
	struct worker workers[THREADS_MAX] = {{.walk = NULL}};
	own.slots = calloc(own.slot_count, sizeof(*own.slots));
	if (!own.slots)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	(void)pthread_mutex_init(&own.lock, NULL);
	(void)pthread_cond_init(&own.moved, NULL);
	int result = run(&own, workers, threads, error);
	(void)pthread_cond_destroy(&own.moved);
	(void)pthread_mutex_destroy(&own.lock);
	free(own.slots);
	return result;
}
