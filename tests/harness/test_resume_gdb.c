/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Debian's gdb at a resumed guest: registers, memory, steps, breakpoints of each kind; and nobody but who is on this host can connect. */
#include "foreign.h"

#include <pthread.h>
#include <unistd.h>

#ifdef __x86_64__

/* In protected mode it counts; the nop is at CODE + 6. */
__asm__(CODE_BEGIN(count_guest) ".code32\n0: incl 0\n nop\n jmp 0b\n" CODE_END(count_guest));
extern const uint8_t count_guest[], count_guest_end[];

struct debugger {
	char command[2048], said[8192];
};

static void *debug(void *user)
{
	struct debugger *debugger = (struct debugger *)user;
	FILE *pipe = popen(debugger->command, "re");
	size_t used = 0;
	while (pipe && used < sizeof(debugger->said) - 1 && !feof(pipe) && !ferror(pipe))
		used += fread(debugger->said + used, 1, sizeof(debugger->said) - 1 - used, pipe);
	if (pipe)
		(void)pclose(pipe);
	return NULL;
}

/* Run the guest with a debugger that is told these lines, each an -ex of its own. */
static void run_debugged(struct seen *seen, struct debugger *debugger, uint32_t vcpus, change_fn *change, const char *const *lines)
{
	struct gim_buffer file = {0};
	pthread_t thread;
	const uint16_t port = (uint16_t)(20000 + getpid() % 20000);
	*debugger = (struct debugger){.said = ""};
	size_t used = (size_t)snprintf(debugger->command, sizeof(debugger->command),
	                               "timeout 60 gdb -nx -batch -ex 'set pagination off' -ex 'target remote 127.0.0.1:%u'", port);
	for (; *lines; lines++)
		used += (size_t)snprintf(debugger->command + used, sizeof(debugger->command) - used, " -ex '%s'", *lines);
	used += (size_t)snprintf(debugger->command + used, sizeof(debugger->command) - used, " -ex kill 2>&1 </dev/null");
	assert_true(used < sizeof(debugger->command));
	foreign_state(&file, vcpus, CODE_BYTES(count_guest), change);
	assert_int_equal(pthread_create(&thread, NULL, debug, debugger), 0);
	foreign_run(seen, &file, 0, port);
	assert_int_equal(pthread_join(thread, NULL), 0);
	gim_buffer_free(&file);
}

static void expect(const struct debugger *debugger, const char *const *texts)
{
	const char *at = debugger->said;
	for (; *texts; texts++) {
		at = strstr(at, *texts);
		if (!at)
			fail_msg("gdb did not say \"%s\" in its place:\n%s", *texts, debugger->said);
		at += strlen(*texts);
	}
}

static void protect_first(struct guest_vcpu *vcpu, uint32_t id)
{
	foreign_protect(vcpu, id);
	if (id)
		vcpu->run.state = 6;
}

/* Breakpoints in the code and beside it, steps, memory and registers both ways; afterwards the code is what it was. */
static void test_gdb(void **unused)
{
	static const char *const lines[] = {"info threads",
	                                    "break *0x8006",
	                                    "continue",
	                                    "x/1dw 0x9000",
	                                    "continue",
	                                    "x/1dw 0x9000",
	                                    "stepi",
	                                    "print/x $eip",
	                                    "set var *(int*)0x9000 = 100",
	                                    "delete",
	                                    "hbreak *0x8006",
	                                    "continue",
	                                    "x/1dw 0x9000",
	                                    "set var $eax = 0x1234",
	                                    "print/x $eax",
	                                    "thread 2",
	                                    "print/x $eip",
	                                    "x/2xb 0x8006",
	                                    NULL};
	static const char *const texts[] = {"Thread 2 (vCPU 1 halts)",
	                                    "Breakpoint 1, 0x00008006",
	                                    "0x9000:\t1\n",
	                                    "0x9000:\t2\n",
	                                    "$1 = 0x8007",
	                                    "Breakpoint 2, 0x00008006",
	                                    "0x9000:\t101\n",
	                                    "$2 = 0x1234",
	                                    "$3 = 0x8000",
	                                    "0x90\t0xeb",
	                                    NULL};
	struct seen seen;
	struct debugger debugger;
	(void)unused;
	NEED_KVM;
	if (system("gdb --version >/dev/null 2>&1"))
		skip();
	run_debugged(&seen, &debugger, 2, protect_first, lines);
	expect(&debugger, texts);
	assert_int_equal(seen.result.end, GUEST_KILLED);
	assert_int_equal(seen.pages, 1);
	assert_int_equal(foreign_word(&seen, 0, COUNT), 101);
}

#endif

int main(void)
{
#ifdef __x86_64__
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_gdb)};
	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("SKIP the guests are code of x86-64");
	return 77;
#endif
}
