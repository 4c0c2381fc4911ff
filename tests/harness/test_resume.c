/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Going on with guests that another hypervisor saved. Without KVM: their fields, the log, System.map. With it: states of small guests of our own, written as VirtualBox
 * writes them, which read the interface's registers themselves, take timers and what was being delivered, and do what no host can run.
 */
#include "guest.h"
#include "vbox/units.h"

#include "harness/guest_log.h"
#include "harness/guest_vm.h"
#include "harness/resume_fields.h"
#include "harness/symbols.h"
#include "harness/vm.h"

#include "../pgm.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Without KVM.
 */
struct runs {
	unsigned count;
	uint64_t gpa, pages;
};

static void take_run(void *user, uint64_t gpa, uint64_t pages)
{
	struct runs *runs = (struct runs *)user;
	runs->count++;
	runs->gpa = gpa;
	runs->pages = pages;
}

static void test_log(void **unused)
{
	enum { PAGES = 16 };
	struct guest_log log;
	struct gim_error error = GIM_ERROR_INIT;
	struct runs runs = {0};
	uint8_t *bytes = calloc(PAGES, PGM_PAGE);
	(void)unused;
	assert_non_null(bytes);
	assert_int_equal(guest_log_open(&log, 2, &error), 0);
	assert_int_equal(guest_log_remember(&log, bytes, 0x100000, (uint64_t)PAGES * PGM_PAGE, &error), 0);
	guest_log_changes(&log, take_run, &runs);
	assert_int_equal(runs.count, 0);
	bytes[PGM_PAGE * 3 + 4095] = 1;
	bytes[PGM_PAGE * 4] = 0x80;
	guest_log_changes(&log, take_run, &runs);
	assert_int_equal(runs.count, 1);
	assert_int_equal(runs.gpa, 0x103000);
	assert_int_equal(runs.pages, 2);
	bytes[PGM_PAGE * 3 + 4095] = bytes[PGM_PAGE * 4] = 0;
	runs.count = 0;
	guest_log_changes(&log, take_run, &runs);
	assert_int_equal(runs.count, 0);
	for (uint64_t port = 0; port < GUEST_ACCESSES_MAX + 5; port++)
		for (unsigned i = 0; i < 3; i++)
			guest_log_access(&log,
			                 &(struct guest_access){.kind = GUEST_ACCESS_PORT, .address = port, .value = i, .write = true});
	assert_int_equal(log.access_count, GUEST_ACCESSES_MAX);
	assert_int_equal(log.accesses[7].count, 3);
	assert_int_equal(log.accesses[7].value, 0);
	assert_int_equal(log.access_more, 15);
	guest_log_close(&log);
	free(bytes);
}

static int open_map(const char *text, struct symbols **symbols, struct gim_error *error)
{
	char path[] = "/tmp/gimstate-map-XXXXXX";
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	const int result = symbols_open(path, symbols, error);
	(void)unlink(path);
	return result;
}

static void test_symbols(void **unused)
{
	struct symbols *symbols = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	uint64_t offset = 0;
	(void)unused;
	assert_int_equal(
	    open_map("ffffffff81000100 t second\nffffffff81000000 T _text\nffffffff81000000 T startup_64\nffffffff81000180 D data\n"
	             "ffffffff82000000 t last\t[module]\n",
	             &symbols, &error),
	    0);
	assert_null(symbols_find(symbols, UINT64_C(0xffffffff80ffffff), &offset));
	assert_string_equal(symbols_find(symbols, UINT64_C(0xffffffff810000ff), &offset), "_text");
	assert_int_equal(offset, 0xff);
	assert_string_equal(symbols_find(symbols, UINT64_C(0xffffffff81000190), &offset), "second"); /* data is no code */
	assert_string_equal(symbols_find(symbols, UINT64_C(0xffffffff82000001), &offset), "last");
	assert_null(symbols_find(symbols, UINT64_MAX, &offset)); /* too far away */
	symbols_free(&symbols);
	assert_int_equal(open_map("ffffffff81000000 T _text\nhello\n", &symbols, &error), GIM_E_FORMAT);
	assert_non_null(strstr(error.text, "line 2"));
	error = (struct gim_error)GIM_ERROR_INIT;
	assert_int_equal(open_map("", &symbols, &error), 0);
	assert_null(symbols_find(symbols, 0, &offset));
	symbols_free(&symbols);
}

