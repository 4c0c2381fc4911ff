/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The properties of a configured processor. */
#include "qemu/config.h"

#include "error.h"

#include <stdio.h>
#include <string.h>

int qemu_config_add(struct qemu_config *config, const char *name, const char *value, struct gim_error *error)
{
	if (config->count == QEMU_PROPERTIES_MAX)
		return gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "the processor has more than %d properties", QEMU_PROPERTIES_MAX);
	struct qemu_property *property = &config->properties[config->count];
	if (strlen(name) >= sizeof(property->name) || strlen(value) >= sizeof(property->value))
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "the processor's property %.64s is longer than any that QEMU has", name);
	(void)snprintf(property->name, sizeof(property->name), "%s", name);
	(void)snprintf(property->value, sizeof(property->value), "%s", value);
	config->count++;
	return 0;
}

const char *qemu_config_value(const struct qemu_config *config, const char *name)
{
	for (size_t i = config->count; i--;)
		if (!strcmp(config->properties[i].name, name))
			return config->properties[i].value;
	return NULL;
}

enum qemu_switch qemu_config_switch(const struct qemu_config *config, const char *name)
{
	const char *value = qemu_config_value(config, name);
	if (!value)
		return QEMU_UNSAID;
	return strcmp(value, "off") && strcmp(value, "no") && strcmp(value, "false") ? QEMU_ON : QEMU_OFF;
}
