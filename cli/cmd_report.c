/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate report: a state as one page to look at: what it is, whether it is whole, its map, its guest interface explained, its vCPUs. */
#include "command.h"
#include "output.h"
#include "page.h"
#include "progress.h"
#include "report.h"
#include "source.h"
#include "spool.h"
#include "test_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of vCPUs in the table and with all their fields, of items of other lists, and of findings. */
enum { CPUS_LISTED = 64, CPUS_WHOLE = 8, ITEMS_WHOLE = 256, FINDINGS_SHOWN = 200 };

struct report {
	const char *file; /* as it was named */
	struct gim_state *state;
	struct report_map map;
	struct gim_error decoding, walking, verifying; /* what went wrong on the way; what was found before is shown */
	FILE *findings;                                /* of verify, as HTML */
	char *findings_text;
	size_t findings_size;
	unsigned counts[GIM_ERROR + 1];
	struct progress progress;
};

/*
 * Gathering.
 */
static const char *const classes[] = {[GIM_NOTE] = "note", [GIM_WARNING] = "warned", [GIM_ERROR] = "refused"};

static void put_finding(FILE *stream, const struct gim_finding *finding)
{
	const struct gim_rule *rule = finding->rule;
	fprintf(stream, "<li><span class=\"tag %s\">%s</span> <code>%s</code>", classes[finding->severity],
	        severity_name(finding->severity), rule->id);
	if (rule->status_name)
		fprintf(stream, " <code>%s</code>", rule->status_name);
	fputs("\n<p>", stream);
	const char *const places[] = {finding->unit, finding->path};
	for (size_t i = 0; i < 2; i++)
		if (places[i] && *places[i]) {
			fputs(i ? "" : "unit ", stream);
			put_xml(stream, places[i]);
			fputs(": ", stream);
		}
	put_xml(stream, finding->text);
	if (finding->offset != GIM_UNKNOWN)
		fprintf(stream, " (at byte 0x%" PRIx64 ")", finding->offset);
	fputs("</p>\n<p class=\"mend\">", stream);
	if (rule->why) {
		fputs("Why: ", stream);
		put_xml(stream, rule->why);
		fputs(". ", stream);
	}
	if (rule->mend) {
		fputs("Mend: ", stream);
		put_xml(stream, rule->mend);
		fputs(".", stream);
	}
	fputs("</p></li>\n", stream);
}

static void take_finding(void *user, const struct gim_finding *finding)
{
	struct report *report = (struct report *)user;
	const unsigned before = report->counts[GIM_NOTE] + report->counts[GIM_WARNING] + report->counts[GIM_ERROR];
	report->counts[finding->severity]++;
	if (before < FINDINGS_SHOWN)
		put_finding(report->findings, finding);
}

/* The file is read twice and more, so what comes through a pipe is copied first. Returns the path to read; the descriptor is the copy's, or -1. */
static const char *settle(const char *file, int *copy, char path[4200], struct gim_error *error)
{
	const size_t length = gim_path_file(file);
	if (length != 1 || *file != '-' || lseek(STDIN_FILENO, 0, SEEK_CUR) >= 0)
		return source_path(file, error);
	*copy = spool_fd(error);
	if (*copy < 0 || spool_fill(*copy, STDIN_FILENO, error))
		return NULL;
	if (snprintf(path, 4200, "/proc/self/fd/%d%s", *copy, file + length) >= 4200)
		return error_set(error, GIM_E_ARGUMENT, "its name is too long: at most 4 KiB are possible"), NULL;
	return path;
}

static int gather(struct report *report, const char *path, bool map_only, struct gim_error *error)
{
	const struct gim_verify_options how = {.progress = progress_step, .progress_user = &report->progress};
	/* What is too damaged to be opened can still be verified. */
	if (gim_state_open_settled(path, &report->state, error) && (map_only || error_status(error) != EXIT_NO))
		return error->code;
	if (!report->state)
		report->decoding = *error;
	else if (report_map_read(&report->map, report->state, &report->walking) && report->walking.code <= GIM_E_IO)
		return *error = report->walking, error->code; /* the state is not to blame */
	if (map_only)
		return 0;
	if (report->state)
		(void)gim_state_decode(report->state, GIM_PART_GIM | GIM_PART_GUEST | GIM_PART_INFO, NULL, NULL, &report->decoding);
	if (report->decoding.code <= GIM_E_IO)
		return *error = report->decoding, error->code;
	*error = (struct gim_error)GIM_ERROR_INIT;
	report->findings = open_memstream(&report->findings_text, &report->findings_size);
	if (!report->findings)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	progress_start(&report->progress, report->file);
	(void)gim_verify(path, &how, take_finding, report, &report->verifying);
	progress_clear(&report->progress);
	if (fclose(report->findings) || !report->findings_text)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	return 0;
}

