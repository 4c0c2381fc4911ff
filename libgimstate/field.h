/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records and layouts: the two kinds of tables that everything else walks. */
#ifndef GIM_FIELD_H
#define GIM_FIELD_H

#include "arena.h"
#include "cursor.h"
#include "gimstate.h"

/*
 * Records.
 *
 * A record describes a C struct, one per concept. It is the only place that knows a field's name, display, value rule, reset value and help. A row's kind comes
 * from the C member's type:
 *
 *	uint8_t … uint64_t, and arrays of them    a number, or an array of numbers
 *	struct gim_text                           a byte string
 *	struct X, struct X[n]                     a sub-record (SUB), an array of them (SUBS)
 *	struct gim_list                           a list of records (LIST)
 */
struct gim_text {
	const char *bytes; /* not terminated; in the state's arena */
	uint32_t length;
};

struct gim_list {
	void *items;       /* count structs, one after the other */
	uint8_t *presence; /* their presence maps, likewise */
	uint32_t count;
};

enum gim_kind { GIM_U8 = 1, GIM_U16, GIM_U32, GIM_U64, GIM_TEXT, GIM_SUB, GIM_LIST };

/* The default, GIM_HEX, suits registers. Everything but the two last shows the raw value; the meaning stands after it. */
enum gim_show {
	GIM_HEX,
	GIM_DEC,
	GIM_ADDRESS, /* guest-physical; all ones is "none" */
	GIM_NS,      /* nanoseconds */
	GIM_HZ,
	GIM_SIZE, /* bytes */
	GIM_IP4,  /* four bytes in network order, as they lie in memory */
	GIM_PORT, /* two bytes in network order */
	GIM_BOOL,
	GIM_ENUM,   /* .names */
	GIM_FLAGS,  /* .bits, all of width 1; JSON shows their names */
	GIM_STRING, /* of a byte string: quoted text; else hex */
	GIM_PNG,    /* of a byte string: its size; extract gives it */
};

/* What a change of the field says when two states are compared. */
enum gim_change_kind {
	GIM_CHANGE_GUEST, /* the guest's state is another */
	GIM_CHANGE_CLOCK, /* the reading of a clock: that it went on says nothing */
	GIM_CHANGE_FORM,  /* by whom and how the state was written; the guest never sees it */
};

/* One value's name. Tables end with a NULL name. */
struct gim_name {
	uint64_t value;
	const char *name;
	const char *help;
};

/* Named bits of a word: a flag (width 1) or a bit field. Tables end with a NULL name. */
struct gim_bit {
	uint8_t low, width;
	const char *name;
	const char *help;
	const struct gim_name *names; /* of a bit field's values */
	bool in_place;                /* show the field's value unshifted: a page address */
};

struct gim_field {
	const char *name;
	const char *help;                /* one line: what it is, and the source of the fact */
	const char *source;              /* e.g. "TLFS 12.3", "KVM cpuid.rst" */
	const char *note;                /* a peculiarity a reader of dumps should know */
	const struct gim_record *record; /* of GIM_SUB and GIM_LIST */
	const struct gim_bit *bits;
	const struct gim_name *names;
	/* Text for what bits and names cannot say; writes at most size bytes, terminated. */
	void (*explain)(uint64_t value, char *text, size_t size);
	uint64_t reset; /* of every element */
	uint64_t max;   /* highest valid value; 0: no rule */
	uint32_t offset, size;
	uint16_t count; /* elements of an array; 0: not an array */
	uint16_t width; /* bytes of one element */
	uint8_t kind;   /* enum gim_kind */
	uint8_t show;   /* enum gim_show */
	uint8_t change; /* enum gim_change_kind */
	bool clock;     /* of the guest's clock, which each hypervisor keeps in its own way */
	bool key; /* of a list's item: with the other keys it says which item it is, wherever it stands; without keys the index does */
};

struct gim_record {
	const char *name; /* the first component of paths, for a top record */
	const char *help;
	const struct gim_field *fields;
	uint32_t field_count;
	uint32_t size; /* of the struct */
};

