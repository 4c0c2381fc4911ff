/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layer of a qcow2 image: the VM state of one of its snapshots, which lies behind the end of the snapshot's disk, read by the tables and in place. */
#include "qcow2.h"

#include "error.h"
#include "layer.h"
#include "loaded.h"
#include "packed.h"
#include "state.h"

#include <inttypes.h>
#include <libdeflate.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define ZSTD "libzstd.so.1"

#define L1_OFFSET UINT64_C(0x00fffffffffffe00)
#define L2_OFFSET UINT64_C(0x00fffffffffffe00)
#define L2_COMPRESSED (UINT64_C(1) << 62)
#define L2_ZERO UINT64_C(1)
enum { SECTOR_BYTES = 512, SUBCLUSTERS = 32 };
/* QEMU's own limit for a table, in entries. */
enum { L1_MAX = (32 << 20) / 8 };
/* Frames of clusters need no more, and a hostile one could ask for a hundred times as much. */
enum { ZSTD_WINDOW_BITS = 23 };

/* What the table says of the snapshot. The record "snapshot". */
struct snapshot {
	struct gim_text id, name;
	uint64_t state_bytes, disk_bytes, date_s, vm_clock_ns, icount;
	uint32_t snapshots;
};

static const struct gim_field snapshot_fields[] = {
    FIELD(snapshot, id, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .help = "the snapshot's id in the image"),
    FIELD(snapshot, name, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .help = "its name"),
    FIELD(snapshot, state_bytes, .change = GIM_CHANGE_FORM, .show = GIM_SIZE, .help = "size of the VM's state in it"),
    FIELD(snapshot, disk_bytes, .change = GIM_CHANGE_FORM, .show = GIM_SIZE, .help = "size of the disk when it was made"),
    FIELD(snapshot, date_s, .change = GIM_CHANGE_FORM, .show = GIM_DEC, .help = "when it was made, in seconds since 1970"),
    FIELD(snapshot, vm_clock_ns, .change = GIM_CHANGE_CLOCK, .show = GIM_NS, .help = "how long the VM had run"),
    FIELD(snapshot, icount, .change = GIM_CHANGE_CLOCK, .show = GIM_DEC,
          .help = "instructions that it had executed, where they were counted"),
    FIELD(snapshot, snapshots, .change = GIM_CHANGE_FORM, .show = GIM_DEC, .help = "snapshots in the image"),
};
RECORD(snapshot, "snapshot", "the snapshot of an image that the state is in");

struct zstd {
	__typeof__(&ZSTD_createDCtx) new;
	__typeof__(&ZSTD_freeDCtx) free;
	__typeof__(&ZSTD_DCtx_setParameter) set;
	__typeof__(&ZSTD_decompressStream) decompress;
	__typeof__(&ZSTD_DCtx_reset) reset;
	__typeof__(&ZSTD_isError) is_error;
};

struct state {
	struct gim_layer layer;
	struct qcow2 image;
	struct qcow2_snapshot chosen; /* its texts are here */
	char *id, *name;
	uint64_t start;         /* where the state begins, as the guest counts its disk */
	pthread_mutex_t lock;   /* of what follows */
	uint8_t *table;         /* the L2 table that was used last */
	uint64_t table_index;   /* in the L1 table; GIM_UNKNOWN: none yet */
	uint64_t table_at;      /* in the file; 0: it is not allocated */
	uint8_t *cluster;       /* the compressed cluster that was used last, unpacked */
	uint64_t cluster_entry; /* of the L2 table; 0: none yet */
	uint8_t *packed;
	struct libdeflate_decompressor *deflate;
	struct zstd zstd;
	ZSTD_DCtx *zstd_context;
};

static size_t cluster_bytes(const struct state *state)
{
	return (size_t)1 << state->image.cluster_bits;
}

static unsigned table_reach_bits(const struct qcow2 *image)
{
	return image->cluster_bits + image->table_bits;
}

/*
 * Tables.
 */
