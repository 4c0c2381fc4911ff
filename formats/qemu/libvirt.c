/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domain XML: one table says which element and attribute stands for which property of -cpu. */
#include "qemu/libvirt.h"

#include "cursor.h"
#include "error.h"
#include "qemu/command_line.h"
#include "xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { XML_MAX = 16 << 20, DEPTH_MAX = 256, PATH_MAX_BYTES = 128, VCPUS_MAX = 65536 };

enum how {
	SWITCH,   /* on and yes: on; everything else: off. Where nothing is said: on */
	INVERTED, /* the other way round */
	VALUE,    /* as it is */
};

/* Below <domain>; a timer is named as timer:NAME. */
static const struct {
	const char *path, *attribute, *property;
	enum how how;
} rows[] = {
    {"features/hyperv/relaxed", "state", "hv-relaxed", SWITCH},
    {"features/hyperv/vapic", "state", "hv-vapic", SWITCH},
    {"features/hyperv/spinlocks", "retries", "hv-spinlocks", VALUE},
    {"features/hyperv/vpindex", "state", "hv-vpindex", SWITCH},
    {"features/hyperv/runtime", "state", "hv-runtime", SWITCH},
    {"features/hyperv/synic", "state", "hv-synic", SWITCH},
    {"features/hyperv/stimer", "state", "hv-stimer", SWITCH},
    {"features/hyperv/stimer/direct", "state", "hv-stimer-direct", SWITCH},
    {"features/hyperv/reset", "state", "hv-reset", SWITCH},
    {"features/hyperv/vendor_id", "value", "hv-vendor-id", VALUE},
    {"features/hyperv/frequencies", "state", "hv-frequencies", SWITCH},
    {"features/hyperv/reenlightenment", "state", "hv-reenlightenment", SWITCH},
    {"features/hyperv/tlbflush", "state", "hv-tlbflush", SWITCH},
    {"features/hyperv/tlbflush/direct", "state", "hv-tlbflush-direct", SWITCH},
    {"features/hyperv/tlbflush/extended", "state", "hv-tlbflush-ext", SWITCH},
    {"features/hyperv/ipi", "state", "hv-ipi", SWITCH},
    {"features/hyperv/evmcs", "state", "hv-evmcs", SWITCH},
    {"features/hyperv/avic", "state", "hv-avic", SWITCH},
    {"features/hyperv/emsr_bitmap", "state", "hv-emsr-bitmap", SWITCH},
    {"features/hyperv/xmm_input", "state", "hv-xmm-input", SWITCH},
    {"features/kvm/hidden", "state", "kvm", INVERTED},
    {"features/kvm/hint-dedicated", "state", "kvm-hint-dedicated", SWITCH},
    {"features/kvm/poll-control", "state", "kvm-poll-control", SWITCH},
    {"features/kvm/pv-ipi", "state", "kvm-pv-ipi", SWITCH},
    {"features/apic", "eoi", "kvm-pv-eoi", SWITCH},
    {"features/pvspinlock", "state", "kvm-pv-unhalt", SWITCH},
    {"clock/timer:kvmclock", "present", "kvmclock", SWITCH},
    {"clock/timer:hypervclock", "present", "hv-time", SWITCH},
    {"clock/timer:tsc", "frequency", "tsc-frequency", VALUE},
};

struct reader {
	struct gim_xml xml;
	struct qemu_config *config;
	unsigned depth, domain; /* domain: depth of the element domain that is open, or 0 */
	bool done;
	char path[PATH_MAX_BYTES];   /* of the element, below the domain; cut when it is longer than any that counts */
	size_t lengths[DEPTH_MAX];   /* of the paths of all that are open */
	bool off[DEPTH_MAX];         /* such an element says that it and all in it is off */
	char text[64];               /* directly in it */
	char unit[8];                /* of <memory> */
	struct gim_buffer arguments; /* that libvirt hands on to QEMU, each terminated */
};

