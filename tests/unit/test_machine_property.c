/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: a machine that is saved and loaded into a new one, again and again, shows its guest what one shows that never was. Called with a number of
 * sequences and the first one's seed: test_machine_property 10000 1. */
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

static unsigned count = 400;
static uint64_t first_seed = 1;

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

static void check(struct sequence *sequence, bool holds, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void check(struct sequence *sequence, bool holds, const char *format, ...)
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

static void same(struct sequence *sequence, const char *what, uint64_t straight, uint64_t broken)
{
	check(sequence, straight == broken, "%s is 0x%" PRIx64 ", after a load 0x%" PRIx64, what, straight, broken);
}

/*
 * The embedder, who writes down what a guest would see of it.
 */
static void event(void *user, uint64_t kind, uint64_t value)
{
	struct side *side = (struct side *)user;
	if (side->event_count < EVENTS_MAX)
		side->events[side->event_count] = kind << 56 ^ value;
	side->event_count++;
}

static uint64_t hash(const void *bytes, size_t size)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
	return sum >> 8;
}

static uint64_t host_tsc(void *user)
{
	return ((struct side *)user)->tsc;
}

static void host_interrupt(void *user, uint32_t vcpu, uint8_t vector, bool auto_eoi)
{
	event(user, 1, (uint64_t)vcpu << 16 | (uint64_t)vector << 8 | auto_eoi);
}

static void host_wake(void *user, uint32_t vcpu)
{
	event(user, 2, vcpu);
}

static void host_reset(void *user)
{
	event(user, 3, 0);
}

static void host_crash(void *user, const struct gim_crash *crash)
{
	event(user, 4, hash(crash->parameters, sizeof(crash->parameters)));
	event(user, 5, crash->message ? hash(crash->message, crash->message_bytes) : crash->no_dump);
}

static void host_flush(void *user, const struct gim_flush *flush)
{
	event(user, 6, hash(flush->ranges, flush->range_count * sizeof(flush->ranges[0])) ^ flush->address_space);
	event(user, 7, flush->vcpus[0] << 8 | (uint64_t)flush->all_spaces << 1 | flush->global_too);
}

static uint64_t host_ran_ns(void *user, uint32_t vcpu)
{
	return ((struct side *)user)->tsc / (3 + vcpu);
}

static uint64_t host_waited_ns(void *user, uint32_t vcpu)
{
	return ((struct side *)user)->tsc / (30 + vcpu);
}

static int64_t host_send(void *user, const void *bytes, size_t size)
{
	event(user, 8, hash(bytes, size));
	return (int64_t)size;
}

static int64_t host_receive(void *user, void *bytes, size_t size)
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
static struct gim_machine *new_machine(struct sequence *sequence, struct side *side)
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

static void start(struct sequence *sequence, struct side *side, const char *name)
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

static int note_leaf(void *user, const char *path, const struct gim_value *value)
{
	const size_t length = strlen(path);
	(void)user;
	met.waiting += !strcmp(path, "hyperv.message[0].type");
	met.in_service += value->number && strstr(path, "].isr[");
	met.armed += value->number & 1 && length > 7 && !strcmp(path + length - 7, ".config");
	return 0;
}

static void note_saved(const struct gim_state *state)
{
	assert_int_equal(gim_state_visit(state, NULL, note_leaf, NULL, NULL), 0);
}

static int note_counter(void *user, const char *name, uint64_t value)
{
	(void)user;
	met.messages += !strcmp(name, "messages") ? value : 0;
	met.events += !strcmp(name, "events") ? value : 0;
	met.hypercalls += !strcmp(name, "hypercalls") ? value : 0;
	met.expiries += strstr(name, ".expiries") ? value : 0;
	return 0;
}

/* The machine's state in the sequence's form; the caller's, with `file` that holds it. */
static struct gim_state *save(struct sequence *sequence, struct side *side, struct gim_buffer *file)
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
static void restore(struct sequence *sequence, struct side *side)
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

/*
 * What a guest does, with numbers that mean something to the interface more often than not.
 */
static uint64_t any_page(struct random *random)
{
	return (uint64_t)(FREE_PAGE + random_below(random, PAGES - FREE_PAGE)) * PAGE;
}

