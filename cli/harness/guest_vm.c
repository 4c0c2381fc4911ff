/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Running a guest that boots: a thread for each vCPU, and one, the caller's, that is the clock. A single lock stands around the machine, the APICs and the devices; a vCPU
 * gives it up while it is in the guest. Who has something for a vCPU that is inside kicks it out.
 */
#include "guest_debug.h"
#include "guest_resume.h"

#include "engine.h"
#include "image.h"
#include "output.h"
#include "replay.h"
#include "resume_fields.h"
#include "stop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sys/ioctl.h>

#define NS_PER_S UINT64_C(1000000000)
/* Devices, the local APICs among them, lie in the last of the first four GiB. */
#define HOLE_GPA UINT64_C(0xc0000000)
#define HOLE_BYTES UINT64_C(0x40000000)
#define TSS_GPA 0xfffbd000u
#define DEFAULT_RAM_BYTES (UINT64_C(128) << 20)
#define DEFAULT_FOR_NS NS_PER_S
#define LOOK_NS (NS_PER_S / 10)    /* whether somebody wants it to stop */
#define WINDOW_NS UINT64_C(100000) /* what an interrupt window takes at most to be seen */
#define APIC_TIMER_HZ UINT64_C(1000000000)

static int refuse(struct gim_error *error, const char *what)
{
	return error_set(error, GIM_E_IO, "%s: %s", what, strerror(errno));
}

/* The first failure ends the guest. */
void guest_fail(struct guest *guest, int result)
{
	if (!guest->failure)
		guest->failure = result;
	guest->stop = true;
	(void)pthread_cond_broadcast(&guest->changed);
	(void)pthread_cond_broadcast(&guest->clock);
}

/*
 * What the machine, the APICs and the devices do to vCPUs. All with the lock.
 */
void guest_kick(struct guest_vcpu *vcpu)
{
	if (vcpu->inside && !vcpu->kicked) {
		vcpu->kicked = true;
		vm_kick(&vcpu->guest->vm.vcpus[vcpu->id]);
	} else if (!vcpu->inside) {
		(void)pthread_cond_broadcast(&vcpu->guest->changed);
	}
}

static void on_wake(void *user, uint32_t vcpu)
{
	guest_kick(&((struct guest *)user)->vcpus[vcpu]);
}

static void on_signal(void *user, uint32_t id, enum apic_signal signal, uint8_t vector)
{
	struct guest *guest = (struct guest *)user;
	struct guest_vcpu *vcpu = &guest->vcpus[id];
	if (signal == APIC_NMI) {
		vcpu->nmi = true;
	} else if (signal == APIC_INIT) {
		apic_init(&guest->apics.items[id]);
		vcpu->init = true;
		vcpu->startup = -1;
	} else if (vcpu->init || vcpu->activity == VCPU_WAITS) {
		vcpu->startup = vector;
	}
	guest_kick(vcpu);
}

static void on_ended(void *user, uint32_t vcpu, uint8_t vector)
{
	struct guest *guest = (struct guest *)user;
	if (guest->in_core)
		guest->ended_vector = vector;
	else
		gim_machine_eoi(guest->machine, vcpu, vector);
}

static uint64_t on_tsc(void *user)
{
	return vm_tsc(&((struct guest *)user)->vm);
}

