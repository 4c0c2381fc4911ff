/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Printing, in one place for all commands. */
#include "output.h"

#include "command.h"
#include "written.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool colour_stdout, colour_stderr;

/* Where there was no memory little is seen but that something is missing: here it is remembered, for all of it. */
static atomic_bool starved;

void output_no_memory(void)
{
	starved = true;
}

bool output_is_starved(void)
{
	return starved;
}

static void *allocate_json(size_t size)
{
	void *bytes = malloc(size);
	starved = starved || !bytes;
	return bytes;
}

/* The reason of the first failure: stdio keeps only the fact, and writes when its buffer is full, while nobody looks. */
static int output_errno;

static ssize_t send_on(void *cookie, const char *bytes, size_t size)
{
	size_t sent = 0;
	(void)cookie;
	while (sent < size) {
		const ssize_t count = write(STDOUT_FILENO, bytes + sent, size - sent);
		if (count < 0) {
			output_errno = output_errno ? output_errno : errno;
			break;
		}
		sent += (size_t)count;
	}
	return (ssize_t)sent;
}

/* A terminal stays stdio's own: readline asks for its descriptor. */
static void send_by_ourselves(void)
{
	FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = send_on});
	if (stream)
		stdout = stream;
	(void)setvbuf(stdout, NULL, _IOFBF, 1 << 16);
}

void output_start(void)
{
	json_set_alloc_funcs(allocate_json, free);
	const char *never = getenv("NO_COLOR"), *terminal = getenv("TERM");
	const bool wanted = !(never && *never) && terminal && strcmp(terminal, "dumb") != 0;
	colour_stdout = wanted && isatty(STDOUT_FILENO);
	colour_stderr = wanted && isatty(STDERR_FILENO);
	if (!isatty(STDOUT_FILENO))
		send_by_ourselves();
}

void output_flush(void)
{
	if (fflush(stdout) && !output_errno)
		output_errno = errno;
}

bool output_finish(void)
{
	output_flush();
	if (starved)
		fputs("gimstate: out of memory: what was printed is not whole\n", stderr);
	if (!output_errno && !ferror(stdout))
		return !starved;
	fprintf(stderr, "gimstate: cannot write to standard output%s%s\n", output_errno ? ": " : "",
	        output_errno ? strerror(output_errno) : "");
	return false;
}

