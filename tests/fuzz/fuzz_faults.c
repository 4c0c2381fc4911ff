/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Property: whatever a state's bytes are, when an allocation or a read fails while it is judged, opened, decoded, shown and written, the answer is what it is
 * without that or says that it failed, and when every read is short the answer is the same. Which call fails is the input's choice, by its checksum.
 */
#include "../unit/starved.h"

#include "gimstate.h"

#include "fuzz.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static bool all_short;
static unsigned failing_read, reads;

ssize_t __real_pread64(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *bytes, size_t size, off_t offset);

ssize_t __wrap_pread64(int fd, void *bytes, size_t size, off_t offset)
{
	if (++reads == failing_read)
		return errno = EIO, -1;
	return __real_pread64(fd, bytes, all_short && size > 1 ? size / 2 : size, offset);
}

/* What each step came to: its result, and a checksum of all that it gave. */
enum step { VERIFY, OPEN, DECODE, SHOW, WRITE, STEPS };
struct answer {
	int result;
	uint32_t sum;
};

static void take_finding(void *user, const struct gim_finding *finding)
{
	uint32_t *sum = user;
	*sum = gim_crc32(*sum, finding->rule->id, strlen(finding->rule->id));
}

static int take_leaf(void *user, const char *path, const struct gim_value *value)
{
	uint32_t *sum = user;
	char text[80];
	*sum = gim_crc32(*sum, path, strlen(path));
	(void)gim_value_text(value, text, sizeof(text));
	*sum = gim_crc32(*sum, text, strlen(text));
	return 0;
}

static int take_bytes(void *user, const void *bytes, size_t size)
{
	uint32_t *sum = user;
	*sum = gim_crc32(*sum, bytes, size);
	return 0;
}

static void work(const char *path, struct answer *answers)
{
	const struct gim_verify_options options = {.threads = 1};
	struct gim_state *state = NULL;
	memset(answers, 0, STEPS * sizeof(*answers));
	answers[VERIFY].result = gim_verify(path, &options, take_finding, &answers[VERIFY].sum, NULL);
	answers[OPEN].result = gim_state_open(path, &state, NULL);
	if (!state)
		return;
	answers[DECODE].result = gim_state_decode(state, GIM_PART_GIM | GIM_PART_GUEST | GIM_PART_INFO, NULL, NULL, NULL);
	answers[SHOW].result = gim_state_visit(state, NULL, take_leaf, &answers[SHOW].sum, NULL);
	answers[WRITE].result = gim_state_write(state, NULL, take_bytes, &answers[WRITE].sum, NULL);
	gim_state_free(&state);
}

/* Step after step, until one has failed for the fault, or decoding, which tells of its first failure alone: what follows it has less to go by. */
static void compare(const struct answer *clean, const struct answer *answers, bool fault)
{
	for (enum step step = VERIFY; step < STEPS; step++) {
		const int result = answers[step].result;
		if (fault && (result == GIM_E_MEMORY || result == GIM_E_IO) && result != clean[step].result) {
			if (step == VERIFY)
				continue;
			return;
		}
		MUST(result == clean[step].result);
		MUST(answers[step].sum == clean[step].sum || result < 0);
		if (fault && step == DECODE && result < 0)
			return;
	}
}

FUZZ_STATES

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct answer clean[STEPS], answers[STEPS];
	const uint32_t choice = gim_crc32(0, bytes, size);
	char path[32];
	const int fd = memfd_create("state", MFD_CLOEXEC);
	MUST(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	allocations = reads = 0;
	work(path, clean);
	const unsigned all_allocations = allocations, all_reads = reads;
	failing = 1 + choice % (all_allocations ? all_allocations : 1);
	allocations = 0;
	work(path, answers);
	failing = 0;
	compare(clean, answers, true);
	failing_read = 1 + choice % (all_reads ? all_reads : 1);
	reads = 0;
	work(path, answers);
	failing_read = 0;
	compare(clean, answers, true);
	all_short = true;
	work(path, answers);
	all_short = false;
	compare(clean, answers, false);
	(void)close(fd);
	return 0;
}
