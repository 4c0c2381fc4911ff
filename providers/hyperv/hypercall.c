/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hypercalls (TLFS, hypercall interface): a row for each, the checks that all share, and what each does. */
#include "hypercall.h"
#include "runtime.h"

#include <endian.h>
#include <stdalign.h>
#include <string.h>

enum {
	REGISTER_WORDS = 14, /* of input and output of a fast call: RDX, R8, XMM0 to XMM5 */
	REGISTER_BYTES = REGISTER_WORDS * 8,
	PLAIN_BYTES = 16, /* of those, without XMM registers */
	SET_WORDS = GIM_VCPUS_MAX / 64,
};

/* The input value. */
#define FAST (UINT64_C(1) << 16)
#define RESERVED (UINT64_C(0xf000f000f8000000)) /* with bit 31: there is no other hypervisor below that it could be for */

/* A call in progress. */
struct hv_call {
	struct gim_machine *machine;
	const struct hv_call_row *row;
	uint32_t vcpu;
	bool fast;
	uint32_t variable;    /* words of its variable header */
	uint32_t reps, start; /* of a rep call: how many there are, and at which it goes on */
	uint32_t done;        /* of those, with the ones before start */
	uint64_t input_gpa, output_gpa;
	size_t input_bytes, output_bytes; /* so much of the input is here; so much of the output is to be written */
	/* As they lie in memory, fast or not. */
	alignas(8) uint8_t input[GIM_PAGE_BYTES];
	alignas(8) uint8_t output[GIM_PAGE_BYTES];
};

enum {
	CALL_FAST = 1,
	CALL_REP = 2,
	CALL_VARIABLE = 4,
	CALL_VBOX = 8, /* VirtualBox serves it where it offers the synthetic debugger, whatever the other words say */
};

struct hv_call_row {
	uint16_t code;
	uint8_t flags;
	uint16_t input, element, output; /* bytes: before the variable header, of a repetition, at least */
	struct gim_gate gate[2];         /* both must be open, else access is denied */
	/* What else must hold before the call is looked at; NULL: nothing. */
	uint16_t (*check)(const struct gim_machine *machine);
	uint16_t (*run)(struct hv_call *call);
	const char *note; /* where VirtualBox or KVM differs */
};

/*
 * Input and output.
 */
static uint32_t u32_at(const struct hv_call *call, size_t at)
{
	uint32_t number;
	memcpy(&number, call->input + at, sizeof(number));
	return le32toh(number);
}

static uint64_t u64_at(const struct hv_call *call, size_t at)
{
	uint64_t number;
	memcpy(&number, call->input + at, sizeof(number));
	return le64toh(number);
}

static void put_u32(struct hv_call *call, size_t at, uint32_t number)
{
	number = htole32(number);
	memcpy(call->output + at, &number, sizeof(number));
}

static void put_u64(struct hv_call *call, size_t at, uint64_t number)
{
	number = htole64(number);
	memcpy(call->output + at, &number, sizeof(number));
}

/* A parameter in memory lies in one page of RAM. */
static uint16_t check_place(uint64_t gpa, size_t size)
{
	return gpa % 8 || gpa % GIM_PAGE_BYTES + size > GIM_PAGE_BYTES ? HV_STATUS_INVALID_ALIGNMENT : HV_STATUS_SUCCESS;
}

/* Have the first `size` bytes of the input. */
static uint16_t fetch(struct hv_call *call, size_t size)
{
	if (size <= call->input_bytes)
		return HV_STATUS_SUCCESS;
	if (call->fast)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	const uint16_t status = check_place(call->input_gpa, size);
	if (status)
		return status;
	if (gim_machine_read(call->machine, call->input_gpa, call->input, size, NULL))
		return HV_STATUS_INVALID_PARAMETER;
	call->input_bytes = size;
	return HV_STATUS_SUCCESS;
}

/* Where the output of a fast call begins among the registers: behind the input, in the next pair of them. */
static uint32_t output_word(const struct hv_call *call)
{
	return (call->row->input + PLAIN_BYTES - 1u) / PLAIN_BYTES * 2u;
}

