/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What QEMU's streams of the corpus are wrapped in: libvirt's save images, a snapshot in a qcow2 image and an archive, down to the stream's first and last byte. */
#include "corpus.h"

#include "layer.h"
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { HEADER_BYTES = 92, DATA_BYTES = 66808 };

/* The input of a file, unwrapped as far as it goes. */
static void unwrap(const char *name, struct gim_input *input)
{
	char path[PATH_MAX];
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t head[GIM_HEAD_BYTES];
	size_t size;
	const struct gim_layer_kind *kind;
	(void)snprintf(path, sizeof(path), "%s/qemu/streams/%s", corpus_folder(), name);
	if (gim_input_open(input, path, &error))
		fail_msg("%s: %s", path, error.text);
	do {
		assert_int_equal(gim_input_peek(input, head, sizeof(head), &size, &error), 0);
		kind = gim_layer_find(head, size, false);
		if (kind && gim_layer_open(input, kind, NULL, &error))
			fail_msg("%s: %s", path, error.text);
	} while (kind);
	assert_memory_equal(head, "QEVM\0\0\0\3", 8);
}

/* All of it, read forward; the caller's. */
static struct gim_buffer read_all(struct gim_input *input)
{
	enum { PIECE = 50000 };
	struct gim_buffer all = {.bytes = NULL};
	static uint8_t piece[PIECE];
	size_t got = PIECE;
	while (got == PIECE) {
		struct gim_error error = GIM_ERROR_INIT;
		if (gim_input_read(input, all.size, piece, PIECE, &got, &error))
			fail_msg("%s", error.text);
		gim_buffer_bytes(&all, piece, got);
	}
	return all;
}

static struct gim_buffer read_file(const char *name)
{
	char path[PATH_MAX];
	struct gim_input input;
	(void)snprintf(path, sizeof(path), "%s/qemu/streams/%s", corpus_folder(), name);
	assert_int_equal(gim_input_open(&input, path, NULL), 0);
	struct gim_buffer all = read_all(&input);
	gim_input_close(&input);
	return all;
}

/* It ends with the description's last byte, which a length of four bytes behind a byte 6 leads to. */
static void expect_end(const struct gim_buffer *stream)
{
	assert_int_equal(stream->bytes[stream->size - 1], '}');
	for (size_t at = stream->size - 6; at; at--) {
		const uint8_t *byte = &stream->bytes[at];
		const size_t length = (size_t)byte[1] << 24 | (size_t)byte[2] << 16 | (size_t)byte[3] << 8 | byte[4];
		if (byte[0] == 6 && byte[5] == '{' && at + 5 + length == stream->size)
			return;
	}
	fail_msg("no description reaches the end of the stream");
}

static void test_libvirt(void **user)
{
	static const char *const names[] = {"lv128-raw.save", "lv128-gzip.save", "lv128-xz.save", "lv128-zstd.save"};
	(void)user;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct gim_input input;
		unwrap(names[i], &input);
		struct gim_buffer stream = read_all(&input);
		expect_end(&stream);
		assert_int_equal(input.seekable, !i);
		if (!i) {
			struct gim_buffer file = read_file(names[i]);
			assert_int_equal(input.base, HEADER_BYTES + DATA_BYTES);
			assert_int_equal(stream.size + HEADER_BYTES + DATA_BYTES, file.size);
			assert_memory_equal(stream.bytes, file.bytes + HEADER_BYTES + DATA_BYTES, stream.size);
			gim_buffer_free(&file);
		}
		gim_buffer_free(&stream);
		gim_input_close(&input);
	}
}

/* Each cluster of the state stands somewhere in the image, and what was read in pieces is the same. */
static void test_snapshot(void **user)
{
	enum { STATE_BYTES = 750492, CLUSTER = 65536 };
	struct gim_input input;
	(void)user;
	unwrap("q72-kvm-tiny-savevm.qcow2", &input);
	assert_true(input.seekable);
	assert_int_equal(input.size, STATE_BYTES);
	struct gim_buffer stream = read_all(&input), file = read_file("q72-kvm-tiny-savevm.qcow2");
	assert_int_equal(stream.size, STATE_BYTES);
	expect_end(&stream);
	for (size_t at = 0; at < stream.size; at += CLUSTER) {
		const size_t size = stream.size - at < CLUSTER ? stream.size - at : CLUSTER;
		size_t place = CLUSTER;
		while (place + size <= file.size && memcmp(file.bytes + place, stream.bytes + at, size) != 0)
			place += CLUSTER;
		assert_true(place + size <= file.size);
	}
	gim_buffer_free(&stream);
	gim_buffer_free(&file);
	gim_input_close(&input);
}

