/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of a guest that boots, without KVM: loading images that may be anything, local APICs, devices, and packing a machine beside a state. */
#include "harness/apic.h"
#include "harness/board.h"
#include "harness/image.h"

#include <elf.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Images.
 */
#define RAM_BYTES (UINT64_C(4) << 20)
#define CODE_AT 0x200000u

struct made {
	Elf32_Ehdr header;
	Elf32_Phdr segments[2];
	uint32_t multiboot[3];
	uint8_t code[16];
};

/* Two segments: the code, and 64 bytes of zeros behind it. */
static struct made sound(void)
{
	struct made made = {.multiboot = {0x1badb002, 0, 0u - 0x1badb002u}};
	memcpy(made.header.e_ident, ELFMAG, SELFMAG);
	made.header.e_ident[EI_CLASS] = ELFCLASS32;
	made.header.e_ident[EI_DATA] = ELFDATA2LSB;
	made.header.e_type = ET_EXEC;
	made.header.e_machine = EM_386;
	made.header.e_entry = CODE_AT + 4;
	made.header.e_phoff = offsetof(struct made, segments);
	made.header.e_phentsize = sizeof(Elf32_Phdr);
	made.header.e_phnum = 2;
	memset(made.code, 0xf4, sizeof(made.code));
	made.segments[0] = (Elf32_Phdr){PT_LOAD, offsetof(struct made, code), CODE_AT, CODE_AT, 16, 32, 5, 16};
	made.segments[1] = (Elf32_Phdr){PT_LOAD, 0, CODE_AT + 64, CODE_AT + 64, 0, 64, 6, 16};
	return made;
}

static int load(const struct made *made, size_t size, struct image *image, uint8_t *ram, struct gim_error *error)
{
	char path[] = "/tmp/gimstate-image-XXXXXX";
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, made, size), (ssize_t)size);
	(void)close(fd);
	const int result = image_load(path, "one two", ram, RAM_BYTES, image, error);
	(void)unlink(path);
	return result;
}

static void test_image(void **unused)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct made made = sound();
	struct image image;
	uint8_t *ram = calloc(1, RAM_BYTES);
	uint32_t info[5];
	(void)unused;
	assert_int_equal(load(&made, sizeof(made), &image, ram, &error), 0);
	assert_int_equal(image.entry_gpa, CODE_AT + 4);
	assert_int_equal(ram[CODE_AT + 15], 0xf4);
	assert_int_equal(ram[CODE_AT + 16], 0);
	memcpy(info, ram + image.info_gpa, sizeof(info));
	assert_int_equal(info[0], 5);
	assert_int_equal(info[1], 640);
	assert_int_equal(info[2], 3 * 1024);
	const char *line = (const char *)ram + info[4];
	assert_string_equal(strchr(line, ' '), " one two");
	free(ram);
}

/* An entry may be a virtual address: what is loaded there counts. */
static void test_entry(void **unused)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct made made = sound();
	struct image image;
	uint8_t *ram = calloc(1, RAM_BYTES);
	(void)unused;
	made.segments[0].p_vaddr = 0xc0200000;
	made.header.e_entry = 0xc0200008;
	assert_int_equal(load(&made, sizeof(made), &image, ram, &error), 0);
	assert_int_equal(image.entry_gpa, CODE_AT + 8);
	free(ram);
}

#define AT(member) offsetof(struct made, member)
static const struct damage {
	size_t at;
	uint32_t value;
	uint8_t width;
	const char *says;
} damages[] = {
    {AT(header.e_ident[0]), 0, 1, "it is no ELF file"},
    {AT(header.e_ident[EI_CLASS]), ELFCLASS64, 1, "64-bit"},
    {AT(header.e_ident[EI_DATA]), ELFDATA2MSB, 1, "another processor"},
    {AT(header.e_machine), EM_ARM, 2, "another processor"},
    {AT(header.e_type), ET_REL, 2, "not linked"},
    {AT(header.e_phentsize), 31, 2, "program headers"},
    {AT(header.e_phoff), UINT32_MAX, 4, "a program header would lie at"},
    {AT(header.e_phnum), UINT16_MAX, 2, "a program header would lie at"},
    {AT(header.e_phnum), 0, 2, "nothing to load"},
    {AT(header.e_entry), 0x100, 4, "its entry, 0x100, is in no segment"},
    {AT(multiboot[0]), 0, 4, "no multiboot header"},
    {AT(multiboot[2]), 0, 4, "no multiboot header"},
    {AT(segments[0].p_offset), UINT32_MAX - 4, 4, "a segment would lie at"},
    {AT(segments[0].p_filesz), 33, 4, "bytes in the file and"},
    {AT(segments[0].p_paddr), UINT32_MAX - 4, 4, "outside of the 4 MiB of RAM"},
    {AT(segments[1].p_memsz), UINT32_MAX, 4, "outside of the 4 MiB of RAM"},
    {AT(segments[1].p_paddr), CODE_AT + 31, 4, "overlap"},
};

