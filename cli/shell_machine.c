/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shell's machine: the state that is held comes to life, and the operations of probes are commands. */
#include "shell.h"

#include "harness/probe.h"
#include "harness/replay.h"
#include "harness/snapshot.h"
#include "output.h"
#include "source.h"
#include "stop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WATCHES_MAX = 32, SNAPSHOTS_MAX = 16, PAGES_MAX = 16 };
#define SLICE_NS UINT64_C(10000000)

static struct {
	struct engine *engine; /* NULL: there is no machine */
	struct engine_config config;
	const struct engine_kind *kind;
	char provider[16];
	struct probe_run run;
	struct probe_session *session;
	int status; /* of the operation that ran last */
	bool tracing;
	uint64_t pages[PAGES_MAX]; /* where they were */
	struct {
		char *path, *text;
	} watches[WATCHES_MAX];
	unsigned watch_count;
	struct {
		char *name;
		struct snapshot *snapshot;
	} snapshots[SNAPSHOTS_MAX];
	unsigned snapshot_count;
} machine;

const char *machine_engine(void)
{
	return machine.engine ? machine.kind->name : NULL;
}

struct gim_machine *machine_running(void)
{
	return machine.engine ? machine.engine->machine : NULL;
}

/* "stopped" is what was wanted. */
static int failed(const struct gim_error *error)
{
	if (error->code == GIM_E_STOPPED && stop_wanted && shell_is_interactive()) {
		puts("stopped");
		return EXIT_YES;
	}
	(void)output_error(NULL, error, false);
	return EXIT_NO_ANSWER;
}

/*
 * What is shown of what happens.
 */
static void put_trace(void *user, const char *text)
{
	(void)user;
	if (!machine.tracing)
		return;
	fputs("trace: ", stdout);
	put_safe(stdout, text);
	putchar('\n');
}

static void put_note(void *user, const char *text)
{
	(void)user;
	output_flush();
	fputs("gimstate: ", stderr);
	put_safe(stderr, text);
	fputc('\n', stderr);
}

static void look_at_pages(void)
{
	struct gim_page page;
	for (unsigned i = 0; i < PAGES_MAX && gim_machine_page(machine.engine->machine, i, &page); i++) {
		if (machine.tracing && page.gpa != machine.pages[i]) {
			if (page.gpa == GIM_UNKNOWN)
				printf("trace: page %s is not mapped any more\n", page.name);
			else
				printf("trace: page %s at 0x%" PRIx64 "\n", page.name, page.gpa);
		}
		machine.pages[i] = page.gpa;
	}
}

static void look_at_watches(bool tell)
{
	struct gim_state *state = NULL;
	if (!machine.watch_count || engine_save(machine.engine, &state, NULL))
		return;
	for (unsigned i = 0; i < machine.watch_count; i++) {
		char *text = value_text_at(state, machine.watches[i].path);
		if (tell && text && machine.watches[i].text && strcmp(text, machine.watches[i].text) != 0)
			printf("%s: %s -> %s\n", machine.watches[i].path, machine.watches[i].text, text);
		free(machine.watches[i].text);
		machine.watches[i].text = text;
	}
	gim_state_free(&state);
}

static int done(int status)
{
	look_at_pages();
	look_at_watches(true);
	return status;
}

/*
 * Its life.
 */
static void put_result(void *user, const struct probe_step *step)
{
	(void)user;
	if (*step->result) {
		put_safe(stdout, step->result);
		putchar('\n');
	}
	machine.status = step->verdict == PROBE_FAILED ? EXIT_NO : EXIT_YES;
	if (step->verdict == PROBE_MET) {
		put_styled(stdout, STYLE_GOOD, "ok");
	} else if (step->verdict == PROBE_FAILED) {
		put_styled(stdout, STYLE_BAD, "FAILED");
		fputs(": ", stdout);
	} else if (step->verdict == PROBE_SKIPPED) {
		put_styled(stdout, STYLE_WARNING, "SKIPPED");
		fputs(": ", stdout);
	} else {
		return;
	}
	put_safe(stdout, step->reason);
	putchar('\n');
}

/* A new machine with the snapshot in it takes the place of the old one; what was counted goes on. */
static int replace(const struct snapshot *snapshot, struct gim_error *error)
{
	struct engine *next = NULL;
	int result = engine_open(machine.kind, &machine.config, &next, error);
	if (!result)
		result = snapshot_load(snapshot, next, error);
	if (result) {
		if (next)
			engine_close(&next);
		return result;
	}
	engine_adopt(next, machine.engine);
	engine_close(&machine.engine);
	machine.engine = machine.run.engine = next;
	return 0;
}