/*
 * What the state is.
 */
static void put_term(const char *label)
{
	printf("<dt>%s</dt><dd>", label);
}

static void put_text(const struct gim_value *value)
{
	char text[300];
	(void)snprintf(text, sizeof(text), "%.*s", value->length_bytes < sizeof(text) ? (int)value->length_bytes : 0, value->bytes);
	put_xml(stdout, text);
}

/* A text, or a number by its meaning; nothing where it is absent. */
static void put_fact(const struct gim_state *state, const char *label, const char *path)
{
	struct gim_value value;
	char text[300];
	if (!value_look_up(state, path, &value) || (value.kind == GIM_VALUE_BYTES && !value.length_bytes))
		return;
	put_term(label);
	if (value.kind == GIM_VALUE_BYTES) {
		put_text(&value);
	} else {
		if (!gim_value_meaning(&value, text, sizeof(text)))
			(void)gim_value_text(&value, text, sizeof(text));
		put_xml(stdout, text);
	}
	puts("</dd>");
}

static void put_sizes(const struct report *report)
{
	struct gim_value value;
	char size[16];
	if (report->map.file_bytes) {
		report_size_text(report->map.file_bytes, size);
		put_term("size");
		printf("%s (%" PRIu64 " bytes), %zu units</dd>\n", size, report->map.file_bytes,
		       report->map.count + (size_t)report->map.more);
	}
	if (value_look_up(report->state, "guest.ram_bytes", &value)) {
		report_size_text(value.number, size);
		put_term("RAM");
		printf("%s</dd>\n", size);
	}
}

static void put_summary(const struct report *report)
{
	const struct gim_state *state = report->state;
	struct gim_value value;
	puts("<dl class=\"facts\">");
	put_fact(state, "container", "source.container");
	put_fact(state, "producer", "source.producer");
	put_fact(state, "release", "source.release");
	put_fact(state, "host", "source.host_os");
	if (value_look_up(state, "source.live", &value) && value.number)
		puts("<dt>saved</dt><dd>live, in passes</dd>");
	put_sizes(report);
	put_fact(state, "vCPUs", "guest.vcpus");
	put_fact(state, "TSC", "guest.tsc_hz");
	put_fact(state, "ran for", "guest.virtual_ns");
	put_fact(state, "interface", value_look_up(state, "gim.provider", &value) ? "gim.provider" : "gim.interfaces");
	put_fact(state, "layout", "gim.layout");
	put_fact(state, "guest OS", "hyperv.guest_os_id");
	puts("</dl>");
}

/*
 * The screenshot: the one that is a PNG image, else a thumbnail of 4 bytes a pixel, which becomes a BMP image.
 */
struct shot {
	struct gim_value png, bitmap;
	uint64_t width, height; /* of the item that is gone through */
	uint64_t bitmap_width, bitmap_height;
};

static int take_shot(void *user, const char *path, const struct gim_value *value)
{
	struct shot *shot = (struct shot *)user;
	const char *dot = strrchr(path, '.'), *name = dot ? dot + 1 : path;
	if (!strcmp(name, "width"))
		shot->width = value->number;
	else if (!strcmp(name, "height"))
		shot->height = value->number;
	if (value->kind != GIM_VALUE_BYTES || value->presence == GIM_ABSENT)
		return 0;
	if (value->length_bytes > 8 && !memcmp(value->bytes, "\211PNG\r\n\032\n", 8)) {
		shot->png = *value;
	} else if (shot->width && shot->height && shot->width < 4096 && shot->height < 4096 &&
	           value->length_bytes == 4 * shot->width * shot->height) {
		shot->bitmap = *value;
		shot->bitmap_width = shot->width;
		shot->bitmap_height = shot->height;
	}
	return 0;
}

struct base64 {
	unsigned char held[3];
	unsigned count;
};

/* Four digits for what is held; those that stand for nothing are padding. */
static void put_digits(struct base64 *base64)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned word = (unsigned)base64->held[0] << 16 | (unsigned)base64->held[1] << 8 | base64->held[2];
	for (unsigned i = 0; i < 4; i++)
		putchar(i <= base64->count ? digits[word >> (18 - 6 * i) & 63] : '=');
	*base64 = (struct base64){.count = 0};
}

static void put_base64(struct base64 *base64, const void *bytes, size_t size)
{
	for (const unsigned char *at = bytes, *end = at + size; at < end; at++) {
		base64->held[base64->count++] = *at;
		if (base64->count == 3)
			put_digits(base64);
	}
}

static void end_base64(struct base64 *base64)
{
	if (base64->count)
		put_digits(base64);
}

