/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is packed: compressed streams and archives of files, read and written by libarchive, which is loaded only when one of these is called. */
#ifndef GIM_PACKED_H
#define GIM_PACKED_H

#include "layer.h"

/* What unpacking may cost. Packed data that are larger, or so small that they must be a bomb, have to be unpacked by hand first. */
struct gim_unpack_limits {
	uint64_t size_bytes; /* unpacked, in all */
	uint64_t free_bytes; /* unpacked, before the ratio counts */
	uint64_t ratio;      /* unpacked bytes per packed one */
};
#define GIM_UNPACK_LIMITS                                                                                                                  \
	{                                                                                                                                  \
		.size_bytes = UINT64_C(256) << 30, .free_bytes = UINT64_C(1) << 30, .ratio = 1000                                          \
	}

/* Load the library that unpacks, for good. */
int gim_packed_load(struct gim_error *error);

enum gim_packed_rule { GIM_PACKED_DAMAGED, GIM_PACKED_LIMIT, GIM_PACKED_SIZE, GIM_PACKED_SHA256, GIM_PACKED_RULES };
extern const struct gim_rule gim_packed_rules[GIM_PACKED_RULES];

/*
 * Reading.
 */
enum gim_packed {
	GIM_PACKED_STREAM,  /* one stream that is compressed, perhaps several times */
	GIM_PACKED_ARCHIVE, /* files in a tar or zip archive that may be compressed */
};

enum gim_member_kind { GIM_MEMBER_FILE, GIM_MEMBER_FOLDER, GIM_MEMBER_OTHER };

struct gim_unpacked {
	const char *name; /* as the archive has it, any bytes; lives until the next one. Of a stream: "" */
	enum gim_member_kind kind;
	uint64_t size_bytes; /* GIM_UNKNOWN when it is not told in advance */
	bool sparse;
};

/* Read what is packed in *input, which is taken over (and becomes an empty one) whether that works or not; limits NULL: GIM_UNPACK_LIMITS. *unpacker is the
 * caller's: gim_unpacker_free. */
struct gim_unpacker;
int gim_unpacker_new(struct gim_input *input, enum gim_packed packed, const struct gim_unpack_limits *limits,
                     struct gim_unpacker **unpacker, struct gim_error *error);
void gim_unpacker_free(struct gim_unpacker **unpacker);

/* Go to the next member, passing over what is left of this one. 1: *member is it, 0: there are no more. A stream has one. */
int gim_unpacker_next(struct gim_unpacker *unpacker, struct gim_unpacked *member, struct gim_error *error);

/* Read on in the member; *got is less than size_bytes only at its end. */
int gim_unpacker_read(struct gim_unpacker *unpacker, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error);

/* Let *input be what is read of it, which is freed with the input from then on; and the unpacker that an input is, NULL: it is none. */
void gim_unpacker_input(struct gim_unpacker *unpacker, struct gim_input *input);
struct gim_unpacker *gim_unpacker_of(const struct gim_input *input);

/* Free it, and give back the input that it is packed in. false: that is a stream, which cannot be read again; nothing is done. */
bool gim_unpacker_return(struct gim_unpacker **unpacker, struct gim_input *input);

/* What the member must be: reading fails at its end, or as soon as it is longer, when it is not. */
int gim_unpacker_expect(struct gim_unpacker *unpacker, uint64_t size_bytes, const uint8_t *sha256, struct gim_error *error);

/*
 * Writing: the same bytes in give the same bytes out.
 */
enum gim_filter { GIM_FILTER_NONE, GIM_FILTER_GZIP, GIM_FILTER_BZIP2, GIM_FILTER_XZ, GIM_FILTER_ZSTD };
enum gim_archive { GIM_ARCHIVE_NONE, GIM_ARCHIVE_TAR, GIM_ARCHIVE_ZIP };

/* How a file of that name is compressed: by its suffix. */
enum gim_filter gim_filter_of(const char *path);

/* Pack into sink. *packer is the caller's: finish or discard. */
struct gim_packer;
int gim_packer_new(enum gim_archive archive, enum gim_filter filter, gim_sink_fn *sink, void *user, struct gim_packer **packer,
                   struct gim_error *error);
/* Begin a member of an archive; exactly size_bytes must be written to it. */
int gim_packer_member(struct gim_packer *packer, const char *name, uint64_t size_bytes, struct gim_error *error);
int gim_packer_write(struct gim_packer *packer, const void *bytes, size_t size_bytes, struct gim_error *error);
/* Write what is left, and free, also on failure. */
int gim_packer_finish(struct gim_packer **packer, struct gim_error *error);
void gim_packer_discard(struct gim_packer **packer);

#endif
