/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every migration stream of the corpus: sections exact to the last byte, whichever way they are found; the device tree as an independent reading of the
 * description gives it; and the values that the guests had programmed. */
#include "corpus.h"

#include "gimstate.h"
#include "qemu/record.h"
#include "qemu/stream.h"
#include "state.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const whole[] = {
    "q111-kvm-tiny-3cpu-32m.mig",
    "q111-kvm-tiny-3cpu-32m.stripped.mig",
    "q111-kvm-tiny-bgsnap.mig",
    "q111-kvm-tiny-uuid-ignoreshared.stripped.mig",
    "q111-tcg-resaved-hv_basic.stripped.mig",
    "q111-tcg-resaved-hv_full.stripped.mig",
    "q72-kvm-tiny-3cpu-32m.mig",
    "q72-kvm-tiny-3cpu-32m.stripped.mig",
    "q72-kvm-tiny-compress.mig",
    "q72-kvm-tiny-i440fx-2.3.stripped.mig",
    "q72-kvm-tiny-kvmoff.stripped.mig",
    "q72-kvm-tiny-novmdesc.stripped.mig",
    "q72-kvm-tiny-postcopycap.stripped.mig",
    "q72-kvm-tiny-q35-paused.stripped.mig",
    "q72-tcg-linux-2cpu-96m.stripped.mig",
    "q72-tcg-rich-q35.stripped.mig",
    "q111-kvm-tiny-mappedram.mig.tar.xz//q111-kvm-tiny-mappedram.mig",
    "lv128-raw.save",
    "lv128-gzip.save",
    "lv128-xz.save",
    "lv128-zstd.save",
};
#define WHOLE (sizeof(whole) / sizeof(whole[0]))

static void path_of(const char *name, char *path)
{
	(void)snprintf(path, PATH_MAX, "%s/qemu/streams/%s", corpus_folder(), name);
}

static struct gim_state *open_whole(const char *name, unsigned parts)
{
	char path[PATH_MAX];
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	path_of(name, path);
	if (gim_state_open(path, &state, &error) || gim_state_decode(state, parts, NULL, NULL, &error))
		fail_msg("%s: %s", name, error.text);
	return state;
}

static uint64_t number(const struct gim_state *state, const char *format, ...) __attribute__((format(printf, 2, 3)));

static uint64_t number(const struct gim_state *state, const char *format, ...)
{
	char path[128];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	const struct gim_value value = gim_state_value(state, path);
	if (!value.field || value.presence == GIM_ABSENT)
		fail_msg("%s is absent", path);
	return value.number;
}

static bool has_text(const struct gim_state *state, const char *path, const char *text)
{
	const struct gim_value value = gim_state_value(state, path);
	return value.presence == GIM_STORED && value.length_bytes == strlen(text) && !memcmp(value.bytes, text, value.length_bytes);
}

/*
 * Sections.
 */
static struct gim_buffer load(const char *name)
{
	char path[PATH_MAX];
	struct gim_buffer file = {.bytes = NULL};
	uint8_t piece[65536];
	path_of(name, path);
	FILE *stream = fopen(path, "rb");
	assert_non_null(stream);
	for (size_t got; (got = fread(piece, 1, sizeof(piece), stream));)
		gim_buffer_bytes(&file, piece, got);
	(void)fclose(stream);
	return file;
}

static struct gim_unit *list(struct gim_state *state, const char *name, size_t *count)
{
	struct gim_unit *units = NULL, unit = {.offset = 0};
	struct gim_error error = GIM_ERROR_INIT;
	int result;
	*count = 0;
	while ((result = gim_unit_next(state, &unit, &error)) > 0) {
		units = realloc(units, (*count + 1) * sizeof(*units));
		assert_non_null(units);
		units[(*count)++] = unit;
	}
	if (result)
		fail_msg("%s: %s", name, error.text);
	return units;
}

