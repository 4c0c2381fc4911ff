/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The probe language: reading scripts, and running them on an engine. */
#include "probe_session.h"

#include "output.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/*
 * Reading scripts.
 */
/* "#GP" is no comment, where a blank or nothing follows it. */
static bool is_fault(const char *text)
{
	for (enum guest_fault fault = FAULT_GP; fault <= FAULT_PF; fault++)
		if (!strncmp(text, probe_fault_name(fault), 3) && (!text[3] || isspace((unsigned char)text[3])))
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
static int parse_head(struct probe_session *session, struct probe_line *line, char **word, char **label, char **save)
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
			return probe_refuse(session, "%s names no vCPU: @0 is the first, and a blank follows it", *word);
		line->vcpu = (uint32_t)vcpu;
		*word = strtok_r(NULL, " \t\r", save);
	}
	if (*word && **word == '~') {
		line->time = true;
		*word = (*word)[1] ? *word + 1 : strtok_r(NULL, " \t\r", save);
	}
	return *word || !head ? 0 : probe_refuse(session, "%s stands before an operation, and none follows it", head);
}

static int parse_arguments(struct probe_session *session, struct probe_line *line, char **save)
{
	const struct probe_operation *operation = line->operation;
	const char *expected = *operation->arguments ? operation->arguments : "none";
	char *word;
	while ((word = strtok_r(NULL, " \t\r", save)) && line->count < WORDS_MAX)
		line->words[line->count++] = word;
	if (word)
		return probe_refuse(session, "%s has more than %d arguments, where %s is expected", operation->name, WORDS_MAX, expected);
	if (line->count < operation->min || line->count > operation->max)
		return probe_refuse(session, "%s has %u argument%s, where %s is expected", operation->name, line->count,
		                    line->count == 1 ? "" : "s", expected);
	return 0;
}

static int parse_line(struct probe_session *session, struct probe_line *line, char *text, char **label)
{
	char *save = NULL, *word = strtok_r(text, " \t\r", &save);
	int result = parse_head(session, line, &word, label, &save);
	if (result || !word)
		return result;
	if (*word == '@' || *word == '~')
		return probe_refuse(session, "%s in a wrong place: a line is [LABEL:] [@VCPU] [~]OPERATION [ARGUMENTS]", word);
	if (!(line->operation = probe_operation(word)))
		return probe_refuse(session, "%s is no operation: gimstate help probe lists them", word);
	result = parse_arguments(session, line, &save);
	return result ? result : line->operation->run(session);
}

/* The operation and its arguments again, one blank between them. */
static char *source_of(const struct probe_line *line)
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

static void note_judged(struct probe_session *session, const struct probe_line *line)
{
	if (line->operation->gives)
		session->judged = *line;
}

/* Room for one more line. */
static struct probe_line *new_line(struct probe *probe, size_t *room)
{
	if (probe->count == *room) {
		*room = *room ? 2 * *room : 64;
		struct probe_line *lines = reallocarray(probe->lines, *room, sizeof(*lines));
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
		struct probe_line *line = new_line(probe, &room);
		if (!line)
			return error_set(session->error, GIM_E_MEMORY, "out of memory");
		*line = (struct probe_line){.number = number};
		session->line = line;
		if (strlen(text) > PROBE_LINE_MAX_BYTES)
			return probe_refuse(session, "a line of more than %d bytes", PROBE_LINE_MAX_BYTES);
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
	const size_t length = strlen(probe_place(session, place));
	if (!strncmp(session->error->text, place, length))
		return result;
	memcpy(text, session->error->text, sizeof(text));
	(void)snprintf(session->error->text, sizeof(session->error->text), "%s%.*s", place, (int)(sizeof(text) - length) - 1, text);
	return result;
}

static int run_line(struct probe_session *session, const struct probe_line *line)
{
	session->line = line;
	session->result[0] = session->reason[0] = '\0';
	session->verdict = PROBE_DONE;
	if (line->vcpu >= session->engine->vcpus)
		return probe_refuse(session, "there is no vCPU %u: the machine has %u", line->vcpu, session->engine->vcpus);
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
