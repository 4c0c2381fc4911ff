/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guest that is saved somewhere and goes on elsewhere, without a device: all vCPUs write down, again and again, what they find of the guest interface, whether its clock
 * went back, and what of their processor is not as they had set it. Who looks finds that in memory, at `carried`. */
#include "hyperv.h"
#include "kvm.h"

#define VECTOR_TIMER 0x40
#define TIMER_NS 20000000
#define HV_SIGNATURE 0x31237648u /* "Hv#1" */
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Registers of the interfaces, as far as they can be read without changing anything. */
static const uint32_t interface[] = {
    /* KVM: wall clock, system time, async page faults, steal time, PV EOI, poll control, the vector of async page faults. */
    0x4b564d00,
    0x4b564d01,
    0x4b564d02,
    0x4b564d03,
    0x4b564d04,
    0x4b564d05,
    0x4b564d06,
    /* Hyper-V: identity, hypercall page, VP index, reference TSC page, VP assist page, SynIC, its SINTs, timers, crash, re-enlightenment. */
    0x40000000,
    0x40000001,
    0x40000002,
    0x40000021,
    0x40000073,
    0x40000080,
    0x40000082,
    0x40000083, /**/
    0x40000090,
    0x40000091,
    0x40000092,
    0x40000093,
    0x40000094,
    0x40000095,
    0x40000096,
    0x40000097,
    0x40000098,
    0x40000099, /**/
    0x4000009a,
    0x4000009b,
    0x4000009c,
    0x4000009d,
    0x4000009e,
    0x4000009f, /**/
    0x400000b0,
    0x400000b1,
    0x400000b2,
    0x400000b3,
    0x400000b4,
    0x400000b5,
    0x400000b6,
    0x400000b7, /**/
    0x40000100,
    0x40000101,
    0x40000102,
    0x40000103,
    0x40000104,
    0x40000106,
    0x40000107,
    0x40000108,
};
enum { INTERFACE = ARRAY_SIZE(interface) };

/* The processor's, and what is written there; 0: it stays what it is. */
static const struct {
	uint32_t msr;
	uint64_t value;
} processor[] = {
    {0x1b, 0},                                  /* APIC base */
    {0x174, 8},                                 /* SYSENTER */
    {0x175, 0x123000},                          /**/
    {0x176, 0x456000},                          /**/
    {0x277, UINT64_C(0x0007010600070106)},      /* PAT */
    {0xc0000080, 0xd01},                        /* EFER, with system calls and execute-disable */
    {0xc0000081, UINT64_C(0x0018000800000000)}, /* STAR and its like */
    {0xc0000082, UINT64_C(0xffffffff81000000)}, /**/
    {0xc0000083, UINT64_C(0xffffffff82000000)}, /**/
    {0xc0000084, 0x47700},                      /**/
    {0xc0000100, 0x111000},                     /* bases of FS and GS */
    {0xc0000101, 0x222000},                     /**/
    {0xc0000102, UINT64_C(0xffff888000001000)}, /**/
};
enum { CR0, CR4, DR0, DR1, DR2, DR3, DR7, XMM0, XMM15 = XMM0 + 4, MSRS = XMM15 + 2, KEPT = MSRS + ARRAY_SIZE(processor) };

/* Read by tests/interop/resume_qemu. */
volatile struct {
	char magic[8];
	uint32_t vcpus, registers;
	uint64_t newest; /* what any vCPU has read of the clock */
	uint32_t numbers[64];
	struct {
		uint64_t rounds, clocks, back, ticks;
		uint64_t lost;     /* bits of what is not as it was set */
		uint64_t readable; /* bits of `values` */
		uint64_t values[64];
	} vcpu[VCPUS_MAX];
} carried __attribute__((aligned(4096)));

static struct kvm_clock clocks[VCPUS_MAX] __attribute__((aligned(64))), wall __attribute__((aligned(64)));
static uint8_t steal_times[VCPUS_MAX][64] __attribute__((aligned(64)));
static volatile uint32_t pv_eois[VCPUS_MAX];
static uint64_t kept[VCPUS_MAX][KEPT];

static void count_tick(void)
{
	carried.vcpu[this_vcpu()].ticks++;
}

#define READ(name, value) __asm__ volatile("movq %%" name ", %0" : "=r"(value))
#define WRITE(name, value) __asm__ volatile("movq %0, %%" name ::"r"((uint64_t)(value)) : "memory")

static void read_processor(uint64_t found[KEPT])
{
	READ("cr0", found[CR0]);
	READ("cr4", found[CR4]);
	READ("dr0", found[DR0]);
	READ("dr1", found[DR1]);
	READ("dr2", found[DR2]);
	READ("dr3", found[DR3]);
	READ("dr7", found[DR7]);
	__asm__ volatile("movups %%xmm0, %0" : "=m"(*(uint64_t(*)[2])(found + XMM0)));
	__asm__ volatile("movups %%xmm7, %0" : "=m"(*(uint64_t(*)[2])(found + XMM0 + 2)));
	__asm__ volatile("movups %%xmm15, %0" : "=m"(*(uint64_t(*)[2])(found + XMM15)));
	for (size_t i = 0; i < ARRAY_SIZE(processor); i++)
		if (rdmsr_safe(processor[i].msr, &found[MSRS + i]))
			found[MSRS + i] = 0;
}

