/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures the runtime core: MSR and hypercall dispatch, expiring timers, saving and loading, each beside an empty call of the same run. */
#include "../machines.h"
#include "bench.h"

#include <malloc.h>

enum { CALLS = 2000000, VCPUS = 1024, ROUNDS = 20, PAGE_BYTES = 4096, RAM_PAGES = 4 + 2 * VCPUS };
#define TSC_HZ 2600000000u
#define MS_TICKS (TSC_HZ / 1000)

static struct gim_machine *new_machine(const char *provider, uint32_t vcpus)
{
	const struct gim_machine_config config = {
	    .provider = provider, .vcpus = vcpus, .tsc_hz = TSC_HZ, .ram_bytes = (uint64_t)RAM_PAGES * PAGE_BYTES, .keep_gating = true};
	struct gim_machine *machine = NULL;
	must(!gim_machine_new(&config, NULL, &machine, NULL) && !gim_machine_init(machine, NULL) &&
	         !gim_machine_register_device(machine, NULL) && !gim_machine_init_completed(machine, NULL),
	     "no machine");
	return machine;
}

static void write_msr(struct gim_machine *machine, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	if (gim_machine_wrmsr(machine, vcpu, msr, value) != GIM_ACCESS_DONE) {
		fprintf(stderr, "bench: MSR 0x%x does not take 0x%llx\n", msr, (unsigned long long)value);
		exit(2);
	}
}

/*
 * Calls. One kind of call, so often, with the best of some rounds.
 */
struct call {
	const char *name;
	void (*run)(struct gim_machine *machine, const struct call *call);
	uint32_t msr;
	uint64_t value;
	double limit_ns;
};

static volatile uint64_t sink;

static enum gim_access __attribute__((noinline)) nothing(struct gim_machine *machine, uint32_t vcpu, uint32_t msr, uint64_t *value)
{
	*value = msr;
	__asm__ volatile("" : : "r"(machine), "r"(vcpu));
	return GIM_ACCESS_DONE;
}

static void run_empty(struct gim_machine *machine, const struct call *call)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < CALLS; i++)
		(void)nothing(machine, i % VCPUS, call->msr, &value);
	sink = value;
}

static void run_read(struct gim_machine *machine, const struct call *call)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < CALLS; i++)
		if (gim_machine_rdmsr(machine, i % VCPUS, call->msr, &value) != GIM_ACCESS_DONE)
			must(false, "an MSR cannot be read");
	sink = value;
}

static void run_write(struct gim_machine *machine, const struct call *call)
{
	for (unsigned i = 0; i < CALLS; i++)
		if (gim_machine_wrmsr(machine, i % VCPUS, call->msr, call->value) != GIM_ACCESS_DONE)
			must(false, "an MSR cannot be written");
}

/* call->msr: the code; call->value: rdx, the input's address, or the fast input. */
static void run_hypercall(struct gim_machine *machine, const struct call *call)
{
	for (unsigned i = 0; i < CALLS / 4; i++) {
		struct gim_registers registers = {.rcx = call->msr, .rdx = call->value, .long_mode = true};
		if (gim_machine_hypercall(machine, i % VCPUS, &registers) != GIM_ACCESS_DONE || registers.rax & 0xffff)
			must(false, "a hypercall fails");
	}
}

static double best_s(struct gim_machine *machine, const struct call *call)
{
	double best = 1e9;
	for (unsigned round = 0; round < 5; round++) {
		const double start = now_s();
		call->run(machine, call);
		const double took = now_s() - start;
		best = took < best ? took : best;
	}
	return best;
}

static void measure_calls(struct gim_machine *machine, const struct call *calls, size_t count)
{
	static const struct call empty = {.name = "empty call", .run = run_empty};
	const double empty_ns = best_s(machine, &empty) / CALLS * 1e9;
	printf("machine, %-34s %6.1f ns\n", empty.name, empty_ns);
	for (size_t i = 0; i < count; i++) {
		const double ns = best_s(machine, &calls[i]) / (calls[i].run == run_hypercall ? CALLS / 4 : CALLS) * 1e9;
		printf("machine, %-34s %6.1f ns, %5.1f empty calls (limit %.0f ns)%s\n", calls[i].name, ns, ns / empty_ns,
		       calls[i].limit_ns, ns > calls[i].limit_ns ? "  TOO SLOW" : "");
	}
}

