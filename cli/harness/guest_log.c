/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a resumed guest did, kept in bounded memory. Changed pages are told by a mark of their content, so that no second copy of the memory is kept. */
#include "guest_log.h"

#include "output.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096u

const char *guest_exit_name(enum guest_exit_kind kind)
{
	static const char *const names[GUEST_EXIT_KINDS] = {
	    [GUEST_EXIT_PORT] = "port",           [GUEST_EXIT_MMIO] = "mmio",   [GUEST_EXIT_MSR] = "msr",
	    [GUEST_EXIT_HYPERCALL] = "hypercall", [GUEST_EXIT_HALT] = "halt",   [GUEST_EXIT_WINDOW] = "interrupt_window",
	    [GUEST_EXIT_SIGNAL] = "signal",       [GUEST_EXIT_DEBUG] = "debug", [GUEST_EXIT_OTHER] = "other",
	};
	return names[kind];
}

const char *guest_access_name(enum guest_access_kind kind)
{
	return kind == GUEST_ACCESS_PORT ? "port" : kind == GUEST_ACCESS_MMIO ? "mmio" : "msr";
}

/* Where a PC has its devices, since the first ones or by what its chipsets share; those that firmware places anywhere are not known by an address. */
const char *guest_access_device(enum guest_access_kind kind, uint64_t address)
{
	static const struct {
		enum guest_access_kind kind;
		uint64_t first, last;
		const char *name;
	} rows[] = {
	    {GUEST_ACCESS_PORT, 0x00, 0x0f, "DMA"},
	    {GUEST_ACCESS_PORT, 0x20, 0x21, "PIC"},
	    {GUEST_ACCESS_PORT, 0x40, 0x43, "PIT"},
	    {GUEST_ACCESS_PORT, 0x60, 0x60, "keyboard"},
	    {GUEST_ACCESS_PORT, 0x61, 0x61, "PIT and speaker"},
	    {GUEST_ACCESS_PORT, 0x64, 0x64, "keyboard"},
	    {GUEST_ACCESS_PORT, 0x70, 0x73, "RTC and CMOS"},
	    {GUEST_ACCESS_PORT, 0x80, 0x80, "POST code"},
	    {GUEST_ACCESS_PORT, 0x81, 0x8f, "DMA"},
	    {GUEST_ACCESS_PORT, 0x92, 0x92, "A20 and reset"},
	    {GUEST_ACCESS_PORT, 0xa0, 0xa1, "PIC"},
	    {GUEST_ACCESS_PORT, 0xb2, 0xb3, "SMI command"},
	    {GUEST_ACCESS_PORT, 0xc0, 0xdf, "DMA"},
	    {GUEST_ACCESS_PORT, 0x170, 0x177, "IDE, secondary"},
	    {GUEST_ACCESS_PORT, 0x1f0, 0x1f7, "IDE, primary"},
	    {GUEST_ACCESS_PORT, 0x278, 0x27f, "LPT2"},
	    {GUEST_ACCESS_PORT, 0x2e8, 0x2ef, "COM4"},
	    {GUEST_ACCESS_PORT, 0x2f8, 0x2ff, "COM2"},
	    {GUEST_ACCESS_PORT, 0x376, 0x376, "IDE, secondary"},
	    {GUEST_ACCESS_PORT, 0x378, 0x37f, "LPT1"},
	    {GUEST_ACCESS_PORT, 0x3b0, 0x3df, "VGA"},
	    {GUEST_ACCESS_PORT, 0x3e8, 0x3ef, "COM3"},
	    {GUEST_ACCESS_PORT, 0x3f0, 0x3f5, "floppy"},
	    {GUEST_ACCESS_PORT, 0x3f6, 0x3f6, "IDE, primary"},
	    {GUEST_ACCESS_PORT, 0x3f7, 0x3f7, "floppy"},
	    {GUEST_ACCESS_PORT, 0x3f8, 0x3ff, "COM1"},
	    {GUEST_ACCESS_PORT, 0x402, 0x402, "firmware's debug port"},
	    {GUEST_ACCESS_PORT, 0x4d0, 0x4d1, "PIC"},
	    {GUEST_ACCESS_PORT, 0x510, 0x51b, "fw_cfg"},
	    {GUEST_ACCESS_PORT, 0xcf8, 0xcff, "PCI configuration"},
	    {GUEST_ACCESS_MMIO, 0xa0000, 0xbffff, "VGA"},
	    {GUEST_ACCESS_MMIO, 0xfec00000, 0xfec00fff, "I/O APIC"},
	    {GUEST_ACCESS_MMIO, 0xfed00000, 0xfed003ff, "HPET"},
	    {GUEST_ACCESS_MMIO, 0xfed40000, 0xfed44fff, "TPM"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (kind == rows[i].kind && address >= rows[i].first && address <= rows[i].last)
			return rows[i].name;
	return NULL;
}

int guest_log_open(struct guest_log *log, uint32_t vcpus, struct gim_error *error)
{
	*log = (struct guest_log){.exits = calloc(vcpus, sizeof(*log->exits))};
	return log->exits ? 0 : error_set(error, GIM_E_MEMORY, "out of memory");
}

void guest_log_close(struct guest_log *log)
{
	for (unsigned i = 0; i < log->range_count; i++)
		free(log->pages[i].marks);
	free(log->pages);
	free(log->exits);
	*log = (struct guest_log){.exits = NULL};
}

void guest_log_access(struct guest_log *log, const struct guest_access *access)
{
	for (unsigned i = 0; i < log->access_count; i++)
		if (log->accesses[i].kind == access->kind && log->accesses[i].address == access->address) {
			log->accesses[i].count++;
			return;
		}
	if (log->access_count == GUEST_ACCESSES_MAX) {
		log->access_more++;
		return;
	}
	log->accesses[log->access_count] = *access;
	log->accesses[log->access_count++].count = 1;
}

/* Pages that differ have other marks but by a chance of 1 in 2^64; nobody gains by making two alike. */
static uint64_t mark(const uint8_t *page)
{
	uint64_t sums[4] = {1, 2, 3, 4};
	for (size_t at = 0; at < PAGE_BYTES; at += sizeof(sums)) {
		uint64_t words[4];
		memcpy(words, page + at, sizeof(words));
		for (unsigned i = 0; i < 4; i++)
			sums[i] = (sums[i] ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
	}
	uint64_t sum = 0;
	for (unsigned i = 0; i < 4; i++)
		sum = ((sum ^ sums[i] ^ sums[i] >> 29) + i) * UINT64_C(0xbf58476d1ce4e5b9);
	return sum ^ sum >> 32;
}

int guest_log_remember(struct guest_log *log, const uint8_t *bytes, uint64_t gpa, uint64_t size_bytes, struct gim_error *error)
{
	struct guest_pages *grown = realloc(log->pages, (log->range_count + 1) * sizeof(*grown));
	if (!grown)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	log->pages = grown;
	struct guest_pages *pages = &grown[log->range_count];
	*pages = (struct guest_pages){.bytes = bytes, .gpa = gpa, .count = size_bytes / PAGE_BYTES};
	pages->marks = malloc((size_t)(pages->count ? pages->count : 1) * sizeof(*pages->marks));
	if (!pages->marks)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	log->range_count++;
	for (uint64_t i = 0; i < pages->count; i++)
		pages->marks[i] = mark(bytes + i * PAGE_BYTES);
	return 0;
}

void guest_log_changes(const struct guest_log *log, guest_pages_fn *visit, void *user)
{
	for (unsigned range = 0; range < log->range_count; range++) {
		const struct guest_pages *pages = &log->pages[range];
		uint64_t run = 0;
		for (uint64_t i = 0; i <= pages->count; i++) {
			if (i < pages->count && pages->marks[i] != mark(pages->bytes + i * PAGE_BYTES)) {
				run++;
			} else if (run) {
				visit(user, pages->gpa + (i - run) * PAGE_BYTES, run);
				run = 0;
			}
		}
	}
}
