/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public interface of libgimstate: open a saved state, list and read its units, read its fields, judge it. */
#ifndef GIMSTATE_H
#define GIMSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct json_t; /* jansson's value; include <jansson.h> to use one */

#define GIM_VERSION "0.1.0"
/* An offset, a size or a count that is not known. */
#define GIM_UNKNOWN UINT64_MAX

/*
 * Errors.
 *
 * Functions that can fail return int: 0 (or a documented positive value) or one of these negative codes. Their last parameter is a
 * caller-owned struct gim_error that may be NULL; the first failure wins, so one object can serve a chain of calls. On failure no output
 * parameter is touched, unless its description says otherwise. The library never prints, exits, logs or keeps global state.
 */
enum gim_code {
	GIM_OK = 0,

	/* Your argument. */
	GIM_E_ARGUMENT = -1,    /* a parameter is out of its documented range */
	GIM_E_PATH = -2,        /* there is no such field */
	GIM_E_VALUE = -3,       /* the field does not take that value */
	GIM_E_NO_UNIT = -4,     /* the state holds no such unit */
	GIM_E_UNSUPPORTED = -5, /* this container or this version cannot do that */

	/* The input. */
	GIM_E_FORMAT = -20,    /* not a saved state that we know; the sentence says what it may be */
	GIM_E_VERSION = -21,   /* a known container, unit or blob in a version that nobody wrote */
	GIM_E_TRUNCATED = -22, /* it ends too early */
	GIM_E_CORRUPT = -23,   /* a checksum or a structure is wrong */
	GIM_E_LIMIT = -24,     /* it asks for more than the documented limit */

	/* The world. */
	GIM_E_IO = -40,      /* the system refused to open, read or write; the sentence has its reason */
	GIM_E_MEMORY = -41,  /* out of memory */
	GIM_E_STOPPED = -42, /* a callback returned non-zero */
};

struct gim_error {
	int code;                    /* enum gim_code; 0: no error yet */
	const struct gim_rule *rule; /* the rule that the input breaks, NULL when there is none for it */
	uint64_t offset;             /* byte offset in the file; GIM_UNKNOWN when none applies */
	uint64_t payload_offset;     /* of what was decoded: byte offset in the payload of `unit`, unpacked; else GIM_UNKNOWN */
	char unit[272];              /* "NAME/INSTANCE" of the unit that it is in, or "" */
	char path[128];              /* the field, e.g. "hyperv.vp[1].sint[3]", or "" */
	char text[256];              /* one sentence: what was found, what was expected */
};

#define GIM_ERROR_INIT                                                                                                                     \
	{                                                                                                                                  \
		0, NULL, GIM_UNKNOWN, GIM_UNKNOWN, "", "", ""                                                                              \
	}

/* A code's symbolic name, e.g. "truncated". Never NULL. */
const char *gim_code_name(int code);

/*
 * Findings: what verify (and later check and diff) has to say; many at once, in the order of the file.
 */
enum gim_severity { GIM_NOTE, GIM_WARNING, GIM_ERROR };

/* What is judged: a row of a table. Rules live as long as the library. */
struct gim_rule {
	const char *id;             /* stable, e.g. "SSM-UNIT-CRC" */
	enum gim_severity severity; /* of its findings */
	int code;                   /* enum gim_code: what a call that cannot go on returns */
	int status;                 /* what VirtualBox answers, 0 when it does not look */
	const char *status_name;    /* e.g. "VERR_SSM_INTEGRITY_CRC", NULL when there is none */
	const char *help;           /* what must hold */
	const char *why;            /* what happens where it does not */
	const char *mend;           /* what to do about it */
	const char *source;         /* where the fact is from */
	bool tools;                 /* the status is what tools of VirtualBox say; it loads the state all the same */
	const char *after;          /* ids of rules, spaces between: where one of them is broken this one is not judged; or NULL */
};

/* Visit all rules that there are, of verify, check and every other command; non-zero stops, and is returned. */
typedef int gim_rule_fn(void *user, const struct gim_rule *rule);
int gim_rules_visit(gim_rule_fn *visit, void *user);

/* The rule of that id; NULL: there is none. */
const struct gim_rule *gim_rule_find(const char *id);

struct gim_finding {
	const struct gim_rule *rule;
	enum gim_severity severity; /* the rule's, unless what is judged for makes it more */
	uint64_t offset;            /* in the file, GIM_UNKNOWN when none applies */
	const char *unit;           /* "NAME/INSTANCE", NULL outside units */
	const char *path;           /* the field, NULL when none applies */
	const char *text;           /* what was found and what was expected */
};

/* Called once a finding; all pointers live only during the call. */
typedef void gim_report_fn(void *user, const struct gim_finding *finding);

/* Called every now and then during long work: bytes done of total (GIM_UNKNOWN for a pipe). Return non-zero to stop: GIM_E_STOPPED. */
typedef int gim_progress_fn(void *user, uint64_t done_bytes, uint64_t total_bytes);

/*
 * A state: one open container and what was decoded of it. Not thread-safe; different states are independent.
 */
struct gim_state;

/* Open the state at path and read its header. "-" is standard input, "FILE//NAME" the file of that name in a tar or zip archive, or the snapshot of that
 * name in a qcow2 image. What is in libvirt's save images is found; gzip, bzip2, xz, zstd and lzop are unpacked, as a stream that is read once, forward. *state is the caller's: gim_state_free. */
int gim_state_open(const char *path, struct gim_state **state, struct gim_error *error);

/* The same, so that any part can be read at any time, as gim_state_write needs it: a stream is copied to a file without a name, in $TMPDIR or /var/tmp. */
int gim_state_open_settled(const char *path, struct gim_state **state, struct gim_error *error);

/* The same on an open descriptor (a file, or a pipe or socket that is read once, forward), which stays the caller's. */
int gim_state_open_fd(int fd, struct gim_state **state, struct gim_error *error);

/* The same on bytes in memory, which must outlive the state. */
int gim_state_open_memory(const void *bytes, size_t size_bytes, struct gim_state **state, struct gim_error *error);

/* Load now the libraries that are loaded when they are needed (for what is packed, for digests), where the first bytes of the file at path say that reading it takes
 * them (path NULL: in any case). For a program that gives up its rights before it reads. They stay loaded. 1: that was so, and reading may take a file without a
 * name in $TMPDIR or /var/tmp, too; 0: nothing is needed; or a negative code. */
