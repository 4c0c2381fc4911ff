/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest's memory in real streams: in every encoding, and whatever the stream is wrapped in, the guest's clock page is there, made for the TSC frequency that the stream says. */
#include "bytes.h"
#include "corpus.h"

#include "gimstate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

/* The page of vCPU 0's clock, as the folder's README has it. */
enum { CLOCK_GPA = 0x200000, CLOCK_BYTES = 32, TSC_KHZ = 2599998 };

/* The frequency that multiplier and shift are made for (KVM msr.rst). */
static double khz_of(const uint8_t page[CLOCK_BYTES])
{
	double khz = 1e6 * 4294967296.0 / (double)gim_load(page + 24, 4);
	for (int shift = (int8_t)page[28]; shift; shift += shift < 0 ? 1 : -1)
		khz = shift < 0 ? khz * 2 : khz / 2;
	return khz;
}

/* Those that hold memory. */
static const char *const files[] = {
    "q72-kvm-tiny-3cpu-32m.mig",
    "q111-kvm-tiny-3cpu-32m.mig",
    "q72-kvm-tiny-compress.mig",
    "q111-kvm-tiny-bgsnap.mig",
    "q111-kvm-tiny-mappedram.mig.tar.xz",
    "lv128-raw.save",
    "lv128-zstd.save",
    "lv128-gzip.save",
};
enum { FILES = sizeof(files) / sizeof(files[0]) };

static void clock_pages(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < FILES; i++) {
		char path[PATH_MAX];
		uint8_t page[CLOCK_BYTES] = {0};
		struct gim_state *state = NULL;
		struct gim_memory *memory = NULL;
		struct gim_error error = GIM_ERROR_INIT;
		(void)snprintf(path, sizeof(path), "%s/qemu/streams/%s", corpus_folder(), files[i]);
		if (gim_state_open_settled(path, &state, &error) || gim_memory_open(state, NULL, &memory, &error) ||
		    gim_memory_read(memory, CLOCK_GPA, page, sizeof(page), &error))
			fail_msg("%s: %s", path, error.text);
		const double khz = khz_of(page);
		if (khz < TSC_KHZ - 1 || khz > TSC_KHZ + 1)
			fail_msg("%s: %.0f kHz", path, khz);
		gim_memory_free(&memory);
		gim_state_free(&state);
	}
}

static void hear_clock(void *user, const struct gim_finding *finding)
{
	if (!strcmp(finding->rule->id, "GIM-MEM-005"))
		fail_msg("%s: %s", (const char *)user, finding->text);
}

/* The clock of each goes on where its pages have come to. */
static void clocks(void **unused)
{
	struct gim_target *target = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	(void)unused;
	assert_int_equal(gim_target_open("qemu:11.1", NULL, &target, &error), 0);
	for (size_t i = 0; i < FILES; i++) {
		char path[PATH_MAX];
		struct gim_check *check = NULL;
		(void)snprintf(path, sizeof(path), "%s/qemu/streams/%s", corpus_folder(), files[i]);
		if (gim_check_open(path, NULL, &check, &error) || gim_check_target(check, target, hear_clock, path, &error) < 0)
			fail_msg("%s: %s", path, error.text);
		gim_check_free(&check);
	}
	gim_target_free(&target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(clock_pages), cmocka_unit_test(clocks)};
	corpus_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
