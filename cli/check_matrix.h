/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results as a matrix of states and targets, for forms that show one. It keeps names, verdicts and counts; what was found they set aside themselves. */
#ifndef CHECK_MATRIX_H
#define CHECK_MATRIX_H

#include "check_names.h"
#include "check_report.h"

/* A result, by its number. */
struct check_cell {
	uint32_t state, target; /* target: CHECK_ALL_TARGETS, when it failed before there was one */
	enum check_verdict verdict;
	unsigned counts[GIM_ERROR + 1], accepted, findings;
};

#define CHECK_ALL_TARGETS UINT32_MAX

/* With more targets than these, as when each state has settings of its own, there is a row for each result. */
enum { CHECK_COLUMNS = 32 };

struct check_matrix {
	struct check_names states, targets;
	struct check_cell *cells;
	size_t count;
	size_t rows, columns; /* columns 0: a row for each result */
	uint32_t *grid;       /* row by row: 0, or a cell's number plus 1 */
};

/* Add a result, and say which it is; CHECK_NO_NAME: out of memory. */
size_t check_matrix_add(struct check_matrix *matrix, const struct check_result *result);
/* Lay out what was added: one that failed before there was a target fills its row; of several results for one place the worst is there. False: out of memory. */
bool check_matrix_lay_out(struct check_matrix *matrix);
const struct check_cell *check_matrix_cell(const struct check_matrix *matrix, size_t row, size_t column); /* NULL: not judged */
void check_matrix_free(struct check_matrix *matrix);

/* "any target" where there is none. */
const char *check_matrix_target(const struct check_matrix *matrix, size_t target);

#endif