/* There is room for `size` bytes of output, which must be known before the call does anything. */
static uint16_t reserve(const struct hv_call *call, size_t size)
{
	static const struct gim_gate fast_output[] = {GATE(hv_state, features.partition, 19), GATE(hv_state, features.misc, 15)};
	if (!size)
		return HV_STATUS_SUCCESS;
	if (call->fast) {
		const bool offered = gim_gate_open(call->machine, &fast_output[0]) && gim_gate_open(call->machine, &fast_output[1]);
		return offered && output_word(call) * 8u + size <= REGISTER_BYTES ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
	}
	const uint16_t status = check_place(call->output_gpa, size);
	if (status)
		return status;
	return gim_ram_is(call->machine, call->output_gpa, size) ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
}

/*
 * Sets of virtual processors.
 */
static void all_vcpus(uint64_t set[SET_WORDS])
{
	memset(set, 0xff, SET_WORDS * sizeof(*set));
}

/* Leave those that there are; false: none. */
static bool clip(const struct hv_call *call, uint64_t set[SET_WORDS])
{
	const uint32_t vcpus = call->machine->vcpus;
	uint64_t any = 0;
	for (uint32_t i = 0; i < SET_WORDS; i++) {
		if (i >= vcpus / 64)
			set[i] &= i > vcpus / 64 ? 0 : (UINT64_C(1) << vcpus % 64) - 1;
		any |= set[i];
	}
	return any;
}

/* HV_VP_SET at the end of the header: format, mask of the banks that follow in the variable header, of 64 processors each. */
static uint16_t sparse_set(const struct hv_call *call, uint64_t set[SET_WORDS])
{
	enum { SPARSE = 0, ALL = 1 };
	const size_t banks_at = call->row->input;
	const uint64_t format = u64_at(call, banks_at - 16), banks = u64_at(call, banks_at - 8);
	memset(set, 0, SET_WORDS * sizeof(*set));
	if (call->variable != (uint32_t)__builtin_popcountll(banks))
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	if (format == ALL)
		all_vcpus(set);
	else if (format != SPARSE)
		return HV_STATUS_INVALID_PARAMETER;
	else
		for (uint32_t bank = 0, i = 0; bank < 64; bank++)
			if (banks >> bank & 1) {
				if (bank < SET_WORDS)
					set[bank] = u64_at(call, banks_at + 8u * i);
				i++;
			}
	return HV_STATUS_SUCCESS;
}

/*
 * TLB flushes and interrupts between processors.
 */
enum { FLUSH_ALL_PROCESSORS = 1, FLUSH_ALL_SPACES = 2, FLUSH_NON_GLOBAL_ONLY = 4 };

static uint16_t flush(struct hv_call *call)
{
	const struct hv_call_row *row = call->row;
	const uint64_t flags = u64_at(call, 8);
	const size_t ranges_at = row->input + 8u * (call->variable + (size_t)call->start);
	uint64_t set[SET_WORDS] = {0};
	uint16_t status = HV_STATUS_SUCCESS;
	if (flags & ~(uint64_t)(FLUSH_ALL_PROCESSORS | FLUSH_ALL_SPACES | FLUSH_NON_GLOBAL_ONLY))
		return HV_STATUS_INVALID_PARAMETER;
	if (row->flags & CALL_VARIABLE)
		status = sparse_set(call, set);
	else
		set[0] = u64_at(call, 16);
	if (status)
		return status;
	/* Windows Server 2012 names no processor and not the flag either, and relies on the flush. */
	if (flags & FLUSH_ALL_PROCESSORS || (!(row->flags & CALL_VARIABLE) && !set[0]))
		all_vcpus(set);
	call->done = call->reps;
	if (!clip(call, set) || !call->machine->host.flush)
		return HV_STATUS_SUCCESS;
	for (uint32_t i = 0; i < call->reps - call->start; i++) {
		const uint64_t range = u64_at(call, ranges_at + 8u * i);
		memcpy(call->input + ranges_at + 8u * i, &range, sizeof(range));
	}
	const struct gim_flush request = {.vcpu = call->vcpu,
	                                  .vcpus = set,
	                                  .address_space = u64_at(call, 0),
	                                  .all_spaces = flags & FLUSH_ALL_SPACES,
	                                  .global_too = !(flags & FLUSH_NON_GLOBAL_ONLY),
	                                  .ranges = (const uint64_t *)(const void *)(call->input + ranges_at),
	                                  .range_count = call->reps - call->start};
	call->machine->host.flush(call->machine->host.user, &request);
	return HV_STATUS_SUCCESS;
}

