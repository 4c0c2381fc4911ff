/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guest of the Hyper-V interface for the unit tests: a machine with a clock that steps, a memory of its own, and a record of what the machine asks for. */
#ifndef HYPERV_GUEST_H
#define HYPERV_GUEST_H

#include "bytes.h"
#include "hyperv/hypercall.h"
#include "hyperv/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	MSR_GUEST_OS_ID = 0x40000000,
	MSR_TIME = 0x40000020,
	MSR_SCONTROL = 0x40000080,
	MSR_SVERSION = 0x40000081,
	MSR_SIEFP = 0x40000082,
	MSR_SIMP = 0x40000083,
	MSR_EOM = 0x40000084,
	MSR_SINT = 0x40000090,
	MSR_CONFIG = 0x400000b0, /* + 2n */
	MSR_COUNT = 0x400000b1,  /* + 2n */
	MSR_DEBUG_CONTROL = 0x400000f1,
	MSR_DEBUG_STATUS = 0x400000f2,
	MSR_DEBUG_SEND = 0x400000f3,
	MSR_DEBUG_RECEIVE = 0x400000f4,
	MSR_DEBUG_PENDING = 0x400000f5,
	MSR_DEBUG_OPTIONS = 0x400000ff,
};

/* 1 GHz: a unit of the reference time is 100 ticks. */
#define TSC_HZ UINT64_C(1000000000)
#define TICKS UINT64_C(100)
#define RAM_BYTES UINT64_C(0x400000)
#define MESSAGES(vcpu) (0x100000 + UINT64_C(0x1000) * (vcpu))
#define FLAGS(vcpu) (0x200000 + UINT64_C(0x1000) * (vcpu))
#define INPUT UINT64_C(0x10000)
#define OUTPUT UINT64_C(0x11000)
#define LOG_MAX 4096
#define PACKETS_MAX 8

struct packet {
	uint8_t bytes[4200];
	uint32_t size;
};

struct guest {
	struct gim_machine *machine;
	uint32_t vcpus;
	uint8_t *ram;
	/* Interrupts, in their order. */
	struct {
		uint32_t vcpu;
		uint8_t vector;
		bool auto_eoi;
		uint64_t time;
	} interrupts[LOG_MAX];
	unsigned interrupt_count;
	/* The last flush. */
	struct gim_flush flush;
	uint64_t flush_vcpus[16], flush_ranges[512];
	unsigned flushes;
	/* The debugger's wire. */
	struct packet sent, coming[PACKETS_MAX];
	unsigned sent_count, coming_count;
	bool refuse_packets;
	uint64_t hole; /* a page that is no RAM; only with `callbacks` */
	struct gim_machine_config config;
	struct gim_host host;
};

static inline void guest_interrupt(void *user, uint32_t vcpu, uint8_t vector, bool auto_eoi)
{
	struct guest *guest = user;
	assert_true(vcpu < guest->vcpus);
	assert_true(vector >= 16);
	if (guest->interrupt_count == LOG_MAX)
		return;
	guest->interrupts[guest->interrupt_count].vcpu = vcpu;
	guest->interrupts[guest->interrupt_count].vector = vector;
	guest->interrupts[guest->interrupt_count].auto_eoi = auto_eoi;
	guest->interrupts[guest->interrupt_count++].time = hv_time(guest->machine);
}

static inline void guest_flush(void *user, const struct gim_flush *flush)
{
	struct guest *guest = user;
	guest->flush = *flush;
	guest->flushes++;
	memcpy(guest->flush_vcpus, flush->vcpus, sizeof(guest->flush_vcpus));
	assert_true(flush->range_count <= 512);
	if (flush->range_count)
		memcpy(guest->flush_ranges, flush->ranges, flush->range_count * sizeof(uint64_t));
}

static inline int64_t guest_debug_send(void *user, const void *bytes, size_t size)
{
	struct guest *guest = user;
	if (guest->refuse_packets)
		return -1;
	assert_true(size <= sizeof(guest->sent.bytes));
	memcpy(guest->sent.bytes, bytes, size);
	guest->sent.size = (uint32_t)size;
	guest->sent_count++;
	return (int64_t)size;
}

static inline int64_t guest_debug_receive(void *user, void *bytes, size_t size)
{
	struct guest *guest = user;
	if (!guest->coming_count)
		return 0;
	if (size > guest->coming[0].size)
		size = guest->coming[0].size;
	memcpy(bytes, guest->coming[0].bytes, size);
	memmove(guest->coming, guest->coming + 1, --guest->coming_count * sizeof(guest->coming[0]));
	return (int64_t)size;
}

static inline int guest_memory_read(void *user, uint64_t gpa, void *bytes, size_t size)
{
	const struct guest *guest = user;
	if (gpa > RAM_BYTES - size || (gpa + size > guest->hole && gpa < guest->hole + 4096))
		return -1;
	memcpy(bytes, guest->ram + gpa, size);
	return 0;
}

static inline int guest_memory_write(void *user, uint64_t gpa, const void *bytes, size_t size)
{
	const struct guest *guest = user;
	if (gpa > RAM_BYTES - size || (gpa + size > guest->hole && gpa < guest->hole + 4096))
		return -1;
	memcpy(guest->ram + gpa, bytes, size);
	return 0;
}

