/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the library fills the caller's error object. */
#ifndef GIM_ERROR_H
#define GIM_ERROR_H

#include "gimstate.h"

/* Fill *error unless it holds an earlier failure (the first wins) or is NULL. Always returns code, so that failing is one statement. */
int gim_fail(struct gim_error *error, int code, uint64_t offset, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same for a refused system call: appends errno's text. Returns GIM_E_IO (GIM_E_MEMORY for ENOMEM). */
int gim_fail_errno(struct gim_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for an input that breaks a rule; the code is the rule's. */
int gim_fail_rule(struct gim_error *error, const struct gim_rule *rule, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Is it the system that failed, and not the input? Then nothing can be said of the input. */
bool gim_is_world(int code);

/* Hand a failure on: *own becomes *error, unless that holds an earlier one. Returns own's code. */
int gim_fail_as(struct gim_error *error, const struct gim_error *own);

/* Name the unit, the place in its payload, or the field of a failure, unless it is named already. */
void gim_error_unit(struct gim_error *error, const char *name, uint32_t instance);
void gim_error_payload(struct gim_error *error, uint64_t payload_offset);
void gim_error_path(struct gim_error *error, const char *path);

#endif
