/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Payloads of VirtualBox's unit pgm, in any version, and states around them. */
#ifndef PGM_H
#define PGM_H

#include "cursor.h"
#include "vbox/ssm_write.h"

#include <string.h>

enum { PGM_PAGE = 4096, PGM_ADDRESS = 0x80, PGM_END = 0xff };
enum { PGM_RAM_ZERO, PGM_RAM, PGM_MMIO2, PGM_MMIO2_ZERO, PGM_ROM, PGM_SHADOW, PGM_SHADOW_ZERO, PGM_PROTECTION, PGM_BALLOONED };

static inline void pgm_begin(struct gim_buffer *buffer)
{
	gim_buffer_number(buffer, 0x19200102, 4);
}

static inline void pgm_finish(struct gim_buffer *buffer)
{
	gim_buffer_number(buffer, 0x19920406, 4);
}

static inline void pgm_text(struct gim_buffer *buffer, const char *text)
{
	gim_buffer_number(buffer, strlen(text), 4);
	gim_buffer_bytes(buffer, text, strlen(text));
}

/* What begins the final pass. */
static inline void pgm_head(struct gim_buffer *buffer, uint32_t version, unsigned vcpus)
{
	pgm_begin(buffer);
	gim_buffer_number(buffer, 0, 1);
	gim_buffer_number(buffer, 0, 8);
	gim_buffer_number(buffer, 0, 4);
	if (version >= 12)
		gim_buffer_number(buffer, 0, 4);
	pgm_finish(buffer);
	for (unsigned i = 0; i < vcpus; i++) {
		pgm_begin(buffer);
		gim_buffer_number(buffer, 1, 1);
		gim_buffer_number(buffer, UINT64_MAX, 8);
		gim_buffer_number(buffer, 6, 4);
		for (unsigned word = 0; version >= 14 && word < 4; word++)
			gim_buffer_number(buffer, UINT64_MAX, 8);
		pgm_finish(buffer);
	}
	if (version >= 14)
		return;
	gim_buffer_number(buffer, 0, 4);
	pgm_text(buffer, "Hypervisor");
	gim_buffer_number(buffer, 0xa0000000, 8);
	gim_buffer_number(buffer, 0, 8);
	gim_buffer_number(buffer, UINT32_MAX, 4);
}

/* Ranges of ROMs and of devices, ended by a size of 0. */
struct pgm_range {
	const char *name;
	uint64_t gpa, size;
};

static inline void pgm_config(struct gim_buffer *buffer, uint32_t version, uint64_t ram, uint32_t hole, const struct pgm_range *roms,
                              const struct pgm_range *devices)
{
	if (version >= 11) {
		gim_buffer_number(buffer, hole, 4);
		gim_buffer_number(buffer, ram, 8);
	}
	for (unsigned i = 0; roms && roms[i].size; i++) {
		gim_buffer_number(buffer, i + 1, 1);
		pgm_text(buffer, "");
		gim_buffer_number(buffer, 0, 4);
		gim_buffer_number(buffer, 0, 1);
		pgm_text(buffer, roms[i].name);
		gim_buffer_number(buffer, roms[i].gpa, 8);
		gim_buffer_number(buffer, roms[i].size, 8);
	}
	gim_buffer_number(buffer, 0xff, 1);
	for (unsigned i = 0; devices && devices[i].size; i++) {
		gim_buffer_number(buffer, i + 1, 1);
		pgm_text(buffer, "device");
		gim_buffer_number(buffer, 0, 4);
		gim_buffer_number(buffer, i, 1);
		pgm_text(buffer, devices[i].name);
		gim_buffer_number(buffer, devices[i].size, 8);
	}
	gim_buffer_number(buffer, 0xff, 1);
}

/* A record of RAM; page NULL: without bytes. */
static inline void pgm_ram(struct gim_buffer *buffer, unsigned type, uint64_t gpa, const void *page)
{
	gim_buffer_number(buffer, type, 1);
	if (type & PGM_ADDRESS)
		gim_buffer_number(buffer, gpa, 8);
	if (page)
		gim_buffer_bytes(buffer, page, PGM_PAGE);
}

/* A record of a ROM (protection not 0) or a device. */
static inline void pgm_device(struct gim_buffer *buffer, unsigned type, uint8_t id, uint32_t index, uint8_t protection, const void *page)
{
	gim_buffer_number(buffer, type, 1);
	if (type & PGM_ADDRESS) {
		gim_buffer_number(buffer, id, 1);
		gim_buffer_number(buffer, index, 4);
	}
	if (protection)
		gim_buffer_number(buffer, protection, 1);
	if (page)
		gim_buffer_bytes(buffer, page, PGM_PAGE);
}

#endif
