/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Printing JSON piece by piece. Only ASCII leaves it: what a text holds can then not steer a terminal either. */
#include "json_put.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The sequence at text as a code point, and its length; 0: it is none. */
static size_t decode(const unsigned char *text, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;
	*point = length < 2 ? text[0] : text[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (text[i] & 0x3f);
	}
	return length && *point >= least[length] && *point <= 0x10ffff && (*point < 0xd800 || *point > 0xdfff) ? length : 0;
}

static bool is_utf8(const unsigned char *text)
{
	uint32_t point;
	for (size_t length; *text; text += length)
		if (!(length = decode(text, &point)))
			return false;
	return true;
}

static void put_point(FILE *stream, uint32_t point)
{
	static const char letters[] = {['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
	if (point < sizeof(letters) && letters[point])
		fprintf(stream, "\\%c", letters[point]);
	else if (point < 0x10000)
		fprintf(stream, "\\u%04" PRIX32, point);
	else
		fprintf(stream, "\\u%04" PRIX32 "\\u%04" PRIX32, 0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff));
}

/* As json_text: bytes that are not UTF-8 are U+00nn. What is plain goes out at once. */
static void put_quoted(FILE *stream, const char *text)
{
	const unsigned char *at = (const unsigned char *)text, *plain = at;
	int utf8 = -1;
	putc_unlocked('"', stream);
	while (*at) {
		if (*at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') {
			at++;
			continue;
		}
		uint32_t point = *at;
		size_t length = 1;
		if (*at >= 0x80 && utf8 < 0)
			utf8 = is_utf8(at);
		if (*at >= 0x80 && utf8)
			length = decode(at, &point);
		(void)fwrite_unlocked(plain, 1, (size_t)(at - plain), stream);
		put_point(stream, point);
		plain = at += length;
	}
	(void)fwrite_unlocked(plain, 1, (size_t)(at - plain), stream);
	putc_unlocked('"', stream);
}

static void put_break(const struct json_put *put)
{
	static const char line[] = "\n                                                                ";
	const size_t size = 1 + 2 * (size_t)put->depth;
	if (!put->one_line && put->depth)
		(void)fwrite_unlocked(line, 1, size < sizeof(line) ? size : sizeof(line) - 1, put->stream);
}

/* All that stands before a value. */
static void put_key(struct json_put *put, const char *key)
{
	const unsigned bit = 1U << put->depth;
	if (put->filled & bit)
		putc_unlocked(',', put->stream);
	put->filled |= bit;
	put_break(put);
	if (!key)
		return;
	put_quoted(put->stream, key);
	fputs_unlocked(put->one_line ? ":" : ": ", put->stream);
}

void json_put_begin(struct json_put *put, const char *key, char bracket)
{
	put_key(put, key);
	putc_unlocked(bracket, put->stream);
	put->filled &= ~(1U << ++put->depth);
}

void json_put_end(struct json_put *put, char bracket)
{
	const bool filled = put->filled & 1U << put->depth;
	put->depth--;
	if (filled && put->depth)
		put_break(put);
	else if (filled && !put->one_line)
		putc_unlocked('\n', put->stream);
	putc_unlocked(bracket == '{' ? '}' : ']', put->stream);
}

void json_put_text(struct json_put *put, const char *key, const char *text)
{
	put_key(put, key);
	put_quoted(put->stream, text);
}

void json_put_number(struct json_put *put, const char *key, int64_t number)
{
	put_key(put, key);
	fprintf(put->stream, "%" PRId64, number);
}

void json_put_true(struct json_put *put, const char *key)
{
	put_key(put, key);
	fputs_unlocked("true", put->stream);
}

void json_put_value(struct json_put *put, const char *key, json_t *value)
{
	const size_t format = JSON_ENCODE_ANY | JSON_ENSURE_ASCII | (put->one_line ? JSON_COMPACT : JSON_INDENT(2));
	char *text = value ? json_dumps(value, format) : NULL, *rest = text;
	put_key(put, key);
	for (const char *line; text && (line = strsep(&rest, "\n"));) {
		fputs_unlocked(line, put->stream);
		if (rest)
			put_break(put);
	}
	if (!text)
		fputs_unlocked("null", put->stream);
	free(text);
	json_decref(value);
}

static void member_text(struct members *to, const char *key, const char *text)
{
	json_put_text((struct json_put *)to, key, text);
}

static void member_number(struct members *to, const char *key, int64_t number)
{
	json_put_number((struct json_put *)to, key, number);
}

void json_put_start(struct json_put *put, FILE *stream, bool one_line)
{
	*put = (struct json_put){.members = {member_text, member_number}, .stream = stream, .one_line = one_line};
}
