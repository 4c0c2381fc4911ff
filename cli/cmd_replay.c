/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate replay: bring a state to life in a machine, run probes on it, and say whether what they expect is met. */
#include "command.h"
#include "harness/replay.h"
#include "output.h"
#include "source.h"
#include "test_report.h"

#include <stdlib.h>
#include <string.h>

/* What was run so far: of each probe its steps, as JSON, from which every other form is printed. */
struct transcript {
	json_t *probes;
	bool tell; /* notes at once, on stderr; else they are in the document */
	json_t *notes;
	json_t *capabilities;   /* of the host, by name */
	json_t *findings;       /* of writing the machine's state in a layout */
	struct gim_error error; /* what ended it; code 0: nothing did */
};

static const char *verdict_name(enum probe_verdict verdict)
{
	static const char *const names[] = {"done", "met", "failed", "skipped"};
	return names[verdict];
}

static void take_begin(void *user, const char *probe)
{
	struct transcript *transcript = (struct transcript *)user;
	(void)json_array_append_new(transcript->probes, json_pack("{s:o, s:[]}", "name", json_text(probe), "steps"));
}

static void take_step(void *user, const struct probe_step *step)
{
	struct transcript *transcript = (struct transcript *)user;
	json_t *probe = json_array_get(transcript->probes, json_array_size(transcript->probes) - 1);
	(void)json_array_append_new(json_object_get(probe, "steps"),
	                            json_pack("{s:i, s:o, s:i, s:o, s:o, s:b, s:s, s:o, s:o}", "line", (int)step->line, "label",
	                                      json_text(step->label), "vcpu", (int)step->vcpu, "operation", json_text(step->operation),
	                                      "result", json_text(step->result), "time", step->time, "verdict", verdict_name(step->verdict),
	                                      "reason", json_text(step->reason), "judges",
	                                      step->judges ? json_integer(step->judges) : json_null()));
}

static void take_note(void *user, const char *text)
{
	const struct transcript *transcript = (const struct transcript *)user;
	(void)json_array_append_new(transcript->notes, json_text(text));
	if (!transcript->tell)
		return;
	output_flush();
	fputs("gimstate: ", stderr), put_safe(stderr, text), fputc('\n', stderr);
}

static void take_capability(void *user, const char *name, int value)
{
	(void)json_object_set_new(((struct transcript *)user)->capabilities, name, json_integer(value));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static bool is_verdict(const json_t *step, enum probe_verdict verdict)
{
	return !strcmp(text_of(step, "verdict"), verdict_name(verdict));
}

/* The step that the expectation number `index` judges; NULL: it judges none. */
static const json_t *judged_step(const json_t *steps, size_t index)
{
	const json_t *line = json_object_get(json_array_get(steps, index), "judges");
	while (json_is_integer(line) && index--)
		if (json_equal(json_object_get(json_array_get(steps, index), "line"), line))
			return json_array_get(steps, index);
	return NULL;
}

static unsigned count_verdicts(const json_t *probe, enum probe_verdict verdict)
{
	const json_t *steps = json_object_get(probe, "steps");
	unsigned count = 0;
	for (size_t i = 0; i < json_array_size(steps); i++)
		count += is_verdict(json_array_get(steps, i), verdict);
	return count;
}

/*
 * Text.
 */
static void put_step(const json_t *step)
{
	printf("%4d  @%d ", (int)json_integer_value(json_object_get(step, "line")), (int)json_integer_value(json_object_get(step, "vcpu")));
	put_safe(stdout, text_of(step, "operation"));
	if (*text_of(step, "result"))
		fputs(" = ", stdout), put_safe(stdout, text_of(step, "result"));
	if (is_verdict(step, PROBE_MET))
		fputs("  ", stdout), put_styled(stdout, STYLE_GOOD, "ok");
	if (is_verdict(step, PROBE_FAILED))
		fputs("  ", stdout), put_styled(stdout, STYLE_BAD, "FAILED"), fputs(": ", stdout),
		    put_safe(stdout, text_of(step, "reason"));
	if (is_verdict(step, PROBE_SKIPPED))
		fputs("  ", stdout), put_styled(stdout, STYLE_WARNING, "SKIPPED"), fputs(": ", stdout),
		    put_safe(stdout, text_of(step, "reason"));
	putchar('\n');
}

/* Of the expectations that were not met each, after the operation that it judges. */
static void put_probe(const json_t *probe, bool all)
{
	const json_t *steps = json_object_get(probe, "steps"), *shown = NULL;
	const unsigned met = count_verdicts(probe, PROBE_MET), failed = count_verdicts(probe, PROBE_FAILED);
	put_safe(stdout, text_of(probe, "name"));
	printf(": %u of %u expectations met\n", met, met + failed);
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *step = json_array_get(steps, i), *judged = judged_step(steps, i);
		const bool wrong = is_verdict(step, PROBE_FAILED) || is_verdict(step, PROBE_SKIPPED);
		if (!all && wrong && judged && judged != shown)
			put_step(shown = judged);
		if (all || wrong)
			put_step(step);
	}
}

