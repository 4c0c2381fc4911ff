/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A configuration of QEMU as a target: what its guests are shown by CPUID, and what a stream must agree with. */
#include "qemu/configure.h"

#include "error.h"
#include "qemu/command_line.h"
#include "qemu/libvirt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Features of -cpu, and the CPUID bits by which a guest sees them (QEMU's hyperv.rst and paravirt-kvm-features.rst; TLFS; KVM cpuid.rst).
 */
enum word { KVM, BASE, PARTITION, MISC, HINTS, WORDS };

static const char *const word_paths[WORDS] = {
    [KVM] = "kvm.features.base",     [BASE] = "hyperv.features.base",   [PARTITION] = "hyperv.features.partition",
    [MISC] = "hyperv.features.misc", [HINTS] = "hyperv.features.hints",
};

#define BIT(n) (UINT32_C(1) << (n))

static const struct feature {
	const char *name;
	enum word word;
	uint32_t bits;
	bool usual; /* on, unless it is switched off, in every processor model under KVM */
} features[] = {
    {"kvmclock", KVM, BIT(0) | BIT(3), true},
    {"kvm-nopiodelay", KVM, BIT(1), true},
    {"kvm-mmu", KVM, BIT(2), false},
    {"kvm-asyncpf", KVM, BIT(4), true},
    {"kvm-steal-time", KVM, BIT(5), true},
    {"kvm-pv-eoi", KVM, BIT(6), true},
    {"kvm-pv-unhalt", KVM, BIT(7), false},
    {"kvm-pv-tlb-flush", KVM, BIT(9), false},
    {"kvm-asyncpf-vmexit", KVM, BIT(10), false},
    {"kvm-pv-ipi", KVM, BIT(11), false},
    {"kvm-poll-control", KVM, BIT(12), false},
    {"kvm-pv-sched-yield", KVM, BIT(13), false},
    {"kvm-asyncpf-int", KVM, BIT(14), false},
    {"kvm-msi-ext-dest-id", KVM, BIT(15), false},
    {"kvmclock-stable-bit", KVM, BIT(24), true},
    {"hv-relaxed", HINTS, BIT(5), false},
    {"hv-vapic", BASE, BIT(4), false},
    {"hv-vapic", HINTS, BIT(3), false},
    {"hv-time", BASE, BIT(1) | BIT(9), false},
    {"hv-crash", MISC, BIT(10), false},
    {"hv-reset", BASE, BIT(7), false},
    {"hv-vpindex", BASE, BIT(6), false},
    {"hv-runtime", BASE, BIT(0), false},
    {"hv-synic", BASE, BIT(2), false},
    {"hv-synic", PARTITION, BIT(4) | BIT(5), false},
    {"hv-stimer", BASE, BIT(3), false},
    {"hv-stimer-direct", MISC, BIT(19), false},
    {"hv-frequencies", BASE, BIT(11), false},
    {"hv-frequencies", MISC, BIT(8), false},
    {"hv-reenlightenment", BASE, BIT(13), false},
    {"hv-tlbflush", HINTS, BIT(2) | BIT(11), false},
    {"hv-tlbflush-ext", MISC, BIT(14), false},
    {"hv-ipi", HINTS, BIT(10) | BIT(11), false},
    {"hv-evmcs", HINTS, BIT(14), false},
    {"hv-avic", HINTS, BIT(9), false},
    {"hv-apicv", HINTS, BIT(9), false},
    {"hv-xmm-input", MISC, BIT(4), false},
    {"hv-syndbg", MISC, BIT(11), false},
};
enum { FEATURES = sizeof(features) / sizeof(features[0]) };
/* What a guest sees as soon as any of Hyper-V's is on. */
static const uint32_t any_hyperv[WORDS] = {[BASE] = BIT(5), [MISC] = BIT(3)};

/* The host's own processor has all that the host's KVM offers: what that lacks is not known here. */
static bool is_on(const struct qemu_config *config, const struct feature *feature)
{
	const bool all = !strcmp(config->model, "host") || !strcmp(config->model, "max") || !strncmp(config->model, "host-", 5);
	switch (qemu_config_switch(config, feature->name)) {
	case QEMU_OFF:
		return false;
	case QEMU_ON:
		return true;
	case QEMU_UNSAID:
		break;
	}
	return feature->word == KVM && (all || feature->usual);
}

static bool has_hyperv(const struct qemu_config *config)
{
	for (size_t i = 0; i < config->count; i++)
		if (!strncmp(config->properties[i].name, "hv-", 3) && qemu_config_switch(config, config->properties[i].name) == QEMU_ON)
			return true;
	return false;
}

