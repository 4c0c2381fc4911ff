/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes the filters of system calls that cli/sandbox.c loads, as C, for every architecture that libseccomp knows how to make them for. It runs when
 * gimstate is built, so that starting the command does not cost what making a filter does, which is more than reading a small state.
 */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>

/* By what the compiler of the target says of it. Requests of ioctl and flags of clone are the same on all of these. */
static const struct architecture {
	uint32_t token;
	const char *condition;
	bool big_endian;
	unsigned clone_flags; /* which argument of clone they are */
} architectures[] = {
    {SCMP_ARCH_X86_64, "defined(__x86_64__) && !defined(__ILP32__)", false, 0},
    {SCMP_ARCH_X86, "defined(__i386__)", false, 0},
    {SCMP_ARCH_AARCH64, "defined(__aarch64__) && defined(__AARCH64EL__) && !defined(__ILP32__)", false, 0},
    {SCMP_ARCH_ARM, "defined(__arm__) && defined(__ARMEL__)", false, 0},
    {SCMP_ARCH_RISCV64, "defined(__riscv) && __riscv_xlen == 64", false, 0},
    {SCMP_ARCH_S390X, "defined(__s390x__)", true, 1},
};

enum { ALLOW = 1, KILL }; /* what is in no table is refused with ENOSYS, for which the C library has a way out */

static const char *const reading[] = {
    "read",
    "pread64",
    "readv",
    "lseek",
    "write",
    "pwrite64",
    "writev",
    "close",
    "close_range",
    "dup",
    "dup2",
    "fcntl",
    "poll",
    "ppoll",
    "open",
    "openat",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "chdir",
    "fchdir",
    "fadvise64",
    "readahead",
    "statfs",
    "fstatfs",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "ftruncate",
    "fallocate",
    "copy_file_range",
    "flock",
    "fchmod",
    "fchmodat",
    "chmod",
    "fchown",
    "utimensat",
    "link",
    "linkat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "umask",
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "futex",
    "sched_yield",
    "sched_getaffinity",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "membarrier",
    "exit",
    "exit_group",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "restart_syscall",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "getrandom",
    "uname",
    "sysinfo",
    "getpid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getrlimit",
    "getrusage",
    "_llseek",
    "fstat64",
    "stat64",
    "lstat64",
    "fstatat64",
    "fcntl64",
    "ftruncate64",
    "fadvise64_64",
    "statfs64",
    "fstatfs64",
    "ugetrlimit",
    "clock_gettime64",
    "clock_nanosleep_time64",
    "futex_time64",
    "ppoll_time64",
    "getuid32",
    "geteuid32",
    "getgid32",
    "getegid32",
    "fchown32",
    NULL,
};

/* What a machine takes besides: its vCPUs are timed, kicked, and waited for. */
static const char *const machine[] = {"timer_create", "timer_settime", "timer_settime64", "timer_delete", "eventfd2", NULL};

/* A port of this host that GDB comes to. */
static const char *const server[] = {
    "socket", "bind", "listen", "accept", "accept4", "getsockname", "setsockopt", "getsockopt", "sendto", "recvfrom", "shutdown", NULL,
};

/* What readline takes besides. */
static const char *const terminal[] = {"pselect6", "pselect6_time64", "select", "_newselect", "getpgrp", "getpgid", "getppid", NULL};

/* Of these no reader of files makes one by mistake: they end the process. */
static const char *const crimes[] = {
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kill",
    "tkill",
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "sendto",
    "sendmsg",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "setuid",
    "setresuid",
    "setgid",
    "setresgid",
    "capset",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "kexec_load",
    "reboot",
    "io_uring_setup",
    "open_by_handle_at",
    "memfd_create",
    "shmat",
    "personality",
    NULL,
};

/* What each lets through besides files; of the crimes, what it lets through is none. Their order is that of enum filter in sandbox.c. */
static const struct filter {
	const char *name;
	bool kvm;
	const char *const *more[2];
} filters[] = {
    {"files", false, {NULL}},
    {"host", true, {NULL}},
    {"machine", true, {machine}},
    {"server", true, {machine, server}},
    {"shell", true, {machine, terminal}},
};

/* Stands for the process's own number in a filter, until that is known. */
enum { PROCESS = 0x7ace0001 };

static scmp_filter_ctx being_made;

static void must(int result, const char *what)
{
	if (result) {
		(void)fprintf(stderr, "filter: %s: %s\n", what, strerror(result < 0 ? -result : result));
		exit(1);
	}
}

static int number_of(const char *name)
{
	const int number = seccomp_syscall_resolve_name(name);
	must(number == __NR_SCMP_ERROR ? ENOSYS : 0, name);
	return number;
}

/* A call that the architecture does not have is passed over: libseccomp drops its rule. */
static void rule(uint32_t action, const char *name, unsigned count, struct scmp_arg_cmp argument)
{
	must(seccomp_rule_add_array(being_made, action, number_of(name), count, &argument), name);
}

static const struct scmp_arg_cmp whatever;

static bool is_in(const char *const *names, const char *name)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names;
}

static void allow(const char *const *names)
{
	for (; *names; names++)
		rule(SCMP_ACT_ALLOW, *names, 0, whatever);
}

static void forbid(const struct filter *filter)
{
	for (const char *const *name = crimes; *name; name++)
		if (!(filter->more[0] && is_in(filter->more[0], *name)) && !(filter->more[1] && is_in(filter->more[1], *name)))
			rule(SCMP_ACT_KILL_PROCESS, *name, 0, whatever);
}

