/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A guest in a bundle (gimstate-bundle(5)): the guest interface as the state, vCPUs and devices as machine.json, and the memory that is not zero. What a vCPU has is one table,
 * read and written by the same walk.
 */
#include "guest_parts.h"

#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

#define PAGE_BYTES UINT64_C(4096)
#define DOCUMENT "machine.json"
#define DOCUMENT_MAX (8u << 20)
#define MANIFEST "manifest.json"
#define DOCUMENT_VERSION 1
#define RUNS_MAX 900 /* of memory; a bundle has 1024 members at most */
#define MSRS_MAX 1024
#define MSR_TSC 0x10u
#define MSR_TSC_ADJUST 0x3bu
#define MSR_TSC_DEADLINE 0x6e0u

static int refuse(struct gim_error *error, const char *what)
{
	return error_set(error, GIM_E_IO, "%s: %s", what, strerror(errno));
}

static int no_memory(struct gim_error *error)
{
	return error_set(error, GIM_E_MEMORY, "out of memory");
}

static int bad(struct gim_error *error, const char *path, const char *expected)
{
	return error_set(error, GIM_E_CORRUPT, "%s: %s: %s is expected", DOCUMENT, path, expected);
}

/*
 * What a vCPU is.
 */
struct saved_vcpu {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_debugregs debug;
	struct kvm_vcpu_events events;
	struct kvm_xcrs xcrs;
	uint32_t xsave[1024]; /* struct kvm_xsave, which has no end that C knows */
	struct apic apic;
	uint8_t activity, interruptible, init, nmi;
	uint32_t startup; /* 0x100: none */
};
#define NO_STARTUP 0x100u

struct row {
	const char *name;
	size_t offset;
	uint8_t width;
	uint16_t count; /* of an array; 0: a single one */
};
#define ONE(name, member)                                                                                                                  \
	{                                                                                                                                  \
		name, offsetof(struct saved_vcpu, member), sizeof(((struct saved_vcpu *)0)->member), 0                                     \
	}
#define MANY(name, member)                                                                                                                 \
	{                                                                                                                                  \
		name, offsetof(struct saved_vcpu, member), sizeof(((struct saved_vcpu *)0)->member[0]),                                    \
		    sizeof(((struct saved_vcpu *)0)->member) / sizeof(((struct saved_vcpu *)0)->member[0])                                 \
	}
