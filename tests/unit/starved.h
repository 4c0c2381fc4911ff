/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory that runs out: the library's allocations, counted, and one of them fails. For programs that are linked with --wrap (STARVED in the Makefile). */
#ifndef STARVED_H
#define STARVED_H

#include <stdbool.h>
#include <stdlib.h>

/* The allocation of this number fails; 0: none does. */
static unsigned failing, allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

static bool starved(void)
{
	return ++allocations == failing;
}

void *__wrap_malloc(size_t size)
{
	return starved() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return starved() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return starved() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return starved() ? NULL : __real_strdup(text);
}

#endif