/* Those of which the arguments matter: threads, but no processes; memory, but no code; signals, but to itself (as abort does); limits are read, not set. */
static void judge(const struct architecture *architecture)
{
	enum { THREAD = 0x00010000 /* CLONE_THREAD */ };
	static const char *const mappers[] = {"mmap", "mmap2", "mprotect"};
	rule(SCMP_ACT_ALLOW, "clone", 1, SCMP_CMP(architecture->clone_flags, SCMP_CMP_MASKED_EQ, THREAD, THREAD));
	rule(SCMP_ACT_KILL_PROCESS, "clone", 1, SCMP_CMP(architecture->clone_flags, SCMP_CMP_MASKED_EQ, THREAD, 0));
	rule(SCMP_ACT_ALLOW, "tgkill", 1, SCMP_A0(SCMP_CMP_EQ, PROCESS, 0));
	for (size_t i = 0; i < sizeof(mappers) / sizeof(mappers[0]); i++) {
		rule(SCMP_ACT_ALLOW, mappers[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		rule(SCMP_ACT_ERRNO(EPERM), mappers[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	}
	rule(SCMP_ACT_ALLOW, "prlimit64", 1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
}

/* What a terminal is, and its width; in the shell how it is set, but never TIOCSTI, which types into it. KVM's are those of its letter. */
static void judge_ioctl(const struct filter *filter)
{
	enum { OF_DRIVER = 0xff00, KVM = 0xae00 };
	static const unsigned shown[] = {TCGETS, TIOCGWINSZ}, set[] = {TCSETS, TCSETSW, TCSETSF, TIOCGPGRP, TCXONC, TCFLSH, FIONREAD};
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		rule(SCMP_ACT_ALLOW, "ioctl", 1, SCMP_A1(SCMP_CMP_EQ, shown[i], 0));
	for (size_t i = 0; filter->more[1] == terminal && i < sizeof(set) / sizeof(set[0]); i++)
		rule(SCMP_ACT_ALLOW, "ioctl", 1, SCMP_A1(SCMP_CMP_EQ, set[i], 0));
	if (filter->kvm)
		rule(SCMP_ACT_ALLOW, "ioctl", 1, SCMP_A1(SCMP_CMP_MASKED_EQ, OF_DRIVER, KVM));
}

static void make(const struct architecture *architecture, const struct filter *filter)
{
	being_made = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	must(being_made ? 0 : ENOMEM, "seccomp_init");
	if (architecture->token != seccomp_arch_native()) {
		/* In this order, since architectures of both byte orders cannot be together. */
		must(seccomp_arch_remove(being_made, SCMP_ARCH_NATIVE), architecture->condition);
		must(seccomp_arch_add(being_made, architecture->token), architecture->condition);
	}
	/* A tree, which costs less than a list, when it is loaded already: the kernel tries it on every number. */
	must(seccomp_attr_set(being_made, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
	allow(reading);
	for (size_t i = 0; i < 2 && filter->more[i]; i++)
		allow(filter->more[i]);
	forbid(filter);
	judge(architecture);
	judge_ioctl(filter);
}

static unsigned long number_at(const uint8_t *bytes, size_t size, bool big_endian)
{
	unsigned long number = 0;
	for (size_t i = 0; i < size; i++)
		number |= (unsigned long)bytes[i] << 8 * (big_endian ? size - 1 - i : i);
	return number;
}

/* What was made is bytes in the target's order. It must begin by looking at the architecture, and have one place for the process's number. */
static void print_program(const struct architecture *architecture, const uint8_t *bytes, size_t size)
{
	unsigned places = 0;
	for (size_t at = 0; at < size; at += sizeof(struct sock_filter)) {
		const unsigned long code = number_at(bytes + at, 2, architecture->big_endian);
		const unsigned long constant = number_at(bytes + at + 4, 4, architecture->big_endian);
		if (!at)
			must(code == (BPF_LD | BPF_W | BPF_ABS) && constant == 4 ? 0 : EINVAL, "the filter's first instruction");
		places += code == (BPF_JMP | BPF_JEQ | BPF_K) && constant == PROCESS;
		printf("{%#lx,%u,%u,%#lx},%s", code, bytes[at + 2], bytes[at + 3], constant,
		       at / sizeof(struct sock_filter) % 6 == 5 ? "\n" : "");
	}
	must(places == 1 ? 0 : EINVAL, "the place of the process's number");
}

static void print_filter(const struct architecture *architecture, const struct filter *filter)
{
	static uint8_t bytes[BPF_MAXINSNS * sizeof(struct sock_filter)];
	FILE *file = tmpfile();
	must(file ? 0 : errno, "a temporary file");
	make(architecture, filter);
	must(seccomp_export_bpf(being_made, fileno(file)), "seccomp_export_bpf");
	seccomp_release(being_made);
	rewind(file);
	const size_t size = fread(bytes, 1, sizeof(bytes), file);
	must(size && size % sizeof(struct sock_filter) == 0 ? 0 : EINVAL, "the filter's size");
	(void)fclose(file);
	printf("static struct sock_filter filter_%s[] = {\n", filter->name);
	print_program(architecture, bytes, size);
	printf("};\n");
}

int main(void)
{
	const struct scmp_version *version = seccomp_version();
	printf("/* Made by cli/seccomp/filter.c. */\n#include <linux/filter.h>\n#define FILTER_PROCESS %#x\n#define FILTER_MAKER "
	       "\"libseccomp %u.%u.%u\"\n",
	       PROCESS, version->major, version->minor, version->micro);
	for (size_t i = 0; i < sizeof(architectures) / sizeof(architectures[0]); i++) {
		printf("#%s %s\n#define FILTERS 1\n", i ? "elif" : "if", architectures[i].condition);
		for (size_t j = 0; j < sizeof(filters) / sizeof(filters[0]); j++)
			print_filter(&architectures[i], &filters[j]);
	}
	printf("#else\n#define FILTERS 0\n#endif\n");
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
