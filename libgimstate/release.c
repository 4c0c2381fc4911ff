/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Releases of what writes a container: which layout they write, and what of a state they do not know. */
#include "error.h"
#include "state.h"
#include "value.h"
#include "visit.h"

#include <stdio.h>
#include <string.h>

static bool before(const struct gim_release *one, unsigned major, unsigned minor)
{
	return one->major < major || (one->major == major && one->minor < minor);
}

int gim_release_find(const char *text, const struct gim_format **format, const struct gim_release **release, struct gim_error *error)
{
	const size_t length = strcspn(text, ":");
	unsigned major, minor;
	char rest;
	if (sscanf(text + length, ":%u.%u%c", &major, &minor, &rest) != 2)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s is no release: vbox:7.2 is one", text);
	for (const struct gim_format *const *each = gim_formats; *each; each++) {
		const struct gim_release *one = (*each)->releases, *last = one;
		if (!one || strlen((*each)->name) != length || strncmp((*each)->name, text, length) != 0)
			continue;
		for (; one->version; last = one++)
			if (one->major == major && one->minor == minor)
				return *format = *each, *release = one, 0;
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s is no release that is known: those from %s:%u.%u to %s:%u.%u are",
		                text, (*each)->name, (*each)->releases->major, (*each)->releases->minor, (*each)->name, last->major,
		                last->minor);
	}
	return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "no releases of %.*s are known: vbox:7.2 is one", (int)length, text);
}

int gim_layout_of_release(const struct gim_state *state, const char *text, char *layout, size_t size_bytes, struct gim_error *error)
{
	const struct gim_provider *provider = gim_unit_provider(state);
	const struct gim_format *format = NULL;
	const struct gim_release *release = NULL;
	uint32_t version = 0;
	int result = gim_release_find(text, &format, &release, error);
	if (result)
		return result;
	const char *own = gim_unit_format(state);
	if (provider && own && !state->fields_only && strcmp(own, format->name) != 0)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		                "%s writes another container: the interface is carried into a state of that kind by convert --base", text);
	const struct gim_layout *written = provider ? gim_layout_of(provider, format->name) : NULL;
	for (const struct gim_release *one = written ? written->releases : NULL; one && one->version; one++)
		if (!before(release, one->major, one->minor))
			version = one->version;
	/* None and Minimal save nothing, in every release that knows them. */
	if (provider && !provider->record)
		(void)snprintf(layout, size_bytes, "%s-%s", format->name, provider->name);
	else if (version)
		(void)snprintf(layout, size_bytes, "%s-%u", written->name, version);
	else
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "no layout in which %s writes this interface is known", text);
	return 0;
}

/* The names of bits of a word, and what is left of it as a number. */
static void name_bits(const struct gim_field *field, uint32_t bits, char *text, size_t size)
{
	size_t used = 0;
	*text = '\0';
	for (const struct gim_bit *bit = field->bits; bit && bit->name && used < size; bit++)
		if (bit->width == 1 && bits >> bit->low & 1)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", bit->name);
}

/* Bits of feature words that the guest was shown, and that only later releases offer. */
static unsigned check_offers(const struct gim_state *state, const struct gim_format *format, const struct gim_release *release,
                             gim_report_fn *report, void *user)
{
	const struct gim_provider *provider = gim_unit_provider(state);
	const struct gim_object *object = provider && provider->record ? gim_state_find(state, provider->record) : NULL;
	const struct gim_layout *layout = object ? gim_layout_of(provider, format->name) : NULL;
	unsigned found = 0;
	for (const struct gim_offer *offer = layout ? layout->offers : NULL; offer && offer->bits; offer++) {
		const uint32_t bits = (uint32_t)gim_number_load(object->data + offer->offset, 4) & offer->bits;
		char path[128], names[128];
		gim_object_path(object, offer->offset, path, sizeof(path));
		const struct gim_value word = gim_state_value(state, path);
		if (!bits || word.presence == GIM_ABSENT || !before(release, offer->major, offer->minor))
			continue;
		name_bits(word.field, bits, names, sizeof(names));
		gim_report(report, user, &gim_convert_rules[GIM_CONVERT_OFFER], GIM_UNKNOWN, NULL, path,
		           "the guest was offered %s, which %s:%u.%u does not have: it is new in %s:%u.%u", names, format->name,
		           release->major, release->minor, format->name, offer->major, offer->minor);
		found++;
	}
	return found;
}

int gim_state_check_release(struct gim_state *state, const char *text, gim_report_fn *report, void *user, struct gim_error *error)
{
	const struct gim_format *format = NULL;
	const struct gim_release *release = NULL;
	int result = gim_release_find(text, &format, &release, error);
	if (result)
		return result;
	/* A container without a GIM unit was not compared with the release before. */
	if (state->format != format && !state->fields_only && state->format->releases)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		                "%s writes another container: the interface is carried into a state of that kind by convert --base", text);
	unsigned found = check_offers(state, format, release, report, user);
	if (state->format == format && format->check_release)
		result = format->check_release(state, release, report, user, error);
	return result < 0 ? result : result || found;
}
