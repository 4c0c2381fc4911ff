/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoding a stream's sections into the state's records. */
#ifndef GIM_QEMU_DECODE_H
#define GIM_QEMU_DECODE_H

#include "qemu/record.h"
#include "qemu/stream.h"

/* The guest's memory. (memory.c) */
extern const struct gim_memory_format qemu_memory;

/* As gim_state_decode and gim_state_decode_unit. */
int qemu_decode(struct gim_state *state, unsigned parts, gim_report_fn *report, void *user, struct gim_error *error);
int qemu_decode_section(struct gim_state *state, const struct qemu_section *section, gim_report_fn *report, void *user,
                        struct gim_error *error);

/* The same of a section that lies in a bundle: by our tables, as no description comes with it. */
int qemu_decode_packed(struct gim_state *state, const struct gim_unit *unit, const uint8_t *bytes, size_t size, gim_report_fn *report,
                       void *user, struct gim_error *error);

/* As the format's interface. */
int qemu_interface(struct gim_state *state, const struct gim_provider *provider, struct gim_error *error);

/* Does a description or a table say what is in it? */
bool qemu_decodable(const struct qemu_section *section);

/* A section as a unit. */
void qemu_fill_unit(const struct qemu_stream *stream, const struct qemu_section *section, struct gim_unit *unit);

/* Which one of the sections of that name and instance is it? */
uint32_t qemu_order(const struct qemu_stream *stream, const struct qemu_section *section);

/* Sections that were read to find items in. */
struct qemu_loaded {
	const struct qemu_section *section;
	uint8_t *bytes;
	size_t size;
	struct qemu_part *parts;
	size_t part_count, used; /* the parts end there */
	bool changed;
	bool removed; /* it is not to be written */
};

/* A section that the stream does not have. */
struct qemu_added {
	struct qemu_section section; /* without a place */
	struct qemu_loaded loaded;
	const struct qemu_section *behind; /* its place is behind this one */
};

struct qemu_items {
	struct qemu_stream *stream;
	struct qemu_loaded *loaded; /* one for each of the stream's devices, once it was asked for */
	struct qemu_added *added;   /* NULL: there is none */
	struct gim_error failure;   /* why one could not be read when it was; the first */
};

int qemu_items_open(struct qemu_items *items, struct qemu_stream *stream, struct gim_error *error);
void qemu_items_close(struct qemu_items *items);

/* A number and where it is. */
struct qemu_place {
	enum gim_presence presence; /* implied: its subsection is not there */
	uint64_t number;
	struct qemu_loaded *loaded; /* the section that it is in, or would be in; absent: NULL */
	size_t at;                  /* stored: in the section's bytes */
	unsigned width;             /* stored: all of its bytes are there */
	uint32_t subsection;        /* implied: its subsection's place in the newest table of the section */
	uint64_t offset;            /* in the input, of a section that was not changed; GIM_UNKNOWN: it is not stored */
};

/* The number "section:field" of the instance-th section of that name. */
int qemu_items_locate(struct qemu_items *items, const char *name, uint32_t instance, uint32_t index, struct qemu_place *place,
                      struct gim_error *error);

/* The same as gim_items.get. */
int qemu_items_get(void *items, const char *name, uint32_t instance, uint32_t index, uint64_t *number, struct gim_error *error);

/* The same as gim_items.put: subsections are added where QEMU would write them, and taken out where it would not. */
int qemu_items_put(void *items, const char *name, uint32_t instance, uint32_t index, uint64_t number, struct gim_error *error);

/* The same as gim_items.omit: where it stands in a subsection, it becomes what the subsection would be left out for. */
int qemu_items_omit(void *items, const char *name, uint32_t instance, uint32_t index, struct gim_error *error);

/* The release that the machine type names, e.g. 7.2 of pc-i440fx-7.2; 0.0: none. (optional.c) */
void qemu_machine_release(const struct qemu_configuration *configuration, unsigned *major, unsigned *minor);

/* As the format's place. */
int qemu_place_make(struct gim_state *state, const struct gim_provider *provider, const char *item, bool there, struct gim_error *error);

/* Take out the optional sections of which the object says that they are not there. */
int qemu_items_remove(struct qemu_items *items, const struct gim_layout *layout, const struct gim_object *object, struct gim_error *error);

/* Add the optional section that a number "section:field" is in; 1: there is none for it. */
int qemu_items_add(struct qemu_items *items, const char *name, struct gim_error *error);

/* The stream's section of that place in its list, read if need be. */
int qemu_items_at(struct qemu_items *items, size_t index, struct qemu_loaded **loaded, struct gim_error *error);

/* Let size bytes at a place of a section become other bytes. */
int qemu_loaded_splice(struct qemu_loaded *loaded, size_t at, size_t size, const uint8_t *bytes, size_t new_size, struct gim_error *error);

/* Is a part a subsection of the section itself? Those inside others are in their description. */
bool qemu_part_own(const struct qemu_loaded *loaded, const struct qemu_part *part);

/* Leave out what a release does not know, and report it as lost; and report what is not known (notes). 1: there is something of the two. (release.c) */
int qemu_leave_out(struct qemu_items *items, const struct gim_release *release, gim_report_fn *report, void *user, struct gim_error *error);

/* As the format's check_release: what qemu_leave_out would leave out, and whether the machine is too new. */
int qemu_check_release(struct gim_state *state, const struct gim_release *release, gim_report_fn *report, void *user,
                       struct gim_error *error);

/* The instance-th section of that name, read if need be; NULL: there is none. */
int qemu_items_load(struct qemu_items *items, const char *name, size_t name_length, uint32_t instance, struct qemu_loaded **loaded,
                    struct gim_error *error);

/* Cut a section that was changed into its parts again. */
int qemu_loaded_split(struct qemu_loaded *loaded, struct gim_error *error);

/* How many sections of that name there are. */
uint32_t qemu_items_count(const struct qemu_items *items, const char *section);

/* Report where vCPUs differ in what is the VM's, of all layouts. */
int qemu_compare_vcpus(struct qemu_items *items, gim_report_fn *report, void *user, struct gim_error *error);

/* Is a CPU property in use? */
struct qemu_enlightenment;
bool qemu_in_use(struct qemu_items *items, const struct qemu_enlightenment *enlightenment);

/* Of a stream in libvirt's save image: store what the description of the VM configures, in the record "qemu", and report where the stream is another's. */
struct gim_object;
int qemu_decode_configured(struct gim_state *state, struct qemu_items *items, struct gim_object *object, gim_report_fn *report, void *user,
                           struct gim_error *error);

#endif
