/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mutations of saved states that keep what frames them: a unit's payload, or which units there are, changes, and sizes, places and checksums are made anew. */
#include "gimstate.h"

#include "cursor.h"
#include "fuzz.h"
#include "vbox/ssm_write.h"

enum { UNITS_MAX = 24, PAYLOAD_MAX = 64 << 10 };

struct part {
	struct gim_unit unit;
	struct gim_buffer payload;
};

struct parts {
	struct part items[UNITS_MAX];
	size_t count;
};

static uint32_t pick(unsigned *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)*seed * below >> 32);
}

static int collect(void *user, const void *bytes, size_t size)
{
	struct gim_buffer *out = user;
	if (size > PAYLOAD_MAX * 8 - out->size)
		return 1;
	gim_buffer_bytes(out, bytes, size);
	return out->failed;
}

static bool take_apart(const uint8_t *bytes, size_t size, struct parts *parts)
{
	struct gim_state *state = NULL, *reader = NULL;
	struct gim_unit unit = {.name = ""};
	bool whole = !gim_state_open_memory(bytes, size, &state, NULL) && !gim_state_open_memory(bytes, size, &reader, NULL);
	while (whole && parts->count < UNITS_MAX && gim_unit_next(state, &unit, NULL) > 0) {
		struct part *part = &parts->items[parts->count];
		part->unit = unit;
		part->payload = (struct gim_buffer){.bytes = NULL};
		whole = !gim_unit_read(reader, &unit, collect, &part->payload, NULL) && part->payload.size <= PAYLOAD_MAX;
		parts->count++;
	}
	gim_state_free(&state);
	gim_state_free(&reader);
	return whole && parts->count;
}

static void change_payload(struct gim_buffer *payload)
{
	const size_t size = payload->size, room = size + size / 4 + 16;
	uint8_t *bytes = malloc(room);
	MUST(bytes);
	if (size)
		memcpy(bytes, payload->bytes, size);
	const size_t now = LLVMFuzzerMutate(bytes, size, room);
	gim_buffer_free(payload);
	*payload = (struct gim_buffer){.bytes = NULL};
	gim_buffer_bytes(payload, bytes, now);
	free(bytes);
}

static void change(struct parts *parts, unsigned *seed)
{
	const uint32_t at = pick(seed, (uint32_t)parts->count), other = pick(seed, (uint32_t)parts->count);
	struct part *part = &parts->items[at], kept = *part;
	switch (pick(seed, 12)) {
	case 0:
		*part = parts->items[other];
		parts->items[other] = kept;
		break;
	case 1: /* take it out */
		gim_buffer_free(&part->payload);
		memmove(part, part + 1, (parts->count - at - 1) * sizeof(*part));
		parts->count--;
		break;
	case 2: /* once more */
		if (parts->count < UNITS_MAX) {
			parts->items[parts->count] = kept;
			parts->items[parts->count].payload = (struct gim_buffer){.bytes = NULL};
			gim_buffer_bytes(&parts->items[parts->count++].payload, kept.payload.bytes, kept.payload.size);
		}
		break;
	case 3:
		part->unit.version += pick(seed, 2) ? 1 : UINT32_MAX;
		break;
	case 4:
		part->unit.instance = pick(seed, 3);
		break;
	case 5:
		memcpy(part->unit.name, parts->items[other].unit.name, sizeof(part->unit.name));
		break;
	default:
		change_payload(&part->payload);
		break;
	}
}

static bool put_together(const struct parts *parts, bool checksummed, struct gim_buffer *out)
{
	const struct ssm_write_options options = {7, 1, 6, 167084, 64, 8, 8, checksummed, false, (uint32_t)parts->count};
	struct ssm_writer *writer = NULL;
	int result = ssm_writer_new(&options, collect, out, &writer, NULL);
	for (size_t i = 0; !result && i < parts->count; i++) {
		const struct part *part = &parts->items[i];
		result = ssm_writer_unit(writer, part->unit.name, part->unit.instance, part->unit.version, part->unit.pass, NULL);
		if (!result && part->payload.size)
			result = ssm_writer_data(writer, SSM_WRITE_AUTO, part->payload.bytes, part->payload.size, NULL);
	}
	if (!result)
		result = ssm_writer_finish(writer, NULL);
	ssm_writer_free(&writer);
	return !result && !out->failed;
}

size_t fuzz_mutate_state(uint8_t *bytes, size_t size, size_t room, unsigned seed)
{
	static struct parts parts;
	struct gim_buffer out = {.bytes = NULL};
	size_t now = 0;
	parts.count = 0;
	if (pick(&seed, 4) && take_apart(bytes, size, &parts)) {
		change(&parts, &seed);
		if (put_together(&parts, pick(&seed, 2), &out) && out.size <= room)
			memcpy(bytes, out.bytes, now = out.size);
	}
	for (size_t i = 0; i < parts.count; i++)
		gim_buffer_free(&parts.items[i].payload);
	gim_buffer_free(&out);
	if (now)
		return now;
	now = LLVMFuzzerMutate(bytes, size, room);
	if (pick(&seed, 2))
		fuzz_reseal(bytes, now);
	return now;
}
