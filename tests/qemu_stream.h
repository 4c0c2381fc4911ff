/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Made-up migration streams: sections one after the other, with a description of them, or without. Places in the cpu section are laid out by hand, so that they
 * check the tables and do not repeat them. */
#ifndef QEMU_STREAM_H
#define QEMU_STREAM_H

#include "cursor.h"

#include <stdio.h>
#include <string.h>

struct made_stream {
	struct gim_buffer out, description;
	bool footers;
	uint32_t sections; /* so far; the next one's id */
};

static inline void made_name(struct gim_buffer *buffer, const char *name)
{
	gim_buffer_number(buffer, strlen(name), 1);
	gim_buffer_bytes(buffer, name, strlen(name));
}

/* machine NULL: as old as those that have neither configuration nor footers. */
static inline void made_begin(struct made_stream *made, const char *machine)
{
	*made = (struct made_stream){.out = {.big = true}, .footers = machine};
	gim_buffer_bytes(&made->out, "QEVM", 4);
	gim_buffer_number(&made->out, 3, 4);
	if (machine) {
		gim_buffer_number(&made->out, 7, 1);
		gim_buffer_number(&made->out, strlen(machine), 4);
		gim_buffer_bytes(&made->out, machine, strlen(machine));
	}
}

static inline void made_footer(struct made_stream *made, uint32_t id)
{
	if (!made->footers)
		return;
	gim_buffer_number(&made->out, 0x7e, 1);
	gim_buffer_number(&made->out, id, 4);
}

static inline void made_head(struct made_stream *made, uint8_t type, uint32_t id, const char *name, uint32_t instance, uint32_t version)
{
	gim_buffer_number(&made->out, type, 1);
	gim_buffer_number(&made->out, id, 4);
	made_name(&made->out, name);
	gim_buffer_number(&made->out, instance, 4);
	gim_buffer_number(&made->out, version, 4);
}

/* A device: its payload, and in JSON what stands behind its version in the description. */
static inline void made_section(struct made_stream *made, const char *name, uint32_t instance, uint32_t version,
                                const struct gim_buffer *payload, const char *description)
{
	const uint32_t id = ++made->sections + 2;
	char head[320];
	made_head(made, 4, id, name, instance, version);
	gim_buffer_bytes(&made->out, payload->bytes, payload->size);
	made_footer(made, id);
	(void)snprintf(head, sizeof(head), "%s{\"name\": \"%s\", \"instance_id\": %u, \"vmsd_name\": \"%s\", \"version\": %u, ",
	               made->description.size ? ", " : "", name, instance, name, version);
	gim_buffer_bytes(&made->description, head, strlen(head));
	gim_buffer_bytes(&made->description, description, strlen(description));
	gim_buffer_bytes(&made->description, "}", 1);
}

/* A device of so many bytes that nothing else is said of. */
static inline void made_device(struct made_stream *made, const char *name, uint32_t instance, uint32_t version, const void *bytes,
                               size_t size)
{
	char description[96];
	struct gim_buffer payload = {.big = true};
	gim_buffer_bytes(&payload, bytes, size);
	(void)snprintf(description, sizeof(description), "\"fields\": [{\"name\": \"data\", \"type\": \"buffer\", \"size\": %zu}]", size);
	made_section(made, name, instance, version, &payload, description);
	gim_buffer_free(&payload);
}

static inline void made_end(struct made_stream *made, bool describe)
{
	static const char before[] = "{\"page_size\": 4096, \"devices\": [", after[] = "]}";
	gim_buffer_number(&made->out, 0, 1);
	if (describe) {
		gim_buffer_number(&made->out, 6, 1);
		gim_buffer_number(&made->out, sizeof(before) - 1 + made->description.size + sizeof(after) - 1, 4);
		gim_buffer_bytes(&made->out, before, sizeof(before) - 1);
		gim_buffer_bytes(&made->out, made->description.bytes, made->description.size);
		gim_buffer_bytes(&made->out, after, sizeof(after) - 1);
	}
	gim_buffer_free(&made->description);
}

/*
 * RAM.
 */
enum { MADE_RAM_ID = 2, MADE_PAGE = 4096, MADE_RAM_PAGES = 8 };

