/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Synthetic timers: when they expire, what the guest then finds, and that a save loses none of it. */
#include "hyperv_guest.h"

#include <time.h>

enum { ENABLE = 1, PERIODIC = 2, LAZY = 4, AUTO = 8, DIRECT = 1 << 12 };
#define SINT(n) ((uint64_t)(n) << 16)
#define VECTOR(v) ((uint64_t)(v) << 4)

static uint64_t now(struct guest *guest)
{
	return rdmsr(guest, 0, MSR_TIME);
}

/* Until the reference time is `time`, and not a tick longer. */
static void run_until(struct guest *guest, uint64_t time)
{
	const uint64_t tsc = hv_time_tsc(guest->machine, time), at = gim_machine_tsc(guest->machine);
	assert_true(tsc >= at);
	gim_machine_step(guest->machine, tsc - at);
	assert_int_equal(now(guest), time);
}

static void set(struct guest *guest, uint32_t vcpu, uint32_t n, uint64_t config, uint64_t count)
{
	wrmsr(guest, vcpu, MSR_COUNT + 2 * n, count);
	wrmsr(guest, vcpu, MSR_CONFIG + 2 * n, config);
}

static void expect_message(struct guest *guest, uint32_t sint, uint32_t n, uint64_t expiration, uint64_t delivery)
{
	const struct slot *slot = slot_of(guest, 0, sint);
	assert_int_equal(slot->type, 0x80000010);
	assert_int_equal(slot->size, 24);
	assert_int_equal(slot->origin, 0);
	assert_int_equal(slot->payload[0], n); /* and 0 above it */
	assert_int_equal(slot->payload[1], expiration);
	assert_int_equal(slot->payload[2], delivery);
}

static struct guest *start(uint32_t vcpus)
{
	struct guest *guest = guest_new(vcpus, false, NULL, 0);
	for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++)
		synic_on(guest, vcpu);
	run_until(guest, 1000);
	return guest;
}

static void one_shot(void **unused)
{
	(void)unused;
	struct guest *guest = start(1);
	uint8_t vector;
	set(guest, 0, 1, ENABLE | SINT(2), 5000);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG + 2), ENABLE | SINT(2));
	assert_int_equal(gim_machine_deadline(guest->machine), hv_time_tsc(guest->machine, 5000));
	run_until(guest, 4999);
	gim_machine_step(guest->machine, hv_time_tsc(guest->machine, 5000) - gim_machine_tsc(guest->machine) - 1);
	assert_int_equal(interrupts(guest, NULL), 0); /* never early, not by a tick */
	gim_machine_step(guest->machine, 1);
	assert_int_equal(interrupts(guest, &vector), 1);
	assert_int_equal(vector, 0x42);
	expect_message(guest, 2, 1, 5000, 5000);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG + 2), SINT(2)); /* it ends itself */
	assert_int_equal(rdmsr(guest, 0, MSR_COUNT + 2), 5000);
	assert_int_equal(gim_machine_deadline(guest->machine), GIM_UNKNOWN);
	empty_slot(guest, 0, 2);
	/* In the past, and right now: at once. */
	set(guest, 0, 1, ENABLE | SINT(2), 3);
	expect_message(guest, 2, 1, 3, 5000);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG + 2), SINT(2));
	empty_slot(guest, 0, 2);
	set(guest, 0, 0, ENABLE | SINT(2), 5000);
	expect_message(guest, 2, 0, 5000, 5000);
	assert_int_equal(counter(guest, "vp[0].stimer[1].expiries"), 2);
	guest_free(guest);
}

