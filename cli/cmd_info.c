/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate info: what the state is, on one screen. */
#include "command.h"
#include "output.h"
#include "snapshots.h"
#include "source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void put_label(const char *label)
{
	printf("%-10s ", label);
}

static void put_unknown(void)
{
	put_styled(stdout, STYLE_DIM, "unknown");
	putchar('\n');
}

/* A string without the quotes that a dump shows it in. */
static void put_bytes(const struct gim_value *value)
{
	char text[256];
	(void)snprintf(text, sizeof(text), "%.*s", (int)value->length_bytes, value->bytes);
	put_safe(stdout, text);
}

static void put_text(const struct gim_state *state, const char *label, const char *path, const char *more)
{
	struct gim_value value;
	put_label(label);
	if (!source_value(state, path, &value)) {
		put_unknown();
		return;
	}
	put_bytes(&value);
	if (source_value(state, more, &value)) {
		fputs(" (", stdout);
		put_bytes(&value);
		putchar(')');
	}
	putchar('\n');
}

/* A number, for people: its meaning where it has one. */
static void put_number(const struct gim_state *state, const char *label, const char *path)
{
	struct gim_value value;
	char text[256] = "", meaning[256] = "";
	put_label(label);
	if (!source_value(state, path, &value)) {
		put_unknown();
		return;
	}
	(void)gim_value_text(&value, text, sizeof(text));
	(void)gim_value_meaning(&value, meaning, sizeof(meaning));
	printf("%s%s%s%s\n", *meaning ? meaning : text, *meaning ? " (" : "", *meaning ? text : "", *meaning ? ")" : "");
}

static void put_ram(const struct gim_state *state)
{
	struct gim_value value;
	put_label("RAM");
	if (source_value(state, "guest.ram_bytes", &value))
		printf("%" PRIu64 " MiB\n", value.number >> 20);
	else
		put_unknown();
}

static int keep_index(void *user, const char *path, const struct gim_value *value)
{
	const char *bracket = strchr(path, '[');
	(void)value;
	if (bracket)
		*(uint64_t *)user = strtoull(bracket + 1, NULL, 10) + 1;
	return 0;
}

/* What cpum says, else the length of the interface's own list. */
static void put_vcpus(const struct gim_state *state)
{
	static const char *const lists[] = {"hyperv.vp", "kvm.vcpu"};
	struct gim_value value;
	uint64_t count = 0;
	if (source_value(state, "guest.vcpus", &value))
		count = value.number;
	for (size_t i = 0; !count && i < sizeof(lists) / sizeof(lists[0]); i++)
		(void)gim_state_visit(state, lists[i], keep_index, &count, NULL);
	put_label("vCPUs");
	if (count)
		printf("%" PRIu64 "\n", count);
	else
		put_unknown();
}

static void put_flags(const struct gim_state *state)
{
	struct gim_value value;
	put_label("flags");
	if (!source_value(state, "source.checksummed", &value)) {
		put_unknown();
		return;
	}
	printf("%s", value.number ? "checksummed" : "not checksummed");
	if (source_value(state, "source.live", &value) && value.number)
		printf(", live");
	if (source_value(state, "source.host_bits", &value))
		printf(", %" PRIu64 "-bit host", value.number);
	if (source_value(state, "source.address_bytes", &value))
		printf(", %" PRIu64 "-byte guest addresses", value.number);
	putchar('\n');
}

/* What a container without a GIM unit says; nothing of it, where it says nothing. */
static bool put_if_any(const struct gim_state *state, const char *label, const char *path)
{
	struct gim_value value;
	if (!source_value(state, path, &value) || !value.length_bytes)
		return false;
	put_label(label);
	put_bytes(&value);
	putchar('\n');
	return true;
}

static int count_item(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	*(unsigned *)user += value->presence != GIM_ABSENT && value->kind == GIM_VALUE_BYTES;
	return 0;
}

/* A migration stream says nothing of its host, and more of its machine. */
static void put_machine(const struct gim_state *state)
{
	unsigned blocks = 0;
	put_text(state, "machine", "qemu.machine", "");
	put_text(state, "accel", "qemu.accelerator", "");
	put_text(state, "run state", "qemu.run_state", "");
	(void)gim_state_visit(state, "qemu.ram_block", count_item, &blocks, NULL);
	put_label("blocks");
	printf("%u\n", blocks);
}

static void print_text(const struct gim_state *state, const char *file)
{
	struct gim_value value;
	const bool machine = source_value(state, "qemu.described", &value);
	put_label("file");
	put_safe(stdout, strcmp(file, "-") ? file : "standard input");
	if (source_value(state, "source.size_bytes", &value))
		printf(", %" PRIu64 " bytes", value.number);
	putchar('\n');
	put_text(state, "container", "source.container", "");
	put_text(state, "producer", "source.producer", "source.release");
	if (machine) {
		put_machine(state);
	} else {
		put_text(state, "host", "source.host_os", "");
		put_flags(state);
	}
	put_vcpus(state);
	put_ram(state);
	put_number(state, "TSC", "guest.tsc_hz");
	put_number(state, "ran for", "guest.virtual_ns");
	if (!machine)
		put_number(state, "provider", "gim.provider");
	else if (!put_if_any(state, "interfaces", "gim.interfaces"))
		printf("%-10s none in use\n", "interfaces");
	(void)put_if_any(state, "in use", "qemu.enlightenments");
	(void)put_if_any(state, "configured", "qemu.configured");
	put_text(state, "layout", "gim.layout", "");
	if (!machine || source_value(state, "hyperv.guest_os_id", &value))
		put_number(state, "guest OS", "hyperv.guest_os_id");
}

