/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the probe language (probe.c), the words of its lines (probe_words.c) and its operations (probe_operations.c) share. */
#ifndef PROBE_SESSION_H
#define PROBE_SESSION_H

#include "probe.h"

enum {
	WORDS_MAX = 24,
	PROBE_LINE_MAX_BYTES = 4096,
	SCRIPT_MAX_BYTES = 4 << 20,
	NAME_BYTES = 32,
	VARIABLES_MAX = 256,
	RESULT_BYTES = 1024,
	PLACE_BYTES = 88
};

struct probe_line {
	unsigned number;
	uint32_t vcpu;
	bool time;
	const char *label;  /* the last one so far */
	const char *source; /* operation and arguments, as they were written */
	const struct probe_operation *operation;
	char *words[WORDS_MAX]; /* the arguments */
	unsigned count;
};

struct probe {
	char *name;
	char *text; /* all words lie in it, each ended by NUL */
	struct probe_line *lines;
	size_t count;
};

struct probe_variable {
	char name[NAME_BYTES];
	uint64_t value;
};

/* A script that is run, or (without an engine) only checked. */
struct probe_session {
	struct probe_run *run;
	struct engine *engine; /* NULL: only check the arguments */
	const struct probe *probe;
	const struct probe_line *line;
	struct probe_variable variables[VARIABLES_MAX];
	unsigned variable_count;
	struct probe_line judged; /* what an expectation judges: the last operation that something can be expected of; all 0: none */
	uint32_t read_bytes;      /* by it */
	struct probe *kept;       /* in which that line stands, of a session that is run line by line */
	bool judges;              /* this line does */
	struct guest_outcome outcome;
	uint64_t value;         /* of the last operation that gave one; 0 of a fault */
	uint64_t (*taken)[256]; /* interrupts and messages before this script */
	uint64_t (*messages)[16];
	struct gim_state *saved;   /* the machine's state, while nothing has been done since */
	char result[RESULT_BYTES]; /* what the operation says of itself */
	char reason[RESULT_BYTES];
	enum probe_verdict verdict;
	struct gim_error *error;
};

/* What an expectation can judge of an operation. The later ones have a value, too. */
enum probe_gives { GIVES_NOTHING, GIVES_FAULT, GIVES_VALUE, GIVES_BYTES, GIVES_CPUID, GIVES_REGISTERS };

struct probe_operation {
	const char *name, *arguments, *help;
	unsigned min, max; /* words after the name */
	enum probe_gives gives;
	int (*run)(struct probe_session *session);
};

/* The row of an operation; NULL: there is none. */
const struct probe_operation *probe_operation(const char *name);
const char *probe_fault_name(enum guest_fault fault);

/*
 * Words. Each is the number of an argument; a value that cannot be had, or is out of range, is refused with the place. Nothing is said of numbers that only a run gives.
 */
const char *probe_place(const struct probe_session *session, char place[PLACE_BYTES]);
int probe_refuse(struct probe_session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));
void probe_say(struct probe_session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));
const struct probe_variable *probe_variable(const struct probe_session *session, const char *name, size_t length);
int probe_take_value(struct probe_session *session, const char *word, size_t length, uint64_t *value);
int probe_value(struct probe_session *session, unsigned word, uint64_t *value);
int probe_number(struct probe_session *session, unsigned word, uint64_t max, uint64_t *value);
int probe_vcpu(struct probe_session *session, unsigned word, uint32_t *vcpu);
int probe_range(struct probe_session *session, unsigned word, uint64_t *low, uint64_t *high);
int probe_hex(struct probe_session *session, unsigned word, uint8_t *bytes, size_t max, uint32_t *size);
uint32_t probe_named_size(const char *text);
int probe_size(struct probe_session *session, unsigned word, uint32_t *size);
int probe_msr(struct probe_session *session, unsigned word, uint32_t *msr);
bool probe_is_known(const struct probe_session *session, const char *word);

#endif
