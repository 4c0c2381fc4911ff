/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What QEMU's streams of the corpus are wrapped in: libvirt's save images, a snapshot in a qcow2 image and an archive, down to the stream's first and last byte. */
#include "corpus.h"

#include "layer.h"
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { HEADER_BYTES = 92, DATA_BYTES = 66808 };

/* The input of a file, unwrapped as far as it goes. */
static void unwrap(const char *name, struct gim_input *input)
{
	char path[PATH_MAX];
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t head[GIM_HEAD_BYTES];
	size_t size;
	const struct gim_layer_kind *kind;
	(void)snprintf(path, sizeof(path), "%s/qemu/streams/%s", corpus_folder(), name);
	if (gim_input_open(input, path, &error))
		fail_msg("%s: %s", path, error.text);
	do {
		assert_int_equal(gim_input_peek(input, head, sizeof(head), &size, &error), 0);
		kind = gim_layer_find(head, size, false);
		if (kind && gim_layer_open(input, kind, NULL, &error))
			fail_msg("%s: %s", path, error.text);
	} while (kind);
	assert_memory_equal(head, "QEVM\0\0\0\3", 8);
}

/* All of it, read forward; the caller's. */
static struct gim_buffer read_all(struct gim_input *input)
{
	enum { PIECE = 50000 };
	struct gim_buffer all = {.bytes = NULL};
	static uint8_t piece[PIECE];
	size_t got = PIECE;
	while (got == PIECE) {
		struct gim_error error = GIM_ERROR_INIT;
		if (gim_input_read(input, all.size, piece, PIECE, &got, &error))
			fail_msg("%s", error.text);
		gim_buffer_bytes(&all, piece, got);
	}
	return all;
}

static struct gim_buffer read_file(const char *name)
{
	char path[PATH_MAX];
	struct gim_input input;
	(void)snprintf(path, sizeof(path), "%s/qemu/streams/%s", corpus_folder(), name);
	assert_int_equal(gim_input_open(&input, path, NULL), 0);
	struct gim_buffer all = read_all(&input);
	gim_input_close(&input);
	return all;
}

/* It ends with the description's last byte, which a length of four bytes behind a byte 6 leads to. */
static void expect_end(const struct gim_buffer *stream)
{
	assert_int_equal(stream->bytes[stream->size - 1], '}');
	for (size_t at = stream->size - 6; at; at--) {
		const uint8_t *byte = &stream->bytes[at];
		const size_t length = (size_t)byte[1] << 24 | (size_t)byte[2] << 16 | (size_t)byte[3] << 8 | byte[4];
		if (byte[0] == 6 && byte[5] == '{' && at + 5 + length == stream->size)
			return;
	}
	fail_msg("no description reaches the end of the stream");
}

static void test_libvirt(void **user)
{
	static const char *const names[] = {"lv128-raw.save", "lv128-gzip.save", "lv128-xz.save", "lv128-zstd.save"};
	(void)user;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct gim_input input;
		unwrap(names[i], &input);
		struct gim_buffer stream = read_all(&input);
		expect_end(&stream);
		assert_int_equal(input.seekable, !i);
		if (!i) {
			struct gim_buffer file = read_file(names[i]);
			assert_int_equal(input.base, HEADER_BYTES + DATA_BYTES);
			assert_int_equal(stream.size + HEADER_BYTES + DATA_BYTES, file.size);
			assert_memory_equal(stream.bytes, file.bytes + HEADER_BYTES + DATA_BYTES, stream.size);
			gim_buffer_free(&file);
		}
		gim_buffer_free(&stream);
		gim_input_close(&input);
	}
}

/* Each cluster of the state stands somewhere in the image, and what was read in pieces is the same. */
static void test_snapshot(void **user)
{
	enum { STATE_BYTES = 750492, CLUSTER = 65536 };
	struct gim_input input;
	(void)user;
	unwrap("q72-kvm-tiny-savevm.qcow2", &input);
	assert_true(input.seekable);
	assert_int_equal(input.size, STATE_BYTES);
	struct gim_buffer stream = read_all(&input), file = read_file("q72-kvm-tiny-savevm.qcow2");
	assert_int_equal(stream.size, STATE_BYTES);
	expect_end(&stream);
	for (size_t at = 0; at < stream.size; at += CLUSTER) {
		const size_t size = stream.size - at < CLUSTER ? stream.size - at : CLUSTER;
		size_t place = CLUSTER;
		while (place + size <= file.size && memcmp(file.bytes + place, stream.bytes + at, size) != 0)
			place += CLUSTER;
		assert_true(place + size <= file.size);
	}
	gim_buffer_free(&stream);
	gim_buffer_free(&file);
	gim_input_close(&input);
}

/* The file in the archive has holes. */
static void test_archive(void **user)
{
	struct gim_input input;
	(void)user;
	unwrap("q111-kvm-tiny-mappedram.mig.tar.xz", &input);
	assert_int_equal(gim_input_settle(&input, NULL), 0);
	struct gim_buffer stream = read_all(&input);
	expect_end(&stream);
	assert_int_equal(input.base, 0);
	gim_buffer_free(&stream);
	gim_input_close(&input);
}

int main(void)
{
	corpus_require();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_libvirt),
	    cmocka_unit_test(test_snapshot),
	    cmocka_unit_test(test_archive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
