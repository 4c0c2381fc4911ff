/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every state of the corpus comes to life: it loads, saves the same bytes again, goes on as its layout says, and resets; and a machine refuses of the damaged ones
 * what VirtualBox refuses, with its status, but for the differences that docs/load-differences.md lists. */
#include "verdicts.h"

#include "../machines.h"
#include "hyperv/hyperv.h"
#include "kvm/kvm.h"
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { RAM = 4 << 20 };
#define TSC_HZ 2600000000u

static uint8_t ram[RAM];

/*
 * A machine for a state.
 */
static struct gim_machine *new_machine(const char *provider, uint32_t vcpus)
{
	const struct gim_machine_config config = {.provider = provider, .vcpus = vcpus, .tsc_hz = TSC_HZ, .ram_bytes = RAM, .ram = ram};
	struct gim_machine *machine = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	memset(ram, 0, sizeof(ram));
	int result = gim_machine_new(&config, NULL, &machine, &error);
	if (!result)
		result = gim_machine_init(machine, &error);
	if (!result)
		result = gim_machine_register_device(machine, &error);
	if (!result)
		result = gim_machine_init_completed(machine, &error);
	if (result)
		fail_msg("%s with %u vCPUs: %s", provider, vcpus, error.text);
	gim_machine_step(machine, TSC_HZ);
	return machine;
}

/* The numbers of a saved machine's state that are not those of the state before, as "path path …". */
struct changes {
	const struct gim_state *before;
	char paths[4096];
};

static int note_change(void *user, const char *path, const struct gim_value *value)
{
	struct changes *changes = (struct changes *)user;
	const struct gim_value before = gim_state_value(changes->before, path);
	if (value->kind != GIM_VALUE_NUMBER || before.presence == GIM_ABSENT || before.number == value->number)
		return 0;
	const size_t length = strlen(changes->paths);
	(void)snprintf(changes->paths + length, sizeof(changes->paths) - length, "%s%s", length ? " " : "", path);
	return 0;
}

static struct gim_state *save(struct gim_machine *machine)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_machine_save(machine, &state, &error))
		fail_msg("%s %s", error.path, error.text);
	return state;
}

static uint64_t number(const struct gim_state *state, const char *path)
{
	return gim_state_value(state, path).number;
}

static const char *provider_of(const struct gim_state *state)
{
	return gim_unit_provider(state)->name;
}

/* What a load makes of a field that the layout holds: told when it is another value than before. */
static void expect_change(struct changes *expected, const struct gim_state *saved, const char *path, uint64_t value)
{
	const size_t length = strlen(expected->paths);
	if (number(saved, path) != value)
		fail_msg("after a load %s is 0x%llx, 0x%llx is expected", path, (unsigned long long)number(saved, path),
		         (unsigned long long)value);
	if (number(expected->before, path) != value)
		(void)snprintf(expected->paths + length, sizeof(expected->paths) - length, "%s%s", length ? " " : "", path);
}

/* The sequence of a TSC page, which is written anew; of KVM's structures the anchor, which is one for all vCPUs, and the version; and that the guest was paused,
 * which it has seen, as the bit is not in its (empty) memory. */
static void expect_changes(struct changes *expected, const struct gim_state *saved)
{
	const struct gim_object *kvm = gim_state_find(expected->before, &kvm_state_record);
	const struct gim_list *list = kvm ? &((const struct kvm_state *)(const void *)kvm->data)->vcpu : NULL;
	const uint64_t sequence = number(expected->before, "hyperv.tsc_sequence");
	char path[64];
	if (!kvm && number(expected->before, "hyperv.reference_tsc") & 1)
		expect_change(expected, saved, "hyperv.tsc_sequence", sequence < 0xfffffffe ? sequence + 1 : 1);
	for (uint32_t i = 0; list && i < list->count; i++) {
		const struct kvm_vcpu *vcpu = &((const struct kvm_vcpu *)list->items)[i];
		const struct {
			const char *name;
			uint64_t value;
		} fields[] = {{"tsc", number(saved, "machine.tsc")},
		              {"virtual_ns", number(saved, "kvm.clock_ns")},
		              {"version", (vcpu->version & ~1u) + 2},
		              {"flags", vcpu->flags & ~2u}};
		for (size_t f = 0; vcpu->system_time & 1 && f < sizeof(fields) / sizeof(fields[0]); f++) {
			(void)snprintf(path, sizeof(path), "kvm.vcpu[%u].%s", i, fields[f].name);
			expect_change(expected, saved, path, fields[f].value);
		}
	}
}

