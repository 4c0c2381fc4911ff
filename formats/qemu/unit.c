/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sections as the library's units. */
#include "qemu/decode.h"
#include "qemu/schema.h"

#include <stdio.h>
#include <string.h>

bool qemu_decodable(const struct qemu_section *section)
{
	return section->type == QEMU_SECTION_FULL && (section->device || qemu_schema_find(section->name, section->version));
}

uint32_t qemu_order(const struct qemu_stream *stream, const struct qemu_section *section)
{
	uint32_t order = 0;
	for (size_t i = 0; i < stream->devices.count && stream->devices.items[i].offset < section->offset; i++)
		order += stream->devices.items[i].instance == section->instance && !strcmp(stream->devices.items[i].name, section->name);
	return order;
}

/* Pieces of a section are passes; of sections that are whole, those that cannot be told by name and instance are told by their order. */
static uint32_t pass_of(const struct qemu_stream *stream, const struct qemu_section *section)
{
	if (section->type == QEMU_SECTION_END)
		return GIM_PASS_FINAL;
	if (section->type != QEMU_SECTION_FULL)
		return section->piece;
	const uint32_t order = qemu_order(stream, section);
	return order ? order : GIM_PASS_FINAL;
}

void qemu_fill_unit(const struct qemu_stream *stream, const struct qemu_section *section, struct gim_unit *unit)
{
	*unit = (struct gim_unit){
	    .instance = section->instance,
	    .version = section->version,
	    .pass = pass_of(stream, section),
	    .offset = section->offset,
	    .stored_bytes = section->payload - section->offset + section->size_bytes + (section->footer ? 5 : 0),
	    .payload_bytes = section->size_bytes,
	    .decodable = qemu_decodable(section),
	};
	(void)snprintf(unit->name, sizeof(unit->name), "%s", section->name);
}
