/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An open state from inside: its input, its container, and the objects decoded so far; and what a container format and a provider must offer. */
#ifndef GIM_STATE_H
#define GIM_STATE_H

#include "field.h"
#include "input.h"

/* Where the state comes from: what the container's header says. The record "source". */
struct source {
	struct gim_text format;    /* the format's name, e.g. "vbox" */
	struct gim_text container; /* e.g. "VirtualBox saved state 2.0" */
	struct gim_text producer;  /* VERSIONrREVISION, e.g. "7.2.22r175245" */
	struct gim_text release;   /* e.g. "vbox:7.2" */
	struct gim_text host_os;   /* e.g. "linux.amd64" */
	uint64_t size_bytes;
	uint32_t units;
	uint8_t host_bits, address_bytes, pointer_bytes;
	uint8_t checksummed, live;
};
extern const struct gim_record source_record;

/* The GIM unit's head, and what stands around the provider's payload. The record "gim". */
struct gim {
	uint32_t unit_version;
	uint32_t provider;          /* VirtualBox's id */
	uint32_t provider_version;  /* 0: newest */
	struct gim_text layout;     /* derived: which layout read it, e.g. "vbox-hyperv-4" */
	struct gim_text interfaces; /* derived, of containers without a GIM unit: which interfaces are in use */
	struct gim_text trailing;   /* bytes after the provider's payload; a sound unit has none */
	uint8_t delimiter;          /* 0xff after the HyperV blobs 2 to 4 */
};
extern const struct gim_record gim_record;

/* The file that a state in a bundle was packed from. */
struct gim_origin {
	char name[256];      /* "": not known */
	uint64_t size_bytes; /* GIM_UNKNOWN: it was in no file */
	uint8_t sha256[32];
};

/* Of a page of guest memory. */
#define GIM_PAGE_BYTES 4096

#define GIM_OBJECTS_MAX 16

struct gim_state {
	struct gim_input input;
	bool settled; /* the input can be seeked, or is made so */
	struct gim_arena arena;
	const struct gim_format *format;
	void *container;                            /* the format's own */
	struct gim_object objects[GIM_OBJECTS_MAX]; /* top records in the order of output; present once decoded */
	size_t object_count;
	const struct gim_origin *origin; /* in the arena; NULL: it is in no bundle */
	unsigned decoded;                /* parts done (enum gim_part) */
	unsigned damaged;                /* those of them that could not be decoded to their end */
	unsigned info_units; /* the format's own: a bit for each unit of GIM_PART_INFO that it has decoded whole, and need not again */
	bool gim_whole;      /* the GIM unit was decoded to its end */
	bool
	    fields_only; /* it holds fields and no units: what is written are the fields, whatever layout they are of, and from any input */
	struct gim_codec codec;  /* what the container's header says of all payloads */
	const char *unit_format; /* whose layouts the GIM unit has, when they are another format's than the container */
	uint32_t layout_version; /* of the provider layout that read the GIM unit; 0: none did */
};

/* A state of this format that no input was opened for; its objects are added, and it counts as decoded. The caller's: gim_state_free. */
int gim_state_new(const char *format, struct gim_state **state, struct gim_error *error);

/* The object of a top record; created absent when it is not there yet. NULL when memory is out. */
struct gim_object *gim_state_object(struct gim_state *state, const struct gim_record *record, struct gim_error *error);
/* The same, NULL when nothing of that record was decoded. */
const struct gim_object *gim_state_find(const struct gim_state *state, const struct gim_record *record);
/* Show an object that the state does not have yet; it must live as long as the state. */
struct gim_object *gim_state_attach(struct gim_state *state, const struct gim_object *object);

/* The top record of that name among all that there are, and in *parts what decodes it; NULL when there is none. */
const struct gim_record *gim_record_find(const char *name, size_t length, unsigned *parts);

/* All of them, in their order. */
typedef void gim_record_fn(void *user, const struct gim_record *record);
void gim_records_visit(gim_record_fn *visit, void *user);

/* Store a derived or header value in an object and mark it stored. */
#define GIM_STORE(object, type, member, number)                                                                                            \
	(((struct type *)(void *)(object)->data)->member = (number), (object)->presence[offsetof(struct type, member)] = GIM_STORED)
/* The same for text; copied to the arena. */
int gim_store_text(struct gim_state *state, struct gim_object *object, size_t offset, const char *text, struct gim_error *error);

/* The leaf at path; absent when there is none. */
struct gim_value gim_state_value(const struct gim_state *state, const char *path);

/* Pass a finding on; report may be NULL. */
void gim_report(gim_report_fn *report, void *user, const struct gim_rule *rule, uint64_t offset, const char *unit, const char *path,
                const char *format, ...) __attribute__((format(printf, 7, 8)));