/* libvirt's save image around it, and how that stores the stream. */
static void put_libvirt(const struct gim_state *state)
{
	struct gim_value value;
	char text[64] = "";
	if (!source_value(state, "libvirt.format", &value))
		return;
	(void)gim_value_text(&value, text, sizeof(text));
	put_label("libvirt");
	printf("save image, %s", text);
	if (source_value(state, "libvirt.was_running", &value))
		printf(", of a VM that was %s", value.number ? "running" : "paused");
	putchar('\n');
}

static void put_snapshots(const struct gim_state *state, const json_t *list)
{
	struct gim_value value;
	char id[64] = "";
	if (source_value(state, "snapshot.id", &value))
		(void)snprintf(id, sizeof(id), "%.*s", (int)value.length_bytes, value.bytes);
	snapshots_put(list, id);
}

/* The document holds the records whole, but of the guest only what is on the screen. */
static int print_json(const struct gim_state *state, const char *file, json_t *snapshots, const struct remarks *remarks,
                      struct gim_error *error)
{
	static const char *const keys[] = {"vcpus", "ram_bytes", "tsc_hz", "virtual_ns"};
	json_t *body = NULL, *all = NULL;
	struct gim_value value;
	char text[256] = "";
	if (gim_state_json(state, "source,gim,libvirt,snapshot", &body, error) || gim_state_json(state, "guest", &all, error)) {
		json_decref(body);
		return output_error(file, error, true);
	}
	json_t *guest = json_object();
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *one = json_object_get(json_object_get(all, "guest"), keys[i]);
		(void)json_object_set_new(guest, keys[i], one ? json_incref(one) : json_null());
	}
	json_decref(all);
	if (source_value(state, "qemu.described", &value) && !gim_state_json(state, "qemu", &all, error)) {
		(void)json_object_update(body, all);
		json_decref(all);
	}
	if (source_value(state, "hyperv.guest_os_id", &value))
		(void)gim_value_meaning(&value, text, sizeof(text));
	(void)json_object_set_new(guest, "os", *text ? json_text(text) : json_null());
	(void)json_object_set_new(body, "guest", guest);
	if (snapshots)
		(void)json_object_set(body, "snapshots", snapshots);
	remarks_json(remarks, error, body);
	if (error->code && error->code != GIM_E_NO_UNIT)
		(void)json_object_set_new(body, "error", error_json(file, error));
	output_document(body, false);
	return EXIT_YES;
}

/* The snapshots of the image that the state is in; or, when it is not said which of them, that could be. Standard input is read once. */
static json_t *list_snapshots(const struct gim_state *state, const char *file)
{
	struct gim_value value;
	const bool is_file = !is_standard_input(file);
	return is_file && (!state || source_value(state, "snapshot.id", &value)) ? snapshots_list(file) : NULL;
}

/* An image with several states, none of which is chosen: what it holds is the answer. */
static int print_image(const char *file, const json_t *snapshots, bool json)
{
	if (json) {
		output_document(json_pack("{s:O}", "snapshots", snapshots), false);
		return EXIT_YES;
	}
	put_label("file");
	put_safe(stdout, file);
	putchar('\n');
	put_label("container");
	printf("disk image with %zu snapshots; FILE//NAME is the state of one\n", json_array_size(snapshots));
	snapshots_put(snapshots, NULL);
	return EXIT_YES;
}

static int fail_open(const char *file, const struct gim_error *error, bool json)
{
	json_t *snapshots = error->code == GIM_E_ARGUMENT && !file[gim_path_file(file)] ? list_snapshots(NULL, file) : NULL;
	const int status = snapshots ? print_image(file, snapshots, json) : output_error(file, error, json);
	json_decref(snapshots);
	return status;
}

int run_info(const struct options *options, int count, char **operands)
{
	(void)count;
	const char *file = operands[0];
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	struct remarks remarks = {NULL};
	if (source_open(file, SOURCE_FIELDS, false, &state, &error))
		return fail_open(file, &error, options->json);
	(void)gim_state_decode(state, GIM_PART_INFO | GIM_PART_GIM, remarks_take, &remarks, &error);
	/* Releases before 5.0 have no GIM unit: that is an answer too. */
	const bool failed = error.code && error.code != GIM_E_NO_UNIT;
	int status = EXIT_YES;
	json_t *snapshots = list_snapshots(state, file);
	if (options->json) {
		status = print_json(state, file, snapshots, &remarks, &error);
	} else {
		print_text(state, file);
		put_libvirt(state);
		put_snapshots(state, snapshots);
		remarks_print(&remarks, &error);
		if (failed)
			(void)output_error(file, &error, false);
	}
	if (failed)
		status = error_decode_status(&error);
	json_decref(snapshots);
	remarks_free(&remarks);
	gim_state_free(&state);
	return status;
}
