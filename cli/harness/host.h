/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What this machine's KVM offers a guest. */
#ifndef HOST_H
#define HOST_H

#include "gimstate.h"

/* Ask /dev/kvm, and make a target of its answers; the caller frees it by gim_target_free. GIM_E_UNSUPPORTED: there is no KVM here. */
int host_target(struct gim_target **target, struct gim_error *error);

#endif
