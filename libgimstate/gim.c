/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The GIM unit's payload: a head that names the provider, then what the provider's layout says. */
#include "error.h"
#include "machine_record.h"
#include "state.h"
#include "status.h"
#include "visit.h"

#include <stdio.h>
#include <string.h>

/* The head has been the same since 5.0; a version of its own it has not. */
static const struct gim_row head_rows[] = {ON(gim, provider), ON(gim, provider_version), END_ROWS};
enum { HEAD_BYTES = 8, UNIT_VERSION = 1 };
#define UNIT "GIM/0"

const struct gim_rule gim_unit_rules[GIM_UNIT_RULES] = {
    [GIM_UNIT_VERSION] = {"GIM-UNIT-VERSION", GIM_WARNING, GIM_E_VERSION, STATUS(VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION),
                          "the GIM unit has version 1, as in every release", .why = "VirtualBox refuses a version that it does not know",
                          .mend = "look who wrote the state: no release of VirtualBox did", .source = "VirtualBox's GIM unit"},
    [GIM_UNIT_PROVIDER] = {"GIM-PROVIDER", GIM_WARNING, GIM_E_VERSION, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH), "the provider is a known one",
                           .why = "VirtualBox compares the provider with the VM's, and refuses another",
                           .mend = "look who wrote the state: no release of VirtualBox did", .source = "VirtualBox's GIM unit"},
    [GIM_UNIT_BLOB_VERSION] = {"GIM-BLOB-VERSION", GIM_WARNING, GIM_E_VERSION, STATUS(VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION),
                               "a release wrote this version of the provider's blob",
                               .why = "VirtualBox refuses a version that it does not know",
                               .mend = "convert it to a layout that the release loads, by what wrote it",
                               .source = "VirtualBox's GIM unit"},
    [GIM_UNIT_TEXT] = {"GIM-TEXT", GIM_ERROR, GIM_E_LIMIT, STATUS(VERR_TOO_MUCH_DATA), "a description fits into the loader's buffer",
                       .why = "VirtualBox refuses a description that does not fit, or misreads what follows",
                       .mend = "set the description to what VirtualBox writes, e.g. \"Hyper-V TSC page\"",
                       .source = "VirtualBox's GIM unit"},
    [GIM_UNIT_SHORT] = {"GIM-SHORT", GIM_WARNING, GIM_E_TRUNCATED, STATUS(VERR_SSM_LOADED_TOO_MUCH),
                        "the unit holds all that its loader reads",
                        .why = "VirtualBox wants to read more than there is, and the load fails",
                        .mend = "give the VM as many vCPUs as the state has", .source = "VirtualBox's GIM unit"},
    [GIM_UNIT_PAGE_SIZE] = {"GIM-PAGE-SIZE", GIM_WARNING, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH),
                            "the provider's pages have 0x1000 bytes", .why = "VirtualBox refuses pages of another size",
                            .mend = "set the size to 0x1000", .source = "VirtualBox's GIM unit"},
    [GIM_UNIT_VCPUS] = {"GIM-VCPUS", GIM_WARNING, GIM_E_VALUE, 0, NULL, "all units hold the same number of virtual processors",
                        .why = "one of the units is read for another VM than the others; registers or MSRs of vCPUs are lost",
                        .mend = "find out which unit was changed, or take the file again from where it was made",
                        .source = "VirtualBox's GIM unit"},
    [GIM_UNIT_DELIMITER] = {"GIM-DELIMITER", GIM_WARNING, GIM_E_VALUE, 0, NULL,
                            "the payload ends with 0xff; where another byte stands, the vCPU count may be wrong",
                            .why = "VirtualBox does not look, but whoever counted the vCPUs wrongly reads something else here",
                            .mend = "see whether the vCPU count is right", .source = "VirtualBox's GIM unit"},
    [GIM_UNIT_TRAILING] = {"GIM-TRAILING", GIM_WARNING, GIM_E_VALUE, STATUS(VERR_SSM_LOADED_TOO_LITTLE),
                           "nothing follows the provider's payload", .why = "VirtualBox finds data that nobody reads, and the load fails",
                           .mend = "give the VM as many vCPUs as the state has", .source = "VirtualBox's GIM unit"},
    [GIM_UNIT_CPUID] = {"GIM-CPUID-CHANGED", GIM_NOTE, GIM_E_VALUE, 0, NULL,
                        "a feature word that is changed is changed where the saved CPUID leaves show it, too",
                        .why = "the guest reads its features by CPUID, and VirtualBox loads the saved leaves",
                        .mend = "nothing, or change the GIM unit alone: --gim-only", .source = "VirtualBox's units GIM and cpum"},
};