/* What the processor does not take is not missed: what it then has is to stay. */
static void set_processor(void)
{
	enum { MONITOR = 2, NUMERIC = 0x20, WRITE_PROTECT = 0x10000, DEBUG = 8, GLOBAL = 0x80, FXSR = 0x200, EXCEPTIONS = 0x400 };
	const uint64_t own = UINT64_C(0x0101010101010101) * (this_vcpu() + 1), pattern[2] = {own, ~own};
	uint64_t cr0, cr4;
	READ("cr0", cr0);
	READ("cr4", cr4);
	WRITE("cr0", cr0 | MONITOR | NUMERIC | WRITE_PROTECT);
	WRITE("cr4", cr4 | DEBUG | GLOBAL | FXSR | EXCEPTIONS);
	WRITE("dr0", 0x700000 + this_vcpu());
	WRITE("dr1", 0x710000);
	WRITE("dr2", 0x720000);
	WRITE("dr3", 0x730000);
	WRITE("dr7", 0x402); /* the first, where no instruction is */
	__asm__ volatile("movups %0, %%xmm0; movups %0, %%xmm7; movups %0, %%xmm15" ::"m"(pattern));
	for (size_t i = 0; i < ARRAY_SIZE(processor); i++)
		if (processor[i].value)
			(void)wrmsr_safe(processor[i].msr, processor[i].value);
	read_processor(kept[this_vcpu()]);
}

static void set_interface(uint32_t features)
{
	enum { CLOCK_BIT = 3, STEAL_BIT = 5, EOI_BIT = 6, POLL_BIT = 12 };
	const uint32_t vcpu = this_vcpu();
	if (features >> CLOCK_BIT & 1) {
		wrmsr(0x4b564d00, (uint64_t)(uintptr_t)&wall);
		wrmsr(0x4b564d01, (uint64_t)(uintptr_t)&clocks[vcpu] | 1);
	}
	if (features >> STEAL_BIT & 1)
		wrmsr(0x4b564d03, (uint64_t)(uintptr_t)steal_times[vcpu] | 1);
	if (features >> EOI_BIT & 1)
		wrmsr(0x4b564d04, (uint64_t)(uintptr_t)&pv_eois[vcpu] | 1);
	if (features >> POLL_BIT & 1)
		wrmsr(0x4b564d05, 0);
}

/* In ns; 0: there is none. */
static uint64_t read_clock(void)
{
	uint32_t regs[4];
	uint64_t tsc;
	cpuid(0x40000001, regs);
	if (regs[0] == HV_SIGNATURE)
		return rdmsr(HV_TIME_REF_COUNT) * 100;
	return clocks[this_vcpu()].version ? kvm_clock_ns(&clocks[this_vcpu()], &tsc) : 0;
}

/* What any vCPU has read is never less later, on any. */
static void look_at_clock(uint32_t vcpu)
{
	const uint64_t before = carried.newest, now = read_clock();
	uint64_t last = carried.newest;
	if (!now)
		return;
	carried.vcpu[vcpu].clocks++;
	carried.vcpu[vcpu].back += now < before;
	while (now > last && !__atomic_compare_exchange_n(&carried.newest, &last, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static void look_at_processor(uint32_t vcpu)
{
	uint64_t found[KEPT];
	read_processor(found);
	for (unsigned i = 0; i < KEPT; i++)
		if (found[i] != kept[vcpu][i])
			carried.vcpu[vcpu].lost |= UINT64_C(1) << i;
}

static void look_at_interface(uint32_t vcpu)
{
	for (unsigned i = 0; i < INTERFACE; i++) {
		uint64_t value;
		if (rdmsr_safe(interface[i], &value)) {
			carried.vcpu[vcpu].readable &= ~(UINT64_C(1) << i);
		} else {
			carried.vcpu[vcpu].values[i] = value;
			carried.vcpu[vcpu].readable |= UINT64_C(1) << i;
		}
	}
}

static void look(void)
{
	const uint32_t vcpu = this_vcpu();
	set_interface(kvm_features());
	set_processor();
	start_timer(VECTOR_TIMER, TIMER_NS);
	for (;;) {
		look_at_clock(vcpu);
		look_at_processor(vcpu);
		look_at_interface(vcpu);
		carried.vcpu[vcpu].rounds++;
		if (!vcpu && carried.vcpu[0].rounds == 1)
			print("ready\n");
	}
}

void guest_main(void)
{
	static const char magic[8] = {'c', 'a', 'r', 'r', 'i', 'e', 'd', '\0'};
	for (unsigned i = 0; i < sizeof(magic); i++)
		carried.magic[i] = magic[i];
	carried.vcpus = vcpus;
	carried.registers = INTERFACE;
	for (unsigned i = 0; i < INTERFACE; i++)
		carried.numbers[i] = interface[i];
	set_handler(VECTOR_TIMER, count_tick, true);
	on_all(look);
}