static void put_text(const struct transcript *transcript, const struct replay_result *result, bool all, bool verbose)
{
	if (*result->engine)
		printf("engine %s: %u vCPU%s, %llu MiB of RAM, TSC %.6g GHz\n", result->engine, result->vcpus,
		       result->vcpus == 1 ? "" : "s", (unsigned long long)result->ram_bytes >> 20, (double)result->tsc_hz / 1e9);
	const char *name;
	json_t *value;
	json_object_foreach(transcript->capabilities, name, value)
	{
		if (verbose)
			printf("host: %s %d\n", name, (int)json_integer_value(value));
	}
	for (size_t i = 0; i < json_array_size(transcript->probes); i++)
		put_probe(json_array_get(transcript->probes, i), all);
	printf("%u met, %u failed, %u skipped\n", result->met, result->failed, result->skipped);
}

/*
 * TAP and JUnit: a test for each expectation.
 */
static bool is_test(const json_t *step)
{
	return !is_verdict(step, PROBE_DONE);
}

/* "7: @0 rdtsc: expect 1". The text is the caller's; NULL when memory is out. */
static char *test_name(const json_t *steps, size_t index)
{
	const json_t *step = json_array_get(steps, index), *judged = judged_step(steps, index);
	char *name;
	return asprintf(&name, "%d: @%d %s%s%s", (int)json_integer_value(json_object_get(step, "line")),
	                (int)json_integer_value(json_object_get(step, "vcpu")), judged ? text_of(judged, "operation") : "",
	                judged ? ": " : "", text_of(step, "operation")) < 0
	           ? NULL
	           : name;
}

static enum test_outcome outcome_of(const json_t *step)
{
	return is_verdict(step, PROBE_MET) ? TEST_PASSED : is_verdict(step, PROBE_FAILED) ? TEST_FAILED : TEST_SKIPPED;
}

typedef void put_test_fn(unsigned number, const struct test_case *test);

static void put_junit_case(unsigned number, const struct test_case *test)
{
	(void)number;
	junit_case(stdout, test);
}

/* Every expectation of a probe as a test; number counts them. */
static void put_tests(const json_t *probe, put_test_fn *put, unsigned *number)
{
	const json_t *steps = json_object_get(probe, "steps");
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *step = json_array_get(steps, i);
		if (!is_test(step))
			continue;
		char *name = test_name(steps, i);
		put(++*number, &(struct test_case){.suite = text_of(probe, "name"),
		                                   .name = name ? name : "",
		                                   .joint = ":",
		                                   .outcome = outcome_of(step),
		                                   .message = text_of(step, "reason")});
		free(name);
	}
}

static void put_tap(const struct transcript *transcript, const struct replay_result *result)
{
	unsigned number = 0;
	tap_begin();
	tap_plan(result->met + result->failed + result->skipped);
	for (size_t p = 0; p < json_array_size(transcript->probes); p++)
		put_tests(json_array_get(transcript->probes, p), tap_case, &number);
	if (transcript->error.code)
		tap_bail_out(transcript->error.text);
}

static void put_junit_suite(const json_t *probe)
{
	const struct test_counts counts = {.of = {[TEST_PASSED] = count_verdicts(probe, PROBE_MET),
	                                          [TEST_FAILED] = count_verdicts(probe, PROBE_FAILED),
	                                          [TEST_SKIPPED] = count_verdicts(probe, PROBE_SKIPPED)}};
	unsigned number = 0;
	junit_suite_begin(text_of(probe, "name"), &counts);
	put_tests(probe, put_junit_case, &number);
	junit_suite_end();
}

