/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures migration streams of 2 GiB: dump by the description, whatever the RAM's encoding, beside a script that reads it; and the walk through all of it, beside reading the file once. */
#include "bench.h"
#include "cursor.h"
#include "process.h"

enum { RAM_ID = 2, PAGE_BYTES = 4096, DEVICES = 40, FIELDS = 40, CPU_BYTES = 1817, SYSTEM_TIME_AT = 1529 };
enum { ZERO = 2, MEM_SIZE = 4, RAW = 8, EOS = 0x10, CONTINUE = 0x20, XBZRLE = 0x40, COMPRESSED = 0x100 };

/* multifd into a file is mapped-ram, to the byte; a background snapshot is raw, and lacks the last section of RAM. */
enum encoding { ENCODED_RAW, ENCODED_SNAPSHOT, ENCODED_ZERO, ENCODED_XBZRLE, ENCODED_COMPRESSED, ENCODED_MAPPED, ENCODINGS };
static const char *const encoding_names[] = {"raw", "snapshot", "zero", "xbzrle", "compress", "mapped-ram"};
static const struct {
	unsigned flag, bytes; /* of a page's record, and behind it */
} records[] = {[ENCODED_RAW] = {RAW, PAGE_BYTES},
               [ENCODED_SNAPSHOT] = {RAW, PAGE_BYTES},
               [ENCODED_ZERO] = {ZERO, 1},
               [ENCODED_XBZRLE] = {XBZRLE, PAGE_BYTES / 2},
               [ENCODED_COMPRESSED] = {COMPRESSED, PAGE_BYTES / 2}};

static void put_text(struct gim_buffer *out, const char *text)
{
	gim_buffer_number(out, strlen(text), 1);
	gim_buffer_bytes(out, text, strlen(text));
}

static void put_footer(struct gim_buffer *out, uint32_t id)
{
	gim_buffer_number(out, 0x7e, 1);
	gim_buffer_number(out, id, 4);
}

static void put_header(struct gim_buffer *out, unsigned type, uint32_t id, const char *name, uint32_t version)
{
	gim_buffer_number(out, type, 1);
	gim_buffer_number(out, id, 4);
	put_text(out, name);
	gim_buffer_number(out, 0, 4);
	gim_buffer_number(out, version, 4);
}

/* Magic, configuration, and the list of RAM blocks, which for mapped-ram has the pages in it. */
static void put_beginning(struct gim_buffer *out, uint64_t ram_bytes, bool mapped)
{
	static const char machine[] = "pc-i440fx-9.0";
	gim_buffer_bytes(out, "QEVM\0\0\0\3\7", 9);
	gim_buffer_number(out, sizeof(machine) - 1, 4);
	gim_buffer_bytes(out, machine, sizeof(machine) - 1);
	if (mapped) {
		gim_buffer_number(out, 5, 1);
		put_text(out, "configuration/capabilities");
		gim_buffer_number(out, 1, 4);
		gim_buffer_number(out, 1, 4);
		put_text(out, "mapped-ram");
	}
	put_header(out, 1, RAM_ID, "ram", 4);
	gim_buffer_number(out, ram_bytes | MEM_SIZE, 8);
	put_text(out, "pc.ram");
	gim_buffer_number(out, ram_bytes, 8);
	if (!mapped)
		return;
	const uint64_t bitmap = out->size + 28, pages = (bitmap + ram_bytes / PAGE_BYTES / 8 + (1 << 20) - 1) & ~(uint64_t)((1 << 20) - 1);
	gim_buffer_number(out, 1, 4);
	gim_buffer_number(out, PAGE_BYTES, 8);
	gim_buffer_number(out, bitmap, 8);
	gim_buffer_number(out, pages, 8);
}

/* Devices that nobody knows, and one vCPU. */
static void put_devices(struct gim_buffer *out, struct gim_buffer *description)
{
	char text[256];
	static const uint8_t zeros[CPU_BYTES];
	gim_buffer_bytes(description, "{\"page_size\":4096,\"devices\":[", 29);
	for (unsigned i = 0; i < DEVICES; i++) {
		(void)snprintf(text, sizeof(text), "device%02u", i);
		put_header(out, 4, 3 + i, text, 1);
		gim_buffer_bytes(out, zeros, 4 * FIELDS);
		put_footer(out, 3 + i);
		(void)snprintf(text, sizeof(text),
		               "{\"name\":\"device%02u\",\"instance_id\":0,\"vmsd_name\":\"device%02u\",\"version\":1,\"fields\":[", i, i);
		gim_buffer_bytes(description, text, strlen(text));
		for (unsigned j = 0; j < FIELDS; j++) {
			(void)snprintf(text, sizeof(text), "%s{\"name\":\"regs.value%02u\",\"type\":\"uint32\",\"size\":4}", j ? "," : "",
			               j);
			gim_buffer_bytes(description, text, strlen(text));
		}
		gim_buffer_bytes(description, "]},", 3);
	}
	put_header(out, 4, 3 + DEVICES, "cpu", 12);
	gim_buffer_bytes(out, zeros, SYSTEM_TIME_AT);
	gim_buffer_number(out, 0x200001, 8);
	gim_buffer_bytes(out, zeros, CPU_BYTES - SYSTEM_TIME_AT - 8);
	put_footer(out, 3 + DEVICES);
	(void)snprintf(
	    text, sizeof(text),
	    "{\"name\":\"cpu\",\"instance_id\":0,\"vmsd_name\":\"cpu\",\"version\":12,\"fields\":["
	    "{\"name\":\"env.before\",\"type\":\"buffer\",\"size\":%d},{\"name\":\"env.system_time_msr\",\"type\":\"uint64\",\"size\":8},"
	    "{\"name\":\"env.behind\",\"type\":\"buffer\",\"size\":%d}]}]}",
	    SYSTEM_TIME_AT, CPU_BYTES - SYSTEM_TIME_AT - 8);
	gim_buffer_bytes(description, text, strlen(text));
}

