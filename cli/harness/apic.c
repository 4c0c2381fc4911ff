/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Local APICs (Intel SDM, advanced programmable interrupt controller). They are ours and not the kernel's, since a synthetic interrupt with automatic EOI is never
 * in service, which no in-kernel APIC can be told, and since not every host's shows what is in service at all.
 */
#include "apic.h"

#include <stddef.h>

enum {
	ID = 0x20,
	VERSION = 0x30,
	PPR = 0xa0,
	LDR = 0xd0,
	DFR = 0xe0,
	SVR = 0xf0,
	ISR = 0x100,
	TMR = 0x180,
	IRR = 0x200,
	ESR = 0x280,
	ICR_HIGH = 0x310,
	LVT_FIRST = 0x320,
	LVT_LAST = 0x370,
	INITIAL_COUNT = 0x380,
	CURRENT_COUNT = 0x390,
	DIVIDE = 0x3e0,
	SELF_IPI = 0x3f0,
};

#define BASE_ENABLED (UINT64_C(1) << 11)
#define BASE_X2 (UINT64_C(1) << 10)
#define BASE_BOOT (UINT64_C(1) << 8)
#define SVR_ENABLED 0x100u
#define LVT_MASKED 0x10000u
#define LVT_PERIODIC 0x20000u
#define LVT_DEADLINE 0x40000u
#define VERSION_VALUE (0x14u | (APIC_LVTS - 1) << 16)
#define FIRST_VECTOR 16
#define BROADCAST_X2 UINT32_MAX
#define BROADCAST 0xffu

/*
 * Life.
 */
void apic_init(struct apic *apic)
{
	const struct apic kept = *apic;
	*apic = (struct apic){.base = kept.base, .id = kept.id, .dfr = UINT32_MAX, .svr = 0xff};
	for (unsigned i = 0; i < APIC_LVTS; i++)
		apic->lvt[i] = LVT_MASKED;
}

void apic_reset(struct apic *apic, uint32_t id)
{
	*apic = (struct apic){.base = APIC_BASE_GPA | BASE_ENABLED | (id ? 0 : BASE_BOOT), .id = id};
	apic_init(apic);
}

bool apic_is_on(const struct apic *apic)
{
	return apic->base & BASE_ENABLED;
}

bool apic_is_x2(const struct apic *apic)
{
	return (apic->base & (BASE_ENABLED | BASE_X2)) == (BASE_ENABLED | BASE_X2);
}

bool apic_write_base(struct apic *apic, uint64_t value)
{
	const uint64_t modes = BASE_ENABLED | BASE_X2, mode = value & modes, old = apic->base & modes;
	/* x2APIC is entered from xAPIC and left to off only. */
	if (value & 0x2ff || value >> 52 || mode == BASE_X2 || (mode == modes && !old) || (mode == BASE_ENABLED && old == modes))
		return false;
	apic->base = value;
	if (!mode && old)
		apic_init(apic);
	if (mode == modes)
		apic->ldr = (apic->id >> 4) << 16 | 1u << (apic->id & 15);
	return true;
}

/*
 * Interrupts.
 */
static void set_vector(uint32_t words[8], uint8_t vector, bool on)
{
	const uint32_t bit = 1u << (vector % 32);
	words[vector / 32] = on ? words[vector / 32] | bit : words[vector / 32] & ~bit;
}

static int highest(const uint32_t words[8])
{
	for (int word = 7; word >= 0; word--)
		if (words[word])
			return word * 32 + 31 - __builtin_clz(words[word]);
	return -1;
}

static uint32_t priority(const struct apic *apic)
{
	const int serviced = highest(apic->isr);
	const uint32_t class = serviced < 0 ? 0 : (uint32_t)serviced & 0xf0;
	return class > (apic->tpr & 0xf0) ? class : apic->tpr;
}

void apic_raise(struct apics *apics, uint32_t vcpu, uint8_t vector, bool auto_eoi)
{
	struct apic *apic = &apics->items[vcpu];
	if (vector < FIRST_VECTOR || !apic_is_on(apic) || !(apic->svr & SVR_ENABLED))
		return;
	set_vector(apic->irr, vector, true);
	set_vector(apic->auto_eoi, vector, auto_eoi);
	apics->wake(apics->user, vcpu);
}

