/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: any bytes can be judged for a target; "no" is the answer exactly when an error is reported, and twice it is the same. */
#include "gimstate.h"

#include "fuzz.h"

static const char *const profiles[] = {
    "{\"gimstate\": 1, \"profile\": {\"release\": \"vbox:7.2\"}, \"gim\": {\"provider\": \"hyperv\"}, \"guest\": {\"vcpus\": 2, "
    "\"ram_bytes\": \"0x8000000\"}}",
    "{\"gimstate\": 1, \"profile\": {\"release\": \"vbox:5.0\", \"unit\": [{\"name\": \"GIM\", \"instance\": 0}]}, \"gim\": {\"provider\": "
    "\"kvm\"}, \"guest\": "
    "{\"vcpus\": 3, \"ram_bytes\": \"0x400000\", \"tsc_hz\": \"0x1\"}}",
    "{\"gimstate\": 1, \"profile\": {\"hypervisor\": \"kvm\", \"tsc_fixed\": true, \"msr\": [{\"number\": \"0x12\"}], \"leaf\": "
    "[{\"interface\": \"hyperv\", "
    "\"leaf\": 1073741827}]}, \"guest\": {\"tsc_hz\": \"0xffffffffffffffff\"}}",
};

enum { PROFILES = sizeof(profiles) / sizeof(profiles[0]) };

struct heard {
	unsigned errors, count;
	uint64_t sum; /* over all that is said */
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = (struct heard *)user;
	MUST(finding->rule && *finding->rule->id && finding->text && *finding->text);
	MUST(finding->severity >= finding->rule->severity);
	heard->errors += finding->severity == GIM_ERROR;
	heard->count++;
	for (const char *at = finding->text; *at; at++)
		heard->sum = heard->sum * 31 + (unsigned char)*at;
}

static void judge(struct gim_check *check, const struct gim_target *target)
{
	struct heard first = {0, 0, 0}, second = {0, 0, 0};
	const int result = gim_check_target(check, target, hear, &first, NULL);
	MUST(result == (first.errors > 0));
	MUST(gim_check_target(check, target, hear, &second, NULL) == result);
	MUST(first.count == second.count && first.sum == second.sum);
}

static void judge_bytes(const uint8_t *bytes, size_t size)
{
	const struct gim_verify_options options = {.threads = 1};
	struct gim_check *check = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	const int opened = gim_check_open_memory(bytes, size, &options, &check, &error);
	MUST((opened < 0) == (error.code != 0));
	for (size_t i = 0; !opened && i < PROFILES; i++) {
		struct gim_target *target = NULL;
		MUST(!gim_target_open_json("profile", profiles[i], strlen(profiles[i]), &target, NULL));
		judge(check, target);
		gim_target_free(&target);
	}
	gim_check_free(&check);
}

FUZZ_STATES

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = fuzz_copy(bytes, size);
	for (unsigned round = 0; round < 2; round++) {
		judge_bytes(copy, size);
		fuzz_reseal(copy, size);
	}
	free(copy);
	return 0;
}
