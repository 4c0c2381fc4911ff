/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The devices of a guest that boots: what public test guests look for on a PC's ports, and no more. */
#ifndef BOARD_H
#define BOARD_H

#include "gimstate.h"

struct board {
	struct gim_machine *machine;
	uint32_t vcpus;
	uint64_t ram_bytes;
	void (*put)(void *user, char c); /* what the guest writes to its serial line */
	void *user;
	/* What is saved. */
	uint16_t fw_cfg_item, fw_cfg_at;
	uint8_t serial[8];         /* registers that keep what is written */
	uint8_t serial_divisor[2]; /* behind the line control's bit 7 */
	/* The guest has ended, with this value. */
	bool ended;
	uint32_t end_value;
};

/* An access of 1, 2 or 4 bytes. Ports where nothing is read as ones. */
void board_access(struct board *board, uint16_t port, bool write, unsigned size_bytes, uint32_t *value);

#endif
