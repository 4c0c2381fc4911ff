/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the guests share: the processor, vCPUs and IPIs, interrupts, the serial line, and reporting a row. */
#ifndef GUEST_H
#define GUEST_H

#include "layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define barrier() __asm__ volatile("" ::: "memory")

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;
	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static inline void cpuid(uint32_t leaf, uint32_t regs[4])
{
	__asm__ volatile("cpuid" : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3]) : "a"(leaf), "c"(0));
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr) : "memory");
}

static inline void enable_interrupts(void)
{
	__asm__ volatile("sti; nop" ::: "memory");
}

static inline void disable_interrupts(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* The vCPU that this is; its stack says it. */
static inline uint32_t this_vcpu(void)
{
	uintptr_t stack;
	__asm__ volatile("movq %%rsp, %0" : "=r"(stack));
	return *(volatile uint32_t *)(stack & ~(uintptr_t)(STACK_BYTES - 1));
}

/* The same with a fault: its vector, 0: none. */
int rdmsr_safe(uint32_t msr, uint64_t *value);
int wrmsr_safe(uint32_t msr, uint64_t value);

/*
 * vCPUs.
 */
extern uint32_t vcpus;
/* Run work on that vCPU, or on all of them at once, this one included; and wait until it is done. */
void on_vcpu(uint32_t vcpu, void (*work)(void));
void on_all(void (*work)(void));
/* Halt until an interrupt came; interrupts are on before and after. */
void halt(void);

/*
 * Interrupts. A handler runs with interrupts off; eoi: it is ended after it.
 */
void set_handler(uint8_t vector, void (*handler)(void), bool eoi);
void send_ipi(uint32_t vcpu, uint8_t vector);
/* This vCPU's APIC timer: that vector again and again, each count (of ns, as hypervisors have it). */
void start_timer(uint8_t vector, uint32_t count);

/* A word of the kernel's command line; and what follows the first that begins so, or NULL. */
bool has_word(const char *word);
const char *word_value(const char *prefix);
uint64_t word_number(const char *prefix, uint64_t otherwise);

/* %s, %u, %d, %x, %llx, %%. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A row is done: "ID ok", or "ID FAILED: file:line". */
#define report(id, good) report_row(id, good, __FILE__, __LINE__)
bool report_row(const char *id, bool good, const char *file, int line);
void skip(const char *id, const char *why);
/* With 1 when a row failed. */
__attribute__((noreturn)) void leave(void);

/* The test. */
void guest_main(void);

#endif
