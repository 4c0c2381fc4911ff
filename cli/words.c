/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cutting lines into words. */
#include "words.h"

#include "output.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Copy the word at *at without its quotes to *out. Returns the quote that is still open, or 0. */
static char take_word(const char **at, char **out)
{
	char quote = 0;
	const char *from = *at;
	for (; *from && (quote || !is_blank(*from)); from++) {
		if (quote ? *from == quote : *from == '\'' || *from == '"')
			quote = quote ? 0 : *from;
		else if (*from == '\\' && quote != '\'' && from[1] && (!quote || from[1] == '"' || from[1] == '\\'))
			*(*out)++ = *++from;
		else
			*(*out)++ = *from;
	}
	*(*out)++ = '\0';
	*at = from;
	return quote;
}

int words_split(const char *line, struct line_words *words, struct line_end *end, struct gim_error *error)
{
	/* What is copied is never longer than what is read, and each word but the last ends at a blank. */
	struct line_end own = {.word_at = strlen(line)};
	struct line_words made = {.text = malloc(strlen(line) + 2)};
	char *out = made.text;
	int result = made.text ? 0 : error_set(error, GIM_E_MEMORY, "out of memory");
	for (const char *at = line; !result && *at;) {
		if (is_blank(*at)) {
			at++;
			continue;
		}
		own.comment = *at == '#';
		if (own.comment)
			break;
		if (made.count == LINE_WORDS_MAX) {
			result = error_set(error, GIM_E_ARGUMENT, "more than %d words in a line", LINE_WORDS_MAX);
			break;
		}
		const size_t begin = (size_t)(at - line);
		made.items[made.count++] = out;
		own.quote = take_word(&at, &out);
		if (!*at)
			own.word_at = begin;
		if (own.quote)
			result = error_set(error, GIM_E_ARGUMENT, "the quote %c is not closed", own.quote);
	}
	if (end)
		*end = own;
	if (result)
		free(made.text);
	else
		*words = made;
	return result;
}

void words_free(struct line_words *words)
{
	free(words->text);
	words->text = NULL;
	words->count = 0;
}