/* Units that are written with other payloads, in their order. */
#define GIM_CHANGES_MAX 8
struct gim_change {
	uint64_t offset; /* of the unit's header in the input */
	uint8_t *payload;
	size_t size;
};
struct gim_changes {
	struct gim_change items[GIM_CHANGES_MAX];
	size_t count;
};
/* Add one; takes the payload over, also on failure. */
/* A unit's payload, added to the buffer, which is empty. GIM_E_LIMIT: it is longer than limit bytes. */
int gim_unit_buffer(struct gim_state *state, const struct gim_unit *unit, size_t limit, struct gim_buffer *buffer, struct gim_error *error);

int gim_changes_add(struct gim_changes *changes, uint64_t offset, struct gim_buffer *payload, struct gim_error *error);
void gim_changes_free(struct gim_changes *changes);
/* What must change so that the state is written with the guest interface as it is now. *changes is empty before; free it also on failure. */
int gim_state_changes(struct gim_state *state, const struct gim_write_options *options, struct gim_changes *changes,
                      struct gim_error *error);

/* A word of a provider's record that a CPUID leaf shows, and that changes. */
#define GIM_CPUID_WORDS_MAX 16
struct gim_cpuid_word {
	const struct gim_cpuid_row *row;
	uint32_t before, after;
};

struct gim_provider;
struct gim_target;
struct gim_setup;
struct gim_check_rule;
struct gim_format;
struct gim_memory_format;
struct gim_page_provider;
/* Called once for each set of settings in a settings file (target.h); non-zero stops. */
typedef int gim_setup_visit_fn(void *user, struct gim_setup *setup);

/* How check listens in on verify. begin: the format is found; called again when what was told so far is void, since all of it comes
 * again. unit: a unit's header was passed. interface: the payload of the GIM unit, which is then not judged; whole: all that the unit
 * holds; more: a record follows that is in a loader's way, which holds nothing or cannot be unpacked. */
struct gim_verify_hooks {
	void *user;
	void (*begin)(void *user, const struct gim_format *format);
	void (*unit)(void *user, const struct gim_unit *unit);
	void (*interface)(void *user, const uint8_t *bytes, size_t size, bool whole, bool more);
};

/*
 * A container format: one file or folder under formats/, listed in formats[] (registry.c).
 */
