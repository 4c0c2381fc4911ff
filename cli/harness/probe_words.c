/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the words of a probe's line mean: numbers, variables, ranges, vCPUs, MSRs; and what is said of them. */
#include "probe_session.h"

#include "output.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* "name:line: "; of a long path its end. */
const char *probe_place(const struct probe_session *session, char place[PLACE_BYTES])
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

int probe_refuse(struct probe_session *session, const char *format, ...)
{
	char text[240];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	char place[PLACE_BYTES];
	return error_set(session->error, GIM_E_ARGUMENT, "%s%s", probe_place(session, place), text);
}

void probe_say(struct probe_session *session, const char *format, ...)
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
const struct probe_variable *probe_variable(const struct probe_session *session, const char *name, size_t length)
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
		const struct probe_variable *variable = probe_variable(session, word + 1, length - 1);
		if (!variable)
			return probe_refuse(session, "nothing is kept as %.*s: set NAME keeps a value as $NAME", (int)length, word);
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
			return probe_refuse(session, "%s is too large: 64 bits are a number", copy);
	}
	return probe_refuse(session, "%.*s is no number: decimal, 0x… or $NAME is expected", (int)length, word);
}

/* TERM, or a sum of them: $start+1000-0x10. */
int probe_take_value(struct probe_session *session, const char *word, size_t length, uint64_t *value)
{
	uint64_t sum = 0;
	for (size_t at = 0; at <= length;) {
		const bool minus = at && word[at - 1] == '-';
		size_t end = at;
		uint64_t term = 0;
		while (end < length && word[end] != '+' && word[end] != '-')
			end++;
		if (end == at)
			return probe_refuse(session, "%s%sa number is missing: decimal, 0x… or $NAME is expected", word,
			                    length ? ": " : "");
		int result = take_term(session, word + at, end - at, &term);
		if (result)
			return result;
		sum = minus ? sum - term : sum + term;
		at = end + 1;
	}
	*value = sum;
	return 0;
}

int probe_value(struct probe_session *session, unsigned word, uint64_t *value)
{
	return probe_take_value(session, session->line->words[word], strlen(session->line->words[word]), value);
}

/* Only a run gives variables their values: before it, nothing is said of numbers that are made of them. */
bool probe_is_known(const struct probe_session *session, const char *word)
{
	return session->engine || !strchr(word, '$');
}

int probe_number(struct probe_session *session, unsigned word, uint64_t max, uint64_t *value)
{
	int result = probe_value(session, word, value);
	if (!result && *value > max && probe_is_known(session, session->line->words[word]))
		return probe_refuse(session, "%s is too large: at most 0x%" PRIx64 " is possible", session->line->words[word], max);
	return result;
}

int probe_vcpu(struct probe_session *session, unsigned word, uint32_t *vcpu)
{
	uint64_t number;
	int result = probe_number(session, word, UINT32_MAX - 1, &number);
	if (!result && session->engine && number >= session->engine->vcpus)
		return probe_refuse(session, "there is no vCPU %" PRIu64 ": the machine has %u", number, session->engine->vcpus);
	*vcpu = (uint32_t)number;
	return result;
}

/* VALUE, or LOW..HIGH. */
int probe_range(struct probe_session *session, unsigned word, uint64_t *low, uint64_t *high)
{
	const char *text = session->line->words[word], *dots = strstr(text, "..");
	if (!dots) {
		int result = probe_value(session, word, low);
		*high = *low;
		return result;
	}
	int result = probe_take_value(session, text, (size_t)(dots - text), low);
	if (!result)
		result = probe_take_value(session, dots + 2, strlen(dots + 2), high);
	if (!result && *low > *high && !strchr(text, '$'))
		return probe_refuse(session, "%s: nothing is in it: the lower number stands first", text);
	return result;
}

int probe_hex(struct probe_session *session, unsigned word, uint8_t *bytes, size_t max, uint32_t *size)
{
	const char *text = session->line->words[word];
	const size_t length = strlen(text);
	if (!length || length % 2 || length / 2 > max)
		return probe_refuse(session, "%s: bytes as pairs of hexadecimal digits are expected, at most %zu of them", text, max);
	for (size_t i = 0; i < length / 2; i++) {
		const char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return probe_refuse(session, "%s is no byte in hexadecimal", pair);
		bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	*size = (uint32_t)(length / 2);
	return 0;
}

/* "u32"; 0: it is no such name. */
uint32_t probe_named_size(const char *text)
{
	static const char *const names[] = {"u8", "u16", "u32", "u64"};
	for (unsigned i = 0; i < 4; i++)
		if (!strcmp(text, names[i]))
			return 1u << i;
	return 0;
}

/* That, or a number of bytes. */
int probe_size(struct probe_session *session, unsigned word, uint32_t *size)
{
	uint64_t number;
	if ((*size = probe_named_size(session->line->words[word])))
		return 0;
	int result = probe_number(session, word, GUEST_BYTES_MAX, &number);
	if (!result && !number && probe_is_known(session, session->line->words[word]))
		return probe_refuse(session, "0 bytes are nothing to read: u8, u16, u32, u64 or 1 to %d is expected", GUEST_BYTES_MAX);
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

int probe_msr(struct probe_session *session, unsigned word, uint32_t *msr)
{
	struct msr_search search = {.word = session->line->words[word]};
	uint64_t number;
	if (isdigit((unsigned char)*search.word) || *search.word == '$') {
		int result = probe_number(session, word, UINT32_MAX, &number);
		*msr = (uint32_t)number;
		return result;
	}
	if (!session->engine)
		return 0; /* only a machine knows the names */
	(void)gim_machine_msrs(session->engine->machine, session->line->vcpu, match_msr, &search);
	if (!search.found)
		return probe_refuse(session, "vCPU %u has no MSR %s: a number, its name or its field's path is expected",
		                    session->line->vcpu, search.word);
	*msr = search.msr;
	return 0;
}
