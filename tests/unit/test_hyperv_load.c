/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A Hyper-V machine takes over states of VirtualBox: pages where the regions are, what was absent and what it became, and what is refused. */
#include "hyperv.h"

#include <inttypes.h>

#define SAMPLE_HZ UINT64_C(2600000000)
#define SAMPLE_TSC UINT64_C(0x2d5e1f3a0)

/* The sample with one field changed. */
static struct gim_state *sample_with(const char *path, const char *field, const char *value)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	if (gim_state_open(path, &state, &error) || gim_state_decode(state, GIM_PART_GIM | GIM_PART_INFO, NULL, NULL, &error) ||
	    (field && gim_state_set(state, field, value, &error)))
		fail_msg("%s: %s", path, error.text);
	return state;
}

/* What was reported, a line each. */
struct reports {
	char text[65536];
	size_t used;
};

static void keep_report(void *user, const struct gim_finding *finding)
{
	struct reports *reports = (struct reports *)user;
	const size_t room = sizeof(reports->text) - reports->used;
	const int written = snprintf(reports->text + reports->used, room, "%s %s: %s\n", finding->rule->id,
	                             finding->path ? finding->path : "-", finding->text);
	assert_true(written > 0 && (size_t)written < room);
	reports->used += (size_t)written;
}

static void heard(const struct reports *reports, const char *line)
{
	if (!strstr(reports->text, line))
		fail_msg("\"%s\" was not reported, but:\n%s", line, reports->text);
}

static void silent(const struct reports *reports, const char *line)
{
	if (strstr(reports->text, line))
		fail_msg("\"%s\" was reported:\n%s", line, reports->text);
}

static struct gim_machine *loaded_with(const char *path, const char *field, const char *value, struct reports *reports)
{
	struct gim_machine *machine = hv_test_new(&(struct hv_test){.tsc_hz = SAMPLE_HZ, .vcpus = strstr(path, "hyperv-1.") ? 1 : 2});
	struct gim_state *state = sample_with(path, field, value);
	struct gim_error error = GIM_ERROR_INIT;
	reports->used = 0;
	if (gim_machine_load(machine, state, keep_report, reports, &error) || gim_machine_load_done(machine, &error))
		fail_msg("%s: %s", path, error.text);
	gim_state_free(&state);
	return machine;
}

#define NEWEST "samples/hyperv-4.sav"

static void pages_lie_where_the_regions_are(void **unused)
{
	(void)unused;
	struct reports reports;
	struct gim_machine *machine = loaded_with(NEWEST, NULL, NULL, &reports);
	assert_int_equal(peek(machine, 0x7f000, 8), 0xc3c1010f);
	assert_int_equal(peek(machine, 0x7e000, 8), 1);
	assert_int_equal(rdmsr(machine, 0, 0x40000001), 0x7f001);
	assert_int_equal(rdmsr(machine, 0, 0x40000021), 0x7e001);
	silent(&reports, "HV-PAGE-MSR");
	gim_machine_free(&machine);
	machine = loaded_with(NEWEST, "hyperv.hypercall_page.gpa", "0x20000", &reports);
	heard(&reports,
	      "HV-PAGE-MSR hyperv.hypercall_page.gpa: the page is at 0x20000, where hyperv.hypercall says 0x7f000; it goes to 0x20000");
	assert_int_equal(peek(machine, 0x20000, 8), 0xc3c1010f);
	assert_int_equal(peek(machine, 0x7f000, 8), 0);
	gim_machine_free(&machine);
	machine = loaded_with(NEWEST, "hyperv.tsc_page.gpa", "0x20345", &reports); /* loaders take any byte of a page */
	heard(&reports,
	      "HV-PAGE-MSR hyperv.tsc_page.gpa: the page is at 0x20345, where hyperv.reference_tsc says 0x7e000; it goes to 0x20000");
	assert_int_equal(peek(machine, 0x20000, 8), 1);
	gim_machine_free(&machine);
}

static void disabled_pages_lie_nowhere(void **unused)
{
	(void)unused;
	struct reports reports;
	struct gim_machine *machine = loaded_with(NEWEST, "hyperv.hypercall", "0x7f000", &reports);
	assert_int_equal(peek(machine, 0x7f000, 8), 0);
	assert_int_equal(hv_state(machine)->hypercall_page.gpa, 0x7f000);
	gim_machine_free(&machine);
	machine = loaded_with(NEWEST, "hyperv.reference_tsc", "0x7e000", &reports);
	assert_int_equal(peek(machine, 0x7e000, 8), 0);
	assert_int_equal(hv_state(machine)->tsc_sequence, 0);
	gim_machine_free(&machine);
}

static void sequence_goes_on(void **unused)
{
	(void)unused;
	static const struct {
		const char *saved;
		uint32_t shown;
	} sequences[] = {{"0", 1}, {"1", 2}, {"0x77", 0x78}, {"0xfffffffd", 0xfffffffe}, {"0xfffffffe", 1}, {"0xffffffff", 1}};
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
		struct reports reports;
		struct gim_machine *machine = loaded_with(NEWEST, "hyperv.tsc_sequence", sequences[i].saved, &reports);
		assert_int_equal(peek(machine, 0x7e000, 4), sequences[i].shown);
		gim_machine_free(&machine);
	}
}

