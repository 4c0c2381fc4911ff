/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests each rule of check with a state and a target that break it and with a pair that nearly does; and the order, severities and
 * prerequisites of findings. */
#include "check.h"
#include "guest.h"
#include "json.h"
#include "machine.h"
#include "qemu/schema.h"
#include "vbox/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

extern const struct gim_format gim_format_vbox, gim_format_json;

/*
 * States from documents that say only what matters; ' stands for ".
 */
struct state {
	struct gim_state state;
	struct gim_unit units[8];
	size_t unit_count;
};

static char *quoted(const char *text, char *to, size_t size)
{
	assert_true(strlen(text) < size);
	for (size_t i = 0; (to[i] = text[i] == '\'' ? '"' : text[i]); i++)
		;
	return to;
}

static void read_state(struct state *state, const char *text, const char *units)
{
	char json[2048];
	struct gim_document document;
	struct gim_error error = GIM_ERROR_INIT;
	*state = (struct state){.state = {.format = &gim_format_vbox, .codec = {.address_bytes = 8}}};
	/* "json:": of a document's container; "4:": of layout version 4. */
	if (!strncmp(text, "json:", 5)) {
		state->state.format = &gim_format_json;
		text += 5;
	} else if (text[1] == ':') {
		state->state.layout_version = (uint32_t)(text[0] - '0');
		text += 2;
	}
	(void)quoted(text, json, sizeof(json));
	if (gim_json_read(&state->state.arena, &profile_record, json, strlen(json), &document, &error))
		fail_msg("%s: %s: %s", text, error.path, error.text);
	for (size_t i = 0; i < document.count; i++)
		assert_non_null(gim_state_attach(&state->state, &document.objects[i]));
	/* A document does not say who wrote it; a container does. */
	struct gim_object *source = gim_state_object(&state->state, &source_record, NULL);
	assert_int_equal(gim_store_text(&state->state, source, offsetof(struct source, release), "vbox:7.2", NULL), 0);
	for (int used; units && *units; units += used) {
		struct gim_unit *unit = &state->units[state->unit_count++];
		unit->pass = GIM_PASS_FINAL;
		unit->offset = 0x40 * state->unit_count;
		assert_int_equal(sscanf(units, " %48[^/]/%u:%u%n", unit->name, &unit->instance, &unit->version, &used), 3);
	}
}

static struct gim_target *read_target(const char *text)
{
	char json[2048];
	struct gim_target *target = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	int result = *text == '{' ? gim_target_open_json("target", quoted(text, json, sizeof(json)), strlen(text), &target, &error)
	                          : gim_target_open(text, NULL, &target, &error);
	if (result)
		fail_msg("%s: %s: %s", text, error.path, error.text);
	return target;
}

struct heard {
	const char *rule; /* that is listened for; NULL: the first of all */
	unsigned count, errors;
	enum gim_severity severity;
	char path[128], text[512], order[1024];
	bool has_unit;
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = (struct heard *)user;
	const size_t used = strlen(heard->order);
	(void)snprintf(heard->order + used, sizeof(heard->order) - used, "%s ", finding->rule->id);
	heard->errors += finding->severity == GIM_ERROR;
	if (heard->rule && strcmp(finding->rule->id, heard->rule) != 0)
		return;
	if (heard->count++)
		return;
	heard->severity = finding->severity;
	heard->has_unit = finding->unit;
	(void)snprintf(heard->path, sizeof(heard->path), "%s", finding->path ? finding->path : "");
	(void)snprintf(heard->text, sizeof(heard->text), "%s", finding->text);
}

static struct heard judge(const char *rule, const char *state_text, const char *units, const char *target_text)
{
	static struct state state;
	struct heard heard = {.rule = rule};
	struct gim_target *target = read_target(target_text);
	read_state(&state, state_text, units);
	const int result = gim_judge_state(&state.state, state.units, state.unit_count, target, hear, &heard, NULL);
	assert_int_equal(result, heard.errors > 0);
	gim_arena_free(&state.state.arena);
	gim_target_free(&target);
	return heard;
}

/*
 * One row a rule: what breaks it, and what nearly does.
 */
/* The second is masked. */
#define SINTS                                                                                                                              \
	"['0x30', '0x10030', '0x30', '0x30', '0x30', '0x30', '0x30', '0x30', '0x30', '0x30', '0x30', '0x30', '0x30', '0x30', '0x30', "     \
	"'0x30']"
#define DOC(members) "{'gimstate': 1, " members "}"
#define GIM(provider) "'gim': {'provider': '" provider "'}"
#define VBOX "'profile': {'hypervisor': 'vbox'}"
#define TARGET(members) DOC(VBOX ", " members)
#define HV(members) DOC(GIM("hyperv") ", 'hyperv': {" members "}")
#define HV_GUEST(members, guest) DOC(GIM("hyperv") ", 'hyperv': {" members "}, 'guest': {" guest "}")
#define KVM(members) DOC(GIM("kvm") ", 'kvm': {" members "}")
#define GUEST(members) DOC("'guest': {" members "}")
#define UNITS(units) DOC("'profile': {'hypervisor': 'vbox', 'unit': [" units "]}")
#define UNIT(name, version) "{'name': '" name "', 'instance': 0, 'version': " version "}"
#define LEAF(number, a, b, c, d) "{'leaf': " number ", 'eax': " a ", 'ebx': " b ", 'ecx': " c ", 'edx': " d "}"
#define INTEL LEAF("0", "22", "1970169159", "1818588270", "1231384169")
#define QEMU(members) DOC("'qemu': {" members "}")
#define QEMU_GUEST(members, guest) DOC("'qemu': {" members "}, 'guest': {" guest "}")
/* The second vCPU's time structure: 2 s at TSC 0x60, where a tick is doubled, then halved, to a ns. */
#define CLOCK(clock, tsc)                                                                                                                  \
	{                                                                                                                                  \
		DOC(GIM("kvm") ", 'kvm': {'clock_ns': '" clock "'}, 'guest': {'vcpu': [{}, {'tsc': '" tsc "'}]}, "                         \
		               "'kvm_pages': {'vcpu': [{}, {'pvclock': {'tsc': '0x60', 'system_ns': '0x77359400', 'multiplier': "          \
		               "2147483648, 'shift': 1, 'tsc_hz': '0x3b9aca00'}}]}"),                                                      \
		    NULL, "vbox:7.2"                                                                                                       \
	}
