/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cache of check: a file for each content of a state, with the findings for every target that it was judged for. */
#include "check_jobs.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A file from this size on is not read again while its inode, size and times are the same. More targets than these are forgotten. */
enum { REMEMBERED_BYTES = 1 << 20, TARGETS_KEPT = 64 };

struct check_cache {
	char *folder;
	char judge[CHECK_KEY]; /* of the program and its rules */
	atomic_bool failed;    /* it was told that something cannot be written */
};

struct check_entry {
	struct check_cache *cache;
	char path[4096];
	json_t *findings; /* by targets' keys */
	bool changed;
};

/*
 * What judges: this build, by the linker's own sum of it, and the texts and severities of its rules.
 */
struct sum {
	char *text;
	size_t size;
	FILE *stream;
};

static int add_rule(void *user, const struct gim_rule *rule)
{
	const struct sum *sum = (const struct sum *)user;
	return fprintf(sum->stream, "%s %d %d\n", rule->id, (int)rule->severity, rule->status) < 0;
}

static int add_build(struct dl_phdr_info *object, size_t size, void *user)
{
	const struct sum *sum = (const struct sum *)user;
	(void)size;
	for (int i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_NOTE)
			(void)fwrite((const void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr), 1, object->dlpi_phdr[i].p_memsz,
			             sum->stream);
	return 1; /* the program is the first */
}

static int key_of_judge(char key[CHECK_KEY], struct gim_error *error)
{
	struct sum sum = {.text = NULL};
	sum.stream = open_memstream(&sum.text, &sum.size);
	if (!sum.stream)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	fprintf(sum.stream, "gimstate %s\n", GIM_VERSION);
	(void)gim_rules_visit(add_rule, &sum);
	(void)dl_iterate_phdr(add_build, &sum);
	(void)fclose(sum.stream);
	const int result = gim_digest_memory(sum.text, sum.size, key, error);
	free(sum.text);
	return result;
}

void check_cache_key(const struct gim_target *target, char key[CHECK_KEY])
{
	json_t *json = NULL, *named = NULL;
	char *text = NULL;
	key[0] = '\0';
	if (!gim_target_json(target, &json, NULL) && (named = json_pack("[o, O]", json_text(gim_target_name(target)), json)))
		text = json_dumps(named, JSON_COMPACT | JSON_SORT_KEYS);
	if (text && gim_digest_memory(text, strlen(text), key, NULL))
		key[0] = '\0';
	free(text);
	json_decref(named);
	json_decref(json);
}

int check_cache_new(const char *folder, struct check_cache **cache, struct gim_error *error)
{
	struct check_cache *made = calloc(1, sizeof(*made));
	if (!made || !(made->folder = strdup(folder))) {
		free(made);
		return error_set(error, GIM_E_MEMORY, "out of memory");
	}
	struct stat status;
	if (mkdir(folder, 0777) && errno != EEXIST)
		(void)error_set(error, GIM_E_IO, "cannot make the cache's folder %s: %s", folder, strerror(errno));
	else if (stat(folder, &status) || !S_ISDIR(status.st_mode))
		(void)error_set(error, GIM_E_IO, "%s is no folder, which the cache needs", folder);
	else if (access(folder, R_OK | W_OK | X_OK))
		(void)error_set(error, GIM_E_IO, "cannot use the cache's folder %s: %s", folder, strerror(errno));
	else
		(void)key_of_judge(made->judge, error);
	if (error->code)
		check_cache_free(&made);
	else
		*cache = made;
	return error->code;
}

void check_cache_free(struct check_cache **cache)
{
	if (*cache)
		free((*cache)->folder);
	free(*cache);
	*cache = NULL;
}

/*
 * Files of the cache: one that is damaged counts as none, and one that is written is never half there.
 */
static bool path_of(const struct check_cache *cache, const char *kind, const char *key, char path[4096])
{
	return snprintf(path, 4096, "%s/%s-%.2s/%s", cache->folder, kind, key, key + 2) < 4096 - 16;
}

static bool write_file(const char *path, const char *text)
{
	char folder[4096], own[4096 + 16];
	(void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	(void)snprintf(own, sizeof(own), "%s.XXXXXX", path);
	int fd = mkstemp(own);
	if (fd < 0 && errno == ENOENT && (!mkdir(folder, 0777) || errno == EEXIST)) {
		(void)snprintf(own, sizeof(own), "%s.XXXXXX", path);
		fd = mkstemp(own);
	}
	if (fd < 0)
		return false;
	const size_t size = strlen(text);
	bool whole = write(fd, text, size) == (ssize_t)size;
	whole &= !fchmod(fd, 0644);
	whole &= !close(fd);
	whole = whole && !rename(own, path);
	if (!whole)
		(void)unlink(own);
	return whole;
}

/* Told once: what is not remembered only costs time. */
static void keep_file(struct check_cache *cache, const char *path, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	if (text && !write_file(path, text) && !atomic_exchange(&cache->failed, true))
		fprintf(stderr, "gimstate: the cache cannot be written (%s); states are judged without it\n", strerror(errno));
	free(text);
}

/*
 * The content's sum.
 */
static void describe(const struct stat *status, char text[200])
{
	(void)snprintf(text, 200, "%llx %llx %llx %lld.%09ld %lld.%09ld", (unsigned long long)status->st_dev,
	               (unsigned long long)status->st_ino, (unsigned long long)status->st_size, (long long)status->st_mtim.tv_sec,
	               status->st_mtim.tv_nsec, (long long)status->st_ctim.tv_sec, status->st_ctim.tv_nsec);
}

/* What changed within the clock's last seconds may change again without that its times show it. */
static bool is_settled(const struct stat *status)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec - status->st_ctim.tv_sec > 2 && now.tv_sec - status->st_mtim.tv_sec > 2;
}

