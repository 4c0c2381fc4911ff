/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the SynIC and the timers keep beside the state, and what they offer to each other and to hypercalls. */
#ifndef GIM_HYPERV_SYNIC_H
#define GIM_HYPERV_SYNIC_H

#include "hyperv.h"
#include "machine.h"
#include "tlfs.h"

enum {
	HV_QUEUE_MAX = 16,          /* TLFS: message buffers of a port; here of a SINT */
	HV_MESSAGES_MAX = 16384,    /* of a machine, so that a guest cannot take all memory */
	HV_CONNECTIONS_MAX = 65536, /* of a machine; what a list of a state can hold */
	HV_TIMERS_MAX = GIM_VCPUS_MAX * HV_STIMERS,
};

/* A message, and its place in a queue: a ring, so that its last knows its first. */
struct hv_queued {
	struct hv_queued *next;
	uint64_t origin;
	uint32_t type;
	uint8_t size, payload[HV_MESSAGE_PAYLOAD];
};

/* A timer that runs: its number, vcpu * HV_STIMERS + n, and the reference time at which it is due. */
struct hv_due {
	uint64_t time;
	uint32_t timer;
};

/* Connections by kind and id, with room for more. */
struct hv_connections {
	struct hv_connection *items;
	uint32_t count, room;
};

/* The machine's part. */
struct hv_synic {
	struct hv_connections connections;
	uint32_t queued;                  /* messages in all queues */
	void *saved;                      /* memory of what the last save put in lists */
	struct hv_due due[HV_TIMERS_MAX]; /* a heap: the first one is due first */
	uint32_t due_count;
};

/* A vCPU's part. */
struct hv_synic_vp {
	struct hv_queued *last[HV_SINTS]; /* of the SINT's queue; NULL: it is empty */
	uint16_t waiting;                 /* bit n: a message may wait for SINT n's slot */
	uint16_t due_at[HV_STIMERS];      /* 1 + the timer's place in the heap; 0: it is not there */
};

/*
 * SynIC (synic.c).
 */
/* Write a message to its slot, and raise the SINT; `more`: others wait. False: the slot is busy (its guest is told that more waits) or there is no page. */
bool hv_synic_deliver(struct gim_machine *machine, uint32_t vcpu, uint32_t sint, const struct hv_queued *message, bool more);
/* The same behind what waits already. False: it must wait too, hv_synic_wait. */
bool hv_synic_send(struct gim_machine *machine, uint32_t vcpu, uint32_t sint, const struct hv_queued *message);
void hv_synic_wait(struct gim_machine *machine, uint32_t vcpu, uint32_t sint);
/* The hooks of struct gim_runtime; a message of hv_synic_post_from comes from a port. */
uint16_t hv_synic_post_from(struct gim_machine *machine, uint64_t origin, uint32_t vcpu, uint8_t sint, uint32_t type, const void *payload,
                            size_t size);
uint16_t hv_synic_post(struct gim_machine *machine, uint32_t vcpu, uint8_t sint, uint32_t type, const void *payload, size_t size);
uint16_t hv_synic_signal(struct gim_machine *machine, uint32_t vcpu, uint8_t sint, uint16_t flag);
uint16_t hv_synic_raise(struct gim_machine *machine, uint32_t vcpu, uint8_t sint);

/*
 * Queues (synic.c), by their last message; an append takes it over.
 */
unsigned hv_queue_length(const struct hv_queued *last);
void hv_queue_append(struct hv_queued **last, struct hv_queued *message);
void hv_queue_drop(struct hv_queued **last); /* its first; it is not empty */

/*
 * Connections (connection.c).
 */
const struct hv_connection *hv_connection_find(const struct gim_machine *machine, enum gim_connection_kind kind, uint32_t id);
/* Is it one that this machine can have? Fails with code. */
int hv_connection_check(const struct gim_machine *machine, const struct hv_connection *connection, int code, struct gim_error *error);
/* Put it in, in the place of one of its kind and id. */
int hv_connection_insert(struct hv_connections *connections, const struct hv_connection *connection, struct gim_error *error);
/* The hook `connect` of struct gim_runtime. */
int hv_synic_connect(struct gim_machine *machine, enum gim_connection_kind kind, uint32_t id, uint32_t vcpu, uint8_t sint, uint16_t flag,
                     struct gim_error *error);

/*
 * Timers (stimer.c), for the SynIC.
 */
/* How many expirations wait for the slot of a SINT, and an attempt to deliver the first of them; `more`: others wait. */
unsigned hv_stimer_waiting(const struct gim_machine *machine, uint32_t vcpu, uint32_t sint);
bool hv_stimer_retry(struct gim_machine *machine, uint32_t vcpu, uint32_t sint, bool more);
/* Members that the state's layout could not hold follow from the others; and no timer runs. */
void hv_stimer_loaded(struct gim_machine *machine);
void hv_stimer_reset(struct gim_machine *machine);

#endif
