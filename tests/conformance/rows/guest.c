/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest of the conformance rows: its machine, its memory, and how it handles its interface. */
#include "../conformance.h"
#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct guest_kind guest_hyperv = {.provider = "hyperv", .vcpus = 2};
const struct guest_kind guest_kvm = {.provider = "kvm", .vcpus = 2};

bool expect(struct guest *guest, bool holds, const char *format, ...)
{
	va_list arguments;
	if (holds || *guest->failure)
		return holds;
	va_start(arguments, format);
	(void)vsnprintf(guest->failure, sizeof(guest->failure), format, arguments);
	va_end(arguments);
	return false;
}

bool expect_number(struct guest *guest, const char *what, uint64_t found, uint64_t expected)
{
	return expect(guest, found == expected, "%s is 0x%llx, 0x%llx is expected", what, (unsigned long long)found,
	              (unsigned long long)expected);
}

/*
 * The embedder.
 */
static uint64_t host_tsc(void *user)
{
	return ((struct guest *)user)->tsc;
}

static uint64_t host_utc_ns(void *user)
{
	const struct guest *guest = (struct guest *)user;
	return GUEST_UTC_NS + (uint64_t)guest->utc_jump_ns + mul_div(guest->tsc, 1000000000, GUEST_TSC_HZ);
}

static void host_wake(void *user, uint32_t vcpu)
{
	((struct guest *)user)->wakes[vcpu]++;
}

static void host_reset(void *user)
{
	((struct guest *)user)->resets++;
}

static void host_crash(void *user, const struct gim_crash *crash)
{
	(void)crash;
	((struct guest *)user)->crashes++;
}

static void host_flush(void *user, const struct gim_flush *flush)
{
	struct guest *guest = (struct guest *)user;
	const size_t words = (guest->vcpus + 63) / 64, ranges = sizeof(guest->flush_ranges) / sizeof(guest->flush_ranges[0]);
	guest->flushes++;
	guest->flush = *flush;
	memcpy(guest->flush_vcpus, flush->vcpus, words * sizeof(guest->flush_vcpus[0]));
	for (size_t i = 0; i < flush->range_count && i < ranges; i++)
		guest->flush_ranges[i] = flush->ranges[i];
}

static uint64_t host_ran_ns(void *user, uint32_t vcpu)
{
	return ((struct guest *)user)->ran_ns[vcpu];
}

static uint64_t host_waited_ns(void *user, uint32_t vcpu)
{
	return ((struct guest *)user)->waited_ns[vcpu];
}

/*
 * Life.
 */
static bool went_well(struct guest *guest, int result, const struct gim_error *error)
{
	return expect(guest, !result, "%s%s%s", error->path, *error->path ? ": " : "", error->text);
}

static struct gim_machine *new_machine(struct guest *guest)
{
	struct gim_machine *machine = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_machine_config config = {.provider = guest->kind->provider,
	                                    .vcpus = guest->kind->vcpus,
	                                    .tsc_hz = GUEST_TSC_HZ,
	                                    .ram_bytes = GUEST_RAM,
	                                    .ram = guest->ram,
	                                    .keep_gating = true,
	                                    .settings = guest->kind->settings};
	const struct gim_host host = {.user = guest,
	                              .tsc = host_tsc,
	                              .utc_ns = host_utc_ns,
	                              .wake = host_wake,
	                              .reset = host_reset,
	                              .crash = host_crash,
	                              .flush = host_flush,
	                              .vcpu_ran_ns = host_ran_ns,
	                              .vcpu_waited_ns = host_waited_ns};
	while (config.setting_count < sizeof(guest->kind->settings) / sizeof(guest->kind->settings[0]) &&
	       guest->kind->settings[config.setting_count].key)
		config.setting_count++;
	int result = gim_machine_new(&config, &host, &machine, &error);
	if (!result)
		result = gim_machine_init(machine, &error);
	if (!result)
		result = gim_machine_register_device(machine, &error);
	if (!result)
		result = gim_machine_init_completed(machine, &error);
	(void)went_well(guest, result, &error);
	return machine;
}

void guest_restore(struct guest *guest, const struct guest_field *fields, size_t count)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (!guest->machine || !went_well(guest, gim_machine_save(guest->machine, &state, &error), &error))
		return;
	for (size_t i = 0; i < count; i++) {
		char text[32];
		(void)snprintf(text, sizeof(text), "0x%llx", (unsigned long long)fields[i].value);
		(void)went_well(guest, gim_state_set(state, fields[i].path, text, &error), &error);
	}
	gim_machine_free(&guest->machine);
	guest->utc_jump_ns += guest->saved_for_ns;
	guest->machine = new_machine(guest);
	if (guest->machine && went_well(guest, gim_machine_load(guest->machine, state, NULL, NULL, &error), &error))
		(void)went_well(guest, gim_machine_load_done(guest->machine, &error), &error);
	gim_state_free(&state);
}

