/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is to go wrong in a command, and what came of it: memory that a test shares with the shim (shim.c) that is preloaded into the command. */
#ifndef PLAN_H
#define PLAN_H

#include <stdatomic.h>
#include <stdint.h>

/* The calls of the C library that can fail. */
#define FAULT_CALLS(X)                                                                                                                     \
	X(open)                                                                                                                            \
	X(openat)                                                                                                                          \
	X(read)                                                                                                                            \
	X(pread)                                                                                                                           \
	X(write)                                                                                                                           \
	X(pwrite)                                                                                                                          \
	X(writev)                                                                                                                          \
	X(fsync)                                                                                                                           \
	X(ftruncate)                                                                                                                       \
	X(fchmod)                                                                                                                          \
	X(chmod)                                                                                                                           \
	X(close)                                                                                                                           \
	X(linkat)                                                                                                                          \
	X(rename)                                                                                                                          \
	X(renameat)                                                                                                                        \
	X(renameat2)                                                                                                                       \
	X(mkdir)                                                                                                                           \
	X(mkdtemp)                                                                                                                         \
	X(mkstemp)                                                                                                                         \
	X(mkostemp)                                                                                                                        \
	X(unlink)                                                                                                                          \
	X(unlinkat)                                                                                                                        \
	X(malloc)

enum fault_call {
#define X(name) CALL_##name,
	FAULT_CALLS(X)
#undef X
	    CALLS
};

#define CALL(name) (1u << CALL_##name)
#define CALLS_READING (CALL(open) | CALL(read) | CALL(pread))
#define CALLS_MEMORY CALL(malloc) /* and its kin */
#define CALLS_WRITING ((1u << CALLS) - 1 - CALL(read) - CALL(pread) - CALLS_MEMORY)

/* Beside an error's number. */
enum {
	FAULT_SHORT = -1,    /* it reads or writes one byte only */
	FAULT_SHRINK = -2,   /* the input loses bytes before it, and it is done */
	FAULT_SIGNAL = 1000, /* and a signal's number: that comes before it, and it is done */
};

/* In the environment: its number as a file. */
#define FAULT_PLAN "GIMSTATE_FAULT_PLAN"

struct fault_plan {
	uint32_t calls;        /* which count */
	uint32_t first, every; /* the first that fails, 1 and up, and each so many after it; 0: none, and no other */
	int32_t what;
	int32_t old;                   /* the filesystem knows neither files without a name nor renames that replace nothing */
	int32_t input, input_bytes;    /* FAULT_SHRINK: the file, and how long it is then */
	_Atomic uint32_t count, begun; /* of those that count; begun: the shim is there */
	uint8_t log[1 << 16];          /* enum fault_call of each */
};

#endif
