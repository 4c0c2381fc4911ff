/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The probe language: its table of operations, reading scripts, and running them on an engine. */
#include "probe.h"

#include "output.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	WORDS_MAX = 24,
	LINE_MAX_BYTES = 4096,
	SCRIPT_MAX_BYTES = 4 << 20,
	NAME_BYTES = 32,
	VARIABLES_MAX = 256,
	RESULT_BYTES = 1024,
	PLACE_BYTES = 88
};

struct line {
	unsigned number;
	uint32_t vcpu;
	bool time;
	const char *label;  /* the last one so far */
	const char *source; /* operation and arguments, as they were written */
	const struct operation *operation;
	char *words[WORDS_MAX]; /* the arguments */
	unsigned count;
};

struct probe {
	char *name;
	char *text; /* all words lie in it, each ended by NUL */
	struct line *lines;
	size_t count;
};

struct variable {
	char name[NAME_BYTES];
	uint64_t value;
};

/* A script that is run, or (without an engine) only checked. */
struct probe_session {
	struct probe_run *run;
	struct engine *engine; /* NULL: only check the arguments */
	const struct probe *probe;
	const struct line *line;
	struct variable variables[VARIABLES_MAX];
	unsigned variable_count;
	struct line judged;  /* what an expectation judges: the last operation that something can be expected of; all 0: none */
	uint32_t read_bytes; /* by it */
	struct probe *kept;  /* in which that line stands, of a session that is run line by line */
	bool judges;         /* this line does */
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
enum gives { GIVES_NOTHING, GIVES_FAULT, GIVES_VALUE, GIVES_BYTES, GIVES_CPUID, GIVES_REGISTERS };

struct operation {
	const char *name, *arguments, *help;
	unsigned min, max; /* words after the name */
	enum gives gives;
	int (*run)(struct probe_session *session);
};

/* "name:line: "; of a long path its end. */
static const char *place_of(const struct probe_session *session, char place[PLACE_BYTES])
{
	const char *name = session->probe->name;
	place[0] = '\0';
	if (!*name)
		return place; /* of a line that was typed */
	const size_t length = strlen(name), most = PLACE_BYTES - 24;
	const bool whole = length <= most;
	(void)snprintf(place, PLACE_BYTES, "%s%s:%u: ", whole ? "" : "...", whole ? name : name + length - most, session->line->number);
	return place;
}

static int refuse(struct probe_session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct probe_session *session, const char *format, ...)
{
	char text[240];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	char place[PLACE_BYTES];
	return error_set(session->error, GIM_E_ARGUMENT, "%s%s", place_of(session, place), text);
}

static void say(struct probe_session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct probe_session *session, const char *format, ...)
{
	const size_t used = strlen(session->result);
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(session->result + used, sizeof(session->result) - used, format, arguments);
	va_end(arguments);
}

/*
 * Values.
 */
static const struct variable *find_variable(const struct probe_session *session, const char *name, size_t length)
{
	for (unsigned i = 0; i < session->variable_count; i++)
		if (strlen(session->variables[i].name) == length && !memcmp(session->variables[i].name, name, length))
			return &session->variables[i];
	return NULL;
}

static int take_term(struct probe_session *session, const char *word, size_t length, uint64_t *value)
{
	char copy[32], *end;
	if (*word == '$') {
		const struct variable *variable = find_variable(session, word + 1, length - 1);
		if (!variable)
			return refuse(session, "nothing is kept as %.*s: set NAME keeps a value as $NAME", (int)length, word);
		*value = variable->value;
		return 0;
	}
	if (length && length < sizeof(copy) && isdigit((unsigned char)*word)) {
		memcpy(copy, word, length);
		copy[length] = '\0';
		errno = 0;
		*value = strtoull(copy, &end, copy[0] == '0' && (copy[1] == 'x' || copy[1] == 'X') ? 16 : 10);
		if (!*end && !errno)
			return 0;
		if (!*end)
			return refuse(session, "%s is too large: 64 bits are a number", copy);
	}
	return refuse(session, "%.*s is no number: decimal, 0x… or $NAME is expected", (int)length, word);
}

/* TERM, or a sum of them: $start+1000-0x10. */
static int take_value(struct probe_session *session, const char *word, size_t length, uint64_t *value)
{
	uint64_t sum = 0;
	for (size_t at = 0; at <= length;) {
		const bool minus = at && word[at - 1] == '-';
		size_t end = at;
		uint64_t term = 0;
		while (end < length && word[end] != '+' && word[end] != '-')
			end++;
		if (end == at)
			return refuse(session, "%s%sa number is missing: decimal, 0x… or $NAME is expected", word, length ? ": " : "");
		int result = take_term(session, word + at, end - at, &term);
		if (result)
			return result;
		sum = minus ? sum - term : sum + term;
		at = end + 1;
	}
	*value = sum;
	return 0;
}

static int value_of(struct probe_session *session, unsigned word, uint64_t *value)
{
	return take_value(session, session->line->words[word], strlen(session->line->words[word]), value);
}

/* Only a run gives variables their values: before it, nothing is said of numbers that are made of them. */
static bool is_known(const struct probe_session *session, const char *word)
{
	return session->engine || !strchr(word, '$');
}

static int number_of(struct probe_session *session, unsigned word, uint64_t max, uint64_t *value)
{
	int result = value_of(session, word, value);
	if (!result && *value > max && is_known(session, session->line->words[word]))
		return refuse(session, "%s is too large: at most 0x%" PRIx64 " is possible", session->line->words[word], max);
	return result;
}

static int vcpu_of(struct probe_session *session, unsigned word, uint32_t *vcpu)
{
	uint64_t number;
	int result = number_of(session, word, UINT32_MAX - 1, &number);
	if (!result && session->engine && number >= session->engine->vcpus)
		return refuse(session, "there is no vCPU %" PRIu64 ": the machine has %u", number, session->engine->vcpus);
	*vcpu = (uint32_t)number;
	return result;
}

/* VALUE, or LOW..HIGH. */
static int range_of(struct probe_session *session, unsigned word, uint64_t *low, uint64_t *high)
{
	const char *text = session->line->words[word], *dots = strstr(text, "..");
	if (!dots) {
		int result = value_of(session, word, low);
		*high = *low;
		return result;
	}
	int result = take_value(session, text, (size_t)(dots - text), low);
	if (!result)
		result = take_value(session, dots + 2, strlen(dots + 2), high);
	if (!result && *low > *high && !strchr(text, '$'))
		return refuse(session, "%s: nothing is in it: the lower number stands first", text);
	return result;
}

static int hex_of(struct probe_session *session, unsigned word, uint8_t *bytes, size_t max, uint32_t *size)
{
	const char *text = session->line->words[word];
	const size_t length = strlen(text);
	if (!length || length % 2 || length / 2 > max)
		return refuse(session, "%s: bytes as pairs of hexadecimal digits are expected, at most %zu of them", text, max);
	for (size_t i = 0; i < length / 2; i++) {
		const char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return refuse(session, "%s is no byte in hexadecimal", pair);
		bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	*size = (uint32_t)(length / 2);
	return 0;
}

/* "u32"; 0: it is no such name. */
static uint32_t named_size(const char *text)
{
	static const char *const names[] = {"u8", "u16", "u32", "u64"};
	for (unsigned i = 0; i < 4; i++)
		if (!strcmp(text, names[i]))
			return 1u << i;
	return 0;
}

/* That, or a number of bytes. */
static int size_of(struct probe_session *session, unsigned word, uint32_t *size)
{
	uint64_t number;
	if ((*size = named_size(session->line->words[word])))
		return 0;
	int result = number_of(session, word, GUEST_BYTES_MAX, &number);
	if (!result && !number && is_known(session, session->line->words[word]))
		return refuse(session, "0 bytes are nothing to read: u8, u16, u32, u64 or 1 to %d is expected", GUEST_BYTES_MAX);
	*size = (uint32_t)number;
	return result;
}

/* The MSR that a number, the specification's name or the path of its field says. */
struct msr_search {
	const char *word;
	uint32_t msr;
	bool found;
};

static int match_msr(void *user, const struct gim_msr_info *info)
{
	struct msr_search *search = (struct msr_search *)user;
	if (strcmp(search->word, info->name) != 0 && strcmp(search->word, info->path) != 0)
		return 0;
	search->msr = info->msr;
	search->found = true;
	return 1;
}

static int msr_of(struct probe_session *session, unsigned word, uint32_t *msr)
{
	struct msr_search search = {.word = session->line->words[word]};
	uint64_t number;
	if (isdigit((unsigned char)*search.word) || *search.word == '$') {
		int result = number_of(session, word, UINT32_MAX, &number);
		*msr = (uint32_t)number;
		return result;
	}
	if (!session->engine)
		return 0; /* only a machine knows the names */
	(void)gim_machine_msrs(session->engine->machine, session->line->vcpu, match_msr, &search);
	if (!search.found)
		return refuse(session, "vCPU %u has no MSR %s: a number, its name or its field's path is expected", session->line->vcpu,
		              search.word);
	*msr = search.msr;
	return 0;
}

/*
 * Operations of the guest.
 */
static const char *fault_name(enum guest_fault fault)
{
	static const char *const names[] = {"ok", "#GP", "#UD", "#PF"};
	return names[fault];
}

/* Let the guest do it. A fault is said here. */
static int act(struct probe_session *session, const struct guest_operation *operation)
{
	if (!session->engine)
		return 0;
	gim_state_free(&session->saved);
	int result = engine_execute(session->engine, session->line->vcpu, operation, &session->outcome, session->error);
	if (!result && session->outcome.fault) {
		session->value = 0;
		say(session, "%s", fault_name(session->outcome.fault));
	}
	return result;
}

static bool went_well(const struct probe_session *session)
{
	return session->engine && !session->outcome.fault;
}

static int run_rdmsr(struct probe_session *session)
{
	struct guest_operation operation = {.act = ACT_RDMSR};
	int result = msr_of(session, 0, &operation.number);
	if (!result)
		result = act(session, &operation);
	if (result || !went_well(session))
		return result;
	session->value = session->outcome.value;
	say(session, "0x%" PRIx64, session->value);
	return 0;
}

static int run_wrmsr(struct probe_session *session)
{
	struct guest_operation operation = {.act = ACT_WRMSR};
	int result = msr_of(session, 0, &operation.number);
	if (!result)
		result = value_of(session, 1, &operation.value);
	return result ? result : act(session, &operation);
}

static int run_cpuid(struct probe_session *session)
{
	struct guest_operation operation = {.act = ACT_CPUID};
	uint64_t leaf, subleaf = 0;
	int result = number_of(session, 0, UINT32_MAX, &leaf);
	if (!result && session->line->count > 1)
		result = number_of(session, 1, UINT32_MAX, &subleaf);
	operation.number = (uint32_t)leaf;
	operation.subleaf = (uint32_t)subleaf;
	if (!result)
		result = act(session, &operation);
	if (result || !went_well(session))
		return result;
	const uint32_t *regs = session->outcome.regs;
	session->value = regs[0];
	say(session, "eax 0x%x ebx 0x%x ecx 0x%x edx 0x%x", regs[0], regs[1], regs[2], regs[3]);
	return 0;
}

static int run_rdtsc(struct probe_session *session)
{
	const struct guest_operation operation = {.act = ACT_RDTSC};
	int result = act(session, &operation);
	if (result || !session->engine)
		return result;
	session->value = session->outcome.value;
	say(session, "0x%" PRIx64, session->value);
	return 0;
}

static uint64_t little_endian(const uint8_t *bytes, uint32_t size)
{
	uint64_t value = 0;
	for (uint32_t i = size < 8 ? size : 8; i > 0; i--)
		value = value << 8 | bytes[i - 1];
	return value;
}

static int run_read(struct probe_session *session)
{
	struct guest_operation operation = {.act = ACT_READ, .size_bytes = 8};
	int result = value_of(session, 0, &operation.gpa);
	if (!result && session->line->count > 1)
		result = size_of(session, 1, &operation.size_bytes);
	session->read_bytes = operation.size_bytes;
	if (!result)
		result = act(session, &operation);
	if (result || !went_well(session))
		return result;
	session->value = little_endian(session->outcome.bytes, operation.size_bytes);
	if (operation.size_bytes <= 8)
		say(session, "0x%" PRIx64, session->value);
	else
		for (uint32_t i = 0; i < operation.size_bytes; i++)
			say(session, "%02x", session->outcome.bytes[i]);
	return 0;
}

/* SIZE VALUE, from word 1 on. */
static int written_number(struct probe_session *session, struct guest_operation *operation)
{
	uint64_t value;
	if (!(operation->size_bytes = named_size(session->line->words[1])))
		return refuse(session, "%s: u8, u16, u32, u64 or hex is expected", session->line->words[1]);
	const unsigned bits = 8 * operation->size_bytes;
	int result = number_of(session, 2, UINT64_MAX >> (64 - bits), &value);
	for (uint32_t i = 0; !result && i < operation->size_bytes; i++)
		operation->bytes[i] = (uint8_t)(value >> 8 * i);
	return result;
}

static int run_write(struct probe_session *session)
{
	struct guest_operation operation = {.act = ACT_WRITE};
	int result = value_of(session, 0, &operation.gpa);
	if (!result && !strcmp(session->line->words[1], "hex"))
		result = hex_of(session, 2, operation.bytes, sizeof(operation.bytes), &operation.size_bytes);
	else if (!result)
		result = written_number(session, &operation);
	return result ? result : act(session, &operation);
}

/* A register of a hypercall by its name; NULL: there is none. */
static uint64_t *register_of(struct gim_registers *registers, const char *name, size_t length)
{
	const struct {
		const char *name;
		uint64_t *place;
	} rows[] = {{"rax", &registers->rax}, {"rbx", &registers->rbx}, {"rcx", &registers->rcx}, {"rdx", &registers->rdx},
	            {"rsi", &registers->rsi}, {"rdi", &registers->rdi}, {"r8", &registers->r8}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].name) == length && !memcmp(rows[i].name, name, length))
			return rows[i].place;
	return NULL;
}