static uint32_t vcpus_of(const struct gim_state *state)
{
	const struct gim_object *hyperv = gim_state_find(state, &hv_state_record), *kvm = gim_state_find(state, &kvm_state_record);
	const uint32_t counted = hyperv ? ((const struct hv_state *)(const void *)hyperv->data)->vp.count
	                         : kvm  ? ((const struct kvm_state *)(const void *)kvm->data)->vcpu.count
	                                : 0;
	const uint32_t said = (uint32_t)number(state, "guest.vcpus");
	return counted ? counted : said ? said : 1;
}

static void check_saved(const char *path, const struct gim_state *state, struct gim_machine *machine)
{
	struct gim_state *saved = save(machine);
	struct gim_buffer before = {.bytes = NULL}, after = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	char layout[64];
	const struct gim_value name = gim_state_value(state, "gim.layout");
	(void)snprintf(layout, sizeof(layout), "%.*s", (int)name.length_bytes, name.bytes);
	assert_int_equal(gim_unit_encode(state, &state->codec, &before, NULL), 0);
	if (gim_state_payload(saved, layout, wrap_collect, &after, &error))
		fail_msg("%s: as %s: %s %s", path, layout, error.path, error.text);
	if (before.size != after.size || memcmp(before.bytes, after.bytes, before.size) != 0)
		fail_msg("%s: loaded and saved again the unit has other bytes", path);
	gim_buffer_free(&before);
	gim_buffer_free(&after);
	gim_state_free(&saved);
}

static void check_continued(const char *path, const struct gim_state *state, struct gim_machine *machine)
{
	struct gim_error error = GIM_ERROR_INIT;
	const struct gim_provider *provider = gim_unit_provider(state);
	if (gim_machine_load_done(machine, &error))
		fail_msg("%s: %s %s", path, error.path, error.text);
	struct gim_state *saved = save(machine);
	struct changes changes = {.before = state}, expected = {.before = state};
	if (provider->record)
		assert_int_equal(gim_state_visit(saved, provider->record->name, note_change, &changes, NULL), 0);
	expect_changes(&expected, saved);
	if (strcmp(changes.paths, expected.paths) != 0)
		fail_msg("%s: a load changed \"%s\", \"%s\" is expected", path, changes.paths, expected.paths);
	gim_state_free(&saved);
}

/*
 * Resets. What a reset keeps; all else goes to the value that its field documents.
 */
static bool is_kept(const char *path)
{
	static const char *const kept[] = {
	    "gim.",          "source.",        "machine.",           "hyperv.features.", "hyperv.time_ref_count",
	    "hyperv.tsc_",   "hyperv.debug.r", "hyperv.debug.bootp", "hyperv.debug.gu",  "hyperv.debug.udp",
	    "kvm.features.", "kvm.clock_"};
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (!strncmp(path, kept[i], strlen(kept[i])))
			return true;
	return strstr(path, "_page.index") || strstr(path, "_page.raw_mode") || strstr(path, "_page.size") || strstr(path, "].runtime") ||
	       !strcmp(path, "hyperv.crash.control");
}

static int check_reset_leaf(void *user, const char *path, const struct gim_value *value)
{
	if (value->kind == GIM_VALUE_NUMBER && !is_kept(path) && value->number != value->field->reset)
		fail_msg("%s: after a reset %s is 0x%llx, 0x%llx is expected", (const char *)user, path, (unsigned long long)value->number,
		         (unsigned long long)value->field->reset);
	return 0;
}

static void check_reset(const char *path, const char *provider, struct gim_machine *machine)
{
	struct gim_page page;
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	for (unsigned i = 0; gim_machine_page(machine, i, &page); i++)
		if (page.gpa != GIM_UNKNOWN)
			fail_msg("%s: after a reset there is still %s", path, page.name);
	struct gim_state *saved = save(machine);
	if (provider)
		assert_int_equal(gim_state_visit(saved, provider, check_reset_leaf, (void *)(uintptr_t)path, NULL), 0);
	gim_state_free(&saved);
}

static void check_file(const char *path)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(gim_state_open(path, &state, NULL), 0);
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM | GIM_PART_INFO, NULL, NULL, NULL), 0);
	struct gim_machine *machine = new_machine(provider_of(state), vcpus_of(state));
	const int result = gim_machine_load(machine, state, NULL, NULL, &error);
	if (strstr(path, "unitver2")) {
		if (!result || !error.rule || error.rule->status != -1840)
			fail_msg("%s: the unit's version is not refused: %s", path, error.text);
	} else {
		if (result)
			fail_msg("%s: %s %s", path, error.path, error.text);
		check_saved(path, state, machine);
		check_continued(path, state, machine);
		check_reset(path, gim_unit_provider(state)->record ? provider_of(state) : NULL, machine);
	}
	gim_machine_free(&machine);
	gim_state_free(&state);
}

static void sound_states(void **state)
{
	(void)state;
	const unsigned count = corpus_each_state(check_file);
	print_message("%u states\n", count);
	assert_true(count > 40);
}

