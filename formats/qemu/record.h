/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a migration stream says of its machine and devices beside the guest and its interface. The record "qemu". */
#ifndef GIM_QEMU_RECORD_H
#define GIM_QEMU_RECORD_H

#include "field.h"

struct qemu_ram_entry {
	struct gim_text name;
	uint64_t used_bytes;
};

/* A number or a byte string of a device. */
struct qemu_field_entry {
	struct gim_text path, type;
	uint64_t value;
	struct gim_text bytes;
};

struct qemu_device_entry {
	struct gim_text name;
	uint32_t instance, order, version;
	uint64_t size_bytes;
	struct gim_list field;
};

struct qemu_info {
	struct gim_text machine, accelerator, run_state, capabilities, uuid, enlightenments, configured;
	uint8_t described;
	struct gim_list ram_block, device;
};

extern const struct gim_record qemu_ram_entry_record, qemu_field_entry_record, qemu_device_entry_record, qemu_info_record;
extern const struct gim_layout qemu_layout_guest;

#endif
