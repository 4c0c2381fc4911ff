/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What can happen while a command reads: a read fails, is interrupted or gives little, the file shrinks, a signal comes, a pipe stalls. Interrupted and short reads must
 * change nothing; of all else the answer is the one that there would have been, or none, with the reason; a signal ends it, and nothing is left. FAULTS=all: all of
 * them, not every seventh.
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct reading {
	const char *file;
	const char *words[FAULTS_WORDS]; /* "folder/in" is the file */
} readings[] = {
    {"hyperv-cpum.sav", {"dump", "folder/in", "--all"}},
    {"kvm-live.sav", {"dump", "folder/in", "--json"}},
    {"qemu-kvm.mig", {"dump", "folder/in", "--all"}},
    {"old-1.1.sav", {"dump", "folder/in"}},
    {"kvm-ram.sav", {"dump", "folder/in", "--pages"}},
    {"made/kvm.zst", {"dump", "folder/in"}},
    {"made/cpum.gimb", {"dump", "folder/in"}},
    {"hyperv-4.sav", {"info", "folder/in"}},
    {"qemu-kvm.mig", {"units", "folder/in"}},
    {"kvm.sav", {"report", "folder/in", "--html"}},
    {"kvm.sav", {"verify", "folder/in"}},
    {"qemu-kvm.mig", {"verify", "folder/in"}},
    {"made/kvm.zst", {"verify", "folder/in"}},
    {"kvm.sav", {"extract", "folder/in", "--unit", "GIM"}},
    {"kvm-ram.sav", {"extract", "folder/in", "--ram", "-o", "folder/out"}},
    {"kvm-ram.sav", {"mem", "folder/in", "0x10040"}},
    {"kvm-ram.sav", {"search", "folder/in", "a", "--max", "2"}},
    {"kvm.sav", {"get", "folder/in", "kvm"}},
    {"kvm.sav", {"set", "folder/in", "kvm.wall_clock=0x7000", "-o", "folder/out"}},
    {"qemu-kvm.mig", {"set", "folder/in", "kvm.wall_clock=0x7000", "-o", "folder/out"}},
    {"old-1.2.sav", {"convert", "folder/in", "folder/out", "--container", "2.0"}},
    {"kvm.sav", {"diff", "folder/in", "folder/in"}},
    {"hyperv-cpum.sav", {"pack", "folder/in", "-o", "folder/out.zip", "--whole"}},
    {"made/cpum.gimb", {"unpack", "folder/in", "-o", "folder/out"}},
    {"kvm.sav", {"check", "folder/in", "-t", "vbox:7.1"}},
    {"qemu-kvm.mig", {"check", "folder/in", "-t", "qemu:7.2 -M pc"}},
    {"kvm.sav", {"profile", "folder/in"}},
    {"kvm.sav", {"replay", "folder/in", "--engine", "core"}},
    {"kvm.sav", {"shell", "folder/in", "-c", "dump"}},
};
enum { READINGS = sizeof(readings) / sizeof(readings[0]) };

static struct outcome unhurt;
static char *before, *after, files[128];

static bool same_answer(const struct outcome *outcome)
{
	return outcome->status == unhurt.status && outcome->out_size == unhurt.out_size &&
	       !memcmp(outcome->out, unhurt.out, unhurt.out_size);
}

/* One line of two texts is another: the input's own, when it shrinks. */
static void judge_folder(const struct outcome *outcome, int32_t what)
{
	char *text = folder_text(what == FAULT_SHRINK ? "in" : NULL);
	if (!folder_is_either(text, before, after))
		faults_fail(outcome, "the folder is\n%s      neither what it was nor\n%s", text, after);
	free(text);
}

static void judge(const char *const *words, const struct outcome *outcome, int32_t what, bool always)
{
	const int number = what >= FAULT_SIGNAL ? what - FAULT_SIGNAL : 0;
	/* It reads a state twice, and may judge what it found the second time. */
	if (what == FAULT_SHRINK && !strcmp(words[0], "check") && outcome->status >= 0)
		return;
	if (number && number != SIGPIPE && outcome->status == -number)
		return;
	if (same_answer(outcome))
		return;
	if (number == SIGINT && !strcmp(words[0], "shell") && outcome->status == EXIT_NO_ANSWER)
		return; /* Ctrl-C stops its script */
	if (always || what == EINTR || number)
		faults_fail(outcome, "the answer is another one");
	else if (what == FAULT_SHRINK ? outcome->status == EXIT_YES : outcome->status != EXIT_NO_ANSWER)
		faults_fail(outcome, "the answer is another one");
	else if (what == EIO && !strstr(outcome->error, strerror(EIO)) && !strstr(outcome->out, strerror(EIO)))
		faults_fail(outcome, "the reason is not told");
}

