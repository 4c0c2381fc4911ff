/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The GDB protocol: what is answered to each packet, by a target of two threads and a page of memory. */
#include "harness/gdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct debugged {
	struct gdb gdb;
	struct gdb_target target;
	struct gdb_registers registers[2];
	uint8_t memory[0x1000];
	uint64_t breakpoint;
	char sent[2 * GDB_PACKET_MAX + 8];
	size_t used;
	int went; /* thread * 2 + step; -1: not */
	bool interrupted;
};

static bool read_registers(void *user, unsigned thread, struct gdb_registers *registers)
{
	*registers = ((struct debugged *)user)->registers[thread];
	return true;
}

static bool write_registers(void *user, unsigned thread, const struct gdb_registers *registers)
{
	((struct debugged *)user)->registers[thread] = *registers;
	return true;
}

static bool read_memory(void *user, unsigned thread, uint64_t address, void *bytes, size_t size)
{
	const struct debugged *own = user;
	(void)thread;
	if (address >= sizeof(own->memory) || size > sizeof(own->memory) - address)
		return false;
	memcpy(bytes, own->memory + address, size);
	return true;
}

static bool write_memory(void *user, unsigned thread, uint64_t address, const void *bytes, size_t size)
{
	struct debugged *own = user;
	(void)thread;
	if (address >= sizeof(own->memory) || size > sizeof(own->memory) - address)
		return false;
	memcpy(own->memory + address, bytes, size);
	return true;
}

static bool set_breakpoint(void *user, unsigned thread, uint64_t address, bool beside, bool set)
{
	(void)thread;
	((struct debugged *)user)->breakpoint = set ? address | (beside ? 1u << 31 : 0) : 0;
	return address != 0xbad;
}

static void go(void *user, unsigned thread, bool step)
{
	((struct debugged *)user)->went = (int)thread * 2 + step;
}

static void interrupt(void *user)
{
	((struct debugged *)user)->interrupted = true;
}

static void describe(void *user, unsigned thread, char *text, size_t size)
{
	(void)user;
	(void)snprintf(text, size, "T%u", thread);
}

static void take_sent(void *user, const void *bytes, size_t size)
{
	struct debugged *own = user;
	assert_true(size < sizeof(own->sent) - own->used);
	memcpy(own->sent + own->used, bytes, size);
	own->used += size;
	own->sent[own->used] = '\0';
}

static void begin(struct debugged *own, bool long_mode)
{
	memset(own, 0, sizeof(*own));
	own->went = -1;
	own->target = (struct gdb_target){.user = own,
	                                  .threads = 2,
	                                  .long_mode = long_mode,
	                                  .read_registers = read_registers,
	                                  .write_registers = write_registers,
	                                  .read_memory = read_memory,
	                                  .write_memory = write_memory,
	                                  .set_breakpoint = set_breakpoint,
	                                  .go = go,
	                                  .interrupt = interrupt,
	                                  .describe = describe,
	                                  .send = take_sent,
	                                  .send_user = own};
	for (unsigned thread = 0; thread < 2; thread++) {
		for (unsigned i = 0; i < 16; i++)
			own->registers[thread].general[i] = 0x10 * (thread + 1) + i;
		own->registers[thread].rip = 0x7c00 + thread;
		own->registers[thread].long_mode = long_mode;
	}
	gdb_begin(&own->gdb, &own->target, 1);
}

/* Send a packet with its sum; what comes back, without its frame. */
static const char *ask(struct debugged *own, const char *text, size_t size)
{
	char sum[4];
	uint8_t all = 0;
	for (size_t i = 0; i < size; i++)
		all = (uint8_t)(all + (uint8_t)text[i]);
	(void)snprintf(sum, sizeof(sum), "#%02x", all);
	own->used = 0;
	own->sent[0] = '\0';
	(void)gdb_take(&own->gdb, "$", 1);
	(void)gdb_take(&own->gdb, text, size);
	(void)gdb_take(&own->gdb, sum, 3);
	assert_int_equal(own->sent[0], '+');
	if (own->used == 1)
		return "(nothing)";
	assert_int_equal(own->sent[1], '$');
	own->sent[own->used - 3] = '\0';
	return own->sent + 2;
}
#define ASK(own, text) ask(own, text, strlen(text))