static void same_units(const char *name, const struct gim_unit *one, size_t one_count, const struct gim_unit *other, size_t other_count)
{
	assert_int_equal(one_count, other_count);
	for (size_t i = 0; i < one_count; i++) {
		struct gim_unit a = one[i], b = other[i];
		a.decodable = b.decodable = false; /* without a description less is */
		if (strcmp(a.name, b.name) != 0 || a.offset != b.offset || a.payload_bytes != b.payload_bytes ||
		    a.stored_bytes != b.stored_bytes || a.pass != b.pass || a.version != b.version || a.instance != b.instance)
			fail_msg("%s: unit %zu is %s/%u of %llu bytes at 0x%llx, and %s/%u of %llu at 0x%llx", name, i, a.name, a.instance,
			         (unsigned long long)a.payload_bytes, (unsigned long long)a.offset, b.name, b.instance,
			         (unsigned long long)b.payload_bytes, (unsigned long long)b.offset);
	}
}

/* Between sections nothing stands but commands, and behind the last one only the end mark and the description. */
static void nothing_between(const char *name, const struct qemu_stream *stream, const struct gim_unit *units, size_t count,
                            const struct gim_buffer *file)
{
	uint64_t at = stream->first;
	for (size_t i = 0; i <= count; i++) {
		const uint64_t next = i < count ? units[i].offset : stream->described ? stream->described_at - 1 : file->size - 1;
		while (at < next && file->bytes[at] == QEMU_COMMAND_MARK)
			at += 5 + qemu_number(file->bytes + at + 3, 2);
		if (at != next)
			fail_msg("%s: section %zu ends at 0x%llx, and the next one begins at 0x%llx", name, i, (unsigned long long)at,
			         (unsigned long long)next);
		at += i < count ? units[i].stored_bytes : 0;
	}
	assert_int_equal(file->bytes[at], QEMU_EOF);
	assert_true(!stream->described || stream->end == file->size);
}

/* The same sections are found by the description, without it, and through a pipe. */
static void check_sections(const char *name)
{
	struct gim_buffer file = load(name);
	size_t count, other_count;
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(gim_state_open_memory(file.bytes, file.size, &state, &error), 0);
	const struct qemu_stream *stream = state->container;
	struct gim_unit *units = list(state, name, &count);
	assert_true(stream->fits == stream->described);
	assert_int_equal(stream->failure.code, 0);
	nothing_between(name, stream, units, count, &file);
	const size_t end = stream->described ? (size_t)stream->described_at : file.size;
	gim_state_free(&state);

	assert_int_equal(gim_state_open_memory(file.bytes, end, &state, &error), 0);
	struct gim_unit *others = list(state, name, &other_count);
	same_units(name, units, count, others, other_count);
	free(others);
	gim_state_free(&state);

	char path[PATH_MAX], command[PATH_MAX + 8];
	path_of(name, path);
	(void)snprintf(command, sizeof(command), "cat '%s'", path);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_int_equal(gim_state_open_fd(fileno(pipe), &state, &error), 0);
	(void)pclose(pipe);
	others = list(state, name, &other_count);
	same_units(name, units, count, others, other_count);
	free(others);
	gim_state_free(&state);
	free(units);
	gim_buffer_free(&file);
}

static bool is_plain(const char *name)
{
	return strlen(name) > 4 && !strcmp(name + strlen(name) - 4, ".mig") && !strstr(name, "//");
}

static void test_sections(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < WHOLE; i++)
		if (is_plain(whole[i]))
			check_sections(whole[i]);
}

/*
 * The device tree.
 */
static void put_text(FILE *out, const struct gim_text *text)
{
	(void)fprintf(out, "%.*s", (int)text->length, text->bytes);
}

static void put_field(FILE *out, const struct qemu_field_entry *field, const uint8_t *presence)
{
	(void)fputs("  ", out);
	put_text(out, &field->path);
	(void)fputc(' ', out);
	put_text(out, &field->type);
	if (presence[offsetof(struct qemu_field_entry, value)]) {
		(void)fprintf(out, " 0x%llx\n", (unsigned long long)field->value);
		return;
	}
	(void)fputs(" -", out);
	for (uint32_t i = 0; i < field->bytes.length; i++)
		(void)fprintf(out, "%02x", (uint8_t)field->bytes.bytes[i]);
	(void)fputc('\n', out);
}