bool qemu_libvirt_bid(const uint8_t *head, size_t size)
{
	static const char *const beginnings[] = {"<domain", "<?xml", "<!--"};
	return gim_xml_begins(head, size, beginnings, sizeof(beginnings) / sizeof(beginnings[0]));
}

static bool is_on(const char *value)
{
	return !value || !strcmp(value, "on") || !strcmp(value, "yes");
}

static void add(struct reader *reader, const char *name, const char *value)
{
	const int result = qemu_config_add(reader->config, name, value, reader->xml.error);
	if (result)
		gim_xml_stop(&reader->xml, result);
}

static void copy(struct reader *reader, char *to, size_t size, const char *from)
{
	if (from && strlen(from) >= size)
		gim_xml_refuse(&reader->xml, GIM_E_VALUE, "a name in it is longer than any that QEMU has");
	else if (from)
		(void)snprintf(to, size, "%s", from);
}

/* The rows of this element. What is in something that is off is off. */
static void read_rows(struct reader *reader, const XML_Char **attributes, bool off)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].path, reader->path) != 0)
			continue;
		const char *value = gim_xml_attribute(attributes, rows[i].attribute);
		if (rows[i].how == VALUE && value && !off)
			add(reader, rows[i].property, value);
		else if (rows[i].how == VALUE)
			continue;
		else if (!strcmp(rows[i].attribute, "eoi") && !value) /* <apic/> alone says nothing of it */
			continue;
		else
			add(reader, rows[i].property, (!off && is_on(value)) != (rows[i].how == INVERTED) ? "on" : "off");
	}
}

static void read_cpu_feature(struct reader *reader, const XML_Char **attributes)
{
	const char *name = gim_xml_attribute(attributes, "name"), *policy = gim_xml_attribute(attributes, "policy");
	if (name)
		add(reader, name, policy && (!strcmp(policy, "disable") || !strcmp(policy, "forbid")) ? "off" : "on");
}

static void read_cpu(struct reader *reader, const char *mode)
{
	copy(reader, reader->config->model, sizeof(reader->config->model),
	     !mode                               ? NULL
	     : !strcmp(mode, "host-passthrough") ? "host"
	     : !strcmp(mode, "maximum")          ? "max"
	                                         : NULL);
}

static uint64_t number(struct reader *reader, const char *text, uint64_t most, const char *what)
{
	char *end;
	text += strspn(text, " \t\r\n");
	const unsigned long long value = strtoull(text, &end, 10);
	end += strspn(end, " \t\r\n");
	if (*text >= '0' && *text <= '9' && !*end && value && value <= most)
		return value;
	gim_xml_refuse(&reader->xml, GIM_E_VALUE, what);
	return 0;
}

/* What stands in attributes; texts are read when the element ends. */
static void read_element(struct reader *reader, const XML_Char **attributes, bool off)
{
	struct qemu_config *config = reader->config;
	const char *mode = gim_xml_attribute(attributes, "mode"), *value;
	if (!strcmp(reader->path, "os/type"))
		copy(reader, config->machine, sizeof(config->machine), gim_xml_attribute(attributes, "machine"));
	else if (!strcmp(reader->path, "features/hyperv"))
		config->hypervisor_defaults = mode && strcmp(mode, "custom") != 0;
	else if (!strcmp(reader->path, "vcpu") && (value = gim_xml_attribute(attributes, "current")))
		config->vcpus = (uint32_t)number(reader, value, VCPUS_MAX, "the current number of vCPUs is none of 1 to 65536");
	else if (!strcmp(reader->path, "memory"))
		copy(reader, reader->unit, sizeof(reader->unit), (value = gim_xml_attribute(attributes, "unit")) ? value : "KiB");
	else if (!strcmp(reader->path, "cpu"))
		read_cpu(reader, mode);
	else if (!strcmp(reader->path, "cpu/feature"))
		read_cpu_feature(reader, attributes);
	else if (!strcmp(reader->path, "qemu:commandline/qemu:arg") && (value = gim_xml_attribute(attributes, "value")))
		gim_buffer_bytes(&reader->arguments, value, strlen(value) + 1);
	else
		read_rows(reader, attributes, off);
}

