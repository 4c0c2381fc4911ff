/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading libraries by name. The loader counts and keeps them, so that nothing of ours has to. */
#include "loaded.h"

#include "error.h"

#include <dlfcn.h>
#include <string.h>

int gim_load(const char *soname, const struct gim_symbol *symbols, size_t count, void *table, const char *what, struct gim_error *error)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!library)
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "%s needs %s, which cannot be loaded: install its package", what,
		                soname);
	for (size_t i = 0; i < count; i++) {
		void *symbol = dlsym(library, symbols[i].name);
		if (!symbol) {
			(void)dlclose(library);
			return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "%s needs a newer %s: it has no %s", what, soname,
			                symbols[i].name);
		}
		memcpy((char *)table + symbols[i].offset, &symbol, sizeof(symbol));
	}
	(void)dlclose(library); /* NODELETE keeps it */
	return 0;
}