void guest_start(struct guest *guest, const struct guest_kind *kind)
{
	guest->kind = kind;
	guest->vcpus = kind->vcpus;
	guest->ram = (uint8_t *)calloc(1, GUEST_RAM);
	guest->machine = guest->ram ? new_machine(guest) : NULL;
}

void guest_stop(struct guest *guest)
{
	gim_machine_free(&guest->machine);
	free(guest->ram);
	guest->ram = NULL;
}

/*
 * Accesses.
 */
static const char *const access_names[] = {
    [GIM_ACCESS_DONE] = "done", [GIM_ACCESS_NOT_OURS] = "not ours", [GIM_ACCESS_GP] = "#GP", [GIM_ACCESS_UD] = "#UD"};

static uint64_t read_msr(struct guest *guest, uint32_t vcpu, uint32_t msr, enum gim_access expected)
{
	uint64_t value = 0;
	if (!guest->machine)
		return 0;
	const enum gim_access access = gim_machine_rdmsr(guest->machine, vcpu, msr, &value);
	(void)expect(guest, access == expected, "reading MSR 0x%x is %s, %s is expected", msr, access_names[access],
	             access_names[expected]);
	return access == GIM_ACCESS_DONE ? value : 0;
}

static void write_msr(struct guest *guest, uint32_t vcpu, uint32_t msr, uint64_t value, enum gim_access expected)
{
	if (!guest->machine)
		return;
	const enum gim_access access = gim_machine_wrmsr(guest->machine, vcpu, msr, value);
	(void)expect(guest, access == expected, "writing 0x%llx to MSR 0x%x is %s, %s is expected", (unsigned long long)value, msr,
	             access_names[access], access_names[expected]);
}

uint64_t guest_rdmsr(struct guest *guest, uint32_t vcpu, uint32_t msr)
{
	return read_msr(guest, vcpu, msr, GIM_ACCESS_DONE);
}

void guest_wrmsr(struct guest *guest, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	write_msr(guest, vcpu, msr, value, GIM_ACCESS_DONE);
}

void guest_rdmsr_gp(struct guest *guest, uint32_t vcpu, uint32_t msr)
{
	(void)read_msr(guest, vcpu, msr, GIM_ACCESS_GP);
}

void guest_wrmsr_gp(struct guest *guest, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	write_msr(guest, vcpu, msr, value, GIM_ACCESS_GP);
}

static void read_memory(struct guest *guest, uint64_t gpa, void *bytes, size_t size)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (guest->machine)
		(void)went_well(guest, gim_machine_read(guest->machine, gpa, bytes, size, &error), &error);
}

void guest_fill(struct guest *guest, uint64_t gpa, const void *bytes, size_t size_bytes)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (guest->machine)
		(void)went_well(guest, gim_machine_write(guest->machine, gpa, bytes, size_bytes, &error), &error);
}

uint64_t guest_load(struct guest *guest, uint64_t gpa, unsigned width_bytes)
{
	uint8_t bytes[sizeof(uint64_t)] = {0};
	read_memory(guest, gpa, bytes, width_bytes);
	return gim_load(bytes, width_bytes);
}

void guest_store(struct guest *guest, uint64_t gpa, unsigned width_bytes, uint64_t value)
{
	uint8_t bytes[sizeof(value)];
	gim_store(bytes, value, width_bytes);
	guest_fill(guest, gpa, bytes, width_bytes);
}

void guest_clear_page(struct guest *guest, uint64_t gpa)
{
	static const uint8_t zeroes[GUEST_PAGE];
	guest_fill(guest, gpa, zeroes, sizeof(zeroes));
}

void guest_take_interrupts(struct guest *guest)
{
	for (uint32_t vcpu = 0; guest->machine && vcpu < guest->vcpus; vcpu++) {
		int vector;
		for (unsigned i = 0; i < 512 && (vector = gim_machine_interrupt(guest->machine, vcpu)) >= 0; i++) {
			guest->interrupts[vcpu][vector & 0xff]++;
			if (guest->handler)
				guest->handler(guest, vcpu, (uint8_t)vector);
		}
	}
}

