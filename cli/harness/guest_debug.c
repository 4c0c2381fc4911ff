/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A resumed guest under a debugger. All vCPUs stand, or all go, but for one that takes a step. Breakpoints are int3 in the guest's code, put there when it goes and taken away when it
 * stands; hosts that cannot run int3 stop there all the same. Only in real mode some of them deliver it to the guest. There, and for those beside the code, all vCPUs go step by
 * step, which is slow and works everywhere.
 */
#include "guest_debug.h"

#include "gdb_server.h"
#include "guest_resume.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sys/ioctl.h>

#define BREAKPOINTS_MAX 256
#define PAGE_BYTES UINT64_C(4096)
#define INT3 0xcc
#define NONE UINT32_MAX
#define LONG_MODE_ACTIVE 0x400u

struct breakpoint {
	uint64_t address;
	bool beside;
	uint8_t *byte; /* where it stands in the code; NULL: it does not */
	uint8_t old;
};

struct guest_debug {
	struct gdb_server *server;
	struct gdb_server_target target;
	bool standing, told; /* the debugger knows that it stands */
	bool attached, ended;
	uint32_t only;    /* which vCPU may go, NONE: all */
	bool steps, then; /* a step of it; and then all go on */
	bool by_steps;    /* all go, step by step */
	bool shown;       /* an instruction that nobody can run was shown to the debugger */
	uint32_t stopped; /* the vCPU that stopped, and why */
	int signal;
	struct breakpoint breakpoints[BREAKPOINTS_MAX];
	unsigned count;
};

/*
 * Addresses.
 */
static uint8_t *find_byte(struct guest *guest, uint32_t vcpu, uint64_t address, uint64_t *gpa)
{
	struct kvm_translation translation = {.linear_address = address};
	if (ioctl(guest->vm.vcpus[vcpu].fd, KVM_TRANSLATE, &translation) || !translation.valid)
		return NULL;
	*gpa = translation.physical_address;
	for (unsigned i = 0; i < guest->vm.region_count; i++) {
		const struct vm_region *region = &guest->vm.regions[i];
		if (*gpa >= region->gpa && *gpa - region->gpa < region->bytes)
			return region->memory + (*gpa - region->gpa);
	}
	return NULL;
}

static uint64_t linear_rip(struct guest *guest, uint32_t vcpu)
{
	const int fd = guest->vm.vcpus[vcpu].fd;
	struct kvm_regs regs = {.rip = 0};
	struct kvm_sregs sregs = {.cr0 = 0};
	(void)ioctl(fd, KVM_GET_REGS, &regs);
	(void)ioctl(fd, KVM_GET_SREGS, &sregs);
	return sregs.cs.l ? regs.rip : (uint32_t)(sregs.cs.base + regs.rip);
}

static struct breakpoint *find_breakpoint(struct guest_debug *debug, uint64_t address, bool beside)
{
	for (unsigned i = 0; i < debug->count; i++)
		if (debug->breakpoints[i].address == address && debug->breakpoints[i].beside == beside)
			return &debug->breakpoints[i];
	return NULL;
}

static bool needs_steps(struct guest *guest)
{
	const struct guest_debug *debug = guest->debug;
	bool needed = false;
	for (unsigned i = 0; i < debug->count; i++)
		needed = needed || debug->breakpoints[i].beside;
	for (uint32_t i = 0; debug->count && i < guest->vm.vcpu_count; i++) {
		struct kvm_sregs sregs = {.cr0 = 1};
		(void)ioctl(guest->vm.vcpus[i].fd, KVM_GET_SREGS, &sregs);
		needed = needed || !(sregs.cr0 & 1);
	}
	return needed && debug->attached;
}

/* What is not mapped now has none. */
static void insert_breakpoints(struct guest *guest, uint32_t vcpu)
{
	uint64_t gpa;
	for (unsigned i = 0; i < guest->debug->count; i++) {
		struct breakpoint *own = &guest->debug->breakpoints[i];
		if (own->beside || own->byte || !(own->byte = find_byte(guest, vcpu, own->address, &gpa)))
			continue;
		own->old = *own->byte;
		*own->byte = INT3;
	}
}

