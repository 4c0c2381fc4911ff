/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The synthetic interrupt controller (TLFS, SynIC): its MSRs, messages and their queues, and event flags. */
#include "bytes.h"
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

static struct hv_synic *synic_of(const struct gim_machine *machine)
{
	return &hv_own(machine)->synic;
}

static struct hv_synic_vp *synic_vp(const struct gim_machine *machine, uint32_t vcpu)
{
	return &hv_vcpu(machine, vcpu)->synic;
}

/*
 * Interrupts, slots and flags.
 */
static void raise_sint(struct gim_machine *machine, uint32_t vcpu, uint32_t sint)
{
	const uint64_t value = hv_vp(machine, vcpu)->sint[sint];
	const uint8_t vector = (uint8_t)value;
	if (!(value & (HV_SINT_MASKED | HV_SINT_POLLING)) && vector >= HV_VECTOR_MIN)
		gim_machine_raise_vector(machine, vcpu, vector, value & HV_SINT_AUTO_EOI);
}

/* Where SINT's part of the page begins whose register is page; GIM_UNKNOWN when the page, or the whole SynIC, is off. */
static uint64_t part_of(const struct hv_vp *vp, uint64_t page, uint32_t sint)
{
	return vp->scontrol & page & HV_ENABLE ? (page & HV_PAGE_MASK) + sint * HV_MESSAGE_BYTES : GIM_UNKNOWN;
}

static bool is_empty(struct gim_machine *machine, uint64_t slot)
{
	uint32_t type;
	return !gim_ram_read(machine, slot, &type, sizeof(type)) && !type;
}

/* May the slot be written? If it is busy, the guest learns that more waits. It may empty the slot right before it could have seen that, so look again. */
static bool claim(struct gim_machine *machine, uint64_t slot)
{
	uint8_t flags;
	if (is_empty(machine, slot))
		return true;
	if (gim_ram_read(machine, slot + HV_MESSAGE_FLAGS_AT, &flags, sizeof(flags)))
		return false;
	if (flags & HV_MESSAGE_PENDING)
		return false;
	flags |= HV_MESSAGE_PENDING;
	if (gim_ram_write(machine, slot + HV_MESSAGE_FLAGS_AT, &flags, sizeof(flags)))
		return false;
	/* A processor may read before its write is seen; the guest does it the other way round, and one of both must see the other's. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return is_empty(machine, slot);
}

bool hv_synic_deliver(struct gim_machine *machine, uint32_t vcpu, uint32_t sint, const struct hv_queued *message, bool more)
{
	const struct hv_vp *vp = hv_vp(machine, vcpu);
	const uint64_t slot = part_of(vp, vp->simp, sint);
	uint8_t bytes[HV_MESSAGE_BYTES] = {0};
	if (slot == GIM_UNKNOWN || !claim(machine, slot))
		return false;
	gim_store(bytes, message->type, 4);
	bytes[4] = message->size;
	bytes[HV_MESSAGE_FLAGS_AT] = more ? HV_MESSAGE_PENDING : 0;
	gim_store(bytes + 8, message->origin, 8);
	memcpy(bytes + HV_MESSAGE_HEAD, message->payload, message->size);
	/* The type makes the message valid, so it comes last. */
	if (gim_ram_write(machine, slot + 4, bytes + 4, HV_MESSAGE_HEAD - 4u + message->size) || gim_ram_write(machine, slot, bytes, 4))
		return false;
	gim_count(machine, HV_COUNT_MESSAGES, 1);
	raise_sint(machine, vcpu, sint);
	return true;
}

/* Set a flag; 1: it was clear, 0: it was set, negative: no RAM. The guest clears flags meanwhile, so where memory is at hand it is done at once. */
static int set_flag(struct gim_machine *machine, uint64_t gpa, uint8_t mask)
{
	uint8_t byte;
	if (gim_ram_read(machine, gpa, &byte, sizeof(byte)))
		return -1;
	if (machine->ram)
		return !(__atomic_fetch_or(machine->ram + gpa, mask, __ATOMIC_SEQ_CST) & mask);
	if (byte & mask)
		return 0;
	byte |= mask;
	return gim_ram_write(machine, gpa, &byte, sizeof(byte)) ? -1 : 1;
}

