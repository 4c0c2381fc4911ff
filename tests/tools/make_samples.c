/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Makes samples/: small states of each provider and layout. Payloads are laid out by hand here, so that they check the tables and do not repeat them. */
#include "../pgm.h"
#include "../qemu_stream.h"
#include "cursor.h"
#include "vbox/crc.h"
#include "vbox/ssm_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sample {
	const char *name;
	unsigned provider, blob, vcpus;
	bool checksummed, live, memory, cpum;
	bool ram;
	unsigned old; /* of container 1.x: the x */
	uint16_t major, minor;
	uint32_t build, revision;
	const char *what;
};

static const struct sample samples[] = {
    {"none", 0, 0, 1, true, false, false, false, false, 0, 7, 1, 6, 167084, "no guest interface"},
    {"minimal", 1, 0, 1, true, false, false, false, false, 0, 7, 1, 6, 167084, "VirtualBox's Minimal provider, which saves nothing"},
    {"hyperv-1", 2, 1, 1, true, false, false, false, false, 0, 5, 0, 40, 115130, "HyperV blob 1, as 5.0 wrote it"},
    {"hyperv-2", 2, 2, 2, true, false, false, false, false, 0, 5, 1, 38, 122592, "HyperV blob 2, as 5.1 wrote it: debug fields and SINT2"},
    {"hyperv-3", 2, 3, 2, true, false, false, false, false, 0, 5, 2, 44, 139111, "HyperV blob 3, as 5.2 wrote it: all SINTs"},
    {"hyperv-4", 2, 4, 2, true, false, false, false, false, 0, 7, 1, 6, 167084,
     "HyperV blob 4, as 6.0 and later write it: a Windows guest"},
    {"hyperv-4-unchecked", 2, 4, 1, false, false, false, false, false, 0, 7, 1, 6, 167084, "the same without checksums"},
    {"kvm", 3, 1, 3, true, false, false, false, false, 0, 7, 1, 6, 167084, "KVM, three vCPUs: a Linux guest"},
    {"kvm-live", 3, 1, 1, true, true, false, false, false, 0, 7, 1, 6, 167084, "KVM, one vCPU, saved live in two passes"},
    {"kvm-memory", 3, 1, 2, true, false, true, false, false, 0, 7, 1, 6, 167084,
     "KVM, two vCPUs, with a unit of raw, LZF and zero records"},
    {"hyperv-cpum", 2, 4, 2, true, false, false, true, false, 0, 7, 1, 6, 167084,
     "the Windows guest with the unit cpum, whose CPUID leaves show its features"},
    {"hyperv-ram", 2, 4, 2, true, false, false, false, true, 0, 7, 1, 6, 167084,
     "the Windows guest with its memory: its pages, a message that waits, code, a text"},
    {"kvm-ram", 3, 1, 3, true, false, false, false, true, 0, 7, 1, 6, 167084, "the Linux guest with its memory: its clocks, code, a text"},
    {"old-1.1", 3, 1, 2, true, false, false, false, false, 1, 0, 0, 0, 0,
     "KVM in container 1.1, which is older than the interface: no release wrote such a file"},
    {"old-1.2", 2, 4, 2, true, false, false, false, false, 2, 3, 0, 14, 58145, "HyperV in container 1.2, likewise"},
};

static int write_file(void *user, const void *bytes, size_t size)
{
	return fwrite(bytes, 1, size, (FILE *)user) != size;
}

static void text(struct gim_buffer *payload, const char *string)
{
	gim_buffer_number(payload, strlen(string), 4);
	gim_buffer_bytes(payload, string, strlen(string));
}

static void numbers(struct gim_buffer *payload, unsigned width, size_t count, const uint64_t *values)
{
	for (size_t i = 0; i < count; i++)
		gim_buffer_number(payload, values[i], width);
}

