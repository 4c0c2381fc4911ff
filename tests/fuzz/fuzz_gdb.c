/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The GDB protocol: any bytes, in any pieces, are answered within bounds; every answer is a packet with its sum; nothing is asked of the target but what it has, and only while it stands. */
#include "harness/gdb.h"

#include "fuzz.h"

enum { THREADS = 3, MEMORY_BYTES = 64 << 10, BREAKPOINTS = 8 };

struct debugged {
	struct gdb gdb;
	struct gdb_registers registers[THREADS];
	uint8_t memory[MEMORY_BYTES];
	unsigned breakpoints, went;
	bool runs;
};

static bool read_registers(void *user, unsigned thread, struct gdb_registers *registers)
{
	const struct debugged *own = user;
	MUST(thread < THREADS && !own->runs);
	*registers = own->registers[thread];
	return true;
}

static bool write_registers(void *user, unsigned thread, const struct gdb_registers *registers)
{
	struct debugged *own = user;
	MUST(thread < THREADS && !own->runs);
	own->registers[thread] = *registers;
	return registers->rip != 13;
}

static bool read_memory(void *user, unsigned thread, uint64_t address, void *bytes, size_t size)
{
	const struct debugged *own = user;
	MUST(thread < THREADS && !own->runs && size && size <= GDB_PACKET_MAX);
	if (address > MEMORY_BYTES || size > MEMORY_BYTES - address)
		return false;
	memcpy(bytes, own->memory + address, size);
	return true;
}

static bool write_memory(void *user, unsigned thread, uint64_t address, const void *bytes, size_t size)
{
	struct debugged *own = user;
	MUST(thread < THREADS && !own->runs && size && size <= GDB_PACKET_MAX);
	if (address > MEMORY_BYTES || size > MEMORY_BYTES - address)
		return false;
	memcpy(own->memory + address, bytes, size);
	return true;
}

static bool set_breakpoint(void *user, unsigned thread, uint64_t address, bool beside, bool set)
{
	struct debugged *own = user;
	(void)address, (void)beside;
	MUST(thread < THREADS && !own->runs);
	if (set && own->breakpoints == BREAKPOINTS)
		return false;
	own->breakpoints += set ? 1 : own->breakpoints ? -1u : 0;
	return true;
}

static void go(void *user, unsigned thread, bool step)
{
	struct debugged *own = user;
	(void)step;
	MUST(thread < THREADS && !own->runs);
	own->runs = true;
	own->went = thread;
}

static void interrupt(void *user)
{
	MUST(((const struct debugged *)user)->runs);
}

static void describe(void *user, unsigned thread, char *text, size_t size)
{
	(void)user;
	MUST(thread < THREADS);
	(void)snprintf(text, size, "thread %u }#$", thread);
}

static void send_bytes(void *user, const void *bytes, size_t size)
{
	const char *text = bytes;
	uint8_t sum = 0;
	char digits[3];
	(void)user;
	if (size == 1) {
		MUST(*text == '+' || *text == '-');
		return;
	}
	MUST(size >= 4 && size <= 2 * GDB_PACKET_MAX + 5 && text[0] == '$' && text[size - 3] == '#');
	for (size_t i = 1; i < size - 3; i++) {
		MUST(text[i] != '$' && text[i] != '#');
		sum = (uint8_t)(sum + (uint8_t)text[i]);
	}
	(void)snprintf(digits, sizeof(digits), "%02x", sum);
	MUST(!memcmp(text + size - 2, digits, 2));
}

/* The first byte says what the target is, each piece's first how long it is, and whether the target stops after it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct debugged own;
	if (!size)
		return 0;
	memset(&own, 0, sizeof(own));
	const struct gdb_target target = {.user = &own,
	                                  .threads = THREADS,
	                                  .long_mode = bytes[0] & 1,
	                                  .read_registers = read_registers,
	                                  .write_registers = write_registers,
	                                  .read_memory = read_memory,
	                                  .write_memory = write_memory,
	                                  .set_breakpoint = set_breakpoint,
	                                  .go = go,
	                                  .interrupt = interrupt,
	                                  .describe = describe,
	                                  .send = send_bytes};
	gdb_begin(&own.gdb, &target, 0);
	for (size_t at = 1; at < size;) {
		const size_t left = size - at - 1, piece = (bytes[at] & 0x7fu) < left ? bytes[at] & 0x7fu : left;
		const bool stops = bytes[at] & 0x80;
		const bool goes_on = gdb_take(&own.gdb, bytes + at + 1, piece);
		MUST(own.gdb.running == own.runs);
		if (!goes_on)
			return 0;
		if (own.runs && stops) {
			own.runs = false;
			gdb_stopped(&own.gdb, own.went, GDB_SIGNAL_TRAP);
		}
		at += 1 + piece;
	}
	gdb_exited(&own.gdb, bytes[0]);
	return 0;
}
