/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Damaged states that are resumed: values that no processor has, and any bytes at all. Each is refused by a sentence or runs until it is stopped; nothing else happens. */
#include "foreign.h"

#ifdef __x86_64__

/* It counts in real mode, with interrupts on, and does not care what comes. */
__asm__(CODE_BEGIN(busy_guest) "0: sti\n incl 0\n jmp 0b\n" HANDLERS CODE_END(busy_guest));
extern const uint8_t busy_guest[], busy_guest_end[];

#define FOR_NS UINT64_C(20000000)

/* Go on with what there is of it. NULL: it ran, or said in its report what ended it; else the refusal, which has words. */
static const char *attempt(struct seen *seen, const struct gim_buffer *file, struct gim_error *error)
{
	*error = (struct gim_error)GIM_ERROR_INIT;
	if (!foreign_try(seen, file, FOR_NS, 0, error)) {
		assert_true(seen->result.end == GUEST_STOPPED || *seen->why);
		return NULL;
	}
	assert_true(error->code < 0);
	assert_true(strlen(error->text) > 10);
	return error->text;
}

/*
 * Values one by one.
 */
#define CHANGE(name, ...)                                                                                                                  \
	static void name(struct guest_vcpu *vcpu, uint32_t id)                                                                             \
	{                                                                                                                                  \
		(void)id;                                                                                                                  \
		__VA_ARGS__;                                                                                                               \
	}
CHANGE(paging_without_protection, vcpu->cr0 = 0x80000000)
CHANGE(all_of_cr0, vcpu->cr0 = UINT64_MAX)
CHANGE(all_of_cr4, vcpu->cr4 = UINT64_MAX)
CHANGE(all_of_cr3, vcpu->cr0 = 0x80000031; vcpu->cr3 = UINT64_MAX)
CHANGE(all_of_efer, vcpu->msr.efer = UINT64_MAX)
CHANGE(long_mode_without_paging, vcpu->msr.efer = 0x500; vcpu->cs.attributes = 0xa09b)
CHANGE(wild_code_segment, vcpu->cs.base = UINT64_MAX; vcpu->cs.limit = 1; vcpu->cs.attributes = UINT32_MAX)
CHANGE(wild_stack_segment, vcpu->ss.base = UINT64_C(0x8000000000000000); vcpu->ss.attributes = 0)
CHANGE(wild_task, vcpu->tr.base = UINT64_C(0x7000000000000000); vcpu->tr.attributes = 0x1f)
CHANGE(wild_tables, vcpu->idtr.base = vcpu->gdtr.base = UINT64_MAX; vcpu->idtr.limit = vcpu->gdtr.limit = UINT16_MAX)
CHANGE(nowhere, vcpu->rip = UINT64_C(0x8000000000000000))
CHANGE(beyond_ram, vcpu->cs.base = RAM + 0x100000)
CHANGE(no_flags, vcpu->rflags = 0)
CHANGE(all_flags, vcpu->rflags = UINT64_MAX)
CHANGE(wild_debug, vcpu->dr7 = UINT64_MAX; vcpu->dr6 = UINT64_MAX; vcpu->dr0 = UINT64_MAX)
CHANGE(wild_fpu, memset(&vcpu->fpu, 0xff, sizeof(vcpu->fpu)))
CHANGE(wild_xcr0, vcpu->xcr0 = UINT64_MAX)
CHANGE(no_xcr0, vcpu->xcr0 = 0)
CHANGE(wild_xsave, vcpu->xsave_mask = 7; memset(&vcpu->xsave, 0xff, sizeof(vcpu->xsave)))
CHANGE(wild_msrs, memset(&vcpu->msr, 0xff, sizeof(vcpu->msr)); vcpu->msr.efer = 0)
CHANGE(wild_apic, memset(&vcpu->apic, 0xff, sizeof(vcpu->apic)))
CHANGE(all_requested, memset(vcpu->apic.irr, 0xff, sizeof(vcpu->apic.irr)); memset(vcpu->apic.isr, 0xff, sizeof(vcpu->apic.isr)))
CHANGE(fast_timer, vcpu->apic.lvt_timer = 0x20040; vcpu->apic.timer_initial_count = 1; vcpu->apic.timer_divide = 0xb;
       vcpu->apic.timer_state = 7; vcpu->apic.timer_expiry = 0)
CHANGE(timer_of_no_vector, vcpu->apic.lvt_timer = 0x20000; vcpu->apic.timer_initial_count = 1; vcpu->apic.timer_state = 8)
CHANGE(no_such_exception, vcpu->event.vector = 32; vcpu->event.type = 0)
CHANGE(wild_event, vcpu->event.vector = 255; vcpu->event.type = 99; vcpu->event.error_code = 0x12345678)
CHANGE(no_such_activity, vcpu->run.state = 0x7fffffff; vcpu->run.mwait_flags = UINT32_MAX)
CHANGE(everything_pending, memset(&vcpu->pending, 1, sizeof(vcpu->pending)))

