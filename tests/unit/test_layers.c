/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests what a state may be wrapped in: libvirt's save images in each compression and byte order, archives of one file, and what is wrapped several times. */
#include "cursor.h"
#include "packed.h"
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STREAM_BYTES = 70000, HEADER_BYTES = 92 };
#define XML "<domain type='kvm'><name>tiny</name></domain>"
#define COOKIE "<cookie/>"

/* Something that a format takes: a JSON document, which is long, so that it is more than a block of whoever packs it. */
static char stream[STREAM_BYTES + 1];

static int make_stream(void **user)
{
	(void)user;
	static const char beginning[] =
	    "{\"gimstate\": 1, \"gim\": {\"unit_version\": 1, \"provider\": \"none\", \"provider_version\": 0, \"layout\": null, "
	    "\"interfaces\": null, \"trailing\": null, \"delimiter\": null}";
	memset(stream, ' ', STREAM_BYTES);
	memcpy(stream, beginning, sizeof(beginning) - 1);
	stream[STREAM_BYTES - 1] = '}';
	return 0;
}

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static void pack(struct gim_buffer *packed, enum gim_archive archive, enum gim_filter filter, unsigned files, const void *bytes,
                 size_t size)
{
	struct gim_packer *packer = NULL;
	if (archive == GIM_ARCHIVE_NONE && filter == GIM_FILTER_NONE) {
		gim_buffer_bytes(packed, bytes, size);
		return;
	}
	assert_int_equal(gim_packer_new(archive, filter, collect, packed, &packer, NULL), 0);
	for (unsigned i = 0; i < files; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "folder/%u", i);
		if (archive != GIM_ARCHIVE_NONE)
			assert_int_equal(gim_packer_member(packer, name, size, NULL), 0);
		assert_int_equal(gim_packer_write(packer, bytes, size, NULL), 0);
	}
	assert_int_equal(gim_packer_finish(&packer, NULL), 0);
}

struct image {
	bool big;
	uint32_t version, format, data_bytes, cookie;
	const char *magic;
};
static const struct image usual = {.version = 2, .data_bytes = 200, .cookie = sizeof(XML), .magic = "LibvirtQemudSave"};

static void begin_image(struct gim_buffer *buffer, const struct image *image)
{
	buffer->big = image->big;
	gim_buffer_bytes(buffer, image->magic, 16);
	gim_buffer_number(buffer, image->version, 4);
	gim_buffer_number(buffer, image->data_bytes, 4);
	gim_buffer_number(buffer, 1, 4);
	gim_buffer_number(buffer, image->format, 4);
	gim_buffer_number(buffer, image->cookie, 4);
	while (buffer->size < HEADER_BYTES)
		gim_buffer_number(buffer, 0, 4);
	gim_buffer_bytes(buffer, XML, sizeof(XML));
	if (image->cookie)
		gim_buffer_bytes(buffer, COOKIE, sizeof(COOKIE));
	while (buffer->size < HEADER_BYTES + image->data_bytes)
		gim_buffer_number(buffer, 0, 1);
}

/* Find the format of the bytes, and compare what is in them with the stream. */
static void expect_stream(const void *bytes, size_t size, bool seekable, uint64_t base)
{
	struct gim_input input;
	const struct gim_format *format = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	static char read[STREAM_BYTES + 1];
	size_t got;
	gim_input_open_memory(&input, bytes, size);
	assert_int_equal(gim_format_find(&input, &format, &error), 0);
	assert_string_equal(format->name, "json");
	assert_int_equal(input.seekable, seekable);
	assert_int_equal(input.base, base);
	assert_int_equal(input.size, seekable ? STREAM_BYTES : GIM_UNKNOWN);
	if (seekable) {
		assert_int_equal(gim_input_read(&input, STREAM_BYTES - 1, read, 5, &got, &error), 0);
		assert_int_equal(got, 1);
		assert_int_equal(gim_input_read(&input, UINT64_MAX, read, 5, &got, &error), 0);
		assert_int_equal(got, 0);
	}
	assert_int_equal(gim_input_read(&input, 0, read, STREAM_BYTES + 1, &got, &error), 0);
	assert_int_equal(got, STREAM_BYTES);
	assert_memory_equal(read, stream, STREAM_BYTES);
	gim_input_close(&input);
}

