/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's debug transport: plain packets by MSR, and by hypercall, where a guest of Microsoft's sends Ethernet frames: it gets an address by DHCP (RFC
 * 2131) and ARP (RFC 826) from here, and its debugger sees only what is in its UDP datagrams (RFC 768, 791). */
#include "bytes.h"
#include "cursor.h"
#include "runtime.h"

#include <string.h>

/* Who is who. The guest's own Ethernet address is the one that it sends from. */
#define CLIENT_IP4 UINT32_C(0x0a000505) /* 10.0.5.5 */
#define SERVER_IP4 UINT32_C(0x0a000501) /* 10.0.5.1 */
#define NETMASK UINT32_C(0xffffff00)
static const uint8_t server_mac[6] = {0x02, 0, 0, 0, 0, 0x01}; /* locally administered */

enum { ETHERTYPE_IP4 = 0x0800, ETHERTYPE_ARP = 0x0806, ARP_REQUEST = 1, ARP_REPLY = 2, PROTOCOL_UDP = 17 };
enum { BOOTP_SERVER = 67, BOOTP_CLIENT = 68, BOOTP_REQUEST = 1, BOOTP_REPLY = 2 };
enum { DHCP_DISCOVER = 1, DHCP_OFFER = 2, DHCP_REQUEST = 3, DHCP_ACK = 5 };
enum { OPTION_PAD = 0, OPTION_MASK = 1, OPTION_ROUTER = 3, OPTION_LEASE = 51, OPTION_TYPE = 53, OPTION_SERVER = 54, OPTION_END = 255 };
#define DHCP_COOKIE UINT32_C(0x63825363)
#define LEASE_FOREVER UINT32_MAX

enum {
	ETHERNET_BYTES = 14,
	IP4_BYTES = 20,
	UDP_BYTES = 8,
	HEADERS = ETHERNET_BYTES + IP4_BYTES + UDP_BYTES,
	ARP_BYTES = ETHERNET_BYTES + 28,
	BOOTP_FIXED = 236, /* of a BOOTP message, before the cookie and the options */
	DHCP_BYTES = HEADERS + BOOTP_FIXED + 4 + 28,
};

/* hyperv.debug.reply (names.c). */
enum { REPLY_UDP, REPLY_OFFER, REPLY_OFFER_SENT, REPLY_ACK, REPLY_ACK_SENT, REPLY_ARP, REPLY_ARP_SENT };

static struct hv_debug *debug_of(const struct gim_machine *machine)
{
	return &hv_state(machine)->debug;
}

static bool is_framed(const struct gim_machine *machine)
{
	static const char microsoft[12] = {'M', 'i', 'c', 'r', 'o', 's', 'o', 'f', 't', ' ', 'H', 'v'};
	return !memcmp(hv_own(machine)->vendor, microsoft, sizeof(microsoft));
}

/*
 * The debugger's side: packets, and the byte that tells the guest of one.
 */
static void set_pending(struct gim_machine *machine, uint8_t pending)
{
	const uint64_t gpa = debug_of(machine)->pending_buffer;
	if (gpa)
		(void)gim_ram_write(machine, gpa, &pending, sizeof(pending));
}

void hv_debug_ready(struct gim_machine *machine)
{
	set_pending(machine, 1);
}

static uint32_t send_packet(struct gim_machine *machine, const void *bytes, uint32_t size)
{
	const int64_t sent = gim_debug_send(machine, bytes, size);
	return sent < 0 ? 0 : sent < size ? (uint32_t)sent : size;
}

static uint32_t receive_packet(struct gim_machine *machine, void *bytes, uint32_t size)
{
	const int64_t received = size ? gim_debug_receive(machine, bytes, size) : 0;
	if (received <= 0)
		return 0;
	set_pending(machine, 0);
	return (uint32_t)received;
}

void hv_debug_purge(struct gim_machine *machine)
{
	/* A transport that never runs dry must not keep the guest for ever. */
	enum { PACKETS_MAX = 1024 };
	uint8_t packet[GIM_PAGE_BYTES];
	for (unsigned i = 0; i < PACKETS_MAX && receive_packet(machine, packet, sizeof(packet)); i++)
		continue;
	set_pending(machine, 0);
}

/*
 * By MSR: the packet as it is.
 */
enum { CONTROL_SEND = 1, CONTROL_RECEIVE = 2, STATUS_SENT = 1, STATUS_RECEIVED = 4 };

static uint64_t send_buffer(struct gim_machine *machine, uint32_t size)
{
	uint8_t packet[GIM_PAGE_BYTES];
	if (!size || size >= sizeof(packet) || gim_machine_read(machine, debug_of(machine)->send_buffer, packet, size, NULL))
		return 0;
	return send_packet(machine, packet, size) == size ? STATUS_SENT : 0;
}

