/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every call by which a command writes a file fails in turn, with each of some errors, or a signal comes in its place. Each time what it writes must be the whole old file or
 * the whole new one, nothing else may be left in its folder, and the command must say what happened. FAULTS=all: all of them, not every seventh.
 */
#include "faults.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum kind {
	WHOLE,  /* the work is what it writes */
	AID,    /* what it writes is for the next time; the work is done without */
	VARIES, /* it is another file each time */
	REST,   /* an input that cannot be read is told, and the work is done without it */
};

/* A command at work. */
static const struct writing {
	const char *option; /* that names what it writes, without dashes; NULL: an operand does */
	const char *files;  /* that are in the folder before */
	const char *keep;   /* "FILE=NAME": what it made is FILE, and later ones read it as made/NAME */
	enum kind kind;
	bool old;     /* also on a filesystem that can do little */
	bool machine; /* it needs /dev/kvm */
	const char *words[FAULTS_WORDS];
} writings[] = {
#define SET "set", "folder/in", "kvm.wall_clock=0x7000"
    {"output", "in=kvm.sav", NULL, WHOLE, true, false, {SET, "-o", "folder/out"}},
    {"output", "in=kvm.sav out=hyperv-4.sav", NULL, WHOLE, true, false, {SET, "-o", "folder/out", "--force"}},
    {"in-place", "out=kvm.sav", NULL, WHOLE, true, false, {"set", "folder/out", "kvm.wall_clock=0x7000", "--in-place"}},
    {"output", "in=kvm.sav", "out.zst=kvm.zst", WHOLE, false, false, {SET, "-o", "folder/out.zst"}},
    {"in-place", "out.zst=made/kvm.zst", NULL, WHOLE, false, false, {"set", "folder/out.zst", "kvm.wall_clock=0x8000", "--in-place"}},
    {"output", "in=qemu-kvm.mig", NULL, WHOLE, false, false, {SET, "-o", "folder/out"}},
    {NULL, "in=hyperv-4.sav", NULL, WHOLE, false, false, {"convert", "folder/in", "folder/out", "--layout", "vbox-hyperv-2", "--lossy"}},
    {NULL, "in=old-1.2.sav", NULL, WHOLE, false, false, {"convert", "folder/in", "folder/out", "--container", "2.0"}},
    {"output", "in=hyperv-4.sav", NULL, WHOLE, false, false, {"extract", "folder/in", "--unit", "GIM", "-o", "folder/out"}},
    {"output", "in=kvm-ram.sav", NULL, WHOLE, true, false, {"extract", "folder/in", "--ram", "-o", "folder/out"}},
    {"elf", "in=kvm-ram.sav", NULL, WHOLE, false, false, {"extract", "folder/in", "--elf", "folder/out"}},
    {"index", "in=kvm-ram.sav", NULL, AID, false, false, {"extract", "folder/in", "--ram", "-o", "folder/out", "--index", "folder/index"}},
    {"index", "in=kvm-ram.sav", NULL, AID, true, false, {"mem", "folder/in", "--index", "folder/index"}},
    {"index", "in=kvm-ram.sav", NULL, AID, false, false, {"search", "folder/in", "a", "--max", "2", "--index", "folder/index"}},
    {"output",
     "in=hyperv-cpum.sav",
     "out.gimb=cpum.gimb",
     WHOLE,
     false,
     false,
     {"pack", "folder/in", "-o", "folder/out.gimb", "--with", "cpum"}},
    {"output",
     "in=hyperv-cpum.sav out.zip=kvm.sav",
     "out.zip=whole.zip",
     WHOLE,
     true,
     false,
     {"pack", "folder/in", "-o", "folder/out.zip", "--whole", "--force"}},
    {"in-place", "out.zip=made/whole.zip", NULL, WHOLE, false, false, {"set", "folder/out.zip", "hyperv.hypercall=0", "--in-place"}},
    {"output", "in=made/cpum.gimb", NULL, WHOLE, true, false, {"unpack", "folder/in", "-o", "folder/out"}},
    {"output",
     "in=made/whole.zip out=kvm.sav",
     NULL,
     WHOLE,
     false,
     false,
     {"unpack", "folder/in", "--member", "state.sav", "-o", "folder/out", "--force"}},
    {"cache", "in=kvm.sav", NULL, AID, true, false, {"check", "folder/in", "-t", "vbox:7.1", "--cache", "folder/cache"}},
    {"cache", "in=kvm.sav", NULL, AID, true, false, {"check", "folder/in", "-t", "vbox:7.1", "--jobs", "2", "--cache", "folder/cache"}},
    {"write-baseline", "in=kvm.sav", NULL, REST, false, false, {"check", "folder/in", "-t", "vbox:5.0", "--write-baseline", "folder/out"}},
    {"save-after", "in=kvm.sav", NULL, WHOLE, false, false, {"replay", "folder/in", "--engine", "core", "--save-after", "folder/out"}},
    {"save-at",
     "in=kvm.sav",
     NULL,
     VARIES,
     false,
     true,
     {"replay", "folder/in", "--kernel", "made/hello.elf", "--save-at", "5", "folder/out.gimb"}},
    {NULL, "in=kvm.sav", NULL, WHOLE, false, false, {"shell", "folder/in", "-c", "set kvm.wall_clock=0x7000", "-c", "save folder/out"}},
};
enum { WRITINGS = sizeof(writings) / sizeof(writings[0]) };