static int run_hypercall(struct probe_session *session)
{
	struct guest_operation operation = {.act = ACT_HYPERCALL, .registers = {.long_mode = true}};
	int result = 0;
	for (unsigned i = 0; !result && i < session->line->count; i++) {
		const char *word = session->line->words[i];
		const size_t length = strcspn(word, "=");
		uint64_t *place = register_of(&operation.registers, word, length);
		if (!place || !word[length])
			return refuse(session, "%s: rax=VALUE, rbx, rcx, rdx, rsi, rdi or r8 is expected", word);
		result = take_value(session, word + length + 1, strlen(word + length + 1), place);
	}
	if (!result)
		result = act(session, &operation);
	if (result || !went_well(session))
		return result;
	session->value = session->outcome.registers.rax;
	say(session, "rax 0x%" PRIx64, session->value);
	return 0;
}

/*
 * Operations of the guest's surroundings.
 */
static int status_of(struct probe_session *session, uint16_t status)
{
	gim_state_free(&session->saved);
	session->value = status;
	session->outcome = (struct guest_outcome){.fault = FAULT_NONE};
	say(session, "status 0x%x", status);
	return engine_settle(session->engine, session->error);
}

/* VCPU SINT: where a device sends to. */
static int target_of(struct probe_session *session, unsigned word, uint32_t *vcpu, uint8_t *sint)
{
	uint64_t number;
	int result = vcpu_of(session, word, vcpu);
	if (!result)
		result = number_of(session, word + 1, 15, &number);
	if (!result)
		*sint = (uint8_t)number;
	return result;
}

