/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory runs out at every allocation in turn: a state is packed, and its bundle verified, read and unpacked, or each of these says so, and nothing is lost. */
#include "cursor.h"
#include "starved.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* Out of memory, or what took the bytes was. */
static bool done(int result, const struct gim_error *error)
{
	if (!result)
		return true;
	if (result != GIM_E_MEMORY && result != GIM_E_LIMIT && result != GIM_E_STOPPED)
		fail_msg("allocation %u failed, and the answer was %d %s: %s", failing, result, gim_code_name(result), error->text);
	assert_true(error->text[0]);
	return false;
}

static int collect(void *user, const void *bytes, size_t size)
{
	struct gim_buffer *buffer = user;
	gim_buffer_bytes(buffer, bytes, size);
	return buffer->failed;
}

static bool pack(bool whole, struct gim_buffer *bundle)
{
	struct gim_pack_options options = {.source_name = "a.sav", .whole = whole, .unit_count = !whole};
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	struct gim_unit unit;
	bool packed = done(gim_state_open_settled("samples/hyperv-cpum.sav", &state, &error), &error) &&
	              done(gim_unit_find(state, "cpum", 1, GIM_PASS_FINAL, &unit, &error), &error);
	options.units = &unit;
	packed = packed && done(gim_state_pack(state, &options, collect, bundle, NULL, &error), &error);
	gim_state_free(&state);
	return packed && !bundle->failed;
}

static void read_all(const struct gim_buffer *bundle)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	struct gim_unit unit = {.name = ""};
	struct gim_buffer bytes = {.bytes = NULL};
	if (done(gim_state_open_memory(bundle->bytes, bundle->size, &state, &error), &error) &&
	    done(gim_state_decode(state, GIM_PART_GIM | GIM_PART_GUEST, NULL, NULL, &error), &error))
		while (gim_unit_next(state, &unit, &error) > 0)
			if (!done(gim_unit_read(state, &unit, collect, &bytes, &error), &error))
				break;
	gim_buffer_free(&bytes);
	gim_state_free(&state);
}

static int take_member(void *user, const char *name, uint64_t size, gim_sink_fn **sink, void **sink_user, struct gim_error *error)
{
	(void)name;
	(void)size;
	(void)error;
	*sink = collect;
	*sink_user = user;
	return 0;
}

static void unpack(const char *path)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_buffer bytes = {.bytes = NULL};
	(void)done(gim_bundle_read(path, take_member, &bytes, &error), &error);
	gim_buffer_free(&bytes);
}

static void verify(const struct gim_buffer *bundle)
{
	static const struct gim_verify_options options = {.threads = 1};
	struct gim_error error = GIM_ERROR_INIT;
	const int result = gim_verify_memory(bundle->bytes, bundle->size, &options, NULL, NULL, &error);
	assert_true(result == 0 || !done(result, &error));
}

static void starve(bool whole)
{
	struct gim_buffer bundle = {.bytes = NULL};
	char path[64];
	assert_true(pack(whole, &bundle));
	const int fd = memfd_create("bundle", MFD_CLOEXEC);
	assert_int_equal(write(fd, bundle.bytes, bundle.size), bundle.size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (unsigned step = 0; step < 4; step++) {
		allocations = 0;
		for (failing = 1; allocations + 1 >= failing; failing++) {
			struct gim_buffer again = {.bytes = NULL};
			allocations = 0;
			if (step == 0) {
				(void)pack(whole, &again);
				gim_buffer_free(&again);
			} else if (step == 1) {
				read_all(&bundle);
			} else if (step == 2) {
				verify(&bundle);
			} else {
				unpack(path);
			}
		}
		assert_true(failing > 10);
		failing = 0;
	}
	(void)close(fd);
	gim_buffer_free(&bundle);
}

static void test_parts(void **user)
{
	(void)user;
	starve(false);
}

static void test_whole(void **user)
{
	(void)user;
	starve(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_whole)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
