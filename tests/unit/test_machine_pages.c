/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The runtime core's memory and the pages shown over it, by a provider of the tests' own. */
#include "test_provider.h"

static struct {
	unsigned calls;
	uint64_t gpa;
	char name[32];
} told;

static void page_told(void *user, const struct gim_page *page)
{
	(void)user;
	told.calls++;
	told.gpa = page->gpa;
	(void)snprintf(told.name, sizeof(told.name), "%s", page->name);
}

static void lay(struct gim_machine *machine, unsigned index, uint64_t gpa, uint8_t content)
{
	memset(machine->pages[index].bytes, content, GIM_PAGE_BYTES);
	assert_int_equal(gim_page_map(machine, index, gpa, NULL), 0);
}

static void unlaid(struct gim_machine *machine, unsigned index, uint64_t gpa, const char *why)
{
	struct gim_error error = GIM_ERROR_INIT;
	const uint64_t before = machine->pages[index].gpa;
	assert_int_equal(gim_page_map(machine, index, gpa, &error), GIM_E_ARGUMENT);
	if (!strstr(error.text, why))
		fail_msg("\"%s\" is not in \"%s\"", why, error.text);
	assert_true(machine->pages[index].gpa == before);
	struct gim_error own = GIM_ERROR_INIT;
	assert_int_equal(gim_page_check(machine, index, gpa, &own), GIM_E_VALUE);
	assert_string_equal(own.rule->id, "LOAD-PAGE");
	assert_int_equal(own.rule->status, -1844);
}

static void pages(void **unused)
{
	(void)unused;
	static uint8_t pattern[3 * GIM_PAGE_BYTES], back[3 * GIM_PAGE_BYTES];
	const struct gim_host host = {.page = page_told};
	struct gim_machine *machine = running(&plain, &host);
	struct gim_page page;
	memset(pattern, 0x11, sizeof(pattern));
	assert_int_equal(gim_machine_write(machine, 0x3000, pattern, sizeof(pattern), NULL), 0);
	memset(&told, 0, sizeof(told));
	lay(machine, 0, 0x4000, 0xaa);
	assert_int_equal(told.calls, 1);
	assert_true(told.gpa == 0x4000);
	assert_string_equal(told.name, "test.first");
	/* Read through, written around. */
	assert_int_equal(gim_machine_read(machine, 0x3000, back, sizeof(back), NULL), 0);
	assert_int_equal(back[0xfff], 0x11);
	assert_int_equal(back[0x1000], 0xaa);
	assert_int_equal(back[0x1fff], 0xaa);
	assert_int_equal(back[0x2000], 0x11);
	memset(pattern, 0x22, sizeof(pattern));
	assert_int_equal(gim_machine_write(machine, 0x3800, pattern, 0x2000, NULL), 0);
	assert_int_equal(byte_at(machine, 0x37ff), 0x11);
	assert_int_equal(byte_at(machine, 0x3fff), 0x22);
	assert_int_equal(byte_at(machine, 0x4000), 0xaa);
	assert_int_equal(byte_at(machine, 0x5000), 0x22);
	assert_int_equal(byte_at(machine, 0x5800), 0x11);
	/* Moved, what was below shows again, unwritten. */
	assert_int_equal(gim_page_map(machine, 0, 0x5000, NULL), 0);
	assert_int_equal(byte_at(machine, 0x4000), 0x11);
	assert_int_equal(byte_at(machine, 0x5fff), 0xaa);
	/* Two side by side. */
	lay(machine, 1, 0x6000, 0xbb);
	assert_int_equal(gim_machine_read(machine, 0x5fff, back, 2, NULL), 0);
	assert_int_equal(back[0], 0xaa);
	assert_int_equal(back[1], 0xbb);
	unlaid(machine, 0, 0x6000, "another page is there");
	unlaid(machine, 0, 0x6001, "not a multiple of 4096");
	unlaid(machine, 0, RAM_BYTES, "no ordinary RAM");
	unlaid(machine, 0, UINT64_MAX & ~UINT64_C(0xfff), "no ordinary RAM");
	assert_true(gim_machine_page(machine, 1, &page));
	assert_string_equal(page.name, "test.second");
	assert_int_equal(page.bytes[7], 0xbb);
	assert_int_equal((uintptr_t)page.bytes % 4096, 0);
	assert_false(gim_machine_page(machine, 2, &page));
	gim_page_unmap(machine, 0);
	assert_int_equal(byte_at(machine, 0x5000), 0x22);
	const unsigned calls = told.calls;
	gim_page_unmap(machine, 0); /* it is gone already */
	assert_int_equal(told.calls, calls);
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	assert_true(machine->pages[1].gpa == GIM_UNKNOWN);
	assert_true(told.gpa == GIM_UNKNOWN);
	gim_machine_free(&machine);
}

