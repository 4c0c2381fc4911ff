/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest's debug transport: by MSR, by hypercall, and the frames that a guest of Microsoft's makes of it. */
#include "hyperv_guest.h"

enum { POST = 0x69, RETRIEVE = 0x6a, RESET = 0x6b, NO_DATA = 0x1b, SMALL = 0x33 };

static const struct gim_setting framed[] = {{"vendor", "Microsoft Hv"}, {"hypercall_debug", "true"}};
static const struct gim_setting plain[] = {{"vendor", "VBoxVBoxVBox"}, {"hypercall_debug", "true"}};

static uint16_t call(struct guest *guest, uint16_t code)
{
	struct gim_registers registers = {.rcx = code, .rdx = INPUT, .r8 = OUTPUT, .long_mode = true};
	assert_int_equal(gim_machine_hypercall(guest->machine, 0, &registers), GIM_ACCESS_DONE);
	return (uint16_t)registers.rax;
}

static uint32_t word_at(struct guest *guest, uint64_t gpa)
{
	return (uint32_t)gim_load(guest->ram + gpa, 4);
}

static void store_word(struct guest *guest, uint64_t gpa, uint32_t word)
{
	gim_store(guest->ram + gpa, word, 4);
}

static uint16_t post(struct guest *guest, const void *bytes, uint32_t size)
{
	store_word(guest, INPUT, size);
	store_word(guest, INPUT + 4, 0);
	if (size <= 4088)
		memcpy(guest->ram + INPUT + 8, bytes, size);
	return call(guest, POST);
}

/* What comes is at OUTPUT + 8, so many bytes of it at OUTPUT. */
static uint16_t retrieve(struct guest *guest, uint32_t room, uint32_t flags)
{
	store_word(guest, INPUT, room);
	store_word(guest, INPUT + 4, flags);
	memset(guest->ram + OUTPUT, 0xee, 4096);
	return call(guest, RETRIEVE);
}

static void come(struct guest *guest, uint32_t size, uint8_t first)
{
	assert_true(guest->coming_count < PACKETS_MAX);
	struct packet *packet = &guest->coming[guest->coming_count++];
	packet->size = size;
	for (uint32_t i = 0; i < size; i++)
		packet->bytes[i] = (uint8_t)(first + i);
	gim_machine_debug_ready(guest->machine);
}

