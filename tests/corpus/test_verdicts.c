/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verify says of every damaged state what VirtualBox says, but for the differences that docs/verify-differences.md lists. */
#include "verdicts.h"

#include "gimstate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct differences differences;

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
	const int load = verdict_status(verdict, "load"), crc = verdict_status(verdict, "validate_crc");
	const int seek = verdict_status(verdict, "seek"), end = verdict_status(verdict, "end");
	*status = load != VERDICT_ABSENT ? load : crc;
	if (crc || (load != VERDICT_ABSENT && load && !depends_on_vm(load)))
		return true;
	if (load != VERDICT_ABSENT || seek == -1801)
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

static void check_file(const struct damaged *damaged)
{
	const char *archive = damaged->archive, *file = damaged->file;
	const json_t *verdict = damaged->verdict;
	struct heard heard = {0, 0};
	const struct gim_verify_options quick = {.quick = true};
	const int found = gim_verify_memory(damaged->bytes, damaged->size, NULL, hear, &heard, NULL);
	const int opened = gim_verify_memory(damaged->bytes, damaged->size, &quick, NULL, NULL, NULL);
	if (found < 0 || opened < 0)
		fail_msg("%s/%s: no verdict", archive, file);
	int status;
	const bool must = must_refuse(verdict, &status);
	if (must && !found)
		fail_msg("%s/%s: accepted, but VirtualBox says %d", archive, file, status);
	if (!must && verdict_status(verdict, "load") == 0 && found)
		fail_msg("%s/%s: refused, but VirtualBox loads it", archive, file);
	if (opened != (verdict_status(verdict, "open") != 0))
		fail_msg("%s/%s: --quick says %d, but VirtualBox opens it with %d", archive, file, opened, verdict_status(verdict, "open"));
	refused += must;
	agreed += must && heard.first == status;
	if (must && heard.first != status && !differences_have(&differences, archive, file, status, heard.first))
		fail_msg("%s/%s: VirtualBox says %d, verify %d", archive, file, status, heard.first);
}

static void damaged_states(void **state)
{
	static const char *const archives[] = {"v2", "v2b", "v1"};
	(void)state;
	assert_true(differences_read(&differences, "docs/verify-differences.md"));
	for (size_t i = 0; i < sizeof(archives) / sizeof(archives[0]); i++)
		assert_true(verdicts_each(archives[i], check_file));
	const struct difference *stale = differences_stale(&differences);
	if (stale)
		fail_msg("%s/%s: the list has a difference that is gone", stale->archive, stale->file);
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
