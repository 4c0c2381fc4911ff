/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes a state again without checksums, as a VirtualBox that makes none would have: every unit's payload is the same. */
#include "vbox/ssm.h"
#include "vbox/ssm_write.h"

#include <stdio.h>
#include <stdlib.h>

static int to_file(void *user, const void *bytes, size_t size)
{
	return fwrite(bytes, 1, size, (FILE *)user) != size;
}

static int copy_unit(struct ssm_stream *stream, struct ssm_writer *writer, const struct gim_unit *unit, struct gim_error *error)
{
	static uint8_t piece[64 * 1024];
	size_t got = sizeof(piece);
	int result = ssm_writer_unit(writer, unit->name, unit->instance, unit->version, unit->pass, error);
	while (!result && got == sizeof(piece)) {
		result = ssm_read(stream, piece, sizeof(piece), &got, error);
		if (!result)
			result = ssm_writer_data(writer, SSM_WRITE_AUTO, piece, got, error);
	}
	return result;
}

static int copy_state(struct ssm_stream *stream, FILE *out, struct gim_error *error)
{
	const struct ssm_header *header = &stream->header;
	const struct ssm_write_options options = {
	    .major = header->major,
	    .minor = header->minor,
	    .build = header->build,
	    .revision = header->revision,
	    .host_bits = header->host_bits,
	    .address_bytes = header->address_bytes,
	    .pointer_bytes = header->pointer_bytes,
	    .live = header->live,
	    .units = header->units,
	};
	struct ssm_writer *writer = NULL;
	struct gim_unit unit;
	int more, result = ssm_writer_new(&options, to_file, out, &writer, error);
	ssm_seek(stream, header->size_bytes);
	while (!result && (more = ssm_next(stream, &unit, error)))
		result = more < 0 ? more : copy_unit(stream, writer, &unit, error);
	if (!result)
		result = ssm_writer_finish(writer, error);
	ssm_writer_free(&writer);
	return result;
}

int main(int count, char **words)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_input input;
	struct ssm_stream stream;
	if (count != 3) {
		fprintf(stderr, "usage: uncheck IN OUT\n");
		return 2;
	}
	FILE *out = fopen(words[2], "wb");
	if (!out)
		return perror(words[2]), 2;
	int result = gim_input_open(&input, words[1], &error);
	if (!result) {
		result = ssm_open(&stream, &input, &error);
		if (!result)
			result = copy_state(&stream, out, &error);
		ssm_close(&stream);
		gim_input_close(&input);
	}
	if (fclose(out) || result) {
		fprintf(stderr, "%s: %s\n", words[1], error.text);
		return 2;
	}
	return 0;
}
