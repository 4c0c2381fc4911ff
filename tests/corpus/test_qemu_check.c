/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check says of every stream and configuration whether QEMU loads it, as QEMU itself said (verdicts.txt), and warns where QEMU loads it and loses something
 * without a word. */
#include "corpus.h"

#include "gimstate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

#define TINY "streams/q*-kvm-tiny-3cpu-32m.mig"

/* Which stream a verdict is of (*: of the release that judged), and which rule says what QEMU kept to itself. "mutated X" is damaged/mutN_X. */
static const struct {
	const char *name, *file, *warning;
} rows[] = {
    {"baseline same config", TINY, NULL},
    {"dest TCG instead of KVM", TINY, NULL},
    {"machine type mismatch", TINY, NULL},
    {"RAM 64 instead of 32", TINY, NULL},
    {"smp 2 instead of 3", TINY, NULL},
    {"smp 4 instead of 3", TINY, "GIM-QEMU-005"},
    {"dest lacks kvm PV features", TINY, "GIM-QEMU-010"},
    {"dest kvm=off", TINY, "GIM-QEMU-010"},
    {"extra device on source (none on dest is default) / extra on dest", TINY, NULL},
    {"tsc-frequency differs", TINY, NULL},
    {"cpu model differs qemu64", TINY, "GIM-QEMU-010"},
    {"mutated hvtime", NULL, "GIM-QEMU-010"},
    {"mutated hvsynic", NULL, "GIM-QEMU-010"},
    {"mutated no_kvmclock", NULL, "GIM-QEMU-NO-KVMCLOCK"},
    {"mutated kvmclock_nosub", NULL, "GIM-QEMU-CLOCK-FLAG"},
    {"mutated", NULL, NULL},
    {"reenlightenment with tsc-frequency", "damaged/mut*_reenl.mig.xz", "GIM-QEMU-010"},
    {"7.2 stream into 11.1 -M pc-i440fx-7.2", "streams/q72-kvm-tiny-3cpu-32m.mig", NULL},
    {"11.1 stream into 7.2", "streams/q111-kvm-tiny-3cpu-32m.mig", NULL},
    {"mapped-ram without cap", "streams/q111-kvm-tiny-mappedram.mig.tar.xz", NULL},
    {"mapped-ram with cap", "streams/q111-kvm-tiny-mappedram.mig.tar.xz", NULL},
    {"x-ignore-shared without cap", "streams/q111-kvm-tiny-uuid-ignoreshared.stripped.mig", NULL},
    {"x-ignore-shared with cap, no -uuid", "streams/q111-kvm-tiny-uuid-ignoreshared.stripped.mig", NULL},
    {"uuid mismatch", "streams/q111-kvm-tiny-uuid-ignoreshared.stripped.mig", NULL},
    {"hv state into tcg dest without any hv flag", "streams/q72-tcg-resaved-hv_full.stripped.mig", "GIM-QEMU-010"},
    {"hv reenl into tcg dest no tsc-frequency", "streams/q111-tcg-resaved-hv_full.stripped.mig", NULL},
    {"hv tcg stream tsc freq mismatch", "streams/q111-tcg-resaved-hv_full.stripped.mig", NULL},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]), LINE_MAX_BYTES = 4096 };

/* One entry of verdicts.txt. */
struct verdict {
	char name[128], release[8], args[1024];
	bool loaded;
};

struct heard {
	const char *warning; /* that is listened for */
	bool warned;
	unsigned warnings, errors;
	char first[400];
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = (struct heard *)user;
	if (finding->severity == GIM_NOTE)
		return;
	heard->warned |= heard->warning && !strcmp(finding->rule->id, heard->warning);
	heard->warnings += finding->severity == GIM_WARNING;
	heard->errors += finding->severity == GIM_ERROR;
	if (!*heard->first || (finding->severity == GIM_ERROR && heard->errors == 1))
		(void)snprintf(heard->first, sizeof(heard->first), "%s %s", finding->rule->id, finding->text);
}

