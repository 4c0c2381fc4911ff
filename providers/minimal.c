/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two providers that save nothing: none at all, and Minimal, whose CPUID leaves only tell the guest two frequencies. */
#include "state.h"

extern const struct gim_provider gim_provider_none, gim_provider_minimal;

static const struct gim_layout *const no_layouts[] = {NULL};

const struct gim_provider gim_provider_none = {.name = "none", .title = "no guest interface", .vbox_id = 0, .layouts = no_layouts};

const struct gim_provider gim_provider_minimal = {.name = "minimal", .title = "VirtualBox Minimal", .vbox_id = 1, .layouts = no_layouts};
