/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running a VM: one vCPU under a watchdog, or each in a thread of its own. */
#include "vm_parts.h"

#include "engine.h"
#include "output.h"
#include "stop.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/*
 * Under a watchdog: a timer's signal makes KVM_RUN return, and immediate_exit keeps it from being entered.
 */
static _Thread_local struct kvm_run *running;

static void stop_running(int number)
{
	(void)number;
	if (running)
		running->immediate_exit = 1;
}

#define STOP_SIGNAL (SIGRTMIN + 1)

static int catch_signal(void)
{
	const struct sigaction action = {.sa_handler = stop_running};
	return sigaction(STOP_SIGNAL, &action, NULL);
}

static void stop_now(void)
{
	stop_running(0);
}

static int watchdog(timer_t *timer, struct gim_error *error)
{
	static _Thread_local bool made;
	static _Thread_local timer_t own;
	const int number = STOP_SIGNAL;
	if (!made) {
		struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = number};
		event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
		if (catch_signal() || timer_create(CLOCK_MONOTONIC, &event, &own))
			return vm_refuse(error, "there is no timer for the watchdog");
		made = true;
		stop_hook = stop_now;
	}
	*timer = own;
	return 0;
}

static int set_watchdog(timer_t timer, uint64_t end_ns)
{
	const struct itimerspec when = {.it_value = {(time_t)(end_ns / 1000000000), (long)(end_ns % 1000000000)},
	                                .it_interval = {0, end_ns ? 10000000 : 0}};
	return timer_settime(timer, TIMER_ABSTIME, &when, NULL);
}

/* false: it is not for the machine. */
static bool serve_msr(struct vm *vm, struct gim_machine *machine, uint32_t vcpu, struct kvm_run *run)
{
	uint64_t value = 0;
	if (run->exit_reason == KVM_EXIT_X86_RDMSR) {
		run->msr.error = gim_machine_rdmsr(machine, vcpu, run->msr.index, &value) != GIM_ACCESS_DONE;
		run->msr.data = value;
	} else if (run->exit_reason == KVM_EXIT_X86_WRMSR) {
		run->msr.error = gim_machine_wrmsr(machine, vcpu, run->msr.index, run->msr.data) != GIM_ACCESS_DONE;
	} else {
		return false;
	}
	vm->msr_exits++;
	return true;
}

int vm_describe_exit(const struct vm *vm, uint32_t vcpu, struct gim_error *error)
{
	const struct kvm_run *run = vm->vcpus[vcpu].run;
	struct kvm_regs regs = {.rip = 0};
	(void)ioctl(vm->vcpus[vcpu].fd, KVM_GET_REGS, &regs);
	const unsigned long long rip = regs.rip;
	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		return error_set(error, GIM_E_UNSUPPORTED, "vCPU %u: the guest shut down by a triple fault, at 0x%llx", vcpu, rip);
	case KVM_EXIT_INTERNAL_ERROR:
		return error_set(error, GIM_E_UNSUPPORTED, "vCPU %u: the host's KVM cannot run the instruction at 0x%llx (suberror %u)",
		                 vcpu, rip, run->internal.suberror);
	case KVM_EXIT_FAIL_ENTRY:
		return error_set(error, GIM_E_UNSUPPORTED, "vCPU %u: the host cannot enter the guest (reason 0x%llx)", vcpu,
		                 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	default:
		return error_set(error, GIM_E_UNSUPPORTED, "vCPU %u: the guest left for an unexpected reason, %u, at 0x%llx", vcpu,
		                 run->exit_reason, rip);
	}
}

/* Writes to the machine's pages are ignored, as they are by the interface. */
bool vm_is_page_write(const struct gim_machine *machine, const struct kvm_run *run)
{
	struct gim_page page;
	if (run->exit_reason != KVM_EXIT_MMIO || !run->mmio.is_write)
		return false;
	for (unsigned i = 0; gim_machine_page(machine, i, &page); i++)
		if (page.gpa == (run->mmio.phys_addr & ~(PAGE_BYTES - 1)))
			return true;
	return false;
}

int vm_run(struct vm *vm, struct gim_machine *machine, uint32_t vcpu, uint64_t end_ns, struct gim_error *error)
{
	struct vm_vcpu *own = &vm->vcpus[vcpu];
	timer_t timer = NULL;
	int result = watchdog(&timer, error);
	if (!result && vm->pages_moved)
		result = vm_place_pages(vm, machine, error);
	if (result)
		return result;
	own->run->immediate_exit = 0;
	running = own->run;
	if (set_watchdog(timer, end_ns))
		result = vm_refuse(error, "the watchdog's timer is refused");
	if (!result)
		result = engine_stopped(error); /* before the handler knew what to stop */
	for (bool again = true; !result && again;) {
		if (!ioctl(own->fd, KVM_RUN, 0)) {
			again = serve_msr(vm, machine, vcpu, own->run) || vm_is_page_write(machine, own->run);
		} else if (errno == EINTR || errno == EAGAIN) {
			result = engine_stopped(error);
			if (!result && vm_now_ns() >= end_ns)
				result = error_set(error, GIM_E_STOPPED,
				                   "vCPU %u: the watchdog stopped the guest, which did not come to an end", vcpu);
			own->run->immediate_exit = 0;
		} else {
			result = vm_refuse(error, "KVM does not run the guest");
		}
		if (again && !result && vm->pages_moved)
			result = vm_place_pages(vm, machine, error);
	}
	(void)set_watchdog(timer, 0);
	running = NULL;
	if (result)
		return result;
	const uint32_t reason = own->run->exit_reason;
	return reason == KVM_EXIT_IO || reason == KVM_EXIT_IRQ_WINDOW_OPEN ? 0 : vm_describe_exit(vm, vcpu, error);
}

/*
 * Threads.
 */
/* Guests spin while they wait for each other. Where there are more vCPUs than processors, one that is kicked must not wait for long turns of the others. A kernel that does not
 * know of it says so, and then it takes longer. */
static void take_short_turns(void)
{
	const struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attributes = {.size = sizeof(attributes), .policy = SCHED_OTHER, .nice = getpriority(PRIO_PROCESS, 0), .runtime_ns = 200000};
	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void vm_join(struct vm_vcpu *vcpu)
{
	take_short_turns();
	(void)catch_signal();
	vcpu->thread = pthread_self();
}

void vm_kick(struct vm_vcpu *vcpu)
{
	/* It is on its way into the guest, or in it. */
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	(void)pthread_kill(vcpu->thread, STOP_SIGNAL);
}

int vm_enter(struct vm_vcpu *vcpu, struct gim_error *error)
{
	if (!ioctl(vcpu->fd, KVM_RUN, 0))
		return 0;
	return errno == EINTR || errno == EAGAIN ? 1 : vm_refuse(error, "KVM does not run the guest");
}

int vm_complete(struct vm_vcpu *vcpu, struct gim_error *error)
{
	vcpu->run->immediate_exit = 1;
	const int result = vm_enter(vcpu, error);
	vcpu->run->immediate_exit = 0;
	return result;
}

#endif
