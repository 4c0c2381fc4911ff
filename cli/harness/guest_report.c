/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a resumed guest is before it runs, and what it did by the end. */
#include "guest_parts.h"

#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sys/ioctl.h>

/* ROMs do not change. */
int guest_remember(struct guest *guest, struct gim_error *error)
{
	const struct vm *vm = &guest->vm;
	int result = 0;
	for (unsigned i = 0; !result && i < vm->region_count; i++)
		if (!vm->regions[i].readonly)
			result = guest_log_remember(&guest->log, vm->regions[i].memory, vm->regions[i].gpa, vm->regions[i].bytes, error);
	return result ? result : gim_machine_save(guest->machine, &guest->before, error);
}

static const char *mode_of(const struct kvm_sregs *sregs)
{
	if (!(sregs->cr0 & 1))
		return "real";
	return !(sregs->efer & 0x400) ? "protected" : sregs->cs.l ? "long" : "compatibility";
}

static int find_place(struct guest *guest, uint32_t id, struct guest_place *place, struct gim_error *error)
{
	static const char *const activities[] = {[VCPU_RUNS] = "runs", [VCPU_HALTS] = "halts", [VCPU_WAITS] = "waits"};
	const int fd = guest->vm.vcpus[id].fd;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	if (ioctl(fd, KVM_GET_REGS, &regs) || ioctl(fd, KVM_GET_SREGS, &sregs))
		return error_set(error, GIM_E_IO, "a vCPU's registers cannot be read: %s", strerror(errno));
	*place = (struct guest_place){.rip = regs.rip,
	                              .linear = sregs.cs.l ? regs.rip : (uint32_t)(sregs.cs.base + regs.rip),
	                              .mode = mode_of(&sregs),
	                              .activity = activities[guest->vcpus[id].activity]};
	return 0;
}

int guest_tell_report(struct guest *guest, const char *why, struct gim_error *error)
{
	const uint32_t count = guest->vm.vcpu_count;
	struct guest_place *places = calloc(count, sizeof(*places));
	struct gim_state *after = NULL;
	int result = places ? 0 : error_set(error, GIM_E_MEMORY, "out of memory");
	for (uint32_t i = 0; !result && i < count; i++)
		result = find_place(guest, i, &places[i], error);
	if (!result)
		result = gim_machine_save(guest->machine, &after, error);
	const struct guest_report report = {.log = &guest->log,
	                                    .vcpus = places,
	                                    .vcpu_count = count,
	                                    .machine = guest->machine,
	                                    .before = guest->before,
	                                    .after = after,
	                                    .why = why};
	if (!result && guest->options->report)
		guest->options->report(guest->options->user, &report);
	gim_state_free(&after);
	free(places);
	return result;
}

#endif