static int read_whole(struct state *state, uint64_t offset, void *bytes, size_t size, const char *what, struct gim_error *error)
{
	size_t got;
	int result = gim_input_read(&state->layer.below, offset, bytes, size, &got, error);
	if (!result && got < size)
		result = gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_CUT], offset + got,
		                       "the qcow2 image ends within %s: %zu bytes of %zu are there", what, got, size);
	return result;
}

static uint64_t big64(const uint8_t *bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

static bool overlaps(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

/* Does a cluster at that offset lie in what is no data: the header, or a table on the way to it? */
static bool is_table(const struct state *state, uint64_t offset, uint64_t size)
{
	return overlaps(offset, size, 0, cluster_bytes(state)) ||
	       overlaps(offset, size, state->chosen.l1_offset, (uint64_t)state->chosen.l1_entries * 8) ||
	       (state->table_at && overlaps(offset, size, state->table_at, cluster_bytes(state)));
}

/* Where an entry of a table, which stands at `entry`, points to: a cluster in the file. */
static int check_offset(const struct state *state, uint64_t entry, uint64_t offset, const char *what, struct gim_error *error)
{
	if (offset & (cluster_bytes(state) - 1))
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], entry,
		                     "the qcow2 image's %s is said to stand at 0x%" PRIx64 ", and clusters begin at multiples of 0x%zx",
		                     what, offset, cluster_bytes(state));
	if (offset >= state->image.file_bytes)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], entry,
		                     "the qcow2 image's %s is said to stand at 0x%" PRIx64 ", behind the file's end at 0x%" PRIx64, what,
		                     offset, state->image.file_bytes);
	if (is_table(state, offset, cluster_bytes(state)))
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], entry,
		                     "the qcow2 image's %s is said to stand at 0x%" PRIx64 ", where its header or a table is", what,
		                     offset);
	return 0;
}

static int load_table(struct state *state, uint64_t index, struct gim_error *error)
{
	const uint64_t entry = state->chosen.l1_offset + 8 * index;
	uint8_t bytes[8];
	if (state->table_index == index)
		return 0;
	state->table_index = GIM_UNKNOWN;
	state->table_at = 0;
	int result = read_whole(state, entry, bytes, sizeof(bytes), "the snapshot's L1 table", error);
	const uint64_t at = result ? 0 : big64(bytes) & L1_OFFSET;
	if (at && !(result = check_offset(state, entry, at, "L2 table", error)))
		result = read_whole(state, at, state->table, cluster_bytes(state), "an L2 table", error);
	if (!result) {
		state->table_at = at;
		state->table_index = index;
	}
	return result;
}

/*
 * Compressed clusters.
 */
static int unpack_deflate(struct state *state, size_t size, size_t *unpacked, struct gim_error *error)
{
	size_t used;
	if (!state->deflate && !(state->deflate = libdeflate_alloc_decompressor()))
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (libdeflate_deflate_decompress_ex(state->deflate, state->packed, size, state->cluster, cluster_bytes(state), &used, unpacked) !=
	    LIBDEFLATE_SUCCESS)
		*unpacked = 0;
	return 0;
}

static int load_functions(struct zstd *zstd, struct gim_error *error)
{
	static const struct gim_symbol symbols[] = {
	    {"ZSTD_createDCtx", offsetof(struct zstd, new)},        {"ZSTD_freeDCtx", offsetof(struct zstd, free)},
	    {"ZSTD_DCtx_setParameter", offsetof(struct zstd, set)}, {"ZSTD_decompressStream", offsetof(struct zstd, decompress)},
	    {"ZSTD_DCtx_reset", offsetof(struct zstd, reset)},      {"ZSTD_isError", offsetof(struct zstd, is_error)},
	};
	return gim_load(ZSTD, symbols, sizeof(symbols) / sizeof(symbols[0]), zstd, "what is packed", error);
}

static int load(struct gim_error *error)
{
	struct zstd zstd;
	return load_functions(&zstd, error);
}