/* (member) is never evaluated. An array decays to a pointer to its element. */
#define GIM_KIND_OF(member)                                                                                                                \
	_Generic((member), uint8_t                                                                                                         \
	         : GIM_U8, uint16_t                                                                                                        \
	         : GIM_U16, uint32_t                                                                                                       \
	         : GIM_U32, uint64_t                                                                                                       \
	         : GIM_U64, uint8_t *                                                                                                      \
	         : GIM_U8, uint16_t *                                                                                                      \
	         : GIM_U16, uint32_t *                                                                                                     \
	         : GIM_U32, uint64_t *                                                                                                     \
	         : GIM_U64, struct gim_text                                                                                                \
	         : GIM_TEXT, struct gim_list                                                                                               \
	         : GIM_LIST)
#define GIM_WIDTH_OF(member)                                                                                                               \
	_Generic((member), uint8_t : 1, uint16_t : 2, uint32_t : 4, uint64_t : 8, uint8_t * : 1, uint16_t * : 2, uint32_t * : 4,           \
	         uint64_t * : 8, default                                                                                                   \
	         : sizeof(member))
#define GIM_ARRAY_OF(member) _Generic((member), uint8_t * : 1, uint16_t * : 1, uint32_t * : 1, uint64_t * : 1, default : 0)
#define GIM_MEMBER(type, member) (((struct type *)0)->member)

/* Rows of a record. `type` is the struct's tag. Options are designated initialisers: .show = …, .bits = …, .help = … */
#define FIELD(type, member, ...)                                                                                                           \
	{                                                                                                                                  \
		.name = #member, .offset = offsetof(struct type, member), .size = sizeof(GIM_MEMBER(type, member)),                        \
		.count =                                                                                                                   \
		    GIM_ARRAY_OF(GIM_MEMBER(type, member)) * sizeof(GIM_MEMBER(type, member)) / GIM_WIDTH_OF(GIM_MEMBER(type, member)),    \
		.width = GIM_WIDTH_OF(GIM_MEMBER(type, member)), .kind = GIM_KIND_OF(GIM_MEMBER(type, member)), __VA_ARGS__                \
	}
#define SUB(type, member, sub, ...)                                                                                                        \
	{                                                                                                                                  \
		.name = #member, .offset = offsetof(struct type, member), .size = sizeof(GIM_MEMBER(type, member)),                        \
		.width = sizeof(struct sub), .kind = GIM_SUB, .record = &sub##_record, __VA_ARGS__                                         \
	}
#define SUBS(type, member, sub, ...)                                                                                                       \
	{                                                                                                                                  \
		.name = #member, .offset = offsetof(struct type, member), .size = sizeof(GIM_MEMBER(type, member)),                        \
		.count = sizeof(GIM_MEMBER(type, member)) / sizeof(struct sub), .width = sizeof(struct sub), .kind = GIM_SUB,              \
		.record = &sub##_record, __VA_ARGS__                                                                                       \
	}
#define LIST(type, member, item, ...)                                                                                                      \
	{                                                                                                                                  \
		.name = #member, .offset = offsetof(struct type, member), .size = sizeof(struct gim_list), .width = sizeof(struct item),   \
		.kind = GIM_LIST, .record = &item##_record, __VA_ARGS__                                                                    \
	}
/* Defines TYPE_record from TYPE_fields. */
#define RECORD(type, path_name, help_text)                                                                                                 \
	const struct gim_record type##_record = {.name = path_name,                                                                        \
	                                         .help = help_text,                                                                        \
	                                         .fields = type##_fields,                                                                  \
	                                         .field_count = sizeof(type##_fields) / sizeof(type##_fields[0]),                          \
	                                         .size = sizeof(struct type)}

/*
 * Objects: a struct with its presence map, a byte per byte of the struct: the map's byte at a leaf's offset is its enum gim_presence. (A
 * shadow of the same shape needs no leaf numbers, and a list item's map is where the item is.)
 */
struct gim_object {
	const struct gim_record *record;
	uint8_t *data;
	uint8_t *presence;
};

