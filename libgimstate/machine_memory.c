/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest memory: ordinary RAM, and the read-only pages that the interface lays over it. */
#include "machine.h"

#include "error.h"

#include <assert.h>
#include <string.h>

/* Guest-physical addresses have at most 52 bits; of flat RAM it is known where it ends. */
static bool may_be_ram(const struct gim_machine *machine, uint64_t gpa, size_t size)
{
	const uint64_t end = machine->ram ? machine->config.ram_bytes : UINT64_C(1) << 52;
	return size <= end && gpa <= end - size;
}

int gim_ram_read(struct gim_machine *machine, uint64_t gpa, void *bytes, size_t size)
{
	if (!size)
		return 0;
	if (!may_be_ram(machine, gpa, size))
		return -1;
	if (!machine->ram)
		return machine->host.memory_read(machine->host.user, gpa, bytes, size);
	memcpy(bytes, machine->ram + gpa, size);
	return 0;
}

int gim_ram_write(struct gim_machine *machine, uint64_t gpa, const void *bytes, size_t size)
{
	if (!size)
		return 0;
	if (!may_be_ram(machine, gpa, size))
		return -1;
	if (!machine->ram)
		return machine->host.memory_write(machine->host.user, gpa, bytes, size);
	memcpy(machine->ram + gpa, bytes, size);
	return 0;
}

bool gim_ram_is(struct gim_machine *machine, uint64_t gpa, size_t size)
{
	if (machine->ram || !size || !may_be_ram(machine, gpa, size))
		return !size || may_be_ram(machine, gpa, size);
	/* A page is RAM as a whole or not at all. */
	const uint64_t last = gpa + size - 1;
	uint8_t byte;
	for (uint64_t at = gpa;;) {
		if (machine->host.memory_read(machine->host.user, at, &byte, 1))
			return false;
		if ((at ^ last) < GIM_PAGE_BYTES)
			return true;
		at = (at / GIM_PAGE_BYTES + 1) * GIM_PAGE_BYTES;
	}
}

int gim_ram_zero_page(struct gim_machine *machine, uint64_t gpa)
{
	static const uint8_t zeros[GIM_PAGE_BYTES];
	return gim_ram_write(machine, gpa, zeros, sizeof(zeros));
}

/*
 * Pages. What is below one is never touched, so it shows again when the page goes.
 */
void gim_page_changed(struct gim_machine *machine, unsigned index)
{
	const struct gim_overlay *overlay = &machine->pages[index];
	const struct gim_page page = {overlay->name, overlay->gpa, overlay->bytes};
	if (machine->host.page)
		machine->host.page(machine->host.user, &page);
}

/* Why page `index` cannot be laid over gpa; NULL: it can. */
static const char *obstacle(struct gim_machine *machine, unsigned index, uint64_t gpa)
{
	if (!machine->device)
		return "the device that carries the pages is not registered";
	if (gpa % GIM_PAGE_BYTES)
		return "the address is not a multiple of 4096";
	if (!gim_ram_is(machine, gpa, GIM_PAGE_BYTES))
		return "no ordinary RAM is there";
	for (unsigned other = 0; other < machine->page_count; other++)
		if (other != index && machine->pages[other].gpa == gpa)
			return "another page is there";
	return NULL;
}

int gim_page_check(struct gim_machine *machine, unsigned index, uint64_t gpa, struct gim_error *error)
{
	assert(index < machine->page_count);
	const char *why = obstacle(machine, index, gpa);
	return why ? gim_fail_rule(error, &gim_load_rules[GIM_LOAD_PAGE], GIM_UNKNOWN, "%s cannot be laid over 0x%llx: %s",
	                           machine->pages[index].name, (unsigned long long)gpa, why)
	           : 0;
}

int gim_page_map(struct gim_machine *machine, unsigned index, uint64_t gpa, struct gim_error *error)
{
	assert(index < machine->page_count);
	struct gim_overlay *overlay = &machine->pages[index];
	const char *why = obstacle(machine, index, gpa);
	if (why)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s cannot be laid over 0x%llx: %s", overlay->name,
		                (unsigned long long)gpa, why);
	overlay->gpa = gpa;
	gim_page_changed(machine, index);
	return 0;
}

void gim_page_unmap(struct gim_machine *machine, unsigned index)
{
	assert(index < machine->page_count);
	if (machine->pages[index].gpa == GIM_UNKNOWN)
		return;
	machine->pages[index].gpa = GIM_UNKNOWN;
	gim_page_changed(machine, index);
}

bool gim_machine_page(const struct gim_machine *machine, unsigned index, struct gim_page *page)
{
	if (index >= machine->page_count)
		return false;
	const struct gim_overlay *overlay = &machine->pages[index];
	*page = (struct gim_page){overlay->name, overlay->gpa, overlay->bytes};
	return true;
}

static int no_ram(struct gim_error *error, uint64_t gpa, size_t size)
{
	return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "not all of the %zu bytes at 0x%llx is ordinary RAM", size,
	                (unsigned long long)gpa);
}

/* The page that covers the byte at gpa, or NULL; *end: how far from gpa on that stays so, at most to `limit`. */
static const struct gim_overlay *page_at(const struct gim_machine *machine, uint64_t gpa, uint64_t limit, uint64_t *end)
{
	*end = limit;
	for (unsigned i = 0; i < machine->page_count; i++) {
		const struct gim_overlay *overlay = &machine->pages[i];
		if (overlay->gpa == GIM_UNKNOWN)
			continue;
		if (gpa >= overlay->gpa && gpa - overlay->gpa < GIM_PAGE_BYTES) {
			*end = limit - overlay->gpa < GIM_PAGE_BYTES ? limit : overlay->gpa + GIM_PAGE_BYTES;
			return overlay;
		}
		if (overlay->gpa > gpa && overlay->gpa < *end)
			*end = overlay->gpa;
	}
	return NULL;
}

int gim_machine_read(struct gim_machine *machine, uint64_t gpa, void *bytes, size_t size_bytes, struct gim_error *error)
{
	if (gim_ram_read(machine, gpa, bytes, size_bytes)) /* pages are laid over RAM only */
		return no_ram(error, gpa, size_bytes);
	uint8_t *to = bytes;
	for (uint64_t at = gpa, end; at < gpa + size_bytes; at = end) {
		const struct gim_overlay *overlay = page_at(machine, at, gpa + size_bytes, &end);
		if (overlay)
			memcpy(to + (at - gpa), overlay->bytes + (at - overlay->gpa), (size_t)(end - at));
	}
	return 0;
}

int gim_machine_write(struct gim_machine *machine, uint64_t gpa, const void *bytes, size_t size_bytes, struct gim_error *error)
{
	const uint8_t *from = bytes;
	int result = gim_ram_is(machine, gpa, size_bytes) ? 0 : -1;
	for (uint64_t at = gpa, end; !result && at < gpa + size_bytes; at = end)
		if (!page_at(machine, at, gpa + size_bytes, &end))
			result = gim_ram_write(machine, at, from + (at - gpa), (size_t)(end - at));
	return result ? no_ram(error, gpa, size_bytes) : 0;
}