#define REG(name) ONE(#name, regs.name)
#define CONTROL(name) ONE(#name, sregs.name)
#define EVENT(name) ONE("events." #name, events.name)
#define APIC(name) ONE("apic." #name, apic.name)
#define SEGMENT(name)                                                                                                                      \
	ONE(#name ".base", sregs.name.base), ONE(#name ".limit", sregs.name.limit), ONE(#name ".selector", sregs.name.selector),           \
	    ONE(#name ".type", sregs.name.type), ONE(#name ".present", sregs.name.present), ONE(#name ".dpl", sregs.name.dpl),             \
	    ONE(#name ".db", sregs.name.db), ONE(#name ".s", sregs.name.s), ONE(#name ".l", sregs.name.l), ONE(#name ".g", sregs.name.g),  \
	    ONE(#name ".avl", sregs.name.avl), ONE(#name ".unusable", sregs.name.unusable)
#define TABLE(name) ONE(#name ".base", sregs.name.base), ONE(#name ".limit", sregs.name.limit)

static const struct row rows[] = {
    ONE("activity", activity),
    ONE("interruptible", interruptible),
    ONE("init", init),
    ONE("nmi", nmi),
    ONE("startup", startup),
    REG(rax),
    REG(rbx),
    REG(rcx),
    REG(rdx),
    REG(rsi),
    REG(rdi),
    REG(rsp),
    REG(rbp),
    REG(r8),
    REG(r9),
    REG(r10),
    REG(r11),
    REG(r12),
    REG(r13),
    REG(r14),
    REG(r15),
    REG(rip),
    REG(rflags),
    SEGMENT(cs),
    SEGMENT(ds),
    SEGMENT(es),
    SEGMENT(fs),
    SEGMENT(gs),
    SEGMENT(ss),
    SEGMENT(tr),
    SEGMENT(ldt),
    TABLE(gdt),
    TABLE(idt),
    CONTROL(cr0),
    CONTROL(cr2),
    CONTROL(cr3),
    CONTROL(cr4),
    CONTROL(cr8),
    CONTROL(efer),
    MANY("interrupt_bitmap", sregs.interrupt_bitmap),
    MANY("dr", debug.db),
    ONE("dr6", debug.dr6),
    ONE("dr7", debug.dr7),
    EVENT(exception.injected),
    EVENT(exception.nr),
    EVENT(exception.has_error_code),
    EVENT(exception.error_code),
    EVENT(interrupt.injected),
    EVENT(interrupt.nr),
    EVENT(interrupt.soft),
    EVENT(interrupt.shadow),
    EVENT(nmi.injected),
    EVENT(nmi.pending),
    EVENT(nmi.masked),
    ONE("xcr0", xcrs.xcrs[0].value),
    MANY("xsave", xsave),
    APIC(base),
    APIC(icr),
    APIC(timer_due_tsc),
    APIC(id),
    APIC(tpr),
    APIC(ldr),
    APIC(dfr),
    APIC(svr),
    APIC(esr),
    APIC(divide),
    APIC(initial_count),
    MANY("apic.lvt", apic.lvt),
    MANY("apic.irr", apic.irr),
    MANY("apic.isr", apic.isr),
    MANY("apic.auto_eoi", apic.auto_eoi),
};

static json_t *hex(uint64_t value)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return json_string(text);
}

/* false: it is no number of so many bytes. */
static bool read_hex(const json_t *json, unsigned width, uint64_t *value)
{
	const char *text = json_string_value(json);
	if (!text || strncmp(text, "0x", 2) != 0 || !text[2] || strlen(text) > 2 + 2 * width ||
	    strspn(text + 2, "0123456789abcdef") != strlen(text) - 2)
		return false;
	*value = strtoull(text, NULL, 16);
	return true;
}

/* Numbers are little-endian, as this host is. */
static json_t *row_json(const struct row *row, const struct saved_vcpu *vcpu)
{
	const char *at = (const char *)vcpu + row->offset;
	json_t *array = row->count ? json_array() : NULL;
	unsigned count = row->count;
	uint64_t value = 0;
	if (!array) {
		memcpy(&value, at, row->width);
		return hex(value);
	}
	/* Zeros at the end of an array say nothing. */
	static const char zeros[8];
	while (count && !memcmp(at + (count - 1) * row->width, zeros, row->width))
		count--;
	for (unsigned i = 0; i < count; i++) {
		value = 0;
		memcpy(&value, at + i * row->width, row->width);
		(void)json_array_append_new(array, hex(value));
	}
	return array;
}

static bool read_row(const struct row *row, const json_t *json, struct saved_vcpu *vcpu)
{
	char *at = (char *)vcpu + row->offset;
	uint64_t value;
	if (row->count ? !json_is_array(json) || json_array_size(json) > row->count : !json_is_string(json))
		return false;
	memset(at, 0, (size_t)row->width * (row->count ? row->count : 1));
	for (size_t i = 0; i < (row->count ? json_array_size(json) : 1); i++) {
		if (!read_hex(row->count ? json_array_get(json, i) : json, row->width, &value))
			return false;
		memcpy(at + i * row->width, &value, row->width);
	}
	return true;
}

/*
 * MSRs: those that the kernel keeps.
 */
static struct kvm_msr_list *list_msrs(struct guest *guest, struct gim_error *error)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MSRS_MAX * sizeof(list->indices[0]));
	if (!list) {
		(void)no_memory(error);
		return NULL;
	}
	list->nmsrs = MSRS_MAX;
	if (ioctl(guest->vm.kvm, KVM_GET_MSR_INDEX_LIST, list)) {
		(void)refuse(error, "KVM does not say which MSRs it has");
		free(list);
		return NULL;
	}
	return list;
}

/* The TSC goes on by its offset. Where the core serves KVM's MSRs, the kernel's say nothing. */
static bool is_kept(const struct guest *guest, uint32_t msr)
{
	if (msr == MSR_TSC || msr == MSR_TSC_ADJUST || msr == MSR_TSC_DEADLINE)
		return false;
	return guest->kernel_clock || !(msr == 0x11 || msr == 0x12 || (msr >= 0x4b564d00 && msr <= 0x4b564d0f));
}

static bool move_msr(int fd, unsigned long request, uint32_t msr, uint64_t *value)
{
	uint64_t bytes[(sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)) / sizeof(uint64_t)] = {0};
	struct kvm_msrs *one = (struct kvm_msrs *)(void *)bytes;
	one->nmsrs = 1;
	one->entries[0] = (struct kvm_msr_entry){.index = msr, .data = *value};
	if (ioctl(fd, request, one) != 1)
		return false;
	*value = one->entries[0].data;
	return true;
}