static inline void guest_bring_up(struct guest *guest)
{
	struct gim_error error = GIM_ERROR_INIT;
	int result = gim_machine_new(&guest->config, &guest->host, &guest->machine, &error);
	if (result)
		fail_msg("%s", error.text);
	assert_int_equal(gim_machine_init(guest->machine, &error), 0);
	assert_int_equal(gim_machine_register_device(guest->machine, &error), 0);
	assert_int_equal(gim_machine_init_completed(guest->machine, &error), 0);
}

/* A guest that has said who it is. callbacks: its memory is behind callbacks. */
static inline struct guest *guest_new(uint32_t vcpus, bool callbacks, const struct gim_setting *settings, size_t setting_count)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	assert_non_null(guest);
	guest->ram = calloc(1, RAM_BYTES);
	assert_non_null(guest->ram);
	guest->vcpus = vcpus;
	guest->hole = RAM_BYTES;
	guest->config = (struct gim_machine_config){.provider = "hyperv",
	                                            .vcpus = vcpus,
	                                            .tsc_hz = TSC_HZ,
	                                            .ram_bytes = RAM_BYTES,
	                                            .ram = callbacks ? NULL : guest->ram,
	                                            .settings = settings,
	                                            .setting_count = setting_count};
	guest->host = (struct gim_host){.user = guest,
	                                .interrupt = guest_interrupt,
	                                .flush = guest_flush,
	                                .debug_send = guest_debug_send,
	                                .debug_receive = guest_debug_receive,
	                                .memory_read = callbacks ? guest_memory_read : NULL,
	                                .memory_write = callbacks ? guest_memory_write : NULL};
	guest_bring_up(guest);
	assert_int_equal(gim_machine_wrmsr(guest->machine, 0, MSR_GUEST_OS_ID, UINT64_C(0x8100000000000000)), GIM_ACCESS_DONE);
	return guest;
}

static inline void guest_free(struct guest *guest)
{
	gim_machine_free(&guest->machine);
	free(guest->ram);
	free(guest);
}

/* Go on in another machine, to which the state came through a save and a load. */
static inline void guest_migrate(struct guest *guest)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	assert_int_equal(gim_machine_save(guest->machine, &state, &error), 0);
	gim_machine_free(&guest->machine);
	guest_bring_up(guest);
	if (gim_machine_load(guest->machine, state, NULL, NULL, &error) || gim_machine_load_done(guest->machine, &error))
		fail_msg("%s: %s", error.path, error.text);
	gim_state_free(&state);
}

static inline uint64_t rdmsr(struct guest *guest, uint32_t vcpu, uint32_t msr)
{
	uint64_t value = 0;
	assert_int_equal(gim_machine_rdmsr(guest->machine, vcpu, msr, &value), GIM_ACCESS_DONE);
	return value;
}

static inline void wrmsr(struct guest *guest, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	assert_int_equal(gim_machine_wrmsr(guest->machine, vcpu, msr, value), GIM_ACCESS_DONE);
}

static inline void wrmsr_gp(struct guest *guest, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	assert_int_equal(gim_machine_wrmsr(guest->machine, vcpu, msr, value), GIM_ACCESS_GP);
}

/* The SynIC of a vCPU on, with its pages; SINT n has vector 0x40 + n, and odd ones an automatic EOI. */
static inline void synic_on(struct guest *guest, uint32_t vcpu)
{
	wrmsr(guest, vcpu, MSR_SCONTROL, 1);
	wrmsr(guest, vcpu, MSR_SIMP, MESSAGES(vcpu) | 1);
	wrmsr(guest, vcpu, MSR_SIEFP, FLAGS(vcpu) | 1);
	for (uint32_t n = 0; n < HV_SINTS; n++)
		wrmsr(guest, vcpu, MSR_SINT + n, 0x40 + n + (n % 2 ? HV_SINT_AUTO_EOI : 0));
}

/* A message as the guest finds it, also where the host's numbers are the other way round. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define AS_GUEST __attribute__((scalar_storage_order("little-endian")))
#else
#define AS_GUEST
#endif
struct AS_GUEST slot {
	uint32_t type;
	uint8_t size, flags;
	uint16_t reserved;
	uint64_t origin, payload[30];
};

static inline struct slot *slot_of(struct guest *guest, uint32_t vcpu, uint32_t sint)
{
	return (struct slot *)(void *)(guest->ram + MESSAGES(vcpu) + sint * 256u);
}

/* The guest has read it. */
static inline void empty_slot(struct guest *guest, uint32_t vcpu, uint32_t sint)
{
	slot_of(guest, vcpu, sint)->type = 0;
	wrmsr(guest, vcpu, MSR_EOM, 0);
}

/* How many interrupts there were since the last time it was asked; the last one's vector is *vector. */
static inline unsigned interrupts(struct guest *guest, uint8_t *vector)
{
	const unsigned count = guest->interrupt_count;
	if (vector)
		*vector = count ? guest->interrupts[count - 1].vector : 0;
	guest->interrupt_count = 0;
	return count;
}

struct counter {
	const char *name;
	uint64_t value;
	bool found;
};

static inline int guest_find_counter(void *user, const char *name, uint64_t value)
{
	struct counter *counter = user;
	if (!strcmp(name, counter->name)) {
		counter->value = value;
		counter->found = true;
	}
	return 0;
}

static inline uint64_t counter(struct guest *guest, const char *name)
{
	struct counter wanted = {.name = name};
	assert_int_equal(gim_machine_counters(guest->machine, guest_find_counter, &wanted), 0);
	if (!wanted.found)
		fail_msg("there is no counter %s", name);
	return wanted.value;
}

#endif