static uint16_t send_ipi(struct hv_call *call)
{
	enum { VTL_0 = 0x10 }; /* said, or meant */
	const uint32_t vector = u32_at(call, 0);
	uint64_t set[SET_WORDS] = {0};
	uint16_t status = HV_STATUS_SUCCESS;
	if (call->input[4] && call->input[4] != VTL_0)
		return HV_STATUS_INVALID_PARAMETER;
	if (call->row->flags & CALL_VARIABLE)
		status = sparse_set(call, set);
	else
		set[0] = u64_at(call, 8);
	/* An empty sparse set is a success before the vector is looked at; a mask is not. */
	if (status || (!clip(call, set) && call->row->flags & CALL_VARIABLE))
		return status;
	if (vector < HV_VECTOR_MIN || vector > UINT8_MAX)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	for (uint32_t word = 0; word < SET_WORDS; word++)
		for (uint64_t left = set[word]; left; left &= left - 1)
			gim_machine_raise_vector(call->machine, word * 64 + (uint32_t)__builtin_ctzll(left), (uint8_t)vector, false);
	return HV_STATUS_SUCCESS;
}

/*
 * Waiting for a lock: the guest is only told when spinning is worth telling.
 */
static uint16_t check_spin(const struct gim_machine *machine)
{
	const uint32_t retries = hv_state(machine)->features.spin_retries;
	return retries && retries != UINT32_MAX ? HV_STATUS_SUCCESS : HV_STATUS_ACCESS_DENIED;
}

static uint16_t long_spin_wait(struct hv_call *call)
{
	(void)call;
	return HV_STATUS_SUCCESS;
}

/*
 * Messages and events, through connections.
 */
static uint16_t check_synic(const struct gim_machine *machine)
{
	static const struct gim_gate synic = GATE(hv_state, features.base, 2);
	return machine->gating == GIM_GATING_PRODUCER || gim_gate_open(machine, &synic) ? HV_STATUS_SUCCESS
	                                                                                : HV_STATUS_INVALID_HYPERCALL_INPUT;
}

static uint16_t post_message(struct hv_call *call)
{
	const uint32_t id = u32_at(call, 0), type = u32_at(call, 8), size = u32_at(call, 12);
	if (!type || type & HV_MESSAGE_OF_HYPERVISOR || size > HV_MESSAGE_PAYLOAD)
		return HV_STATUS_INVALID_PARAMETER;
	const struct hv_connection *connection = hv_connection_find(call->machine, GIM_CONNECTION_MESSAGE, id);
	if (!connection)
		return HV_STATUS_INVALID_CONNECTION_ID;
	return hv_synic_post_from(call->machine, id, connection->vp, connection->sint, type, call->input + HV_MESSAGE_HEAD, size);
}

/* The flag number is relative to the port's first, and a port of ours has one. */
static uint16_t signal_event(struct hv_call *call)
{
	const uint32_t id = u32_at(call, 0), flag = u32_at(call, 4);
	const struct hv_connection *connection = hv_connection_find(call->machine, GIM_CONNECTION_EVENT, id);
	if (!connection)
		return HV_STATUS_INVALID_CONNECTION_ID;
	if (flag)
		return HV_STATUS_INVALID_PARAMETER;
	return hv_synic_signal(call->machine, connection->vp, connection->sint, connection->flag);
}

/*
 * Debugging. The checks are those of KVM: no debugger, no privilege, and MSRs to be used instead.
 */
static const struct gim_gate syndbg = GATE(hv_state, features.syndbg, 1);