int gim_prepare(const char *path, struct gim_error *error);

/* How much of a path names a file: all of it, but for "FILE//NAME", where it is the length of FILE. */
size_t gim_path_file(const char *path);

/* Is it a part of its file, so that written in the file's place it would take the rest away: in an archive, an image of a disk, libvirt's save image? */
bool gim_state_is_part(const struct gim_state *state);

/* Close and free; *state becomes NULL. NULL and a pointer to NULL are fine. */
void gim_state_free(struct gim_state **state);

/*
 * Snapshots: the states that one image of a disk holds. A path names one as "IMAGE//NAME", by its name or else its id.
 */
struct gim_snapshot {
	const char *id, *name;
	uint64_t state_bytes; /* 0: it is one of the disk alone */
	uint64_t date_s;      /* since 1970 */
	uint64_t vm_clock_ns; /* how long the VM had run */
};

/* Visit the snapshots of the image at path (or of that which path names a snapshot of), in their order. snapshot and its texts live during the call; non-zero
 * stops, and is returned. GIM_E_NO_UNIT: it is no image with snapshots. */
typedef int gim_snapshot_fn(void *user, const struct gim_snapshot *snapshot);
int gim_snapshots_visit(const char *path, gim_snapshot_fn *visit, void *user, struct gim_error *error);

/*
 * Units: the named parts of a container.
 */
#define GIM_PASS_FINAL UINT32_MAX
#define GIM_UNIT_NAME_BYTES 256 /* the longest name that QEMU can write, terminated */

struct gim_unit {
	char name[GIM_UNIT_NAME_BYTES];
	uint32_t instance;
	uint32_t version;
	uint32_t pass;          /* of a live save: 0, 1, 2…; GIM_PASS_FINAL for the last and for every other save */
	uint64_t offset;        /* of its header in the file */
	uint64_t stored_bytes;  /* header and data as they are in the file; GIM_UNKNOWN before it was walked */
	uint64_t payload_bytes; /* unpacked; GIM_UNKNOWN before it was walked */
	bool decodable;         /* there is a table for it in this version */
};

/* Walk over all units in the order of the file. Start with *unit all zero; 1: *unit is the next one, 0: no more, or a negative code. Reads
 * the whole file once. On a pipe it can be done once, and nothing else after it. */
int gim_unit_next(struct gim_state *state, struct gim_unit *unit, struct gim_error *error);

/* The unit (name, instance) of that pass. Reads only the directory where the container has one. */
int gim_unit_find(struct gim_state *state, const char *name, uint32_t instance, uint32_t pass, struct gim_unit *unit,
                  struct gim_error *error);

/* Takes a piece of a payload; non-zero stops the reading. */
typedef int gim_sink_fn(void *user, const void *bytes, size_t size_bytes);

/* Hand a unit's unpacked payload to sink, piece by piece, in constant memory. unit comes from find or next. */
int gim_unit_read(struct gim_state *state, const struct gim_unit *unit, gim_sink_fn *sink, void *user, struct gim_error *error);

/*
 * Fields. A path is "record.field", "record.list[i].field", "record.array[i]".
 */
enum gim_presence {
	GIM_ABSENT,  /* the layout cannot hold it */
	GIM_IMPLIED, /* the layout could hold it and omits its default */
	GIM_STORED,
};

enum gim_value_kind { GIM_VALUE_NUMBER, GIM_VALUE_BYTES };

struct gim_field;

struct gim_value {
	const struct gim_field *field; /* the row that describes it */
	enum gim_presence presence;
	enum gim_value_kind kind;
	unsigned width_bytes; /* of a number: 1, 2, 4 or 8 */
	uint64_t number;      /* the raw value, as stored */
	const char *bytes;    /* of a byte string, not terminated; lives as long as the state */
	size_t length_bytes;
};

/* Parts that can be decoded on demand; each is decoded once. */
enum gim_part {
	GIM_PART_GIM = 1,   /* the guest interface: gim.*, and hyperv.* or kvm.* */
	GIM_PART_GUEST = 2, /* all other units that have a table: guest.*, vbox.* */
	GIM_PART_INFO = 4,  /* the few of those that say what the state is: vCPUs, RAM, TSC, host */
	GIM_PART_PAGES =
	    8, /* what the guest interface keeps in guest memory: hyperv_pages.*, kvm_pages.*; of a state that is open settled */
};

/*
 * Decode parts (a sum of enum gim_part). What was decoded before an error stays: its fields are stored, the rest absent. report (may be NULL) gets
 * what is odd but not fatal: bytes left undecoded, a vCPU count that disagrees, a unit that is missing.
 */
int gim_state_decode(struct gim_state *state, unsigned parts, gim_report_fn *report, void *user, struct gim_error *error);

/* Decode only this unit. */
int gim_state_decode_unit(struct gim_state *state, const struct gim_unit *unit, gim_report_fn *report, void *user, struct gim_error *error);

/* Called once a leaf, in table order; non-zero stops. path and value live during the call. */
typedef int gim_visit_fn(void *user, const char *path, const struct gim_value *value);

/* Visit the leaves at or below path (NULL: all) of what was decoded. GIM_E_PATH when there is no such field; 0 leaves of an empty list are no error. A
 * stop by the callback is returned as its value. */
int gim_state_visit(const struct gim_state *state, const char *path, gim_visit_fn *visit, void *user, struct gim_error *error);

/* The parts that must be decoded before path can be read; 0 when nothing has that name. */
unsigned gim_state_parts(const struct gim_state *state, const char *path);

/* Print a value: "0x14001", "hyperv", "5.2 GHz" are not mixed: text gives the value itself, meaning what it stands for ("enabled, page 0x14000"), or "". Both
 * return the length that the whole text has, as snprintf does. */
size_t gim_value_text(const struct gim_value *value, char *text, size_t size_bytes);
size_t gim_value_meaning(const struct gim_value *value, char *text, size_t size_bytes);

/* What the tables say of a value's field: what it is, and which specification that is from; "" where nothing is said. Both live as long as the library. */
const char *gim_value_help(const struct gim_value *value);
const char *gim_value_source(const struct gim_value *value);
/* Where a specification that the tables name ("TLFS, timers") can be read; NULL: nowhere that is known. */
const char *gim_source_url(const char *source);

/* What was decoded as JSON (docs/gimstate-json.md): an object {"source": …, "gim": …, …} of the records named in names (comma-separated; NULL: all that were
 * decoded). A new reference, the caller's. */