static int msrs_json(struct guest *guest, uint32_t vcpu, json_t *json, struct gim_error *error)
{
	struct kvm_msr_list *list = list_msrs(guest, error);
	if (!list)
		return error->code;
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		char name[16];
		uint64_t value = 0;
		(void)snprintf(name, sizeof(name), "0x%" PRIx32, list->indices[i]);
		if (is_kept(guest, list->indices[i]) && move_msr(guest->vm.vcpus[vcpu].fd, KVM_GET_MSRS, list->indices[i], &value))
			(void)json_object_set_new(json, name, hex(value));
	}
	free(list);
	return 0;
}

/* An MSR that this host does not take must at least have the value already. */
static int set_msrs(struct guest *guest, uint32_t vcpu, const json_t *json, struct gim_error *error)
{
	const int fd = guest->vm.vcpus[vcpu].fd;
	const char *name;
	json_t *text;
	if (!json_is_object(json))
		return bad(error, "msrs", "an object");
	json_object_foreach((json_t *)(uintptr_t)json, name, text)
	{
		json_t *key = json_string(name);
		uint64_t msr = 0, value = 0, had = 0;
		const bool good = read_hex(key, 4, &msr) && read_hex(text, 8, &value);
		json_decref(key);
		if (!good)
			return bad(error, "msrs", "a number \"0x...\" for each MSR");
		uint64_t given = value;
		if (!is_kept(guest, (uint32_t)msr) || move_msr(fd, KVM_SET_MSRS, (uint32_t)msr, &given))
			continue;
		if (!move_msr(fd, KVM_GET_MSRS, (uint32_t)msr, &had) || had != value)
			return error_set(error, GIM_E_UNSUPPORTED,
			                 "vCPU %u: this host's KVM does not take 0x%" PRIx64 " for MSR 0x%" PRIx64, vcpu, value, msr);
	}
	return 0;
}

/*
 * Saving.
 */
static int get_vcpu(struct guest *guest, uint32_t id, struct saved_vcpu *saved, struct gim_error *error)
{
	const struct guest_vcpu *vcpu = &guest->vcpus[id];
	const int fd = guest->vm.vcpus[id].fd;
	if (ioctl(fd, KVM_GET_REGS, &saved->regs) || ioctl(fd, KVM_GET_SREGS, &saved->sregs) ||
	    ioctl(fd, KVM_GET_DEBUGREGS, &saved->debug) || ioctl(fd, KVM_GET_VCPU_EVENTS, &saved->events) ||
	    ioctl(fd, KVM_GET_XCRS, &saved->xcrs) || ioctl(fd, KVM_GET_XSAVE, saved->xsave))
		return refuse(error, "a vCPU's registers cannot be read");
	saved->apic = guest->apics.items[id];
	saved->activity = (uint8_t)vcpu->activity;
	saved->interruptible = vcpu->interruptible;
	saved->init = vcpu->init;
	saved->nmi = vcpu->nmi;
	saved->startup = vcpu->startup < 0 ? NO_STARTUP : (uint32_t)vcpu->startup;
	return 0;
}

static int vcpu_json(struct guest *guest, uint32_t id, json_t **json, struct gim_error *error)
{
	struct saved_vcpu *saved = calloc(1, sizeof(*saved));
	json_t *made = json_object(), *msrs = json_object();
	int result = saved ? get_vcpu(guest, id, saved, error) : no_memory(error);
	for (size_t i = 0; !result && i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)json_object_set_new(made, rows[i].name, row_json(&rows[i], saved));
	if (!result)
		result = msrs_json(guest, id, msrs, error);
	(void)json_object_set_new(made, "msrs", msrs);
	free(saved);
	if (result)
		json_decref(made);
	else
		*json = made;
	return result;
}

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