static void configuration(void **unused)
{
	(void)unused;
	struct guest *guest = start(1);
	/* SINT 0 clears enable, unless it is direct; reserved bits are refused. */
	set(guest, 0, 0, ENABLE, 5000);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG), 0);
	set(guest, 0, 0, ENABLE | DIRECT | VECTOR(0x90), 5000);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG), ENABLE | DIRECT | VECTOR(0x90));
	for (unsigned bit = 0; bit < 64; bit++)
		if ((bit >= 13 && bit < 16) || bit >= 20)
			wrmsr_gp(guest, 0, MSR_CONFIG, UINT64_C(1) << bit);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG), ENABLE | DIRECT | VECTOR(0x90));
	/* A count of 0 stops it, whatever auto-enable says; another one starts it again. */
	wrmsr(guest, 0, MSR_CONFIG, ENABLE | AUTO | SINT(3));
	wrmsr(guest, 0, MSR_COUNT, 0);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG), AUTO | SINT(3));
	assert_int_equal(gim_machine_deadline(guest->machine), GIM_UNKNOWN);
	wrmsr(guest, 0, MSR_COUNT, 6000);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG), ENABLE | AUTO | SINT(3));
	run_until(guest, 6000);
	expect_message(guest, 3, 0, 6000, 6000);
	/* Without auto-enable a count starts only what is enabled. */
	wrmsr(guest, 0, MSR_CONFIG, SINT(4));
	wrmsr(guest, 0, MSR_COUNT, 7000);
	assert_int_equal(gim_machine_deadline(guest->machine), GIM_UNKNOWN);
	wrmsr(guest, 0, MSR_COUNT, 0);
	wrmsr(guest, 0, MSR_CONFIG, ENABLE | SINT(4));
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG), ENABLE | SINT(4));
	wrmsr(guest, 0, MSR_COUNT, 7000);
	run_until(guest, 7000);
	expect_message(guest, 4, 0, 7000, 7000);
	/* Auto-enable cannot enable what has no SINT. */
	wrmsr(guest, 0, MSR_CONFIG, AUTO);
	wrmsr(guest, 0, MSR_COUNT, 8000);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG), AUTO);
	guest_free(guest);
}

static void periodic(void **unused)
{
	(void)unused;
	struct guest *guest = start(1);
	set(guest, 0, 2, ENABLE | PERIODIC | SINT(5), 100);
	for (unsigned i = 1; i <= 1000; i++) {
		run_until(guest, 1000 + 100 * i - 1);
		assert_int_equal(slot_of(guest, 0, 5)->type, 0);
		run_until(guest, 1000 + 100 * i);
		expect_message(guest, 5, 2, 1000 + 100 * i, 1000 + 100 * i);
		empty_slot(guest, 0, 5);
	}
	assert_int_equal(interrupts(guest, NULL), 1000);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG + 4), ENABLE | PERIODIC | SINT(5));
	wrmsr(guest, 0, MSR_CONFIG + 4, 0);
	run_until(guest, 200000);
	assert_int_equal(interrupts(guest, NULL), 0);
	guest_free(guest);
}

static void direct(void **unused)
{
	(void)unused;
	struct guest *guest = start(1);
	wrmsr(guest, 0, MSR_SCONTROL, 0); /* not needed */
	set(guest, 0, 0, ENABLE | PERIODIC | DIRECT | VECTOR(0xf3), 100);
	set(guest, 0, 1, ENABLE | DIRECT | VECTOR(0xf4), 1250);
	set(guest, 0, 2, ENABLE | DIRECT | VECTOR(3), 1001); /* no vector that there is */
	run_until(guest, 1500);
	assert_int_equal(guest->interrupt_count, 6);
	static const uint8_t vectors[] = {0xf3, 0xf3, 0xf4, 0xf3, 0xf3, 0xf3};
	static const uint64_t times[] = {1100, 1200, 1250, 1300, 1400, 1500};
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(guest->interrupts[i].vector, vectors[i]);
		assert_int_equal(guest->interrupts[i].time, times[i]);
		assert_false(guest->interrupts[i].auto_eoi);
	}
	for (uint32_t sint = 0; sint < HV_SINTS; sint++)
		assert_int_equal(slot_of(guest, 0, sint)->type, 0);
	guest_free(guest);
	/* Not offered: refused. */
	const struct gim_setting setting = {"features.misc", "-direct_stimers"};
	guest = guest_new(1, false, &setting, 1);
	wrmsr_gp(guest, 0, MSR_CONFIG, DIRECT);
	wrmsr(guest, 0, MSR_CONFIG, SINT(1));
	guest_free(guest);
}