static int load_zstd(struct state *state, struct gim_error *error)
{
	struct zstd *zstd = &state->zstd;
	int result = load_functions(zstd, error);
	if (!result && !(state->zstd_context = zstd->new ()))
		result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (!result)
		(void)zstd->set(state->zstd_context, ZSTD_d_windowLogMax, ZSTD_WINDOW_BITS);
	return result;
}

/* What follows the frame in the sector is not its own, so that only the cluster's size says where it ends. */
static int unpack_zstd(struct state *state, size_t size, size_t *unpacked, struct gim_error *error)
{
	int result = state->zstd_context ? 0 : load_zstd(state, error);
	if (result)
		return result;
	ZSTD_inBuffer in = {state->packed, size, 0};
	ZSTD_outBuffer out = {state->cluster, cluster_bytes(state), 0};
	(void)state->zstd.reset(state->zstd_context, ZSTD_reset_session_only);
	for (size_t before = SIZE_MAX; out.pos < out.size && before != in.pos + out.pos;) {
		before = in.pos + out.pos;
		if (state->zstd.is_error(state->zstd.decompress(state->zstd_context, &out, &in)))
			break;
	}
	*unpacked = out.pos;
	return 0;
}

/* The L2 entry that stands at `where` in the file has the place and the size, in sectors, of what is compressed. */
static int load_compressed(struct state *state, uint64_t entry, uint64_t where, struct gim_error *error)
{
	const unsigned size_bits = state->image.cluster_bits - 8, shift = 62 - size_bits;
	const uint64_t at = entry & ((UINT64_C(1) << shift) - 1), sectors = (entry >> shift & ((UINT64_C(1) << size_bits) - 1)) + 1;
	const size_t size = (size_t)(sectors * SECTOR_BYTES - at % SECTOR_BYTES);
	size_t got = 0, unpacked = 0;
	if (state->cluster_entry == entry)
		return 0;
	state->cluster_entry = 0;
	if (at >= state->image.file_bytes)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], where,
		                     "a compressed cluster is said to stand at 0x%" PRIx64 ", behind the qcow2 image's end at 0x%" PRIx64,
		                     at, state->image.file_bytes);
	if (!state->cluster)
		state->cluster = malloc(cluster_bytes(state));
	if (!state->packed)
		state->packed = malloc((size_t)SECTOR_BYTES << size_bits);
	if (!state->cluster || !state->packed)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	int result = gim_input_read(&state->layer.below, at, state->packed, size, &got, error);
	if (!result)
		result = (state->image.zstd ? unpack_zstd : unpack_deflate)(state, got, &unpacked, error);
	if (!result && unpacked != cluster_bytes(state))
		result = gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], at, "what %s unpacks here is no cluster of %zu bytes",
		                       state->image.zstd ? "zstd" : "deflate", cluster_bytes(state));
	if (!result)
		state->cluster_entry = entry;
	return result;
}

/*
 * Reading.
 */
enum place { IN_FILE, ZEROS, COMPRESSED, NOWHERE };

/* How a cluster is allocated, or with extended entries the part of it that the offset is in, whose end is then *size's limit. */
static int find_place(const struct state *state, const uint8_t *bytes, uint64_t where, uint64_t inside, size_t *size, enum place *place,
                      struct gim_error *error)
{
	const uint64_t entry = big64(bytes);
	if (entry & L2_COMPRESSED)
		return *place = COMPRESSED, 0;
	*place = entry & L2_OFFSET ? IN_FILE : NOWHERE;
	if (state->image.extended) {
		const uint64_t bitmap = big64(bytes + 8), part_bytes = cluster_bytes(state) / SUBCLUSTERS, part = inside / part_bytes;
		const bool allocated = bitmap >> part & 1, zero = bitmap >> (part + SUBCLUSTERS) & 1;
		const uint64_t left = part_bytes - inside % part_bytes;
		*size = *size < left ? *size : (size_t)left;
		if (zero && allocated)
			return gim_fail_rule(
			    error, &gim_layer_rules[GIM_LAYER_DAMAGED], where + 8,
			    "the qcow2 image says of part %u of a cluster that it is data and that it is zeros: one of them is possible",
			    (unsigned)part);
		*place = zero ? ZEROS : allocated ? *place : NOWHERE;
	} else if (entry & L2_ZERO && state->image.version >= 3) {
		*place = ZEROS;
	}
	return 0;
}