static int make_document(struct guest *guest, char **text, struct gim_error *error)
{
	struct kvm_clock_data clock = {.clock = 0};
	json_t *vcpus = json_array(), *vcpu;
	int result = 0;
	if (guest->kernel_clock && ioctl(guest->vm.fd, KVM_GET_CLOCK, &clock))
		result = refuse(error, "KVM's clock cannot be read");
	for (uint32_t i = 0; !result && i < guest->vm.vcpu_count; i++)
		if (!(result = vcpu_json(guest, i, &vcpu, error)))
			(void)json_array_append_new(vcpus, vcpu);
	json_t *json =
	    json_pack("{s:i, s:o, s:o, s:o, s:o}", "gimstate_machine", DOCUMENT_VERSION, "tsc", hex(vm_tsc(&guest->vm)), "kernel_clock_ns",
	              guest->kernel_clock ? hex(clock.clock) : json_null(), "devices", devices_json(&guest->board), "vcpus", vcpus);
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

static int write_bundle(struct guest *guest, struct gim_state *state, const struct gim_pack_options *how, struct gim_error *error)
{
	struct gim_output *output;
	int result = gim_output_new(guest->options->save, guest->options->replace, &output, error);
	return result ? result : output_end(output, gim_state_pack(state, how, gim_output_write, output, NULL, error), error);
}

/* The members behind the state: the document, then the memory. */
static int pack_all(struct guest *guest, struct gim_state *state, const char *text, struct gim_error *error)
{
	struct memory_run *runs = calloc(RUNS_MAX, sizeof(*runs));
	struct gim_pack_member *members = calloc(RUNS_MAX + 1, sizeof(*members));
	size_t count = 0;
	int result = runs && members ? 0 : no_memory(error);
	for (uint64_t gap = 16 * PAGE_BYTES; !result && !find_runs(guest, gap, runs, &count); gap *= 2)
		;
	if (!result) {
		members[0] = (struct gim_pack_member){.name = DOCUMENT, .bytes = text, .size_bytes = strlen(text)};
		for (size_t i = 0; i < count; i++)
			members[i + 1] = runs[i].member;
		const struct gim_pack_options how = {.name = guest->options->save, .members = members, .member_count = count + 1};
		result = write_bundle(guest, state, &how, error);
	}
	free(runs);
	free(members);
	return result;
}

int guest_save(struct guest *guest, struct gim_error *error)
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
		result = pack_all(guest, state, text, error);
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
	if (!read_hex(json_object_get(member, "gpa"), 8, &gpa) || gpa > ram || size > ram - gpa)
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
	if (result && !(result == GIM_E_STOPPED && reading.document.bytes)) {
		*error = own;
	} else if (!reading.document.bytes) {
		result = error_set(error, GIM_E_VALUE, "there is no machine in it to go on with: replay --save-at writes one");
	} else {
		guest->document = json_loadb(reading.document.bytes, reading.document.used, JSON_REJECT_DUPLICATES, &wrong);
		result = guest->document ? 0 : error_set(error, GIM_E_CORRUPT, "%s: line %d: %s", DOCUMENT, wrong.line, wrong.text);
	}
	end_reading(&reading);
	if (result)
		return result;
	if (json_integer_value(json_object_get(guest->document, "gimstate_machine")) != DOCUMENT_VERSION)
		return error_set(error, GIM_E_VERSION, "%s is of another version; this release reads %d", DOCUMENT, DOCUMENT_VERSION);
	guest->kernel_clock = json_is_string(json_object_get(guest->document, "kernel_clock_ns"));
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
		return bad(error, "devices", "the state of fw_cfg and of the serial line");
	board->fw_cfg_item = (uint16_t)item;
	board->fw_cfg_at = (uint16_t)at;
	return 0;
}

/* The guest's TSC goes on where it was, or, where the host cannot do that, with the host's, if that is later. */
static int set_tsc(struct guest *guest, uint64_t saved, struct gim_error *error)
{
	struct vm *vm = &guest->vm;
	uint64_t offset = saved - __rdtsc(), found = 0;
	const struct kvm_device_attr set = {.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uint64_t)(uintptr_t)&offset};
	const struct kvm_device_attr get = {.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uint64_t)(uintptr_t)&found};
	bool taken = true;
	for (uint32_t i = 0; taken && i < vm->vcpu_count; i++)
		taken = !ioctl(vm->vcpus[i].fd, KVM_SET_DEVICE_ATTR, &set) && !ioctl(vm->vcpus[i].fd, KVM_GET_DEVICE_ATTR, &get) &&
		        found == offset;
	if (taken)
		vm->tsc_offset = offset;
	if (vm_tsc(vm) >= saved)
		return 0;
	return error_set(error, GIM_E_UNSUPPORTED,
	                 "the guest's TSC was 0x%" PRIx64 " and would go back to 0x%" PRIx64 ": this host's KVM cannot set it", saved,
	                 vm_tsc(vm));
}