static char *tree_of(const struct gim_state *state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const struct qemu_info *info = (const struct qemu_info *)(const void *)gim_state_find(state, &qemu_info_record)->data;
	assert_non_null(out);
	for (uint32_t d = 0; d < info->device.count; d++) {
		const struct qemu_device_entry *device = (const struct qemu_device_entry *)info->device.items + d;
		(void)fputs("device ", out);
		put_text(out, &device->name);
		(void)fprintf(out, " %u %u %u %llu\n", device->instance, device->order, device->version,
		              (unsigned long long)device->size_bytes);
		for (uint32_t f = 0; f < device->field.count; f++)
			put_field(out, (const struct qemu_field_entry *)device->field.items + f,
			          device->field.presence + f * sizeof(struct qemu_field_entry));
	}
	(void)fclose(out);
	return text;
}

static char *read_all(const char *command)
{
	FILE *pipe = popen(command, "r");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	assert_non_null(pipe);
	assert_non_null(out);
	for (int c; (c = fgetc(pipe)) != EOF;)
		(void)fputc(c, out);
	(void)fclose(out);
	assert_int_equal(pclose(pipe), 0);
	return text;
}

static void test_tree(void **unused)
{
	(void)unused;
	if (system("python3 -c '' 2>/dev/null") != 0) {
		print_message("SKIP the tree: python3 is not here\n");
		skip();
	}
	for (size_t i = 0; i < WHOLE; i++) {
		char path[PATH_MAX], command[PATH_MAX + 64];
		struct gim_state *state = open_whole(whole[i], GIM_PART_GIM | GIM_PART_GUEST);
		path_of(whole[i], path);
		(void)snprintf(command, sizeof(command), "python3 tests/corpus/qemu_tree.py '%s'", path);
		if (is_plain(whole[i]) && ((const struct qemu_stream *)state->container)->described) {
			char *ours = tree_of(state), *independent = read_all(command);
			size_t same = 0;
			while (ours[same] && ours[same] == independent[same])
				same++;
			if (ours[same] != independent[same])
				fail_msg("%s: \"%.120s\", expected is \"%.120s\"", whole[i], ours + same, independent + same);
			free(ours);
			free(independent);
		}
		gim_state_free(&state);
	}
}

/*
 * Values.
 */
static bool is_tiny_kvm(const char *name)
{
	return strstr(name, "-kvm-tiny-") || strstr(name, "lv128-");
}

/* What the tiny guest programmed; which vCPU is which is told by the system time. */
static void check_tiny(const char *name, const struct gim_state *state)
{
	const uint64_t vcpus = number(state, "guest.vcpus");
	assert_true(vcpus >= 2 && vcpus <= 3);
	assert_int_equal(number(state, "kvm.wall_clock"), 0x201000);
	if (!strstr(name, "2.3"))
		assert_int_equal(number(state, "guest.tsc_hz"), 2599998000);
	uint64_t seen = 0;
	for (unsigned i = 0; i < vcpus; i++) {
		const uint64_t ticket = (number(state, "kvm.vcpu[%u].system_time", i) - 0x200001) / 0x40;
		assert_int_equal(number(state, "kvm.vcpu[%u].system_time", i), 0x200001 + ticket * 0x40);
		assert_int_equal(number(state, "kvm.vcpu[%u].steal_time", i), 0x202001 + ticket * 0x40);
		assert_int_equal(number(state, "kvm.vcpu[%u].pv_eoi", i), 0x203001 + ticket * 4);
		assert_int_equal(number(state, "kvm.vcpu[%u].async_pf", i), 0x204009 + ticket * 0x40);
		assert_int_equal(number(state, "kvm.vcpu[%u].async_pf_int", i), 0xec);
		assert_int_equal(number(state, "kvm.vcpu[%u].poll_control", i), 0);
		assert_true(ticket < vcpus);
		seen |= UINT64_C(1) << ticket;
	}
	assert_int_equal(seen, (UINT64_C(1) << vcpus) - 1);
}