/* Length of the printable UTF-8 sequence at text; 0: it is none, or a control character. */
static size_t printable(const unsigned char *text)
{
	/* The lowest and the highest second byte: no surrogate, nothing longer than it needs be, nothing behind U+10FFFF. */
	const unsigned char lead = text[0],
			    low = lead == 0xe0   ? 0xa0
	                          : lead == 0xf0 ? 0x90
	                          : lead == 0xc2 ? 0xa0
	                                         : 0x80,
			    high = lead == 0xed   ? 0x9f
	                           : lead == 0xf4 ? 0x8f
	                                          : 0xbf;
	if (lead < 0x80)
		return lead >= 0x20 && lead != 0x7f;
	const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (lead < 0xc2 || lead > 0xf4 || text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* U+FFFE and U+FFFF are no characters, and XML has no place for them. */
	return lead == 0xef && text[1] == 0xbf && text[2] >= 0xbe ? 0 : length;
}

void put_replaced(FILE *stream, const char *text, const char *(*replace)(char byte))
{
	const unsigned char *at = (const unsigned char *)(text ? text : ""), *plain = at; /* what is printed as it is goes out at once */
	while (*at) {
		const size_t length = printable(at);
		const char *other = length == 1 && replace ? replace((char)*at) : NULL;
		if (length && !other) {
			at += length;
			continue;
		}
		(void)fwrite(plain, 1, (size_t)(at - plain), stream);
		if (other)
			fputs(other, stream);
		else
			fprintf(stream, "\\x%02x", *at);
		plain = ++at;
	}
	(void)fwrite(plain, 1, (size_t)(at - plain), stream);
}

void put_safe(FILE *stream, const char *text)
{
	put_replaced(stream, text, NULL);
}

void put_styled(FILE *stream, enum style style, const char *text)
{
	static const char *const codes[] = {
	    [STYLE_NONE] = "", [STYLE_DIM] = "\033[2m", [STYLE_GOOD] = "\033[32m", [STYLE_WARNING] = "\033[33m", [STYLE_BAD] = "\033[31m"};
	const bool colour = style != STYLE_NONE && (stream == stderr ? colour_stderr : colour_stdout);
	if (colour)
		fputs(codes[style], stream);
	put_safe(stream, text);
	if (colour)
		fputs("\033[0m", stream);
}

int error_set(struct gim_error *error, int code, const char *format, ...)
{
	if (error->code)
		return code;
	*error = (struct gim_error){.code = code, .offset = GIM_UNKNOWN, .payload_offset = GIM_UNKNOWN};
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return code;
}

int error_status(const struct gim_error *error)
{
	switch (error->code) {
	case GIM_OK:
		return EXIT_YES;
	case GIM_E_NO_UNIT:
	case GIM_E_TRUNCATED:
	case GIM_E_CORRUPT:
	case GIM_E_LIMIT:
		return EXIT_NO;
	default:
		return EXIT_NO_ANSWER;
	}
}

int error_decode_status(const struct gim_error *error)
{
	return error->code == GIM_E_VERSION || error->code == GIM_E_FORMAT ? EXIT_NO : error_status(error);
}

void put_error_place(FILE *stream, const struct gim_error *error)
{
	if (error->offset != GIM_UNKNOWN)
		fprintf(stream, " (at byte 0x%" PRIx64 ")", error->offset);
	else if (error->payload_offset != GIM_UNKNOWN)
		fprintf(stream, " (payload byte 0x%" PRIx64 ")", error->payload_offset);
}

int output_error(const char *file, const struct gim_error *error, bool json)
{
	if (json) {
		output_document(json_pack("{s:o}", "error", error_json(file, error)), false);
		return error_status(error);
	}
	output_flush();
	put_styled(stderr, STYLE_BAD, "gimstate:");
	fputc(' ', stderr);
	const char *const prefixes[] = {file ? file : "", error->unit, error->path};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (!*prefixes[i])
			continue;
		fputs(i == 1 ? "unit " : "", stderr);
		put_safe(stderr, !i && !strcmp(file, "-") ? "standard input" : prefixes[i]);
		fputs(": ", stderr);
	}
	put_safe(stderr, error->text);
	put_error_place(stderr, error);
	fputc('\n', stderr);
	return error_status(error);
}

json_t *json_text(const char *text)
{
	json_t *json = json_string(text);
	if (json)
		return json;
	char *latin = malloc(2 * strlen(text) + 1), *out = latin;
	if (!latin)
		return NULL;
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if (*at >= 0x80)
			*out++ = (char)(0xc0 | *at >> 6);
		*out++ = (char)(*at < 0x80 ? *at : 0x80 | (*at & 0x3f));
	}
	*out = '\0';
	json = json_string(latin);
	free(latin);
	return json;
}

json_t *size_json(uint64_t size)
{
	return size == GIM_UNKNOWN ? json_null() : json_integer((json_int_t)size);
}

static void set_text(json_t *json, const char *key, const char *text)
{
	if (text && *text)
		(void)json_object_set_new(json, key, json_text(text));
}

struct json_members {
	struct members members;
	json_t *json;
};

static void member_text(struct members *to, const char *key, const char *text)
{
	set_text(((struct json_members *)to)->json, key, text);
}

static void member_number(struct members *to, const char *key, int64_t number)
{
	(void)json_object_set_new(((struct json_members *)to)->json, key, json_integer(number));
}

static void put_member(struct members *to, const char *key, const char *text)
{
	if (text && *text)
		to->text(to, key, text);
}

void error_members(const char *file, const struct gim_error *error, struct members *to)
{
	put_member(to, "code", gim_code_name(error->code));
	put_member(to, "text", error->text);
	put_member(to, "file", file);
	put_member(to, "unit", error->unit);
	put_member(to, "path", error->path);
	if (error->offset != GIM_UNKNOWN)
		to->number(to, "offset", (int64_t)error->offset);
	if (error->payload_offset != GIM_UNKNOWN)
		to->number(to, "payload_offset", (int64_t)error->payload_offset);
}

