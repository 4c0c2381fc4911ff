/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conformance of the KVM interface: its clocks, asynchronous page faults, steal time, and what a guest that was shown nothing may use. */
#include "../conformance.h"

#include <stddef.h>

enum {
	KVM_WALL_CLOCK_OLD = 0x11,
	KVM_SYSTEM_TIME_OLD = 0x12,
	KVM_WALL_CLOCK = 0x4b564d00,
	KVM_SYSTEM_TIME = 0x4b564d01,
	KVM_ASYNC_PF = 0x4b564d02,
	KVM_STEAL_TIME = 0x4b564d03,
	KVM_PV_EOI = 0x4b564d04,
	KVM_POLL_CONTROL = 0x4b564d05,
	KVM_ASYNC_PF_INT = 0x4b564d06,
	KVM_ASYNC_PF_ACK = 0x4b564d07,
};
#define NS_PER_S UINT64_C(1000000000)

static uint64_t clock_gpa(uint32_t vcpu)
{
	return GUEST_CLOCK + vcpu * 64u;
}

static void clocks_on(struct guest *guest)
{
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		guest_wrmsr(guest, vcpu, KVM_SYSTEM_TIME, clock_gpa(vcpu) | 1);
}

/* The time by a vCPU's structure, in ns, as a guest reads it. */
static uint64_t clock_ns(struct guest *guest, uint32_t vcpu)
{
	const uint64_t gpa = clock_gpa(vcpu);
	const uint64_t version = guest_load(guest, gpa, 4), tsc = guest_load(guest, gpa + 8, 8), ns = guest_load(guest, gpa + 16, 8);
	const uint64_t mul = guest_load(guest, gpa + 24, 4);
	const int8_t shift = (int8_t)guest_load(guest, gpa + 28, 1);
	const uint64_t ticks = guest->tsc - tsc;
	expect(guest, version && !(version & 1), "the version is %llu", (unsigned long long)version);
	expect(guest, tsc <= guest->tsc, "the structure's TSC is ahead of the guest's");
	expect(guest, shift > -32 && shift < 32, "the shift is %d", shift);
	const uint64_t scaled = shift < 0 ? ticks >> (-shift & 31) : ticks << (shift & 31);
	return ns + mul_shift(scaled, mul, 32);
}

static void ck_wall_clock(struct guest *guest, const void *data)
{
	(void)data;
	guest_start(guest, &guest_kvm);
	guest_step_ns(guest, 3 * NS_PER_S + 7);
	clocks_on(guest);
	guest_wrmsr(guest, 0, KVM_WALL_CLOCK, GUEST_WALL_CLOCK);
	guest_step_ns(guest, 5 * NS_PER_S);
	expect_number(guest, "the wall clock's version, but for bit 0", guest_load(guest, GUEST_WALL_CLOCK, 4) & 1, 0);
	const uint64_t boot = guest_load(guest, GUEST_WALL_CLOCK + 4, 4) * NS_PER_S + guest_load(guest, GUEST_WALL_CLOCK + 8, 4);
	const uint64_t utc = GUEST_UTC_NS + 8 * NS_PER_S + 7, time = boot + clock_ns(guest, 1);
	/* A tick of the clock each is lost by rounding. */
	expect(guest, time <= utc + 10 && utc <= time + 10, "the wall clock says %llu, the host %llu ns since 1970",
	       (unsigned long long)time, (unsigned long long)utc);
}

static void ck_no_warps(struct guest *guest, const void *data)
{
	static const struct guest_kind kind = {.provider = "kvm", .vcpus = 4};
	enum { ROUNDS = 50000 };
	uint64_t last = 0, noise = 1;
	(void)data;
	guest_start(guest, &kind);
	for (unsigned i = 0; i < ROUNDS && !*guest->failure; i++) {
		const uint32_t vcpu = i % guest->vcpus;
		noise = noise * 6364136223846793005u + 1442695040888963407u;
		guest->tsc += noise >> (i % 1000 ? 58 : 30);
		if (i % 10000 < guest->vcpus) /* at another moment on each vCPU, and again */
			guest_wrmsr(guest, vcpu, KVM_SYSTEM_TIME, clock_gpa(vcpu) | 1);
		if (i < guest->vcpus)
			continue;
		const uint64_t now = clock_ns(guest, vcpu);
		expect(guest, now >= last, "vCPU %u says %llu after %llu", vcpu, (unsigned long long)now, (unsigned long long)last);
		last = now;
	}
	expect_number(guest, "the flag that clocks agree", guest_load(guest, clock_gpa(0) + 29, 1) & 1, 1);
}

