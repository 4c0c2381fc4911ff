/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What providers ask of the embedder: a place for log sentences, and the debugger's transport. */
#include "machine.h"

#include <stdarg.h>
#include <stdio.h>

const char *const gim_debug_counter_names[GIM_DEBUG_COUNTERS] = {"debug.packets_sent", "debug.bytes_sent", "debug.packets_received",
                                                                 "debug.bytes_received"};

void gim_log(struct gim_machine *machine, enum gim_severity severity, const char *format, ...)
{
	if (!machine->host.log)
		return;
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	machine->host.log(machine->host.user, severity, text);
}

static int64_t counted(struct gim_machine *machine, unsigned first, int64_t done)
{
	if (done > 0) {
		machine->debug_counters[first]++;
		machine->debug_counters[first + 1] += (uint64_t)done;
	}
	return done;
}

int64_t gim_debug_send(struct gim_machine *machine, const void *bytes, size_t size)
{
	return machine->host.debug_send ? counted(machine, 0, machine->host.debug_send(machine->host.user, bytes, size)) : -1;
}

int64_t gim_debug_receive(struct gim_machine *machine, void *bytes, size_t size)
{
	int64_t done = machine->host.debug_receive ? machine->host.debug_receive(machine->host.user, bytes, size) : 0;
	return counted(machine, 2, done > (int64_t)size ? -1 : done);
}
