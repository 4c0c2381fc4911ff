/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replaying a state: what machine it wants, which probes run on it, and saving it in between. */
#include "replay.h"

#include "builtin.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_RAM_BYTES (UINT64_C(128) << 20)
#define DEFAULT_TSC_HZ UINT64_C(2600000000)
#define PAGE_MASK (~UINT64_C(0xfff))

struct replayed {
	const struct replay_options *options;
	struct replay_result *result;
	struct engine_config config;
	const struct engine_kind *kind;
	struct engine *engine;
	char provider[16];
	struct probe *probes[REPLAY_PROBES_MAX]; /* the options' files */
	bool described;
	struct probe_run run;
};

/*
 * The machine.
 */
static int keep_number(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	if (value->presence == GIM_ABSENT || value->kind != GIM_VALUE_NUMBER || !value->number)
		return 0;
	*(uint64_t *)user = value->number;
	return 1;
}

static uint64_t number_or(struct gim_state *state, const char *path, uint64_t other)
{
	(void)gim_state_visit(state, path, keep_number, &other, NULL);
	return other;
}

/* The highest vCPU of which the interface's lists hold something. */
static int count_vcpu(void *user, const char *path, const struct gim_value *value)
{
	uint32_t *vcpus = (uint32_t *)user;
	const char *open = strchr(path, '[');
	const unsigned long index = open ? strtoul(open + 1, NULL, 10) : 0;
	(void)value;
	if (index < 1024 && index + 1 > *vcpus)
		*vcpus = (uint32_t)index + 1;
	return 0;
}

static uint32_t count_vcpus(struct gim_state *state)
{
	uint32_t vcpus = 0;
	(void)gim_state_visit(state, "hyperv.vp", count_vcpu, &vcpus, NULL);
	(void)gim_state_visit(state, "kvm.vcpu", count_vcpu, &vcpus, NULL);
	return vcpus;
}

static int keep_provider(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	if (value->presence == GIM_ABSENT)
		return 0;
	(void)gim_value_text(value, user, 16);
	return 1;
}

/* Of a state that lists what is in use: Hyper-V's interface where the guest has set it up, since a hypervisor that offers both offers KVM's for what does not ask. */
static int keep_interface(void *user, const char *path, const struct gim_value *value)
{
	static const char *const names[] = {"hyperv", "kvm"};
	(void)path;
	if (value->presence == GIM_ABSENT || value->kind != GIM_VALUE_BYTES)
		return 0;
	(void)snprintf(user, 16, "none");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (memmem(value->bytes, value->length_bytes, names[i], strlen(names[i]))) {
			(void)snprintf(user, 16, "%s", names[i]);
			break;
		}
	return 1;
}

int replay_machine(struct gim_state *state, struct gim_machine_config *config, char provider[16], struct gim_error *error)
{
	int result = gim_state_decode(state, GIM_PART_GIM | GIM_PART_INFO, NULL, NULL, error);
	if (result)
		return result;
	if (gim_state_visit(state, "gim.provider", keep_provider, provider, NULL) != 1 &&
	    gim_state_visit(state, "gim.interfaces", keep_interface, provider, NULL) != 1)
		return error_set(error, GIM_E_VALUE, "the state does not say whose guest interface it is");
	const uint64_t vcpus = number_or(state, "guest.vcpus", count_vcpus(state));
	*config = (struct gim_machine_config){
	    .provider = provider,
	    .provider_version = (uint32_t)number_or(state, "gim.provider_version", 0),
	    .vcpus = (uint32_t)(vcpus ? vcpus : 1),
	    .ram_bytes = number_or(state, "guest.ram_bytes", DEFAULT_RAM_BYTES) & PAGE_MASK,
	    .tsc_hz = number_or(state, "guest.tsc_hz", DEFAULT_TSC_HZ),
	};
	if (vcpus > UINT32_MAX || config->ram_bytes > (UINT64_C(1) << 46))
		return error_set(error, GIM_E_VALUE, "the state wants %llu vCPUs and %llu bytes of RAM: no engine has as much",
		                 (unsigned long long)vcpus, (unsigned long long)config->ram_bytes);
	return 0;
}

/*
 * Probes.
 */
static int reload(void *user, struct gim_error *error)
{
	struct replayed *replayed = (struct replayed *)user;
	int result = engine_reload(&replayed->engine, &replayed->config, error);
	replayed->run.engine = replayed->engine;
	return result;
}

