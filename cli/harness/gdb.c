/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The GDB remote serial protocol (GDB manual, appendix E): packets, and one table of commands. Whatever comes is answered within fixed memory. */
#include "gdb_registers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (2 * GDB_PACKET_MAX)
#define MEMORY_MAX (GDB_PACKET_MAX / 2 - 16) /* of one command */

struct answer {
	char text[ANSWER_MAX + 1];
	size_t used;
};

/*
 * Packets.
 */
static void add(struct answer *answer, const char *text)
{
	const size_t length = strlen(text);
	if (length > ANSWER_MAX - answer->used)
		return;
	memcpy(answer->text + answer->used, text, length + 1);
	answer->used += length;
}

static void add_hex(struct answer *answer, const void *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	if (2 * size > ANSWER_MAX - answer->used)
		return;
	for (size_t i = 0; i < size; i++) {
		const uint8_t byte = ((const uint8_t *)bytes)[i];
		answer->text[answer->used++] = digits[byte >> 4];
		answer->text[answer->used++] = digits[byte & 15];
	}
	answer->text[answer->used] = '\0';
}

static void send_answer(struct gdb *gdb, const struct answer *answer)
{
	static const char digits[] = "0123456789abcdef";
	char packet[ANSWER_MAX + 5];
	uint8_t sum = 0;
	size_t used = 0;
	packet[used++] = '$';
	for (size_t i = 0; i < answer->used; i++)
		sum = (uint8_t)(sum + (uint8_t)(packet[used++] = answer->text[i]));
	packet[used++] = '#';
	packet[used++] = digits[sum >> 4];
	packet[used++] = digits[sum & 15];
	gdb->target->send(gdb->target->send_user, packet, used);
}

static int hex_digit(char digit)
{
	return digit >= '0' && digit <= '9'   ? digit - '0'
	       : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
	       : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
	                                      : -1;
}

/* A number at *at, which then stands behind it; false: there is none, or one of more than 64 bits. */
static bool take_number(const char **at, uint64_t *number)
{
	unsigned digits = 0;
	for (*number = 0; hex_digit(**at) >= 0; (*at)++, digits++) {
		if (*number >> 60)
			return false;
		*number = *number << 4 | (unsigned)hex_digit(**at);
	}
	return digits;
}

static bool take_char(const char **at, char wanted)
{
	return **at == wanted ? ((*at)++, true) : false;
}

