/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engines that there are, choosing one, and what is the same in all of them: a machine's life, interrupts, waiting. */
#include "engine.h"

#include "output.h"
#include "stop.h"
#include "vm.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)
#define DEFAULT_WATCHDOG_MS 10000

const struct engine_kind *const engine_kinds[] = {&engine_kvm, &engine_core, NULL};

bool engine_is_name(const char *name)
{
	bool is = !strcmp(name, "auto");
	for (const struct engine_kind *const *each = engine_kinds; !is && *each; each++)
		is = !strcmp((*each)->name, name);
	return is;
}

int engine_find(const char *name, const struct engine_config *config, const struct engine_kind **kind, struct gim_error *error)
{
	const bool any = !strcmp(name, "auto");
	for (const struct engine_kind *const *each = engine_kinds; *each; each++) {
		struct gim_error own = GIM_ERROR_INIT;
		if (!any && strcmp((*each)->name, name) != 0)
			continue;
		int result = (*each)->probe(&own);
		if (!result) {
			*kind = *each;
			return 0;
		}
		if (!any)
			return error_set(error, result, "the engine %s cannot be used here: %s", name, own.text);
		char text[512];
		(void)snprintf(text, sizeof(text), "the engine %s cannot be used here: %s; %s is tried instead", (*each)->name, own.text,
		               each[1] ? each[1]->name : "none");
		if (config->note)
			config->note(config->note_user, text);
	}
	return error_set(error, GIM_E_ARGUMENT, "there is no engine %s: auto, kvm and core are", name);
}

int engine_machine(const struct gim_machine_config *config, const struct gim_host *host, struct gim_machine **machine,
                   struct gim_error *error)
{
	/* The hypercall page calls the hypervisor by a port: what hosts do with vmcall cannot be relied on. */
	static const struct gim_setting code = {"hypercall_code", "e6f0c3"};
	struct gim_machine_config own = *config;
	struct gim_machine *made = NULL;
	if (!strcmp(own.provider, "hyperv") && !own.setting_count) {
		own.settings = &code;
		own.setting_count = 1;
	}
	int result = gim_machine_new(&own, host, &made, error);
	if (!result)
		result = gim_machine_init(made, error);
	if (!result && strcmp(config->provider, "none") != 0)
		result = gim_machine_register_device(made, error);
	if (!result)
		result = gim_machine_init_completed(made, error);
	if (result)
		gim_machine_free(&made);
	else
		*machine = made;
	return result;
}

int engine_open(const struct engine_kind *kind, const struct engine_config *config, struct engine **engine, struct gim_error *error)
{
	struct engine *made = calloc(1, kind->size_bytes);
	if (!made)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	made->kind = kind;
	made->vcpus = config->machine.vcpus;
	made->tsc_hz = config->machine.tsc_hz;
	made->ram_bytes = config->machine.ram_bytes;
	made->trace = config->trace;
	made->trace_user = config->trace_user;
	made->watchdog_ms = config->watchdog_ms ? config->watchdog_ms : DEFAULT_WATCHDOG_MS;
	made->taken = calloc(made->vcpus ? made->vcpus : 1, sizeof(*made->taken));
	made->messages = calloc(made->vcpus ? made->vcpus : 1, sizeof(*made->messages));
	if (!made->taken || !made->messages) {
		free(made->taken);
		free(made->messages);
		free(made);
		return error_set(error, GIM_E_MEMORY, "out of memory");
	}
	int result = kind->open(made, config, error);
	if (result)
		engine_close(&made);
	else
		*engine = made;
	return result;
}

void engine_close(struct engine **engine)
{
	if (!*engine)
		return;
	(*engine)->kind->close(*engine);
	gim_state_free(&(*engine)->loaded);
	gim_machine_free(&(*engine)->machine);
	free((*engine)->taken);
	free((*engine)->messages);
	free(*engine);
	*engine = NULL;
}

