/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every state of the corpus gives exactly the GIM payload and the fields that VirtualBox's own reader gives, and encodes back to the same bytes. */
#include "corpus.h"

#include "gimstate.h"
#include "state.h"

#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

/* What the expected file calls a field, and what we call it. */
static const struct {
	const char *theirs, *ours;
} names[] = {
    {"provider_version", "gim.provider_version"},
    {"guest_os_id", "hyperv.guest_os_id"},
    {"hypercall_msr", "hyperv.hypercall"},
    {"tsc_page_msr", "hyperv.reference_tsc"},
    {"part_flags", "hyperv.features.partition"},
    {"pow_mgmt_feat", "hyperv.features.power"},
    {"misc_feat", "hyperv.features.misc"},
    {"hyper_hints", "hyperv.features.hints"},
    {"hyper_caps", "hyperv.features.host"},
    {"tsc_sequence", "hyperv.tsc_sequence"},
    {"dbg_pending", "hyperv.debug.pending_buffer"},
    {"dbg_send", "hyperv.debug.send_buffer"},
    {"dbg_recv", "hyperv.debug.receive_buffer"},
    {"dbg_status", "hyperv.debug.status"},
    {"dbg_reply", "hyperv.debug.reply"},
    {"dbg_bootp_xid", "hyperv.debug.bootp_xid"},
    {"dbg_guest_ip4", "hyperv.debug.guest_ip4"},
    {"udp_dst", "hyperv.debug.udp_guest_dst_port"},
    {"udp_src", "hyperv.debug.udp_guest_src_port"},
    {"wall_clock_msr", "kvm.wall_clock"},
    {"delim", "gim.delimiter"},
};

struct found {
	struct gim_value value;
	unsigned count;
};

static int find(void *user, const char *path, const struct gim_value *value)
{
	struct found *found = (struct found *)user;
	(void)path;
	found->value = *value;
	found->count++;
	return 0;
}

static struct gim_value get(const struct gim_state *state, const char *path)
{
	struct found found = {.count = 0};
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_visit(state, path, find, &found, &error))
		fail_msg("%s: %s", path, error.text);
	assert_int_equal(found.count, 1);
	return found.value;
}

static uint64_t number_of(const json_t *json)
{
	return json_is_string(json) ? strtoull(json_string_value(json), NULL, 0) : (uint64_t)json_integer_value(json);
}

static void check_number(const struct gim_state *state, const char *path, const json_t *expected)
{
	struct gim_value value = get(state, path);
	if (value.presence != GIM_STORED || value.number != number_of(expected))
		fail_msg("%s is 0x%llx (presence %d), expected 0x%llx", path, (unsigned long long)value.number, value.presence,
		         (unsigned long long)number_of(expected));
}

static void check_vcpus(const struct gim_state *state, const json_t *cpus, bool hyperv)
{
	static const struct {
		const char *theirs, *ours;
	} kvm[] = {{"system_time_msr", "system_time"},
	           {"tsc", "tsc"},
	           {"virt_ns", "virtual_ns"},
	           {"GCPhys", "gpa"},
	           {"version", "version"},
	           {"flags", "flags"}};
	size_t i;
	const json_t *cpu;
	char path[96];
	json_array_foreach(cpus, i, cpu)
	{
		for (size_t k = 0; !hyperv && k < sizeof(kvm) / sizeof(kvm[0]); k++) {
			(void)snprintf(path, sizeof(path), "kvm.vcpu[%zu].%s", i, kvm[k].ours);
			check_number(state, path, json_object_get(cpu, kvm[k].theirs));
		}
		if (!hyperv)
			continue;
		(void)snprintf(path, sizeof(path), "hyperv.vp[%zu].simp", i);
		check_number(state, path, json_object_get(cpu, "simp"));
		const json_t *sints = json_object_get(cpu, "sints");
		for (size_t s = 0; s < json_array_size(sints); s++) {
			/* Blob 2 holds SINT2 alone. */
			(void)snprintf(path, sizeof(path), "hyperv.vp[%zu].sint[%zu]", i, json_array_size(sints) == 1 ? 2 : s);
			check_number(state, path, json_array_get(sints, s));
		}
	}
}

