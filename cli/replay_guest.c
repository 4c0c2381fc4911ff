/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate replay --kernel and --resume: a kernel runs on a guest interface, and what it says and how it ends is passed on. */
#include "command.h"
#include "harness/guest_vm.h"
#include "harness/vm.h"
#include "output.h"
#include "replay_report.h"
#include "source.h"
#include "stop.h"
#include "written.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_S 60
#define NOTES_MAX 100
#define SERIAL_KEPT_BYTES (UINT64_C(1) << 20) /* for a document; what is more is cut */

/* What the kernel says: at once, or kept for the document. */
struct console {
	bool keep;
	char *text;
	size_t used;
	bool cut;
	json_t *notes;
	/* Of a guest that another hypervisor saved. */
	const struct gim_state *state;
	const struct symbols *symbols;
	json_t *report;
};

static void put_char(void *user, char c)
{
	struct console *console = (struct console *)user;
	if (!console->keep) {
		putchar((unsigned char)c);
		if (c == '\n')
			output_flush();
	} else if (console->used < SERIAL_KEPT_BYTES) {
		console->text[console->used++] = c;
	} else {
		console->cut = true;
	}
}

static void take_note(void *user, const char *text)
{
	json_t *notes = ((struct console *)user)->notes;
	if (json_array_size(notes) < NOTES_MAX)
		(void)json_array_append_new(notes, json_text(text));
}

static void take_report(void *user, const struct guest_report *report)
{
	struct console *console = (struct console *)user;
	console->report = report_json(report, console->state, console->symbols);
}

/*
 * Options.
 */
struct unit {
	const char *name;
	uint64_t factor;
};

/* A number with a unit of the list; 0: that is none. */
static uint64_t parse_size(const char *text, const struct unit *units, uint64_t most)
{
	char *end;
	errno = 0;
	const unsigned long long number = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno)
		return 0;
	for (; units->name; units++)
		if (!strcmp(end, units->name))
			return number && number <= most / units->factor ? number * units->factor : 0;
	return 0;
}