int apic_pending(const struct apic *apic)
{
	const int vector = highest(apic->irr);
	return vector >= 0 && ((uint32_t)vector & 0xf0) > (priority(apic) & 0xf0) ? vector : -1;
}

bool apic_take(struct apic *apic, uint8_t vector)
{
	const bool ended = apic->auto_eoi[vector / 32] >> (vector % 32) & 1;
	set_vector(apic->irr, vector, false);
	set_vector(apic->auto_eoi, vector, false);
	if (!ended)
		set_vector(apic->isr, vector, true);
	return ended;
}

static void end_interrupt(struct apics *apics, uint32_t vcpu)
{
	struct apic *apic = &apics->items[vcpu];
	const int vector = highest(apic->isr);
	if (vector < 0)
		return;
	set_vector(apic->isr, (uint8_t)vector, false);
	apics->ended(apics->user, vcpu, (uint8_t)vector);
	/* What it kept back can come now. */
	if (apic_pending(apic) >= 0)
		apics->wake(apics->user, vcpu);
}

/*
 * IPIs.
 */
static bool is_logical_target(const struct apic *apic, uint32_t destination)
{
	if (apic_is_x2(apic))
		return destination == BROADCAST_X2 || (apic->ldr >> 16 == destination >> 16 && apic->ldr & destination & 0xffff);
	const uint32_t own = apic->ldr >> 24;
	if (apic->dfr >> 28 == 0xf)
		return own & destination;
	return (own >> 4 == destination >> 4 || destination >> 4 == 0xf) && own & destination & 0xf;
}

static bool is_target(const struct apics *apics, uint32_t from, uint32_t to, uint64_t icr)
{
	enum { DESTINATION, SELF, ALL, OTHERS };
	const struct apic *sender = &apics->items[from], *apic = &apics->items[to];
	const uint32_t high = (uint32_t)(icr >> 32), destination = apic_is_x2(sender) ? high : high >> 24;
	if (!apic_is_on(apic))
		return false;
	switch (icr >> 18 & 3) {
	case SELF:
		return to == from;
	case ALL:
		return true;
	case OTHERS:
		return to != from;
	default:
		if (icr >> 11 & 1)
			return is_logical_target(apic, destination);
		return destination == apic->id || destination == (apic_is_x2(sender) ? BROADCAST_X2 : BROADCAST);
	}
}

/* Deliver to one; true: that is all, since any one would do. */
static bool deliver(struct apics *apics, uint32_t to, uint64_t icr)
{
	enum { FIXED, LOWEST, SMI, RESERVED, NMI, INIT, STARTUP };
	enum { ASSERT = 1 << 14, LEVEL = 1 << 15 };
	switch (icr >> 8 & 7) {
	case FIXED:
	case LOWEST:
		apic_raise(apics, to, (uint8_t)icr, false);
		return (icr >> 8 & 7) == LOWEST;
	case NMI:
		apics->signal(apics->user, to, APIC_NMI, 0);
		return false;
	case INIT:
		/* The level's end only told old APICs their arbitration ids. */
		if (!(icr & LEVEL) || icr & ASSERT)
			apics->signal(apics->user, to, APIC_INIT, 0);
		return false;
	case STARTUP:
		apics->signal(apics->user, to, APIC_STARTUP, (uint8_t)icr);
		return false;
	default:
		return false;
	}
}

static void send(struct apics *apics, uint32_t from, uint64_t icr)
{
	for (uint32_t to = 0; to < apics->count; to++)
		if (is_target(apics, from, to, icr) && deliver(apics, to, icr))
			return;
}

/*
 * The timer. Its times are the TSC's.
 */
static uint32_t divisor(const struct apic *apic)
{
	const uint32_t code = (apic->divide & 3) | (apic->divide >> 1 & 4);
	return code == 7 ? 1 : 2u << code;
}

