/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The operations of probes: a table of them, and what each does. */
#include "probe_session.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/*
 * Operations of the guest.
 */
const char *probe_fault_name(enum guest_fault fault)
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
		probe_say(session, "%s", probe_fault_name(session->outcome.fault));
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
	int result = probe_msr(session, 0, &operation.number);
	if (!result)
		result = act(session, &operation);
	if (result || !went_well(session))
		return result;
	session->value = session->outcome.value;
	probe_say(session, "0x%" PRIx64, session->value);
	return 0;
}

static int run_wrmsr(struct probe_session *session)
{
	struct guest_operation operation = {.act = ACT_WRMSR};
	int result = probe_msr(session, 0, &operation.number);
	if (!result)
		result = probe_value(session, 1, &operation.value);
	return result ? result : act(session, &operation);
}

static int run_cpuid(struct probe_session *session)
{
	struct guest_operation operation = {.act = ACT_CPUID};
	uint64_t leaf, subleaf = 0;
	int result = probe_number(session, 0, UINT32_MAX, &leaf);
	if (!result && session->line->count > 1)
		result = probe_number(session, 1, UINT32_MAX, &subleaf);
	operation.number = (uint32_t)leaf;
	operation.subleaf = (uint32_t)subleaf;
	if (!result)
		result = act(session, &operation);
	if (result || !went_well(session))
		return result;
	const uint32_t *regs = session->outcome.regs;
	session->value = regs[0];
	probe_say(session, "eax 0x%x ebx 0x%x ecx 0x%x edx 0x%x", regs[0], regs[1], regs[2], regs[3]);
	return 0;
}

static int run_rdtsc(struct probe_session *session)
{
	const struct guest_operation operation = {.act = ACT_RDTSC};
	int result = act(session, &operation);
	if (result || !session->engine)
		return result;
	session->value = session->outcome.value;
	probe_say(session, "0x%" PRIx64, session->value);
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
	int result = probe_value(session, 0, &operation.gpa);
	if (!result && session->line->count > 1)
		result = probe_size(session, 1, &operation.size_bytes);
	session->read_bytes = operation.size_bytes;
	if (!result)
		result = act(session, &operation);
	if (result || !went_well(session))
		return result;
	session->value = little_endian(session->outcome.bytes, operation.size_bytes);
	if (operation.size_bytes <= 8)
		probe_say(session, "0x%" PRIx64, session->value);
	else
		for (uint32_t i = 0; i < operation.size_bytes; i++)
			probe_say(session, "%02x", session->outcome.bytes[i]);
	return 0;
}

/* SIZE VALUE, from word 1 on. */
static int written_number(struct probe_session *session, struct guest_operation *operation)
{
	uint64_t value;
	if (!(operation->size_bytes = probe_named_size(session->line->words[1])))
		return probe_refuse(session, "%s: u8, u16, u32, u64 or hex is expected", session->line->words[1]);
	const unsigned bits = 8 * operation->size_bytes;
	int result = probe_number(session, 2, UINT64_MAX >> (64 - bits), &value);
	for (uint32_t i = 0; !result && i < operation->size_bytes; i++)
		operation->bytes[i] = (uint8_t)(value >> 8 * i);
	return result;
}

static int run_write(struct probe_session *session)
{
	struct guest_operation operation = {.act = ACT_WRITE};
	int result = probe_value(session, 0, &operation.gpa);
	if (!result && !strcmp(session->line->words[1], "hex"))
		result = probe_hex(session, 2, operation.bytes, sizeof(operation.bytes), &operation.size_bytes);
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
			return probe_refuse(session, "%s: rax=VALUE, rbx, rcx, rdx, rsi, rdi or r8 is expected", word);
		result = probe_take_value(session, word + length + 1, strlen(word + length + 1), place);
	}
	if (!result)
		result = act(session, &operation);
	if (result || !went_well(session))
		return result;
	session->value = session->outcome.registers.rax;
	probe_say(session, "rax 0x%" PRIx64, session->value);
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
	probe_say(session, "status 0x%x", status);
	return engine_settle(session->engine, session->error);
}