int engine_load(struct engine *engine, struct gim_state *state, gim_report_fn *report, void *user, struct gim_error *error)
{
	struct gim_state *loaded = NULL;
	int result = gim_machine_load(engine->machine, state, report, user, error);
	if (!result)
		result = gim_machine_save(engine->machine, &loaded, error);
	gim_state_free(&engine->loaded);
	engine->loaded = loaded;
	engine->loaded_tsc[0] = engine->kind->tsc(engine);
	if (!result)
		result = gim_machine_load_done(engine->machine, error);
	engine->loaded_tsc[1] = engine->kind->tsc(engine);
	return result || !engine->kind->loaded ? result : engine->kind->loaded(engine, error);
}

void engine_adopt(struct engine *engine, struct engine *old)
{
	uint64_t(*taken)[256] = engine->taken, (*messages)[16] = engine->messages;
	engine->taken = old->taken;
	engine->messages = old->messages;
	old->taken = taken;
	old->messages = messages;
	memcpy(engine->acks, old->acks, sizeof(engine->acks));
	engine->ack_count = old->ack_count;
}

int engine_save(struct engine *engine, struct gim_state **state, struct gim_error *error)
{
	struct gim_state *made = NULL;
	int result = gim_machine_save(engine->machine, &made, error);
	if (!result && engine->kind->saved)
		result = engine->kind->saved(engine, made, error);
	if (result)
		gim_state_free(&made);
	else
		*state = made;
	return result;
}

static int reload(struct engine *old, const struct engine_config *config, struct engine **engine, struct gim_error *error)
{
	struct gim_state *state = NULL;
	int result = engine_save(old, &state, error);
	if (!result)
		result = engine_open(old->kind, config, engine, error);
	if (!result)
		result = engine_load(*engine, state, NULL, NULL, error);
	gim_state_free(&state);
	return result;
}

int engine_reload(struct engine **engine, const struct engine_config *config, struct gim_error *error)
{
	struct engine *next = NULL;
	int result = reload(*engine, config, &next, error);
	if (result) {
		engine_close(&next);
		return result;
	}
	engine_adopt(next, *engine);
	engine_close(engine);
	*engine = next;
	return 0;
}

/*
 * Interrupts. The guest does for real what a handler does; which of it, stands here once for all engines.
 */
#define MSR_SIMP 0x40000083u
#define MSR_EOM 0x40000084u
#define PAGE_MASK (~UINT64_C(0xfff))
#define SLOT_BYTES 256u

