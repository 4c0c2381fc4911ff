/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The devices of a guest that boots, as one table of ports: a serial line, the ends of a test, a configuration, and the Hyper-V test device. */
#include "board.h"

#include <string.h>

enum { SERIAL_DATA, SERIAL_INTERRUPTS, SERIAL_FIFO, SERIAL_LINE_CONTROL, SERIAL_MODEM_CONTROL, SERIAL_LINE_STATUS, SERIAL_MODEM_STATUS };
#define SERIAL_DIVISOR 0x80         /* of line control: the first two registers are the divisor */
#define SERIAL_READY 0x60           /* of line status: all that was written is gone */
#define SERIAL_NO_INTERRUPT 1       /* of the FIFO register, when read */
#define SERIAL_MODEM_CONNECTED 0xb0 /* of modem status: somebody listens */

static void serial(struct board *board, uint16_t at, bool write, unsigned size, uint32_t *value)
{
	const bool divisor = at < sizeof(board->serial_divisor) && board->serial[SERIAL_LINE_CONTROL] & SERIAL_DIVISOR;
	uint8_t *place = divisor ? &board->serial_divisor[at] : &board->serial[at % sizeof(board->serial)];
	const bool is_data = place == &board->serial[SERIAL_DATA];
	(void)size;
	if (write && is_data)
		board->put(board->user, (char)*value);
	else if (write)
		*place = (uint8_t)*value;
	else
		*value = at == SERIAL_LINE_STATUS    ? SERIAL_READY
		         : at == SERIAL_MODEM_STATUS ? SERIAL_MODEM_CONNECTED
		         : at == SERIAL_FIFO         ? SERIAL_NO_INTERRUPT
		         : is_data                   ? 0
		                                     : *place;
}

static void end(struct board *board, uint16_t at, bool write, unsigned size, uint32_t *value)
{
	(void)at, (void)size;
	if (!write || board->ended)
		return;
	board->ended = true;
	board->end_value = *value;
}

static void fw_cfg(struct board *board, uint16_t at, bool write, unsigned size, uint32_t *value)
{
	enum { RAM_BYTES = 3, VCPUS = 5 };
	(void)size;
	if (at == 0 && write) {
		board->fw_cfg_item = (uint16_t)*value;
		board->fw_cfg_at = 0;
	} else if (at == 1 && !write) {
		const uint64_t item = board->fw_cfg_item == VCPUS ? board->vcpus : board->fw_cfg_item == RAM_BYTES ? board->ram_bytes : 0;
		*value = board->fw_cfg_at < sizeof(item) ? (uint8_t)(item >> 8 * board->fw_cfg_at++) : 0;
	}
}

/* connection << 24 | action << 16 | vcpu << 8 | sint. An event's flag is the connection's number. */
static void hyperv_test(struct board *board, uint16_t at, bool write, unsigned size, uint32_t *value)
{
	enum { RAISE = 3, CONNECT_MESSAGE, DISCONNECT_MESSAGE, CONNECT_EVENT, DISCONNECT_EVENT };
	const uint8_t sint = (uint8_t)*value, vcpu = (uint8_t)(*value >> 8), action = (uint8_t)(*value >> 16), id = (uint8_t)(*value >> 24);
	if (!write) {
		*value = 0;
		return;
	}
	if (at || size != 4)
		return;
	const enum gim_connection_kind kind =
	    action == CONNECT_MESSAGE || action == DISCONNECT_MESSAGE ? GIM_CONNECTION_MESSAGE : GIM_CONNECTION_EVENT;
	if (action == RAISE)
		(void)gim_machine_raise(board->machine, vcpu, sint);
	else if (action == CONNECT_MESSAGE || action == CONNECT_EVENT)
		(void)gim_machine_connect(board->machine, kind, id, vcpu, sint, id, NULL);
	else if (action == DISCONNECT_MESSAGE || action == DISCONNECT_EVENT)
		(void)gim_machine_connect(board->machine, kind, id, GIM_NO_VCPU, 0, 0, NULL);
}

static const struct {
	uint16_t first, count;
	void (*access)(struct board *board, uint16_t at, bool write, unsigned size, uint32_t *value);
} ports[] = {
    {0x0f4, 4, end},
    {0x3f8, 8, serial},
    {0x510, 2, fw_cfg},
    {0x3000, 4, hyperv_test},
};

void board_access(struct board *board, uint16_t port, bool write, unsigned size_bytes, uint32_t *value)
{
	if (!write)
		*value = UINT32_MAX;
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (port >= ports[i].first && port - ports[i].first < ports[i].count)
			ports[i].access(board, (uint16_t)(port - ports[i].first), write, size_bytes, value);
}