static uint64_t receive_buffer(struct gim_machine *machine)
{
	uint8_t packet[GIM_PAGE_BYTES];
	const uint64_t gpa = debug_of(machine)->receive_buffer;
	if (!gim_ram_is(machine, gpa, sizeof(packet)))
		return 0;
	const uint32_t size = receive_packet(machine, packet, sizeof(packet));
	if (!size || gim_machine_write(machine, gpa, packet, size, NULL))
		return 0;
	return (uint64_t)size << 16 | STATUS_RECEIVED;
}

enum gim_access hv_debug_write_control(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	if (*value & CONTROL_SEND && *value & CONTROL_RECEIVE)
		return GIM_ACCESS_GP;
	if (*value & CONTROL_SEND)
		debug_of(machine)->status = send_buffer(machine, *value >> 16 & 0xffff);
	else if (*value & CONTROL_RECEIVE)
		debug_of(machine)->status = receive_buffer(machine);
	return GIM_ACCESS_DONE;
}

/*
 * Frames of the guest.
 */
static void take_arp(struct hv_debug *debug, struct gim_cursor *cursor)
{
	const uint64_t kinds = gim_cursor_u64(cursor); /* Ethernet, IPv4, lengths of both, operation */
	(void)gim_cursor_bytes(cursor, 6);
	const uint32_t sender = gim_cursor_u32(cursor);
	(void)gim_cursor_bytes(cursor, 6);
	const uint32_t target = gim_cursor_u32(cursor);
	if (!cursor->failed && kinds == (UINT64_C(0x0001080006040000) | ARP_REQUEST) && sender == CLIENT_IP4 && target == SERVER_IP4)
		debug->reply = REPLY_ARP;
}

/* The type of a DHCP message; 0: there is none. */
static uint8_t dhcp_type(struct gim_cursor *cursor)
{
	while (gim_cursor_left(cursor)) {
		const uint8_t option = gim_cursor_u8(cursor);
		if (option == OPTION_END)
			break;
		if (option == OPTION_PAD)
			continue;
		const uint8_t length = gim_cursor_u8(cursor);
		if (option == OPTION_TYPE)
			return length == 1 ? gim_cursor_u8(cursor) : 0;
		if (!gim_cursor_bytes(cursor, length))
			break;
	}
	return 0;
}

/* A request of DHCP's; false: it is none. */
static bool take_dhcp(struct hv_debug *debug, struct gim_cursor cursor)
{
	const bool request = gim_cursor_u8(&cursor) == BOOTP_REQUEST;
	(void)gim_cursor_bytes(&cursor, 3);
	const uint8_t *xid = gim_cursor_bytes(&cursor, 4);
	(void)gim_cursor_bytes(&cursor, BOOTP_FIXED - 8);
	const bool dhcp = gim_cursor_u32(&cursor) == DHCP_COOKIE;
	const uint8_t type = request && dhcp ? dhcp_type(&cursor) : 0;
	if (cursor.failed || (type != DHCP_DISCOVER && type != DHCP_REQUEST))
		return false;
	debug->bootp_xid = (uint32_t)gim_load(xid, 4);
	debug->reply = type == DHCP_DISCOVER ? REPLY_OFFER : REPLY_ACK;
	return true;
}

struct datagram {
	const uint8_t *source_ip4, *ports; /* on the wire; the source's port first */
	uint32_t source, target;
	uint16_t source_port, target_port;
	struct gim_cursor data;
};