static void test_values(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < WHOLE; i++) {
		struct gim_state *state = open_whole(whole[i], GIM_PART_GIM | GIM_PART_INFO);
		const bool kvm = is_tiny_kvm(whole[i]);
		assert_true(has_text(state, "qemu.accelerator", kvm ? "kvm" : "tcg"));
		if (kvm && !strstr(whole[i], "kvmoff"))
			check_tiny(whole[i], state);
		if (kvm)
			assert_true(number(state, "kvm.clock_ns") > 1000000000);
		if (strstr(whole[i], "72-kvm-tiny-3cpu"))
			assert_int_equal(number(state, "kvm.clock_ns"), 20392257519);
		if (strstr(whole[i], "111-kvm-tiny-3cpu"))
			assert_int_equal(number(state, "kvm.clock_ns"), 14042365581);
		if (strstr(whole[i], "paused") || strstr(whole[i], "lv128"))
			assert_true(has_text(state, "qemu.run_state", "paused"));
		assert_int_equal(number(state, "guest.ram_bytes") >> 20, strstr(whole[i], "96m") ? 96 : strstr(whole[i], "rich") ? 64 : 32);
		gim_state_free(&state);
	}
}

/* The registers of three vCPUs that wait in flat protected mode, the first of which was started by a boot loader. */
static void test_registers(void **unused)
{
	unsigned streams = 0;
	(void)unused;
	for (size_t i = 0; i < WHOLE; i++) {
		if (!strstr(whole[i], "-kvm-tiny-3cpu"))
			continue;
		struct gim_state *state = open_whole(whole[i], GIM_PART_GUEST);
		for (unsigned vcpu = 0; vcpu < 3; vcpu++) {
			assert_int_equal(number(state, "guest.vcpu[%u].cr0", vcpu), 0x11);
			assert_int_equal(number(state, "guest.vcpu[%u].cs.selector", vcpu), 8);
			assert_int_equal(number(state, "guest.vcpu[%u].cs.limit", vcpu), UINT32_MAX);
			assert_int_equal(number(state, "guest.vcpu[%u].cs.descriptor", vcpu), 0xc09b00);
			assert_int_equal(number(state, "guest.vcpu[%u].ss.descriptor", vcpu), 0xc09300);
			assert_int_equal(number(state, "guest.vcpu[%u].gdtr.limit", vcpu), vcpu ? 0x17 : 0x27);
			assert_int_equal(number(state, "guest.vcpu[%u].fpu.fcw", vcpu), 0x37f);
			assert_int_equal(number(state, "guest.vcpu[%u].fpu.mxcsr", vcpu), 0x1f80);
			assert_int_equal(number(state, "guest.vcpu[%u].apic.id", vcpu), vcpu);
			assert_int_equal(number(state, "guest.vcpu[%u].apic.base", vcpu), vcpu ? 0xfee00800 : 0xfee00900);
			assert_int_equal(number(state, "guest.vcpu[%u].apic.svr", vcpu), vcpu ? 0xff : 0x1ff);
			assert_int_equal(number(state, "guest.vcpu[%u].apic.destination_model", vcpu), 0xf);
			assert_int_equal(number(state, "guest.vcpu[%u].injected.interrupt", vcpu), UINT32_MAX);
			assert_int_equal(number(state, "guest.vcpu[%u].run.mp_state", vcpu), 0);
		}
		streams++;
		gim_state_free(&state);
	}
	assert_true(streams >= 2);
}