json_t *error_json(const char *file, const struct gim_error *error)
{
	struct json_members to = {{member_text, member_number}, json_object()};
	error_members(file, error, &to.members);
	return to.json;
}

const char *severity_name(enum gim_severity severity)
{
	static const char *const names[] = {[GIM_NOTE] = "note", [GIM_WARNING] = "warning", [GIM_ERROR] = "error"};
	return names[severity];
}

json_t *rule_json(const struct gim_rule *rule)
{
	json_t *json = json_object(), *after = json_array();
	set_text(json, "id", rule->id);
	set_text(json, "severity", severity_name(rule->severity));
	set_text(json, "help", rule->help);
	if (rule->status)
		(void)json_object_set_new(json, "status", json_integer(rule->status));
	set_text(json, "status_name", rule->status_name);
	set_text(json, "why", rule->why);
	set_text(json, "mend", rule->mend);
	set_text(json, "source", rule->source);
	for (const char *id = rule->after; id && *id; id += strspn(id, " ")) {
		const size_t length = strcspn(id, " ");
		(void)json_array_append_new(after, json_stringn(id, length));
		id += length;
	}
	(void)json_object_set_new(json, "after", after);
	return json;
}

void finding_members(const struct gim_finding *finding, struct members *to)
{
	put_member(to, "rule", finding->rule->id);
	put_member(to, "severity", severity_name(finding->severity));
	if (finding->rule->status)
		to->number(to, "status", finding->rule->status);
	put_member(to, "status_name", finding->rule->status_name);
	if (finding->offset != GIM_UNKNOWN)
		to->number(to, "offset", (int64_t)finding->offset);
	put_member(to, "unit", finding->unit);
	put_member(to, "path", finding->path);
	put_member(to, "text", finding->text);
}

json_t *finding_json(const struct gim_finding *finding)
{
	struct json_members to = {{member_text, member_number}, json_object()};
	finding_members(finding, &to.members);
	return to.json;
}

json_t *unit_json(const struct gim_unit *unit)
{
	json_t *json = json_object();
	(void)json_object_set_new(json, "name", json_text(unit->name));
	(void)json_object_set_new(json, "instance", json_integer(unit->instance));
	(void)json_object_set_new(json, "version", json_integer(unit->version));
	(void)json_object_set_new(json, "pass", unit->pass == GIM_PASS_FINAL ? json_string("final") : json_integer(unit->pass));
	(void)json_object_set_new(json, "offset", size_json(unit->offset));
	(void)json_object_set_new(json, "stored_bytes", size_json(unit->stored_bytes));
	(void)json_object_set_new(json, "payload_bytes", size_json(unit->payload_bytes));
	(void)json_object_set_new(json, "decodable", json_boolean(unit->decodable));
	return json;
}

void output_document(json_t *body, bool one_line)
{
	json_t *document = json_pack("{s:i}", "gimstate", 1);
	/* Only ASCII: what a byte string holds can then not steer a terminal either. */
	const size_t format = JSON_ENSURE_ASCII | (one_line ? JSON_COMPACT : JSON_INDENT(2));
	const bool whole = document && body && !json_object_update(document, body);
	/* A reader that went away, or a full disk, is told as that. */
	if (!whole || (json_dumpf(document, stdout, format) && !ferror(stdout)))
		output_no_memory();
	putchar('\n');
	json_decref(document);
	json_decref(body);
}

void remarks_take(void *user, const struct gim_finding *finding)
{
	struct remarks *remarks = (struct remarks *)user;
	if (!remarks->findings)
		remarks->findings = json_array();
	(void)json_array_append_new(remarks->findings, finding_json(finding));
}

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static bool says_the_same(const json_t *finding, const struct gim_error *error)
{
	return error->code && !strcmp(member(finding, "unit"), error->unit) && *error->text && strstr(member(finding, "text"), error->text);
}