#ifdef __x86_64__

/*
 * The guests: real-mode code at CODE. What each vCPU keeps is at DS:0, which is at DATA + 0x100 * vCPU: a count, steps back of the clock, interrupts, the last clock, what an
 * interrupt found of the count, and the value of an XMM register.
 */
enum { CODE = 0x8000, DATA = 0x9000, RAM = 2 << 20, COUNT = 0, BACK = 4, INTERRUPTS = 8, LAST = 12, FOUND = 20, XMM = 32 };
#define CODE_BEGIN(name) ".pushsection .rodata\n.balign 16\n.globl " #name "\n" #name ":\n.code16\n"
#define CODE_END(name) ".globl " #name "_end\n" #name "_end:\n.code64\n.popsection\n"
#define HANDLERS                                                                                                                           \
	".org 0b + 0x100\n" /* any interrupt: count it, and end it by x2APIC */                                                            \
	"1: pushal\n incl 8\n cmpl $0, 20\n jne 2f\n movl 0, %eax\n incl %eax\n movl %eax, 20\n"                                           \
	"2: movl $0x80b, %ecx\n xorl %eax, %eax\n xorl %edx, %edx\n wrmsr\n popal\n iret\n"                                                \
	".org 0b + 0x200\n"

/* It reads Hyper-V's reference counter again and again. */
__asm__(CODE_BEGIN(clock_guest) "0: movups %xmm1, 32\n"
                                "3: movl $0x40000020, %ecx\n rdmsr\n cmpl 16, %edx\n jb 4f\n ja 5f\n cmpl 12, %eax\n jae 5f\n"
                                "4: incl 4\n"
                                "5: movl %eax, 12\n movl %edx, 16\n incl 0\n jmp 3b\n" HANDLERS CODE_END(clock_guest));
/* It waits for interrupts, and counts how often it woke. */
__asm__(CODE_BEGIN(waiting_guest) "0: incl 0\n sti\n hlt\n jmp 0b\n" HANDLERS CODE_END(waiting_guest));
/* In protected mode it looks for devices, then raises an exception without a table of handlers. */
__asm__(CODE_BEGIN(lost_guest) ".code32\n0: inb $0x61, %al\n movb %al, 0\n outw %ax, $0x70\n ud2\n" CODE_END(lost_guest));
/* In protected mode it counts; the nop is at CODE + 6. */
__asm__(CODE_BEGIN(count_guest) ".code32\n0: incl 0\n nop\n jmp 0b\n" CODE_END(count_guest));
extern const uint8_t count_guest[], count_guest_end[];
extern const uint8_t clock_guest[], clock_guest_end[], waiting_guest[], waiting_guest_end[], lost_guest[], lost_guest_end[];

/* What a test changes of the state before it is written. */
typedef void change_fn(struct guest_vcpu *vcpu, uint32_t id);

static void set_segment(struct guest_segment *segment, uint64_t base, uint32_t attributes)
{
	*segment = (struct guest_segment){.base = base,
	                                  .limit = 0xffff,
	                                  .attributes = attributes,
	                                  .selector = (uint16_t)(base >> 4),
	                                  .valid_selector = (uint16_t)(base >> 4),
	                                  .flags = 1};
}

