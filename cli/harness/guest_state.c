/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest_parts.h"
#include "output.h"
int guest_save(struct guest *guest, struct gim_error *error)
{
	(void)guest;
	return error_set(error, GIM_E_UNSUPPORTED, "not yet");
}
int guest_restore(struct guest *guest, struct gim_error *error)
{
	(void)guest;
	return error_set(error, GIM_E_UNSUPPORTED, "not yet");
}
