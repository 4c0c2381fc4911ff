/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The registers that a debugger sees, by their numbers. */
#ifndef GDB_REGISTERS_H
#define GDB_REGISTERS_H

#include "gdb.h"

/* The register of a number: where it is in struct gdb_registers, and its size. false: there is none. */
bool gdb_find_register(bool long_mode, uint64_t number, size_t *offset, size_t *bytes);

enum { GDB_DESCRIPTION_MAX = 8192 };
/* GDB's description of all of them, XML; its length. */
size_t gdb_describe_registers(bool long_mode, char *to, size_t size);

#endif