static int run_probe(struct replayed *replayed, const struct probe *probe, struct gim_error *error)
{
	const struct replay_options *options = replayed->options;
	replayed->run = (struct probe_run){
	    .engine = replayed->engine, .reload = reload, .user = replayed, .step = options->step, .step_user = options->user};
	if (options->begin)
		options->begin(options->user, probe_name(probe));
	int result = probe_execute(&replayed->run, probe, error);
	replayed->result->met += replayed->run.met;
	replayed->result->failed += replayed->run.failed;
	replayed->result->skipped += replayed->run.skipped;
	return result;
}

/* All of them before anything runs: a mistake in the last is told at once, and a pipe can only be read once. */
static int read_probes(struct replayed *replayed, struct gim_error *error)
{
	int result = 0;
	for (unsigned i = 0; !result && i < replayed->options->probe_count; i++)
		result = probe_read(replayed->options->probes[i], &replayed->probes[i], error);
	replayed->result->by_probe = result != 0;
	return result;
}

/* A new machine with the state in it, in place of the one that there was. */
static int begin(struct replayed *replayed, struct gim_state *state, struct gim_error *error)
{
	if (replayed->engine)
		engine_close(&replayed->engine);
	int result = engine_open(replayed->kind, &replayed->config, &replayed->engine, error);
	return result ? result : engine_load(replayed->engine, state, NULL, NULL, error);
}

static int run_builtins(struct replayed *replayed, struct gim_state *state, bool alters, struct gim_error *error)
{
	int result = 0;
	for (const struct builtin *builtin = builtins; !result && builtin->name; builtin++) {
		struct probe *probe = NULL;
		if (builtin->alters != alters)
			continue;
		if (alters)
			result = begin(replayed, state, error);
		const struct builtin_context context = {state, replayed->engine, replayed->config.kernel_clock};
		if (!result)
			result = builtin_probe(builtin, &context, &probe, error);
		if (!result && probe)
			result = run_probe(replayed, probe, error);
		if (probe)
			probe_free(&probe);
	}
	return result;
}

static int run_all(struct replayed *replayed, struct gim_state *state, struct gim_state **saved, struct gim_error *error)
{
	const struct replay_options *options = replayed->options;
	const bool own = options->probe_count;
	int result = begin(replayed, state, error);
	if (!own && !replayed->described && options->note && !strcmp(replayed->provider, "none"))
		options->note(options->user, "the state has no guest interface: there is nothing to look at");
	if (!result && options->capability && !replayed->described && replayed->kind->describe)
		replayed->kind->describe(replayed->engine, options->capability, options->user);
	replayed->described = true;
	if (!result && !own)
		result = run_builtins(replayed, state, false, error);
	for (unsigned i = 0; !result && i < options->probe_count; i++) {
		result = run_probe(replayed, replayed->probes[i], error);
		replayed->result->by_probe = result != 0;
	}
	if (!result && saved) {
		gim_state_free(saved);
		result = engine_save(replayed->engine, saved, error);
	}
	if (!result && !own)
		result = run_builtins(replayed, state, true, error);
	return result;
}

int replay(struct gim_state *state, const struct replay_options *options, struct replay_result *result, struct gim_state **saved,
           struct gim_error *error)
{
	struct replayed replayed = {
	    .options = options,
	    .result = result,
	    .config = {.kernel_clock = options->kernel_clock,
	               .watchdog_ms = options->watchdog_ms,
	               .note = options->note,
	               .note_user = options->user},
	};
	*result = (struct replay_result){.engine = ""};
	int status = replay_machine(state, &replayed.config.machine, replayed.provider, error);
	if (!status)
		status = read_probes(&replayed, error);
	if (!status)
		status = engine_find(options->engine, &replayed.config, &replayed.kind, error);
	if (!status && options->kernel_clock && !replayed.kind->has_kernel)
		status = error_set(error, GIM_E_UNSUPPORTED, "the engine %s has no kernel whose clock could be the guest's: kvm has",
		                   replayed.kind->name);
	for (unsigned i = 0; !status && i < (options->repeat ? options->repeat : 1); i++)
		status = run_all(&replayed, state, saved, error);
	if (replayed.engine) {
		result->engine = replayed.kind->name;
		result->vcpus = replayed.engine->vcpus;
		result->ram_bytes = replayed.engine->ram_bytes;
		result->tsc_hz = replayed.engine->tsc_hz;
		engine_close(&replayed.engine);
	}
	for (unsigned i = 0; i < options->probe_count; i++)
		probe_free(&replayed.probes[i]);
	return status;
}