static void ap_fault(struct guest *guest, const void *data)
{
	enum { TOKEN = 0x1001, VECTOR = 0xf3, FLAGS = GUEST_ASYNC_PF, READY_TOKEN = GUEST_ASYNC_PF + 4 };
	(void)data;
	guest_start(guest, &guest_kvm);
	guest_wrmsr(guest, 0, KVM_ASYNC_PF_INT, VECTOR);
	guest_wrmsr(guest, 0, KVM_ASYNC_PF, GUEST_ASYNC_PF | 1 | 2 | 8);
	if (!guest->machine)
		return;
	expect_number(guest, "the answer to a missing page", (uint64_t)gim_machine_async_fault(guest->machine, 0, TOKEN, false), 0);
	expect_number(guest, "the flags", guest_load(guest, FLAGS, 4), 1);
	guest_store(guest, FLAGS, 4, 0);
	expect_number(guest, "the answer to the page that came", (uint64_t)gim_machine_async_fault(guest->machine, 0, TOKEN, true), 0);
	expect_number(guest, "the token", guest_load(guest, READY_TOKEN, 4), TOKEN);
	guest_take_interrupts(guest);
	expect_number(guest, "the number of interrupts", guest->interrupts[0][VECTOR], 1);
	expect_number(guest, "the answer while a token waits", (uint64_t)gim_machine_async_fault(guest->machine, 0, TOKEN + 1, true), 1);
	guest_store(guest, READY_TOKEN, 4, 0);
	guest_wrmsr(guest, 0, KVM_ASYNC_PF_ACK, 1);
}

static void kc_base(struct guest *guest, const void *data)
{
	const struct guest_field *field = (const struct guest_field *)data;
	guest_start(guest, &guest_kvm);
	guest_step_ns(guest, 2 * NS_PER_S);
	clocks_on(guest);
	guest_restore(guest, field, 1);
	guest_step_ns(guest, NS_PER_S);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++) {
		const uint64_t now = clock_ns(guest, vcpu);
		expect(guest, now >= field->value + NS_PER_S - 10 && now <= field->value + NS_PER_S + 10,
		       "vCPU %u says %llu ns, one second after the clock was set to %llu", vcpu, (unsigned long long)now,
		       (unsigned long long)field->value);
	}
}

/* While the guest is saved, the host's real time moves on by so much, or is set back. */
static void kc_real_time(struct guest *guest, const void *data)
{
	static const struct guest_kind kind = {.provider = "kvm", .vcpus = 2, .settings = {{"catch_up", "true"}}};
	static const struct guest_field clock = {"kvm.clock_ns", 1000};
	guest_start(guest, &kind);
	guest_step_ns(guest, 2 * NS_PER_S);
	clocks_on(guest);
	guest->saved_for_ns = *(const int64_t *)data;
	guest_restore(guest, &clock, 1);
	const uint64_t least = clock.value + (guest->saved_for_ns > 0 ? (uint64_t)guest->saved_for_ns : 0);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++) {
		const uint64_t now = clock_ns(guest, vcpu);
		expect(guest, now >= least && now <= least + 1000, "vCPU %u says %llu ns, %llu and at most 1 us more are expected", vcpu,
		       (unsigned long long)now, (unsigned long long)least);
	}
}

static const struct guest_kind nothing = {.provider = "kvm", .vcpus = 2, .settings = {{"features.base", "0"}}};

static void pv_msrs(struct guest *guest, const void *data)
{
	static const uint32_t msrs[] = {KVM_WALL_CLOCK_OLD, KVM_SYSTEM_TIME_OLD, KVM_WALL_CLOCK,   KVM_SYSTEM_TIME,  KVM_ASYNC_PF,
	                                KVM_STEAL_TIME,     KVM_PV_EOI,          KVM_POLL_CONTROL, KVM_ASYNC_PF_INT, KVM_ASYNC_PF_ACK};
	(void)data;
	guest_start(guest, &nothing);
	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		guest_rdmsr_gp(guest, 0, msrs[i]);
		guest_wrmsr_gp(guest, 0, msrs[i], 0);
	}
}