/* Backwards, so that two for the same byte leave what was there. */
static void remove_breakpoints(struct guest_debug *debug)
{
	for (unsigned i = debug->count; i-- > 0;) {
		struct breakpoint *own = &debug->breakpoints[i];
		if (own->byte)
			*own->byte = own->old;
		own->byte = NULL;
	}
}

/*
 * Standing and going. All with the lock.
 */
static void stand(struct guest *guest, uint32_t vcpu, int signal)
{
	struct guest_debug *debug = guest->debug;
	if (debug->standing)
		return;
	debug->standing = true;
	debug->told = false;
	debug->steps = debug->then = debug->by_steps = false;
	debug->only = NONE;
	debug->stopped = vcpu;
	debug->signal = signal;
	for (uint32_t i = 0; i < guest->vm.vcpu_count; i++)
		guest_kick(&guest->vcpus[i]);
	gdb_server_wake(debug->server);
}

static void control(struct guest *guest, uint32_t vcpu, bool step)
{
	struct kvm_guest_debug how = {.control = 0};
	if (step)
		how.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
	else if (guest->debug->count && guest->debug->attached)
		how.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
	(void)ioctl(guest->vm.vcpus[vcpu].fd, KVM_SET_GUEST_DEBUG, &how);
}

/* Everybody, with all breakpoints. */
static void go_all(struct guest *guest, uint32_t vcpu)
{
	struct guest_debug *debug = guest->debug;
	debug->steps = debug->then = false;
	debug->only = NONE;
	debug->by_steps = needs_steps(guest);
	if (debug->attached && !debug->by_steps)
		insert_breakpoints(guest, vcpu);
	for (uint32_t i = 0; i < guest->vm.vcpu_count; i++)
		control(guest, i, debug->by_steps);
}

static void go_one(struct guest *guest, uint32_t vcpu, bool then)
{
	guest->debug->only = vcpu;
	guest->debug->steps = true;
	guest->debug->then = then;
	control(guest, vcpu, true);
}

static void let_go(struct guest *guest)
{
	guest->debug->standing = false;
	(void)pthread_cond_broadcast(&guest->changed);
	(void)pthread_cond_signal(&guest->clock);
}

bool guest_debug_holds(const struct guest *guest, uint32_t vcpu)
{
	const struct guest_debug *debug = guest->debug;
	return debug && (debug->standing || (debug->only != NONE && debug->only != vcpu));
}

bool guest_debug_steps(const struct guest *guest)
{
	return guest->debug && guest->debug->steps;
}

/* After each step of a vCPU that runs by steps alone. */
static void after_step(struct guest *guest, uint32_t vcpu)
{
	struct guest_debug *debug = guest->debug;
	const uint64_t rip = linear_rip(guest, vcpu);
	const bool found = debug->by_steps && (find_breakpoint(debug, rip, true) || find_breakpoint(debug, rip, false));
	if (found || (debug->steps && !debug->then)) {
		stand(guest, vcpu, GDB_SIGNAL_TRAP);
	} else if (debug->then) {
		go_all(guest, vcpu);
		(void)pthread_cond_broadcast(&guest->changed);
	}
}

bool guest_debug_exit(struct guest *guest, struct guest_vcpu *vcpu)
{
	const struct kvm_run *run = guest->vm.vcpus[vcpu->id].run;
	struct guest_debug *debug = guest->debug;
	if (!debug || debug->ended || !debug->attached)
		return run->exit_reason == KVM_EXIT_DEBUG;
	const struct breakpoint *own = find_breakpoint(debug, linear_rip(guest, vcpu->id), false);
	if (own && own->byte) {
		stand(guest, vcpu->id, GDB_SIGNAL_TRAP);
	} else if (run->exit_reason == KVM_EXIT_DEBUG) {
		after_step(guest, vcpu->id);
	} else if (!debug->shown) {
		debug->shown = true;
		stand(guest, vcpu->id, GDB_SIGNAL_ILLEGAL);
	} else {
		return false;
	}
	return true;
}