void remarks_print(const struct remarks *remarks, const struct gim_error *error)
{
	output_flush();
	for (size_t i = 0; i < json_array_size(remarks->findings); i++) {
		const json_t *finding = json_array_get(remarks->findings, i);
		const char *severity = member(finding, "severity"), *unit = member(finding, "unit");
		if (says_the_same(finding, error))
			continue;
		fputs("# ", stderr);
		put_styled(stderr,
		           !strcmp(severity, "note")      ? STYLE_DIM
		           : !strcmp(severity, "warning") ? STYLE_WARNING
		                                          : STYLE_BAD,
		           severity);
		fputs(": ", stderr);
		fputs(*unit ? "unit " : "", stderr);
		put_safe(stderr, unit);
		fputs(*unit ? ": " : "", stderr);
		put_safe(stderr, member(finding, "text"));
		fprintf(stderr, " [%s]\n", member(finding, "rule"));
	}
}

/* How long the path is without its last index, when that is `index`; 0: it is not. */
static size_t before_index(const char *path, unsigned long index)
{
	char end[32];
	const size_t length = strlen(path), end_length = (size_t)snprintf(end, sizeof(end), "[%lu]", index);
	return length > end_length && !strcmp(path + length - end_length, end) ? length - end_length : 0;
}

/* How many findings from this one on say the same of elements that follow each other. */
static size_t run_of_elements(const json_t *findings, size_t from)
{
	const json_t *first = json_array_get(findings, from);
	const char *path = member(first, "path"), *bracket = strrchr(path, '[');
	const unsigned long index = bracket ? strtoul(bracket + 1, NULL, 10) : 0;
	const size_t length = bracket ? before_index(path, index) : 0;
	size_t count = 1;
	for (const json_t *next; length && (next = json_array_get(findings, from + count)); count++) {
		const char *other = member(next, "path");
		if (before_index(other, index + count) != length || strncmp(path, other, length) != 0 ||
		    strcmp(member(first, "text"), member(next, "text")) != 0)
			break;
	}
	return count;
}

static void put_path(const char *path, size_t elements)
{
	const size_t length = strlen(path);
	if (elements == 1)
		put_safe(stdout, path);
	else /* paths of elements are ours, and safe */
		printf("%.*s..%lu]", (int)length - 1, path, strtoul(strrchr(path, '[') + 1, NULL, 10) + elements - 1);
}

void remarks_put(const struct remarks *remarks)
{
	for (size_t i = 0, elements; i < json_array_size(remarks->findings); i += elements) {
		const json_t *finding = json_array_get(remarks->findings, i);
		const char *unit = member(finding, "unit"), *path = member(finding, "path");
		elements = run_of_elements(remarks->findings, i);
		fputs(*unit ? "unit " : "", stdout);
		put_safe(stdout, unit);
		fputs(*unit ? ": " : "", stdout);
		put_path(path, elements);
		fputs(*path ? ": " : "", stdout);
		put_safe(stdout, member(finding, "text"));
		putchar('\n');
	}
}

void remarks_json(const struct remarks *remarks, const struct gim_error *error, json_t *body)
{
	json_t *findings = json_array();
	for (size_t i = 0; i < json_array_size(remarks->findings); i++) {
		json_t *finding = json_array_get(remarks->findings, i);
		if (!says_the_same(finding, error))
			(void)json_array_append(findings, finding);
	}
	if (json_array_size(findings))
		(void)json_object_set(body, "findings", findings);
	json_decref(findings);
}

void remarks_free(struct remarks *remarks)
{
	json_decref(remarks->findings);
	remarks->findings = NULL;
}

static char *render(size_t (*print)(const struct gim_value *, char *, size_t), const struct gim_value *value)
{
	const size_t size = print(value, NULL, 0) + 1;
	char *text = malloc(size);
	if (text) {
		text[0] = '\0';
		(void)print(value, text, size);
	} else {
		output_no_memory();
	}
	return text;
}

static int keep_value(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	*(struct gim_value *)user = *value;
	return 0;
}

bool value_look_up(const struct gim_state *state, const char *path, struct gim_value *value)
{
	*value = (struct gim_value){.presence = GIM_ABSENT};
	(void)gim_state_visit(state, path, keep_value, value, NULL);
	return value->presence != GIM_ABSENT;
}