static void begin_domain(struct reader *reader, const XML_Char **attributes)
{
	const char *type = gim_xml_attribute(attributes, "type");
	reader->domain = reader->depth;
	if (type && !strcmp(type, "kvm"))
		copy(reader, reader->config->accel, sizeof(reader->config->accel), "kvm");
	else if (type && !strcmp(type, "qemu"))
		copy(reader, reader->config->accel, sizeof(reader->config->accel), "tcg");
	else
		gim_xml_refuse(&reader->xml, GIM_E_FORMAT,
		               "this is libvirt's description of a VM that is none of QEMU's: its type is neither kvm nor qemu");
}

static void start_element(void *user, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *reader = (struct reader *)user;
	if (reader->depth == DEPTH_MAX - 1) {
		gim_xml_refuse(&reader->xml, GIM_E_LIMIT, "elements are nested deeper than 254");
		return;
	}
	const size_t outer = reader->lengths[reader->depth];
	const bool off = reader->off[reader->depth] || !is_on(gim_xml_attribute(attributes, "state")) ||
	                 !is_on(gim_xml_attribute(attributes, "present"));
	reader->depth++;
	reader->text[0] = '\0';
	reader->lengths[reader->depth] = outer;
	reader->off[reader->depth] = off;
	if (reader->done || (!reader->domain && strcmp(name, "domain") != 0))
		return;
	if (!reader->domain) {
		begin_domain(reader, attributes);
		return;
	}
	const char *timer = !strcmp(name, "timer") ? gim_xml_attribute(attributes, "name") : NULL;
	const int more = snprintf(reader->path + outer, sizeof(reader->path) - outer, "%s%s%s%s", outer ? "/" : "", name, timer ? ":" : "",
	                          timer ? timer : "");
	const size_t whole = outer + (size_t)more;
	/* What is longer is no path of a row, and nothing in it is. */
	reader->lengths[reader->depth] = whole < sizeof(reader->path) ? whole : sizeof(reader->path) - 1;
	if (whole < sizeof(reader->path))
		read_element(reader, attributes, off);
}

static void take_text(void *user, const XML_Char *text, int length)
{
	struct reader *reader = (struct reader *)user;
	const size_t used = strlen(reader->text), room = sizeof(reader->text) - 1 - used;
	const size_t more = (size_t)length < room ? (size_t)length : room;
	memcpy(reader->text + used, text, more);
	reader->text[used + more] = '\0';
}

static uint64_t unit_bytes(const char *unit)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {
	    {"b", 1},
	    {"bytes", 1},
	    {"KB", 1000},
	    {"k", 1 << 10},
	    {"KiB", 1 << 10},
	    {"MB", 1000000},
	    {"M", 1 << 20},
	    {"MiB", 1 << 20},
	    {"GB", 1000000000},
	    {"G", 1 << 30},
	    {"GiB", 1 << 30},
	    {"TB", UINT64_C(1000000000000)},
	    {"T", UINT64_C(1) << 40},
	    {"TiB", UINT64_C(1) << 40},
	};
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(units[i].name, unit))
			return units[i].bytes;
	return 0;
}