static int run_connect(struct probe_session *session)
{
	const bool event = !strcmp(session->line->words[0], "event");
	uint64_t id, flag = 0;
	uint32_t vcpu;
	uint8_t sint = 0;
	if (!event && strcmp(session->line->words[0], "message") != 0)
		return refuse(session, "%s: message or event is expected", session->line->words[0]);
	int result = number_of(session, 1, UINT32_MAX, &id);
	if (!result)
		result = target_of(session, 2, &vcpu, &sint);
	if (!result && session->line->count > 4)
		result = number_of(session, 4, 2047, &flag);
	if (result || !session->engine)
		return result;
	return gim_machine_connect(session->engine->machine, event ? GIM_CONNECTION_EVENT : GIM_CONNECTION_MESSAGE, (uint32_t)id, vcpu,
	                           sint, (uint16_t)flag, session->error);
}

static int run_post(struct probe_session *session)
{
	uint8_t payload[GUEST_BYTES_MAX];
	uint32_t vcpu, size = 0;
	uint8_t sint = 0;
	uint64_t type;
	int result = target_of(session, 0, &vcpu, &sint);
	if (!result)
		result = number_of(session, 2, UINT32_MAX, &type);
	if (!result && session->line->count > 3)
		result = hex_of(session, 3, payload, 240, &size);
	if (result || !session->engine)
		return result;
	return status_of(session, gim_machine_post(session->engine->machine, vcpu, sint, (uint32_t)type, payload, size));
}

static int run_signal(struct probe_session *session)
{
	uint32_t vcpu;
	uint8_t sint = 0;
	uint64_t flag;
	int result = target_of(session, 0, &vcpu, &sint);
	if (!result)
		result = number_of(session, 2, 2047, &flag);
	if (result || !session->engine)
		return result;
	return status_of(session, gim_machine_signal(session->engine->machine, vcpu, sint, (uint16_t)flag));
}