static void set_vcpu(struct guest_vcpu *vcpu, uint32_t id)
{
	static char context[532];
	vcpu->private.context = (struct gim_text){context, sizeof(context)};
	vcpu->rip = CODE;
	vcpu->rsp = 0x7000 - 0x100 * id;
	vcpu->rflags = 2;
	vcpu->cr0 = 0x10;
	vcpu->cr4 = 0x200;
	set_segment(&vcpu->cs, 0, 0x9b);
	struct guest_segment *const data[] = {&vcpu->ds, &vcpu->es, &vcpu->fs, &vcpu->gs, &vcpu->ss};
	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		set_segment(data[i], i ? 0 : DATA + 0x100 * id, 0x93);
	set_segment(&vcpu->ldtr, 0, 0x82);
	set_segment(&vcpu->tr, 0, 0x8b);
	vcpu->idtr.limit = 0x3ff;
	vcpu->dr6 = 0xffff0ff0;
	vcpu->dr7 = 0x400;
	vcpu->xcr0 = 1;
	vcpu->fpu.fcw = 0x37f;
	vcpu->fpu.mxcsr = 0x1f80;
	vcpu->fpu.xmm[2] = UINT64_C(0x1122334455667788);
	vcpu->msr.pat = UINT64_C(0x0007040600070406);
	vcpu->apic.base = 0xfee00c00 | (id ? 0 : 0x100);
	vcpu->apic.id = id;
	vcpu->apic.svr = 0x1ff;
	vcpu->apic.lvt_timer = vcpu->apic.lvt_lint0 = vcpu->apic.lvt_lint1 = vcpu->apic.lvt_error = 0x10000;
	vcpu->apic.timer_state = 4;
	vcpu->event.vector = UINT32_MAX;
	vcpu->event.error_code = UINT32_MAX;
	vcpu->run.state = 1;
	vcpu->started = 1;
}

static void put_unit(struct ssm_writer *writer, const char *name, uint32_t instance, uint32_t version, const struct gim_buffer *payload)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (ssm_writer_unit(writer, name, instance, version, GIM_PASS_FINAL, &error) ||
	    ssm_writer_data(writer, SSM_WRITE_AUTO, payload->bytes, payload->size, &error))
		fail_msg("%s: %s", name, error.text);
}

/* By the frame of the unit's last version. */
static void put_frame(struct ssm_writer *writer, const char *name, const struct gim_object *roots, uint32_t vcpus)
{
	const struct gim_frame *frame = NULL;
	for (uint32_t f = 0; f < vbox_layout_units.frame_count; f++)
		if (!strcmp(vbox_layout_units.frames[f].name, name) && vbox_layout_units.frames[f].flags == VBOX_FRAME_FINAL &&
		    (!frame || vbox_layout_units.frames[f].last > frame->last))
			frame = &vbox_layout_units.frames[f];
	assert_non_null(frame);
	const struct gim_codec codec = {.version = frame->last, .address_bytes = 8, .vcpus = vcpus};
	struct gim_buffer payload = {0};
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_encode(frame->rows, &codec, roots, 2, &payload, &error))
		fail_msg("%s: %s", name, error.text);
	put_unit(writer, name, frame->instance, frame->last, &payload);
	gim_buffer_free(&payload);
}

/* The code, real mode's vectors to its handler, and nothing else. */
static void put_memory(struct ssm_writer *writer, uint32_t vcpus, const uint8_t *code, size_t size)
{
	struct gim_buffer payload = {0};
	uint8_t vectors[PGM_PAGE] = {0}, page[PGM_PAGE] = {0};
	for (unsigned i = 0; i < 256; i++) {
		vectors[4 * i] = (uint8_t)(CODE + 0x100);
		vectors[4 * i + 1] = (CODE + 0x100) >> 8;
	}
	assert_true(size <= sizeof(page));
	memcpy(page, code, size);
	pgm_head(&payload, 14, vcpus);
	pgm_config(&payload, 14, RAM, 0x20000000, NULL, NULL);
	for (uint64_t gpa = 0; gpa < RAM; gpa += PGM_PAGE)
		if (gpa < 0xa0000 || gpa >= 0x100000) {
			const void *bytes = gpa ? gpa == CODE ? page : NULL : vectors;
			pgm_ram(&payload, (bytes ? PGM_RAM : PGM_RAM_ZERO) | (gpa && gpa != 0x100000 ? 0 : PGM_ADDRESS), gpa, bytes);
		}
	gim_buffer_number(&payload, PGM_END, 1);
	put_unit(writer, "pgm", 1, 14, &payload);
	gim_buffer_free(&payload);
}