static void refuse(const void *bytes, size_t size, int code, uint64_t offset, const char *words)
{
	struct gim_input input;
	const struct gim_format *format = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	gim_input_open_memory(&input, bytes, size);
	assert_int_equal(gim_format_find(&input, &format, &error), code);
	assert_non_null(strstr(error.text, words));
	assert_int_equal(error.offset, offset);
	gim_input_close(&input);
}

static void test_libvirt(void **user)
{
	static const enum gim_filter filters[] = {GIM_FILTER_NONE, GIM_FILTER_GZIP, GIM_FILTER_BZIP2, GIM_FILTER_XZ, GIM_FILTER_ZSTD};
	(void)user;
	for (unsigned big = 0; big < 2; big++)
		for (size_t f = 0; f < sizeof(filters) / sizeof(filters[0]); f++) {
			struct image image = usual;
			struct gim_buffer buffer = {.bytes = NULL}, packed = {.bytes = NULL};
			image.big = big;
			begin_image(&buffer, &image);
			pack(&packed, GIM_ARCHIVE_NONE, filters[f], 1, stream, STREAM_BYTES);
			gim_buffer_bytes(&buffer, packed.bytes, packed.size);
			expect_stream(buffer.bytes, buffer.size, !f, f ? 0 : HEADER_BYTES + usual.data_bytes);
			gim_buffer_free(&packed);
			gim_buffer_free(&buffer);
		}
}

static void expect_text(struct gim_state *state, const char *path, const char *wanted)
{
	const struct gim_value value = gim_state_value(state, path);
	assert_int_equal(value.presence, wanted ? GIM_STORED : GIM_ABSENT);
	if (wanted) {
		assert_int_equal(value.length_bytes, strlen(wanted));
		assert_memory_equal(value.bytes, wanted, strlen(wanted));
	}
}

/* What the image says of the VM stays known, whether its stream is settled or not. */
static void test_libvirt_fields(void **user)
{
	(void)user;
	for (unsigned i = 0; i < 4; i++) {
		struct image image = usual;
		struct gim_buffer buffer = {.bytes = NULL}, packed = {.bytes = NULL};
		struct gim_input input;
		struct gim_state *state = NULL;
		struct gim_error error = GIM_ERROR_INIT;
		image.cookie = i & 1 ? 0 : usual.cookie;
		begin_image(&buffer, &image);
		gim_buffer_bytes(&buffer, stream, STREAM_BYTES);
		pack(&packed, GIM_ARCHIVE_NONE, i & 2 ? GIM_FILTER_XZ : GIM_FILTER_NONE, 1, buffer.bytes, buffer.size);
		assert_int_equal(gim_state_open_memory(packed.bytes, packed.size, &state, &error), 0);
		(void)gim_state_decode(state, GIM_PART_INFO, NULL, NULL, NULL);
		expect_text(state, "libvirt.xml", XML);
		expect_text(state, "libvirt.cookie", image.cookie ? COOKIE : NULL);
		assert_int_equal(gim_state_value(state, "libvirt.was_running").number, 1);
		gim_state_free(&state);
		gim_input_open_memory(&input, packed.bytes, packed.size);
		const struct gim_format *format;
		assert_int_equal(gim_format_find(&input, &format, &error), 0);
		assert_int_equal(gim_input_settle(&input, &error), 0);
		assert_int_equal(input.base, HEADER_BYTES + usual.data_bytes);
		assert_int_equal(input.size, STREAM_BYTES);
		gim_input_close(&input);
		gim_buffer_free(&packed);
		gim_buffer_free(&buffer);
	}
}

