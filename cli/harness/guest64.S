/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The probe guest: 64-bit code that does one operation after the other, and tells of faults. Copied to any address; r15 is the vCPU's mailbox. */
#include "guest64.h"

#ifdef __x86_64__
	.section .rodata
	.balign 16
	.globl guest64_begin, guest64_end, guest64_stubs
guest64_begin:
	/* Waiting: interrupts are taken here, and nowhere else. */
start:
	sti
	nop
	call serve
	jmp start

	/* Operations until GUEST_LEAVE. */
serve:
	movq %rsp, MAIL_RSP(%r15)
next:
	outb %al, $GUEST_PORT_NEXT
	movq $0, MAIL_FAULT(%r15)
	movq MAIL_OPERATION(%r15), %rax
	cmpl $GUEST_RDMSR, %eax
	je do_rdmsr
	cmpl $GUEST_WRMSR, %eax
	je do_wrmsr
	cmpl $GUEST_CPUID, %eax
	je do_cpuid
	cmpl $GUEST_RDTSC, %eax
	je do_rdtsc
	cmpl $GUEST_READ, %eax
	je do_read
	cmpl $GUEST_WRITE, %eax
	je do_write
	cmpl $GUEST_HYPERCALL, %eax
	je do_hypercall
	cmpl $GUEST_LEAVE, %eax
	jne next
	ret

do_rdmsr:
	movl MAIL_NUMBER(%r15), %ecx
	rdmsr
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, MAIL_VALUE(%r15)
	jmp next

do_wrmsr:
	movl MAIL_NUMBER(%r15), %ecx
	movl MAIL_VALUE(%r15), %eax
	movl MAIL_VALUE + 4(%r15), %edx
	wrmsr
	jmp next

do_cpuid:
	movl MAIL_NUMBER(%r15), %eax
	movl MAIL_VALUE(%r15), %ecx
	cpuid
	movq %rax, MAIL_RAX(%r15)
	movq %rbx, MAIL_RBX(%r15)
	movq %rcx, MAIL_RCX(%r15)
	movq %rdx, MAIL_RDX(%r15)
	jmp next

do_rdtsc:
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, MAIL_VALUE(%r15)
	jmp next

do_read:
	movq MAIL_ADDRESS(%r15), %rsi
	leaq MAIL_BYTES(%r15), %rdi
	jmp move

do_write:
	movq MAIL_ADDRESS(%r15), %rdi
	leaq MAIL_BYTES(%r15), %rsi

	/* 1, 2, 4 and 8 bytes are one access, everything else is a string of bytes. */
move:
	movq MAIL_NUMBER(%r15), %rcx
	cmpq $8, %rcx
	je 1f
	cmpq $4, %rcx
	je 2f
	cmpq $2, %rcx
	je 3f
	rep movsb
	jmp next
1:	movq (%rsi), %rax
	movq %rax, (%rdi)
	jmp next
2:	movl (%rsi), %eax
	movl %eax, (%rdi)
	jmp next
3:	movw (%rsi), %ax
	movw %ax, (%rdi)
	jmp next

do_hypercall:
	movq MAIL_ADDRESS(%r15), %r14
	movq MAIL_RAX(%r15), %rax
	movq MAIL_RBX(%r15), %rbx
	movq MAIL_RCX(%r15), %rcx
	movq MAIL_RDX(%r15), %rdx
	movq MAIL_RSI(%r15), %rsi
	movq MAIL_RDI(%r15), %rdi
	movq MAIL_R8(%r15), %r8
	call *%r14
	movq %rax, MAIL_RAX(%r15)
	movq %rbx, MAIL_RBX(%r15)
	movq %rcx, MAIL_RCX(%r15)
	movq %rdx, MAIL_RDX(%r15)
	movq %rsi, MAIL_RSI(%r15)
	movq %rdi, MAIL_RDI(%r15)
	movq %r8, MAIL_R8(%r15)
	jmp next

	/* What came on a vector: on the stack are the vector, an error code (at `entry` none was pushed by the CPU: a 0), and the frame. The engine says in the
	 * mailbox which interrupt it is about to send; everything else is an exception. At a wait all registers but r15 and rsp are free. */
entry:
	popq %rax
	incq %rax
	cmpq %rax, MAIL_VECTOR(%r15)
	jne exception
	addq $8, %rsp
	jmp interrupt
entry_error:
	popq %rax
	incq %rax
	cmpq %rax, MAIL_VECTOR(%r15)
	je interrupt

	/* The operation is given up. Interrupts stay as the frame has them: off in a handler, on outside. */
exception:
	movq %rax, MAIL_FAULT(%r15)
	popq MAIL_ERROR(%r15)
	movq (%rsp), %rax
	movq %rax, MAIL_RIP(%r15)
	movq %cr2, %rax
	movq %rax, MAIL_CR2(%r15)
	movq 16(%rsp), %rax
	movq MAIL_RSP(%r15), %rsp
	pushq %rax
	popfq
	jmp next

	/* Serve it as told, and keep the stack pointer of the interrupted operations. */
interrupt:
	pushq MAIL_RSP(%r15)
	call serve
	popq MAIL_RSP(%r15)
	movq $0, MAIL_VECTOR(%r15)
	movq $0, MAIL_OPERATION(%r15)
	iretq

	/* One stub of 16 bytes for each vector: error code (pushed where the CPU does not), vector, and on. */
	.balign 16
guest64_stubs:
	vector = 0
	.rept 256
	.balign 16
	.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
	pushq $vector
	jmp entry_error
	.else
	pushq $0
	pushq $vector
	jmp entry
	.endif
	vector = vector + 1
	.endr
	.balign 16
guest64_end:
#endif

	.section .note.GNU-stack, "", @progbits