static uint64_t message_page(uint32_t vcpu)
{
	return (4 + (uint64_t)vcpu) * PAGE_BYTES;
}

static uint64_t flags_page(uint32_t vcpu)
{
	return (4 + VCPUS + (uint64_t)vcpu) * PAGE_BYTES;
}

/* A guest that uses all that there is. */
static struct gim_machine *busy_machine(void)
{
	struct gim_machine *machine = new_machine("hyperv", VCPUS);
	write_msr(machine, 0, 0x40000000, UINT64_C(0x8100000000000000));
	write_msr(machine, 0, 0x40000001, PAGE_BYTES | 1);
	write_msr(machine, 0, 0x40000021, 2 * PAGE_BYTES | 1);
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++) {
		write_msr(machine, vcpu, 0x40000083, message_page(vcpu) | 1);
		write_msr(machine, vcpu, 0x40000082, flags_page(vcpu) | 1);
		write_msr(machine, vcpu, 0x40000080, 1);
		for (uint32_t sint = 0; sint < 16; sint++)
			write_msr(machine, vcpu, 0x40000090 + sint, 0x20000 | (0xb0 + sint));
	}
	return machine;
}

static void calls(void)
{
	static const struct call list[] = {
	    {"read VP_INDEX", run_read, 0x40000002, 0, 50},
	    {"read TIME_REF_COUNT", run_read, 0x40000020, 0, 50},
	    {"read SINT5", run_read, 0x40000095, 0, 50},
	    {"read STIMER3_COUNT", run_read, 0x400000b7, 0, 50},
	    {"write GUEST_OS_ID", run_write, 0x40000000, UINT64_C(0x8100000000000000), 50},
	    {"write SINT5", run_write, 0x40000095, 0x200b5, 50},
	    {"write EOM", run_write, 0x40000084, 0, 50},
	    {"write EOI", run_write, 0x40000070, 0, 50},
	    {"write TPR", run_write, 0x40000072, 0x20, 50},
	    {"write STIMER3_COUNT", run_write, 0x400000b7, 1000, 50},
	    {"HvNotifyLongSpinWait", run_hypercall, 8 | 1 << 16, 0, 200},
	    {"HvSignalEvent, fast", run_hypercall, 0x5d | 1 << 16, 1, 200},
	    {"HvSignalEvent, from memory", run_hypercall, 0x5d, 3 * PAGE_BYTES, 200},
	    {"HvSendSyntheticClusterIpi, fast", run_hypercall, 0xb | 1 << 16, 0x40, 200},
	};
	struct gim_machine *machine = busy_machine();
	const uint64_t event = 1;
	must(!gim_machine_connect(machine, GIM_CONNECTION_EVENT, 1, 1, 5, 3, NULL), "no connection");
	must(!gim_machine_write(machine, 3 * PAGE_BYTES, &event, sizeof(event), NULL), "no memory");
	measure_calls(machine, list, sizeof(list) / sizeof(list[0]));
	gim_machine_free(&machine);
}

/*
 * Timers: all of them expire in every round, four on each vCPU, to messages that the guest takes, or directly.
 */
static void take_messages(struct gim_machine *machine)
{
	static const uint32_t none;
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++)
		for (unsigned timer = 0; timer < 4; timer++)
			must(!gim_machine_write(machine, message_page(vcpu) + (timer + 1) * 256, &none, sizeof(none), NULL), "no memory");
}