/* Ticks of one clock in those of another. */
static uint64_t scale(uint64_t ticks, uint64_t to_hz, uint64_t from_hz)
{
	__extension__ typedef unsigned __int128 wide;
	return (uint64_t)((wide)ticks * to_hz / from_hz);
}

static uint64_t period_tsc(const struct apics *apics, const struct apic *apic)
{
	const uint64_t ticks = scale((uint64_t)apic->initial_count * divisor(apic), apics->tsc_hz, apics->timer_hz);
	return ticks ? ticks : 1;
}

static uint32_t current_count(const struct apics *apics, const struct apic *apic, uint64_t tsc)
{
	if (!apic->timer_due_tsc || apic->timer_due_tsc <= tsc)
		return 0;
	const uint64_t counts = scale(apic->timer_due_tsc - tsc, apics->timer_hz, apics->tsc_hz) / divisor(apic);
	return counts < apic->initial_count ? (uint32_t)counts : apic->initial_count;
}

static void start_timer(struct apics *apics, struct apic *apic, uint64_t tsc)
{
	apic->timer_due_tsc = apic->initial_count ? tsc + period_tsc(apics, apic) : 0;
}

static bool by_deadline(const struct apic *apic)
{
	return (apic->lvt[APIC_LVT_TIMER] & (LVT_DEADLINE | LVT_PERIODIC)) == LVT_DEADLINE;
}

uint64_t apic_read_deadline(const struct apic *apic)
{
	return by_deadline(apic) ? apic->timer_due_tsc : 0;
}

/* In the other modes it is ignored. */
void apic_write_deadline(struct apics *apics, uint32_t vcpu, uint64_t tsc)
{
	if (by_deadline(&apics->items[vcpu]))
		apics->items[vcpu].timer_due_tsc = tsc;
}

uint64_t apics_deadline(const struct apics *apics)
{
	uint64_t deadline = UINT64_MAX;
	for (uint32_t i = 0; i < apics->count; i++)
		if (apics->items[i].timer_due_tsc && apics->items[i].timer_due_tsc < deadline)
			deadline = apics->items[i].timer_due_tsc;
	return deadline;
}

void apics_advance(struct apics *apics, uint64_t tsc)
{
	for (uint32_t i = 0; i < apics->count; i++) {
		struct apic *apic = &apics->items[i];
		if (!apic->timer_due_tsc || apic->timer_due_tsc > tsc)
			continue;
		const uint32_t lvt = apic->lvt[APIC_LVT_TIMER];
		const uint64_t period = period_tsc(apics, apic), missed = (tsc - apic->timer_due_tsc) / period;
		/* A vector that waits already takes up those that were missed. */
		apic->timer_due_tsc = lvt & LVT_PERIODIC ? apic->timer_due_tsc + (missed + 1) * period : 0;
		if (!(lvt & LVT_MASKED))
			apic_raise(apics, i, (uint8_t)lvt, false);
	}
}

/*
 * Registers. Those that only keep what is written are rows.
 */
static const struct {
	uint32_t offset, writable;
	size_t member;
	bool x2;
} kept[] = {
    {APIC_REGISTER_TPR, 0xff, offsetof(struct apic, tpr), true},
    {LDR, 0xff000000, offsetof(struct apic, ldr), false},
    {DFR, 0xf0000000, offsetof(struct apic, dfr), false},
    {SVR, 0x1ff, offsetof(struct apic, svr), true},
    {ESR, 0, offsetof(struct apic, esr), true},
    {INITIAL_COUNT, UINT32_MAX, offsetof(struct apic, initial_count), true},
    {DIVIDE, 0xb, offsetof(struct apic, divide), true},
};
enum { KEPT = sizeof(kept) / sizeof(kept[0]) };

static uint32_t *member(struct apic *apic, size_t row)
{
	return (uint32_t *)(void *)((char *)apic + kept[row].member);
}

static const uint32_t *vectors_at(const struct apic *apic, uint32_t offset)
{
	static const uint32_t none[8];
	return offset < TMR ? &apic->isr[(offset - ISR) / 16] : offset < IRR ? &none[0] : &apic->irr[(offset - IRR) / 16];
}

