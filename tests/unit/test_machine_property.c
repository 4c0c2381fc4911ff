/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: a machine that is saved and loaded into a new one, again and again, shows its guest what one shows that never was. Called with a number of
 * sequences and the first one's seed: test_machine_property 10000 1. */
#include "../sparse.h"
#include "machine_guest.h"

static unsigned count = 400;
static uint64_t first_seed = 1;

static int note_counter(void *user, const char *name, uint64_t value)
{
	(void)user;
	met.messages += !strcmp(name, "messages") ? value : 0;
	met.events += !strcmp(name, "events") ? value : 0;
	met.hypercalls += !strcmp(name, "hypercalls") ? value : 0;
	met.expiries += strstr(name, ".expiries") ? value : 0;
	return 0;
}

/*
 * Comparing.
 */
static uint64_t wall_ns(const uint8_t *structure)
{
	return gim_load(structure + 4, 4) * 1000000000 + gim_load(structure + 8, 4);
}

/* At a load the clock begins anew with whole ns: each may take two, and never makes it go back. */
static void compare_clocks(struct sequence *sequence)
{
	const uint64_t most = 2 * (uint64_t)sequence->loads; /* a tick that is shifted out, and what is less than a ns */
	for (uint32_t vcpu = 0; vcpu < sequence->config.vcpus; vcpu++) {
		uint64_t now[2] = {0, 0}, wall[2], msr = 0;
		(void)gim_machine_rdmsr(sequence->straight.machine, vcpu, 0x12, &msr);
		if (!(msr & 1)) /* nobody keeps what stands there */
			continue;
		unsigned i = 0;
		BOTH(side)
		{
			const uint8_t *structure = side->ram + CLOCK_PAGE * PAGE + 64 * vcpu;
			check(sequence, !(gim_load(structure, 4) & 1), "%s: the clock of vCPU %u has an odd version", side->name, vcpu);
			now[i] = gim_load(structure, 4) ? clock_ns(structure, side->tsc) : 0;
			wall[i++] = wall_ns(side->ram + WALL_CLOCK);
			check(sequence, now[i - 1] >= side->clock[vcpu], "%s: the clock of vCPU %u goes back from %" PRIu64 " to %" PRIu64,
			      side->name, vcpu, side->clock[vcpu], now[i - 1]);
			side->clock[vcpu] = now[i - 1];
		}
		check(sequence, now[1] <= now[0] + (sequence->layout ? most : 0) && now[1] + most >= now[0],
		      "a clock is %" PRIu64 ", after loads %" PRIu64, now[0], now[1]);
		check(sequence, wall[0] <= wall[1] + most && wall[1] <= wall[0] + most,
		      "the wall clock is %" PRIu64 ", after loads %" PRIu64, wall[0], wall[1]);
	}
}

static bool is_tsc_page(const struct sequence *sequence, unsigned number)
{
	struct gim_page page;
	for (unsigned i = 0; gim_machine_page(sequence->straight.machine, i, &page); i++)
		if (strstr(page.name, "tsc") && page.gpa == (uint64_t)number * PAGE)
			return true;
	return false;
}

static void compare_memory(struct sequence *sequence)
{
	uint8_t pages[2][PAGE];
	if (!is_hyperv(sequence))
		compare_clocks(sequence);
	for (unsigned page = is_hyperv(sequence) ? 0 : FREE_PAGE; page < PAGES; page++)
		if (memcmp(sequence->straight.ram + page * PAGE, sequence->broken.ram + page * PAGE, PAGE) != 0) {
			size_t at = page * PAGE;
			while (sequence->straight.ram[at] == sequence->broken.ram[at])
				at++;
			check(sequence, false, "memory at 0x%zx is 0x%x, after a load 0x%x", at, sequence->straight.ram[at],
			      sequence->broken.ram[at]);
		}
	for (unsigned page = 0; page < PAGES && is_hyperv(sequence); page++) {
		unsigned i = 0;
		BOTH(side)
		assert_int_equal(gim_machine_read(side->machine, page * PAGE, pages[i++], PAGE, NULL), 0);
		if (is_tsc_page(sequence, page)) { /* another sequence, if any */
			same(sequence, "the sequence", gim_load(pages[0], 4) != 0, gim_load(pages[1], 4) != 0);
			check(sequence, gim_load(pages[1], 4) != UINT32_MAX, "the sequence is 0x%" PRIx64, gim_load(pages[1], 4));
			if (sequence->layout)
				check_derived_time(sequence, gim_load(pages[0] + 16, 8), gim_load(pages[1] + 16, 8));
			for (i = 0; i < 2; i++) {
				memset(pages[i], 0, 4);
				memset(pages[i] + 16, 0, sequence->layout ? 8 : 0);
			}
		}
		check(sequence, !memcmp(pages[0], pages[1], PAGE), "page %u differs, as the guest sees it", page);
	}
}

