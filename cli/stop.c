/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The wish to stop. */
#include "stop.h"

#include <stddef.h>

volatile sig_atomic_t stop_wanted;
void (*volatile stop_hook)(void);
