/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fuzzes the reader of QEMU's command line. */
#include "fuzz.h"

#include "qemu/command_line.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct qemu_config config;
	struct gim_error error = GIM_ERROR_INIT;
	char *text = malloc(size + 1);
	MUST(text);
	if (size)
		memcpy(text, bytes, size);
	text[size] = '\0';
	const int result = qemu_command_line_read(text, &config, &error);
	MUST((result < 0) == (error.code != 0));
	MUST(config.count <= QEMU_PROPERTIES_MAX);
	free(text);
	return 0;
}
