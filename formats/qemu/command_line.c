/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's command line, as a configuration: words, the options that matter, and the items of their arguments. */
#include "qemu/command_line.h"

#include "error.h"
#include "field.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 2048, MIB_SHIFT = 20 };

/*
 * Arguments: items between commas, KEY=VALUE or a word alone.
 */
struct item {
	char *key, *value; /* NULL: it has none */
};

static bool next_item(char **rest, struct item *item)
{
	if (!*rest || !**rest)
		return false;
	item->key = *rest;
	*rest = strchr(*rest, ',');
	if (*rest)
		*(*rest)++ = '\0';
	item->value = strchr(item->key, '=');
	if (item->value)
		*item->value++ = '\0';
	return true;
}

static int refuse(struct gim_error *error, const char *option, const char *argument, const char *wanted)
{
	return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "-%s: \"%s\" is not %s", option, argument ? argument : "", wanted);
}

static int copy(char *to, size_t size, const char *from, const char *option, struct gim_error *error)
{
	if (strlen(from) >= size)
		return refuse(error, option, from, "as short as any that QEMU has");
	(void)snprintf(to, size, "%s", from);
	return 0;
}

/* A number, and a letter that multiplies it by powers of step; without one by `otherwise`. */
static bool parse_size(const char *text, uint64_t step, uint64_t otherwise, uint64_t *size)
{
	static const char letters[] = "bkmgt";
	char *end;
	if (!text || !isdigit((unsigned char)*text))
		return false;
	const double number = strncmp(text, "0x", 2) ? strtod(text, &end) : (double)strtoull(text, &end, 16);
	uint64_t factor = otherwise;
	if (*end) {
		const char *letter = strchr(letters, tolower((unsigned char)*end));
		if (!letter || end[1])
			return false;
		factor = 1;
		for (const char *each = letters; each < letter; each++)
			factor *= step;
	}
	if (number * (double)factor >= 18e18)
		return false;
	*size = (uint64_t)(number * (double)factor + 0.5);
	return true;
}

/*
 * Options.
 */
/* Of several accelerators the first that works is taken. */
static int take_accelerators(struct qemu_config *config, char *names, struct gim_error *error)
{
	names[strcspn(names, ":")] = '\0';
	return *config->accel ? 0 : copy(config->accel, sizeof(config->accel), names, "accel", error);
}

static int take_accelerator(struct qemu_config *config, char *argument, struct gim_error *error)
{
	struct item item;
	return next_item(&argument, &item) ? take_accelerators(config, item.value ? item.value : item.key, error) : 0;
}

static int enable_kvm(struct qemu_config *config, char *argument, struct gim_error *error)
{
	(void)argument;
	return copy(config->accel, sizeof(config->accel), "kvm", "enable-kvm", error);
}

static int take_machine(struct qemu_config *config, char *argument, struct gim_error *error)
{
	struct item item;
	int result = 0;
	for (bool first = true; !result && next_item(&argument, &item); first = false)
		if ((first && !item.value) || !strcmp(item.key, "type"))
			result = copy(config->machine, sizeof(config->machine), item.value ? item.value : item.key, "M", error);
		else if (item.value && !strcmp(item.key, "accel"))
			result = take_accelerators(config, item.value, error);
	return result;
}

/* "+name" and "-name" are old spellings of on and off, '_' one of '-', and tsc-freq has units. */
static int take_property(struct qemu_config *config, struct item *item, struct gim_error *error)
{
	const bool sign = *item->key == '+' || *item->key == '-';
	const char *value = *item->key == '-' ? "off" : item->value ? item->value : "on";
	const char *name = item->key + sign;
	char text[32];
	uint64_t tsc_hz;
	for (char *at = item->key + sign; *at; at++)
		*at = (char)(*at == '_' ? '-' : *at);
	if (strcmp(name, "tsc-frequency") != 0 && strcmp(name, "tsc-freq") != 0)
		return qemu_config_add(config, name, value, error);
	if (!parse_size(value, 1000, 1, &tsc_hz))
		return refuse(error, "cpu", value, "a frequency in Hz");
	(void)snprintf(text, sizeof(text), "%" PRIu64, tsc_hz);
	return qemu_config_add(config, "tsc-frequency", text, error);
}

