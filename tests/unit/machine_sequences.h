/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sequences of random operations on machines: the world that such a machine lives in, which of them a seed makes, and its saving and loading. */
#ifndef MACHINE_SEQUENCES_H
#define MACHINE_SEQUENCES_H

#include "../machines.h"
#include "bytes.h"
#include "scale.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * The world: memory, and who uses which page of it. Guests write to all but the first two themselves, too.
 */
enum {
	PAGE = 4096,
	CLOCK_PAGE = 0, /* KVM's time structures, whose version a load makes another */
	TSC_PAGE = 1,   /* likewise the sequence of Hyper-V's */
	FREE_PAGE = 2,
	PAGES = 32,
	WALL_CLOCK = CLOCK_PAGE * PAGE + PAGE / 2,
	RAM = PAGES * PAGE,
	VCPUS_MAX = 4,
	EVENTS_MAX = 256,
	OPERATIONS = 60,
};
#define TSC_HZ 2599998000u
#define VBOX_TSC_HZ 2600000000u /* a multiple of 10 MHz: VirtualBox's reference time is a quotient of whole numbers */

/* One of two machines that the same happens to. */
struct side {
	const char *name;
	struct gim_machine *machine;
	struct gim_host host;
	uint8_t *ram;
	uint64_t tsc;
	uint64_t events[EVENTS_MAX];
	unsigned event_count;
	uint64_t received; /* packets of the debugger so far */
	uint64_t last_time, clock[VCPUS_MAX];
};

struct msr {
	uint32_t number;
	char path[128];
};

struct sequence {
	uint64_t seed;
	struct random random;
	struct gim_machine_config config;
	bool own_apic, built_in_clock;
	unsigned form;   /* enum machines_form */
	uint32_t layout; /* version of the VirtualBox layout that it is; 0: none */
	struct msr msrs[256];
	unsigned msr_count;
	unsigned operation, loads;
	char what[160];
	struct side straight, broken;
};

/* What the sequences met, so that they are known to meet it. */
static struct {
	uint64_t loads, interrupts, messages, events, expiries, hypercalls;
	uint64_t waiting, in_service, armed; /* saves with messages that wait, interrupts in service, timers that run */
} met;

static inline void check(struct sequence *sequence, bool holds, const char *format, ...) __attribute__((format(printf, 3, 4)));
static inline void check(struct sequence *sequence, bool holds, const char *format, ...)
{
	char text[256];
	va_list arguments;
	if (holds)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fail_msg("seed %" PRIu64 ", %s with %u vCPUs through %s, operation %u, %s: %s", sequence->seed, sequence->config.provider,
	         sequence->config.vcpus,
	         sequence->layout ? "VirtualBox's layout"
	         : sequence->form ? "documents"
	                          : "native states",
	         sequence->operation, sequence->what, text);
}

static inline void same(struct sequence *sequence, const char *what, uint64_t straight, uint64_t broken)
{
	check(sequence, straight == broken, "%s is 0x%" PRIx64 ", after a load 0x%" PRIx64, what, straight, broken);
}

/*
 * The embedder, who writes down what a guest would see of it.
 */
static inline void event(void *user, uint64_t kind, uint64_t value)
{
	struct side *side = (struct side *)user;
	if (side->event_count < EVENTS_MAX)
		side->events[side->event_count] = kind << 56 ^ value;
	side->event_count++;
}

static inline uint64_t hash(const void *bytes, size_t size)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
	return sum >> 8;
}

static inline uint64_t host_tsc(void *user)
{
	return ((struct side *)user)->tsc;
}

static inline void host_interrupt(void *user, uint32_t vcpu, uint8_t vector, bool auto_eoi)
{
	event(user, 1, (uint64_t)vcpu << 16 | (uint64_t)vector << 8 | auto_eoi);
}

static inline void host_wake(void *user, uint32_t vcpu)
{
	event(user, 2, vcpu);
}

static inline void host_reset(void *user)
{
	event(user, 3, 0);
}

static inline void host_crash(void *user, const struct gim_crash *crash)
{
	event(user, 4, hash(crash->parameters, sizeof(crash->parameters)));
	event(user, 5, crash->message ? hash(crash->message, crash->message_bytes) : crash->no_dump);
}

static inline void host_flush(void *user, const struct gim_flush *flush)
{
	event(user, 6, hash(flush->ranges, flush->range_count * sizeof(flush->ranges[0])) ^ flush->address_space);
	event(user, 7, flush->vcpus[0] << 8 | (uint64_t)flush->all_spaces << 1 | flush->global_too);
}

static inline uint64_t host_ran_ns(void *user, uint32_t vcpu)
{
	return ((struct side *)user)->tsc / (3 + vcpu);
}

static inline uint64_t host_waited_ns(void *user, uint32_t vcpu)
{
	return ((struct side *)user)->tsc / (30 + vcpu);
}

static inline int64_t host_send(void *user, const void *bytes, size_t size)
{
	event(user, 8, hash(bytes, size));
	return (int64_t)size;
}

