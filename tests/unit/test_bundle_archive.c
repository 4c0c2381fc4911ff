/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Archives that are not the bundle that their manifest lists: other kinds of files, another order, other sums, bombs, and ends that come too early. */
#include "../sparse.h"
#include "bundle_parts.h"

/* The archive may say something else than the manifest: links, devices, folders, sparse files, in the place of a member or of the manifest. */
static void test_types(void **user)
{
	static const unsigned types[] = {AE_IFLNK, AE_IFDIR, AE_IFCHR, AE_IFBLK, AE_IFIFO};
	(void)user;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		for (size_t at = 1; at < 5; at++) {
			struct parts parts = copy_sound();
			parts.files[at].type = types[i];
			expect(&parts, TAR, "BUNDLE-MEMBER", FAILS);
		}
	struct parts parts = copy_sound();
	parts.files[2].hardlink = true;
	expect(&parts, TAR_ZSTD, "BUNDLE-MEMBER", FAILS);
	for (size_t at = 1; at < 5; at++) { /* sparse, and larger than any disk */
		parts = copy_sound();
		parts.files[at].sparse = true;
		parts.files[at].zero_bytes = UINT64_C(1) << 50;
		expect(&parts, TAR_PAX, "BUNDLE-MEMBER", FAILS);
	}
}

static void test_order(void **user)
{
	(void)user;
	for (size_t at = 1; at < 5; at++) { /* missing */
		struct parts parts = copy_sound();
		gim_buffer_free(&parts.files[at].bytes);
		memmove(&parts.files[at], &parts.files[at + 1], (--parts.count - at) * sizeof(parts.files[0]));
		expect(&parts, TAR, "BUNDLE-MEMBER", FAILS);
	}
	for (size_t at = 1; at <= 5; at++) { /* one too many: a stranger, or a member again */
		for (unsigned again = 0; again < 2; again++) {
			struct parts parts = copy_sound();
			memmove(&parts.files[at + 1], &parts.files[at], (parts.count++ - at) * sizeof(parts.files[0]));
			parts.files[at] = (struct file){.name = "more.bin", .type = AE_IFREG};
			if (again)
				(void)snprintf(parts.files[at].name, NAME_BYTES, "%s", parts.files[at - 1].name);
			expect(&parts, TAR_ZSTD, "BUNDLE-MEMBER", FAILS);
		}
	}
	for (size_t at = 1; at < 4; at++) { /* in another order */
		struct parts parts = copy_sound();
		const struct file file = parts.files[at];
		parts.files[at] = parts.files[at + 1];
		parts.files[at + 1] = file;
		expect(&parts, ZIP, "BUNDLE-MEMBER", FAILS);
	}
}

static void test_sums(void **user)
{
	(void)user;
	for (size_t at = 1; at < 5; at++)
		for (enum kind kind = TAR; kind < KINDS; kind++) {
			struct parts parts = copy_sound();
			parts.files[at].bytes.bytes[parts.files[at].bytes.size / 2] ^= 0x10;
			expect(&parts, kind, "PACKED-SHA256", FAILS);
			parts = copy_sound();
			gim_buffer_bytes(&parts.files[at].bytes, "x", 1);
			expect(&parts, kind, "PACKED-SIZE", FAILS);
			parts = copy_sound();
			parts.files[at].bytes.size--;
			expect(&parts, kind, "PACKED-SIZE", FAILS);
		}
}

static void append_frame(struct gim_buffer *bundle, const uint8_t *bytes, size_t size)
{
	struct gim_packer *packer = NULL;
	assert_int_equal(gim_packer_new(GIM_ARCHIVE_NONE, GIM_FILTER_ZSTD, collect, bundle, &packer, NULL), 0);
	assert_int_equal(gim_packer_write(packer, bytes, size, NULL), 0);
	assert_int_equal(gim_packer_finish(&packer, NULL), 0);
}

/* The header of an empty file becomes one of a file of this size. */
static void set_size(uint8_t *header, unsigned long long size)
{
	unsigned sum = 0;
	(void)snprintf((char *)header + 124, 12, "%011llo", size);
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += header[i];
	(void)snprintf((char *)header + 148, 8, "%06o", sum);
}

/*
 * As much as it says, which is far too much for what it is packed in, before a whole state. It is put together of frames, so that nobody has to compress that
 * much; and it is passed over, since summing up a gibibyte takes its time.
 */
