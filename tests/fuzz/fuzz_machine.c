/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: whatever a guest does, a machine answers in bounded time and stays within its memory; times never go back, nothing due is left, and a state that
 * it saves is one that it loads. */
#include "../machines.h"
#include "fuzz.h"

/*
 * The input: a head that configures the machine, then one access after the other.
 */
struct input {
	const uint8_t *bytes;
	size_t left;
};

static uint8_t take(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->bytes++;
}

static uint64_t take_number(struct input *input, unsigned bytes)
{
	uint64_t number = 0;
	for (unsigned i = 0; i < bytes; i++)
		number |= (uint64_t)take(input) << 8 * i;
	return number;
}

enum {
	PAGES = 16,
	RAM = PAGES * 4096,
	VCPUS_MAX = 4,
	/* Enough for every timer to expire often; a period of 100 ns shall not take forever. */
	TICKS_MAX = 1 << 22,
	STATES_MAX = 3,
};
#define TSC_HZ 2599998000u

/* A value as guests write them: mostly an address with low bits, or a few bits somewhere. */
static uint64_t take_value(struct input *input)
{
	const uint8_t shape = take(input);
	switch (shape & 7) {
	case 0:
		return take(input);
	case 1: /* a page's address and flags, mostly of RAM */
	case 2:
		return (take_number(input, 2) % (PAGES + 1)) << 12 | (shape >> 3);
	case 3:
		return take_number(input, 3);
	case 4:
		return UINT64_C(1) << (shape >> 3) | take(input);
	case 5:
		return ~take_number(input, 2);
	default:
		return take_number(input, 8);
	}
}

/*
 * The embedder.
 */
struct embedder {
	struct gim_machine *machine;
	struct gim_machine_config config;
	struct gim_host host;
	struct gim_setting settings[2];
	uint8_t *ram;
	uint64_t tsc, stepped;
	uint64_t last_time;
	uint32_t noise;
	unsigned states;
	bool looked;
};

static uint64_t host_tsc(void *user)
{
	return ((struct embedder *)user)->tsc;
}

static uint64_t host_ns(void *user, uint32_t vcpu)
{
	return ((struct embedder *)user)->tsc / (2 + vcpu);
}

static int host_read(void *user, uint64_t gpa, void *bytes, size_t size)
{
	const struct embedder *embedder = (struct embedder *)user;
	if (size > RAM || gpa > RAM - size)
		return 1;
	memcpy(bytes, embedder->ram + gpa, size);
	return 0;
}

static int host_write(void *user, uint64_t gpa, const void *bytes, size_t size)
{
	const struct embedder *embedder = (struct embedder *)user;
	if (size > RAM || gpa > RAM - size)
		return 1;
	memcpy(embedder->ram + gpa, bytes, size);
	return 0;
}

static void host_interrupt(void *user, uint32_t vcpu, uint8_t vector, bool auto_eoi)
{
	(void)vector, (void)auto_eoi;
	MUST(vcpu < ((struct embedder *)user)->config.vcpus);
}

static int host_apic_read(void *user, uint32_t vcpu, uint32_t offset, uint64_t *value)
{
	*value = offset;
	return vcpu >= ((struct embedder *)user)->config.vcpus || offset == 0xf0;
}

static int host_apic_write(void *user, uint32_t vcpu, uint32_t offset, uint64_t value)
{
	(void)value;
	return vcpu >= ((struct embedder *)user)->config.vcpus || offset == 0xf0;
}

static void host_wake(void *user, uint32_t vcpu)
{
	MUST(vcpu < ((struct embedder *)user)->config.vcpus);
}

static void host_crash(void *user, const struct gim_crash *crash)
{
	volatile char last = crash->message_bytes ? crash->message[crash->message_bytes - 1] : 0;
	(void)last;
	MUST(crash->vcpu < ((struct embedder *)user)->config.vcpus && crash->message_bytes <= 4096);
}

static void host_flush(void *user, const struct gim_flush *flush)
{
	const struct embedder *embedder = (struct embedder *)user;
	volatile uint64_t last = flush->range_count ? flush->ranges[flush->range_count - 1] : 0;
	(void)last;
	MUST(flush->vcpu < embedder->config.vcpus && flush->range_count <= 512);
	MUST(!(flush->vcpus[0] >> embedder->config.vcpus));
}

static void host_page(void *user, const struct gim_page *page)
{
	(void)user;
	MUST(*page->name && (page->gpa == GIM_UNKNOWN || (page->gpa % 4096 == 0 && page->gpa < RAM)));
}

