/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Laying out results: rows and columns in the order in which they are first met. */
#include "check_matrix.h"

#include <stdlib.h>
#include <string.h>

/* The number of a name, given in the order of first use; jansson's objects are the dictionary. SIZE_MAX: out of memory. */
static size_t number_of(json_t *numbers, const char *name, bool *is_new)
{
	json_t *key = json_text(name);
	const char *text = json_string_value(key);
	json_t *number = text ? json_object_get(numbers, text) : NULL;
	size_t found = number ? (size_t)json_integer_value(number) : json_object_size(numbers);
	*is_new = !number;
	if (!text || (!number && json_object_set_new(numbers, text, json_integer((json_int_t)found))))
		found = SIZE_MAX;
	json_decref(key);
	return found;
}

/* Which row and column a result is in; no target: the column is SIZE_MAX - 1. */
struct place {
	size_t row, column;
};

static bool find_places(struct check_matrix *matrix, const struct check_run *run, struct place *places)
{
	json_t *rows = json_object(), *columns = json_object();
	bool whole = true, is_new;
	for (size_t i = 0; whole && i < run->result_count; i++) {
		const struct check_result *result = &run->results[i];
		char *name = check_state_text(result);
		places[i].row = name ? number_of(rows, name, &is_new) : SIZE_MAX;
		free(name);
		whole = places[i].row != SIZE_MAX;
		if (whole && is_new)
			matrix->states[matrix->state_count++] = result;
		places[i].column = SIZE_MAX - 1;
		if (!result->target || !whole)
			continue;
		places[i].column = number_of(columns, result->target, &is_new);
		whole = places[i].column != SIZE_MAX;
		if (whole && is_new)
			matrix->targets[matrix->target_count++] = result->target;
	}
	/* Without any target there is one column all the same. */
	matrix->target_count += run->result_count && !matrix->target_count;
	json_decref(rows);
	json_decref(columns);
	return whole;
}

static void fill(struct check_matrix *matrix, const struct check_run *run, const struct place *places)
{
	for (size_t i = 0; i < run->result_count; i++) {
		const struct check_result *result = &run->results[i];
		const bool all = places[i].column == SIZE_MAX - 1;
		for (size_t t = all ? 0 : places[i].column; t < (all ? matrix->target_count : places[i].column + 1); t++) {
			const struct check_result **cell = &matrix->cells[places[i].row * matrix->target_count + t];
			if (!*cell || (*cell)->verdict < result->verdict)
				*cell = result;
		}
	}
}

bool check_matrix_make(struct check_matrix *matrix, const struct check_run *run)
{
	const size_t count = run->result_count + 1;
	struct place *places = calloc(count, sizeof(*places));
	*matrix =
	    (struct check_matrix){.states = calloc(count, sizeof(*matrix->states)), .targets = calloc(count, sizeof(*matrix->targets))};
	bool whole = places && matrix->states && matrix->targets && find_places(matrix, run, places);
	if (whole) {
		matrix->cells = calloc(matrix->state_count * matrix->target_count + 1, sizeof(*matrix->cells));
		whole = matrix->cells;
	}
	if (whole)
		fill(matrix, run, places);
	else
		check_matrix_free(matrix);
	free(places);
	return whole;
}

const struct check_result *check_matrix_cell(const struct check_matrix *matrix, size_t state, size_t target)
{
	return matrix->cells[state * matrix->target_count + target];
}

void check_matrix_free(struct check_matrix *matrix)
{
	free(matrix->states);
	free(matrix->targets);
	free(matrix->cells);
	*matrix = (struct check_matrix){.state_count = 0};
}
