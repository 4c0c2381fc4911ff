/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A guest in a bundle (gimstate-bundle(5)): the guest interface as the state, vCPUs and devices as machine.json, and the memory that is not zero.
 */
#include "guest_registers.h"

#include "output.h"
#include "written.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sys/ioctl.h>

#define PAGE_BYTES UINT64_C(4096)
#define DOCUMENT_MAX (8u << 20)
#define MANIFEST "manifest.json"
#define DOCUMENT_VERSION 1
#define RUNS_MAX 900 /* of memory; a bundle has 1024 members at most */

static int refuse(struct gim_error *error, const char *what)
{
	return error_set(error, GIM_E_IO, "%s: %s", what, strerror(errno));
}

static int no_memory(struct gim_error *error)
{
	return error_set(error, GIM_E_MEMORY, "out of memory");
}

/*
 * Saving.
 */
static json_t *bytes_json(const uint8_t *bytes, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(array, json_integer(bytes[i]));
	return array;
}

static json_t *devices_json(const struct board *board)
{
	return json_pack("{s:i, s:i, s:o, s:o}", "fw_cfg_item", board->fw_cfg_item, "fw_cfg_at", board->fw_cfg_at, "serial",
	                 bytes_json(board->serial, sizeof(board->serial)), "serial_divisor",
	                 bytes_json(board->serial_divisor, sizeof(board->serial_divisor)));
}

/* Where a guest that another hypervisor saved has memory, as far as it lies where the RAM does; null: it is a board of ours. */
static json_t *regions_json(const struct guest *guest)
{
	json_t *array = guest->foreign ? json_array() : json_null();
	for (unsigned i = 0; guest->foreign && i < guest->vm.region_count; i++) {
		const struct vm_region *region = &guest->vm.regions[i];
		if (region->gpa + region->bytes <= guest->vm.ram_bytes)
			(void)json_array_append_new(array, json_pack("{s:o, s:o, s:b}", "gpa", guest_hex(region->gpa), "size",
			                                             guest_hex(region->bytes), "rom", region->readonly));
	}
	return array;
}

static int make_document(struct guest *guest, char **text, struct gim_error *error)
{
	struct kvm_clock_data clock = {.clock = 0};
	json_t *vcpus = json_array(), *vcpu;
	int result = 0;
	if (guest->kernel_clock && ioctl(guest->vm.fd, KVM_GET_CLOCK, &clock))
		result = refuse(error, "KVM's clock cannot be read");
	for (uint32_t i = 0; !result && i < guest->vm.vcpu_count; i++)
		if (!(result = guest_vcpu_json(guest, i, &vcpu, error)))
			(void)json_array_append_new(vcpus, vcpu);
	json_t *json =
	    json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "gimstate_machine", DOCUMENT_VERSION, "regions", regions_json(guest), "tsc",
	              guest_hex(vm_tsc(&guest->vm)), "kernel_clock_ns", guest->kernel_clock ? guest_hex(clock.clock) : json_null(),
	              "devices", devices_json(&guest->board), "vcpus", vcpus);
	*text = !result && json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	json_decref(json);
	return result || *text ? result : no_memory(error);
}

static bool is_zero(const uint8_t *page)
{
	const uint64_t *words = (const uint64_t *)(const void *)page;
	for (size_t i = 0; i < PAGE_BYTES / sizeof(*words); i++)
		if (words[i])
			return false;
	return true;
}

struct memory_run {
	struct gim_pack_member member;
	char name[48];
};

/* Runs of pages that are not zero, with gaps of at most `gap` bytes in them; false: there are too many. */
static bool find_runs(const struct guest *guest, uint64_t gap, struct memory_run *runs, size_t *count)
{
	uint64_t end = 0; /* of the last run */
	*count = 0;
	for (uint64_t at = 0; at < guest->vm.ram_bytes; at += PAGE_BYTES) {
		if (is_zero(guest->vm.ram + at))
			continue;
		if (!*count || at - end > gap) {
			if (*count == RUNS_MAX)
				return false;
			struct memory_run *run = &runs[(*count)++];
			(void)snprintf(run->name, sizeof(run->name), "memory/%010" PRIx64 ".bin", at);
			run->member = (struct gim_pack_member){.name = run->name, .memory = true, .gpa = at, .bytes = guest->vm.ram + at};
		}
		end = at + PAGE_BYTES;
		runs[*count - 1].member.size_bytes = end - runs[*count - 1].member.gpa;
	}
	return true;
}

