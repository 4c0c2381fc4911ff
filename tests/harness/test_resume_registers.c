/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Registers of a resumed guest, as the guest itself finds them: x87, SSE and AVX, control, debug and model-specific registers, and what the local APIC holds. */
#include "foreign.h"

#ifdef __x86_64__

/* Where, beside COUNT and INTERRUPTS, it keeps what it found. */
enum { CONTROL_WORD = 4, MXCSR = 24, XCR0 = 28, ST0 = 48, YMM = 64, WORDS = 128 };

/* As a program in long mode, which every host runs natively. Its first two words are page tables of all four levels: the page of the code at 0, and of the data at 0x1000. */
__asm__(CODE_BEGIN(user_guest) ".code64\n"
                               ".quad 0x8067, 0x9067\n"
                               "movl $0x1000, %ebx\n"
                               "fnstcw 4(%rbx)\n stmxcsr 24(%rbx)\n fstpt 48(%rbx)\n xorl %ecx, %ecx\n xgetbv\n movl %eax, 28(%rbx)\n"
                               "vmovups %ymm3, 64(%rbx)\n"
                               "1: incl (%rbx)\n jmp 1b\n" CODE_END(user_guest));
/* As a kernel in protected mode: control and debug registers, MSRs by a list of their numbers at 0x200 of the code. */
__asm__(
    CODE_BEGIN(kernel_guest) ".code32\n"
			     "0: movl $128, %edi\n movl %cr0, %eax\n movl %eax, (%edi)\n movl %cr2, %eax\n movl %eax, 4(%edi)\n"
			     "movl %cr4, %eax\n movl %eax, 8(%edi)\n movl %dr0, %eax\n movl %eax, 12(%edi)\n movl %dr3, %eax\n"
			     "movl %eax, 16(%edi)\n movl %dr6, %eax\n movl %eax, 20(%edi)\n movl %dr7, %eax\n movl %eax, 24(%edi)\n"
			     "addl $28, %edi\n movl $0x8200, %esi\n"
			     "1: movl %cs:(%esi), %ecx\n testl %ecx, %ecx\n jz 2f\n rdmsr\n movl %eax, (%edi)\n movl %edx, 4(%edi)\n"
			     "addl $8, %edi\n addl $4, %esi\n jmp 1b\n"
			     "2: incl 0\n jmp 2b\n"
			     ".org 0b + 0x200\n .long 0x277, 0xc0000081, 0xc0000082, 0x174, 0x175, 0x80b - 9, 0\n" CODE_END(kernel_guest));
extern const uint8_t user_guest[], user_guest_end[], kernel_guest[], kernel_guest_end[];

static uint64_t quad(const struct seen *seen, size_t at)
{
	uint64_t value;
	memcpy(&value, seen->data[0] + at, sizeof(value));
	return value;
}

static void make_user(struct guest_vcpu *vcpu, uint32_t id)
{
	struct guest_segment *const segments[] = {&vcpu->ds, &vcpu->es, &vcpu->fs, &vcpu->gs, &vcpu->ss, &vcpu->cs};
	(void)id;
	for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
		foreign_set_segment(segments[i], 0, segments[i] == &vcpu->cs ? 0xa0fb : 0xc0f3);
		segments[i]->limit = UINT32_MAX;
		segments[i]->selector = segments[i]->valid_selector = segments[i] == &vcpu->cs ? 0x33 : 0x2b;
	}
	vcpu->rip = 16;
	vcpu->cr0 = 0x80000033;
	vcpu->cr3 = CODE;
	vcpu->cr4 = 0x40220; /* PAE, FXSR, XSAVE */
	vcpu->msr.efer = 0xd00;
	vcpu->idtr.limit = 0;
	vcpu->xcr0 = 7;
	vcpu->xsave_mask = 7;
	vcpu->xsave.components = 7;
	vcpu->fpu.fcw = 0x27f;
	vcpu->fpu.mxcsr = 0x9f80;
	vcpu->fpu.fsw = 7 << 11;
	vcpu->fpu.ftw = 0x80; /* the register at the top, and no other */
	vcpu->fpu.st[0] = UINT64_C(0xc90fdaa22168c235);
	vcpu->fpu.st[1] = 0x4000;
	for (unsigned i = 0; i < 32; i++) {
		vcpu->fpu.xmm[i] = 0x1000 + i;
		vcpu->xsave.ymm_high[i] = 0x2000 + i;
	}
}