/* A busy slot: the expiration waits, and comes with the time of its own. */
static void busy(void **unused)
{
	(void)unused;
	struct guest *guest = start(1);
	slot_of(guest, 0, 2)->type = 7;
	set(guest, 0, 0, ENABLE | SINT(2), 2000);
	run_until(guest, 3000);
	assert_int_equal(slot_of(guest, 0, 2)->type, 7);
	assert_int_equal(slot_of(guest, 0, 2)->flags, HV_MESSAGE_PENDING);
	assert_int_equal(interrupts(guest, NULL), 0);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG), SINT(2));
	assert_int_equal(gim_machine_deadline(guest->machine), GIM_UNKNOWN);
	wrmsr(guest, 0, MSR_EOM, 0);
	assert_int_equal(slot_of(guest, 0, 2)->type, 7);
	run_until(guest, 4000);
	empty_slot(guest, 0, 2);
	expect_message(guest, 2, 0, 2000, 4000);
	assert_int_equal(slot_of(guest, 0, 2)->flags, 0);
	assert_int_equal(interrupts(guest, NULL), 1);
	/* Two timers and a message behind a busy slot: all come, the timers first. */
	set(guest, 0, 0, ENABLE | SINT(2), 4100);
	set(guest, 0, 3, ENABLE | SINT(2), 4050);
	assert_int_equal(gim_machine_post(guest->machine, 0, 2, 0x55, NULL, 0), 0);
	run_until(guest, 5000);
	empty_slot(guest, 0, 2);
	expect_message(guest, 2, 0, 4100, 5000);
	assert_int_equal(slot_of(guest, 0, 2)->flags, HV_MESSAGE_PENDING);
	empty_slot(guest, 0, 2);
	expect_message(guest, 2, 3, 4050, 5000);
	empty_slot(guest, 0, 2);
	assert_int_equal(slot_of(guest, 0, 2)->type, 0x55);
	assert_int_equal(slot_of(guest, 0, 2)->flags, 0);
	/* What is stopped is not told any more. */
	set(guest, 0, 1, ENABLE | SINT(2), 5001);
	run_until(guest, 5100);
	wrmsr(guest, 0, MSR_COUNT + 2, 0);
	empty_slot(guest, 0, 2);
	assert_int_equal(slot_of(guest, 0, 2)->type, 0);
	guest_free(guest);
}

/* Expirations that could not be told: a timer that is not lazy makes up for each of them, by shorter periods, and is then where it would be; a lazy one skips. */
static void catch_up(void **unused)
{
	(void)unused;
	for (unsigned lazy = 0; lazy < 2; lazy++) {
		struct guest *guest = start(1);
		slot_of(guest, 0, 2)->type = 7;
		set(guest, 0, 0, ENABLE | PERIODIC | (lazy ? LAZY : 0) | SINT(2), 100);
		run_until(guest, 1450);
		empty_slot(guest, 0, 2);
		expect_message(guest, 2, 0, 1100, 1450); /* the first is late */
		static const struct {
			uint64_t expiration, delivery;
		} busy_ones[] = {{1200, 1500}, {1300, 1550}, {1400, 1600}, {1500, 1650},
		                 {1600, 1700}, {1700, 1750}, {1800, 1800}, {1900, 1900}},
		  lazy_ones[] = {{1500, 1500}, {1600, 1600}, {1700, 1700}, {1800, 1800}, {1900, 1900}};
		const unsigned count = lazy ? 5 : 8;
		for (unsigned i = 0; i < count; i++) {
			const uint64_t delivery = lazy ? lazy_ones[i].delivery : busy_ones[i].delivery;
			empty_slot(guest, 0, 2);
			run_until(guest, delivery - 1);
			assert_int_equal(slot_of(guest, 0, 2)->type, 0);
			guest_migrate(guest); /* being late is part of the state */
			run_until(guest, delivery);
			expect_message(guest, 2, 0, lazy ? lazy_ones[i].expiration : busy_ones[i].expiration, delivery);
		}
		guest_free(guest);
	}
}