static int run_raise(struct probe_session *session)
{
	uint32_t vcpu;
	uint8_t sint = 0;
	int result = target_of(session, 0, &vcpu, &sint);
	if (result || !session->engine)
		return result;
	return status_of(session, gim_machine_raise(session->engine->machine, vcpu, sint));
}

/*
 * Clocks.
 */
/* value * hz / tsc_hz, as clocks are made of the TSC. */
static uint64_t scaled(const struct probe_session *session, uint64_t value, uint64_t hz)
{
	const uint64_t tsc_hz = session->engine->tsc_hz, whole = value / tsc_hz, rest = value % tsc_hz;
	return whole * hz + (uint64_t)((double)rest * (double)hz / (double)tsc_hz);
}

static void give(struct probe_session *session, uint64_t value)
{
	session->value = value;
	session->outcome = (struct guest_outcome){.fault = FAULT_NONE};
	say(session, "0x%" PRIx64, value);
}

static int run_value(struct probe_session *session)
{
	uint64_t value;
	int result = value_of(session, 0, &value);
	if (!result && session->engine)
		give(session, value);
	return result;
}

static int run_scale(struct probe_session *session)
{
	uint64_t value, hz;
	int result = value_of(session, 0, &value);
	if (!result)
		result = number_of(session, 1, UINT64_C(1000000000000), &hz);
	if (!result && session->engine)
		give(session, scaled(session, value, hz));
	return result;
}

/* (a * b) >> shift, for shift up to 64, of numbers that are halves of 128 bits. */
static uint64_t multiply(uint64_t a, uint64_t b, unsigned shift)
{
	const uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX);
	const uint64_t middle = (a >> 32) * (b & UINT32_MAX) + (low >> 32), other = (a & UINT32_MAX) * (b >> 32) + (middle & UINT32_MAX);
	const uint64_t high = (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
	const uint64_t lower = other << 32 | (low & UINT32_MAX);
	return shift == 64 ? high : high << (64 - shift) | lower >> shift;
}

/* TLFS, timers: the reference TSC page. */
static uint64_t reference_time(const uint8_t *page, uint64_t tsc)
{
	return multiply(tsc, little_endian(page + 8, 8), 64) + little_endian(page + 16, 8);
}

/* KVM msr.rst: pvclock_vcpu_time_info. */
static uint64_t pvclock_time(const uint8_t *page, uint64_t tsc)
{
	const int8_t shift = (int8_t)page[28];
	uint64_t delta = tsc - little_endian(page + 8, 8);
	delta = shift >= 0 ? delta << (shift & 63) : delta >> (-shift & 63);
	return little_endian(page + 16, 8) + multiply(delta, little_endian(page + 24, 4), 32);
}

/* The time that a guest computes of a page and its TSC. */
static int run_clock(struct probe_session *session)
{
	const bool pv = !strcmp(session->line->words[0], "pvclock");
	const uint32_t size = pv ? 32 : 24;
	struct guest_operation read = {.act = ACT_READ, .size_bytes = size};
	const struct guest_operation tsc = {.act = ACT_RDTSC};
	uint8_t page[32];
	if (!pv && strcmp(session->line->words[0], "reference") != 0)
		return refuse(session, "%s: reference or pvclock is expected", session->line->words[0]);
	int result = value_of(session, 1, &read.gpa);
	if (!result)
		result = act(session, &read);
	if (result || !went_well(session))
		return result;
	memcpy(page, session->outcome.bytes, size);
	if (!(result = act(session, &tsc)))
		give(session, pv ? pvclock_time(page, session->outcome.value) : reference_time(page, session->outcome.value));
	return result;
}

/*
 * The machine's own side.
 */
/* The number of exactly this field. */
struct field_search {
	const char *path;
	uint64_t number;
	bool found;
};

static int keep_number(void *user, const char *path, const struct gim_value *value)
{
	struct field_search *search = (struct field_search *)user;
	if (strcmp(path, search->path) != 0 || value->presence == GIM_ABSENT || value->kind != GIM_VALUE_NUMBER)
		return 0;
	search->number = value->number;
	search->found = true;
	return 1;
}

/* A field of the machine's state, whether or not the guest may read it. */
static int run_state(struct probe_session *session)
{
	struct gim_error own = GIM_ERROR_INIT;
	struct field_search search = {.path = session->line->words[0]};
	if (!session->engine)
		return 0;
	int result = session->saved ? 0 : engine_save(session->engine, &session->saved, session->error);
	if (result)
		return result;
	if (gim_state_visit(session->saved, search.path, keep_number, &search, &own) < 0)
		return refuse(session, "%s", own.text);
	if (!search.found)
		return refuse(session, "the machine's state has no number %s: the path of one field is expected (gimstate fields)",
		              search.path);
	give(session, search.number);
	return 0;
}

static int run_ack(struct probe_session *session)
{
	uint64_t vector, sint;
	int result = number_of(session, 0, 255, &vector);
	if (!result)
		result = number_of(session, 1, 15, &sint);
	struct engine *engine = session->engine;
	if (result || !engine)
		return result;
	if (engine->ack_count == ENGINE_ACKS_MAX)
		return refuse(session, "a handler can read at most %d message slots", ENGINE_ACKS_MAX);
	engine->acks[engine->ack_count++] =
	    (struct engine_ack){.vcpu = session->line->vcpu, .vector = (uint8_t)vector, .sint = (uint8_t)sint};
	return 0;
}

bool probe_time(const char *word, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
	const size_t digits = strspn(word, "0123456789");
	errno = 0;
	const unsigned long long number = strtoull(word, NULL, 10);
	for (size_t i = 0; digits && !errno && i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(word + digits, units[i].name) && number <= UINT64_MAX / 2 / units[i].ns)
			return *ns = number * units[i].ns, true;
	return false;
}

static int run_wait(struct probe_session *session)
{
	const char *word = session->line->words[0];
	uint64_t ns;
	if (!probe_time(word, &ns))
		return refuse(session, "%s is no time: 500us, 10ms or 2s is one", word);
	if (ns > UINT64_C(60000000000))
		return refuse(session, "%s is too long: at most a minute, 60s, is possible", word);
	if (!session->engine)
		return 0;
	gim_state_free(&session->saved);
	return engine_wait(session->engine, ns, session->error);
}