static void page(struct gim_buffer *payload, unsigned index, uint64_t address, const char *description)
{
	gim_buffer_number(payload, index, 1);
	gim_buffer_number(payload, 0, 1);
	gim_buffer_number(payload, 0x1000, 4);
	gim_buffer_number(payload, address, 8);
	text(payload, description);
}

static void hyperv(struct gim_buffer *payload, const struct sample *sample)
{
	const unsigned blob = sample->blob;
	/* Windows 10 22H2: vendor Microsoft, OS 4 (NT), 10.0, build 19045. */
	const uint64_t msrs[] = {0x0001040a00004a65, 0x7f001, 0x7e001};
	const uint64_t features[] = {0xaf2, blob >= 4 ? 0x100000 : 0, 0, 0x500, blob >= 3 ? 0x130 : 0x30, 0xa};
	numbers(payload, 8, 3, msrs);
	numbers(payload, 4, 6, features);
	page(payload, 0, 0x7f000, "Hyper-V hypercall page");
	page(payload, 1, 0x7e000, "Hyper-V TSC page");
	gim_buffer_number(payload, 0, 4);
	if (blob < 2)
		return;
	const uint64_t debug[] = {0x18000, 0x16000, 0x17000, 0};
	numbers(payload, 8, 4, debug);
	gim_buffer_number(payload, 0, 4);          /* reply: UDP data */
	gim_buffer_number(payload, 0xcafef00d, 4); /* DHCP transaction */
	gim_buffer_number(payload, 0x0505000a, 4); /* 10.0.5.5 */
	if (blob >= 4) {
		gim_buffer_number(payload, 0x50c3, 2); /* port 50000 */
		gim_buffer_number(payload, 0x51c3, 2);
	}
	for (unsigned vcpu = 0; vcpu < sample->vcpus; vcpu++) {
		gim_buffer_number(payload, 0x20001 + 0x1000 * vcpu, 8);
		for (unsigned sint = blob >= 3 ? 0 : 2; sint < (blob >= 3 ? 16 : 3); sint++)
			gim_buffer_number(payload, sint >= 2 && sint < 5 ? 0x20050 + sint : 0x10000, 8);
	}
	gim_buffer_number(payload, 0xff, 1);
}

static void kvm(struct gim_buffer *payload, const struct sample *sample)
{
	for (unsigned vcpu = 0; vcpu < sample->vcpus; vcpu++) {
		const uint64_t clock[] = {0x11001 + 0x40 * vcpu, 0x1e03c7fcd + vcpu, 3089717666 + vcpu, 0x11000 + 0x40 * vcpu};
		numbers(payload, 8, 4, clock);
		gim_buffer_number(payload, 2, 4);
		gim_buffer_number(payload, 0, 1);
	}
	gim_buffer_number(payload, 0x10040, 8);
	gim_buffer_number(payload, 0x01000089, 4);
}

/* A structure with its markers, all zero. */
static void structure(struct gim_buffer *payload, size_t size)
{
	gim_buffer_number(payload, 0x19200102, 4);
	for (size_t i = 0; i < size; i++)
		gim_buffer_number(payload, 0, 1);
	gim_buffer_number(payload, 0x19920406, 4);
}

static void leaf(struct gim_buffer *payload, uint32_t number, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	const uint64_t words[] = {number, 0, 0, eax, ebx, ecx, edx, 0};
	numbers(payload, 4, 8, words);
}

