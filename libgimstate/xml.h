/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What readers of XML have in common: they look at attributes, and stop by an error with its place. */
#ifndef GIM_XML_H
#define GIM_XML_H

#include "gimstate.h"

#include <expat.h>

/* A reader of XML, in front of what it reads for. The caller makes and frees the parser. */
struct gim_xml {
	XML_Parser parser;
	struct gim_error *error;
	int result; /* what it was stopped by, or 0 */
};

/* The value of an element's attribute, NULL when it has none of that name. */
const char *gim_xml_attribute(const XML_Char **attributes, const char *name);
/* End the parsing by a failure whose error is told already; the first one stays. */
void gim_xml_stop(struct gim_xml *xml, int result);
/* The same with an error of its own, at the place where the parser is. */
void gim_xml_refuse(struct gim_xml *xml, int code, const char *text);
/* What parsing failed by, told here when it was the parser's own: WHAT is broken XML. Always negative. */
int gim_xml_failure(struct gim_xml *xml, const char *what);
/* Does a file begin like one of these? */
bool gim_xml_begins(const uint8_t *head, size_t size, const char *const *beginnings, size_t count);

#endif
