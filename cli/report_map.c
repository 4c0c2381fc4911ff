/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The map of a file: what it is made of by size, in the order of the file, and over the passes of a live save in time. */
#include "report.h"

#include "command.h"
#include "output.h"
#include "test_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int report_map_read(struct report_map *map, struct gim_state *state, struct gim_error *error)
{
	struct gim_unit unit = {.offset = 0};
	struct gim_value size;
	int result;
	if (value_look_up(state, "source.size_bytes", &size))
		map->file_bytes = size.number;
	map->units = calloc(REPORT_UNITS, sizeof(*map->units));
	if (!map->units)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	while ((result = gim_unit_next(state, &unit, error)) > 0) {
		if (map->count < REPORT_UNITS) {
			map->units[map->count++] = unit;
			continue;
		}
		map->more++;
		map->more_bytes += unit.stored_bytes == GIM_UNKNOWN ? 0 : unit.stored_bytes;
	}
	return result;
}

void report_map_free(struct report_map *map)
{
	free(map->units);
	*map = (struct report_map){.count = 0};
}

void report_size_text(uint64_t size_bytes, char text[16])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double size = (double)size_bytes;
	size_t unit = 0;
	for (; size >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		size /= 1024;
	(void)snprintf(text, 16, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

static uint64_t stored(const struct gim_unit *unit)
{
	return unit->stored_bytes == GIM_UNKNOWN ? 0 : unit->stored_bytes;
}

enum { NAME_BYTES = sizeof(((struct gim_unit *)NULL)->name) + 16 };

/*
 * Kinds, told apart by colour and in words.
 */
enum kind { KIND_INTERFACE, KIND_PROCESSOR, KIND_MEMORY, KIND_DEVICE, KINDS };

static const struct {
	const char *class, *title;
} kinds[KINDS] = {[KIND_INTERFACE] = {"k-interface", "guest interface"},
                  [KIND_PROCESSOR] = {"k-processor", "processors and time"},
                  [KIND_MEMORY] = {"k-memory", "memory"},
                  [KIND_DEVICE] = {"k-device", "devices and the rest"}};

static enum kind kind_of(const struct gim_unit *unit)
{
	static const struct {
		const char *name;
		enum kind kind;
	} names[] = {{"GIM", KIND_INTERFACE},     {"GCM", KIND_PROCESSOR},    {"cpum", KIND_PROCESSOR},       {"apic", KIND_PROCESSOR},
	             {"tm", KIND_PROCESSOR},      {"em", KIND_PROCESSOR},     {"vmm", KIND_PROCESSOR},        {"trpm", KIND_PROCESSOR},
	             {"hm", KIND_PROCESSOR},      {"HWACCM", KIND_PROCESSOR}, {"selm", KIND_PROCESSOR},       {"csam", KIND_PROCESSOR},
	             {"patm", KIND_PROCESSOR},    {"iem", KIND_PROCESSOR},    {"pgm", KIND_MEMORY},           {"mm", KIND_MEMORY},
	             {"ram", KIND_MEMORY},        {"cpu", KIND_PROCESSOR},    {"cpu_common", KIND_PROCESSOR}, {"timer", KIND_PROCESSOR},
	             {"kvmclock", KIND_INTERFACE}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(unit->name, names[i].name))
			return names[i].kind;
	return KIND_DEVICE;
}

static void name_of(const struct gim_unit *unit, char text[NAME_BYTES])
{
	(void)snprintf(text, NAME_BYTES, "%s/%" PRIu32, unit->name, unit->instance);
}

static void pass_of(const struct gim_unit *unit, char text[24])
{
	if (unit->pass == GIM_PASS_FINAL)
		(void)snprintf(text, 24, "final");
	else
		(void)snprintf(text, 24, "%" PRIu32, unit->pass);
}

static double share_of(const struct report_map *map, uint64_t size)
{
	return map->file_bytes ? 100.0 * (double)size / (double)map->file_bytes : 0;
}

/*
 * The drawing. Every unit is at least LEAST wide, so that it can be seen; what is left of a strip is shared by size.
 */
enum { WIDTH = 960, LEFT = 90, RIGHT = 110, STRIP = 40, GAP = 14, TOP = 8, LEAST = 3, STRIPS = 24, BOXES = 200 };

/* One pass: the units from first to end. */
struct strip {
	size_t first, end;
	uint64_t bytes;
};

/* Passes in the order of the file. Those between are joined when there are too many. */
static size_t find_strips(const struct report_map *map, struct strip strips[STRIPS])
{
	size_t count = 0;
	for (size_t i = 0; i < map->count; i++) {
		const bool same = count && map->units[i].pass == map->units[strips[count - 1].first].pass;
		const bool joined = count == STRIPS - 1 && map->units[i].pass != GIM_PASS_FINAL;
		if (!same && !joined && count < STRIPS)
			strips[count++] = (struct strip){.first = i};
		strips[count - 1].end = i + 1;
		strips[count - 1].bytes += stored(&map->units[i]);
	}
	return count;
}

static void put_box(const struct report_map *map, const struct gim_unit *unit, double x, double y, double width)
{
	char name[NAME_BYTES], size[16];
	name_of(unit, name);
	report_size_text(stored(unit), size);
	printf("<g class=\"%s\"><title>", kinds[kind_of(unit)].class);
	put_xml(stdout, name);
	printf(": %s, %.1f%% of the file, at byte 0x%" PRIx64 "</title><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"/>", size,
	       share_of(map, stored(unit)), unit->offset, x, y, width, STRIP);
	if (width > 9 * (double)strlen(name) + 8) {
		printf("<text x=\"%.1f\" y=\"%.1f\">", x + 5, y + STRIP / 2.0 + 5);
		put_xml(stdout, name);
		fputs("</text>", stdout);
	}
	puts("</g>");
}

static void put_strip(const struct report_map *map, const struct strip *strip, double y)
{
	const size_t all = strip->end - strip->first, shown = all < BOXES ? all : BOXES;
	const double room = WIDTH - LEFT - RIGHT - (double)(LEAST * shown), bytes = strip->bytes ? (double)strip->bytes : 1;
	char pass[24], size[16];
	double x = LEFT;
	pass_of(&map->units[strip->first], pass);
	report_size_text(strip->bytes, size);
	printf("<text class=\"label\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">pass %s</text>\n", LEFT - 8, y + STRIP / 2.0 + 5, pass);
	for (size_t i = strip->first; i < strip->first + shown; i++) {
		const double width = LEAST + room * (double)stored(&map->units[i]) / bytes;
		put_box(map, &map->units[i], x, y, width - 1);
		x += width;
	}
	printf("<text class=\"label\" x=\"%d\" y=\"%.1f\">%s</text>\n", WIDTH - RIGHT + 8, y + STRIP / 2.0 + 5, size);
}

static void put_legend(double y)
{
	double x = LEFT;
	for (size_t k = 0; k < KINDS; k++) {
		printf("<g class=\"%s\"><rect x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"14\"/></g>"
		       "<text class=\"label\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
		       kinds[k].class, x, y, x + 20, y + 12, kinds[k].title);
		x += 40 + 8 * (double)strlen(kinds[k].title);
	}
}

static void put_own_style(void)
{
	puts("<style>\nsvg { color-scheme: light dark; background: #ffffff; }\n"
	     "text { font: 14px system-ui, sans-serif; fill: #ffffff; }\n.label { fill: #1c2024; }\n"
	     ".k-interface rect { fill: #b3261e; } .k-processor rect { fill: #0b57a8; }\n"
	     ".k-memory rect { fill: #4a5560; } .k-device rect { fill: #1e6b3a; }\n"
	     "@media (prefers-color-scheme: dark) { svg { background: #14171b; } .label { fill: #e4e8ed; } }\n</style>");
}

void report_map_put(const struct report_map *map, const char *title, bool alone)
{
	struct strip strips[STRIPS];
	const size_t count = find_strips(map, strips);
	const int height = TOP + (int)count * (STRIP + GAP) + 24;
	if (alone)
		puts("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
	printf("<svg class=\"map\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"map-title\">\n"
	       "<title id=\"map-title\">",
	       WIDTH, height);
	put_xml(stdout, title);
	printf(": %zu unit%s in %zu pass%s, by size</title>\n", map->count, map->count == 1 ? "" : "s", count, count == 1 ? "" : "es");
	if (alone)
		put_own_style();
	for (size_t s = 0; s < count; s++)
		put_strip(map, &strips[s], TOP + (double)s * (STRIP + GAP));
	put_legend(height - 20);
	puts("</svg>");
}

/*
 * The table.
 */
static void put_size(uint64_t size)
{
	if (size == GIM_UNKNOWN)
		fputs("<td class=\"number\">?</td>", stdout);
	else
		printf("<td class=\"number\">%" PRIu64 "</td>", size);
}

static void put_unit(const struct report_map *map, const struct gim_unit *unit)
{
	char name[NAME_BYTES], pass[24];
	name_of(unit, name);
	pass_of(unit, pass);
	printf("<tr><th scope=\"row\"><span class=\"dot %s\"></span><code>", kinds[kind_of(unit)].class);
	put_xml(stdout, name);
	printf("</code></th><td class=\"number\">%" PRIu32 "</td><td class=\"number\">%s</td><td class=\"number\"><code>0x%" PRIx64
	       "</code></td>",
	       unit->version, pass, unit->offset);
	put_size(unit->stored_bytes);
	put_size(unit->payload_bytes);
	printf("<td class=\"number\">%.1f%%</td><td>%s</td></tr>\n", share_of(map, stored(unit)), unit->decodable ? "yes" : "");
}

void report_units_put(const struct report_map *map)
{
	puts("<div class=\"scroll\" role=\"region\" aria-label=\"Units\" tabindex=\"0\">\n<table>\n<thead><tr><th scope=\"col\">unit</th>"
	     "<th scope=\"col\">version</th><th scope=\"col\">pass</th><th scope=\"col\">offset</th><th scope=\"col\">stored</th>"
	     "<th scope=\"col\">unpacked</th><th scope=\"col\">share</th><th scope=\"col\">decoded</th></tr></thead>\n<tbody>");
	for (size_t i = 0; i < map->count; i++)
		put_unit(map, &map->units[i]);
	puts("</tbody>\n</table>\n</div>");
	if (map->more)
		printf("<p>%" PRIu64 " more units of %" PRIu64 " bytes are left out; <code>gimstate units</code> lists them.</p>\n",
		       map->more, map->more_bytes);
}
