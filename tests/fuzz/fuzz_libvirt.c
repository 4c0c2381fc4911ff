/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fuzzes the reader of libvirt's domain XML. */
#include "fuzz.h"

#include "qemu/libvirt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct qemu_config config;
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t *copy = fuzz_copy(bytes, size);
	const int result = qemu_libvirt_read((const char *)copy, size, &config, &error);
	MUST((result < 0) == (error.code != 0));
	MUST(config.count <= QEMU_PROPERTIES_MAX);
	free(copy);
	return 0;
}