static inline int64_t host_receive(void *user, void *bytes, size_t size)
{
	struct side *side = (struct side *)user;
	struct random random = {++side->received};
	const size_t packet = random_below(&random, 200) < size ? random_below(&random, 200) : size;
	for (size_t i = 0; i < packet; i++)
		((uint8_t *)bytes)[i] = (uint8_t)random_next(&random);
	return random_once(&random, 3) ? 0 : (int64_t)packet;
}

/*
 * Life.
 */
static inline struct gim_machine *new_machine(struct sequence *sequence, struct side *side)
{
	struct gim_machine *machine = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	sequence->config.ram = side->ram;
	int result = gim_machine_new(&sequence->config, &side->host, &machine, &error);
	if (!result)
		result = gim_machine_init(machine, &error);
	if (!result)
		result = gim_machine_register_device(machine, &error);
	if (!result)
		result = gim_machine_init_completed(machine, &error);
	check(sequence, !result, "%s", error.text);
	if (sequence->built_in_clock)
		gim_machine_step(machine, side->tsc);
	return machine;
}

static inline void start(struct sequence *sequence, struct side *side, const char *name)
{
	*side = (struct side){.name = name, .ram = (uint8_t *)calloc(1, RAM)};
	assert_non_null(side->ram);
	side->host = (struct gim_host){.user = side,
	                               .tsc = sequence->built_in_clock ? NULL : host_tsc,
	                               .interrupt = sequence->own_apic ? host_interrupt : NULL,
	                               .wake = host_wake,
	                               .reset = host_reset,
	                               .crash = host_crash,
	                               .flush = host_flush,
	                               .vcpu_ran_ns = host_ran_ns,
	                               .vcpu_waited_ns = host_waited_ns,
	                               .debug_send = host_send,
	                               .debug_receive = host_receive};
	side->machine = new_machine(sequence, side);
}

static inline int note_leaf(void *user, const char *path, const struct gim_value *value)
{
	const size_t length = strlen(path);
	(void)user;
	met.waiting += !strcmp(path, "hyperv.message[0].type");
	met.in_service += value->number && strstr(path, "].isr[");
	met.armed += value->number & 1 && length > 7 && !strcmp(path + length - 7, ".config");
	return 0;
}

static inline void note_saved(const struct gim_state *state)
{
	assert_int_equal(gim_state_visit(state, NULL, note_leaf, NULL, NULL), 0);
}

/* The machine's state in the sequence's form; the caller's, with `file` that holds it. */
static inline struct gim_state *save(struct sequence *sequence, struct side *side, struct gim_buffer *file)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	check(sequence, !gim_machine_save(side->machine, &state, &error), "%s %s", error.path, error.text);
	note_saved(state);
	state = machines_reform(state, sequence->form, sequence->config.provider, sequence->config.vcpus, file, &error);
	check(sequence, state, "the saved state cannot be written: %s %s", error.path, error.text);
	return state;
}

/* Go on in a new machine. */
static inline void restore(struct sequence *sequence, struct side *side)
{
	struct gim_buffer file = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = save(sequence, side, &file);
	struct gim_machine *machine = new_machine(sequence, side);
	int result = gim_machine_load(machine, state, NULL, NULL, &error);
	if (!result)
		result = gim_machine_load_done(machine, &error);
	check(sequence, !result, "%s %s", error.path, error.text);
	gim_machine_free(&side->machine);
	side->machine = machine;
	gim_state_free(&state);
	gim_buffer_free(&file);
	met.loads++;
	sequence->loads++;
}

static inline bool is_hyperv(const struct sequence *sequence)
{
	return !strcmp(sequence->config.provider, "hyperv");
}

static inline void configure(struct sequence *sequence, uint64_t seed)
{
	struct random *random = &sequence->random;
	memset(sequence, 0, sizeof(*sequence));
	sequence->seed = seed;
	sequence->random.state = seed;
	const bool hyperv = random_below(random, 3);
	sequence->layout = random_once(random, 3) ? (hyperv ? 1 + random_below(random, 4) : 1) : 0;
	sequence->form = sequence->layout ? MACHINES_VBOX + sequence->layout : random_once(random, 4) ? MACHINES_DOCUMENT : MACHINES_NATIVE;
	/* VirtualBox saves its APICs elsewhere. */
	sequence->own_apic = sequence->layout || random_once(random, 2);
	sequence->built_in_clock = random_once(random, 2);
	sequence->config = (struct gim_machine_config){.provider = hyperv ? "hyperv" : "kvm",
	                                               .vcpus = 1 + random_below(random, VCPUS_MAX),
	                                               .tsc_hz = sequence->layout ? VBOX_TSC_HZ : TSC_HZ,
	                                               .ram_bytes = RAM,
	                                               .keep_gating = true,
	                                               .gating = sequence->layout ? GIM_GATING_PRODUCER : GIM_GATING_WORDS};
}

/* The time by a structure of KVM's clock, in ns. */
static inline uint64_t clock_ns(const uint8_t *structure, uint64_t tsc)
{
	const int8_t shift = (int8_t)structure[28];
	const uint64_t ticks = tsc - gim_load(structure + 8, 8);
	const uint64_t scaled = shift < 0 ? ticks >> -shift : ticks << shift;
	const uint64_t factor = gim_load(structure + 24, 4);
	return gim_load(structure + 16, 8) + (gim_mul_high(scaled, factor) << 32 | scaled * factor >> 32);
}

#endif