int gim_state_json(const struct gim_state *state, const char *names, struct json_t **json, struct gim_error *error);

/* One value in its JSON form. A new reference, the caller's; NULL when memory is out. */
struct json_t *gim_value_json(const struct gim_value *value);

/*
 * Diff: two states field by field, whatever containers and layouts they are in.
 */
enum gim_difference_kind {
	/* Differences of the guest. */
	GIM_DIFF_CHANGED, /* both hold it, with other values */
	GIM_DIFF_ONLY_A,  /* only the first state holds it, and not at its default: a field, an item of a list, a record of the interface */
	GIM_DIFF_ONLY_B,
	GIM_DIFF_BACK, /* a clock that reads less in the second state */
	/* These count only with exact. */
	GIM_DIFF_CLOCK,   /* a clock that went on */
	GIM_DIFF_DEFAULT, /* one state's layout cannot hold it, and the other has its default */
	GIM_DIFF_FORM,    /* by whom and how the state was written */
	GIM_DIFF_ORDER,   /* a list with the same items in another order */
	GIM_DIFF_APART,   /* a record beside the interface (guest, vbox) of which one state says nothing */
	GIM_DIFF_KINDS
};

struct gim_difference {
	enum gim_difference_kind kind;
	bool counts;
	const char *path;              /* a field's; of a list, an item or a record where they differ as a whole */
	const char *key;               /* which item it is in, of a list whose order says nothing: "leaf 0x1, subleaf 0x0"; or "" */
	const struct gim_value *a, *b; /* NULL where a whole list, item or record differs */
};

struct gim_diff_options {
	const char *path; /* only what is at or below it; NULL: all */
	bool exact;       /* every kind counts */
};

struct gim_diff_counts {
	uint64_t of[GIM_DIFF_KINDS]; /* differences by kind */
	uint64_t steps;              /* leaves compared and items matched: grows with the size of the states, and no faster */
};

/* Called once a difference, in table order; all pointers live only during the call; non-zero stops. */
typedef int gim_difference_fn(void *user, const struct gim_difference *difference);

/* Compare what was decoded of two states. options, counts and visit may be NULL. 0: no difference that counts, 1: some, or a negative
 * code, or what visit returned. */
int gim_state_diff(const struct gim_state *a, const struct gim_state *b, const struct gim_diff_options *options, gim_difference_fn *visit,
                   void *user, struct gim_diff_counts *counts, struct gim_error *error);

/* A kind's name, e.g. "only-a". Never NULL. */
const char *gim_difference_name(enum gim_difference_kind kind);

/*
 * The tables themselves.
 */
struct gim_field_info {
	const char *path; /* with [] for a list or an array of records, [n] for an array of n values */
	const char *kind; /* u8, u16, u32, u64, text, bytes */
	const char *show; /* hex, decimal, address, flags, enum… */
	const char *help;
	uint64_t reset;      /* what it is after a reset */
	const char *layouts; /* space-separated names of the layouts that can hold it */
	const char *source;  /* which specification it is from, as gim_value_source; "" where nothing is said */
};

typedef int gim_field_info_fn(void *user, const struct gim_field_info *info);

/* Visit every field of every record, in table order. layout (NULL: all) keeps to those that this layout holds, e.g. "vbox-hyperv-4", or those of a release,
 * e.g. "qemu-7.2". */
int gim_fields_visit(const char *layout, gim_field_info_fn *visit, void *user, struct gim_error *error);

/* Visit the named bits and values of the field at path (as in gim_field_info): name, lowest bit and width, or value (width 0), help. */
typedef int gim_name_info_fn(void *user, const char *name, uint64_t low_or_value, unsigned width_bits, const char *help);
int gim_names_visit(const char *path, gim_name_info_fn *visit, void *user, struct gim_error *error);

/* Say that there is no field of that path, and which one is perhaps meant. Returns GIM_E_PATH. */
int gim_field_missing(const char *path, struct gim_error *error);

/* How many letters must be changed, added, left out or swapped to make a known word of a mistaken one; case and '-' for '_' do not count. GIM_WORD_FAR: so
 * many that another one is meant. */
#define GIM_WORD_FAR UINT32_MAX
unsigned gim_word_distance(const char *word, const char *known);

/*
 * Changing and writing.
 */
/* Change one decoded field of the guest interface to what text says: a number (decimal, 0x…), the name of a value, true or false, names of bits ("a,b" replaces
 * all, "+a,-b" changes some), or a text. GIM_E_PATH, GIM_E_VALUE: the sentence says what it takes. */
int gim_state_set(struct gim_state *state, const char *path, const char *text, struct gim_error *error);

/* Replace the decoded guest interface by that of another state, e.g. of a JSON document, from which GIM_PART_GIM must be decoded too. It must have the state's
 * provider (any, with gim_only: the state's other units then name the old one), a layout of the state's container, and the fields that this layout holds, no
 * more and no fewer. GIM_E_VALUE: the sentence says what is expected. A state that holds the interface in no unit of its own (QEMU's) takes it as by gim_state_carry, and
 * nothing changes when something would be lost. */
int gim_state_set_from(struct gim_state *state, const struct gim_state *from, bool gim_only, struct gim_error *error);

/* Convert the decoded guest interface to another version of its layout, e.g. "vbox-hyperv-3", or to a layout of another provider, which then begins at its reset values
 * and is written with gim_only. report (may be NULL) gets a finding for each field that is filled with its
 * default (note), dropped with its default (note) or lost with its value (error). 0: nothing is lost, 1: something is, or a negative code, and nothing
 * has changed. */
int gim_state_convert(struct gim_state *state, const char *layout, gim_report_fn *report, void *user, struct gim_error *error);

/* Carry the guest interface of another state, of any hypervisor, over into this one; of both GIM_PART_GIM and GIM_PART_GUEST must be decoded. What the state's
 * containers keep beside it stays. report (may be NULL) gets a finding for each field that is carried over, derived (clocks go on at the time of the
 * save), filled with its default, lost with its value (error), or left to the machine's configuration. 0: nothing is lost, 1: something is, or a negative
 * code. */
int gim_state_carry(struct gim_state *state, const struct gim_state *from, gim_report_fn *report, void *user, struct gim_error *error);