#define PAGES(hypercall, gpa) "'hypercall': '" hypercall "', 'hypercall_page': {'gpa': '" gpa "'}"

struct pair {
	const char *state, *units, *target;
};

static const struct row {
	const char *rule, *path; /* where it is found */
	struct pair breaks, nearly;
	bool needs_msrs; /* a table of MSRs */
} rows[] = {
    {"GIM-FORM-001", "", {"json:" HV(""), NULL, "vbox:7.2"}, {HV(""), NULL, "vbox:7.2"}, false},
    {"GIM-VER-001", "gim.layout", {"4:" HV(""), "GIM/0:1", "vbox:5.2"}, {"3:" HV(""), "GIM/0:1", "vbox:5.2"}, false},
    {"GIM-VER-002", "", {HV(""), "cpum/1:24", "vbox:7.1"}, {HV(""), "cpum/1:23", "vbox:7.1"}, false},
    {"GIM-VER-003",
     "source.release",
     {DOC("'gim': {'provider': 'none'}"), NULL, "vbox:7.1"},
     {DOC("'gim': {'provider': 'none'}"), NULL, "vbox:7.2"},
     false},
    {"GIM-UNIT-001",
     "",
     {HV(""), "SSM/0:1 vga/0:3", UNITS(UNIT("SSM", "1"))},
     {HV(""), "SSM/0:1 SSMLiveControl/0:1", UNITS(UNIT("SSM", "1"))},
     false},
    {"GIM-UNIT-002", "", {HV(""), "SSM/0:2", UNITS(UNIT("SSM", "1"))}, {HV(""), "SSM/0:1", UNITS(UNIT("SSM", "2"))}, false},
    {"GIM-UNIT-003", "", {HV(""), "GIM/0:1 vga/0:3", "vbox:7.2"}, {HV(""), "GIM/0:1 cpum/1:24", "vbox:7.2"}, false},
    {"GIM-UNIT-004", "", {GUEST("'vcpus': 1"), NULL, TARGET(GIM("kvm"))}, {GUEST("'vcpus': 1"), NULL, TARGET(GIM("none"))}, false},
    {"GIM-PROV-001", "gim.provider", {HV(""), "GIM/0:1", TARGET(GIM("kvm"))}, {HV(""), "GIM/0:1", TARGET(GIM("hyperv"))}, false},
    {"GIM-LOSS-001",
     "hyperv.vp[1].scontrol",
     {HV("'vp': [{'scontrol': '0x0'}, {'scontrol': '0x1'}]"), NULL, "vbox:7.2"},
     {HV("'vp': [{'scontrol': '0x0', 'simp': '0x5001'}]"), NULL, "vbox:7.2"},
     false},
    {"GIM-LOSS-002",
     "hyperv.vp[0].scontrol",
     {HV("'vp': [{'simp': '0x5001'}]"), NULL, TARGET(GIM("hyperv"))},
     {HV("'vp': [{'simp': '0x5000'}]"), NULL, TARGET(GIM("hyperv"))},
     false},
    {"GIM-LOSS-003",
     "hyperv.guest_os_id",
     {"1:" HV("'hypercall': '0x0'"), NULL, "vbox:7.2"},
     {"4:" HV("'hypercall': '0x0'"), NULL, "vbox:7.2"},
     false},
    {"GIM-CPU-001",
     "guest.vcpus",
     {GUEST("'vcpus': 2"), "cpum/1:24", TARGET("'guest': {'vcpus': 3}")},
     {GUEST("'vcpus': 2"), "cpum/1:24", TARGET("'guest': {'vcpus': 2}")},
     false},
    {"GIM-CPU-002",
     "guest.cpuid",
     {GUEST("'cpuid': [" INTEL "]"), NULL, DOC("'profile': {'cpu_vendor': 'AuthenticAMD'}")},
     {GUEST("'cpuid': [" INTEL "]"), NULL, DOC("'profile': {'cpu_vendor': 'GenuineIntel'}")},
     false},
    {"GIM-CPU-003",
     "vbox.cpum.vmx",
     {DOC("'vbox': {'cpum': {'svm': false, 'vmx': true}}"), "cpum/1:24", DOC("'profile': {'hypervisor': 'vbox', 'nested': false}")},
     {DOC("'vbox': {'cpum': {'svm': false, 'vmx': true}}"), "cpum/1:24", DOC("'profile': {'hypervisor': 'vbox', 'nested': true}")},
     false},
    {"GIM-RAM-001",
     "guest.ram_bytes",
     {GUEST("'ram_bytes': '0x400000'"), "mm/1:2", TARGET("'guest': {'ram_bytes': '0x400001'}")},
     {GUEST("'ram_bytes': '0x400000'"), "mm/1:2", TARGET("'guest': {'ram_bytes': '0x400000'}")},
     false},
    {"GIM-PAGE-001",
     "hyperv.hypercall_page.gpa",
     {HV(PAGES("0x5001", "0x400000")), "GIM/0:1", TARGET("'guest': {'ram_bytes': '0x400000'}")},
     {HV(PAGES("0x5001", "0x3ff000")), "GIM/0:1", TARGET("'guest': {'ram_bytes': '0x400000'}")},
     false},
    {"GIM-PAGE-002",
     "kvm.vcpu[0].system_time",
     {KVM("'vcpu': [{'system_time': '0xa0001'}]"), NULL, TARGET("'guest': {'ram_bytes': '0x400000'}")},
     {KVM("'vcpu': [{'system_time': '0x9ffe1'}, {'system_time': '0xa0000'}]"), NULL, TARGET("'guest': {'ram_bytes': '0x400000'}")},
     false},
    {"GIM-PAGE-003",
     "hyperv.hypercall_page.gpa",
     {HV(PAGES("0x5001", "0x6000")), NULL, TARGET(GIM("hyperv"))},
     {HV(PAGES("0x5000", "0x6000")), NULL, TARGET(GIM("hyperv"))},
     false},
    {"GIM-PAGE-004",
     "kvm.vcpu[0].gpa",
     {KVM("'vcpu': [{'system_time': '0x5001', 'gpa': '0x6000'}]"), NULL, TARGET(GIM("kvm"))},
     {KVM("'vcpu': [{'system_time': '0x5001', 'gpa': '0x5000'}, {'system_time': '0x0', 'gpa': '0x6000'}]"), NULL, TARGET(GIM("kvm"))},
     false},
    {"GIM-TSC-001",
     "guest.tsc_hz",
     {GUEST("'tsc_hz': '0x3b9aca00'"), NULL, DOC("'profile': {'tsc_tolerance_ppm': 250}, 'guest': {'tsc_hz': '0x3b9e9b91'}")},
     {GUEST("'tsc_hz': '0x3b9aca00'"), NULL, DOC("'profile': {'tsc_tolerance_ppm': 250}, 'guest': {'tsc_hz': '0x3b9e9a90'}")},
     false},
    {"GIM-TSC-002",
     "hyperv.reference_tsc",
     {HV_GUEST("'reference_tsc': '0x5001'", "'tsc_hz': '0x3b9aca00'"), NULL, TARGET("'guest': {'tsc_hz': '0x4b9aca00'}")},
     {HV_GUEST("'reference_tsc': '0x5000'", "'tsc_hz': '0x3b9aca00'"), NULL, TARGET("'guest': {'tsc_hz': '0x4b9aca00'}")},
     false},
    {"GIM-TSC-003",
     "hyperv.tsc_scale",
     {HV_GUEST("'tsc_scale': '0x28f5f0000000000'", "'tsc_hz': '0x3b9aca00'"), NULL, DOC("'profile': {}")},
     {HV_GUEST("'tsc_scale': '0x28f5c2800000000'", "'tsc_hz': '0x3b9aca00'"), NULL, DOC("'profile': {}")},
     false},
    {"GIM-CLOCK-003",
     "hyperv.time_ref_count",
     {HV_GUEST("'time_ref_count': '0x12'", "'tsc_hz': '0x3b9aca00', 'vcpu': [{'tsc': '0x640'}]"), NULL, TARGET(GIM("hyperv"))},
     {HV_GUEST("'time_ref_count': '0x11'", "'tsc_hz': '0x3b9aca00', 'vcpu': [{'tsc': '0x640'}]"), NULL, TARGET(GIM("hyperv"))},
     false},
    {"GIM-CLOCK-001",
     "kvm.vcpu[0].virtual_ns",
     {DOC(GIM("kvm") ", 'kvm': {'vcpu': [{'system_time': '0x5001', 'virtual_ns': '0x11'}]}, 'guest': {'virtual_ns': '0x10'}"), NULL,
      "vbox:7.2"},
     {DOC(GIM("kvm") ", 'kvm': {'vcpu': [{'system_time': '0x5001', 'virtual_ns': '0x10'}]}, 'guest': {'virtual_ns': '0x10'}"), NULL,
      "vbox:7.2"},
     false},
    {"GIM-CLOCK-002",
     "kvm.vcpu[0].version",
     {KVM("'vcpu': [{'system_time': '0x5001', 'version': 3}]"), NULL, "vbox:7.2"},
     {KVM("'vcpu': [{'system_time': '0x5001', 'version': 2}, {'system_time': '0x5000', 'version': 3}]"), NULL, "vbox:7.2"},
     false},
    {"GIM-CLOCK-004",
     "guest.vcpu[1].tsc",
     {GUEST("'tsc_hz': '0x100', 'vcpu': [{'tsc': '0x1'}, {'tsc': '0x102'}]"), NULL, "vbox:7.2"},
     {GUEST("'tsc_hz': '0x100', 'vcpu': [{'tsc': '0x1'}, {'tsc': '0x101'}]"), NULL, "vbox:7.2"},
     false},
    {"GIM-CPUID-001",
     "kvm.features.base",
     {DOC(GIM("kvm") ", 'kvm': {'features': {'base': ['0x8']}}, 'guest': {'cpuid': [" LEAF("1073741825", "9", "0", "0", "0") "]}"), NULL,
      "vbox:7.2"},
     {DOC(GIM("kvm") ", 'kvm': {'features': {'base': ['0x8']}}, 'guest': {'cpuid': [" LEAF("1073741825", "8", "0", "0", "0") "]}"), NULL,
      "vbox:7.2"},
     false},
    {"GIM-CPUID-002",
     "guest.cpuid",
     {HV_GUEST("'hypercall': '0x0'", "'cpuid': [" LEAF("1073741825", "0", "0", "0", "0") "]"), NULL, "vbox:7.2"},
     {HV_GUEST("'hypercall': '0x0'", "'cpuid': [" LEAF("1073741825", "824407624", "0", "0", "0") "]"), NULL, "vbox:7.2"},
     false},
    {"GIM-CPUID-003",
     "guest.cpuid",
     {DOC(GIM("kvm") ", 'kvm': {'wall_clock': '0x0'}, 'guest': {'cpuid': [" LEAF("1073741824", "0", "1", "2", "3") "]}"), NULL, "vbox:7.2"},
     {DOC(GIM("kvm") ", 'kvm': {'wall_clock': '0x0'}, 'guest': {'cpuid': [" LEAF("1073741824", "0", "1263359563", "1447775574", "77") "]}"),
      NULL, "vbox:7.2"},
     false},
    {"GIM-FEAT-001",
     "hyperv.reference_tsc",
     {HV("'reference_tsc': '0x5001'"), NULL, DOC("'hyperv': {'features': {'base': ['access_hypercall_msrs']}}")},
     {HV("'reference_tsc': '0x0'"), NULL, DOC("'hyperv': {'features': {'base': ['access_hypercall_msrs']}}")},
     true},
    {"GIM-FEAT-002",
     "hyperv.features.hints",
     {HV("'features': {'hints': ['x2apic_msrs']}"), NULL, "vbox:5.1"},
     {HV("'features': {'hints': ['x2apic_msrs']}"), NULL, "vbox:5.2"},
     false},
    {"GIM-FEAT-003",
     "hyperv.vp[0].simp",
     {HV("'features': {'base': []}, 'vp': [{'simp': '0x5001'}]"), NULL, "vbox:7.2"},
     {HV("'features': {'base': ['access_synic']}, 'vp': [{'simp': '0x5001'}]"), NULL, "vbox:7.2"},
     true},
    {"GIM-MEM-001",
     "kvm_pages.vcpu[1].steal_time.version",
     {DOC(GIM("kvm") ", 'kvm_pages': {'vcpu': [{'pvclock': {'version': 2}}, {'steal_time': {'version': 7}}]}"), NULL, "vbox:7.2"},
     {DOC(GIM("kvm") ", 'kvm_pages': {'wall_clock': {'version': 4}, 'vcpu': [{'pvclock': {'version': 2}}]}"), NULL, "vbox:7.2"},
     false},
    {"GIM-MEM-002",
     "kvm_pages.vcpu[0].pvclock.multiplier",
     {DOC(GIM("kvm") ", 'kvm_pages': {'vcpu': [{'pvclock': {'tsc_hz': '0x3b9aca00'}}]}, 'guest': {'tsc_hz': '0x3ba2ffff'}"), NULL,
      "vbox:7.2"},
     {DOC(GIM("kvm") ", 'kvm_pages': {'vcpu': [{'pvclock': {'tsc_hz': '0x3b9aca00'}}]}, 'guest': {'tsc_hz': '0x3ba2600f'}"), NULL,
      "vbox:7.2"},
     false},
    {"GIM-MEM-003",
     "kvm_pages.vcpu[0].pvclock.system_ns",
     {DOC(GIM("kvm") ", 'kvm_pages': {'vcpu': [{'pvclock': {'version': 2, 'tsc': '0x5', 'system_ns': '0x7'}}]}, "
                     "'kvm': {'vcpu': [{'tsc': '0x5', 'virtual_ns': '0x6'}]}"),
      NULL, "vbox:7.2"},
     {DOC(GIM("kvm") ", 'kvm_pages': {'vcpu': [{'pvclock': {'version': 2, 'tsc': '0x5', 'system_ns': '0x7'}}]}, "
                     "'kvm': {'vcpu': [{'tsc': '0x5', 'virtual_ns': '0x7', 'version': 2}]}"),
      NULL, "vbox:7.2"},
     false},
    {"GIM-MEM-004",
     "kvm_pages.wall_clock.nanoseconds",
     {DOC(GIM("kvm") ", 'kvm_pages': {'wall_clock': {'version': 2, 'nanoseconds': 1000000000}}"), NULL, "vbox:7.2"},
     {DOC(GIM("kvm") ", 'kvm_pages': {'wall_clock': {'version': 2, 'nanoseconds': 999999999}}"), NULL, "vbox:7.2"},
     false},
    {"GIM-MEM-005", "kvm.clock_ns", CLOCK("0x772651cf", "0x70"), CLOCK("0x772651d0", "0x70"), false},
    {"GIM-MEM-005", "kvm.clock_ns", CLOCK("0xb2d05e11", "0x70"), CLOCK("0xb2d05e10", "0x70"), false},
    /* A structure that is newer than the TSC. */
    {"GIM-MEM-005", "kvm.clock_ns", CLOCK("0x772651bf", "0x50"), CLOCK("0x772651c0", "0x50"), false},
    {"GIM-MEM-101",
     "hyperv_pages.hypercall.code",
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'hypercall': {'gpa': '0x5000', 'instruction': 'none'}}"), NULL, "vbox:7.2"},
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'hypercall': {'gpa': '0x5000', 'instruction': 'vmmcall'}}"), NULL, "vbox:7.2"},
     false},
    {"GIM-MEM-102",
     "hyperv_pages.hypercall.instruction",
     {DOC(GIM(
	  "hyperv") ", 'hyperv_pages': {'hypercall': {'instruction': 'vmmcall'}}, 'guest': {'cpuid': [{'leaf': 0, 'ebx': 1970169159}]}"),
      NULL, "vbox:7.2"},
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'hypercall': {'instruction': 'vmcall'}}, 'guest': {'cpuid': [{'leaf': 0, 'ebx': 1970169159}]}"),
      NULL, "vbox:7.2"},
     false},
    {"GIM-MEM-103",
     "hyperv_pages.tsc.scale",
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'tsc': {'sequence': 1, 'scale': '0x1', 'tsc_hz': '0x3b9aca00'}}, 'guest': {'tsc_hz': "
                        "'0x3b9c6cc3'}"),
      NULL, "vbox:7.2"},
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'tsc': {'sequence': 0, 'scale': '0x1', 'tsc_hz': '0x3b9aca00'}}, 'guest': {'tsc_hz': "
                        "'0x3b9c6cc3'}"),
      NULL, "vbox:7.2"},
     false},
    {"GIM-MEM-104",
     "hyperv_pages.tsc.sequence",
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'tsc': {'sequence': 3}}, 'hyperv': {'tsc_sequence': 2}"), NULL, "vbox:7.2"},
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'tsc': {'sequence': 3}}, 'hyperv': {'tsc_sequence': 0}"), NULL, "vbox:7.2"},
     false},
    {"GIM-MEM-105",
     "hyperv_pages.vp[1].messages.message[0]",
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'vp': [{}, {'messages': {'message': [{'sint': 2, 'type': 1}]}}]}"), NULL, "vbox:7.2"},
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'vp': [{}, {'messages': {'message': []}}]}"), NULL, "vbox:7.2"},
     false},
    {"GIM-MEM-106",
     "hyperv_pages.vp[0].messages.message[0].sint",
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'vp': [{'messages': {'message': [{'sint': 1, 'type': 1}]}}]}, 'hyperv': {'vp': [{'sint': " SINTS
                        "}]}"),
      NULL, "vbox:7.2"},
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'vp': [{'messages': {'message': [{'sint': 0, 'type': 1}]}}]}, 'hyperv': {'vp': [{'sint': " SINTS
                        "}]}"),
      NULL, "vbox:7.2"},
     false},
    {"GIM-MEM-107",
     "hyperv_pages.vp[0].events.event[0]",
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'vp': [{'events': {'event': [{'sint': 2, 'set': 1}]}}]}"), NULL, "vbox:7.2"},
     {DOC(GIM("hyperv") ", 'hyperv_pages': {'vp': [{'events': {'event': []}}]}"), NULL, "vbox:7.2"},
     false},
    {"GIM-HCALL-001",
     "hyperv.hypercall",
     {HV("'guest_os_id': '0x0', 'hypercall': '0x5001'"), NULL, "vbox:7.2"},
     {HV("'guest_os_id': '0x0', 'hypercall': '0x5000'"), NULL, "vbox:7.2"},
     false},
    {"GIM-HCALL-002",
     "hyperv.hypercall",
     {HV("'hypercall': '0x5001'"), NULL, DOC("'profile': {'hypervisor': 'kvm'}")},
     {HV("'hypercall': '0x5001'"), NULL, DOC("'profile': {'hypervisor': 'vbox'}")},
     false},
    {"GIM-SINT-001",
     "hyperv.vp[0].sint[2]",
     {HV("'vp': [{'sint': ['0x10000', '0x10', '0xf', '0x10000', '0x10000', '0x10000', '0x10000', '0x10000', '0x10000', '0x10000', "
         "'0x10000', "
         "'0x10000', '0x10000', '0x10000', '0x10000', '0x10000']}]"),
      NULL, "vbox:7.2"},
     {HV("'vp': [{'sint': ['0x10000', '0x10', '0x1000f', '0x10000', '0x10000', '0x10000', '0x10000', '0x10000', '0x10000', '0x10000', "
         "'0x10000', '0x10000', '0x10000', '0x10000', '0x10000', '0x10000']}]"),
      NULL, "vbox:7.2"},
     false},
    {"GIM-TIMER-001",
     "hyperv.vp[0].stimer[1]",
     {HV("'vp': [{'stimer': [{}, {'config': '0x1', 'count': '0x5'}, {}, {}]}]"), NULL, "vbox:7.2"},
     {HV("'vp': [{'stimer': [{}, {'config': '0x0', 'count': '0x5'}, {'config': '0x1', 'count': '0x0'}, {}]}]"), NULL, "vbox:7.2"},
     false},
    {"GIM-DBG-001",
     "hyperv.debug",
     {HV("'debug': {'send_buffer': '0x5000'}"), NULL, DOC("'profile': {'debug': false}")},
     {HV("'debug': {'send_buffer': '0x5000'}"), NULL, DOC("'profile': {'debug': true}")},
     false},
    {"GIM-DEV-001",
     "vbox.pdm.device",
     {DOC(GIM("none") ", 'vbox': {'pdm': {'device': [{'name': 'GIMDev'}]}}"), "pdm/1:5", TARGET(GIM("none"))},
     {DOC(GIM("kvm") ", 'vbox': {'pdm': {'device': [{'name': 'GIMDev'}]}}"), "pdm/1:5", TARGET(GIM("kvm"))},
     false},
    {"GIM-DEV-002",
     "",
     {DOC("'vbox': {}"), "ich9pci/0:4", DOC("'profile': {'hypervisor': 'vbox', 'chipset': 'piix3'}")},
     {DOC("'vbox': {}"), "pci/0:4", DOC("'profile': {'hypervisor': 'vbox', 'chipset': 'piix3'}")},
     false},
    {"GIM-DEV-003",
     "vbox.pgm.mmio2",
     {DOC("'vbox': {'pgm': {'mmio2': [{'device': 'GIMDev'}]}}"), "pgm/1:14", TARGET(GIM("kvm"))},
     {DOC("'vbox': {'pgm': {'mmio2': [{'device': 'vga'}]}}"), "pgm/1:14", TARGET(GIM("kvm"))},
     false},
    {"GIM-QEMU-001",
     "qemu.machine",
     {QEMU("'machine': 'pc-i440fx-7.2'"), NULL, "qemu:7.2 -M q35"},
     {QEMU("'machine': 'pc-i440fx-7.2'"), NULL, "qemu:7.2 -M pc"},
     false},
    {"GIM-QEMU-002",
     "qemu.machine",
     {QEMU("'machine': 'pc-q35-8.0'"), NULL, "qemu:7.2"},
     {QEMU("'machine': 'pc-q35-8.0'"), NULL, "qemu:11.1"},
     false},
    {"GIM-QEMU-003",
     "",
     {QEMU("'machine': 'pc-q35-5.1'"), "cpu/0:12 kvmclock/0:1", "qemu:7.2 -cpu qemu64,-kvmclock"},
     {QEMU("'machine': 'pc-q35-5.2'"), "cpu/0:12 kvmclock/0:1", "qemu:7.2 -cpu qemu64,-kvmclock"},
     false},
    {"GIM-QEMU-003",
     "",
     {QEMU("'machine': 'pc-q35-7.2'"), "kvmclock/0:1", "qemu:7.2 -accel tcg"},
     {QEMU("'machine': 'pc-q35-7.2'"), "timer/0:1", "qemu:7.2 -accel tcg"},
     false},
    {"GIM-QEMU-004",
     "guest.vcpus",
     {QEMU_GUEST("", "'vcpus': 3"), NULL, "qemu:7.2 -smp 2"},
     {QEMU_GUEST("'device': [{'name': 'pm', 'instance': 0, 'order': 0, 'field': [{'path': 'piix4_pm/memhp:slots'}]}]", "'vcpus': 3"), NULL,
      "qemu:7.2 -smp 4"},
     false},
    {"GIM-QEMU-004",
     "guest.vcpus",
     {QEMU_GUEST("'device': [{'name': 'pm', 'instance': 0, 'order': 0, 'field': [{'path': 'piix4_pm/cpuhp:selector'}]}]", "'vcpus': 3"),
      NULL, "qemu:7.2 -smp 4"},
     {QEMU_GUEST("'device': [{'name': 'pm', 'instance': 0, 'order': 0, 'field': [{'path': 'piix4_pm/cpuhp:selector'}]}]", "'vcpus': 3"),
      NULL, "qemu:7.2 -smp 3"},
     false},
    {"GIM-QEMU-005",
     "guest.vcpus",
     {QEMU_GUEST("", "'vcpus': 3"), NULL, "qemu:7.2 -smp 4"},
     {QEMU_GUEST("", "'vcpus': 3"), NULL, "qemu:7.2 -smp 2"},
     false},
    {"GIM-QEMU-006",
     "guest.tsc_hz",
     {QEMU_GUEST("", "'tsc_hz': '0x9af8d230'"), NULL, "qemu:7.2 -cpu host,tsc-frequency=2599999000"},
     {QEMU_GUEST("", "'tsc_hz': '0x9af8d230'"), NULL, "qemu:7.2 -cpu host,tsc-frequency=2599998999"},
     false},
    {"GIM-QEMU-007",
     "hyperv.reenlightenment.control",
     {DOC("'hyperv': {'reenlightenment': {'control': '0x100ee'}}, 'qemu': {}"), NULL, "qemu:7.2 -cpu host,hv-reenlightenment"},
     {DOC("'hyperv': {'reenlightenment': {'control': '0x100ee'}}, 'qemu': {}"), NULL, "qemu:7.2 -cpu host,hv-reenlightenment,tsc-freq=2G"},
     false},
    {"GIM-QEMU-008",
     "qemu.capabilities",
     {QEMU("'capabilities': 'mapped-ram'"), NULL, "qemu:11.1 -M pc"},
     {QEMU("'capabilities': 'mapped-ram'"), NULL, "qemu:11.1 -M pc -global migration.mapped-ram=on"},
     false},
    {"GIM-QEMU-009",
     "qemu.uuid",
     {QEMU("'uuid': '0123456789abcdef'"), NULL, "qemu:7.2 -uuid 30313233-3435-3637-3839-616263646567"},
     {QEMU("'uuid': '0123456789abcdef'"), NULL, "qemu:7.2 -uuid 30313233-3435-3637-3839-616263646566"},
     false},
    {"GIM-QEMU-015",
     "",
     {QEMU("'machine': 'pc-i440fx-7.2'"), NULL, "qemu:7.2 -foo -M pc-i440fx-7.2"},
     {QEMU("'machine': 'pc-i440fx-7.2'"), NULL, "qemu:7.2 -M pc-i440fx-7.2 -smp 2"},
     false},
    {"GIM-QEMU-010",
     "kvm.vcpu[0].steal_time",
     {DOC("'kvm': {'vcpu': [{'steal_time': '0x5001'}]}, 'qemu': {}"), NULL, "qemu:7.2 -cpu host,-kvm-steal-time"},
     {DOC("'kvm': {'vcpu': [{'steal_time': '0x5001'}]}, 'qemu': {}"), NULL, "qemu:7.2 -cpu host,-kvmclock"},
     true},
    {"GIM-QEMU-010",
     "hyperv.reference_tsc",
     {DOC("'kvm': {'wall_clock': '0x0'}, 'hyperv': {'reference_tsc': '0x5001'}, 'qemu': {}"), NULL, "qemu:7.2 -cpu host,hv-relaxed"},
     {DOC("'kvm': {'wall_clock': '0x0'}, 'hyperv': {'reference_tsc': '0x5001'}, 'qemu': {}"), NULL, "qemu:7.2 -cpu host,hv-time"},
     true},
    {"GIM-QEMU-011",
     "qemu.enlightenments",
     {QEMU("'accelerator': 'tcg', 'enlightenments': 'hv-time'"), NULL, "qemu:7.2"},
     {QEMU("'accelerator': 'kvm', 'enlightenments': 'hv-time'"), NULL, "qemu:7.2"},
     false},
    {"GIM-QEMU-012",
     "qemu.ram_block",
     {QEMU("'ram_block': [{'name': 'pc.ram'}, {'name': 'synic-0-msg-page'}]"), NULL, "qemu:7.2 -cpu host"},
     {QEMU("'ram_block': [{'name': 'pc.ram'}, {'name': 'synic-0-msg-page'}]"), NULL, "qemu:7.2 -cpu host,hv-vpindex,hv-synic"},
     false},
    {"GIM-QEMU-013",
     "guest.ram_bytes",
     {QEMU_GUEST("", "'ram_bytes': '0x2000000'"), NULL, "qemu:7.2 -m 33"},
     {QEMU_GUEST("", "'ram_bytes': '0x2000000'"), NULL, "qemu:7.2 -m 32M"},
     false},
    {"GIM-QEMU-014",
     "",
     {QEMU("'device': [{'name': 'cpu', 'instance': 1, 'field': [{'path': 'env.tsc'}, {'path': 'cpu/xen_vcpu:env.xen_vcpu_info_gpa'}]}]"),
      "cpu/1:12", "qemu:7.2"},
     {QEMU("'device': [{'name': 'cpu', 'instance': 1, 'field': [{'path': 'env.tsc'}, {'path': 'cpu/xen_vcpu:env.xen_vcpu_info_gpa'}]}]"),
      "cpu/0:12", "qemu:8.0"},
     false},
    {"GIM-QEMU-014",
     "",
     {QEMU("'device': [{'name': 'xen_overlay'}]"), NULL, "qemu:7.2"},
     {QEMU("'device': [{'name': 'xenoverlay'}]"), NULL, "qemu:7.2"},
     false},
    {"GIM-QEMU-014",
     "",
     {QEMU("'device': [{'name': 'cpu', 'field': [{'path': 'cpu/of_tomorrow:env.new'}]}]"), "cpu/0:12", "qemu:7.2"},
     {QEMU("'device': [{'name': 'cpu', 'field': [{'path': 'cpu/of_tomorrow:env.new'}]}]"), "cpu/0:12", "qemu:11.1"},
     false},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static bool have_msrs(void)
{
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		if (!strcmp((*each)->name, "hyperv"))
			return (*each)->runtime && (*each)->runtime->msrs;
	return false;
}

