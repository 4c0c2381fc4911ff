/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's description of a VM (domain XML), as a configuration of QEMU. */
#ifndef QEMU_LIBVIRT_H
#define QEMU_LIBVIRT_H

#include "qemu/config.h"

/* Does a text begin like one? */
bool qemu_libvirt_bid(const uint8_t *head, size_t size);

/* Read the first <domain> of a text: a file of virsh dumpxml, or what a save image holds (the field libvirt.xml). Enlightenments, clocks and features become
 * the properties that libvirt gives -cpu for them. GIM_E_FORMAT, with the offset in the text: it is broken, or of no VM of QEMU's. */
int qemu_libvirt_read(const char *xml, size_t size_bytes, struct qemu_config *config, struct gim_error *error);

#endif