/* Registers of zeros, and the leaves of the interface. */
static void cpum(struct gim_buffer *payload, const struct sample *sample)
{
	enum { MSR_BYTES = 400, LEAVES = 8, HOST_STANDARD = 16, HOST_EXTENDED = 32 };
	static const uint8_t zeros[MSR_BYTES + 40];
	gim_buffer_number(payload, sample->vcpus, 4);
	gim_buffer_number(payload, MSR_BYTES, 4);
	for (unsigned vcpu = 0; vcpu < sample->vcpus; vcpu++) {
		structure(payload, 524);
		structure(payload, 524);
		structure(payload, 420);
		gim_buffer_bytes(payload, zeros, 4 * 8 + 2 * 4 + MSR_BYTES);
	}
	gim_buffer_number(payload, 32, 4);
	gim_buffer_number(payload, LEAVES, 4);
	leaf(payload, 1, 0x306c3, 0x20800, 0x80000000, 0x178bfbff);
	leaf(payload, 0x40000000, 0x40000006, 0x786f4256, 0x786f4256, 0x786f4256);
	leaf(payload, 0x40000001, 0x31237648, 0, 0, 0);
	leaf(payload, 0x40000002, 0x4a65, 10 << 16, 0, 0);
	leaf(payload, 0x40000003, 0xaf2, 0x100000, 0, 0x500);
	leaf(payload, 0x40000004, 0x130, 0xffffffff, 0, 0);
	leaf(payload, 0x40000005, 0, 0, 0, 0);
	leaf(payload, 0x40000006, 0xa, 0, 0, 0);
	gim_buffer_bytes(payload, zeros, 16);
	gim_buffer_number(payload, HOST_STANDARD, 4);
	gim_buffer_bytes(payload, zeros, HOST_STANDARD * 16);
	gim_buffer_number(payload, HOST_EXTENDED, 4);
	for (unsigned i = 0; i < HOST_EXTENDED; i++)
		gim_buffer_bytes(payload, zeros, 16);
}

static void gim(struct gim_buffer *payload, const struct sample *sample)
{
	gim_buffer_number(payload, sample->provider, 4);
	gim_buffer_number(payload, 0, 4);
	if (sample->blob)
		gim_buffer_number(payload, sample->blob, 4);
	if (sample->provider == 2)
		hyperv(payload, sample);
	else if (sample->provider == 3)
		kvm(payload, sample);
}

static void ssm(struct gim_buffer *payload, const struct sample *sample)
{
	(void)sample;
	const char *const pairs[] = {"Build Type", "release", "Host OS", "linux.amd64", "", ""};
	for (size_t i = 0; i < 6; i++)
		text(payload, pairs[i]);
}

static void mm(struct gim_buffer *payload, const struct sample *sample)
{
	(void)sample;
	gim_buffer_number(payload, 0x8000, 8);
	gim_buffer_number(payload, 128 << 20, 8);
}

static void tm(struct gim_buffer *payload, const struct sample *sample)
{
	const uint64_t clocks[] = {1000000000, 4668930461, 4668930461, 0, 0, 0};
	numbers(payload, 8, 6, clocks);
	gim_buffer_number(payload, 0, 1);
	gim_buffer_number(payload, 1000, 8);
	for (unsigned vcpu = 0; vcpu < sample->vcpus; vcpu++)
		gim_buffer_number(payload, 0x2d5e1f3a0 + vcpu, 8);
	gim_buffer_number(payload, 2600000000, 8);
}

static void vmm(struct gim_buffer *payload, const struct sample *sample)
{
	for (unsigned vcpu = 1; vcpu < sample->vcpus; vcpu++)
		gim_buffer_number(payload, 1, 1);
	gim_buffer_number(payload, 0xffffffff, 4);
}

static const struct {
	const char *name;
	uint32_t instance, version;
	void (*build)(struct gim_buffer *payload, const struct sample *sample);
} units[] = {{"SSM", 0, 1, ssm}, {"mm", 1, 2, mm}, {"cpum", 1, 23, cpum}, {"tm", 1, 3, tm}, {"vmm", 1, 4, vmm}, {"GIM", 0, 1, gim}};

static int write_unit(struct ssm_writer *writer, size_t i, uint32_t pass, const struct sample *sample, struct gim_error *error)
{
	struct gim_buffer payload = {.bytes = NULL};
	if (units[i].build == cpum && !sample->cpum)
		return 0;
	units[i].build(&payload, sample);
	int result = ssm_writer_unit(writer, units[i].name, units[i].instance, units[i].version, pass, error);
	if (!result)
		result = ssm_writer_data(writer, SSM_WRITE_AUTO, payload.bytes, payload.size, error);
	gim_buffer_free(&payload);
	return result;
}

