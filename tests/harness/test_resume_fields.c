/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What resuming a guest reads and writes down, without KVM: its fields, the log, System.map. */
#include "foreign.h"

#include "harness/resume_fields.h"
#include "harness/symbols.h"

#include "../pgm.h"

#include <unistd.h>

struct runs {
	unsigned count;
	uint64_t gpa, pages;
};

static void take_run(void *user, uint64_t gpa, uint64_t pages)
{
	struct runs *runs = (struct runs *)user;
	runs->count++;
	runs->gpa = gpa;
	runs->pages = pages;
}

static void test_log(void **unused)
{
	enum { PAGES = 16 };
	struct guest_log log;
	struct gim_error error = GIM_ERROR_INIT;
	struct runs runs = {0};
	uint8_t *bytes = calloc(PAGES, PGM_PAGE);
	(void)unused;
	assert_non_null(bytes);
	assert_int_equal(guest_log_open(&log, 2, &error), 0);
	assert_int_equal(guest_log_remember(&log, bytes, 0x100000, (uint64_t)PAGES * PGM_PAGE, &error), 0);
	guest_log_changes(&log, take_run, &runs);
	assert_int_equal(runs.count, 0);
	bytes[PGM_PAGE * 3 + 4095] = 1;
	bytes[PGM_PAGE * 4] = 0x80;
	guest_log_changes(&log, take_run, &runs);
	assert_int_equal(runs.count, 1);
	assert_int_equal(runs.gpa, 0x103000);
	assert_int_equal(runs.pages, 2);
	bytes[PGM_PAGE * 3 + 4095] = bytes[PGM_PAGE * 4] = 0;
	runs.count = 0;
	guest_log_changes(&log, take_run, &runs);
	assert_int_equal(runs.count, 0);
	for (uint64_t port = 0; port < GUEST_ACCESSES_MAX + 5; port++)
		for (unsigned i = 0; i < 3; i++)
			guest_log_access(&log,
			                 &(struct guest_access){.kind = GUEST_ACCESS_PORT, .address = port, .value = i, .write = true});
	assert_int_equal(log.access_count, GUEST_ACCESSES_MAX);
	assert_int_equal(log.accesses[7].count, 3);
	assert_int_equal(log.accesses[7].value, 0);
	assert_int_equal(log.access_more, 15);
	guest_log_close(&log);
	free(bytes);
}

/* Both ends of a device's ports, what is just outside of them, and that ports, addresses and MSRs are told apart. */
static void test_devices(void **unused)
{
	(void)unused;
	assert_string_equal(guest_access_device(GUEST_ACCESS_PORT, 0x3f8), "COM1");
	assert_string_equal(guest_access_device(GUEST_ACCESS_PORT, 0x3ff), "COM1");
	assert_string_equal(guest_access_device(GUEST_ACCESS_PORT, 0x3f7), "floppy");
	assert_null(guest_access_device(GUEST_ACCESS_PORT, 0x400));
	assert_string_equal(guest_access_device(GUEST_ACCESS_PORT, 0x43), "PIT");
	assert_null(guest_access_device(GUEST_ACCESS_PORT, 0x44));
	assert_string_equal(guest_access_device(GUEST_ACCESS_MMIO, 0xfec00010), "I/O APIC");
	assert_string_equal(guest_access_device(GUEST_ACCESS_MMIO, 0xfed000f0), "HPET");
	assert_null(guest_access_device(GUEST_ACCESS_MMIO, 0x3f8));
	assert_null(guest_access_device(GUEST_ACCESS_MSR, 0x20));
}

static int open_map(const char *text, struct symbols **symbols, struct gim_error *error)
{
	char path[] = "/tmp/gimstate-map-XXXXXX";
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	const int result = symbols_open(path, symbols, error);
	(void)unlink(path);
	return result;
}