static void test_commands(void **unused)
{
	static const struct {
		const char *packet, *answer;
	} rows[] = {
	    {"?", "T05thread:2;"},
	    {"qC", "QC2"},
	    {"qAttached", "1"},
	    {"qfThreadInfo", "m1,2"},
	    {"qsThreadInfo", "l"},
	    {"qThreadExtraInfo,2", "5431"},
	    {"qThreadExtraInfo,3", "E01"},
	    {"T2", "OK"},
	    {"T3", "E01"},
	    {"T0", "E01"},
	    {"Hg1", "OK"},
	    {"p0", "1000000000000000"}, /* rax */
	    {"p1", "1300000000000000"}, /* rbx, which encodings have fourth */
	    {"p4", "1600000000000000"}, /* rsi */
	    {"p7", "1400000000000000"}, /* rsp */
	    {"pf", "1f00000000000000"}, /* r15 */
	    {"p10", "007c000000000000"},
	    {"p11", "00000000"},             /* flags */
	    {"p18", "00000000000000000000"}, /* ST0 */
	    {"pffff", "E01"},
	    {"P10=8877665544332211", "OK"},
	    {"p10", "8877665544332211"},
	    {"P10=88", "E01"},
	    {"Hg2", "OK"},
	    {"p10", "017c000000000000"},
	    {"Hg7", "E01"},
	    {"M10,4:deadbeef", "OK"},
	    {"m10,4", "deadbeef"},
	    {"mffe,10", "0000"}, /* as much as there is */
	    {"m1000,1", "E01"},
	    {"mffffffffffffffff,ffffffffffffffff", "E01"},
	    {"m11111111111111111,1", "E01"},
	    {"m10,0", "E01"},
	    {"m10", "E01"},
	    {"M10,4:dead", "E01"},
	    {"Mfff,2:dead", "E01"},
	    {"X10,0:", "OK"},
	    {"X20,3:a}\x03z", "OK"}, /* an escaped # */
	    {"m20,3", "61237a"},
	    {"X20,4:abc", "E01"},
	    {"Z0,100,1", "OK"},
	    {"Z1,100,1", "OK"},
	    {"Z2,100,1", ""}, /* no watchpoints */
	    {"Z0,bad,1", "E01"},
	    {"z0,100,1", "OK"},
	    {"vCont?", "vCont;c;C;s;S"},
	    {"vMustReplyEmpty", ""},
	    {"qXfer:features:read:target.xml:0,5", "m<?xml"},
	    {"qXfer:features:read:target.xml:fffff,5", "E01"},
	    {"R00", ""},
	};
	struct debugged own;
	(void)unused;
	begin(&own, true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *answer = ASK(&own, rows[i].packet);
		if (strcmp(answer, rows[i].answer) != 0)
			fail_msg("%s: %s, where %s is expected", rows[i].packet, answer, rows[i].answer);
	}
	assert_int_equal(strlen(ASK(&own, "g")), 2 * (17 * 8 + 7 * 4 + 8 * 10 + 8 * 4 + 16 * 16 + 4 + 2 * 8 + 5 * 8));
	begin(&own, false);
	assert_int_equal(strlen(ASK(&own, "g")), 2 * (9 * 4 + 7 * 4 + 8 * 10 + 8 * 4 + 8 * 16 + 4 + 5 * 8));
	assert_string_equal(ASK(&own, "p3"), "23000000"); /* ebx */
	assert_string_equal(ASK(&own, "p8"), "017c0000");
}

