/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of a VM share. */
#ifndef VM_PARTS_H
#define VM_PARTS_H

#include "vm.h"

#define PAGE_BYTES UINT64_C(4096)
#define MIB UINT64_C(1048576)

/* What failed, and errno's word for it. */
int vm_refuse(struct gim_error *error, const char *what);
/* Memory that is zero, and costs nothing until it is touched. NULL: there is none. */
void *vm_reserve(uint64_t bytes);

#endif
