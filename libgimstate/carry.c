/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Carrying the guest interface of one state over into the rest of another, of any hypervisor: field by field, since no layout holds both.
 *
 * Time: a clock that counts nanoseconds goes on where the source's guest would have read it at the moment of the save, whatever the frequencies of the two TSCs.
 * Where a container keeps the clock as an anchor (a TSC, and the time that it was), the anchor is the target's own TSC as it was saved.
 */
#include "error.h"
#include "guest.h"
#include "scale.h"
#include "state.h"
#include "visit.h"

#include <stdio.h>
#include <string.h>

struct carry {
	struct gim_state *to;
	const struct gim_state *from;
	const struct gim_provider *provider;
	struct gim_object object;  /* the provider's of `to`; data NULL: it has none */
	struct gim_object before;  /* as it was */
	struct gim_object derived; /* the source's, with all that `to` cannot hold computed from the rest */
	struct gim_arena scratch;
	gim_report_fn *report;
	void *user;
	bool lost;
};

static void tell(struct carry *carry, enum gim_convert_rule rule, const char *path, const struct gim_value *value, const char *after)
{
	char text[128];
	(void)gim_value_text(value, text, sizeof(text));
	gim_report(carry->report, carry->user, &gim_convert_rules[rule], GIM_UNKNOWN, NULL, path, "%s%s", text, after);
}

/* What CPUID shows is the machine's configuration, which each hypervisor keeps elsewhere. */
static bool is_configuration(const struct carry *carry, const char *path)
{
	struct gim_object shape = {.record = carry->provider->record};
	for (const struct gim_cpuid_row *row = carry->provider->cpuid; row && row->leaf; row++) {
		char word[128];
		gim_object_path(&shape, row->offset, word, sizeof(word));
		if (!strcmp(word, path))
			return true;
	}
	return false;
}

static void store(struct carry *carry, const struct gim_value *value, const struct gim_object *object, const struct gim_field *field,
                  uint32_t index)
{
	const size_t at = field->offset + (size_t)index * field->width;
	object->presence[at] = GIM_STORED;
	if (field->kind != GIM_TEXT) {
		gim_number_store(object->data + at, field->width, value->number);
		return;
	}
	const char *copy = gim_arena_copy(&carry->to->arena, value->bytes, value->length_bytes);
	if (copy)
		*(struct gim_text *)(void *)(object->data + at) = (struct gim_text){copy, (uint32_t)value->length_bytes};
}

static int keep_value(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	*(struct gim_value *)user = *value;
	return 0;
}

static struct gim_value value_in(const struct carry *carry, const struct gim_object *object, const char *path)
{
	struct gim_value value = {.presence = GIM_ABSENT};
	if (object->data)
		(void)gim_object_visit(object, path + strlen(carry->provider->record->name), keep_value, &value, NULL);
	return value;
}

/* A field that the target holds: as the source has it, or at its default. What is the machine's own, or a clock that the source keeps in another way, stays. */
static int take_leaf(void *user, const char *path, const struct gim_object *object, const struct gim_field *field, uint32_t index)
{
	struct carry *carry = (struct carry *)user;
	const struct gim_value before = gim_object_value(object, field, index);
	struct gim_value value = gim_state_value(carry->from, path);
	const bool carried = value.presence != GIM_ABSENT, none = !gim_state_find(carry->from, carry->provider->record);
	if (before.presence == GIM_ABSENT || field->change == GIM_CHANGE_FORM || is_configuration(carry, path) ||
	    (field->clock && !carried) || (none && before.presence == GIM_IMPLIED))
		return 0;
	if (!carried)
		value = (struct gim_value){.field = field, .presence = GIM_STORED, .kind = before.kind, .number = field->reset};
	if (before.kind == GIM_VALUE_BYTES || before.number != value.number)
		store(carry, &value, object, field, index);
	if (none) /* of an interface that is not there nothing is written */
		object->presence[field->offset + (size_t)index * field->width] = GIM_IMPLIED;
	return 0;
}

