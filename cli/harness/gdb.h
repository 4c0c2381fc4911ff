/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The GDB remote serial protocol, from the side of what is debugged: bytes in, bytes out, and what the debugger wants done. It knows nothing of guests and sockets. */
#ifndef GDB_H
#define GDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As GDB numbers them in its x86 targets. */
enum { GDB_SEGMENTS = 6, GDB_FPU_WORDS = 8, GDB_CONTROLS = 5 };
struct gdb_registers {
	bool long_mode;       /* 64-bit registers, of which there are twice as many */
	uint64_t general[16]; /* as instructions encode them: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 … */
	uint64_t rip;
	uint32_t flags;
	uint32_t segments[GDB_SEGMENTS]; /* cs, ss, ds, es, fs, gs */
	uint8_t st[8][10];
	uint32_t fpu[GDB_FPU_WORDS]; /* control, status, tag (full), code segment, instruction, data segment, data, opcode */
	uint8_t xmm[16][16];
	uint32_t mxcsr;
	uint64_t bases[2];              /* of fs, gs */
	uint64_t control[GDB_CONTROLS]; /* cr0, cr2, cr3, cr4, efer */
};

enum { GDB_SIGNAL_INTERRUPT = 2, GDB_SIGNAL_ILLEGAL = 4, GDB_SIGNAL_TRAP = 5 };

/* What is debugged. It stands whenever one of these is called, but for interrupt. Threads are numbered from 0. false: it cannot be done. */
struct gdb_target {
	void *user;
	unsigned threads;
	bool long_mode; /* which registers there are, for as long as the debugger stays */
	bool (*read_registers)(void *user, unsigned thread, struct gdb_registers *registers);
	bool (*write_registers)(void *user, unsigned thread, const struct gdb_registers *registers);
	bool (*read_memory)(void *user, unsigned thread, uint64_t address, void *bytes, size_t size);
	bool (*write_memory)(void *user, unsigned thread, uint64_t address, const void *bytes, size_t size);
	/* In code, or beside it where that must not be changed. */
	bool (*set_breakpoint)(void *user, unsigned thread, uint64_t address, bool beside, bool set);
	/* Run on, or one instruction of that thread; gdb_stopped tells that it stands again. */
	void (*go)(void *user, unsigned thread, bool step);
	void (*interrupt)(void *user);
	/* What to call a thread, at most size bytes with the end. */
	void (*describe)(void *user, unsigned thread, char *text, size_t size);
	void (*send)(void *send_user, const void *bytes, size_t size);
	void *send_user;
};

enum { GDB_PACKET_MAX = 4096 };

enum gdb_end { GDB_GOES_ON, GDB_DETACHED, GDB_KILLED };

struct gdb {
	const struct gdb_target *target;
	bool running, no_ack;
	unsigned thread; /* of the next command */
	unsigned stopped_thread;
	int signal;
	enum gdb_end end;
	/* Reading. */
	enum { GDB_BETWEEN, GDB_INSIDE, GDB_ESCAPED, GDB_SUM_HIGH, GDB_SUM_LOW } state;
	char packet[GDB_PACKET_MAX + 1];
	size_t used;
	bool too_long;
	uint8_t sum;
	int sum_high;
};

/* target stands, by that thread. */
void gdb_begin(struct gdb *gdb, const struct gdb_target *target, unsigned thread);
/* Bytes from the debugger, any number of them; false: it has left, or wants an end. */
bool gdb_take(struct gdb *gdb, const void *bytes, size_t size);
/* The target stands, which ran. */
void gdb_stopped(struct gdb *gdb, unsigned thread, int signal);
/* It has ended; nothing is served any more. */
void gdb_exited(struct gdb *gdb, uint8_t status);

#endif
