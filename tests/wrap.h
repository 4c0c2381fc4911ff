/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A sound state around a GIM payload. */
#ifndef WRAP_H
#define WRAP_H

#include "cursor.h"
#include "vbox/ssm_write.h"

static inline int wrap_collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

/* What the unit tm says. vcpus 0: leave it out. */
struct wrap_clock {
	unsigned vcpus;
	uint64_t tsc, tsc_hz, virtual_ns; /* of the first vCPU; those after it are a tick ahead each */
};

/* Append a state of the units tm and GIM with this payload. False: it cannot be written. */
static inline bool wrap_at(const struct wrap_clock *clock, const uint8_t *bytes, size_t size, struct gim_buffer *file)
{
	static const struct ssm_write_options options = {7, 1, 6, 167084, 64, 8, 8, true, false, 2};
	struct gim_buffer tm = {.bytes = NULL};
	struct ssm_writer *writer = NULL;
	const uint64_t clocks[] = {1000000000, clock->virtual_ns, clock->virtual_ns, 0, 0, 0};
	for (unsigned i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
		gim_buffer_number(&tm, clocks[i], 8);
	gim_buffer_number(&tm, 0, 1);
	gim_buffer_number(&tm, 1000, 8);
	for (unsigned i = 0; i < clock->vcpus; i++)
		gim_buffer_number(&tm, clock->tsc + i, 8);
	gim_buffer_number(&tm, clock->tsc_hz, 8);
	bool done = !ssm_writer_new(&options, wrap_collect, file, &writer, NULL);
	if (done && clock->vcpus)
		done = !ssm_writer_unit(writer, "tm", 1, 3, GIM_PASS_FINAL, NULL) &&
		       !ssm_writer_data(writer, SSM_WRITE_AUTO, tm.bytes, tm.size, NULL);
	done = done && !ssm_writer_unit(writer, "GIM", 0, 1, GIM_PASS_FINAL, NULL) &&
	       !ssm_writer_data(writer, SSM_WRITE_AUTO, bytes, size, NULL) && !ssm_writer_finish(writer, NULL);
	ssm_writer_free(&writer);
	gim_buffer_free(&tm);
	return done && !file->failed;
}

/* The same at some time. */
static inline bool wrap_payload(unsigned vcpus, const uint8_t *bytes, size_t size, struct gim_buffer *file)
{
	const struct wrap_clock clock = {vcpus, 1000, 2600000000, 0};
	return wrap_at(&clock, bytes, size, file);
}

#endif