static uint64_t enabled(struct random *random, uint64_t address)
{
	return address | !random_once(random, 6);
}

static uint64_t any_number(struct random *random)
{
	switch (random_below(random, 4)) {
	case 0:
		return random_below(random, 4);
	case 1:
		return any_page(random) | random_below(random, 64);
	case 2:
		return UINT64_C(1) << random_below(random, 64);
	default:
		return random_next(random) >> random_below(random, 64);
	}
}

static uint64_t any_sint(struct random *random)
{
	const uint64_t vector = 0x30 + random_below(random, 0xd0);
	return vector | (uint64_t)random_once(random, 10) << 16 | (uint64_t)random_once(random, 3) << 17 |
	       (uint64_t)random_once(random, 8) << 18;
}

static uint64_t any_timer(struct random *random)
{
	const uint64_t direct = random_once(random, 4) ? 1u << 12 | (0x30u + random_below(random, 0xd0)) << 4 : 0;
	return random_below(random, 16) | direct | (uint64_t)random_below(random, 5) << 16;
}

/* The reference time now, in units of 100 ns, or near it. */
static uint64_t time_near(struct sequence *sequence, uint32_t most)
{
	return sequence->straight.tsc / (TSC_HZ / 10000000) + random_below(&sequence->random, most) + 1;
}

static bool is_hyperv(const struct sequence *sequence)
{
	return !strcmp(sequence->config.provider, "hyperv");
}

/* Nothing else shall be where the clocks are. */
static uint64_t off_clocks(uint64_t value)
{
	return value < FREE_PAGE * PAGE ? value + FREE_PAGE * PAGE : value;
}

static uint64_t value_for(struct sequence *sequence, uint32_t msr, uint32_t vcpu)
{
	struct random *random = &sequence->random;
	const bool clock = msr == 0x11 || msr == 0x12 || msr == 0x4b564d00 || msr == 0x4b564d01;
	if (!clock && random_once(random, 12))
		return is_hyperv(sequence) ? any_number(random) : off_clocks(any_number(random));
	if (msr >= 0x40000090 && msr < 0x400000a0)
		return any_sint(random);
	if (msr >= 0x400000b0 && msr < 0x400000b8)
		return !(msr & 1)                ? any_timer(random)
		       : random_once(random, 8)  ? 0
		       : random_once(random, 30) ? random_below(random, 3)
		       : random_once(random, 2)  ? time_near(sequence, 50000)
		                                 : 500 + random_below(random, 30000);
	switch (msr) {
	case 0x40000000:
		return random_once(random, 4) ? 0 : UINT64_C(0x8100000000000000) | random_below(random, 0x10000);
	case 0x40000001:
		return enabled(random, any_page(random)) | (random_once(random, 30) ? 2 : 0);
	case 0x40000003:
	case 0x40000107:
	case 0x40000118:
		return random_below(random, 2);
	case 0x40000021:
		return enabled(random, TSC_PAGE * PAGE);
	case 0x40000070:
	case 0x40000084:
	case 0x40000108:
		return 0;
	case 0x40000071:
		return (uint64_t)random_below(random, VCPUS_MAX) << 56 | (0x30 + random_below(random, 0xd0));
	case 0x40000072:
		return random_below(random, 4) << 4;
	case 0x40000080:
		return !random_once(random, 6);
	case 0x40000082:
	case 0x40000083:
	case 0x40000073:
		return enabled(random, any_page(random));
	case 0x400000f1:
		return (uint64_t)random_below(random, 300) << 16 | (random_below(random, 3));
	case 0x40000105:
		return UINT64_C(1) << 63 | (uint64_t)random_below(random, 4) << 61;
	case 0x40000106:
		return (uint64_t)random_below(random, VCPUS_MAX) << 32 | (0x30 + random_below(random, 0xd0)) |
		       (random_once(random, 2) ? 1 << 16 : 0);
	case 0x12:
	case 0x4b564d01:
		return enabled(random, CLOCK_PAGE * PAGE + 64 * vcpu);
	case 0x11:
	case 0x4b564d00:
		return WALL_CLOCK;
	case 0x4b564d04:
		return enabled(random, any_page(random) + 4 * random_below(random, 1000));
	case 0x4b564d02:
		return any_page(random) + 64 * random_below(random, 60) + (random_once(random, 4) ? 0 : 1 + 2 + 8);
	case 0x4b564d03:
		return enabled(random, any_page(random) + 64 * random_below(random, 60));
	case 0x4b564d05:
	case 0x4b564d07:
	case 0x4b564d08:
		return random_below(random, 2);
	case 0x4b564d06:
		return 0x30 + random_below(random, 0xd0);
	default:
		return any_number(random);
	}
}

