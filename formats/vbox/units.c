/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decodes the units of a VirtualBox saved state by their frames, and the GIM unit with the vCPU count that they say. */
#include "units.h"

#include "error.h"
#include "guest.h"
#include "vbox/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One call of vbox_decode or vbox_decode_unit. */
struct decoding {
	struct gim_state *state;
	unsigned parts;
	unsigned seen; /* a bit per unit of info_units that is done */
	bool gim_done;
	gim_report_fn *report;
	void *user;
	struct gim_error *error; /* gets the first failure of a unit that was asked for */
	int result;
	uint64_t last_offset; /* of the last failure */
	int last_code;
};

struct payload {
	uint8_t *bytes;
	size_t size, capacity, limit;
	bool cut;        /* there is more than limit */
	bool stop_early; /* then stop; on a stream the rest must be read anyway */
	bool starved;    /* memory ran out */
};

/* Units that say what the state is; cheap to read. */
static const struct {
	const char *name;
	uint32_t instance;
} info_units[] = {{"SSM", 0}, {"mm", 1}, {"cpum", 1}, {"tm", 1}};

enum { INFO_UNITS = sizeof(info_units) / sizeof(info_units[0]), ALL_INFO = (1 << INFO_UNITS) - 1 };

/* Units that say how many vCPUs there are, the one to be trusted first, first. */
static const struct {
	const char *name;
	uint32_t instance;
} counting_units[] = {{"cpum", 1}, {"tm", 1}, {"em", 0}, {"apic", 0}};

bool vbox_unit_is_gim(const struct gim_unit *unit)
{
	return !strcmp(unit->name, "GIM") && !unit->instance && unit->pass == GIM_PASS_FINAL;
}

static int info_index(const struct gim_unit *unit)
{
	for (int i = 0; i < INFO_UNITS; i++)
		if (!strcmp(unit->name, info_units[i].name) && unit->instance == info_units[i].instance && unit->pass == GIM_PASS_FINAL)
			return i;
	return -1;
}

static bool serves(const struct gim_frame *frame, const struct gim_unit *unit)
{
	const bool pass = frame->flags == VBOX_FRAME_FINAL ? unit->pass == GIM_PASS_FINAL : frame->flags == VBOX_FRAME_LIVE && !unit->pass;
	return pass && !strcmp(frame->name, unit->name) && frame->instance == unit->instance && unit->version >= frame->first &&
	       unit->version <= frame->last;
}

const struct gim_frame *vbox_next_frame(const struct gim_frame *frame, const struct gim_unit *unit)
{
	const struct gim_frame *end = vbox_layout_units.frames + vbox_layout_units.frame_count;
	for (frame = frame ? frame : vbox_layout_units.frames; frame < end; frame++)
		if (serves(frame, unit))
			return frame;
	return NULL;
}

bool vbox_unit_decodable(const struct gim_unit *unit)
{
	return (vbox_unit_is_gim(unit) && unit->version == 1) || vbox_next_frame(NULL, unit);
}

static void describe(const struct gim_unit *unit, char *text, size_t size)
{
	(void)snprintf(text, size, "%s/%u", unit->name, unit->instance);
}

/*
 * Reading payloads.
 */
static int gather(void *user, const void *bytes, size_t size)
{
	struct payload *payload = user;
	size_t room = payload->limit - payload->size;
	if (size > room) {
		payload->cut = true;
		size = room;
	}
	if (payload->size + size > payload->capacity) {
		size_t capacity = payload->capacity ? payload->capacity : 16384;
		while (capacity < payload->size + size)
			capacity *= 2;
		uint8_t *grown = realloc(payload->bytes, capacity);
		if (!grown) {
			payload->starved = true;
			return GIM_E_STOPPED;
		}
		payload->bytes = grown;
		payload->capacity = capacity;
	}
	if (size)
		memcpy(payload->bytes + payload->size, bytes, size);
	payload->size += size;
	return payload->cut && payload->stop_early ? GIM_E_STOPPED : 0;
}

