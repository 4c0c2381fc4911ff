/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guest's first code: from the boot loader, or a start-up IPI, to 64-bit C, with segments, page tables, a stack for each vCPU and an interrupt table. */
#include "layout.h"

	.section .multiboot, "a"
	.long 0x1badb002, 2, -(0x1badb002 + 2) /* it wants to know the memory */

	.text
	.code32
	.globl start
start:
	cli
	movl %ebx, boot_info
	movl %eax, boot_magic
	lgdt gdt_pointer
	xorl %ebp, %ebp /* vCPU 0 */
	jmp enter

/* Copied to TRAMPOLINE: a start-up IPI begins here, in real mode. */
	.globl trampoline, trampoline_end
	.code16
trampoline:
	cli
	movw %cs, %ax
	movw %ax, %ds
	lgdtl trampoline_gdt - trampoline
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $CODE32, $started
trampoline_gdt:
	.word gdt_end - gdt - 1
	.long gdt
trampoline_end:

	.code32
started:
	movw $DATA, %ax
	movw %ax, %ds
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	movl %ebx, %ebp /* its number is its APIC's id */
enter:
	movl %cr4, %eax
	orl $0x20, %eax /* physical address extension */
	movl %eax, %cr4
	movl $tables, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax /* long mode */
	wrmsr
	movl %cr0, %eax
	orl $0x80000001, %eax
	movl %eax, %cr0
	ljmp $CODE64, $1f
	.code64
1:	movw $DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	movw %ax, %ss
	movl %ebp, %eax
	shll $STACK_SHIFT, %eax
	leaq stacks(%rax), %rcx
	movl %ebp, (%rcx) /* a stack's first word is whose it is */
	leaq STACK_BYTES(%rcx), %rsp
	lidt idt_pointer
	testl %ebp, %ebp
	jnz 1f
	call guest_start
1:	call guest_join

/* A stub for each vector, STUB_BYTES apart. */
	.globl stubs
	.balign 16
stubs:
	vector = 0
	.rept 256
	.balign STUB_BYTES
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	pushq $0
	.endif
	pushq $vector
	jmp common
	vector = vector + 1
	.endr

common:
	cld
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	movq %rsp, %rdi
	movq %rsp, %rax
	andq $-16, %rsp
	subq $16, %rsp
	movq %rax, (%rsp)
	call guest_interrupt
	movq (%rsp), %rsp
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

	.data
	.globl boot_info, boot_magic
boot_info:
	.long 0
boot_magic:
	.long 0
	.balign 8
gdt:
	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt
idt_pointer:
	.word 256 * 16 - 1
	.quad idt

/* The first four GiB, one to one. */
	.balign 4096
tables:
	.quad pointers + 3
	.skip 4088
pointers:
	.quad directories + 3, directories + 4096 + 3, directories + 8192 + 3, directories + 12288 + 3
	.skip 4064
directories:
	page = 0
	.rept 2048
	.quad page << 21 | 0x83
	page = page + 1
	.endr

	.bss
	.balign STACK_BYTES
stacks:
	.skip STACK_BYTES * VCPUS_MAX
	.section .note.GNU-stack, "", @progbits