/* A new object at its reset values, everything absent. */
int gim_object_new(struct gim_arena *arena, const struct gim_record *record, struct gim_object *object, struct gim_error *error);

/* Mark every leaf as stored. */
void gim_object_store_all(const struct gim_object *object);

/* Make a list hold at least count items; new ones are at reset values and absent, old ones stay. */
int gim_list_grow(struct gim_arena *arena, struct gim_list *list, const struct gim_record *item, uint32_t count, struct gim_error *error);

/* Make *copy an object of its own with the same values and presence; its texts and lists are copied too. */
int gim_object_copy(struct gim_arena *arena, const struct gim_object *object, struct gim_object *copy, struct gim_error *error);

/* The object that is a list's or an array's item. index < count. */
struct gim_object gim_object_item(const struct gim_object *object, const struct gim_field *field, uint32_t index);

/* Number of items of a GIM_LIST, of elements of an array, or 1. */
uint32_t gim_object_count(const struct gim_object *object, const struct gim_field *field);

/* A leaf as the public value. index: the element of an array, else 0. */
struct gim_value gim_object_value(const struct gim_object *object, const struct gim_field *field, uint32_t index);

/* The path ("vp[1].sint[3]") of the leaf at byte `offset` of an object, prefixed by the record's name. "" when there is none. */
void gim_object_path(const struct gim_object *object, size_t offset, char *path, size_t size);

/* No real machine has more; a list of the wire may not ask for more. */
#define GIM_VCPUS_MAX 1024
#define GIM_LIST_MAX 65536

/*
 * Layouts.
 *
 * A layout says how one producer wrote a record: rows of place, order and version range, without names. A row addresses a member by its designator
 * (sint[2], debug.reply). Decoding and encoding are one walk over the rows, so they cannot disagree.
 */
enum gim_row_op {
	GIM_ROW_END,
	GIM_ROW_FIELD,   /* a member: number, array of numbers, or byte string */
	GIM_ROW_VERSION, /* the layout's own version, u32: checked against first and last, then selects rows */
	GIM_ROW_CONST,   /* `value`, `wire` bytes wide: anything else is corrupt */
	GIM_ROW_EACH,    /* `rows` for each item of a list member, counted as `count` says */
	GIM_ROW_GROUP,   /* `rows` when `when` holds */
	GIM_ROW_WITHIN, /* `rows` inside a region as long as the number member says (plus `bias`); rows beyond the region's end are absent */
	GIM_ROW_REST,   /* a byte string member: all that is left of the region or payload */
	GIM_ROW_OPEN,   /* what follows is not for rows (RAM pages): stop, nothing is undecoded */
	GIM_ROW_ITEM,   /* a number member, or an array of them, by the name that the container has for it: codec.items */
	GIM_ROW_STOP,   /* when `when` holds: what follows cannot be told apart; leave it undecoded */
};

enum gim_row_count {
	GIM_COUNT_FIELD = 1, /* a number member of the enclosing objects says it (row: counter) */
	GIM_COUNT_WIRE,      /* a u32 right before the items */
	GIM_COUNT_REST,      /* what is left before the rows after this one; items of constant size only */
	GIM_COUNT_CODEC,     /* the codec's vcpus; with `first`, the items from that index on */
	GIM_COUNT_UNTIL,     /* items until a value of `wire` bytes equals `value`; that value is consumed */
	GIM_COUNT_WHILE,     /* items while a value of `wire` bytes equals `value`; that value belongs to the item */
};

enum gim_row_test {
	GIM_WHEN_ALWAYS,
	GIM_WHEN_ANY,   /* member & mask */
	GIM_WHEN_EQUAL, /* (member & mask) == value */
	GIM_WHEN_NOT,   /* (member & mask) != value */
	GIM_WHEN_ABOVE, /* member > value */
	GIM_WHEN_CODEC, /* (codec flags & mask) == value */
};

