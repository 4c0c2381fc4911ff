/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a resumed guest did, as JSON, and printed from that. */
#ifndef REPLAY_REPORT_H
#define REPLAY_REPORT_H

#include "harness/guest_vm.h"
#include "harness/symbols.h"

struct json_t;

/* A new reference; symbols may be NULL. state: what the file holds. */
struct json_t *report_json(const struct guest_report *report, const struct gim_state *state, const struct symbols *symbols);
void report_put(const struct json_t *json);

/* The end's name, e.g. "idle". */
const char *guest_end_name(enum guest_end end);

#endif