static const struct {
	const char *name;
	change_fn *change;
	const char *refused; /* what every host says to it; NULL: that is its own affair */
} changes[] = {
#define ROW(change, refused)                                                                                                               \
	{                                                                                                                                  \
#change, change, refused                                                                                                   \
	}
    ROW(paging_without_protection, "with CR0 0x80000000"),
    ROW(all_of_cr0, "control registers"),
    ROW(all_of_cr4, "CR4 0xffffffff"),
    ROW(all_of_cr3, NULL),
    ROW(all_of_efer, "EFER 0xffffffff"),
    ROW(long_mode_without_paging, "L 1"),
    ROW(wild_code_segment, NULL),
    ROW(wild_stack_segment, NULL),
    ROW(wild_task, NULL),
    ROW(wild_tables, NULL),
    ROW(nowhere, NULL),
    ROW(beyond_ram, NULL),
    ROW(no_flags, NULL),
    ROW(all_flags, NULL),
    ROW(wild_debug, NULL),
    ROW(wild_fpu, NULL),
    ROW(wild_xcr0, NULL),
    ROW(no_xcr0, NULL),
    ROW(wild_xsave, NULL),
    ROW(wild_msrs, NULL),
    ROW(wild_apic, NULL),
    ROW(all_requested, NULL),
    ROW(fast_timer, NULL),
    ROW(timer_of_no_vector, NULL),
    ROW(no_such_exception, "being delivered"),
    ROW(wild_event, NULL),
    ROW(no_such_activity, NULL),
    ROW(everything_pending, NULL),
};

static void test_values(void **unused)
{
	(void)unused;
	NEED_KVM;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		for (uint32_t vcpus = 1; vcpus <= 2; vcpus++) {
			struct seen seen;
			struct gim_error error;
			struct gim_buffer file = {0};
			foreign_state(&file, vcpus, CODE_BYTES(busy_guest), changes[i].change);
			const char *refused = attempt(&seen, &file, &error);
			gim_buffer_free(&file);
			if (changes[i].refused && (!refused || !strstr(refused, changes[i].refused)))
				fail_msg("%s: %s", changes[i].name, refused ? refused : "it runs");
			print_message("%s, %u: %s\n", changes[i].name, vcpus, refused ? refused : *seen.why ? seen.why : "runs");
		}
}

/*
 * What the state says of the whole.
 */
static void test_claims(void **unused)
{
	static const struct foreign_claims rows[] = {
	    {.ram_bytes = 4096},
	    {.ram_bytes = RAM / 2},
	    {.ram_bytes = 2 * RAM},
	    {.ram_bytes = UINT64_C(1) << 50},
	    {.ram_bytes = ~UINT64_C(4095)},
	    {.tsc_hz = 1},
	    {.tsc_hz = UINT64_MAX},
	};
	(void)unused;
	NEED_KVM;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen seen;
		struct gim_error error;
		struct gim_buffer file = {0};
		foreign_state_claiming(&file, 2, CODE_BYTES(busy_guest), NULL, &rows[i]);
		const char *refused = attempt(&seen, &file, &error);
		gim_buffer_free(&file);
		print_message("0x%llx bytes, %llu Hz: %s\n", (unsigned long long)rows[i].ram_bytes, (unsigned long long)rows[i].tsc_hz,
		              refused     ? refused
		              : *seen.why ? seen.why
		                          : "runs");
	}
}

/* As many vCPUs as a state can have: a host has so many, or says how many it has. */
static void test_many_vcpus(void **unused)
{
	struct seen seen;
	struct gim_error error;
	struct gim_buffer file = {0};
	(void)unused;
	NEED_KVM;
	foreign_state(&file, GIM_VCPUS_MAX, CODE_BYTES(busy_guest), NULL);
	const char *refused = attempt(&seen, &file, &error);
	gim_buffer_free(&file);
	if (refused)
		assert_non_null(strstr(refused, "vCPU"));
	print_message("%s\n", refused ? refused : "runs");
}

/*
 * Any bytes.
 */
static uint64_t seed;

static uint32_t any(uint32_t limit)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(seed >> 33) % limit;
}

static void change_bytes(struct guest_vcpu *vcpu, uint32_t id)
{
	(void)id;
	/* Most of it is extended state, which takes anything. */
	for (uint32_t i = 1 + any(8); i; i--) {
		const uint32_t size = any(2) ? offsetof(struct guest_vcpu, fpu) : offsetof(struct guest_vcpu, private);
		((uint8_t *)vcpu)[any(size)] = any(2) ? (uint8_t)any(256) : UINT8_MAX;
	}
}

static void test_any_bytes(void **unused)
{
	enum { ROUNDS = 60 };
	const char *own = getenv("GIMSTATE_SEED");
	unsigned refused = 0;
	(void)unused;
	NEED_KVM;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct seen seen;
		struct gim_error error;
		struct gim_buffer file = {0};
		seed = (own ? strtoull(own, NULL, 0) : 1) + i;
		foreign_state(&file, 1 + i % 2, CODE_BYTES(busy_guest), change_bytes);
		refused += attempt(&seen, &file, &error) != NULL;
		gim_buffer_free(&file);
	}
	print_message("%u of %d refused\n", refused, ROUNDS);
	assert_true(refused < ROUNDS);
}

#endif

int main(void)
{
#ifdef __x86_64__
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_claims), cmocka_unit_test(test_many_vcpus),
	                                   cmocka_unit_test(test_any_bytes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("SKIP the guests are code of x86-64");
	return 77;
#endif
}