static void each_rule(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		const struct gim_rule *rule = gim_rule_find(row->rule);
		if (!rule)
			fail_msg("%s: there is no such rule", row->rule);
		if (row->needs_msrs && !have_msrs()) {
			print_message("SKIP %s: there is no table of MSRs\n", row->rule);
			continue;
		}
		const struct heard broken = judge(row->rule, row->breaks.state, row->breaks.units, row->breaks.target);
		const struct heard kept = judge(row->rule, row->nearly.state, row->nearly.units, row->nearly.target);
		if (!broken.count || strcmp(broken.path, row->path) != 0)
			fail_msg("%s: not found at \"%s\", but \"%s\": %s", row->rule, row->path, broken.path, broken.order);
		if (broken.severity != rule->severity)
			fail_msg("%s: another severity", row->rule);
		if (row->breaks.units && rule->status && !broken.has_unit)
			fail_msg("%s: it does not say in which unit", row->rule);
		if (kept.count)
			fail_msg("%s: found where it is kept: %s", row->rule, kept.text);
	}
}

static bool has_row(const char *id)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!strcmp(rows[i].rule, id))
			return true;
	return false;
}

static void check_table(const struct gim_check_rule *table)
{
	for (; table && table->rule.id; table++) {
		if (!has_row(table->rule.id))
			fail_msg("%s has no test", table->rule.id);
		if (table->unit && table->stage == GIM_STAGE_HEADER && !table->rule.status)
			fail_msg("%s: a unit without a status", table->rule.id);
	}
}

