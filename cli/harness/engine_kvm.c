/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine "kvm": the probe guest does the operations for real, in a VM whose hypervisor is the runtime core. */
#include "engine.h"
#include "guest64.h"
#include "vm.h"

#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <time.h>

#define PAGE_BYTES UINT64_C(4096)
#define TABLE_ENTRIES 512u
#define LARGE_PAGE (UINT64_C(2) << 20)

extern const uint8_t guest64_begin[], guest64_end[], guest64_stubs[];

/* The harness's memory, from vm.extra_gpa on: GDT and hypercall stub, IDT, code, then for each vCPU a page of stack and mailbox, and the page tables. */
enum { AT_GDT = 0, AT_STUB = 0x800, AT_IDT = 0x1000, AT_CODE = 0x2000, AT_VCPUS = 0x4000 };
enum { CODE_SELECTOR = 8, DATA_SELECTOR = 16 };
enum { MAIL_AT = 4096 - MAIL_SIZE };

struct kvm_engine {
	struct engine engine;
	struct vm vm;
	uint64_t tables_gpa, tables_end, tables_next;
	bool kernel_clock;
	bool checked; /* MSRs do reach the machine */
};

static struct kvm_engine *kvm_of(struct engine *engine)
{
	return (struct kvm_engine *)engine;
}

static uint8_t *extra(struct kvm_engine *kvm, uint64_t gpa)
{
	return kvm->vm.extra + (gpa - kvm->vm.extra_gpa);
}

static uint64_t mail_gpa(const struct kvm_engine *kvm, uint32_t vcpu)
{
	return kvm->vm.extra_gpa + AT_VCPUS + vcpu * PAGE_BYTES + MAIL_AT;
}

static uint64_t get_mail(struct kvm_engine *kvm, uint32_t vcpu, unsigned offset)
{
	uint64_t value;
	memcpy(&value, extra(kvm, mail_gpa(kvm, vcpu)) + offset, sizeof(value));
	return value;
}

static void set_mail(struct kvm_engine *kvm, uint32_t vcpu, unsigned offset, uint64_t value)
{
	memcpy(extra(kvm, mail_gpa(kvm, vcpu)) + offset, &value, sizeof(value));
}

/*
 * Page tables: exactly the RAM and the harness's memory, so that everything else is a page fault.
 */
enum { PRESENT = 1, WRITABLE = 2, LARGE = 0x80 };

static uint64_t *table_at(struct kvm_engine *kvm, uint64_t gpa)
{
	return (uint64_t *)(void *)extra(kvm, gpa);
}

/* The table below entry `index` of a table; made when it is not there yet. */
static uint64_t table_below(struct kvm_engine *kvm, uint64_t table, uint64_t index)
{
	uint64_t *entry = &table_at(kvm, table)[index];
	if (!*entry) {
		*entry = kvm->tables_next | PRESENT | WRITABLE;
		kvm->tables_next += PAGE_BYTES;
	}
	return *entry & ~(PAGE_BYTES - 1);
}

static void map_range(struct kvm_engine *kvm, uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to;) {
		const uint64_t pointers = table_below(kvm, kvm->tables_gpa, at >> 39 & 511);
		const uint64_t directory = table_below(kvm, pointers, at >> 30 & 511);
		const bool large = !(at % LARGE_PAGE) && to - at >= LARGE_PAGE;
		if (large) {
			table_at(kvm, directory)[at >> 21 & 511] = at | PRESENT | WRITABLE | LARGE;
		} else {
			const uint64_t pages = table_below(kvm, directory, at >> 21 & 511);
			table_at(kvm, pages)[at >> 12 & 511] = at | PRESENT | WRITABLE;
		}
		at += large ? LARGE_PAGE : PAGE_BYTES;
	}
}

/* Tables that a machine of that size can need at most. */
static uint64_t tables_bytes(uint64_t ram_bytes)
{
	const uint64_t gigabytes = (ram_bytes >> 30) + 3, terabytes = (gigabytes >> 9) + 2;
	return (1 + terabytes + gigabytes + 2 + 4) * PAGE_BYTES;
}

/*
 * The guest.
 */