static int write_bundle(struct guest *guest, const char *path, struct gim_state *state, const struct gim_pack_options *how,
                        struct gim_error *error)
{
	struct gim_output *output;
	int result = written_new(path, guest->options->replace, &output, error);
	return result ? result : output_end(output, gim_state_pack(state, how, gim_output_write, output, NULL, error), error);
}

/* The members behind the state: the document, then the memory. */
static int pack_all(struct guest *guest, const char *path, struct gim_state *state, const char *text, struct gim_error *error)
{
	struct memory_run *runs = calloc(RUNS_MAX, sizeof(*runs));
	struct gim_pack_member *members = calloc(RUNS_MAX + 1, sizeof(*members));
	size_t count = 0;
	int result = runs && members ? 0 : no_memory(error);
	for (uint64_t gap = 16 * PAGE_BYTES; !result && !find_runs(guest, gap, runs, &count); gap *= 2)
		;
	if (!result) {
		members[0] = (struct gim_pack_member){.name = GUEST_DOCUMENT, .bytes = text, .size_bytes = strlen(text)};
		for (size_t i = 0; i < count; i++)
			members[i + 1] = runs[i].member;
		const struct gim_pack_options how = {.name = path, .members = members, .member_count = count + 1};
		result = write_bundle(guest, path, state, &how, error);
	}
	free(runs);
	free(members);
	return result;
}

int guest_save(struct guest *guest, const char *path, struct gim_error *error)
{
	struct gim_state *state = NULL;
	char *text = NULL;
	for (uint32_t i = 0; i < guest->vm.vcpu_count; i++)
		if (guest->vcpus[i].running)
			gim_machine_run(guest->machine, i, false);
	int result = gim_machine_save(guest->machine, &state, error);
	if (!result)
		result = make_document(guest, &text, error);
	if (!result)
		result = pack_all(guest, path, state, text, error);
	free(text);
	gim_state_free(&state);
	return result;
}

/*
 * Reading the bundle.
 */
struct text {
	char *bytes;
	size_t used, size;
};

/* What its members are, as far as it was read. */
struct reading {
	struct guest *guest;
	struct text manifest, document;
	json_t *members;  /* of the manifest */
	bool memory;      /* memory is wanted, not the document */
	size_t next;      /* of members */
	uint64_t at, end; /* where the member's next byte goes, and its end */
};

static int take_text(void *user, const void *bytes, size_t size)
{
	struct text *text = (struct text *)user;
	if (size > text->size - text->used)
		return -1;
	memcpy(text->bytes + text->used, bytes, size);
	text->used += size;
	return 0;
}

static int take_memory(void *user, const void *bytes, size_t size)
{
	struct reading *reading = (struct reading *)user;
	if (size > reading->end - reading->at)
		return -1;
	memcpy(reading->guest->vm.ram + reading->at, bytes, size);
	reading->at += size;
	return 0;
}

static int begin_text(struct text *text, uint64_t size, gim_sink_fn **sink, void **user, struct gim_error *error)
{
	if (size == GIM_UNKNOWN || size > DOCUMENT_MAX)
		size = DOCUMENT_MAX;
	text->bytes = malloc((size_t)size + 1);
	text->size = (size_t)size;
	*sink = take_text;
	*user = text;
	return text->bytes ? 0 : no_memory(error);
}

static int read_manifest(struct reading *reading, struct gim_error *error)
{
	json_error_t own;
	json_t *manifest = json_loadb(reading->manifest.bytes, reading->manifest.used, 0, &own);
	reading->members = json_incref(json_object_get(manifest, "members"));
	json_decref(manifest);
	/* The library has read it already, and found it sound. */
	return reading->members ? 0 : error_set(error, GIM_E_CORRUPT, "the manifest cannot be read: %s", own.text);
}

static int begin_memory(struct reading *reading, const json_t *member, uint64_t size, gim_sink_fn **sink, void **user,
                        struct gim_error *error)
{
	const uint64_t ram = reading->guest->vm.ram_bytes;
	uint64_t gpa = GIM_UNKNOWN;
	if (!guest_read_hex(json_object_get(member, "gpa"), 8, &gpa) || gpa > ram || size > ram - gpa)
		return error_set(error, GIM_E_CORRUPT, "%s: memory outside of the %" PRIu64 " MiB of RAM",
		                 json_string_value(json_object_get(member, "name")), ram >> 20);
	reading->at = gpa;
	reading->end = gpa + size;
	*sink = take_memory;
	*user = reading;
	return 0;
}