static void test_libvirt_damage(void **user)
{
	static const struct {
		struct image image;
		uint64_t offset;
		int code;
		const char *words;
	} rows[] = {
	    {{.version = 2, .data_bytes = 200, .magic = "LibvirtQemudPart"}, 12, GIM_E_TRUNCATED, "incomplete"},
	    {{.version = 0, .data_bytes = 200, .magic = "LibvirtQemudSave"}, 16, GIM_E_VERSION, "version 0x0"},
	    {{.version = 3, .data_bytes = 200, .magic = "LibvirtQemudSave"}, 16, GIM_E_VERSION, "version 0x3000000"},
	    {{.version = 2, .data_bytes = 0, .magic = "LibvirtQemudSave"}, 20, GIM_E_LIMIT, "0 bytes"},
	    {{.version = 2, .data_bytes = 200, .cookie = 200, .magic = "LibvirtQemudSave"}, 32, GIM_E_CORRUPT, "byte 200 of 200"},
	    {{.version = 2, .data_bytes = 200, .cookie = 20, .magic = "LibvirtQemudSave"}, 92, GIM_E_CORRUPT, "description does not end"},
	};
	struct gim_buffer buffer = {.bytes = NULL};
	(void)user;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_image(&buffer, &rows[i].image);
		gim_buffer_bytes(&buffer, stream, STREAM_BYTES);
		refuse(buffer.bytes, buffer.size, rows[i].code, rows[i].offset, rows[i].words);
		buffer.size = 0;
	}
	begin_image(&buffer, &usual);
	buffer.big = false;
	gim_buffer_patch(&buffer, 20, UINT32_MAX, 4);
	refuse(buffer.bytes, buffer.size, GIM_E_LIMIT, 20, "4294967295 bytes");
	gim_buffer_patch(&buffer, 20, 200, 4);
	memset(buffer.bytes + HEADER_BYTES + sizeof(XML), 'x', buffer.size - HEADER_BYTES - sizeof(XML));
	refuse(buffer.bytes, buffer.size, GIM_E_CORRUPT, HEADER_BYTES + sizeof(XML), "cookie does not end");
	for (size_t size = 16; size < buffer.size; size += 3)
		refuse(buffer.bytes, size, GIM_E_TRUNCATED, size, size < HEADER_BYTES ? "in its header" : "in its description");
	gim_buffer_free(&buffer);
}

static void test_archives(void **user)
{
	static const enum gim_filter filters[] = {GIM_FILTER_NONE, GIM_FILTER_XZ};
	(void)user;
	for (unsigned tar = 0; tar < 2; tar++)
		for (size_t f = 0; f < (tar ? 2 : 1); f++) {
			const enum gim_archive archive = tar ? GIM_ARCHIVE_TAR : GIM_ARCHIVE_ZIP;
			struct gim_buffer one = {.bytes = NULL}, two = {.bytes = NULL}, none = {.bytes = NULL};
			pack(&one, archive, filters[f], 1, stream, STREAM_BYTES);
			expect_stream(one.bytes, one.size, false, 0);
			pack(&two, archive, filters[f], 2, stream, STREAM_BYTES);
			refuse(two.bytes, two.size, GIM_E_FORMAT, 0, "folder/0, folder/1");
			gim_buffer_free(&one);
			gim_buffer_free(&two);
			gim_buffer_free(&none);
		}
}

/* A save image in an archive that is compressed, in another one; and more of them than anybody makes. */
static void test_nested(void **user)
{
	struct gim_buffer image = {.bytes = NULL}, packed = {.bytes = NULL}, inner = {.bytes = NULL}, outer = {.bytes = NULL};
	(void)user;
	pack(&packed, GIM_ARCHIVE_NONE, GIM_FILTER_GZIP, 1, stream, STREAM_BYTES);
	begin_image(&image, &usual);
	gim_buffer_bytes(&image, packed.bytes, packed.size);
	pack(&inner, GIM_ARCHIVE_TAR, GIM_FILTER_XZ, 1, image.bytes, image.size);
	expect_stream(inner.bytes, inner.size, false, 0);
	pack(&outer, GIM_ARCHIVE_ZIP, GIM_FILTER_NONE, 1, inner.bytes, inner.size);
	expect_stream(outer.bytes, outer.size, false, 0);
	for (unsigned i = 0; i < 8; i++) {
		gim_buffer_free(&inner);
		pack(&inner, GIM_ARCHIVE_TAR, GIM_FILTER_NONE, 1, outer.bytes, outer.size);
		const struct gim_buffer other = outer;
		outer = inner;
		inner = other;
	}
	refuse(outer.bytes, outer.size, GIM_E_LIMIT, 0, "wrapped in more than");
	gim_buffer_free(&image);
	gim_buffer_free(&packed);
	gim_buffer_free(&inner);
	gim_buffer_free(&outer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_libvirt),  cmocka_unit_test(test_libvirt_fields), cmocka_unit_test(test_libvirt_damage),
	    cmocka_unit_test(test_archives), cmocka_unit_test(test_nested),
	};
	return cmocka_run_group_tests(tests, make_stream, NULL);
}