static void every_rule_has_a_row(void **unused)
{
	(void)unused;
	check_table(gim_check_rules);
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		check_table((*each)->checks);
	for (const struct gim_format *const *each = gim_formats; *each; each++)
		check_table((*each)->checks);
}

/*
 * What QEMU loads without a word though the target's guest is not shown it: one row for each enlightenment that a stream can have in use.
 */
static const struct silent {
	const char *property, *path, *members; /* members: a state in which it is in use */
	const char *before;                    /* what else -cpu needs to have it */
} silent[] = {
    {"kvmclock", "kvm.vcpu[0].system_time", "'kvm': {'vcpu': [{'system_time': '0x5001'}]}", ""},
    {"kvm-asyncpf", "kvm.vcpu[0].async_pf", "'kvm': {'vcpu': [{'async_pf': '0x5001'}]}", ""},
    {"kvm-asyncpf-int", "kvm.vcpu[0].async_pf_int", "'kvm': {'vcpu': [{'async_pf_int': '0xf3'}]}", ""},
    {"kvm-pv-eoi", "kvm.vcpu[0].pv_eoi", "'kvm': {'vcpu': [{'pv_eoi': '0x5001'}]}", ""},
    {"kvm-steal-time", "kvm.vcpu[0].steal_time", "'kvm': {'vcpu': [{'steal_time': '0x5001'}]}", ""},
    {"kvm-poll-control", "kvm.vcpu[0].poll_control", "'kvm': {'vcpu': [{'poll_control': '0x0'}]}", ""},
    {"hv-relaxed", "hyperv.guest_os_id", "'hyperv': {'guest_os_id': '0x1040a00004f7c'}", ""},
    {"hv-vapic", "hyperv.vp[0].vp_assist", "'hyperv': {'vp': [{'vp_assist': '0x5001'}]}", ""},
    {"hv-time", "hyperv.reference_tsc", "'hyperv': {'reference_tsc': '0x5001'}", ""},
    {"hv-crash", "hyperv.crash.p1", "'hyperv': {'crash': {'p1': '0xdead'}}", ""},
    {"hv-runtime", "hyperv.vp[0].runtime", "'hyperv': {'vp': [{'runtime': '0x64'}]}", ""},
    {"hv-synic", "hyperv.vp[0].scontrol", "'hyperv': {'vp': [{'scontrol': '0x1'}]}", "hv-vpindex,"},
    {"hv-stimer", "hyperv.vp[0].stimer[0].config", "'hyperv': {'vp': [{'stimer': [{'config': '0x20001'}, {}, {}, {}]}]}",
     "hv-vpindex,hv-synic,hv-time,"},
    {"hv-reenlightenment", "hyperv.reenlightenment.control", "'hyperv': {'reenlightenment': {'control': '0x100ee'}}", "tsc-frequency=2G,"},
};
enum { SILENT = sizeof(silent) / sizeof(silent[0]) };