#define BOTH(side) for (struct side * (side) = &sequence->straight; side; (side) = (side) == &sequence->straight ? &sequence->broken : NULL)

/* VirtualBox's layouts have no reference time: it is computed again, and may be a tick more each time. */
static void check_derived_time(struct sequence *sequence, uint64_t straight, uint64_t broken)
{
	check(sequence, broken >= straight && broken <= straight + OPERATIONS, "the time is %" PRIu64 ", after loads %" PRIu64, straight,
	      broken);
}

static void rdmsr(struct sequence *sequence, uint32_t vcpu, uint32_t msr)
{
	enum gim_access access[2];
	uint64_t values[2] = {0, 0};
	unsigned i = 0;
	(void)snprintf(sequence->what, sizeof(sequence->what), "vCPU %u reads MSR 0x%x", vcpu, msr);
	BOTH(side)
	{
		access[i] = gim_machine_rdmsr(side->machine, vcpu, msr, &values[i]);
		if (msr == 0x40000020 && access[i] == GIM_ACCESS_DONE) {
			check(sequence, values[i] >= side->last_time, "%s: the time goes back from %" PRIu64 " to %" PRIu64, side->name,
			      side->last_time, values[i]);
			side->last_time = values[i];
		}
		i++;
	}
	same(sequence, "the access", access[0], access[1]);
	if (msr == 0x40000020 && sequence->layout)
		check_derived_time(sequence, values[0], values[1]);
	else
		same(sequence, "the value", values[0], values[1]);
}

/* See synic_on. */
static uint64_t keep_messages(const struct sequence *sequence, uint32_t msr, uint64_t value)
{
	return sequence->layout > 1 && msr == 0x40000083 ? (value & (RAM - PAGE)) | 1 : value;
}

static void wrmsr(struct sequence *sequence, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	enum gim_access access[2];
	unsigned i = 0;
	value = keep_messages(sequence, msr, value);
	(void)snprintf(sequence->what, sizeof(sequence->what), "vCPU %u writes 0x%" PRIx64 " to MSR 0x%x", vcpu, value, msr);
	BOTH(side)
	access[i++] = gim_machine_wrmsr(side->machine, vcpu, msr, value);
	same(sequence, "the access", access[0], access[1]);
}

static void hypercall(struct sequence *sequence, uint32_t vcpu)
{
	static const uint16_t codes[] = {2, 3, 8, 0xb, 0x13, 0x14, 0x15, 0x69, 0x6a, 0x6b, 0x8001, 0x5c, 0x5d};
	struct random *random = &sequence->random;
	/* What waits in queues VirtualBox does not save. */
	const uint16_t code = codes[random_below(random, sequence->layout ? 11 : 13)];
	const bool fast = random_once(random, 2);
	const uint64_t input = any_page(random), output = any_page(random);
	struct gim_registers registers = {.long_mode = true};
	const uint64_t words[] = {random_below(random, 4), random_below(random, 4), random_below(random, 256), 8, any_number(random)};
	if (is_hyperv(sequence)) {
		registers.rcx = code | (uint64_t)fast << 16 | (random_once(random, 3) ? UINT64_C(1) << 32 : 0);
		registers.rdx = fast ? words[0] : input;
		registers.r8 = fast ? words[1] : output;
		memcpy(registers.xmm, &words[2], 3 * sizeof(words[0]));
		for (unsigned i = 0; i < 5 && !fast; i++) {
			uint8_t bytes[8];
			gim_store(bytes, words[i], sizeof(bytes));
			BOTH(side) assert_int_equal(gim_machine_write(side->machine, input + 8 * i, bytes, sizeof(bytes), NULL), 0);
		}
	} else {
		registers.rax = random_below(random, 13);
		registers.rbx = words[0];
		registers.rcx = random_below(random, VCPUS_MAX + 1);
	}
	(void)snprintf(sequence->what, sizeof(sequence->what), "vCPU %u calls 0x%" PRIx64, vcpu,
	               is_hyperv(sequence) ? registers.rcx : registers.rax);
	struct gim_registers after[2] = {registers, registers};
	enum gim_access access[2];
	unsigned i = 0;
	BOTH(side)
	{
		access[i] = gim_machine_hypercall(side->machine, vcpu, &after[i]);
		i++;
	}
	same(sequence, "the access", access[0], access[1]);
	same(sequence, "rax", after[0].rax, after[1].rax);
	check(sequence, !memcmp(&after[0], &after[1], sizeof(after[0])), "other registers differ");
}