static void test_damaged_images(void **unused)
{
	uint8_t *ram = calloc(1, RAM_BYTES);
	(void)unused;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct gim_error error = GIM_ERROR_INIT;
		struct made made = sound();
		struct image image = {7, 7};
		memcpy((char *)&made + damages[i].at, &damages[i].value, damages[i].width);
		assert_true(load(&made, sizeof(made), &image, ram, &error) < 0);
		if (!strstr(error.text, damages[i].says))
			fail_msg("\"%s\" does not say \"%s\"", error.text, damages[i].says);
		assert_int_equal(image.entry_gpa, 7);
	}
	free(ram);
}

/* Of every length, and with any byte changed: refused or loaded, nothing else. */
static void test_any_image(void **unused)
{
	const struct made whole = sound();
	uint8_t *ram = calloc(1, RAM_BYTES);
	(void)unused;
	for (size_t size = 0; size < sizeof(whole); size++) {
		struct gim_error error = GIM_ERROR_INIT;
		struct image image;
		assert_true(load(&whole, size, &image, ram, &error) < 0);
		assert_true(error.text[0]);
	}
	for (size_t at = 0; at < sizeof(whole); at++) {
		struct gim_error error = GIM_ERROR_INIT;
		struct made made = whole;
		struct image image;
		((uint8_t *)&made)[at] ^= 0xff;
		(void)load(&made, sizeof(made), &image, ram, &error);
	}
	free(ram);
}

/*
 * APICs.
 */
struct heard {
	unsigned wakes, inits, startups, nmis, ends;
	uint8_t vector;
};
static struct heard heard[4];

static void on_wake(void *user, uint32_t vcpu)
{
	(void)user;
	heard[vcpu].wakes++;
}

static void on_signal(void *user, uint32_t vcpu, enum apic_signal signal, uint8_t vector)
{
	(void)user;
	*(signal == APIC_INIT ? &heard[vcpu].inits : signal == APIC_STARTUP ? &heard[vcpu].startups : &heard[vcpu].nmis) += 1;
	heard[vcpu].vector = vector;
}

static void on_ended(void *user, uint32_t vcpu, uint8_t vector)
{
	(void)user;
	heard[vcpu].ends++;
	heard[vcpu].vector = vector;
}

static struct apic items[4];
static struct apics made_apics(void)
{
	memset(heard, 0, sizeof(heard));
	struct apics apics = {.items = items,
	                      .count = 4,
	                      .tsc_hz = 2000000000,
	                      .timer_hz = 1000000000,
	                      .wake = on_wake,
	                      .signal = on_signal,
	                      .ended = on_ended};
	for (uint32_t i = 0; i < 4; i++) {
		apic_reset(&items[i], i);
		assert_true(apic_write(&apics, i, 0xf0, 0, 0x1ff));
	}
	return apics;
}

static void test_priorities(void **unused)
{
	struct apics apics = made_apics();
	(void)unused;
	apic_raise(&apics, 0, 0x41, false);
	apic_raise(&apics, 0, 0x52, false);
	assert_int_equal(apic_pending(&items[0]), 0x52);
	assert_false(apic_take(&items[0], 0x52));
	assert_int_equal(apic_pending(&items[0]), -1); /* a lower class waits */
	assert_true(apic_write(&apics, 0, APIC_REGISTER_EOI, 0, 0));
	assert_int_equal(heard[0].ends, 1);
	assert_int_equal(heard[0].vector, 0x52);
	assert_int_equal(apic_pending(&items[0]), 0x41);
	assert_true(apic_write(&apics, 0, APIC_REGISTER_TPR, 0, 0x40));
	assert_int_equal(apic_pending(&items[0]), -1);
	assert_true(apic_write(&apics, 0, APIC_REGISTER_TPR, 0, 0));
	assert_int_equal(apic_pending(&items[0]), 0x41);
	/* One that ends by itself is never in service. */
	apic_raise(&apics, 0, 0x63, true);
	assert_true(apic_take(&items[0], 0x63));
	assert_int_equal(apic_pending(&items[0]), 0x41);
	apic_raise(&apics, 1, 15, false);
	assert_int_equal(apic_pending(&items[1]), -1);
}

