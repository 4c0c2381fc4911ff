/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Laying out results: rows and columns in the order in which they are first met. */
#include "check_matrix.h"

#include <stdlib.h>
#include <string.h>

size_t check_matrix_add(struct check_matrix *matrix, const struct check_result *result)
{
	struct check_cell *cells = check_array_grow(matrix->cells, matrix->count, sizeof(*cells));
	char *name = check_state_text(result);
	matrix->cells = cells ? cells : matrix->cells;
	const size_t state = cells && name ? check_names_number(&matrix->states, name) : CHECK_NO_NAME;
	const size_t target =
	    state != CHECK_NO_NAME && result->target ? check_names_number(&matrix->targets, result->target) : CHECK_ALL_TARGETS;
	free(name);
	if (state == CHECK_NO_NAME || target == CHECK_NO_NAME || matrix->count == UINT32_MAX - 1)
		return CHECK_NO_NAME;
	struct check_cell *cell = &matrix->cells[matrix->count];
	*cell = (struct check_cell){.state = (uint32_t)state,
	                            .target = (uint32_t)target,
	                            .verdict = result->verdict,
	                            .accepted = result->accepted,
	                            .findings = (unsigned)result->count};
	memcpy(cell->counts, result->counts, sizeof(cell->counts));
	return matrix->count++;
}

static void fill(struct check_matrix *matrix, uint32_t number)
{
	const struct check_cell *cell = &matrix->cells[number];
	const bool all = cell->target == CHECK_ALL_TARGETS;
	for (size_t t = all ? 0 : cell->target; t < (all ? matrix->columns : cell->target + 1); t++) {
		uint32_t *place = &matrix->grid[cell->state * matrix->columns + t];
		if (!*place || matrix->cells[*place - 1].verdict < cell->verdict)
			*place = number + 1;
	}
}

bool check_matrix_lay_out(struct check_matrix *matrix)
{
	if (matrix->targets.count > CHECK_COLUMNS) {
		matrix->rows = matrix->count;
		return true;
	}
	matrix->rows = matrix->states.count;
	/* Without any target there is one column all the same. */
	matrix->columns = matrix->targets.count ? matrix->targets.count : 1;
	matrix->grid = calloc(matrix->rows * matrix->columns + 1, sizeof(*matrix->grid));
	for (size_t i = 0; matrix->grid && i < matrix->count; i++)
		fill(matrix, (uint32_t)i);
	return matrix->grid;
}

const struct check_cell *check_matrix_cell(const struct check_matrix *matrix, size_t row, size_t column)
{
	if (!matrix->columns)
		return &matrix->cells[row];
	const uint32_t number = matrix->grid[row * matrix->columns + column];
	return number ? &matrix->cells[number - 1] : NULL;
}

const char *check_matrix_target(const struct check_matrix *matrix, size_t target)
{
	return target < matrix->targets.count ? matrix->targets.texts[target] : "any target";
}

void check_matrix_free(struct check_matrix *matrix)
{
	check_names_free(&matrix->states);
	check_names_free(&matrix->targets);
	free(matrix->cells);
	free(matrix->grid);
	*matrix = (struct check_matrix){.count = 0};
}