static int reload(void *user, struct gim_error *error)
{
	struct snapshot *snapshot = NULL;
	(void)user;
	int result = snapshot_take(machine.engine, &snapshot, error);
	if (!result)
		result = replace(snapshot, error);
	snapshot_free(&snapshot);
	return result;
}

void machine_stop(void)
{
	probe_session_free(&machine.session);
	if (machine.engine)
		engine_close(&machine.engine);
	for (unsigned i = 0; i < machine.watch_count; i++) {
		free(machine.watches[i].path);
		free(machine.watches[i].text);
	}
	for (unsigned i = 0; i < machine.snapshot_count; i++) {
		free(machine.snapshots[i].name);
		snapshot_free(&machine.snapshots[i].snapshot);
	}
	memset(&machine, 0, sizeof(machine));
}

static int start(const char *engine, struct gim_error *error)
{
	struct gim_state *state = NULL;
	machine.config = (struct engine_config){.note = put_note, .trace = put_trace};
	int result = source_open(source_held(), SOURCE_FIELDS, false, &state, error);
	if (!result)
		result = replay_machine(state, &machine.config.machine, machine.provider, error);
	if (!result)
		result = engine_find(engine, &machine.config, &machine.kind, error);
	if (!result)
		result = engine_open(machine.kind, &machine.config, &machine.engine, error);
	if (!result)
		result = engine_load(machine.engine, state, NULL, NULL, error);
	gim_state_free(&state);
	machine.run = (struct probe_run){.engine = machine.engine, .reload = reload, .step = put_result};
	return result ? result : probe_session_new(&machine.run, &machine.session, error);
}

int run_start(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	(void)options;
	if (machine.engine) {
		(void)error_set(&error, GIM_E_ARGUMENT, "a machine is there already: stop ends it");
		return failed(&error);
	}
	if (start(count ? operands[0] : "auto", &error)) {
		machine_stop();
		return failed(&error);
	}
	look_at_pages();
	const struct engine *engine = machine.engine;
	printf("engine %s: %u vCPU%s, %" PRIu64 " MiB of RAM, TSC %.6g GHz\n", machine.kind->name, engine->vcpus,
	       engine->vcpus == 1 ? "" : "s", engine->ram_bytes >> 20, (double)engine->tsc_hz / 1e9);
	return EXIT_YES;
}

int run_stop(const struct options *options, int count, char **operands)
{
	(void)options, (void)count, (void)operands;
	machine_stop();
	return EXIT_YES;
}

/*
 * Operations of probes.
 */
struct search {
	const char *name;
	bool found;
};

static int compare(void *user, const char *name, const char *arguments, const char *help)
{
	struct search *search = (struct search *)user;
	(void)arguments, (void)help;
	search->found = !strcmp(name, search->name);
	return search->found;
}

bool machine_has_operation(const char *name)
{
	struct search search = {.name = name};
	(void)probe_operations(compare, &search);
	return search.found;
}

int machine_line(const char *text)
{
	struct gim_error error = GIM_ERROR_INIT;
	machine.status = EXIT_YES;
	int result = probe_session_line(machine.session, text, &error);
	return done(result ? failed(&error) : machine.status);
}

int run_step(const struct options *options, int count, char **operands)
{
	char text[64];
	(void)options, (void)count;
	(void)snprintf(text, sizeof(text), "wait %.50s", operands[0]);
	return machine_line(text);
}

/*
 * Interrupts and messages.
 */
struct counts {
	uint64_t (*taken)[256];
	uint64_t (*messages)[16];
};

static bool counts_take(struct counts *counts)
{
	const size_t vcpus = machine.engine->vcpus;
	counts->taken = calloc(vcpus, sizeof(*counts->taken));
	counts->messages = calloc(vcpus, sizeof(*counts->messages));
	if (!counts->taken || !counts->messages)
		return false;
	memcpy(counts->taken, machine.engine->taken, vcpus * sizeof(*counts->taken));
	memcpy(counts->messages, machine.engine->messages, vcpus * sizeof(*counts->messages));
	return true;
}

static void counts_free(struct counts *counts)
{
	free(counts->taken);
	free(counts->messages);
}