struct gim_when {
	const struct gim_record *record;
	uint32_t offset;
	uint8_t width;
	uint8_t test; /* enum gim_row_test */
	uint64_t mask, value;
};

/* wire of a number: bytes on the wire; 0: the member's own width. */
#define GIM_WIRE_ADDRESS 0xfe /* as wide as the codec's guest-physical addresses */

struct gim_row {
	uint8_t op;    /* enum gim_row_op */
	uint8_t kind;  /* of the member */
	uint8_t width; /* of one element in memory */
	uint8_t wire;
	uint8_t count; /* enum gim_row_count */
	uint8_t first;
	int8_t bias;
	uint16_t since, until;           /* layout versions that hold the row, inclusive; until 0: all later ones */
	uint32_t offset, size;           /* of the member in record's struct */
	uint32_t length;                 /* of a byte string: fixed length on the wire; 0: u32 length before the bytes */
	uint32_t limit;                  /* of a byte string: longest allowed; 0: 1 MiB */
	const struct gim_record *record; /* whose struct holds the member; found among the enclosing objects */
	const struct gim_record *item;   /* of GIM_ROW_EACH */
	const struct gim_row *rows;
	struct gim_when when;
	const struct gim_record *counter_record; /* of GIM_COUNT_FIELD and GIM_ROW_WITHIN: a uint32_t member */
	uint32_t counter_offset;
	uint64_t value;
	const char *name;            /* of GIM_ROW_ITEM: of the first element, whose number in the container's array is `first` */
	uint32_t scale;              /* of GIM_ROW_ITEM: the member is the container's number times this; 0: 1 */
	bool overlooked;             /* of a byte string: a loader does not see that it is too long, and leaves its bytes to what follows */
	const struct gim_rule *rule; /* of a number: the finding when it is not `value`; it is kept as it is */
};

#define GIM_ROW_MEMBER(type, member)                                                                                                       \
	.record = &type##_record, .offset = offsetof(struct type, member), .size = sizeof(GIM_MEMBER(type, member)),                       \
	.kind = GIM_KIND_OF(GIM_MEMBER(type, member)), .width = (uint8_t)GIM_WIDTH_OF(GIM_MEMBER(type, member))

/* A member in all versions; options: .since, .until, .wire, .when … */
#define ON(type, member)                                                                                                                   \
	{                                                                                                                                  \
		.op = GIM_ROW_FIELD, GIM_ROW_MEMBER(type, member)                                                                          \
	}
#define ON_(type, member, ...)                                                                                                             \
	{                                                                                                                                  \
		.op = GIM_ROW_FIELD, GIM_ROW_MEMBER(type, member), __VA_ARGS__                                                             \
	}
/* A member from version `a` on. */
#define SINCE(a, type, member)                                                                                                             \
	{                                                                                                                                  \
		.op = GIM_ROW_FIELD, GIM_ROW_MEMBER(type, member), .since = a                                                              \
	}
/* A guest-physical address. */
#define ON_GPA(type, member)                                                                                                               \
	{                                                                                                                                  \
		.op = GIM_ROW_FIELD, GIM_ROW_MEMBER(type, member), .wire = GIM_WIRE_ADDRESS                                                \
	}
/* A byte string of n bytes. */
#define ON_BYTES(type, member, n)                                                                                                          \
	{                                                                                                                                  \
		.op = GIM_ROW_FIELD, GIM_ROW_MEMBER(type, member), .length = n                                                             \
	}
#define LAYOUT_VERSION                                                                                                                     \
	{                                                                                                                                  \
		.op = GIM_ROW_VERSION, .wire = 4                                                                                           \
	}
/* CONSTANT(bytes, number), with options after it. */
#define CONSTANT(bytes, ...)                                                                                                               \
	{                                                                                                                                  \
		.op = GIM_ROW_CONST, .wire = bytes, .value = __VA_ARGS__                                                                   \
	}
