/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Embedding the runtime core: a machine offers Hyper-V to a guest (a list of accesses), is saved in mid-run, and goes on in another. */
#include <gimstate.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TSC_HZ UINT64_C(2000000000)
#define MS (TSC_HZ / 1000)

enum { RAM_BYTES = 64 * 4096, MESSAGES = 0x8000, SINT = 2, VECTOR = 0x50 };
enum { GUEST_OS_ID = 0x40000000, REF_COUNT = 0x40000020, EOI = 0x40000070, SCONTROL = 0x40000080, SIMP = 0x40000083, EOM = 0x40000084 };
enum { SINT0 = 0x40000090, STIMER0_CONFIG = 0x400000b0, STIMER0_COUNT };

static uint8_t ram[RAM_BYTES]; /* a hypervisor maps it into its guest, and the pages that the callback names over it */

static void on_page(void *user, const struct gim_page *page)
{
	(void)user;
	if (page->gpa != GIM_UNKNOWN)
		printf("map %s read-only at 0x%llx\n", page->name, (unsigned long long)page->gpa);
}

static void on_log(void *user, enum gim_severity severity, const char *text)
{
	(void)user;
	fprintf(stderr, "%s: %s\n", severity == GIM_ERROR ? "error" : "log", text);
}

static void must(int result, const struct gim_error *error)
{
	if (result) {
		fprintf(stderr, "%s\n", error->text);
		exit(1);
	}
}

static struct gim_machine *new_machine(void)
{
	static const struct gim_setting settings[] = {{"vendor", "Microsoft Hv"}};
	const struct gim_machine_config config = {.provider = "hyperv",
	                                          .vcpus = 1,
	                                          .tsc_hz = TSC_HZ,
	                                          .ram_bytes = RAM_BYTES,
	                                          .ram = ram,
	                                          .settings = settings,
	                                          .setting_count = 1};
	/* What is not given is built in: here the clock, which steps, and the local APICs. */
	const struct gim_host host = {.page = on_page, .log = on_log};
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_machine *machine = NULL;
	must(gim_machine_new(&config, &host, &machine, &error), &error);
	must(gim_machine_init(machine, &error), &error);
	must(gim_machine_register_device(machine, &error), &error);
	must(gim_machine_init_completed(machine, &error), &error);
	return machine;
}

/* What a hypervisor does on a WRMSR exit. */
static void wrmsr(struct gim_machine *machine, uint32_t msr, uint64_t value)
{
	if (gim_machine_wrmsr(machine, 0, msr, value) != GIM_ACCESS_DONE)
		printf("WRMSR 0x%x: inject #GP, or look whether it is an MSR of the processor's\n", msr);
}

static void boot_guest(struct gim_machine *machine)
{
	uint32_t regs[4];
	if (gim_machine_cpuid(machine, 0, 0x40000000, 0, regs) == GIM_ACCESS_DONE)
		printf("CPUID 0x40000000: %.12s, leaves up to 0x%x\n", (const char *)&regs[1], regs[0]);
	wrmsr(machine, GUEST_OS_ID, UINT64_C(0x8100) << 48);
	wrmsr(machine, 0x40000001, 0x4000 | 1); /* the hypercall page */
	wrmsr(machine, SCONTROL, 1);
	wrmsr(machine, SIMP, MESSAGES | 1);
	wrmsr(machine, SINT0 + SINT, VECTOR);
	wrmsr(machine, STIMER0_COUNT, 10000);               /* every ms, in units of 100 ns */
	wrmsr(machine, STIMER0_CONFIG, 1 | 2 | SINT << 16); /* enabled, periodic */
}

/* The guest's interrupt handler: take the message, and say that the slot and the interrupt are done. */
static unsigned run_guest(struct gim_machine *machine, unsigned steps)
{
	unsigned ticks = 0;
	for (unsigned i = 0; i < steps; i++) {
		gim_machine_step(machine,
		                 MS / 4); /* with a clock of its own a hypervisor calls gim_machine_advance at gim_machine_deadline */
		if (gim_machine_interrupt(machine, 0) != VECTOR)
			continue;
		ticks++;
		memset(ram + MESSAGES + SINT * 256, 0, 4);
		wrmsr(machine, EOM, 0);
		wrmsr(machine, EOI, 0);
	}
	return ticks;
}

static void report_time(struct gim_machine *machine, unsigned ticks)
{
	uint64_t time = 0;
	(void)gim_machine_rdmsr(machine, 0, REF_COUNT, &time);
	printf("%u ticks, reference time %llu.%llu ms\n", ticks, (unsigned long long)(time / 10000),
	       (unsigned long long)(time % 10000 / 1000));
}

/* The state as the text of a JSON document, and a machine that it is loaded into. Guest memory is saved by whoever owns it. */
static struct gim_machine *move(struct gim_machine *machine)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	json_t *json = NULL;
	must(gim_machine_save(machine, &state, &error), &error);
	must(gim_state_json(state, NULL, &json, &error), &error);
	(void)json_object_set_new(json, "gimstate", json_integer(1));
	char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	gim_state_free(&state);
	gim_machine_free(&machine);
	must(gim_state_open_memory(text, strlen(text), &state, &error), &error);
	machine = new_machine();
	must(gim_machine_load(machine, state, NULL, NULL, &error), &error);
	must(gim_machine_load_done(machine, &error), &error);
	gim_state_free(&state);
	free(text);
	return machine;
}

static int print_counter(void *user, const char *name, uint64_t value)
{
	(void)user;
	if (value)
		printf("  %s %llu\n", name, (unsigned long long)value);
	return 0;
}

int main(void)
{
	struct gim_machine *machine = new_machine();
	boot_guest(machine);
	report_time(machine, run_guest(machine, 41));
	machine = move(machine);
	report_time(machine, run_guest(machine, 40));
	printf("counters since the move:\n");
	(void)gim_machine_counters(machine, print_counter, NULL);
	gim_machine_free(&machine);
	return 0;
}