static bool take_bytes(const char **at, void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++, *at += 2) {
		const int high = hex_digit((*at)[0]), low = high < 0 ? -1 : hex_digit((*at)[1]);
		if (low < 0)
			return false;
		((uint8_t *)bytes)[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void fail(struct answer *answer)
{
	add(answer, "E01");
}

static void finish(struct answer *answer, bool done)
{
	add(answer, done ? "OK" : "E01");
}

/*
 * Registers.
 */
static bool get_registers(const struct gdb *gdb, struct gdb_registers *registers)
{
	memset(registers, 0, sizeof(*registers));
	return gdb->target->read_registers(gdb->target->user, gdb->thread, registers);
}

static void read_all(struct gdb *gdb, const char *text, struct answer *answer)
{
	struct gdb_registers registers;
	size_t offset, bytes;
	(void)text;
	if (!get_registers(gdb, &registers)) {
		fail(answer);
		return;
	}
	for (unsigned number = 0; gdb_find_register(gdb->target->long_mode, number, &offset, &bytes); number++)
		add_hex(answer, (const char *)&registers + offset, bytes);
}

static void write_all(struct gdb *gdb, const char *text, struct answer *answer)
{
	struct gdb_registers registers;
	size_t offset, bytes;
	bool done = get_registers(gdb, &registers);
	for (unsigned number = 0; done && *text && gdb_find_register(gdb->target->long_mode, number, &offset, &bytes); number++)
		done = take_bytes(&text, (char *)&registers + offset, bytes);
	finish(answer, done && !*text && gdb->target->write_registers(gdb->target->user, gdb->thread, &registers));
}

static void read_one(struct gdb *gdb, const char *text, struct answer *answer)
{
	struct gdb_registers registers;
	size_t offset, bytes;
	uint64_t number;
	if (!take_number(&text, &number) || !gdb_find_register(gdb->target->long_mode, number, &offset, &bytes) ||
	    !get_registers(gdb, &registers))
		fail(answer);
	else
		add_hex(answer, (const char *)&registers + offset, bytes);
}

static void write_one(struct gdb *gdb, const char *text, struct answer *answer)
{
	struct gdb_registers registers;
	size_t offset, bytes;
	uint64_t number;
	finish(answer, take_number(&text, &number) && gdb_find_register(gdb->target->long_mode, number, &offset, &bytes) &&
	                   take_char(&text, '=') && get_registers(gdb, &registers) &&
	                   take_bytes(&text, (char *)&registers + offset, bytes) &&
	                   gdb->target->write_registers(gdb->target->user, gdb->thread, &registers));
}

/*
 * Memory and breakpoints.
 */
static void read_memory(struct gdb *gdb, const char *text, struct answer *answer)
{
	uint8_t bytes[MEMORY_MAX];
	uint64_t address, size;
	if (!take_number(&text, &address) || !take_char(&text, ',') || !take_number(&text, &size) || *text) {
		fail(answer);
		return;
	}
	/* What is asked for beyond that is asked for again. */
	size = size < MEMORY_MAX ? size : MEMORY_MAX;
	while (size && !gdb->target->read_memory(gdb->target->user, gdb->thread, address, bytes, (size_t)size))
		size /= 2;
	if (size)
		add_hex(answer, bytes, (size_t)size);
	else
		fail(answer);
}

static void write_memory(struct gdb *gdb, const char *text, struct answer *answer)
{
	uint8_t bytes[MEMORY_MAX];
	uint64_t address, size;
	finish(answer, take_number(&text, &address) && take_char(&text, ',') && take_number(&text, &size) && take_char(&text, ':') &&
	                   size <= sizeof(bytes) && take_bytes(&text, bytes, (size_t)size) &&
	                   (!size || gdb->target->write_memory(gdb->target->user, gdb->thread, address, bytes, (size_t)size)));
}

/* X: the bytes as they are; the packet's reader has undone the escapes. */
static void write_binary(struct gdb *gdb, const char *text, struct answer *answer)
{
	uint64_t address, size;
	finish(answer, take_number(&text, &address) && take_char(&text, ',') && take_number(&text, &size) && take_char(&text, ':') &&
	                   size == gdb->used - (size_t)(text - gdb->packet) &&
	                   (!size || gdb->target->write_memory(gdb->target->user, gdb->thread, address, text, (size_t)size)));
}

static void breakpoint(struct gdb *gdb, const char *text, struct answer *answer)
{
	const bool set = gdb->packet[0] == 'Z';
	uint64_t kind, address, size;
	if (!take_number(&text, &kind) || !take_char(&text, ',') || !take_number(&text, &address) || !take_char(&text, ',') ||
	    !take_number(&text, &size))
		fail(answer);
	else if (kind <= 1)
		finish(answer, gdb->target->set_breakpoint(gdb->target->user, gdb->thread, address, kind == 1, set));
	/* Else no answer, which means that there is none of that kind. */
}

/*
 * Running.
 */
static void tell_stop(struct gdb *gdb, struct answer *answer)
{
	char text[48];
	(void)snprintf(text, sizeof(text), "T%02xthread:%x;", gdb->signal & 0xff, gdb->stopped_thread + 1);
	add(answer, text);
}

static void why_stopped(struct gdb *gdb, const char *text, struct answer *answer)
{
	(void)text;
	tell_stop(gdb, answer);
}

static void go(struct gdb *gdb, bool step)
{
	gdb->running = true;
	gdb->target->go(gdb->target->user, gdb->thread, step);
}

/* c and s may have an address to go on at. */
static void go_on(struct gdb *gdb, const char *text, struct answer *answer)
{
	struct gdb_registers registers;
	bool done = true;
	if (*text)
		done = get_registers(gdb, &registers) && take_number(&text, &registers.rip) && !*text &&
		       gdb->target->write_registers(gdb->target->user, gdb->thread, &registers);
	if (done)
		go(gdb, gdb->packet[0] == 's');
	else
		fail(answer);
}

static bool take_thread(const struct gdb *gdb, const char **text, unsigned *thread)
{
	uint64_t number;
	if (take_char(text, '-'))
		return take_number(text, &number); /* all, which is left as it is */
	if (!take_number(text, &number) || number > gdb->target->threads)
		return false;
	if (number) /* 0 is any */
		*thread = (unsigned)number - 1;
	return true;
}

/* vCont;ACTION[:THREAD]… All stand or run together, but for one that steps. */
static void continue_threads(struct gdb *gdb, const char *text, struct answer *answer)
{
	bool step = false;
	while (take_char(&text, ';')) {
		const char action = *text;
		unsigned thread = gdb->thread;
		uint64_t signal;
		if (!action || !strchr("cCsS", action)) {
			fail(answer);
			return;
		}
		text++;
		if ((action == 'C' || action == 'S') && !take_number(&text, &signal)) {
			fail(answer);
			return;
		}
		if (take_char(&text, ':') && !take_thread(gdb, &text, &thread)) {
			fail(answer);
			return;
		}
		if (!step && (action == 's' || action == 'S')) {
			step = true;
			gdb->thread = thread;
		}
	}
	if (*text)
		fail(answer);
	else
		go(gdb, step);
}

static void can_continue(struct gdb *gdb, const char *text, struct answer *answer)
{
	(void)gdb, (void)text;
	add(answer, "vCont;c;C;s;S");
}

static void detach(struct gdb *gdb, const char *text, struct answer *answer)
{
	(void)text;
	gdb->end = GDB_DETACHED;
	add(answer, "OK");
}

static void end_target(struct gdb *gdb, const char *text, struct answer *answer)
{
	(void)text;
	gdb->end = GDB_KILLED;
	if (gdb->packet[0] == 'v') /* vKill wants an answer, k none */
		add(answer, "OK");
}

/*
 * What there is.
 */
static void set_thread(struct gdb *gdb, const char *text, struct answer *answer)
{
	unsigned thread = gdb->thread;
	const bool done = (*text == 'g' || *text == 'c') && (text++, take_thread(gdb, &text, &thread));
	if (done)
		gdb->thread = thread;
	finish(answer, done);
}

static void is_alive(struct gdb *gdb, const char *text, struct answer *answer)
{
	uint64_t number;
	finish(answer, take_number(&text, &number) && number && number <= gdb->target->threads);
}

static void current_thread(struct gdb *gdb, const char *text, struct answer *answer)
{
	char own[16];
	(void)text;
	(void)snprintf(own, sizeof(own), "QC%x", gdb->thread + 1);
	add(answer, own);
}

static void list_threads(struct gdb *gdb, const char *text, struct answer *answer)
{
	(void)text;
	add(answer, "m");
	for (unsigned i = 0; i < gdb->target->threads; i++) {
		char own[16];
		(void)snprintf(own, sizeof(own), "%s%x", i ? "," : "", i + 1);
		add(answer, own);
	}
}

static void no_more_threads(struct gdb *gdb, const char *text, struct answer *answer)
{
	(void)gdb, (void)text;
	add(answer, "l");
}

static void describe_thread(struct gdb *gdb, const char *text, struct answer *answer)
{
	char own[80] = "";
	uint64_t number;
	if (!take_number(&text, &number) || !number || number > gdb->target->threads) {
		fail(answer);
		return;
	}
	gdb->target->describe(gdb->target->user, (unsigned)number - 1, own, sizeof(own));
	add_hex(answer, own, strlen(own));
}

static void supported(struct gdb *gdb, const char *text, struct answer *answer)
{
	char own[120];
	(void)gdb, (void)text;
	(void)snprintf(own, sizeof(own), "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;vContSupported+", GDB_PACKET_MAX - 8);
	add(answer, own);
}

static void stop_acks(struct gdb *gdb, const char *text, struct answer *answer)
{
	(void)text;
	gdb->no_ack = true;
	add(answer, "OK");
}

static void is_attached(struct gdb *gdb, const char *text, struct answer *answer)
{
	(void)gdb, (void)text;
	add(answer, "1");
}

static void read_features(struct gdb *gdb, const char *text, struct answer *answer)
{
	char xml[GDB_DESCRIPTION_MAX], piece[GDB_PACKET_MAX / 2];
	const size_t length = gdb_describe_registers(gdb->target->long_mode, xml, sizeof(xml)), most = sizeof(piece) - 2;
	uint64_t offset, size;
	if (!take_number(&text, &offset) || !take_char(&text, ',') || !take_number(&text, &size) || offset > length) {
		fail(answer);
		return;
	}
	const size_t left = length - (size_t)offset, asked = size < most ? (size_t)size : most, count = asked < left ? asked : left;
	(void)snprintf(piece, sizeof(piece), "%c%.*s", count < left ? 'm' : 'l', (int)count, xml + offset);
	add(answer, piece);
}

/* A longer word stands before one that it begins with. What is not listed is answered with nothing: there is no such command here. */
static const struct {
	const char *word;
	void (*run)(struct gdb *gdb, const char *text, struct answer *answer);
} commands[] = {
    {"QStartNoAckMode", stop_acks},
    {"qSupported", supported},
    {"qXfer:features:read:target.xml:", read_features},
    {"qAttached", is_attached},
    {"qThreadExtraInfo,", describe_thread},
    {"qfThreadInfo", list_threads},
    {"qsThreadInfo", no_more_threads},
    {"qC", current_thread},
    {"vCont?", can_continue},
    {"vCont", continue_threads},
    {"vKill", end_target},
    {"?", why_stopped},
    {"D", detach},
    {"G", write_all},
    {"H", set_thread},
    {"M", write_memory},
    {"P", write_one},
    {"T", is_alive},
    {"X", write_binary},
    {"Z", breakpoint},
    {"c", go_on},
    {"g", read_all},
    {"k", end_target},
    {"m", read_memory},
    {"p", read_one},
    {"s", go_on},
    {"z", breakpoint},
};

static void execute(struct gdb *gdb)
{
	struct answer answer = {.used = 0};
	gdb->packet[gdb->used] = '\0';
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const size_t length = strlen(commands[i].word);
		if (strncmp(gdb->packet, commands[i].word, length) != 0)
			continue;
		commands[i].run(gdb, gdb->packet + length, &answer);
		break;
	}
	/* Who runs answers when it stands again; k has none. */
	const bool killed = gdb->end == GDB_KILLED && !answer.used;
	if (!gdb->running && !killed)
		send_answer(gdb, &answer);
}

/*
 * The line.
 */
static void end_packet(struct gdb *gdb, bool sound)
{
	gdb->state = GDB_BETWEEN;
	if (!gdb->no_ack)
		gdb->target->send(gdb->target->send_user, sound ? "+" : "-", 1);
	/* While it runs only an interrupt is awaited. */
	if (sound && !gdb->running)
		execute(gdb);
}

static void take_inside(struct gdb *gdb, char c)
{
	if (c == '#') {
		gdb->state = GDB_SUM_HIGH;
		return;
	}
	gdb->sum = (uint8_t)(gdb->sum + (uint8_t)c);
	if (c == '}' && gdb->state != GDB_ESCAPED) {
		gdb->state = GDB_ESCAPED;
		return;
	}
	if (gdb->state == GDB_ESCAPED)
		c ^= 0x20;
	gdb->state = GDB_INSIDE;
	if (gdb->used == GDB_PACKET_MAX)
		gdb->too_long = true;
	else
		gdb->packet[gdb->used++] = c;
}

static bool is_sum(const struct gdb *gdb, char low)
{
	return gdb->sum_high == gdb->sum >> 4 && hex_digit(low) == (gdb->sum & 15);
}

static void take_byte(struct gdb *gdb, char c)
{
	switch (gdb->state) {
	case GDB_BETWEEN:
		if (c == '$') {
			gdb->state = GDB_INSIDE;
			gdb->used = 0;
			gdb->sum = 0;
			gdb->too_long = false;
		} else if (c == 3 && gdb->running) {
			gdb->target->interrupt(gdb->target->user);
		}
		break;
	case GDB_SUM_HIGH:
		gdb->sum_high = hex_digit(c);
		gdb->state = GDB_SUM_LOW;
		break;
	case GDB_SUM_LOW:
		end_packet(gdb, !gdb->too_long && (gdb->no_ack || is_sum(gdb, c)));
		break;
	default:
		take_inside(gdb, c);
	}
}

void gdb_begin(struct gdb *gdb, const struct gdb_target *target, unsigned thread)
{
	memset(gdb, 0, sizeof(*gdb));
	gdb->target = target;
	gdb->thread = gdb->stopped_thread = thread;
	gdb->signal = GDB_SIGNAL_TRAP;
}

bool gdb_take(struct gdb *gdb, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size && gdb->end == GDB_GOES_ON; i++)
		take_byte(gdb, ((const char *)bytes)[i]);
	return gdb->end == GDB_GOES_ON;
}

void gdb_stopped(struct gdb *gdb, unsigned thread, int signal)
{
	struct answer answer = {.used = 0};
	if (!gdb->running)
		return;
	gdb->running = false;
	gdb->thread = gdb->stopped_thread = thread;
	gdb->signal = signal;
	tell_stop(gdb, &answer);
	send_answer(gdb, &answer);
}

void gdb_exited(struct gdb *gdb, uint8_t status)
{
	struct answer answer = {.used = 0};
	char text[16];
	(void)snprintf(text, sizeof(text), "W%02x", status);
	add(&answer, text);
	gdb->end = GDB_DETACHED;
	send_answer(gdb, &answer);
}