static uint64_t on_utc_ns(void *user)
{
	struct timespec now;
	(void)user;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void on_interrupt(void *user, uint32_t vcpu, uint8_t vector, bool auto_eoi)
{
	apic_raise(&((struct guest *)user)->apics, vcpu, vector, auto_eoi);
}

static int on_apic_read(void *user, uint32_t vcpu, uint32_t offset, uint64_t *value)
{
	struct guest *guest = (struct guest *)user;
	if (offset == APIC_REGISTER_ICR)
		return *value = guest->apics.items[vcpu].icr, 0;
	return apic_read(&guest->apics, vcpu, offset, vm_tsc(&guest->vm), value) ? 0 : -1;
}

static int on_apic_write(void *user, uint32_t vcpu, uint32_t offset, uint64_t value)
{
	struct guest *guest = (struct guest *)user;
	struct apic *apic = &guest->apics.items[vcpu];
	if (offset == APIC_REGISTER_ICR && !apic_is_x2(apic))
		apic->icr = (uint32_t)apic->icr | (value >> 32 << 32);
	return apic_write(&guest->apics, vcpu, offset, vm_tsc(&guest->vm), value) ? 0 : -1;
}

static void on_reset(void *user)
{
	struct guest *guest = (struct guest *)user;
	guest->end = GUEST_RESET;
	guest_fail(guest, error_set(guest->error, GIM_E_UNSUPPORTED, "the guest asked for a reset, which ends it here"));
}

static void on_crash(void *user, const struct gim_crash *crash)
{
	struct guest *guest = (struct guest *)user;
	guest->end = GUEST_CRASHED;
	guest_fail(guest, error_set(guest->error, GIM_E_UNSUPPORTED,
	                            "vCPU %u: the guest says that it crashed: 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx%s%.*s", crash->vcpu,
	                            (unsigned long long)crash->parameters[0], (unsigned long long)crash->parameters[1],
	                            (unsigned long long)crash->parameters[2], (unsigned long long)crash->parameters[3],
	                            (unsigned long long)crash->parameters[4], crash->message ? ": " : "",
	                            crash->message_bytes < 100 ? (int)crash->message_bytes : 100, crash->message ? crash->message : ""));
}

static void on_page(void *user, const struct gim_page *page)
{
	(void)page;
	((struct guest *)user)->vm.pages_moved = true;
}

/* The clock waits no longer than to what is due first. */
void guest_set_clock(struct guest *guest)
{
	const uint64_t machine = gim_machine_deadline(guest->machine), apics = apics_deadline(&guest->apics);
	if ((machine < apics ? machine : apics) < guest->clock_until)
		(void)pthread_cond_signal(&guest->clock);
}

/*
 * The clock.
 */
static bool is_idle(const struct guest *guest)
{
	for (uint32_t i = 0; i < guest->vm.vcpu_count; i++)
		if (guest->vcpus[i].inside || guest->vcpus[i].activity == VCPU_RUNS || guest->vcpus[i].init ||
		    guest_can_run(guest, &guest->vcpus[i]))
			return false;
	return true;
}

static uint64_t ns_until(const struct guest *guest, uint64_t tsc)
{
	const uint64_t now = vm_tsc(&guest->vm);
	if (tsc == GIM_UNKNOWN || tsc <= now)
		return tsc == GIM_UNKNOWN ? GIM_UNKNOWN : 0;
	const uint64_t left = tsc - now;
	/* It looks again before that. */
	return left >= guest->vm.tsc_hz ? NS_PER_S : left * (NS_PER_S / 1000) / (guest->vm.tsc_hz / 1000);
}

static void wait_until(struct guest *guest, uint64_t end_ns)
{
	const struct timespec when = {(time_t)(end_ns / NS_PER_S), (long)(end_ns % NS_PER_S)};
	(void)pthread_cond_timedwait(&guest->clock, &guest->lock, &when);
}

/* What ends the run, at times from its start; 0: no end. */
static uint64_t find_end(const struct guest *guest)
{
	const struct guest_options *options = guest->options;
	const uint64_t ends[] = {guest->for_ns, options->timeout_ns, options->save ? options->save_ns : 0};
	uint64_t end = 0;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i] && (!end || ends[i] < end))
			end = ends[i];
	if (options->save && !options->save_ns)
		end = 1; /* at once */
	return end;
}

static int tell_idle(struct guest *guest)
{
	guest->end = GUEST_IDLE;
	return error_set(guest->error, GIM_E_STOPPED,
	                 "every vCPU halts or waits to be started, and nothing will ever wake one: no timer runs");
}