static void timers(bool direct)
{
	struct gim_machine *machine = busy_machine();
	double all = 1e9, none = 1e9;
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++)
		for (uint32_t timer = 0; timer < 4; timer++) {
			write_msr(machine, vcpu, 0x400000b1 + 2 * timer, 10000);
			write_msr(machine, vcpu, 0x400000b0 + 2 * timer, 3 | (direct ? 1u << 12 | 0xf3u << 4 : (timer + 1) << 16));
		}
	gim_machine_step(machine, MS_TICKS / 2);
	for (unsigned round = 0; round < ROUNDS; round++) {
		double start = now_s();
		gim_machine_step(machine, MS_TICKS);
		double took = now_s() - start;
		all = took < all ? took : all;
		take_messages(machine);
		start = now_s();
		gim_machine_step(machine, 1);
		took = now_s() - start;
		none = took < none ? took : none;
	}
	printf("machine, %u timers expire, %-9s        %6.3f ms (limit 1 ms), %.0f ns each; %.2f us when none is due%s\n", 4 * VCPUS,
	       direct ? "direct" : "messages", all * 1e3, all * 1e9 / (4 * VCPUS), none * 1e6, all > 1e-3 ? "  TOO SLOW" : "");
	gim_machine_free(&machine);
}

/*
 * States.
 */
static void report(const char *name, double save_s, double load_s)
{
	printf("machine, %-34s save %6.3f ms, load %6.3f ms (limit 5 ms together)%s\n", name, save_s * 1e3, load_s * 1e3,
	       save_s + load_s > 5e-3 ? "  TOO SLOW" : "");
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

static struct gim_machine *kvm_machine(void)
{
	struct gim_machine *machine = new_machine("kvm", VCPUS);
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++)
		write_msr(machine, vcpu, 0x4b564d01, message_page(vcpu) | 1);
	return machine;
}

static void states(const char *provider, const char *layout)
{
	struct gim_machine *machine = strcmp(provider, "kvm") ? busy_machine() : kvm_machine();
	double save_s = 1e9, load_s = 1e9, vbox_save_s = 1e9, vbox_load_s = 1e9;
	char name[64];
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct gim_machine *native = new_machine(provider, VCPUS), *vbox = new_machine(provider, VCPUS);
		struct gim_buffer payload = {.bytes = NULL}, file = {.bytes = NULL};
		struct gim_state *state = NULL, *from = NULL;
		double start = now_s();
		must(!gim_machine_save(machine, &state, NULL), "cannot save");
		save_s = least(save_s, now_s() - start);
		must(!gim_state_payload(state, layout, wrap_collect, &payload, NULL), "cannot write");
		vbox_save_s = least(vbox_save_s, now_s() - start);
		start = now_s();
		must(!gim_machine_load(native, state, NULL, NULL, NULL) && !gim_machine_load_done(native, NULL), "cannot load");
		load_s = least(load_s, now_s() - start);
		must(wrap_payload(VCPUS, payload.bytes, payload.size, &file), "cannot wrap");
		start = now_s();
		must(!gim_state_open_memory(file.bytes, file.size, &from, NULL), "cannot open");
		must(!gim_machine_load(vbox, from, NULL, NULL, NULL) && !gim_machine_load_done(vbox, NULL), "cannot load");
		vbox_load_s = least(vbox_load_s, now_s() - start);
		gim_state_free(&from);
		gim_state_free(&state);
		gim_buffer_free(&payload);
		gim_buffer_free(&file);
		gim_machine_free(&native);
		gim_machine_free(&vbox);
	}
	(void)snprintf(name, sizeof(name), "%u vCPUs, %s, structs", VCPUS, provider);
	report(name, save_s, load_s);
	(void)snprintf(name, sizeof(name), "%u vCPUs, %s", VCPUS, layout);
	report(name, vbox_save_s, vbox_load_s);
	gim_machine_free(&machine);
}

int main(void)
{
	/* A hypervisor that loads and saves keeps its memory: without this, half of a load is the system's, giving and zeroing 14 MB of pages each time. */
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
	calls();
	timers(false);
	timers(true);
	states("hyperv", "vbox-hyperv-4");
	states("kvm", "vbox-kvm-1");
	return 0;
}
