/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The style and the script of check's HTML page, each a text that a zero ends. */
	.section .rodata
	.globl page_style, page_script
page_style:
	.incbin "cli/page.css"
	.byte 0
page_script:
	.incbin "cli/page.js"
	.byte 0
	.section .note.GNU-stack,"",%progbits