static void by_msr(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, true, NULL, 0);
	for (unsigned i = 0; i < 4096; i++)
		guest->ram[0x5000 + i] = (uint8_t)(i * 7);
	wrmsr(guest, 0, MSR_DEBUG_SEND, 0x5000);
	wrmsr(guest, 0, MSR_DEBUG_RECEIVE, 0x6000);
	wrmsr(guest, 0, MSR_DEBUG_PENDING, 0x7003);
	wrmsr_gp(guest, 0, MSR_DEBUG_CONTROL, 100 << 16 | 3);
	wrmsr(guest, 0, MSR_DEBUG_CONTROL, 100 << 16 | 1);
	assert_int_equal(rdmsr(guest, 0, MSR_DEBUG_STATUS), 1);
	assert_int_equal(guest->sent.size, 100);
	assert_memory_equal(guest->sent.bytes, guest->ram + 0x5000, 100);
	/* Nothing, or more than a page less one: not sent. */
	wrmsr(guest, 0, MSR_DEBUG_CONTROL, 1);
	assert_int_equal(rdmsr(guest, 0, MSR_DEBUG_STATUS), 0);
	wrmsr(guest, 0, MSR_DEBUG_CONTROL, 4095 << 16 | 1);
	assert_int_equal(rdmsr(guest, 0, MSR_DEBUG_STATUS), 1);
	wrmsr(guest, 0, MSR_DEBUG_CONTROL, 4096 << 16 | 1);
	assert_int_equal(rdmsr(guest, 0, MSR_DEBUG_STATUS), 0);
	guest->refuse_packets = true;
	wrmsr(guest, 0, MSR_DEBUG_CONTROL, 100 << 16 | 1);
	assert_int_equal(rdmsr(guest, 0, MSR_DEBUG_STATUS), 0);
	assert_int_equal(guest->sent_count, 2);
	/* Receiving: the pending byte comes and goes. */
	wrmsr(guest, 0, MSR_DEBUG_CONTROL, 2);
	assert_int_equal(rdmsr(guest, 0, MSR_DEBUG_STATUS), 0);
	come(guest, 200, 9);
	assert_int_equal(guest->ram[0x7003], 1);
	wrmsr(guest, 0, MSR_DEBUG_CONTROL, 2);
	assert_int_equal(rdmsr(guest, 0, MSR_DEBUG_STATUS), 200 << 16 | 4);
	assert_int_equal(guest->ram[0x7003], 0);
	assert_int_equal(guest->ram[0x6000], 9);
	assert_int_equal(guest->ram[0x6000 + 200], 0);
	come(guest, 4100, 0);
	wrmsr(guest, 0, MSR_DEBUG_CONTROL, 2);
	assert_int_equal(rdmsr(guest, 0, MSR_DEBUG_STATUS), UINT64_C(4096) << 16 | 4);
	/* Buffers that are no RAM: nothing is taken from the wire. */
	come(guest, 10, 0);
	guest->hole = 0x6000;
	wrmsr(guest, 0, MSR_DEBUG_CONTROL, 2);
	assert_int_equal(rdmsr(guest, 0, MSR_DEBUG_STATUS), 0);
	assert_int_equal(guest->coming_count, 1);
	wrmsr(guest, 0, MSR_DEBUG_SEND, UINT64_MAX);
	wrmsr(guest, 0, MSR_DEBUG_PENDING, UINT64_MAX);
	guest->refuse_packets = false;
	wrmsr(guest, 0, MSR_DEBUG_CONTROL, 100 << 16 | 1);
	assert_int_equal(rdmsr(guest, 0, MSR_DEBUG_STATUS), 0);
	gim_machine_debug_ready(guest->machine);
	assert_int_equal(counter(guest, "debug.packets_sent"), 2);
	assert_int_equal(counter(guest, "debug.bytes_sent"), 4195);
	assert_int_equal(counter(guest, "debug.packets_received"), 2);
	assert_int_equal(counter(guest, "debug.bytes_received"), 4296);
	guest_free(guest);
}

static void by_hypercall(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, true, plain, 2);
	assert_int_equal(post(guest, "hello", 5), 0);
	assert_int_equal(guest->sent.size, 5);
	assert_memory_equal(guest->sent.bytes, "hello", 5);
	assert_int_equal(word_at(guest, OUTPUT), 0);
	assert_int_equal(post(guest, "", 0), 0);
	assert_int_equal(guest->sent_count, 1);
	assert_int_equal(post(guest, guest->ram, 4088), 0);
	assert_int_equal(post(guest, "", 4089), 5);
	guest->refuse_packets = true;
	assert_int_equal(post(guest, "hello", 5), SMALL);
	assert_int_equal(word_at(guest, OUTPUT), 5); /* pending */

	assert_int_equal(retrieve(guest, 4088, 0), NO_DATA);
	come(guest, 300, 1);
	assert_int_equal(retrieve(guest, 4088, 2), 0); /* a test of activity: nothing is taken */
	assert_int_equal(word_at(guest, OUTPUT), 0);
	assert_int_equal(guest->coming_count, 1);
	assert_int_equal(retrieve(guest, 4089, 0), 5);
	assert_int_equal(retrieve(guest, 100, 0), 0); /* no more than was asked for */
	assert_int_equal(word_at(guest, OUTPUT), 100);
	assert_int_equal(word_at(guest, OUTPUT + 4), 0);
	assert_int_equal(guest->ram[OUTPUT + 8], 1);
	assert_int_equal(guest->ram[OUTPUT + 107], 100);
	assert_int_equal(guest->ram[OUTPUT + 108], 0xee);
	/* A page that is no RAM takes nothing from the wire. */
	come(guest, 10, 0);
	guest->hole = OUTPUT;
	store_word(guest, INPUT, 10);
	store_word(guest, INPUT + 4, 0);
	assert_int_equal(call(guest, RETRIEVE), 5);
	assert_int_equal(guest->coming_count, 1);
	guest->hole = RAM_BYTES;
	come(guest, 10, 0);
	store_word(guest, INPUT, 0);
	assert_int_equal(call(guest, RESET), 5);
	store_word(guest, INPUT, 4);
	assert_int_equal(call(guest, RESET), 5);
	store_word(guest, INPUT, 2);
	assert_int_equal(call(guest, RESET), 0);
	assert_int_equal(guest->coming_count, 2);
	store_word(guest, INPUT, 3);
	assert_int_equal(call(guest, RESET), 0);
	assert_int_equal(guest->coming_count, 0);
	struct gim_registers registers = {.rcx = RESET | 1 << 16, .rdx = 1, .long_mode = true};
	assert_int_equal(gim_machine_hypercall(guest->machine, 0, &registers), GIM_ACCESS_DONE);
	assert_int_equal(registers.rax, 0);
	guest_free(guest);
}

