/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Going on with small guests of our own that another hypervisor saved: they read the interface's registers themselves, take timers and what was being delivered, and do what no
 * host can run. */
#include "foreign.h"

#ifdef __x86_64__

/* It reads Hyper-V's reference counter again and again. */
__asm__(CODE_BEGIN(clock_guest) "0: movups %xmm1, 32\n"
                                "3: movl $0x40000020, %ecx\n rdmsr\n cmpl 16, %edx\n jb 4f\n ja 5f\n cmpl 12, %eax\n jae 5f\n"
                                "4: incl 4\n"
                                "5: movl %eax, 12\n movl %edx, 16\n incl 0\n jmp 3b\n" HANDLERS CODE_END(clock_guest));
/* It waits for interrupts, and counts how often it woke. */
__asm__(CODE_BEGIN(waiting_guest) "0: incl 0\n sti\n hlt\n jmp 0b\n" HANDLERS CODE_END(waiting_guest));
/* In protected mode it looks for devices, then raises an exception without a table of handlers. */
__asm__(CODE_BEGIN(lost_guest) ".code32\n0: inb $0x61, %al\n movb %al, 0\n outw %ax, $0x70\n ud2\n" CODE_END(lost_guest));
extern const uint8_t clock_guest[], clock_guest_end[], waiting_guest[], waiting_guest_end[], lost_guest[], lost_guest_end[];

/* 1 and 2 vCPUs read the clock themselves: it goes on from what was saved, 5 s, and never back. */
static void test_clock(void **unused)
{
	(void)unused;
	NEED_KVM;
	for (uint32_t vcpus = 1; vcpus <= 2; vcpus++) {
		struct seen seen;
		RUN(&seen, vcpus, clock_guest, NULL, 150);
		assert_int_equal(seen.result.end, GUEST_STOPPED);
		for (uint32_t i = 0; i < vcpus; i++) {
			uint64_t last, xmm;
			memcpy(&last, seen.data[i] + LAST, sizeof(last));
			memcpy(&xmm, seen.data[i] + XMM, sizeof(xmm));
			if (seen.access_count)
				fail_msg("MSR 0x%llx at 0x%llx", (unsigned long long)seen.accesses[0].address,
				         (unsigned long long)seen.accesses[0].rip);
			assert_true(foreign_word(&seen, i, COUNT) > 10);
			assert_int_equal(foreign_word(&seen, i, BACK), 0);
			assert_int_equal(xmm, UINT64_C(0x1122334455667788));
			if (last < 50000000 || last > 50000000 + 600000000)
				fail_msg("the clock was %llu at last", (unsigned long long)last);
		}
		assert_int_equal(seen.back, 0);
		assert_int_equal(seen.pages, 1);
		assert_string_equal(seen.place.mode, "real");
	}
}

/* A timer that was armed, periodic, with 20 ms left of each 20 ms. */
static void arm_timer(struct guest_vcpu *vcpu, uint32_t id)
{
	(void)id;
	vcpu->run.state = 6;
	vcpu->rflags = 0x202;
	vcpu->apic.lvt_timer = 0x20040;
	vcpu->apic.timer_divide = 0xb;
	vcpu->apic.timer_initial_count = 20000000;
	vcpu->apic.timer_state = 7;
	vcpu->apic.timer_start = 4990000000;
	vcpu->apic.timer_expiry = 5010000000;
}

static void test_timer(void **unused)
{
	struct seen seen;
	(void)unused;
	NEED_KVM;
	RUN(&seen, 2, waiting_guest, arm_timer, 300);
	assert_int_equal(seen.result.end, GUEST_STOPPED);
	for (unsigned i = 0; i < 2; i++)
		if (foreign_word(&seen, i, INTERRUPTS) < 3 || foreign_word(&seen, i, INTERRUPTS) > 40)
			fail_msg("vCPU %u: %u interrupts", i, foreign_word(&seen, i, INTERRUPTS));
}

/* What was being delivered comes before the first instruction: a counter of 0 is found. */
static void deliver(struct guest_vcpu *vcpu, uint32_t id)
{
	(void)id;
	vcpu->event.vector = 0x41;
	vcpu->event.type = 1;
	vcpu->apic.isr[2] = 2;
}

/* An interrupt that waits in the APIC comes at once where interrupts are enabled. */
static void request(struct guest_vcpu *vcpu, uint32_t id)
{
	(void)id;
	vcpu->run.state = 6;
	vcpu->rflags = 0x202;
	vcpu->apic.irr[2] = 4;
	vcpu->pending.apic = 1;
}

static void test_events(void **unused)
{
	struct seen seen;
	(void)unused;
	NEED_KVM;
	RUN(&seen, 1, clock_guest, deliver, 60);
	assert_int_equal(foreign_word(&seen, 0, INTERRUPTS), 1);
	assert_int_equal(foreign_word(&seen, 0, FOUND), 1);
	RUN(&seen, 1, waiting_guest, request, 2000);
	assert_int_equal(seen.result.end, GUEST_IDLE);
	assert_int_equal(foreign_word(&seen, 0, INTERRUPTS), 1);
	assert_non_null(strstr(seen.why, "halts"));
}

static void test_lost(void **unused)
{
	struct seen seen;
	(void)unused;
	NEED_KVM;
	RUN(&seen, 1, lost_guest, foreign_protect, 2000);
	if (seen.result.end != GUEST_SHUT_DOWN)
		fail_msg("it ended by %d: %s", seen.result.end, seen.why);
	assert_non_null(strstr(seen.why, "triple fault"));
	assert_int_equal(foreign_word(&seen, 0, COUNT), 0xff);
	assert_int_equal(seen.access_count, 2);
	assert_int_equal(seen.accesses[0].address, 0x61);
	assert_false(seen.accesses[0].write);
	assert_int_equal(seen.accesses[1].address, 0x70);
	assert_int_equal(seen.accesses[1].size_bytes, 2);
	assert_true(seen.accesses[1].write);
	assert_int_equal(seen.accesses[1].count, 1);
	assert_string_equal(seen.place.mode, "protected");
}

/* Waits for a start-up IPI that nobody sends, and what is missing is said. */
static void wait_for_ipi(struct guest_vcpu *vcpu, uint32_t id)
{
	vcpu->run.state = id ? 7 : 6;
	vcpu->pending.pic = !id;
}

static void test_waiting(void **unused)
{
	struct seen seen;
	(void)unused;
	NEED_KVM;
	RUN(&seen, 2, waiting_guest, wait_for_ipi, 2000);
	assert_int_equal(seen.result.end, GUEST_IDLE);
	assert_non_null(strstr(seen.notes, "vCPU 0: an interrupt of the PIC waits"));
	assert_int_equal(seen.pages, 0);
}

#endif

int main(void)
{
#ifdef __x86_64__
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clock), cmocka_unit_test(test_timer),   cmocka_unit_test(test_events),
	    cmocka_unit_test(test_lost),  cmocka_unit_test(test_waiting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("SKIP the guests are code of x86-64");
	return 77;
#endif
}
