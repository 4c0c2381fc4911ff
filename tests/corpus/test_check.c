/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check says of every damaged state whether VirtualBox loads it, and with which status it does not, for a profile of the VM that
 * VirtualBox was asked with. */
#include "corpus.h"

#include "gimstate.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { FILE_MAX = 1 << 20, DIFFERENCES_MAX = 16 };

/* A line of docs/check-differences.md. */
static struct {
	char file[64];
	int theirs, ours;
	bool met;
} differences[DIFFERENCES_MAX];
static unsigned difference_count;

static void read_differences(void)
{
	FILE *list = fopen("docs/check-differences.md", "r");
	char line[256];
	while (list && fgets(line, sizeof(line), list)) {
		assert_true(difference_count < DIFFERENCES_MAX);
		if (sscanf(line, "| %63s | %d | %d |", differences[difference_count].file, &differences[difference_count].theirs,
		           &differences[difference_count].ours) == 3)
			difference_count++;
	}
	if (list)
		(void)fclose(list);
}

static bool is_listed(const char *file, int theirs, int ours)
{
	for (unsigned i = 0; i < difference_count; i++)
		if (!strcmp(differences[i].file, file) && differences[i].theirs == theirs && differences[i].ours == ours)
			return differences[i].met = true;
	return false;
}

/* The VM: its interface, vCPUs and 4 MiB of RAM, and the units of the state that was damaged. */
static struct gim_target *make_target(const char *sound, const char *provider, int vcpus)
{
	char path[PATH_MAX];
	struct gim_state *state = NULL;
	struct gim_target *target = NULL;
	struct gim_unit unit = {.offset = 0};
	(void)snprintf(path, sizeof(path), "%s/virtualbox/writer/%s.sav", corpus_folder(), sound);
	assert_int_equal(gim_state_open(path, &state, NULL), 0);
	json_t *units = json_array();
	while (gim_unit_next(state, &unit, NULL) == 1) {
		json_t *known = json_pack("{s:s, s:i}", "name", unit.name, "instance", (int)unit.instance);
		/* The others are nobody's, and were taken in any version. */
		if (unit.decodable)
			(void)json_object_set_new(known, "version", json_integer(unit.version));
		(void)json_array_append_new(units, known);
	}
	gim_state_free(&state);
	json_t *profile = json_pack("{s:i, s:{s:s, s:o}, s:{s:s}, s:{s:i, s:s}}", "gimstate", 1, "profile", "release", "vbox:7.2", "unit",
	                            units, "gim", "provider", provider, "guest", "vcpus", vcpus, "ram_bytes", "0x400000");
	char *text = json_dumps(profile, 0);
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_target_open_json(sound, text, strlen(text), &target, &error))
		fail_msg("%s: %s: %s", sound, error.path, error.text);
	free(text);
	json_decref(profile);
	return target;
}

struct heard {
	int first; /* the status of the first error */
	unsigned errors;
	char text[300];
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = (struct heard *)user;
	if (finding->severity != GIM_ERROR || heard->errors++)
		return;
	heard->first = finding->rule->status;
	(void)snprintf(heard->text, sizeof(heard->text), "%s %s", finding->rule->id, finding->text);
}

static unsigned loaded, refused;

static void check_file(const char *folder, const json_t *verdict, struct gim_target *const targets[2])
{
	static uint8_t bytes[FILE_MAX];
	const char *file = json_string_value(json_object_get(verdict, "file"));
	const json_t *load = json_object_get(verdict, "load");
	char path[PATH_MAX];
	struct gim_check *check = NULL;
	struct heard heard = {0};
	if (!load)
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, file);
	FILE *stream = fopen(path, "rb");
	assert_non_null(stream);
	const size_t size = fread(bytes, 1, sizeof(bytes), stream);
	(void)fclose(stream);
	assert_int_equal(gim_check_open_memory(bytes, size, NULL, &check, NULL), 0);
	const int result = gim_check_target(check, targets[strstr(file, "kvm") != NULL], hear, &heard, NULL);
	gim_check_free(&check);
	const int status = (int)json_integer_value(json_array_get(load, 0));
	loaded += !status;
	refused += status != 0;
	if (result != (status != 0) || heard.first != status)
		if (!is_listed(file, status, heard.first))
			fail_msg("%s: VirtualBox says %d, check %d (%s)", file, status, heard.first, heard.text);
}

