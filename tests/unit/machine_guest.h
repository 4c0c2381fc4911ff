/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a guest does to a machine at random, done to both machines of a sequence, which must answer the same. */
#ifndef MACHINE_GUEST_H
#define MACHINE_GUEST_H

#include "machine_sequences.h"

static inline uint64_t any_page(struct random *random)
{
	return (uint64_t)(FREE_PAGE + random_below(random, PAGES - FREE_PAGE)) * PAGE;
}

static inline uint64_t enabled(struct random *random, uint64_t address)
{
	return address | !random_once(random, 6);
}

static inline uint64_t any_number(struct random *random)
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

static inline uint64_t any_sint(struct random *random)
{
	const uint64_t vector = 0x30 + random_below(random, 0xd0);
	return vector | (uint64_t)random_once(random, 10) << 16 | (uint64_t)random_once(random, 3) << 17 |
	       (uint64_t)random_once(random, 8) << 18;
}

static inline uint64_t any_timer(struct random *random)
{
	const uint64_t direct = random_once(random, 4) ? 1u << 12 | (0x30u + random_below(random, 0xd0)) << 4 : 0;
	return random_below(random, 16) | direct | (uint64_t)random_below(random, 5) << 16;
}

/* The reference time now, in units of 100 ns, or near it. */
static inline uint64_t time_near(struct sequence *sequence, uint32_t most)
{
	return sequence->straight.tsc / (TSC_HZ / 10000000) + random_below(&sequence->random, most) + 1;
}

/* Nothing else shall be where the clocks are. */
static inline uint64_t off_clocks(uint64_t value)
{
	return value < FREE_PAGE * PAGE ? value + FREE_PAGE * PAGE : value;
}

static inline uint64_t value_for(struct sequence *sequence, uint32_t msr, uint32_t vcpu)
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
static inline void check_derived_time(struct sequence *sequence, uint64_t straight, uint64_t broken)
{
	check(sequence, broken >= straight && broken <= straight + OPERATIONS, "the time is %" PRIu64 ", after loads %" PRIu64, straight,
	      broken);
}

static inline void rdmsr(struct sequence *sequence, uint32_t vcpu, uint32_t msr)
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
static inline uint64_t keep_messages(const struct sequence *sequence, uint32_t msr, uint64_t value)
{
	return sequence->layout > 1 && msr == 0x40000083 ? (value & (RAM - PAGE)) | 1 : value;
}

static inline void wrmsr(struct sequence *sequence, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	enum gim_access access[2];
	unsigned i = 0;
	value = keep_messages(sequence, msr, value);
	(void)snprintf(sequence->what, sizeof(sequence->what), "vCPU %u writes 0x%" PRIx64 " to MSR 0x%x", vcpu, value, msr);
	BOTH(side)
	access[i++] = gim_machine_wrmsr(side->machine, vcpu, msr, value);
	same(sequence, "the access", access[0], access[1]);
}

static inline void hypercall(struct sequence *sequence, uint32_t vcpu)
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

static inline void cpuid(struct sequence *sequence)
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

static inline void step(struct sequence *sequence)
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

static inline void write_memory(struct sequence *sequence)
{
	struct random *random = &sequence->random;
	const uint64_t gpa = any_page(random) + 16 * random_below(random, PAGE / 16);
	uint64_t words[2] = {random_once(random, 2) ? 0 : any_number(random), any_number(random)};
	(void)snprintf(sequence->what, sizeof(sequence->what), "0x%" PRIx64 " is written", gpa);
	BOTH(side)
	assert_int_equal(gim_machine_write(side->machine, gpa, words, sizeof(words), NULL), 0);
}

static inline void device(struct sequence *sequence)
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

static inline void fault(struct sequence *sequence)
{
	struct random *random = &sequence->random;
	const uint32_t vcpu = random_below(random, sequence->config.vcpus), token = random_below(random, 1000);
	const bool ready = random_once(random, 2);
	(void)snprintf(sequence->what, sizeof(sequence->what), "asynchronous fault of vCPU %u", vcpu);
	same(sequence, "the answer", (uint64_t)gim_machine_async_fault(sequence->straight.machine, vcpu, token, ready),
	     (uint64_t)gim_machine_async_fault(sequence->broken.machine, vcpu, token, ready));
}

static inline void run_or_stop(struct sequence *sequence)
{
	const uint32_t vcpu = random_below(&sequence->random, sequence->config.vcpus);
	const bool running = random_once(&sequence->random, 2);
	(void)snprintf(sequence->what, sizeof(sequence->what), "vCPU %u %s", vcpu, running ? "runs" : "stops");
	BOTH(side)
	gim_machine_run(side->machine, vcpu, running);
}

static inline void interrupts(struct sequence *sequence)
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
static inline void synic_on(struct sequence *sequence)
{
	for (uint32_t vcpu = 0; is_hyperv(sequence) && sequence->layout != 1 && vcpu < sequence->config.vcpus; vcpu++) {
		wrmsr(sequence, vcpu, 0x40000083, (uint64_t)(FREE_PAGE + vcpu) * PAGE | 1);
		wrmsr(sequence, vcpu, 0x40000080, 1);
	}
}

static inline void debug_ready(struct sequence *sequence)
{
	(void)snprintf(sequence->what, sizeof(sequence->what), "the debugger has data");
	BOTH(side)
	gim_machine_debug_ready(side->machine);
}

#endif