static inline void made_word(struct made_stream *made, uint64_t address, uint64_t flags)
{
	gim_buffer_number(&made->out, address | flags, 8);
}

/* The list of blocks: pc.ram of 8 pages, and a ROM of one. */
static inline void made_ram_start(struct made_stream *made)
{
	made_head(made, 1, MADE_RAM_ID, "ram", 0, 4);
	made_word(made, (MADE_RAM_PAGES + 1) * MADE_PAGE, 4);
	made_name(&made->out, "pc.ram");
	gim_buffer_number(&made->out, MADE_RAM_PAGES * MADE_PAGE, 8);
	made_name(&made->out, "pc.bios");
	gim_buffer_number(&made->out, MADE_PAGE, 8);
	made_word(made, 0, 0x10);
	made_footer(made, MADE_RAM_ID);
}

static inline void made_ram_piece(struct made_stream *made, uint8_t type)
{
	gim_buffer_number(&made->out, type, 1);
	gim_buffer_number(&made->out, MADE_RAM_ID, 4);
}

static inline void made_ram_piece_end(struct made_stream *made)
{
	made_word(made, 0, 0x10);
	made_footer(made, MADE_RAM_ID);
}

/* One page of each encoding: raw, zero, xbzrle, zlib; the last in another block. All of them can be unpacked: xbzrle changes bytes 3 to 5 of a page that was zero,
 * and the packed page is all 0x5a. */
static inline void made_ram_pages(struct made_stream *made)
{
	static const uint8_t changes[] = {3, 3, 0xab, 0xcd, 0xef};
	static const uint8_t packed[] = {0x78, 0xda, 0xed, 0xc1, 0x01, 0x0d, 0x00, 0x00, 0x00, 0xc2, 0xa0, 0x9e, 0xef, 0x1f, 0xc4,
	                                 0x1e, 0x0e, 0x28, 0x00, 0x00, 0x00, 0xe0, 0xdd, 0x00, 0x83, 0x4b, 0xa0, 0x4c, 0x28};
	uint8_t page[MADE_PAGE];
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)(i * 7);
	made_word(made, 0, 0x08);
	made_name(&made->out, "pc.ram");
	gim_buffer_bytes(&made->out, page, sizeof(page));
	made_word(made, MADE_PAGE, 0x02 | 0x20);
	gim_buffer_number(&made->out, 0, 1);
	made_word(made, 2 * MADE_PAGE, 0x40 | 0x20);
	gim_buffer_number(&made->out, 1, 1);
	gim_buffer_number(&made->out, sizeof(changes), 2);
	gim_buffer_bytes(&made->out, changes, sizeof(changes));
	made_word(made, 0, 0x200);
	made_word(made, 0, 0x100);
	made_name(&made->out, "pc.bios");
	gim_buffer_number(&made->out, sizeof(packed), 4);
	gim_buffer_bytes(&made->out, packed, sizeof(packed));
}

static inline void made_ram(struct made_stream *made)
{
	made_ram_start(made);
	made_ram_piece(made, 2);
	made_ram_pages(made);
	made_ram_piece_end(made);
	made_ram_piece(made, 3);
	made_ram_piece_end(made);
}

/*
 * vCPUs and clocks.
 */
enum { MADE_CPU_BYTES = 1817, MADE_TSC = 1157, MADE_SYSTEM_TIME = 1529, MADE_WALL_CLOCK = 1537, MADE_BEHIND = 1545 };

struct made_cpu {
	uint64_t tsc, system_time, wall_clock;
	uint64_t steal_time, poll_control, reference_tsc, tsc_khz; /* subsections, but for their defaults */
};

static inline void made_subsection(struct gim_buffer *payload, char *description, size_t size, const char *name, const char *field,
                                   uint64_t value)
{
	const size_t used = strlen(description);
	gim_buffer_number(payload, 5, 1);
	made_name(payload, name);
	gim_buffer_number(payload, 1, 4);
	gim_buffer_number(payload, value, 8);
	(void)snprintf(description + used, size - used,
	               "%s{\"vmsd_name\": \"%s\", \"version\": 1, \"fields\": [{\"name\": \"%s\", \"type\": \"uint64\", \"size\": 8}]}",
	               description[used - 1] == '[' ? "" : ", ", name, field);
}