static bool find_file(const struct verdict *verdict, size_t *row, char *path, size_t size)
{
	char name[256];
	for (*row = 0; *row < ROWS; (*row)++)
		if (rows[*row].file ? !strcmp(verdict->name, rows[*row].name)
		                    : !strncmp(verdict->name, rows[*row].name, strlen(rows[*row].name)))
			break;
	if (*row == ROWS)
		return false;
	if (!rows[*row].file)
		(void)snprintf(name, sizeof(name), "damaged/mut*_%s.mig.xz", verdict->name + strlen("mutated "));
	else
		(void)snprintf(name, sizeof(name), "%s", rows[*row].file);
	const int star = (int)strcspn(name, "*");
	(void)snprintf(path, size, "%s/qemu/%.*s%s%s", corpus_folder(), star, name, name[star] ? verdict->release : "",
	               name[star] ? name + star + 1 : "");
	return !access(path, R_OK);
}

/* Capabilities were switched on by the monitor; on a command line they are properties. */
static void make_target(const struct verdict *verdict, char *text, size_t size)
{
	const char *caps = strstr(verdict->args, " caps=");
	(void)snprintf(text, size, "qemu:%s %.*s", strcmp(verdict->release, "72") ? "11.1" : "7.2",
	               (int)(caps ? caps - verdict->args : (long)strlen(verdict->args)), verdict->args);
	if (caps)
		(void)snprintf(text + strlen(text), size - strlen(text), " -global migration.%s=on", caps + strlen(" caps="));
}

static unsigned loaded, refused, warned;

static void judge(const struct verdict *verdict)
{
	char path[PATH_MAX], text[1200];
	size_t row;
	struct gim_target *target = NULL;
	struct gim_check *check = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (!find_file(verdict, &row, path, sizeof(path)))
		return;
	struct heard heard = {.warning = rows[row].warning};
	make_target(verdict, text, sizeof(text));
	if (gim_target_open(text, path, &target, &error) || gim_check_open(path, NULL, &check, &error))
		fail_msg("%s: %s: %s", path, text, error.text);
	const int result = gim_check_target(check, target, hear, &heard, &error);
	gim_check_free(&check);
	gim_target_free(&target);
	if (result != (verdict->loaded ? 0 : 1))
		fail_msg("%s [%s]: QEMU %s it, and check says %d: %s (%s, %s)", verdict->name, verdict->release,
		         verdict->loaded ? "loads" : "refuses", result, heard.first, path, text);
	/* What is refused need not be warned of, too; what QEMU loads is warned of exactly where it loses something. */
	if (verdict->loaded && (heard.warning ? !heard.warned : heard.warnings != 0))
		fail_msg("%s [%s]: %s is %s, but: %s", verdict->name, verdict->release, heard.warning ? heard.warning : "no warning",
		         "expected", *heard.first ? heard.first : "nothing");
	loaded += verdict->loaded;
	refused += !verdict->loaded;
	warned += verdict->loaded && heard.warned;
}

static void verdicts(void **unused)
{
	char path[PATH_MAX], line[LINE_MAX_BYTES];
	struct verdict verdict = {.loaded = false};
	(void)unused;
	(void)snprintf(path, sizeof(path), "%s/qemu/verdicts.txt", corpus_folder());
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "### %127[^[][%7[0-9]]", verdict.name, verdict.release) == 2)
			verdict.name[strlen(verdict.name) - 1] = '\0'; /* the space before the bracket */
		else if (!strncmp(line, "  args: ", 8))
			(void)snprintf(verdict.args, sizeof(verdict.args), "%.1000s", line + 8);
		else if (!strncmp(line, "  status: ", 10)) {
			verdict.loaded = strstr(line, "\"completed\"") != NULL;
			judge(&verdict);
		}
	}
	(void)fclose(file);
	print_message("%u loaded, %u of them with a warning of what is lost, %u refused, as QEMU does\n", loaded, warned, refused);
	assert_true(loaded >= 20 && refused >= 20 && warned >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(verdicts)};
	corpus_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