static int run_reload(struct probe_session *session)
{
	if (!session->engine)
		return 0;
	gim_state_free(&session->saved);
	if (!session->run->reload) {
		session->verdict = PROBE_SKIPPED;
		(void)snprintf(session->reason, sizeof(session->reason), "this machine is not to be saved and loaded");
		return 0;
	}
	return session->run->reload(session->run->user, session->error);
}

static int run_set(struct probe_session *session)
{
	const char *name = session->line->words[0];
	const size_t length = strlen(name);
	uint64_t value = session->value;
	if (!length || length >= NAME_BYTES || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != length)
		return refuse(session, "%s is no name: at most %d of a-z, 0-9 and _ make one", name, NAME_BYTES - 1);
	if (session->line->count > 1) {
		int result = value_of(session, 1, &value);
		if (result)
			return result;
	} else if (!session->judged.operation) {
		return refuse(session, "nothing was done before whose result could be kept: set %s VALUE keeps a value", name);
	}
	const struct variable *known = find_variable(session, name, length);
	if (!known && session->variable_count == VARIABLES_MAX)
		return refuse(session, "at most %d values can be kept", VARIABLES_MAX);
	struct variable *variable = &session->variables[known ? (unsigned)(known - session->variables) : session->variable_count++];
	memcpy(variable->name, name, length + 1);
	variable->value = value;
	return 0;
}

static int run_echo(struct probe_session *session)
{
	for (unsigned i = 0; session->engine && i < session->line->count; i++)
		say(session, "%s%s", i ? " " : "", session->line->words[i]);
	return 0;
}

/*
 * Expectations.
 */