static void test_ipis(void **unused)
{
	struct apics apics = made_apics();
	(void)unused;
	assert_true(apic_write(&apics, 0, 0x310, 0, UINT32_C(2) << 24));
	assert_true(apic_write(&apics, 0, 0x300, 0, 0x4077));
	assert_int_equal(apic_pending(&items[2]), 0x77);
	assert_int_equal(apic_pending(&items[1]), -1);
	assert_true(apic_write(&apics, 0, 0x300, 0, 0xc4500)); /* INIT, then start-up, to all others */
	assert_true(apic_write(&apics, 0, 0x300, 0, 0xc4608));
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(heard[i].inits, i != 0);
		assert_int_equal(heard[i].startups, i != 0);
	}
	assert_int_equal(heard[3].vector, 8);
	assert_true(apic_write(&apics, 1, 0x300, 0, 0x40088)); /* itself */
	assert_int_equal(apic_pending(&items[1]), 0x88);
	assert_true(apic_write(&apics, 3, 0xd0, 0, 0x08000000));
	assert_true(apic_write(&apics, 0, 0x310, 0, 0x08000000));
	assert_true(apic_write(&apics, 0, 0x300, 0, 0x4899)); /* by the logical id */
	assert_int_equal(apic_pending(&items[3]), 0x99);
	assert_true(apic_write(&apics, 0, 0x310, 0, UINT32_C(1) << 24));
	assert_true(apic_write(&apics, 0, 0x300, 0, 0x4400));
	assert_int_equal(heard[1].nmis, 1);
}

static void test_modes(void **unused)
{
	struct apics apics = made_apics();
	const uint64_t base = items[1].base;
	uint64_t value;
	(void)unused;
	assert_true(apic_read(&apics, 1, 0x20, 0, &value));
	assert_int_equal(value, UINT32_C(1) << 24);
	assert_false(apic_write_base(&items[1], (base & ~UINT64_C(0x800)) | 0x400)); /* x2APIC alone */
	assert_true(apic_write_base(&items[1], base | 0x400));
	assert_true(apic_read(&apics, 1, 0x20, 0, &value));
	assert_int_equal(value, 1);
	assert_false(apic_write(&apics, 1, 0x310, 0, 0)); /* ICR is one register now */
	assert_false(apic_read(&apics, 1, 0xe0, 0, &value));
	assert_true(apic_write(&apics, 1, 0x300, 0, UINT64_C(3) << 32 | 0x4055));
	assert_int_equal(apic_pending(&items[3]), 0x55);
	assert_false(apic_write_base(&items[1], base)); /* only by way of off */
	assert_true(apic_write_base(&items[1], base & ~UINT64_C(0x800)));
	assert_false(apic_is_on(&items[1]));
	assert_true(apic_write_base(&items[1], base));
	assert_int_equal(items[1].svr, 0xff);
}

static void test_timer(void **unused)
{
	struct apics apics = made_apics();
	uint64_t value;
	(void)unused;
	assert_int_equal(apics_deadline(&apics), UINT64_MAX);
	assert_true(apic_write(&apics, 0, 0x3e0, 0, 0xb));
	assert_true(apic_write(&apics, 0, 0x320, 0, 0x20042)); /* periodic */
	assert_true(apic_write(&apics, 0, 0x380, 1000, 500));
	assert_int_equal(apics_deadline(&apics), 2000);
	assert_true(apic_read(&apics, 0, 0x390, 1500, &value));
	assert_int_equal(value, 250);
	apics_advance(&apics, 1999);
	assert_int_equal(apic_pending(&items[0]), -1);
	apics_advance(&apics, 4100);
	assert_int_equal(apic_pending(&items[0]), 0x42);
	assert_int_equal(apics_deadline(&apics), 5000);
	assert_true(apic_write(&apics, 0, 0x320, 0, 0x42)); /* once */
	apics_advance(&apics, 5000);
	assert_int_equal(apics_deadline(&apics), UINT64_MAX);
}

