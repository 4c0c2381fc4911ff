/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report on a resumed guest: how far each vCPU came and what it left for, devices that are not there, the guest interface, and what changed in memory. */
#include "replay_report.h"

#include "harness/guest_log.h"
#include "output.h"

#include <inttypes.h>
#include <string.h>

#define RUNS_MAX 64        /* of changed pages that are listed */
#define DIFFERENCES_MAX 64 /* of fields that are listed */

const char *guest_end_name(enum guest_end end)
{
	static const char *const names[] = {
	    [GUEST_EXITED] = "exited",   [GUEST_STOPPED] = "stopped",       [GUEST_SAVED] = "saved",
	    [GUEST_IDLE] = "idle",       [GUEST_RESET] = "reset",           [GUEST_SHUT_DOWN] = "shut_down",
	    [GUEST_CRASHED] = "crashed", [GUEST_UNRUNNABLE] = "unrunnable", [GUEST_KILLED] = "killed",
	};
	return names[end];
}

static json_t *hex(uint64_t value)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return json_string(text);
}

static json_t *symbol_json(const struct symbols *symbols, uint64_t address)
{
	uint64_t offset;
	const char *name = symbols_find(symbols, address, &offset);
	char text[256];
	if (!name)
		return json_null();
	(void)snprintf(text, sizeof(text), "%.200s+0x%" PRIx64, name, offset);
	return json_text(text);
}

static json_t *vcpus_json(const struct guest_report *report, const struct symbols *symbols)
{
	json_t *array = json_array();
	for (uint32_t i = 0; i < report->vcpu_count; i++) {
		const struct guest_place *place = &report->vcpus[i];
		json_t *exits = json_object();
		for (unsigned kind = 0; kind < GUEST_EXIT_KINDS; kind++)
			(void)json_object_set_new(exits, guest_exit_name(kind), json_integer((json_int_t)report->log->exits[i][kind]));
		(void)json_array_append_new(array, json_pack("{s:o, s:o, s:o, s:s, s:s, s:o}", "rip", hex(place->rip), "linear",
		                                             hex(place->linear), "symbol", symbol_json(symbols, place->linear), "mode",
		                                             place->mode, "activity", place->activity, "exits", exits));
	}
	return array;
}

/* Devices, or MSRs, that nobody serves. */
static json_t *accesses_json(const struct guest_log *log, bool msrs, const struct symbols *symbols)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < log->access_count; i++) {
		const struct guest_access *access = &log->accesses[i];
		if ((access->kind == GUEST_ACCESS_MSR) != msrs)
			continue;
		(void)json_array_append_new(
		    array, json_pack("{s:s, s:o, s:s?, s:s, s:i, s:o, s:i, s:o, s:o, s:I}", "kind", guest_access_name(access->kind),
		                     "address", hex(access->address), "device", guest_access_device(access->kind, access->address), "first",
		                     access->write ? "write" : "read", "size", (int)access->size_bytes, "value",
		                     access->write ? hex(access->value) : json_null(), "vcpu", (int)access->vcpu, "rip", hex(access->rip),
		                     "symbol", symbol_json(symbols, access->rip), "count", (json_int_t)access->count));
	}
	return array;
}

struct pages {
	json_t *runs;
	uint64_t count;
};

static void take_pages(void *user, uint64_t gpa, uint64_t count)
{
	struct pages *pages = (struct pages *)user;
	pages->count += count;
	if (json_array_size(pages->runs) < RUNS_MAX)
		(void)json_array_append_new(pages->runs, json_pack("{s:o, s:I}", "gpa", hex(gpa), "pages", (json_int_t)count));
}

/*
 * The guest interface.
 */
struct differences {
	json_t *changed, *back;
	const json_t *only; /* fields that count, as keys; NULL: all */
};

