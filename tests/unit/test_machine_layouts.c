/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What VirtualBox's layouts cannot hold of a machine: the fields that are absent when it was saved in one and is read again are those that a load reports, and those
 * that docs/vbox-fields.md lists. Called with a file, it writes the list's rows to it. */
#include "../machines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { FIELDS_MAX = 200, LAYOUTS_MAX = 8, PATH_BYTES = 96 };

static const struct {
	const char *provider;
	unsigned version;
} layouts[] = {{"hyperv", 1}, {"hyperv", 2}, {"hyperv", 3}, {"hyperv", 4}, {"kvm", 1}};
enum { LAYOUTS = sizeof(layouts) / sizeof(layouts[0]) };

/* Fields, and in which layouts (bit n: layouts[n]) they are absent, or are said to be. */
struct absent {
	char path[PATH_BYTES];
	unsigned found, reported, listed;
};
static struct absent fields[FIELDS_MAX];
static unsigned field_count;

static struct absent *field_at(const char *path)
{
	for (unsigned i = 0; i < field_count; i++)
		if (!strcmp(fields[i].path, path))
			return &fields[i];
	assert_true(field_count < FIELDS_MAX);
	(void)snprintf(fields[field_count].path, sizeof(fields[0].path), "%s", path);
	return &fields[field_count++];
}

/* Without numbers of items and elements: hyperv.vp[0].sint[3] is hyperv.vp[].sint[]. */
static void general_path(const char *path, char *general, size_t size)
{
	size_t length = 0;
	for (const char *at = path; *at && length + 1 < size; at++)
		if (at == path || at[0] < '0' || at[0] > '9' || !strchr("[0123456789", at[-1]) || !strchr(path, '['))
			general[length++] = *at;
	general[length] = '\0';
}

static unsigned current;

static int note_absent(void *user, const char *path, const struct gim_value *value)
{
	char general[PATH_BYTES];
	(void)user;
	general_path(path, general, sizeof(general));
	if (value->presence == GIM_ABSENT)
		field_at(general)->found |= 1u << current;
	return 0;
}

static void note_report(void *user, const struct gim_finding *finding)
{
	char general[PATH_BYTES];
	(void)user;
	if (strcmp(finding->rule->id, "LOAD-ABSENT") != 0)
		return;
	general_path(finding->path, general, sizeof(general));
	field_at(general)->reported |= 1u << current;
}

static struct gim_machine *new_machine(const char *provider)
{
	const struct gim_machine_config config = {.provider = provider, .vcpus = 2, .tsc_hz = 2600000000, .ram_bytes = 16 * 4096};
	struct gim_machine *machine = NULL;
	assert_int_equal(gim_machine_new(&config, NULL, &machine, NULL), 0);
	assert_int_equal(gim_machine_init(machine, NULL), 0);
	assert_int_equal(gim_machine_init_completed(machine, NULL), 0);
	return machine;
}

static int count_leaf(void *user, const char *path, const struct gim_value *value)
{
	(void)path, (void)value;
	++*(unsigned *)user;
	return 0;
}

static int note_leaf(void *user, const char *path, const struct gim_value *value)
{
	struct gim_value absent = *value;
	absent.presence = GIM_ABSENT;
	return note_absent(user, path, &absent);
}

/* A layout without the list of vCPUs holds nothing of what a native state has in it. */
static void note_list(const struct gim_state *state, struct gim_machine *machine, const char *list)
{
	struct gim_state *native = NULL;
	unsigned leaves = 0;
	assert_int_equal(gim_state_visit(state, list, count_leaf, &leaves, NULL), 0);
	assert_int_equal(gim_machine_save(machine, &native, NULL), 0);
	if (!leaves)
		assert_int_equal(gim_state_visit(native, list, note_leaf, NULL, NULL), 0);
	gim_state_free(&native);
}

static void through(unsigned which)
{
	struct gim_machine *machine = new_machine(layouts[which].provider), *other = new_machine(layouts[which].provider);
	struct gim_buffer file = {.bytes = NULL};
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	current = which;
	assert_int_equal(gim_machine_save(machine, &state, NULL), 0);
	state = machines_reform(state, MACHINES_VBOX + layouts[which].version, layouts[which].provider, 2, &file, &error);
	if (!state)
		fail_msg("%s", error.text);
	if (gim_machine_load(other, state, note_report, NULL, &error))
		fail_msg("%s", error.text);
	assert_int_equal(gim_state_visit(state, layouts[which].provider, note_absent, NULL, NULL), 0);
	note_list(state, machine, strcmp(layouts[which].provider, "kvm") ? "hyperv.vp" : "kvm.vcpu");
	gim_state_free(&state);
	gim_buffer_free(&file);
	gim_machine_free(&machine);
	gim_machine_free(&other);
}

static void name_layouts(unsigned set, char *text, size_t size)
{
	size_t length = 0;
	*text = '\0';
	for (unsigned i = 0; i < LAYOUTS; i++)
		if (set >> i & 1)
			length += (size_t)snprintf(text + length, size - length, "%svbox-%s-%u", length ? " " : "", layouts[i].provider,
			                           layouts[i].version);
}

static void read_list(void)
{
	FILE *list = fopen("docs/vbox-fields.md", "r");
	char line[512], path[PATH_BYTES], names[256], text[256];
	assert_non_null(list);
	while (fgets(line, sizeof(line), list)) {
		if (sscanf(line, "| %95s | %255[^|]", path, names) != 2 || !strchr(path, '.'))
			continue;
		names[strcspn(names, "\n")] = '\0';
		while (*names && names[strlen(names) - 1] == ' ')
			names[strlen(names) - 1] = '\0';
		for (unsigned set = 0; set < 1u << LAYOUTS; set++) {
			name_layouts(set, text, sizeof(text));
			if (!strcmp(text, names))
				field_at(path)->listed = set;
		}
	}
	(void)fclose(list);
}

static const char *written;

static void fields_not_held(void **unused)
{
	(void)unused;
	FILE *file = written ? fopen(written, "w") : NULL;
	unsigned wrong = 0;
	for (unsigned i = 0; i < LAYOUTS; i++)
		through(i);
	read_list();
	for (unsigned i = 0; i < field_count; i++) {
		char found[256], reported[256], listed[256];
		name_layouts(fields[i].found, found, sizeof(found));
		name_layouts(fields[i].reported, reported, sizeof(reported));
		name_layouts(fields[i].listed, listed, sizeof(listed));
		if (file && fields[i].found)
			fprintf(file, "| %s | %s |\n", fields[i].path, found);
		if (!strcmp(found, reported) && !strcmp(found, listed))
			continue;
		wrong++;
		print_error("%s is not held by \"%s\"; a load reports \"%s\", the list has \"%s\"\n", fields[i].path, found, reported,
		            listed);
	}
	if (file)
		assert_int_equal(fclose(file), 0);
	assert_int_equal(wrong, 0);
	assert_true(field_count > 20);
}

int main(int count, char **words)
{
	written = count > 1 ? words[1] : NULL;
	const struct CMUnitTest tests[] = {cmocka_unit_test(fields_not_held)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