/*
 * What the debugger wants, by the server's thread.
 */
static struct guest *locked(void *user)
{
	struct guest *guest = (struct guest *)user;
	(void)pthread_mutex_lock(&guest->lock);
	return guest;
}

static bool unlocked(struct guest *guest, bool result)
{
	(void)pthread_mutex_unlock(&guest->lock);
	return result;
}

/* Its instructions are complete, and its code is its own. */
static void settle(struct guest *guest)
{
	struct gim_error ignored = GIM_ERROR_INIT;
	while (guest->inside && !guest->debug->ended)
		(void)pthread_cond_wait(&guest->changed, &guest->lock);
	for (uint32_t i = 0; !guest->stop && i < guest->vm.vcpu_count; i++) {
		(void)guest_complete(guest, &guest->vcpus[i], &ignored);
		control(guest, i, false);
	}
	remove_breakpoints(guest->debug);
}

static bool on_stopped(void *user, unsigned *thread, int *signal)
{
	struct guest *guest = locked(user);
	struct guest_debug *debug = guest->debug;
	const bool news = debug->standing && !debug->told;
	if (news) {
		settle(guest);
		debug->told = true;
		*thread = debug->stopped;
		*signal = debug->signal;
	}
	return unlocked(guest, news);
}

static unsigned on_attach(void *user)
{
	struct guest *guest = locked(user);
	struct guest_debug *debug = guest->debug;
	struct kvm_sregs sregs = {.efer = 0};
	debug->attached = true;
	stand(guest, 0, GDB_SIGNAL_INTERRUPT);
	settle(guest);
	debug->told = true;
	debug->target.target.long_mode = !ioctl(guest->vm.vcpus[0].fd, KVM_GET_SREGS, &sregs) && sregs.efer & LONG_MODE_ACTIVE;
	(void)unlocked(guest, true);
	return debug->stopped;
}

static void on_detach(void *user, bool kill)
{
	struct guest *guest = locked(user);
	struct guest_debug *debug = guest->debug;
	stand(guest, 0, 0);
	settle(guest);
	debug->attached = false;
	debug->count = 0;
	if (kill && !guest->failure && !guest->stop) {
		guest->end = GUEST_KILLED;
		guest_fail(guest, error_set(guest->error, GIM_E_STOPPED, "the debugger ended it"));
	} else {
		go_all(guest, 0);
	}
	let_go(guest);
	(void)unlocked(guest, true);
}

static void on_go(void *user, unsigned thread, bool step)
{
	struct guest *guest = locked(user);
	struct guest_debug *debug = guest->debug;
	/* From a breakpoint it steps away first. */
	const bool at_breakpoint = find_breakpoint(debug, linear_rip(guest, thread), false) != NULL;
	if (step || at_breakpoint)
		go_one(guest, thread, !step);
	else
		go_all(guest, thread);
	let_go(guest);
	(void)unlocked(guest, true);
}

static void on_interrupt(void *user)
{
	struct guest *guest = locked(user);
	stand(guest, 0, GDB_SIGNAL_INTERRUPT);
	(void)unlocked(guest, true);
}

static bool on_set_breakpoint(void *user, unsigned thread, uint64_t address, bool beside, bool set)
{
	struct guest *guest = locked(user);
	struct guest_debug *debug = guest->debug;
	struct breakpoint *own = find_breakpoint(debug, address, beside);
	uint64_t gpa;
	bool done = true;
	if (!set && own)
		*own = debug->breakpoints[--debug->count];
	else if (set && !own && (done = debug->count < BREAKPOINTS_MAX && (beside || find_byte(guest, thread, address, &gpa))))
		debug->breakpoints[debug->count++] = (struct breakpoint){.address = address, .beside = beside};
	return unlocked(guest, done);
}