static int read_file(struct state *state, uint64_t offset, uint64_t where, uint64_t inside, void *bytes, size_t size,
                     struct gim_error *error)
{
	int result = check_offset(state, where, offset, "data", error);
	return result ? result : read_whole(state, offset + inside, bytes, size, "the data of a snapshot", error);
}

/* Up to *size bytes at this place of the guest's disk, at most to the end of the cluster. *size: how many. */
static int read_piece(struct state *state, uint64_t guest, void *bytes, size_t *size, struct gim_error *error)
{
	const unsigned reach = table_reach_bits(&state->image);
	const size_t entry_bytes = state->image.extended ? 16 : 8;
	const uint64_t inside = guest & (cluster_bytes(state) - 1), left = cluster_bytes(state) - inside;
	const size_t index = (size_t)(guest >> state->image.cluster_bits & ((UINT64_C(1) << state->image.table_bits) - 1));
	enum place place = NOWHERE;
	*size = *size < left ? *size : (size_t)left;
	int result = load_table(state, guest >> reach, error);
	if (result)
		return result;
	const uint8_t *entry = state->table + index * entry_bytes;
	const uint64_t where = state->table_at + index * entry_bytes;
	if (state->table_at)
		result = find_place(state, entry, where, inside, size, &place, error);
	if (!result && place == IN_FILE)
		return read_file(state, big64(entry) & L2_OFFSET, where, inside, bytes, *size, error);
	if (!result && place == COMPRESSED) {
		result = load_compressed(state, big64(entry), where, error);
		if (!result)
			memcpy(bytes, state->cluster + inside, *size);
		return result;
	}
	if (!result && place == NOWHERE && state->image.backed)
		return gim_fail(
		    error, GIM_E_UNSUPPORTED, state->table_at ? where : GIM_UNKNOWN,
		    "a part of the snapshot's VM state is not in this image, but in its backing file %s, which is not read: load "
		    "the snapshot in QEMU (-loadvm), and save it by migrate",
		    state->image.backing);
	if (!result)
		memset(bytes, 0, *size);
	return result;
}

static int read_state(struct gim_layer *layer, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error)
{
	struct state *state = (struct state *)(void *)layer;
	const uint64_t whole = state->chosen.shown.state_bytes, left = offset < whole ? whole - offset : 0;
	const size_t size = size_bytes < left ? size_bytes : (size_t)left;
	int result = 0;
	(void)pthread_mutex_lock(&state->lock);
	for (size_t done = 0; !result && done < size;) {
		size_t piece = size - done;
		result = read_piece(state, state->start + offset + done, (uint8_t *)bytes + done, &piece, error);
		done += piece;
	}
	(void)pthread_mutex_unlock(&state->lock);
	if (!result)
		*got = size;
	return result;
}

/*
 * Choosing a snapshot.
 */
struct choice {
	const char *part; /* NULL: the only one */
	struct gim_names names;
	uint32_t named, with_state; /* snapshots that are called so; that hold a VM's state */
	bool by_name;
	struct qcow2_snapshot found;
	char *id, *name;
	struct gim_error *error;
};