/* The UDP datagram in an IPv4 packet; false: it holds none, or only a piece of one. */
static bool open_ip4(struct gim_cursor *cursor, struct datagram *datagram)
{
	const size_t begin = cursor->position;
	const uint8_t version = gim_cursor_u8(cursor);
	(void)gim_cursor_u8(cursor);
	const uint16_t total = gim_cursor_u16(cursor);
	(void)gim_cursor_u16(cursor);
	const uint16_t fragment = gim_cursor_u16(cursor) & 0x3fff; /* more of them, or one that is not the first */
	(void)gim_cursor_u8(cursor);
	const uint8_t protocol = gim_cursor_u8(cursor);
	(void)gim_cursor_u16(cursor);
	datagram->source_ip4 = gim_cursor_bytes(cursor, 4);
	const size_t header = (version & 15u) * 4u;
	if (cursor->failed || version >> 4 != 4 || header < IP4_BYTES || total < header || fragment || protocol != PROTOCOL_UDP)
		return false;
	struct gim_cursor addresses = {.bytes = datagram->source_ip4, .size = 4, .big = true};
	datagram->source = gim_cursor_u32(&addresses);
	datagram->target = gim_cursor_u32(cursor);
	(void)gim_cursor_bytes(cursor, header - IP4_BYTES);
	datagram->ports = gim_cursor_bytes(cursor, 4);
	const uint16_t length = gim_cursor_u16(cursor);
	(void)gim_cursor_u16(cursor);
	if (cursor->failed || length < UDP_BYTES || cursor->position - begin + length - UDP_BYTES > total)
		return false;
	struct gim_cursor ports = {.bytes = datagram->ports, .size = 4, .big = true};
	datagram->source_port = gim_cursor_u16(&ports);
	datagram->target_port = gim_cursor_u16(&ports);
	const uint8_t *data = gim_cursor_bytes(cursor, length - (size_t)UDP_BYTES);
	datagram->data = (struct gim_cursor){.bytes = data, .size = length - (size_t)UDP_BYTES, .big = true};
	return data != NULL;
}

/* Is it for the debugger? Its ports are 0, or those of DHCP while the guest has its address and no request is in it. */
static bool is_for_debugger(const struct datagram *datagram, bool dhcp_ports)
{
	if (dhcp_ports)
		return datagram->source == CLIENT_IP4 && !datagram->target;
	return !datagram->source_port && !datagram->target_port;
}

/* False: the debugger did not take what is for it. */
static bool take_ip4(struct gim_machine *machine, struct gim_cursor *cursor)
{
	struct hv_debug *debug = debug_of(machine);
	struct datagram datagram;
	if (!open_ip4(cursor, &datagram))
		return true;
	const bool dhcp_ports = datagram.source_port == BOOTP_CLIENT && datagram.target_port == BOOTP_SERVER;
	if ((dhcp_ports && take_dhcp(debug, datagram.data)) || !is_for_debugger(&datagram, dhcp_ports))
		return true;
	debug->guest_ip4 = (uint32_t)gim_load(datagram.source_ip4, 4); /* kept as the bytes on the wire are, like VirtualBox keeps it */
	debug->udp_guest_src_port = (uint16_t)gim_load(datagram.ports, 2);
	debug->udp_guest_dst_port = (uint16_t)gim_load(datagram.ports + 2, 2);
	debug->reply = REPLY_UDP;
	const uint32_t size = (uint32_t)datagram.data.size;
	return !size || send_packet(machine, datagram.data.bytes, size) == size;
}

uint32_t hv_debug_post(struct gim_machine *machine, const uint8_t *bytes, uint32_t size)
{
	struct gim_cursor cursor = {.bytes = bytes, .size = size, .big = true};
	if (!is_framed(machine))
		return send_packet(machine, bytes, size);
	(void)gim_cursor_bytes(&cursor, 6);
	const uint8_t *sender = gim_cursor_bytes(&cursor, 6);
	const uint16_t type = gim_cursor_u16(&cursor);
	if (cursor.failed)
		return size; /* no frame: nobody is there to take it */
	memcpy(debug_of(machine)->guest_mac, sender, sizeof(debug_of(machine)->guest_mac));
	if (type == ETHERTYPE_ARP)
		take_arp(debug_of(machine), &cursor);
	return type != ETHERTYPE_IP4 || take_ip4(machine, &cursor) ? size : 0;
}

/*
 * Frames for the guest, of known size.
 */
struct frame {
	uint8_t *bytes;
	uint32_t used;
};

static void add_bytes(struct frame *frame, const void *bytes, uint32_t size)
{
	memcpy(frame->bytes + frame->used, bytes, size);
	frame->used += size;
}

static void add(struct frame *frame, uint64_t number, unsigned width)
{
	for (unsigned i = width; i--;)
		frame->bytes[frame->used++] = (uint8_t)(number >> 8 * i);
}

static void add_zeros(struct frame *frame, uint32_t size)
{
	memset(frame->bytes + frame->used, 0, size);
	frame->used += size;
}

static void add_ethernet(struct frame *frame, const struct hv_debug *debug, uint16_t type)
{
	add_bytes(frame, debug->guest_mac, sizeof(debug->guest_mac));
	add_bytes(frame, server_mac, sizeof(server_mac));
	add(frame, type, 2);
}

static uint16_t checksum(const uint8_t *bytes, uint32_t size)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t) ~((sum >> 16) + sum);
}