static void pv_calls(struct guest *guest, const void *data)
{
	static const uint64_t calls[] = {5, 10, 11}; /* kick, IPI, yield */
	(void)data;
	guest_start(guest, &nothing);
	for (size_t i = 0; guest->machine && i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct gim_registers registers = {.rax = calls[i], .long_mode = true};
		const enum gim_access access = gim_machine_hypercall(guest->machine, 0, &registers);
		expect_number(guest, "the access", access, GIM_ACCESS_DONE);
		expect_number(guest, "rax", registers.rax, (uint64_t)-1000);
	}
}

static void st_steal(struct guest *guest, const void *data)
{
	static const struct guest_kind kind = {.provider = "kvm", .vcpus = 4};
	(void)data;
	guest_start(guest, &kind);
	for (uint32_t vcpu = 0; guest->machine && vcpu < guest->vcpus; vcpu++) {
		const uint64_t gpa = GUEST_STEAL + vcpu * 64u;
		for (unsigned bit = 1; bit < 6; bit++)
			guest_wrmsr_gp(guest, vcpu, KVM_STEAL_TIME, gpa | 1 | UINT64_C(1) << bit);
		guest_wrmsr(guest, vcpu, KVM_STEAL_TIME, gpa | 1);
		expect_number(guest, "KVM_STEAL_TIME", guest_rdmsr(guest, vcpu, KVM_STEAL_TIME), gpa | 1);
		gim_machine_run(guest->machine, vcpu, true);
		const uint64_t version = guest_load(guest, gpa + 8, 4), steal = guest_load(guest, gpa, 8);
		gim_machine_run(guest->machine, vcpu, false);
		guest->waited_ns[vcpu] += 12345678;
		guest_step_ns(guest, 12345678);
		gim_machine_run(guest->machine, vcpu, true);
		expect_number(guest, "bit 0 of the version", guest_load(guest, gpa + 8, 4) & 1, 0);
		expect(guest, guest_load(guest, gpa + 8, 4) > version, "the version did not grow");
		expect_number(guest, "the flags", guest_load(guest, gpa + 12, 4), 0);
		expect_number(guest, "the preempted byte", guest_load(guest, gpa + 16, 1), 0);
		expect(guest, guest_load(guest, gpa, 8) - steal >= 12345678, "%llu ns were stolen, 12345678 are expected",
		       (unsigned long long)(guest_load(guest, gpa, 8) - steal));
	}
}

static const struct guest_field base_0 = {"kvm.clock_ns", 0}, base_180 = {"kvm.clock_ns", 180 * NS_PER_S};
static const int64_t later = 180 * (int64_t)NS_PER_S, earlier = -180 * (int64_t)NS_PER_S;

const struct row kvm_rows[] = {
    ROW("KV-CK-1", "wall clock and system time are the host's time", .run = ck_wall_clock),
    ROW("KV-CK-2", "no vCPU's clock goes back behind another's", .run = ck_no_warps),
    ROW("KV-AP-1", "a page that is missing, and comes", .run = ap_fault),
    ROW("KV-KC-1", "the clock set to 0", .run = kc_base, .data = &base_0),
    ROW("KV-KC-2", "the clock set to 180 s", .run = kc_base, .data = &base_180),
    ROW("KV-KC-3", "the clock set with a real time 180 s ago", .run = kc_real_time, .data = &later),
    ROW("KV-KC-4", "the clock set with a real time 180 s ahead", .run = kc_real_time, .data = &earlier),
    ROW("KV-PV-1", "MSRs are closed to a guest that was shown none", .run = pv_msrs),
    ROW("KV-PV-2", "hypercalls are closed to a guest that was shown none", .run = pv_calls),
    ROW("KV-PV-3", "PV_UNHALT goes when halting does not exit",
        .skip = "whether HLT exits is the embedder's, and so is the word that says so"),
    ROW("KV-ST-1", "steal time", .run = st_steal),
    ROW_END,
};