static void flush(struct gim_buffer *out, FILE *file)
{
	must(!out->failed && fwrite(out->bytes, 1, out->size, file) == out->size, "cannot write a stream");
	out->size = 0;
}

/* Every page in this encoding, in sections of 64 MiB as QEMU writes them. */
static void put_pages(struct gim_buffer *out, FILE *file, uint64_t ram_bytes, enum encoding encoding)
{
	enum { ROUND_BYTES = 64 << 20 };
	static uint8_t page[PAGE_BYTES];
	uint64_t random = 88172645463325252u;
	page_noise(page, sizeof(page), &random);
	for (uint64_t at = 0; at < ram_bytes; at += PAGE_BYTES) {
		if (at % ROUND_BYTES == 0) {
			if (at) {
				gim_buffer_number(out, EOS, 8);
				put_footer(out, RAM_ID);
				gim_buffer_number(out, 2, 1);
				gim_buffer_number(out, RAM_ID, 4);
			}
			flush(out, file);
		}
		gim_buffer_number(out, at | records[encoding].flag | (at ? CONTINUE : 0), 8);
		if (!at)
			put_text(out, "pc.ram");
		memcpy(page, &at, sizeof(at));
		if (encoding == ENCODED_XBZRLE) {
			gim_buffer_number(out, 1, 1);
			gim_buffer_number(out, PAGE_BYTES / 2, 2);
		} else if (encoding == ENCODED_COMPRESSED) {
			gim_buffer_number(out, PAGE_BYTES / 2, 4);
		}
		if (encoding == ENCODED_ZERO)
			gim_buffer_number(out, 0, 1);
		else
			gim_buffer_bytes(out, page, records[encoding].bytes);
		if (at % (1 << 20) == 0)
			flush(out, file);
	}
}

/* libvirt's save image, as it begins. */
static void put_image(struct gim_buffer *out)
{
	static const char xml[] = "<domain type='kvm'><vcpu>1</vcpu></domain>";
	enum { HEADER_BYTES = 92 };
	gim_buffer_bytes(out, "LibvirtQemudSave", 16);
	gim_buffer_number(out, 2, 4);
	gim_buffer_number(out, sizeof(xml), 4);
	while (out->size < HEADER_BYTES)
		gim_buffer_number(out, 0, 4);
	gim_buffer_bytes(out, xml, sizeof(xml));
}

/* Returns the size of the file. */
static uint64_t make_stream(const char *path, uint64_t ram_bytes, enum encoding encoding, bool described, bool in_image)
{
	struct gim_buffer out = {.big = true}, description = {.big = true};
	FILE *file = fopen(path, "w");
	must(file, "cannot make a stream");
	if (in_image) {
		put_image(&out);
		flush(&out, file);
	}
	put_beginning(&out, ram_bytes, encoding == ENCODED_MAPPED);
	if (encoding == ENCODED_MAPPED) {
		const uint64_t bitmap = out.size, bitmap_bytes = ram_bytes / PAGE_BYTES / 8;
		const uint64_t pages = (bitmap + bitmap_bytes + (1 << 20) - 1) & ~(uint64_t)((1 << 20) - 1);
		flush(&out, file);
		for (uint64_t i = 0; i < bitmap_bytes; i++)
			must(putc(0xff, file) != EOF, "cannot write a stream");
		must(!fseeko(file, (off_t)(pages + ram_bytes), SEEK_SET), "cannot write a stream");
	} else {
		gim_buffer_number(&out, EOS, 8);
		put_footer(&out, RAM_ID);
		gim_buffer_number(&out, 2, 1);
		gim_buffer_number(&out, RAM_ID, 4);
		put_pages(&out, file, ram_bytes, encoding);
	}
	gim_buffer_number(&out, EOS, 8);
	put_footer(&out, RAM_ID);
	if (encoding != ENCODED_SNAPSHOT) {
		gim_buffer_number(&out, 3, 1);
		gim_buffer_number(&out, RAM_ID, 4);
		gim_buffer_number(&out, EOS, 8);
		put_footer(&out, RAM_ID);
	}
	put_devices(&out, &description);
	gim_buffer_number(&out, 0, 1);
	if (described) {
		gim_buffer_number(&out, 6, 1);
		gim_buffer_number(&out, description.size, 4);
		gim_buffer_bytes(&out, description.bytes, description.size);
	}
	flush(&out, file);
	const off_t size = ftello(file);
	must(!fclose(file), "cannot write a stream");
	gim_buffer_free(&out);
	gim_buffer_free(&description);
	return (uint64_t)size;
}