static void silent_loss(const struct silent *row, const char *options, bool lost)
{
	char state[512], target[256];
	(void)snprintf(state, sizeof(state), DOC("'qemu': {}, %s"), row->members);
	(void)snprintf(target, sizeof(target), "qemu:11.1 -M pc -accel kvm %s", options);
	const struct heard heard = judge("GIM-QEMU-010", state, NULL, target);
	if (lost ? !heard.count || strcmp(heard.path, row->path) || heard.severity != GIM_WARNING : heard.count)
		fail_msg("%s, %s: %s at %s: %s", row->property, target, lost ? "not found" : "found", heard.path, heard.text);
}

static void what_qemu_drops(void **unused)
{
	char options[128];
	(void)unused;
	for (const struct silent *row = silent; row < silent + SILENT; row++) {
		const bool kvm = !strncmp(row->property, "kvm", 3);
		(void)snprintf(options, sizeof(options), "-cpu host,%s%s=%s", row->before, row->property, "off");
		silent_loss(row, options, true);
		(void)snprintf(options, sizeof(options), "-cpu host,%s%s=%s", row->before, row->property, "on");
		silent_loss(row, options, false);
		silent_loss(row, "-cpu host,kvm=off", true);
		silent_loss(row, "-cpu host", !kvm);
		/* Nothing is known of what its guest is shown. */
		silent_loss(row, "", false);
	}
}