static void cpuid(struct sequence *sequence)
{
	const uint32_t leaf = 0x40000000 + (random_once(&sequence->random, 4) ? 0x80u : 0u) + random_below(&sequence->random, 12);
	uint32_t regs[2][4] = {{0}, {0}};
	enum gim_access access[2];
	unsigned i = 0;
	(void)snprintf(sequence->what, sizeof(sequence->what), "CPUID 0x%x", leaf);
	BOTH(side)
	{
		access[i] = gim_machine_cpuid(side->machine, 0, leaf, 0, regs[i]);
		i++;
	}
	same(sequence, "the access", access[0], access[1]);
	check(sequence, !memcmp(regs[0], regs[1], sizeof(regs[0])), "the leaf differs");
}

static void step(struct sequence *sequence)
{
	const uint64_t ticks = random_next(&sequence->random) >> 40 >> random_below(&sequence->random, 24);
	(void)snprintf(sequence->what, sizeof(sequence->what), "%" PRIu64 " ticks", ticks);
	BOTH(side)
	{
		const uint64_t end = side->tsc + ticks;
		uint64_t due;
		while (!sequence->built_in_clock && (due = gim_machine_deadline(side->machine)) <= end) {
			side->tsc = due > side->tsc ? due : side->tsc;
			gim_machine_advance(side->machine);
		}
		side->tsc = end;
		if (sequence->built_in_clock)
			gim_machine_step(side->machine, ticks);
		else
			gim_machine_advance(side->machine);
	}
	same(sequence, "the deadline", gim_machine_deadline(sequence->straight.machine), gim_machine_deadline(sequence->broken.machine));
}

static void write_memory(struct sequence *sequence)
{
	struct random *random = &sequence->random;
	const uint64_t gpa = any_page(random) + 16 * random_below(random, PAGE / 16);
	uint64_t words[2] = {random_once(random, 2) ? 0 : any_number(random), any_number(random)};
	(void)snprintf(sequence->what, sizeof(sequence->what), "0x%" PRIx64 " is written", gpa);
	BOTH(side)
	assert_int_equal(gim_machine_write(side->machine, gpa, words, sizeof(words), NULL), 0);
}

static void device(struct sequence *sequence)
{
	struct random *random = &sequence->random;
	const uint32_t vcpu = random_below(random, sequence->config.vcpus);
	const uint8_t sint = (uint8_t)random_below(random, random_once(random, 8) ? 16 : 4); /* so that queues form */
	const uint16_t flag = (uint16_t)random_below(random, 2048);
	const unsigned what = sequence->layout ? 2 : random_below(random, 4);
	uint64_t payload[4] = {random_next(random), 1, 2, 3}, results[2];
	unsigned i = 0;
	(void)snprintf(sequence->what, sizeof(sequence->what), "device, %u to vCPU %u", what, vcpu);
	BOTH(side)
	{
		switch (what) {
		case 0:
			results[i++] = gim_machine_post(side->machine, vcpu, sint, 1 + flag, payload, sizeof(payload));
			break;
		case 1:
			results[i++] = gim_machine_signal(side->machine, vcpu, sint, flag);
			break;
		case 2:
			results[i++] = gim_machine_raise(side->machine, vcpu, sint);
			break;
		default:
			results[i++] = (uint64_t)gim_machine_connect(
			    side->machine, flag & 1 ? GIM_CONNECTION_EVENT : GIM_CONNECTION_MESSAGE, flag & 3, vcpu, sint, flag >> 4, NULL);
		}
	}
	same(sequence, "the status", results[0], results[1]);
}