struct gim_format {
	const char *name;   /* in layout names and release names, e.g. "vbox" */
	const char *title;  /* for people: "VirtualBox saved state" */
	const char *suffix; /* how a bundle names its file: ".sav"; NULL: none is packed whole */
	bool packed;        /* reading it takes what gim_prepare loads */
	bool copied;        /* reading it takes a file without a name, and nothing of that */
	/* How sure are we (0 to 100), from the first bytes of the input (at most GIM_BID_BYTES, fewer when it is shorter)? */
	int (*bid)(const uint8_t *head, size_t size);
	/* Without a magic of its own, is it one all the same? 1: yes; 0: no, or it may be anything else. NULL: what it bids for is one. */
	int (*probe)(struct gim_input *input, struct gim_error *error);
	/* Read the header; store the record `source`, state->codec and state->container. */
	int (*open)(struct gim_state *state, struct gim_error *error);
	void (*close)(struct gim_state *state); /* may be called after a failed open */
	/* As gim_unit_next, gim_unit_find, gim_unit_read. */
	int (*unit_next)(struct gim_state *state, struct gim_unit *unit, struct gim_error *error);
	int (*unit_find)(struct gim_state *state, const char *name, uint32_t instance, uint32_t pass, struct gim_unit *unit,
	                 struct gim_error *error);
	int (*unit_read)(struct gim_state *state, const struct gim_unit *unit, gim_sink_fn *sink, void *user, struct gim_error *error);
	/* As gim_state_decode and gim_state_decode_unit. */
	int (*decode)(struct gim_state *state, unsigned parts, gim_report_fn *report, void *user, struct gim_error *error);
	int (*decode_unit)(struct gim_state *state, const struct gim_unit *unit, gim_report_fn *report, void *user,
	                   struct gim_error *error);
	/* As gim_state_write, with these changes (none: the bytes of the input, when the container stays). The input can be seeked. NULL: cannot be written. */
	int (*write)(struct gim_state *state, const struct gim_changes *changes, const struct gim_write_options *options, gim_sink_fn *sink,
	             void *user, struct gim_error *error);
	/* Add what must change so that the saved CPUID leaves show these words, and report it; fail when that cannot be told. NULL: it saves no leaves. */
	int (*change_cpuid)(struct gim_state *state, const struct gim_cpuid_word *words, size_t count, struct gim_changes *changes,
	                    gim_report_fn *report, void *user, struct gim_error *error);
	/* Show a provider's record at what the container stands for where it holds nothing of that interface; its write then looks at the objects. NULL:
	 * it has a unit GIM, or none. */
	int (*interface)(struct gim_state *state, const struct gim_provider *provider, struct gim_error *error);
	/* Let a number of that name (gim_row.name) have a place where the container has none now, or none any more, in the provider's record, with what
	 * stands and falls with it. 1: it is none that could come and go. NULL: none can. */
	int (*place)(struct gim_state *state, const struct gim_provider *provider, const char *item, bool there, struct gim_error *error);
	/* Report what else of the state is another provider's than this. NULL: nothing can be. */
	int (*check_provider)(struct gim_state *state, const struct gim_provider *provider, gim_report_fn *report, void *user,
	                      struct gim_error *error);
	/* As gim_verify, on an open input. */
	int (*verify)(struct gim_input *input, const struct gim_verify_options *options, gim_report_fn *report, void *user,
	              struct gim_error *error);
	/* Does a VM's settings file of the product begin like this? And visit its sets of settings, the machine's own first; path:
	 * whose folder the paths in it count from. NULL: there are no such files. */
	bool (*settings_bid)(const uint8_t *head, size_t size);
	int (*settings)(struct gim_input *input, const char *path, gim_setup_visit_fn *visit, void *user, struct gim_error *error);
	/* Say of a target, whose release is set, what options of the product's command line say. NULL: they say nothing. */
	int (*options)(struct gim_target *target, const char *options, struct gim_error *error);
	/* Is there a table for a unit in this version? NULL: for none. */
	bool (*decodable)(const struct gim_unit *unit);
	/* As gim_state_pack with these changes, and gim_bundle_read on an open input. NULL: it is no format of bundles. */
	int (*pack)(struct gim_state *state, const struct gim_changes *changes, const struct gim_pack_options *options, gim_sink_fn *sink,
	            void *user, struct json_t **manifest, struct gim_error *error);
	int (*unpack)(struct gim_input *input, gim_member_fn *member, void *user, struct gim_error *error);
	const struct gim_memory_format *memory;  /* how guest memory is found in it (memory.h); NULL: it holds none */
	const struct gim_layout *const *layouts; /* of units and sections that no provider owns (guest, vbox); NULL-terminated */
	const struct gim_record *const *records; /* its own top records; NULL-terminated, may be NULL */
	/* Report the units that this release would not load; 1: there are some, 0: none, or a negative code. NULL: it is not known. */
	int (*check_release)(struct gim_state *state, const struct gim_release *release, gim_report_fn *report, void *user,
	                     struct gim_error *error);
	const struct gim_release *releases; /* that are known, in their order; version: of the container; ended by version 0; may be NULL */
	const struct gim_rule *rules;       /* what it judges when it reads or verifies: rule_count of them */
	size_t rule_count;
	const struct gim_check_rule *checks; /* what check judges of it (check.h); NULL: nothing */
};

#define GIM_BID_BYTES GIM_HEAD_BYTES

/* The format that bids highest for an input, which becomes what is wrapped in it (layer.h) if need be; GIM_E_FORMAT, with a sentence on what it may be, when none
 * does. */
int gim_format_find(struct gim_input *input, const struct gim_format **format, struct gim_error *error);

/*
 * A provider of a guest interface: one file or folder under providers/, listed in providers[] (registry.c).
 */
struct gim_provider {
	const char *name;                        /* as in gim.provider and paths: "hyperv" */
	const char *title;                       /* for people: "Microsoft Hyper-V" */
	uint32_t vbox_id;                        /* provider id in VirtualBox's GIM unit */
	const struct gim_record *record;         /* NULL: it saves nothing */
	const struct gim_layout *const *layouts; /* NULL-terminated */
	const struct gim_cpuid_row *cpuid;       /* which leaves show words of the record; NULL: none do */
	void (*carried)(
	    struct gim_object *object); /* compute what follows from registers that another hypervisor's state gave; may be NULL */
	void (*fresh)(struct gim_object *object); /* what a new state of the record has that is no field's reset value; may be NULL */
	const struct gim_runtime *runtime;        /* how it lives (machine.h) */
	const struct gim_rule *rules;             /* what it judges when it loads a state: rule_count of them */
	uint32_t rule_count;
	const struct gim_check_rule *checks;   /* what check judges of it (check.h); NULL: nothing */
	const struct gim_page_provider *pages; /* what it keeps in guest memory (pages.h); NULL: nothing */
};

extern const struct gim_format *const gim_formats[];     /* NULL-terminated, in order of bids */
extern const struct gim_provider *const gim_providers[]; /* NULL-terminated */
extern const struct gim_record guest_record;             /* guest.h */
extern const struct gim_record machine_state_record;     /* machine_record.h */

