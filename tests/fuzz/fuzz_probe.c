/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Probes: any text is one or is refused with a sentence; what is one runs to an end on the core, and does the same again. */
#include "harness/probe.h"

#include "fuzz.h"

enum { SIZE_MAX_BYTES = 4096, RAM_BYTES = 1 << 20, VCPUS = 3, ACTS_MAX = 4000 };

/* The engine, which ends a guest not after a time but after a number of acts, so that each run ends at the same one. */
static unsigned acts;

static int one_act(struct gim_error *error)
{
	if (acts++ < ACTS_MAX)
		return 0;
	(void)snprintf(error->text, sizeof(error->text), "enough");
	return error->code = GIM_E_STOPPED;
}

static int execute(struct engine *engine, uint32_t vcpu, const struct guest_operation *operation, struct guest_outcome *outcome,
                   struct gim_error *error)
{
	MUST(vcpu < VCPUS && operation->size_bytes <= GUEST_BYTES_MAX);
	int result = one_act(error);
	return result ? result : engine_core.execute(engine, vcpu, operation, outcome, error);
}

static int enter(struct engine *engine, uint32_t vcpu, uint8_t vector, struct gim_error *error)
{
	int result = one_act(error);
	return result ? result : engine_core.enter(engine, vcpu, vector, error);
}

static int sleep_until(struct engine *engine, uint64_t tsc, struct gim_error *error)
{
	int result = one_act(error);
	return result ? result : engine_core.sleep(engine, tsc, error);
}

struct running {
	struct engine_config config;
	struct probe_run run;
	unsigned last_line, verdicts[4], reloads;
	uint64_t sum; /* of all that the steps said */
};

static int reload(void *user, struct gim_error *error)
{
	struct running *running = (struct running *)user;
	/* A save and a load cost much more than an act. */
	for (unsigned i = 0; i < ACTS_MAX / 20; i++)
		(void)one_act(error);
	int result = one_act(error);
	return result ? result : engine_reload(&running->run.engine, &running->config, error);
}

static void add(struct running *running, const char *text)
{
	do
		running->sum = (running->sum ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	while (*text++);
}

static void take(void *user, const struct probe_step *step)
{
	struct running *running = (struct running *)user;
	const bool wrong = step->verdict == PROBE_FAILED || step->verdict == PROBE_SKIPPED;
	MUST(step->verdict <= PROBE_SKIPPED && step->vcpu < VCPUS && step->label && *step->operation);
	MUST(step->line > running->last_line && step->judges < step->line && wrong == (*step->reason != '\0'));
	running->last_line = step->line;
	running->verdicts[step->verdict]++;
	add(running, step->operation);
	add(running, step->result);
	add(running, step->reason);
}

/* Of what it says, one number. */
static uint64_t run(const struct probe *probe, const char *provider)
{
	struct engine_kind kind = engine_core;
	struct gim_error error = GIM_ERROR_INIT;
	struct running running = {
	    .config = {
		.machine = {
		    .provider = provider, .vcpus = VCPUS, .ram_bytes = RAM_BYTES, .tsc_hz = 2600000000, .gating = GIM_GATING_WORDS}}};
	kind.execute = execute;
	kind.enter = enter;
	kind.sleep = sleep_until;
	acts = 0;
	MUST(!engine_open(&kind, &running.config, &running.run.engine, &error));
	running.run.reload = reload;
	running.run.user = &running;
	running.run.step = take;
	running.run.step_user = &running;
	const int result = probe_execute(&running.run, probe, &error);
	MUST(result <= 0 && (!result || (*error.text && error.code == result)));
	MUST(!result || result == GIM_E_STOPPED || !strncmp(error.text, "fuzz:", 5));
	MUST(running.run.met == running.verdicts[PROBE_MET] && running.run.failed == running.verdicts[PROBE_FAILED]);
	MUST(running.run.skipped == running.verdicts[PROBE_SKIPPED]);
	add(&running, error.text);
	engine_close(&running.run.engine);
	return running.sum;
}

/* KVM's wall clock is that of the host, so that what reads it is not the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char *const providers[] = {"hyperv", "kvm", "minimal"};
	struct gim_error error = GIM_ERROR_INIT;
	struct probe *probe = NULL;
	uint8_t *text = fuzz_copy(bytes, size < SIZE_MAX_BYTES ? size : SIZE_MAX_BYTES);
	const int result = probe_parse("fuzz", (const char *)text, size < SIZE_MAX_BYTES ? size : SIZE_MAX_BYTES, &probe, &error);
	MUST(result <= 0 && !result == (probe != NULL) && (!result || !strncmp(error.text, "fuzz:", 5)));
	for (size_t i = 0; probe && i < sizeof(providers) / sizeof(providers[0]); i++) {
		const uint64_t sum = run(probe, providers[i]);
		MUST(i == 1 || sum == run(probe, providers[i]));
	}
	if (probe)
		probe_free(&probe);
	free(text);
	return 0;
}