/* Without KVM there is neither interface, whatever the processor is told to show. */
static int set_words(struct gim_target *target, const struct qemu_config *config, struct gim_error *error)
{
	const bool none = !strcmp(config->accel, "tcg"), any = has_hyperv(config), hidden = qemu_config_switch(config, "kvm") == QEMU_OFF;
	uint32_t words[WORDS] = {0};
	int result = 0;
	if (!none && !*config->model && !config->count)
		return 0;
	for (size_t i = 0; i < FEATURES; i++)
		if (!none && is_on(config, &features[i]) && !(features[i].word == KVM && hidden))
			words[features[i].word] |= features[i].bits;
	for (enum word w = 0; !result && w < WORDS; w++) {
		if (w != KVM && config->hypervisor_defaults && !none)
			continue;
		words[w] |= any && !none ? any_hyperv[w] : 0;
		result = gim_target_set(target, word_paths[w], words[w], error);
	}
	return result;
}

void qemu_machine_name(const struct gim_target *target, const char *name, char *machine, size_t size)
{
	static const char *const own[][2] = {{"pc", "pc-i440fx"}, {"q35", "pc-q35"}};
	for (size_t i = 0; target->major && i < sizeof(own) / sizeof(own[0]); i++)
		if (!strcmp(name, own[i][0])) {
			(void)snprintf(machine, size, "%s-%u.%u", own[i][1], target->major, target->minor);
			return;
		}
	(void)snprintf(machine, size, "%s", name);
}

static int set_frequency(struct gim_target *target, const struct qemu_config *config, struct gim_error *error)
{
	const char *text = qemu_config_value(config, "tsc-frequency");
	return text ? gim_target_set(target, "guest.tsc_hz", strtoull(text, NULL, 0), error) : 0;
}

int qemu_target_configure(struct gim_target *target, const struct qemu_config *config, struct gim_error *error)
{
	char machine[sizeof(config->machine) + 24];
	qemu_machine_name(target, config->machine, machine, sizeof(machine));
	const struct {
		size_t offset;
		const char *text;
	} texts[] = {{offsetof(struct profile, name), config->name},
	             {offsetof(struct profile, machine), machine},
	             {offsetof(struct profile, accelerator), config->accel},
	             {offsetof(struct profile, uuid), config->uuid},
	             {offsetof(struct profile, overlooked), config->overlooked}};
	int result = set_words(target, config, error);
	for (size_t i = 0; !result && i < sizeof(texts) / sizeof(texts[0]); i++)
		if (*texts[i].text)
			result = gim_target_set_text(target, texts[i].offset, texts[i].text, error);
	if (!result && config->vcpus)
		result = gim_target_set(target, "guest.vcpus", config->vcpus, error);
	if (!result && config->ram_bytes)
		result = gim_target_set(target, "guest.ram_bytes", config->ram_bytes, error);
	return result ? result : set_frequency(target, config, error);
}

static int new_config(struct qemu_config **config, struct gim_error *error)
{
	*config = calloc(1, sizeof(**config));
	return *config ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
}

int qemu_target_options(struct gim_target *target, const char *options, struct gim_error *error)
{
	struct qemu_config *config;
	int result = new_config(&config, error);
	if (!result)
		result = qemu_command_line_read(options, config, error);
	if (!result)
		result = qemu_target_configure(target, config, error);
	/* Nothing else switches capabilities on than who starts the migration, so that these are all. */
	if (!result)
		result = gim_target_set_text(target, offsetof(struct profile, capabilities), config->capabilities, error);
	free(config);
	return result;
}

/* More than any description of a VM. */
enum { XML_MAX = 4 << 20 };

static int read_all(struct gim_input *input, struct gim_buffer *text, struct gim_error *error)
{
	uint8_t piece[16384];
	size_t got = sizeof(piece);
	int result = 0;
	while (!result && got == sizeof(piece) && !text->failed) {
		result = gim_input_read(input, text->size, piece, sizeof(piece), &got, error);
		if (!result)
			gim_buffer_bytes(text, piece, got);
		if (!result && text->size > XML_MAX)
			result = gim_fail(error, GIM_E_LIMIT, text->size,
			                  "the description of the VM has more than the %d bytes that are read at most", XML_MAX);
	}
	return !result && text->failed ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : result;
}

int qemu_target_settings(struct gim_input *input, const char *path, gim_setup_visit_fn *visit, void *user, struct gim_error *error)
{
	struct gim_setup setup = {.target = NULL};
	struct gim_buffer text = {.bytes = NULL};
	struct qemu_config *config;
	int result = new_config(&config, error);
	if (!result)
		result = read_all(input, &text, error);
	if (!result)
		result = qemu_libvirt_read((const char *)text.bytes, text.size, config, error);
	if (!result)
		result = gim_target_new(path, &setup.target, error);
	if (!result)
		result = gim_target_set_product(setup.target, &gim_format_qemu, error);
	if (!result)
		result = qemu_target_configure(setup.target, config, error);
	if (!result)
		result = visit(user, &setup);
	gim_target_free(&setup.target);
	gim_buffer_free(&text);
	free(config);
	return result;
}