/*
 * RAM, 128 MiB of which a few pages hold something.
 */
struct ram_page {
	uint64_t gpa;
	uint8_t bytes[PGM_PAGE];
};

static void put(uint8_t *at, uint64_t number, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		at[i] = (uint8_t)(number >> 8 * i);
}

/* Of 2.6 GHz, as tm says. */
static void clocks_page(struct ram_page *page, const struct sample *sample)
{
	for (unsigned vcpu = 0; vcpu < sample->vcpus; vcpu++) {
		uint8_t *clock = page->bytes + 0x40 * (size_t)vcpu;
		put(clock, 2, 4);
		put(clock + 8, 0x1e03c7fcd + vcpu, 8);
		put(clock + 16, 3089717666 + vcpu, 8);
		put(clock + 24, 0xc4ec4ec4, 4);
		put(clock + 28, 0xff, 1);
		put(clock + 29, 0, 1);
	}
}

static size_t ram_pages(struct ram_page *pages, const struct sample *sample)
{
	/* What a boot sector may begin with, a text, and a number. */
	static const uint8_t code[] = {0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0xbc, 0x00, 0x7c, 0xfb, 0xf4, 0xeb, 0xfd};
	size_t count = 0;
	pages[count].gpa = 0x7000;
	memcpy(pages[count].bytes + 0xc00, code, sizeof(code));
	memcpy(pages[count].bytes + 0xd00, "a text in guest memory", 22);
	put(pages[count++].bytes + 0xd40, 0xdeadbeef, 4);
	if (sample->provider == 3) {
		pages[count].gpa = 0x10000;
		put(pages[count].bytes + 0x40, 2, 4);
		put(pages[count].bytes + 0x44, 1700000000, 4);
		put(pages[count++].bytes + 0x48, 123456789, 4);
		pages[count].gpa = 0x11000;
		clocks_page(&pages[count++], sample);
		return count;
	}
	pages[count].gpa = 0x20000; /* SINT 2: a timer that expired */
	put(pages[count].bytes + 0x200, 0x80000010, 4);
	put(pages[count].bytes + 0x204, 24, 1);
	put(pages[count++].bytes + 0x218, 46689304, 8);
	pages[count].gpa = 0x7e000;
	put(pages[count].bytes, 1, 4);
	put(pages[count++].bytes + 8, 0xfc0fc0fc0fc0fc, 8);
	pages[count].gpa = 0x7f000;
	memcpy(pages[count++].bytes, "\x0f\x01\xc1\xc3", 4);
	return count;
}

/* As VirtualBox does: what is small gathers, and a page is put by itself. */
static int flush_ram(struct ssm_writer *writer, struct gim_buffer *payload, const struct ram_page *page, struct gim_error *error)
{
	int result = 0;
	for (size_t at = 0, step; !result && at < payload->size; at += step) {
		step = payload->size - at < 512 ? payload->size - at : 512;
		result = ssm_writer_data(writer, SSM_WRITE_AUTO, payload->bytes + at, step, error);
	}
	payload->size = 0;
	return result || !page ? result : ssm_writer_data(writer, SSM_WRITE_AUTO, page->bytes, PGM_PAGE, error);
}