static int judge(struct probe_session *session, bool met, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int judge(struct probe_session *session, bool met, const char *format, ...)
{
	va_list arguments;
	if (!session->engine)
		return 0;
	session->verdict = met ? PROBE_MET : PROBE_FAILED;
	if (met)
		return 0;
	va_start(arguments, format);
	(void)vsnprintf(session->reason, sizeof(session->reason), format, arguments);
	va_end(arguments);
	return 0;
}

static int expect_fault(struct probe_session *session, enum guest_fault fault)
{
	const struct guest_outcome *outcome = &session->outcome;
	char where[64] = "";
	if (outcome->fault && outcome->rip)
		(void)snprintf(where, sizeof(where), " at 0x%" PRIx64, outcome->rip);
	return judge(session, outcome->fault == fault, "%s%s where %s was expected", fault_name(outcome->fault), where, fault_name(fault));
}

/* RANGE [mask MASK], from word `first` on, against value. */
static int expect_value(struct probe_session *session, unsigned first, const char *what, uint64_t value)
{
	uint64_t low, high, mask = UINT64_MAX;
	const bool masked = session->line->count == first + 3 && !strcmp(session->line->words[first + 1], "mask");
	if (session->line->count != first + 1 && !masked)
		return refuse(session, "expect %sVALUE or LOW..HIGH, and mask MASK after it, is all that can stand here", what);
	int result = range_of(session, first, &low, &high);
	if (!result && masked)
		result = value_of(session, first + 2, &mask);
	if (result)
		return result;
	value &= mask;
	if (low == high)
		return judge(session, value == low, "%s0x%" PRIx64 " where 0x%" PRIx64 " was expected", what, value, low);
	return judge(session, value >= low && value <= high, "%s0x%" PRIx64 " where 0x%" PRIx64 " to 0x%" PRIx64 " was expected", what,
	             value, low, high);
}

/* interrupts VECTOR, messages SINT: how many came since the script began. */
static int expect_count(struct probe_session *session, bool messages)
{
	uint64_t index, count = 0;
	const uint32_t vcpu = session->line->vcpu;
	if (session->line->count != 3)
		return refuse(session, "%s, then how many are expected", messages ? "expect messages SINT" : "expect interrupts VECTOR");
	int result = number_of(session, 1, messages ? 15 : 255, &index);
	if (!result && session->engine)
		count = messages ? session->engine->messages[vcpu][index] - session->messages[vcpu][index]
		                 : session->engine->taken[vcpu][index] - session->taken[vcpu][index];
	return result ? result : expect_value(session, 2, messages ? "messages: " : "interrupts: ", count);
}

static int expect_bytes(struct probe_session *session)
{
	uint8_t bytes[GUEST_BYTES_MAX] = {0};
	uint32_t size, at = 0;
	if (session->line->count != 2)
		return refuse(session, "after bytes their hexadecimal digits, without blanks, are expected");
	int result = hex_of(session, 1, bytes, sizeof(bytes), &size);
	if (result)
		return result;
	if (size != session->read_bytes && is_known(session, session->judged.source))
		return refuse(session, "%s reads %u: as many bytes are expected, not %u", session->judged.source, session->read_bytes,
		              size);
	while (at < size && bytes[at] == session->outcome.bytes[at])
		at++;
	return judge(session, at == size, "0x%02x at byte %u where 0x%02x was expected", session->outcome.bytes[at % GUEST_BYTES_MAX], at,
	             bytes[at % GUEST_BYTES_MAX]);
}

/* A register that the operation gave: of CPUID or a hypercall. NULL: the word names none. */
static const void *register_given(struct probe_session *session, const char *word, enum gives *by, uint64_t *value)
{
	static const char *const names[] = {"eax", "ebx", "ecx", "edx"};
	*by = GIVES_CPUID;
	for (unsigned i = 0; i < 4; i++)
		if (!strcmp(word, names[i]))
			return *value = session->outcome.regs[i], names[i];
	*by = GIVES_REGISTERS;
	const uint64_t *place = register_of(&session->outcome.registers, word, strlen(word));
	if (place)
		*value = *place;
	return place;
}

static int expect_register(struct probe_session *session, const char *word, enum gives by, uint64_t value)
{
	char what[16];
	(void)snprintf(what, sizeof(what), "%s ", word);
	if (session->judged.operation->gives != by)
		return refuse(session, "%s gives no %s: %s does", session->judged.operation->name, word,
		              by == GIVES_CPUID ? "cpuid" : "hypercall");
	return session->line->count < 2 ? refuse(session, "after %s its value is expected", word) : expect_value(session, 1, what, value);
}

/* What the operation gave, when it raised no fault. */
static int expect_result(struct probe_session *session, const char *word)
{
	const struct operation *judged = session->judged.operation;
	enum gives by;
	uint64_t value = 0;
	if (!strcmp(word, "bytes"))
		return judged->gives == GIVES_BYTES ? expect_bytes(session) : refuse(session, "%s gives no bytes: read does", judged->name);
	if (register_given(session, word, &by, &value))
		return expect_register(session, word, by, value);
	if (!isdigit((unsigned char)*word) && !strchr("$+-", *word))
		return refuse(session, "%s cannot be expected: %s can", word, session->line->operation->arguments);
	if (judged->gives < GIVES_VALUE)
		return refuse(session, "%s gives no value: ok, #GP, #UD or #PF can be expected of it", judged->name);
	return expect_value(session, 0, "", session->value);
}

static int run_expect(struct probe_session *session)
{
	const char *word = session->line->words[0];
	if (!strcmp(word, "interrupts") || !strcmp(word, "messages"))
		return expect_count(session, *word == 'm');
	if (!(session->judges = session->judged.operation))
		return refuse(session, "nothing was done before that could be judged");
	for (enum guest_fault fault = FAULT_NONE; fault <= FAULT_PF; fault++)
		if (!strcmp(word, fault_name(fault)))
			return session->line->count == 1 ? expect_fault(session, fault)
			                                 : refuse(session, "after %s nothing more can be expected", word);
	/* The arguments are looked at in any case. */
	int result = expect_result(session, word);
	return result || !session->engine || !session->outcome.fault ? result : expect_fault(session, FAULT_NONE);
}

static const struct operation operations[] = {
    {"rdmsr", "MSR", "read an MSR: its number, its name, or the path of its field", 1, 1, GIVES_VALUE, run_rdmsr},
    {"wrmsr", "MSR VALUE", "write an MSR", 2, 2, GIVES_FAULT, run_wrmsr},
    {"cpuid", "LEAF [SUBLEAF]", "read a CPUID leaf", 1, 2, GIVES_CPUID, run_cpuid},
    {"rdtsc", "", "read the time-stamp counter", 0, 0, GIVES_VALUE, run_rdtsc},
    {"read", "GPA [u8|u16|u32|u64|BYTES]", "read guest memory; 8 bytes where nothing is said", 1, 2, GIVES_BYTES, run_read},
    {"write", "GPA u8|u16|u32|u64 VALUE | GPA hex BYTES", "write guest memory", 3, 3, GIVES_FAULT, run_write},
    {"hypercall", "[rax|rbx|rcx|rdx|rsi|rdi|r8=VALUE]...", "call the hypervisor with these registers, the others 0", 0, 7, GIVES_REGISTERS,
     run_hypercall},
    {"connect", "message|event ID VCPU SINT [FLAG]", "what HvPostMessage or HvSignalEvent to ID reach", 4, 5, GIVES_NOTHING, run_connect},
    {"post", "VCPU SINT TYPE [BYTES]", "a device sends a message", 3, 4, GIVES_VALUE, run_post},
    {"signal", "VCPU SINT FLAG", "a device sets an event flag", 3, 3, GIVES_VALUE, run_signal},
    {"raise", "VCPU SINT", "a device raises a SINT", 2, 2, GIVES_VALUE, run_raise},
    {"ack", "VECTOR SINT", "this vCPU's handler of VECTOR reads the message of SINT, and says that it did", 2, 2, GIVES_NOTHING, run_ack},
    {"wait", "TIME", "all vCPUs idle, taking interrupts: 500us, 10ms, 2s", 1, 1, GIVES_NOTHING, run_wait},
    {"clock", "reference|pvclock GPA", "read a clock's page and the TSC, and compute the time as a guest does (100 ns, ns)", 2, 2,
     GIVES_VALUE, run_clock},
    {"state", "PATH", "look at a field of the machine's state, which the guest may not be able to read", 1, 1, GIVES_VALUE, run_state},
    {"value", "VALUE", "give a value, to judge it", 1, 1, GIVES_VALUE, run_value},
    {"scale", "VALUE HZ", "turn TSC ticks into ticks of HZ", 2, 2, GIVES_VALUE, run_scale},
    {"reload", "", "save the machine and load it into a new one", 0, 0, GIVES_NOTHING, run_reload},
    {"set", "NAME [VALUE]", "keep a value, else the last result, as $NAME", 1, 2, GIVES_NOTHING, run_set},
    {"echo", "[TEXT...]", "print a line", 0, WORDS_MAX, GIVES_NOTHING, run_echo},
    {"expect",
     "ok|#GP|#UD|#PF | [REGISTER] VALUE|LOW..HIGH [mask MASK] | bytes HEX | interrupts VECTOR COUNT|LOW..HIGH | messages SINT "
     "COUNT|LOW..HIGH",
     "judge the operation before it, or what came since the script began", 1, 4, GIVES_NOTHING, run_expect},
};

int probe_operations(probe_operation_fn *visit, void *user)
{
	int result = 0;
	for (size_t i = 0; !result && i < sizeof(operations) / sizeof(operations[0]); i++)
		result = visit(user, operations[i].name, operations[i].arguments, operations[i].help);
	return result;
}

void probe_help(FILE *stream)
{
	fputs("A probe is a text of operations, one a line:\n\n"
	      "    [LABEL:] [@VCPU] [~]OPERATION [ARGUMENTS]    # comment\n\n",
	      stream);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		fprintf(stream, "%s%s%s\n    %s\n", operations[i].name, *operations[i].arguments ? " " : "", operations[i].arguments,
		        operations[i].help);
}

/*
 * Reading scripts.
 */
static const struct operation *find_operation(const char *name)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (!strcmp(operations[i].name, name))
			return &operations[i];
	return NULL;
}