/* The headers before so many bytes of data, whose sum is left out. */
static void add_udp(struct frame *frame, uint32_t target, uint16_t source_port, uint16_t target_port, uint32_t size)
{
	uint8_t *header = frame->bytes + frame->used;
	add(frame, 0x45, 1);
	add(frame, 0, 1);
	add(frame, IP4_BYTES + UDP_BYTES + size, 2);
	add(frame, 0, 4);
	add(frame, 255, 1); /* time to live */
	add(frame, PROTOCOL_UDP, 1);
	add(frame, 0, 2);
	add(frame, SERVER_IP4, 4);
	add(frame, target, 4);
	const uint16_t sum = checksum(header, IP4_BYTES);
	header[10] = (uint8_t)(sum >> 8);
	header[11] = (uint8_t)sum;
	add(frame, source_port, 2);
	add(frame, target_port, 2);
	add(frame, UDP_BYTES + size, 2);
	add(frame, 0, 2);
}

static void add_option(struct frame *frame, uint8_t option, uint32_t value)
{
	add(frame, option, 1);
	add(frame, 4, 1);
	add(frame, value, 4);
}

/* What is kept as its bytes on the wire, as a number. */
static uint32_t wire_number(uint32_t kept, unsigned width)
{
	return __builtin_bswap32(kept) >> 8 * (4 - width);
}

static void add_dhcp(struct frame *frame, const struct hv_debug *debug)
{
	add_ethernet(frame, debug, ETHERTYPE_IP4);
	add_udp(frame, UINT32_MAX, BOOTP_SERVER, BOOTP_CLIENT, DHCP_BYTES - HEADERS);
	add(frame, BOOTP_REPLY, 1);
	add(frame, 0x010600, 3); /* an Ethernet address of 6 bytes, no hops */
	add(frame, wire_number(debug->bootp_xid, 4), 4);
	add_zeros(frame, 8);
	add(frame, CLIENT_IP4, 4);
	add(frame, SERVER_IP4, 4);
	add_zeros(frame, 4);
	add_bytes(frame, debug->guest_mac, sizeof(debug->guest_mac));
	add_zeros(frame, BOOTP_FIXED - 34);
	add(frame, DHCP_COOKIE, 4);
	add(frame, OPTION_TYPE, 1);
	add(frame, 1, 1);
	add(frame, debug->reply == REPLY_OFFER ? DHCP_OFFER : DHCP_ACK, 1);
	add_option(frame, OPTION_SERVER, SERVER_IP4);
	add_option(frame, OPTION_LEASE, LEASE_FOREVER);
	add_option(frame, OPTION_MASK, NETMASK);
	add_option(frame, OPTION_ROUTER, SERVER_IP4);
	add(frame, OPTION_END, 1);
}

static void add_arp(struct frame *frame, const struct hv_debug *debug)
{
	add_ethernet(frame, debug, ETHERTYPE_ARP);
	add(frame, UINT64_C(0x0001080006040000) | ARP_REPLY, 8);
	add_bytes(frame, server_mac, sizeof(server_mac));
	add(frame, SERVER_IP4, 4);
	add_bytes(frame, debug->guest_mac, sizeof(debug->guest_mac));
	add(frame, CLIENT_IP4, 4);
}

/* A packet of the debugger as a datagram, from the port to which the guest sent. */
static uint32_t receive_datagram(struct gim_machine *machine, uint8_t *bytes, uint32_t size)
{
	const struct hv_debug *debug = debug_of(machine);
	struct frame frame = {.bytes = bytes};
	const uint32_t received = size > HEADERS ? receive_packet(machine, bytes + HEADERS, size - HEADERS) : 0;
	if (!received)
		return 0;
	add_ethernet(&frame, debug, ETHERTYPE_IP4);
	add_udp(&frame, debug->guest_ip4 ? wire_number(debug->guest_ip4, 4) : CLIENT_IP4,
	        (uint16_t)wire_number(debug->udp_guest_dst_port, 2), (uint16_t)wire_number(debug->udp_guest_src_port, 2), received);
	return HEADERS + received;
}

uint32_t hv_debug_retrieve(struct gim_machine *machine, uint8_t *bytes, uint32_t size)
{
	struct hv_debug *debug = debug_of(machine);
	struct frame frame = {.bytes = bytes};
	if (!is_framed(machine))
		return receive_packet(machine, bytes, size);
	if (debug->reply == REPLY_UDP)
		return receive_datagram(machine, bytes, size);
	if ((debug->reply == REPLY_OFFER || debug->reply == REPLY_ACK) && size >= DHCP_BYTES)
		add_dhcp(&frame, debug);
	else if (debug->reply == REPLY_ARP && size >= ARP_BYTES)
		add_arp(&frame, debug);
	if (frame.used)
		debug->reply++; /* sent */
	return frame.used;
}
