/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures the engine kvm beside bare ioctls of the same run: a VM's whole life with a probe of 12 operations, and an MSR exit that the core serves. */
#include "harness/engine.h"
#include "harness/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "bench: %s\n", what);
	exit(2);
}

#ifdef __x86_64__

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OPERATIONS = 12, ROUNDS = 300, EXITS = 20000, REPEATS = 5, CPUID_MAX = 256 };
#define RAM_BYTES (UINT64_C(16) << 20)
#define MSR_VP_INDEX 0x40000002u

/*
 * Bare ioctls: what any VMM of this kind has to do, and no more. Its guest reads the MSR and then asks by a port, again and again.
 */
struct bare {
	int kvm, fd;
	uint32_t vcpus;
	int vcpu[64];
	struct kvm_run *run[64];
	size_t run_bytes;
	uint8_t *ram;
};

/* mov ecx, MSR; rdmsr; out 0xf1, al; jmp back to the rdmsr */
static const uint8_t guest[] = {0x66, 0xb9, 0x02, 0x00, 0x00, 0x40, 0x0f, 0x32, 0xe6, 0xf1, 0xeb, 0xfa};

static void bare_filter(const struct bare *bare)
{
	static uint8_t nothing[0x200 / 8];
	struct kvm_enable_cap exits = {.cap = KVM_CAP_X86_USER_SPACE_MSR, .args = {7}};
	struct kvm_msr_filter filter = {.flags = KVM_MSR_FILTER_DEFAULT_ALLOW};
	filter.ranges[0] = (struct kvm_msr_filter_range){.flags = 3, .base = 0x40000000, .nmsrs = 0x200, .bitmap = nothing};
	filter.ranges[1] = (struct kvm_msr_filter_range){.flags = 3, .base = 0x4b564d00, .nmsrs = 0x10, .bitmap = nothing};
	filter.ranges[2] = (struct kvm_msr_filter_range){.flags = 3, .base = 0x11, .nmsrs = 2, .bitmap = nothing};
	must(!ioctl(bare->fd, KVM_ENABLE_CAP, &exits) && !ioctl(bare->fd, KVM_X86_SET_MSR_FILTER, &filter), "MSRs cannot be made to exit");
}

static void bare_slot(const struct bare *bare, uint32_t slot, uint64_t gpa, uint64_t bytes, uint8_t *memory)
{
	const struct kvm_userspace_memory_region region = {
	    .slot = slot, .guest_phys_addr = gpa, .memory_size = bytes, .userspace_addr = (uint64_t)(uintptr_t)memory};
	must(!ioctl(bare->fd, KVM_SET_USER_MEMORY_REGION, &region), "a memory slot is refused");
}

static void bare_vcpu(struct bare *bare, uint32_t index, struct kvm_cpuid2 *cpuid)
{
	struct kvm_sregs sregs;
	const struct kvm_regs regs = {.rip = 0x1000, .rflags = 2};
	bare->vcpu[index] = ioctl(bare->fd, KVM_CREATE_VCPU, (unsigned long)index);
	must(bare->vcpu[index] >= 0, "no vCPU");
	bare->run[index] = mmap(NULL, bare->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bare->vcpu[index], 0);
	must(bare->run[index] != MAP_FAILED && !ioctl(bare->vcpu[index], KVM_GET_SREGS, &sregs), "no registers");
	sregs.cs.base = sregs.cs.selector = 0;
	must(!ioctl(bare->vcpu[index], KVM_SET_CPUID2, cpuid) && !ioctl(bare->vcpu[index], KVM_SET_SREGS, &sregs) &&
	         !ioctl(bare->vcpu[index], KVM_SET_REGS, &regs),
	     "a vCPU cannot be set up");
}

static void bare_open(struct bare *bare, uint32_t vcpus)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(struct kvm_cpuid_entry2));
	must(cpuid, "out of memory");
	cpuid->nent = CPUID_MAX;
	*bare = (struct bare){.vcpus = vcpus};
	bare->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	bare->fd = ioctl(bare->kvm, KVM_CREATE_VM, 0);
	bare->run_bytes = (size_t)ioctl(bare->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	bare->ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(bare->fd >= 0 && bare->ram != MAP_FAILED && !ioctl(bare->kvm, KVM_GET_SUPPORTED_CPUID, cpuid), "no VM");
	bare_filter(bare);
	/* As many slots as the interface's two pages make of the RAM, and one more. */
	bare_slot(bare, 0, 0, 0x14000, bare->ram);
	for (uint32_t i = 0; i < 2; i++)
		bare_slot(bare, 1 + i, 0x14000 + 4096 * i, 4096, bare->ram + 0x14000 + 4096 * i);
	bare_slot(bare, 3, 0x16000, RAM_BYTES - 0x16000, bare->ram + 0x16000);
	memcpy(bare->ram + 0x1000, guest, sizeof(guest));
	for (uint32_t i = 0; i < vcpus; i++)
		bare_vcpu(bare, i, cpuid);
	free(cpuid);
}