static void fault(struct sequence *sequence)
{
	struct random *random = &sequence->random;
	const uint32_t vcpu = random_below(random, sequence->config.vcpus), token = random_below(random, 1000);
	const bool ready = random_once(random, 2);
	(void)snprintf(sequence->what, sizeof(sequence->what), "asynchronous fault of vCPU %u", vcpu);
	same(sequence, "the answer", (uint64_t)gim_machine_async_fault(sequence->straight.machine, vcpu, token, ready),
	     (uint64_t)gim_machine_async_fault(sequence->broken.machine, vcpu, token, ready));
}

static void run_or_stop(struct sequence *sequence)
{
	const uint32_t vcpu = random_below(&sequence->random, sequence->config.vcpus);
	const bool running = random_once(&sequence->random, 2);
	(void)snprintf(sequence->what, sizeof(sequence->what), "vCPU %u %s", vcpu, running ? "runs" : "stops");
	BOTH(side)
	gim_machine_run(side->machine, vcpu, running);
}

static void interrupts(struct sequence *sequence)
{
	const uint32_t vcpu = random_below(&sequence->random, sequence->config.vcpus);
	const bool eoi = !random_once(&sequence->random, 3);
	const uint8_t ended = (uint8_t)random_next(&sequence->random);
	int vectors[2];
	unsigned i = 0;
	(void)snprintf(sequence->what, sizeof(sequence->what), "vCPU %u takes an interrupt", vcpu);
	BOTH(side)
	{
		vectors[i] = gim_machine_interrupt(side->machine, vcpu);
		met.interrupts += vectors[i] >= 0;
		if (eoi && (vectors[i] >= 0 || sequence->own_apic))
			gim_machine_eoi(side->machine, vcpu, sequence->own_apic ? ended : (uint8_t)vectors[i]);
		i++;
	}
	same(sequence, "the vector", (uint64_t)vectors[0], (uint64_t)vectors[1]);
}

/* Messages can be had from the start; of SCONTROL a state of VirtualBox says nothing, and it is taken to be 1 where there is a message page. */
static void synic_on(struct sequence *sequence)
{
	for (uint32_t vcpu = 0; is_hyperv(sequence) && sequence->layout != 1 && vcpu < sequence->config.vcpus; vcpu++) {
		wrmsr(sequence, vcpu, 0x40000083, (uint64_t)(FREE_PAGE + vcpu) * PAGE | 1);
		wrmsr(sequence, vcpu, 0x40000080, 1);
	}
}

static void debug_ready(struct sequence *sequence)
{
	(void)snprintf(sequence->what, sizeof(sequence->what), "the debugger has data");
	BOTH(side)
	gim_machine_debug_ready(side->machine);
}

/*
 * Comparing.
 */

/* The time by a structure of KVM's clock, in ns. */
static uint64_t clock_ns(const uint8_t *structure, uint64_t tsc)
{
	const int8_t shift = (int8_t)structure[28];
	const uint64_t ticks = tsc - gim_load(structure + 8, 8);
	const uint64_t scaled = shift < 0 ? ticks >> -shift : ticks << shift;
	const uint64_t factor = gim_load(structure + 24, 4);
	return gim_load(structure + 16, 8) + (gim_mul_high(scaled, factor) << 32 | scaled * factor >> 32);
}

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

static void configure(struct sequence *sequence, uint64_t seed)
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

/*
 * Migration: the new machine's TSC is anywhere, and may run at another rate. Times go on where they were.
 */
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
	for (unsigned i = 0; i < count / 4; i++)
		migrate(first_seed + i);
}

int main(int words_count, char **words)
{
	if (words_count > 1)
		count = (unsigned)strtoul(words[1], NULL, 0);
	if (words_count > 2)
		first_seed = strtoull(words[2], NULL, 0);
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_if_never_saved), cmocka_unit_test(clocks_go_on)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