static const struct gim_provider *provider_by_id(uint32_t id)
{
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		if ((*each)->vbox_id == id)
			return *each;
	return NULL;
}

const struct gim_provider *gim_unit_provider(const struct gim_state *state)
{
	const struct gim_object *head = gim_state_find(state, &gim_record);
	if (!head || !head->presence[offsetof(struct gim, provider)])
		return NULL;
	return provider_by_id(((const struct gim *)(const void *)head->data)->provider);
}

const char *gim_unit_format(const struct gim_state *state)
{
	return state->unit_format ? state->unit_format : state->format->name;
}

const struct gim_layout *gim_layout_of(const struct gim_provider *provider, const char *format)
{
	for (const struct gim_layout *const *each = provider->layouts; each && *each; each++)
		if (!strcmp((*each)->format, format))
			return *each;
	return NULL;
}

/* The row of the list that the payload's length counts (virtual processors); NULL: there is none in this version. */
static const struct gim_row *vcpus_row(const struct gim_row *rows, uint32_t version)
{
	for (const struct gim_row *row = rows; row->op != GIM_ROW_END; row++)
		if (row->op == GIM_ROW_EACH && row->count == GIM_COUNT_REST && version >= row->since)
			return row;
	return NULL;
}

static const struct gim_list *list_at(const struct gim_object *object, const struct gim_row *row)
{
	return (const struct gim_list *)(const void *)(object->data + row->offset);
}

const struct gim_list *gim_unit_vcpus(const struct gim_state *state, char *path, size_t size)
{
	const struct gim_provider *provider = gim_unit_provider(state);
	const struct gim_layout *layout = provider ? gim_layout_of(provider, gim_unit_format(state)) : NULL;
	const struct gim_object *object = layout ? gim_state_find(state, provider->record) : NULL;
	const struct gim_row *row = object ? vcpus_row(layout->frames[0].rows, state->layout_version) : NULL;
	if (!row)
		return NULL;
	gim_object_path(object, row->offset, path, size);
	return list_at(object, row);
}

static int store_layout(struct gim_state *state, struct gim_object *head, const struct gim_provider *provider, uint32_t version,
                        struct gim_error *error)
{
	char name[64];
	if (version)
		(void)snprintf(name, sizeof(name), "%s-%s-%u", gim_unit_format(state), provider->name, version);
	else
		(void)snprintf(name, sizeof(name), "%s-%s", gim_unit_format(state), provider->name);
	state->layout_version = version;
	return gim_store_text(state, head, offsetof(struct gim, layout), name, error);
}

static int store_trailing(struct gim_state *state, struct gim_object *head, const uint8_t *bytes, size_t size, struct gim_error *error)
{
	const char *copy = gim_arena_copy(&state->arena, bytes, size);
	if (!copy)
		return GIM_ARENA_FAIL(&state->arena, error, GIM_UNKNOWN, "%zu trailing bytes exceed the memory limit", size);
	GIM_STORE(head, gim, trailing, ((struct gim_text){copy, (uint32_t)size}));
	return 0;
}

/* Report the numbers that a rule wants to be others. */
static void judge_rows(const struct gim_row *rows, uint32_t version, const struct gim_object *roots, size_t root_count,
                       gim_report_fn *report, void *user)
{
	for (const struct gim_row *row = rows; row->op != GIM_ROW_END; row++) {
		if (!row->rule || version < row->since)
			continue;
		for (size_t i = 0; i < root_count; i++) {
			const struct gim_object *object = &roots[i];
			if (object->record != row->record || !object->presence[row->offset])
				continue;
			const uint64_t value = gim_number_load(object->data + row->offset, row->width);
			char path[128];
			gim_object_path(object, row->offset, path, sizeof(path));
			if (value != row->value)
				gim_report(report, user, row->rule, GIM_UNKNOWN, UNIT, path, "0x%llx was found, 0x%llx is expected: %s",
				           (unsigned long long)value, (unsigned long long)row->value, row->rule->help);
		}
	}
}

