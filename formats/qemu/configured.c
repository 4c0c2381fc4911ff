/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libvirt's description of the VM configures, which a save image has around the stream, beside what the stream says is in use. */
#include "error.h"
#include "qemu/decode.h"
#include "qemu/libvirt.h"
#include "qemu/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
	const struct qemu_config *config;
	gim_report_fn *report;
	void *user;
};

static bool is_hyperv(const char *property)
{
	return !strncmp(property, "hv-", 3);
}

/* Enlightenments and what bears on them; other properties are features of processors. */
static bool is_enlightenment(const char *property)
{
	return is_hyperv(property) || !strncmp(property, "kvm", 3) || !strcmp(property, "tsc-frequency");
}

/* "hv-time hv-spinlocks=8191 kvmclock=off". */
static void list_enlightenments(const struct qemu_config *config, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "%s", config->hypervisor_defaults ? "hv-passthrough" : "");
	for (size_t i = 0; i < config->count && used < size; i++) {
		const char *name = config->properties[i].name, *value = qemu_config_value(config, name);
		/* Of two with one name the last counts, and stands in its place. */
		if (!is_enlightenment(name) || value != config->properties[i].value)
			continue;
		const bool plain = !strcmp(value, "on");
		used += (size_t)snprintf(text + used, size - used, "%s%s%s%s", used ? " " : "", name, plain ? "" : "=", plain ? "" : value);
	}
}

static bool any_hyperv(const struct qemu_config *config)
{
	for (size_t i = 0; i < config->count; i++)
		if (is_hyperv(config->properties[i].name) && qemu_config_switch(config, config->properties[i].name) == QEMU_ON)
			return true;
	return config->hypervisor_defaults;
}

/* Would a VM that is started so offer it? KVM's own are there where nothing is said; of Hyper-V's any one brings the hypercall MSRs. */
static bool is_offered(const struct qemu_config *config, const char *property)
{
	static const char hypercalls[] = "hv-relaxed";
	const enum qemu_switch said = qemu_config_switch(config, property);
	if (is_hyperv(property))
		return said == QEMU_ON || (said == QEMU_UNSAID && config->hypervisor_defaults) ||
		       (!strcmp(property, hypercalls) && any_hyperv(config));
	return said != QEMU_OFF && qemu_config_switch(config, "kvm") != QEMU_OFF && strcmp(config->accel, "tcg") != 0;
}

static void report(const struct comparison *comparison, const char *path, const char *text)
{
	gim_report(comparison->report, comparison->user, &qemu_rules[QEMU_CONFIGURED], GIM_UNKNOWN, NULL, path, "%s", text);
}

static void compare_use(const struct comparison *comparison, struct qemu_items *items)
{
	const bool kvm = qemu_items_count(items, "kvmclock");
	for (const struct qemu_enlightenment *each = qemu_enlightenments; each->property; each++) {
		char text[160];
		if ((each->kvm_only && !kvm) || is_offered(comparison->config, each->property) || !qemu_in_use(items, each))
			continue;
		(void)snprintf(text, sizeof(text), "the guest has made use of %s, which libvirt's description of the VM does not offer it",
		               each->property);
		report(comparison, "qemu.configured", text);
	}
}

static void compare_numbers(const struct comparison *comparison, const struct gim_state *state)
{
	const struct qemu_config *config = comparison->config;
	const char *frequency = qemu_config_value(config, "tsc-frequency");
	const struct gim_value tsc = gim_state_value(state, "guest.tsc_hz"), vcpus = gim_state_value(state, "guest.vcpus");
	const uint64_t configured = frequency ? strtoull(frequency, NULL, 10) : 0;
	char text[200];
	if (configured && tsc.presence == GIM_STORED && tsc.number / 1000 != configured / 1000) {
		(void)snprintf(text, sizeof(text),
		               "the guest's TSC has %" PRIu64 " Hz, and libvirt's description of the VM says %" PRIu64
		               ": QEMU says \"Mismatch between user-specified TSC frequency and migrated TSC frequency\"",
		               tsc.number, configured);
		report(comparison, "guest.tsc_hz", text);
	}
	if (config->vcpus && vcpus.presence == GIM_STORED && vcpus.number != config->vcpus) {
		(void)snprintf(text, sizeof(text), "the stream has %" PRIu64 " vCPUs, and libvirt's description of the VM says %" PRIu32,
		               vcpus.number, config->vcpus);
		report(comparison, "guest.vcpus", text);
	}
}

static void compare_machine(const struct comparison *comparison, const struct gim_state *state)
{
	const struct gim_value machine = gim_state_value(state, "qemu.machine");
	const char *configured = comparison->config->machine;
	char text[200];
	/* "pc" and "q35" stand for the newest machine of a release. */
	if (machine.presence != GIM_STORED || !strchr(configured, '-') ||
	    (strlen(configured) == machine.length_bytes && !memcmp(configured, machine.bytes, machine.length_bytes)))
		return;
	(void)snprintf(text, sizeof(text), "the stream is of machine %.*s, and libvirt's description of the VM says %s",
	               (int)machine.length_bytes, machine.bytes, configured);
	report(comparison, "qemu.machine", text);
}

int qemu_decode_configured(struct gim_state *state, struct qemu_items *items, struct gim_object *object, gim_report_fn *listener,
                           void *user, struct gim_error *error)
{
	const struct gim_value xml = gim_state_value(state, "libvirt.xml");
	struct qemu_config *config = xml.presence == GIM_STORED ? malloc(sizeof(*config)) : NULL;
	struct gim_error own = GIM_ERROR_INIT;
	char text[1024];
	if (xml.presence != GIM_STORED)
		return 0;
	if (!config)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	const struct comparison comparison = {config, listener, user};
	int result = qemu_libvirt_read(xml.bytes, xml.length_bytes, config, &own);
	if (!result) {
		list_enlightenments(config, text, sizeof(text));
		result = gim_store_text(state, object, offsetof(struct qemu_info, configured), text, error);
		compare_use(&comparison, items);
		compare_numbers(&comparison, state);
		compare_machine(&comparison, state);
	} else if (result == GIM_E_MEMORY) {
		(void)gim_fail_as(error, &own);
	} else {
		(void)snprintf(text, sizeof(text), "libvirt's description cannot be read: %s", own.text);
		report(&comparison, "libvirt.xml", text);
		result = 0;
	}
	free(config);
	return result;
}