/*
 * Queues. A message of a port waits in its SINT's, a timer's in the timer; those of timers go first, since each timer has but one.
 */
unsigned hv_queue_length(const struct hv_queued *last)
{
	unsigned length = 0;
	for (const struct hv_queued *each = last; each; each = each->next == last ? NULL : each->next)
		length++;
	return length;
}

void hv_queue_append(struct hv_queued **last, struct hv_queued *message)
{
	message->next = *last ? (*last)->next : message;
	if (*last)
		(*last)->next = message;
	*last = message;
}

void hv_queue_drop(struct hv_queued **last)
{
	struct hv_queued *first = (*last)->next;
	if (first == *last)
		*last = NULL;
	else
		(*last)->next = first->next;
	free(first);
}

void hv_synic_wait(struct gim_machine *machine, uint32_t vcpu, uint32_t sint)
{
	synic_vp(machine, vcpu)->waiting |= (uint16_t)(1u << sint);
}

/* Deliver what waits for a SINT, if its slot is empty: one message at most. */
static void scan(struct gim_machine *machine, uint32_t vcpu, uint32_t sint)
{
	struct hv_synic_vp *vp = synic_vp(machine, vcpu);
	if (!(vp->waiting & 1u << sint))
		return;
	struct hv_queued **last = &vp->last[sint];
	const unsigned timers = hv_stimer_waiting(machine, vcpu, sint);
	unsigned waiting = timers + hv_queue_length(*last);
	if (timers) {
		waiting -= hv_stimer_retry(machine, vcpu, sint, waiting > 1);
	} else if (*last && hv_synic_deliver(machine, vcpu, sint, (*last)->next, waiting > 1)) {
		hv_queue_drop(last);
		synic_of(machine)->queued--;
		waiting--;
	}
	if (!waiting)
		vp->waiting &= (uint16_t) ~(1u << sint);
}

static void scan_all(struct gim_machine *machine, uint32_t vcpu)
{
	for (uint32_t sint = 0; synic_vp(machine, vcpu)->waiting >> sint; sint++)
		scan(machine, vcpu, sint);
}

bool hv_synic_send(struct gim_machine *machine, uint32_t vcpu, uint32_t sint, const struct hv_queued *message)
{
	scan(machine, vcpu, sint);
	return !(synic_vp(machine, vcpu)->waiting & 1u << sint) && hv_synic_deliver(machine, vcpu, sint, message, false);
}

/*
 * What others send.
 */
static uint16_t check_target(const struct gim_machine *machine, uint32_t vcpu, uint8_t sint)
{
	if (vcpu >= machine->vcpus)
		return HV_STATUS_INVALID_VP_INDEX;
	return sint < HV_SINTS ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
}

uint16_t hv_synic_post_from(struct gim_machine *machine, uint64_t origin, uint32_t vcpu, uint8_t sint, uint32_t type, const void *payload,
                            size_t size)
{
	struct hv_synic *synic = synic_of(machine);
	const uint16_t status = check_target(machine, vcpu, sint);
	if (status)
		return status;
	if (!type || size > HV_MESSAGE_PAYLOAD)
		return HV_STATUS_INVALID_PARAMETER;
	const struct hv_vp *vp = hv_vp(machine, vcpu);
	if (part_of(vp, vp->simp, sint) == GIM_UNKNOWN)
		return HV_STATUS_INVALID_SYNIC_STATE;
	struct hv_queued message = {.origin = origin, .type = type, .size = (uint8_t)size};
	if (size)
		memcpy(message.payload, payload, size);
	if (hv_synic_send(machine, vcpu, sint, &message))
		return HV_STATUS_SUCCESS;
	struct hv_queued **last = &synic_vp(machine, vcpu)->last[sint];
	if (hv_queue_length(*last) >= HV_QUEUE_MAX || synic->queued >= HV_MESSAGES_MAX)
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	struct hv_queued *queued = malloc(sizeof(*queued));
	if (!queued)
		return HV_STATUS_INSUFFICIENT_MEMORY;
	*queued = message;
	hv_queue_append(last, queued);
	synic->queued++;
	hv_synic_wait(machine, vcpu, sint);
	return HV_STATUS_SUCCESS;
}