/*
 * Devices.
 */
static char said[16];
static void put(void *user, char c)
{
	(void)user;
	said[strlen(said)] = c;
}

static uint32_t access_port(struct board *board, uint16_t port, bool write, unsigned size, uint32_t value)
{
	board_access(board, port, write, size, &value);
	return value;
}

static void test_devices(void **unused)
{
	struct board board = {.vcpus = 3, .ram_bytes = UINT64_C(0x12345000), .put = put};
	(void)unused;
	(void)access_port(&board, 0x3fb, true, 1, 0x83);
	(void)access_port(&board, 0x3f8, true, 1, 'x'); /* the divisor */
	(void)access_port(&board, 0x3fb, true, 1, 3);
	(void)access_port(&board, 0x3f8, true, 1, 'h');
	assert_string_equal(said, "h");
	assert_int_equal(access_port(&board, 0x3fd, false, 1, 0) & 0x60, 0x60);
	assert_int_equal(access_port(&board, 0x3fb, false, 1, 0), 3);
	(void)access_port(&board, 0x510, true, 2, 5);
	assert_int_equal(access_port(&board, 0x511, false, 1, 0), 3);
	assert_int_equal(access_port(&board, 0x511, false, 1, 0), 0);
	(void)access_port(&board, 0x510, true, 2, 3);
	assert_int_equal(access_port(&board, 0x511, false, 1, 0), 0);
	assert_int_equal(access_port(&board, 0x511, false, 1, 0), 0x50);
	for (unsigned i = 0; i < 100; i++)
		(void)access_port(&board, 0x511, false, 1, 0);
	assert_int_equal(access_port(&board, 0x511, false, 1, 0), 0);
	assert_int_equal(access_port(&board, 0x21, false, 1, 0), UINT32_MAX);
	(void)access_port(&board, 0xf4, true, 4, 77);
	assert_true(board.ended);
	assert_int_equal(board.end_value, 77);
}

/*
 * A machine in a bundle.
 */
static int write_file(void *user, const void *bytes, size_t size)
{
	return fwrite(bytes, 1, size, user) != size;
}

static unsigned members_seen;
static int on_member(void *user, const char *name, uint64_t size, gim_sink_fn **sink, void **sink_user, struct gim_error *error)
{
	(void)user, (void)sink, (void)sink_user, (void)error;
	members_seen += !strcmp(name, "machine.json") && size == 2;
	members_seen += !strcmp(name, "memory/0000001000.bin") && size == 4096;
	return 0;
}

static void test_bundle(void **unused)
{
	static const char page[4096] = "memory";
	const struct gim_machine_config config = {.provider = "hyperv", .vcpus = 2, .tsc_hz = 2000000000, .ram_bytes = 1 << 20};
	const struct gim_pack_member members[] = {{.name = "machine.json", .bytes = "{}", .size_bytes = 2},
	                                          {"memory/0000001000.bin", true, 0x1000, page, sizeof(page)}};
	const struct gim_pack_options how = {.members = members, .member_count = 2};
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_machine *machine = NULL;
	struct gim_state *state = NULL;
	char path[] = "/tmp/gimstate-bundle-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	(void)unused;
	assert_non_null(file);
	assert_int_equal(gim_machine_new(&config, NULL, &machine, &error), 0);
	assert_int_equal(gim_machine_init(machine, &error), 0);
	assert_int_equal(gim_machine_init_completed(machine, &error), 0);
	assert_int_equal(gim_machine_save(machine, &state, &error), 0);
	if (gim_state_pack(state, &how, write_file, file, NULL, &error))
		fail_msg("%s", error.text);
	(void)fclose(file);
	gim_state_free(&state);
	if (gim_bundle_read(path, on_member, NULL, &error))
		fail_msg("%s", error.text);
	assert_int_equal(members_seen, 2);
	assert_int_equal(gim_state_open(path, &state, &error), 0);
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, &error), 0);
	gim_state_free(&state);
	gim_machine_free(&machine);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_image),     cmocka_unit_test(test_entry),      cmocka_unit_test(test_damaged_images),
	    cmocka_unit_test(test_any_image), cmocka_unit_test(test_priorities), cmocka_unit_test(test_ipis),
	    cmocka_unit_test(test_modes),     cmocka_unit_test(test_timer),      cmocka_unit_test(test_devices),
	    cmocka_unit_test(test_bundle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
