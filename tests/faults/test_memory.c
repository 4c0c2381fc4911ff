/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory runs out in every command, at one allocation after the other. Each time the command must give the answer that it gives with memory, or say that there was none,
 * with exit status 2; it must not crash, and what it writes must be the whole old file or the whole new one. FAULTS=all tries many allocations of each case,
 * FAULTS=each each of them, else a few are tried.
 */
#include "faults.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A command at work. */
static const struct working {
	const char *files; /* that are in the folder before */
	const char *keep;  /* "FILE=NAME": what it made is FILE, and later ones read it as made/NAME */
	const char *words[FAULTS_WORDS];
} workings[] = {
#define ALL                                                                                                                                \
	"kvm=kvm.sav hyperv=hyperv-4.sav cpum=hyperv-cpum.sav ram=kvm-ram.sav live=kvm-live.sav old=old-1.1.sav mig=qemu-kvm.mig "         \
	"memory=kvm-memory.sav"
    {ALL, NULL, {"dump", "folder/hyperv"}},
    {ALL, NULL, {"dump", "folder/cpum", "--all", "--json"}},
    {ALL, NULL, {"dump", "folder/live", "--all"}},
    {ALL, NULL, {"dump", "folder/old", "--json"}},
    {ALL, NULL, {"dump", "folder/mig", "--all"}},
    {ALL, NULL, {"dump", "folder/ram", "--pages"}},
    {ALL, NULL, {"dump", "folder/kvm", "--hex"}},
    {ALL, NULL, {"info", "folder/kvm"}},
    {ALL, NULL, {"info", "folder/mig", "--json"}},
    {ALL, NULL, {"units", "folder/hyperv", "--json"}},
    {ALL, NULL, {"units", "folder/mig"}},
    {ALL, NULL, {"report", "folder/kvm", "--html"}},
    {ALL, NULL, {"report", "folder/mig", "--svg"}},
    {ALL, NULL, {"verify", "folder/kvm", "folder/hyperv", "folder/old"}},
    {ALL, NULL, {"verify", "folder/live", "folder/mig", "--json"}},
    {ALL, NULL, {"extract", "folder/kvm", "--unit", "GIM"}},
    {ALL, NULL, {"extract", "folder/ram", "--ram", "-o", "folder/out"}},
    {ALL, NULL, {"extract", "folder/ram", "--elf", "folder/out"}},
    {ALL, NULL, {"mem", "folder/ram"}},
    {ALL, NULL, {"mem", "folder/ram", "0x10040", "--as", "wall-clock"}},
    {ALL, NULL, {"mem", "folder/ram", "--index", "folder/index"}},
    {ALL, NULL, {"search", "folder/ram", "a", "--max", "2"}},
    {ALL, NULL, {"get", "folder/kvm", "kvm.wall_clock", "kvm.vcpu[0]"}},
    {ALL, NULL, {"get", "folder/mig", "kvm", "--json"}},
    {ALL, NULL, {"set", "folder/kvm", "kvm.wall_clock=0x7000", "-o", "folder/out"}},
    {ALL, NULL, {"set", "folder/kvm", "kvm.wall_clock=0x7000", "--in-place", "--json"}},
    {ALL, NULL, {"set", "folder/mig", "kvm.wall_clock=0x7000", "-o", "folder/out"}},
    {ALL, "out.zst=kvm.zst", {"set", "folder/cpum", "hyperv.hypercall=0", "-o", "folder/out.zst"}},
    {ALL " packed=made/kvm.zst", NULL, {"info", "folder/packed"}},
    {ALL " packed=made/kvm.zst", NULL, {"verify", "folder/packed"}},
    {ALL, NULL, {"convert", "folder/hyperv", "folder/out", "--layout", "vbox-hyperv-2", "--lossy"}},
    {ALL, NULL, {"convert", "folder/old", "folder/out", "--container", "2.0", "--json"}},
    {ALL, NULL, {"convert", "folder/mig", "folder/out", "--base", "folder/kvm", "--gim-only", "--lossy"}},
    {ALL, NULL, {"diff", "folder/kvm", "folder/mig"}},
    {ALL, NULL, {"diff", "folder/kvm", "folder/hyperv", "--json"}},
    {ALL, "out.gimb=cpum.gimb", {"pack", "folder/cpum", "-o", "folder/out.gimb", "--with", "cpum"}},
    {ALL, NULL, {"pack", "folder/cpum", "-o", "folder/out.zip", "--whole", "--json"}},
    {"in.gimb=made/cpum.gimb", NULL, {"unpack", "folder/in.gimb", "-o", "folder/out"}},
    {"in.gimb=made/cpum.gimb", NULL, {"dump", "folder/in.gimb"}},
    {"in.gimb=made/cpum.gimb", NULL, {"verify", "folder/in.gimb"}},
    {ALL, NULL, {"check", "folder/kvm", "-t", "vbox:7.1", "-t", "vbox:5.0"}},
    {ALL, NULL, {"check", "folder/kvm", "folder/hyperv", "-t", "vbox:7.1", "--jobs", "1", "--json"}},
    {ALL, NULL, {"check", "folder/kvm", "-t", "vbox:7.1", "--jobs", "1", "--cache", "folder/cache", "--markdown"}},
    {ALL, NULL, {"check", "folder/mig", "-t", "qemu:7.2 -M pc -cpu host -smp 1", "--html"}},
    {ALL, NULL, {"check", "folder/kvm", "-t", "vbox:5.0", "--sarif", "--write-baseline", "folder/out"}},
    {ALL, NULL, {"check", "folder/kvm", "-t", "vbox:5.0", "--junit"}},
    {ALL, "-=report.ndjson", {"check", "folder/kvm", "folder/hyperv", "-t", "vbox:7.1", "--jobs", "1", "--ndjson"}},
    {ALL, NULL, {"shell", "folder/kvm", "-c", "set kvm.wall_clock=0x7000", "-c", "save folder/out"}},
    {"a.ndjson=made/report.ndjson", NULL, {"merge", "folder/a.ndjson", "--tap"}},
    {ALL, NULL, {"profile", "folder/kvm"}},
    {ALL, NULL, {"profile", "vbox:7.2"}},
    {ALL, NULL, {"rules"}},
    {ALL, NULL, {"rules", "GIM-VER-003", "--json"}},
    {ALL, NULL, {"replay", "folder/kvm", "--engine", "core"}},
    {ALL, NULL, {"replay", "folder/hyperv", "--engine", "core", "--json"}},
    {ALL, NULL, {"replay", "folder/kvm", "--engine", "core", "--save-after", "folder/out"}},
    {ALL, NULL, {"fields"}},
    {ALL, NULL, {"fields", "kvm", "--json"}},
    {ALL, NULL, {"help"}},
    {ALL, NULL, {"help", "set"}},
};
enum { WORKINGS = sizeof(workings) / sizeof(workings[0]) };