static int take_difference(void *user, const struct gim_difference *difference)
{
	struct differences *to = (struct differences *)user;
	const bool interface = to->only && difference->kind != GIM_DIFF_BACK
	                           ? json_object_get(to->only, difference->path) != NULL
	                           : !strncmp(difference->path, "hyperv.", 7) || !strncmp(difference->path, "kvm.", 4);
	json_t *array = difference->kind == GIM_DIFF_BACK ? to->back : to->changed;
	char a[96] = "", b[96] = "";
	if (!interface || (difference->kind != GIM_DIFF_CHANGED && difference->kind != GIM_DIFF_BACK) ||
	    json_array_size(array) == DIFFERENCES_MAX)
		return 0;
	if (difference->a)
		(void)gim_value_text(difference->a, a, sizeof(a));
	if (difference->b)
		(void)gim_value_text(difference->b, b, sizeof(b));
	(void)json_array_append_new(
	    array, json_pack("{s:o, s:o, s:o}", "path", json_text(difference->path), "before", json_text(a), "after", json_text(b)));
	return 0;
}

static struct differences compare(const struct gim_state *before, const struct gim_state *after, const json_t *only)
{
	struct differences made = {json_array(), json_array(), only};
	(void)gim_state_diff(before, after, NULL, take_difference, &made, NULL, NULL);
	return made;
}

static int take_counter(void *user, const char *name, uint64_t value)
{
	if (value)
		(void)json_object_set_new((json_t *)user, name, json_integer((json_int_t)value));
	return 0;
}

/* Fields that are registers. Others may be another at a restore: sequences, anchors of clocks. */
static int take_msr(void *user, const struct gim_msr_info *info)
{
	if (*info->path && !info->computed)
		(void)json_object_set_new((json_t *)user, info->path, json_true());
	return 0;
}

/* registers: those of the interface, of all vCPUs; restored: what is not as it was saved, though nothing has run yet; clocks that went back count in both steps. */
static json_t *interface_json(const struct guest_report *report, const struct gim_state *state)
{
	json_t *counters = json_object(), *msrs = json_object();
	for (uint32_t i = 0; i < report->vcpu_count; i++)
		(void)gim_machine_msrs(report->machine, i, take_msr, msrs);
	struct differences restored = compare(state, report->before, msrs), ran = compare(report->before, report->after, NULL);
	const json_int_t registers = (json_int_t)json_object_size(msrs);
	json_decref(msrs);
	(void)json_array_extend(ran.back, restored.back);
	json_decref(restored.back);
	(void)gim_machine_counters(report->machine, take_counter, counters);
	return json_pack("{s:I, s:o, s:o, s:o, s:o}", "registers", registers, "restored_otherwise", restored.changed, "changed",
	                 ran.changed, "clocks_back", ran.back, "counters", counters);
}

json_t *report_json(const struct guest_report *report, const struct gim_state *state, const struct symbols *symbols)
{
	struct pages pages = {json_array(), 0};
	guest_log_changes(report->log, take_pages, &pages);
	return json_pack("{s:b, s:o, s:o, s:o, s:I, s:o, s:I, s:o, s:o}", "entered", report->log->entered, "vcpus",
	                 vcpus_json(report, symbols), "devices", accesses_json(report->log, false, symbols), "msrs",
	                 accesses_json(report->log, true, symbols), "more", (json_int_t)report->log->access_more, "interface",
	                 interface_json(report, state), "pages_changed", (json_int_t)pages.count, "pages", pages.runs, "why",
	                 *report->why ? json_text(report->why) : json_null());
}

/*
 * Printing.
 */
static const char *string(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	return text ? text : "";
}