/* Page by page, as the vCPU's tables have it. The machine's pages lie above RAM, and are only read. */
static bool move_memory(void *user, unsigned thread, uint64_t address, void *into, const void *from, size_t size)
{
	struct guest *guest = locked(user);
	bool done = true;
	for (size_t at = 0, piece; done && at < size; at += piece) {
		uint64_t gpa;
		uint8_t *bytes = find_byte(guest, thread, address + at, &gpa);
		piece = PAGE_BYTES - ((address + at) & (PAGE_BYTES - 1));
		piece = piece < size - at ? piece : size - at;
		done = bytes != NULL;
		if (done && from)
			memcpy(bytes, (const char *)from + at, piece);
		else if (done && (gpa >= guest->vm.ram_bytes || gim_machine_read(guest->machine, gpa, (char *)into + at, piece, NULL)))
			memcpy((char *)into + at, bytes, piece);
	}
	return unlocked(guest, done);
}

static bool on_read_memory(void *user, unsigned thread, uint64_t address, void *bytes, size_t size)
{
	return move_memory(user, thread, address, bytes, NULL, size);
}

static bool on_write_memory(void *user, unsigned thread, uint64_t address, const void *bytes, size_t size)
{
	return move_memory(user, thread, address, NULL, bytes, size);
}

/*
 * Registers.
 */
/* In the order of the encoding. */
static const size_t general[16] = {
    offsetof(struct kvm_regs, rax), offsetof(struct kvm_regs, rcx), offsetof(struct kvm_regs, rdx), offsetof(struct kvm_regs, rbx),
    offsetof(struct kvm_regs, rsp), offsetof(struct kvm_regs, rbp), offsetof(struct kvm_regs, rsi), offsetof(struct kvm_regs, rdi),
    offsetof(struct kvm_regs, r8),  offsetof(struct kvm_regs, r9),  offsetof(struct kvm_regs, r10), offsetof(struct kvm_regs, r11),
    offsetof(struct kvm_regs, r12), offsetof(struct kvm_regs, r13), offsetof(struct kvm_regs, r14), offsetof(struct kvm_regs, r15),
};

/* Two bits for each register, of which the abridged form says only whether it is empty. */
static uint32_t full_tag(uint8_t abridged)
{
	uint32_t tag = 0;
	for (unsigned i = 0; i < 8; i++)
		tag |= (abridged >> i & 1 ? 0u : 3u) << (2 * i);
	return tag;
}

static bool get_all(struct guest *guest, uint32_t vcpu, struct kvm_regs *regs, struct kvm_sregs *sregs, struct kvm_fpu *fpu)
{
	const int fd = guest->vm.vcpus[vcpu].fd;
	return !ioctl(fd, KVM_GET_REGS, regs) && !ioctl(fd, KVM_GET_SREGS, sregs) && !ioctl(fd, KVM_GET_FPU, fpu);
}

static void fill_registers(const struct kvm_regs *regs, const struct kvm_sregs *sregs, const struct kvm_fpu *fpu, struct gdb_registers *to)
{
	const struct kvm_segment *const segments[GDB_SEGMENTS] = {&sregs->cs, &sregs->ss, &sregs->ds, &sregs->es, &sregs->fs, &sregs->gs};
	const uint32_t words[GDB_FPU_WORDS] = {
	    fpu->fcw, fpu->fsw, full_tag(fpu->ftwx), 0, (uint32_t)fpu->last_ip, 0, (uint32_t)fpu->last_dp, fpu->last_opcode};
	for (unsigned i = 0; i < 16; i++)
		memcpy(&to->general[i], (const char *)regs + general[i], sizeof(to->general[i]));
	to->rip = regs->rip;
	to->flags = (uint32_t)regs->rflags;
	for (unsigned i = 0; i < GDB_SEGMENTS; i++)
		to->segments[i] = segments[i]->selector;
	for (unsigned i = 0; i < 8; i++)
		memcpy(to->st[i], fpu->fpr[i], sizeof(to->st[i]));
	memcpy(to->fpu, words, sizeof(words));
	memcpy(to->xmm, fpu->xmm, sizeof(to->xmm));
	to->mxcsr = fpu->mxcsr;
	const uint64_t control[GDB_CONTROLS] = {sregs->cr0, sregs->cr2, sregs->cr3, sregs->cr4, sregs->efer};
	memcpy(to->control, control, sizeof(control));
	to->bases[0] = sregs->fs.base;
	to->bases[1] = sregs->gs.base;
}