static void hurt(const struct reading *reading, uint32_t first, uint32_t every, int32_t what)
{
	char place[96];
	struct outcome outcome = {.out = NULL};
	folder_fill(files);
	(void)snprintf(place, sizeof(place), "read %u%s: %s", first, every ? " and later" : "", fault_text(what));
	faults_name(reading->words, place);
	plan_set(CALLS_READING, first, every, what);
	if (what == FAULT_SHRINK) {
		fault_plan->input = open("folder/in", O_RDWR); /* which the command gets */
		fault_plan->input_bytes = (int32_t)(lseek(fault_plan->input, 0, SEEK_END) / 2);
	}
	faults_run(reading->words, -1, true, &outcome);
	if (what == FAULT_SHRINK)
		(void)close(fault_plan->input);
	if (!outcome.hung) {
		judge(reading->words, &outcome, what, every);
		judge_folder(&outcome, what);
	}
	outcome_free(&outcome);
}

static void run_case(const struct reading *reading)
{
	static const int32_t whats[] = {EIO,
	                                EINTR,
	                                FAULT_SHORT,
	                                FAULT_SHRINK,
	                                FAULT_SIGNAL + SIGINT,
	                                FAULT_SIGNAL + SIGTERM,
	                                FAULT_SIGNAL + SIGHUP,
	                                FAULT_SIGNAL + SIGPIPE};
	faults_name(reading->words, "nothing goes wrong");
	(void)snprintf(files, sizeof(files), "in=%s", reading->file);
	folder_fill(files);
	before = folder_text(NULL);
	plan_set(CALLS_READING, 0, 0, FAULT_SIGNAL);
	faults_run(reading->words, -1, false, &unhurt);
	if (unhurt.status < 0 || unhurt.status == EXIT_NO_ANSWER)
		faults_fail(&unhurt, "it fails without a fault");
	after = folder_text(NULL);
	const uint32_t count = fault_plan->count;
	hurt(reading, 1, 1, FAULT_SHORT);
	hurt(reading, 1, 2, EINTR);
	for (uint32_t i = 1; i <= count; i++)
		for (size_t what = 0; what < sizeof(whats) / sizeof(whats[0]); what++)
			if (!faults_skip())
				hurt(reading, i, 0, whats[what]);
	free(before);
	free(after);
}

/*
 * A pipe that stalls.
 */
static void stall(const char *file, const char *const *words, int number)
{
	struct outcome outcome = {.out = NULL};
	char place[64];
	int ends[2];
	(void)snprintf(files, sizeof(files), "in=%s", file);
	folder_fill(files);
	before = folder_text(NULL);
	(void)snprintf(place, sizeof(place), "the pipe stalls: %s", fault_text(FAULT_SIGNAL + number));
	faults_name(words, place);
	plan_set(CALLS_READING, 0, 0, EIO);
	faults_must(!pipe2(ends, O_CLOEXEC), "cannot make a pipe");
	faults_stall(words, ends, "folder/in", number, &outcome);
	char *text = folder_text(NULL);
	if (outcome.status != -number)
		faults_fail(&outcome, "it does not end by the signal");
	if (strcmp(text, before) != 0)
		faults_fail(&outcome, "the folder is\n%s      and was\n%s", text, before);
	free(text);
	free(before);
	outcome_free(&outcome);
}

static void stalls(void)
{
	static const struct {
		const char *file;
		const char *words[FAULTS_WORDS];
	} pipes[] = {
	    {"hyperv-cpum.sav", {"dump", "-", "--all"}},
	    {"qemu-kvm.mig", {"verify", "-"}},
	    {"made/kvm.zst", {"info", "-"}},
	    {"kvm.sav", {"set", "-", "kvm.wall_clock=0x7000", "-o", "folder/out"}},
	    {"hyperv-cpum.sav", {"pack", "-", "-o", "folder/out.zip", "--whole"}},
	    {"made/cpum.gimb", {"unpack", "-", "-o", "folder/out"}},
	    {"kvm.sav", {"check", "-", "-t", "vbox:7.1"}},
	};
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	for (size_t i = 0; i < sizeof(pipes) / sizeof(pipes[0]); i++)
		for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++)
			for (int old = 0; old <= 1; old++) {
				fault_plan->old = old;
				stall(pipes[i].file, pipes[i].words, numbers[n]);
			}
	fault_plan->old = 0;
}

/* What is read packed. */
static void make_inputs(void)
{
	static const char *const packed[] = {"set", "folder/in", "kvm.wall_clock=0x7000", "-o", "folder/out.zst", NULL};
	static const char *const bundle[] = {"pack", "folder/cpum", "-o", "folder/out.gimb", "--with", "cpum", NULL};
	folder_fill("in=kvm.sav cpum=hyperv-cpum.sav");
	faults_run(packed, -1, false, &unhurt);
	faults_must(!unhurt.status, "cannot make an input");
	folder_keep("out.zst=kvm.zst", NULL);
	faults_run(bundle, -1, false, &unhurt);
	faults_must(!unhurt.status, "cannot make an input");
	folder_keep("out.gimb=cpum.gimb", NULL);
}

int main(void)
{
	const int status = faults_begin();
	if (status)
		return status;
	make_inputs();
	for (size_t i = 0; i < READINGS; i++)
		run_case(&readings[i]);
	stalls();
	outcome_free(&unhurt);
	return faults_end();
}
