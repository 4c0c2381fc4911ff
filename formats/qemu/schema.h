/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections and subsections that are known without a description: those of the guest interface and what belongs to it. */
#ifndef GIM_QEMU_SCHEMA_H
#define GIM_QEMU_SCHEMA_H

#include "qemu/vmsd.h"

/* The section of that name in a version; NULL: it is not known, or not in that version. */
const struct qemu_vmsd *qemu_schema_find(const char *section, uint32_t version);

/* The newest version of the section; NULL: it is not known. */
const struct qemu_vmsd *qemu_schema_newest(const char *section);

/* What a vmsd says of its subsection of that name; NULL: there is none. *index: where it stands among them. */
const struct qemu_vmsd *qemu_subsection_find(const struct qemu_vmsd *vmsd, const char *name, uint32_t *index);

/* What QEMU writes a subsection for: it leaves it out when all its fields are this. */
uint64_t qemu_schema_default(const char *subsection);

/* The release whose subsections the tables list. Releases before it were not looked at. */
#define QEMU_TABLES_MAJOR 7U
#define QEMU_TABLES_MINOR 2U

/* A section or subsection that releases of that time do not know. */
struct qemu_newer {
	const char *name;
	unsigned major, minor; /* the first that does; 0.0: not known, but that it is newer than the tables */
};

enum qemu_knowledge { QEMU_KNOWN, QEMU_NEWER, QEMU_NOT_SURE };

/* Is a release older than the tables? */
struct gim_release;
bool qemu_older_than_tables(const struct gim_release *release);

/* Does a release know a section, or its subsection (else NULL)? *newer: since when, of QEMU_NEWER. */
enum qemu_knowledge qemu_knows(const char *section, const char *subsection, const struct gim_release *release, struct qemu_newer *newer);

/* A section that a stream may be without, and that comes and goes as a whole. */
struct qemu_optional {
	const char *section;    /* in the newest version that is known */
	const char *field;      /* what it is there for */
	const char *beside;     /* a field of a subsection that a new one has, too, of machines of this release or later */
	uint64_t beside_number; /* what it is then */
	unsigned beside_major, beside_minor;
	const char *const *behind; /* QEMU writes it behind the last of these; NULL-terminated */
};

/* The optional section of that name; NULL: it is none. */
const struct qemu_optional *qemu_optional_find(const char *section, size_t length);

/* A CPU property of QEMU's command line without which a field of a section would be what it is after a reset. */
struct qemu_enlightenment {
	const char *property;        /* e.g. "hv-time" */
	const char *provider;        /* whose interface it belongs to */
	const char *section, *field; /* as in an item's name, e.g. "cpu", "env.msr_hv_tsc" */
	uint32_t count;              /* elements of the field */
	uint64_t reset;
	uint64_t mask; /* bits that tell it */
	bool kvm_only; /* without KVM the field says nothing */
};
extern const struct qemu_enlightenment qemu_enlightenments[]; /* ended by a NULL property */

#endif
