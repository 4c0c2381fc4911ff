/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections: what a guest's HvPostMessage and HvSignalEvent reach, as the embedder's devices made them. */
#include "error.h"
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

static uint64_t key_of(const struct hv_connection *connection)
{
	return (uint64_t)connection->kind << 32 | connection->id;
}

/* The place of the connection of this key; false: it would belong there. */
static bool find_place(const struct hv_connections *connections, uint64_t key, uint32_t *place)
{
	uint32_t low = 0, high = connections->count;
	while (low < high) {
		const uint32_t middle = (low + high) / 2;
		if (key_of(&connections->items[middle]) < key)
			low = middle + 1;
		else
			high = middle;
	}
	*place = low;
	return low < connections->count && key_of(&connections->items[low]) == key;
}

const struct hv_connection *hv_connection_find(const struct gim_machine *machine, enum gim_connection_kind kind, uint32_t id)
{
	const struct hv_connections *connections = &hv_own(machine)->synic.connections;
	const struct hv_connection wanted = {.kind = (uint8_t)kind, .id = id};
	uint32_t place;
	return find_place(connections, key_of(&wanted), &place) ? &connections->items[place] : NULL;
}

int hv_connection_check(const struct gim_machine *machine, const struct hv_connection *connection, int code, struct gim_error *error)
{
	if (connection->kind > GIM_CONNECTION_EVENT)
		return gim_fail(error, code, GIM_UNKNOWN, "a connection of kind %u: 0, a message's, and 1, an event's, are possible",
		                connection->kind);
	if (connection->id > HV_CONNECTION_ID_MAX)
		return gim_fail(error, code, GIM_UNKNOWN, "the connection id 0x%x has more than 24 bits", connection->id);
	if (connection->vp >= machine->vcpus)
		return gim_fail(error, code, GIM_UNKNOWN, "there is no vCPU %u: 0 to %u are", connection->vp, machine->vcpus - 1);
	if (connection->sint >= HV_SINTS)
		return gim_fail(error, code, GIM_UNKNOWN, "there is no SINT %u: 0 to %u are", connection->sint, HV_SINTS - 1);
	if (connection->flag >= HV_EVENT_FLAGS)
		return gim_fail(error, code, GIM_UNKNOWN, "there is no event flag %u: 0 to %u are", connection->flag, HV_EVENT_FLAGS - 1);
	return 0;
}

static int make_room(struct hv_connections *connections, struct gim_error *error)
{
	if (connections->count < connections->room)
		return 0;
	if (connections->count == HV_CONNECTIONS_MAX)
		return gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "there are %u connections: no more are possible", HV_CONNECTIONS_MAX);
	const uint32_t room = connections->room ? connections->room * 2 : 16;
	struct hv_connection *grown = realloc(connections->items, room * sizeof(*grown));
	if (!grown)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	connections->items = grown;
	connections->room = room;
	return 0;
}

int hv_connection_insert(struct hv_connections *connections, const struct hv_connection *connection, struct gim_error *error)
{
	uint32_t place;
	if (!find_place(connections, key_of(connection), &place)) {
		const int result = make_room(connections, error);
		if (result)
			return result;
		struct hv_connection *at = &connections->items[place];
		memmove(at + 1, at, (connections->count++ - place) * sizeof(*at));
	}
	connections->items[place] = *connection;
	return 0;
}

static int remove_connection(struct hv_connections *connections, const struct hv_connection *connection, struct gim_error *error)
{
	uint32_t place;
	if (!find_place(connections, key_of(connection), &place))
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "there is no connection 0x%x to take away", connection->id);
	struct hv_connection *at = &connections->items[place];
	memmove(at, at + 1, (--connections->count - place) * sizeof(*at));
	return 0;
}

int hv_synic_connect(struct gim_machine *machine, enum gim_connection_kind kind, uint32_t id, uint32_t vcpu, uint8_t sint, uint16_t flag,
                     struct gim_error *error)
{
	struct hv_connections *connections = &hv_own(machine)->synic.connections;
	const struct hv_connection connection = {
	    .id = id, .vp = vcpu, .flag = flag, .sint = sint, .kind = kind > GIM_CONNECTION_EVENT ? UINT8_MAX : (uint8_t)kind};
	if (vcpu == GIM_NO_VCPU)
		return remove_connection(connections, &connection, error);
	const int result = hv_connection_check(machine, &connection, GIM_E_ARGUMENT, error);
	return result ? result : hv_connection_insert(connections, &connection, error);
}