static void no_device(void **unused)
{
	(void)unused;
	struct gim_machine *machine = new_machine(&plain, NULL);
	assert_int_equal(gim_machine_init(machine, NULL), 0);
	assert_int_equal(gim_machine_init_completed(machine, NULL), 0);
	unlaid(machine, 0, 0x1000, "the device that carries the pages is not registered");
	gim_machine_free(&machine);
}

static void memory(void **unused)
{
	(void)unused;
	static uint8_t here[RAM_BYTES], there[RAM_BYTES];
	struct gim_machine *machine = running(&WITH(.ram = here), NULL);
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t bytes[32] = {1};
	assert_int_equal(gim_machine_write(machine, RAM_BYTES - 32, bytes, 32, NULL), 0);
	assert_int_equal(here[RAM_BYTES - 32], 1);
	assert_int_equal(gim_machine_write(machine, RAM_BYTES - 31, bytes, 32, &error), GIM_E_ARGUMENT);
	assert_non_null(strstr(error.text, "not all of the 32 bytes at 0xffe1 is ordinary RAM"));
	assert_int_equal(gim_machine_read(machine, UINT64_MAX - 3, bytes, 8, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_machine_read(machine, UINT64_MAX, bytes, 0, NULL), 0);
	/* Moved in the host. */
	memcpy(there, here, sizeof(here));
	memset(here, 0xff, sizeof(here));
	assert_int_equal(gim_machine_relocate(machine, NULL, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_machine_relocate(machine, there, NULL), 0);
	assert_int_equal(byte_at(machine, RAM_BYTES - 32), 1);
	assert_int_equal(gim_ram_zero_page(machine, RAM_BYTES - 4096), 0);
	assert_int_equal(there[RAM_BYTES - 32], 0);
	assert_int_equal(here[0], 0xff);
	gim_machine_free(&machine);
	machine = running(&plain, NULL);
	assert_int_equal(gim_machine_relocate(machine, there, NULL), GIM_E_ARGUMENT);
	gim_machine_free(&machine);
}

static void callback_memory(void **unused)
{
	(void)unused;
	uint64_t written = 0;
	const struct gim_host host = {.user = &written, .memory_read = no_read, .memory_write = no_write};
	struct gim_machine *machine = running(&(struct gim_machine_config){.vcpus = 3, .tsc_hz = 1000000000}, &host);
	uint8_t bytes[2 * GIM_PAGE_BYTES];
	assert_true(gim_ram_is(machine, 0x1fff, 2));
	assert_true(gim_ram_is(machine, 0x2fff, 1));
	assert_false(gim_ram_is(machine, 0x2fff, 2));
	assert_false(gim_ram_is(machine, UINT64_MAX, 2));
	assert_int_equal(byte_at(machine, 0x10), 0x5a);
	lay(machine, 1, 0x1000, 0x77);
	assert_int_equal(gim_machine_write(machine, 0xff0, bytes, 0x1020, NULL), 0);
	assert_int_equal(written, 0x20);
	assert_int_equal(gim_machine_write(machine, 0x2ff0, bytes, 0x20, NULL), GIM_E_ARGUMENT);
	assert_int_equal(written, 0x20);
	assert_int_equal(gim_machine_relocate(machine, bytes, NULL), GIM_E_ARGUMENT);
	gim_machine_free(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pages),
	    cmocka_unit_test(no_device),
	    cmocka_unit_test(memory),
	    cmocka_unit_test(callback_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