/* Hyper-V with its reference counter, and nothing set up. */
static void put_interface(struct ssm_writer *writer, uint32_t vcpus)
{
	struct gim_buffer payload = {0};
	const uint64_t features[] = {0x62, 0, 0, 0, 0, 0};
	gim_buffer_number(&payload, 2, 4);
	gim_buffer_number(&payload, 0, 4);
	gim_buffer_number(&payload, 3, 4);
	for (unsigned i = 0; i < 3; i++)
		gim_buffer_number(&payload, 0, 8);
	for (unsigned i = 0; i < 6; i++)
		gim_buffer_number(&payload, features[i], 4);
	for (unsigned i = 0; i < 2; i++) {
		gim_buffer_number(&payload, i, 1);
		gim_buffer_number(&payload, 0, 1);
		gim_buffer_number(&payload, 0x1000, 4);
		gim_buffer_number(&payload, UINT64_MAX, 8);
		pgm_text(&payload, i ? "Hyper-V TSC page" : "Hyper-V hypercall page");
	}
	gim_buffer_number(&payload, 0, 4);
	for (unsigned i = 0; i < 4; i++)
		gim_buffer_number(&payload, 0, 8);
	for (unsigned i = 0; i < 3; i++)
		gim_buffer_number(&payload, 0, 4);
	for (unsigned vcpu = 0; vcpu < vcpus; vcpu++) {
		gim_buffer_number(&payload, 0, 8);
		for (unsigned sint = 0; sint < 16; sint++)
			gim_buffer_number(&payload, 0x10000, 8);
	}
	gim_buffer_number(&payload, 0xff, 1);
	put_unit(writer, "GIM", 0, 1, &payload);
	gim_buffer_free(&payload);
}

