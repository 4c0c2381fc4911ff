/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The damaged states of the corpus with VirtualBox's verdicts, and the lists of where we say something else. */
#ifndef VERDICTS_H
#define VERDICTS_H

#include "corpus.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What VirtualBox says of a file: a [number, name] pair; VERDICT_ABSENT when it was not asked. */
enum { VERDICT_ABSENT = INT_MAX, VERDICT_FILE_MAX = 1 << 20 };

static inline int verdict_status(const json_t *verdict, const char *key)
{
	const json_t *pair = json_object_get(verdict, key);
	return pair ? (int)json_integer_value(json_array_get(pair, 0)) : VERDICT_ABSENT;
}

struct damaged {
	const char *archive, *file;
	const uint8_t *bytes;
	size_t size;
	const json_t *verdict;
};

/* Visit every file of an archive with its verdict; false: something is missing. */
static inline bool verdicts_each(const char *archive, void (*visit)(const struct damaged *damaged))
{
	static uint8_t bytes[VERDICT_FILE_MAX];
	char folder[] = "/tmp/gimstate-verdicts-XXXXXX", text[3 * PATH_MAX], *line = NULL;
	size_t capacity = 0;
	if (!mkdtemp(folder))
		return false;
	(void)snprintf(text, sizeof(text), "tar -xJf '%s/virtualbox/mutants/%s.tar.xz' -C %s", corpus_folder(), archive, folder);
	bool good = !system(text);
	(void)snprintf(text, sizeof(text), "%s/virtualbox/mutants/%s.verdicts.jsonl", corpus_folder(), archive);
	FILE *verdicts = fopen(text, "r");
	while (good && verdicts && getline(&line, &capacity, verdicts) > 0) {
		json_t *verdict = json_loads(line, 0, NULL);
		const char *file = json_string_value(json_object_get(verdict, "file"));
		(void)snprintf(text, sizeof(text), "%s/%s", folder, file);
		FILE *stream = fopen(text, "rb");
		good = verdict && stream;
		if (good) {
			const struct damaged damaged = {archive, file, bytes, fread(bytes, 1, sizeof(bytes), stream), verdict};
			visit(&damaged);
		}
		if (stream)
			(void)fclose(stream);
		json_decref(verdict);
	}
	free(line);
	good = good && verdicts && !fclose(verdicts);
	(void)snprintf(text, sizeof(text), "rm -rf %s", folder);
	return !system(text) && good;
}

/* A list of differences in a document: rows "| archive | file | VirtualBox's status | ours | why |". */
struct difference {
	char archive[8], file[64];
	int theirs, ours;
	bool met;
};

struct differences {
	const char *document;
	struct difference rows[100];
	unsigned count;
};

/* False: there is no such document, or it has too many rows. */
static inline bool differences_read(struct differences *differences, const char *document)
{
	FILE *list = fopen(document, "r");
	char line[512];
	differences->document = document;
	differences->count = 0;
	while (list && fgets(line, sizeof(line), list)) {
		struct difference *one = &differences->rows[differences->count];
		if (differences->count == sizeof(differences->rows) / sizeof(differences->rows[0]))
			return fclose(list), false;
		*one = (struct difference){.met = false};
		if (sscanf(line, "| %7s | %63s | %d | %d |", one->archive, one->file, &one->theirs, &one->ours) == 4)
			differences->count++;
	}
	return list && !fclose(list);
}

static inline bool differences_have(struct differences *differences, const char *archive, const char *file, int theirs, int ours)
{
	for (unsigned i = 0; i < differences->count; i++) {
		struct difference *one = &differences->rows[i];
		if (!strcmp(one->archive, archive) && !strcmp(one->file, file) && one->theirs == theirs && one->ours == ours)
			return one->met = true;
	}
	return false;
}

/* A row that nothing met, or NULL. */
static inline const struct difference *differences_stale(const struct differences *differences)
{
	for (unsigned i = 0; i < differences->count; i++)
		if (!differences->rows[i].met)
			return &differences->rows[i];
	return NULL;
}

#endif