/* What has become of it. */
static int tell_leaf(void *user, const char *path, const struct gim_value *value)
{
	struct carry *carry = (struct carry *)user;
	const struct gim_value before = value_in(carry, &carry->before, path), from = gim_state_value(carry->from, path);
	if (value->presence == GIM_ABSENT || value->kind != GIM_VALUE_NUMBER || before.number == value->number)
		return 0;
	if (from.presence != GIM_ABSENT && from.number == value->number)
		tell(carry, GIM_CONVERT_CARRIED, path, value, " is carried over");
	else if (gim_value_at_default(value))
		tell(carry, GIM_CONVERT_FILLED, path, value, ", its default, as the source says nothing of it");
	else
		tell(carry, GIM_CONVERT_DERIVED, path, value, " follows from other fields");
	return 0;
}

/* Can the target tell it from what it holds? */
static int forget_leaf(void *user, const char *path, const struct gim_object *object, const struct gim_field *field, uint32_t index)
{
	const struct carry *carry = (const struct carry *)user;
	const size_t at = field->offset + (size_t)index * field->width;
	if (field->kind != GIM_TEXT && gim_state_value(carry->to, path).presence == GIM_ABSENT)
		gim_number_store(object->data + at, field->width, field->reset);
	return 0;
}

static bool known(const struct gim_state *state, const char *path, uint64_t *number)
{
	const struct gim_value value = gim_state_value(state, path);
	*number = value.number;
	return value.presence != GIM_ABSENT;
}

/* A guest that reads the clock finds another one where the target's container has a place for it and holds none. */
static bool misses_clock(const struct carry *carry)
{
	uint64_t clock_ns, enabled;
	return carry->to->format->place && !known(carry->to, "kvm.clock_ns", &clock_ns) &&
	       known(carry->to, "kvm.vcpu[0].system_time", &enabled) && enabled & 1;
}

/* A field of the source that the target does not hold. */
static int lose_leaf(void *user, const char *path, const struct gim_value *value)
{
	struct carry *carry = (struct carry *)user;
	const struct gim_value derived = value_in(carry, &carry->derived, path);
	if (value->presence == GIM_ABSENT || gim_value_at_default(value) || value->field->change == GIM_CHANGE_FORM)
		return 0;
	if (gim_state_value(carry->to, path).presence != GIM_ABSENT && !is_configuration(carry, path))
		return 0;
	if (is_configuration(carry, path)) {
		tell(carry, GIM_CONVERT_CONFIGURED, path, value, " is not carried over: it is the configuration of the machine");
	} else if (value->field->clock) {
		if (!misses_clock(carry))
			tell(carry, GIM_CONVERT_DERIVED, path, value, " is told by the target's clock");
	} else if (derived.presence != GIM_ABSENT && derived.number == value->number) {
		tell(carry, GIM_CONVERT_DERIVED, path, value, " follows from other fields");
	} else {
		tell(carry, GIM_CONVERT_LOST, path, value, " is lost");
		carry->lost = true;
	}
	return 0;
}

static int carry_provider(struct carry *carry, struct gim_error *error)
{
	const struct gim_record *record = carry->provider->record;
	const struct gim_object *from = record ? gim_state_find(carry->from, record) : NULL;
	int result = 0;
	if (from && !gim_state_find(carry->to, record) && carry->to->format->interface)
		result = carry->to->format->interface(carry->to, carry->provider, error);
	const struct gim_object *to = record ? gim_state_find(carry->to, record) : NULL;
	carry->object = to ? *to : (struct gim_object){.data = NULL};
	carry->derived = carry->before = (struct gim_object){.data = NULL};
	if (!result && to)
		result = gim_object_copy(&carry->scratch, to, &carry->before, error);
	if (!result && to)
		result = gim_object_leaves(&carry->object, "", take_leaf, carry, error);
	if (!result && to && carry->provider->carried)
		carry->provider->carried(&carry->object);
	if (!result && to)
		result = gim_object_visit(&carry->object, "", tell_leaf, carry, error);
	if (!result && from && to) {
		result = gim_object_copy(&carry->scratch, from, &carry->derived, error);
		if (!result)
			result = gim_object_leaves(&carry->derived, "", forget_leaf, carry, error);
		if (!result && carry->provider->carried)
			carry->provider->carried(&carry->derived);
	}
	if (!result && from)
		result = gim_object_visit(from, "", lose_leaf, carry, error);
	return result;
}