/* An enlightenment that can be in use has a row above. */
static void everything_in_use_has_a_row(void **unused)
{
	(void)unused;
	for (const struct qemu_enlightenment *each = qemu_enlightenments; each->property; each++) {
		size_t i = 0;
		while (i < SILENT && strcmp(silent[i].property, each->property) != 0)
			i++;
		if (i == SILENT)
			fail_msg("%s: what happens where the target lacks it is not tested", each->property);
	}
}

/* Findings come as a loader meets them, and what follows from another one is not told. */
static void order(void **unused)
{
	(void)unused;
	const char *state =
	    "4:" DOC(GIM("hyperv") ", 'hyperv': {" PAGES("0x5001", "0x900000") "}, 'guest': {'vcpus': 2, 'ram_bytes': '0x400000'}");
	struct heard heard =
	    judge(NULL, state, "mm/1:2 cpum/1:24 GIM/0:1", TARGET(GIM("hyperv") ", 'guest': {'vcpus': 3, 'ram_bytes': '0x500000'}"));
	assert_string_equal(heard.order, "GIM-RAM-001 GIM-CPU-001 GIM-PAGE-003 ");
	heard = judge(NULL, state, "cpum/1:24 mm/1:2 GIM/0:1", TARGET(GIM("hyperv") ", 'guest': {'vcpus': 3, 'ram_bytes': '0x400000'}"));
	assert_string_equal(heard.order, "GIM-CPU-001 GIM-PAGE-001 GIM-PAGE-003 ");
	/* Of another interface nothing else matters, and its layout neither. */
	heard = judge(NULL, state, "GIM/0:1", DOC("'profile': {'release': 'vbox:5.0'}, " GIM("kvm")));
	assert_string_equal(heard.order, "GIM-PROV-001 GIM-VER-003 GIM-PAGE-003 ");
}

