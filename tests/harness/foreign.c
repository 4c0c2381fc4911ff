/* SPDX-License-Identifier: GPL-3.0-or-later */
/* States of small guests, written as VirtualBox writes them, and going on with them. */
#include "foreign.h"

#include "harness/vm.h"

#include "../pgm.h"

#ifdef __x86_64__

/*
 * The state.
 */
void foreign_set_segment(struct guest_segment *segment, uint64_t base, uint32_t attributes)
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
	foreign_set_segment(&vcpu->cs, 0, 0x9b);
	struct guest_segment *const data[] = {&vcpu->ds, &vcpu->es, &vcpu->fs, &vcpu->gs, &vcpu->ss};
	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		foreign_set_segment(data[i], i ? 0 : DATA + 0x100 * id, 0x93);
	foreign_set_segment(&vcpu->ldtr, 0, 0x82);
	foreign_set_segment(&vcpu->tr, 0, 0x8b);
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

void foreign_state(struct gim_buffer *file, uint32_t vcpus, const uint8_t *code, size_t size, change_fn *change)
{
	foreign_state_claiming(file, vcpus, code, size, change, &(struct foreign_claims){0});
}

void foreign_state_claiming(struct gim_buffer *file, uint32_t vcpus, const uint8_t *code, size_t size, change_fn *change,
                            const struct foreign_claims *claims)
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
	guest->ram_bytes = claims->ram_bytes ? claims->ram_bytes : RAM;
	guest->tsc_hz = claims->tsc_hz ? claims->tsc_hz : 2600000000;
	guest->virtual_ns = guest->virtual_sync_ns = 5000000000;
	vbox->cpum.msr_bytes = 400;
	vbox->ram_pages = guest->ram_bytes / PGM_PAGE;
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

void foreign_protect(struct guest_vcpu *vcpu, uint32_t id)
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

/*
 * Going on.
 */
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

int foreign_try(struct seen *seen, const struct gim_buffer *file, uint64_t for_ns, uint16_t gdb_port, struct gim_error *error)
{
	struct gim_state *state = NULL;
	memset(seen, 0, sizeof(*seen));
	if (gim_state_open_memory(file->bytes, file->size, &state, error))
		return error->code;
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
	const int result = guest_run(&options, &seen->result, error);
	gim_state_free(&state);
	return result;
}

void foreign_run(struct seen *seen, const struct gim_buffer *file, uint64_t for_ns, uint16_t gdb_port)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (foreign_try(seen, file, for_ns, gdb_port, &error))
		fail_msg("%s", error.text);
}

uint32_t foreign_word(const struct seen *seen, unsigned vcpu, size_t at)
{
	uint32_t value;
	memcpy(&value, seen->data[vcpu] + at, sizeof(value));
	return value;
}

bool foreign_has_kvm(void)
{
	struct gim_error error = GIM_ERROR_INIT;
	return !vm_probe(&error);
}

#endif