/* Of several the last one counts, whole. */
static int take_cpu(struct qemu_config *config, char *argument, struct gim_error *error)
{
	struct item item;
	int result = 0;
	config->count = config->globals;
	for (bool first = true; !result && next_item(&argument, &item); first = false)
		result = first ? copy(config->model, sizeof(config->model), item.key, "cpu", error) : take_property(config, &item, error);
	config->hypervisor_defaults = qemu_config_switch(config, "hv-passthrough") == QEMU_ON;
	/* It is KVM's alone. */
	if (!result && !strcmp(config->model, "host") && !*config->accel)
		result = enable_kvm(config, argument, error);
	return result;
}

static int take_vcpus(struct qemu_config *config, char *argument, struct gim_error *error)
{
	static const char *const levels[] = {"drawers", "books", "sockets", "dies", "modules", "clusters", "cores", "threads"};
	struct item item;
	uint64_t vcpus = 0, most = 0, product = 1;
	for (bool first = true; next_item(&argument, &item); first = false) {
		uint64_t number;
		const char *text = item.value ? item.value : first ? item.key : NULL, *key = item.value ? item.key : "cpus";
		if (!parse_size(text, 1, 1, &number) || !number || number > GIM_VCPUS_MAX)
			return refuse(error, "smp", text ? text : item.key, "a number of vCPUs");
		if (!strcmp(key, "cpus"))
			vcpus = number;
		else if (!strcmp(key, "maxcpus"))
			most = number;
		for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
			if (!strcmp(key, levels[i]))
				product = product > GIM_VCPUS_MAX ? product : product * number;
	}
	if (!vcpus)
		vcpus = most ? most : product;
	if (vcpus > GIM_VCPUS_MAX)
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "-smp: %" PRIu64 " vCPUs, where at most %d are possible", vcpus,
		                GIM_VCPUS_MAX);
	config->vcpus = (uint32_t)vcpus;
	config->vcpus_max = (uint32_t)(most > vcpus ? most : vcpus);
	return 0;
}

static int take_memory(struct qemu_config *config, char *argument, struct gim_error *error)
{
	struct item item;
	for (bool first = true; next_item(&argument, &item); first = false) {
		const char *text = first && !item.value ? item.key : !strcmp(item.key, "size") ? item.value : NULL;
		if (text && !parse_size(text, 1024, UINT64_C(1) << MIB_SHIFT, &config->ram_bytes))
			return refuse(error, "m", text, "a size of memory");
	}
	return 0;
}

static int take_uuid(struct qemu_config *config, char *argument, struct gim_error *error)
{
	enum { LENGTH = 36 };
	if (strlen(argument) != LENGTH || strspn(argument, "0123456789abcdefABCDEF-") != LENGTH)
		return refuse(error, "uuid", argument, "a UUID");
	for (char *at = argument; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return copy(config->uuid, sizeof(config->uuid), argument, "uuid", error);
}

/* Capabilities of the migration are properties of an object of that name. */
static int take_capability(struct qemu_config *config, const struct item *item, struct gim_error *error)
{
	const size_t used = strlen(config->capabilities);
	if (item->value && !strcmp(item->value, "off"))
		return 0;
	if (used + strlen(item->key) + 2 > sizeof(config->capabilities))
		return refuse(error, "global", item->key, "one of so few capabilities as QEMU has");
	(void)snprintf(config->capabilities + used, sizeof(config->capabilities) - used, "%s%s", used ? " " : "", item->key);
	return 0;
}

/* Properties of processors are those of -cpu, which counts where both say something, whichever stands first. */
static int take_cpu_global(struct qemu_config *config, struct item *item, struct gim_error *error)
{
	const size_t count = config->count;
	const int result = take_property(config, item, error);
	if (result)
		return result;
	const struct qemu_property added = config->properties[count];
	memmove(&config->properties[config->globals + 1], &config->properties[config->globals],
	        (count - config->globals) * sizeof(config->properties[0]));
	config->properties[config->globals++] = added;
	config->hypervisor_defaults |= qemu_config_switch(config, "hv-passthrough") == QEMU_ON;
	return 0;
}

/* "cpu", "x86_64-cpu", "host-x86_64-cpu": of all models, or of one, which is taken for that of -cpu. */
static bool is_cpu(const char *driver)
{
	const size_t length = strlen(driver);
	return !strcmp(driver, "cpu") || (length >= 4 && !strcmp(driver + length - 4, "-cpu"));
}

/* DRIVER.PROPERTY=VALUE, or driver=DRIVER,property=PROPERTY,value=VALUE. */
static int take_global(struct qemu_config *config, char *argument, struct gim_error *error)
{
	struct item item, property = {NULL, NULL};
	const char *driver = "";
	while (next_item(&argument, &item)) {
		char *dot = strchr(item.key, '.');
		if (item.value && !strcmp(item.key, "driver"))
			driver = item.value;
		else if (item.value && !strcmp(item.key, "property"))
			property.key = item.value;
		else if (item.value && !strcmp(item.key, "value"))
			property.value = item.value;
		else if (dot && !property.key) {
			*dot = '\0';
			driver = item.key;
			property = (struct item){dot + 1, item.value};
		}
	}
	if (property.key && *property.key && !strcmp(driver, "migration"))
		return take_capability(config, &property, error);
	return property.key && *property.key && is_cpu(driver) ? take_cpu_global(config, &property, error) : 0;
}

static const struct qemu_option {
	const char *name;
	bool alone; /* it has no argument */
	int (*take)(struct qemu_config *config, char *argument, struct gim_error *error);
} options[] = {
    {"M", false, take_machine},       {"machine", false, take_machine}, {"accel", false, take_accelerator},
    {"enable-kvm", true, enable_kvm}, {"cpu", false, take_cpu},         {"smp", false, take_vcpus},
    {"m", false, take_memory},        {"uuid", false, take_uuid},       {"global", false, take_global},
};

/*
 * Words, as a shell has them: between spaces, unless they are quoted.
 */
static int next_word(const char **at, char word[WORD_MAX], struct gim_error *error)
{
	size_t length = 0;
	char quote = '\0';
	const char *from = *at + strspn(*at, " \t\n");
	if (!*from)
		return 0;
	for (; *from && (quote || !strchr(" \t\n", *from)); from++) {
		if (quote ? *from == quote : *from == '\'' || *from == '"') {
			quote = (char)(quote ? '\0' : *from);
			continue;
		}
		if (length + 1 == WORD_MAX)
			return gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "a word of the command line is too long: %.40s...", word);
		word[length++] = *from;
		word[length] = '\0';
	}
	if (quote)
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "the quote %c of the command line does not end", quote);
	word[length] = '\0';
	*at = from;
	return 1;
}