/* VirtualBox saves 0 whatever its guest saw, which is in the guest's memory: a guest that was stopped while it read the page must see that it changed. */
static void sequence_goes_on_from_memory(void **unused)
{
	(void)unused;
	static const struct {
		const char *saved;
		uint32_t below, shown;
	} sequences[] = {{"0", 1, 2}, {"0", 0xfffffffe, 1}, {"0", 0xffffffff, 1}, {"7", 0x100, 8}};
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
		struct gim_machine *machine = hv_test_new(&(struct hv_test){.tsc_hz = SAMPLE_HZ, .vcpus = 2});
		struct gim_state *state = sample_with(NEWEST, "hyperv.tsc_sequence", sequences[i].saved);
		poke(machine, 0x7e000, sequences[i].below, 4);
		assert_int_equal(gim_machine_load(machine, state, NULL, NULL, NULL), 0);
		assert_int_equal(gim_machine_load_done(machine, NULL), 0);
		assert_int_equal(peek(machine, 0x7e000, 4), sequences[i].shown);
		gim_state_free(&state);
		gim_machine_free(&machine);
	}
}

/* The time that the guest last saw: by its page, or by the MSR's quotient of whole numbers. */
static void time_goes_on(void **unused)
{
	(void)unused;
	const uint64_t scale = UINT64_MAX / 260 + 1; /* not behind that of VirtualBox's page, which has 32 bits */
	struct reports reports;
	struct gim_machine *machine = loaded_with(NEWEST, NULL, NULL, &reports);
	assert_int_equal(rdmsr(machine, 0, 0x40000020), gim_mul_high(SAMPLE_TSC, scale));
	char line[128];
	(void)snprintf(line, sizeof(line), "LOAD-ABSENT hyperv.time_ref_count: vbox-hyperv-4 does not hold it; it became %" PRIu64 "\n",
	               gim_mul_high(SAMPLE_TSC, scale));
	heard(&reports, line);
	gim_machine_step(machine, SAMPLE_HZ);
	assert_in_range(rdmsr(machine, 0, 0x40000020) - gim_mul_high(SAMPLE_TSC, scale), 9999999, 10000001);
	gim_machine_free(&machine);
	machine = loaded_with(NEWEST, "hyperv.reference_tsc", "0", &reports);
	assert_int_equal(rdmsr(machine, 0, 0x40000020), SAMPLE_TSC / 260);
	gim_machine_free(&machine);
}

/* Under KVM the reference time is KVM's clock, which the guest's TSC may be far from. */
static void time_of_kvm_goes_on(void **unused)
{
	(void)unused;
	struct gim_machine *machine = hv_test_new(&(struct hv_test){.tsc_hz = SAMPLE_HZ, .vcpus = 2});
	struct gim_state *state = sample_with("samples/qemu-kvm.mig", "hyperv.guest_os_id", "0x1040a00004a65");
	assert_int_equal(gim_state_set(state, "kvm.clock_ns", "7000000099", NULL), 0);
	assert_int_equal(gim_machine_load(machine, state, NULL, NULL, NULL), 0);
	assert_int_equal(gim_machine_load_done(machine, NULL), 0);
	assert_int_equal(rdmsr(machine, 0, 0x40000020), 70000000);
	gim_machine_step(machine, SAMPLE_HZ);
	assert_in_range(rdmsr(machine, 0, 0x40000020), 79999999, 80000001);
	gim_state_free(&state);
	gim_machine_free(&machine);
}

/* An absent scontrol follows from simp, and what VirtualBox serves without a bit stays open. */
static void absent_members(void **unused)
{
	(void)unused;
	struct reports reports;
	struct gim_machine *machine = loaded_with(NEWEST, "hyperv.vp[1].simp", "0x21000", &reports);
	heard(&reports, "LOAD-ABSENT hyperv.vp[0].scontrol: vbox-hyperv-4 does not hold it; it became 0x1");
	heard(&reports, "LOAD-ABSENT hyperv.vp[1].scontrol: vbox-hyperv-4 does not hold it; it became 0x0");
	heard(&reports, "LOAD-ABSENT hyperv.features.spin_retries: vbox-hyperv-4 does not hold it; it became 4294967295");
	heard(&reports, "LOAD-ABSENT hyperv.features.syndbg: vbox-hyperv-4 does not hold it; it became 0x0");
	assert_int_equal(machine->gating, GIM_GATING_PRODUCER);
	assert_int_equal(rdmsr(machine, 0, 0x40000080), 1);
	assert_int_equal(rdmsr(machine, 1, 0x40000080), 0);
	assert_int_equal(rdmsr(machine, 0, 0x40000092), 0x20052);
	no_rdmsr(machine, 0, 0x40000010); /* VirtualBox has none */
	no_rdmsr(machine, 0, 0x400000f1);
	uint32_t regs[4];
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x40000000, 0, regs), GIM_ACCESS_DONE);
	assert_int_equal(regs[GIM_EAX], 0x40000006);
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x40000004, 0, regs), GIM_ACCESS_DONE);
	assert_int_equal(regs[GIM_EBX], UINT32_MAX);
	gim_machine_free(&machine);
}