/* Late by more than anyone could make up for. */
static void backlog(void **unused)
{
	(void)unused;
	struct guest *guest = start(1);
	slot_of(guest, 0, 2)->type = 7;
	set(guest, 0, 0, ENABLE | PERIODIC | SINT(2), 10);
	run_until(guest, 1000 + 10 * 5000);
	empty_slot(guest, 0, 2);
	expect_message(guest, 2, 0, 1010, 51000);
	unsigned told = 0;
	uint64_t last = 1010;
	while (slot_of(guest, 0, 2)->payload[1] < slot_of(guest, 0, 2)->payload[2]) {
		last = slot_of(guest, 0, 2)->payload[1];
		empty_slot(guest, 0, 2);
		run_until(guest, now(guest) + 5);
		assert_int_equal(slot_of(guest, 0, 2)->type, 0x80000010);
		assert_true(slot_of(guest, 0, 2)->payload[1] > last);
		told++;
		assert_true(told < 5000);
	}
	assert_true(told > 1000);
	guest_free(guest);
}

/* Extreme counts: nothing comes early, nothing hangs. */
static void extremes(void **unused)
{
	(void)unused;
	static const uint64_t counts[] = {1, 2, 3, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX};
	struct guest *guest = start(1);
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		for (unsigned kind = 0; kind < 4; kind++) {
			const uint64_t config = ENABLE | (kind & 1 ? PERIODIC : 0) | (kind & 2 ? DIRECT | VECTOR(0x80) : SINT(1));
			(void)interrupts(guest, NULL);
			slot_of(guest, 0, 1)->type = 0;
			const uint64_t begin = now(guest);
			set(guest, 0, 0, config, counts[i]);
			run_until(guest, begin + 100);
			const unsigned count = interrupts(guest, NULL);
			if (counts[i] > 3)
				assert_int_equal(count, 0);
			else if (kind & 1)
				assert_int_equal(count, kind & 2 ? 100 / counts[i] : 1);
			else
				assert_int_equal(count, 1);
			wrmsr(guest, 0, MSR_CONFIG, 0);
		}
	guest_free(guest);
}

/* All that is due comes by time, vCPU and number, in one advance as in many. */
static void order(void **unused)
{
	(void)unused;
	struct guest *guest = start(4);
	for (uint32_t vcpu = 4; vcpu--;)
		for (uint32_t n = HV_STIMERS; n--;)
			set(guest, vcpu, n, ENABLE | DIRECT | VECTOR(0x80 + n), 2000 + (n ^ vcpu) % 2);
	run_until(guest, 3000);
	assert_int_equal(guest->interrupt_count, 16);
	uint64_t last = 0;
	for (unsigned i = 0; i < 16; i++) {
		const uint64_t key = guest->interrupts[i].time << 8 | guest->interrupts[i].vcpu << 4 | (guest->interrupts[i].vector & 15u);
		assert_true(key > last);
		last = key;
	}
	guest_free(guest);
}