static json_int_t integer(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

static void put_vcpu(size_t id, const json_t *vcpu)
{
	const char *symbol = string(vcpu, "symbol"), *key;
	json_t *count;
	const char *before = "; exits:";
	printf("vCPU %zu: %s at %s", id, string(vcpu, "activity"), string(vcpu, "rip"));
	if (strcmp(string(vcpu, "rip"), string(vcpu, "linear")) != 0)
		printf(" (linear %s)", string(vcpu, "linear"));
	if (*symbol) {
		fputs(", ", stdout);
		put_safe(stdout, symbol);
	}
	printf(", %s mode", string(vcpu, "mode"));
	json_object_foreach(json_object_get(vcpu, "exits"), key, count)
	{
		if (!json_integer_value(count))
			continue;
		printf("%s %s %" JSON_INTEGER_FORMAT, before, key, json_integer_value(count));
		before = ",";
	}
	putchar('\n');
}

static void put_access(const json_t *access)
{
	const bool msr = !strcmp(string(access, "kind"), guest_access_name(GUEST_ACCESS_MSR));
	printf("  %s %s", msr ? "MSR" : string(access, "kind"), string(access, "address"));
	if (*string(access, "device"))
		printf(" (%s)", string(access, "device"));
	printf(": %s", string(access, "first"));
	if (*string(access, "value"))
		printf(" of %s", string(access, "value"));
	if (!msr)
		printf(", %" JSON_INTEGER_FORMAT " byte%s", integer(access, "size"), integer(access, "size") == 1 ? "" : "s");
	printf(", at %s", string(access, "rip"));
	if (*string(access, "symbol")) {
		fputs(" (", stdout);
		put_safe(stdout, string(access, "symbol"));
		fputs(")", stdout);
	}
	printf(" by vCPU %" JSON_INTEGER_FORMAT "; %" JSON_INTEGER_FORMAT " access%s\n", integer(access, "vcpu"), integer(access, "count"),
	       integer(access, "count") == 1 ? "" : "es");
}

static void put_accesses(const json_t *array, const char *title)
{
	if (json_array_size(array))
		printf("%s\n", title);
	for (size_t i = 0; i < json_array_size(array); i++)
		put_access(json_array_get(array, i));
}

static void put_differences(const json_t *array, const char *title)
{
	if (json_array_size(array))
		printf("%s\n", title);
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *difference = json_array_get(array, i);
		fputs("  ", stdout);
		put_safe(stdout, string(difference, "path"));
		fputs(": ", stdout);
		put_safe(stdout, string(difference, "before"));
		fputs(" -> ", stdout);
		put_safe(stdout, string(difference, "after"));
		putchar('\n');
	}
}

static void put_interface(const json_t *interface)
{
	const char *name;
	json_t *count;
	const json_t *restored = json_object_get(interface, "restored_otherwise"), *back = json_object_get(interface, "clocks_back");
	if (!integer(interface, "registers")) {
		puts("guest interface: none that has registers");
		return;
	}
	printf("guest interface: %s, %s\n", json_array_size(restored) ? "not as it was saved" : "as it was saved",
	       json_array_size(back) ? "and a clock went back" : "and no clock went back");
	put_differences(restored, "  restored otherwise than it was saved:");
	put_differences(back, "  clocks that went back:");
	put_differences(json_object_get(interface, "changed"), "  changed while the guest ran:");
	json_object_foreach(json_object_get(interface, "counters"), name, count)
	{
		printf("  %s: %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(count));
	}
}

static void put_pages(const json_t *json)
{
	enum { SHOWN = 8 };
	const json_t *runs = json_object_get(json, "pages");
	printf("memory: %" JSON_INTEGER_FORMAT " page%s changed", integer(json, "pages_changed"),
	       integer(json, "pages_changed") == 1 ? "" : "s");
	for (size_t i = 0; i < json_array_size(runs) && i < SHOWN; i++) {
		const json_t *run = json_array_get(runs, i);
		printf("%s %s", i ? "," : ":", string(run, "gpa"));
		if (integer(run, "pages") > 1)
			printf(" (%" JSON_INTEGER_FORMAT ")", integer(run, "pages"));
	}
	puts(json_array_size(runs) > SHOWN ? ", ..." : "");
}

void report_put(const json_t *json)
{
	const json_t *vcpus = json_object_get(json, "vcpus");
	for (size_t i = 0; i < json_array_size(vcpus); i++)
		put_vcpu(i, json_array_get(vcpus, i));
	put_accesses(json_object_get(json, "devices"), "devices that are not here (all ones were read):");
	put_accesses(json_object_get(json, "msrs"), "MSRs that nobody serves (#GP):");
	if (integer(json, "more"))
		printf("  and %" JSON_INTEGER_FORMAT " accesses to more addresses\n", integer(json, "more"));
	put_interface(json_object_get(json, "interface"));
	put_pages(json);
}
