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
	uint64_t offset; /* byte offset in the file, or in the unit's payload when `unit` is set; GIM_UNKNOWN when none applies */
	char unit[64];   /* "NAME/INSTANCE" of the unit that it is in, or "" */
	char path[128];  /* the field, e.g. "hyperv.vp[1].sint[3]", or "" */
	char text[256];  /* one sentence: what was found, what was expected */
};

#define GIM_ERROR_INIT                                                                                                                     \
	{                                                                                                                                  \
		0, NULL, GIM_UNKNOWN, "", "", ""                                                                                           \
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
};

struct gim_finding {
	const struct gim_rule *rule;
	uint64_t offset;  /* in the file, GIM_UNKNOWN when none applies */
	const char *unit; /* "NAME/INSTANCE", NULL outside units */
	const char *path; /* the field, NULL when none applies */
	const char *text; /* what was found and what was expected */
};

/* Called once a finding; all pointers live only during the call. */
typedef void gim_report_fn(void *user, const struct gim_finding *finding);

/* Called every now and then during long work: bytes done of total (GIM_UNKNOWN for a pipe). Return non-zero to stop: GIM_E_STOPPED. */
typedef int gim_progress_fn(void *user, uint64_t done_bytes, uint64_t total_bytes);

/*
 * A state: one open container and what was decoded of it. Not thread-safe; different states are independent.
 */
struct gim_state;

/* Open the state at path ("-": standard input) and read its header. *state is the caller's: gim_state_free. */
int gim_state_open(const char *path, struct gim_state **state, struct gim_error *error);

/* The same on an open descriptor (a file, or a pipe or socket that is read once, forward), which stays the caller's. */
int gim_state_open_fd(int fd, struct gim_state **state, struct gim_error *error);

/* The same on bytes in memory, which must outlive the state. */
int gim_state_open_memory(const void *bytes, size_t size_bytes, struct gim_state **state, struct gim_error *error);

/* Close and free; *state becomes NULL. NULL and a pointer to NULL are fine. */
void gim_state_free(struct gim_state **state);

/*
 * Units: the named parts of a container.
 */
#define GIM_PASS_FINAL UINT32_MAX

struct gim_unit {
	char name[49];
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

/* What was decoded as JSON (docs/gimstate-json.md): an object {"source": …, "gim": …, …} of the records named in names (comma-separated; NULL: all that were
 * decoded). A new reference, the caller's. */
int gim_state_json(const struct gim_state *state, const char *names, struct json_t **json, struct gim_error *error);

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
};

typedef int gim_field_info_fn(void *user, const struct gim_field_info *info);

/* Visit every field of every record, in table order. layout (NULL: all) keeps to those that this layout holds, e.g. "vbox-hyperv-4". */
int gim_fields_visit(const char *layout, gim_field_info_fn *visit, void *user, struct gim_error *error);

/* Visit the named bits and values of the field at path (as in gim_field_info): name, lowest bit and width, or value (width 0), help. */
typedef int gim_name_info_fn(void *user, const char *name, uint64_t low_or_value, unsigned width_bits, const char *help);
int gim_names_visit(const char *path, gim_name_info_fn *visit, void *user, struct gim_error *error);

/*
 * Changing and writing.
 */
/* Change one decoded field of the guest interface to what text says: a number (decimal, 0x…), the name of a value, true or false, names of bits ("a,b" replaces
 * all, "+a,-b" changes some), or a text. GIM_E_PATH, GIM_E_VALUE: the sentence says what it takes. */
int gim_state_set(struct gim_state *state, const char *path, const char *text, struct gim_error *error);

/* Convert the decoded guest interface to another version of its layout, e.g. "vbox-hyperv-3". report (may be NULL) gets a finding for each field that is filled with its
 * default (note), dropped with its default (note) or lost with its value (error). 0: nothing is lost, 1: something is, or a negative code, and nothing
 * has changed. */
int gim_state_convert(struct gim_state *state, const char *layout, gim_report_fn *report, void *user, struct gim_error *error);

/* The name of the layout in which a release ("vbox:5.2") writes the state's guest interface. */
int gim_layout_of_release(const struct gim_state *state, const char *release, char *layout, size_t size_bytes, struct gim_error *error);

/* Write the state with the guest interface as it is now; nothing else changes, and without a change all bytes are those of the input, which must be a file
 * or memory. sink as in gim_output_write. */
int gim_state_write(struct gim_state *state, gim_sink_fn *sink, void *user, struct gim_error *error);

/* A file that is written: its name stands for the old one until commit has made the new one last. replace: the name may stand for a file
 * already, whose mode is kept. *output is the caller's: commit or discard. */
struct gim_output;
int gim_output_new(const char *path, bool replace, struct gim_output **output, struct gim_error *error);
/* As a gim_sink_fn; output is the struct gim_output. A refused write is told by commit. */
int gim_output_write(void *output, const void *bytes, size_t size_bytes);
/* Make it last, and free; on failure the temporary is gone and the old file is whole. */
int gim_output_commit(struct gim_output **output, struct gim_error *error);
/* Forget it, and free. NULL and a pointer to NULL are fine. */
void gim_output_discard(struct gim_output **output);

/*
 * Verify.
 */
struct gim_verify_options {
	bool quick;                /* only what opening checks: header, directory and footer */
	unsigned threads;          /* 0: as many as there are processors, at most 4 */
	gim_progress_fn *progress; /* may be NULL; a state in which something is found is gone through twice */
	void *progress_user;
};

/* Judge the integrity of the state at path ("-": standard input). Every finding goes to report. 0: no errors among them, 1: errors, or a negative code when there
 * is no answer (it cannot be read at all). options may be NULL. */
int gim_verify(const char *path, const struct gim_verify_options *options, gim_report_fn *report, void *user, struct gim_error *error);
int gim_verify_memory(const void *bytes, size_t size_bytes, const struct gim_verify_options *options, gim_report_fn *report, void *user,
                      struct gim_error *error);

#ifdef __cplusplus
}
#endif
#endif