/* A heap of many timers against a plain search. */
static void many(void **unused)
{
	(void)unused;
	enum { VCPUS = 50, TIMERS = VCPUS * HV_STIMERS };
	struct guest *guest = start(VCPUS);
	uint64_t due[TIMERS] = {0};
	uint32_t seed = 1;
	for (unsigned round = 0; round < 2000; round++) {
		seed = seed * 1664525 + 1013904223;
		const uint32_t timer = (seed >> 8) % TIMERS, length = seed >> 20;
		const uint64_t time = now(guest) + 1 + length % 500;
		const bool stop = seed >> 31;
		due[timer] = stop ? 0 : time;
		set(guest, timer / 4, timer % 4, stop ? 0 : ENABLE | DIRECT | VECTOR(0x80 + timer % 4), time);
		if (round % 500 == 250)
			guest_migrate(guest);
		uint64_t first = UINT64_MAX;
		for (unsigned i = 0; i < TIMERS; i++)
			if (due[i] && due[i] < first)
				first = due[i];
		assert_int_equal(gim_machine_deadline(guest->machine),
		                 first == UINT64_MAX ? GIM_UNKNOWN : hv_time_tsc(guest->machine, first));
		if (round % 3 == 0) {
			const uint64_t end = now(guest) + 20;
			unsigned expected = 0;
			for (unsigned i = 0; i < TIMERS; i++)
				if (due[i] && due[i] <= end) {
					due[i] = 0;
					expected++;
				}
			run_until(guest, end);
			assert_int_equal(interrupts(guest, NULL), expected);
		}
	}
	guest_free(guest);
}

/* The time that is left goes on in another machine; so do an undelivered expiration, and the enable bit that it cost. */
static void save(void **unused)
{
	(void)unused;
	struct guest *guest = start(2);
	set(guest, 0, 0, ENABLE | PERIODIC | SINT(2), 1000);
	set(guest, 0, 1, ENABLE | SINT(3), 1500);
	slot_of(guest, 0, 3)->type = 7;
	run_until(guest, 1600);
	guest_migrate(guest);
	assert_int_equal(now(guest), 1600);
	assert_int_equal(rdmsr(guest, 0, MSR_CONFIG + 2), SINT(3));
	empty_slot(guest, 0, 3);
	expect_message(guest, 3, 1, 1500, 1600);
	run_until(guest, 1999);
	assert_int_equal(slot_of(guest, 0, 2)->type, 0);
	run_until(guest, 2000);
	expect_message(guest, 2, 0, 2000, 2000);
	guest_free(guest);
}

/* One random thing that a guest, its devices or time do. */
static void act(struct guest *guest, uint64_t random)
{
	const uint32_t vcpu = random & 1, n = random >> 1 & 3, sint = 1 + (random >> 3 & 1);
	const uint64_t number = random >> 16 & 0xff;
	const uint64_t config = (random >> 24 & 15) | (random >> 28 & 3 ? sint << 16 : DIRECT | VECTOR(0x80 + n));
	const struct gim_registers call = {.rcx = 0x5d | 1 << 16, .rdx = 3, .long_mode = true};
	struct gim_registers registers = call;
	switch (random >> 4 & 15) {
	case 0:
	case 1:
		wrmsr(guest, vcpu, MSR_CONFIG + 2 * n, config);
		break;
	case 2:
	case 3:
		wrmsr(guest, vcpu, MSR_COUNT + 2 * n, random >> 32 & 1 ? number : now(guest) + number);
		break;
	case 4:
		wrmsr(guest, vcpu, MSR_EOM, 0);
		break;
	case 5:
		slot_of(guest, vcpu, sint)->type = 0;
		break;
	case 6:
		gim_machine_eoi(guest->machine, vcpu, (uint8_t)(0x40 + sint));
		break;
	case 7:
	case 8:
		(void)gim_machine_post(guest->machine, vcpu, (uint8_t)sint, 1 + (uint32_t)number, &number, sizeof(number));
		break;
	case 9:
		assert_int_equal(gim_machine_hypercall(guest->machine, 0, &registers), GIM_ACCESS_DONE);
		break;
	case 10:
		memset(guest->ram + FLAGS(1), 0, 4096);
		break;
	case 11:
		wrmsr(guest, vcpu, MSR_SCONTROL, number & 3 ? 1 : 0);
		break;
	case 12:
		wrmsr(guest, vcpu, MSR_SIMP, MESSAGES(vcpu) | (number & 3 ? 1 : 0));
		break;
	default:
		empty_slot(guest, vcpu, sint);
		gim_machine_step(guest->machine, number * 77);
	}
}

