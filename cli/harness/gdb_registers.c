/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The registers that a debugger sees, in one table: their order in packets, and what GDB is told of them (GDB manual, target descriptions). */
#include "gdb_registers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CORE, SSE, SEGMENTS, SYSTEM, FEATURES };
static const char *const features[FEATURES] = {
    [CORE] = "org.gnu.gdb.i386.core",
    [SSE] = "org.gnu.gdb.i386.sse",
    [SEGMENTS] = "org.gnu.gdb.i386.segments",
    [SYSTEM] = "org.gimstate.system",
};

/* In the order of their numbers; what has one in 64-bit targets alone has no bytes in others. Names: one for each, between spaces. */
static const struct row {
	const char *names, *names32;
	size_t offset;
	uint8_t count, bytes, bytes32, count32; /* of each; in a target without long mode */
	uint8_t stride, feature;
	const char *type; /* NULL: a number of its size */
} rows[] = {
#define ROW(names, names32, member, count, bytes, bytes32, count32, stride, feature, type)                                                 \
	{                                                                                                                                  \
		names, names32, offsetof(struct gdb_registers, member), count, bytes, bytes32, count32, stride, feature, type              \
	}
    ROW("rax", "eax", general[0], 1, 8, 4, 1, 8, CORE, NULL),
    /* Its numbers are not the encoding's in 64-bit targets: rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp. */
    ROW("rbx", "", general[3], 1, 8, 0, 0, 8, CORE, NULL),
    ROW("rcx rdx", "ecx edx", general[1], 2, 8, 4, 2, 8, CORE, NULL),
    ROW("", "ebx", general[3], 1, 0, 4, 1, 8, CORE, NULL),
    ROW("rsi rdi", "", general[6], 2, 8, 0, 0, 8, CORE, NULL),
    ROW("rbp", "", general[5], 1, 8, 0, 0, 8, CORE, "data_ptr"),
    ROW("rsp", "", general[4], 1, 8, 0, 0, 8, CORE, "data_ptr"),
    ROW("", "esp ebp", general[4], 2, 0, 4, 2, 8, CORE, "data_ptr"),
    ROW("", "esi edi", general[6], 2, 0, 4, 2, 8, CORE, NULL),
    ROW("r8 r9 r10 r11 r12 r13 r14 r15", "", general[8], 8, 8, 0, 0, 8, CORE, NULL),
    ROW("rip", "eip", rip, 1, 8, 4, 1, 8, CORE, "code_ptr"),
    ROW("eflags", "eflags", flags, 1, 4, 4, 1, 4, CORE, "eflags"),
    ROW("cs ss ds es fs gs", "cs ss ds es fs gs", segments, GDB_SEGMENTS, 4, 4, GDB_SEGMENTS, 4, CORE, NULL),
    ROW("st0 st1 st2 st3 st4 st5 st6 st7", "st0 st1 st2 st3 st4 st5 st6 st7", st, 8, 10, 10, 8, 10, CORE, "i387_ext"),
    ROW("fctrl fstat ftag fiseg fioff foseg fooff fop", "fctrl fstat ftag fiseg fioff foseg fooff fop", fpu, GDB_FPU_WORDS, 4, 4,
        GDB_FPU_WORDS, 4, CORE, NULL),
    ROW("xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 xmm8 xmm9 xmm10 xmm11 xmm12 xmm13 xmm14 xmm15", "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7",
        xmm, 16, 16, 16, 8, 16, SSE, "xmm"),
    ROW("mxcsr", "mxcsr", mxcsr, 1, 4, 4, 1, 4, SSE, NULL),
    ROW("fs_base gs_base", "", bases, 2, 8, 0, 0, 8, SEGMENTS, NULL),
    ROW("cr0 cr2 cr3 cr4 efer", "cr0 cr2 cr3 cr4 efer", control, GDB_CONTROLS, 8, 8, GDB_CONTROLS, 8, SYSTEM, NULL),
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static unsigned row_count(bool long_mode, const struct row *row)
{
	return long_mode ? (row->bytes ? row->count : 0) : row->count32;
}

static unsigned row_bytes(bool long_mode, const struct row *row)
{
	return long_mode ? row->bytes : row->bytes32;
}

bool gdb_find_register(bool long_mode, uint64_t number, size_t *offset, size_t *bytes)
{
	for (unsigned i = 0; i < ROWS; i++) {
		const unsigned count = row_count(long_mode, &rows[i]);
		if (number < count) {
			*offset = rows[i].offset + (size_t)number * rows[i].stride;
			*bytes = row_bytes(long_mode, &rows[i]);
			return true;
		}
		number -= count;
	}
	return false;
}

/*
 * The description.
 */
struct text {
	char *to;
	size_t size, used;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	const int length = vsnprintf(text->to + text->used, text->size - text->used, format, arguments);
	va_end(arguments);
	if (length > 0)
		text->used = text->used + (size_t)length < text->size ? text->used + (size_t)length : text->size - 1;
}

static void put_flags(struct text *text)
{
	static const struct {
		const char *name;
		unsigned bit;
	} bits[] = {{"CF", 0},  {"PF", 2},  {"AF", 4},  {"ZF", 6},  {"SF", 7},  {"TF", 8},   {"IF", 9},   {"DF", 10},
	            {"OF", 11}, {"NT", 14}, {"RF", 16}, {"VM", 17}, {"AC", 18}, {"VIF", 19}, {"VIP", 20}, {"ID", 21}};
	put(text, "<flags id=\"eflags\" size=\"4\">");
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		put(text, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>", bits[i].name, bits[i].bit, bits[i].bit);
	put(text, "</flags>");
}

/* By the names that GDB itself gives to the views of a vector. */
static void put_vector(struct text *text)
{
	static const struct {
		const char *name, *type;
		unsigned count;
	} views[] = {{"v4_float", "ieee_single", 4}, {"v2_double", "ieee_double", 2}, {"v16_int8", "int8", 16},
	             {"v8_int16", "int16", 8},       {"v4_int32", "int32", 4},        {"v2_int64", "int64", 2}};
	enum { VIEWS = sizeof(views) / sizeof(views[0]) };
	for (unsigned i = 0; i < VIEWS; i++)
		put(text, "<vector id=\"%s\" type=\"%s\" count=\"%u\"/>", views[i].name, views[i].type, views[i].count);
	put(text, "<union id=\"xmm\">");
	for (unsigned i = 0; i < VIEWS; i++)
		put(text, "<field name=\"%s\" type=\"%s\"/>", views[i].name, views[i].name);
	put(text, "<field name=\"uint128\" type=\"uint128\"/></union>");
}

static void put_row(struct text *text, bool long_mode, const struct row *row)
{
	const char *name = long_mode ? row->names : row->names32;
	const unsigned bits = 8 * row_bytes(long_mode, row);
	for (unsigned i = row_count(long_mode, row); i; i--) {
		const size_t length = strcspn(name, " ");
		put(text, "<reg name=\"%.*s\" bitsize=\"%u\" type=\"", (int)length, name, bits);
		if (row->type)
			put(text, "%s\"/>", row->type);
		else
			put(text, "int%u\"/>", bits);
		name += length + (name[length] == ' ');
	}
}

size_t gdb_describe_registers(bool long_mode, char *to, size_t size)
{
	struct text text = {to, size, 0};
	put(&text,
	    "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\"><architecture>%s</architecture>",
	    long_mode ? "i386:x86-64" : "i386");
	for (unsigned feature = 0; feature < FEATURES; feature++) {
		if (feature == SEGMENTS && !long_mode)
			continue;
		put(&text, "<feature name=\"%s\">", features[feature]);
		if (feature == CORE)
			put_flags(&text);
		if (feature == SSE)
			put_vector(&text);
		for (unsigned i = 0; i < ROWS; i++)
			if (rows[i].feature == feature)
				put_row(&text, long_mode, &rows[i]);
		put(&text, "</feature>");
	}
	put(&text, "</target>");
	return text.used;
}