char *value_text(const struct gim_value *value)
{
	return render(gim_value_text, value);
}

char *value_text_at(const struct gim_state *state, const char *path)
{
	struct gim_value value;
	(void)value_look_up(state, path, &value);
	return value_text(&value);
}

char *value_meaning(const struct gim_value *value)
{
	return render(gim_value_meaning, value);
}

/* Where the next component of a path ends, from byte `at` on. */
static size_t component_end(const char *path, size_t at)
{
	return path[at] ? at + 1 + strcspn(path + at + 1, ".[") : at;
}

/* How many bytes two paths share, in whole components. */
static size_t common(const char *one, const char *two)
{
	size_t shared = 0;
	while (two && one[shared]) {
		const size_t end = component_end(one, shared);
		if (strncmp(one, two, end) != 0 || component_end(two, shared) != end)
			break;
		shared = end;
	}
	return shared;
}

static void put_absent(const char *path, size_t length)
{
	printf("%.*s = ", (int)length, path);
	put_styled(stdout, STYLE_DIM, "absent");
	putchar('\n');
}

/* Print the absent leaves that wait, each run of them under the shortest path that holds nothing else. */
static void fields_flush(struct fields *fields, const char *next)
{
	const char *last = "";
	size_t last_length = 0;
	for (size_t i = 0; i < fields->waiting_count; i++) {
		const char *path = fields->waiting[i];
		const size_t before = common(path, fields->previous), after = common(path, next);
		size_t length = component_end(path, before > after ? before : after);
		if (fields->within && length < strlen(fields->within))
			length = strlen(fields->within);
		if (length != last_length || strncmp(path, last, length) != 0)
			put_absent(path, length);
		last = path;
		last_length = length;
	}
	for (size_t i = 0; i < fields->waiting_count; i++)
		free(fields->waiting[i]);
	fields->waiting_count = 0;
}

/* More absent leaves than this in a row are not worth holding; they are printed one by one. */
enum { WAITING_MAX = 65536 };

static int wait_absent(struct fields *fields, const char *path)
{
	if (fields->waiting_count == WAITING_MAX)
		fields_flush(fields, path);
	if (!fields->waiting)
		fields->waiting = calloc(WAITING_MAX, sizeof(*fields->waiting));
	char *copy = fields->waiting ? strdup(path) : NULL;
	if (!copy)
		return output_no_memory(), GIM_E_MEMORY;
	fields->waiting[fields->waiting_count++] = copy;
	return 0;
}

int fields_put(void *user, const char *path, const struct gim_value *value)
{
	struct fields *fields = (struct fields *)user;
	if (fields->skip && !strncmp(path, fields->skip, strlen(fields->skip)))
		return 0;
	if (value->presence == GIM_ABSENT)
		return fields->stored_only ? 0 : wait_absent(fields, path);
	fields_flush(fields, path);
	free(fields->previous);
	fields->previous = strdup(path);
	fields->stored++;
	char *text = value_text(value), *meaning = value_meaning(value);
	if (text && meaning) {
		printf("%s = %s", path, text);
		if (fields->meanings && *meaning) {
			fputs("  ", stdout);
			put_styled(stdout, STYLE_DIM, meaning);
		}
		putchar('\n');
	}
	const bool failed = !text || !meaning || !fields->previous;
	if (failed)
		output_no_memory();
	free(text);
	free(meaning);
	return failed ? GIM_E_MEMORY : ferror(stdout) ? GIM_E_STOPPED : 0;
}

void fields_end(struct fields *fields)
{
	fields_flush(fields, NULL);
	free(fields->waiting);
	free(fields->previous);
	fields->waiting = NULL;
	fields->previous = NULL;
}