/* Which rule a payload breaks that does not decode. */
static int name_rule(int result, struct gim_error *error)
{
	if (error && error->code == result && !error->rule)
		error->rule = result == GIM_E_TRUNCATED ? &gim_unit_rules[GIM_UNIT_SHORT]
		              : result == GIM_E_VERSION ? &gim_unit_rules[GIM_UNIT_BLOB_VERSION]
		              : result == GIM_E_LIMIT   ? &gim_unit_rules[GIM_UNIT_TEXT]
		                                        : NULL;
	return result;
}

/* Decode the provider's part, `size` bytes after the head. */
static int decode_provider(struct gim_state *state, const struct gim_codec *codec, const struct gim_provider *provider,
                           const uint8_t *bytes, size_t size, size_t *used, gim_report_fn *report, void *user, struct gim_error *error)
{
	const struct gim_layout *layout = gim_layout_of(provider, gim_unit_format(state));
	struct gim_object *head = gim_state_object(state, &gim_record, error);
	*used = 0;
	if (!head)
		return GIM_E_MEMORY;
	if (!layout)
		return store_layout(state, head, provider, 0, error);
	struct gim_object *object = gim_state_object(state, provider->record, error);
	head = gim_state_object(state, &gim_record, error); /* the array may have moved */
	if (!object || !head)
		return GIM_E_MEMORY;
	struct gim_codec own = *codec;
	own.first = layout->first;
	own.last = layout->last;
	const struct gim_object roots[] = {*object, *head};
	const struct gim_row *rows = layout->frames[0].rows;
	uint32_t version;
	int result = gim_decode(rows, &own, roots, 2, &state->arena, bytes, size, used, &version, error);
	if (version >= layout->first && version <= layout->last) {
		struct gim_error ignored = GIM_ERROR_INIT;
		int stored = store_layout(state, head, provider, version, result ? &ignored : error);
		result = result ? result : stored;
	}
	judge_rows(rows, version, roots, 2, report, user);
	if (result)
		return result;
	const struct gim_row *row = vcpus_row(rows, version);
	const uint32_t vcpus = row ? list_at(object, row)->count : 0;
	if (vcpus && codec->vcpus && vcpus != codec->vcpus)
		gim_report(report, user, &gim_unit_rules[GIM_UNIT_VCPUS], GIM_UNKNOWN, UNIT, NULL,
		           "the GIM unit holds %u vCPUs, other units say %u", vcpus, codec->vcpus);
	return 0;
}

int gim_unit_decode(struct gim_state *state, const struct gim_codec *codec, uint32_t unit_version, const uint8_t *bytes, size_t size,
                    gim_report_fn *report, void *user, struct gim_error *error)
{
	struct gim_object *head = gim_state_object(state, &gim_record, error);
	if (!head)
		return GIM_E_MEMORY;
	GIM_STORE(head, gim, unit_version, unit_version);
	if (unit_version != UNIT_VERSION)
		gim_report(report, user, &gim_unit_rules[GIM_UNIT_VERSION], GIM_UNKNOWN, UNIT, NULL,
		           "unit version %u: every release writes 1 and refuses others; read as version 1", unit_version);
	size_t used;
	uint32_t version;
	int result = gim_decode(head_rows, codec, head, 1, &state->arena, bytes, size, &used, &version, error);
	if (result)
		return name_rule(result, error);
	const uint32_t id = ((const struct gim *)(const void *)head->data)->provider;
	const struct gim_provider *provider = provider_by_id(id);
	if (!provider) {
		(void)gim_fail_rule(error, &gim_unit_rules[GIM_UNIT_PROVIDER], GIM_UNKNOWN,
		                    "provider %u is unknown: 0 to 3 are none, minimal, hyperv and kvm", id);
		gim_error_payload(error, 0);
		gim_error_path(error, "gim.provider");
		return GIM_E_VERSION;
	}
	result = decode_provider(state, codec, provider, bytes + HEAD_BYTES, size - HEAD_BYTES, &used, report, user, error);
	if (result) {
		if (error && error->code == result && error->payload_offset != GIM_UNKNOWN)
			error->payload_offset += HEAD_BYTES;
		return name_rule(result, error);
	}
	used += HEAD_BYTES;
	if (used < size)
		gim_report(report, user, &gim_unit_rules[GIM_UNIT_TRAILING], GIM_UNKNOWN, UNIT, NULL,
		           "%zu bytes follow the %zu that the layout holds", size - used, used);
	head = gim_state_object(state, &gim_record, error);
	result = store_trailing(state, head, bytes + used, size - used, error);
	state->gim_whole = !result;
	return result;
}

