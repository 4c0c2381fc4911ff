/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a resumed guest did: exits by kind, accesses to devices that are not there, faults, and the memory that it changed. */
#ifndef GUEST_LOG_H
#define GUEST_LOG_H

#include "gimstate.h"

enum guest_exit_kind {
	GUEST_EXIT_PORT,
	GUEST_EXIT_MMIO,
	GUEST_EXIT_MSR,
	GUEST_EXIT_HYPERCALL,
	GUEST_EXIT_HALT,
	GUEST_EXIT_WINDOW, /* interrupts can be taken */
	GUEST_EXIT_SIGNAL, /* it was called out */
	GUEST_EXIT_DEBUG,
	GUEST_EXIT_OTHER,
	GUEST_EXIT_KINDS
};
const char *guest_exit_name(enum guest_exit_kind kind);

/* An address or a register that nobody serves, when it was first used, and how often. */
struct guest_access {
	enum guest_access_kind { GUEST_ACCESS_PORT, GUEST_ACCESS_MMIO, GUEST_ACCESS_MSR } kind;
	bool write; /* the first time */
	uint32_t vcpu;
	unsigned size_bytes;
	uint64_t address, value, rip;
	uint64_t count; /* of all, reads and writes */
};
const char *guest_access_name(enum guest_access_kind kind);
/* Which device of a PC a port or an address belongs to; NULL: none that is always there. */
const char *guest_access_device(enum guest_access_kind kind, uint64_t address);

#define GUEST_ACCESSES_MAX 256

/* Of whose memory it is told which pages changed: a word for each page. */
struct guest_pages {
	const uint8_t *bytes;
	uint64_t gpa, count;
	uint64_t *marks;
};

struct guest_log {
	uint64_t (*exits)[GUEST_EXIT_KINDS]; /* of each vCPU */
	struct guest_access accesses[GUEST_ACCESSES_MAX];
	unsigned access_count;
	uint64_t access_more; /* of addresses that found no place */
	struct guest_pages *pages;
	unsigned range_count;
	bool entered; /* code of the guest ran */
};

int guest_log_open(struct guest_log *log, uint32_t vcpus, struct gim_error *error);
void guest_log_close(struct guest_log *log);

/* An access to nothing; *access has all but its count. */
void guest_log_access(struct guest_log *log, const struct guest_access *access);

/* Remember what memory holds now; then visit each run of pages that hold something else. bytes must stay. */
int guest_log_remember(struct guest_log *log, const uint8_t *bytes, uint64_t gpa, uint64_t size_bytes, struct gim_error *error);
typedef void guest_pages_fn(void *user, uint64_t gpa, uint64_t pages);
void guest_log_changes(const struct guest_log *log, guest_pages_fn *visit, void *user);

#endif