static void expand(void)
{
	enum { FRAME_BYTES = 64 << 20, FRAMES = 20 };
	const unsigned long long size = (unsigned long long)FRAME_BYTES * FRAMES;
	struct parts parts = copy_sound();
	struct gim_buffer bundle = {.bytes = NULL}, frame = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t *zeros = calloc(1, FRAME_BYTES);
	parts.files[3].bytes.size = 0;
	json_object_set_new(member(&parts, 2), "size_bytes", json_integer((json_int_t)size));
	json_object_set_new(member(&parts, 3), "role", json_string("whole"));
	json_object_del(member(&parts, 3), "unit");
	struct gim_buffer tar = make_archive(&parts, TAR);
	uint8_t *header = memmem(tar.bytes + tar.size / 2, tar.size / 2, parts.files[3].name, strlen(parts.files[3].name) + 1);
	assert_non_null(header);
	set_size(header, size);
	append_frame(&bundle, tar.bytes, (size_t)(header + 512 - tar.bytes));
	append_frame(&frame, zeros, FRAME_BYTES);
	for (unsigned i = 0; i < FRAMES; i++)
		gim_buffer_bytes(&bundle, frame.bytes, frame.size);
	append_frame(&bundle, header + 512, tar.size - (size_t)(header + 512 - tar.bytes));
	struct gim_state *state = NULL;
	assert_int_equal(gim_state_open_memory(bundle.bytes, bundle.size, &state, &error), GIM_E_LIMIT);
	assert_string_equal(error.rule->id, "PACKED-LIMIT");
	free(zeros);
	gim_buffer_free(&bundle);
	gim_buffer_free(&frame);
	gim_buffer_free(&tar);
	free_parts(&parts);
}

static void test_bombs(void **user)
{
	static const uint8_t zeros[1 << 16];
	(void)user;
	/* More than the manifest says, by far: not all of it is unpacked. */
	for (enum kind kind = TAR_ZSTD; kind < KINDS; kind++) {
		struct parts parts = copy_sound();
		for (unsigned i = 0; i < 256; i++)
			gim_buffer_bytes(&parts.files[3].bytes, zeros, sizeof(zeros));
		expect(&parts, kind, "PACKED-SIZE", FAILS);
	}
	expand();
}

/* What follows the members says nothing of them: empty blocks in a tar archive, the list of what is in it in a zip archive. */
static size_t end_of_members(const struct gim_buffer *bundle, enum kind kind)
{
	if (kind == TAR)
		return bundle->size - 1024;
	return kind == ZIP ? (size_t)((uint8_t *)memmem(bundle->bytes, bundle->size, "PK\1\2", 4) - bundle->bytes) : bundle->size;
}

/* An archive whose members are cut is never taken for a whole one. */
static void test_truncation(void **user)
{
	(void)user;
	for (enum kind kind = TAR; kind < KINDS; kind++) {
		struct parts parts = copy_sound();
		struct gim_buffer bundle = make_archive(&parts, kind);
		const size_t end = end_of_members(&bundle, kind);
		for (size_t size = 0; size < end; size += 64 * sparse()) {
			const struct gim_buffer cut = {.bytes = bundle.bytes, .size = size};
			struct gim_error error = GIM_ERROR_INIT;
			struct verdict verdict = {.rules = ""};
			assert_true(unpack(&cut, &error) < 0);
			assert_true(error.code < 0 && *error.text);
			assert_int_equal(gim_verify_memory(cut.bytes, cut.size, NULL, take_finding, &verdict, NULL), 1);
		}
		gim_buffer_free(&bundle);
		free_parts(&parts);
	}
}

/* The same for a whole state; and every single bit of it counts. */
static void test_whole(void **user)
{
	json_t *manifest = NULL;
	struct gim_buffer bundle = pack_sample(true, &manifest);
	struct verdict verdict = {.rules = ""};
	(void)user;
	assert_int_equal(gim_verify_memory(bundle.bytes, bundle.size, NULL, take_finding, &verdict, NULL), 0);
	assert_int_equal(open_and_read(&bundle, NULL), 0);
	for (size_t size = 0; size < bundle.size - 1024; size += 64 * sparse()) {
		const struct gim_buffer cut = {.bytes = bundle.bytes, .size = size};
		assert_true(unpack(&cut, NULL) < 0);
		assert_int_equal(gim_verify_memory(cut.bytes, cut.size, NULL, NULL, NULL, NULL), 1);
	}
	const json_int_t last = json_integer_value(json_object_get(json_array_get(json_object_get(manifest, "members"), 2), "size_bytes"));
	const size_t whole = ((size_t)last + 511) & ~(size_t)511, from = bundle.size - 1024 - whole;
	for (size_t at = from; at < from + (size_t)last; at += 97 * sparse()) {
		bundle.bytes[at] ^= (uint8_t)(1u << at % 8);
		assert_int_equal(gim_verify_memory(bundle.bytes, bundle.size, NULL, NULL, NULL, NULL), 1);
		assert_true(unpack(&bundle, NULL) < 0);
		bundle.bytes[at] ^= (uint8_t)(1u << at % 8);
	}
	gim_buffer_free(&bundle);
	json_decref(manifest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_types), cmocka_unit_test(test_order),      cmocka_unit_test(test_sums),
	    cmocka_unit_test(test_bombs), cmocka_unit_test(test_truncation), cmocka_unit_test(test_whole),
	};
	return cmocka_run_group_tests(tests, make_sound, free_sound);
}