static void read_text(struct reader *reader)
{
	struct qemu_config *config = reader->config;
	if (!strcmp(reader->path, "name"))
		(void)snprintf(config->name, sizeof(config->name), "%s", reader->text);
	else if (!strcmp(reader->path, "cpu/model") && !*config->model)
		copy(reader, config->model, sizeof(config->model), reader->text);
	else if (!strcmp(reader->path, "vcpu"))
		config->vcpus_max = (uint32_t)number(reader, reader->text, VCPUS_MAX, "the number of vCPUs is none of 1 to 65536");
	else if (!strcmp(reader->path, "memory") && unit_bytes(reader->unit))
		config->ram_bytes = unit_bytes(reader->unit) * number(reader, reader->text, (UINT64_C(1) << 52) / unit_bytes(reader->unit),
		                                                      "the size of memory is none that a VM can have");
	else if (!strcmp(reader->path, "memory"))
		gim_xml_refuse(&reader->xml, GIM_E_VALUE, "the size of memory is in a unit that libvirt does not have");
}

static void end_element(void *user, const XML_Char *name)
{
	struct reader *reader = (struct reader *)user;
	(void)name;
	if (reader->domain == reader->depth) {
		reader->domain = 0;
		reader->done = true;
	}
	if (reader->domain && !reader->done)
		read_text(reader);
	reader->depth--;
	reader->path[reader->lengths[reader->depth]] = '\0';
	reader->text[0] = '\0';
}

/* Entities are declared in a document type; without one there are none to expand, and nothing else to fetch. */
static void start_doctype(void *user, const XML_Char *name, const XML_Char *system, const XML_Char *public, int has_subset)
{
	(void)name, (void)system, (void)public, (void)has_subset;
	gim_xml_refuse(&((struct reader *)user)->xml, GIM_E_FORMAT, "the description declares a document type, which libvirt never writes");
}

/* They stand behind all that libvirt writes itself. */
static int take_arguments(const struct gim_buffer *arguments, struct qemu_config *config, struct gim_error *error)
{
	struct qemu_command_line line = {.disks = true};
	struct gim_error own = GIM_ERROR_INIT;
	int result = 0;
	if (arguments->failed)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	for (size_t at = 0; !result && at < arguments->size; at += strlen((const char *)arguments->bytes + at) + 1)
		result = qemu_command_line_take(&line, (const char *)arguments->bytes + at, config, &own);
	if (!result)
		result = qemu_command_line_end(&line, &own);
	return result ? gim_fail(error, result, GIM_UNKNOWN, "<qemu:commandline> in it: %s", own.text) : 0;
}

static int parse(struct reader *reader, const char *xml, size_t size, struct gim_error *error)
{
	if (size > XML_MAX)
		return gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "the description of the VM has %zu bytes, of which at most %d are read",
		                size, XML_MAX);
	if (XML_Parse(reader->xml.parser, xml, (int)size, 1) == XML_STATUS_ERROR)
		return gim_xml_failure(&reader->xml, "the description of the VM");
	return reader->done ? 0
	                    : gim_fail(error, GIM_E_FORMAT, GIM_UNKNOWN,
	                               "this is XML, and no description of a VM by libvirt: it begins with <domain> (virsh dumpxml)");
}

int qemu_libvirt_read(const char *xml, size_t size_bytes, struct qemu_config *config, struct gim_error *error)
{
	struct qemu_config *read = calloc(1, sizeof(*read));
	struct reader *reader = calloc(1, sizeof(*reader));
	XML_Parser parser = XML_ParserCreate(NULL);
	int result = GIM_E_MEMORY;
	if (read && reader && parser) {
		reader->xml.parser = parser;
		reader->config = read;
		reader->xml.error = error;
		XML_SetUserData(parser, reader);
		XML_SetElementHandler(parser, start_element, end_element);
		XML_SetCharacterDataHandler(parser, take_text);
		XML_SetStartDoctypeDeclHandler(parser, start_doctype);
		result = parse(reader, xml, size_bytes, error);
	} else {
		(void)gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	}
	if (!result) {
		read->vcpus = read->vcpus ? read->vcpus : read->vcpus_max;
		result = take_arguments(&reader->arguments, read, error);
	}
	if (!result)
		*config = *read;
	if (parser)
		XML_ParserFree(parser);
	if (reader)
		gim_buffer_free(&reader->arguments);
	free(reader);
	free(read);
	return result;
}