static void compare_events(struct sequence *sequence)
{
	const struct side *straight = &sequence->straight, *broken = &sequence->broken;
	same(sequence, "the number of events", straight->event_count, broken->event_count);
	for (unsigned i = 0; i < straight->event_count && i < EVENTS_MAX; i++)
		same(sequence, "an event", straight->events[i], broken->events[i]);
	sequence->straight.event_count = sequence->broken.event_count = 0;
}

/*
 * Sequences.
 */
static int collect_msr(void *user, const struct gim_msr_info *info)
{
	struct sequence *sequence = (struct sequence *)user;
	struct msr *msr = &sequence->msrs[sequence->msr_count++];
	msr->number = info->msr;
	(void)snprintf(msr->path, sizeof(msr->path), "%s", info->path);
	return 0;
}

/* Without the MSRs whose fields the layout cannot hold. */
static void keep_held(struct sequence *sequence)
{
	struct gim_buffer file = {.bytes = NULL};
	struct gim_state *state = save(sequence, &sequence->straight, &file);
	unsigned kept = 0;
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), 0);
	for (unsigned i = 0; i < sequence->msr_count; i++) {
		const struct msr *msr = &sequence->msrs[i];
		/* The reference time follows from the TSC; the time that a virtual processor ran has its field, though the MSR does not show it. */
		const char *path = msr->number == 0x40000010 ? "hyperv.vp[0].runtime" : msr->path;
		if (!*path || msr->number == 0x40000020 || gim_state_value(state, path).presence != GIM_ABSENT)
			sequence->msrs[kept++] = *msr;
	}
	sequence->msr_count = kept;
	gim_state_free(&state);
	gim_buffer_free(&file);
}

/* What guests do first: much of what the interface has is turned on. */
static void prologue(struct sequence *sequence)
{
	synic_on(sequence);
	for (unsigned i = 0; i < sequence->msr_count; i++)
		for (uint32_t vcpu = 0; vcpu < sequence->config.vcpus; vcpu++)
			if (!random_once(&sequence->random, 3))
				wrmsr(sequence, vcpu, sequence->msrs[i].number, value_for(sequence, sequence->msrs[i].number, vcpu));
}

static void reset(struct sequence *sequence)
{
	(void)snprintf(sequence->what, sizeof(sequence->what), "a reset");
	BOTH(side)
	assert_int_equal(gim_machine_reset(side->machine, NULL), 0);
	if (sequence->layout || random_once(&sequence->random, 2))
		prologue(sequence);
}

/* A guest takes what is in a slot, and asks for the next message. */
static void take_message(struct sequence *sequence)
{
	const uint32_t vcpu = random_below(&sequence->random, sequence->config.vcpus), sint = random_below(&sequence->random, 4), none = 0;
	uint64_t page = 0;
	(void)gim_machine_rdmsr(sequence->straight.machine, vcpu, 0x40000083, &page);
	(void)snprintf(sequence->what, sizeof(sequence->what), "vCPU %u takes a message of SINT %u", vcpu, sint);
	BOTH(side)
	(void)gim_machine_write(side->machine, (page & ~UINT64_C(0xfff)) + 256 * sint, &none, sizeof(none), NULL);
	wrmsr(sequence, vcpu, 0x40000084, 0);
}