bool apic_read(const struct apics *apics, uint32_t vcpu, uint32_t offset, uint64_t tsc, uint64_t *value)
{
	const struct apic *apic = &apics->items[vcpu];
	const bool x2 = apic_is_x2(apic);
	for (size_t row = 0; row < KEPT; row++)
		if (kept[row].offset == offset)
			return *value = *(const uint32_t *)(const void *)((const char *)apic + kept[row].member), !(x2 && offset == DFR);
	if (offset >= ISR && offset < IRR + 0x80)
		return *value = *vectors_at(apic, offset), true;
	if (offset >= LVT_FIRST && offset <= LVT_LAST)
		return *value = apic->lvt[(offset - LVT_FIRST) / 16], true;
	*value = 0;
	switch (offset) {
	case ID:
		return *value = x2 ? apic->id : apic->id << 24, true;
	case VERSION:
		return *value = VERSION_VALUE, true;
	case PPR:
		return *value = priority(apic), true;
	case APIC_REGISTER_ICR:
		return *value = x2 ? apic->icr : (uint32_t)apic->icr, true;
	case ICR_HIGH:
		return *value = apic->icr >> 32, !x2;
	case CURRENT_COUNT:
		return *value = current_count(apics, apic, tsc), true;
	default:
		return false;
	}
}

static bool write_icr(struct apics *apics, uint32_t vcpu, uint64_t value)
{
	struct apic *apic = &apics->items[vcpu];
	apic->icr = value & ~UINT64_C(0x1000); /* it is never busy */
	send(apics, vcpu, apic->icr);
	return true;
}

/* A software-disabled APIC masks its local vectors. */
static void follow(struct apics *apics, struct apic *apic, uint32_t offset, uint64_t tsc)
{
	if (!by_deadline(apic) && (offset == INITIAL_COUNT || (offset == DIVIDE && apic->timer_due_tsc)))
		start_timer(apics, apic, tsc);
	for (unsigned i = 0; offset == SVR && !(apic->svr & SVR_ENABLED) && i < APIC_LVTS; i++)
		apic->lvt[i] |= LVT_MASKED;
}

/* A timer that changes between counting and waiting for a deadline stands. */
static void write_lvt(struct apic *apic, unsigned lvt, uint32_t value)
{
	const bool deadline = by_deadline(apic);
	apic->lvt[lvt] = value | (apic->svr & SVR_ENABLED ? 0 : LVT_MASKED);
	if (by_deadline(apic) != deadline)
		apic->timer_due_tsc = 0;
}

bool apic_write(struct apics *apics, uint32_t vcpu, uint32_t offset, uint64_t tsc, uint64_t value)
{
	struct apic *apic = &apics->items[vcpu];
	const bool x2 = apic_is_x2(apic);
	if (x2 && value >> 32 && offset != APIC_REGISTER_ICR)
		return false;
	for (size_t row = 0; row < KEPT; row++)
		if (kept[row].offset == offset) {
			if (x2 && !kept[row].x2)
				return false;
			*member(apic, row) = (*member(apic, row) & ~kept[row].writable) | ((uint32_t)value & kept[row].writable);
			follow(apics, apic, offset, tsc);
			if (apic_pending(apic) >= 0)
				apics->wake(apics->user, vcpu); /* another priority may let it in */
			return true;
		}
	if (offset >= LVT_FIRST && offset <= LVT_LAST)
		return write_lvt(apic, (offset - LVT_FIRST) / 16, (uint32_t)value), true;
	switch (offset) {
	case ID:
		return !x2; /* it is fixed, as on most processors */
	case APIC_REGISTER_EOI:
		return end_interrupt(apics, vcpu), true;
	case APIC_REGISTER_ICR:
		return write_icr(apics, vcpu, x2 ? value : (apic->icr & ~UINT64_C(0xffffffff)) | (uint32_t)value);
	case ICR_HIGH:
		return apic->icr = (uint32_t)apic->icr | value << 32, !x2;
	case SELF_IPI:
		return x2 && (apic_raise(apics, vcpu, (uint8_t)value, false), true);
	default:
		return false;
	}
}
