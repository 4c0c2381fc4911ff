/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks /dev/kvm what it offers a guest, and hands that on as a profile; only here and beside here is the device opened. */
#include "host.h"

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICE "/dev/kvm"

enum { LEAVES_MAX = 256, MSRS_MAX = 4096, API_VERSION = 12 };

struct host {
	int kvm, vm, vcpu; /* -1: not open */
	json_t *profile, *guest;
	struct gim_error *error;
};

static int fail(struct host *host, const char *what)
{
	return error_set(host->error, GIM_E_UNSUPPORTED, "this machine cannot be asked what it offers guests: %s: %s", what,
	                 strerror(errno));
}

static json_t *list(struct host *host, const char *name)
{
	json_t *items = json_object_get(host->profile, name);
	if (!items) {
		items = json_array();
		(void)json_object_set_new(host->profile, name, items);
	}
	return items;
}

static void add_leaf(struct host *host, const char *interface, const struct kvm_cpuid_entry2 *entry)
{
	(void)json_array_append_new(list(host, "leaf"),
	                            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "interface", interface, "leaf", (json_int_t)entry->function,
	                                      "eax", (json_int_t)entry->eax, "ebx", (json_int_t)entry->ebx, "ecx", (json_int_t)entry->ecx,
	                                      "edx", (json_int_t)entry->edx));
}

/* The leaves that a request returns; the caller frees them. NULL: it is refused. */
static struct kvm_cpuid2 *leaves(int fd, unsigned long request)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + LEAVES_MAX * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return NULL;
	cpuid->nent = LEAVES_MAX;
	if (ioctl(fd, request, cpuid) >= 0)
		return cpuid;
	free(cpuid);
	return NULL;
}

/* The processor's vendor, and KVM's own leaves. */
static int ask_cpuid(struct host *host)
{
	struct kvm_cpuid2 *cpuid = leaves(host->kvm, KVM_GET_SUPPORTED_CPUID);
	if (!cpuid)
		return fail(host, "KVM_GET_SUPPORTED_CPUID");
	for (unsigned i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
		char vendor[13] = "";
		if (!entry->function) {
			memcpy(vendor, &entry->ebx, 4);
			memcpy(vendor + 4, &entry->edx, 4);
			memcpy(vendor + 8, &entry->ecx, 4);
			(void)json_object_set_new(host->profile, "cpu_vendor", json_text(vendor));
		} else if (entry->function >= 0x40000000 && entry->function < 0x40000100) {
			add_leaf(host, "kvm", entry);
		}
	}
	free(cpuid);
	return 0;
}

/* Hyper-V's leaves; a KVM without it offers leaves of nothing. */
static void ask_hyperv(struct host *host)
{
	struct kvm_cpuid2 *cpuid = leaves(host->vcpu, KVM_GET_SUPPORTED_HV_CPUID);
	for (unsigned i = 0; cpuid && i < cpuid->nent; i++)
		add_leaf(host, "hyperv", &cpuid->entries[i]);
	for (unsigned leaf = 0x40000003; !cpuid && leaf <= 0x40000006; leaf++)
		add_leaf(host, "hyperv", &(const struct kvm_cpuid_entry2){.function = leaf});
	free(cpuid);
}

static bool is_interface_msr(unsigned number)
{
	return number == 0x11 || number == 0x12 || (number >= 0x4b564d00 && number < 0x4b564e00) ||
	       (number >= 0x40000000 && number < 0x40000200);
}

static int ask_msrs(struct host *host)
{
	struct kvm_msr_list *msrs = calloc(1, sizeof(*msrs) + MSRS_MAX * sizeof(msrs->indices[0]));
	if (!msrs)
		return error_set(host->error, GIM_E_MEMORY, "out of memory");
	msrs->nmsrs = MSRS_MAX;
	const int result = ioctl(host->kvm, KVM_GET_MSR_INDEX_LIST, msrs) < 0 ? fail(host, "KVM_GET_MSR_INDEX_LIST") : 0;
	for (unsigned i = 0; !result && i < msrs->nmsrs; i++) {
		char number[16];
		(void)snprintf(number, sizeof(number), "0x%x", msrs->indices[i]);
		if (is_interface_msr(msrs->indices[i]))
			(void)json_array_append_new(list(host, "msr"), json_pack("{s:s}", "number", number));
	}
	free(msrs);
	return result;
}

static void ask_tsc(struct host *host)
{
	const int khz = ioctl(host->vcpu, KVM_GET_TSC_KHZ, 0);
	char text[24];
	(void)snprintf(text, sizeof(text), "0x%llx", (unsigned long long)(khz > 0 ? khz : 0) * 1000);
	if (khz > 0)
		(void)json_object_set_new(host->guest, "tsc_hz", json_string(text));
	(void)json_object_set_new(host->profile, "tsc_fixed",
	                          json_boolean(ioctl(host->kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_CONTROL) <= 0));
}

static int open_kvm(struct host *host)
{
	host->kvm = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (host->kvm < 0)
		return fail(host, DEVICE);
	if (ioctl(host->kvm, KVM_GET_API_VERSION, 0) != API_VERSION)
		return error_set(host->error, GIM_E_UNSUPPORTED,
		                 "this machine cannot be asked what it offers guests: " DEVICE " is no KVM of version 12");
	host->vm = ioctl(host->kvm, KVM_CREATE_VM, 0);
	if (host->vm < 0)
		return fail(host, "KVM_CREATE_VM");
	host->vcpu = ioctl(host->vm, KVM_CREATE_VCPU, 0);
	return host->vcpu < 0 ? fail(host, "KVM_CREATE_VCPU") : 0;
}

static int ask_all(struct host *host)
{
	int result = open_kvm(host);
	if (!result)
		result = ask_cpuid(host);
	if (!result)
		result = ask_msrs(host);
	if (result)
		return result;
	ask_hyperv(host);
	ask_tsc(host);
	return 0;
}

int host_target(struct gim_target **target, struct gim_error *error)
{
	struct host host = {.kvm = -1, .vm = -1, .vcpu = -1, .profile = json_object(), .guest = json_object(), .error = error};
	(void)json_object_set_new(host.profile, "name", json_string("host"));
	(void)json_object_set_new(host.profile, "hypervisor", json_string("kvm"));
	int result = ask_all(&host);
	const int fds[] = {host.vcpu, host.vm, host.kvm};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	json_t *document = json_pack("{s:i, s:o, s:o}", "gimstate", 1, "profile", host.profile, "guest", host.guest);
	char *text = document && !result ? json_dumps(document, JSON_COMPACT) : NULL;
	if (!result)
		result = text ? gim_target_open_json("host", text, strlen(text), target, error)
		              : error_set(error, GIM_E_MEMORY, "out of memory");
	free(text);
	json_decref(document);
	return result;
}
