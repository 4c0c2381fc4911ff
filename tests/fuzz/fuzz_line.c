/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of the shell: any text is cut into words or refused with a sentence, words that are quoted again are the same, and anywhere in it can be asked for
 * what may follow. Nothing is run. */
#include "complete.h"
#include "words.h"

#include "fuzz.h"

enum { SIZE_MAX_BYTES = 512 };

/* Each word in quotes, as a person would write it who trusts nothing. */
static char *quote(const struct line_words *words)
{
	size_t room = 1, used = 0;
	for (int i = 0; i < words->count; i++)
		room += 4 * strlen(words->items[i]) + 3;
	char *line = malloc(room);
	MUST(line);
	for (int i = 0; i < words->count; i++) {
		line[used++] = '\'';
		for (const char *at = words->items[i]; *at; at++)
			if (*at == '\'') {
				memcpy(line + used, "'\\''", 4);
				used += 4;
			} else {
				line[used++] = *at;
			}
		line[used++] = '\'';
		line[used++] = ' ';
	}
	line[used] = '\0';
	return line;
}

static void split_again(const struct line_words *words)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct line_words again;
	char *line = quote(words);
	MUST(!words_split(line, &again, NULL, &error) && again.count == words->count);
	for (int i = 0; i < words->count; i++)
		MUST(!strcmp(words->items[i], again.items[i]));
	words_free(&again);
	free(line);
}

static void complete_line(const char *line, size_t word_at)
{
	struct completions found = {.count = 0};
	char *before = strndup(line, word_at);
	MUST(before);
	complete(before, line + word_at, &found);
	for (size_t i = 0; i < found.count; i++)
		MUST(*found.items[i].text);
	completions_free(&found);
	free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct line_words words;
	struct line_end end = {0, 0, false};
	uint8_t *copy = fuzz_copy(bytes, size);
	char *line = size ? strndup((const char *)copy, size < SIZE_MAX_BYTES ? size : SIZE_MAX_BYTES) : strdup("");
	free(copy);
	MUST(line);
	const int result = words_split(line, &words, &end, &error);
	MUST(result <= 0 && (result < 0) == (error.code != 0) && end.word_at <= strlen(line));
	if (!result) {
		split_again(&words);
		words_free(&words);
	}
	if (!end.comment)
		complete_line(line, end.word_at);
	free(line);
	return 0;
}