/* A sentence on what an input may be that no format knows ("looks like a VirtualBox disk image …"). (foreign.c) */
const char *gim_foreign_guess(const uint8_t *head, size_t size);

/*
 * The GIM unit (gim.c).
 */
enum gim_unit_rule {
	GIM_UNIT_VERSION,
	GIM_UNIT_PROVIDER,
	GIM_UNIT_BLOB_VERSION,
	GIM_UNIT_TEXT,
	GIM_UNIT_SHORT,
	GIM_UNIT_PAGE_SIZE,
	GIM_UNIT_VCPUS,
	GIM_UNIT_DELIMITER,
	GIM_UNIT_TRAILING,
	GIM_UNIT_CPUID,
	GIM_UNIT_RULES
};
extern const struct gim_rule gim_unit_rules[GIM_UNIT_RULES];

/*
 * Converting (convert.c).
 */
enum gim_convert_rule {
	GIM_CONVERT_FILLED,
	GIM_CONVERT_DROPPED,
	GIM_CONVERT_LOST,
	GIM_CONVERT_OFFER,
	GIM_CONVERT_CONTAINER,
	GIM_CONVERT_SUPPLIED,
	GIM_CONVERT_PROVIDER,
	GIM_CONVERT_CARRIED,
	GIM_CONVERT_DERIVED,
	GIM_CONVERT_CONFIGURED,
	GIM_CONVERT_RULES
};
extern const struct gim_rule gim_convert_rules[GIM_CONVERT_RULES];

/* What loading a state into a machine may find (machine_state.c). */
enum gim_load_rule {
	GIM_LOAD_PROVIDER,
	GIM_LOAD_FEWER_VCPUS,
	GIM_LOAD_MORE_VCPUS,
	GIM_LOAD_PAGE,
	GIM_LOAD_VERSION,
	GIM_LOAD_ABSENT,
	GIM_LOAD_RULES
};
extern const struct gim_rule gim_load_rules[GIM_LOAD_RULES];

/* The known release that a text names, e.g. "vbox:7.2", and the format that it writes. (release.c) */
int gim_release_find(const char *text, const struct gim_format **format, const struct gim_release **release, struct gim_error *error);

/* Decode a GIM unit's payload into state: gim.*, and the provider's record by its "vbox" layout. codec: the container's, with vcpus from other units when known.
 * Reports what it can decode but VirtualBox would not load, a vCPU count that disagrees, trailing bytes and a wrong delimiter. What was decoded before an
 * error stays. */
int gim_unit_decode(struct gim_state *state, const struct gim_codec *codec, uint32_t unit_version, const uint8_t *bytes, size_t size,
                    gim_report_fn *report, void *user, struct gim_error *error);

/* Whose layouts the GIM unit has. */
const char *gim_unit_format(const struct gim_state *state);

/* The provider that the decoded head names; NULL when there is none. */
const struct gim_provider *gim_unit_provider(const struct gim_state *state);

/* Whose layouts the GIM unit has: "vbox". */
const char *gim_unit_format(const struct gim_state *state);

/* The provider's layout of a format; NULL when there is none. */
const struct gim_layout *gim_layout_of(const struct gim_provider *provider, const char *format);

/* Let the guest interface be that of next, whose arena goes on to be the state's. (edit.c) */
void gim_unit_adopt(struct gim_state *state, const struct gim_state *next);

/* The list of what the unit holds of each vCPU, and its path; NULL when its layout holds nothing of them. */
const struct gim_list *gim_unit_vcpus(const struct gim_state *state, char *path, size_t size);

/* The provider's layout that FORMAT-PROVIDER-VERSION names, and its version; NULL when there is none. (convert.c) */
const struct gim_layout *gim_layout_find(const struct gim_provider *provider, const char *name, uint32_t *version);

/* Is this payload of the GIM unit, decoded again, what the state holds? Else the change that led to it is refused. */
int gim_unit_check(const struct gim_state *state, uint32_t unit_version, const struct gim_buffer *payload, struct gim_error *error);

/* Refuse, by rule, what was decoded and VirtualBox would not load: another unit version, pages of another size, trailing bytes. */
int gim_unit_accept(const struct gim_state *state, struct gim_error *error);

/* Append the payload of the GIM unit that the state's objects describe. */
int gim_unit_encode(const struct gim_state *state, const struct gim_codec *codec, struct gim_buffer *buffer, struct gim_error *error);
/* The same in this layout and codec->version; layout NULL: of a provider that saves nothing. */
int gim_unit_encode_as(const struct gim_state *state, const struct gim_layout *layout, const struct gim_codec *codec,
                       struct gim_buffer *buffer, struct gim_error *error);

#endif
