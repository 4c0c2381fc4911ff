/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shell as a person uses it: a terminal of ours types, completes, interrupts, resizes and hangs up, and looks at its screen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 24, COLS_MAX = 100, PATIENCE_MS = 60000 };

/*
 * A terminal: as much of an xterm as readline uses.
 */
struct terminal {
	int fd;
	pid_t child;
	int columns;
	char cells[ROWS][COLS_MAX + 1];
	int x, y;
	uint64_t received; /* bytes */
	unsigned rows_begun;
	char sequence[32]; /* an escape sequence so far */
	size_t length;
};

static char folder[64], command[4096];

static void clear_row(struct terminal *terminal, int row, int from)
{
	memset(terminal->cells[row] + from, ' ', (size_t)(COLS_MAX - from));
	terminal->cells[row][COLS_MAX] = '\0';
}

static void new_row(struct terminal *terminal)
{
	terminal->rows_begun++;
	if (++terminal->y < ROWS)
		return;
	terminal->y = ROWS - 1;
	memmove(terminal->cells[0], terminal->cells[1], sizeof(terminal->cells[0]) * (ROWS - 1));
	clear_row(terminal, ROWS - 1, 0);
}

/* ECMA-48: CSI numbers final. */
static void control(struct terminal *terminal, const char *numbers, char final)
{
	const int given = isdigit((unsigned char)*numbers) ? atoi(numbers) : 0, count = given ? given : 1;
	char *row = terminal->cells[terminal->y];
	const int left = terminal->columns - terminal->x;
	switch (final) {
	case 'A':
		terminal->y -= count < terminal->y ? count : terminal->y;
		break;
	case 'C':
		terminal->x += count < left ? count : left;
		break;
	case 'D':
		terminal->x -= count < terminal->x ? count : terminal->x;
		break;
	case 'H':
		terminal->x = terminal->y = 0;
		break;
	case 'J':
		for (int y = terminal->y + 1; y < ROWS; y++)
			clear_row(terminal, y, 0);
		clear_row(terminal, terminal->y, terminal->x);
		break;
	case 'K':
		clear_row(terminal, terminal->y, given == 2 ? 0 : terminal->x);
		break;
	case 'P':
		memmove(row + terminal->x, row + terminal->x + (count < left ? count : left),
		        (size_t)(left - (count < left ? count : left)));
		break;
	case '@':
		memmove(row + terminal->x + (count < left ? count : left), row + terminal->x,
		        (size_t)(left - (count < left ? count : left)));
		break;
	default: /* colours, and what says how keys are sent */
		break;
	}
}

static void put_plain(struct terminal *terminal, char c)
{
	if (c == '\r') {
		terminal->x = 0;
	} else if (c == '\n') {
		new_row(terminal);
	} else if (c == '\b') {
		terminal->x -= terminal->x > 0;
	} else if ((unsigned char)c >= ' ') {
		if (terminal->x == terminal->columns) {
			terminal->x = 0;
			new_row(terminal);
		}
		terminal->cells[terminal->y][terminal->x++] = c;
	}
}

static void put(struct terminal *terminal, char c)
{
	if (!terminal->length && c != '\033') {
		put_plain(terminal, c);
		return;
	}
	terminal->sequence[terminal->length++] = c;
	terminal->sequence[terminal->length] = '\0';
	const bool csi = terminal->length > 1 && terminal->sequence[1] == '[';
	if (terminal->length < 2 || (csi && terminal->length < 3))
		return;
	if (csi && (c < '@' || c > '~') && terminal->length < sizeof(terminal->sequence) - 1)
		return;
	if (csi)
		control(terminal, terminal->sequence + 2, c);
	terminal->length = 0;
}

/* Take what comes within ms. false: the other side is gone. */
static bool listen_for(struct terminal *terminal, int ms)
{
	struct pollfd poller = {.fd = terminal->fd, .events = POLLIN};
	char bytes[512];
	if (poll(&poller, 1, ms) <= 0)
		return true;
	const ssize_t count = read(terminal->fd, bytes, sizeof(bytes));
	for (ssize_t i = 0; i < count; i++)
		put(terminal, bytes[i]);
	terminal->received += count > 0 ? (uint64_t)count : 0;
	return count > 0;
}

