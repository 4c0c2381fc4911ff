/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results as a matrix of states and targets, for forms that are laid out by either. */
#ifndef CHECK_MATRIX_H
#define CHECK_MATRIX_H

#include "check_report.h"

struct check_matrix {
	size_t state_count, target_count;
	const struct check_result **states; /* the first result of each row */
	const char **targets;               /* NULL: no result has a target */
	const struct check_result **cells;  /* row by row */
};

/* Lay out the run's results, which it points into. A state that failed before there was a target fills its row. Of several results for one place the worst is there. False: out of memory. */
bool check_matrix_make(struct check_matrix *matrix, const struct check_run *run);
const struct check_result *check_matrix_cell(const struct check_matrix *matrix, size_t state, size_t target); /* NULL: not judged */
void check_matrix_free(struct check_matrix *matrix);

#endif