/* What is not known of the target is not judged. */
static void unknown_target(void **unused)
{
	(void)unused;
	const struct heard heard = judge(NULL, HV_GUEST("'vp': [{'scontrol': '0x0'}]", "'vcpus': 2, 'ram_bytes': '0x400000'"),
	                                 "GIM/0:1 x/0:9", DOC("'profile': {}"));
	assert_string_equal(heard.order, "");
}

static void expect_refusal(const char *text, int code, const char *path, const char *part)
{
	char json[2048];
	struct gim_target *target = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	const int result = gim_target_open_json("bad", quoted(text, json, sizeof(json)), strlen(text), &target, &error);
	if (result != code || strcmp(error.path, path) != 0 || !strstr(error.text, part))
		fail_msg("%s: %d %s: %s", text, result, error.path, error.text);
	assert_null(target);
}

/* Profiles are read strictly. */
static void bad_profiles(void **unused)
{
	(void)unused;
	expect_refusal("{", GIM_E_FORMAT, "", "line 1");
	expect_refusal("{'gimstate': 2, 'profile': {}}", GIM_E_VERSION, "gimstate", "form 2");
	expect_refusal(DOC("'profile': {'relase': 'vbox:7.2'}"), GIM_E_PATH, "profile.relase", "no such field");
	expect_refusal(DOC("'profile': {'release': 7}"), GIM_E_VALUE, "profile.release", "a string");
	expect_refusal(DOC("'profile': {'release': 'vbox:9.9'}"), GIM_E_ARGUMENT, "", "no release that is known");
	expect_refusal(DOC("'profile': {}, 'guest': {'vcpus': -1}"), GIM_E_VALUE, "guest.vcpus", "-1");
	expect_refusal(DOC("'profile': {}, 'guest': {'vcpus': 0}"), GIM_E_VALUE, "guest.vcpus", "1 to 1024");
	expect_refusal(DOC("'profile': {}, 'guest': {'vcpus': 1025}"), GIM_E_VALUE, "guest.vcpus", "1 to 1024");
	expect_refusal(DOC("'profile': {}, 'gim': {'provider': 'xen'}"), GIM_E_VALUE, "gim.provider", "xen");
	expect_refusal(DOC("'profile': {}, 'hyperv': {'features': {'base': ['no_such_bit']}}"), GIM_E_VALUE, "hyperv.features.base",
	               "no_such_bit");
	expect_refusal(DOC("'profile': {'leaf': [{'interface': 'xen', 'leaf': 1}]}"), GIM_E_VALUE, "", "xen");
	expect_refusal(DOC("'nonsense': {}"), GIM_E_PATH, "nonsense", "no such record");
}

/* Leaves fill the words that the profile does not give itself. */
static void leaves(void **unused)
{
	(void)unused;
	struct gim_target *target =
	    read_target(DOC("'profile': {'leaf': [{'interface': 'kvm', 'leaf': 1073741825, 'eax': 8}, {'interface': 'hyperv', 'leaf': "
	                    "1073741827, 'eax': 1, 'ebx': 2}]}, 'hyperv': {'features': {'base': ['0x200']}}"));
	assert_int_equal(gim_state_value(&target->state, "kvm.features.base").number, 8);
	assert_int_equal(gim_state_value(&target->state, "hyperv.features.base").number, 0x200);
	assert_int_equal(gim_state_value(&target->state, "hyperv.features.partition").number, 2);
	gim_target_free(&target);
	gim_target_free(&target);
	gim_target_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_rule),
	    cmocka_unit_test(every_rule_has_a_row),
	    cmocka_unit_test(order),
	    cmocka_unit_test(what_qemu_drops),
	    cmocka_unit_test(everything_in_use_has_a_row),
	    cmocka_unit_test(unknown_target),
	    cmocka_unit_test(bad_profiles),
	    cmocka_unit_test(leaves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