static void test_symbols(void **unused)
{
	struct symbols *symbols = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	uint64_t offset = 0;
	(void)unused;
	assert_int_equal(
	    open_map("ffffffff81000100 t second\nffffffff81000000 T _text\nffffffff81000000 T startup_64\nffffffff81000180 D data\n"
	             "ffffffff82000000 t last\t[module]\n",
	             &symbols, &error),
	    0);
	assert_null(symbols_find(symbols, UINT64_C(0xffffffff80ffffff), &offset));
	assert_string_equal(symbols_find(symbols, UINT64_C(0xffffffff810000ff), &offset), "_text");
	assert_int_equal(offset, 0xff);
	assert_string_equal(symbols_find(symbols, UINT64_C(0xffffffff81000190), &offset), "second"); /* data is no code */
	assert_string_equal(symbols_find(symbols, UINT64_C(0xffffffff82000001), &offset), "last");
	assert_null(symbols_find(symbols, UINT64_MAX, &offset)); /* too far away */
	symbols_free(&symbols);
	assert_int_equal(open_map("ffffffff81000000 T _text\nhello\n", &symbols, &error), GIM_E_FORMAT);
	assert_non_null(strstr(error.text, "line 2"));
	error = (struct gim_error)GIM_ERROR_INIT;
	assert_int_equal(open_map("", &symbols, &error), 0);
	assert_null(symbols_find(symbols, 0, &offset));
	symbols_free(&symbols);
}

#ifdef __x86_64__

/* Its code does not matter. */
static const uint8_t no_code[] = {0xf4};

static void set_fields(struct guest_vcpu *vcpu, uint32_t id)
{
	vcpu->rip = id ? 0x5678 : 0x1234;
	foreign_set_segment(&vcpu->cs, id ? 0 : 0xf0000, 0x9b);
	vcpu->msr.efer = 0x500;
	vcpu->msr.star = 0x77;
	vcpu->msr.mtrr[1] = (struct guest_mtrr){0x7, 0x900};
	vcpu->apic.irr[2] = 4;
}

static uint64_t msr_of(const struct resume_vcpu *vcpu, uint32_t number)
{
	for (unsigned i = 0; i < vcpu->msr_count; i++)
		if (vcpu->msrs[i].number == number)
			return vcpu->msrs[i].value;
	return UINT64_MAX;
}

static void test_fields(void **unused)
{
	struct gim_buffer file = {0};
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	struct resume_vcpu vcpus[3];
	struct resume_clocks clocks;
	(void)unused;
	foreign_state(&file, 2, no_code, sizeof(no_code), set_fields);
	if (gim_state_open_memory(file.bytes, file.size, &state, &error) || gim_state_decode(state, GIM_PART_GUEST, NULL, NULL, &error))
		fail_msg("%s", error.text);
	assert_true(resume_has_vcpus(state));
	assert_int_equal(resume_read(state, vcpus, 2, &clocks, &error), 0);
	assert_int_equal(clocks.tsc_hz, 2600000000);
	assert_int_equal(clocks.virtual_sync_ns, 5000000000);
	assert_int_equal(vcpus[0].rip, 0x1234);
	assert_int_equal(vcpus[1].rip, 0x5678);
	assert_int_equal(vcpus[0].segments[RESUME_CS].base, 0xf0000);
	assert_int_equal(vcpus[0].segments[RESUME_CS].attributes, 0x9b);
	assert_int_equal(vcpus[1].segments[RESUME_DS].base, DATA + 0x100);
	assert_int_equal(vcpus[0].efer, 0x500);
	assert_int_equal(msr_of(&vcpus[0], 0xc0000081), 0x77);
	assert_int_equal(msr_of(&vcpus[1], 0x202), 0x7);
	assert_int_equal(msr_of(&vcpus[1], 0x203), 0x900);
	assert_int_equal(msr_of(&vcpus[1], 0xda0), UINT64_MAX); /* VirtualBox does not save it */
	assert_int_equal(vcpus[1].fpu.xmm[2], UINT64_C(0x1122334455667788));
	assert_int_equal(vcpus[1].apic.irr[2], 4);
	assert_int_equal(vcpus[1].apic.logical_id, UINT64_MAX);
	assert_int_equal(vcpus[1].event.vector, UINT32_MAX);
	assert_int_equal(vcpus[1].injected.interrupt, UINT32_MAX);
	assert_int_equal(resume_read(state, vcpus, 3, &clocks, &error), GIM_E_VALUE);
	gim_state_free(&state);
	gim_buffer_free(&file);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_log),
	    cmocka_unit_test(test_devices),
	    cmocka_unit_test(test_symbols),
#ifdef __x86_64__
	    cmocka_unit_test(test_fields),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