static int on_member(void *user, const char *name, uint64_t size, gim_sink_fn **sink, void **sink_user, struct gim_error *error)
{
	struct reading *reading = (struct reading *)user;
	if (!strcmp(name, MANIFEST))
		return begin_text(&reading->manifest, size, sink, sink_user, error);
	int result = reading->members ? 0 : read_manifest(reading, error);
	const json_t *member = json_array_get(reading->members, reading->next++);
	const char *role = json_string_value(json_object_get(member, "role"));
	if (!result && !reading->memory && reading->document.bytes)
		return GIM_E_STOPPED; /* all that was wanted is there */
	if (!result && role && !strcmp(role, "machine") && !reading->memory)
		return begin_text(&reading->document, size, sink, sink_user, error);
	if (!result && role && !strcmp(role, "memory") && reading->memory)
		return begin_memory(reading, member, size, sink, sink_user, error);
	return result;
}

static void end_reading(struct reading *reading)
{
	free(reading->manifest.bytes);
	free(reading->document.bytes);
	json_decref(reading->members);
}

int guest_read_document(struct guest *guest, struct gim_error *error)
{
	struct reading reading = {.guest = guest};
	struct gim_error own = GIM_ERROR_INIT;
	json_error_t wrong;
	int result = gim_bundle_read(guest->options->state_path, on_member, &reading, &own);
	if (!reading.document.bytes) {
		result = error_set(error, GIM_E_NO_UNIT, "%s",
		                   own.code == GIM_E_IO
		                       ? own.text
		                       : "it holds no guest to go on with: neither the vCPUs and the memory of one, nor a machine "
		                         "that replay --save-at wrote");
	} else if (result && result != GIM_E_STOPPED) {
		*error = own;
	} else {
		guest->document = json_loadb(reading.document.bytes, reading.document.used, JSON_REJECT_DUPLICATES, &wrong);
		result = guest->document ? 0 : error_set(error, GIM_E_CORRUPT, "%s: line %d: %s", GUEST_DOCUMENT, wrong.line, wrong.text);
	}
	end_reading(&reading);
	if (result)
		return result;
	if (json_integer_value(json_object_get(guest->document, "gimstate_machine")) != DOCUMENT_VERSION)
		return error_set(error, GIM_E_VERSION, "%s is of another version; this release reads %d", GUEST_DOCUMENT, DOCUMENT_VERSION);
	guest->kernel_clock = json_is_string(json_object_get(guest->document, "kernel_clock_ns"));
	guest->foreign = json_is_array(json_object_get(guest->document, "regions"));
	return 0;
}

static int read_memory(struct guest *guest, struct gim_error *error)
{
	struct reading reading = {.guest = guest, .memory = true};
	const int result = gim_bundle_read(guest->options->state_path, on_member, &reading, error);
	end_reading(&reading);
	return result;
}

/*
 * Restoring.
 */
static bool read_bytes(const json_t *json, uint8_t *bytes, size_t count)
{
	if (json_array_size(json) != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		const json_int_t value = json_integer_value(json_array_get(json, i));
		if (!json_is_integer(json_array_get(json, i)) || value < 0 || value > UINT8_MAX)
			return false;
		bytes[i] = (uint8_t)value;
	}
	return true;
}

static int set_devices(struct guest *guest, struct gim_error *error)
{
	const json_t *json = json_object_get(guest->document, "devices");
	const json_int_t item = json_integer_value(json_object_get(json, "fw_cfg_item")),
			 at = json_integer_value(json_object_get(json, "fw_cfg_at"));
	struct board *board = &guest->board;
	if (item < 0 || item > UINT16_MAX || at < 0 || at > UINT16_MAX ||
	    !read_bytes(json_object_get(json, "serial"), board->serial, sizeof(board->serial)) ||
	    !read_bytes(json_object_get(json, "serial_divisor"), board->serial_divisor, sizeof(board->serial_divisor)))
		return guest_bad(error, "devices", "the state of fw_cfg and of the serial line");
	board->fw_cfg_item = (uint16_t)item;
	board->fw_cfg_at = (uint16_t)at;
	return 0;
}

