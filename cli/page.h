/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTML pages that need nothing else: one style for all of them, and no request to anywhere. */
#ifndef PAGE_H
#define PAGE_H

extern const char page_style[], page_script[], report_script[]; /* page.css, page.js of check, report.js */

/* From the document's type to <body>, and from the script (NULL: there is none) to the end, on stdout. */
void page_begin(const char *title);
void page_end(const char *script);

#endif