static void check_regions(const struct gim_state *state, const json_t *regions)
{
	static const char *const pages[] = {"hypercall_page", "tsc_page"};
	static const struct {
		const char *theirs, *ours;
	} members[] = {{"iRegion", "index"}, {"fRCMapping", "raw_mode"}, {"cb", "size"}, {"GCPhys", "gpa"}};
	char path[96];
	for (size_t i = 0; i < json_array_size(regions); i++) {
		const json_t *region = json_array_get(regions, i);
		for (size_t m = 0; m < 4; m++) {
			(void)snprintf(path, sizeof(path), "hyperv.%s.%s", pages[i], members[m].ours);
			check_number(state, path, json_object_get(region, members[m].theirs));
		}
		(void)snprintf(path, sizeof(path), "hyperv.%s.description", pages[i]);
		struct gim_value value = get(state, path);
		const char *description = json_string_value(json_object_get(region, "desc"));
		assert_int_equal(value.length_bytes, strlen(description));
		assert_memory_equal(value.bytes, description, value.length_bytes);
	}
}

static void check_fields(const struct gim_state *state, const json_t *gim)
{
	const json_t *expected;
	bool hyperv = json_object_get(gim, "hv_version");
	check_number(state, "gim.provider", json_object_get(gim, "provider"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((expected = json_object_get(gim, names[i].theirs)))
			check_number(state, names[i].ours, expected);
	if ((expected = json_object_get(gim, "base_feat")))
		check_number(state, hyperv ? "hyperv.features.base" : "kvm.features.base", expected);
	check_vcpus(state, json_object_get(gim, "cpus"), hyperv);
	check_regions(state, json_object_get(gim, "regions"));
	assert_int_equal(get(state, "gim.trailing").length_bytes, number_of(json_object_get(gim, "trailing")));
	char layout[32] = "vbox-none";
	unsigned version = (unsigned)number_of(json_object_get(gim, hyperv ? "hv_version" : "kvm_version"));
	if (version)
		(void)snprintf(layout, sizeof(layout), "vbox-%s-%u", hyperv ? "hyperv" : "kvm", version);
	else if (number_of(json_object_get(gim, "provider")))
		(void)snprintf(layout, sizeof(layout), "vbox-minimal");
	struct gim_value value = get(state, "gim.layout");
	assert_int_equal(value.length_bytes, strlen(layout));
	assert_memory_equal(value.bytes, layout, strlen(layout));
}

static void check_payload(const struct gim_buffer *payload, const char *hex)
{
	assert_int_equal(payload->size * 2, strlen(hex));
	for (size_t i = 0; i < payload->size; i++) {
		char byte[3];
		(void)snprintf(byte, sizeof(byte), "%02x", payload->bytes[i]);
		assert_memory_equal(byte, hex + 2 * i, 2);
	}
}

static void check_state(const char *path, const json_t *expected)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_unit unit = {0};
	struct gim_buffer payload = {0}, again = {0};
	if (gim_state_open(path, &state, &error) || gim_unit_find(state, "GIM", 0, GIM_PASS_FINAL, &unit, &error) ||
	    gim_unit_read(state, &unit, collect, &payload, &error))
		fail_msg("%s: %s", path, error.text);
	check_payload(&payload, json_string_value(json_object_get(expected, "payload")));
	assert_int_equal(unit.version, number_of(json_object_get(expected, "unit_version")));
	if (gim_state_decode(state, GIM_PART_GIM, NULL, NULL, &error))
		fail_msg("%s: %s at 0x%llx", path, error.text, (unsigned long long)error.offset);
	check_fields(state, json_object_get(expected, "gim"));
	struct gim_codec codec = state->codec;
	if (gim_unit_encode(state, &codec, &again, &error))
		fail_msg("%s: %s", path, error.text);
	assert_int_equal(again.size, payload.size);
	assert_memory_equal(again.bytes, payload.bytes, payload.size);
	gim_buffer_free(&payload);
	gim_buffer_free(&again);
	gim_state_free(&state);
}

static unsigned check_folder(const char *folder)
{
	char path[512];
	unsigned count = 0;
	(void)snprintf(path, sizeof(path), "%s/virtualbox/%s", corpus_folder(), folder);
	DIR *directory = opendir(path);
	assert_non_null(directory);
	for (const struct dirent *entry; (entry = readdir(directory));) {
		const char *dot = strstr(entry->d_name, ".expected.json");
		if (!dot)
			continue;
		(void)snprintf(path, sizeof(path), "%s/virtualbox/%s/%s", corpus_folder(), folder, entry->d_name);
		json_t *expected = json_load_file(path, 0, NULL);
		assert_non_null(expected);
		(void)snprintf(path, sizeof(path), "%s/virtualbox/%s/%.*s.sav", corpus_folder(), folder, (int)(dot - entry->d_name),
		               entry->d_name);
		check_state(path, expected);
		json_decref(expected);
		count++;
	}
	(void)closedir(directory);
	return count;
}

static void expected_fields(void **unused)
{
	(void)unused;
	unsigned count = check_folder("real") + check_folder("writer") + check_folder("old-format") + check_folder("no-crc");
	print_message("%u states agree\n", count);
	assert_true(count >= 30);
}

/* Which MSR of the guest is which field. */
static void check_msr(const struct gim_state *state, const char *vcpu, uint32_t msr, const json_t *value)
{
	char path[96];
	static const struct {
		uint32_t msr;
		const char *path;
	} machine[] = {{0x40000000, "hyperv.guest_os_id"},
	               {0x40000001, "hyperv.hypercall"},
	               {0x40000021, "hyperv.reference_tsc"},
	               {0x400000f3, "hyperv.debug.send_buffer"},
	               {0x400000f4, "hyperv.debug.receive_buffer"},
	               {0x400000f5, "hyperv.debug.pending_buffer"},
	               {0x4b564d00, "kvm.wall_clock"},
	               {0x11, "kvm.wall_clock"}};
	for (size_t i = 0; i < sizeof(machine) / sizeof(machine[0]); i++)
		if (machine[i].msr == msr) {
			check_number(state, machine[i].path, value);
			return;
		}
	if (msr == 0x40000083)
		(void)snprintf(path, sizeof(path), "hyperv.vp[%s].simp", vcpu);
	else if (msr >= 0x40000090 && msr <= 0x4000009f)
		(void)snprintf(path, sizeof(path), "hyperv.vp[%s].sint[%u]", vcpu, msr - 0x40000090);
	else if (msr == 0x4b564d01 || msr == 0x12)
		(void)snprintf(path, sizeof(path), "kvm.vcpu[%s].system_time", vcpu);
	else
		fail_msg("MSR 0x%x of the guest is in no table of this test", msr);
	check_number(state, path, value);
}

static void guest_msrs(void **unused)
{
	(void)unused;
	char path[512];
	unsigned count = 0;
	(void)snprintf(path, sizeof(path), "%s/virtualbox/real", corpus_folder());
	DIR *directory = opendir(path);
	assert_non_null(directory);
	for (const struct dirent *entry; (entry = readdir(directory));) {
		const char *dot = strstr(entry->d_name, ".guest-msrs.json");
		if (!dot)
			continue;
		(void)snprintf(path, sizeof(path), "%s/virtualbox/real/%s", corpus_folder(), entry->d_name);
		json_t *vcpus = json_load_file(path, 0, NULL);
		assert_non_null(vcpus);
		static const char *const endings[] = {"", "-live", "-teleport"};
		struct gim_state *state = NULL;
		for (size_t i = 0; !state && i < 3; i++) {
			(void)snprintf(path, sizeof(path), "%s/virtualbox/real/%.*s%s.sav", corpus_folder(), (int)(dot - entry->d_name),
			               entry->d_name, endings[i]);
			(void)gim_state_open(path, &state, NULL);
		}
		assert_non_null(state);
		assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), 0);
		const char *vcpu;
		json_t *msrs;
		json_object_foreach(vcpus, vcpu, msrs)
		{
			for (size_t i = 0; i < json_array_size(msrs); i++, count++)
				check_msr(state, vcpu, (uint32_t)number_of(json_array_get(json_array_get(msrs, i), 0)),
				          json_array_get(json_array_get(msrs, i), 1));
		}
		gim_state_free(&state);
		json_decref(vcpus);
	}
	(void)closedir(directory);
	print_message("%u MSR values of guests are where they belong\n", count);
	assert_true(count > 100);
}

int main(void)
{
	corpus_require();
	const struct CMUnitTest tests[] = {cmocka_unit_test(expected_fields), cmocka_unit_test(guest_msrs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