static int64_t host_send(void *user, const void *bytes, size_t size)
{
	struct embedder *embedder = (struct embedder *)user;
	volatile uint8_t last = size ? ((const uint8_t *)bytes)[size - 1] : 0;
	(void)last;
	embedder->noise = embedder->noise * 1664525 + 1013904223;
	return embedder->noise >> 31 ? (int64_t)size : -1;
}

static int64_t host_receive(void *user, void *bytes, size_t size)
{
	struct embedder *embedder = (struct embedder *)user;
	embedder->noise = embedder->noise * 1664525 + 1013904223;
	const size_t packet = embedder->noise >> 20 < size ? embedder->noise >> 20 : size;
	memset(bytes, (int)(embedder->noise & 0xff), packet);
	return embedder->noise & 0x400 ? (int64_t)packet : 0;
}

static void host_log(void *user, enum gim_severity severity, const char *text)
{
	(void)user;
	MUST(severity <= GIM_ERROR && *text && strlen(text) < 512);
}

static void configure(struct embedder *embedder, struct input *input)
{
	static const char *const providers[] = {"hyperv", "hyperv", "kvm", "minimal"};
	const uint8_t how = take(input), flags = take(input);
	embedder->ram = calloc(1, RAM);
	MUST(embedder->ram);
	embedder->config = (struct gim_machine_config){.provider = providers[how & 3],
	                                               .vcpus = 1 + (how >> 2) % VCPUS_MAX,
	                                               .tsc_hz = TSC_HZ,
	                                               .ram_bytes = RAM,
	                                               .ram = embedder->ram,
	                                               .gating = flags & 1 ? GIM_GATING_PRODUCER : GIM_GATING_WORDS};
	embedder->host = (struct gim_host){.user = embedder,
	                                   .tsc = host_tsc,
	                                   .wake = host_wake,
	                                   .crash = host_crash,
	                                   .page = host_page,
	                                   .vcpu_ran_ns = host_ns,
	                                   .vcpu_waited_ns = host_ns,
	                                   .debug_send = host_send,
	                                   .debug_receive = host_receive,
	                                   .log = host_log};
	if (flags & 2) {
		embedder->config.ram = NULL;
		embedder->host.memory_read = host_read;
		embedder->host.memory_write = host_write;
	}
	if (flags & 4)
		embedder->host.interrupt = host_interrupt;
	if ((flags & 12) == 12) {
		embedder->host.apic_read = host_apic_read;
		embedder->host.apic_write = host_apic_write;
	}
	if (flags & 16)
		embedder->host.flush = host_flush;
	embedder->tsc = flags & 32 ? UINT64_C(1) << 62 : 0;
	/* What memory holds at the start, over and over: what is left of the input. */
	for (size_t i = 0; input->left && i < RAM; i += input->left)
		memcpy(embedder->ram + i, input->bytes, input->left < RAM - i ? input->left : RAM - i);
}

static void start(struct embedder *embedder)
{
	struct gim_error error = GIM_ERROR_INIT;
	MUST(!gim_machine_new(&embedder->config, &embedder->host, &embedder->machine, &error));
	MUST(!gim_machine_init(embedder->machine, &error));
	MUST(!gim_machine_register_device(embedder->machine, &error));
	MUST(!gim_machine_init_completed(embedder->machine, &error));
}

static void check_time(struct embedder *embedder)
{
	uint64_t time;
	if (gim_machine_rdmsr(embedder->machine, 0, 0x40000020, &time) != GIM_ACCESS_DONE)
		return;
	MUST(time >= embedder->last_time);
	embedder->last_time = time;
}

/*
 * States. A machine goes on in another, by its native state, by that written as a document, or by what a layout of VirtualBox holds of it.
 */
struct msr_values {
	struct embedder *embedder;
	uint64_t sum;
};

/* But for those that a load makes other ones. */
static int sum_msr(void *user, const struct gim_msr_info *info)
{
	struct msr_values *values = (struct msr_values *)user;
	const uint32_t msr = info->msr;
	uint64_t value = 0;
	for (uint32_t vcpu = 0; info->readable && vcpu < values->embedder->config.vcpus; vcpu++) {
		(void)gim_machine_rdmsr(values->embedder->machine, vcpu, msr, &value);
		values->sum = (values->sum ^ value ^ msr) * UINT64_C(0x100000001b3);
	}
	return 0;
}

static uint64_t all_msrs(struct embedder *embedder)
{
	struct msr_values values = {embedder, 1};
	MUST(!gim_machine_msrs(embedder->machine, 0, sum_msr, &values));
	return values.sum;
}

