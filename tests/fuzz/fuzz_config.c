/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON that the command itself reads: the configuration of check, and the results that merge joins. Any text is one or is refused with a sentence. */
#include "check_report.h"

#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

static void read_config(const uint8_t *bytes, size_t size)
{
	struct check_wishes wishes = {.document = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	char path[64];
	const int fd = memfd_create("config", MFD_CLOEXEC);
	MUST(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	const int result = check_config_read(path, &wishes, &error);
	MUST((result < 0) == (error.code != 0) && (!result || *error.text));
	check_wishes_free(&wishes);
	(void)close(fd);
}

static void read_result(const uint8_t *bytes, size_t size)
{
	struct check_rules *unknown = NULL;
	struct check_result result = {.state = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	json_t *json = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, NULL);
	if (!json)
		return;
	const int parsed = check_result_parse(json, &unknown, &result, &error);
	MUST((parsed < 0) == (error.code != 0));
	if (!parsed)
		check_result_free(&result);
	check_rules_free(&unknown);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = fuzz_copy(bytes, size);
	read_config(copy, size);
	read_result(copy, size);
	free(copy);
	return 0;
}