/*
 * Frames.
 */
struct frame {
	uint8_t bytes[600];
	uint32_t size;
};

static void add(struct frame *frame, uint64_t number, unsigned width)
{
	while (width--)
		frame->bytes[frame->size++] = (uint8_t)(number >> 8 * width);
}

static uint64_t at(const uint8_t *bytes, unsigned width)
{
	uint64_t number = 0;
	for (unsigned i = 0; i < width; i++)
		number = number << 8 | bytes[i];
	return number;
}

#define GUEST_MAC UINT64_C(0x525400abcdef)
#define CLIENT UINT64_C(0x0a000505)
#define SERVER UINT64_C(0x0a000501)

static struct frame ethernet(uint16_t type)
{
	struct frame frame = {.size = 0};
	add(&frame, UINT64_C(0xffffffffffff), 6);
	add(&frame, GUEST_MAC, 6);
	add(&frame, type, 2);
	return frame;
}

/* Options of IPv4 (multiples of 4 bytes), then the data. */
static struct frame udp(uint64_t source, uint64_t target, uint16_t source_port, uint16_t target_port, unsigned options, const void *data,
                        uint32_t size)
{
	struct frame frame = ethernet(0x0800);
	add(&frame, 0x45 + options / 4, 1);
	add(&frame, 0, 1);
	add(&frame, 28 + options + size, 2);
	add(&frame, 0x12344000, 4); /* an id, and not to be cut */
	add(&frame, 64, 1);
	add(&frame, 17, 1);
	add(&frame, 0, 2);
	add(&frame, source, 4);
	add(&frame, target, 4);
	for (unsigned i = 0; i < options; i++)
		add(&frame, 1, 1);
	add(&frame, source_port, 2);
	add(&frame, target_port, 2);
	add(&frame, 8 + size, 2);
	add(&frame, 0, 2);
	memcpy(frame.bytes + frame.size, data, size);
	frame.size += size;
	return frame;
}

static struct frame dhcp(uint8_t type, uint64_t source)
{
	struct frame body = {.size = 0};
	add(&body, 0x01010600, 4);
	add(&body, 0xcafef00d, 4);
	while (body.size < 236)
		add(&body, 0, 1);
	add(&body, 0x63825363, 4);
	add(&body, 0, 1);
	add(&body, 0x3d0701, 3); /* a client id, which is passed over */
	add(&body, GUEST_MAC, 6);
	add(&body, 0x3501, 2);
	add(&body, type, 1);
	add(&body, 255, 1);
	return udp(source, source ? 0 : 0xffffffff, 68, 67, 0, body.bytes, body.size);
}

static struct frame arp(uint16_t operation, uint64_t target)
{
	struct frame frame = ethernet(0x0806);
	add(&frame, UINT64_C(0x000108000604), 6);
	add(&frame, operation, 2);
	add(&frame, GUEST_MAC, 6);
	add(&frame, CLIENT, 4);
	add(&frame, 0, 6);
	add(&frame, target, 4);
	return frame;
}

/* Swallowed: taken, and not sent on. */
static void swallow(struct guest *guest, const struct frame *frame)
{
	const unsigned before = guest->sent_count;
	assert_int_equal(post(guest, frame->bytes, frame->size), 0);
	assert_int_equal(guest->sent_count, before);
}