/* Is there one for each command? */
static void see_table(void)
{
	for (const struct command *command = commands; command->name; command++) {
		bool there = command->hidden || command->needs > NEEDS_NOTHING;
		for (size_t i = 0; !there && i < WORKINGS; i++)
			there = !strcmp(workings[i].words[0], command->name);
		(void)snprintf(faults_case, sizeof(faults_case), "%s", command->name);
		if (!there)
			faults_fail(NULL, "no case here has it run out of memory");
	}
}

static struct outcome unhurt;
static char *before, *after;

static bool says_so(const struct outcome *outcome)
{
	const char *const places[] = {outcome->error, outcome->out}, *const words[] = {"memory", "allocate"};
	for (size_t i = 0; i < 4; i++)
		if (strstr(places[i / 2], words[i % 2]))
			return true;
	return false;
}

static void judge(const struct outcome *outcome, const char *text)
{
	const bool aid = !strstr(after, "folder/out") && strcmp(before, after) != 0; /* for the next time: may be left out */
	const bool rest = outcome->status == EXIT_NO_ANSWER && strstr(faults_case, "--write-baseline"); /* without what is told */
	if (!rest && !folder_is_either(text, before, after))
		faults_fail(outcome, "the folder is\n%s      neither what it was nor\n%s", text, after);
	if (outcome->status == unhurt.status && outcome->status != EXIT_NO_ANSWER) {
		if (outcome->out_size != unhurt.out_size || memcmp(outcome->out, unhurt.out, unhurt.out_size) != 0)
			faults_fail(outcome, "the answer is another one");
		if (strcmp(text, after) != 0 && !aid)
			faults_fail(outcome, "the folder is\n%s      and should be\n%s", text, after);
		return;
	}
	if (outcome->status != EXIT_NO_ANSWER)
		faults_fail(outcome, "the failure is not told by the exit status");
	else if (!says_so(outcome))
		faults_fail(outcome, "the reason is not told");
}

static void starve(const struct working *working, uint32_t number)
{
	char place[64];
	struct outcome outcome = {.out = NULL};
	folder_fill(working->files);
	(void)snprintf(place, sizeof(place), "allocation %u", number);
	faults_name(working->words, place);
	plan_set(CALLS_MEMORY, number, 0, ENOMEM);
	faults_run(working->words, -1, true, &outcome);
	char *text = folder_text(NULL);
	if (!outcome.hung)
		judge(&outcome, text);
	free(text);
	outcome_free(&outcome);
}

/* How many allocations of a case are tried. */
static uint32_t points(uint32_t count)
{
	const char *wanted = getenv("FAULTS");
	const uint32_t most = wanted && !strcmp(wanted, "each") ? UINT32_MAX : wanted && !strcmp(wanted, "all") ? 60 : 5;
	return count < most ? count : most;
}

static void run_case(const struct working *working)
{
	faults_name(working->words, "memory does not run out");
	folder_fill(working->files);
	before = folder_text(NULL);
	plan_set(CALLS_MEMORY, 0, 0, ENOMEM);
	faults_run(working->words, -1, false, &unhurt);
	if (unhurt.status < 0 || unhurt.status == EXIT_NO_ANSWER)
		faults_fail(&unhurt, "it fails without a fault");
	after = folder_text(NULL);
	if (working->keep)
		folder_keep(working->keep, &unhurt);
	const uint32_t count = fault_plan->count, tried = points(count);
	/* Spread evenly, but not at the same places of every case. */
	for (uint32_t i = 0; i < tried; i++)
		starve(working, 1 + (uint32_t)(((uint64_t)i * count + (uint64_t)(working - workings) * 7 % count) / tried) % count);
	free(before);
	free(after);
}

int main(int count, char **words)
{
	const int status = faults_begin();
	if (status)
		return status;
	see_table();
	for (size_t i = 0; i < WORKINGS; i++)
		if (count < 2 || (size_t)atoi(words[1]) == i)
			run_case(&workings[i]);
	outcome_free(&unhurt);
	return faults_end();
}