/* Until the port; MSRs are served by the machine, or with a constant where there is none. */
static void bare_run(struct bare *bare, uint32_t index, struct gim_machine *machine)
{
	struct kvm_run *run = bare->run[index];
	for (;;) {
		must(!ioctl(bare->vcpu[index], KVM_RUN, 0), "the guest does not run");
		if (run->exit_reason == KVM_EXIT_IO)
			return;
		must(run->exit_reason == KVM_EXIT_X86_RDMSR, "an exit that nobody wanted");
		uint64_t value = 7;
		run->msr.error = machine && gim_machine_rdmsr(machine, index, run->msr.index, &value) != GIM_ACCESS_DONE;
		run->msr.data = value;
	}
}

static void bare_close(struct bare *bare)
{
	for (uint32_t i = 0; i < bare->vcpus; i++) {
		(void)munmap(bare->run[i], bare->run_bytes);
		(void)close(bare->vcpu[i]);
	}
	(void)close(bare->fd);
	(void)close(bare->kvm);
	(void)munmap(bare->ram, RAM_BYTES);
}

/* Every vCPU runs, as in the engine. */
static void bare_life(uint32_t vcpus)
{
	struct bare bare;
	bare_open(&bare, vcpus);
	for (unsigned i = 0; i < OPERATIONS; i++)
		bare_run(&bare, i % vcpus, NULL);
	bare_close(&bare);
}

/*
 * The engine.
 */
static struct engine *engine_of(uint32_t vcpus)
{
	const struct engine_config config = {
	    .machine = {.provider = "hyperv", .vcpus = vcpus, .ram_bytes = RAM_BYTES, .tsc_hz = 2600000000}};
	struct engine *engine = NULL;
	must(!engine_open(&engine_kvm, &config, &engine, NULL), "the engine does not open");
	return engine;
}

static void engine_life(uint32_t vcpus, struct gim_state *state)
{
	const struct guest_operation operation = {.act = ACT_RDMSR, .number = MSR_VP_INDEX};
	struct guest_outcome outcome;
	struct engine *engine = engine_of(vcpus);
	must(!engine_load(engine, state, NULL, NULL, NULL), "the state is not loaded");
	for (unsigned i = 0; i < OPERATIONS; i++)
		must(!engine_execute(engine, i % vcpus, &operation, &outcome, NULL), "an operation fails");
	engine_close(&engine);
}

/* A state with both pages, of as many vCPUs. */
static struct gim_state *state_of(uint32_t vcpus)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} writes[] = {{0x40000000, UINT64_C(0x8100000000000000)}, {0x40000001, 0x14001}, {0x40000021, 0x15001}};
	struct engine *engine = engine_of(vcpus);
	struct gim_state *state = NULL;
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		must(gim_machine_wrmsr(engine->machine, 0, writes[i].msr, writes[i].value) == GIM_ACCESS_DONE, "an MSR is refused");
	must(!engine_save(engine, &state, NULL), "no state");
	engine_close(&engine);
	return state;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* Turn and turn about, so that what else the host does meets both. */
static void measure_life(uint32_t vcpus)
{
	static double bare[ROUNDS], engine[ROUNDS];
	struct gim_state *state = state_of(vcpus);
	for (unsigned i = 0; i < ROUNDS; i++) {
		const uint64_t start = vm_now_ns();
		bare_life(vcpus);
		const uint64_t middle = vm_now_ns();
		engine_life(vcpus, state);
		bare[i] = (double)(middle - start);
		engine[i] = (double)(vm_now_ns() - middle);
	}
	gim_state_free(&state);
	const double by_hand = median(bare, ROUNDS), by_engine = median(engine, ROUNDS);
	printf("replay, a VM of %u vCPU%s with %u operations: %.2f ms, bare ioctls %.2f ms: %.2fx (limit 1.5x)%s\n", vcpus,
	       vcpus == 1 ? "" : "s", OPERATIONS, by_engine / 1e6, by_hand / 1e6, by_engine / by_hand,
	       by_engine > 1.5 * by_hand ? "  TOO SLOW" : "");
}

static void measure_exits(void)
{
	double constant[REPEATS], served[REPEATS];
	struct bare bare;
	struct engine *engine = engine_of(1);
	bare_open(&bare, 1);
	bare_run(&bare, 0, NULL);
	for (unsigned i = 0; i < REPEATS; i++)
		for (unsigned with = 0; with < 2; with++) {
			const uint64_t start = vm_now_ns();
			for (unsigned n = 0; n < EXITS; n++)
				bare_run(&bare, 0, with ? engine->machine : NULL);
			(with ? served : constant)[i] = (double)(vm_now_ns() - start) / EXITS;
		}
	bare_close(&bare);
	engine_close(&engine);
	/* An `out` is half of each. */
	const double a = median(constant, REPEATS), b = median(served, REPEATS);
	printf("replay, an MSR exit and a port exit: %.2f us served by the core, %.2f us with a constant: %.3fx (limit 1.1x)%s\n", b / 1e3,
	       a / 1e3, b / a, b > 1.1 * a ? "  TOO SLOW" : "");
}

int main(void)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (vm_probe(&error)) {
		printf("replay: not measured: %s\n", error.text);
		return 0;
	}
	measure_life(1);
	measure_life(2);
	measure_life(4);
	measure_exits();
	return 0;
}

#else

int main(void)
{
	must(true, "");
	printf("replay: not measured: the probe guest is x86-64 code\n");
	return 0;
}

#endif