/* Which fields a subsection's numbers are, in their order. */
static const struct {
	const char *subsection;
	const char *paths[20]; /* %u: the vCPU; without it the field is the VM's, and vCPU 0's is taken */
} hyperv_paths[] = {
    {"cpu/msr_hyperv_hypercall", {"hyperv.guest_os_id", "hyperv.hypercall"}},
    {"cpu/msr_hyperv_vapic", {"hyperv.vp[%u].vp_assist"}},
    {"cpu/msr_hyperv_time", {"hyperv.reference_tsc"}},
    {"cpu/msr_hyperv_crash", {"hyperv.crash.p0", "hyperv.crash.p1", "hyperv.crash.p2", "hyperv.crash.p3", "hyperv.crash.p4"}},
    {"cpu/msr_hyperv_runtime", {"hyperv.vp[%u].runtime"}},
    {"cpu/msr_hyperv_synic",
     {"hyperv.vp[%u].scontrol", "hyperv.vp[%u].siefp", "hyperv.vp[%u].simp", "hyperv.vp[%u].sint[0]", "hyperv.vp[%u].sint[1]",
      "hyperv.vp[%u].sint[2]", "hyperv.vp[%u].sint[3]", "hyperv.vp[%u].sint[4]", "hyperv.vp[%u].sint[5]", "hyperv.vp[%u].sint[6]",
      "hyperv.vp[%u].sint[7]", "hyperv.vp[%u].sint[8]", "hyperv.vp[%u].sint[9]", "hyperv.vp[%u].sint[10]", "hyperv.vp[%u].sint[11]",
      "hyperv.vp[%u].sint[12]", "hyperv.vp[%u].sint[13]", "hyperv.vp[%u].sint[14]", "hyperv.vp[%u].sint[15]"}},
    {"cpu/msr_hyperv_stimer",
     {"hyperv.vp[%u].stimer[0].config", "hyperv.vp[%u].stimer[1].config", "hyperv.vp[%u].stimer[2].config",
      "hyperv.vp[%u].stimer[3].config", "hyperv.vp[%u].stimer[0].count", "hyperv.vp[%u].stimer[1].count", "hyperv.vp[%u].stimer[2].count",
      "hyperv.vp[%u].stimer[3].count"}},
    {"cpu/msr_hyperv_reenlightenment",
     {"hyperv.reenlightenment.control", "hyperv.reenlightenment.emulation_control", "hyperv.reenlightenment.emulation_status"}},
};

static uint64_t json_u64(const json_t *value)
{
	return json_is_string(value) ? strtoull(json_string_value(value), NULL, 16) : (uint64_t)json_number_value(value);
}

static unsigned check_subsection(const struct gim_state *state, unsigned vcpu, const char *name, const json_t *values)
{
	size_t row = 0;
	while (strcmp(hyperv_paths[row].subsection, name) != 0)
		assert_true(++row < sizeof(hyperv_paths) / sizeof(hyperv_paths[0]));
	unsigned checked = 0;
	for (size_t i = 0; i < json_array_size(values); i++) {
		char path[128];
		const char *format = hyperv_paths[row].paths[i], *place = strstr(format, "%u");
		assert_non_null(format);
		if (!place && vcpu)
			continue;
		if (place)
			(void)snprintf(path, sizeof(path), "%.*s%u%s", (int)(place - format), format, vcpu, place + 2);
		else
			(void)snprintf(path, sizeof(path), "%s", format);
		assert_int_equal(number(state, "%s", path), json_u64(json_array_get(json_array_get(values, i), 1)));
		checked++;
	}
	return checked;
}

static void check_hyperv(const char *stream, const char *values, unsigned expected)
{
	char path[PATH_MAX];
	const char *vcpu;
	json_t *subsections;
	unsigned checked = 0;
	path_of(values, path);
	json_t *json = json_load_file(path, JSON_DECODE_INT_AS_REAL, NULL); /* some are above 2^63, and none has more than 53 bits */
	assert_non_null(json);
	struct gim_state *state = open_whole(stream, GIM_PART_GIM);
	json_object_foreach(json, vcpu, subsections) for (size_t i = 0; i < json_array_size(subsections); i++)
	{
		const json_t *one = json_array_get(subsections, i);
		checked += check_subsection(state, (unsigned)atoi(vcpu), json_string_value(json_array_get(one, 0)), json_array_get(one, 2));
	}
	assert_int_equal(checked, expected);
	gim_state_free(&state);
	json_decref(json);
}

static void test_hyperv(void **unused)
{
	(void)unused;
	check_hyperv("q111-tcg-resaved-hv_basic.stripped.mig", "values-hv_basic.json", 5);
	check_hyperv("q111-tcg-resaved-hv_full.stripped.mig", "values-hv_full.json", 69);
}

/*
 * Writing.
 */
static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes(user, bytes, size);
	return 0;
}

static struct gim_buffer written(struct gim_state *state, const char *name)
{
	struct gim_buffer out = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_write(state, NULL, collect, &out, &error))
		fail_msg("%s: %s: %s", name, error.path, error.text);
	return out;
}

