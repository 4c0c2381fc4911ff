/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layer of libvirt's save images: a header, the VM's description as XML, and behind it what QEMU wrote, which may be compressed in turn. */
#include "cursor.h"
#include "error.h"
#include "layer.h"
#include "state.h"

#include <stdlib.h>
#include <string.h>

/* The end of the magic says whether the save was finished. */
enum { MAGIC_BYTES = 16, DIFFERS_AT = 12, HEADER_BYTES = 92, VERSION_MAX = 2 };
#define MAGIC "LibvirtQemudSave"
#define MAGIC_PART "LibvirtQemudPart"
/* libvirt's own limit for a message that carries XML is 32 MiB. */
#define DATA_MAX (UINT32_C(64) << 20)

/* What the header says. The record "libvirt". */
struct libvirt {
	uint32_t version, format;
	uint8_t big_endian, was_running;
	struct gim_text xml, cookie;
};

static const struct gim_name format_names[] = {
    {0, "raw", "as QEMU wrote it"},
    {1, "gzip", "compressed by gzip"},
    {2, "bzip2", "compressed by bzip2"},
    {3, "xz", "compressed by xz"},
    {4, "lzop", "compressed by lzop"},
    {5, "zstd", "compressed by zstd"},
    {6, "sparse", "not compressed; each page has its place in the file"},
    {0, NULL, NULL},
};

static const struct gim_field libvirt_fields[] = {
    FIELD(libvirt, version, .change = GIM_CHANGE_FORM, .show = GIM_DEC, .help = "version of the save image's header: 2 since libvirt 3.8"),
    FIELD(libvirt, format, .change = GIM_CHANGE_FORM, .show = GIM_ENUM, .names = format_names, .max = 6,
          .help = "how the stream is compressed"),
    FIELD(libvirt, big_endian, .change = GIM_CHANGE_FORM, .show = GIM_BOOL, .max = 1,
          .help = "a host of the other byte order wrote the header"),
    FIELD(libvirt, was_running, .show = GIM_BOOL, .max = 1, .help = "the VM goes on running when it is restored"),
    FIELD(libvirt, xml, .change = GIM_CHANGE_FORM, .show = GIM_STRING,
          .help = "the VM's description: the only place that says which enlightenments were configured"),
    FIELD(libvirt, cookie, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .help = "what libvirt needs besides to restore it, as XML"),
};
RECORD(libvirt, "libvirt", "libvirt's save image around a QEMU stream");

struct image {
	struct gim_layer layer;
	struct libvirt header;
	uint64_t start; /* of the stream in the file */
	char *data;     /* description and cookie */
};

static bool bid(const uint8_t *head, size_t size, bool part)
{
	(void)part;
	return size >= MAGIC_BYTES && (!memcmp(head, MAGIC, MAGIC_BYTES) || !memcmp(head, MAGIC_PART, MAGIC_BYTES));
}

/* The header is in the byte order of its host: where its version makes no sense, it is the other one. */
static int read_header(struct gim_input *input, struct libvirt *header, uint32_t *data_bytes, uint32_t *cookie_offset,
                       struct gim_error *error)
{
	uint8_t bytes[HEADER_BYTES];
	size_t got;
	int result = gim_input_read(input, 0, bytes, sizeof(bytes), &got, error);
	if (result)
		return result;
	if (got < sizeof(bytes))
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_CUT], got, "the libvirt save image ends in its header of %d bytes",
		                     HEADER_BYTES);
	if (!memcmp(bytes, MAGIC_PART, MAGIC_BYTES))
		return gim_fail_rule(
		    error, &gim_layer_rules[GIM_LAYER_UNFINISHED], DIFFERS_AT,
		    "this libvirt save image is incomplete: the save did not come to its end, and libvirt does not restore it");
	struct gim_cursor cursor = {.bytes = bytes, .size = sizeof(bytes), .position = MAGIC_BYTES};
	*header = (struct libvirt){.version = gim_cursor_u32(&cursor)};
	if (header->version > VERSION_MAX) {
		cursor = (struct gim_cursor){.bytes = bytes, .size = sizeof(bytes), .position = MAGIC_BYTES, .big = true};
		header->version = gim_cursor_u32(&cursor);
		header->big_endian = 1;
	}
	if (!header->version || header->version > VERSION_MAX)
		return gim_fail(error, GIM_E_VERSION, MAGIC_BYTES,
		                "the libvirt save image has version 0x%x in its header, and 1 and 2 are known", header->version);
	*data_bytes = gim_cursor_u32(&cursor);
	const uint32_t running = gim_cursor_u32(&cursor);
	header->was_running = running < UINT8_MAX ? (uint8_t)running : UINT8_MAX;
	header->format = gim_cursor_u32(&cursor);
	*cookie_offset = gim_cursor_u32(&cursor);
	return 0;
}