/* "#GP" is no comment, where a blank or nothing follows it. */
static bool is_fault(const char *text)
{
	for (enum guest_fault fault = FAULT_GP; fault <= FAULT_PF; fault++)
		if (!strncmp(text, fault_name(fault), 3) && (!text[3] || isspace((unsigned char)text[3])))
			return true;
	return false;
}

/* Cut a comment off: from a '#' at the beginning or after a blank on. */
static void cut_comment(char *line)
{
	for (char *at = line; *at; at++)
		if (*at == '#' && (at == line || (isspace((unsigned char)at[-1]) && !is_fault(at)))) {
			*at = '\0';
			return;
		}
}

/* [LABEL:] [@VCPU] [~]; *word is what follows. */
static int parse_head(struct probe_session *session, struct line *line, char **word, char **label, char **save)
{
	char *end;
	const size_t length = *word ? strlen(*word) : 0;
	if (length > 1 && (*word)[length - 1] == ':') {
		(*word)[length - 1] = '\0';
		*label = *word;
		*word = strtok_r(NULL, " \t\r", save);
	}
	line->label = *label;
	const char *head = *word;
	if (*word && **word == '@') {
		const unsigned long vcpu = strtoul(*word + 1, &end, 10);
		if (!isdigit((unsigned char)(*word)[1]) || *end || vcpu >= UINT32_MAX)
			return refuse(session, "%s names no vCPU: @0 is the first, and a blank follows it", *word);
		line->vcpu = (uint32_t)vcpu;
		*word = strtok_r(NULL, " \t\r", save);
	}
	if (*word && **word == '~') {
		line->time = true;
		*word = (*word)[1] ? *word + 1 : strtok_r(NULL, " \t\r", save);
	}
	return *word || !head ? 0 : refuse(session, "%s stands before an operation, and none follows it", head);
}

static int parse_arguments(struct probe_session *session, struct line *line, char **save)
{
	const struct operation *operation = line->operation;
	const char *expected = *operation->arguments ? operation->arguments : "none";
	char *word;
	while ((word = strtok_r(NULL, " \t\r", save)) && line->count < WORDS_MAX)
		line->words[line->count++] = word;
	if (word)
		return refuse(session, "%s has more than %d arguments, where %s is expected", operation->name, WORDS_MAX, expected);
	if (line->count < operation->min || line->count > operation->max)
		return refuse(session, "%s has %u argument%s, where %s is expected", operation->name, line->count,
		              line->count == 1 ? "" : "s", expected);
	return 0;
}

static int parse_line(struct probe_session *session, struct line *line, char *text, char **label)
{
	char *save = NULL, *word = strtok_r(text, " \t\r", &save);
	int result = parse_head(session, line, &word, label, &save);
	if (result || !word)
		return result;
	if (*word == '@' || *word == '~')
		return refuse(session, "%s in a wrong place: a line is [LABEL:] [@VCPU] [~]OPERATION [ARGUMENTS]", word);
	if (!(line->operation = find_operation(word)))
		return refuse(session, "%s is no operation: gimstate help probe lists them", word);
	result = parse_arguments(session, line, &save);
	return result ? result : line->operation->run(session);
}

/* The operation and its arguments again, one blank between them. */
static char *source_of(const struct line *line)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	if (!stream)
		return NULL;
	fputs(line->operation->name, stream);
	for (unsigned i = 0; i < line->count; i++)
		fprintf(stream, " %s", line->words[i]);
	return fclose(stream) ? free(text), NULL : text;
}

static void note_judged(struct probe_session *session, const struct line *line)
{
	if (line->operation->gives)
		session->judged = *line;
}

/* Room for one more line. */
static struct line *new_line(struct probe *probe, size_t *room)
{
	if (probe->count == *room) {
		*room = *room ? 2 * *room : 64;
		struct line *lines = reallocarray(probe->lines, *room, sizeof(*lines));
		if (!lines)
			return NULL;
		probe->lines = lines;
	}
	return &probe->lines[probe->count];
}

static int parse(struct probe *probe, struct probe_session *session)
{
	/* Some editors begin a text with the mark that it is UTF-8. */
	char *label = "", *rest = probe->text + (strncmp(probe->text, "\xef\xbb\xbf", 3) ? 0 : 3), *text;
	size_t room = 0;
	for (unsigned number = 1; (text = strsep(&rest, "\n")); number++) {
		struct line *line = new_line(probe, &room);
		if (!line)
			return error_set(session->error, GIM_E_MEMORY, "out of memory");
		*line = (struct line){.number = number};
		session->line = line;
		if (strlen(text) > LINE_MAX_BYTES)
			return refuse(session, "a line of more than %d bytes", LINE_MAX_BYTES);
		cut_comment(text);
		int result = parse_line(session, line, text, &label);
		if (result)
			return result;
		if (!line->operation)
			continue;
		if (!(line->source = source_of(line)))
			return error_set(session->error, GIM_E_MEMORY, "out of memory");
		note_judged(session, line);
		probe->count++;
	}
	return 0;
}

