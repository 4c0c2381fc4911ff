/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arrays through which the library knows formats, layers and providers: a new one is a line here. */
#include "layer.h"
#include "state.h"

extern const struct gim_format gim_format_vbox, gim_format_json, gim_format_bundle, gim_format_qemu;

const struct gim_format *const gim_formats[] = {
    &gim_format_vbox, &gim_format_json, &gim_format_bundle, &gim_format_qemu, NULL,
};

extern const struct gim_provider gim_provider_none, gim_provider_minimal, gim_provider_hyperv, gim_provider_kvm;

const struct gim_provider *const gim_providers[] = {
    &gim_provider_none, &gim_provider_minimal, &gim_provider_hyperv, &gim_provider_kvm, NULL,
};

extern const struct gim_layer_kind gim_layer_compressed, gim_layer_libvirt, gim_layer_lzop, gim_layer_qcow2, gim_layer_archive;

/* The last one takes everything that a part is asked of. */
const struct gim_layer_kind *const gim_layers[] = {
    &gim_layer_compressed, &gim_layer_libvirt, &gim_layer_lzop, &gim_layer_qcow2, &gim_layer_archive, NULL,
};
