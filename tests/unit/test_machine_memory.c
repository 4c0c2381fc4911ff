/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory runs out at every allocation in turn: a machine is made, saved and loaded, or says so, and nothing is half done or lost. */
#include "machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Linked with --wrap: the library's calls come here. The allocation of this number fails; 0: none does. */
static unsigned failing, allocations;

void *__real_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return ++allocations == failing ? NULL : __real_calloc(count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return ++allocations == failing ? NULL : __real_aligned_alloc(alignment, size);
}

/* One failure may come of many calls; each that fails says that it was memory. */
static bool done(int result, struct gim_error *error)
{
	if (!result)
		return true;
	if (result != GIM_E_MEMORY && result != GIM_E_LIMIT)
		fail_msg("allocation %u failed, and the answer was %s: %s", failing, gim_code_name(result), error->text);
	assert_true(error->text[0]);
	*error = (struct gim_error)GIM_ERROR_INIT;
	return false;
}

static struct gim_machine *bring_up(const char *provider)
{
	const struct gim_machine_config config = {.provider = provider, .vcpus = 40, .tsc_hz = 2000000000, .ram_bytes = 1 << 20};
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_machine *machine = NULL;
	if (!done(gim_machine_new(&config, NULL, &machine, &error), &error)) {
		assert_null(machine);
		return NULL;
	}
	/* What failed for want of memory can be tried again. */
	if (!done(gim_machine_init(machine, &error), &error))
		assert_int_equal(gim_machine_init(machine, &error), 0);
	assert_true(done(gim_machine_register_device(machine, &error), &error));
	if (!done(gim_machine_init_completed(machine, &error), &error))
		assert_int_equal(gim_machine_init_completed(machine, &error), 0);
	return machine;
}

/* Save, load into another, and do what then is open to a guest. */
static void live(const char *provider)
{
	struct gim_machine *first = bring_up(provider), *second = first ? bring_up(provider) : NULL;
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	if (second && done(gim_machine_save(first, &state, &error), &error)) {
		const struct gim_object before = second->object;
		if (!done(gim_machine_load(second, state, NULL, NULL, &error), &error)) {
			assert_int_equal(second->phase, GIM_PHASE_COMPLETED);
			assert_ptr_equal(second->object.data, before.data);
			assert_int_equal(gim_machine_load(second, state, NULL, NULL, &error), 0);
		}
		if (!done(gim_machine_load_done(second, &error), &error))
			assert_int_equal(gim_machine_load_done(second, &error), 0);
		assert_int_equal(gim_machine_reset(second, &error), 0);
	}
	gim_state_free(&state);
	gim_machine_free(&first);
	gim_machine_free(&second);
}

static void every_allocation(const char *provider)
{
	for (failing = 1;; failing++) {
		allocations = 0;
		live(provider);
		if (allocations < failing)
			break;
	}
	assert_true(failing > 20);
	failing = 0;
}

static void hyperv(void **unused)
{
	(void)unused;
	every_allocation("hyperv");
}

static void kvm(void **unused)
{
	(void)unused;
	every_allocation("kvm");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(hyperv), cmocka_unit_test(kvm)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