/*
 * Not every KVM sees at once that a guest has enabled interrupts again: a guest that spins on its memory then takes the next one only when it exits for something
 * else, which may be a later one of higher priority, each time.
 */
static bool waits_for_window(const struct guest *guest, uint32_t vcpu)
{
	return guest->vcpus[vcpu].inside && guest->vm.vcpus[vcpu].run->request_interrupt_window;
}

static bool any_waits_for_window(const struct guest *guest)
{
	for (uint32_t i = 0; i < guest->vm.vcpu_count; i++)
		if (waits_for_window(guest, i))
			return true;
	return false;
}

/* Have them come out and take it, before time brings another one. */
static void look_for_window(struct guest *guest)
{
	bool kicked = false;
	for (uint32_t i = 0; i < guest->vm.vcpu_count; i++)
		if (waits_for_window(guest, i)) {
			guest_kick(&guest->vcpus[i]);
			kicked = true;
		}
	if (kicked)
		wait_until(guest, vm_now_ns() + WINDOW_NS);
}

/* With the lock, until the guest ends, its time is over, or a person stops it, which no signal tells a condition. */
static void run_clock(struct guest *guest, uint64_t start_ns)
{
	const uint64_t end = find_end(guest), end_ns = end ? start_ns + end : UINT64_MAX;
	while (!guest->stop && !stop_wanted) {
		const uint64_t now_ns = vm_now_ns(), tsc = vm_tsc(&guest->vm);
		if (now_ns >= end_ns)
			break;
		gim_machine_advance(guest->machine);
		apics_advance(&guest->apics, tsc);
		const uint64_t machine = gim_machine_deadline(guest->machine), apics = apics_deadline(&guest->apics);
		guest->clock_until = machine < apics ? machine : apics;
		if (guest->clock_until == GIM_UNKNOWN && !guest->debug && is_idle(guest)) {
			guest_fail(guest, tell_idle(guest));
			break;
		}
		const bool window = any_waits_for_window(guest);
		const uint64_t wait_ns = ns_until(guest, guest->clock_until), most = window ? WINDOW_NS : LOOK_NS;
		const uint64_t until = wait_ns > most ? most : wait_ns;
		wait_until(guest, now_ns + until < end_ns ? now_ns + until : end_ns);
		if (window)
			look_for_window(guest);
	}
}

static int start_threads(struct guest *guest, struct gim_error *error)
{
	for (uint32_t i = 0; i < guest->vm.vcpu_count; i++) {
		const int failed = pthread_create(&guest->vcpus[i].thread, NULL, guest_run_vcpu, &guest->vcpus[i]);
		if (failed)
			return error_set(error, GIM_E_IO, "there is no thread for vCPU %u: %s", i, strerror(failed));
		guest->vcpus[i].has_thread = true;
	}
	return 0;
}

/* Stop all vCPUs at an exit that is complete. */
static void stop_threads(struct guest *guest)
{
	guest->stop = true;
	for (uint32_t i = 0; i < guest->vm.vcpu_count; i++)
		guest_kick(&guest->vcpus[i]);
	(void)pthread_mutex_unlock(&guest->lock);
	for (uint32_t i = 0; i < guest->vm.vcpu_count; i++)
		if (guest->vcpus[i].has_thread)
			(void)pthread_join(guest->vcpus[i].thread, NULL);
	(void)pthread_mutex_lock(&guest->lock);
}

static int tell_late(const struct guest *guest, struct gim_error *error)
{
	return error_set(error, GIM_E_STOPPED,
	                 "the watchdog stopped the guest, which did not come to an end within %llu ms; --timeout gives more",
	                 (unsigned long long)guest->options->timeout_ns / 1000000);
}

