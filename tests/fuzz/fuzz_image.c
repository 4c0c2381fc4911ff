/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kernels to boot: any file is put into RAM, and nowhere else, or is refused with a sentence. */
#include "harness/image.h"

#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

enum { RAM_BYTES = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static uint8_t *ram;
	struct gim_error error = GIM_ERROR_INIT;
	struct image image;
	char path[64];
	if (!ram)
		ram = malloc(RAM_BYTES);
	const int fd = memfd_create("image", MFD_CLOEXEC);
	MUST(ram && fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	const int result = image_load(path, size % 2 ? "option" : NULL, ram, RAM_BYTES, &image, &error);
	MUST(result <= 0 && (result < 0) == (error.code != 0) && (!result || *error.text));
	MUST(result || (image.entry_gpa < RAM_BYTES && image.info_gpa < RAM_BYTES));
	(void)close(fd);
	return 0;
}