static void restore(struct embedder *embedder, unsigned how)
{
	struct gim_buffer file = {.bytes = NULL};
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (embedder->states++ == STATES_MAX)
		return;
	const bool kvm = !strcmp(embedder->config.provider, "kvm");
	const unsigned form = how & 4 ? MACHINES_VBOX + (kvm ? 1 : 1 + (how & 3)) : how & 1;
	const uint64_t before = all_msrs(embedder);
	MUST(!gim_machine_save(embedder->machine, &state, &error));
	state = machines_reform(state, form, embedder->config.provider, embedder->config.vcpus, &file, &error);
	MUST(state);
	gim_machine_free(&embedder->machine);
	start(embedder);
	MUST(!gim_machine_load(embedder->machine, state, NULL, NULL, &error));
	MUST(!gim_machine_load_done(embedder->machine, &error));
	MUST(form > MACHINES_VBOX || before == all_msrs(embedder));
	if (form > MACHINES_VBOX) /* no layout holds the time: it goes on as VirtualBox would have computed it */
		embedder->last_time = 0;
	check_time(embedder);
	gim_state_free(&state);
	gim_buffer_free(&file);
}

/*
 * Accesses.
 */
static uint32_t take_msr(struct input *input)
{
	static const uint32_t bases[] = {0x40000000, 0x40000080, 0x400000f0, 0x40000100, 0x4b564d00, 0x11, 0x400000b0, 0x40000110};
	const uint8_t which = take(input);
	return which == 0xff ? (uint32_t)take_number(input, 4) : bases[which & 7] + (take(input) & 0x7f);
}

static void access_msr(struct embedder *embedder, struct input *input, bool write)
{
	const uint32_t vcpu = take(input) % (embedder->config.vcpus + 1), msr = take_msr(input);
	uint64_t value = 0x5a5a;
	const enum gim_access access = write ? gim_machine_wrmsr(embedder->machine, vcpu, msr, take_value(input))
	                                     : gim_machine_rdmsr(embedder->machine, vcpu, msr, &value);
	MUST(access == GIM_ACCESS_DONE || access == GIM_ACCESS_GP || access == GIM_ACCESS_NOT_OURS);
	MUST(access == GIM_ACCESS_DONE || value == 0x5a5a);
	MUST(vcpu < embedder->config.vcpus || access == GIM_ACCESS_NOT_OURS);
}

static void hypercall(struct embedder *embedder, struct input *input)
{
	static const uint16_t codes[] = {2, 3, 8, 0xb, 0x13, 0x14, 0x15, 0x5c, 0x5d, 0x69, 0x6a, 0x6b, 0x8001, 0x8002, 0x50, 0xffff};
	const uint8_t how = take(input), what = take(input);
	const uint64_t control = codes[what & 15] | (uint64_t)(what >> 4 & 1) << 16 | (what & 0x20 ? take_number(input, 6) << 16 : 0);
	struct gim_registers registers = {.cpl = (how & 0x3f) == 1, .real_mode = (how & 0x3f) == 2, .long_mode = how & 0x40};
	if (registers.long_mode) {
		registers.rcx = control;
		registers.rdx = take_value(input);
		registers.r8 = take_value(input);
		registers.rax = what & 15; /* KVM's number */
		registers.rbx = take(input);
	} else {
		registers.rdx = control >> 32;
		registers.rax = control & UINT32_MAX;
		registers.rcx = take_value(input);
		registers.rdi = take_value(input) >> 32;
		registers.rsi = take_value(input);
	}
	for (unsigned i = 0; i < 12 && how & 0x80; i++)
		registers.xmm[i] = take_value(input);
	const enum gim_access access = gim_machine_hypercall(embedder->machine, take(input) % embedder->config.vcpus, &registers);
	MUST(access == GIM_ACCESS_DONE || access == GIM_ACCESS_UD || access == GIM_ACCESS_GP);
}

static void cpuid(struct embedder *embedder, struct input *input)
{
	uint32_t regs[4] = {1, 2, 3, 4};
	const uint32_t leaf = 0x40000000 + (take(input) & 0x9f), subleaf = take(input);
	const enum gim_access access = gim_machine_cpuid(embedder->machine, 0, leaf, subleaf, regs);
	MUST(access == GIM_ACCESS_DONE || (access == GIM_ACCESS_NOT_OURS && regs[0] == 1 && regs[3] == 4));
}

static void step(struct embedder *embedder, uint64_t ticks)
{
	if (embedder->stepped + ticks > TICKS_MAX)
		return;
	embedder->stepped += ticks;
	embedder->tsc += ticks;
	gim_machine_advance(embedder->machine);
	MUST(gim_machine_deadline(embedder->machine) > embedder->tsc);
	check_time(embedder);
}