/* How it ended; a negative code: it did not, and was given up. */
static int find_how(const struct guest *guest, struct guest_result *result, struct gim_error *error)
{
	const struct guest_options *options = guest->options;
	if (guest->failure && !guest->end)
		return guest->failure;
	if (guest->failure)
		result->end = guest->end;
	else if (guest->ended)
		result->end = GUEST_EXITED;
	else if (options->save && result->ran_ns >= options->save_ns)
		result->end = GUEST_SAVED;
	else if (stop_wanted || (guest->for_ns && result->ran_ns >= guest->for_ns))
		result->end = GUEST_STOPPED;
	else
		return tell_late(guest, error);
	if (guest->ended)
		result->value = guest->board.end_value;
	return 0;
}

/* A failure of it matters more than what ended the guest, which is told otherwise. */
static int save_to(struct guest *guest, const char *path, bool *written, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	const int status = guest_save(guest, path, &own);
	*written = !status;
	if (status)
		*error = own;
	return status;
}

/* It is kept as it is at the end, whatever that was. For a guest that another hypervisor saved no end is a failure: what it did is what was asked for. */
static int finish(struct guest *guest, uint64_t start_ns, struct guest_result *result, struct gim_error *error)
{
	const struct guest_options *options = guest->options;
	result->ran_ns = vm_now_ns() - start_ns;
	int status = find_how(guest, result, error);
	if (!status && result->end == GUEST_SAVED)
		status = save_to(guest, options->save, &result->saved, error);
	if (!status && options->save_after)
		status = save_to(guest, options->save_after, &result->saved_after, error);
	if (!status && guest->foreign)
		return guest_tell_report(guest, guest->failure ? guest->error->text : "", error);
	return status ? status : guest->failure;
}

static int run(struct guest *guest, struct guest_result *result, struct gim_error *error)
{
	const uint64_t start_ns = vm_now_ns();
	(void)pthread_mutex_lock(&guest->lock);
	int status = start_threads(guest, error);
	if (status)
		guest_fail(guest, status);
	run_clock(guest, start_ns);
	stop_threads(guest);
	guest_debug_end(guest);
	status = finish(guest, start_ns, result, error);
	(void)pthread_mutex_unlock(&guest->lock);
	return status;
}

/*
 * Making it.
 */
static int allocate(struct guest *guest, uint32_t vcpus, struct gim_error *error)
{
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&guest->lock, NULL);
	(void)pthread_cond_init(&guest->changed, NULL);
	(void)pthread_cond_init(&guest->clock, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	guest->vcpus = calloc(vcpus, sizeof(*guest->vcpus));
	guest->apics.items = calloc(vcpus, sizeof(*guest->apics.items));
	guest->pristine = calloc(1, sizeof(struct kvm_sregs));
	if (!guest->vcpus || !guest->apics.items || !guest->pristine)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	for (uint32_t i = 0; i < vcpus; i++) {
		guest->vcpus[i] = (struct guest_vcpu){.guest = guest, .id = i, .activity = VCPU_WAITS, .startup = -1};
		apic_reset(&guest->apics.items[i], i);
	}
	return 0;
}

static void free_guest(struct guest *guest)
{
	guest_debug_close(guest);
	guest_resume_close(guest);
	vm_close(&guest->vm);
	gim_machine_free(&guest->machine);
	free(guest->vcpus);
	free(guest->apics.items);
	free(guest->pristine);
	json_decref(guest->document);
	(void)pthread_mutex_destroy(&guest->lock);
	(void)pthread_cond_destroy(&guest->changed);
	(void)pthread_cond_destroy(&guest->clock);
}

