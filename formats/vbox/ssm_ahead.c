/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring of slices: workers fill those ahead of the walker and check what it left behind; the walker takes a share while it would have to wait. */
#include "vbox/ssm_ahead.h"

#include "error.h"
#include "vbox/crc.h"
#include "vbox/lzf.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS_MAX = 7, SMALL_FILE_BYTES = 2 * SSM_SLICE_BYTES, PIECE_BYTES = 128 * 1024, BLOCKS_MAX = 8192 };

enum slice_state {
	FREE,    /* nobody needs it */
	WORKING, /* somebody fills or checks it */
	FILLED,  /* the walker is in it or comes to it */
	LEFT,    /* the walker left blocks to check in it */
};

struct slice {
	enum slice_state state;
	uint8_t *bytes; /* SSM_SLICE_BYTES and GIM_LZF_SLACK, from the first use on */
	size_t size;    /* less than SSM_SLICE_BYTES only at the end of the file */
	uint32_t crc;   /* of this slice alone */
	struct gim_error error;
	struct gim_lzf_block *blocks; /* to check, of BLOCKS_MAX */
	size_t block_count;
};

struct ssm_ahead {
	struct gim_input *input;
	gim_progress_fn *progress;
	void *progress_user;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* a slice's state */
	pthread_t workers[WORKERS_MAX];
	unsigned worker_count;
	bool stop, unsound; /* unsound: a block does not unpack */

	struct slice ring[SSM_SLICES];
	uint64_t first; /* number of the oldest slice that is held: the walker is in it */
	uint64_t next;  /* number of the first one that nobody has begun */

	/* The walker's own. */
	bool holds_first;   /* slice `first` is done */
	uint32_t crc;       /* of everything before slice `first` */
	uint32_t inner_crc; /* of the first inner_bytes of slice `first` */
	size_t inner_bytes;
	uint8_t *straddling; /* SSM_PEEK_MAX bytes: what lies in two slices */
};

static struct slice *slice_of(struct ssm_ahead *ahead, uint64_t number)
{
	return &ahead->ring[number % SSM_SLICES];
}