static int read_payload(struct gim_state *state, const struct gim_unit *unit, struct payload *payload, struct gim_error *error)
{
	const bool pages = !strcmp(unit->name, "pgm");
	struct gim_error own = GIM_ERROR_INIT;
	payload->limit = pages ? VBOX_PGM_LIMIT : VBOX_PAYLOAD_LIMIT;
	payload->stop_early = state->input.seekable;
	int result = gim_unit_read(state, unit, gather, payload, &own);
	if (result && payload->cut && payload->stop_early)
		result = 0; /* our own stop */
	else if (result && payload->starved) {
		own = (struct gim_error)GIM_ERROR_INIT;
		result = gim_fail(&own, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory after %zu bytes", payload->size);
	}
	if (!result && payload->cut && !pages)
		result = gim_fail(&own, GIM_E_LIMIT, GIM_UNKNOWN, "the payload is longer than the %zu bytes that are decoded at most",
		                  VBOX_PAYLOAD_LIMIT);
	if (result) {
		gim_error_unit(&own, unit->name, unit->instance);
		(void)gim_fail_as(error, &own);
	}
	return result;
}

/*
 * Decoding by frames.
 */
struct outcome {
	const struct gim_frame *frame;
	size_t used;
	int result;
	uint32_t vcpus;   /* 0: the unit does not say */
	char host_os[64]; /* of the unit SSM, or "" */
	struct gim_error error;
	struct gim_arena arena;        /* holds the objects; the caller's */
	struct gim_object guest, vbox; /* what was decoded; record NULL: memory was out */
};

bool vbox_is_live(const struct gim_state *state)
{
	const struct gim_object *source = gim_state_find(state, &source_record);
	return source && ((const struct source *)(const void *)source->data)->live;
}

struct gim_codec vbox_codec_for(const struct gim_state *state, const struct gim_unit *unit, bool partial)
{
	const struct gim_object *object = gim_state_find(state, &source_record);
	const struct source *source = object ? (const struct source *)(const void *)object->data : NULL;
	struct gim_codec codec = state->codec;
	codec.version = unit->version;
	codec.partial = partial;
	codec.flags = (source && source->live ? VBOX_CODEC_LIVE : 0) | (source && source->pointer_bytes == 4 ? VBOX_CODEC_POINTER4 : 0);
	return codec;
}

static void find_host_os(const struct vbox *vbox, struct outcome *outcome)
{
	const struct vbox_property *properties = vbox->property.items;
	for (uint32_t i = 0; i < vbox->property.count; i++) {
		const struct gim_text *name = &properties[i].name, *value = &properties[i].value;
		if (name->length == strlen("Host OS") && !memcmp(name->bytes, "Host OS", name->length))
			(void)snprintf(outcome->host_os, sizeof(outcome->host_os), "%.*s", (int)value->length, value->bytes);
	}
}

/* Decode by one frame into fresh objects, to learn whether it fits and what it says. */
static struct outcome try_frame(const struct gim_state *state, const struct gim_unit *unit, const struct gim_frame *frame,
                                const struct payload *payload)
{
	struct outcome outcome = {.frame = frame, .error = GIM_ERROR_INIT, .arena = {.limit_bytes = VBOX_SCRATCH_LIMIT}};
	outcome.result = gim_object_new(&outcome.arena, &guest_record, &outcome.guest, &outcome.error);
	if (!outcome.result)
		outcome.result = gim_object_new(&outcome.arena, &vbox_record, &outcome.vbox, &outcome.error);
	if (!outcome.result) {
		const struct gim_object roots[] = {outcome.guest, outcome.vbox};
		const struct gim_codec codec = vbox_codec_for(state, unit, payload->cut);
		const struct guest *guest = (const struct guest *)(const void *)roots[0].data;
		uint32_t version;
		outcome.result = gim_decode(frame->rows, &codec, roots, 2, &outcome.arena, payload->bytes, payload->size, &outcome.used,
		                            &version, &outcome.error);
		outcome.vcpus = roots[0].presence[offsetof(struct guest, vcpus)] ? guest->vcpus : guest->vcpu.count;
		find_host_os((const struct vbox *)(const void *)roots[1].data, &outcome);
	}
	return outcome;
}

/* Frames whose last row is OPEN_END leave pages behind, and nothing undecoded. */
static bool open_ended(const struct gim_frame *frame)
{
	const struct gim_row *row = frame->rows;
	while (row->op != GIM_ROW_END && row->op != GIM_ROW_OPEN)
		row++;
	return row->op == GIM_ROW_OPEN;
}

static bool fits(const struct outcome *outcome, const struct payload *payload)
{
	return !outcome->result && (outcome->used == payload->size || open_ended(outcome->frame));
}

/* The best frame: one that fits, else one that does not fail, else the first. Where memory runs out over one nothing is known of it, and that is the answer. */
static struct outcome choose_frame(const struct gim_state *state, const struct gim_unit *unit, const struct payload *payload)
{
	const struct gim_frame *frame = vbox_next_frame(NULL, unit);
	struct outcome best = try_frame(state, unit, frame, payload);
	while (!fits(&best, payload) && best.result != GIM_E_MEMORY && (frame = vbox_next_frame(frame + 1, unit))) {
		struct outcome other = try_frame(state, unit, frame, payload);
		const bool better = other.result == GIM_E_MEMORY || (!other.result && (fits(&other, payload) || best.result));
		gim_arena_free(better ? &best.arena : &other.arena);
		if (better)
			best = other;
	}
	return best;
}

/* Decode into the state's objects. */
static int decode_for_good(struct gim_state *state, const struct gim_unit *unit, const struct gim_frame *frame,
                           const struct payload *payload, size_t from, struct gim_error *error)
{
	if (!gim_state_object(state, &guest_record, error) || !gim_state_object(state, &vbox_record, error))
		return GIM_E_MEMORY;
	const struct gim_object roots[] = {*gim_state_find(state, &guest_record), *gim_state_find(state, &vbox_record)};
	const struct gim_codec codec = vbox_codec_for(state, unit, payload->cut);
	size_t used;
	uint32_t version;
	/* An empty payload has no bytes to point to. */
	const uint8_t *bytes = from ? payload->bytes + from : payload->bytes;
	return gim_decode(frame->rows, &codec, roots, 2, &state->arena, bytes, payload->size - from, &used, &version, error);
}

/* The objects of a trial become the state's, when it has none yet. */
static bool adopt(struct gim_state *state, struct outcome *outcome)
{
	if (!outcome->vbox.record || gim_state_find(state, &guest_record) || gim_state_find(state, &vbox_record) ||
	    !gim_arena_join(&state->arena, &outcome->arena))
		return false;
	(void)gim_state_attach(state, &outcome->guest);
	(void)gim_state_attach(state, &outcome->vbox);
	return true;
}

static void report_undecoded(struct decoding *decoding, const struct gim_unit *unit, size_t from, size_t end)
{
	char name[GIM_UNIT_NAME_BYTES + 16];
	describe(unit, name, sizeof(name));
	if (from < end)
		gim_report(decoding->report, decoding->user, &vbox_rules[UNIT_UNDECODED], GIM_UNKNOWN, name, NULL,
		           "%zu bytes of the payload (version %u) are left undecoded, from payload byte 0x%zx on", end - from,
		           unit->version, from);
}

static void decode_rest(struct decoding *decoding, const struct gim_unit *unit, const struct payload *payload,
                        const struct outcome *outcome)
{
	size_t end = payload->size;
	const struct gim_frame *tail = outcome->used < payload->size ? vbox_tail_frame(unit) : NULL;
	/* The middle of a cpum payload may not be understood; its CPUID leaves are found from the end. */
	if (tail && vbox_find_cpuid(payload->bytes, payload->size, outcome->used, &end) &&
	    decode_for_good(decoding->state, unit, tail, payload, end, NULL))
		end = payload->size;
	report_undecoded(decoding, unit, outcome->used, end);
}

/* The first unit that says how many vCPUs there are sets the count, and the others must agree. */
static void check_vcpus(struct decoding *decoding, const struct gim_unit *unit, uint32_t vcpus)
{
	struct gim_state *state = decoding->state;
	if (!vcpus || vcpus > GIM_VCPUS_MAX)
		return;
	if (!state->codec.vcpus)
		state->codec.vcpus = vcpus;
	if (vcpus == state->codec.vcpus)
		return;
	char name[GIM_UNIT_NAME_BYTES + 16];
	describe(unit, name, sizeof(name));
	gim_report(decoding->report, decoding->user, &gim_unit_rules[GIM_UNIT_VCPUS], GIM_UNKNOWN, name, NULL,
	           "this unit holds %u vCPUs, others say %u", vcpus, state->codec.vcpus);
}

/* A failure's place in the payload, in words; "" when it has none. */
struct place {
	char text[48];
};

static struct place place_of(const struct gim_error *own)
{
	struct place place = {""};
	if (own->payload_offset != GIM_UNKNOWN)
		(void)snprintf(place.text, sizeof(place.text), " (payload byte 0x%llx)", (unsigned long long)own->payload_offset);
	return place;
}

/* Report a failure, and keep the first one of what was asked for. */
static void fail_unit(struct decoding *decoding, const struct gim_unit *unit, bool fatal, int result, struct gim_error *own)
{
	const bool repeated =
	    decoding->last_offset == own->offset && decoding->last_code == own->code && own->payload_offset == GIM_UNKNOWN;
	char name[GIM_UNIT_NAME_BYTES + 16];
	describe(unit, name, sizeof(name));
	gim_error_unit(own, unit->name, unit->instance);
	/* One broken place in the file may be in the way of many units. What failed otherwise is no fault of the unit. */
	if (gim_is_world(own->code))
		fatal = true;
	else if (!repeated)
		gim_report(decoding->report, decoding->user, &vbox_rules[fatal ? UNIT_DAMAGED : UNIT_SKIPPED], own->offset, name, NULL,
		           "%s%s%s%s", own->path, *own->path ? ": " : "", own->text, place_of(own).text);
	decoding->last_offset = own->offset;
	decoding->last_code = own->code;
	if (!fatal || decoding->result)
		return;
	decoding->result = result;
	(void)gim_fail_as(decoding->error, own);
}

static void store_host_os(struct gim_state *state, const char *host_os)
{
	struct gim_object *source = *host_os ? gim_state_object(state, &source_record, NULL) : NULL;
	if (source)
		(void)gim_store_text(state, source, offsetof(struct source, host_os), host_os, NULL);
}

/* Decode a unit's payload by its frames. Not asked for: only learn the vCPU count and the host from it. */
static int decode_payload(struct decoding *decoding, const struct gim_unit *unit, const struct payload *payload, bool asked,
                          struct gim_error *error)
{
	struct outcome outcome = choose_frame(decoding->state, unit, payload);
	int result = outcome.result;
	if (result == GIM_E_MEMORY) { /* another attempt may succeed, and know less */
		if (error)
			*error = outcome.error;
		gim_arena_free(&outcome.arena);
		return result;
	}
	if (asked && !adopt(decoding->state, &outcome))
		result = decode_for_good(decoding->state, unit, outcome.frame, payload, 0, error);
	else if (result && error)
		*error = outcome.error;
	gim_arena_free(&outcome.arena);
	store_host_os(decoding->state, outcome.host_os);
	if (result)
		return result;
	check_vcpus(decoding, unit, outcome.vcpus);
	if (asked && !open_ended(outcome.frame))
		decode_rest(decoding, unit, payload, &outcome);
	return 0;
}

/* Only with GIM_PART_GUEST is a failure more than a warning: the other parts can do without. True: it was decoded without one. */
static bool decode_framed(struct decoding *decoding, const struct gim_unit *unit, bool asked)
{
	const bool fatal = decoding->parts & GIM_PART_GUEST;
	struct payload payload = {0};
	struct gim_error read_error = GIM_ERROR_INIT, decode_error = GIM_ERROR_INIT;
	int result = read_payload(decoding->state, unit, &payload, &read_error);
	if (result)
		fail_unit(decoding, unit, fatal, result, &read_error);
	/* What was read before the damage is worth decoding, but not complaining about. */
	if (!result || payload.size) {
		int decoded = decode_payload(decoding, unit, &payload, asked, &decode_error);
		if (decoded && !result)
			fail_unit(decoding, unit, fatal, decoded, &decode_error);
		result = result ? result : decoded;
	}
	free(payload.bytes);
	return !result;
}

static void decode_gim(struct decoding *decoding, const struct gim_unit *unit)
{
	struct payload payload = {0};
	struct gim_error read_error = GIM_ERROR_INIT, decode_error = GIM_ERROR_INIT;
	int result = read_payload(decoding->state, unit, &payload, &read_error);
	if (result)
		fail_unit(decoding, unit, true, result, &read_error);
	if (!result || payload.size) {
		const struct gim_codec codec = vbox_codec_for(decoding->state, unit, payload.cut);
		int decoded = gim_unit_decode(decoding->state, &codec, unit->version, payload.bytes, payload.size, decoding->report,
		                              decoding->user, &decode_error);
		if (decoded && !result)
			fail_unit(decoding, unit, true, decoded, &decode_error);
	}
	decoding->gim_done = true;
	free(payload.bytes);
}

/* A unit that is met, or was looked for. */
static void decode_met(struct decoding *decoding, const struct gim_unit *unit)
{
	const int info = info_index(unit);
	const unsigned bit = info >= 0 ? 1u << info : 0;
	decoding->seen |= bit;
	if (vbox_unit_is_gim(unit)) {
		if (decoding->parts & GIM_PART_GIM)
			decode_gim(decoding, unit);
	} else if (vbox_next_frame(NULL, unit)) {
		const bool asked = decoding->parts & GIM_PART_GUEST || (decoding->parts & GIM_PART_INFO && info >= 0);
		if (decoding->state->info_units & bit)
			return;
		if ((asked || info >= 0 || !decoding->state->codec.vcpus) && decode_framed(decoding, unit, asked) && asked)
			decoding->state->info_units |= bit;
	} else if (info >= 0) {
		char name[GIM_UNIT_NAME_BYTES + 16];
		describe(unit, name, sizeof(name));
		gim_report(decoding->report, decoding->user, &vbox_rules[UNIT_VERSION], unit->offset, name, NULL,
		           "no table knows version %u of this unit", unit->version);
	}
}

/* Everything that was asked for is there, so the rest of a stream need not be read. */
static bool satisfied(const struct decoding *decoding)
{
	return !(decoding->parts & GIM_PART_GUEST) && (!(decoding->parts & GIM_PART_GIM) || decoding->gim_done) &&
	       (!(decoding->parts & GIM_PART_INFO) || decoding->seen == ALL_INFO);
}

static int decode_stream(struct decoding *decoding, struct gim_error *error)
{
	struct gim_unit unit = {0};
	int more;
	while ((more = gim_unit_next(decoding->state, &unit, error)) == 1) {
		decode_met(decoding, &unit);
		if (satisfied(decoding))
			break;
	}
	return more < 0 ? more : 0;
}

/* Look a unit up and decode it. A unit that is not there is no failure of its own. */
static void decode_wanted(struct decoding *decoding, const char *name, uint32_t instance, uint32_t pass)
{
	struct gim_unit unit = {.instance = instance};
	struct gim_error own = GIM_ERROR_INIT;
	int result = gim_unit_find(decoding->state, name, instance, pass, &unit, &own);
	if (!result) {
		decode_met(decoding, &unit);
	} else if (result != GIM_E_NO_UNIT) {
		(void)snprintf(unit.name, sizeof(unit.name), "%s", name);
		fail_unit(decoding, &unit, !strcmp(name, "GIM") || decoding->parts & GIM_PART_GUEST, result, &own);
	}
}

/* All units that frames know, each once; a container that cannot be searched fails once. */
static void decode_all_found(struct decoding *decoding)
{
	const struct gim_frame *frames = vbox_layout_units.frames;
	for (uint32_t f = 0; f < vbox_layout_units.frame_count && decoding->result != GIM_E_IO; f++) {
		const bool again = f && !strcmp(frames[f].name, frames[f - 1].name) && frames[f].flags == frames[f - 1].flags;
		if (again)
			continue;
		/* Of the live passes only pgm's says what the final one does not. */
		if (frames[f].flags == VBOX_FRAME_FINAL)
			decode_wanted(decoding, frames[f].name, frames[f].instance, GIM_PASS_FINAL);
		else if (frames[f].flags == VBOX_FRAME_LIVE && !strcmp(frames[f].name, "pgm") && vbox_is_live(decoding->state))
			decode_wanted(decoding, frames[f].name, frames[f].instance, 0);
	}
}

static void count_vcpus(struct decoding *decoding)
{
	for (size_t i = 0; !decoding->state->codec.vcpus && i < sizeof(counting_units) / sizeof(counting_units[0]); i++)
		decode_wanted(decoding, counting_units[i].name, counting_units[i].instance, GIM_PASS_FINAL);
}

static void decode_found(struct decoding *decoding)
{
	if (decoding->parts & GIM_PART_GUEST)
		decode_all_found(decoding);
	else if (decoding->parts & GIM_PART_INFO)
		for (int i = 0; i < INFO_UNITS; i++)
			decode_wanted(decoding, info_units[i].name, info_units[i].instance, GIM_PASS_FINAL);
	else
		decode_wanted(decoding, "SSM", 0, GIM_PASS_FINAL);
	count_vcpus(decoding);
	if (decoding->parts & GIM_PART_GIM)
		decode_wanted(decoding, "GIM", 0, GIM_PASS_FINAL);
}

int vbox_decode(struct gim_state *state, unsigned parts, gim_report_fn *report, void *user, struct gim_error *error)
{
	struct decoding decoding = {
	    .state = state, .parts = parts, .report = report, .user = user, .error = error, .last_offset = GIM_UNKNOWN};
	int result = 0;
	if (state->input.seekable)
		decode_found(&decoding);
	else
		result = decode_stream(&decoding, error);
	if (decoding.result)
		return decoding.result;
	if (!result && parts & GIM_PART_GIM && !decoding.gim_done)
		result = gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "there is no unit GIM/0: VirtualBox has it since 5.0");
	return result;
}

