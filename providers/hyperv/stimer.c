/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Synthetic timers (TLFS, timers): their MSRs, when each is due, and what an expiration does. All times are reference times, in units of 100 ns. */
#include "bytes.h"
#include "runtime.h"

#include <string.h>

/* A periodic timer that is further behind skips what is beyond. */
#define BACKLOG_PERIODS 1000

static struct hv_stimer *stimer_of(const struct gim_machine *machine, uint32_t vcpu, uint32_t n)
{
	return &hv_vp(machine, vcpu)->stimer[n];
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static bool is_direct(const struct hv_stimer *stimer)
{
	return stimer->config & HV_STIMER_DIRECT;
}

/* Is there anything that an expiration could reach? */
static bool has_target(const struct hv_stimer *stimer)
{
	return is_direct(stimer) || HV_STIMER_SINT(stimer->config);
}

static bool is_running(const struct hv_stimer *stimer)
{
	return stimer->config & HV_ENABLE && stimer->count && has_target(stimer);
}

/*
 * The heap of timers that are due some time, by time and then by number, so that the order is always the same.
 */
static uint16_t *place_of(const struct gim_machine *machine, uint32_t timer)
{
	return &hv_vcpu(machine, timer / HV_STIMERS)->synic.due_at[timer % HV_STIMERS];
}

static bool is_before(const struct hv_due *a, const struct hv_due *b)
{
	return a->time < b->time || (a->time == b->time && a->timer < b->timer);
}

static void put(struct gim_machine *machine, uint32_t at, struct hv_due due)
{
	hv_own(machine)->synic.due[at] = due;
	*place_of(machine, due.timer) = (uint16_t)(at + 1);
}

/* Put it where it belongs, at or around the free place `at`. */
static void sift(struct gim_machine *machine, uint32_t at, struct hv_due due)
{
	const struct hv_synic *synic = &hv_own(machine)->synic;
	for (uint32_t parent; at; at = parent) {
		parent = (at - 1) / 2;
		if (!is_before(&due, &synic->due[parent]))
			break;
		put(machine, at, synic->due[parent]);
	}
	for (uint32_t child; (child = 2 * at + 1) < synic->due_count; at = child) {
		if (child + 1 < synic->due_count && is_before(&synic->due[child + 1], &synic->due[child]))
			child++;
		if (!is_before(&synic->due[child], &due))
			break;
		put(machine, at, synic->due[child]);
	}
	put(machine, at, due);
}

static void unschedule(struct gim_machine *machine, uint32_t timer)
{
	struct hv_synic *synic = &hv_own(machine)->synic;
	const uint32_t place = *place_of(machine, timer);
	if (!place)
		return;
	*place_of(machine, timer) = 0;
	synic->due_count--;
	if (place - 1 < synic->due_count)
		sift(machine, place - 1, synic->due[synic->due_count]);
}

/* A timer that is not in the heap. One that is due at the end of time never is. */
static void schedule(struct gim_machine *machine, uint32_t vcpu, uint32_t n)
{
	const struct hv_stimer *stimer = stimer_of(machine, vcpu, n);
	const struct hv_due due = {add(stimer->expiration, stimer->adjustment), vcpu * HV_STIMERS + n};
	if (due.time < UINT64_MAX)
		sift(machine, hv_own(machine)->synic.due_count++, due);
}

/*
 * Expirations.
 */
/* A periodic timer's next one. A timer that is late gets the following ones at the times at which they belong; one that is late by whole periods catches up
 * by periods of half the length, or, if it is lazy, skips what it missed. */
static void next_period(struct hv_stimer *stimer, uint64_t now)
{
	const uint64_t missed = now > stimer->expiration ? (now - stimer->expiration) / stimer->count : 0;
	const uint64_t kept = stimer->config & HV_STIMER_LAZY ? 0 : BACKLOG_PERIODS;
	if (missed > kept)
		stimer->expiration += (missed - kept) * stimer->count;
	stimer->expiration = add(stimer->expiration, stimer->count);
	stimer->adjustment = 0;
	if (stimer->expiration <= now)
		stimer->adjustment = add(now, stimer->count > 1 ? stimer->count / 2 : 1) - stimer->expiration;
}

/* The guest has been told. */
static void done(struct gim_machine *machine, uint32_t vcpu, uint32_t n, uint64_t now)
{
	struct hv_stimer *stimer = stimer_of(machine, vcpu, n);
	stimer->undelivered = 0;
	if (is_running(stimer) && stimer->config & HV_STIMER_PERIODIC) {
		next_period(stimer, now);
		schedule(machine, vcpu, n);
	} else {
		stimer->expiration = stimer->adjustment = 0;
	}
}

static struct hv_queued message_of(const struct hv_stimer *stimer, uint32_t n, uint64_t now)
{
	struct hv_queued message = {.type = HV_MESSAGE_TIMER_EXPIRED, .size = 24};
	gim_store(message.payload, n, 4);
	gim_store(message.payload + 8, stimer->expiration, 8);
	gim_store(message.payload + 16, now, 8);
	return message;
}

static void expire(struct gim_machine *machine, uint32_t vcpu, uint32_t n, uint64_t now)
{
	struct hv_stimer *stimer = stimer_of(machine, vcpu, n);
	gim_count_vcpu(machine, vcpu, HV_COUNT_STIMER + n, 1);
	if (!(stimer->config & HV_STIMER_PERIODIC))
		stimer->config &= ~HV_ENABLE;
	if (is_direct(stimer)) {
		if (HV_STIMER_VECTOR(stimer->config) >= HV_VECTOR_MIN)
			gim_machine_raise_vector(machine, vcpu, HV_STIMER_VECTOR(stimer->config), false);
		done(machine, vcpu, n, now);
		return;
	}
	const struct hv_queued message = message_of(stimer, n, now);
	const uint32_t sint = HV_STIMER_SINT(stimer->config);
	if (hv_synic_send(machine, vcpu, sint, &message)) {
		done(machine, vcpu, n, now);
	} else {
		stimer->undelivered = 1;
		hv_synic_wait(machine, vcpu, sint);
	}
}

/* Each timer at most once: its next expiration is later than now. */
static void expire_due(struct gim_machine *machine, uint64_t now)
{
	const struct hv_synic *synic = &hv_own(machine)->synic;
	while (synic->due_count && synic->due[0].time <= now) {
		const uint32_t timer = synic->due[0].timer;
		unschedule(machine, timer);
		expire(machine, timer / HV_STIMERS, timer % HV_STIMERS, now);
	}
}

static bool waits_for(const struct hv_stimer *stimer, uint32_t sint)
{
	return stimer->undelivered && !is_direct(stimer) && HV_STIMER_SINT(stimer->config) == sint;
}

unsigned hv_stimer_waiting(const struct gim_machine *machine, uint32_t vcpu, uint32_t sint)
{
	unsigned waiting = 0;
	for (uint32_t n = 0; n < HV_STIMERS; n++)
		waiting += waits_for(stimer_of(machine, vcpu, n), sint);
	return waiting;
}

bool hv_stimer_retry(struct gim_machine *machine, uint32_t vcpu, uint32_t sint, bool more)
{
	uint32_t n = 0;
	while (n < HV_STIMERS && !waits_for(stimer_of(machine, vcpu, n), sint))
		n++;
	const uint64_t now = hv_time(machine);
	const struct hv_queued message = message_of(stimer_of(machine, vcpu, n), n, now);
	if (!hv_synic_deliver(machine, vcpu, sint, &message, more))
		return false;
	done(machine, vcpu, n, now);
	return true;
}

/*
 * MSRs. A write of either stops the timer, and what was not delivered is forgotten.
 */
static void stop(struct gim_machine *machine, uint32_t vcpu, uint32_t n)
{
	struct hv_stimer *stimer = stimer_of(machine, vcpu, n);
	unschedule(machine, vcpu * HV_STIMERS + n);
	stimer->expiration = stimer->adjustment = stimer->undelivered = 0;
}

/* Let it run if it is to; what is due at once expires at once. */
static void start(struct gim_machine *machine, uint32_t vcpu, uint32_t n)
{
	struct hv_stimer *stimer = stimer_of(machine, vcpu, n);
	if (!has_target(stimer))
		stimer->config &= ~HV_ENABLE;
	if (!is_running(stimer))
		return;
	const uint64_t now = hv_time(machine);
	stimer->expiration = stimer->config & HV_STIMER_PERIODIC ? add(now, stimer->count) : stimer->count;
	schedule(machine, vcpu, n);
	expire_due(machine, now);
}

enum gim_access hv_stimer_write_config(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	static const struct gim_gate direct = GATE(hv_state, features.misc, 19);
	struct hv_stimer *stimer = stimer_of(machine, vcpu, index);
	if (*value & HV_STIMER_DIRECT && !gim_gate_open(machine, &direct))
		return GIM_ACCESS_GP;
	stop(machine, vcpu, index);
	stimer->config = *value;
	start(machine, vcpu, index);
	*value = stimer->config;
	return GIM_ACCESS_DONE;
}

enum gim_access hv_stimer_write_count(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	struct hv_stimer *stimer = stimer_of(machine, vcpu, index);
	stop(machine, vcpu, index);
	stimer->count = *value;
	if (!stimer->count)
		stimer->config &= ~HV_ENABLE;
	else if (stimer->config & HV_STIMER_AUTO_ENABLE)
		stimer->config |= HV_ENABLE;
	start(machine, vcpu, index);
	return GIM_ACCESS_DONE;
}

/*
 * Time.
 */
uint64_t hv_stimer_deadline(const struct gim_machine *machine)
{
	const struct hv_synic *synic = &hv_own(machine)->synic;
	return synic->due_count ? hv_time_tsc(machine, synic->due[0].time) : GIM_UNKNOWN;
}

void hv_stimer_advance(struct gim_machine *machine, uint64_t tsc)
{
	expire_due(machine, hv_time_at(machine, tsc));
}

static void unschedule_all(struct gim_machine *machine)
{
	struct hv_synic *synic = &hv_own(machine)->synic;
	while (synic->due_count)
		*place_of(machine, synic->due[--synic->due_count].timer) = 0;
}

void hv_stimer_reset(struct gim_machine *machine)
{
	unschedule_all(machine);
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
		for (uint32_t n = 0; n < HV_STIMERS; n++)
			stop(machine, vcpu, n);
}

/* Of a timer whose saver kept no more than its MSRs, the time of a one-shot is known, and a period begins anew. */
void hv_stimer_loaded(struct gim_machine *machine)
{
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
		for (uint32_t n = 0; n < HV_STIMERS; n++) {
			struct hv_stimer *stimer = stimer_of(machine, vcpu, n);
			if (!is_running(stimer) || stimer->expiration)
				continue;
			const uint64_t now = stimer->config & HV_STIMER_PERIODIC ? hv_state(machine)->time_ref_count : 0;
			stimer->expiration = add(now, stimer->count);
		}
}

void hv_stimer_load_done(struct gim_machine *machine)
{
	unschedule_all(machine);
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
		for (uint32_t n = 0; n < HV_STIMERS; n++) {
			const struct hv_stimer *stimer = stimer_of(machine, vcpu, n);
			if (stimer->undelivered && !is_direct(stimer))
				hv_synic_wait(machine, vcpu, HV_STIMER_SINT(stimer->config));
			else if (is_running(stimer))
				schedule(machine, vcpu, n);
		}
}
