/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all pages begin and end with. */
#include "page.h"

#include "test_report.h"

void page_begin(const char *title)
{
	puts("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
	     "script-src 'unsafe-inline'\">");
	fputs("<title>", stdout);
	put_xml(stdout, title);
	puts("</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>");
	fputs(page_style, stdout);
	puts("</style>\n</head>\n<body>");
}

void page_end(const char *script)
{
	if (script) {
		puts("<script>");
		fputs(script, stdout);
		puts("</script>");
	}
	puts("</body>\n</html>");
}
