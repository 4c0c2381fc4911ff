/* SPDX-License-Identifier: GPL-3.0-or-later */
/* States of small guests, written as VirtualBox writes them, and going on with them: what the tests of resumed guests share. */
#ifndef FOREIGN_H
#define FOREIGN_H

#include "guest.h"
#include "vbox/units.h"

#include "harness/guest_log.h"
#include "harness/guest_vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef __x86_64__

/*
 * The guests: real-mode code at CODE. What each vCPU keeps is at DS:0, which is at DATA + 0x100 * vCPU: a count, steps back of the clock, interrupts, the last clock, what an
 * interrupt found of the count, and the value of an XMM register.
 */
enum { CODE = 0x8000, DATA = 0x9000, RAM = 2 << 20, COUNT = 0, BACK = 4, INTERRUPTS = 8, LAST = 12, FOUND = 20, XMM = 32 };
#define CODE_BEGIN(name) ".pushsection .rodata\n.balign 16\n.globl " #name "\n" #name ":\n.code16\n"
#define CODE_END(name) ".globl " #name "_end\n" #name "_end:\n.code64\n.popsection\n"
#define HANDLERS                                                                                                                           \
	".org 0b + 0x100\n" /* any interrupt: count it, and end it by x2APIC */                                                            \
	"1: pushal\n incl 8\n cmpl $0, 20\n jne 2f\n movl 0, %eax\n incl %eax\n movl %eax, 20\n"                                           \
	"2: movl $0x80b, %ecx\n xorl %eax, %eax\n xorl %edx, %edx\n wrmsr\n popal\n iret\n"                                                \
	".org 0b + 0x200\n"

/* What a test changes of the state before it is written. */
typedef void change_fn(struct guest_vcpu *vcpu, uint32_t id);

void foreign_set_segment(struct guest_segment *segment, uint64_t base, uint32_t attributes);
/* Flat segments in protected mode, without a table of handlers. */
void foreign_protect(struct guest_vcpu *vcpu, uint32_t id);
/* How much RAM, and which TSC, its state says that it has; what its memory unit says stays. 0: as it is. */
struct foreign_claims {
	uint64_t ram_bytes, tsc_hz;
};
void foreign_state_claiming(struct gim_buffer *file, uint32_t vcpus, const uint8_t *code, size_t size, change_fn *change,
                            const struct foreign_claims *claims);
/* Write the state of a guest with that code at CODE to file. */
void foreign_state(struct gim_buffer *file, uint32_t vcpus, const uint8_t *code, size_t size, change_fn *change);

/* What came of it. */
struct seen {
	struct guest_result result;
	uint8_t data[4][0x100]; /* of each vCPU */
	uint64_t pages;
	unsigned changes, back;
	struct guest_access accesses[8];
	unsigned access_count;
	char why[256], notes[512];
	struct guest_place place;
};

/* Go on with it; gdb_port 0: without a debugger. */
int foreign_try(struct seen *seen, const struct gim_buffer *file, uint64_t for_ns, uint16_t gdb_port, struct gim_error *error);
/* The same, which must work. */
void foreign_run(struct seen *seen, const struct gim_buffer *file, uint64_t for_ns, uint16_t gdb_port);

#define CODE_BYTES(code) code, (size_t)(code##_end - (code))
#define RUN(seen, vcpus, code, change, for_ms)                                                                                             \
	do {                                                                                                                               \
		struct gim_buffer file = {0};                                                                                              \
		foreign_state(&file, vcpus, CODE_BYTES(code), change);                                                                     \
		foreign_run(seen, &file, UINT64_C(1000000) * (for_ms), 0);                                                                 \
		gim_buffer_free(&file);                                                                                                    \
	} while (0)

/* Of what a vCPU keeps. */
uint32_t foreign_word(const struct seen *seen, unsigned vcpu, size_t at);

bool foreign_has_kvm(void);
#define NEED_KVM                                                                                                                           \
	do {                                                                                                                               \
		if (!foreign_has_kvm())                                                                                                    \
			skip();                                                                                                            \
	} while (0)

#endif
#endif