/* The file in the archive has holes. */
static void test_archive(void **user)
{
	struct gim_input input;
	(void)user;
	unwrap("q111-kvm-tiny-mappedram.mig.tar.xz", &input);
	assert_int_equal(gim_input_settle(&input, NULL), 0);
	struct gim_buffer stream = read_all(&input);
	expect_end(&stream);
	assert_int_equal(input.base, 0);
	gim_buffer_free(&stream);
	gim_input_close(&input);
}

/* libvirt's image of a stream, with another description. */
static struct gim_buffer wrap(const struct gim_buffer *stream, const char *xml)
{
	struct gim_buffer image = {.bytes = NULL};
	gim_buffer_bytes(&image, "LibvirtQemudSave", 16);
	gim_buffer_number(&image, 2, 4);
	gim_buffer_number(&image, strlen(xml) + 1, 4);
	while (image.size < HEADER_BYTES)
		gim_buffer_number(&image, 0, 4);
	gim_buffer_bytes(&image, xml, strlen(xml) + 1);
	gim_buffer_bytes(&image, stream->bytes, stream->size);
	return image;
}

static uint64_t number(const uint8_t *bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* Places in a stream of mapped RAM count from the file's beginning: in an image they are further behind. Returns how many blocks there are. */
static unsigned move_pages(struct gim_buffer *stream, uint64_t distance)
{
	enum { VERSION = 4, NUMBER = 8 };
	static const uint8_t head[VERSION + NUMBER] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x10, 0};
	unsigned count = 0;
	stream->big = true;
	for (const uint8_t *at = stream->bytes; (at = memmem(at, stream->size - (size_t)(at - stream->bytes), head, sizeof(head))); at++) {
		const size_t place = (size_t)(at - stream->bytes) + sizeof(head);
		const uint64_t bitmap = number(at + sizeof(head)), pages = number(at + sizeof(head) + NUMBER);
		if (bitmap != place + 2 * NUMBER)
			continue;
		gim_buffer_patch(stream, place, bitmap + distance, NUMBER);
		gim_buffer_patch(stream, place + NUMBER, pages + distance, NUMBER);
		count++;
	}
	return count;
}

static void count_errors(void *user, const struct gim_finding *finding)
{
	*(unsigned *)user += finding->severity == GIM_ERROR;
}

/* libvirt's sparse format: mapped RAM in place. */
static void test_sparse(void **user)
{
	static const char xml[] = "<domain type='kvm'/>";
	struct gim_input input;
	unsigned errors = 0;
	(void)user;
	unwrap("q111-kvm-tiny-mappedram.mig.tar.xz", &input);
	struct gim_buffer stream = read_all(&input);
	gim_input_close(&input);
	struct gim_buffer unmoved = wrap(&stream, xml);
	assert_true(move_pages(&stream, HEADER_BYTES + sizeof(xml)) > 1);
	struct gim_buffer image = wrap(&stream, xml);
	assert_int_equal(gim_verify_memory(image.bytes, image.size, NULL, count_errors, &errors, NULL), 0);
	assert_int_equal(errors, 0);
	assert_int_equal(gim_verify_memory(unmoved.bytes, unmoved.size, NULL, count_errors, &errors, NULL), 1);
	assert_true(errors > 0);
	gim_buffer_free(&unmoved);
	gim_buffer_free(&stream);
	gim_buffer_free(&image);
}

static void note(void *user, const struct gim_finding *finding)
{
	char *text = user;
	if (!strcmp(finding->rule->id, "GIM-QEMU-CONFIGURED"))
		(void)snprintf(text + strlen(text), 1024 - strlen(text), "%s: %s|", finding->path, finding->text);
}

#define DOMAIN(inside) "<domain type='kvm'>" inside "</domain>"