int vbox_decode_unit(struct gim_state *state, const struct gim_unit *unit, gim_report_fn *report, void *user, struct gim_error *error)
{
	if (!vbox_unit_is_gim(unit) && !vbox_next_frame(NULL, unit))
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "no table knows %s/%u in version %u%s", unit->name, unit->instance,
		                unit->version, unit->pass == GIM_PASS_FINAL || !unit->pass ? "" : " in this pass");
	struct decoding decoding = {.state = state, .report = report, .user = user, .error = error, .last_offset = GIM_UNKNOWN};
	if (state->input.seekable)
		count_vcpus(&decoding);
	decoding.parts = GIM_PART_GIM | GIM_PART_GUEST;
	decode_met(&decoding, unit);
	return decoding.result;
}

/*
 * Judging payloads.
 */
static bool is_ssm(const struct gim_unit *unit)
{
	return !strcmp(unit->name, "SSM") && !unit->instance;
}

static bool is_any_gim(const struct gim_unit *unit)
{
	return !strcmp(unit->name, "GIM") && !unit->instance;
}

static bool counts_vcpus(const struct gim_unit *unit)
{
	for (size_t i = 0; i < sizeof(counting_units) / sizeof(counting_units[0]); i++)
		if (!strcmp(unit->name, counting_units[i].name) && unit->instance == counting_units[i].instance)
			return vbox_next_frame(NULL, unit);
	return false;
}