static bool find_sum(const char *path, const char *described, char key[CHECK_KEY])
{
	json_t *json = json_load_file(path, 0, NULL);
	const char *as = json_string_value(json_object_get(json, "file")), *sum = json_string_value(json_object_get(json, "sha256"));
	const bool found = as && sum && strlen(sum) == CHECK_KEY - 1 && !strcmp(as, described);
	if (found)
		memcpy(key, sum, CHECK_KEY);
	json_decref(json);
	return found;
}

static bool sum_large(struct check_cache *cache, const char *file, const struct stat *status, char key[CHECK_KEY])
{
	char described[200], name[CHECK_KEY], path[4096];
	describe(status, described);
	if (gim_digest_memory(described, strlen(described), name, NULL) || !path_of(cache, "file", name, path))
		return !gim_digest_file(file, key, NULL);
	const bool settled = is_settled(status);
	if (settled && find_sum(path, described, key))
		return true;
	if (gim_digest_file(file, key, NULL))
		return false;
	json_t *json = json_pack("{s:s, s:s}", "file", described, "sha256", key);
	if (settled)
		keep_file(cache, path, json);
	json_decref(json);
	return true;
}

/* Of the file itself; what is in an archive goes by the archive's content and its place there. */
static bool sum_state(struct check_cache *cache, const char *state, char key[CHECK_KEY])
{
	char content[CHECK_KEY] = "", text[8192];
	struct stat status;
	const size_t length = gim_path_file(state);
	char *file = strndup(state, length);
	bool whole = file && strcmp(file, "-") && !stat(file, &status) && S_ISREG(status.st_mode);
	if (whole)
		whole =
		    status.st_size < REMEMBERED_BYTES ? !gim_digest_file(file, content, NULL) : sum_large(cache, file, &status, content);
	free(file);
	whole = whole && snprintf(text, sizeof(text), "%s %s%s", cache->judge, content, state + length) < (int)sizeof(text);
	return whole && !gim_digest_memory(text, strlen(text), key, NULL);
}

/*
 * Entries.
 */
struct check_entry *check_entry_open(struct check_cache *cache, const char *state)
{
	char key[CHECK_KEY];
	struct check_entry *entry = cache && sum_state(cache, state, key) ? calloc(1, sizeof(*entry)) : NULL;
	if (!entry)
		return NULL;
	entry->cache = cache;
	if (path_of(cache, "state", key, entry->path))
		entry->findings = json_load_file(entry->path, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(entry->findings)) {
		json_decref(entry->findings);
		entry->findings = json_object();
	}
	return entry;
}

/* A finding as an array; texts that are not UTF-8 could not be given back as they were, so there is none for them. */
static bool add_finding(json_t *findings, const struct check_finding *finding)
{
	json_t *json = json_pack("[s, i, o, s?, s?, s]", finding->rule->id, (int)finding->severity, size_json(finding->offset),
	                         finding->unit, finding->path, finding->text);
	return json && !json_array_append_new(findings, json);
}

static bool take_finding(const json_t *json, struct check_result *result)
{
	const char *id = json_string_value(json_array_get(json, 0)), *text = json_string_value(json_array_get(json, 5));
	const json_int_t severity = json_integer_value(json_array_get(json, 1));
	const json_t *offset = json_array_get(json, 2);
	const struct gim_rule *rule = id ? gim_rule_find(id) : NULL;
	if (!rule || !text || severity < GIM_NOTE || severity > GIM_ERROR)
		return false;
	const struct gim_finding finding = {.rule = rule,
	                                    .severity = (enum gim_severity)severity,
	                                    .offset = json_is_integer(offset) ? (uint64_t)json_integer_value(offset) : GIM_UNKNOWN,
	                                    .unit = json_string_value(json_array_get(json, 3)),
	                                    .path = json_string_value(json_array_get(json, 4)),
	                                    .text = text};
	check_result_add(result, &finding);
	return true;
}

bool check_entry_find(const struct check_entry *entry, const struct check_goal *goal, struct check_result *result)
{
	const json_t *findings = entry && *goal->key ? json_object_get(entry->findings, goal->key) : NULL;
	bool whole = json_is_array(findings);
	for (size_t i = 0; whole && i < json_array_size(findings); i++)
		whole = take_finding(json_array_get(findings, i), result);
	if (!whole)
		check_result_clear(result);
	return whole;
}

void check_entry_add(struct check_entry *entry, const struct check_goal *goal, const struct check_result *result)
{
	if (!entry || !*goal->key || result->error.code)
		return;
	json_t *findings = json_array();
	bool whole = findings;
	for (size_t i = 0; whole && i < result->count; i++)
		whole = add_finding(findings, &result->findings[i]);
	if (!whole) {
		json_decref(findings);
		return;
	}
	if (json_object_size(entry->findings) >= TARGETS_KEPT)
		(void)json_object_clear(entry->findings);
	(void)json_object_set_new(entry->findings, goal->key, findings);
	entry->changed = true;
}

void check_entry_close(struct check_entry **entry)
{
	if (!*entry)
		return;
	if ((*entry)->changed && *(*entry)->path)
		keep_file((*entry)->cache, (*entry)->path, (*entry)->findings);
	json_decref((*entry)->findings);
	free(*entry);
	*entry = NULL;
}