/* The first finding becomes the failure. */
static void take_finding(void *user, const struct gim_finding *finding)
{
	struct gim_error *error = (struct gim_error *)user;
	if (error->code)
		return;
	(void)gim_fail_rule(error, finding->rule, GIM_UNKNOWN, "%s", finding->text);
	gim_error_path(error, finding->path);
}

int gim_unit_accept(const struct gim_state *state, struct gim_error *error)
{
	const struct gim_object *head = gim_state_find(state, &gim_record);
	const struct gim_provider *provider = gim_unit_provider(state);
	struct gim_error own = GIM_ERROR_INIT;
	if (!head || !provider)
		return 0;
	const struct gim *gim = (const struct gim *)(const void *)head->data;
	if (head->presence[offsetof(struct gim, unit_version)] && gim->unit_version != UNIT_VERSION) {
		(void)gim_fail_rule(&own, &gim_unit_rules[GIM_UNIT_VERSION], GIM_UNKNOWN, "unit version %u: every release writes 1",
		                    gim->unit_version);
		gim_error_path(&own, "gim.unit_version");
	}
	const struct gim_layout *layout = gim_layout_of(provider, "vbox");
	const struct gim_object *object = provider->record ? gim_state_find(state, provider->record) : NULL;
	if (layout && object)
		judge_rows(layout->frames[0].rows, layout->last, object, 1, take_finding, &own);
	if (!own.code && gim->trailing.length) {
		(void)gim_fail_rule(&own, &gim_unit_rules[GIM_UNIT_TRAILING], GIM_UNKNOWN, "%u bytes follow what the layout holds",
		                    gim->trailing.length);
		gim_error_path(&own, "gim.trailing");
	}
	return own.code ? gim_fail_as(error, &own) : 0;
}

/* A native state says beside its version whether that was given as 0; a unit says it by the number. */
static int encode_head(const struct gim_state *state, const struct gim_codec *codec, const struct gim_object *head,
                       struct gim_buffer *buffer, struct gim_error *error)
{
	const struct gim_object *machine = gim_state_find(state, &machine_state_record);
	struct gim copy = *(const struct gim *)(const void *)head->data;
	if (machine && ((const struct machine_state *)(const void *)machine->data)->newest)
		copy.provider_version = 0;
	const struct gim_object shown = {head->record, (uint8_t *)&copy, head->presence};
	return gim_encode(head_rows, codec, &shown, 1, buffer, error);
}

int gim_unit_encode_as(const struct gim_state *state, const struct gim_layout *layout, const struct gim_codec *codec,
                       struct gim_buffer *buffer, struct gim_error *error)
{
	const struct gim_object *head = gim_state_find(state, &gim_record);
	const struct gim_provider *provider = gim_unit_provider(state);
	const struct gim_object *object = provider && provider->record ? gim_state_find(state, provider->record) : NULL;
	if (!head)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the state has no GIM unit");
	const struct gim *gim = (const struct gim *)(const void *)head->data;
	if (!provider)
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "provider %u is unknown: 0 to 3 are none, minimal, hyperv and kvm",
		                gim->provider);
	if (provider->record && !layout)
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
		                "gim.layout names no layout in which the %s interface could be written", provider->name);
	if (layout && !object)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the state holds nothing of %s; convert can give it another provider",
		                provider->name);
	const size_t start = buffer->size;
	int result = encode_head(state, codec, head, buffer, error);
	if (!result && layout) {
		const struct gim_object roots[] = {*object, *head};
		result = gim_encode(layout->frames[0].rows, codec, roots, 2, buffer, error);
	}
	gim_buffer_bytes(buffer, gim->trailing.bytes, gim->trailing.length);
	if (!result && buffer->failed)
		result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (result)
		buffer->size = start;
	return result;
}

int gim_unit_encode(const struct gim_state *state, const struct gim_codec *codec, struct gim_buffer *buffer, struct gim_error *error)
{
	const struct gim_provider *provider = gim_unit_provider(state);
	struct gim_codec own = *codec;
	own.version = codec->version ? codec->version : state->layout_version;
	return gim_unit_encode_as(state, provider ? gim_layout_of(provider, gim_unit_format(state)) : NULL, &own, buffer, error);
}