static const uint8_t *expect_frame(struct guest *guest, uint32_t size, uint16_t type)
{
	assert_int_equal(retrieve(guest, 4088, 0), 0);
	assert_int_equal(word_at(guest, OUTPUT), size);
	const uint8_t *frame = guest->ram + OUTPUT + 8;
	assert_int_equal(at(frame, 6), GUEST_MAC);
	assert_int_equal(frame[6] & 1, 0);
	assert_int_equal(at(frame + 12, 2), type);
	return frame;
}

static void expect_udp(const uint8_t *frame, uint32_t size, uint64_t target, uint16_t source_port, uint16_t target_port)
{
	uint32_t sum = 0;
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)at(frame + i, 2);
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	assert_int_equal(frame[14], 0x45);
	assert_int_equal(at(frame + 16, 2), size - 14);
	assert_int_equal(frame[22], 255);
	assert_int_equal(frame[23], 17);
	assert_int_equal(at(frame + 26, 4), SERVER);
	assert_int_equal(at(frame + 30, 4), target);
	assert_int_equal(at(frame + 34, 2), source_port);
	assert_int_equal(at(frame + 36, 2), target_port);
	assert_int_equal(at(frame + 38, 2), size - 34);
}

static void expect_dhcp(struct guest *guest, uint8_t type)
{
	const uint8_t *frame = expect_frame(guest, 310, 0x0800), *body = frame + 42;
	expect_udp(frame, 310, 0xffffffff, 67, 68);
	assert_int_equal(at(body, 4), 0x02010600);
	assert_int_equal(at(body + 4, 4), 0xcafef00d);
	assert_int_equal(at(body + 16, 4), CLIENT);
	assert_int_equal(at(body + 28, 6), GUEST_MAC);
	assert_int_equal(at(body + 236, 4), 0x63825363);
	static const uint8_t options[] = {0x35, 1, 0, 0x36, 4, 10, 0, 5, 1, 0x33, 4, 255, 255, 255, 255, 1, 4, 255, 255, 255, 0};
	assert_int_equal(body[242], type);
	assert_memory_equal(body + 240, options, 2);
	assert_memory_equal(body + 243, options + 3, sizeof(options) - 3);
	assert_int_equal(body[267], 255);
}

static void addresses(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, false, framed, 2);
	const struct hv_debug *debug = &hv_state(guest->machine)->debug;
	const struct frame discover = dhcp(1, 0), request = dhcp(3, 0), ask = arp(1, SERVER), other = arp(1, SERVER + 1),
			   reply = arp(2, SERVER);
	swallow(guest, &discover);
	assert_int_equal(debug->reply, 1);
	assert_int_equal(retrieve(guest, 309, 0), NO_DATA); /* too little room: it is kept */
	guest_migrate(guest);
	expect_dhcp(guest, 2);
	come(guest, 10, 0);
	assert_int_equal(retrieve(guest, 4088, 0), NO_DATA); /* the guest has no address yet */
	swallow(guest, &request);
	expect_dhcp(guest, 5);
	assert_int_equal(retrieve(guest, 4088, 0), NO_DATA);
	swallow(guest, &other);
	swallow(guest, &reply);
	assert_int_equal(hv_state(guest->machine)->debug.reply, 4);
	swallow(guest, &ask);
	guest_migrate(guest);
	const uint8_t *frame = expect_frame(guest, 42, 0x0806);
	assert_int_equal(at(frame + 14, 8), UINT64_C(0x0001080006040002));
	assert_int_equal(at(frame + 22, 6), at(frame + 6, 6));
	assert_int_equal(at(frame + 28, 4), SERVER);
	assert_int_equal(at(frame + 32, 6), GUEST_MAC);
	assert_int_equal(at(frame + 38, 4), CLIENT);
	assert_int_equal(hv_state(guest->machine)->debug.reply, 6);
	guest_free(guest);
}