static int keep(struct choice *choice, const struct qcow2_snapshot *snapshot)
{
	free(choice->id);
	free(choice->name);
	choice->found = *snapshot;
	choice->id = strdup(snapshot->shown.id);
	choice->name = strdup(snapshot->shown.name);
	return choice->id && choice->name ? 0 : gim_fail(choice->error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
}

/* By its name, else by its id. */
static int consider(void *user, const struct qcow2_snapshot *snapshot)
{
	struct choice *choice = (struct choice *)user;
	const bool has_state = snapshot->shown.state_bytes, name = choice->part && !strcmp(choice->part, snapshot->shown.name);
	if (has_state)
		gim_names_add(&choice->names, *snapshot->shown.name ? snapshot->shown.name : snapshot->shown.id);
	choice->with_state += has_state;
	if (choice->part ? !name && (choice->by_name || strcmp(choice->part, snapshot->shown.id) != 0) : !has_state)
		return 0;
	choice->named = name != choice->by_name ? 1 : choice->named + 1;
	choice->by_name = name;
	return choice->named == 1 ? keep(choice, snapshot) : 0;
}

static int judge_choice(const struct choice *choice, uint32_t snapshots, struct gim_error *error)
{
	if (!choice->part && !snapshots)
		return gim_fail_rule(
		    error, &gim_layer_rules[GIM_LAYER_EMPTY], 60,
		    "this is a qcow2 disk image without snapshots, so that it holds no VM's state: QEMU's savevm puts one into it");
	if (!choice->part && !choice->with_state)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_EMPTY], 60,
		                     "this is a qcow2 disk image whose snapshots, %u, are of the disk alone: they hold no VM's state, as "
		                     "those of QEMU's savevm do",
		                     snapshots);
	if (!choice->part && choice->named > 1)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the image has %u snapshots of a VM: %s; choose one, as in FILE//NAME",
		                choice->named, choice->names.text);
	if (!choice->named)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the image has no snapshot %s; %s%s", choice->part,
		                choice->with_state ? "it has " : "it has none of a VM", choice->names.text);
	if (choice->named > 1)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the image has %u snapshots that are called %s: choose one by its id",
		                choice->named, choice->part);
	if (!choice->found.shown.state_bytes)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the snapshot %s is one of the disk alone: it holds no VM's state",
		                choice->part);
	return 0;
}

/* Where the state lies, and that all of it can be there. */
static int place_state(struct state *state, struct gim_error *error)
{
	static const struct gim_unpack_limits limits = GIM_UNPACK_LIMITS;
	const struct qcow2_snapshot *chosen = &state->chosen;
	const unsigned reach = table_reach_bits(&state->image);
	const uint64_t size = chosen->shown.state_bytes,
		       tables = (chosen->disk_bytes >> reach) + !!(chosen->disk_bytes & ((UINT64_C(1) << reach) - 1));
	if (chosen->l1_entries > L1_MAX)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_LIMIT], chosen->offset + 8,
		                     "the snapshot has an L1 table of %u entries; QEMU makes at most %d", chosen->l1_entries, L1_MAX);
	if (chosen->l1_offset & (cluster_bytes(state) - 1) || chosen->l1_offset >= state->image.file_bytes ||
	    (uint64_t)chosen->l1_entries * 8 > state->image.file_bytes - chosen->l1_offset)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], chosen->offset,
		                     "the snapshot's L1 table of %u entries is said to stand at 0x%" PRIx64
		                     "; expected is a multiple of 0x%zx at which the file's %" PRIu64 " bytes have room for it",
		                     chosen->l1_entries, chosen->l1_offset, cluster_bytes(state), state->image.file_bytes);
	if (tables >= chosen->l1_entries || ((size - 1) >> reach) >= chosen->l1_entries - tables)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], chosen->offset,
		                     "the snapshot is said to have %" PRIu64 " bytes of VM state behind %" PRIu64
		                     " of disk, and its L1 table has %u entries, where %" PRIu64 " are needed",
		                     size, chosen->disk_bytes, chosen->l1_entries, tables + ((size - 1) >> reach) + 1);
	if (size > limits.size_bytes || (size > limits.free_bytes && size / limits.ratio > state->image.file_bytes))
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_LIMIT], chosen->offset,
		                     "the snapshot is said to have %" PRIu64 " bytes of VM state in a file of %" PRIu64 ": at most %" PRIu64
		                     " are read, and behind the first %" PRIu64 " at most %" PRIu64 " times the file",
		                     size, state->image.file_bytes, limits.size_bytes, limits.free_bytes, limits.ratio);
	state->start = tables << reach;
	return 0;
}