/* A text that ends with a NUL before `end`. */
static int read_text(const struct image *image, uint32_t offset, uint32_t end, const char *what, struct gim_text *text,
                     struct gim_error *error)
{
	const char *found = memchr(image->data + offset, 0, end - offset);
	if (!found)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], HEADER_BYTES + (uint64_t)offset,
		                     "the libvirt save image's %s does not end", what);
	*text = (struct gim_text){image->data + offset, (uint32_t)(found - (image->data + offset))};
	return 0;
}

static int read_data(struct gim_input *input, struct image *image, uint32_t size, uint32_t cookie, struct gim_error *error)
{
	size_t got;
	if (!size || size > DATA_MAX)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_LIMIT], MAGIC_BYTES + 4,
		                     "the libvirt save image has a description of %u bytes; 1 to %u are read", size, DATA_MAX);
	if (input->size != GIM_UNKNOWN && input->size - HEADER_BYTES < size)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_CUT], input->size,
		                     "the libvirt save image ends in its description, which has %u bytes", size);
	if (cookie >= size)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], MAGIC_BYTES + 16,
		                     "the libvirt save image's cookie begins at byte %u of %u", cookie, size);
	image->data = malloc(size);
	if (!image->data)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	int result = gim_input_read(input, HEADER_BYTES, image->data, size, &got, error);
	if (!result && got < size)
		result = gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_CUT], HEADER_BYTES + (uint64_t)got,
		                       "the libvirt save image ends in its description, which has %u bytes", size);
	if (!result)
		result = read_text(image, 0, cookie ? cookie : size, "description", &image->header.xml, error);
	if (!result && cookie)
		result = read_text(image, cookie, size, "cookie", &image->header.cookie, error);
	image->start = HEADER_BYTES + (uint64_t)size;
	return result;
}

static void end_image(struct gim_layer *layer)
{
	free(((struct image *)(void *)layer)->data);
}

static int open_image(struct gim_input *input, const char *part, struct gim_error *error)
{
	extern const struct gim_layer_kind gim_layer_libvirt;
	struct image *image = calloc(1, sizeof(*image));
	uint32_t size = 0, cookie = 0;
	(void)part;
	if (!image)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	int result = read_header(input, &image->header, &size, &cookie, error);
	if (!result)
		result = read_data(input, image, size, cookie, error);
	if (result) {
		free(image->data);
		free(image);
		return result;
	}
	const uint64_t base = input->base + image->start, left = input->size == GIM_UNKNOWN ? GIM_UNKNOWN : input->size - image->start;
	gim_input_wrap(input, &image->layer, &gim_layer_libvirt, input->seekable, left);
	input->base = base;
	return 0;
}

static int read_stream(struct gim_layer *layer, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error)
{
	const struct image *image = (struct image *)(void *)layer;
	const uint64_t most = UINT64_MAX - image->start;
	return gim_input_read(&layer->below, image->start + (offset < most ? offset : most), bytes, size_bytes, got, error);
}

static int describe(struct gim_layer *layer, struct gim_state *state, struct gim_error *error)
{
	const struct image *image = (struct image *)(void *)layer;
	struct gim_object *object = gim_state_object(state, &libvirt_record, error);
	if (!object)
		return GIM_E_MEMORY;
	*(struct libvirt *)(void *)object->data = image->header;
	memset(object->presence, GIM_STORED, sizeof(struct libvirt));
	if (!image->header.cookie.bytes)
		object->presence[offsetof(struct libvirt, cookie)] = GIM_ABSENT;
	return 0;
}

static struct gim_text settings(const struct gim_layer *layer)
{
	return ((const struct image *)(const void *)layer)->header.xml;
}

const struct gim_layer_kind gim_layer_libvirt = {
    .within = "in the libvirt save image",
    .bid = bid,
    .more = true,
    .open = open_image,
    .read = read_stream,
    .end = end_image,
    .record = &libvirt_record,
    .describe = describe,
    .settings = settings,
};
