/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures guest memory of a state with 1 GiB of it: the index, single pages, and all of it beside liblzf on the same records: unpacked, into a file in memory, and onto a disk, synced (the goal of extract --ram is 1.5 GB/s). */
#include "../pgm.h"
#include "bench.h"

#include <liblzf/lzf.h>
#include <sys/resource.h>

enum { KINDS = 252, RAM_MIB = 1024, READS = 2000, ROUNDS = 5 };
#define RAM_BYTES ((uint64_t)RAM_MIB << 20)

static uint8_t pages[KINDS][PAGE], packed[KINDS][PAGE];
static unsigned sizes[KINDS]; /* packed; 0: stored as it is, or zeros */

static void make_pages(void)
{
	uint64_t state = 88172645463325252u;
	for (size_t i = 0; i < KINDS; i++) {
		page_fill(pages[i], (enum page_kind)(i % PAGE_KINDS), &state);
		sizes[i] = i % PAGE_KINDS == PAGE_ZERO ? 0 : lzf_compress(pages[i], PAGE, packed[i], 3840);
	}
}

static void put(struct ssm_writer *writer, struct gim_buffer *buffer)
{
	must(!ssm_writer_data(writer, SSM_WRITE_AUTO, buffer->bytes, buffer->size, NULL), "cannot write");
	buffer->size = 0;
}

/* As VirtualBox writes it: a type, and the page in a record of its own. */
static void make_state(const char *path)
{
	static const struct ssm_write_options options = {7, 2, 22, 175245, 64, 8, 8, false, false, 1};
	FILE *file = fopen(path, "wb");
	struct ssm_writer *writer = NULL;
	struct gim_buffer buffer = {.bytes = NULL};
	must(file && !ssm_writer_new(&options, bench_to_file, file, &writer, NULL), "cannot write");
	must(!ssm_writer_unit(writer, "pgm", 1, 14, GIM_PASS_FINAL, NULL), "cannot write");
	pgm_head(&buffer, 14, 1);
	pgm_config(&buffer, 14, RAM_BYTES, 0x20000000, NULL, NULL);
	for (uint64_t gpa = 0, i = 0; gpa < RAM_BYTES; gpa = gpa + PAGE == 0xa0000 ? 0x100000 : gpa + PAGE, i++) {
		const bool zero = i % KINDS % PAGE_KINDS == PAGE_ZERO, says = !gpa || gpa == 0x100000;
		pgm_ram(&buffer, (zero ? PGM_RAM_ZERO : PGM_RAM) | (says ? PGM_ADDRESS : 0), gpa, NULL);
		put(writer, &buffer);
		if (!zero)
			must(!ssm_writer_data(writer, SSM_WRITE_AUTO, pages[i % KINDS], PAGE, NULL), "cannot write");
	}
	gim_buffer_number(&buffer, PGM_END, 1);
	put(writer, &buffer);
	must(!ssm_writer_finish(writer, NULL) && !fclose(file), "cannot write");
	ssm_writer_free(&writer);
	gim_buffer_free(&buffer);
}

static double peak_mib(void)
{
	struct rusage usage;
	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_maxrss / 1024;
}

/* What one core of liblzf makes of the same pages: those that are packed it decodes, the others are copied. */
static double liblzf_s(void)
{
	static uint8_t out[PAGE];
	const double start = now_s();
	for (uint64_t i = 0; i < RAM_BYTES / PAGE; i++) {
		const size_t kind = i % KINDS;
		if (sizes[kind])
			must(lzf_decompress(packed[kind], sizes[kind], out, PAGE) == PAGE, "liblzf fails");
		else
			memcpy(out, pages[kind], PAGE);
		__asm__ volatile("" ::"r"(out) : "memory");
	}
	return now_s() - start;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

static struct gim_memory *open_memory(const char *path, struct gim_state **state, double *seconds)
{
	struct gim_memory *memory = NULL;
	const double start = now_s();
	must(!gim_state_open_settled(path, state, NULL) && !gim_memory_open(*state, NULL, &memory, NULL), "cannot open the state");
	*seconds = now_s() - start;
	return memory;
}

static void measure_index(const char *path)
{
	double best = 1e9;
	uint64_t bytes = 0;
	const double before = peak_mib();
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct gim_state *state = NULL;
		double seconds;
		struct gim_memory *memory = open_memory(path, &state, &seconds);
		best = least(best, seconds);
		bytes = gim_memory_index_bytes(memory);
		gim_memory_free(&memory);
		gim_state_free(&state);
	}
	printf("memory, index of %d MiB  %6.3f s (goal 1)  %.1f MiB (goal 16), %.2f %% of it; the process grew by %.1f MiB\n", RAM_MIB,
	       best, (double)bytes / (1 << 20), 100.0 * (double)bytes / (double)RAM_BYTES, peak_mib() - before);
}

/* The same by an index that was kept in a file. */
static void measure_kept(const char *path, const char *kept)
{
	struct gim_state *state = NULL;
	struct gim_output *output = NULL;
	double written, best = 1e9, made;
	struct gim_memory *memory = open_memory(path, &state, &made);
	double start = now_s();
	must(!gim_output_new(kept, true, &output, NULL) && !gim_memory_index_write(memory, gim_output_write, output, NULL) &&
	         !gim_output_commit(&output, NULL),
	     "cannot keep the index");
	written = now_s() - start;
	gim_memory_free(&memory);
	for (unsigned i = 0; i < ROUNDS; i++) {
		start = now_s();
		must(!gim_memory_open_index(state, kept, &memory, NULL), "the index that was kept is not taken");
		best = least(best, now_s() - start);
		gim_memory_free(&memory);
	}
	gim_state_free(&state);
	printf("memory, index in a file  %6.2f x making it anew  %.4f s; written in %.3f s\n", best / made, best, written);
	(void)unlink(kept);
}

