/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SynIC's queues and connections through save, load, reset and end. */
#include "error.h"
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Saving: queues and connections become lists, in memory that lasts until the next save.
 */
struct saved {
	struct gim_list message, connection;
	uint8_t *payloads;
};

static size_t align(size_t size)
{
	return (size + 15) / 16 * 16;
}

/* The next so many bytes of memory, which may be NULL when only the size matters. */
static void *take(uint8_t *memory, size_t *used, size_t size)
{
	void *taken = memory ? memory + *used : NULL;
	*used += align(size);
	return taken;
}

static size_t lay_out(const struct hv_synic *synic, uint8_t *memory, struct saved *saved)
{
	size_t used = 0;
	const size_t messages = synic->queued * sizeof(struct hv_message);
	const size_t connections = synic->connections.count * sizeof(struct hv_connection);
	saved->message = (struct gim_list){take(memory, &used, messages), take(memory, &used, messages), synic->queued};
	saved->connection = (struct gim_list){take(memory, &used, connections), take(memory, &used, connections), synic->connections.count};
	saved->payloads = take(memory, &used, (size_t)synic->queued * HV_MESSAGE_PAYLOAD);
	if (memory) {
		memset(saved->message.presence, GIM_STORED, messages);
		memset(saved->connection.presence, GIM_STORED, connections);
	}
	return used;
}

static void save_messages(const struct gim_machine *machine, const struct saved *saved)
{
	struct hv_message *to = saved->message.items;
	uint8_t *payload = saved->payloads;
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
		for (uint32_t sint = 0; sint < HV_SINTS; sint++) {
			const struct hv_queued *last = hv_vcpu(machine, vcpu)->synic.last[sint];
			for (const struct hv_queued *each = last ? last->next : NULL; each; each = each == last ? NULL : each->next) {
				*to++ = (struct hv_message){.origin = each->origin,
				                            .payload = {(const char *)payload, each->size},
				                            .vp = vcpu,
				                            .type = each->type,
				                            .sint = (uint8_t)sint};
				memcpy(payload, each->payload, each->size);
				payload += HV_MESSAGE_PAYLOAD;
			}
		}
}

int hv_synic_save(struct gim_machine *machine, struct gim_error *error)
{
	struct hv_synic *synic = &hv_own(machine)->synic;
	struct saved saved;
	const size_t size = lay_out(synic, NULL, &saved);
	uint8_t *memory = calloc(1, size ? size : 1);
	if (!memory)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	(void)lay_out(synic, memory, &saved);
	save_messages(machine, &saved);
	if (synic->connections.count)
		memcpy(saved.connection.items, synic->connections.items, synic->connections.count * sizeof(*synic->connections.items));
	hv_state(machine)->message = saved.message;
	hv_state(machine)->connection = saved.connection;
	free(synic->saved);
	synic->saved = memory;
	return 0;
}

/*
 * Loading: all is checked, then taken over.
 */
static int check_message(const struct gim_machine *machine, const struct hv_message *message, struct gim_error *error)
{
	if (message->vp >= machine->vcpus)
		return gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "there is no vCPU %u: 0 to %u are", message->vp, machine->vcpus - 1);
	if (message->sint >= HV_SINTS)
		return gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "there is no SINT %u: 0 to %u are", message->sint, HV_SINTS - 1);
	if (!message->type)
		return gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "a message of type 0, which stands for none");
	if (message->payload.length > HV_MESSAGE_PAYLOAD)
		return gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "a message of %u bytes: at most %u are possible",
		                message->payload.length, HV_MESSAGE_PAYLOAD);
	return 0;
}

static struct hv_queued *new_queued(const struct hv_message *message, struct gim_error *error)
{
	struct hv_queued *queued = calloc(1, sizeof(*queued));
	if (!queued) {
		(void)gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
		return NULL;
	}
	queued->origin = message->origin;
	queued->type = message->type;
	queued->size = (uint8_t)message->payload.length;
	if (queued->size)
		memcpy(queued->payload, message->payload.bytes, queued->size);
	return queued;
}

/* What is loaded, until it takes the place of what there was: the queues of all SINTs of all vCPUs, and connections. */
struct loaded {
	struct hv_queued **last;
	size_t count;
	struct hv_connections connections;
};

static void forget(struct loaded *loaded)
{
	for (size_t i = 0; loaded->last && i < loaded->count; i++)
		while (loaded->last[i])
			hv_queue_drop(&loaded->last[i]);
	free(loaded->last);
	free(loaded->connections.items);
}