/* What ended the run is an error of a suite of its own. */
static void put_ended(const struct gim_error *error)
{
	const struct test_counts one = {.of = {[TEST_ERROR] = 1}};
	junit_suite_begin("replay", &one);
	junit_case(stdout, &(struct test_case){.suite = "replay", .name = "ran to its end", .outcome = TEST_ERROR, .message = error->text});
	junit_suite_end();
}

static void put_junit(const char *file, const struct transcript *transcript, const struct replay_result *result)
{
	const struct test_counts all = {.of = {[TEST_PASSED] = result->met,
	                                       [TEST_FAILED] = result->failed,
	                                       [TEST_SKIPPED] = result->skipped,
	                                       [TEST_ERROR] = transcript->error.code != 0}};
	char *name;
	if (asprintf(&name, "gimstate replay %s", file) < 0)
		return;
	junit_begin(name, &all);
	free(name);
	for (size_t p = 0; p < json_array_size(transcript->probes); p++)
		put_junit_suite(json_array_get(transcript->probes, p));
	if (transcript->error.code)
		put_ended(&transcript->error);
	junit_end();
}

static void put_json(const char *file, const char *blamed, const struct transcript *transcript, const struct replay_result *result)
{
	json_t *document =
	    json_pack("{s:o, s:s, s:i, s:o, s:o, s:i, s:i, s:i, s:O, s:O, s:O, s:O}", "file", json_text(file), "engine", result->engine,
	              "vcpus", (int)result->vcpus, "ram_bytes", size_json(result->ram_bytes), "tsc_hz", size_json(result->tsc_hz), "met",
	              (int)result->met, "failed", (int)result->failed, "skipped", (int)result->skipped, "capabilities",
	              transcript->capabilities, "notes", transcript->notes, "findings", transcript->findings, "probes", transcript->probes);
	if (transcript->error.code)
		(void)json_object_set_new(document, "error", error_json(blamed, &transcript->error));
	output_document(document, false);
}

/* On stderr, after all that is on stdout. */
static void put_findings(const struct options *options, const struct transcript *transcript)
{
	size_t i;
	const json_t *each;
	output_flush();
	json_array_foreach(transcript->findings, i, each)
	{
		fputs("gimstate: ", stderr), put_safe(stderr, options->output);
		fputs(": ", stderr), put_safe(stderr, text_of(each, "path"));
		fputs(": ", stderr), put_safe(stderr, text_of(each, "text")), fputc('\n', stderr);
	}
}

static void put_result(const char *file, const struct options *options, const struct transcript *transcript,
                       const struct replay_result *result)
{
	const char *blamed = result->by_probe ? NULL : file;
	const bool ran = json_array_size(transcript->probes) || !transcript->error.code;
	if (ran && options->json)
		put_json(file, blamed, transcript, result);
	else if (ran && options->junit)
		put_junit(file, transcript, result);
	else if (ran && options->tap)
		put_tap(transcript, result);
	else if (ran)
		put_text(transcript, result, options->verbose || options->probe.count, options->verbose);
	if (!options->json)
		put_findings(options, transcript);
	if (transcript->error.code && !(ran && options->json))
		(void)output_error(blamed, &transcript->error, options->json);
}

/* What the layout cannot hold of the machine is lost. */
static void take_lost(void *user, const struct gim_finding *finding)
{
	if (finding->rule->severity == GIM_ERROR)
		(void)json_array_append_new(((struct transcript *)user)->findings, finding_json(finding));
}

/* The machine's state after the probes: a native one, or the file itself with this guest interface in it. */
static int save_after(const char *file, struct gim_state *saved, const struct options *options, struct transcript *transcript)
{
	struct gim_error *error = &transcript->error;
	struct gim_state *rewritten = NULL;
	if (!options->layout)
		return output_state(saved, NULL, NULL, options->output, options->force, error);
	int result = gim_state_convert(saved, options->layout, take_lost, transcript, error);
	if (result >= 0)
		result = source_open(file, SOURCE_FIELDS, true, &rewritten, error);
	if (!result)
		result = gim_state_decode(rewritten, GIM_PART_GIM, NULL, NULL, error);
	if (!result)
		result = gim_state_set_from(rewritten, saved, false, error);
	if (!result)
		result = output_state(rewritten, NULL, file, options->output, options->force, error);
	gim_state_free(&rewritten);
	return result;
}