/*
 * Is there one for each option and operand of the table of commands that names what is written?
 */
static bool covered(const char *command, const char *option)
{
	for (size_t i = 0; i < WRITINGS; i++) {
		const struct writing *at = &writings[i];
		bool named = !strcmp(at->words[0], command);
		for (size_t word = 1; !named && !strcmp(at->words[0], "shell") && at->words[word]; word++)
			named = !strcmp(at->words[word - 1], "-c") && !strncmp(at->words[word], command, strlen(command));
		if (named && (!option || !at->option ? option == at->option : !strcmp(option, at->option)))
			return true;
	}
	return false;
}

static void see_table(void)
{
	for (const struct command *command = commands; command->name; command++) {
		(void)snprintf(faults_case, sizeof(faults_case), "%s", command->name);
		if (writes(command->arguments) && !covered(command->name, NULL))
			faults_fail(NULL, "it writes, and no case here has it do that");
		for (const struct option_row *row = command->options; row->name; row++)
			if ((writes(row->argument) || !strcmp(row->name, "in-place")) && !covered(command->name, row->name))
				faults_fail(NULL, "--%s is written, and no case here has it do that", row->name);
	}
}

/*
 * What a case is held to.
 */
static char *before, *after;  /* the folder */
static struct outcome unhurt; /* the command, when nothing goes wrong */

/* The same names and modes; what is in them differs each time. */
static bool is_alike(const char *text, const char *other)
{
	for (; *text && *other; text = strchr(text, '\n') + 1, other = strchr(other, '\n') + 1) {
		const size_t length = strcspn(text, "\n"), name = strcspn(text, " ");
		if (strncmp(text, other, name) != 0 || (!strstr(text, "folder/out") && strncmp(text, other, length) != 0))
			return false;
	}
	return *text == *other;
}

static bool same(const struct writing *writing, const char *text, const char *other)
{
	return writing->kind == VARIES ? is_alike(text, other) : !strcmp(text, other);
}

static bool is_error(const struct outcome *outcome, const char *why)
{
	return outcome->status == EXIT_NO_ANSWER && !strncmp(outcome->error, "gimstate: ", 10) && strstr(outcome->error, why);
}

