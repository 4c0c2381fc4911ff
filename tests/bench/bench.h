/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the measurements share: the clock, and states of any size made from a sample's units and pages of memory. */
#ifndef BENCH_H
#define BENCH_H

#include "gimstate.h"
#include "pages.h"
#include "vbox/lzf.h"
#include "vbox/ssm_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BENCH_SAMPLE "samples/kvm-memory.sav"

static inline double now_s(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "bench: %s\n", what);
		exit(2);
	}
}

static inline int bench_to_file(void *user, const void *bytes, size_t size)
{
	return fwrite(bytes, 1, size, (FILE *)user) != size;
}

static inline int bench_to_unit(void *user, const void *bytes, size_t size)
{
	return ssm_writer_data((struct ssm_writer *)user, SSM_WRITE_AUTO, bytes, size, NULL);
}

/* Pages until the file's share of them is written: lzf_percent of its bytes in LZF records, as many zero records, the rest raw. */
static inline void bench_pages(struct ssm_writer *writer, uint64_t size_bytes, unsigned lzf_percent)
{
	enum { KINDS = 256 };
	static uint8_t pages[KINDS][PAGE], noise[PAGE];
	size_t sizes[KINDS];
	uint64_t state = 88172645463325252u, lzf_bytes = 0, done = 0;
	for (size_t i = 0; i < KINDS; i++) {
		page_fill(pages[i], (enum page_kind)(i % PAGE_ZERO), &state);
		sizes[i] = gim_lzf_encode(pages[i], PAGE, noise, PAGE);
	}
	page_noise(noise, PAGE, &state);
	for (size_t i = 0; done < size_bytes; i++) {
		const bool packed = lzf_bytes * 100 < done * lzf_percent || lzf_percent == 100;
		if (packed && i % 2) {
			must(!ssm_writer_data(writer, SSM_WRITE_ZERO, NULL, PAGE, NULL), "cannot write");
			done += 3;
			if (lzf_percent == 100)
				continue;
		}
		if (packed) {
			must(!ssm_writer_data(writer, SSM_WRITE_LZF, pages[i % KINDS], PAGE, NULL), "cannot write");
			lzf_bytes += sizes[i % KINDS];
			done += sizes[i % KINDS];
		} else {
			memcpy(noise, &i, sizeof(i));
			must(!ssm_writer_data(writer, SSM_WRITE_RAW, noise, PAGE, NULL), "cannot write");
			done += PAGE;
		}
	}
}

/* A checksummed state of about size_bytes: the sample's units, with a unit of pages before the GIM unit. */
static inline void bench_state(const char *path, uint64_t size_bytes, unsigned lzf_percent)
{
	static const struct ssm_write_options options = {.major = 7,
	                                                 .minor = 2,
	                                                 .build = 4,
	                                                 .revision = 170995,
	                                                 .host_bits = 64,
	                                                 .address_bytes = 8,
	                                                 .pointer_bytes = 8,
	                                                 .checksummed = true};
	FILE *file = fopen(path, "wb");
	struct gim_state *sample = NULL;
	struct ssm_writer *writer = NULL;
	struct gim_unit unit = {.offset = 0};
	must(file && !gim_state_open(BENCH_SAMPLE, &sample, NULL), "cannot open the sample or the state to make");
	must(!ssm_writer_new(&options, bench_to_file, file, &writer, NULL), "cannot write");
	while (gim_unit_next(sample, &unit, NULL) == 1) {
		if (!strcmp(unit.name, "GIM")) {
			must(!ssm_writer_unit(writer, "pages", 0, 1, GIM_PASS_FINAL, NULL), "cannot write");
			bench_pages(writer, size_bytes, lzf_percent);
		}
		must(!ssm_writer_unit(writer, unit.name, unit.instance, unit.version, unit.pass, NULL), "cannot write");
		must(!gim_unit_read(sample, &unit, bench_to_unit, writer, NULL), "cannot copy a unit");
	}
	must(!ssm_writer_finish(writer, NULL) && !fclose(file), "cannot write");
	ssm_writer_free(&writer);
	gim_state_free(&sample);
}

/* Where the states are made: beside what is built. The caller's to remove. */
static inline const char *bench_path(const char *name)
{
	static char path[4][512];
	static unsigned next;
	const char *folder = getenv("O");
	char *own = path[next++ % 4];
	(void)snprintf(own, sizeof(path[0]), "%s/%s", folder ? folder : "build", name);
	return own;
}

#endif
