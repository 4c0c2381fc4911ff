/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A qcow2 image: what its header says, and its table of snapshots. */
#ifndef GIM_QCOW2_H
#define GIM_QCOW2_H

#include "input.h"

struct qcow2 {
	unsigned version, cluster_bits;
	unsigned table_bits; /* log2 of the entries of an L2 table */
	bool extended;       /* L2 entries have a bitmap of subclusters */
	bool zstd;           /* compressed clusters are; else by deflate */
	bool backed;         /* what is not allocated is in another file */
	char backing[128];   /* its name, cut when it is longer */
	uint64_t disk_bytes, file_bytes;
	uint32_t snapshot_count;
	uint64_t snapshots_offset;
};

struct qcow2_snapshot {
	struct gim_snapshot shown; /* its texts live during a visit */
	uint64_t l1_offset, disk_bytes;
	uint32_t l1_entries;
	uint64_t offset; /* of its entry in the table */
	uint64_t icount; /* GIM_UNKNOWN: instructions were not counted */
};

bool qcow2_bid(const uint8_t *head, size_t size);

/* Refuses by name what is not read: encryption, an external data file, features that are not known. */
int qcow2_read_header(struct gim_input *input, struct qcow2 *image, struct gim_error *error);

/* Called once for each snapshot, in the order of the table; non-zero stops, and is returned. */
typedef int qcow2_snapshot_fn(void *user, const struct qcow2_snapshot *snapshot);
int qcow2_visit(struct gim_input *input, const struct qcow2 *image, qcow2_snapshot_fn *visit, void *user, struct gim_error *error);

#endif