static int write_ram(struct ssm_writer *writer, const struct sample *sample, struct gim_error *error)
{
	static const struct pgm_range roms[] = {{"PC BIOS", 0xfffff000, PGM_PAGE}, {NULL, 0, 0}};
	static struct ram_page pages[8];
	struct gim_buffer payload = {.bytes = NULL};
	memset(pages, 0, sizeof(pages));
	const size_t count = ram_pages(pages, sample);
	pgm_head(&payload, 14, sample->vcpus);
	pgm_config(&payload, 14, 128 << 20, 0x20000000, roms, NULL);
	pgm_device(&payload, PGM_ADDRESS | PGM_ROM, 1, 0, 1, NULL);
	static const struct ram_page rom = {0, {0xea, 0x5b, 0xe0, 0x00, 0xf0}};
	int result = ssm_writer_unit(writer, "pgm", 1, 14, GIM_PASS_FINAL, error);
	if (!result)
		result = flush_ram(writer, &payload, &rom, error);
	size_t next = 0;
	for (uint64_t gpa = 0; !result && gpa < 0xa0000; gpa += PGM_PAGE) {
		const bool data = next < count && pages[next].gpa == gpa;
		pgm_ram(&payload, (data ? PGM_RAM : PGM_RAM_ZERO) | (gpa ? 0 : PGM_ADDRESS), gpa, NULL);
		if (data)
			result = flush_ram(writer, &payload, &pages[next++], error);
	}
	gim_buffer_number(&payload, PGM_END, 1);
	if (!result)
		result = flush_ram(writer, &payload, NULL, error);
	gim_buffer_free(&payload);
	return result;
}

/* Progress, as a live save reports it: parts of ten thousand. */
static int write_progress(struct ssm_writer *writer, uint32_t pass, unsigned done, struct gim_error *error)
{
	const uint8_t bytes[] = {(uint8_t)done, (uint8_t)(done >> 8)};
	int result = ssm_writer_unit(writer, "SSMLiveControl", 0, 1, pass, error);
	return result ? result : ssm_writer_data(writer, SSM_WRITE_AUTO, bytes, sizeof(bytes), error);
}

static int write_memory(struct ssm_writer *writer, struct gim_error *error)
{
	uint8_t pages[3 * 4096];
	uint32_t noise = 1;
	for (size_t i = 0; i < sizeof(pages); i++) {
		noise = noise * 1664525 + 1013904223;
		pages[i] = i < 4096 ? (uint8_t)(i / 64) : i < 8192 ? 0 : (uint8_t)(noise >> 24);
	}
	int result = ssm_writer_unit(writer, "vga", 0, 22, GIM_PASS_FINAL, error);
	return result ? result : ssm_writer_data(writer, SSM_WRITE_AUTO, pages, sizeof(pages), error);
}

/* A unit of container 1.x: its size, and its payload stored. */
static void old_unit(struct gim_buffer *file, size_t i, const struct sample *sample)
{
	enum { HEADER = 28, STORED = 2 };
	struct gim_buffer payload = {.bytes = NULL};
	const size_t name = strlen(units[i].name) + 1;
	units[i].build(&payload, sample);
	gim_buffer_bytes(file, "\nUnit\n\0", 8);
	gim_buffer_number(file, HEADER + name + 1 + payload.size, 8);
	gim_buffer_number(file, units[i].version, 4);
	gim_buffer_number(file, units[i].instance, 4);
	gim_buffer_number(file, name, 4);
	gim_buffer_bytes(file, units[i].name, name);
	gim_buffer_number(file, STORED, 1);
	gim_buffer_bytes(file, payload.bytes, payload.size);
	gim_buffer_free(&payload);
}