static uint16_t check_debug(const struct gim_machine *machine)
{
	static const struct gim_gate privilege = GATE(hv_state, features.partition, 11);
	const bool words = machine->gating == GIM_GATING_WORDS;
	if (words && !gim_gate_open(machine, &syndbg))
		return HV_STATUS_INVALID_HYPERCALL_CODE;
	if (!gim_gate_open(machine, &privilege))
		return HV_STATUS_ACCESS_DENIED;
	if (words && !(hv_state(machine)->debug.options & HV_DEBUG_BY_HYPERCALLS))
		return HV_STATUS_OPERATION_DENIED;
	return HV_STATUS_SUCCESS;
}

/* Of a size that its head says: the data behind 8 bytes of it. */
enum { DEBUG_HEAD = 8, DEBUG_MAX = GIM_PAGE_BYTES - DEBUG_HEAD };

static uint16_t post_debug(struct hv_call *call)
{
	const uint32_t size = u32_at(call, 0);
	if (size > DEBUG_MAX)
		return HV_STATUS_INVALID_PARAMETER;
	uint16_t status = fetch(call, DEBUG_HEAD + size);
	if (status)
		return status;
	const uint32_t sent = size ? hv_debug_post(call->machine, call->input + DEBUG_HEAD, size) : 0;
	if (sent < size)
		status = HV_STATUS_INSUFFICIENT_BUFFER;
	put_u32(call, 0, size - sent);
	put_u32(call, 4, 0);
	call->output_bytes = 8;
	return status;
}

static uint16_t retrieve_debug(struct hv_call *call)
{
	enum { TEST_ACTIVITY = 2 };
	const uint32_t size = u32_at(call, 0);
	const bool test = u32_at(call, 4) & TEST_ACTIVITY;
	if (size > DEBUG_MAX)
		return HV_STATUS_INVALID_PARAMETER;
	const uint16_t status = reserve(call, DEBUG_HEAD + size);
	if (status)
		return status;
	const uint32_t received = test ? 0 : hv_debug_retrieve(call->machine, call->output + DEBUG_HEAD, size);
	if (!received && !test)
		return HV_STATUS_NO_DATA;
	put_u32(call, 0, received);
	put_u32(call, 4, 0);
	call->output_bytes = DEBUG_HEAD + received;
	return HV_STATUS_SUCCESS;
}

static uint16_t reset_debug(struct hv_call *call)
{
	enum { PURGE_INCOMING = 1, PURGE_OUTGOING = 2 };
	const uint32_t what = u32_at(call, 0);
	if (!what || what & ~(uint32_t)(PURGE_INCOMING | PURGE_OUTGOING))
		return HV_STATUS_INVALID_PARAMETER;
	if (what & PURGE_INCOMING)
		hv_debug_purge(call->machine);
	return HV_STATUS_SUCCESS; /* what goes out is gone at once */
}

/*
 * Extended hypercalls.
 */
static uint16_t ext_capabilities(struct hv_call *call)
{
	enum { BOOT_ZEROED_MEMORY = 1 };
	put_u64(call, 0, BOOT_ZEROED_MEMORY);
	call->output_bytes = 8;
	return HV_STATUS_SUCCESS;
}

/* The count of ranges, then room for 255: address and pages of memory that was zero when the guest booted. */
enum { ZEROED_MEMORY_BYTES = 8 + 255 * 16 };

static uint16_t ext_zeroed_memory(struct hv_call *call)
{
	const uint64_t pages = hv_state(call->machine)->boot_zeroed ? call->machine->config.ram_bytes / GIM_PAGE_BYTES : 0;
	memset(call->output, 0, ZEROED_MEMORY_BYTES);
	put_u64(call, 0, pages ? 1 : 0);
	put_u64(call, 16, pages);
	call->output_bytes = ZEROED_MEMORY_BYTES;
	return HV_STATUS_SUCCESS;
}

/*
 * The rows: what opens a call is a bit of CPUID 0x40000003 ebx, or a hint that tells the guest to use it.
 */