/* VCPU SINT: where a device sends to. */
static int target_of(struct probe_session *session, unsigned word, uint32_t *vcpu, uint8_t *sint)
{
	uint64_t number;
	int result = probe_vcpu(session, word, vcpu);
	if (!result)
		result = probe_number(session, word + 1, 15, &number);
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
		return probe_refuse(session, "%s: message or event is expected", session->line->words[0]);
	int result = probe_number(session, 1, UINT32_MAX, &id);
	if (!result)
		result = target_of(session, 2, &vcpu, &sint);
	if (!result && session->line->count > 4)
		result = probe_number(session, 4, 2047, &flag);
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
		result = probe_number(session, 2, UINT32_MAX, &type);
	if (!result && session->line->count > 3)
		result = probe_hex(session, 3, payload, 240, &size);
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
		result = probe_number(session, 2, 2047, &flag);
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
	probe_say(session, "0x%" PRIx64, value);
}

static int run_value(struct probe_session *session)
{
	uint64_t value;
	int result = probe_value(session, 0, &value);
	if (!result && session->engine)
		give(session, value);
	return result;
}

static int run_scale(struct probe_session *session)
{
	uint64_t value, hz;
	int result = probe_value(session, 0, &value);
	if (!result)
		result = probe_number(session, 1, UINT64_C(1000000000000), &hz);
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
		return probe_refuse(session, "%s: reference or pvclock is expected", session->line->words[0]);
	int result = probe_value(session, 1, &read.gpa);
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
		return probe_refuse(session, "%s", own.text);
	if (!search.found)
		return probe_refuse(session, "the machine's state has no number %s: the path of one field is expected (gimstate fields)",
		                    search.path);
	give(session, search.number);
	return 0;
}

static int run_ack(struct probe_session *session)
{
	uint64_t vector, sint;
	int result = probe_number(session, 0, 255, &vector);
	if (!result)
		result = probe_number(session, 1, 15, &sint);
	struct engine *engine = session->engine;
	if (result || !engine)
		return result;
	if (engine->ack_count == ENGINE_ACKS_MAX)
		return probe_refuse(session, "a handler can read at most %d message slots", ENGINE_ACKS_MAX);
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
		return probe_refuse(session, "%s is no time: 500us, 10ms or 2s is one", word);
	if (ns > UINT64_C(60000000000))
		return probe_refuse(session, "%s is too long: at most a minute, 60s, is possible", word);
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
		return probe_refuse(session, "%s is no name: at most %d of a-z, 0-9 and _ make one", name, NAME_BYTES - 1);
	if (session->line->count > 1) {
		int result = probe_value(session, 1, &value);
		if (result)
			return result;
	} else if (!session->judged.operation) {
		return probe_refuse(session, "nothing was done before whose result could be kept: set %s VALUE keeps a value", name);
	}
	const struct probe_variable *known = probe_variable(session, name, length);
	if (!known && session->variable_count == VARIABLES_MAX)
		return probe_refuse(session, "at most %d values can be kept", VARIABLES_MAX);
	struct probe_variable *variable = &session->variables[known ? (unsigned)(known - session->variables) : session->variable_count++];
	memcpy(variable->name, name, length + 1);
	variable->value = value;
	return 0;
}

static int run_echo(struct probe_session *session)
{
	for (unsigned i = 0; session->engine && i < session->line->count; i++)
		probe_say(session, "%s%s", i ? " " : "", session->line->words[i]);
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
	return judge(session, outcome->fault == fault, "%s%s where %s was expected", probe_fault_name(outcome->fault), where,
	             probe_fault_name(fault));
}