static int open_vm(struct guest *guest, const struct gim_machine_config *config, struct gim_error *error)
{
	struct vm *vm = &guest->vm;
	int result = vm_open(vm, config->vcpus, config->ram_bytes, 0, error);
	if (!result)
		result = vm_filter_msrs(vm,
		                        VM_MSRS_HYPERV | VM_MSRS_APIC_BASE | (guest->kernel_clock ? 0u : VM_MSRS_KVM) |
		                            (guest->foreign ? VM_MSRS_DEADLINE : 0u),
		                        error);
	if (!result && !guest->foreign)
		result = vm_hide(vm, HOLE_GPA, HOLE_BYTES, error);
	if (result)
		return result;
	(void)ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_GPA); /* old Intel processors need it, and others do not have it */
	if (ioctl(vm->vcpus[0].fd, KVM_GET_SREGS, guest->pristine))
		return refuse(error, "a vCPU's registers cannot be read");
	/* What differs between vCPUs at power-on is the APIC's, which is not KVM's here. */
	return 0;
}

static int make_machine(struct guest *guest, struct gim_machine_config *config, struct gim_error *error)
{
	/* The hypercall page calls us by a port: what a host does with vmcall cannot be relied on. */
	static const struct gim_setting code = {"hypercall_code", "e6f0c3"};
	const struct gim_host host = {.user = guest,
	                              .tsc = on_tsc,
	                              .utc_ns = on_utc_ns,
	                              .interrupt = on_interrupt,
	                              .apic_read = on_apic_read,
	                              .apic_write = on_apic_write,
	                              .wake = on_wake,
	                              .reset = on_reset,
	                              .crash = on_crash,
	                              .page = on_page};
	config->ram = guest->vm.ram;
	config->tsc_hz = guest->vm.tsc_hz;
	config->apic_hz = APIC_TIMER_HZ;
	if (!strcmp(config->provider, "hyperv")) {
		config->settings = &code;
		config->setting_count = 1;
	}
	return engine_machine(config, &host, &guest->machine, error);
}

static void connect_parts(struct guest *guest)
{
	guest->apics.count = guest->vm.vcpu_count;
	guest->apics.tsc_hz = guest->vm.tsc_hz;
	guest->apics.timer_hz = APIC_TIMER_HZ;
	guest->apics.user = guest;
	guest->apics.wake = on_wake;
	guest->apics.signal = on_signal;
	guest->apics.ended = on_ended;
	guest->board.machine = guest->machine;
	guest->board.vcpus = guest->vm.vcpu_count;
	guest->board.ram_bytes = guest->vm.ram_bytes < HOLE_GPA ? guest->vm.ram_bytes : HOLE_GPA;
	guest->board.put = guest->options->serial;
	guest->board.user = guest->options->user;
}

/* A machine that boots has the interface that the state has, and no more of it than is left by a reset; its time goes on. */
static int load_for_boot(struct guest *guest, struct gim_error *error)
{
	int result = gim_machine_load(guest->machine, guest->options->state, NULL, NULL, error);
	if (!result)
		result = gim_machine_load_done(guest->machine, error);
	return result ? result : gim_machine_reset(guest->machine, error);
}

int guest_set_cpuid(struct guest *guest, struct gim_error *error)
{
	int result = 0;
	for (uint32_t i = 0; !result && i < guest->vm.vcpu_count; i++)
		result = vm_set_cpuid(&guest->vm, guest->machine, i, error);
	return result;
}

static int boot(struct guest *guest, struct gim_error *error)
{
	const struct guest_options *options = guest->options;
	struct image image;
	int result = options->state ? load_for_boot(guest, error) : 0;
	if (!result)
		result = image_load(options->kernel, options->append, guest->vm.ram, guest->board.ram_bytes, &image, error);
	if (!result)
		result = guest_set_cpuid(guest, error);
	for (uint32_t i = 0; !result && i < guest->vm.vcpu_count; i++)
		result = guest_init_vcpu(guest, i, error);
	return result ? result : guest_boot_registers(guest, &image, error);
}

