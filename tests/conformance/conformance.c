/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs the conformance rows, all of them or those named, and says of each how it went; and that the table has every row of ids.txt once. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

static const struct row *const tables[] = {hv_synic_rows, hv_clock_rows, hv_feature_rows, hv_processor_rows, kvm_rows};
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

struct counts {
	unsigned passed, failed, skipped;
};

static void fail(struct counts *counts, const char *id, const char *text)
{
	printf("%s FAIL %s\n", id, text);
	counts->failed++;
}

static void run(const struct row *row, struct counts *counts)
{
	static struct guest guest;
	memset(&guest, 0, sizeof(guest));
	if (row->skip) {
		printf("%s SKIP %s\n", row->id, row->skip);
		counts->skipped++;
		return;
	}
	row->run(&guest, row->data);
	guest_stop(&guest);
	if (*guest.failure) {
		printf("%s FAIL %s: %s\n", row->id, row->title, guest.failure);
		counts->failed++;
		return;
	}
	printf("%s ok\n", row->id);
	counts->passed++;
}

static bool is_named(const char *id, char **names)
{
	bool any = !*names;
	for (; *names; names++)
		any |= !strcmp(*names, id) || (strncmp(*names, id, strlen(*names)) == 0 && id[strlen(*names)] == '-');
	return any;
}

static unsigned count_id(const char *id)
{
	unsigned count = 0;
	for (size_t t = 0; t < TABLES; t++)
		for (const struct row *row = tables[t]; row->id; row++)
			count += !strcmp(row->id, id);
	return count;
}

/* Every id of the list is in the tables once, and nothing else is. */
static void cover(struct counts *counts)
{
	FILE *list = fopen("tests/conformance/ids.txt", "r");
	unsigned listed = 0, rows = 0;
	char line[256], prefix[32], id[64], text[128];
	if (!list) {
		fail(counts, "ids.txt", "cannot be read: run this in the project's folder");
		return;
	}
	while (fgets(line, sizeof(line), list)) {
		unsigned first, last;
		if (*line == '#' || *line == '\n')
			continue;
		const int fields = sscanf(line, "%31s %u %u", prefix, &first, &last);
		if (fields < 2) {
			fail(counts, "ids.txt", line);
			continue;
		}
		for (unsigned i = first; i <= (fields == 3 ? last : first); i++, listed++) {
			(void)snprintf(id, sizeof(id), "%s-%u", prefix, i);
			const unsigned count = count_id(id);
			(void)snprintf(text, sizeof(text), "is %u times in the tables, once is expected", count);
			if (count != 1)
				fail(counts, id, text);
		}
	}
	(void)fclose(list);
	for (size_t t = 0; t < TABLES; t++)
		for (const struct row *row = tables[t]; row->id; row++)
			rows++;
	(void)snprintf(text, sizeof(text), "lists %u rows, the tables have %u", listed, rows);
	if (listed != rows)
		fail(counts, "ids.txt", text);
}

int main(int count, char **words)
{
	struct counts counts = {0, 0, 0};
	(void)count;
	for (size_t t = 0; t < TABLES; t++)
		for (const struct row *row = tables[t]; row->id; row++)
			if (is_named(row->id, words + 1))
				run(row, &counts);
	if (!words[1])
		cover(&counts);
	printf("%u passed, %u failed, %u skipped\n", counts.passed, counts.failed, counts.skipped);
	return counts.failed != 0;
}
