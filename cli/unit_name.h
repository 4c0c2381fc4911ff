/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Units as the command line names them: NAME[/INSTANCE][@PASS]. */
#ifndef UNIT_NAME_H
#define UNIT_NAME_H

#include "gimstate.h"

/* Find the unit that text names; without an instance, the first of that name. Returns 0 or a negative code. */
int unit_by_name(struct gim_state *state, const char *text, struct gim_unit *unit, struct gim_error *error);

#endif