static void damaged_states(void **unused)
{
	char folder[] = "/tmp/gimstate-check-XXXXXX", command[3 * PATH_MAX], path[PATH_MAX], *line = NULL;
	size_t capacity = 0;
	struct gim_target *targets[2] = {make_target("min-hv4-2cpu", "hyperv", 2), make_target("min-kvm-3cpu", "kvm", 3)};
	(void)unused;
	read_differences();
	assert_non_null(mkdtemp(folder));
	(void)snprintf(command, sizeof(command), "tar -xJf '%s/virtualbox/mutants/v2.tar.xz' -C %s", corpus_folder(), folder);
	assert_int_equal(system(command), 0);
	(void)snprintf(path, sizeof(path), "%s/virtualbox/mutants/v2.verdicts.jsonl", corpus_folder());
	FILE *verdicts = fopen(path, "r");
	assert_non_null(verdicts);
	while (getline(&line, &capacity, verdicts) > 0) {
		json_t *verdict = json_loads(line, 0, NULL);
		assert_non_null(verdict);
		check_file(folder, verdict, targets);
		json_decref(verdict);
	}
	free(line);
	(void)fclose(verdicts);
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
	for (int i = 0; i < 2; i++)
		gim_target_free(&targets[i]);
	for (unsigned i = 0; i < difference_count; i++)
		if (!differences[i].met)
			fail_msg("%s: the list has a difference that is gone", differences[i].file);
	print_message("%u loaded, %u refused, as VirtualBox does; %u with another status first\n", loaded, refused, difference_count);
	assert_true(loaded > 100 && refused > 900);
}

/* Every sound state fits the profile of itself, and that profile read back says the same. */
static void check_itself(const char *path)
{
	struct gim_target *target = NULL, *again = NULL;
	struct gim_check *check = NULL;
	struct heard heard = {0};
	struct gim_error error = GIM_ERROR_INIT;
	json_t *json = NULL;
	char name[PATH_MAX];
	const char *expected = strstr(path, "unitver2") ? "GIM-UNIT-VERSION" : NULL; /* no release loads it */
	(void)snprintf(name, sizeof(name), "state:%s", path);
	if (gim_target_open(name, NULL, &target, &error) || gim_target_json(target, &json, &error))
		fail_msg("%s: %s", path, error.text);
	char *text = json_dumps(json, 0);
	if (gim_target_open_json("again", text, strlen(text), &again, &error))
		fail_msg("%s: %s: %s", path, error.path, error.text);
	free(text);
	json_decref(json);
	assert_int_equal(gim_check_open(path, NULL, &check, NULL), 0);
	for (int i = 0; i < 2; i++) {
		heard = (struct heard){0};
		if (gim_check_target(check, i ? again : target, hear, &heard, NULL) != (expected != NULL) ||
		    (expected && strncmp(heard.text, expected, strlen(expected)) != 0))
			fail_msg("%s: does not fit itself: %s", path, heard.text);
	}
	gim_check_free(&check);
	gim_target_free(&target);
	gim_target_free(&again);
}

/* Every real state fits the VM whose settings stand beside it. */
static unsigned with_settings;

static void check_settings(const char *path)
{
	struct gim_target *target = NULL;
	struct gim_check *check = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	struct heard heard = {0};
	char name[PATH_MAX];
	(void)snprintf(name, sizeof(name), "%.*s.vbox", (int)(strcspn(path + strlen(path) - 4, ".") + strlen(path) - 4), path);
	if (access(name, R_OK))
		return;
	(void)strcat(name, "@vbox:7.2");
	if (gim_target_open(name, path, &target, &error))
		fail_msg("%s: %s", name, error.text);
	assert_int_equal(gim_check_open(path, NULL, &check, NULL), 0);
	if (gim_check_target(check, target, hear, &heard, NULL))
		fail_msg("%s: does not fit its VM: %s", path, heard.text);
	gim_check_free(&check);
	gim_target_free(&target);
	with_settings++;
}

static void real_states(void **unused)
{
	(void)unused;
	(void)corpus_each_state(check_settings);
	print_message("%u states with their VM's settings\n", with_settings);
	assert_true(with_settings >= 10);
}

static void sound_states(void **unused)
{
	(void)unused;
	const unsigned count = corpus_each_state(check_itself);
	print_message("%u sound states\n", count);
	assert_true(count > 40);
}

int main(void)
{
	corpus_require();
	const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_states), cmocka_unit_test(sound_states), cmocka_unit_test(real_states)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
