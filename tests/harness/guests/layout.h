/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a guest's assembler and C agree about. */
#ifndef LAYOUT_H
#define LAYOUT_H

#define CODE32 8
#define DATA 16
#define CODE64 24
#define VCPUS_MAX 16
#define STACK_SHIFT 12
#define STACK_BYTES (1 << STACK_SHIFT)
#define STUB_BYTES 16
#define TRAMPOLINE 0x8000

#endif