/* Hand to sink the payload of VirtualBox's unit GIM that holds the decoded guest interface in a layout, e.g. "vbox-hyperv-4": of a machine that was saved before
 * load_done, the bytes that were loaded. What the layout cannot hold is left out. */
int gim_state_payload(struct gim_state *state, const char *layout, gim_sink_fn *sink, void *user, struct gim_error *error);

/* Report what else of the state a release ("vbox:5.2") would not take, since only the guest interface is converted: units in versions that it does not load, features of the
 * guest that it does not offer (warnings), and units of which that is not known (a note). Reads the units' headers. 1: there is something, 0: nothing, or a negative
 * code. */
int gim_state_check_release(struct gim_state *state, const char *release, gim_report_fn *report, void *user, struct gim_error *error);

/* The name of the layout in which a release ("vbox:5.2") writes the state's guest interface. */
int gim_layout_of_release(const struct gim_state *state, const char *release, char *layout, size_t size_bytes, struct gim_error *error);

struct gim_write_options {
	/* A feature word is changed in the GIM unit alone. Else it is changed in the CPUID leaves that the container saves, too (VirtualBox's unit cpum), or the
	 * state is not written. */
	bool gim_only;
	/* NULL: the input's own. "2.0": VirtualBox's newest; what the header of an old one lacks is taken from the next two. */
	const char *container;
	const char *release;   /* the same, as this release ("vbox:5.2") writes it, where it is one of its own containers; NULL: none */
	const char *producer;  /* VERSIONrREVISION, e.g. "7.2.22r175245"; NULL: 2.0.0r1, as old as the container that does not say it */
	unsigned host_bits;    /* 32 or 64; 0: 64 */
	gim_report_fn *report; /* what changes beside the guest interface; may be NULL */
	void *report_user;
};

/* Write the state with the guest interface as it is now; all else is copied, and without a change all bytes are those of the input, which must be a file
 * or memory (of a JSON document a pipe will do). options may be NULL. sink as in gim_output_write; NULL: only find out what would change, and whether it can be written. */
int gim_state_write(struct gim_state *state, const struct gim_write_options *options, gim_sink_fn *sink, void *user,
                    struct gim_error *error);

/*
 * Bundles: a state, or parts of one, in a portable archive, gimstate-bundle(5). A bundle is opened like any other state.
 */
/* Does the name of a file say that it is one: OUT.gimb, OUT.zip, OUT.tar and OUT.tar.gz, .bz2, .xz or .zst? */
bool gim_bundle_is_name(const char *path);

/* What an embedder adds to a bundle: memory of the guest, from an address on, or, once, the rest of its machine (gimstate-bundle(5), machine.json). */
struct gim_pack_member {
	const char *name;
	bool memory;
	uint64_t gpa;
	const void *bytes;
	uint64_t size_bytes;
};

struct gim_pack_options {
	const char *name;             /* of the file that is written: .zip is a zip archive, all others are tar archives; may be NULL */
	const char *source_name;      /* of the file that the state comes from, for the manifest; NULL: it has none */
	const struct gim_unit *units; /* to be packed beside the unit GIM */
	size_t unit_count;
	bool whole;                            /* pack all that the state holds */
	const struct gim_pack_member *members; /* to be packed behind it */
	size_t member_count;
	struct gim_write_options write; /* what is packed is what gim_state_write would write */
};

/* Pack the state, which must be open settled, with the guest interface as it is now. The same input gives the same bytes; sink as in gim_output_write, whose
 * file compresses them by its name. manifest (may be NULL) gets a new reference to the manifest. */
int gim_state_pack(struct gim_state *state, const struct gim_pack_options *options, gim_sink_fn *sink, void *user, struct json_t **manifest,
                   struct gim_error *error);

/* Told of a member of a bundle before its bytes: they go to *sink with *sink_user; NULL, as it is before: they are only checked. Negative: stop with this
 * failure. */
typedef int gim_member_fn(void *user, const char *name, uint64_t size_bytes, gim_sink_fn **sink, void **sink_user, struct gim_error *error);

/* Read the bundle at path: all members in their order, the manifest first. Their names are relative, of plain characters, and each stands there once.
 * What was handed out is good only if all of it was: whether a member is what the manifest says is known at its end. */
int gim_bundle_read(const char *path, gim_member_fn *member, void *user, struct gim_error *error);

/* A file that is written: its name stands for the old one, or for none, until commit has made the new one last, whatever happens in between. replace: the name
 * may stand for a file already, whose mode is kept (and whose owner, where that is allowed). A symbolic link is refused, not followed. *output is the
 * caller's: commit or discard. */
struct gim_output;
int gim_output_new(const char *path, bool replace, struct gim_output **output, struct gim_error *error);
/* As a gim_sink_fn; output is the struct gim_output. A refused write is told by commit, or by failure: 0 when none was refused, so that somebody else stopped who wrote. */
int gim_output_write(void *output, const void *bytes, size_t size_bytes);
int gim_output_failure(const struct gim_output *output, struct gim_error *error);
/* Does its name ask for compression? Then it is written in order; else places can be written, by several threads at once, and what is between them reads as zeros. A
 * file is written in one way or the other. resize says how long it is, before the most of it is written: a large file then goes past the page cache to the disk where that
 * can be done, which is quickest with bytes that lie, and go, at borders of 4096. */
bool gim_output_is_packed(const struct gim_output *output);
int gim_output_write_at(struct gim_output *output, uint64_t offset, const void *bytes, size_t size_bytes, struct gim_error *error);
int gim_output_resize(struct gim_output *output, uint64_t size_bytes, struct gim_error *error);
/* Make it last, and free. On failure no temporary is left, and the old file is whole; or the new one, when only its folder could not be synced. */
int gim_output_commit(struct gim_output **output, struct gim_error *error);
/* Forget it, and free. NULL and a pointer to NULL are fine. */
void gim_output_discard(struct gim_output **output);
/* In a signal handler of a program that ends then: take away what stands in the folder under a name that is not yet the file's. It can be called there at any time. */
void gim_output_abandon(const struct gim_output *output);

/*
 * The runtime core: a machine that offers its guest one interface, and brings a saved one to life.
 *
 * The embedder runs the vCPUs; the machine answers what the interface defines: MSRs, CPUID leaves, hypercalls, pages, timers, clocks. It
 * has no threads, no globals and no time of its own: the same calls at the same times give the same answers. A machine is used by one thread
 * at a time; different machines are independent.
 *
 * Life: new (configure), init, [register_device], init_completed, [load, load_done], then accesses, advance, save, reset, relocate in any
 * order, free. A step out of order is GIM_E_ARGUMENT. A machine has one provider at most, and never another one. docs/examples/embed.c.
 */