/* Not after all the time that probes take: nothing is in the way of what --save-after writes, and the layout is one of the state's provider. */
static int check_save(const char *file, const struct options *options, struct gim_error *error)
{
	struct gim_state *state = NULL;
	int result = options->output ? output_check(options->output, options->force, error) : 0;
	if (result || !options->layout)
		return result;
	result = source_open(file, SOURCE_FIELDS, true, &state, error);
	if (!result)
		result = gim_state_decode(state, GIM_PART_GIM, NULL, NULL, error);
	if (!result)
		result = gim_state_convert(state, options->layout, NULL, NULL, error);
	gim_state_free(&state);
	return result == GIM_E_ARGUMENT ? result : (*error = (struct gim_error)GIM_ERROR_INIT, 0);
}

/* An option's number from 1 to max; none is there: it stays. */
static bool take_number(const char *text, unsigned long max, unsigned *number)
{
	char *end;
	if (!text)
		return true;
	const unsigned long value = strtoul(text, &end, 10);
	*number = (unsigned)value;
	return *text >= '0' && *text <= '9' && !*end && value >= 1 && value <= max;
}

/* What is wrong with the call, or NULL. */
static const char *mistake(const struct options *options, unsigned *repeat, unsigned *timeout)
{
	if (!take_number(options->repeat, 1000000, repeat))
		return "--repeat takes a number from 1 to 1000000";
	if (!take_number(options->timeout, 86400, timeout))
		return "--timeout takes seconds, from 1 to 86400";
	if (options->clock && strcmp(options->clock, "kernel") != 0 && strcmp(options->clock, "core") != 0)
		return "--clock takes kernel or core";
	if (options->engine && !engine_is_name(options->engine))
		return "--engine takes auto, kvm or core";
	if (options->layout && !options->output)
		return "--layout says how --save-after writes, which is missing";
	if (options->append || options->smp || options->mem || options->for_time || options->symbols || options->gdb || options->provider ||
	    options->save_at[0])
		return "--append, --smp, --mem, --for, --provider, --save-at, --symbols and --gdb are for a kernel: --kernel or --resume "
		       "is missing";
	if (options->json + options->junit + options->tap > 1)
		return "one of --json, --junit and --tap can be printed, not several";
	return NULL;
}

int run_replay(const struct options *options, int count, char **operands)
{
	struct gim_state *state = NULL, *saved = NULL;
	struct replay_result result = {.engine = ""};
	unsigned repeat = 1, timeout = 0;
	if (options->kernel || options->resume)
		return run_replay_guest(options, count, operands);
	if (!count)
		return usage_error(command_find("replay"), options->json, "replay needs a FILE, or --kernel and --provider");
	const char *wrong = mistake(options, &repeat, &timeout);
	if (wrong)
		return usage_error(command_find("replay"), options->json, "%s", wrong);
	struct transcript transcript = {json_array(), !options->json, json_array(), json_object(), json_array(), GIM_ERROR_INIT};
	const struct replay_options how = {
	    .engine = options->engine ? options->engine : "auto",
	    .kernel_clock = options->clock && !strcmp(options->clock, "kernel"),
	    .watchdog_ms = timeout * 1000,
	    .repeat = repeat,
	    .probes = options->probe.items,
	    .probe_count = options->probe.count,
	    .step = take_step,
	    .begin = take_begin,
	    .note = take_note,
	    .capability = take_capability,
	    .user = &transcript,
	};
	int status = check_save(operands[0], options, &transcript.error);
	if (!status)
		status = source_open(operands[0], SOURCE_FIELDS, false, &state, &transcript.error);
	if (!status)
		status = replay(state, &how, &result, options->output ? &saved : NULL, &transcript.error);
	if (!status && options->output)
		status = save_after(operands[0], saved, options, &transcript);
	put_result(operands[0], options, &transcript, &result);
	gim_state_free(&saved);
	gim_state_free(&state);
	json_decref(transcript.probes);
	json_decref(transcript.notes);
	json_decref(transcript.capabilities);
	json_decref(transcript.findings);
	return status < 0 ? EXIT_NO_ANSWER : result.failed ? EXIT_NO : EXIT_YES;
}
