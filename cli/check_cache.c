/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cache of check: a file for each content of a state, with the findings for every target that it was judged for. */
#include "check_jobs.h"
#include "written.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* A file from this size on is not read again while its inode, size and times are the same. What would be more than an entry is forgotten. */
enum { REMEMBERED_BYTES = CHECK_SMALL_BYTES, ENTRY_BYTES = 1 << 20 };

struct check_cache {
	char *folder;
	char judge[CHECK_KEY];         /* of the program and its rules */
	const struct gim_rule **rules; /* entries name a rule by its place here, which is the same for the same judge */
	size_t rule_count;
	atomic_bool failed; /* it was told that something cannot be written */
};

struct check_entry {
	struct check_cache *cache;
	char *file; /* what was summed up, and how it was then */
	struct stat status;
	char path[4096];
	char *known; /* what the file says: a block for each target */
	char *added; /* blocks to be written behind those */
	size_t added_size;
	FILE *adding; /* NULL: nothing is added */
};

/*
 * What judges: this build, by the linker's own sum of it, and the texts and severities of its rules.
 */
struct sum {
	struct check_cache *cache;
	char *text;
	size_t size;
	FILE *stream;
};

static int add_rule(void *user, const struct gim_rule *rule)
{
	const struct sum *sum = (const struct sum *)user;
	struct check_cache *cache = sum->cache;
	const struct gim_rule **rules = realloc(cache->rules, (cache->rule_count + 1) * sizeof(*rules));
	if (!rules)
		return 1;
	cache->rules = rules;
	cache->rules[cache->rule_count++] = rule;
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

static int find_judge(struct check_cache *cache, struct gim_error *error)
{
	struct sum sum = {.cache = cache};
	sum.stream = open_memstream(&sum.text, &sum.size);
	if (!sum.stream)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	fprintf(sum.stream, "gimstate %s\n", GIM_VERSION);
	const int visited = gim_rules_visit(add_rule, &sum);
	(void)dl_iterate_phdr(add_build, &sum);
	const int failed = fclose(sum.stream) || !sum.text || visited;
	const int result =
	    failed ? error_set(error, GIM_E_MEMORY, "out of memory") : gim_digest_memory(sum.text, sum.size, cache->judge, error);
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
	/* What lacks something for want of memory is another target's. */
	if (text && (output_is_starved() || gim_digest_memory(text, strlen(text), key, NULL)))
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
		(void)find_judge(made, error);
	written_catch(); /* the pool's threads write to it */
	if (error->code)
		check_cache_free(&made);
	else
		*cache = made;
	return error->code;
}

void check_cache_free(struct check_cache **cache)
{
	if (*cache) {
		free((*cache)->folder);
		free((*cache)->rules);
	}
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

/* A new file of the folder that path is in; own gets its name, as any of ours that has not got the one that it is for. */
static int make_file(const char *path, char own[static 4096 + 32])
{
	(void)snprintf(own, 4096 + 32, "%.*s/.gimstate-XXXXXX", (int)(strrchr(path, '/') - path), path);
	return mkostemp(own, O_CLOEXEC);
}

static bool write_new(const char *path, const char *first, const char *second)
{
	char folder[4096], own[4096 + 32];
	(void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	int fd = make_file(path, own);
	if (fd < 0 && errno == ENOENT && (!mkdir(folder, 0777) || errno == EEXIST))
		fd = make_file(path, own);
	if (fd < 0)
		return false;
	struct iovec parts[] = {{(void *)(uintptr_t)first, strlen(first)}, {(void *)(uintptr_t)second, strlen(second)}};
	bool whole = writev(fd, parts, 2) == (ssize_t)(parts[0].iov_len + parts[1].iov_len);
	whole &= !fchmod(fd, 0644);
	whole &= !close(fd);
	whole = whole && !rename(own, path);
	if (!whole)
		(void)unlink(own);
	return whole;
}

static bool write_file(const char *path, const char *first, const char *second)
{
	sigset_t before;
	written_hold(&before);
	const bool whole = write_new(path, first, second);
	written_resume(&before);
	return whole;
}

/* The file's text; NULL: there is none that can be one of ours. */
static char *read_file(const char *path)
{
	const int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC));
	struct stat status;
	char *text = NULL;
	if (fd >= 0 && !fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_size < ENTRY_BYTES)
		text = malloc((size_t)status.st_size + 1);
	const ssize_t got = text ? read(fd, text, (size_t)status.st_size) : -1;
	if (text)
		text[got > 0 ? got : 0] = '\0';
	if (fd >= 0)
		(void)close(fd);
	return text;
}

/* Told once: what is not remembered only costs time. */
static void keep_file(struct check_cache *cache, const char *path, const char *first, const char *second)
{
	if (!write_file(path, first, second) && !atomic_exchange(&cache->failed, true))
		fprintf(stderr, "gimstate: the cache cannot be written (%s); states are judged without it\n", strerror(errno));
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

/* The file says: the sum, and of what. */
static bool find_sum(const char *path, const char *described, char key[CHECK_KEY])
{
	char *text = read_file(path);
	const bool found = text && strlen(text) > CHECK_KEY && text[CHECK_KEY - 1] == ' ' && !strcmp(text + CHECK_KEY, described);
	if (found) {
		memcpy(key, text, CHECK_KEY - 1);
		key[CHECK_KEY - 1] = '\0';
	}
	free(text);
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
	char line[CHECK_KEY + 1];
	(void)snprintf(line, sizeof(line), "%s ", key);
	if (settled)
		keep_file(cache, path, line, described);
	return true;
}

/* All of a small file by one read, which asks for a byte more than there should be. */
static bool sum_small(int fd, size_t size, char key[CHECK_KEY])
{
	char *bytes = malloc(size + 1);
	const bool whole = bytes && read(fd, bytes, size + 1) == (ssize_t)size && !gim_digest_memory(bytes, size, key, NULL);
	free(bytes);
	return whole;
}

static bool sum_file(struct check_cache *cache, const char *file, struct stat *status, char key[CHECK_KEY])
{
	/* A pipe would wait for its writer. */
	const int fd = (int)TEMP_FAILURE_RETRY(open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
	bool whole = fd >= 0 && !fstat(fd, status) && S_ISREG(status->st_mode);
	if (whole)
		whole =
		    status->st_size < REMEMBERED_BYTES ? sum_small(fd, (size_t)status->st_size, key) : sum_large(cache, file, status, key);
	if (fd >= 0)
		(void)close(fd);
	return whole;
}

/* Of the file itself; what is in an archive goes by the archive's content and its place there. */
static bool sum_state(struct check_entry *entry, const char *state, char key[CHECK_KEY])
{
	char content[CHECK_KEY] = "", text[8192];
	const size_t length = gim_path_file(state);
	entry->file = strndup(state, length);
	if (!entry->file || !strcmp(entry->file, "-") || !sum_file(entry->cache, entry->file, &entry->status, content))
		return false;
	if (!state[length])
		memcpy(key, content, CHECK_KEY);
	return !state[length] || (snprintf(text, sizeof(text), "%s%s", content, state + length) < (int)sizeof(text) &&
	                          !gim_digest_memory(text, strlen(text), key, NULL));
}

/* Is the file still what was summed up? Else what was found is not that content's. */
static bool is_unchanged(const struct check_entry *entry)
{
	char then[200], now[200];
	struct stat status;
	if (stat(entry->file, &status))
		return false;
	describe(&entry->status, then);
	describe(&status, now);
	return !strcmp(then, now);
}

/*
 * Entries. A block begins with a line "target KEY", has a line for each finding, its parts between tabs, and ends with a line "end".
 */
struct check_entry *check_entry_open(struct check_cache *cache, const char *state)
{
	char key[CHECK_KEY], kind[40];
	struct check_entry *entry = cache ? calloc(1, sizeof(*entry)) : NULL;
	if (!entry)
		return NULL;
	entry->cache = cache;
	(void)snprintf(kind, sizeof(kind), "state-%.16s", cache->judge);
	if (sum_state(entry, state, key) && path_of(cache, kind, key, entry->path))
		entry->known = read_file(entry->path);
	else
		check_entry_close(&entry);
	return entry;
}

bool check_entry_is_known(const struct check_entry *entry)
{
	return entry && entry->known;
}

enum part { PART_RULE, PART_SEVERITY, PART_OFFSET, PART_UNIT, PART_PATH, PART_TEXT, PARTS };

static bool take_finding(const struct check_cache *cache, char *line, struct check_result *result)
{
	char *parts[PARTS] = {NULL}, *end = NULL;
	size_t count = 0;
	for (char *part; count < PARTS && (part = strsep(&line, "\t"));)
		parts[count++] = part;
	const unsigned long rule = count == PARTS && !line ? strtoul(parts[PART_RULE], &end, 10) : 0;
	if (!end || *end || end == parts[PART_RULE] || rule >= cache->rule_count || strlen(parts[PART_SEVERITY]) != 1 ||
	    parts[PART_SEVERITY][0] < '0' + GIM_NOTE || parts[PART_SEVERITY][0] > '0' + GIM_ERROR)
		return false;
	const struct gim_finding finding = {.rule = cache->rules[rule],
	                                    .severity = (enum gim_severity)(parts[PART_SEVERITY][0] - '0'),
	                                    .offset = *parts[PART_OFFSET] ? strtoull(parts[PART_OFFSET], &end, 16) : GIM_UNKNOWN,
	                                    .unit = *parts[PART_UNIT] ? parts[PART_UNIT] : NULL,
	                                    .path = *parts[PART_PATH] ? parts[PART_PATH] : NULL,
	                                    .text = parts[PART_TEXT]};
	if (*end)
		return false;
	check_result_add(result, &finding);
	return true;
}

/* The lines of the target's block, which is whole; the caller's. */
static char *find_block(const struct check_entry *entry, const char *key)
{
	char head[CHECK_KEY + 10];
	(void)snprintf(head, sizeof(head), "target %s\n", key);
	const char *begin = entry->known ? strstr(entry->known, head) : NULL, *end = begin;
	if (!begin || (begin != entry->known && begin[-1] != '\n'))
		return NULL;
	begin += strlen(head);
	while (end && strncmp(end, "end\n", 4) != 0)
		if ((end = strchr(end, '\n')))
			end++;
	return end ? strndup(begin, (size_t)(end - begin)) : NULL;
}

bool check_entry_find(const struct check_entry *entry, const struct check_goal *goal, struct check_result *result)
{
	char *block = entry && *goal->key ? find_block(entry, goal->key) : NULL, *rest = block;
	bool whole = block;
	for (char *line; whole && (line = strsep(&rest, "\n"));)
		whole = !*line || take_finding(entry->cache, line, result);
	free(block);
	if (!whole)
		check_result_clear(result);
	return whole;
}

/* Can every text stand between tabs, and be told from none? */
static bool can_be_kept(const struct check_result *result)
{
	for (size_t i = 0; i < result->count; i++) {
		const char *const texts[] = {result->findings[i].unit, result->findings[i].path, result->findings[i].text};
		for (size_t t = 0; t < 3; t++)
			if (texts[t] && (strpbrk(texts[t], "\t\n") || (t < 2 && !*texts[t])))
				return false;
	}
	return true;
}

static size_t number_of(const struct check_cache *cache, const struct gim_rule *rule)
{
	size_t number = 0;
	while (number < cache->rule_count && cache->rules[number] != rule)
		number++;
	return number; /* one that is none is refused when it is read */
}

static void add_finding(const struct check_cache *cache, FILE *stream, const struct check_finding *finding)
{
	fprintf(stream, "%zu\t%d\t", number_of(cache, finding->rule), (int)finding->severity);
	if (finding->offset != GIM_UNKNOWN)
		fprintf(stream, "%" PRIx64, finding->offset);
	fprintf(stream, "\t%s\t%s\t%s\n", finding->unit ? finding->unit : "", finding->path ? finding->path : "", finding->text);
}

void check_entry_add(struct check_entry *entry, const struct check_goal *goal, const struct check_result *result)
{
	if (!entry || !*goal->key || result->error.code || !can_be_kept(result))
		return;
	if (!entry->adding)
		entry->adding = open_memstream(&entry->added, &entry->added_size);
	if (!entry->adding)
		return;
	fprintf(entry->adding, "target %s\n", goal->key);
	for (size_t i = 0; i < result->count; i++)
		add_finding(entry->cache, entry->adding, &result->findings[i]);
	fputs("end\n", entry->adding);
}

/* Blocks are whole lines, so whatever else a file holds, what is behind its last line can be found. */
static bool is_whole(const char *known)
{
	const size_t length = strlen(known);
	return length >= 5 && !strcmp(known + length - 5, "\nend\n");
}

void check_entry_close(struct check_entry **entry)
{
	struct check_entry *old = *entry;
	if (!old)
		return;
	if (old->adding && !fclose(old->adding) && old->added && old->added_size < ENTRY_BYTES && is_unchanged(old)) {
		const bool both = old->known && is_whole(old->known) && strlen(old->known) + old->added_size < ENTRY_BYTES;
		keep_file(old->cache, old->path, both ? old->known : "", old->added);
	}
	free(old->file);
	free(old->known);
	free(old->added);
	free(old);
	*entry = NULL;
}