static inline void made_vcpu(struct made_stream *made, uint32_t index, const struct made_cpu *cpu)
{
	struct gim_buffer payload = {.big = true};
	char description[2048];
	for (size_t i = 0; i < MADE_CPU_BYTES; i++)
		gim_buffer_number(&payload, 0, 1);
	gim_buffer_patch(&payload, MADE_TSC, cpu->tsc, 8);
	gim_buffer_patch(&payload, MADE_SYSTEM_TIME, cpu->system_time, 8);
	gim_buffer_patch(&payload, MADE_WALL_CLOCK, cpu->wall_clock, 8);
	(void)snprintf(description, sizeof(description),
	               "\"fields\": [{\"name\": \"head\", \"type\": \"buffer\", \"size\": %d}, {\"name\": \"env.tsc\", \"type\": "
	               "\"uint64\", \"size\": 8}, "
	               "{\"name\": \"gap\", \"type\": \"buffer\", \"size\": %d}, {\"name\": \"env.system_time_msr\", \"type\": \"uint64\", "
	               "\"size\": 8}, "
	               "{\"name\": \"env.wall_clock_msr\", \"type\": \"uint64\", \"size\": 8}, {\"name\": \"rest\", \"type\": \"buffer\", "
	               "\"size\": %d}], "
	               "\"subsections\": [",
	               MADE_TSC, MADE_SYSTEM_TIME - MADE_TSC - 8, MADE_CPU_BYTES - MADE_BEHIND);
	if (cpu->steal_time)
		made_subsection(&payload, description, sizeof(description), "cpu/steal_time_msr", "env.steal_time_msr", cpu->steal_time);
	if (cpu->poll_control != 1)
		made_subsection(&payload, description, sizeof(description), "cpu/poll_control_msr", "env.poll_control_msr",
		                cpu->poll_control);
	if (cpu->reference_tsc)
		made_subsection(&payload, description, sizeof(description), "cpu/msr_hyperv_time", "env.msr_hv_tsc", cpu->reference_tsc);
	if (cpu->tsc_khz)
		made_subsection(&payload, description, sizeof(description), "cpu/tsc_khz", "env.tsc_khz", cpu->tsc_khz);
	(void)snprintf(description + strlen(description), sizeof(description) - strlen(description), "]");
	made_section(made, "cpu", index, 12, &payload, description);
	gim_buffer_free(&payload);
}

static inline void made_kvmclock(struct made_stream *made, uint64_t clock_ns)
{
	struct gim_buffer payload = {.big = true};
	gim_buffer_number(&payload, clock_ns, 8);
	gim_buffer_number(&payload, 5, 1);
	made_name(&payload, "kvmclock/clock_is_reliable");
	gim_buffer_number(&payload, 1, 4);
	gim_buffer_number(&payload, 1, 1);
	made_section(made, "kvmclock", 0, 1, &payload,
	             "\"fields\": [{\"name\": \"clock\", \"type\": \"uint64\", \"size\": 8}], \"subsections\": [{\"vmsd_name\": "
	             "\"kvmclock/clock_is_reliable\", \"version\": 1, \"fields\": [{\"name\": \"clock_is_reliable\", \"type\": \"bool\", "
	             "\"size\": 1}]}]");
	gim_buffer_free(&payload);
}

/* A whole one of a KVM guest with two vCPUs, of whose devices two have the same name and instance. */
static inline void made_kvm_stream(struct made_stream *made, const char *machine, bool describe)
{
	static const struct made_cpu cpus[] = {{1000, 0x200001, 0x201000, 0x202001, 0, 0, 2600000},
	                                       {1001, 0x200041, 0x201000, 0, 1, 0, 2600000}};
	made_begin(made, machine);
	made_ram(made);
	made_device(made, "slirp", 0, 4, "one", 3);
	made_device(made, "slirp", 0, 4, "the other", 9);
	made_vcpu(made, 0, &cpus[0]);
	made_vcpu(made, 1, &cpus[1]);
	made_kvmclock(made, 20000000000);
	made_device(made, "0000:00:01.0/../../etc", 0, 1, "\0\1\2\3", 4);
	made_end(made, describe);
}

#endif