static void datagrams(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, false, framed, 2);
	/* The debugger gets what is in them, and its answer goes back the other way round. */
	struct frame frame = udp(CLIENT, SERVER, 0, 0, 8, "break in", 8);
	frame.bytes[frame.size++] = 0; /* padding behind the packet */
	assert_int_equal(post(guest, frame.bytes, frame.size), 0);
	assert_int_equal(guest->sent.size, 8);
	assert_memory_equal(guest->sent.bytes, "break in", 8);
	guest_migrate(guest);
	come(guest, 50, 3);
	const uint8_t *answer = expect_frame(guest, 92, 0x0800);
	expect_udp(answer, 92, CLIENT, 0, 0);
	assert_int_equal(answer[42], 3);
	assert_int_equal(answer[91], 52);
	/* Ports of DHCP with something else in it. */
	const struct frame odd = udp(CLIENT, 0, 68, 67, 0, "odd", 3);
	assert_int_equal(post(guest, odd.bytes, odd.size), 0);
	assert_int_equal(guest->sent.size, 3);
	come(guest, 5, 0);
	assert_int_equal(retrieve(guest, 50, 0), 0);
	expect_udp(guest->ram + OUTPUT + 8, 47, CLIENT, 67, 68);
	come(guest, 100, 0);
	assert_int_equal(retrieve(guest, 50, 0), 0); /* no more than there is room for, in a datagram that is whole */
	assert_int_equal(word_at(guest, OUTPUT), 50);
	expect_udp(guest->ram + OUTPUT + 8, 50, CLIENT, 67, 68);
	assert_int_equal(retrieve(guest, 42, 0), NO_DATA);
	guest->refuse_packets = true;
	assert_int_equal(post(guest, odd.bytes, odd.size), SMALL);
	guest->refuse_packets = false;
	/* Everything else. */
	const struct frame elsewhere = udp(CLIENT, SERVER, 5000, 53, 0, "x", 1), foreign = udp(CLIENT + 1, 0, 68, 67, 0, "x", 1);
	swallow(guest, &elsewhere);
	swallow(guest, &foreign);
	struct frame piece = udp(CLIENT, SERVER, 0, 0, 0, "x", 1);
	piece.bytes[20] = 0x20; /* more fragments */
	swallow(guest, &piece);
	piece = udp(CLIENT, SERVER, 0, 0, 0, "x", 1);
	piece.bytes[23] = 6; /* TCP */
	swallow(guest, &piece);
	piece = udp(CLIENT, SERVER, 0, 0, 0, "x", 1);
	piece.bytes[14] = 0x65; /* IPv6 */
	swallow(guest, &piece);
	guest_free(guest);
}

/* Frames cut off anywhere, and with every byte changed. */
static void hostile(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, false, framed, 2);
	const struct frame frames[] = {dhcp(1, 0), arp(1, SERVER), udp(CLIENT, SERVER, 0, 0, 12, "payload", 7)};
	uint8_t *exact;
	for (size_t i = 0; i < sizeof(frames) / sizeof(*frames); i++) {
		for (uint32_t size = 0; size < frames[i].size; size++) {
			/* Of that size and no more, for the sanitizer. */
			exact = malloc(size ? size : 1);
			assert_non_null(exact);
			memcpy(exact, frames[i].bytes, size);
			assert_int_equal(hv_debug_post(guest->machine, exact, size), size);
			free(exact);
		}
		assert_int_equal(hv_state(guest->machine)->debug.reply, 0);
		for (uint32_t byte = 0; byte < frames[i].size; byte++)
			for (unsigned bit = 0; bit < 8; bit++) {
				struct frame changed = frames[i];
				changed.bytes[byte] ^= (uint8_t)(1u << bit);
				assert_int_equal(post(guest, changed.bytes, changed.size), 0);
				(void)retrieve(guest, 4088, 0);
			}
		hv_state(guest->machine)->debug.reply = 0;
	}
	hv_state(guest->machine)->debug.reply = UINT32_MAX; /* as a state may say */
	assert_int_equal(retrieve(guest, 4088, 0), NO_DATA);
	guest_free(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_msr), cmocka_unit_test(by_hypercall), cmocka_unit_test(addresses),
	                                   cmocka_unit_test(datagrams), cmocka_unit_test(hostile)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