static int write_old(FILE *file, const struct sample *sample)
{
	enum { SIZE_AT = 32, CRC_AT = 40, CRC_START = 44 };
	static const uint8_t zeros[20];
	struct gim_buffer bytes = {.bytes = NULL};
	char magic[32] = "\177VirtualBox SavedState V1.0\n";
	*strrchr(magic, '0') = (char)('0' + sample->old);
	gim_buffer_bytes(&bytes, magic, sizeof(magic));
	gim_buffer_number(&bytes, 0, 8);
	gim_buffer_number(&bytes, 0, 4);
	gim_buffer_bytes(&bytes, zeros, 20);
	if (sample->old == 2) {
		gim_buffer_number(&bytes, sample->major, 2);
		gim_buffer_number(&bytes, sample->minor, 2);
		gim_buffer_number(&bytes, sample->build, 4);
		gim_buffer_number(&bytes, sample->revision, 4);
		gim_buffer_bytes(&bytes, "\x40\x08\x08", 4);
	}
	const size_t header = bytes.size;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].build != cpum)
			old_unit(&bytes, i, sample);
	gim_buffer_bytes(&bytes, "\nTheEnd", 8);
	gim_buffer_number(&bytes, 28, 8);
	gim_buffer_bytes(&bytes, zeros, 12);
	if (!bytes.failed) {
		gim_buffer_patch(&bytes, SIZE_AT, bytes.size, 8);
		gim_buffer_patch(&bytes, CRC_AT, gim_crc32(0, bytes.bytes + CRC_START, bytes.size - header), 4);
	}
	const bool written = !bytes.failed && fwrite(bytes.bytes, 1, bytes.size, file) == bytes.size;
	gim_buffer_free(&bytes);
	return written ? 0 : GIM_E_IO;
}

static int write_sample(FILE *file, const struct sample *sample, struct gim_error *error)
{
	if (sample->old)
		return write_old(file, sample);
	const size_t count = sizeof(units) / sizeof(units[0]);
	const struct ssm_write_options options = {
	    .major = sample->major,
	    .minor = sample->minor,
	    .build = sample->build,
	    .revision = sample->revision,
	    .host_bits = 64,
	    .address_bytes = 8,
	    .pointer_bytes = 8,
	    .checksummed = sample->checksummed,
	    .live = sample->live,
	    .units = (uint32_t)(count - 1 + sample->memory + sample->cpum + sample->ram),
	};
	struct ssm_writer *writer = NULL;
	int result = ssm_writer_new(&options, write_file, file, &writer, error);
	for (uint32_t pass = 0; !result && sample->live && pass < 2; pass++) {
		result = pass ? 0 : write_unit(writer, 0, pass, sample, error);
		if (!result)
			result = write_progress(writer, pass, 4000 * (pass + 1), error);
	}
	for (size_t i = 0; !result && i < count; i++)
		result = write_unit(writer, i, GIM_PASS_FINAL, sample, error);
	if (!result && sample->memory)
		result = write_memory(writer, error);
	if (!result && sample->ram)
		result = write_ram(writer, sample, error);
	if (!result)
		result = ssm_writer_finish(writer, error);
	ssm_writer_free(&writer);
	return result;
}

static int write_stream(const char *folder, FILE *readme)
{
	static const char name[] = "qemu-kvm.mig";
	char path[512];
	struct made_stream made;
	made_kvm_stream(&made, "pc-i440fx-7.2", true);
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	const bool written = file && fwrite(made.out.bytes, 1, made.out.size, file) == made.out.size;
	gim_buffer_free(&made.out);
	if (!file || fclose(file) || !written)
		return perror(path), 2;
	fprintf(readme, "* `%s`: a migration stream of QEMU, KVM, two vCPUs, with its description\n", name);
	return 0;
}

int main(int count, char **words)
{
	char path[512];
	struct gim_error error = GIM_ERROR_INIT;
	if (count != 2) {
		fprintf(stderr, "usage: make_samples FOLDER\n");
		return 2;
	}
	(void)snprintf(path, sizeof(path), "%s/README.md", words[1]);
	FILE *readme = fopen(path, "w");
	if (!readme)
		return perror(path), 2;
	fprintf(readme, "# Samples\n\nSmall states, made by `make samples`; NAME.dump is what `gimstate dump` prints of NAME.sav.\n\n");
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s.sav", words[1], samples[i].name);
		FILE *file = fopen(path, "wb");
		if (!file || write_sample(file, &samples[i], &error) || fclose(file)) {
			fprintf(stderr, "%s: %s\n", path, error.text);
			return 2;
		}
		fprintf(readme, "* `%s.sav`: %s\n", samples[i].name, samples[i].what);
	}
	const int result = write_stream(words[1], readme);
	return fclose(readme) ? 2 : result;
}