void guest_step_ns(struct guest *guest, uint64_t ns)
{
	const uint64_t end = guest->tsc + mul_div(ns, GUEST_TSC_HZ, 1000000000);
	for (unsigned i = 0; guest->machine && i < 10000; i++) {
		const uint64_t due = gim_machine_deadline(guest->machine);
		if (due > end)
			break;
		guest->tsc = due > guest->tsc ? due : guest->tsc;
		gim_machine_advance(guest->machine);
	}
	guest->tsc = end;
	if (guest->machine)
		gim_machine_advance(guest->machine);
	guest_take_interrupts(guest);
}

/*
 * Hyper-V.
 */
static uint64_t call(struct guest *guest, uint32_t vcpu, struct gim_registers *registers)
{
	registers->long_mode = true;
	if (!guest->machine)
		return UINT64_MAX;
	const enum gim_access access = gim_machine_hypercall(guest->machine, vcpu, registers);
	if (access == GIM_ACCESS_UD)
		return UINT64_MAX;
	(void)expect(guest, access == GIM_ACCESS_DONE, "hypercall 0x%llx is %s, %s is expected", (unsigned long long)registers->rcx,
	             access_names[access], access_names[GIM_ACCESS_DONE]);
	return registers->rax & 0xffff;
}

uint64_t hv_call(struct guest *guest, uint32_t vcpu, uint64_t control, const uint64_t *words, size_t count)
{
	struct gim_registers registers = {.rcx = control, .rdx = GUEST_INPUT, .r8 = GUEST_OUTPUT};
	guest_clear_page(guest, GUEST_INPUT);
	guest_clear_page(guest, GUEST_OUTPUT);
	for (size_t i = 0; i < count; i++)
		guest_store(guest, GUEST_INPUT + i * sizeof(words[0]), sizeof(words[0]), words[i]);
	return call(guest, vcpu, &registers);
}

uint64_t hv_call_fast(struct guest *guest, uint32_t vcpu, uint64_t control, const uint64_t *words, size_t count)
{
	struct gim_registers registers = {.rcx = control | HV_FAST};
	for (size_t i = 0; i < count; i++)
		*(i == 0 ? &registers.rdx : i == 1 ? &registers.r8 : &registers.xmm[i - 2]) = words[i];
	return call(guest, vcpu, &registers);
}

void hv_message(struct guest *guest, uint32_t vcpu, unsigned sint, struct hv_message *message)
{
	const uint64_t slot = hv_message_slot(vcpu, sint);
	*message = (struct hv_message){.type = (uint32_t)guest_load(guest, slot, 4),
	                               .size = (uint8_t)guest_load(guest, slot + 4, 1),
	                               .flags = (uint8_t)guest_load(guest, slot + 5, 1),
	                               .reserved = (uint16_t)guest_load(guest, slot + 6, 2),
	                               .origin = guest_load(guest, slot + 8, 8)};
	for (size_t i = 0; i < sizeof(message->payload) / sizeof(message->payload[0]); i++)
		message->payload[i] = guest_load(guest, slot + 16 + 8 * i, 8);
}

void hv_synic_on(struct guest *guest)
{
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++) {
		guest_wrmsr(guest, vcpu, HV_SIMP, hv_message_page(vcpu) | 1);
		guest_wrmsr(guest, vcpu, HV_SIEFP, hv_flags_page(vcpu) | 1);
		guest_wrmsr(guest, vcpu, HV_SCONTROL, 1);
	}
}

void hv_sint(struct guest *guest, uint32_t vcpu, unsigned sint, uint8_t vector, bool auto_eoi)
{
	guest_wrmsr(guest, vcpu, HV_SINT + sint, vector | (auto_eoi ? 1u << 17 : 0));
}

void hv_tsc_page(struct guest *guest, struct hv_tsc_page *page)
{
	*page = (struct hv_tsc_page){.sequence = (uint32_t)guest_load(guest, GUEST_TSC_PAGE, 4),
	                             .reserved = (uint32_t)guest_load(guest, GUEST_TSC_PAGE + 4, 4),
	                             .scale = guest_load(guest, GUEST_TSC_PAGE + 8, 8),
	                             .offset = (int64_t)guest_load(guest, GUEST_TSC_PAGE + 16, 8)};
}

uint64_t hv_page_time(struct guest *guest)
{
	struct hv_tsc_page page;
	hv_tsc_page(guest, &page);
	return mul_shift(guest->tsc, page.scale, 64) + (uint64_t)page.offset;
}
