/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two arrays through which the library knows formats and providers: a new one is a line here. */
#include "state.h"

extern const struct gim_format gim_format_vbox, gim_format_json, gim_format_bundle;

const struct gim_format *const gim_formats[] = {
    &gim_format_vbox,
    &gim_format_json,
    &gim_format_bundle,
    NULL,
};

extern const struct gim_provider gim_provider_none, gim_provider_minimal, gim_provider_hyperv, gim_provider_kvm;

const struct gim_provider *const gim_providers[] = {
    &gim_provider_none, &gim_provider_minimal, &gim_provider_hyperv, &gim_provider_kvm, NULL,
};
