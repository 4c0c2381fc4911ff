/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Slow runs, under sanitizers and valgrind, do less of what is much the same: SPARSE=N, every Nth of many neighbours. */
#ifndef SPARSE_H
#define SPARSE_H

#include <stddef.h>
#include <stdlib.h>

/* N, or 1. */
static inline size_t sparse(void)
{
	const char *text = getenv("SPARSE");
	const size_t every = text ? strtoul(text, NULL, 10) : 1;
	return every ? every : 1;
}

#endif