static void show(const struct terminal *terminal)
{
	for (int y = 0; y < ROWS; y++)
		print_error("|%.*s|\n", terminal->columns, terminal->cells[y]);
}

static int64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A row that begins with text; it ends there too, when `whole`. */
static bool has_row(const struct terminal *terminal, const char *text, bool whole)
{
	const size_t length = strlen(text);
	for (int y = 0; y < ROWS; y++)
		if (!strncmp(terminal->cells[y], text, length) &&
		    (!whole || strspn(terminal->cells[y] + length, " ") == strlen(terminal->cells[y] + length)))
			return true;
	return false;
}

static void expect_row(struct terminal *terminal, const char *text)
{
	const int64_t end = now_ms() + PATIENCE_MS;
	while (!has_row(terminal, text, true)) {
		if (now_ms() > end || !listen_for(terminal, 50)) {
			show(terminal);
			fail_msg("the screen does not show: %s", text);
		}
	}
}

/* The cursor stands behind this prompt, and nothing has been typed. */
static void expect_prompt(struct terminal *terminal, const char *prompt)
{
	const int64_t end = now_ms() + PATIENCE_MS;
	const size_t length = strlen(prompt);
	while (strncmp(terminal->cells[terminal->y], prompt, length) != 0 || (size_t)terminal->x != length) {
		if (now_ms() > end || !listen_for(terminal, 50)) {
			show(terminal);
			fail_msg("there is no prompt: %s", prompt);
		}
	}
}

/* It says something, whatever it is. */
static void expect_output(struct terminal *terminal)
{
	const int64_t end = now_ms() + PATIENCE_MS;
	const uint64_t before = terminal->received;
	while (terminal->received == before) {
		if (now_ms() > end || !listen_for(terminal, 50)) {
			show(terminal);
			fail_msg("the shell says nothing");
		}
	}
}

/* The line that was typed is running: the cursor has left it. */
static void expect_running(struct terminal *terminal)
{
	const int64_t end = now_ms() + PATIENCE_MS;
	while (terminal->x || !terminal->y || !strstr(terminal->cells[terminal->y - 1], "> ")) {
		if (now_ms() > end || !listen_for(terminal, 50)) {
			show(terminal);
			fail_msg("the line does not run");
		}
	}
	(void)listen_for(terminal, 200);
}

static void type(struct terminal *terminal, const char *text)
{
	assert_int_equal(write(terminal->fd, text, strlen(text)), strlen(text));
}

static struct terminal start(const char *file)
{
	struct terminal terminal = {.columns = 80};
	const struct winsize size = {.ws_row = ROWS, .ws_col = 80};
	for (int y = 0; y < ROWS; y++)
		clear_row(&terminal, y, 0);
	terminal.child = forkpty(&terminal.fd, NULL, NULL, &size);
	assert_true(terminal.child >= 0);
	if (!terminal.child) {
		if (chdir(folder))
			_exit(99);
		(void)setenv("TERM", "xterm", 1);
		(void)setenv("NO_COLOR", "1", 1);
		(void)setenv("INPUTRC", "/dev/null", 1);
		(void)setenv("XDG_STATE_HOME", folder, 1);
		(void)execl(command, "gimstate", "shell", file, (char *)NULL);
		_exit(99);
	}
	return terminal;
}

