/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Debian's gdb at a resumed guest: registers, memory, steps, breakpoints of each kind; and nobody but who is on this host can connect. */
#include "foreign.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
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

static uint16_t any_port(void)
{
	static uint16_t next;
	return (uint16_t)(20000 + (getpid() + 7 * next++) % 20000);
}

static bool has_gdb(void)
{
	return !system("gdb --version >/dev/null 2>&1");
}

/* Run the guest with a debugger that is told these lines, each an -ex of its own. */
static void run_debugged(struct seen *seen, struct debugger *debugger, uint32_t vcpus, change_fn *change, const char *const *lines)
{
	struct gim_buffer file = {0};
	pthread_t thread;
	const uint16_t port = any_port();
	*debugger = (struct debugger){.said = ""};
	size_t used = (size_t)snprintf(debugger->command, sizeof(debugger->command),
	                               "timeout 60 gdb -nx -batch -ex 'set pagination off' -ex 'set tcp connect-timeout 20' "
	                               "-ex 'target remote 127.0.0.1:%u'",
	                               port);
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
	if (!has_gdb())
		skip();
	run_debugged(&seen, &debugger, 2, protect_first, lines);
	expect(&debugger, texts);
	assert_int_equal(seen.result.end, GUEST_KILLED);
	assert_int_equal(seen.pages, 1);
	assert_int_equal(foreign_word(&seen, 0, COUNT), 101);
}

/* Registers of each kind, a breakpoint that is there once, several steps, and memory that is not there. */
static void test_gdb_stops(void **unused)
{
	static const char *const lines[] = {"print/x $cs",
	                                    "print/x $eflags & 2",
	                                    "print $xmm1.v2_int64[0] == 0x1122334455667788",

	                                    "tbreak *0x8007",
	                                    "continue",
	                                    "info breakpoints",
	                                    "stepi 3",
	                                    "print/x $eip",
	                                    "x/i 0x8000",
	                                    "print/x $cr0",
	                                    "print $eflags",
	                                    "set var $cr0 = 0",
	                                    "print *(int*)0x3fffff0",
	                                    NULL};
	static const char *const texts[] = {"$1 = 0x8",
	                                    "$2 = 0x2",
	                                    "$3 = 1",
	                                    "Temporary breakpoint 1, 0x00008007",
	                                    "No breakpoints",
	                                    "$4 = 0x8007",
	                                    "inc",
	                                    "$5 = 0x11",
	                                    "$6 = [",
	                                    "Could not write register",
	                                    "Cannot access memory at address 0x3fffff0",
	                                    NULL};
	struct seen seen;
	struct debugger debugger;
	(void)unused;
	NEED_KVM;
	if (!has_gdb())
		skip();
	run_debugged(&seen, &debugger, 1, protect_first, lines);
	expect(&debugger, texts);
	assert_int_equal(seen.result.end, GUEST_KILLED);
}

/*
 * Who can connect.
 */
static int connect_to(uint32_t address, uint16_t port)
{
	const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = address}};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (!connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		return fd;
	(void)close(fd);
	return -1;
}

struct stranger {
	uint16_t port;
	unsigned others, taken; /* addresses of this host but for the loopback's; that took a connection */
	bool at_home;
};

/* Once it listens, every address of the host is tried; then the guest is killed through the one that answers. */
static void *try_all(void *user)
{
	struct stranger *stranger = (struct stranger *)user;
	struct ifaddrs *list = NULL;
	int home = -1;
	for (unsigned i = 0; i < 2000 && home < 0; i++) {
		home = connect_to(htonl(INADDR_LOOPBACK), stranger->port);
		if (home < 0)
			(void)usleep(10000);
	}
	if (home < 0)
		return NULL;
	stranger->at_home = true;
	if (!getifaddrs(&list))
		for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
			struct sockaddr_in address;
			if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET)
				continue;
			memcpy(&address, at->ifa_addr, sizeof(address));
			if (ntohl(address.sin_addr.s_addr) >> 24 == 127)
				continue;
			const int fd = connect_to(address.sin_addr.s_addr, stranger->port);
			stranger->others++;
			stranger->taken += fd >= 0;
			if (fd >= 0)
				(void)close(fd);
		}
	freeifaddrs(list);
	(void)!write(home, "$k#6b", 5);
	char byte;
	while (read(home, &byte, 1) > 0)
		;
	(void)close(home);
	return NULL;
}

/* The loopback's address answers, and no other of the host. */
static void test_loopback(void **unused)
{
	struct stranger stranger = {.port = any_port()};
	struct gim_buffer file = {0};
	struct seen seen;
	pthread_t thread;
	(void)unused;
	NEED_KVM;
	foreign_state(&file, 1, CODE_BYTES(count_guest), protect_first);
	assert_int_equal(pthread_create(&thread, NULL, try_all, &stranger), 0);
	foreign_run(&seen, &file, 0, stranger.port);
	assert_int_equal(pthread_join(thread, NULL), 0);
	gim_buffer_free(&file);
	assert_true(stranger.at_home);
	assert_int_equal(stranger.taken, 0);
	assert_int_equal(seen.result.end, GUEST_KILLED);
	print_message("%u other addresses refuse\n", stranger.others);
}

#endif

int main(void)
{
#ifdef __x86_64__
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_gdb), cmocka_unit_test(test_gdb_stops), cmocka_unit_test(test_loopback)};
	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("SKIP the guests are code of x86-64");
	return 77;
#endif
}
