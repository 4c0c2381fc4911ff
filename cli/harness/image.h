/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loading a multiboot kernel: a 32-bit ELF file, and what a boot loader tells it. */
#ifndef IMAGE_H
#define IMAGE_H

#include "gimstate.h"

struct image {
	uint32_t entry_gpa, info_gpa; /* where it starts, and the multiboot information: EBX */
};
#define MULTIBOOT_BOOTED 0x2badb002u /* EAX */

/* Put the image at `path` into RAM, with its command line: the path, and `append` (may be NULL) after it. Nothing of the file is trusted. */
int image_load(const char *path, const char *append, uint8_t *ram, uint64_t ram_bytes, struct image *image, struct gim_error *error);

#endif
