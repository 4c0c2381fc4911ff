/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What readers of XML have in common. */
#include "xml.h"

#include "error.h"

#include <string.h>

const char *gim_xml_attribute(const XML_Char **attributes, const char *name)
{
	for (; *attributes; attributes += 2)
		if (!strcmp(attributes[0], name))
			return attributes[1];
	return NULL;
}

void gim_xml_stop(struct gim_xml *xml, int result)
{
	if (!xml->result)
		xml->result = result;
	(void)XML_StopParser(xml->parser, XML_FALSE);
}

void gim_xml_refuse(struct gim_xml *xml, int code, const char *text)
{
	gim_xml_stop(xml, gim_fail(xml->error, code, (uint64_t)XML_GetCurrentByteIndex(xml->parser), "%s", text));
}

int gim_xml_failure(struct gim_xml *xml, const char *what)
{
	return xml->result
	           ? xml->result
	           : gim_fail(xml->error, GIM_E_FORMAT, (uint64_t)XML_GetCurrentByteIndex(xml->parser), "%s is broken XML in line %lu: %s",
	                      what, (unsigned long)XML_GetCurrentLineNumber(xml->parser), XML_ErrorString(XML_GetErrorCode(xml->parser)));
}

bool gim_xml_begins(const uint8_t *head, size_t size, const char *const *beginnings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (size >= strlen(beginnings[i]) && !memcmp(head, beginnings[i], strlen(beginnings[i])))
			return true;
	return false;
}