/* A list: rows for each item. Options: .count = … and what it needs. */
#define EACH(type, member, item_type, item_rows, ...)                                                                                      \
	{                                                                                                                                  \
		.op = GIM_ROW_EACH, .record = &type##_record, .offset = offsetof(struct type, member), .size = sizeof(struct gim_list),    \
		.kind = GIM_LIST, .item = &item_type##_record, .rows = item_rows, __VA_ARGS__                                              \
	}
/* GROUP(rows, options…) and WITHIN(type, member, rows, options…). */
#define GROUP(...)                                                                                                                         \
	{                                                                                                                                  \
		.op = GIM_ROW_GROUP, .rows = __VA_ARGS__                                                                                   \
	}
#define WITHIN(type, member, ...)                                                                                                          \
	{                                                                                                                                  \
		.op = GIM_ROW_WITHIN, .counter_record = &type##_record, .counter_offset = offsetof(struct type, member),                   \
		.rows = __VA_ARGS__                                                                                                        \
	}
#define REST(type, member)                                                                                                                 \
	{                                                                                                                                  \
		.op = GIM_ROW_REST, GIM_ROW_MEMBER(type, member)                                                                           \
	}
/* A member by name: ITEM(type, member, "section:field"), with options after it. */
#define ITEM(type, member, ...)                                                                                                            \
	{                                                                                                                                  \
		.op = GIM_ROW_ITEM, GIM_ROW_MEMBER(type, member), .name = __VA_ARGS__                                                      \
	}
#define STOP(...)                                                                                                                          \
	{                                                                                                                                  \
		.op = GIM_ROW_STOP, __VA_ARGS__                                                                                            \
	}
#define OPEN_END                                                                                                                           \
	{                                                                                                                                  \
		.op = GIM_ROW_OPEN                                                                                                         \
	}
#define END_ROWS                                                                                                                           \
	{                                                                                                                                  \
		.op = GIM_ROW_END                                                                                                          \
	}
#define COUNTED_BY(type, member) .count = GIM_COUNT_FIELD, .counter_record = &type##_record, .counter_offset = offsetof(struct type, member)
#define WHEN(test_, type, member, mask_, value_)                                                                                           \
	.when = {.record = &type##_record,                                                                                                 \
	         .offset = offsetof(struct type, member),                                                                                  \
	         .width = (uint8_t)GIM_WIDTH_OF(GIM_MEMBER(type, member)),                                                                 \
	         .test = test_,                                                                                                            \
	         .mask = mask_,                                                                                                            \
	         .value = value_}
#define WHEN_CODEC(mask_, value_) .when = {.test = GIM_WHEN_CODEC, .mask = mask_, .value = value_}

/* One piece of a layout as the container frames it: a unit, a section, a subsection. */
struct gim_frame {
	const char *name; /* the container's own name for it: a unit's name, a section's */
	uint32_t instance;
	uint32_t first, last; /* versions of the frame (unit versions) that these rows know; first 0: the layout's own versions */
	uint32_t flags;       /* the container's, e.g. which pass */
	const struct gim_row *rows;
};

/* From this release on a version is written, until the next one's. */
struct gim_release {
	uint16_t major, minor, version;
};

/* Bits of a feature word, a uint32_t member, that are offered to the guest from this release on; in rows before it they were not. */
struct gim_offer {
	const struct gim_record *record;
	uint32_t offset;
	uint32_t bits; /* 0 ends a table */
	uint16_t major, minor;
};
#define OFFER(type, member, bits_, major_, minor_)                                                                                         \
	{                                                                                                                                  \
		.record = &type##_record,                                                                                                  \
		.offset = _Generic(GIM_MEMBER(type, member), uint32_t                                                                      \
		                   : offsetof(struct type, member)),                                                                       \
		.bits = bits_, .major = major_, .minor = minor_                                                                            \
	}

struct gim_layout {
	const char *name;                   /* FORMAT-PROVIDER, e.g. "vbox-hyperv"; with "-VERSION" for one version */
	const char *format;                 /* the container family that writes it, e.g. "vbox" */
	uint16_t first, last;               /* its own versions */
	const struct gim_release *releases; /* in their order, ended by version 0; NULL: not known */
	const struct gim_offer *offers;     /* what later releases offer the guest and earlier ones do not; NULL: nothing is known */
	const struct gim_frame *frames;
	uint32_t frame_count;
};