static const struct qemu_option *find_option(const char *word)
{
	word += 1 + (word[1] == '-');
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(options[i].name, word))
			return &options[i];
	return NULL;
}

static int take_argument(const struct qemu_option *option, const char *word, struct qemu_config *config, struct gim_error *error)
{
	char argument[WORD_MAX];
	const int result = copy(argument, sizeof(argument), word, option->name, error);
	return result ? result : option->take(config, argument, error);
}

/* It is kept to be told, as it may be one that was misspelt; as many as there is room for, and then that there are more. */
static void overlook(struct qemu_config *config, const char *word)
{
	static const char more[] = "...";
	const size_t used = strlen(config->overlooked), size = sizeof(config->overlooked);
	if (used >= strlen(more) && !strcmp(config->overlooked + used - strlen(more), more))
		return;
	const bool fits = used + 1 + strlen(word) + 1 + sizeof(more) <= size;
	(void)snprintf(config->overlooked + used, size - used, "%s%s", used ? " " : "", fits ? word : more);
}

int qemu_command_line_take(struct qemu_command_line *line, const char *word, struct qemu_config *config, struct gim_error *error)
{
	const struct qemu_option *option = line->option;
	const bool passed = line->passed && *word != '-';
	line->option = NULL;
	line->passed = false;
	if (option)
		return take_argument(option, word, config, error);
	if (passed)
		return 0;
	if (*word != '-')
		return line->disks ? 0
		                   : gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN,
		                              "\"%s\" is no option of QEMU's, which begins with -: -M, -cpu, -smp ...", word);
	option = find_option(word);
	line->passed = !option;
	if (!option)
		overlook(config, word);
	if (option && option->alone)
		return take_argument(option, "", config, error);
	line->option = option;
	return 0;
}

int qemu_command_line_end(const struct qemu_command_line *line, struct gim_error *error)
{
	return line->option ? gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "the option -%s lacks its argument", line->option->name) : 0;
}

int qemu_command_line_read(const char *text, struct qemu_config *config, struct gim_error *error)
{
	struct qemu_config *read = calloc(1, sizeof(*read));
	struct qemu_command_line line = {.disks = false};
	char word[WORD_MAX];
	int result = read ? 1 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	while (result > 0 && (result = next_word(&text, word, error)) > 0) {
		const int taken = qemu_command_line_take(&line, word, read, error);
		result = taken ? taken : result;
	}
	if (!result)
		result = qemu_command_line_end(&line, error);
	if (!result)
		*config = *read;
	free(read);
	return result;
}