static void test_vector_registers(void **unused)
{
	struct seen seen;
	(void)unused;
	NEED_KVM;
	if (!__builtin_cpu_supports("avx"))
		skip();
	RUN(&seen, 1, user_guest, make_user, 100);
	if (seen.result.end != GUEST_STOPPED)
		fail_msg("%d %s %s", seen.result.end, seen.why, seen.notes);
	if (!(seen.data[0][XCR0] & 4)) /* this host's KVM has no AVX for guests, which is said */
		skip();
	assert_true(foreign_word(&seen, 0, COUNT) > 0);
	assert_int_equal(foreign_word(&seen, 0, CONTROL_WORD) & 0xffff, 0x27f);
	assert_int_equal(foreign_word(&seen, 0, MXCSR), 0x9f80);
	assert_int_equal(foreign_word(&seen, 0, XCR0) & 7, 7); /* a KVM in software shows a program the host's, which has more */
	assert_int_equal(quad(&seen, ST0), UINT64_C(0xc90fdaa22168c235));
	assert_int_equal(quad(&seen, ST0 + 8) & 0xffff, 0x4000);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(quad(&seen, YMM + 8 * i), 0x1006 + i);
		assert_int_equal(quad(&seen, YMM + 16 + 8 * i), 0x2006 + i);
	}
}

static void set_system(struct guest_vcpu *vcpu, uint32_t id)
{
	foreign_protect(vcpu, id);
	vcpu->cr0 |= 0x22;
	vcpu->cr2 = 0xcafe0000;
	vcpu->cr4 = 0x688; /* DE, PGE, FXSR, EXCEPTIONS */
	vcpu->dr0 = 0x700000;
	vcpu->dr3 = 0x730000;
	vcpu->dr6 = 0xffff0ff1;
	vcpu->dr7 = 0x402;
	vcpu->msr.pat = UINT64_C(0x0001040600070106);
	vcpu->msr.star = UINT64_C(0x0018000800001234);
	vcpu->msr.lstar = UINT64_C(0xffffffff81000040);
	vcpu->msr.sysenter_cs = 0x10;
	vcpu->msr.sysenter_esp = 0x123450;
	vcpu->apic.base |= 0x400;
}

static void test_system_registers(void **unused)
{
	static const uint32_t words[] = {0x33, 0xcafe0000, 0x688, 0x700000, 0x730000, 0xffff0ff1, 0x402};
	static const uint64_t msrs[] = {
	    UINT64_C(0x0001040600070106), UINT64_C(0x0018000800001234), UINT64_C(0xffffffff81000040), 0x10, 0x123450, 0};
	struct seen seen;
	(void)unused;
	NEED_KVM;
	RUN(&seen, 1, kernel_guest, set_system, 100);
	if (seen.result.end != GUEST_STOPPED)
		fail_msg("%d %s %s", seen.result.end, seen.why, seen.notes);
	assert_true(foreign_word(&seen, 0, COUNT) > 0);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (foreign_word(&seen, 0, WORDS + 4 * i) != words[i])
			fail_msg("register %zu is 0x%x, and was saved as 0x%x", i, foreign_word(&seen, 0, WORDS + 4 * i), words[i]);
	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		if (quad(&seen, WORDS + sizeof(words) + 8 * i) != msrs[i])
			fail_msg("MSR %zu is 0x%llx, and was saved as 0x%llx", i,
			         (unsigned long long)quad(&seen, WORDS + sizeof(words) + 8 * i), (unsigned long long)msrs[i]);
}

#endif

int main(void)
{
#ifdef __x86_64__
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_vector_registers), cmocka_unit_test(test_system_registers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("SKIP the guests are code of x86-64");
	return 77;
#endif
}