/* A guest that is saved and loaded now and then sees what one sees that never is. */
static void twins(void **unused)
{
	(void)unused;
	uint64_t seed = 2463534242;
	for (unsigned sequence = 0; sequence < 300; sequence++) {
		struct guest *one = start(2), *other = start(2);
		assert_int_equal(gim_machine_connect(one->machine, GIM_CONNECTION_EVENT, 3, 1, 2, 5, NULL), 0);
		assert_int_equal(gim_machine_connect(other->machine, GIM_CONNECTION_EVENT, 3, 1, 2, 5, NULL), 0);
		for (unsigned step = 0; step < 100; step++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			act(one, seed);
			act(other, seed);
			if (seed >> 60 == 0)
				guest_migrate(other);
			assert_int_equal(gim_machine_tsc(one->machine), gim_machine_tsc(other->machine));
			assert_int_equal(gim_machine_deadline(one->machine), gim_machine_deadline(other->machine));
			assert_int_equal(one->interrupt_count, other->interrupt_count);
			assert_memory_equal(one->interrupts, other->interrupts, one->interrupt_count * sizeof(one->interrupts[0]));
			assert_memory_equal(one->ram + MESSAGES(0), other->ram + MESSAGES(0), 8192);
			for (uint32_t vcpu = 0; vcpu < 2; vcpu++)
				assert_memory_equal(hv_vp(one->machine, vcpu)->stimer, hv_vp(other->machine, vcpu)->stimer,
				                    sizeof(hv_vp(one->machine, vcpu)->stimer));
		}
		guest_free(one);
		guest_free(other);
	}
}

/* A reset stops all. */
static void reset(void **unused)
{
	(void)unused;
	struct guest *guest = start(2);
	set(guest, 0, 0, ENABLE | PERIODIC | DIRECT | VECTOR(0x80), 10);
	set(guest, 1, 3, ENABLE | SINT(3), 1010);
	assert_int_equal(gim_machine_reset(guest->machine, NULL), 0);
	assert_int_equal(gim_machine_deadline(guest->machine), GIM_UNKNOWN);
	assert_int_equal(rdmsr(guest, 1, MSR_CONFIG + 6) | rdmsr(guest, 1, MSR_COUNT + 6), 0);
	run_until(guest, 2000);
	assert_int_equal(interrupts(guest, NULL), 0);
	guest_free(guest);
}

/* Nothing due costs nothing, however many timers run. */
static void idle_cost(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1024, false, NULL, 0);
	for (uint32_t vcpu = 0; vcpu < 1024; vcpu++)
		for (uint32_t n = 0; n < HV_STIMERS; n++)
			set(guest, vcpu, n, ENABLE | PERIODIC | DIRECT | VECTOR(0x80), UINT64_C(10000000) + vcpu * 4 + n);
	struct timespec begin, end;
	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &begin), 0);
	for (unsigned i = 0; i < 1000; i++)
		gim_machine_step(guest->machine, 1);
	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &end), 0);
	const double ns = ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / 1000;
	print_message("an advance with 4096 timers and nothing due: %.0f ns\n", ns);
	assert_true(ns < 1e6);
	assert_int_equal(interrupts(guest, NULL), 0);
	guest_free(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_shot), cmocka_unit_test(configuration), cmocka_unit_test(periodic), cmocka_unit_test(direct),
	    cmocka_unit_test(busy),     cmocka_unit_test(catch_up),      cmocka_unit_test(backlog),  cmocka_unit_test(extremes),
	    cmocka_unit_test(order),    cmocka_unit_test(many),          cmocka_unit_test(save),     cmocka_unit_test(twins),
	    cmocka_unit_test(reset),    cmocka_unit_test(idle_cost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