bool vbox_unit_judged(const struct gim_state *state, const struct gim_unit *unit)
{
	return is_any_gim(unit) || (is_ssm(unit) && vbox_next_frame(NULL, unit)) || (!state->codec.vcpus && counts_vcpus(unit));
}

/* A text that is too long stops the loader, whatever follows; a payload that ends too early says nothing when it is not whole. */
static int report_payload(const struct gim_unit *unit, const struct gim_error *own, bool whole, gim_report_fn *report, void *user)
{
	if (own->code == GIM_E_MEMORY)
		return GIM_E_MEMORY; /* the payload is not to blame */
	const struct gim_rule *rule = own->rule ? own->rule : &vbox_rules[own->code == GIM_E_TRUNCATED ? UNIT_SHORT : UNIT_TEXT];
	char name[GIM_UNIT_NAME_BYTES + 16];
	describe(unit, name, sizeof(name));
	if (own->code != GIM_E_TRUNCATED || whole)
		gim_report(report, user, rule, GIM_UNKNOWN, name, *own->path ? own->path : NULL, "%s%s", own->text, place_of(own).text);
	return 0;
}

static int judge_gim(struct gim_state *state, const struct gim_unit *unit, const struct payload *payload, bool whole, gim_report_fn *report,
                     void *user)
{
	struct gim_error own = GIM_ERROR_INIT;
	if (unit->pass != GIM_PASS_FINAL) {
		if (payload->size)
			gim_report(report, user, &vbox_rules[UNIT_PASS], GIM_UNKNOWN, "GIM/0", NULL, "it holds data in pass %u",
			           unit->pass);
		return 0;
	}
	const struct gim_codec codec = vbox_codec_for(state, unit, payload->cut);
	/* Not whole, it cannot be told where the provider's payload should have ended. */
	int result = gim_unit_decode(state, &codec, unit->version, payload->bytes, payload->size, whole ? report : NULL, user, &own);
	return result ? report_payload(unit, &own, whole, report, user) : 0;
}

int vbox_judge_unit(struct gim_state *state, const struct gim_unit *unit, const uint8_t *bytes, size_t size, bool whole,
                    gim_report_fn *report, void *user)
{
	static uint8_t none;
	const struct payload payload = {.bytes = size ? (uint8_t *)(uintptr_t)bytes : &none, .size = size};
	if (is_any_gim(unit))
		return judge_gim(state, unit, &payload, whole, report, user);
	struct outcome outcome = choose_frame(state, unit, &payload);
	gim_arena_free(&outcome.arena);
	char name[GIM_UNIT_NAME_BYTES + 16];
	describe(unit, name, sizeof(name));
	if (outcome.result && (is_ssm(unit) || outcome.result == GIM_E_MEMORY))
		return report_payload(unit, &outcome.error, whole, report, user);
	if (is_ssm(unit) && whole && outcome.used < size)
		gim_report(report, user, &vbox_rules[UNIT_LONG], GIM_UNKNOWN, name, NULL, "%zu bytes follow the %zu that are read",
		           size - outcome.used, outcome.used);
	else if (!outcome.result && whole && !state->codec.vcpus && outcome.vcpus <= GIM_VCPUS_MAX)
		state->codec.vcpus = outcome.vcpus;
	return 0;
}