/* What is configured is shown, and where the stream is another VM's, that is told. */
static void test_configured(void **user)
{
	static const struct {
		const char *xml, *configured, *found; /* found: words of each finding, in their order */
	} rows[] = {
	    {DOMAIN("<vcpu>3</vcpu>"), "", ""},
	    {DOMAIN("<vcpu current='3'>5</vcpu><os><type machine='pc-i440fx-11.1'/></os><cpu mode='host-passthrough'/>"
	            "<features><hyperv><relaxed state='on'/><spinlocks retries='4095'/></hyperv></features>"
	            "<clock><timer name='tsc' frequency='2599998000'/></clock>"),
	     "hv-relaxed hv-spinlocks=4095 tsc-frequency=2599998000", ""},
	    {DOMAIN("<vcpu>4</vcpu><os><type machine='pc-q35-11.1'/></os>"), "",
	     "guest.vcpus: the stream has 3|says 4|qemu.machine: |pc-q35-11.1"},
	    {DOMAIN("<clock><timer name='tsc' frequency='2000000000'/></clock>"), "tsc-frequency=2000000000",
	     "guest.tsc_hz: |Mismatch between"},
	    {DOMAIN("<clock><timer name='kvmclock' present='no'/></clock>"), "kvmclock=off", "made use of kvmclock,"},
	    {DOMAIN("<features><kvm><hidden state='on'/></kvm></features>"), "kvm=off",
	     "made use of kvmclock,|made use of kvm-asyncpf,|made use of kvm-asyncpf-int,|made use of kvm-pv-eoi,|made use of "
	     "kvm-steal-time,|made use of "
	     "kvm-poll-control,"},
	    {DOMAIN("<features><hyperv mode='passthrough'/></features>"), "hv-passthrough", ""},
	    {"<domain", NULL, "libvirt.xml: libvirt's description cannot be read"},
	};
	struct gim_input input;
	(void)user;
	unwrap("lv128-raw.save", &input);
	struct gim_buffer stream = read_all(&input);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gim_buffer image = wrap(&stream, rows[i].xml);
		struct gim_state *state = NULL;
		char found[1024] = "", words[512];
		assert_int_equal(gim_state_open_memory(image.bytes, image.size, &state, NULL), 0);
		assert_int_equal(gim_state_decode(state, GIM_PART_INFO, note, found, NULL), 0);
		const struct gim_value configured = gim_state_value(state, "qemu.configured");
		assert_int_equal(configured.presence, rows[i].configured ? GIM_STORED : GIM_ABSENT);
		if (rows[i].configured)
			assert_string_equal(rows[i].configured,
			                    configured.length_bytes ? strndupa(configured.bytes, configured.length_bytes) : "");
		(void)snprintf(words, sizeof(words), "%s", rows[i].found);
		const char *at = found;
		for (char *rest = words, *word; (word = strsep(&rest, "|")) && *word; at += strlen(word)) {
			at = strstr(at, word);
			if (!at)
				fail_msg("%s: %s lacks %s", rows[i].xml, found, word);
		}
		assert_int_equal(!*rows[i].found, !*found);
		gim_state_free(&state);
		gim_buffer_free(&image);
	}
	gim_buffer_free(&stream);
	gim_input_close(&input);
}

/* A save image says itself which VM it is of, and fits that. */
static void test_target(void **user)
{
	static const char *const names[] = {"lv128-raw.save", "lv128-zstd.save", "q72-kvm-tiny-savevm.qcow2"};
	(void)user;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[PATH_MAX + 8];
		struct gim_target *target = NULL;
		struct gim_check *check = NULL;
		struct gim_error error = GIM_ERROR_INIT;
		(void)snprintf(text, sizeof(text), "libvirt:%s/qemu/streams/%s", corpus_folder(), names[i]);
		const int result = gim_target_open(text, NULL, &target, &error);
		assert_int_equal(result, strstr(names[i], ".save") ? 0 : GIM_E_NO_UNIT);
		if (result)
			continue;
		assert_string_equal(gim_target_name(target), text);
		assert_false(gim_target_is_for_state(target));
		assert_int_equal(gim_check_open(text + 8, NULL, &check, &error), 0);
		assert_int_equal(gim_check_target(check, target, NULL, NULL, &error), 0);
		gim_check_free(&check);
		gim_target_free(&target);
	}
}

int main(void)
{
	corpus_require();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_libvirt),    cmocka_unit_test(test_snapshot), cmocka_unit_test(test_archive),
	    cmocka_unit_test(test_configured), cmocka_unit_test(test_sparse),   cmocka_unit_test(test_target),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
