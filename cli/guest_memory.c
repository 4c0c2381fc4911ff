/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening guest memory for a command: its state settled, its index made, with progress. */
#include "guest_memory.h"

#include "command.h"
#include "output.h"
#include "shell.h"
#include "source.h"
#include "written.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The index is an aid: that there is none to use, or that it cannot be kept, is said, and no more. */
static void say(const char *index, const struct gim_error *why, const char *then)
{
	fputs("gimstate: ", stderr);
	put_safe(stderr, index);
	fputs(": ", stderr);
	put_safe(stderr, why->text);
	fprintf(stderr, "; %s\n", then);
}

static void keep_index(struct gim_memory *memory, const char *index)
{
	struct gim_output *output;
	struct gim_error error = GIM_ERROR_INIT;
	int result = written_new(index, true, &output, &error);
	if (!result)
		result = output_end(output, gim_memory_index_write(memory, gim_output_write, output, &error), &error);
	if (result)
		say(index, &error, "the index is not kept");
}

/* What is no index is no file of ours, and not replaced. */
static int open_by_index(struct guest_memory *memory, const char *file, const char *index, struct gim_error *error)
{
	const struct gim_memory_options options = {.progress = progress_step, .progress_user = &memory->progress};
	struct gim_error own = GIM_ERROR_INIT;
	const bool there = !access(index, F_OK);
	int result = there ? gim_memory_open_index(memory->state, index, &memory->memory, &own) : GIM_E_IO;
	if (!result)
		return 0;
	if (there && result == GIM_E_FORMAT)
		return error_set(error, GIM_E_ARGUMENT, "%s is no index of guest memory, and is not replaced by one", index);
	const bool useless = result == GIM_E_UNSUPPORTED;
	progress_clear(&memory->progress);
	if (there)
		say(index, &own, useless ? "it is not used" : "it is made anew");
	progress_start(&memory->progress, file);
	result = gim_memory_open(memory->state, &options, &memory->memory, error);
	if (!result && !useless)
		keep_index(memory->memory, index);
	return result;
}

int guest_memory_open(struct guest_memory *memory, const char *file, const char *index, struct gim_error *error)
{
	*memory = (struct guest_memory){.state = NULL};
	if (source_is_held(file) && machine_running()) {
		memory->machine = machine_running();
		return 0;
	}
	progress_start(&memory->progress, file);
	const struct gim_memory_options options = {.progress = progress_step, .progress_user = &memory->progress};
	int result = source_open(file, SOURCE_FIELDS, true, &memory->state, error);
	if (!result)
		result =
		    index ? open_by_index(memory, file, index, error) : gim_memory_open(memory->state, &options, &memory->memory, error);
	progress_clear(&memory->progress);
	return result;
}

void guest_memory_free(struct guest_memory *memory)
{
	gim_memory_free(&memory->memory);
	gim_state_free(&memory->state);
}

int guest_memory_read(struct guest_memory *memory, uint64_t gpa, void *bytes, size_t size, struct gim_error *error)
{
	return memory->machine ? gim_machine_read(memory->machine, gpa, bytes, size, error)
	                       : gim_memory_read(memory->memory, gpa, bytes, size, error);
}

bool memory_number(const char *text, uint64_t *number)
{
	static const char units[] = "KMG";
	char *end;
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, &end, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
	const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	const unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	if (errno || (*end && (!unit || end[1])) || *number > UINT64_MAX >> shift)
		return false;
	*number <<= shift;
	return true;
}

int memory_failed(struct guest_memory *memory, const char *file, const struct gim_error *error, bool json)
{
	progress_clear(&memory->progress);
	(void)output_error(memory->machine ? NULL : file, error, json);
	return EXIT_NO_ANSWER;
}
