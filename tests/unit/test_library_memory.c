/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory runs out at every allocation in turn, jansson's included, while each sample is read, shown, changed, converted, compared, judged and verified: each either is
 * done or says so, and nothing is lost. Files that end early, and inputs that fail, are met the same way. */
#include "../sparse.h"
#include "cursor.h"
#include "starved.h"

#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *sample; /* that is worked on */

static void *json_malloc(size_t size)
{
	return starved() ? NULL : __real_malloc(size);
}

/* Out of memory: then nothing else may be the answer. */
static bool done(int result, const struct gim_error *error)
{
	if (result >= 0)
		return true;
	if (failing && allocations >= failing && result != GIM_E_MEMORY && result != GIM_E_STOPPED && result != GIM_E_LIMIT)
		fail_msg("%s: allocation %u failed, and the answer was %d %s: %s", sample, failing, result, gim_code_name(result),
		         error->text);
	assert_true(error->text[0]);
	assert_int_equal(error->code, result);
	return false;
}

static int collect(void *user, const void *bytes, size_t size)
{
	struct gim_buffer *buffer = user;
	gim_buffer_bytes(buffer, bytes, size);
	return buffer->failed;
}

static int look(void *user, const char *path, const struct gim_value *value)
{
	char text[80];
	(void)user;
	assert_true(*path);
	(void)gim_value_text(value, text, sizeof(text));
	return 0;
}

static struct gim_state *opened(void)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	if (done(gim_state_open(sample, &state, &error), &error) &&
	    !done(gim_state_decode(state, GIM_PART_GIM | GIM_PART_GUEST | GIM_PART_INFO, NULL, NULL, &error), &error) && failing)
		gim_state_free(&state);
	return state;
}

static void show(void)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = opened();
	json_t *json = NULL;
	if (state) {
		(void)done(gim_state_visit(state, NULL, look, NULL, &error), &error);
		error = (struct gim_error)GIM_ERROR_INIT;
		if (!gim_state_json(state, NULL, &json, &error))
			json_decref(json);
		else
			assert_true(error.code);
	}
	gim_state_free(&state);
}

static void read_units(void)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = opened();
	struct gim_unit unit = {.name = ""};
	struct gim_buffer bytes = {.bytes = NULL};
	while (state && gim_unit_next(state, &unit, &error) > 0 && done(gim_unit_read(state, &unit, collect, &bytes, &error), &error))
		gim_buffer_free(&bytes);
	gim_buffer_free(&bytes);
	gim_state_free(&state);
}

static void write_again(struct gim_state *state, const struct gim_write_options *options)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_buffer bytes = {.bytes = NULL};
	(void)gim_state_write(state, options, collect, &bytes, &error);
	gim_buffer_free(&bytes);
}

static void change(void)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = opened();
	if (state) {
		(void)gim_state_set(state, "hyperv.guest_os_id", "7", &error);
		(void)gim_state_set(state, "kvm.wall_clock", "0x7000", &error);
		(void)gim_state_set(state, "hyperv.features.hints", "+0x80000000", &error);
		write_again(state, NULL);
	}
	error = (struct gim_error)GIM_ERROR_INIT;
	/* What a stream can be without, and what an older release does not know. */
	if (state && !gim_state_set(state, "kvm.clock_ns", "absent", &error)) {
		static const struct gim_write_options options = {.release = "qemu:7.2"};
		(void)gim_state_check_release(state, options.release, NULL, NULL, &error);
		write_again(state, &options);
	}
	gim_state_free(&state);
}

static void convert(void)
{
	static const char *const layouts[] = {"vbox-none", "vbox-minimal", "vbox-hyperv-1", "vbox-hyperv-4", "vbox-kvm-1"};
	static const struct gim_write_options options = {.container = "2.0"};
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		struct gim_error error = GIM_ERROR_INIT;
		struct gim_state *state = opened();
		if (state && done(gim_state_convert(state, layouts[i], NULL, NULL, &error), &error))
			write_again(state, &options);
		gim_state_free(&state);
	}
}

static int note(void *user, const struct gim_difference *difference)
{
	(void)user;
	assert_true(*difference->path);
	return 0;
}