static int gather(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static void make_state(struct gim_buffer *file, uint32_t vcpus, const uint8_t *code, size_t size, change_fn *change)
{
	static const struct ssm_write_options options = {.major = 7,
	                                                 .build = 22,
	                                                 .revision = 175245,
	                                                 .minor = 2,
	                                                 .host_bits = 64,
	                                                 .address_bytes = 8,
	                                                 .pointer_bytes = 8,
	                                                 .checksummed = true};
	struct gim_arena arena = {0};
	struct gim_object roots[2];
	struct ssm_writer *writer = NULL;
	assert_int_equal(gim_object_new(&arena, &guest_record, &roots[0], NULL), 0);
	assert_int_equal(gim_object_new(&arena, &vbox_record, &roots[1], NULL), 0);
	struct guest *guest = (struct guest *)(void *)roots[0].data;
	struct vbox *vbox = (struct vbox *)(void *)roots[1].data;
	guest->vcpus = vbox->apic.vcpus = vcpus;
	guest->ram_bytes = RAM;
	guest->tsc_hz = 2600000000;
	guest->virtual_ns = guest->virtual_sync_ns = 5000000000;
	vbox->cpum.msr_bytes = 400;
	vbox->ram_pages = RAM / PGM_PAGE;
	vbox->tm.virtual_hz = 1000000000;
	vbox->tm.real_hz = 1000;
	assert_int_equal(gim_list_grow(&arena, &guest->vcpu, &guest_vcpu_record, vcpus, NULL), 0);
	assert_int_equal(gim_list_grow(&arena, &vbox->cpum.host_standard, &vbox_words_record, 16, NULL), 0);
	assert_int_equal(gim_list_grow(&arena, &vbox->cpum.host_extended, &vbox_words_record, 32, NULL), 0);
	for (uint32_t i = 0; i < vcpus; i++) {
		struct guest_vcpu *vcpu = (struct guest_vcpu *)guest->vcpu.items + i;
		vcpu->tsc = UINT64_C(5) * 2600000000;
		set_vcpu(vcpu, i);
		if (change)
			change(vcpu, i);
	}
	assert_int_equal(ssm_writer_new(&options, gather, file, &writer, NULL), 0);
	static const char *const names[] = {"mm", "cpum", "tm", "vmm", "trpm", "em", "apic", "pdm"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		put_frame(writer, names[i], roots, vcpus);
	put_memory(writer, vcpus, code, size);
	put_interface(writer, vcpus);
	assert_int_equal(ssm_writer_finish(writer, NULL), 0);
	ssm_writer_free(&writer);
	gim_arena_free(&arena);
}

static void set_fields(struct guest_vcpu *vcpu, uint32_t id)
{
	vcpu->rip = id ? 0x5678 : 0x1234;
	set_segment(&vcpu->cs, id ? 0 : 0xf0000, 0x9b);
	vcpu->msr.efer = 0x500;
	vcpu->msr.star = 0x77;
	vcpu->msr.mtrr[1] = (struct guest_mtrr){0x7, 0x900};
	vcpu->apic.irr[2] = 4;
}

static uint64_t msr_of(const struct resume_vcpu *vcpu, uint32_t number)
{
	for (unsigned i = 0; i < vcpu->msr_count; i++)
		if (vcpu->msrs[i].number == number)
			return vcpu->msrs[i].value;
	return UINT64_MAX;
}

static void test_fields(void **unused)
{
	struct gim_buffer file = {0};
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	struct resume_vcpu vcpus[3];
	struct resume_clocks clocks;
	(void)unused;
	make_state(&file, 2, clock_guest, 1, set_fields);
	if (gim_state_open_memory(file.bytes, file.size, &state, &error) || gim_state_decode(state, GIM_PART_GUEST, NULL, NULL, &error))
		fail_msg("%s", error.text);
	assert_true(resume_has_vcpus(state));
	assert_int_equal(resume_read(state, vcpus, 2, &clocks, &error), 0);
	assert_int_equal(clocks.tsc_hz, 2600000000);
	assert_int_equal(clocks.virtual_sync_ns, 5000000000);
	assert_int_equal(vcpus[0].rip, 0x1234);
	assert_int_equal(vcpus[1].rip, 0x5678);
	assert_int_equal(vcpus[0].segments[RESUME_CS].base, 0xf0000);
	assert_int_equal(vcpus[0].segments[RESUME_CS].attributes, 0x9b);
	assert_int_equal(vcpus[1].segments[RESUME_DS].base, DATA + 0x100);
	assert_int_equal(vcpus[0].efer, 0x500);
	assert_int_equal(msr_of(&vcpus[0], 0xc0000081), 0x77);
	assert_int_equal(msr_of(&vcpus[1], 0x202), 0x7);
	assert_int_equal(msr_of(&vcpus[1], 0x203), 0x900);
	assert_int_equal(msr_of(&vcpus[1], 0xda0), UINT64_MAX); /* VirtualBox does not save it */
	assert_int_equal(vcpus[1].fpu.xmm[2], UINT64_C(0x1122334455667788));
	assert_int_equal(vcpus[1].apic.irr[2], 4);
	assert_int_equal(vcpus[1].apic.logical_id, UINT64_MAX);
	assert_int_equal(vcpus[1].event.vector, UINT32_MAX);
	assert_int_equal(vcpus[1].injected.interrupt, UINT32_MAX);
	assert_int_equal(resume_read(state, vcpus, 3, &clocks, &error), GIM_E_VALUE);
	gim_state_free(&state);
	gim_buffer_free(&file);
}

/*
 * Running them.
 */
struct seen {
	struct guest_result result;
	uint8_t data[4][0x100]; /* of each vCPU */
	uint64_t pages;
	unsigned changes, back;
	struct guest_access accesses[8];
	unsigned access_count;
	char why[256], notes[512];
	struct guest_place place;
};

static void take_changes(void *user, uint64_t gpa, uint64_t pages)
{
	(void)gpa;
	*(uint64_t *)user += pages;
}

static int take_difference(void *user, const struct gim_difference *difference)
{
	struct seen *seen = (struct seen *)user;
	seen->changes += difference->kind == GIM_DIFF_CHANGED;
	seen->back += difference->kind == GIM_DIFF_BACK;
	return 0;
}

static void take_report(void *user, const struct guest_report *report)
{
	struct seen *seen = (struct seen *)user;
	for (uint32_t i = 0; i < report->vcpu_count && i < 4; i++)
		assert_int_equal(gim_machine_read(report->machine, DATA + 0x100 * i, seen->data[i], 0x100, NULL), 0);
	guest_log_changes(report->log, take_changes, &seen->pages);
	(void)gim_state_diff(report->before, report->after, NULL, take_difference, seen, NULL, NULL);
	for (; seen->access_count < report->log->access_count && seen->access_count < 8; seen->access_count++)
		seen->accesses[seen->access_count] = report->log->accesses[seen->access_count];
	(void)snprintf(seen->why, sizeof(seen->why), "%s", report->why);
	seen->place = report->vcpus[0];
}

static void take_note(void *user, const char *text)
{
	struct seen *seen = (struct seen *)user;
	const size_t used = strlen(seen->notes);
	(void)snprintf(seen->notes + used, sizeof(seen->notes) - used, "%s\n", text);
}

static void put_nothing(void *user, char c)
{
	(void)user, (void)c;
}

static void run(struct seen *seen, const struct gim_buffer *file, uint64_t for_ns, uint16_t gdb_port)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	memset(seen, 0, sizeof(*seen));
	if (gim_state_open_memory(file->bytes, file->size, &state, &error))
		fail_msg("%s", error.text);
	const struct guest_options options = {.state = state,
	                                      .state_path = "none.sav",
	                                      .resume = true,
	                                      .for_ns = for_ns,
	                                      .timeout_ns = UINT64_C(60000000000),
	                                      .serial = put_nothing,
	                                      .note = take_note,
	                                      .report = take_report,
	                                      .gdb_port = gdb_port,
	                                      .user = seen};
	if (guest_run(&options, &seen->result, &error))
		fail_msg("%s", error.text);
	gim_state_free(&state);
}

#define RUN(seen, vcpus, code, change, for_ms)                                                                                             \
	do {                                                                                                                               \
		struct gim_buffer file = {0};                                                                                              \
		make_state(&file, vcpus, code, (size_t)(code##_end - code), change);                                                       \
		run(seen, &file, UINT64_C(1000000) * (for_ms), 0);                                                                         \
		gim_buffer_free(&file);                                                                                                    \
	} while (0)

static uint32_t word(const struct seen *seen, unsigned vcpu, size_t at)
{
	uint32_t value;
	memcpy(&value, seen->data[vcpu] + at, sizeof(value));
	return value;
}

static int need_kvm(void **state)
{
	(void)state;
	struct gim_error error = GIM_ERROR_INIT;
	return vm_probe(&error) ? -1 : 0;
}

#define NEED_KVM                                                                                                                           \
	do {                                                                                                                               \
		if (need_kvm(NULL))                                                                                                        \
			skip();                                                                                                            \
	} while (0)

/* 1 and 2 vCPUs read the clock themselves: it goes on from what was saved, 5 s, and never back. */
static void test_clock(void **unused)
{
	(void)unused;
	NEED_KVM;
	for (uint32_t vcpus = 1; vcpus <= 2; vcpus++) {
		struct seen seen;
		RUN(&seen, vcpus, clock_guest, NULL, 150);
		assert_int_equal(seen.result.end, GUEST_STOPPED);
		for (uint32_t i = 0; i < vcpus; i++) {
			uint64_t last, xmm;
			memcpy(&last, seen.data[i] + LAST, sizeof(last));
			memcpy(&xmm, seen.data[i] + XMM, sizeof(xmm));
			if (seen.access_count)
				fail_msg("MSR 0x%llx at 0x%llx", (unsigned long long)seen.accesses[0].address,
				         (unsigned long long)seen.accesses[0].rip);
			assert_true(word(&seen, i, COUNT) > 10);
			assert_int_equal(word(&seen, i, BACK), 0);
			assert_int_equal(xmm, UINT64_C(0x1122334455667788));
			if (last < 50000000 || last > 50000000 + 600000000)
				fail_msg("the clock was %llu at last", (unsigned long long)last);
		}
		assert_int_equal(seen.back, 0);
		assert_int_equal(seen.pages, 1);
		assert_string_equal(seen.place.mode, "real");
	}
}

/* A timer that was armed, periodic, with 20 ms left of each 20 ms. */
static void arm_timer(struct guest_vcpu *vcpu, uint32_t id)
{
	(void)id;
	vcpu->run.state = 6;
	vcpu->rflags = 0x202;
	vcpu->apic.lvt_timer = 0x20040;
	vcpu->apic.timer_divide = 0xb;
	vcpu->apic.timer_initial_count = 20000000;
	vcpu->apic.timer_state = 7;
	vcpu->apic.timer_start = 4990000000;
	vcpu->apic.timer_expiry = 5010000000;
}

static void test_timer(void **unused)
{
	struct seen seen;
	(void)unused;
	NEED_KVM;
	RUN(&seen, 2, waiting_guest, arm_timer, 300);
	assert_int_equal(seen.result.end, GUEST_STOPPED);
	for (unsigned i = 0; i < 2; i++)
		if (word(&seen, i, INTERRUPTS) < 3 || word(&seen, i, INTERRUPTS) > 40)
			fail_msg("vCPU %u: %u interrupts", i, word(&seen, i, INTERRUPTS));
}

/* What was being delivered comes before the first instruction: a counter of 0 is found. */
static void deliver(struct guest_vcpu *vcpu, uint32_t id)
{
	(void)id;
	vcpu->event.vector = 0x41;
	vcpu->event.type = 1;
	vcpu->apic.isr[2] = 2;
}

/* An interrupt that waits in the APIC comes at once where interrupts are enabled. */
static void request(struct guest_vcpu *vcpu, uint32_t id)
{
	(void)id;
	vcpu->run.state = 6;
	vcpu->rflags = 0x202;
	vcpu->apic.irr[2] = 4;
	vcpu->pending.apic = 1;
}

static void test_events(void **unused)
{
	struct seen seen;
	(void)unused;
	NEED_KVM;
	RUN(&seen, 1, clock_guest, deliver, 60);
	assert_int_equal(word(&seen, 0, INTERRUPTS), 1);
	assert_int_equal(word(&seen, 0, FOUND), 1);
	RUN(&seen, 1, waiting_guest, request, 2000);
	assert_int_equal(seen.result.end, GUEST_IDLE);
	assert_int_equal(word(&seen, 0, INTERRUPTS), 1);
	assert_non_null(strstr(seen.why, "halts"));
}

static void protect(struct guest_vcpu *vcpu, uint32_t id)
{
	struct guest_segment *const segments[] = {&vcpu->cs, &vcpu->ds, &vcpu->es, &vcpu->fs, &vcpu->gs, &vcpu->ss};
	(void)id;
	for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
		segments[i]->limit = UINT32_MAX;
		segments[i]->attributes |= 0xc000;
		segments[i]->selector = segments[i]->valid_selector = i ? 16 : 8;
	}
	vcpu->cr0 = 0x11;
	vcpu->idtr.limit = 0;
}

static void protect_first(struct guest_vcpu *vcpu, uint32_t id)
{
	protect(vcpu, id);
	if (id)
		vcpu->run.state = 6;
}

static void test_lost(void **unused)
{
	struct seen seen;
	(void)unused;
	NEED_KVM;
	RUN(&seen, 1, lost_guest, protect, 2000);
	if (seen.result.end != GUEST_SHUT_DOWN)
		fail_msg("it ended by %d: %s", seen.result.end, seen.why);
	assert_non_null(strstr(seen.why, "triple fault"));
	assert_int_equal(word(&seen, 0, COUNT), 0xff);
	assert_int_equal(seen.access_count, 2);
	assert_int_equal(seen.accesses[0].address, 0x61);
	assert_false(seen.accesses[0].write);
	assert_int_equal(seen.accesses[1].address, 0x70);
	assert_int_equal(seen.accesses[1].size_bytes, 2);
	assert_true(seen.accesses[1].write);
	assert_int_equal(seen.accesses[1].count, 1);
	assert_string_equal(seen.place.mode, "protected");
}

/* Waits for a start-up IPI that nobody sends, and what is missing is said. */
static void wait_for_ipi(struct guest_vcpu *vcpu, uint32_t id)
{
	vcpu->run.state = id ? 7 : 6;
	vcpu->pending.pic = !id;
}

static void test_waiting(void **unused)
{
	struct seen seen;
	(void)unused;
	NEED_KVM;
	RUN(&seen, 2, waiting_guest, wait_for_ipi, 2000);
	assert_int_equal(seen.result.end, GUEST_IDLE);
	assert_non_null(strstr(seen.notes, "vCPU 0: an interrupt of the PIC waits"));
	assert_int_equal(seen.pages, 0);
}

/*
 * Under Debian's gdb.
 */
struct debugger {
	char command[2048], said[8192];
};

static void *debug(void *user)
{
	struct debugger *debugger = (struct debugger *)user;
	FILE *pipe = popen(debugger->command, "re");
	size_t used = 0;
	while (pipe && used < sizeof(debugger->said) - 1 && !feof(pipe) && !ferror(pipe))
		used += fread(debugger->said + used, 1, sizeof(debugger->said) - 1 - used, pipe);
	if (pipe)
		(void)pclose(pipe);
	return NULL;
}

/* Run the guest with a debugger that is told these lines, each an -ex of its own. */
static void run_debugged(struct seen *seen, struct debugger *debugger, uint32_t vcpus, change_fn *change, const char *const *lines)
{
	struct gim_buffer file = {0};
	pthread_t thread;
	const uint16_t port = (uint16_t)(20000 + getpid() % 20000);
	*debugger = (struct debugger){.said = ""};
	size_t used = (size_t)snprintf(debugger->command, sizeof(debugger->command),
	                               "timeout 60 gdb -nx -batch -ex 'set pagination off' -ex 'target remote 127.0.0.1:%u'", port);
	for (; *lines; lines++)
		used += (size_t)snprintf(debugger->command + used, sizeof(debugger->command) - used, " -ex '%s'", *lines);
	used += (size_t)snprintf(debugger->command + used, sizeof(debugger->command) - used, " -ex kill 2>&1 </dev/null");
	assert_true(used < sizeof(debugger->command));
	make_state(&file, vcpus, count_guest, (size_t)(count_guest_end - count_guest), change);
	assert_int_equal(pthread_create(&thread, NULL, debug, debugger), 0);
	run(seen, &file, 0, port);
	assert_int_equal(pthread_join(thread, NULL), 0);
	gim_buffer_free(&file);
}

static void expect(const struct debugger *debugger, const char *const *texts)
{
	const char *at = debugger->said;
	for (; *texts; texts++) {
		at = strstr(at, *texts);
		if (!at)
			fail_msg("gdb did not say \"%s\" in its place:\n%s", *texts, debugger->said);
		at += strlen(*texts);
	}
}

/* Breakpoints in the code and beside it, steps, memory and registers both ways; afterwards the code is what it was. */
static void test_gdb(void **unused)
{
	static const char *const lines[] = {"info threads",
	                                    "break *0x8006",
	                                    "continue",
	                                    "x/1dw 0x9000",
	                                    "continue",
	                                    "x/1dw 0x9000",
	                                    "stepi",
	                                    "print/x $eip",
	                                    "set var *(int*)0x9000 = 100",
	                                    "delete",
	                                    "hbreak *0x8006",
	                                    "continue",
	                                    "x/1dw 0x9000",
	                                    "set var $eax = 0x1234",
	                                    "print/x $eax",
	                                    "thread 2",
	                                    "print/x $eip",
	                                    "x/2xb 0x8006",
	                                    NULL};
	static const char *const texts[] = {"Thread 2 (vCPU 1 halts)",
	                                    "Breakpoint 1, 0x00008006",
	                                    "0x9000:\t1\n",
	                                    "0x9000:\t2\n",
	                                    "$1 = 0x8007",
	                                    "Breakpoint 2, 0x00008006",
	                                    "0x9000:\t101\n",
	                                    "$2 = 0x1234",
	                                    "$3 = 0x8000",
	                                    "0x90\t0xeb",
	                                    NULL};
	struct seen seen;
	struct debugger debugger;
	(void)unused;
	NEED_KVM;
	if (system("gdb --version >/dev/null 2>&1"))
		skip();
	run_debugged(&seen, &debugger, 2, protect_first, lines);
	expect(&debugger, texts);
	assert_int_equal(seen.result.end, GUEST_KILLED);
	assert_int_equal(seen.pages, 1);
	assert_int_equal(word(&seen, 0, COUNT), 101);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_log),    cmocka_unit_test(test_symbols),
#ifdef __x86_64__
	    cmocka_unit_test(test_fields), cmocka_unit_test(test_clock),   cmocka_unit_test(test_timer), cmocka_unit_test(test_events),
	    cmocka_unit_test(test_lost),   cmocka_unit_test(test_waiting), cmocka_unit_test(test_gdb),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
