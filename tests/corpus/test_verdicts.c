/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verify says of every damaged state what VirtualBox says, but for the differences that docs/verify-differences.md lists. */
#include "corpus.h"

#include "gimstate.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { DIFFERENCES_MAX = 100, FILE_MAX = 1 << 20 };

/* A line of the list. */
struct difference {
	char archive[8], file[64];
	int theirs, ours;
	bool met;
};

static struct difference differences[DIFFERENCES_MAX];
static unsigned difference_count;

static void read_differences(void)
{
	FILE *list = fopen("docs/verify-differences.md", "r");
	char line[256];
	assert_non_null(list);
	while (fgets(line, sizeof(line), list)) {
		struct difference *one = &differences[difference_count];
		assert_true(difference_count < DIFFERENCES_MAX);
		if (sscanf(line, "| %7s | %63s | %d | %d |", one->archive, one->file, &one->theirs, &one->ours) == 4)
			difference_count++;
	}
	(void)fclose(list);
}

static bool is_listed(const char *archive, const char *file, int theirs, int ours)
{
	for (unsigned i = 0; i < difference_count; i++) {
		struct difference *one = &differences[i];
		if (!strcmp(one->archive, archive) && !strcmp(one->file, file) && one->theirs == theirs && one->ours == ours)
			return one->met = true;
	}
	return false;
}

/* What VirtualBox says: a [number, name] pair; `absent` when it was not asked. */
enum { ABSENT = INT_MAX };

static int status_of(const json_t *verdict, const char *key)
{
	const json_t *pair = json_object_get(verdict, key);
	return pair ? (int)json_integer_value(json_array_get(pair, 0)) : ABSENT;
}

/* These depend on the VM that a state is loaded into. */
static bool depends_on_vm(int load)
{
	static const int codes[] = {-1819, -1831, -1833, -1840, -1842, -1843, -1844, -1848};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (load == codes[i])
			return true;
	return false;
}

/* Must the file be refused, and what is VirtualBox's status? */
static bool must_refuse(const json_t *verdict, int *status)
{
	const int load = status_of(verdict, "load"), crc = status_of(verdict, "validate_crc");
	const int seek = status_of(verdict, "seek"), end = status_of(verdict, "end");
	*status = load != ABSENT ? load : crc;
	if (crc || (load != ABSENT && load && !depends_on_vm(load)))
		return true;
	if (load != ABSENT || seek == -1801)
		return false;
	*status = seek ? seek : end;
	return seek || end != -1831;
}

struct heard {
	unsigned count;
	int first;
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = (struct heard *)user;
	if (!heard->count++)
		heard->first = finding->rule->status;
}

static unsigned refused, agreed;

static void check_file(const char *archive, const char *folder, const json_t *verdict)
{
	static uint8_t bytes[FILE_MAX];
	const char *file = json_string_value(json_object_get(verdict, "file"));
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, file);
	FILE *stream = fopen(path, "rb");
	assert_non_null(stream);
	const size_t size = fread(bytes, 1, sizeof(bytes), stream);
	(void)fclose(stream);
	struct heard heard = {0, 0};
	const struct gim_verify_options quick = {.quick = true};
	const int found = gim_verify_memory(bytes, size, NULL, hear, &heard, NULL);
	const int opened = gim_verify_memory(bytes, size, &quick, NULL, NULL, NULL);
	if (found < 0 || opened < 0)
		fail_msg("%s/%s: no verdict", archive, file);
	int status;
	const bool must = must_refuse(verdict, &status);
	if (must && !found)
		fail_msg("%s/%s: accepted, but VirtualBox says %d", archive, file, status);
	if (!must && status_of(verdict, "load") == 0 && found)
		fail_msg("%s/%s: refused, but VirtualBox loads it", archive, file);
	if (opened != (status_of(verdict, "open") != 0))
		fail_msg("%s/%s: --quick says %d, but VirtualBox opens it with %d", archive, file, opened, status_of(verdict, "open"));
	refused += must;
	agreed += must && heard.first == status;
	if (must && heard.first != status && !is_listed(archive, file, status, heard.first))
		fail_msg("%s/%s: VirtualBox says %d, verify %d", archive, file, status, heard.first);
}

static void check_archive(const char *archive)
{
	char folder[] = "/tmp/gimstate-verdicts-XXXXXX", command[3 * PATH_MAX], path[PATH_MAX], *line = NULL;
	size_t capacity = 0;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(command, sizeof(command), "tar -xJf '%s/virtualbox/mutants/%s.tar.xz' -C %s", corpus_folder(), archive, folder);
	assert_int_equal(system(command), 0);
	(void)snprintf(path, sizeof(path), "%s/virtualbox/mutants/%s.verdicts.jsonl", corpus_folder(), archive);
	FILE *verdicts = fopen(path, "r");
	assert_non_null(verdicts);
	while (getline(&line, &capacity, verdicts) > 0) {
		json_t *verdict = json_loads(line, 0, NULL);
		assert_non_null(verdict);
		check_file(archive, folder, verdict);
		json_decref(verdict);
	}
	free(line);
	(void)fclose(verdicts);
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

static void damaged_states(void **state)
{
	(void)state;
	read_differences();
	check_archive("v2");
	check_archive("v2b");
	check_archive("v1");
	for (unsigned i = 0; i < difference_count; i++)
		if (!differences[i].met)
			fail_msg("%s/%s: the list has a difference that is gone", differences[i].archive, differences[i].file);
	print_message("%u refused, of %u the first finding is VirtualBox's (%.2f %%)\n", refused, agreed, 100.0 * agreed / refused);
	assert_true(refused > 3000 && agreed * 100 >= refused * 99);
}

static void assert_accepted(const char *path)
{
	if (gim_verify(path, NULL, NULL, NULL, NULL))
		fail_msg("%s: refused", path);
}

/* What a release wrote is accepted. */
static void sound_states(void **state)
{
	(void)state;
	const unsigned count = corpus_each_state(assert_accepted);
	print_message("%u sound states\n", count);
	assert_true(count > 40);
}

int main(void)
{
	corpus_require();
	const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_states), cmocka_unit_test(sound_states)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