/*
 * Damaged states. VirtualBox loaded each into a VM that has the units of the undamaged one.
 */
/* The first error that integrity finds; of the unit SSM, which every VM loads, also what its loader finds. */
struct heard {
	unsigned errors;
	int status;
	uint64_t offset;
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = (struct heard *)user;
	const bool loaded = finding->unit && !strcmp(finding->unit, "SSM/0") && finding->rule->status;
	if ((finding->rule->severity != GIM_ERROR && !loaded) || heard->errors++)
		return;
	heard->status = finding->rule->status;
	heard->offset = finding->offset;
}

enum { NO_UNIT = -1801, UNIT_NOT_FOUND = -1819, LOADED_TOO_LITTLE = -1833, UNIT_VERSION = -1840 };

/* A machine's status for the state's GIM unit, 0: it is loaded. */
static int load(const struct damaged *damaged)
{
	const bool kvm = strstr(damaged->file, "kvm") != NULL;
	struct gim_machine *machine = new_machine(kvm ? "kvm" : "hyperv", kvm ? 3 : 2);
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(gim_state_open_memory(damaged->bytes, damaged->size, &state, NULL), 0);
	int result = gim_machine_load(machine, state, NULL, NULL, &error);
	if (!result)
		result = gim_machine_load_done(machine, &error);
	gim_machine_free(&machine);
	gim_state_free(&state);
	if (result == GIM_E_NO_UNIT)
		return NO_UNIT;
	if (result && !(error.rule && error.rule->status))
		fail_msg("%s: refused without a status of VirtualBox: %s %s", damaged->file, error.path, error.text);
	return result ? error.rule->status : 0;
}

static const struct {
	const char *name;
	uint32_t instance, version; /* 0: any */
} units[] = {{"SSM", 0, 1}, {"GIMDev", 0, 0}, {"GIM", 1, 0},
             {"GI", 0, 0},  {"GIM", 0, 0},    {"GIMx-a-very-long-unit-name-of-47-characters-aaa", 0, 0}};

static int judge_unit(const struct damaged *damaged, const struct gim_unit *unit)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(units[i].name, unit->name) != 0 || units[i].instance != unit->instance)
			continue;
		if (units[i].version && units[i].version != unit->version)
			return UNIT_VERSION;
		if (strcmp(unit->name, "GIM") != 0 || unit->instance)
			return 0;
		/* Of a pass before the last its loader reads nothing. */
		return unit->pass == GIM_PASS_FINAL ? load(damaged) : LOADED_TOO_LITTLE;
	}
	return UNIT_NOT_FOUND;
}

/* What a VM of ours says of the file: integrity, units and the interface, in the order of the file. */
static int judge(const struct damaged *damaged)
{
	const struct gim_verify_options quick = {.quick = true};
	struct heard opened = {.errors = 0}, heard = {.errors = 0, .offset = GIM_UNKNOWN};
	struct gim_state *state = NULL;
	struct gim_unit unit = {.offset = 0};
	(void)gim_verify_memory(damaged->bytes, damaged->size, &quick, hear, &opened, NULL);
	if (opened.errors)
		return opened.status;
	(void)gim_verify_memory(damaged->bytes, damaged->size, NULL, hear, &heard, NULL);
	if (gim_state_open_memory(damaged->bytes, damaged->size, &state, NULL))
		return heard.status;
	int status = 0;
	while (!status && gim_unit_next(state, &unit, NULL) == 1 && !(heard.errors && heard.offset < unit.offset))
		status = judge_unit(damaged, &unit);
	gim_state_free(&state);
	return status ? status : heard.status;
}

static struct differences differences;
static unsigned judged, disagreed, unlisted;

static void check_damaged(const struct damaged *damaged)
{
	const int theirs = verdict_status(damaged->verdict, "load");
	if (theirs == VERDICT_ABSENT)
		return;
	const int ours = judge(damaged);
	judged++;
	if (theirs == ours)
		return;
	disagreed++;
	if (differences_have(&differences, damaged->archive, damaged->file, theirs, ours))
		return;
	unlisted++;
	print_error("| %s | %s | %d | %d | is not in the list |\n", damaged->archive, damaged->file, theirs, ours);
}

static void damaged_states(void **state)
{
	(void)state;
	assert_true(differences_read(&differences, "docs/load-differences.md"));
	assert_true(verdicts_each("v2", check_damaged));
	const struct difference *stale = differences_stale(&differences);
	if (stale)
		fail_msg("%s/%s: the list has a difference that is gone", stale->archive, stale->file);
	print_message("%u damaged states, %u differences\n", judged, disagreed);
	assert_true(judged > 1000);
	assert_int_equal(unlisted, 0);
}

int main(void)
{
	corpus_require();
	const struct CMUnitTest tests[] = {cmocka_unit_test(sound_states), cmocka_unit_test(damaged_states)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