static void write_gate(uint8_t *gate, uint64_t handler)
{
	/* Intel SDM, 64-bit interrupt gate. */
	const uint16_t words[8] = {(uint16_t)handler,        CODE_SELECTOR, 0x8e00, (uint16_t)(handler >> 16), (uint16_t)(handler >> 32),
	                           (uint16_t)(handler >> 48)};
	memcpy(gate, words, sizeof(words));
}

static void write_guest(struct kvm_engine *kvm)
{
	const uint64_t base = kvm->vm.extra_gpa, stubs = base + AT_CODE + (uint64_t)(guest64_stubs - guest64_begin);
	/* Null, 64-bit code, data. */
	static const uint64_t gdt[] = {0, UINT64_C(0x00af9b000000ffff), UINT64_C(0x00cf93000000ffff)};
	static const uint8_t stub[] = {0xe6, GUEST_PORT_HYPERCALL, 0xc3};
	memcpy(extra(kvm, base + AT_GDT), gdt, sizeof(gdt));
	memcpy(extra(kvm, base + AT_STUB), stub, sizeof(stub));
	memcpy(extra(kvm, base + AT_CODE), guest64_begin, (size_t)(guest64_end - guest64_begin));
	for (unsigned vector = 0; vector < 256; vector++)
		write_gate(extra(kvm, base + AT_IDT) + 16 * vector, stubs + 16 * vector);
	map_range(kvm, 0, kvm->vm.ram_bytes);
	map_range(kvm, base, base + kvm->vm.extra_bytes);
}

static int refuse(struct gim_error *error, const char *what)
{
	return error_set(error, GIM_E_IO, "%s: %s", what, strerror(errno));
}

