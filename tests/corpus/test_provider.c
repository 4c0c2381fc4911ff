/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every real state with another provider: what VirtualBox would refuse in its other units is named, and the unit GIM is as after a reset. */
#include "corpus.h"

#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const layouts[] = {"vbox-none", "vbox-minimal", "vbox-hyperv-4", "vbox-kvm-1"};
enum { LAYOUTS = sizeof(layouts) / sizeof(layouts[0]) };

struct heard {
	unsigned provider, device, ranges, leaves;
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = (struct heard *)user;
	heard->provider += !strcmp(finding->rule->id, "CONVERT-PROVIDER");
	heard->device += !strcmp(finding->rule->id, "PROVIDER-DEVICE");
	heard->ranges += !strcmp(finding->rule->id, "PROVIDER-RANGE");
	heard->leaves += !strcmp(finding->rule->id, "PROVIDER-LEAVES");
}

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static struct gim_state *open_state(const char *path)
{
	struct gim_state *state = NULL;
	assert_int_equal(gim_state_open(path, &state, NULL), 0);
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), 0);
	return state;
}

/* No field but the provider's own constants has another value than after a reset. */
static int check_reset(void *user, const char *path, const struct gim_value *value)
{
	(void)user;
	if (value->presence == GIM_STORED && value->kind == GIM_VALUE_NUMBER && !strstr(path, "tsc_page.index"))
		if (value->number != value->field->reset)
			fail_msg("%s is not at its reset value", path);
	return 0;
}

static void check_written(const struct gim_buffer *file, const char *layout, const struct gim_provider *provider, uint32_t vcpus)
{
	struct gim_state *state = NULL;
	char ignored[128];
	assert_int_equal(gim_verify_memory(file->bytes, file->size, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(gim_state_open_memory(file->bytes, file->size, &state, NULL), 0);
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), 0);
	assert_ptr_equal(gim_unit_provider(state), provider);
	const struct gim_value name = gim_state_value(state, "gim.layout");
	assert_int_equal(name.length_bytes, strlen(layout));
	assert_memory_equal(name.bytes, layout, strlen(layout));
	const struct gim_list *list = gim_unit_vcpus(state, ignored, sizeof(ignored));
	if (provider->record) {
		assert_non_null(list);
		assert_int_equal(list->count, vcpus);
		assert_int_equal(gim_state_visit(state, provider->record->name, check_reset, NULL, NULL), 0);
	}
	gim_state_free(&state);
}

static void check_change(const char *path, const char *layout)
{
	struct gim_state *state = open_state(path);
	const struct gim_provider *before = gim_unit_provider(state);
	struct heard heard = {0, 0, 0, 0};
	struct gim_write_options options = {.gim_only = false, .report = hear, .report_user = &heard};
	struct gim_buffer out = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_convert(state, layout, NULL, NULL, &error) < 0)
		fail_msg("%s to %s: %s", path, layout, error.text);
	const struct gim_provider *after = gim_unit_provider(state);
	if (after != before) {
		assert_int_equal(gim_state_write(state, &options, collect, &out, &error), GIM_E_VALUE);
		assert_string_equal(error.path, "gim.provider");
		assert_int_equal(out.size, 0);
		options.gim_only = true;
		assert_int_equal(gim_state_write(state, &options, collect, &out, NULL), 0);
		check_written(&out, layout, after, state->codec.vcpus);
		const bool from_hyperv = !strcmp(before->name, "hyperv");
		assert_int_equal(heard.provider, 1);
		assert_int_equal(heard.device, !before->vbox_id != !after->vbox_id);
		assert_int_equal(heard.ranges, from_hyperv ? 2 : 0);
		assert_int_equal(heard.leaves, before->vbox_id != 0);
	}
	gim_buffer_free(&out);
	gim_state_free(&state);
}

static unsigned files;

static void check_file(const char *path)
{
	if (!strstr(path, "/real/"))
		return;
	files++;
	for (size_t i = 0; i < LAYOUTS; i++)
		check_change(path, layouts[i]);
}

static void real_states(void **state)
{
	(void)state;
	(void)corpus_each_state(check_file);
	print_message("%u states\n", files);
	assert_true(files >= 13);
}

int main(void)
{
	corpus_require();
	const struct CMUnitTest tests[] = {cmocka_unit_test(real_states)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