static void measure_reads(struct gim_memory *memory)
{
	uint64_t random = 88172645463325252u;
	static uint8_t page[PAGE];
	double sum = 0, most = 0;
	for (unsigned i = 0; i < READS; i++) {
		const uint64_t gpa = 0x100000 + page_random(&random) % ((RAM_BYTES - 0x100000) / PAGE) * PAGE;
		const double start = now_s();
		must(!gim_memory_read(memory, gpa, page, PAGE, NULL), "cannot read");
		const double seconds = now_s() - start;
		sum += seconds;
		most = seconds > most ? seconds : most;
	}
	printf("memory, 4 KiB by index   %6.4f ms (goal 1)  of %d anywhere; the slowest %.3f ms\n", 1e3 * sum / READS, READS, 1e3 * most);
}

/*
 * All of it: unpacked and not written, into a file in memory, and onto a disk. In each round all in turn, so that what else the machine does meets all.
 */
enum way { WAY_LZF, WAY_ONE, WAY_ALL, WAY_MEMORY_ONE, WAY_MEMORY, WAY_DISK_ONE, WAY_DISK, WAYS };

static int no_look(void *user, const struct gim_memory_chunk *chunk, void **kept, struct gim_error *error)
{
	(void)user;
	(void)kept;
	(void)error;
	__asm__ volatile("" ::"r"(chunk->bytes) : "memory");
	return 0;
}

static double walk_s(struct gim_memory *memory, unsigned threads)
{
	const struct gim_memory_walk walk = {.threads = threads, .look = no_look};
	const double start = now_s();
	must(!gim_memory_walk(memory, &walk, NULL), "cannot go through memory");
	return now_s() - start;
}

/* Until it is whole under its name, and would survive the loss of power. */
static double export_s(struct gim_memory *memory, const char *path, unsigned threads)
{
	struct gim_output *output = NULL;
	const struct gim_export_options options = {.threads = threads};
	const double start = now_s();
	must(!gim_output_new(path, false, &output, NULL) && !gim_memory_export(memory, GIM_EXPORT_RAW, &options, output, NULL) &&
	         !gim_output_commit(&output, NULL),
	     "cannot extract");
	const double seconds = now_s() - start;
	(void)unlink(path);
	return seconds;
}

static int by_time(const void *a, const void *b)
{
	const double one = *(const double *)a, other = *(const double *)b;
	return one < other ? -1 : one > other;
}

static double gb(double seconds)
{
	return (double)RAM_BYTES / seconds / 1e9;
}

static void put_way(const char *name, double seconds[WAYS][ROUNDS], enum way all, enum way one)
{
	printf("memory, %-17s%6.2f x liblzf on one core, median %.2f  %.2f GB/s, median %.2f; by one thread %.2f GB/s, median %.2f\n", name,
	       seconds[WAY_LZF][0] / seconds[all][0], seconds[WAY_LZF][ROUNDS / 2] / seconds[all][ROUNDS / 2], gb(seconds[all][0]),
	       gb(seconds[all][ROUNDS / 2]), gb(seconds[one][0]), gb(seconds[one][ROUNDS / 2]));
}

static void measure_export(struct gim_memory *memory)
{
	static const char shm[] = "/dev/shm/gimstate-bench.raw";
	const char *disk = bench_path("bench-memory.raw");
	double seconds[WAYS][ROUNDS] = {{0}};
	const double before = peak_mib();
	const bool has_shm = !access("/dev/shm", W_OK);
	(void)unlink(shm);
	(void)unlink(disk);
	for (unsigned i = 0; i < ROUNDS; i++) {
		seconds[WAY_LZF][i] = liblzf_s();
		seconds[WAY_ONE][i] = walk_s(memory, 1);
		seconds[WAY_ALL][i] = walk_s(memory, 0);
		seconds[WAY_MEMORY_ONE][i] = has_shm ? export_s(memory, shm, 1) : 0;
		seconds[WAY_MEMORY][i] = has_shm ? export_s(memory, shm, 0) : 0;
		seconds[WAY_DISK_ONE][i] = export_s(memory, disk, 1);
		seconds[WAY_DISK][i] = export_s(memory, disk, 0);
	}
	for (unsigned way = 0; way < WAYS; way++)
		qsort(seconds[way], ROUNDS, sizeof(double), by_time);
	printf("memory, liblzf           %6.2f GB/s, median %.2f  of %d rounds, on one core\n", gb(seconds[WAY_LZF][0]),
	       gb(seconds[WAY_LZF][ROUNDS / 2]), ROUNDS);
	put_way("all unpacked", seconds, WAY_ALL, WAY_ONE);
	if (has_shm)
		put_way("--ram to tmpfs", seconds, WAY_MEMORY, WAY_MEMORY_ONE);
	put_way("--ram to a disk", seconds, WAY_DISK, WAY_DISK_ONE);
	printf("memory, extract --ram    %6.1f MiB more than before it, whatever the size\n", peak_mib() - before);
}

int main(void)
{
	const char *path = bench_path("bench-memory.sav");
	struct gim_state *state = NULL;
	double seconds;
	make_pages();
	make_state(path);
	measure_index(path);
	measure_kept(path, bench_path("bench-memory.index"));
	struct gim_memory *memory = open_memory(path, &state, &seconds);
	measure_reads(memory);
	measure_export(memory);
	gim_memory_free(&memory);
	gim_state_free(&state);
	return unlink(path) ? 2 : 0;
}
