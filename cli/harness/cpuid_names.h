/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of a processor's features. */
#ifndef CPUID_NAMES_H
#define CPUID_NAMES_H

#include <stdint.h>

/* Of a bit of CPUID; reg: 0 to 3, eax to edx. NULL: it has no name here. */
const char *cpuid_feature_name(uint32_t leaf, unsigned reg, unsigned bit);

#endif
