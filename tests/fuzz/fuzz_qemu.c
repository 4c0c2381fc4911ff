/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: any migration stream can be opened, listed and judged, whatever its description says; unchanged it is written as it is, what is set in it is read
 * again, and what is taken out is not there. Bytes that are no stream are a description. */
#include "qemu/stream.h"
#include "state.h"

#include "fuzz.h"

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes(user, bytes, size);
	return 0;
}

static void count(void *user, const struct gim_finding *finding)
{
	MUST(finding->rule && *finding->text);
	++*(unsigned *)user;
}

static int count_leaf(void *user, const char *path, const struct qemu_field *field, uint64_t offset)
{
	(void)offset;
	MUST(path && field->size);
	return ++*(unsigned *)user > 100000;
}

static void describe(const uint8_t *bytes, size_t size)
{
	struct gim_arena arena = {.limit_bytes = (size_t)16 << 20};
	struct qemu_description description;
	struct gim_error error = GIM_ERROR_INIT;
	unsigned leaves = 0;
	const int result = qemu_description_parse(&arena, (const char *)bytes, size, &description, &error);
	MUST(result == error.code && (!result || *error.text));
	for (uint32_t i = 0; !result && i < description.device_count; i++) {
		const struct qemu_vmsd *vmsd = &description.devices[i].vmsd;
		const uint64_t fields = qemu_fields_bytes(vmsd), whole = qemu_vmsd_bytes(vmsd);
		MUST(whole == GIM_UNKNOWN || (fields <= whole && whole <= QEMU_SECTION_LIMIT));
		(void)qemu_visit_leaves(vmsd, false, 0, count_leaf, &leaves);
	}
	gim_arena_free(&arena);
}

static struct gim_state *open_bytes(const uint8_t *bytes, size_t size)
{
	struct gim_state *state = NULL;
	(void)gim_state_open_memory(bytes, size, &state, NULL);
	return state;
}

/* The stream with a field set, for a release or as it is. false: it is refused. */
static bool write_with(const uint8_t *bytes, size_t size, const char *path, const char *value, const char *release, struct gim_buffer *out)
{
	const struct gim_write_options options = {.release = release};
	struct gim_state *state = open_bytes(bytes, size);
	*out = (struct gim_buffer){.bytes = NULL};
	const bool written = state && !gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL) &&
	                     (!path || !gim_state_set(state, path, value, NULL)) && !gim_state_write(state, &options, collect, out, NULL);
	gim_state_free(&state);
	return written;
}

/* What is read again of what was written; false: it cannot be told. */
static bool read_again(const struct gim_buffer *out, const char *path, struct gim_value *value)
{
	struct gim_state *again = open_bytes(out->bytes, out->size);
	MUST(again);
	const bool read = !gim_state_decode(again, GIM_PART_GIM, NULL, NULL, NULL);
	*value = gim_state_value(again, path);
	gim_state_free(&again);
	return read;
}

static void change(const uint8_t *bytes, size_t size)
{
	static const struct {
		const char *path, *value;
		uint64_t number;
	} changes[] = {{"hyperv.vp[0].vp_assist", "0x7001", 0x7001},
	               {"hyperv.vp[0].vp_assist", "0", 0},
	               {"kvm.clock_ns", "7", 7},
	               {"kvm.clock_ns", "absent", 0}};
	struct gim_buffer out;
	struct gim_value value;
	if (write_with(bytes, size, NULL, NULL, NULL, &out))
		MUST(out.size == size && !memcmp(out.bytes, bytes, size));
	gim_buffer_free(&out);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		if (write_with(bytes, size, changes[i].path, changes[i].value, NULL, &out) && read_again(&out, changes[i].path, &value))
			MUST(value.presence == GIM_ABSENT ? !changes[i].number : value.number == changes[i].number);
		gim_buffer_free(&out);
	}
	if (write_with(bytes, size, NULL, NULL, "qemu:7.2", &out))
		(void)read_again(&out, "kvm.clock_ns", &value);
	gim_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = fuzz_copy(bytes, size);
	unsigned findings = 0;
	if (size < 4 || memcmp(bytes, "QEVM", 4) != 0) {
		describe(copy, size);
	} else {
		(void)gim_verify_memory(copy, size, NULL, count, &findings, NULL);
		change(copy, size);
	}
	free(copy);
	return 0;
}