/* What came since; before->taken NULL: since the machine was started. */
static void put_counts(const struct counts *before)
{
	for (uint32_t vcpu = 0; vcpu < machine.engine->vcpus; vcpu++) {
		for (unsigned i = 0; i < 256; i++) {
			const uint64_t count = machine.engine->taken[vcpu][i] - (before->taken ? before->taken[vcpu][i] : 0);
			if (count)
				printf("@%u interrupt 0x%02x: %" PRIu64 "\n", vcpu, i, count);
		}
		for (unsigned i = 0; i < 16; i++) {
			const uint64_t count = machine.engine->messages[vcpu][i] - (before->messages ? before->messages[vcpu][i] : 0);
			if (count)
				printf("@%u messages in SINT %u: %" PRIu64 "\n", vcpu, i, count);
		}
	}
}

int run_events(const struct options *options, int count, char **operands)
{
	static const struct counts none;
	(void)options, (void)count, (void)operands;
	put_counts(&none);
	const uint64_t due = gim_machine_deadline(machine.engine->machine), now = machine.kind->tsc(machine.engine);
	if (due == GIM_UNKNOWN)
		puts("nothing is due");
	else
		printf("next is due in %.6g ms\n", due > now ? (double)(due - now) / (double)machine.engine->tsc_hz * 1e3 : 0.0);
	return EXIT_YES;
}

/* Time passes as it does outside; the core's own clock is moved with it. */
static int pass_time(uint64_t ns, struct gim_error *error)
{
	int result = 0;
	while (!result && ns && !stop_wanted) {
		const uint64_t slice = ns < SLICE_NS ? ns : SLICE_NS;
		const struct timespec time = {0, (long)slice};
		result = engine_wait(machine.engine, slice, error);
		if (!result && machine.kind == &engine_core)
			(void)nanosleep(&time, NULL);
		ns = ns == UINT64_MAX ? ns : ns - slice;
		output_flush();
	}
	return result ? result : engine_stopped(error);
}

int run_run(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct counts before = {NULL, NULL};
	uint64_t ns = UINT64_MAX;
	int result = 0;
	(void)options;
	if (count && !probe_time(operands[0], &ns))
		result = error_set(&error, GIM_E_ARGUMENT, "%s is no time: 500us, 10ms or 2s is one", operands[0]);
	else if (!count && !shell_is_interactive())
		result = error_set(&error, GIM_E_ARGUMENT, "a script says how long: run TIME");
	else if (!counts_take(&before))
		result = error_set(&error, GIM_E_MEMORY, "out of memory");
	if (!result)
		result = pass_time(ns, &error);
	const int status = result ? failed(&error) : EXIT_YES;
	if (before.taken && before.messages)
		put_counts(&before);
	counts_free(&before);
	return done(status);
}

/*
 * Looking.
 */
int run_pages(const struct options *options, int count, char **operands)
{
	struct gim_page page;
	(void)options, (void)count, (void)operands;
	for (unsigned i = 0; gim_machine_page(machine.engine->machine, i, &page); i++) {
		printf("%-24s ", page.name);
		if (page.gpa == GIM_UNKNOWN)
			puts("not mapped");
		else
			printf("0x%" PRIx64 "\n", page.gpa);
	}
	return EXIT_YES;
}

static int put_counter(void *user, const char *name, uint64_t value)
{
	if (value || *(const bool *)user)
		printf("%-40s %" PRIu64 "\n", name, value);
	return 0;
}

int run_stats(const struct options *options, int count, char **operands)
{
	bool all = options->all;
	(void)count, (void)operands;
	(void)gim_machine_counters(machine.engine->machine, put_counter, &all);
	return EXIT_YES;
}

int run_trace(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	(void)options, (void)count;
	const bool on = !strcmp(operands[0], "on");
	if (!on && strcmp(operands[0], "off") != 0) {
		(void)error_set(&error, GIM_E_ARGUMENT, "trace on or trace off is expected, not %s", operands[0]);
		return failed(&error);
	}
	machine.tracing = on;
	return EXIT_YES;
}

static int put_watches(void)
{
	for (unsigned i = 0; i < machine.watch_count; i++)
		printf("%s = %s\n", machine.watches[i].path, machine.watches[i].text ? machine.watches[i].text : "absent");
	return EXIT_YES;
}

static int count_field(void *user, const char *path, const struct gim_value *value)
{
	(void)path, (void)value;
	++*(unsigned *)user;
	return 0;
}

int run_watch(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	(void)options;
	if (!count)
		return put_watches();
	int result = engine_save(machine.engine, &state, &error);
	for (int i = 0; !result && i < count; i++) {
		unsigned fields = 0;
		result = gim_state_visit(state, operands[i], count_field, &fields, &error);
		if (!result && fields != 1)
			result = error_set(&error, GIM_E_ARGUMENT, "%s is %u fields; name one of them", operands[i], fields);
	}
	if (!result && machine.watch_count + (unsigned)count > WATCHES_MAX)
		result = error_set(&error, GIM_E_ARGUMENT, "at most %d fields can be watched: unwatch ends that of one", WATCHES_MAX);
	for (int i = 0; !result && i < count; i++) {
		machine.watches[machine.watch_count].path = strdup(operands[i]);
		machine.watches[machine.watch_count].text = NULL;
		machine.watch_count += machine.watches[machine.watch_count].path != NULL;
	}
	gim_state_free(&state);
	look_at_watches(false);
	return result ? failed(&error) : EXIT_YES;
}

