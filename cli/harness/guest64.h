/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The probe guest: what its code (guest64.S) and the engine that runs it have to agree about. Read by the assembler, too. */
#ifndef GUEST64_H
#define GUEST64_H

/* Ports: the guest wants its next operation; it calls the hypervisor. */
#define GUEST_PORT_NEXT 0xf1
#define GUEST_PORT_HYPERCALL 0xf0

/* What it is to do: offsets in a vCPU's mailbox, 8 bytes each. The engine fills it while the guest waits at GUEST_PORT_NEXT. */
#define MAIL_OPERATION 0
#define MAIL_NUMBER 8   /* ecx of rdmsr, wrmsr and cpuid's subleaf in MAIL_VALUE; size in bytes of a read or write */
#define MAIL_VALUE 16   /* what is written; what was read */
#define MAIL_ADDRESS 24 /* of memory; of the code that a hypercall calls */
#define MAIL_FAULT 32   /* vector of the exception + 1, 0: none */
#define MAIL_ERROR 40   /* its error code, */
#define MAIL_RIP 48     /* where it was, */
#define MAIL_CR2 56     /* and what it could not reach */
#define MAIL_RSP 64     /* the guest's own: its stack before an operation */
#define MAIL_VECTOR 72  /* of the interrupt that is sent or whose handler runs, + 1; 0: none */
#define MAIL_RAX 80     /* registers of a hypercall; of cpuid rax to rdx */
#define MAIL_RBX 88
#define MAIL_RCX 96
#define MAIL_RDX 104
#define MAIL_RSI 112
#define MAIL_RDI 120
#define MAIL_R8 128
#define MAIL_BYTES 256 /* up to 256 bytes of memory */
#define MAIL_SIZE 512

#define GUEST_NOTHING 0
#define GUEST_RDMSR 1
#define GUEST_WRMSR 2
#define GUEST_CPUID 3
#define GUEST_RDTSC 4
#define GUEST_READ 5
#define GUEST_WRITE 6
#define GUEST_HYPERCALL 7
#define GUEST_LEAVE 8 /* return from the handler */

#endif