static void end_state(struct gim_layer *layer)
{
	struct state *state = (struct state *)(void *)layer;
	if (state->deflate)
		libdeflate_free_decompressor(state->deflate);
	if (state->zstd_context)
		(void)state->zstd.free(state->zstd_context);
	(void)pthread_mutex_destroy(&state->lock);
	free(state->id);
	free(state->name);
	free(state->table);
	free(state->cluster);
	free(state->packed);
}

static int choose(struct gim_input *input, const char *part, struct state *state, struct gim_error *error)
{
	struct choice choice = {.part = part, .error = error};
	int result = qcow2_read_header(input, &state->image, error);
	if (!result)
		result = qcow2_visit(input, &state->image, consider, &choice, error);
	if (!result)
		result = judge_choice(&choice, state->image.snapshot_count, error);
	state->chosen = choice.found;
	state->chosen.shown.id = state->id = choice.id;
	state->chosen.shown.name = state->name = choice.name;
	if (!result)
		result = place_state(state, error);
	if (!result && !(state->table = malloc(cluster_bytes(state))))
		result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	return result;
}

static int open_image(struct gim_input *input, const char *part, struct gim_error *error)
{
	extern const struct gim_layer_kind gim_layer_qcow2;
	struct state *state = calloc(1, sizeof(*state));
	if (!state)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	state->table_index = GIM_UNKNOWN;
	(void)pthread_mutex_init(&state->lock, NULL);
	int result = choose(input, part, state, error);
	if (result) {
		end_state(&state->layer);
		free(state);
		return result;
	}
	gim_input_wrap(input, &state->layer, &gim_layer_qcow2, true, state->chosen.shown.state_bytes);
	return 0;
}

static int describe(struct gim_layer *layer, struct gim_state *shown, struct gim_error *error)
{
	const struct state *state = (struct state *)(void *)layer;
	const struct qcow2_snapshot *chosen = &state->chosen;
	struct gim_object *object = gim_state_object(shown, &snapshot_record, error);
	if (!object)
		return GIM_E_MEMORY;
	*(struct snapshot *)(void *)object->data = (struct snapshot){
	    .id = {state->id, (uint32_t)strlen(state->id)},
	    .name = {state->name, (uint32_t)strlen(state->name)},
	    .state_bytes = chosen->shown.state_bytes,
	    .disk_bytes = chosen->disk_bytes,
	    .date_s = chosen->shown.date_s,
	    .vm_clock_ns = chosen->shown.vm_clock_ns,
	    .icount = chosen->icount,
	    .snapshots = state->image.snapshot_count,
	};
	memset(object->presence, GIM_STORED, sizeof(struct snapshot));
	if (chosen->icount == GIM_UNKNOWN)
		object->presence[offsetof(struct snapshot, icount)] = GIM_ABSENT;
	return 0;
}

static bool bid(const uint8_t *head, size_t size, bool part)
{
	(void)part;
	return qcow2_bid(head, size);
}

struct listing {
	gim_snapshot_fn *visit;
	void *user;
};

static int list_one(void *user, const struct qcow2_snapshot *snapshot)
{
	const struct listing *listing = (const struct listing *)user;
	return listing->visit(listing->user, &snapshot->shown);
}

static int list(struct gim_input *input, gim_snapshot_fn *visit, void *user, struct gim_error *error)
{
	struct listing listing = {visit, user};
	struct qcow2 image;
	int result = qcow2_read_header(input, &image, error);
	return result ? result : qcow2_visit(input, &image, list_one, &listing, error);
}

const struct gim_layer_kind gim_layer_qcow2 = {
    .within = "in the snapshot",
    .bid = bid,
    .seeks = true,
    .parts = true,
    .more = true,
    .load = load,
    .open = open_image,
    .read = read_state,
    .end = end_state,
    .record = &snapshot_record,
    .describe = describe,
    .snapshots = list,
};