uint16_t hv_synic_post(struct gim_machine *machine, uint32_t vcpu, uint8_t sint, uint32_t type, const void *payload, size_t size)
{
	return hv_synic_post_from(machine, 0, vcpu, sint, type, payload, size);
}

uint16_t hv_synic_signal(struct gim_machine *machine, uint32_t vcpu, uint8_t sint, uint16_t flag)
{
	const uint16_t status = check_target(machine, vcpu, sint);
	if (status)
		return status;
	if (flag >= HV_EVENT_FLAGS)
		return HV_STATUS_INVALID_PARAMETER;
	const struct hv_vp *vp = hv_vp(machine, vcpu);
	const uint64_t flags = part_of(vp, vp->siefp, sint);
	if (flags == GIM_UNKNOWN || vp->sint[sint] & HV_SINT_MASKED)
		return HV_STATUS_INVALID_SYNIC_STATE;
	const int set = set_flag(machine, flags + flag / 8u, (uint8_t)(1u << flag % 8u));
	if (set < 0)
		return HV_STATUS_INVALID_SYNIC_STATE;
	if (set) {
		gim_count(machine, HV_COUNT_EVENTS, 1);
		raise_sint(machine, vcpu, sint);
	}
	return HV_STATUS_SUCCESS;
}

uint16_t hv_synic_raise(struct gim_machine *machine, uint32_t vcpu, uint8_t sint)
{
	const uint16_t status = check_target(machine, vcpu, sint);
	if (status)
		return status;
	const struct hv_vp *vp = hv_vp(machine, vcpu);
	if (!(vp->scontrol & HV_ENABLE) || vp->sint[sint] & HV_SINT_MASKED)
		return HV_STATUS_INVALID_SYNIC_STATE;
	raise_sint(machine, vcpu, sint);
	return HV_STATUS_SUCCESS;
}

/*
 * MSRs. What a write lets through is delivered at once, so the new value is stored before.
 */
static bool is_page(struct gim_machine *machine, uint64_t value)
{
	return !(value & HV_ENABLE) || gim_ram_is(machine, value & HV_PAGE_MASK, GIM_PAGE_BYTES);
}

/* A page that the guest turns on or moves begins empty; one that is on already keeps what it holds. */
static enum gim_access write_page(struct gim_machine *machine, uint64_t *page, uint64_t value)
{
	const bool fresh = value & HV_ENABLE && (!(*page & HV_ENABLE) || (*page ^ value) & HV_PAGE_MASK);
	if (!is_page(machine, value) || (fresh && gim_ram_zero_page(machine, value & HV_PAGE_MASK)))
		return GIM_ACCESS_GP;
	*page = value;
	return GIM_ACCESS_DONE;
}

enum gim_access hv_synic_write_scontrol(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	hv_vp(machine, vcpu)->scontrol = *value;
	scan_all(machine, vcpu);
	return GIM_ACCESS_DONE;
}

enum gim_access hv_synic_write_siefp(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	return write_page(machine, &hv_vp(machine, vcpu)->siefp, *value);
}

enum gim_access hv_synic_write_simp(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	const enum gim_access access = write_page(machine, &hv_vp(machine, vcpu)->simp, *value);
	if (access == GIM_ACCESS_DONE)
		scan_all(machine, vcpu);
	return access;
}

enum gim_access hv_synic_write_eom(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	(void)value;
	scan_all(machine, vcpu);
	return GIM_ACCESS_DONE;
}

/* Vectors below 16 are refused, but for a masked SINT: 0x10000, the reset value, can be written back. */
enum gim_access hv_synic_write_sint(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)machine;
	(void)vcpu;
	(void)index;
	return (uint8_t)*value >= HV_VECTOR_MIN || *value & HV_SINT_MASKED ? GIM_ACCESS_DONE : GIM_ACCESS_GP;
}

void hv_synic_eoi(struct gim_machine *machine, uint32_t vcpu, uint8_t vector)
{
	const struct hv_vp *vp = hv_vp(machine, vcpu);
	for (uint32_t sint = 0; synic_vp(machine, vcpu)->waiting >> sint; sint++)
		if ((uint8_t)vp->sint[sint] == vector)
			scan(machine, vcpu, sint);
}
