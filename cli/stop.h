/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stopping what runs: a person pressed Ctrl-C in the shell. */
#ifndef STOP_H
#define STOP_H

#include <signal.h>

/* Set by the handler; whoever starts something long clears it before, and that looks at it now and then. */
extern volatile sig_atomic_t stop_wanted;

/* Called in the handler, for what does not come by to look; NULL: nothing. */
extern void (*volatile stop_hook)(void);

#endif