/* Must it go on all the same? */
static bool is_harmless(enum fault_call call, int32_t what)
{
	if (what == FAULT_SHORT)
		return call == CALL_write || call == CALL_pwrite;
	return what == EINTR && (call == CALL_open || call == CALL_openat || call == CALL_write || call == CALL_pwrite ||
	                         call == CALL_fsync || call == CALL_ftruncate);
}

/* An input or a folder that was read is closed: nothing depends on it. */
static bool may_be_harmless(enum fault_call call, int32_t what)
{
	return is_harmless(call, what) || call == CALL_close;
}

static void judge_aid(const struct outcome *outcome, const char *text)
{
	if (!folder_is_either(text, before, after))
		faults_fail(outcome, "the folder is\n%s      neither what it was nor\n%s", text, after);
	if (outcome->status == EXIT_NO_ANSWER && outcome->error[0])
		return; /* the input itself could not be opened */
	if (outcome->status != unhurt.status || outcome->out_size != unhurt.out_size ||
	    memcmp(outcome->out, unhurt.out, unhurt.out_size) != 0)
		faults_fail(outcome, "the answer is another one");
}

static void judge_error(const struct writing *writing, enum fault_call call, int32_t what, const struct outcome *outcome, const char *text)
{
	const bool old = same(writing, text, before), done = same(writing, text, after);
	if (outcome->status == unhurt.status) {
		if (!may_be_harmless(call, what))
			faults_fail(outcome, "it hides the failure");
		if (!done)
			faults_fail(outcome, "the folder is\n%s      and should be\n%s", text, after);
		return;
	}
	if (!is_error(outcome, what == FAULT_SHORT ? "" : strerror(what)))
		faults_fail(outcome, "the reason is not told");
	if (is_harmless(call, what))
		faults_fail(outcome, "it should have gone on");
	if (writing->kind == REST && strstr(outcome->error, "folder/in: cannot open it"))
		return;
	const bool lasts = call != CALL_fsync || !strstr(outcome->error, "loss of power");
	if (!old && (!done || (lasts && !strstr(outcome->error, "it is written, but"))))
		faults_fail(outcome, "the folder is\n%s      and was\n%s", text, before);
}

/* It ends by the signal, or was done already. */
static void judge_signal(const struct writing *writing, int number, const struct outcome *outcome, const char *text)
{
	const bool shell = !strcmp(writing->words[0], "shell") || writing->kind == VARIES; /* has handlers of its own */
	if (outcome->status != -number && outcome->status != unhurt.status && !shell)
		faults_fail(outcome, "it does not end by the signal");
	if (writing->kind == AID ? !folder_is_either(text, before, after) : !same(writing, text, before) && !same(writing, text, after))
		faults_fail(outcome, "the folder is\n%s      neither what it was nor\n%s", text, after);
	if (outcome->status == unhurt.status && writing->kind != AID && !shell && !same(writing, text, after))
		faults_fail(outcome, "it says that it is done, and the folder is\n%s", text);
}

/*
 * Going through the calls.
 */
static void suffer(const struct writing *writing, uint32_t calls, uint32_t number, enum fault_call call, int32_t what)
{
	static const char *const names[] = {
#define X(name) #name,
	    FAULT_CALLS(X)
#undef X
	};
	char place[128];
	struct outcome outcome = {.out = NULL};
	folder_fill(writing->files);
	(void)snprintf(place, sizeof(place), "call %u, %s: %s%s", number, names[call], fault_text(what),
	               fault_plan->old ? ", old filesystem" : "");
	faults_name(writing->words, place);
	plan_set(calls, number, 0, what);
	faults_run(writing->words, -1, true, &outcome);
	char *text = folder_text(what == FAULT_SIGNAL + SIGKILL ? ".gimstate-" : NULL);
	if (outcome.hung)
		;
	else if (what >= FAULT_SIGNAL)
		judge_signal(writing, what - FAULT_SIGNAL, &outcome, text);
	else if (writing->kind == AID)
		judge_aid(&outcome, text);
	else
		judge_error(writing, call, what, &outcome, text);
	free(text);
	outcome_free(&outcome);
}