static void compare(void)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *a = opened(), *b = NULL;
	if (a && done(gim_state_open("samples/hyperv-1.sav", &b, &error), &error) &&
	    done(gim_state_decode(b, GIM_PART_GIM | GIM_PART_GUEST, NULL, NULL, &error), &error)) {
		(void)done(gim_state_diff(a, b, NULL, note, NULL, NULL, &error), &error);
		error = (struct gim_error)GIM_ERROR_INIT;
		(void)gim_state_set_from(a, b, true, &error);
		write_again(a, NULL);
	}
	gim_state_free(&a);
	gim_state_free(&b);
}

static void hear(void *user, const struct gim_finding *finding)
{
	(void)user;
	assert_true(finding->text && *finding->text);
}

static void judge(void)
{
	static const char *const targets[] = {"vbox:7.2", "vbox:5.0", "samples/hyperv-4.sav"};
	static const struct gim_verify_options options = {.threads = 1};
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct gim_error error = GIM_ERROR_INIT;
		struct gim_target *target = NULL;
		struct gim_check *check = NULL;
		json_t *json = NULL;
		if (done(gim_target_open(targets[i], sample, &target, &error), &error) &&
		    done(gim_check_open(sample, &options, &check, &error), &error))
			(void)done(gim_check_target(check, target, hear, NULL, &error), &error);
		if (target && !gim_target_json(target, &json, NULL))
			json_decref(json);
		gim_check_free(&check);
		gim_target_free(&target);
	}
}

static void verify(void)
{
	static const struct gim_verify_options alone = {.threads = 1}, two = {.threads = 2};
	struct gim_error error = GIM_ERROR_INIT;
	(void)done(gim_verify(sample, failing % 2 ? &alone : &two, hear, NULL, &error), &error);
}

static const struct {
	const char *name;
	void (*work)(void);
} works[] = {{"show", show},       {"read units", read_units}, {"change", change}, {"convert", convert},
             {"compare", compare}, {"judge", judge},           {"verify", verify}};

/* Every allocation of the first ones, then steps that grow: what comes later is more of the same. With fewer of them each work begins at another one. */
static void starve(void (*work)(void))
{
	static unsigned turn;
	const unsigned step = (unsigned)sparse();
	failing = allocations = 0;
	work();
	const unsigned all = allocations;
	assert_true(all > 3);
	for (unsigned n = 1 + turn++ % step; n <= all; n += step * (1 + n / 24)) {
		failing = n;
		allocations = 0;
		work();
	}
	failing = 0;
}

static int is_sample(const struct dirent *entry)
{
	const size_t length = strlen(entry->d_name);
	return length > 4 && !strcmp(entry->d_name + length - 4, ".sav");
}

static void each_sample(void (*with)(const char *path))
{
	struct dirent **entries;
	const int count = scandir("samples", &entries, is_sample, alphasort);
	assert_true(count > 5);
	for (int i = 0; i < count; i++) {
		char path[300];
		(void)snprintf(path, sizeof(path), "samples/%s", entries[i]->d_name);
		with(path);
		free(entries[i]);
	}
	free(entries);
}

static void starve_on(const char *path)
{
	sample = path;
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		starve(works[i].work);
}

static void without_memory(void **unused)
{
	(void)unused;
	json_set_alloc_funcs(json_malloc, free);
	each_sample(starve_on);
	json_set_alloc_funcs(malloc, free);
}

/* Cut at many places, through a file and through a pipe: never more than an error with a place. */
static void cut_one(const char *path)
{
	static uint8_t bytes[1 << 20];
	static char name[64];
	FILE *file = fopen(path, "rbe");
	failing = 0;
	assert_non_null(file);
	const size_t size = fread(bytes, 1, sizeof(bytes), file);
	(void)fclose(file);
	char pattern[] = "/var/tmp/gimstate-cut-XXXXXX";
	const int fd = mkstemp(pattern);
	assert_true(fd >= 0);
	(void)snprintf(name, sizeof(name), "%s", pattern);
	assert_int_equal(write(fd, bytes, size), size);
	sample = name;
	for (size_t left = size; left; left -= 1 + left / (sparse() > 1 ? 4 : 12)) {
		assert_int_equal(ftruncate(fd, (off_t)left), 0);
		for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
			works[i].work();
	}
	(void)close(fd);
	(void)unlink(pattern);
}

static void cut_short(void **unused)
{
	(void)unused;
	each_sample(cut_one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(without_memory), cmocka_unit_test(cut_short)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
