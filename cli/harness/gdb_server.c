/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets of the debugger's server: it listens on 127.0.0.1 and nowhere else, since whoever is connected has the guest in hand. */
#include "gdb_server.h"

#include "output.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct gdb_server {
	struct gdb_server_target *target;
	struct gdb gdb;
	pthread_t thread;
	bool has_thread;
	int listener, connection, wakener;
	atomic_bool ended;
};

static void send_bytes(void *user, const void *bytes, size_t size)
{
	const struct gdb_server *server = (const struct gdb_server *)user;
	const char *at = bytes;
	while (size) {
		const ssize_t sent = send(server->connection, at, size, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return; /* who reads nothing more is found gone by the next read */
		at += sent;
		size -= (size_t)sent;
	}
}

static void disconnect(struct gdb_server *server)
{
	if (server->connection < 0)
		return;
	(void)close(server->connection);
	server->connection = -1;
	server->target->detach(server->target->target.user, server->gdb.end == GDB_KILLED);
}

static void connect_debugger(struct gdb_server *server)
{
	const struct timeval patience = {.tv_sec = 5}; /* with who takes no answers */
	const int yes = 1;
	server->connection = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
	if (server->connection < 0)
		return;
	(void)setsockopt(server->connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	(void)setsockopt(server->connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	const unsigned thread = server->target->attach(server->target->target.user);
	gdb_begin(&server->gdb, &server->target->target, thread);
}

static void take_bytes(struct gdb_server *server)
{
	char bytes[4096];
	const ssize_t size = recv(server->connection, bytes, sizeof(bytes), 0);
	if (size < 0 && errno == EINTR)
		return;
	if (size <= 0 || !gdb_take(&server->gdb, bytes, (size_t)size))
		disconnect(server);
}

static void take_wake(struct gdb_server *server)
{
	uint64_t count;
	unsigned thread;
	int number;
	(void)!read(server->wakener, &count, sizeof(count));
	if (atomic_load(&server->ended)) {
		if (server->connection >= 0)
			gdb_exited(&server->gdb, 0);
	} else if (server->connection >= 0 && server->target->stopped(server->target->target.user, &thread, &number)) {
		gdb_stopped(&server->gdb, thread, number);
	}
}

static void *serve(void *user)
{
	struct gdb_server *server = (struct gdb_server *)user;
	while (!atomic_load(&server->ended)) {
		/* Who is connected is the only one who is listened to. */
		struct pollfd files[] = {{.fd = server->wakener, .events = POLLIN},
		                         {.fd = server->connection >= 0 ? server->connection : server->listener, .events = POLLIN}};
		if (poll(files, 2, -1) < 0 && errno != EINTR)
			break;
		if (files[0].revents)
			take_wake(server);
		if (files[1].revents && !atomic_load(&server->ended)) {
			if (server->connection >= 0)
				take_bytes(server);
			else
				connect_debugger(server);
		}
	}
	return NULL;
}

static int listen_on(struct gdb_server *server, uint16_t port, struct gim_error *error)
{
	const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	const int yes = 1;
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->listener < 0 || setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(server->listener, (const struct sockaddr *)&address, sizeof(address)) || listen(server->listener, 1))
		return error_set(error, GIM_E_IO, "no debugger can connect to 127.0.0.1:%u: %s", port, strerror(errno));
	return 0;
}

int gdb_server_open(struct gdb_server **server, uint16_t port, struct gdb_server_target *target, struct gim_error *error)
{
	struct gdb_server *made = calloc(1, sizeof(*made));
	if (!made)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	made->target = target;
	made->listener = made->connection = -1;
	target->target.send = send_bytes;
	target->target.send_user = made;
	made->wakener = eventfd(0, EFD_CLOEXEC);
	int result =
	    made->wakener < 0 ? error_set(error, GIM_E_IO, "no event descriptor: %s", strerror(errno)) : listen_on(made, port, error);
	if (!result) {
		const int failed = pthread_create(&made->thread, NULL, serve, made);
		made->has_thread = !failed;
		if (failed)
			result = error_set(error, GIM_E_IO, "there is no thread for the debugger: %s", strerror(failed));
	}
	if (result)
		gdb_server_close(&made);
	else
		*server = made;
	return result;
}

void gdb_server_wake(struct gdb_server *server)
{
	const uint64_t one = 1;
	(void)!write(server->wakener, &one, sizeof(one));
}

void gdb_server_end(struct gdb_server *server)
{
	atomic_store(&server->ended, true);
	gdb_server_wake(server);
}

void gdb_server_close(struct gdb_server **server)
{
	struct gdb_server *own = *server;
	if (!own)
		return;
	if (own->has_thread) {
		gdb_server_end(own);
		(void)pthread_join(own->thread, NULL);
	}
	const int files[] = {own->listener, own->connection, own->wakener};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i] >= 0)
			(void)close(files[i]);
	free(own);
	*server = NULL;
}