static int load_message(const struct gim_machine *machine, const struct hv_message *message, struct loaded *loaded, struct gim_error *error)
{
	const int result = check_message(machine, message, error);
	if (result)
		return result;
	struct hv_queued **last = &loaded->last[(size_t)message->vp * HV_SINTS + message->sint];
	if (hv_queue_length(*last) >= HV_QUEUE_MAX)
		return gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "more than %u messages wait for SINT %u of vCPU %u", HV_QUEUE_MAX,
		                message->sint, message->vp);
	struct hv_queued *queued = new_queued(message, error);
	if (!queued)
		return GIM_E_MEMORY;
	hv_queue_append(last, queued);
	return 0;
}

static int load_connection(const struct gim_machine *machine, const struct hv_connection *connection, struct loaded *loaded,
                           struct gim_error *error)
{
	const int result = hv_connection_check(machine, connection, GIM_E_CORRUPT, error);
	return result ? result : hv_connection_insert(&loaded->connections, connection, error);
}

/* The failure is that of an item of the list. */
static int of_item(int result, const char *list, uint32_t item, struct gim_error *error)
{
	char path[48];
	(void)snprintf(path, sizeof(path), "hyperv.%s[%u]", list, item);
	if (result)
		gim_error_path(error, path);
	return result;
}

static int load_lists(const struct gim_machine *machine, struct loaded *loaded, struct gim_error *error)
{
	const struct hv_state *state = hv_state(machine);
	const struct hv_message *messages = state->message.items;
	const struct hv_connection *connections = state->connection.items;
	const struct hv_connections *mine = &hv_own(machine)->synic.connections;
	int result = 0;
	loaded->count = (size_t)machine->vcpus * HV_SINTS;
	loaded->last = calloc(loaded->count, sizeof(*loaded->last));
	if (!loaded->last)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (state->message.count > HV_MESSAGES_MAX)
		return gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "%u messages wait: at most %u are possible", state->message.count,
		                HV_MESSAGES_MAX);
	for (uint32_t i = 0; !result && i < state->message.count; i++)
		result = of_item(load_message(machine, &messages[i], loaded, error), "message", i, error);
	/* The state's are added to those that the embedder has made already. */
	for (uint32_t i = 0; !result && i < mine->count; i++)
		result = hv_connection_insert(&loaded->connections, &mine->items[i], error);
	for (uint32_t i = 0; !result && i < state->connection.count; i++)
		result = of_item(load_connection(machine, &connections[i], loaded, error), "connection", i, error);
	return result;
}

static void drop_queues(struct gim_machine *machine)
{
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++) {
		struct hv_synic_vp *vp = &hv_vcpu(machine, vcpu)->synic;
		for (uint32_t sint = 0; sint < HV_SINTS; sint++)
			while (vp->last[sint])
				hv_queue_drop(&vp->last[sint]);
		vp->waiting = 0;
	}
	hv_own(machine)->synic.queued = 0;
}

int hv_synic_loaded(struct gim_machine *machine, struct gim_error *error)
{

	struct hv_synic *synic = &hv_own(machine)->synic;
	struct loaded loaded = {0};
	const int result = load_lists(machine, &loaded, error);
	if (!result) {
		drop_queues(machine);
		for (size_t i = 0; i < loaded.count; i++)
			if (loaded.last[i]) {
				hv_vcpu(machine, (uint32_t)(i / HV_SINTS))->synic.last[i % HV_SINTS] = loaded.last[i];
				loaded.last[i] = NULL;
				hv_synic_wait(machine, (uint32_t)(i / HV_SINTS), i % HV_SINTS);
			}
		synic->queued = hv_state(machine)->message.count;
		const struct hv_connections old = synic->connections;
		synic->connections = loaded.connections;
		loaded.connections = old;
		hv_stimer_loaded(machine);
	}
	forget(&loaded);
	return result;
}

/*
 * Reset and end. Connections are the embedder's devices', which go through a guest's reset.
 */
void hv_synic_reset(struct gim_machine *machine)
{
	drop_queues(machine);
	hv_stimer_reset(machine);
}

void hv_synic_term(struct gim_machine *machine)
{
	struct hv_synic *synic = &hv_own(machine)->synic;
	drop_queues(machine);
	free(synic->connections.items);
	synic->connections = (struct hv_connections){0};
	free(synic->saved);
	synic->saved = NULL;
}