bool input_is(const char *input, const char *path)
{
	struct stat a, b;
	char *file = strndup(input, gim_path_file(input));
	const bool there = file && (strcmp(file, "-") ? !stat(file, &a) : !fstat(STDIN_FILENO, &a));
	free(file);
	return there && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int output_end(struct gim_output *output, int result, struct gim_error *error)
{
	struct gim_error why = GIM_ERROR_INIT;
	if (!result)
		return written_commit(&output, error);
	/* "stopped" says less than the reason. */
	if (result == GIM_E_STOPPED && (result = gim_output_failure(output, &why)))
		*error = why;
	written_discard(&output);
	return error->code;
}

/* Write the state as a file of its own, or as a bundle, when that is what the name says. from: the file that it comes from, or NULL. */
static int write_named(struct gim_state *state, const struct gim_write_options *how, const char *from, const char *path,
                       struct gim_output *output, struct gim_error *error)
{
	struct gim_pack_options packing = {.name = path, .source_name = from && strcmp(from, "-") ? from : NULL, .whole = true};
	if (!gim_bundle_is_name(path))
		return gim_state_write(state, how, gim_output_write, output, error);
	if (how)
		packing.write = *how;
	return gim_state_pack(state, &packing, gim_output_write, output, NULL, error);
}

void output_tell_form(const struct gim_state *state, const char *path)
{
	static const char *const of_states[] = {".sav", ".mig", ".save", ".qcow2"};
	const char *end = strrchr(path, '.') ? strrchr(path, '.') : "", *advice = NULL;
	struct gim_value format;
	const bool known = value_look_up(state, "source.format", &format);
	const bool json = known && format.length_bytes == strlen("json") && !memcmp(format.bytes, "json", strlen("json"));
	for (size_t i = 0; json && i < sizeof(of_states) / sizeof(of_states[0]); i++)
		if (!strcmp(end, of_states[i]))
			advice = "is a JSON document, as its input is; convert --base puts its interface into a saved state";
	if (known && !json && !strcmp(end, ".json"))
		advice = "is a saved state, as its input is; dump --json prints a JSON document";
	if (!advice)
		return;
	fputs("gimstate: ", stderr);
	put_safe(stderr, path);
	fprintf(stderr, " %s\n", advice);
}

int output_check(const char *path, bool replace, struct gim_error *error)
{
	return replace || access(path, F_OK) ? 0 : error_set(error, GIM_E_ARGUMENT, "%.300s exists; --force overwrites it", path);
}

int output_state(struct gim_state *state, const struct gim_write_options *how, const char *from, const char *path, bool replace,
                 struct gim_error *error)
{
	struct gim_output *output;
	if (gim_state_is_part(state) && input_is(from, path))
		return error_set(error, GIM_E_ARGUMENT,
		                 "the state is a part of its file, and the rest would be lost; another OUT takes the state alone");
	if (written_new(path, replace, &output, error))
		return error->code;
	return output_end(output, write_named(state, how, from, path, output, error), error);
}

void members_put(const json_t *members)
{
	for (size_t i = 0; i < json_array_size(members); i++) {
		const json_t *member = json_array_get(members, i);
		const char *sha256 = json_string_value(json_object_get(member, "sha256"));
		printf("%-24s %12" JSON_INTEGER_FORMAT "%s%s\n", json_string_value(json_object_get(member, "name")),
		       json_integer_value(json_object_get(member, "size_bytes")), sha256 ? "  " : "", sha256 ? sha256 : "");
	}
}

void hex_end(struct hex *hex)
{
	if (!hex->used)
		return;
	printf("%08" PRIx64 " ", hex->offset);
	for (unsigned i = 0; i < sizeof(hex->line); i++)
		printf(i < hex->used ? " %02x" : "   ", hex->line[i]);
	fputs("  ", stdout);
	for (unsigned i = 0; i < hex->used; i++)
		putchar(hex->line[i] >= 0x20 && hex->line[i] < 0x7f ? hex->line[i] : '.');
	putchar('\n');
	hex->offset += hex->used;
	hex->used = 0;
}

int hex_put(void *user, const void *bytes, size_t size)
{
	struct hex *hex = (struct hex *)user;
	for (size_t i = 0; i < size; i++) {
		hex->line[hex->used++] = ((const unsigned char *)bytes)[i];
		if (hex->used == sizeof(hex->line))
			hex_end(hex);
	}
	return ferror(stdout);
}
