/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Telling contents apart, and states from what is none. */
#include "gimstate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void write_file(char path[64], const void *bytes, size_t size)
{
	(void)snprintf(path, 64, "%s", "digest-XXXXXX");
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	(void)close(fd);
}

static void test_digest(void **state)
{
	(void)state;
	char path[64], text[GIM_DIGEST_TEXT] = "", memory[GIM_DIGEST_TEXT] = "";
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_digest_memory("abc", 3, memory, &error) == GIM_E_UNSUPPORTED)
		skip();
	assert_string_equal(memory, ABC);
	assert_int_equal(gim_digest_memory(NULL, 0, memory, NULL), 0);
	assert_string_equal(memory, NOTHING);
	write_file(path, "abc", 3);
	assert_int_equal(gim_digest_file(path, text, NULL), 0);
	assert_string_equal(text, ABC);
	(void)unlink(path);
	assert_int_equal(gim_digest_file(path, text, &error), GIM_E_IO);
	assert_string_equal(text, ABC);
	/* More than a piece. */
	char *large = calloc(1, 1000001);
	assert_non_null(large);
	write_file(path, large, 1000001);
	assert_int_equal(gim_digest_file(path, text, NULL), 0);
	assert_int_equal(gim_digest_memory(large, 1000001, memory, NULL), 0);
	assert_string_equal(text, memory);
	(void)unlink(path);
	free(large);
}

static int probe(const void *bytes, size_t size)
{
	char path[64];
	write_file(path, bytes, size);
	const int result = gim_state_probe(path, NULL);
	(void)unlink(path);
	return result;
}

static void test_probe(void **state)
{
	(void)state;
	struct gim_error error = GIM_ERROR_INIT;
	static const char magic[] = "\177VirtualBox SavedState V2.0\n";
	assert_int_equal(gim_state_probe("samples/kvm.sav", NULL), 1);
	assert_int_equal(gim_state_probe("samples/old-1.1.sav", NULL), 1);
	/* A damaged state is one; its first bytes say so. */
	assert_int_equal(probe(magic, sizeof(magic) - 1), 1);
	assert_int_equal(probe(magic, 10), 0);
	assert_int_equal(probe("", 0), 0);
	assert_int_equal(probe("{\"gimstate\": 1}", 15), 0);
	assert_int_equal(probe("\x1f\x8b broken", 9), 0);
	assert_int_equal(gim_state_probe("samples", NULL), 0);
	assert_int_equal(gim_state_probe("no such file", &error), GIM_E_IO);
	assert_non_null(strstr(error.text, "cannot open"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_digest), cmocka_unit_test(test_probe)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
