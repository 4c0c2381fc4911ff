/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A thread that serves one debugger at a time on a port of this host's loopback interface. */
#ifndef GDB_SERVER_H
#define GDB_SERVER_H

#include "gdb.h"
#include "gimstate.h"

struct gdb_server;

/* What the server asks of the target beside struct gdb_target; called by its thread. */
struct gdb_server_target {
	struct gdb_target target; /* its send is the server's */
	/* A debugger has come: stand. It has gone, at its own word or not: go on, or (kill) end. */
	unsigned (*attach)(void *user);
	void (*detach)(void *user, bool kill);
	/* Woken up: does it stand again? Waits until it really does. */
	bool (*stopped)(void *user, unsigned *thread, int *signal);
};

/* Bind and listen, and begin. target stays the caller's, and must outlive the server. GIM_E_IO: the port cannot be had. */
int gdb_server_open(struct gdb_server **server, uint16_t port, struct gdb_server_target *target, struct gim_error *error);
/* The target stopped, or has ended (then the debugger is told, and the thread ends). By any thread. */
void gdb_server_wake(struct gdb_server *server);
void gdb_server_end(struct gdb_server *server);
/* Wait for the thread, and free. */
void gdb_server_close(struct gdb_server **server);

#endif