struct gim_machine;

/* How a guest's access ended; no error of ours, so there is no struct gim_error. */
enum gim_access {
	GIM_ACCESS_DONE,     /* answered */
	GIM_ACCESS_NOT_OURS, /* the interface has no such MSR, leaf or page: the embedder answers */
	GIM_ACCESS_GP,       /* raise #GP(0) in the guest */
	GIM_ACCESS_UD,       /* raise #UD in the guest */
};

/* What opens an MSR or a hypercall. */
enum gim_gating {
	GIM_GATING_WORDS,    /* the CPUID words that the guest was shown, as a real hypervisor does */
	GIM_GATING_PRODUCER, /* also what the state's producer serves without showing it (VirtualBox: all that it has) */
};

struct gim_setting {
	const char *key; /* of the provider, e.g. "vendor"; an unknown one is refused */
	const char *value;
};

struct gim_machine_config {
	const char *provider;      /* "none", "minimal", "hyperv", "kvm" */
	uint32_t provider_version; /* 0: the newest, resolved at once */
	uint32_t vcpus;            /* 1 to 1024, ids 0 to vcpus - 1 */
	uint64_t tsc_hz;           /* of the guest's TSC: above 10 MHz, at most 1 THz */
	uint64_t apic_hz;          /* of the APIC timer; 0: 1 GHz */
	uint64_t ram_bytes;        /* of ordinary RAM from address 0, a multiple of 4096 */
	void *ram; /* the embedder's, of ram_bytes; NULL: the machine's own, zeroed, unless the host has memory_read and _write */
	enum gim_gating gating; /* of a machine without a state; loading a VirtualBox layout sets GIM_GATING_PRODUCER, unless keep_gating */
	bool keep_gating;
	const struct gim_setting *settings; /* setting_count of them */
	size_t setting_count;
};

/* A range of vCPUs' translations that a hypercall asks to flush; a callback's argument. */
struct gim_flush {
	uint32_t vcpu;          /* that asks */
	const uint64_t *vcpus;  /* set of the vCPUs concerned, bit n % 64 of word n / 64 */
	uint64_t address_space; /* CR3 value; all_spaces: any */
	bool all_spaces, global_too;
	const uint64_t *ranges; /* TLFS: page address with the number of further pages in the low 12 bits; count 0: everything */
	uint32_t range_count;
};

/* What a guest says that crashes; a callback's argument. */
struct gim_crash {
	uint32_t vcpu;
	uint64_t parameters[5];
	const char *message; /* length bytes, not terminated; NULL when it gave none */
	size_t message_bytes;
	bool no_dump;
};

/* A page that the interface lays over guest memory: read-only, 4096 bytes. */
struct gim_page {
	const char *name;     /* e.g. "hyperv.hypercall_page" */
	uint64_t gpa;         /* GIM_UNKNOWN: not mapped */
	const uint8_t *bytes; /* live: changes until the next callback are seen */
};

/*
 * What the embedder offers. Each may be NULL; the comment says what happens then. They are called from within calls to the machine, and must not call it.
 */
struct gim_host {
	void *user;
	/* The guest's TSC now; never goes back. NULL: the built-in clock, moved by gim_machine_step. */
	uint64_t (*tsc)(void *user);
	/* Nanoseconds since 1970. NULL: those of the built-in clock. */
	uint64_t (*utc_ns)(void *user);
	/* Guest-physical memory without the machine's pages; non-zero when a byte of it is no ordinary RAM. Both or none; NULL:
	 * config.ram. */
	int (*memory_read)(void *user, uint64_t gpa, void *bytes, size_t size_bytes);
	int (*memory_write)(void *user, uint64_t gpa, const void *bytes, size_t size_bytes);
	/* Raise an edge-triggered interrupt at a vCPU's local APIC; auto_eoi: there will be no EOI. NULL: the built-in local APIC, with
	 * gim_machine_interrupt. */
	void (*interrupt)(void *user, uint32_t vcpu, uint8_t vector, bool auto_eoi);
	/* The local APIC's registers, by their offset (0x80 TPR, 0xb0 EOI, 0x300 ICR as 64 bits); non-zero refuses: #GP. Go with
	 * interrupt. */
	int (*apic_read)(void *user, uint32_t vcpu, uint32_t offset, uint64_t *value);
	int (*apic_write)(void *user, uint32_t vcpu, uint32_t offset, uint64_t value);
	/* A vCPU that halts shall run: KVM's kick, and an interrupt at the built-in local APIC. NULL: nothing. */
	void (*wake)(void *user, uint32_t vcpu);
	/* The guest asks for a reset; the embedder calls gim_machine_reset when all vCPUs stand. */
	void (*reset)(void *user);
	void (*crash)(void *user, const struct gim_crash *crash);
	/* TLB flushes. NULL: they succeed and do nothing. */
	void (*flush)(void *user, const struct gim_flush *flush);
	/* A page was mapped, moved, changed or unmapped. */
	void (*page)(void *user, const struct gim_page *page);
	/* Time that a vCPU ran, and that it wanted to run and could not, in ns. NULL: it always runs. */
	uint64_t (*vcpu_ran_ns)(void *user, uint32_t vcpu);
	uint64_t (*vcpu_waited_ns)(void *user, uint32_t vcpu);
	/* The debugger's transport: send a packet; receive one (at most size_bytes), 0: there is none. NULL: no debugger. Return bytes,
	 * or negative. */
	int64_t (*debug_send)(void *user, const void *bytes, size_t size_bytes);
	int64_t (*debug_receive)(void *user, void *bytes, size_t size_bytes);
	/* A sentence for the log. */
	void (*log)(void *user, enum gim_severity severity, const char *text);
};

/* Configure: everything is checked, nothing runs yet. host is copied. *machine is the caller's: gim_machine_free. */
int gim_machine_new(const struct gim_machine_config *config, const struct gim_host *host, struct gim_machine **machine,
                    struct gim_error *error);
/* The provider comes to life; then, after the embedder's own devices did, what depends on them (frequencies, pages' device). */
int gim_machine_init(struct gim_machine *machine, struct gim_error *error);
int gim_machine_init_completed(struct gim_machine *machine, struct gim_error *error);
/* The emulated device that carries the interface's pages is there; before it, a guest cannot enable one. Between init and
 * init_completed. */