static void little(unsigned char *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

/* Header of a BMP file whose rows go from the top down. */
static void put_bitmap_head(struct base64 *base64, const struct shot *shot)
{
	unsigned char head[54] = "BM";
	little(head + 2, (uint32_t)(sizeof(head) + shot->bitmap.length_bytes));
	little(head + 10, sizeof(head));
	little(head + 14, 40);
	little(head + 18, (uint32_t)shot->bitmap_width);
	little(head + 22, (uint32_t) - (int32_t)shot->bitmap_height);
	head[26] = 1;
	head[28] = 32;
	put_base64(base64, head, sizeof(head));
}

static void put_screenshot(const struct gim_state *state)
{
	struct shot shot = {.width = 0};
	struct base64 base64 = {.count = 0};
	(void)gim_state_visit(state, "vbox.display.screenshot", take_shot, &shot, NULL);
	const bool png = shot.png.length_bytes;
	if (!png && !shot.bitmap.length_bytes)
		return;
	printf("<figure><img alt=\"The guest's screen when it was saved\" src=\"data:image/%s;base64,", png ? "png" : "bmp");
	if (png) {
		put_base64(&base64, shot.png.bytes, shot.png.length_bytes);
	} else {
		put_bitmap_head(&base64, &shot);
		put_base64(&base64, shot.bitmap.bytes, shot.bitmap.length_bytes);
	}
	end_base64(&base64);
	puts("\"><figcaption>the screen when it was saved</figcaption></figure>");
}

/*
 * Sections.
 */
static void put_failure(const char *what, const struct gim_error *error)
{
	if (!error->code)
		return;
	fputs("<p><span class=\"tag refused\">error</span> ", stdout);
	fputs(what, stdout);
	const char *const places[] = {error->unit, error->path};
	for (size_t i = 0; i < 2; i++)
		if (*places[i]) {
			fputs(i ? "" : "unit ", stdout);
			put_xml(stdout, places[i]);
			fputs(": ", stdout);
		}
	put_xml(stdout, error->text);
	put_error_place(stdout, error);
	puts("</p>");
}

static void put_integrity(const struct report *report)
{
	const unsigned errors = report->counts[GIM_ERROR], warnings = report->counts[GIM_WARNING];
	const unsigned all = errors + warnings + report->counts[GIM_NOTE];
	const bool unknown = report->verifying.code;
	printf("<h2 id=\"integrity\">Integrity</h2>\n<p><span class=\"tag %s\">%s</span> %u error%s, %u warning%s</p>\n",
	       unknown    ? "unknown"
	       : errors   ? "refused"
	       : warnings ? "warned"
	                  : "fits",
	       unknown  ? "cannot be judged"
	       : errors ? "corrupt"
	                : "whole",
	       errors, errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
	put_failure("", &report->verifying);
	if (!all)
		return;
	puts("<ul class=\"findings\">");
	fputs(report->findings_text, stdout);
	puts("</ul>");
	if (all > FINDINGS_SHOWN)
		printf("<p>%u more findings are left out; <code>gimstate verify</code> prints them.</p>\n", all - FINDINGS_SHOWN);
}

static void put_map(const struct report *report)
{
	puts("<h2 id=\"map\">Map of the file</h2>\n<p class=\"sum\">Each strip is a pass in which it was written, first to last; each box "
	     "a unit, as wide as it is "
	     "large, and never too narrow to be seen.</p>");
	put_failure("The units could not all be read. ", &report->walking);
	if (!report->map.count)
		return;
	puts("<div class=\"scroll\" role=\"region\" aria-label=\"Map of the file\" tabindex=\"0\">");
	report_map_put(&report->map, report->file, false);
	puts("</div>\n<details class=\"group\"><summary>All units as a table</summary>");
	report_units_put(&report->map);
	puts("</details>");
}

/* What has a section of its own: the interface's records, then the vCPUs. */
static const char *const interface_records[] = {"gim", "hyperv", "kvm", "minimal", "guest.vcpu", NULL};

static void put_interface(const struct report *report)
{
	size_t stored = 0;
	puts("<h2 id=\"interface\">Guest interface</h2>\n<p class=\"sum\">What the hypervisor offered its guest, and what the guest had "
	     "made of it. <em>Absent</em> is what "
	     "this layout cannot hold.</p>");
	for (size_t i = 0; interface_records[i + 1]; i++)
		if (report_stores(report->state, interface_records[i]))
			stored += report_fields_put(report->state, interface_records[i], NULL, ITEMS_WHOLE, true);
	if (!stored)
		puts("<p>There is none in this state.</p>");
}

static void put_registers(const struct gim_state *state)
{
	static const char *const names[] = {"rip", "rsp", "rflags", "cr0", "cr3", "cr4", "msr.efer", "tsc"};
	enum { NAMES = sizeof(names) / sizeof(names[0]) };
	struct gim_value value;
	char path[64], text[64];
	puts("<div class=\"scroll\" role=\"region\" aria-label=\"Registers\" tabindex=\"0\">\n<table>\n<thead><tr><th "
	     "scope=\"col\">vCPU</th>");
	for (size_t n = 0; n < NAMES; n++)
		printf("<th scope=\"col\">%s</th>", names[n]);
	puts("</tr></thead>\n<tbody>");
	for (unsigned cpu = 0; cpu < CPUS_LISTED; cpu++) {
		(void)snprintf(path, sizeof(path), "guest.vcpu[%u].rip", cpu);
		if (!value_look_up(state, path, &value))
			break;
		printf("<tr><th scope=\"row\">%u</th>", cpu);
		for (size_t n = 0; n < NAMES; n++) {
			(void)snprintf(path, sizeof(path), "guest.vcpu[%u].%s", cpu, names[n]);
			(void)snprintf(text, sizeof(text), "absent");
			if (value_look_up(state, path, &value))
				(void)gim_value_text(&value, text, sizeof(text));
			printf("<td class=\"number\"><code>%s</code></td>", text);
		}
		puts("</tr>");
	}
	puts("</tbody>\n</table>\n</div>");
}

static void put_guest(const struct report *report)
{
	struct gim_value value;
	puts("<h2 id=\"vcpus\">vCPUs</h2>");
	if (value_look_up(report->state, "guest.vcpu[0].rip", &value))
		put_registers(report->state);
	if (!report_fields_put(report->state, "guest.vcpu", NULL, CPUS_WHOLE, false))
		puts("<p>This state says nothing of them.</p>");
	puts("<h2 id=\"rest\">The rest</h2>");
	(void)report_fields_put(report->state, NULL, interface_records, ITEMS_WHOLE, false);
}

static void put_links(void)
{
	puts("<nav aria-label=\"Sections\"><a href=\"#integrity\">Integrity</a> <a href=\"#map\">Map</a> <a href=\"#interface\">Guest "
	     "interface</a> "
	     "<a href=\"#vcpus\">vCPUs</a> <a href=\"#rest\">The rest</a></nav>");
}

static void put_state(const struct report *report)
{
	put_map(report);
	puts("<form class=\"filter\" hidden role=\"search\"><label class=\"name\">Fields that contain <input type=\"search\" "
	     "name=\"name\"></label>\n"
	     "<button type=\"button\" name=\"all\">open all</button></form>\n<p class=\"shown\" role=\"status\"></p>");
	put_interface(report);
	put_guest(report);
}

static void put_page(const struct report *report)
{
	char title[300];
	(void)snprintf(title, sizeof(title), "%.280s - gimstate", report->file);
	page_begin(title);
	puts("<a class=\"skip\" href=\"#integrity\">Skip to the integrity</a>\n<main class=\"report\">");
	fputs("<h1>", stdout);
	put_xml(stdout, report->file);
	puts("</h1>");
	if (report->state) {
		put_links();
		puts("<div class=\"top\">");
		put_summary(report);
		put_screenshot(report->state);
		puts("</div>");
	}
	if (report->decoding.code != GIM_E_NO_UNIT)
		put_failure(report->state ? "Not all of it could be decoded. " : "It cannot be opened. ", &report->decoding);
	put_integrity(report);
	if (report->state)
		put_state(report);
	printf("<footer>gimstate %s</footer>\n</main>\n", GIM_VERSION);
	page_end(report->state ? report_script : NULL);
}

static int print(struct report *report, const char *path, bool map_only)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (gather(report, path, map_only, &error))
		return output_error(report->file, &error, false);
	if (map_only)
		report_map_put(&report->map, report->file, true);
	else
		put_page(report);
	if (map_only && report->walking.code)
		(void)output_error(report->file, &report->walking, false);
	if (report->verifying.code)
		return output_error(report->file, &report->verifying, false);
	return report->counts[GIM_ERROR] || report->walking.code ? EXIT_NO : EXIT_YES;
}

int run_report(const struct options *options, int count, char **operands)
{
	(void)count;
	struct gim_error error = GIM_ERROR_INIT;
	struct report report = {.file = strcmp(operands[0], "-") ? operands[0] : "standard input",
	                        .decoding = GIM_ERROR_INIT,
	                        .walking = GIM_ERROR_INIT,
	                        .verifying = GIM_ERROR_INIT};
	char copied[4200];
	int copy = -1;
	if (options->html == options->svg)
		return usage_error(command_find("report"), false, "report takes one of --html and --svg");
	const char *path = settle(operands[0], &copy, copied, &error);
	const int status = path ? print(&report, path, options->svg) : output_error(report.file, &error, false);
	gim_state_free(&report.state);
	report_map_free(&report.map);
	free(report.findings_text);
	if (copy >= 0)
		(void)close(copy);
	return status;
}