int run_unwatch(const struct options *options, int count, char **operands)
{
	unsigned kept = 0;
	(void)options;
	for (unsigned i = 0; i < machine.watch_count; i++) {
		bool named = !count;
		for (int j = 0; j < count; j++)
			named |= !strcmp(machine.watches[i].path, operands[j]);
		if (named) {
			free(machine.watches[i].path);
			free(machine.watches[i].text);
		} else {
			machine.watches[kept++] = machine.watches[i];
		}
	}
	machine.watch_count = kept;
	return EXIT_YES;
}

/*
 * Going back.
 */
int run_reset(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	(void)options, (void)count, (void)operands;
	int result = gim_machine_reset(machine.engine->machine, &error);
	return done(result ? failed(&error) : EXIT_YES);
}

static unsigned find_snapshot(const char *name)
{
	unsigned i = 0;
	while (i < machine.snapshot_count && strcmp(machine.snapshots[i].name, name) != 0)
		i++;
	return i;
}

int run_snapshot(const struct options *options, int count, char **operands)
{
	const char *name = count ? operands[0] : "last";
	const unsigned at = find_snapshot(name);
	struct gim_error error = GIM_ERROR_INIT;
	struct snapshot *snapshot = NULL;
	char *copy = NULL;
	(void)options;
	int result = at == SNAPSHOTS_MAX
	                 ? error_set(&error, GIM_E_ARGUMENT,
	                             "at most %d snapshots can be kept: give the name of one, which this takes the place of", SNAPSHOTS_MAX)
	                 : snapshot_take(machine.engine, &snapshot, &error);
	if (!result && !(copy = strdup(name)))
		result = error_set(&error, GIM_E_MEMORY, "out of memory");
	if (result) {
		snapshot_free(&snapshot);
		free(copy);
		return failed(&error);
	}
	if (at == machine.snapshot_count) {
		machine.snapshot_count++;
	} else {
		free(machine.snapshots[at].name);
		snapshot_free(&machine.snapshots[at].snapshot);
	}
	machine.snapshots[at].name = copy;
	machine.snapshots[at].snapshot = snapshot;
	return EXIT_YES;
}

int run_restore(const struct options *options, int count, char **operands)
{
	const char *name = count ? operands[0] : "last";
	const unsigned at = find_snapshot(name);
	struct gim_error error = GIM_ERROR_INIT;
	(void)options;
	int result = at == machine.snapshot_count
	                 ? error_set(&error, GIM_E_ARGUMENT, "there is no snapshot %s: the command snapshot takes one", name)
	                 : replace(machine.snapshots[at].snapshot, &error);
	return done(result ? failed(&error) : EXIT_YES);
}

/*
 * The machine's state becomes the one that is held.
 */
/* Only what is lost: there is much that the layouts of saved states cannot hold, at its default. */
static void take_lost(void *user, const struct gim_finding *finding)
{
	if (finding->rule->severity == GIM_ERROR)
		remarks_take(user, finding);
}

int run_take(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct remarks remarks = {.findings = NULL};
	struct gim_state *held = NULL, *saved = NULL;
	struct gim_value value;
	char layout[64];
	(void)options, (void)count, (void)operands;
	int result = engine_save(machine.engine, &saved, &error);
	if (!result)
		result = source_open(source_held(), SOURCE_FIELDS, true, &held, &error);
	if (!result)
		result = gim_state_decode(held, GIM_PART_GIM, NULL, NULL, &error);
	if (!result && value_look_up(held, "gim.layout", &value)) {
		(void)snprintf(layout, sizeof(layout), "%.*s", (int)value.length_bytes, value.bytes);
		result = gim_state_convert(saved, layout, take_lost, &remarks, &error);
	}
	if (result >= 0)
		result = gim_state_set_from(held, saved, false, &error);
	if (!result)
		result = source_edit(held, "take the machine's state", NULL, &error);
	gim_state_free(&saved);
	gim_state_free(&held);
	if (!result)
		remarks_put(&remarks);
	remarks_free(&remarks);
	return result ? failed(&error) : EXIT_YES;
}