int gim_machine_register_device(struct gim_machine *machine, struct gim_error *error);
/* End it. NULL and a pointer to NULL are fine. */
void gim_machine_free(struct gim_machine **machine);

/* Take over a state's guest interface (decoded here when it was not yet), before the guest runs. Refused, with VirtualBox's status in
 * error->rule: another provider, versions that nobody wrote, another number of vCPUs, pages of another size or where no RAM is, a
 * payload too short or too long. report (may be NULL) gets a note for each field that the state's layout could not hold, and what it
 * became. A failure leaves the machine as it was. Guest memory, restored by then, is written and clocks go on only with load_done. The
 * built-in clock and local APICs are taken over too. */
int gim_machine_load(struct gim_machine *machine, struct gim_state *state, gim_report_fn *report, void *user, struct gim_error *error);
int gim_machine_load_done(struct gim_machine *machine, struct gim_error *error);
/* The machine's whole state as a native one (docs/gimstate-json.md): every field of the interface is stored; gim_state_json prints it.
 * Guest memory is not in it. *state is the caller's: gim_state_free. */
int gim_machine_save(struct gim_machine *machine, struct gim_state **state, struct gim_error *error);
/* Back to what it was after init; pages are unmapped, and time goes on. */
int gim_machine_reset(struct gim_machine *machine, struct gim_error *error);
/* config.ram has moved in the host; its content is the same. */
int gim_machine_relocate(struct gim_machine *machine, void *ram, struct gim_error *error);

/* A guest's accesses. vcpu: its id. cpuid fills regs with eax, ebx, ecx, edx; a leaf that the interface does not define is NOT_OURS,
 * leaf 1 too, whose ecx bit 31 says that there is a hypervisor. Outside its phases a machine answers nothing. */
enum gim_access gim_machine_rdmsr(struct gim_machine *machine, uint32_t vcpu, uint32_t msr, uint64_t *value);
enum gim_access gim_machine_wrmsr(struct gim_machine *machine, uint32_t vcpu, uint32_t msr, uint64_t value);
enum gim_access gim_machine_cpuid(struct gim_machine *machine, uint32_t vcpu, uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);

/* The registers of a hypercall, changed to what they are after it. */
struct gim_registers {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, r8;
	uint64_t xmm[12]; /* xmm0 to xmm5, the low word first */
	uint8_t cpl;
	bool real_mode, long_mode; /* long_mode: 64-bit code */
};
enum gim_access gim_machine_hypercall(struct gim_machine *machine, uint32_t vcpu, struct gim_registers *registers);

/* Guest-physical memory as the guest sees it: with the machine's pages; what is written to those is ignored. */
int gim_machine_read(struct gim_machine *machine, uint64_t gpa, void *bytes, size_t size_bytes, struct gim_error *error);
int gim_machine_write(struct gim_machine *machine, uint64_t gpa, const void *bytes, size_t size_bytes, struct gim_error *error);
/* The index-th page; false: there are no more. */
bool gim_machine_page(const struct gim_machine *machine, unsigned index, struct gim_page *page);

/* The guest's TSC now. */
uint64_t gim_machine_tsc(const struct gim_machine *machine);
/* The TSC at which something is due; GIM_UNKNOWN: nothing is. Then, or later, advance does it. */
uint64_t gim_machine_deadline(const struct gim_machine *machine);
void gim_machine_advance(struct gim_machine *machine);
/* Move the built-in clock by so many TSC ticks, doing what falls due at its own time. */
void gim_machine_step(struct gim_machine *machine, uint64_t ticks);

/* The built-in local APIC: the vector that the vCPU takes now, which is then in service; negative: none. eoi: the guest ended the
 * interrupt in service; with the embedder's own APIC, that of `vector`. */
int gim_machine_interrupt(struct gim_machine *machine, uint32_t vcpu);
void gim_machine_eoi(struct gim_machine *machine, uint32_t vcpu, uint8_t vector);

/* A vCPU is about to run, or stopped running (KVM's steal time and preempted flag). */
void gim_machine_run(struct gim_machine *machine, uint32_t vcpu, bool running);

/* Visit the counters: name ("hypercalls", "msr.HV_X64_MSR_EOM.writes") and value; those of value 0 too. Or as JSON, a new reference. */
typedef int gim_counter_fn(void *user, const char *name, uint64_t value);
int gim_machine_counters(const struct gim_machine *machine, gim_counter_fn *counter, void *user);
int gim_machine_counters_json(const struct gim_machine *machine, struct json_t **json, struct gim_error *error);

/* Visit the MSRs of the interface, in order of number. info and its texts live during the call; non-zero stops, and is returned. */
struct gim_msr_info {
	uint32_t msr;
	const char *name;        /* the specification's */
	const char *path;        /* of the state's field, "" when there is none */
	bool readable, writable; /* by the guest, now */
	bool computed;           /* what is read is not the field's value, but follows from it: a time, a capability */
};
typedef int gim_msr_fn(void *user, const struct gim_msr_info *info);
int gim_machine_msrs(const struct gim_machine *machine, uint32_t vcpu, gim_msr_fn *visit, void *user);

/* The debugger's transport has data: the guest's pending byte is set. */
void gim_machine_debug_ready(struct gim_machine *machine);

/*
 * Hyper-V from the embedder's side: what a device of a virtual bus does. GIM_E_ARGUMENT where the provider is another one.
 */
enum gim_connection_kind { GIM_CONNECTION_MESSAGE, GIM_CONNECTION_EVENT };
/* What HvPostMessage or HvSignalEvent to this connection id (24 bits) reach: a vCPU's SINT, and an event's flag number. vcpu GIM_NO_VCPU
 * takes the connection away. Connections stay through a reset; a save keeps them, and a load adds the state's to those that there are. */
#define GIM_NO_VCPU UINT32_MAX
int gim_machine_connect(struct gim_machine *machine, enum gim_connection_kind kind, uint32_t id, uint32_t vcpu, uint8_t sint, uint16_t flag,
                        struct gim_error *error);