static const struct unit times[] = {{"", 1000000000}, {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1 << 20}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
#define TIME_MAX_NS (UINT64_C(86400) * 1000000000)
#define RAM_MAX_BYTES (UINT64_C(1) << 46)

static int wrong(const struct options *options, const char *text)
{
	return usage_error(command_find("replay"), options->json, "%s", text);
}

/* What does not go together; 0: all is well. */
static int check_options(const struct options *options, int count)
{
	const char *text = NULL;
	if (options->resume && options->kernel)
		text = "--resume goes on with the kernel that runs, so that --kernel says nothing";
	else if (options->resume && (!count || options->provider || options->append || options->mem || options->smp))
		text = "--resume takes FILE, which says all of the machine, without --provider, --append, --smp and --mem";
	else if (!count == !options->provider)
		text = "--kernel needs either FILE, whose guest interface it gets, or --provider";
	else if (options->output && !options->resume)
		text = "--save-after is for probes and for --resume; a kernel that boots is saved by --save-at";
	else if (options->output && !gim_bundle_is_name(options->output))
		text = "--save-after writes a bundle with memory, so that the name must end in .gimb, .zip, .tar, or .tar.gz, .bz2, .xz or "
		       ".zst";
	else if (options->symbols && !options->resume)
		text = "--symbols names where a guest came to that --resume goes on with";
	else if (options->gdb && !options->resume)
		text = "--gdb is for a guest that --resume goes on with";
	else if (options->probe.count || options->layout || options->tap || options->junit || options->repeat)
		text = "--probe, --layout, --repeat, --tap and --junit are for probes, not for a kernel";
	else if (options->engine && strcmp(options->engine, "auto") != 0 && strcmp(options->engine, "kvm") != 0)
		text = "a kernel runs on the engine kvm alone";
	else if (options->save_at[1] && !gim_bundle_is_name(options->save_at[1]))
		text = "--save-at writes a bundle, so that the name must end in .gimb, .zip, .tar, or .tar.gz, .bz2, .xz or .zst";
	else if (options->clock && options->resume)
		text = "--resume goes on with the clock that the machine has, so that --clock says nothing";
	else if (options->clock && strcmp(options->clock, "kernel") != 0 && strcmp(options->clock, "core") != 0)
		text = "--clock takes kernel or core";
	return text ? wrong(options, text) : 0;
}

/* true: it is not given, or means something. */
static bool take(const char *text, const struct unit *units, uint64_t most, uint64_t *value)
{
	if (text)
		*value = parse_size(text, units, most);
	return !text || *value;
}

static int take_options(const struct options *options, struct guest_options *how)
{
	static const struct unit ones[] = {{"", 1}, {NULL, 0}}, ms[] = {{"", 1000000}, {"ms", 1000000}, {NULL, 0}};
	uint64_t vcpus = 0;
	uint64_t port = 0;
	how->timeout_ns = options->gdb ? 0 : UINT64_C(1000000000) * DEFAULT_TIMEOUT_S; /* a person takes any time */
	if (!take(options->gdb, ones, UINT16_MAX, &port))
		return wrong(options, "--gdb takes a TCP port, from 1 to 65535");
	how->gdb_port = (uint16_t)port;
	if (!take(options->timeout, times, TIME_MAX_NS, &how->timeout_ns) || !take(options->for_time, times, TIME_MAX_NS, &how->for_ns))
		return wrong(options, "--for and --timeout take a time above 0 and of at most a day: seconds, or a number with ms or s");
	if (!take(options->smp, ones, 1024, &vcpus))
		return wrong(options, "--smp takes a number from 1 to 1024");
	if (!take(options->mem, sizes, RAM_MAX_BYTES, &how->ram_bytes) || how->ram_bytes % 4096)
		return wrong(options, "--mem takes a size of whole pages: MiB, or a number with K, M or G");
	if (options->save_at[0] && !take(options->save_at[0], ms, TIME_MAX_NS, &how->save_ns))
		return wrong(options, "--save-at takes milliseconds above 0, and the file to write");
	how->vcpus = (uint32_t)vcpus;
	how->save = options->save_at[1];
	return 0;
}

/*
 * The end.
 */
/* What is too short for anybody to have waited for it is no number. */
static void put_time(const struct guest_result *result)
{
	if (result->ran_ns < 1000000)
		fputs("at once", stderr);
	else
		fprintf(stderr, "after %.3g s", (double)result->ran_ns / 1e9);
}

/* What a test's runner makes of the value at the exit port. */
static unsigned status_of(uint32_t value)
{
	return (value << 1 | 1) & 0xff;
}

static void put_file(const char *before, const char *path, const char *behind)
{
	fputs(before, stderr);
	put_safe(stderr, path);
	fputs(behind, stderr);
}

static void put_end(const struct guest_options *how, const struct guest_result *result, const json_t *report)
{
	if (report)
		report_put(report);
	output_flush();
	switch (result->end) {
	case GUEST_EXITED:
		fprintf(stderr, "gimstate: the guest ended by itself with the value %u (status %u)\n", result->value,
		        status_of(result->value));
		break;
	case GUEST_STOPPED:
		fprintf(stderr, "gimstate: the guest was ended after %.3g s, as asked\n", (double)result->ran_ns / 1e9);
		break;
	case GUEST_SAVED:
		fprintf(stderr, "gimstate: the guest was saved after %.3g s", (double)result->ran_ns / 1e9);
		put_file(" to ", how->save, ", and ended\n");
		break;
	default:
		fputs("gimstate: ", stderr);
		put_time(result);
		fputs(": ", stderr);
		put_safe(stderr, json_string_value(json_object_get(report, "why")));
		fputc('\n', stderr);
		if (result->end == GUEST_IDLE && !json_is_true(json_object_get(report, "entered")))
			fputs("gimstate: none of its code has run, so that this says nothing of how it would live here: it was saved while "
			      "it waited "
			      "for a device\n",
			      stderr);
	}
}

/* What became of the files that were to be written. */
static void put_saved(const struct guest_options *how, const struct guest_result *result)
{
	if (how->save && result->end != GUEST_SAVED)
		put_file("gimstate: ", how->save, " was not written: the guest ended before the time of --save-at\n");
	if (result->saved_after)
		put_file("gimstate: the guest, as it is now, is in ", how->save_after, "\n");
}

static void put_notes(const struct console *console)
{
	for (size_t i = 0; i < json_array_size(console->notes); i++) {
		output_flush();
		fputs("gimstate: ", stderr);
		put_safe(stderr, json_string_value(json_array_get(console->notes, i)));
		fputc('\n', stderr);
	}
}

/* Bytes of the line that are no text. */
static json_t *serial_json(const struct console *console)
{
	console->text[console->used] = '\0';
	for (size_t i = 0; i < console->used; i++)
		if (!console->text[i])
			console->text[i] = ' ';
	return json_text(console->text);
}

static void put_document(const char *file, const struct options *options, const struct guest_result *result, const struct console *console,
                         const struct gim_error *error)
{
	json_t *body = json_pack("{s:o, s:o, s:i, s:o, s:o, s:o, s:b, s:O}", "file", file ? json_text(file) : json_null(), "kernel",
	                         options->kernel ? json_text(options->kernel) : json_null(), "vcpus", (int)result->vcpus, "ram_bytes",
	                         size_json(result->ram_bytes), "tsc_hz", size_json(result->tsc_hz), "serial", serial_json(console),
	                         "serial_cut", console->cut, "notes", console->notes);
	if (console->report)
		(void)json_object_set(body, "resumed", console->report);
	if (error->code) {
		(void)json_object_set_new(body, "error", error_json(file, error));
	} else {
		(void)json_object_set_new(body, "end", json_string(guest_end_name(result->end)));
		(void)json_object_set_new(body, "ran_ns", json_integer((json_int_t)result->ran_ns));
		(void)json_object_set_new(body, "value", result->end == GUEST_EXITED ? json_integer(result->value) : json_null());
		(void)json_object_set_new(body, "status",
		                          result->end == GUEST_EXITED ? json_integer(status_of(result->value)) : json_null());
	}
	output_document(body, false);
}

/* Of two signals within this time nobody pressed Ctrl-C twice: timeout sends one to the command, and then one to the group that it is in. */
#define ONE_PRESS_NS UINT64_C(200000000)

static void on_interrupt(int number)
{
	static _Atomic uint64_t first_ns;
	uint64_t first = 0;
	const uint64_t now_ns = vm_now_ns();
	if (atomic_compare_exchange_strong(&first_ns, &first, now_ns))
		stop_wanted = 1;
	else if (now_ns >= first + ONE_PRESS_NS)
		written_end(number);
}

/* Ctrl-C ends the guest as asked, so that what it did is told; at the second one there is no patience. The shell has its own. */
static void catch_interrupt(void)
{
	struct sigaction old, catch = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
	(void)sigfillset(&catch.sa_mask);
	if (!sigaction(SIGINT, NULL, &old) && old.sa_handler == SIG_DFL)
		(void)sigaction(SIGINT, &catch, NULL);
}

/* Not after all the time that the guest runs. */
static int check_output(const struct options *options, struct gim_error *error)
{
	const char *const paths[] = {options->output, options->save_at[1]};
	int status = 0;
	for (size_t i = 0; !status && i < sizeof(paths) / sizeof(paths[0]); i++)
		status = paths[i] ? output_check(paths[i], options->force, error) : 0;
	return status;
}

static int run_it(const char *file, const struct options *options, struct guest_options *how, struct guest_result *result,
                  struct gim_error *error)
{
	struct console *console = (struct console *)how->user;
	struct symbols *symbols = NULL;
	int status = check_output(options, error);
	if (!status && options->symbols)
		status = symbols_open(options->symbols, &symbols, error);
	if (!status && file)
		status = source_open(file, SOURCE_FIELDS, how->resume, &how->state, error);
	console->state = how->state;
	console->symbols = symbols;
	catch_interrupt();
	if (!status && how->gdb_port)
		fprintf(stderr, "gimstate: the guest waits for a debugger: target remote 127.0.0.1:%u\n", how->gdb_port);
	if (!status)
		status = guest_run(how, result, error);
	gim_state_free(&how->state);
	symbols_free(&symbols);
	return status;
}

int run_replay_guest(const struct options *options, int count, char **operands)
{
	const char *file = count ? operands[0] : NULL;
	struct gim_error error = GIM_ERROR_INIT;
	struct guest_result result = {.vcpus = 0};
	struct console console = {.keep = options->json};
	struct guest_options how = {
	    .provider = options->provider,
	    .state_path = file,
	    .resume = options->resume,
	    .kernel = options->kernel,
	    .append = options->append,
	    .kernel_clock = options->clock && !strcmp(options->clock, "kernel"),
	    .replace = options->force,
	    .serial = put_char,
	    .note = take_note,
	    .report = take_report,
	    .save_after = options->output,
	    .user = &console,
	};
	int status = check_options(options, count);
	if (!status)
		status = take_options(options, &how);
	if (status)
		return status;
	console.notes = json_array();
	console.text = malloc(console.keep ? SERIAL_KEPT_BYTES + 1 : 1);
	status = console.text ? run_it(file, options, &how, &result, &error) : error_set(&error, GIM_E_MEMORY, "out of memory");
	if (options->json && console.text)
		put_document(file, options, &result, &console, &error);
	else
		put_notes(&console);
	if (status && !options->json)
		(void)output_error(file, &error, false);
	else if (!options->json)
		put_end(&how, &result, console.report);
	if (!options->json && result.ran_ns)
		put_saved(&how, &result);
	free(console.text);
	json_decref(console.notes);
	json_decref(console.report);
	if (status || result.end == GUEST_UNRUNNABLE)
		return EXIT_NO_ANSWER;
	if (result.end == GUEST_SHUT_DOWN || result.end == GUEST_CRASHED)
		return EXIT_NO;
	return result.end == GUEST_EXITED && result.value ? EXIT_NO : EXIT_YES;
}
