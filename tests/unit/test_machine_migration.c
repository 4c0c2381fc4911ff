/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: the times of a machine go on where they were in one that loads its state, whose TSC is anywhere and may run at another rate. Called with a
 * number of sequences and the first one's seed, as test_machine_property is. */
#include "machine_sequences.h"

static unsigned count = 100;
static uint64_t first_seed = 1;

static struct gim_machine *machine_at(struct sequence *sequence, uint64_t tsc_hz, uint64_t tsc)
{
	sequence->config.tsc_hz = tsc_hz;
	sequence->straight.tsc = tsc;
	return new_machine(sequence, &sequence->straight);
}

static uint64_t any_hz(struct random *random)
{
	return UINT64_C(500000000) + random_below(random, 4000000) * UINT64_C(1000) + random_below(random, 1000);
}

static uint64_t reference_time(struct sequence *sequence)
{
	struct side *side = &sequence->straight;
	uint8_t page[24];
	uint64_t time = 0;
	check(sequence, gim_machine_rdmsr(side->machine, 0, 0x40000020, &time) == GIM_ACCESS_DONE, "there is no reference time");
	assert_int_equal(gim_machine_read(side->machine, TSC_PAGE * PAGE, page, sizeof(page), NULL), 0);
	const uint64_t by_page = gim_mul_high(side->tsc, gim_load(page + 8, 8)) + gim_load(page + 16, 8);
	check(sequence, by_page == time, "the page says %" PRIu64 ", the counter %" PRIu64, by_page, time);
	return time;
}

static uint64_t system_time(struct sequence *sequence)
{
	return clock_ns(sequence->straight.ram + CLOCK_PAGE * PAGE, sequence->straight.tsc);
}

/* The difference that may be seen is rounding. */
static void check_went_on(struct sequence *sequence, const char *what, uint64_t from, uint64_t to, uint64_t most)
{
	check(sequence, to >= from && to - from <= most, "%s goes from %" PRIu64 " to %" PRIu64 ", at most %" PRIu64 " more are expected",
	      what, from, to, most);
}

static void move_on(struct sequence *sequence, uint64_t tsc_hz, uint64_t tsc)
{
	struct side *side = &sequence->straight;
	struct gim_buffer file = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = save(sequence, side, &file);
	gim_machine_free(&side->machine);
	side->machine = machine_at(sequence, tsc_hz, tsc);
	int result = gim_machine_load(side->machine, state, NULL, NULL, &error);
	if (!result)
		result = gim_machine_load_done(side->machine, &error);
	check(sequence, !result, "%s %s", error.path, error.text);
	gim_state_free(&state);
	gim_buffer_free(&file);
}

static void run_ns(struct sequence *sequence, uint64_t ns)
{
	const uint64_t hz = sequence->config.tsc_hz;
	sequence->straight.tsc += gim_div_wide(gim_mul_high(ns, hz), ns * hz, 1000000000);
	gim_machine_advance(sequence->straight.machine);
}

static void migrate(uint64_t seed)
{
	static struct sequence sequence;
	struct random *random = &sequence.random;
	struct side *side = &sequence.straight;
	configure(&sequence, seed);
	sequence.form = sequence.layout ? MACHINES_NATIVE : sequence.form;
	sequence.layout = sequence.built_in_clock = 0;
	sequence.config.gating = GIM_GATING_WORDS;
	(void)snprintf(sequence.what, sizeof(sequence.what), "migration");
	sequence.config.tsc_hz = any_hz(random);
	start(&sequence, side, "migrated");
	const bool hyperv = is_hyperv(&sequence);
	run_ns(&sequence, random_next(random) >> 24);
	assert_int_equal(hyperv ? gim_machine_wrmsr(side->machine, 0, 0x40000021, TSC_PAGE * PAGE | 1)
	                        : gim_machine_wrmsr(side->machine, 0, 0x4b564d01, CLOCK_PAGE * PAGE | 1),
	                 GIM_ACCESS_DONE);
	for (sequence.operation = 0; sequence.operation < 8; sequence.operation++) {
		run_ns(&sequence, random_next(random) >> 30);
		const uint64_t before = hyperv ? reference_time(&sequence) : system_time(&sequence);
		move_on(&sequence, random_once(random, 3) ? sequence.config.tsc_hz : any_hz(random),
		        random_next(random) >> (2 + random_below(random, 40)));
		const uint64_t after = hyperv ? reference_time(&sequence) : system_time(&sequence);
		check_went_on(&sequence, "the time at a load", before, after, 1);
		run_ns(&sequence, 1000000000);
		const uint64_t later = hyperv ? reference_time(&sequence) : system_time(&sequence);
		const uint64_t second = hyperv ? 10000000 : 1000000000;
		check(&sequence, later - after + 2 >= second && later - after <= second + 2,
		      "a second after the load %" PRIu64 " have passed", later - after);
	}
	gim_machine_free(&side->machine);
	free(side->ram);
}

static void clocks_go_on(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < count; i++)
		migrate(first_seed + i);
}

int main(int words_count, char **words)
{
	if (words_count > 1)
		count = (unsigned)strtoul(words[1], NULL, 0);
	if (words_count > 2)
		first_seed = strtoull(words[2], NULL, 0);
	const struct CMUnitTest tests[] = {cmocka_unit_test(clocks_go_on)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