static void operate(struct sequence *sequence)
{
	struct random *random = &sequence->random;
	const uint32_t vcpu = random_below(random, sequence->config.vcpus);
	const uint32_t msr = !sequence->layout && random_once(random, 30)
	                         ? 0x40000000 + random_below(random, 0x120)
	                         : sequence->msrs[random_below(random, sequence->msr_count)].number;
	switch (random_below(random, 20)) {
	case 0:
	case 1:
	case 2:
	case 3:
		wrmsr(sequence, vcpu, msr, value_for(sequence, msr, vcpu));
		break;
	case 6:
	case 7:
		rdmsr(sequence, vcpu, msr);
		break;
	case 8:
	case 9:
		hypercall(sequence, vcpu);
		break;
	case 10:
		cpuid(sequence);
		break;
	case 11:
	case 12:
	case 13:
	case 14:
		step(sequence);
		break;
	case 15:
		if (is_hyperv(sequence) && random_below(random, 3))
			take_message(sequence);
		else
			write_memory(sequence);
		break;
	case 4:
	case 5:
	case 16:
		if (is_hyperv(sequence))
			device(sequence);
		else if (!sequence->layout)
			fault(sequence);
		break;
	case 17:
	case 18:
		interrupts(sequence);
		break;
	default:
		if (random_once(random, 10))
			reset(sequence);
		else if (random_once(random, 4))
			debug_ready(sequence);
		else if (is_hyperv(sequence) || !sequence->layout)
			run_or_stop(sequence);
	}
}

static void run_sequence(uint64_t seed)
{
	static struct sequence sequence;
	configure(&sequence, seed);
	start(&sequence, &sequence.straight, "never saved");
	start(&sequence, &sequence.broken, "saved");
	assert_int_equal(gim_machine_msrs(sequence.straight.machine, 0, collect_msr, &sequence), 0);
	if (sequence.layout) /* what the layout cannot hold has now what a load makes of it */
		keep_held(&sequence);
	prologue(&sequence);
	if (sequence.layout) {
		restore(&sequence, &sequence.straight);
		restore(&sequence, &sequence.broken);
	}
	for (sequence.operation = 0; sequence.operation < OPERATIONS; sequence.operation++) {
		operate(&sequence);
		compare_events(&sequence);
		if (count == 1) { /* a seed to look at */
			print_message("%u: %s\n", sequence.operation, sequence.what);
			compare_memory(&sequence);
		}
		if (random_once(&sequence.random, 8)) {
			compare_memory(&sequence);
			restore(&sequence, &sequence.broken);
			compare_memory(&sequence);
		}
	}
	for (unsigned i = 0; i < sequence.msr_count; i++)
		for (uint32_t vcpu = 0; vcpu < sequence.config.vcpus; vcpu++)
			rdmsr(&sequence, vcpu, sequence.msrs[i].number);
	compare_memory(&sequence);
	assert_int_equal(gim_machine_counters(sequence.straight.machine, note_counter, NULL), 0);
	gim_machine_free(&sequence.straight.machine);
	gim_machine_free(&sequence.broken.machine);
	free(sequence.straight.ram);
	free(sequence.broken.ram);
}

static void as_if_never_saved(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < count; i++)
		run_sequence(first_seed + i);
	print_message("%u sequences, seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " loads, %" PRIu64 " interrupts, %" PRIu64
	              " messages, %" PRIu64 " events, %" PRIu64 " expiries, %" PRIu64 " hypercalls; saved with messages waiting %" PRIu64
	              ", interrupts in service %" PRIu64 ", timers running %" PRIu64 "\n",
	              count, first_seed, first_seed + count - 1, met.loads, met.interrupts, met.messages, met.events, met.expiries,
	              met.hypercalls, met.waiting, met.in_service, met.armed);
	/* Else they would say little. */
	const uint64_t least = count / 8;
	assert_true(met.interrupts >= least && met.messages >= least && met.events >= least && met.expiries >= least &&
	            met.hypercalls >= least && met.waiting >= least && met.in_service >= least && met.armed >= least);
}

int main(int words_count, char **words)
{
	count = sparse() > 1 ? count / 4 : count;
	if (words_count > 1)
		count = (unsigned)strtoul(words[1], NULL, 0);
	if (words_count > 2)
		first_seed = strtoull(words[2], NULL, 0);
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_if_never_saved)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