static int open_guest(struct guest *guest, struct gim_machine_config *config, struct gim_error *error)
{
	int result = allocate(guest, config->vcpus, error);
	if (!result)
		result = open_vm(guest, config, error);
	if (!result)
		result = make_machine(guest, config, error);
	if (result)
		return result;
	connect_parts(guest);
	result = guest->memory ? guest_resume(guest, error) : guest->options->resume ? guest_restore(guest, error) : boot(guest, error);
	if (!result && guest->foreign)
		result = guest_remember(guest, error);
	if (!result)
		result = vm_place_pages(&guest->vm, guest->machine, error);
	return result || !guest->options->gdb_port ? result : guest_debug_open(guest, guest->options->gdb_port, error);
}

/* What the state or the caller says of the machine. */
static int configure(const struct guest_options *options, struct gim_machine_config *config, char provider[16], struct gim_error *error)
{
	*config = (struct gim_machine_config){.provider = options->provider, .vcpus = 1, .ram_bytes = DEFAULT_RAM_BYTES};
	int result = options->state ? replay_machine(options->state, config, provider, error) : 0;
	if (result)
		return result;
	if (options->vcpus && options->state && options->vcpus != config->vcpus)
		return error_set(error, GIM_E_VALUE, "the state has %u vCPUs; --smp %u is another machine", config->vcpus, options->vcpus);
	if (options->ram_bytes && options->resume && options->ram_bytes != config->ram_bytes)
		return error_set(error, GIM_E_VALUE, "what is resumed has its own memory; --mem is for machines that boot");
	if (options->vcpus)
		config->vcpus = options->vcpus;
	if (options->ram_bytes)
		config->ram_bytes = options->ram_bytes;
	return 0;
}

/* What there is to go on with: a machine of ours, in a bundle, or the vCPUs and the memory that another hypervisor saved. */
static int find_saved(struct guest *guest, struct gim_machine_config *config, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	int result = guest_read_document(guest, &own);
	if (result == GIM_E_NO_UNIT && !gim_state_decode(guest->options->state, GIM_PART_GUEST, NULL, NULL, NULL) &&
	    resume_has_vcpus(guest->options->state)) {
		guest->foreign = true;
		result = guest_resume_open(guest, &config->ram_bytes, error);
	} else if (result) {
		*error = own;
	}
	/* It may well run for ever, so that a look at it has an end of its own. */
	if (guest->foreign && !guest->for_ns && !guest->options->gdb_port)
		guest->for_ns = DEFAULT_FOR_NS;
	if (!result && guest->foreign)
		result = guest_log_open(&guest->log, config->vcpus, error);
	return result;
}

int guest_run(const struct guest_options *options, struct guest_result *result, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	struct guest guest = {.options = options,
	                      .error = &own,
	                      .for_ns = options->for_ns,
	                      .vm = {.kvm = -1, .fd = -1},
	                      .kernel_clock = options->kernel_clock,
	                      .ended_vector = -1,
	                      .clock_until = GIM_UNKNOWN};
	struct gim_machine_config config;
	char provider[16];
	*result = (struct guest_result){.vcpus = 0};
	int status = configure(options, &config, provider, error);
	if (status)
		return status;
	if (vm_probe(&own))
		return error_set(error, GIM_E_UNSUPPORTED, "a guest needs KVM: %s", own.text);
	if (options->resume)
		status = find_saved(&guest, &config, &own);
	if (!status)
		status = open_guest(&guest, &config, &own);
	result->vcpus = guest.vm.vcpu_count;
	result->ram_bytes = guest.vm.ram_bytes;
	result->tsc_hz = guest.vm.tsc_hz;
	if (!status)
		status = run(&guest, result, &own);
	free_guest(&guest);
	if (status && error && !error->code)
		*error = own;
	return status;
}

#else

int guest_run(const struct guest_options *options, struct guest_result *result, struct gim_error *error)
{
	(void)options;
	(void)result;
	return error_set(error, GIM_E_UNSUPPORTED, "a guest needs KVM: guests are x86 code, and this host is none");
}

#endif