static int read_vcpu(const json_t *json, struct saved_vcpu *saved, struct gim_error *error)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!read_row(&rows[i], json_object_get(json, rows[i].name), saved))
			return bad(error, rows[i].name, "a number \"0x...\" of its size, or an array of such numbers,");
	if (saved->activity > VCPU_WAITS || saved->startup > NO_STARTUP)
		return bad(error, "activity", "0 to 2, and of startup 0x0 to 0x100,");
	return 0;
}

/* What is no register of KVM's. */
static void take_vcpu(struct guest *guest, uint32_t id, const struct saved_vcpu *saved, uint64_t saved_tsc)
{
	struct guest_vcpu *vcpu = &guest->vcpus[id];
	struct apic *apic = &guest->apics.items[id];
	*apic = saved->apic;
	apic->id = id;
	/* Its timer has as long to go as it had. */
	if (apic->timer_due_tsc)
		apic->timer_due_tsc += vm_tsc(&guest->vm) - saved_tsc;
	vcpu->activity = (enum activity)saved->activity;
	vcpu->interruptible = saved->interruptible;
	vcpu->init = saved->init;
	vcpu->nmi = saved->nmi;
	vcpu->startup = saved->startup == NO_STARTUP ? -1 : (int)saved->startup;
}

static int set_vcpu(struct guest *guest, uint32_t id, struct saved_vcpu *saved, const json_t *msrs, struct gim_error *error)
{
	const int fd = guest->vm.vcpus[id].fd;
	saved->events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	saved->xcrs.nr_xcrs = 1;
	saved->sregs.apic_base = ((const struct kvm_sregs *)guest->pristine)->apic_base; /* the kernel's own, which is not the guest's */
	if (ioctl(fd, KVM_SET_SREGS, &saved->sregs) || ioctl(fd, KVM_SET_REGS, &saved->regs) ||
	    (saved->xcrs.xcrs[0].value && ioctl(fd, KVM_SET_XCRS, &saved->xcrs)) || ioctl(fd, KVM_SET_XSAVE, saved->xsave) ||
	    ioctl(fd, KVM_SET_DEBUGREGS, &saved->debug))
		return refuse(error, "this host's KVM does not take a saved vCPU's registers");
	int result = set_msrs(guest, id, msrs, error);
	if (!result && ioctl(fd, KVM_SET_VCPU_EVENTS, &saved->events))
		result = refuse(error, "this host's KVM does not take a saved vCPU's events");
	return result;
}

static int set_vcpus(struct guest *guest, struct saved_vcpu *saved, struct gim_error *error)
{
	const json_t *vcpus = json_object_get(guest->document, "vcpus");
	const json_t *clock_ns = json_object_get(guest->document, "kernel_clock_ns");
	struct kvm_clock_data clock = {.clock = 0};
	int result = guest_set_cpuid(guest, error);
	uint64_t ns = 0;
	if (!result && guest->kernel_clock && !read_hex(clock_ns, 8, &ns))
		result = bad(error, "kernel_clock_ns", "a number \"0x...\" or null");
	clock.clock = ns;
	if (!result && guest->kernel_clock && ioctl(guest->vm.fd, KVM_SET_CLOCK, &clock))
		result = refuse(error, "KVM's clock cannot be set");
	for (uint32_t i = 0; !result && i < guest->vm.vcpu_count; i++)
		result = set_vcpu(guest, i, &saved[i], json_object_get(json_array_get(vcpus, i), "msrs"), error);
	return result;
}

/* Time stands until the machine's load is done, which comes last of what is not KVM's. */
static int restore(struct guest *guest, struct saved_vcpu *saved, uint64_t tsc, struct gim_error *error)
{
	const json_t *vcpus = json_object_get(guest->document, "vcpus");
	int result = 0;
	for (uint32_t i = 0; !result && i < guest->vm.vcpu_count; i++)
		result = read_vcpu(json_array_get(vcpus, i), &saved[i], error);
	if (!result)
		result = set_tsc(guest, tsc, error);
	if (!result)
		result = set_devices(guest, error);
	if (!result)
		result = read_memory(guest, error);
	for (uint32_t i = 0; !result && i < guest->vm.vcpu_count; i++)
		take_vcpu(guest, i, &saved[i], tsc);
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
		result = bad(error, "vcpus", "one for each vCPU of the state");
	if (!result && !read_hex(json_object_get(guest->document, "tsc"), 8, &tsc))
		result = bad(error, "tsc", "a number \"0x...\"");
	if (!result)
		result = restore(guest, saved, tsc, error);
	free(saved);
	return result;
}

#endif