/* known: what can be used of an earlier line, or NULL. */
static int parse_text(const char *name, const char *text, size_t length, const struct probe_session *known, struct probe **probe,
                      struct gim_error *error)
{
	const size_t nul = strnlen(text, length);
	if (length > SCRIPT_MAX_BYTES)
		return error_set(error, GIM_E_LIMIT, "%s: a script of %zu bytes, where at most %d are possible", name, length,
		                 SCRIPT_MAX_BYTES);
	if (nul < length)
		return error_set(error, GIM_E_ARGUMENT, "%s: a zero byte in the script (at byte 0x%zx)", name, nul);
	struct probe *made = calloc(1, sizeof(*made));
	struct probe_session *session = calloc(1, sizeof(*session)); /* its tables are too large for a stack */
	int result = made && session && (made->name = strdup(name)) && (made->text = strndup(text, length))
	                 ? 0
	                 : error_set(error, GIM_E_MEMORY, "out of memory");
	if (!result) {
		session->probe = made;
		session->error = error;
		if (known) {
			memcpy(session->variables, known->variables, sizeof(session->variables));
			session->variable_count = known->variable_count;
			session->judged = known->judged;
			session->read_bytes = known->read_bytes;
		}
		result = parse(made, session);
	}
	free(session);
	if (result)
		probe_free(&made);
	else
		*probe = made;
	return result;
}

int probe_parse(const char *name, const char *text, size_t length, struct probe **probe, struct gim_error *error)
{
	return parse_text(name, text, length, NULL, probe, error);
}

int probe_read(const char *path, struct probe **probe, struct gim_error *error)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	if (!file)
		return error_set(error, GIM_E_IO, "cannot open the probe %s: %s", path, strerror(errno));
	char *text = malloc(SCRIPT_MAX_BYTES + 1);
	const size_t length = text ? fread(text, 1, SCRIPT_MAX_BYTES + 1, file) : 0;
	int result = !text          ? error_set(error, GIM_E_MEMORY, "out of memory")
	             : ferror(file) ? error_set(error, GIM_E_IO, "cannot read the probe %s: %s", path, strerror(errno))
	                            : probe_parse(path, text, length, probe, error);
	free(text);
	if (file != stdin)
		(void)fclose(file);
	return result;
}

void probe_free(struct probe **probe)
{
	if (!*probe)
		return;
	for (size_t i = 0; i < (*probe)->count; i++)
		free((char *)(uintptr_t)(*probe)->lines[i].source);
	free((*probe)->lines);
	free((*probe)->text);
	free((*probe)->name);
	free(*probe);
	*probe = NULL;
}

const char *probe_name(const struct probe *probe)
{
	return probe->name;
}

/*
 * Running.
 */
/* What the engine could not do, at the line that wanted it. */
static int place_error(struct probe_session *session, int result)
{
	char text[sizeof(session->error->text)], place[PLACE_BYTES];
	const size_t length = strlen(place_of(session, place));
	if (!strncmp(session->error->text, place, length))
		return result;
	memcpy(text, session->error->text, sizeof(text));
	(void)snprintf(session->error->text, sizeof(session->error->text), "%s%.*s", place, (int)(sizeof(text) - length) - 1, text);
	return result;
}

static int run_line(struct probe_session *session, const struct line *line)
{
	session->line = line;
	session->result[0] = session->reason[0] = '\0';
	session->verdict = PROBE_DONE;
	if (line->vcpu >= session->engine->vcpus)
		return refuse(session, "there is no vCPU %u: the machine has %u", line->vcpu, session->engine->vcpus);
	session->judges = false;
	int result = line->operation->run(session);
	if (result)
		return place_error(session, result);
	session->run->met += session->verdict == PROBE_MET;
	session->run->failed += session->verdict == PROBE_FAILED;
	session->run->skipped += session->verdict == PROBE_SKIPPED;
	const struct probe_step step = {.probe = session->probe->name,
	                                .line = line->number,
	                                .label = line->label,
	                                .vcpu = line->vcpu,
	                                .operation = line->source,
	                                .judges = session->judges ? session->judged.number : 0,
	                                .result = session->result,
	                                .time = line->time,
	                                .verdict = session->verdict,
	                                .reason = session->reason};
	if (session->run->step)
		session->run->step(session->run->step_user, &step);
	note_judged(session, line);
	return 0;
}

int probe_session_new(struct probe_run *run, struct probe_session **session, struct gim_error *error)
{
	struct probe_session *made = calloc(1, sizeof(*made));
	const size_t vcpus = run->engine->vcpus;
	if (made) {
		*made = (struct probe_session){.run = run, .engine = run->engine};
		made->taken = calloc(vcpus, sizeof(*made->taken));
		made->messages = calloc(vcpus, sizeof(*made->messages));
	}
	if (!made || !made->taken || !made->messages) {
		probe_session_free(&made);
		return error_set(error, GIM_E_MEMORY, "out of memory");
	}
	memcpy(made->taken, run->engine->taken, vcpus * sizeof(*made->taken));
	memcpy(made->messages, run->engine->messages, vcpus * sizeof(*made->messages));
	*session = made;
	return 0;
}

void probe_session_free(struct probe_session **session)
{
	if (!*session)
		return;
	if ((*session)->kept)
		probe_free(&(*session)->kept);
	gim_state_free(&(*session)->saved);
	free((*session)->taken);
	free((*session)->messages);
	free(*session);
	*session = NULL;
}

static int run_lines(struct probe_session *session, const struct probe *probe, struct gim_error *error)
{
	int result = 0;
	session->probe = probe;
	session->error = error;
	for (size_t i = 0; !result && i < probe->count; i++) {
		session->engine = session->run->engine; /* a reload may have replaced it */
		result = run_line(session, &probe->lines[i]);
	}
	return result;
}

int probe_session_line(struct probe_session *session, const char *text, struct gim_error *error)
{
	struct probe *probe = NULL;
	int result = parse_text("", text, strlen(text), session, &probe, error);
	if (!result)
		result = run_lines(session, probe, error);
	/* What the next expectation judges must stay. */
	if (probe && probe->count && session->judged.source == probe->lines[probe->count - 1].source) {
		struct probe *old = session->kept;
		session->kept = probe;
		probe = old;
	}
	if (probe)
		probe_free(&probe);
	return result;
}

int probe_execute(struct probe_run *run, const struct probe *probe, struct gim_error *error)
{
	struct probe_session *session = NULL;
	int result = probe_session_new(run, &session, error);
	if (!result)
		result = run_lines(session, probe, error);
	probe_session_free(&session);
	return result;
}