/* Long mode at the guest's first instruction. */
static int start_vcpu(struct kvm_engine *kvm, uint32_t vcpu, struct gim_error *error)
{
	const int fd = kvm->vm.vcpus[vcpu].fd;
	const uint64_t base = kvm->vm.extra_gpa, mail = mail_gpa(kvm, vcpu);
	struct kvm_sregs sregs;
	if (ioctl(fd, KVM_GET_SREGS, &sregs))
		return refuse(error, "a vCPU's registers cannot be read");
	const struct kvm_segment code = {.limit = UINT32_MAX, .selector = CODE_SELECTOR, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	const struct kvm_segment data = {.limit = UINT32_MAX, .selector = DATA_SELECTOR, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.gdt = (struct kvm_dtable){.base = base + AT_GDT, .limit = 23};
	sregs.idt = (struct kvm_dtable){.base = base + AT_IDT, .limit = 4095};
	sregs.cr0 = 0x80000033; /* paging, numeric errors, protected mode */
	sregs.cr3 = kvm->tables_gpa;
	sregs.cr4 = 0x620;  /* PAE, SSE state */
	sregs.efer = 0x500; /* long mode, enabled and active */
	const struct kvm_regs regs = {.rip = base + AT_CODE, .rflags = 2, .rsp = mail - 16, .r15 = mail};
	if (ioctl(fd, KVM_SET_SREGS, &sregs) || ioctl(fd, KVM_SET_REGS, &regs))
		return refuse(error, "a vCPU's registers are refused");
	return 0;
}

/*
 * Opening.
 */
static uint64_t host_tsc(void *user)
{
	return vm_tsc(&((struct kvm_engine *)user)->vm);
}

static uint64_t host_utc_ns(void *user)
{
	struct timespec now;
	(void)user;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void host_page(void *user, const struct gim_page *page)
{
	(void)page;
	((struct kvm_engine *)user)->vm.pages_moved = true;
}

static int kvm_open(struct engine *engine, const struct engine_config *config, struct gim_error *error)
{
	struct kvm_engine *kvm = kvm_of(engine);
	struct gim_machine_config own = config->machine;
	const struct gim_host host = {.user = kvm, .tsc = host_tsc, .utc_ns = host_utc_ns, .page = host_page, .log = engine_log};
	const uint64_t vcpus_end = AT_VCPUS + own.vcpus * PAGE_BYTES;
	int result = vm_open(&kvm->vm, own.vcpus, own.ram_bytes, vcpus_end + tables_bytes(own.ram_bytes), error);
	if (!result)
		result = vm_filter_msrs(&kvm->vm, VM_MSRS_HYPERV | (config->kernel_clock ? 0u : VM_MSRS_KVM), error);
	if (result)
		return result;
	kvm->kernel_clock = config->kernel_clock;
	kvm->tables_gpa = kvm->vm.extra_gpa + vcpus_end;
	kvm->tables_next = kvm->tables_gpa + PAGE_BYTES;
	write_guest(kvm);
	own.ram = engine->ram = kvm->vm.ram;
	own.tsc_hz = engine->tsc_hz = kvm->vm.tsc_hz;
	return engine_machine(&own, &host, &engine->machine, error);
}

static void kvm_close(struct engine *engine)
{
	vm_close(&kvm_of(engine)->vm);
}

static void kvm_describe(const struct engine *engine, engine_capability_fn *take, void *user)
{
	const struct vm *vm = &((const struct kvm_engine *)engine)->vm;
	for (unsigned i = 0; i < VM_CAPS; i++)
		take(user, vm_capability_name((enum vm_capability)i), vm->capabilities[i]);
}

static uint64_t kvm_tsc(struct engine *engine)
{
	return vm_tsc(&kvm_of(engine)->vm);
}

/*
 * A clock of the kernel's: KVM itself serves its MSRs, so they are the kernel's to load and to save.
 */
#define NS_PER_S UINT64_C(1000000000)
#define KVM_MSRS_FIRST 0x4b564d00u

struct kernel_msr {
	struct kvm_engine *kvm;
	uint32_t vcpu;
	struct gim_state *state;
	bool save;
	struct gim_error *error;
};

static int keep_number(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	*(uint64_t *)user = value->number;
	return 1;
}

static int set_number(struct gim_state *state, const char *path, uint64_t number, struct gim_error *error)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "0x%llx", (unsigned long long)number);
	return gim_state_set(state, path, text, error);
}

/* Which of them a kernel knows is its own matter: one that it does not takes its reset value, and is told by the probe that reads it. */
static int move_msr(void *user, const struct gim_msr_info *info)
{
	const struct kernel_msr *move = (const struct kernel_msr *)user;
	const int fd = move->kvm->vm.vcpus[move->vcpu].fd;
	/* The list of one MSR, whose entries follow its head. */
	union {
		struct kvm_msrs list;
		uint8_t bytes[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} msrs = {.list = {.nmsrs = 1}};
	struct kvm_msr_entry *entry = msrs.list.entries;
	entry->index = info->msr;
	uint64_t number = 0;
	if (info->msr < KVM_MSRS_FIRST || !*info->path || info->computed)
		return 0;
	if (move->save)
		return ioctl(fd, KVM_GET_MSRS, &msrs) == 1 ? set_number(move->state, info->path, entry->data, move->error) : 0;
	if (gim_state_visit(move->state, info->path, keep_number, &number, NULL) != 1)
		return 0;
	entry->data = number;
	(void)ioctl(fd, KVM_SET_MSRS, &msrs);
	return 0;
}

static int move_msrs(struct kvm_engine *kvm, struct gim_state *state, bool save, struct gim_error *error)
{
	int result = 0;
	for (uint32_t vcpu = 0; !result && vcpu < kvm->vm.vcpu_count; vcpu++) {
		struct kernel_msr move = {kvm, vcpu, state, save, error};
		result = gim_machine_msrs(kvm->engine.machine, vcpu, move_msr, &move);
	}
	return result;
}

static int kvm_loaded(struct engine *engine, struct gim_error *error)
{
	struct kvm_engine *kvm = kvm_of(engine);
	struct kvm_clock_data clock = {.clock = 0};
	uint64_t ns;
	if (!kvm->kernel_clock || gim_state_visit(engine->loaded, "kvm.clock_ns", keep_number, &ns, NULL) != 1)
		return 0;
	/* The page is written when the MSR is set, by the clock that there is then. */
	const uint64_t since = kvm_tsc(engine) - engine->loaded_tsc[1];
	clock.clock = ns + (uint64_t)((double)since * (double)NS_PER_S / (double)engine->tsc_hz);
	if (ioctl(kvm->vm.fd, KVM_SET_CLOCK, &clock))
		return refuse(error, "the kernel's clock cannot be set");
	return move_msrs(kvm, engine->loaded, false, error);
}

static int kvm_saved(struct engine *engine, struct gim_state *state, struct gim_error *error)
{
	struct kvm_engine *kvm = kvm_of(engine);
	struct kvm_clock_data clock;
	uint64_t ns;
	if (!kvm->kernel_clock || gim_state_visit(state, "kvm.clock_ns", keep_number, &ns, NULL) != 1)
		return 0;
	if (ioctl(kvm->vm.fd, KVM_GET_CLOCK, &clock))
		return refuse(error, "the kernel's clock cannot be read");
	int result = set_number(state, "kvm.clock_ns", clock.clock, error);
	return result ? result : move_msrs(kvm, state, true, error);
}

/*
 * Running.
 */
/* Serve a hypercall of the guest: at the `out` of the stub, whose registers are those of the call. */
static int serve_hypercall(struct kvm_engine *kvm, uint32_t vcpu, struct gim_error *error)
{
	const int fd = kvm->vm.vcpus[vcpu].fd;
	struct kvm_regs regs;
	if (ioctl(fd, KVM_GET_REGS, &regs))
		return refuse(error, "a vCPU's registers cannot be read");
	struct gim_registers call = {.rax = regs.rax,
	                             .rbx = regs.rbx,
	                             .rcx = regs.rcx,
	                             .rdx = regs.rdx,
	                             .rsi = regs.rsi,
	                             .rdi = regs.rdi,
	                             .r8 = regs.r8,
	                             .long_mode = true};
	if (gim_machine_hypercall(kvm->engine.machine, vcpu, &call) == GIM_ACCESS_DONE) {
		regs.rax = call.rax, regs.rbx = call.rbx, regs.rcx = call.rcx, regs.rdx = call.rdx;
		regs.rsi = call.rsi, regs.rdi = call.rdi, regs.r8 = call.r8;
		return ioctl(fd, KVM_SET_REGS, &regs) ? refuse(error, "a vCPU's registers are refused") : 0;
	}
	return vm_raise_ud(&kvm->vm, vcpu, error);
}

/* Run the vCPU until it waits for its next operation. */
static int run_to_wait(struct kvm_engine *kvm, uint32_t vcpu, struct gim_error *error)
{
	struct vm_vcpu *own = &kvm->vm.vcpus[vcpu];
	const uint64_t end = vm_now_ns() + (uint64_t)kvm->engine.watchdog_ms * 1000000;
	for (;;) {
		int result = vm_run(&kvm->vm, kvm->engine.machine, vcpu, end, error);
		if (result)
			return result;
		if (own->run->exit_reason == KVM_EXIT_IRQ_WINDOW_OPEN || own->run->io.port == GUEST_PORT_NEXT)
			return 0;
		if (own->run->io.port != GUEST_PORT_HYPERCALL)
			return error_set(error, GIM_E_UNSUPPORTED, "vCPU %u: the guest used port 0x%x", vcpu, own->run->io.port);
		if ((result = serve_hypercall(kvm, vcpu, error)))
			return result;
	}
}

/* At its first operation a vCPU gets its CPUID leaves, which no host lets change later, and goes to its wait. */
static int prepare(struct kvm_engine *kvm, uint32_t vcpu, struct gim_error *error)
{
	struct vm_vcpu *own = &kvm->vm.vcpus[vcpu];
	if (own->started)
		return 0;
	int result = kvm->kernel_clock ? vm_enforce_cpuid(&kvm->vm, vcpu, error) : 0;
	if (!result)
		result = vm_set_cpuid(&kvm->vm, kvm->engine.machine, vcpu, error);
	if (!result)
		result = start_vcpu(kvm, vcpu, error);
	if (!result)
		result = run_to_wait(kvm, vcpu, error);
	own->started = !result;
	return result;
}

static int operate(struct kvm_engine *kvm, uint32_t vcpu, uint64_t operation, struct gim_error *error)
{
	set_mail(kvm, vcpu, MAIL_OPERATION, operation);
	return run_to_wait(kvm, vcpu, error);
}

/* An MSR that no interface has, in the range that the filter keeps for us: its reading must come here. */
static int check_exits(struct kvm_engine *kvm, uint32_t vcpu, struct gim_error *error)
{
	const uint64_t before = kvm->vm.msr_exits;
	if (kvm->checked)
		return 0;
	set_mail(kvm, vcpu, MAIL_NUMBER, 0x400001ff);
	int result = operate(kvm, vcpu, GUEST_RDMSR, error);
	if (!result && kvm->vm.msr_exits != before + 1)
		result = error_set(error, GIM_E_UNSUPPORTED, "this host's KVM serves Hyper-V MSRs itself, whatever its filter is told");
	kvm->checked = !result;
	return result;
}

static const struct {
	enum guest_act act;
	uint64_t operation;
} acts[] = {{ACT_RDMSR, GUEST_RDMSR}, {ACT_WRMSR, GUEST_WRMSR}, {ACT_CPUID, GUEST_CPUID},        {ACT_RDTSC, GUEST_RDTSC},
            {ACT_READ, GUEST_READ},   {ACT_WRITE, GUEST_WRITE}, {ACT_HYPERCALL, GUEST_HYPERCALL}};

static const struct {
	unsigned mail;
	size_t offset;
} call_registers[] = {{MAIL_RAX, offsetof(struct gim_registers, rax)}, {MAIL_RBX, offsetof(struct gim_registers, rbx)},
                      {MAIL_RCX, offsetof(struct gim_registers, rcx)}, {MAIL_RDX, offsetof(struct gim_registers, rdx)},
                      {MAIL_RSI, offsetof(struct gim_registers, rsi)}, {MAIL_RDI, offsetof(struct gim_registers, rdi)},
                      {MAIL_R8, offsetof(struct gim_registers, r8)}};

/* The code that a hypercall calls: the interface's page where the guest has enabled it, else our stub. */
static uint64_t hypercall_code(struct kvm_engine *kvm)
{
	struct gim_page page;
	for (unsigned i = 0; gim_machine_page(kvm->engine.machine, i, &page); i++)
		if (!strcmp(page.name, "hyperv.hypercall_page") && page.gpa != GIM_UNKNOWN)
			return page.gpa;
	return kvm->vm.extra_gpa + AT_STUB;
}

static void write_mail(struct kvm_engine *kvm, uint32_t vcpu, const struct guest_operation *operation)
{
	const bool memory = operation->act == ACT_READ || operation->act == ACT_WRITE, call = operation->act == ACT_HYPERCALL;
	set_mail(kvm, vcpu, MAIL_NUMBER, memory ? operation->size_bytes : operation->number);
	set_mail(kvm, vcpu, MAIL_VALUE, operation->act == ACT_CPUID ? operation->subleaf : operation->value);
	set_mail(kvm, vcpu, MAIL_ADDRESS, call ? hypercall_code(kvm) : operation->gpa);
	for (size_t i = 0; call && i < sizeof(call_registers) / sizeof(call_registers[0]); i++) {
		uint64_t value;
		memcpy(&value, (const char *)&operation->registers + call_registers[i].offset, sizeof(value));
		set_mail(kvm, vcpu, call_registers[i].mail, value);
	}
	if (operation->act == ACT_WRITE)
		memcpy(extra(kvm, mail_gpa(kvm, vcpu)) + MAIL_BYTES, operation->bytes, sizeof(operation->bytes));
}

static int read_mail(struct kvm_engine *kvm, uint32_t vcpu, const struct guest_operation *operation, struct guest_outcome *outcome,
                     struct gim_error *error)
{
	const uint64_t fault = get_mail(kvm, vcpu, MAIL_FAULT);
	*outcome = (struct guest_outcome){.value = get_mail(kvm, vcpu, MAIL_VALUE)};
	if (fault) {
		outcome->rip = get_mail(kvm, vcpu, MAIL_RIP);
		outcome->error_code = get_mail(kvm, vcpu, MAIL_ERROR);
		outcome->address = fault - 1 == 14 ? get_mail(kvm, vcpu, MAIL_CR2) : 0;
		outcome->fault = fault - 1 == 13 ? FAULT_GP : fault - 1 == 6 ? FAULT_UD : FAULT_PF;
		if (fault - 1 != 13 && fault - 1 != 6 && fault - 1 != 14)
			return error_set(error, GIM_E_UNSUPPORTED, "vCPU %u: exception %llu at 0x%llx", vcpu, (unsigned long long)fault - 1,
			                 (unsigned long long)outcome->rip);
		return 0;
	}
	for (unsigned i = 0; i < 4; i++)
		outcome->regs[i] = operation->act == ACT_CPUID ? (uint32_t)get_mail(kvm, vcpu, MAIL_RAX + 8 * i) : 0;
	outcome->registers = operation->registers;
	for (size_t i = 0; operation->act == ACT_HYPERCALL && i < sizeof(call_registers) / sizeof(call_registers[0]); i++) {
		const uint64_t value = get_mail(kvm, vcpu, call_registers[i].mail);
		memcpy((char *)&outcome->registers + call_registers[i].offset, &value, sizeof(value));
	}
	if (operation->act == ACT_READ)
		memcpy(outcome->bytes, extra(kvm, mail_gpa(kvm, vcpu)) + MAIL_BYTES, operation->size_bytes);
	return 0;
}

static int kvm_execute(struct engine *engine, uint32_t vcpu, const struct guest_operation *operation, struct guest_outcome *outcome,
                       struct gim_error *error)
{
	struct kvm_engine *kvm = kvm_of(engine);
	int result = prepare(kvm, vcpu, error);
	if (!result)
		result = check_exits(kvm, vcpu, error);
	if (result)
		return result;
	write_mail(kvm, vcpu, operation);
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (acts[i].act == operation->act)
			result = operate(kvm, vcpu, acts[i].operation, error);
	return result ? result : read_mail(kvm, vcpu, operation, outcome, error);
}

/*
 * Interrupts: the machine's local APIC decides which, and KVM makes the guest take it.
 */
static int kvm_enter(struct engine *engine, uint32_t vcpu, uint8_t vector, struct gim_error *error)
{
	struct kvm_engine *kvm = kvm_of(engine);
	const struct kvm_interrupt interrupt = {.irq = vector};
	int result = prepare(kvm, vcpu, error);
	if (result)
		return result;
	struct kvm_run *run = kvm->vm.vcpus[vcpu].run;
	set_mail(kvm, vcpu, MAIL_OPERATION, GUEST_NOTHING);
	for (unsigned tries = 0; !result && !run->ready_for_interrupt_injection && tries < 16; tries++) {
		run->request_interrupt_window = 1;
		result = run_to_wait(kvm, vcpu, error);
		run->request_interrupt_window = 0;
	}
	set_mail(kvm, vcpu, MAIL_VECTOR, vector + 1u);
	if (!result && ioctl(kvm->vm.vcpus[vcpu].fd, KVM_INTERRUPT, &interrupt))
		result = refuse(error, "KVM refuses an interrupt");
	return result ? result : run_to_wait(kvm, vcpu, error);
}

static int kvm_leave(struct engine *engine, uint32_t vcpu, struct gim_error *error)
{
	return operate(kvm_of(engine), vcpu, GUEST_LEAVE, error);
}

static int kvm_sleep(struct engine *engine, uint64_t tsc, struct gim_error *error)
{
	for (uint64_t now; (now = kvm_tsc(engine)) < tsc;) {
		const uint64_t ns = (uint64_t)((double)(tsc - now) / (double)engine->tsc_hz * 1e9);
		const struct timespec time = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
		if (engine_stopped(error))
			return GIM_E_STOPPED;
		if (ns > 50000) /* a shorter one takes longer than it says */
			(void)nanosleep(&time, NULL);
	}
	return 0;
}

const struct engine_kind engine_kvm = {
    .name = "kvm",
    .help = "a VM of /dev/kvm, in which a guest does it for real",
    .size_bytes = sizeof(struct kvm_engine),
    .has_kernel = true,
    .probe = vm_probe,
    .open = kvm_open,
    .close = kvm_close,
    .describe = kvm_describe,
    .loaded = kvm_loaded,
    .saved = kvm_saved,
    .execute = kvm_execute,
    .enter = kvm_enter,
    .leave = kvm_leave,
    .tsc = kvm_tsc,
    .sleep = kvm_sleep,
};

#else

static int no_open(struct engine *engine, const struct engine_config *config, struct gim_error *error)
{
	(void)engine, (void)config;
	return vm_probe(error);
}

static void no_close(struct engine *engine)
{
	(void)engine;
}

const struct engine_kind engine_kvm = {.name = "kvm",
                                       .help = "a VM of /dev/kvm: only on x86-64",
                                       .size_bytes = sizeof(struct engine),
                                       .probe = vm_probe,
                                       .open = no_open,
                                       .close = no_close};

#endif