/* A guest with the debugger's MSRs keeps them. */
static void debugger_stays(void **unused)
{
	(void)unused;
	struct reports reports;
	struct gim_machine *machine = loaded_with(NEWEST, "hyperv.features.misc", "+guest_debugging,+debug_msrs", &reports);
	heard(&reports, "LOAD-ABSENT hyperv.features.syndbg: vbox-hyperv-4 does not hold it; it became 0x2");
	assert_int_equal(rdmsr(machine, 0, 0x400000f3), 0x16000);
	gim_machine_free(&machine);
}

/* Of all layouts, and a native save of what they became loads as it is. */
static void all_layouts(void **unused)
{
	(void)unused;
	static const char *const samples[] = {"samples/hyperv-1.sav", "samples/hyperv-2.sav", "samples/hyperv-3.sav", NEWEST};
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct reports reports;
		struct gim_error error = GIM_ERROR_INIT;
		struct gim_state *state = NULL;
		struct gim_machine *machine = loaded_with(samples[i], NULL, NULL, &reports);
		struct gim_machine *other = hv_test_new(&(struct hv_test){.tsc_hz = SAMPLE_HZ, .vcpus = machine->vcpus});
		gim_machine_step(machine, 12345);
		assert_int_equal(gim_machine_save(machine, &state, &error), 0);
		reports.used = 0;
		reports.text[0] = '\0';
		assert_int_equal(gim_machine_load(other, state, keep_report, &reports, &error), 0);
		assert_int_equal(gim_machine_load_done(other, &error), 0);
		gim_state_free(&state);
		assert_string_equal(reports.text, "");
		assert_int_equal(rdmsr(other, 0, 0x40000020), rdmsr(machine, 0, 0x40000020));
		assert_int_equal(peek(other, 0x7e000, 8), peek(machine, 0x7e000, 8));
		assert_int_equal(peek(other, 0x7f000, 8), peek(machine, 0x7f000, 8));
		const uint32_t last = machine->vcpus - 1;
		assert_int_equal(rdmsr(other, last, 0x40000080), rdmsr(machine, last, 0x40000080));
		gim_machine_free(&machine);
		gim_machine_free(&other);
	}
}

static void refused(const struct hv_test *test, const char *field, const char *value, const char *text)
{
	struct gim_machine *machine = hv_test_new(test);
	struct gim_state *state = sample_with(NEWEST, field, value), *sound = sample_with(NEWEST, NULL, NULL);
	struct gim_error error = GIM_ERROR_INIT;
	wrmsr(machine, 0, 0x40000000, LINUX_ID); /* so that it runs: a failure leaves it as it was */
	gim_machine_free(&machine);
	machine = hv_test_new(test);
	assert_int_equal(gim_machine_load(machine, state, NULL, NULL, &error), GIM_E_VALUE);
	assert_string_equal(error.rule->id, "LOAD-PAGE");
	assert_int_equal(error.rule->status, -1844);
	if (!strstr(error.text, text))
		fail_msg("%s", error.text);
	if (!test->no_device) {
		assert_int_equal(gim_machine_load(machine, sound, NULL, NULL, NULL), 0);
		assert_int_equal(gim_machine_load_done(machine, NULL), 0);
	}
	gim_state_free(&state);
	gim_state_free(&sound);
	gim_machine_free(&machine);
}

static void pages_that_cannot_be(void **unused)
{
	(void)unused;
	const struct hv_test plain = {.tsc_hz = SAMPLE_HZ}, no_device = {.tsc_hz = SAMPLE_HZ, .no_device = true};
	refused(&no_device, NULL, NULL, "the device that carries it is not registered");
	refused(&plain, "hyperv.hypercall_page.gpa", "0x40014000", "no ordinary RAM is there");
	refused(&plain, "hyperv.hypercall_page.gpa", "none", "no ordinary RAM is there");
	refused(&plain, "hyperv.tsc_page.gpa", "0x400000", "no ordinary RAM is there");
	refused(&plain, "hyperv.tsc_page.gpa", "0xfffffffffffff000", "no ordinary RAM is there");
	refused(&plain, "hyperv.tsc_page.gpa", "0x7f008", "the hypercall page is there");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pages_lie_where_the_regions_are),
	    cmocka_unit_test(disabled_pages_lie_nowhere),
	    cmocka_unit_test(sequence_goes_on),
	    cmocka_unit_test(sequence_goes_on_from_memory),
	    cmocka_unit_test(time_goes_on),
	    cmocka_unit_test(time_of_kvm_goes_on),
	    cmocka_unit_test(absent_members),
	    cmocka_unit_test(debugger_stays),
	    cmocka_unit_test(all_layouts),
	    cmocka_unit_test(pages_that_cannot_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
