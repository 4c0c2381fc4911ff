/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths as the tables write them ("kvm.vcpu[].tsc", "hyperv.vp[].sint[16]") against paths as people do. */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>

/* Does path name the field of the tables at pattern, or something that holds it? Indices may be left out ("kvm.vcpu.tsc"), and must be below an
 * array's size. */
bool path_matches(const char *pattern, const char *path);

/* Is there any field at or below path, in any state? */
bool path_exists(const char *path);

#endif