static void trace(const struct engine *engine, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void trace(const struct engine *engine, const char *format, ...)
{
	char text[512];
	va_list arguments;
	if (!engine->trace)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	engine->trace(engine->trace_user, text);
}

void engine_log(void *user, enum gim_severity severity, const char *text)
{
	trace((const struct engine *)user, "%s: %s", severity_name(severity), text);
}

int engine_stopped(struct gim_error *error)
{
	return stop_wanted ? error_set(error, GIM_E_STOPPED, "stopped") : 0;
}

/* Read the message in a SINT's slot, clear its type, and say so when another one waits. */
static int read_message(struct engine *engine, uint32_t vcpu, uint8_t sint, struct gim_error *error)
{
	struct guest_operation read = {.act = ACT_RDMSR, .number = MSR_SIMP}, clear, end = {.act = ACT_WRMSR, .number = MSR_EOM};
	struct guest_outcome outcome = {.fault = FAULT_NONE};
	int result = engine->kind->execute(engine, vcpu, &read, &outcome, error);
	if (result || outcome.fault || !(outcome.value & 1))
		return result;
	const uint64_t slot = (outcome.value & PAGE_MASK) + sint * SLOT_BYTES;
	read = (struct guest_operation){.act = ACT_READ, .gpa = slot, .size_bytes = 8};
	result = engine->kind->execute(engine, vcpu, &read, &outcome, error);
	if (result || outcome.fault || !memcmp(outcome.bytes, "\0\0\0", 4))
		return result;
	engine->messages[vcpu][sint]++;
	trace(engine, "@%u message of type 0x%02x%02x%02x%02x in SINT %u", vcpu, outcome.bytes[3], outcome.bytes[2], outcome.bytes[1],
	      outcome.bytes[0], sint);
	clear = (struct guest_operation){.act = ACT_WRITE, .gpa = slot, .size_bytes = 4};
	result = engine->kind->execute(engine, vcpu, &clear, &outcome, error);
	/* The flag may be set while the type was cleared, so it is looked at after that. */
	if (!result)
		result = engine->kind->execute(engine, vcpu, &read, &outcome, error);
	return result || !(outcome.bytes[5] & 1) ? result : engine->kind->execute(engine, vcpu, &end, &outcome, error);
}

static int handle(struct engine *engine, uint32_t vcpu, uint8_t vector, struct gim_error *error)
{
	int result = engine->kind->enter(engine, vcpu, vector, error);
	engine->taken[vcpu][vector]++;
	trace(engine, "@%u interrupt 0x%x", vcpu, vector);
	for (unsigned i = 0; !result && i < engine->ack_count; i++)
		if (engine->acks[i].vcpu == vcpu && engine->acks[i].vector == vector)
			result = read_message(engine, vcpu, engine->acks[i].sint, error);
	gim_machine_eoi(engine->machine, vcpu, vector);
	return result ? result : engine->kind->leave(engine, vcpu, error);
}

static uint64_t real_ms(void)
{
	return vm_now_ns() / 1000000;
}

static int expired(const struct engine *engine, uint64_t end_ms, struct gim_error *error)
{
	if (stop_wanted)
		return engine_stopped(error);
	if (real_ms() <= end_ms)
		return 0;
	return error_set(error, GIM_E_STOPPED, "the guest's interrupts do not come to an end within the %u ms of the watchdog",
	                 engine->watchdog_ms);
}

/* Take what is due now. */
static int settle(struct engine *engine, uint64_t end_ms, struct gim_error *error)
{
	int result = 0;
	gim_machine_advance(engine->machine);
	for (bool again = true; !result && again;) {
		again = false;
		for (uint32_t vcpu = 0; !result && vcpu < engine->vcpus; vcpu++) {
			const int vector = gim_machine_interrupt(engine->machine, vcpu);
			if (vector < 0)
				continue;
			again = true;
			result = handle(engine, vcpu, (uint8_t)vector, error);
		}
		if (!result && again)
			result = expired(engine, end_ms, error);
	}
	return result;
}

int engine_settle(struct engine *engine, struct gim_error *error)
{
	return settle(engine, real_ms() + engine->watchdog_ms, error);
}

int engine_execute(struct engine *engine, uint32_t vcpu, const struct guest_operation *operation, struct guest_outcome *outcome,
                   struct gim_error *error)
{
	int result = engine->kind->execute(engine, vcpu, operation, outcome, error);
	return result ? result : engine_settle(engine, error);
}

int engine_wait(struct engine *engine, uint64_t ns, struct gim_error *error)
{
	const uint64_t seconds = ns / NS_PER_S, rest = ns % NS_PER_S;
	const uint64_t end = engine->kind->tsc(engine) + seconds * engine->tsc_hz + rest * engine->tsc_hz / NS_PER_S;
	const uint64_t end_ms = real_ms() + ns / 1000000 + engine->watchdog_ms;
	int result = 0;
	for (uint64_t now = engine->kind->tsc(engine); !result && now < end; now = engine->kind->tsc(engine)) {
		const uint64_t due = gim_machine_deadline(engine->machine);
		if (due > now)
			result = engine->kind->sleep(engine, due < end ? due : end, error);
		if (!result)
			result = settle(engine, end_ms, error);
		if (!result)
			result = expired(engine, end_ms, error);
	}
	return result;
}