/* Send a message (at most 240 bytes) to a SINT, set an event flag, or only raise the SINT. Returns the TLFS status (0: success). */
uint16_t gim_machine_post(struct gim_machine *machine, uint32_t vcpu, uint8_t sint, uint32_t type, const void *payload, size_t size_bytes);
uint16_t gim_machine_signal(struct gim_machine *machine, uint32_t vcpu, uint8_t sint, uint16_t flag);
uint16_t gim_machine_raise(struct gim_machine *machine, uint32_t vcpu, uint8_t sint);

/* KVM: a page that the vCPU wants is not there (ready false: at CPL 3, or at any when MSR 0x4b564d02 has bit 1; the embedder raises #PF
 * with CR2 = token), or has come (true: by an interrupt). 0: the guest was told; 1: it cannot be told now: it waits for the page, or the
 * embedder asks again later. */
int gim_machine_async_fault(struct gim_machine *machine, uint32_t vcpu, uint32_t token, bool ready);

/*
 * Verify.
 */
struct gim_verify_options {
	bool quick;                /* only what opening checks: header, directory and footer */
	unsigned threads;          /* 0: as many as there are processors, at most 4 */
	gim_progress_fn *progress; /* may be NULL; a state in which something is found is gone through twice */
	void *progress_user;
	const struct gim_verify_hooks *hooks; /* how the library itself listens in; NULL */
};

/* Judge the integrity of the state at path ("-": standard input). Every finding goes to report. 0: no errors among them, 1: errors, or a negative code when there
 * is no answer (it cannot be read at all). options may be NULL. */
int gim_verify(const char *path, const struct gim_verify_options *options, gim_report_fn *report, void *user, struct gim_error *error);
int gim_verify_memory(const void *bytes, size_t size_bytes, const struct gim_verify_options *options, gim_report_fn *report, void *user,
                      struct gim_error *error);

/*
 * Guest memory: the guest's physical address space in a state that holds its RAM, and devices' memory that the state holds beside it.
 */
struct gim_memory;

enum gim_memory_kind {
	GIM_MEMORY_HOLE,      /* nothing is there */
	GIM_MEMORY_RAM,       /* a page of RAM with content */
	GIM_MEMORY_ZERO,      /* a page of RAM that is all zeros */
	GIM_MEMORY_BALLOONED, /* a page of RAM that the guest gave back; it reads as zeros */
	GIM_MEMORY_MISSING,   /* a page of RAM of which the state says nothing; it reads as zeros, as after a reset */
	GIM_MEMORY_ROM,       /* as the guest reads it: where a ROM is shadowed by RAM, that */
	GIM_MEMORY_DEVICE,    /* a device's own memory */
	GIM_MEMORY_KINDS
};

/* A kind's name, e.g. "ballooned". Never NULL. */
const char *gim_memory_kind_name(enum gim_memory_kind kind);

struct gim_memory_range {
	enum gim_memory_kind kind; /* GIM_MEMORY_RAM, GIM_MEMORY_ROM or GIM_MEMORY_DEVICE */
	uint64_t gpa;              /* GIM_UNKNOWN: the state does not say where the guest sees it */
	uint64_t size_bytes;       /* whole pages */
	char name[96];             /* what it is for its hypervisor, or "" */
};

struct gim_memory_options {
	gim_progress_fn *progress; /* of the index; may be NULL */
	void *progress_user;
};

/* Find the memory of a state that is open settled, which must live as long as *memory. Goes through the page records once, and keeps where each page is: about 1/512 of the
 * size of the RAM. options may be NULL. GIM_E_NO_UNIT: it holds none. *memory is the caller's: gim_memory_free. */
int gim_memory_open(struct gim_state *state, const struct gim_memory_options *options, struct gim_memory **memory, struct gim_error *error);
void gim_memory_free(struct gim_memory **memory);

/* Write the index, and later find the memory by it, without going through the records: the file at path is one that was written for this very state. GIM_E_IO: it cannot be read;
 * GIM_E_FORMAT: it is no index; GIM_E_VALUE: of another state, or of this one before it changed; GIM_E_VERSION, GIM_E_CORRUPT and others: it is of no use, open the
 * memory without it. GIM_E_UNSUPPORTED: of such a state none is kept. Whatever is in it, nothing but the state's own bytes is read by it. sink as in gim_output_write. */
int gim_memory_index_write(struct gim_memory *memory, gim_sink_fn *sink, void *user, struct gim_error *error);
int gim_memory_open_index(struct gim_state *state, const char *path, struct gim_memory **memory, struct gim_error *error);

/* How much RAM the guest has; where its address space ends, behind the last range that has a place in it; and how much memory the index takes. */
uint64_t gim_memory_ram_bytes(const struct gim_memory *memory);
uint64_t gim_memory_end(const struct gim_memory *memory);
uint64_t gim_memory_index_bytes(const struct gim_memory *memory);

/* The index-th range: those in the address space by rising address, then the others. False: there are no more. */
bool gim_memory_range(const struct gim_memory *memory, unsigned index, struct gim_memory_range *range);

/* What is at an address, and (size_bytes may be NULL) for how many bytes from there on it is the same; of a hole behind the last range GIM_UNKNOWN. */
enum gim_memory_kind gim_memory_at(const struct gim_memory *memory, uint64_t gpa, uint64_t *size_bytes);

/* Read guest-physical memory. GIM_E_ARGUMENT, with the address, where a byte is in a hole. On failure it is not known what bytes hold. A memory is read by one
 * thread at a time. */
int gim_memory_read(struct gim_memory *memory, uint64_t gpa, void *bytes, size_t size_bytes, struct gim_error *error);
/* The same within the index-th range, from an offset on, whether or not it has a place in the address space. */
int gim_memory_read_range(struct gim_memory *memory, unsigned index, uint64_t offset, void *bytes, size_t size_bytes,
                          struct gim_error *error);

/* Memory between holes, read. */
struct gim_memory_chunk {
	uint64_t gpa;
	size_t size_bytes; /* up to 1 MiB */
	size_t
	    more_bytes; /* that follow in the address space and are there too: as many as were asked for, or as there are before a hole */
	const uint8_t *bytes; /* all of it */
	const uint8_t *kinds; /* enum gim_memory_kind of each page, the first the one that gpa is in */
};

