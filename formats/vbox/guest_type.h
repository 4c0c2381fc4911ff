/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What VirtualBox chooses by a VM's guest type. */
#ifndef GIM_VBOX_GUEST_TYPE_H
#define GIM_VBOX_GUEST_TYPE_H

#include <stdbool.h>

/* The provider's name that the settings Default (legacy: Legacy) stand for with a guest type, e.g. "Windows10_64". */
const char *vbox_guest_provider(const char *os_type, bool legacy);

#endif