static int set_vcpu(struct guest *guest, uint32_t id, struct saved_vcpu *saved, const json_t *msrs, struct gim_error *error)
{
	int result = guest_set_registers(guest, id, saved, error);
	if (!result)
		result = guest_set_msrs(guest, id, msrs, error);
	return result ? result : guest_set_events(guest, id, saved, error);
}

static int set_vcpus(struct guest *guest, struct saved_vcpu *saved, struct gim_error *error)
{
	const json_t *vcpus = json_object_get(guest->document, "vcpus");
	const json_t *clock_ns = json_object_get(guest->document, "kernel_clock_ns");
	struct kvm_clock_data clock = {.clock = 0};
	int result = guest_set_cpuid(guest, error);
	uint64_t ns = 0;
	if (!result && guest->kernel_clock && !guest_read_hex(clock_ns, 8, &ns))
		result = guest_bad(error, "kernel_clock_ns", "a number \"0x...\" or null");
	clock.clock = ns;
	if (!result && guest->kernel_clock && ioctl(guest->vm.fd, KVM_SET_CLOCK, &clock))
		result = refuse(error, "KVM's clock cannot be set");
	for (uint32_t i = 0; !result && i < guest->vm.vcpu_count; i++)
		result = set_vcpu(guest, i, &saved[i], json_object_get(json_array_get(vcpus, i), "msrs"), error);
	return result;
}

/* Boards of ours have one, with a hole where devices are. */
static int set_regions(struct guest *guest, struct gim_error *error)
{
	const json_t *json = json_object_get(guest->document, "regions");
	uint64_t end = 0;
	int result = 0;
	if (guest->foreign)
		guest->vm.region_count = 0;
	for (size_t i = 0; !result && i < json_array_size(json); i++) {
		const json_t *region = json_array_get(json, i);
		uint64_t gpa, size;
		if (!guest_read_hex(json_object_get(region, "gpa"), 8, &gpa) ||
		    !guest_read_hex(json_object_get(region, "size"), 8, &size) || gpa % PAGE_BYTES || size % PAGE_BYTES || gpa < end ||
		    gpa > guest->vm.ram_bytes || size > guest->vm.ram_bytes - gpa)
			return guest_bad(error, "regions", "whole pages of RAM, by rising address,");
		end = gpa + size;
		result = vm_add_region(&guest->vm, gpa, size, guest->vm.ram + gpa, json_is_true(json_object_get(region, "rom")), error);
	}
	return result;
}

/* Time stands until the machine's load is done, which comes last of what is not KVM's. */
static int restore(struct guest *guest, struct saved_vcpu *saved, uint64_t tsc, struct gim_error *error)
{
	const json_t *vcpus = json_object_get(guest->document, "vcpus");
	int result = 0;
	for (uint32_t i = 0; !result && i < guest->vm.vcpu_count; i++)
		result = guest_read_vcpu(json_array_get(vcpus, i), &saved[i], error);
	if (!result)
		result = guest_set_tsc(guest, tsc, error);
	if (!result)
		result = set_devices(guest, error);
	if (!result)
		result = read_memory(guest, error);
	if (!result)
		result = set_regions(guest, error);
	for (uint32_t i = 0; !result && i < guest->vm.vcpu_count; i++)
		guest_take_vcpu(guest, i, &saved[i], tsc);
	if (!result)
		result = gim_machine_load(guest->machine, guest->options->state, NULL, NULL, error);
	if (!result)
		result = gim_machine_load_done(guest->machine, error);
	return result ? result : set_vcpus(guest, saved, error);
}

int guest_restore(struct guest *guest, struct gim_error *error)
{
	const uint32_t count = guest->vm.vcpu_count;
	struct saved_vcpu *saved = calloc(count, sizeof(*saved));
	uint64_t tsc = 0;
	int result = saved ? 0 : no_memory(error);
	if (!result && json_array_size(json_object_get(guest->document, "vcpus")) != count)
		result = guest_bad(error, "vcpus", "one for each vCPU of the state");
	if (!result && !guest_read_hex(json_object_get(guest->document, "tsc"), 8, &tsc))
		result = guest_bad(error, "tsc", "a number \"0x...\"");
	if (!result)
		result = restore(guest, saved, tsc, error);
	free(saved);
	return result;
}

#endif