/* RANGE [mask MASK], from word `first` on, against value. */
static int expect_value(struct probe_session *session, unsigned first, const char *what, uint64_t value)
{
	uint64_t low, high, mask = UINT64_MAX;
	const bool masked = session->line->count == first + 3 && !strcmp(session->line->words[first + 1], "mask");
	if (session->line->count != first + 1 && !masked)
		return probe_refuse(session, "expect %sVALUE or LOW..HIGH, and mask MASK after it, is all that can stand here", what);
	int result = probe_range(session, first, &low, &high);
	if (!result && masked)
		result = probe_value(session, first + 2, &mask);
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
		return probe_refuse(session, "%s, then how many are expected",
		                    messages ? "expect messages SINT" : "expect interrupts VECTOR");
	int result = probe_number(session, 1, messages ? 15 : 255, &index);
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
		return probe_refuse(session, "after bytes their hexadecimal digits, without blanks, are expected");
	int result = probe_hex(session, 1, bytes, sizeof(bytes), &size);
	if (result)
		return result;
	if (size != session->read_bytes && probe_is_known(session, session->judged.source))
		return probe_refuse(session, "%s reads %u: as many bytes are expected, not %u", session->judged.source, session->read_bytes,
		                    size);
	while (at < size && bytes[at] == session->outcome.bytes[at])
		at++;
	return judge(session, at == size, "0x%02x at byte %u where 0x%02x was expected", session->outcome.bytes[at % GUEST_BYTES_MAX], at,
	             bytes[at % GUEST_BYTES_MAX]);
}

/* A register that the operation gave: of CPUID or a hypercall. NULL: the word names none. */
static const void *register_given(struct probe_session *session, const char *word, enum probe_gives *by, uint64_t *value)
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

static int expect_register(struct probe_session *session, const char *word, enum probe_gives by, uint64_t value)
{
	char what[16];
	(void)snprintf(what, sizeof(what), "%s ", word);
	if (session->judged.operation->gives != by)
		return probe_refuse(session, "%s gives no %s: %s does", session->judged.operation->name, word,
		                    by == GIVES_CPUID ? "cpuid" : "hypercall");
	return session->line->count < 2 ? probe_refuse(session, "after %s its value is expected", word)
	                                : expect_value(session, 1, what, value);
}

/* What the operation gave, when it raised no fault. */
static int expect_result(struct probe_session *session, const char *word)
{
	const struct probe_operation *judged = session->judged.operation;
	enum probe_gives by;
	uint64_t value = 0;
	if (!strcmp(word, "bytes"))
		return judged->gives == GIVES_BYTES ? expect_bytes(session)
		                                    : probe_refuse(session, "%s gives no bytes: read does", judged->name);
	if (register_given(session, word, &by, &value))
		return expect_register(session, word, by, value);
	if (!isdigit((unsigned char)*word) && !strchr("$+-", *word))
		return probe_refuse(session, "%s cannot be expected: %s can", word, session->line->operation->arguments);
	if (judged->gives < GIVES_VALUE)
		return probe_refuse(session, "%s gives no value: ok, #GP, #UD or #PF can be expected of it", judged->name);
	return expect_value(session, 0, "", session->value);
}

static int run_expect(struct probe_session *session)
{
	const char *word = session->line->words[0];
	if (!strcmp(word, "interrupts") || !strcmp(word, "messages"))
		return expect_count(session, *word == 'm');
	if (!(session->judges = session->judged.operation))
		return probe_refuse(session, "nothing was done before that could be judged");
	for (enum guest_fault fault = FAULT_NONE; fault <= FAULT_PF; fault++)
		if (!strcmp(word, probe_fault_name(fault)))
			return session->line->count == 1 ? expect_fault(session, fault)
			                                 : probe_refuse(session, "after %s nothing more can be expected", word);
	/* The arguments are looked at in any case. */
	int result = expect_result(session, word);
	return result || !session->engine || !session->outcome.fault ? result : expect_fault(session, FAULT_NONE);
}

static const struct probe_operation operations[] = {
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

const struct probe_operation *probe_operation(const char *name)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (!strcmp(operations[i].name, name))
			return &operations[i];
	return NULL;
}

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