#define PARTITION(bit) GATE(hv_state, features.partition, bit)
#define HINT(bit) GATE(hv_state, features.hints, bit)
#define ROW(id, flags_, input_, element_, output_, run_, ...)                                                                              \
	[HV_CALL_##id] = {                                                                                                                 \
	    .code = HV_CODE_##id, .flags = flags_, .input = input_, .element = element_, .output = output_, .run = run_, __VA_ARGS__}
enum { LIST = CALL_FAST | CALL_REP, SET = CALL_FAST | CALL_VARIABLE };

static const struct hv_call_row rows[HV_CALL_COUNT] = {
    ROW(FLUSH_SPACE, CALL_FAST, 24, 0, 0, flush, .gate = {HINT(2)}),
    ROW(FLUSH_LIST, LIST, 24, 8, 0, flush, .gate = {HINT(2)}),
    ROW(LONG_SPIN_WAIT, CALL_FAST, 8, 0, 0, long_spin_wait, .check = check_spin),
    ROW(SEND_IPI, CALL_FAST, 16, 0, 0, send_ipi, .gate = {HINT(10)}),
    ROW(FLUSH_SPACE_EX, SET, 32, 0, 0, flush, .gate = {HINT(2), HINT(11)}),
    ROW(FLUSH_LIST_EX, SET | CALL_REP, 32, 8, 0, flush, .gate = {HINT(2), HINT(11)}),
    ROW(SEND_IPI_EX, SET, 24, 0, 0, send_ipi, .gate = {HINT(10), HINT(11)}),
    ROW(POST_MESSAGE, CALL_VBOX, HV_MESSAGE_BYTES, 0, 0, post_message, .gate = {PARTITION(4)}, .check = check_synic,
        .note = "VirtualBox delivers a message of its own making, and answers 0x14"),
    ROW(SIGNAL_EVENT, CALL_FAST, 8, 0, 0, signal_event, .gate = {PARTITION(5)}, .check = check_synic),
    ROW(POST_DEBUG, 0, DEBUG_HEAD, 0, 8, post_debug, .check = check_debug),
    ROW(RETRIEVE_DEBUG, 0, 16, 0, DEBUG_HEAD, retrieve_debug, .check = check_debug,
        .note = "VirtualBox copies a whole packet, however little the guest asks for"),
    ROW(RESET_DEBUG, CALL_FAST, 8, 0, 0, reset_debug, .check = check_debug, .note = "VirtualBox keeps what it received"),
    ROW(EXT_CAPABILITIES, CALL_FAST, 0, 0, 8, ext_capabilities, .gate = {PARTITION(20)}),
    ROW(EXT_ZEROED_MEMORY, 0, 0, 0, ZEROED_MEMORY_BYTES, ext_zeroed_memory, .gate = {PARTITION(20)}),
};

static const struct hv_call_row *find_row(uint16_t code)
{
	uint32_t low = 0, high = HV_CALL_COUNT;
	while (low < high) {
		const uint32_t middle = (low + high) / 2;
		if (rows[middle].code < code)
			low = middle + 1;
		else
			high = middle;
	}
	return low < HV_CALL_COUNT && rows[low].code == code ? &rows[low] : NULL;
}

/*
 * What all calls share. Denied access comes first, so that a guest learns nothing of what it may not use.
 */
static uint16_t check_access(const struct gim_machine *machine, const struct hv_call_row *row)
{
	const bool vbox = row->flags & CALL_VBOX && machine->gating == GIM_GATING_PRODUCER && gim_gate_open(machine, &syndbg);
	if (!vbox && (!gim_gate_open(machine, &row->gate[0]) || !gim_gate_open(machine, &row->gate[1])))
		return HV_STATUS_ACCESS_DENIED;
	return row->check ? row->check(machine) : HV_STATUS_SUCCESS;
}

static uint16_t check_control(const struct hv_call *call, uint64_t control)
{
	const struct hv_call_row *row = call->row;
	if (control & RESERVED || (call->variable && !(row->flags & CALL_VARIABLE)))
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	if (row->flags & CALL_REP ? call->start >= call->reps : call->reps || call->start)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	/* Registers cannot hold it: the output, else the input. */
	if (call->fast && !(row->flags & CALL_FAST))
		return row->output ? HV_STATUS_INVALID_PARAMETER : HV_STATUS_INVALID_HYPERCALL_INPUT;
	return HV_STATUS_SUCCESS;
}

static size_t input_size(const struct hv_call *call)
{
	const struct hv_call_row *row = call->row;
	return row->input + (row->flags & CALL_VARIABLE ? 8u * call->variable : 0u) + (size_t)row->element * call->reps;
}

static bool xmm_missing(const struct hv_call *call)
{
	static const struct gim_gate xmm_input = GATE(hv_state, features.misc, 4);
	return call->fast && call->row->flags & CALL_FAST && input_size(call) > PLAIN_BYTES && !gim_gate_open(call->machine, &xmm_input);
}

static uint16_t run(struct hv_call *call, uint64_t control)
{
	uint16_t status = check_control(call, control);
	if (!status)
		status = fetch(call, input_size(call));
	if (!status)
		status = reserve(call, call->row->output);
	return status ? status : call->row->run(call);
}

/*
 * Registers: those of 64-bit code, or pairs of 32-bit ones.
 */
static uint64_t pair(uint64_t high, uint64_t low)
{
	return high << 32 | (uint32_t)low;
}

static void set_pair(uint64_t *high, uint64_t *low, uint64_t value)
{
	*high = value >> 32;
	*low = (uint32_t)value;
}

static uint64_t load_registers(struct hv_call *call, const struct gim_registers *registers)
{
	const bool wide = registers->long_mode;
	const uint64_t control = wide ? registers->rcx : pair(registers->rdx, registers->rax);
	call->fast = control & FAST;
	call->variable = control >> 17 & 0x3ff;
	call->reps = control >> 32 & 0xfff;
	call->start = control >> 48 & 0xfff;
	call->input_gpa = wide ? registers->rdx : pair(registers->rbx, registers->rcx);
	call->output_gpa = wide ? registers->r8 : pair(registers->rdi, registers->rsi);
	if (call->fast) {
		uint64_t words[REGISTER_WORDS] = {call->input_gpa, call->output_gpa};
		memcpy(words + 2, registers->xmm, sizeof(registers->xmm));
		for (uint32_t i = 0; i < REGISTER_WORDS; i++)
			words[i] = htole64(words[i]);
		memcpy(call->input, words, sizeof(words));
		call->input_bytes = sizeof(words);
	}
	return control;
}

static void store_output(const struct hv_call *call, struct gim_registers *registers)
{
	if (!call->fast) {
		(void)gim_machine_write(call->machine, call->output_gpa, call->output, call->output_bytes, NULL);
		return;
	}
	for (uint32_t i = 0; i < call->output_bytes / 8; i++) {
		const uint32_t to = output_word(call) + i;
		uint64_t word;
		memcpy(&word, call->output + 8u * i, sizeof(word));
		word = le64toh(word);
		if (to > 1)
			registers->xmm[to - 2] = word;
		else if (registers->long_mode)
			*(to ? &registers->r8 : &registers->rdx) = word;
		else if (to)
			set_pair(&registers->rdi, &registers->rsi, word);
		else
			set_pair(&registers->rbx, &registers->rcx, word);
	}
}

enum gim_access hv_hypercall(struct gim_machine *machine, uint32_t vcpu, struct gim_registers *registers)
{
	struct hv_call call;
	if (registers->cpl || registers->real_mode || !hv_state(machine)->guest_os_id)
		return GIM_ACCESS_UD;
	call.machine = machine;
	call.vcpu = vcpu;
	call.done = 0;
	call.input_bytes = call.output_bytes = 0;
	const uint64_t control = load_registers(&call, registers);
	call.row = find_row((uint16_t)control);
	uint16_t status = call.row ? check_access(machine, call.row) : HV_STATUS_INVALID_HYPERCALL_CODE;
	if (!status && xmm_missing(&call))
		return GIM_ACCESS_UD;
	if (call.row)
		gim_count(machine, HV_COUNT_CALLS + (unsigned)(call.row - rows), 1);
	if (!status)
		status = run(&call, control);
	if (call.output_bytes)
		store_output(&call, registers);
	const uint64_t result = (uint64_t)call.done << 32 | status;
	if (registers->long_mode)
		registers->rax = result;
	else
		set_pair(&registers->rdx, &registers->rax, result);
	return GIM_ACCESS_DONE;
}