static void access_memory(struct embedder *embedder, struct input *input)
{
	uint8_t bytes[300], again[300];
	const uint64_t gpa = take_value(input);
	const size_t size = take(input) + 1u;
	struct gim_error error = GIM_ERROR_INIT;
	for (size_t i = 0; i < size; i++)
		bytes[i] = i < 16 ? take(input) : (uint8_t)i;
	const int wrote = gim_machine_write(embedder->machine, gpa, bytes, size, &error);
	const int read = gim_machine_read(embedder->machine, gpa, again, size, NULL);
	MUST(!wrote == (size <= RAM && gpa <= RAM - size) && wrote == read && (!wrote || *error.text));
	struct gim_page page;
	bool covered = false;
	for (unsigned i = 0; gim_machine_page(embedder->machine, i, &page); i++)
		covered |= page.gpa != GIM_UNKNOWN && page.gpa < gpa + size && gpa < page.gpa + 4096;
	MUST(wrote || covered || !memcmp(bytes, again, size));
}

static void interrupts(struct embedder *embedder, struct input *input)
{
	for (uint32_t vcpu = 0; vcpu < embedder->config.vcpus; vcpu++) {
		const int vector = gim_machine_interrupt(embedder->machine, vcpu);
		MUST(vector < 256);
		if (vector >= 0 && take(input) & 1)
			gim_machine_eoi(embedder->machine, vcpu, (uint8_t)vector);
	}
}

static void device(struct embedder *embedder, struct input *input)
{
	uint8_t payload[256];
	const uint8_t what = take(input), sint = take(input) & 31;
	const uint32_t vcpu = take(input) % (embedder->config.vcpus + 1);
	memset(payload, what, sizeof(payload));
	switch (what & 7) {
	case 0:
		(void)gim_machine_post(embedder->machine, vcpu, sint, (uint32_t)take_number(input, 4), payload, take(input));
		break;
	case 1:
		(void)gim_machine_signal(embedder->machine, vcpu, sint, (uint16_t)take_number(input, 2));
		break;
	case 2:
		(void)gim_machine_raise(embedder->machine, vcpu, sint);
		break;
	case 3:
		(void)gim_machine_connect(embedder->machine, what & 8 ? GIM_CONNECTION_EVENT : GIM_CONNECTION_MESSAGE, take(input) & 3,
		                          vcpu, sint, take(input), NULL);
		break;
	case 4:
		(void)gim_machine_async_fault(embedder->machine, vcpu, (uint32_t)take_number(input, 4), what & 8);
		break;
	case 5:
		gim_machine_run(embedder->machine, vcpu, what & 8);
		break;
	case 6:
		gim_machine_debug_ready(embedder->machine);
		break;
	default:
		gim_machine_eoi(embedder->machine, vcpu, take(input));
	}
}

static int count(void *user, const char *name, uint64_t value)
{
	(void)value;
	MUST(*name);
	++*(unsigned *)user;
	return 0;
}

static int look(void *user, const struct gim_msr_info *info)
{
	MUST(*info->name && info->path);
	++*(unsigned *)user;
	return 0;
}

static void look_around(struct embedder *embedder)
{
	unsigned counted = 0;
	json_t *json = NULL;
	if (embedder->looked) /* once is enough, and takes as long as all else */
		return;
	embedder->looked = true;
	MUST(!gim_machine_counters(embedder->machine, count, &counted) && counted);
	MUST(!gim_machine_counters_json(embedder->machine, &json, NULL) && json);
	json_decref(json);
	MUST(!gim_machine_msrs(embedder->machine, 0, look, &counted));
}

/* One more access; false: the input has ended. */
static bool one(struct embedder *embedder, struct input *input)
{
	if (!input->left)
		return false;
	const uint8_t what = take(input);
	switch (what & 15) {
	case 0:
	case 1:
		access_msr(embedder, input, false);
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		access_msr(embedder, input, true);
		break;
	case 6:
	case 7:
		hypercall(embedder, input);
		break;
	case 8:
		cpuid(embedder, input);
		break;
	case 9:
		step(embedder, take_number(input, 2) << (what >> 4 & 7));
		break;
	case 10:
		access_memory(embedder, input);
		break;
	case 11:
		interrupts(embedder, input);
		break;
	case 12:
	case 13:
		device(embedder, input);
		break;
	case 14:
		if (what == 14)
			MUST(!gim_machine_reset(embedder->machine, NULL));
		else
			look_around(embedder);
		break;
	default:
		restore(embedder, what >> 4);
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct embedder embedder = {.noise = 1};
	struct input input = {bytes, size < 1024 ? size : 1024};
	configure(&embedder, &input);
	start(&embedder);
	while (one(&embedder, &input))
		continue;
	gim_machine_free(&embedder.machine);
	free(embedder.ram);
	return 0;
}