static bool on_read_registers(void *user, unsigned thread, struct gdb_registers *registers)
{
	struct guest *guest = locked(user);
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	const bool done = get_all(guest, thread, &regs, &sregs, &fpu);
	if (done)
		fill_registers(&regs, &sregs, &fpu, registers);
	return unlocked(guest, done);
}

/* Selectors alone would not be segments, control registers not what goes with them, and the x87 unit's words are not written: what else would change is refused. */
static bool set_all(struct guest *guest, uint32_t vcpu, const struct gdb_registers *from)
{
	const int fd = guest->vm.vcpus[vcpu].fd;
	struct gdb_registers old = {.rip = 0};
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	if (!get_all(guest, vcpu, &regs, &sregs, &fpu))
		return false;
	fill_registers(&regs, &sregs, &fpu, &old);
	if (memcmp(old.segments, from->segments, sizeof(old.segments)) != 0 || memcmp(old.fpu, from->fpu, sizeof(old.fpu)) != 0 ||
	    memcmp(old.bases, from->bases, sizeof(old.bases)) != 0 || memcmp(old.control, from->control, sizeof(old.control)) != 0)
		return false;
	for (unsigned i = 0; i < 16; i++)
		memcpy((char *)&regs + general[i], &from->general[i], sizeof(from->general[i]));
	regs.rip = from->rip;
	regs.rflags = from->flags;
	for (unsigned i = 0; i < 8; i++)
		memcpy(fpu.fpr[i], from->st[i], sizeof(from->st[i]));
	memcpy(fpu.xmm, from->xmm, sizeof(fpu.xmm));
	fpu.mxcsr = from->mxcsr;
	return !ioctl(fd, KVM_SET_REGS, &regs) && !ioctl(fd, KVM_SET_FPU, &fpu);
}

static bool on_write_registers(void *user, unsigned thread, const struct gdb_registers *registers)
{
	struct guest *guest = locked(user);
	return unlocked(guest, set_all(guest, thread, registers));
}

static void on_describe(void *user, unsigned thread, char *text, size_t size)
{
	static const char *const activities[] = {
	    [VCPU_RUNS] = "runs", [VCPU_HALTS] = "halts", [VCPU_WAITS] = "waits for its start-up interrupt"};
	struct guest *guest = locked(user);
	(void)snprintf(text, size, "vCPU %u %s", thread, activities[guest->vcpus[thread].activity]);
	(void)unlocked(guest, true);
}

int guest_debug_open(struct guest *guest, uint16_t port, struct gim_error *error)
{
	struct guest_debug *debug = calloc(1, sizeof(*debug));
	if (!debug)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	*debug = (struct guest_debug){.standing = true,
	                              .told = true,
	                              .only = NONE,
	                              .target = {.attach = on_attach,
	                                         .detach = on_detach,
	                                         .stopped = on_stopped,
	                                         .target = {.user = guest,
	                                                    .threads = guest->vm.vcpu_count,
	                                                    .read_registers = on_read_registers,
	                                                    .write_registers = on_write_registers,
	                                                    .read_memory = on_read_memory,
	                                                    .write_memory = on_write_memory,
	                                                    .set_breakpoint = on_set_breakpoint,
	                                                    .go = on_go,
	                                                    .interrupt = on_interrupt,
	                                                    .describe = on_describe}}};
	guest->debug = debug;
	return gdb_server_open(&debug->server, port, &debug->target, error);
}

void guest_debug_end(struct guest *guest)
{
	if (!guest->debug || guest->debug->ended)
		return;
	guest->debug->ended = true;
	remove_breakpoints(guest->debug);
	guest->debug->count = 0;
	(void)pthread_cond_broadcast(&guest->changed);
}

void guest_debug_close(struct guest *guest)
{
	if (!guest->debug)
		return;
	gdb_server_close(&guest->debug->server);
	free(guest->debug);
	guest->debug = NULL;
}

#endif