static void same_bytes(const char *name, const struct gim_buffer *one, const struct gim_buffer *other)
{
	size_t at = 0;
	while (at < one->size && at < other->size && one->bytes[at] == other->bytes[at])
		at++;
	if (one->size != other->size || at < one->size)
		fail_msg("%s: %zu bytes became %zu, others from 0x%zx on", name, one->size, other->size, at);
}

static struct gim_state *open_bytes(const struct gim_buffer *bytes)
{
	struct gim_state *state = NULL;
	assert_int_equal(gim_state_open_memory(bytes->bytes, bytes->size, &state, NULL), 0);
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), 0);
	return state;
}

static void set(struct gim_state *state, const char *name, const char *path, uint64_t value)
{
	char text[32];
	struct gim_error error = GIM_ERROR_INIT;
	(void)snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	if (gim_state_set(state, path, text, &error))
		fail_msg("%s: %s: %s", name, path, error.text);
}

/* Subsections come where there were none, and go; the description goes with them, so that all is found by it; and putting it back gives the same bytes. */
static void check_writing(const char *name)
{
	static const struct {
		const char *path;
		uint64_t value;
	} changes[] = {{"hyperv.guest_os_id", 0x1040a00004f7c}, {"hyperv.vp[1].sint[2]", 0x35},     {"hyperv.vp[1].stimer[3].count", 77},
	               {"kvm.vcpu[0].steal_time", 0},           {"kvm.vcpu[1].steal_time", 0x5001}, {"hyperv.vp[0].vp_assist", 0x6001}};
	enum { CHANGES = sizeof(changes) / sizeof(changes[0]) };
	uint64_t before[CHANGES] = {0};
	struct gim_buffer file = load(name);
	size_t count;
	struct gim_state *state = open_bytes(&file);
	struct gim_buffer same = written(state, name);
	same_bytes(name, &file, &same);
	for (size_t i = 0; i < CHANGES; i++) {
		before[i] = gim_state_value(state, changes[i].path).number;
		set(state, name, changes[i].path, changes[i].value);
	}
	struct gim_buffer changed = written(state, name);
	gim_state_free(&state);

	state = open_bytes(&changed);
	const struct qemu_stream *stream = state->container;
	free(list(state, name, &count));
	assert_true(stream->fits == stream->described);
	for (size_t i = 0; i < CHANGES; i++)
		assert_int_equal(gim_state_value(state, changes[i].path).number, changes[i].value);
	assert_int_equal(gim_verify_memory(changed.bytes, changed.size, NULL, NULL, NULL, NULL), 0);
	for (size_t i = 0; i < CHANGES; i++)
		set(state, name, changes[i].path, before[i]);
	struct gim_buffer back = written(state, name);
	same_bytes(name, &file, &back);
	gim_state_free(&state);
	gim_buffer_free(&file);
	gim_buffer_free(&same);
	gim_buffer_free(&changed);
	gim_buffer_free(&back);
}

static void test_writing(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < WHOLE; i++)
		if (is_plain(whole[i]) && !strstr(whole[i], "-hv_"))
			check_writing(whole[i]);
}

/*
 * Verdicts.
 */