/* Does that call ever fail like this? */
static bool applies(enum fault_call call, int32_t what)
{
	const uint32_t bit = 1u << call, opening = CALL(open) | CALL(openat),
		       making = CALL(mkdir) | CALL(mkdtemp) | CALL(mkstemp) | CALL(mkostemp);
	const uint32_t renaming = CALL(rename) | CALL(renameat) | CALL(renameat2) | CALL(linkat),
		       writing = CALL(write) | CALL(pwrite) | CALL(writev);
	if (call == CALL_unlink || call == CALL_unlinkat)
		return what >= FAULT_SIGNAL;
	switch (what) {
	case ENOSPC:
		return bit & (opening | making | writing | CALL(linkat) | CALL(ftruncate));
	case EACCES:
		return bit & (opening | making | renaming);
	case EINTR:
		return bit & (opening | writing | CALL(fsync) | CALL(ftruncate) | CALL(close));
	case FAULT_SHORT:
		return bit & writing;
	default:
		return true;
	}
}

static void go_through_calls(const struct writing *writing, const uint8_t *log, uint32_t count)
{
	static const int32_t faults[] = {ENOSPC,
	                                 EIO,
	                                 EINTR,
	                                 EACCES,
	                                 FAULT_SHORT,
	                                 FAULT_SIGNAL + SIGKILL,
	                                 FAULT_SIGNAL + SIGINT,
	                                 FAULT_SIGNAL + SIGTERM,
	                                 FAULT_SIGNAL + SIGHUP};
	for (uint32_t i = 0; i < count; i++)
		for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++)
			if (applies(log[i], faults[f]) && !faults_skip())
				suffer(writing, CALLS_WRITING, i + 1, log[i], faults[f]);
}

/* What a new file needs in order to survive the loss of power. */
static void see_order(const struct writing *writing, const uint8_t *log, uint32_t count)
{
	bool synced = false;
	uint32_t last = CALLS;
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t renames = CALL(rename) | CALL(renameat) | CALL(renameat2);
		synced = synced || log[i] == CALL_fsync;
		if (renames >> log[i] & 1 && !synced && writing->kind != AID)
			faults_fail(NULL, "it renames before it syncs");
		if (((renames | CALL(fsync)) >> log[i]) & 1)
			last = log[i];
	}
	if (last != CALL_fsync && writing->kind != AID)
		faults_fail(NULL, "the folder is not synced");
}

static void run_case(const struct writing *writing, bool old)
{
	static uint8_t log[sizeof(fault_plan->log)];
	faults_name(writing->words, "nothing goes wrong");
	fault_plan->old = old;
	folder_fill(writing->files);
	before = folder_text(NULL);
	plan_set(CALLS_WRITING, 0, 0, FAULT_SIGNAL);
	faults_run(writing->words, -1, false, &unhurt);
	if (unhurt.status == EXIT_NO_ANSWER || unhurt.status < 0)
		faults_fail(&unhurt, "it fails without a fault");
	after = folder_text(NULL);
	const uint32_t count = fault_plan->count;
	memcpy(log, fault_plan->log, sizeof(log));
	if (writing->keep)
		folder_keep(writing->keep, &unhurt);
	see_order(writing, log, count);
	go_through_calls(writing, log, count);
	free(before);
	free(after);
}

int main(void)
{
	const int status = faults_begin();
	if (status)
		return status;
	see_table();
	const bool machine = !access("/dev/kvm", R_OK | W_OK) && !access("made/hello.elf", R_OK);
	for (size_t i = 0; i < WRITINGS; i++)
		for (int old = 0; old <= writings[i].old; old++)
			if (machine || !writings[i].machine)
				run_case(&writings[i], old);
	outcome_free(&unhurt);
	return faults_end();
}