struct gim_memory_walk {
	uint64_t gpa, end;         /* from here to there; end 0: to the end of the address space */
	size_t more_bytes;         /* to be shown behind each chunk, at most 1 MiB */
	bool skip_zeros;           /* leave out zeros from where a chunk would begin, and so whatever has nothing else */
	unsigned threads;          /* that look; 0: as many as there are processors, at most 4 */
	gim_progress_fn *progress; /* may be NULL */
	void *progress_user, *user;
	/* Called by any of the threads, in any order; *kept, NULL before, is what done gets. A negative code fails the walk with *error, another non-zero value stops it.
	 * May be NULL. */
	int (*look)(void *user, const struct gim_memory_chunk *chunk, void **kept, struct gim_error *error);
	/* Called in the caller's thread, in the order of addresses; chunk's bytes are gone. Non-zero stops. May be NULL. */
	int (*done)(void *user, const struct gim_memory_chunk *chunk, void *kept);
	/* What was kept and will not be done. May be NULL. */
	void (*drop)(void *user, void *kept);
};

/* Go through guest-physical memory. */
int gim_memory_walk(struct gim_memory *memory, const struct gim_memory_walk *walk, struct gim_error *error);

enum gim_export {
	GIM_EXPORT_RAW, /* a place in the file is an address, up to the end of the RAM */
	GIM_EXPORT_ELF, /* an ELF64 core of x86-64: a segment for each range, at its address, and a thread for each vCPU */
};

struct gim_export_options {
	unsigned threads; /* 0: twice as many as there are processors, since they wait for the disk, and at most 8 */
	gim_progress_fn *progress;
	void *progress_user;
};

/* Write memory as the guest reads it to a file, which has holes where it is zeros, unless its name asks for compression. options may be NULL. The file is the caller's: to be
 * committed or discarded. */
int gim_memory_export(struct gim_memory *memory, enum gim_export form, const struct gim_export_options *options, struct gim_output *output,
                      struct gim_error *error);

/* Visit the structures that guest interfaces keep in guest memory, e.g. "pvclock"; non-zero stops, and is returned. */
typedef int gim_page_kind_fn(void *user, const char *name, const char *help, size_t size_bytes);
int gim_page_kinds_visit(gim_page_kind_fn *visit, void *user);

/* Take bytes for such a structure, and visit the leaves of it. GIM_E_ARGUMENT: there is no such kind. */
int gim_page_decode(const char *kind, const void *bytes, size_t size_bytes, gim_visit_fn *visit, void *user, struct gim_error *error);

/* Visit the instructions that bytes at an address are, of 16-, 32- or 64-bit code: bytes that are none are told by themselves, as "(bad)". text lives during the call;
 * non-zero stops. Loads libcapstone. */
typedef int gim_instruction_fn(void *user, uint64_t address, const uint8_t *bytes, size_t size_bytes, const char *text);
int gim_disassemble(const void *bytes, size_t size_bytes, uint64_t address, unsigned bits, gim_instruction_fn *visit, void *user,
                    struct gim_error *error);

/*
 * Finding states, and telling contents apart.
 */
/* Does the file begin like a saved state, when it is unpacked if need be, or is it a whole state in JSON that begins with "gimstate"?
 * What holds one that cannot be reached is one too: an image with several snapshots, a save image that is damaged. 1: yes; 0: no; negative: it cannot be read. */
int gim_state_probe(const char *path, struct gim_error *error);

/* The SHA-256 of a file's bytes as they are, and of bytes in memory, as 64 hexadecimal digits. */
#define GIM_DIGEST_TEXT 65
int gim_digest_file(const char *path, char text[GIM_DIGEST_TEXT], struct gim_error *error);
int gim_digest_memory(const void *bytes, size_t size_bytes, char text[GIM_DIGEST_TEXT], struct gim_error *error);

/*
 * Check: will a state load into a target and run there?
 */
/* What a state would be loaded into: as much as is known of it. What is not known is not judged. */
struct gim_target;

/* Open the target that text names: a release ("vbox:7.2"), also with a command line ("qemu:7.2 -M pc -smp 2"), a VM's settings file (.vbox, or
 * libvirt's XML, also as "libvirt:FILE"), a profile (JSON), or a state ("state:FILE",
 * or the bare path), which stands for what it was saved by; "@vbox:7.2" after one of the others says which release loads it. state
 * (may be NULL): the path of the state that is to be checked, by which the right snapshot's settings are found. *target is the
 * caller's: gim_target_free. */
int gim_target_open(const char *text, const char *state, struct gim_target **target, struct gim_error *error);

/* The same of a profile in memory (docs/gimstate-json.md); name is what it is called. */
int gim_target_open_json(const char *name, const char *json, size_t size_bytes, struct gim_target **target, struct gim_error *error);

/* Free; *target becomes NULL. NULL and a pointer to NULL are fine. */
void gim_target_free(struct gim_target **target);

/* What it is called, as it was opened. */
const char *gim_target_name(const struct gim_target *target);

/* Does it depend on the state that it was opened for, as the settings of a snapshot do? */
bool gim_target_is_for_state(const struct gim_target *target);

/* The target as a profile. A new reference, the caller's. */
int gim_target_json(const struct gim_target *target, struct json_t **json, struct gim_error *error);

/* Called once for each set of settings in a settings file: the machine's own (snapshot NULL) and each snapshot's, with the path of its
 * state file, NULL when it has none. Non-zero stops. */
typedef int gim_setup_fn(void *user, const char *snapshot, const char *state);
int gim_settings_visit(const char *path, gim_setup_fn *visit, void *user, struct gim_error *error);

/* A state that was read once, to be judged for any number of targets. */
struct gim_check;

/* Read the state at path ("-": standard input, of which a pipe is copied to a file without a name); options may be NULL. A damaged state is no failure, since it can be judged. *check is
 * the caller's: gim_check_free. */
int gim_check_open(const char *path, const struct gim_verify_options *options, struct gim_check **check, struct gim_error *error);
int gim_check_open_memory(const void *bytes, size_t size_bytes, const struct gim_verify_options *options, struct gim_check **check,
                          struct gim_error *error);

/* Judge it for one target. Every finding goes to report, what a loader meets first first. 0: it fits (no errors among them), 1: it
 * does not, or a negative code. */
int gim_check_target(struct gim_check *check, const struct gim_target *target, gim_report_fn *report, void *user, struct gim_error *error);

void gim_check_free(struct gim_check **check);

/* The same of what was decoded of a state, and perhaps changed since, whatever its container is. */
int gim_state_check(const struct gim_state *state, const struct gim_target *target, gim_report_fn *report, void *user,
                    struct gim_error *error);

#ifdef __cplusplus
}
#endif
#endif
