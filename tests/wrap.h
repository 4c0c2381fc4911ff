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

/* Append a state of the unit tm, which says how many vCPUs there are (0: leave it out), and of GIM with this payload. False: it cannot be written. */
static inline bool wrap_payload(unsigned vcpus, const uint8_t *bytes, size_t size, struct gim_buffer *file)
{
	static const struct ssm_write_options options = {7, 1, 6, 167084, 64, 8, 8, true, false, 2};
	enum { CLOCKS_BYTES = 6 * 8, HEAD_BYTES = CLOCKS_BYTES + 1 + 8 };
	struct gim_buffer tm = {.bytes = NULL};
	struct ssm_writer *writer = NULL;
	for (unsigned i = 0; i < HEAD_BYTES; i++)
		gim_buffer_number(&tm, 0, 1);
	for (unsigned i = 0; i < vcpus; i++)
		gim_buffer_number(&tm, 1000 + i, 8);
	gim_buffer_number(&tm, 2600000000, 8);
	bool done = !ssm_writer_new(&options, wrap_collect, file, &writer, NULL);
	if (done && vcpus)
		done = !ssm_writer_unit(writer, "tm", 1, 3, GIM_PASS_FINAL, NULL) &&
		       !ssm_writer_data(writer, SSM_WRITE_AUTO, tm.bytes, tm.size, NULL);
	done = done && !ssm_writer_unit(writer, "GIM", 0, 1, GIM_PASS_FINAL, NULL) &&
	       !ssm_writer_data(writer, SSM_WRITE_AUTO, bytes, size, NULL) && !ssm_writer_finish(writer, NULL);
	ssm_writer_free(&writer);
	gim_buffer_free(&tm);
	return done && !file->failed;
}

#endif
