/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The built-in local APICs, and the way to the embedder's own where it has them. */
#include "lapic.h"

enum { TPR = 0x80, PPR = 0xa0, EOI = 0xb0, SVR = 0xf0, ICR = 0x300 };

#define SVR_ENABLED 0x100u
#define FIRST_VECTOR 16 /* lower ones are illegal: exceptions have them */

void gim_lapic_reset(struct machine_apic *lapic)
{
	*lapic = (struct machine_apic){.svr = GIM_APIC_SVR_RESET};
}

static void set_vector(uint32_t words[8], uint8_t vector, bool on)
{
	const uint32_t bit = 1u << (vector % 32);
	words[vector / 32] = on ? words[vector / 32] | bit : words[vector / 32] & ~bit;
}

static bool has_vector(const uint32_t words[8], uint8_t vector)
{
	return words[vector / 32] >> (vector % 32) & 1;
}

static int highest(const uint32_t words[8])
{
	for (int word = 7; word >= 0; word--)
		if (words[word])
			return word * 32 + 31 - __builtin_clz(words[word]);
	return -1;
}

static unsigned priority(const struct machine_apic *lapic)
{
	const int serviced = highest(lapic->isr);
	const unsigned class = serviced < 0 ? 0 : (unsigned)serviced & 0xf0;
	return class > (lapic->tpr & 0xf0u) ? class : lapic->tpr;
}

void gim_machine_raise_vector(struct gim_machine *machine, uint32_t vcpu, uint8_t vector, bool auto_eoi)
{
	if (vector < FIRST_VECTOR)
		return;
	if (!machine->lapics) {
		machine->host.interrupt(machine->host.user, vcpu, vector, auto_eoi);
		return;
	}
	struct machine_apic *lapic = &machine->lapics[vcpu];
	if (!(lapic->svr & SVR_ENABLED))
		return;
	set_vector(lapic->irr, vector, true);
	set_vector(lapic->auto_eoi, vector, auto_eoi);
	if (machine->host.wake)
		machine->host.wake(machine->host.user, vcpu);
}

int gim_machine_interrupt(struct gim_machine *machine, uint32_t vcpu)
{
	if (!machine->lapics || vcpu >= machine->vcpus || !gim_machine_runs(machine))
		return -1;
	const struct gim_runtime *runtime = machine->provider->runtime;
	struct machine_apic *lapic = &machine->lapics[vcpu];
	if (runtime->interrupt_wanted)
		runtime->interrupt_wanted(machine, vcpu);
	const int vector = highest(lapic->irr);
	if (vector < 0 || ((unsigned)vector & 0xf0) <= (priority(lapic) & 0xf0) || !(lapic->svr & SVR_ENABLED))
		return -1;
	set_vector(lapic->irr, (uint8_t)vector, false);
	if (has_vector(lapic->auto_eoi, (uint8_t)vector)) {
		set_vector(lapic->auto_eoi, (uint8_t)vector, false);
		if (runtime->eoi)
			runtime->eoi(machine, vcpu, (uint8_t)vector);
		return vector;
	}
	set_vector(lapic->isr, (uint8_t)vector, true);
	if (runtime->interrupt_taken)
		runtime->interrupt_taken(machine, vcpu, (uint8_t)vector, highest(lapic->irr) >= 0);
	return vector;
}

void gim_machine_eoi(struct gim_machine *machine, uint32_t vcpu, uint8_t vector)
{
	if (vcpu >= machine->vcpus || !gim_machine_runs(machine))
		return;
	if (machine->lapics) {
		const int serviced = highest(machine->lapics[vcpu].isr);
		if (serviced < 0)
			return;
		vector = (uint8_t)serviced;
		set_vector(machine->lapics[vcpu].isr, vector, false);
	}
	if (machine->provider->runtime->eoi)
		machine->provider->runtime->eoi(machine, vcpu, vector);
}

/* Only what needs no start-up protocol: fixed delivery, and physical destinations, in the xAPIC's place or as a x2APIC id. */
static void send_ipi(struct gim_machine *machine, uint32_t vcpu, uint64_t icr)
{
	enum { DESTINATION, SELF, ALL, OTHERS };
	const unsigned shorthand = icr >> 18 & 3;
	const uint32_t high = (uint32_t)(icr >> 32);
	const bool short_id = !(high & 0xffffff);
	const uint32_t id = short_id ? high >> 24 : high;
	const bool everybody = id == (short_id ? 0xff : UINT32_MAX);
	if ((icr >> 8 & 7) != 0 || (shorthand == DESTINATION && icr >> 11 & 1)) {
		gim_log(machine, GIM_WARNING, "vCPU %u: the built-in local APIC sends no IPI 0x%llx: fixed ones to physical ids it does",
		        vcpu, (unsigned long long)icr);
		return;
	}
	for (uint32_t to = 0; to < machine->vcpus; to++) {
		const bool meant = shorthand == SELF     ? to == vcpu
		                   : shorthand == ALL    ? true
		                   : shorthand == OTHERS ? to != vcpu
		                                         : everybody || to == id;
		if (meant)
			gim_machine_raise_vector(machine, to, (uint8_t)icr, false);
	}
}

int gim_apic_read(struct gim_machine *machine, uint32_t vcpu, uint32_t offset, uint64_t *value)
{
	if (!machine->lapics)
		return machine->host.apic_read ? machine->host.apic_read(machine->host.user, vcpu, offset, value) : -1;
	const struct machine_apic *lapic = &machine->lapics[vcpu];
	switch (offset) {
	case TPR:
		return *value = lapic->tpr, 0;
	case PPR:
		return *value = priority(lapic), 0;
	case SVR:
		return *value = lapic->svr, 0;
	case ICR:
		return *value = lapic->icr, 0;
	default:
		return -1;
	}
}

int gim_apic_write(struct gim_machine *machine, uint32_t vcpu, uint32_t offset, uint64_t value)
{
	if (!machine->lapics)
		return machine->host.apic_write ? machine->host.apic_write(machine->host.user, vcpu, offset, value) : -1;
	struct machine_apic *lapic = &machine->lapics[vcpu];
	switch (offset) {
	case TPR:
		return lapic->tpr = (uint8_t)value, 0;
	case EOI:
		return gim_machine_eoi(machine, vcpu, 0), 0;
	case SVR:
		return lapic->svr = (uint32_t)value & 0x1ff, 0;
	case ICR:
		lapic->icr = value & ~UINT64_C(0x1000); /* never busy */
		return send_ipi(machine, vcpu, value), 0;
	default:
		return -1;
	}
}