/* Read and sum up in pieces that the processor's cache still holds for the sum. */
static void fill(struct ssm_ahead *ahead, uint64_t number)
{
	struct slice *slice = slice_of(ahead, number);
	size_t got = PIECE_BYTES;
	slice->size = 0;
	slice->crc = 0;
	slice->error = (struct gim_error)GIM_ERROR_INIT;
	if (!slice->bytes && !(slice->bytes = calloc(1, SSM_SLICE_BYTES + GIM_LZF_SLACK)))
		(void)gim_fail(&slice->error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	while (!slice->error.code && got == PIECE_BYTES && slice->size < SSM_SLICE_BYTES) {
		uint8_t *piece = slice->bytes + slice->size;
		if (gim_input_read(ahead->input, number * SSM_SLICE_BYTES + slice->size, piece, PIECE_BYTES, &got, &slice->error))
			break;
		slice->crc = gim_crc32(slice->crc, piece, got);
		slice->size += got;
	}
}

/* With the lock held, but not meanwhile: do one piece of work, if there is one. beyond_end: what would be read lies behind the file's end, as far as that is known. */
static bool do_some(struct ssm_ahead *ahead, bool beyond_end)
{
	for (size_t i = 0; i < SSM_SLICES; i++) {
		struct slice *slice = &ahead->ring[i];
		if (slice->state != LEFT)
			continue;
		slice->state = WORKING;
		(void)pthread_mutex_unlock(&ahead->lock);
		const bool sound = gim_lzf_check(slice->bytes, slice->blocks, slice->block_count);
		(void)pthread_mutex_lock(&ahead->lock);
		slice->block_count = 0;
		slice->state = FREE;
		ahead->unsound |= !sound;
		(void)pthread_cond_broadcast(&ahead->changed);
		return true;
	}
	struct slice *slice = slice_of(ahead, ahead->next);
	if (slice->state != FREE || (!beyond_end && ahead->next * SSM_SLICE_BYTES >= ahead->input->size))
		return false;
	const uint64_t number = ahead->next++;
	slice->state = WORKING;
	(void)pthread_mutex_unlock(&ahead->lock);
	fill(ahead, number);
	(void)pthread_mutex_lock(&ahead->lock);
	slice->state = FILLED;
	(void)pthread_cond_broadcast(&ahead->changed);
	return true;
}

static void *work(void *argument)
{
	struct ssm_ahead *ahead = (struct ssm_ahead *)argument;
	(void)pthread_mutex_lock(&ahead->lock);
	while (!ahead->stop)
		if (!do_some(ahead, false))
			(void)pthread_cond_wait(&ahead->changed, &ahead->lock);
	(void)pthread_mutex_unlock(&ahead->lock);
	return NULL;
}

int ssm_ahead_new(struct gim_input *input, unsigned threads, gim_progress_fn *progress, void *progress_user, struct ssm_ahead **ahead,
                  struct gim_error *error)
{
	struct ssm_ahead *made = calloc(1, sizeof(*made));
	if (!made || !(made->straddling = malloc(SSM_PEEK_MAX))) {
		free(made);
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	}
	made->input = input;
	made->progress = progress;
	made->progress_user = progress_user;
	(void)pthread_mutex_init(&made->lock, NULL);
	(void)pthread_cond_init(&made->changed, NULL);
	if (!input->seekable || input->memory || input->size < SMALL_FILE_BYTES)
		threads = 1;
	/* A thread that the system refuses is one fewer, not a failure. */
	while (made->worker_count + 1 < threads && made->worker_count < WORKERS_MAX &&
	       !pthread_create(&made->workers[made->worker_count], NULL, work, made))
		made->worker_count++;
	*ahead = made;
	return 0;
}

void ssm_ahead_free(struct ssm_ahead *ahead)
{
	if (!ahead)
		return;
	(void)pthread_mutex_lock(&ahead->lock);
	ahead->stop = true;
	(void)pthread_cond_broadcast(&ahead->changed);
	(void)pthread_mutex_unlock(&ahead->lock);
	for (unsigned i = 0; i < ahead->worker_count; i++)
		(void)pthread_join(ahead->workers[i], NULL);
	(void)pthread_cond_destroy(&ahead->changed);
	(void)pthread_mutex_destroy(&ahead->lock);
	for (size_t i = 0; i < SSM_SLICES; i++) {
		free(ahead->ring[i].bytes);
		free(ahead->ring[i].blocks);
	}
	free(ahead->straddling);
	free(ahead);
}

/* Have slice `number`, which is first or a later one within the ring. */
static int need(struct ssm_ahead *ahead, uint64_t number, struct slice **slice, struct gim_error *error)
{
	*slice = slice_of(ahead, number);
	if (number == ahead->first && ahead->holds_first)
		return 0;
	(void)pthread_mutex_lock(&ahead->lock);
	/* Alone, do only what is needed; otherwise take a share while somebody else is at it. */
	while (number >= ahead->next || (*slice)->state != FILLED)
		if (!((number >= ahead->next || ahead->worker_count) && do_some(ahead, number >= ahead->next)))
			(void)pthread_cond_wait(&ahead->changed, &ahead->lock);
	(void)pthread_mutex_unlock(&ahead->lock);
	ahead->holds_first |= number == ahead->first && !(*slice)->error.code;
	return (*slice)->error.code ? gim_fail_as(error, &(*slice)->error) : 0;
}

/* Leave the first slice behind. */
static int advance(struct ssm_ahead *ahead, struct gim_error *error)
{
	struct slice *slice;
	int result = need(ahead, ahead->first, &slice, error);
	if (result)
		return result;
	ahead->crc = gim_crc32_join(ahead->crc, slice->crc, slice->size);
	ahead->inner_crc = 0;
	ahead->inner_bytes = 0;
	ahead->holds_first = false;
	(void)pthread_mutex_lock(&ahead->lock);
	slice->state = slice->block_count ? LEFT : FREE;
	ahead->first++;
	(void)pthread_cond_broadcast(&ahead->changed);
	(void)pthread_mutex_unlock(&ahead->lock);
	if (ahead->progress && ahead->progress(ahead->progress_user, ahead->first * SSM_SLICE_BYTES, ahead->input->size))
		return gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped");
	return 0;
}

/* Make the slice with `offset` the first, as far as the file goes. */
static int go_to(struct ssm_ahead *ahead, uint64_t offset, struct slice **slice, struct gim_error *error)
{
	int result = need(ahead, ahead->first, slice, error);
	while (!result && offset / SSM_SLICE_BYTES > ahead->first && (*slice)->size == SSM_SLICE_BYTES) {
		result = advance(ahead, error);
		if (!result)
			result = need(ahead, ahead->first, slice, error);
	}
	return result;
}

int ssm_ahead_peek(struct ssm_ahead *ahead, uint64_t offset, size_t size, const uint8_t **bytes, size_t *got, struct gim_error *error)
{
	struct slice *slice;
	assert(size <= SSM_PEEK_MAX && offset >= ahead->first * SSM_SLICE_BYTES);
	int result = go_to(ahead, offset, &slice, error);
	if (result)
		return result;
	const uint64_t start = offset - ahead->first * SSM_SLICE_BYTES;
	const size_t here = start < slice->size ? slice->size - (size_t)start : 0;
	if (here >= size || slice->size < SSM_SLICE_BYTES) {
		*bytes = slice->bytes + (here ? start : 0);
		*got = here;
		return 0;
	}
	struct slice *second;
	result = need(ahead, ahead->first + 1, &second, error);
	if (result)
		return result;
	const size_t there = second->size < size - here ? second->size : size - here;
	memcpy(ahead->straddling, slice->bytes + start, here);
	memcpy(ahead->straddling + here, second->bytes, there);
	*bytes = ahead->straddling;
	*got = here + there;
	return 0;
}

int ssm_ahead_crc(struct ssm_ahead *ahead, uint64_t offset, uint32_t *crc, struct gim_error *error)
{
	struct slice *slice;
	int result = go_to(ahead, offset, &slice, error);
	if (result)
		return result;
	const uint64_t start = offset - ahead->first * SSM_SLICE_BYTES;
	const size_t inner = start < slice->size ? (size_t)start : slice->size;
	/* Go on from the last question in this slice. */
	if (inner < ahead->inner_bytes)
		ahead->inner_bytes = ahead->inner_crc = 0;
	ahead->inner_crc = gim_crc32(ahead->inner_crc, slice->bytes + ahead->inner_bytes, inner - ahead->inner_bytes);
	ahead->inner_bytes = inner;
	*crc = gim_crc32_join(ahead->crc, ahead->inner_crc, inner);
	return 0;
}

bool ssm_ahead_check_later(struct ssm_ahead *ahead, uint64_t offset, size_t size, size_t unpacked)
{
	struct slice *slice = slice_of(ahead, ahead->first);
	const uint64_t start = ahead->first * SSM_SLICE_BYTES;
	if (!ahead->holds_first || offset < start || offset + size > start + slice->size || slice->block_count == BLOCKS_MAX)
		return false;
	if (!slice->blocks)
		slice->blocks = calloc(BLOCKS_MAX, sizeof(*slice->blocks));
	if (!slice->blocks)
		return false;
	slice->blocks[slice->block_count++] = (struct gim_lzf_block){(uint32_t)(offset - start), (uint32_t)size, (uint32_t)unpacked};
	return true;
}

bool ssm_ahead_sound(struct ssm_ahead *ahead)
{
	(void)pthread_mutex_lock(&ahead->lock);
	struct slice *first = slice_of(ahead, ahead->first);
	if (ahead->holds_first && first->block_count) {
		ahead->unsound |= !gim_lzf_check(first->bytes, first->blocks, first->block_count);
		first->block_count = 0;
	}
	for (size_t i = 0; i < SSM_SLICES; i++)
		while (ahead->ring[i].state == LEFT || ahead->ring[i].state == WORKING)
			if (ahead->ring[i].state == WORKING || !do_some(ahead, false))
				(void)pthread_cond_wait(&ahead->changed, &ahead->lock);
	const bool sound = !ahead->unsound;
	(void)pthread_mutex_unlock(&ahead->lock);
	return sound;
}