/* GDB's description comes in pieces, and has the registers that the packets have, by name. */
static void test_description(void **unused)
{
	static const char *const first[] = {"\"eax\"", "\"rax\""}, *const last = "\"efer\"";
	(void)unused;
	for (int long_mode = 0; long_mode < 2; long_mode++) {
		struct debugged own;
		char xml[16384] = "", packet[64];
		unsigned described = 0, answered = 0;
		begin(&own, long_mode);
		for (bool more = true; more;) {
			(void)snprintf(packet, sizeof(packet), "qXfer:features:read:target.xml:%zx,%x", strlen(xml), 777);
			const char *answer = ask(&own, packet, strlen(packet));
			assert_true(*answer == 'm' || *answer == 'l');
			assert_true(strlen(xml) + strlen(answer) < sizeof(xml));
			strcat(xml, answer + 1);
			more = *answer == 'm';
		}
		assert_string_equal(xml + strlen(xml) - 9, "</target>");
		assert_null(strpbrk(xml, "$#}*")); /* they would have to be escaped */
		for (const char *at = xml; (at = strstr(at, "<reg name=")); at++)
			described++;
		for (;; answered++) {
			(void)snprintf(packet, sizeof(packet), "p%x", answered);
			if (!strcmp(ask(&own, packet, strlen(packet)), "E01"))
				break;
		}
		assert_int_equal(described, answered);
		assert_non_null(strstr(xml, first[long_mode]));
		assert_non_null(strstr(xml, last));
	}
}

static void test_running(void **unused)
{
	static const struct {
		const char *packet;
		int went;
	} rows[] = {{"c", 2}, {"s", 3}, {"vCont;c", 2}, {"vCont;s:1;c", 1}, {"vCont;s:2", 3}, {"vCont;c:-1", 2}, {"s1234", 3}};
	struct debugged own;
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&own, true);
		assert_string_equal(ASK(&own, rows[i].packet), "(nothing)");
		assert_int_equal(own.went, rows[i].went);
		assert_string_equal(ASK(&own, "g"), "(nothing)"); /* while it runs nobody answers */
		assert_false(own.interrupted);
		(void)gdb_take(&own.gdb, "\x03", 1);
		assert_true(own.interrupted);
		own.used = 0;
		gdb_stopped(&own.gdb, 0, GDB_SIGNAL_INTERRUPT);
		assert_memory_equal(own.sent, "$T02thread:1;#", 14);
		assert_string_equal(ASK(&own, "qC"), "QC1");
	}
	assert_int_equal(own.registers[1].rip, 0x1234);
	begin(&own, true);
	assert_string_equal(ASK(&own, "vCont;x"), "E01");
	assert_string_equal(ASK(&own, "vCont;s:9"), "E01");
	assert_int_equal(own.went, -1);
}

static void test_line(void **unused)
{
	struct debugged own;
	char longest[GDB_PACKET_MAX + 16];
	(void)unused;
	begin(&own, true);
	assert_true(gdb_take(&own.gdb, "+-garbage$qC#b5", 15)); /* a wrong sum */
	assert_string_equal(own.sent, "-");
	memset(longest, 'm', sizeof(longest));
	own.used = 0;
	longest[0] = '$';
	assert_true(gdb_take(&own.gdb, longest, sizeof(longest)));
	assert_true(gdb_take(&own.gdb, "#00", 3));
	assert_string_equal(own.sent, "-");
	assert_string_equal(ASK(&own, "QStartNoAckMode"), "OK");
	own.used = 0;
	assert_true(gdb_take(&own.gdb, "$qC#00", 6));
	assert_string_equal(own.sent, "$QC2#c6");
	own.used = 0;
	assert_false(gdb_take(&own.gdb, "$D#44$qC#b4", 11));
	assert_string_equal(own.sent, "$OK#9a");
	assert_int_equal(own.gdb.end, GDB_DETACHED);
	begin(&own, true);
	assert_false(gdb_take(&own.gdb, "$k#6b", 5));
	assert_string_equal(own.sent, "+");
	assert_int_equal(own.gdb.end, GDB_KILLED);
	begin(&own, true);
	gdb_exited(&own.gdb, 3);
	assert_string_equal(own.sent, "$W03#ba");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_commands),
	    cmocka_unit_test(test_description),
	    cmocka_unit_test(test_running),
	    cmocka_unit_test(test_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