/* Numbers that a container finds by name: it knows where they are, and the layout whose they are. instance: of the list's item that is decoded, e.g. the vCPU,
 * or GIM_ITEM_ALL outside of lists; index: of an array's element. get returns an enum gim_presence, or a negative code; put and omit 0 or a negative code. omit: let
 * it be what the container leaves out. */
#define GIM_ITEM_ALL UINT32_MAX
struct gim_items {
	int (*get)(void *user, const char *name, uint32_t instance, uint32_t index, uint64_t *number, struct gim_error *error);
	int (*put)(void *user, const char *name, uint32_t instance, uint32_t index, uint64_t number, struct gim_error *error);
	int (*omit)(void *user, const char *name, uint32_t instance, uint32_t index, struct gim_error *error);
	void *user;
};

/* What a container knows and rows need. */
struct gim_codec {
	uint32_t version;      /* of the frame; a GIM_ROW_VERSION row takes its place */
	uint16_t first, last;  /* the versions that a GIM_ROW_VERSION row may find */
	uint8_t address_bytes; /* of a guest-physical address: 4 or 8 */
	bool big;              /* byte order */
	uint32_t vcpus;        /* 0: not known */
	bool exact;            /* read as the loader does that knows its VM: there are that many, whatever the payload has room for */
	uint32_t flags;        /* for GIM_WHEN_CODEC */
	const struct gim_items *items; /* for GIM_ROW_ITEM */
	bool partial;                  /* the payload is only the beginning of what the container holds */
};

/*
 * CPUID.
 *
 * A row says which register of which leaf shows the guest a word of a provider's record. The runtime answers CPUID by it, and whoever changes such a word in a
 * saved state finds by it where the saved leaves show it too.
 */
enum gim_cpuid_register { GIM_EAX, GIM_EBX, GIM_ECX, GIM_EDX };

struct gim_cpuid_row {
	uint32_t leaf;                   /* 0 ends a table; leaves are in rising order, and have no subleaves */
	uint8_t reg;                     /* enum gim_cpuid_register */
	const struct gim_record *record; /* the provider's, whose struct holds the member */
	uint32_t offset;                 /* of the member, a uint32_t, in that struct */
};

/* A leaf's register shows a member: CPUID(0x40000003, GIM_EAX, hv_state, features.base). */
#define CPUID(leaf_, reg_, type, member)                                                                                                   \
	{                                                                                                                                  \
		.leaf = leaf_, .reg = reg_, .record = &type##_record,                                                                      \
		.offset = _Generic(GIM_MEMBER(type, member), uint32_t                                                                      \
		                   : offsetof(struct type, member))                                                                        \
	}
#define END_CPUID                                                                                                                          \
	{                                                                                                                                  \
		.leaf = 0                                                                                                                  \
	}

/*
 * Decode bytes by rows into objects (the roots; a row finds its object by record). What was decoded before an error stays, marked stored. *used: bytes
 * that rows covered, so that the rest is undecoded; *version: the layout version met. Byte strings are copied to arena. The error's
 * payload_offset is within bytes; its path names the field.
 */
int gim_decode(const struct gim_row *rows, const struct gim_codec *codec, const struct gim_object *roots, size_t root_count,
               struct gim_arena *arena, const uint8_t *bytes, size_t size, size_t *used, uint32_t *version, struct gim_error *error);

/* Append the objects' bytes by the same rows. codec->version says which version. Members that are absent are written at the value they have. */
int gim_encode(const struct gim_row *rows, const struct gim_codec *codec, const struct gim_object *roots, size_t root_count,
               struct gim_buffer *buffer, struct gim_error *error);

/* Mark every member that rows hold in codec->version as stored, as if it had been decoded: what a layout can hold. */
int gim_cover(const struct gim_row *rows, const struct gim_codec *codec, const struct gim_object *roots, size_t root_count,
              struct gim_error *error);

#endif
