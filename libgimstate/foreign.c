/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an input that no format knows may be, by its first bytes, for the sentence of an error. */
#include "state.h"

#include <string.h>

#define MAGIC(offset, text, sentence)                                                                                                      \
	{                                                                                                                                  \
		offset, sizeof(text) - 1, text, sentence                                                                                   \
	}

static const struct {
	size_t offset, size;
	const char *magic;
	const char *sentence;
} magics[] = {
    MAGIC(0, "7z\274\257", "this looks like a 7z archive: unpack it first"),
    MAGIC(0, "\177ELF", "this looks like an ELF file, perhaps a VirtualBox core dump, not a saved state"),
    MAGIC(0, "<?xml", "this looks like XML, perhaps a .vbox settings file: the saved states are the .sav files that it names"),
    MAGIC(0, "<VirtualBox", "this looks like a .vbox settings file: the saved states are the .sav files that it names"),
    MAGIC(0, "<<< ", "this looks like a VirtualBox disk image, not a saved state"),
    MAGIC(0, "KDMV", "this looks like a VMware disk image, not a saved state"),
};

/* Does nothing but printable text stand here? */
static bool is_text(const uint8_t *head, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!head[i] || head[i] >= 0x7f || (head[i] < 0x20 && !strchr("\t\n\r", head[i])))
			return false;
	return true;
}

const char *gim_foreign_guess(const uint8_t *head, size_t size)
{
	if (!size)
		return "the file is empty";
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (size >= magics[i].offset + magics[i].size && !memcmp(head + magics[i].offset, magics[i].magic, magics[i].size))
			return magics[i].sentence;
	if (is_text(head, size))
		return "this is a text, not a saved state";
	return "no known magic: this is no saved state, or VirtualBox 7 or later encrypted it (decrypt it there first)";
}