/*
 * Time.
 */
/* What the guest would have read when it was saved. */
static bool clock_of(const struct gim_state *state, uint64_t *clock_ns)
{
	uint64_t anchor_ns, anchor_tsc, tsc, tsc_hz, enabled;
	if (known(state, "kvm.clock_ns", clock_ns))
		return true;
	if (known(state, "kvm.vcpu[0].system_time", &enabled) && enabled & 1 && known(state, "kvm.vcpu[0].virtual_ns", &anchor_ns) &&
	    known(state, "kvm.vcpu[0].tsc", &anchor_tsc) && known(state, "guest.vcpu[0].tsc", &tsc) &&
	    known(state, "guest.tsc_hz", &tsc_hz) && tsc_hz && tsc >= anchor_tsc) {
		*clock_ns = anchor_ns + gim_mul_div(tsc - anchor_tsc, UINT64_C(1000000000), tsc_hz);
		return true;
	}
	return known(state, "guest.virtual_ns", clock_ns);
}

/* Set a field that the target holds, and say so. */
static int set_derived(struct carry *carry, const char *path, uint64_t number, const char *why, struct gim_error *error)
{
	char text[32];
	const struct gim_value before = gim_state_value(carry->to, path);
	if (before.presence == GIM_ABSENT || before.number == number)
		return 0;
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	int result = gim_state_set(carry->to, path, text, error);
	const struct gim_value value = gim_state_value(carry->to, path);
	if (!result)
		tell(carry, GIM_CONVERT_DERIVED, path, &value, why);
	return result;
}

static int carry_clock(struct carry *carry, struct gim_error *error)
{
	uint64_t clock_ns, tsc;
	int result = 0;
	if (!clock_of(carry->from, &clock_ns))
		return 0;
	if (misses_clock(carry)) {
		gim_report(carry->report, carry->user, &gim_convert_rules[GIM_CONVERT_LOST], GIM_UNKNOWN, NULL, "kvm.clock_ns",
		           "%llu is lost, as the target has no place for it; setting it there makes one", (unsigned long long)clock_ns);
		carry->lost = true;
	}
	result = set_derived(carry, "kvm.clock_ns", clock_ns, ": the clock goes on where the source's guest would have read it", error);
	if (!result && gim_state_value(carry->from, "kvm.clock_reliable").presence == GIM_ABSENT)
		result = set_derived(carry, "kvm.clock_reliable", 1, ": the clock is known", error);
	for (unsigned i = 0; !result && i < GIM_VCPUS_MAX; i++) {
		char path[64];
		(void)snprintf(path, sizeof(path), "kvm.vcpu[%u].tsc", i);
		if (gim_state_value(carry->to, path).presence == GIM_ABSENT)
			break;
		(void)snprintf(path, sizeof(path), "guest.vcpu[%u].tsc", i);
		if (!known(carry->to, path, &tsc))
			continue;
		(void)snprintf(path, sizeof(path), "kvm.vcpu[%u].tsc", i);
		result = set_derived(carry, path, tsc, ": the target's own TSC, as it was saved", error);
		(void)snprintf(path, sizeof(path), "kvm.vcpu[%u].virtual_ns", i);
		if (!result)
			result = set_derived(carry, path, clock_ns, ": what the clock is at that TSC", error);
	}
	return result;
}

int gim_state_carry(struct gim_state *state, const struct gim_state *from, gim_report_fn *report, void *user, struct gim_error *error)
{
	struct carry carry = {.to = state, .from = from, .report = report, .user = user};
	int result = 0;
	if (!state->gim_whole)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the target's guest interface was not decoded to its end");
	for (const struct gim_provider *const *each = gim_providers; !result && *each; each++) {
		carry.provider = *each;
		result = carry_provider(&carry, error);
	}
	if (!result)
		result = carry_clock(&carry, error);
	gim_arena_free(&carry.scratch);
	return result ? result : carry.lost;
}
