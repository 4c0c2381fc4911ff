/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The style and the scripts of HTML pages, each a text that a zero ends. */
	.section .rodata
	.globl page_style, page_script, report_script
page_style:
	.incbin "cli/page.css"
	.byte 0
page_script:
	.incbin "cli/page.js"
	.byte 0
report_script:
	.incbin "cli/report.js"
	.byte 0
	.section .note.GNU-stack,"",%progbits