/* How it ended. */
static int end(struct terminal *terminal)
{
	const int64_t limit = now_ms() + PATIENCE_MS;
	int status = 0;
	pid_t ended;
	while (!(ended = waitpid(terminal->child, &status, WNOHANG))) {
		if (terminal->fd >= 0)
			(void)listen_for(terminal, 20);
		else
			(void)usleep(20000);
		if (now_ms() > limit) {
			(void)kill(terminal->child, SIGKILL);
			(void)waitpid(terminal->child, &status, 0);
			show(terminal);
			fail_msg("the shell does not end");
		}
	}
	if (terminal->fd >= 0)
		(void)close(terminal->fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The same bytes again in both files? */
static bool same(const char *one, const char *other)
{
	char line[8192];
	(void)snprintf(line, sizeof(line), "cmp -s '%s' '%s'", one, other);
	return !system(line);
}

static void fresh_state(void)
{
	char line[512];
	(void)snprintf(line, sizeof(line), "cp samples/hyperv-4.sav %s/s.sav", folder);
	assert_int_equal(system(line), 0);
}

static void in_folder(char path[128], const char *name)
{
	(void)snprintf(path, 128, "%s/%s", folder, name);
}

/*
 * Tests.
 */
static void completion(void **state)
{
	(void)state;
	fresh_state();
	struct terminal terminal = start("s.sav");
	expect_prompt(&terminal, "s.sav> ");
	type(&terminal, "ge\thyperv.gu\t\r");
	expect_row(&terminal, "s.sav> get hyperv.guest_os_id");
	expect_row(&terminal, "0x1040a00004a65");
	expect_prompt(&terminal, "s.sav> ");
	type(&terminal, "get hyperv.v\t");
	expect_row(&terminal, "s.sav> get hyperv.vp[");
	type(&terminal, "\t\t");
	expect_row(&terminal, "hyperv.vp[0].  hyperv.vp[1].");
	type(&terminal, "1\tsint[1\t\t"); /* what can follow: 1, 10 to 15 */
	expect_row(&terminal, "hyperv.vp[1].sint[10]  hyperv.vp[1].sint[13]  hyperv.vp[1].sint[1]");
	type(&terminal, "\025");
	expect_prompt(&terminal, "s.sav> ");
	type(&terminal, "set hyperv.features.hi\t+rel\t\t"); /* a field takes =, a bit of it a comma */
	expect_row(&terminal, "s.sav> set hyperv.features.hints=+relaxed_timing");
	type(&terminal, "\025dump --r\t\025");
	type(&terminal, "info --j\t");
	expect_row(&terminal, "s.sav> info --json");
	type(&terminal, "\025source s.\t");
	expect_row(&terminal, "s.sav> source s.sav");
	type(&terminal, "\025wrmsr HV_X64_MSR_RESE\t1"); /* the machine is not there yet, and its MSRs are known */
	expect_row(&terminal, "s.sav> wrmsr HV_X64_MSR_RESET 1");
	type(&terminal, "\025start c\t\r");
	expect_prompt(&terminal, "s.sav core> ");
	type(&terminal, "rdmsr HV_X64_MSR_VP_I\t\r");
	expect_row(&terminal, "s.sav core> rdmsr HV_X64_MSR_VP_INDEX");
	expect_row(&terminal, "0x0");
	type(&terminal, "@1 rdm\thyperv.guest_os\t\r");
	expect_row(&terminal, "s.sav core> @1 rdmsr hyperv.guest_os_id");
	type(&terminal, "quit\r");
	assert_int_equal(end(&terminal), 0);
}

static void changes(void **state)
{
	char path[128];
	(void)state;
	in_folder(path, "s.sav");
	fresh_state();
	struct terminal terminal = start("s.sav");
	expect_prompt(&terminal, "s.sav> ");
	type(&terminal, "set hyperv.tsc_sequence=7\r");
	expect_row(&terminal, "hyperv.tsc_sequence: 0 -> 7");
	expect_prompt(&terminal, "s.sav*> ");
	type(&terminal, "undo\r");
	expect_prompt(&terminal, "s.sav> ");
	type(&terminal, "redo\r");
	expect_prompt(&terminal, "s.sav*> ");
	type(&terminal, "open none.sav\r"); /* it does not open: there is nothing to ask */
	expect_row(&terminal, "gimstate: none.sav: it cannot be opened: No such file or directory");
	expect_prompt(&terminal, "s.sav*> ");
	type(&terminal, "quit\r");
	expect_prompt(&terminal, "Save them? [y]es, [n]o, [c]ancel: ");
	type(&terminal, "c\r");
	expect_prompt(&terminal, "s.sav*> ");
	type(&terminal, "\004"); /* end of input asks, too */
	expect_prompt(&terminal, "Save them? [y]es, [n]o, [c]ancel: ");
	type(&terminal, "what\r");
	expect_row(&terminal, "Save them? [y]es, [n]o, [c]ancel: what");
	expect_prompt(&terminal, "Save them? [y]es, [n]o, [c]ancel: ");
	type(&terminal, "\003"); /* and so is Ctrl-C no answer */
	expect_prompt(&terminal, "s.sav*> ");
	assert_true(same(path, "samples/hyperv-4.sav"));
	type(&terminal, "quit\ry\r");
	assert_int_equal(end(&terminal), 0);
	assert_false(same(path, "samples/hyperv-4.sav"));
}

static void forgetting(void **state)
{
	char path[128];
	(void)state;
	in_folder(path, "s.sav");
	fresh_state();
	struct terminal terminal = start("s.sav");
	expect_prompt(&terminal, "s.sav> ");
	type(&terminal, "set hyperv.tsc_sequence=7\r");
	expect_prompt(&terminal, "s.sav*> ");
	type(&terminal, "quit\rn\r");
	assert_int_equal(end(&terminal), 0);
	assert_true(same(path, "samples/hyperv-4.sav"));
}

static void interrupting(void **state)
{
	(void)state;
	fresh_state();
	struct terminal terminal = start("s.sav");
	expect_prompt(&terminal, "s.sav> ");
	type(&terminal, "set hyperv.tsc_sequence=9");
	expect_row(&terminal, "s.sav> set hyperv.tsc_sequence=9");
	type(&terminal, "\003"); /* the line is dropped, and not run */
	expect_prompt(&terminal, "s.sav> ");
	for (int engine = 0; engine < 2; engine++) {
		const bool kvm = engine && !access("/dev/kvm", R_OK | W_OK);
		const char *prompt = kvm ? "s.sav kvm> " : "s.sav core> ";
		type(&terminal, kvm ? "start kvm\r" : "start core\r");
		expect_prompt(&terminal, prompt);
		type(&terminal, "run\r");
		expect_running(&terminal);
		type(&terminal, "\003");
		expect_prompt(&terminal, prompt);
		assert_true(has_row(&terminal, "^Cstopped", true) || has_row(&terminal, "stopped", true));
		type(&terminal, "step 50s\r"); /* the core steps at once, KVM's time passes */
		if (kvm)
			expect_running(&terminal);
		if (kvm)
			type(&terminal, "\003");
		expect_prompt(&terminal, prompt);
		type(&terminal, "rdmsr hyperv.guest_os_id\r"); /* it is as well as before */
		expect_row(&terminal, "0x1040a00004a65");
		type(&terminal, "stop\r");
		expect_prompt(&terminal, "s.sav> ");
	}
	type(&terminal, "quit\r");
	assert_int_equal(end(&terminal), 0);
}

/* Ctrl-C takes what was typed out of the terminal, at whatever moment it comes: also when a key was there, and is gone before it is read. */
static void dropping(void **state)
{
	(void)state;
	fresh_state();
	struct terminal terminal = start("s.sav");
	expect_prompt(&terminal, "s.sav> ");
	for (unsigned i = 0; i < 300; i++) {
		const unsigned before = terminal.rows_begun;
		const int64_t end = now_ms() + PATIENCE_MS;
		type(&terminal, "x");
		if (i % 2) /* somewhere between waking and reading */
			(void)usleep(i);
		type(&terminal, "\003");
		while (terminal.rows_begun == before) {
			if (now_ms() > end || !listen_for(&terminal, 50)) {
				show(&terminal);
				fail_msg("Ctrl-C number %u is not heard", i);
			}
		}
		expect_prompt(&terminal, "s.sav> ");
	}
	type(&terminal, "quit\r");
	assert_int_equal(end(&terminal), 0);
}

static void resizing(void **state)
{
	const struct winsize narrow = {.ws_row = ROWS, .ws_col = 40};
	(void)state;
	fresh_state();
	struct terminal terminal = start("s.sav");
	expect_prompt(&terminal, "s.sav> ");
	assert_int_equal(ioctl(terminal.fd, TIOCSWINSZ, &narrow), 0);
	terminal.columns = 40;
	expect_output(&terminal); /* the prompt again: from now on it knows */
	type(&terminal, "echo 0123456789012345678901234567890123456789");
	expect_row(&terminal, "s.sav> echo 0123456789012345678901234567");
	expect_row(&terminal, "890123456789");
	type(&terminal, "\001\004\004\004\004\004\033[Cget"); /* at its beginning, behind the first digit */
	expect_row(&terminal, "s.sav> 0get12345678901234567890123456789");
	expect_row(&terminal, "0123456789");
	type(&terminal, "\025\013quit\r");
	assert_int_equal(end(&terminal), 0);
}

static void history(void **state)
{
	(void)state;
	fresh_state();
	struct terminal terminal = start("s.sav");
	expect_prompt(&terminal, "s.sav> ");
	type(&terminal, "echo to be kept\r");
	expect_row(&terminal, "to be kept");
	type(&terminal, "quit\r");
	assert_int_equal(end(&terminal), 0);
	terminal = start("s.sav");
	expect_prompt(&terminal, "s.sav> ");
	type(&terminal, "\033[A\033[A");
	expect_row(&terminal, "s.sav> echo to be kept");
	type(&terminal, "\025quit\r");
	assert_int_equal(end(&terminal), 0);
}

/* The terminal goes away: the shell ends, and what was changed is kept. */
static void hanging_up(void **state)
{
	char pattern[128], path[128], line[8192];
	glob_t found;
	(void)state;
	in_folder(pattern, "gimstate/unsaved-*.json");
	in_folder(path, "s.sav");
	for (int running = 0; running < 2; running++) {
		fresh_state();
		struct terminal terminal = start("s.sav");
		expect_prompt(&terminal, "s.sav> ");
		type(&terminal, "set hyperv.tsc_sequence=7\r");
		expect_prompt(&terminal, "s.sav*> ");
		if (running) {
			type(&terminal, "start core\r");
			expect_prompt(&terminal, "s.sav* core> ");
			type(&terminal, "run\r");
			expect_running(&terminal);
		}
		(void)close(terminal.fd);
		terminal.fd = -1;
		assert_int_equal(end(&terminal), 2);
		assert_true(same(path, "samples/hyperv-4.sav"));
		assert_int_equal(glob(pattern, 0, NULL, &found), 0);
		assert_int_equal(found.gl_pathc, 1);
		(void)snprintf(line, sizeof(line), "%s set '%s' --from '%s' --in-place | grep -q 'hyperv.tsc_sequence: 0 -> 7'", command,
		               path, found.gl_pathv[0]);
		assert_int_equal(system(line), 0);
		assert_int_equal(unlink(found.gl_pathv[0]), 0);
		globfree(&found);
	}
}

/* The README's session: each line is what the screen then shows, the lines with a prompt having been typed. */
static void readme(void **state)
{
	FILE *file = fopen("README.md", "re");
	char line[256], lines[ROWS][COLS_MAX + 1];
	int count = -1;
	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, "$ gimstate shell hyperv-4.sav"))
			count = 0;
		else if (count >= 0 && !strcmp(line, "```"))
			break;
		else if (count >= 0 && count < ROWS)
			(void)snprintf(lines[count++], sizeof(lines[0]), "%.*s", COLS_MAX, line);
	}
	(void)fclose(file);
	assert_true(count > 0 && count < ROWS);
	(void)snprintf(line, sizeof(line), "cp samples/hyperv-4.sav %s", folder);
	assert_int_equal(system(line), 0);
	struct terminal terminal = start("hyperv-4.sav");
	for (int i = 0; i < count; i++) {
		char *end_of_prompt = strncmp(lines[i], "hyperv-4.sav", 12) ? NULL : strstr(lines[i], "> ");
		if (!end_of_prompt)
			continue;
		(void)snprintf(line, sizeof(line), "%.*s", (int)(end_of_prompt + 2 - lines[i]), lines[i]);
		expect_prompt(&terminal, line);
		type(&terminal, end_of_prompt + 2);
		expect_row(&terminal, lines[i]);
		type(&terminal, "\r");
	}
	assert_int_equal(end(&terminal), 0);
	for (int i = 0; i < count; i++) {
		char *row = terminal.cells[i];
		for (size_t length = strlen(row); length && row[length - 1] == ' '; length--)
			row[length - 1] = '\0';
		assert_string_equal(row, lines[i]);
	}
}

static int make_folder(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s", "/var/tmp/gimstate-shell-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
	char line[128];
	(void)state;
	(void)snprintf(line, sizeof(line), "rm -rf %s", folder);
	return system(line);
}

int main(void)
{
	const char *given = getenv("GIMSTATE");
	if (!realpath(given ? given : "build/gimstate", command)) {
		puts("SKIP  there is no command: run make first, or set GIMSTATE");
		return 77;
	}
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(completion),   cmocka_unit_test(changes),    cmocka_unit_test(forgetting),
	    cmocka_unit_test(interrupting), cmocka_unit_test(dropping),   cmocka_unit_test(resizing),
	    cmocka_unit_test(history),      cmocka_unit_test(hanging_up), cmocka_unit_test(readme),
	};
	return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