/* By the description: nothing of the RAM is read. */
static void measure_dump(const char *path, uint64_t ram_bytes, enum encoding encoding, bool in_image)
{
	char *words[] = {getenv("GIMSTATE"), (char *)(uintptr_t) "dump", (char *)(uintptr_t)path, NULL};
	const uint64_t size = make_stream(path, ram_bytes, encoding, true, in_image);
	const struct cost cost = cheapest(words, 20);
	printf("dump, %-10s %5.2f GB   %.2f ms (limit 10), %.1f MiB resident (limit 16)%s\n", encoding_names[encoding], (double)size / 1e9,
	       cost.wall_s * 1e3, (double)cost.resident_kib / 1024, in_image ? ", in a save image" : "");
	(void)unlink(path);
}

/* The same devices, by a script that goes through the stream page by page. It finds the register where dump does. */
static void measure_peer(const char *path, uint64_t ram_bytes)
{
	char command[512];
	char *dump[] = {getenv("GIMSTATE"), (char *)(uintptr_t) "dump", (char *)(uintptr_t) "--all", (char *)(uintptr_t)path, NULL};
	char *peer[] = {(char *)(uintptr_t) "python3", (char *)(uintptr_t) "tests/bench/stream_peer.py", (char *)(uintptr_t)path, NULL};
	const uint64_t size = make_stream(path, ram_bytes, ENCODED_RAW, true, false);
	(void)snprintf(command, sizeof(command),
	               "python3 tests/bench/stream_peer.py %s 2>/dev/null | grep -q '\"env.system_time_msr\": \"0*200001\"'", path);
	if (system(command)) {
		printf("dump --all beside a script: SKIP, python3 does not read the stream here\n");
	} else {
		const struct cost own = cheapest(dump, 10), theirs = cheapest(peer, 3);
		printf("dump --all, raw      %5.2f GB   %.0f x faster than a script that goes through it, %.2f ms, the script %.0f ms; "
		       "%.1f MiB resident, the "
		       "script %.1f MiB\n",
		       (double)size / 1e9, theirs.wall_s / own.wall_s, own.wall_s * 1e3, theirs.wall_s * 1e3,
		       (double)own.resident_kib / 1024, (double)theirs.resident_kib / 1024);
	}
	(void)unlink(path);
}

/* From the beginning to the end, with the file in the page cache. */
static void measure_walk(const char *path, uint64_t ram_bytes, enum encoding encoding)
{
	char *walk[] = {getenv("GIMSTATE"), (char *)(uintptr_t) "units", (char *)(uintptr_t)path, NULL};
	char *read[] = {(char *)(uintptr_t) "cat", (char *)(uintptr_t)path, NULL};
	const uint64_t size = make_stream(path, ram_bytes, encoding, false, false);
	const struct cost once = cheapest(read, 5), cost = cheapest(walk, 5);
	/* Of zeros there is next to nothing to walk through: what counts is the guest's memory. */
	const bool zeros = encoding == ENCODED_ZERO;
	printf("walk, %-10s %5.2f GB   %.1f GB%s/s (limit 4), %.2f x of reading it once, %.1f MiB resident\n", encoding_names[encoding],
	       (double)size / 1e9, (double)(zeros ? ram_bytes : size) / 1e9 / cost.wall_s, zeros ? " of the guest's memory" : "",
	       cost.wall_s / once.wall_s, (double)cost.resident_kib / 1024);
	(void)unlink(path);
}

int main(int count, char **words)
{
	const uint64_t mib = count > 1 ? strtoull(words[1], NULL, 10) : 2048;
	const char *path = bench_path("bench.mig");
	must(getenv("GIMSTATE"), "GIMSTATE names the command to measure");
	for (enum encoding encoding = ENCODED_RAW; encoding < ENCODINGS; encoding++)
		measure_dump(path, mib << 20, encoding, false);
	measure_dump(path, mib << 20, ENCODED_RAW, true);
	measure_peer(path, mib << 20);
	for (enum encoding encoding = ENCODED_RAW; encoding < ENCODINGS; encoding++)
		measure_walk(path, mib << 20, encoding);
	return 0;
}