/* What is found in a damaged stream, the first finding first; and whether QEMU ends the load, which verdicts.txt says, too. */
static const struct {
	const char *name;
	const char *rules;
} damaged[] = {
    {"mut111_cpu_v13", "GIM-QEMU-SECTION-VERSION "},
    {"mut111_footer_mark", "GIM-QEMU-FOOTER "},
    {"mut111_hvtime", "GIM-QEMU-SECTION-SIZE GIM-QEMU-VCPUS-DIFFER GIM-QEMU-VCPUS-DIFFER "},
    {"mut111_kvmclock_v0", "GIM-QEMU-SECTION-VERSION "},
    {"mut111_magic", "GIM-QEMU-MAGIC "},
    {"mut111_novmdesc", "GIM-QEMU-NO-DESCRIPTION "},
    {"mut111_subsec_v2", "GIM-QEMU-SUB-VERSION GIM-QEMU-SECTION-SIZE "},
    {"mut111_trunc_half", "GIM-QEMU-END-OF-FILE "},
    {"mut111_v2", "GIM-QEMU-VERSION "},
    {"mut72_cpu_v10", "GIM-QEMU-SECTION-VERSION "},
    {"mut72_footer_id", "GIM-QEMU-FOOTER-ID "},
    {"mut72_hvsynic", "GIM-QEMU-SECTION-SIZE GIM-QEMU-SYNIC-BLOCKS "},
    {"mut72_kvmclock_nosub", "GIM-QEMU-SECTION-SIZE GIM-QEMU-CLOCK-FLAG "},
    {"mut72_kvmclock_v2", "GIM-QEMU-SECTION-VERSION "},
    {"mut72_no_kvmclock", "GIM-QEMU-DESCRIPTION GIM-QEMU-NO-KVMCLOCK "},
    {"mut72_reenl", "GIM-QEMU-SECTION-SIZE GIM-QEMU-REENLIGHT GIM-QEMU-VCPUS-DIFFER GIM-QEMU-VCPUS-DIFFER GIM-QEMU-VCPUS-DIFFER "
                    "GIM-QEMU-VCPUS-DIFFER "},
    {"mut72_trunc_dev", "GIM-QEMU-END-OF-FILE "},
    {"mut72_unk_subsec", "GIM-QEMU-SUBSECTION GIM-QEMU-SECTION-SIZE "},
    {"mut72_v4", "GIM-QEMU-VERSION "},
};

struct findings {
	char rules[1024];
	bool placed; /* each error says where */
};

static void take_finding(void *user, const struct gim_finding *finding)
{
	struct findings *findings = user;
	const size_t used = strlen(findings->rules);
	(void)snprintf(findings->rules + used, sizeof(findings->rules) - used, "%s ", finding->rule->id);
	findings->placed &= finding->severity != GIM_ERROR || finding->offset != GIM_UNKNOWN;
}

/* Did QEMU end the load? name: mutVERSION_WHAT */
static bool qemu_refused(const char *name)
{
	char path[PATH_MAX], wanted[64], line[4096];
	const char *what = strchr(name, '_') + 1;
	bool here = false, refused = false, found = false;
	(void)snprintf(path, sizeof(path), "%s/qemu/verdicts.txt", corpus_folder());
	(void)snprintf(wanted, sizeof(wanted), "### mutated %s [%.*s]", what, (int)(what - 1 - (name + 3)), name + 3);
	FILE *stream = fopen(path, "r");
	assert_non_null(stream);
	while (fgets(line, sizeof(line), stream)) {
		if (!strncmp(line, "###", 3))
			here = !strncmp(line, wanted, strlen(wanted));
		if (here && strstr(line, "  status:")) {
			refused = strstr(line, "\"dead\"");
			found = true;
		}
	}
	(void)fclose(stream);
	assert_true(found);
	return refused;
}

static void test_verdicts(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		char path[PATH_MAX];
		struct findings findings = {.placed = true};
		struct gim_error error = GIM_ERROR_INIT;
		(void)snprintf(path, sizeof(path), "%s/qemu/damaged/%s.mig.xz", corpus_folder(), damaged[i].name);
		const int result = gim_verify(path, NULL, take_finding, &findings, &error);
		if (strcmp(findings.rules, damaged[i].rules) != 0 || !findings.placed)
			fail_msg("%s: %s(%s), expected is %s", damaged[i].name, findings.rules, error.text, damaged[i].rules);
		/* Whether re-enlightenment is in the way depends on the command line. */
		if (!strstr(damaged[i].name, "reenl"))
			assert_int_equal(result, qemu_refused(damaged[i].name));
	}
	for (size_t i = 0; i < WHOLE; i++) {
		char path[PATH_MAX];
		struct findings findings = {.placed = true};
		path_of(whole[i], path);
		if (gim_verify(path, NULL, take_finding, &findings, NULL))
			fail_msg("%s: %s", whole[i], findings.rules);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sections),  cmocka_unit_test(test_tree),   cmocka_unit_test(test_values),
	    cmocka_unit_test(test_registers), cmocka_unit_test(test_hyperv), cmocka_unit_test(test_writing),
	    cmocka_unit_test(test_verdicts),
	};
	corpus_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
