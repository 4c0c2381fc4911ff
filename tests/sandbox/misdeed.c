/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stands where the library's parsers read their input, and does there once what a parser that was taken over might: GIMSTATE_MISDEED says what. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct gim_input;
struct gim_error;
int __real_gim_input_read(struct gim_input *input, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error);
int __wrap_gim_input_read(struct gim_input *input, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error);

static void tell(const char *what, bool done)
{
	const int reason = errno;
	(void)fprintf(stderr, "%s: %s\n", what, done ? "DONE" : strerror(reason));
}

static void execute(void)
{
	static char *const words[] = {"true", NULL};
	(void)execv("/bin/true", words);
	tell("execve", false);
}

static void make_process(void)
{
	const pid_t child = fork();
	if (!child)
		_exit(0);
	tell("fork", child > 0);
}

static void open_other(void)
{
	tell("open another file", open("/etc/passwd", O_RDONLY) >= 0);
}

static void list_other(void)
{
	tell("open another folder", open("/etc", O_RDONLY | O_DIRECTORY) >= 0);
}

static void make_file(void)
{
	tell("make a file", open("made", O_WRONLY | O_CREAT, 0600) >= 0);
}

static void change_input(void)
{
	tell("open the input for writing", open(getenv("GIMSTATE_VICTIM"), O_WRONLY) >= 0);
}

static void remove_input(void)
{
	tell("remove the input", !unlink(getenv("GIMSTATE_VICTIM")));
}

static void call_home(void)
{
	tell("socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static void map_code(void)
{
	tell("map code", mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static void signal_other(void)
{
	tell("kill", !kill(getppid(), 0));
}

static void *execute_there(void *nothing)
{
	execute();
	return nothing;
}

static void execute_in_thread(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, execute_there, NULL))
		tell("thread", false);
	else
		(void)pthread_join(thread, NULL);
}

static const struct {
	const char *name;
	void (*commit)(void);
} misdeeds[] = {
    {"execve", execute},    {"thread", execute_in_thread}, {"fork", make_process},   {"open", open_other},  {"list", list_other},
    {"make", make_file},    {"change", change_input},      {"remove", remove_input}, {"socket", call_home}, {"code", map_code},
    {"kill", signal_other},
};

int __wrap_gim_input_read(struct gim_input *input, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;
	const char *name = getenv("GIMSTATE_MISDEED");
	const bool worker = gettid() != getpid();
	/* "worker:execve" waits for a thread of the library's own. */
	if (name && !strncmp(name, "worker:", 7))
		name = worker ? name + 7 : NULL;
	for (size_t i = 0; name && i < sizeof(misdeeds) / sizeof(misdeeds[0]); i++)
		if (!strcmp(misdeeds[i].name, name) && !atomic_flag_test_and_set(&done))
			misdeeds[i].commit();
	return __real_gim_input_read(input, offset, bytes, size_bytes, got, error);
}
