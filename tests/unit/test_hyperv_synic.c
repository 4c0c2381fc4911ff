/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The synthetic interrupt controller: registers, messages and their queues, event flags, connections, and all of them through a save. */
#include "hyperv_guest.h"

static void registers(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(2, true, NULL, 0);
	assert_int_equal(rdmsr(guest, 0, MSR_SVERSION), 1);
	wrmsr_gp(guest, 0, MSR_SVERSION, 1);
	assert_int_equal(rdmsr(guest, 0, MSR_EOM), 0);
	assert_int_equal(rdmsr(guest, 1, MSR_SCONTROL), 0);
	for (uint32_t n = 0; n < HV_SINTS; n++) {
		assert_int_equal(rdmsr(guest, 1, MSR_SINT + n), 0x10000);
		wrmsr(guest, 1, MSR_SINT + n, 0x10000);
		wrmsr_gp(guest, 1, MSR_SINT + n, 15);
		wrmsr(guest, 1, MSR_SINT + n, 16);
		assert_int_equal(rdmsr(guest, 1, MSR_SINT + n), 16);
		assert_int_equal(rdmsr(guest, 0, MSR_SINT + n), 0x10000);
	}
	/* Pages: RAM only; emptied when they are turned on or moved, and never else. */
	const uint32_t pages[] = {MSR_SIMP, MSR_SIEFP};
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *page = guest->ram + MESSAGES(0);
		memset(page, 0xaa, 8192);
		wrmsr(guest, 0, pages[i], MESSAGES(0));
		assert_int_equal(page[0], 0xaa);
		wrmsr(guest, 0, pages[i], MESSAGES(0) | 1);
		assert_int_equal(page[0] | page[4095], 0);
		assert_int_equal(page[4096], 0xaa);
		page[7] = 5;
		wrmsr(guest, 0, pages[i], MESSAGES(0) | 0x801); /* bits 11:1 are kept, and mean nothing */
		assert_int_equal(rdmsr(guest, 0, pages[i]), MESSAGES(0) | 0x801);
		assert_int_equal(page[7], 5);
		guest->hole = 0x300000;
		wrmsr_gp(guest, 0, pages[i], guest->hole | 1);
		wrmsr_gp(guest, 0, pages[i], RAM_BYTES | 1);
		wrmsr_gp(guest, 0, pages[i], ~UINT64_C(0xffe));
		assert_int_equal(rdmsr(guest, 0, pages[i]), MESSAGES(0) | 0x801);
		wrmsr(guest, 0, pages[i], guest->hole); /* off: it may be anywhere */
		wrmsr(guest, 0, pages[i], 0);
		assert_int_equal(page[7], 5);
	}
	guest_free(guest);
}

static void post(struct guest *guest, uint32_t sint, uint32_t type, uint16_t expected)
{
	uint8_t payload[8];
	gim_store(payload, UINT64_C(0x1000000) + type, sizeof(payload));
	assert_int_equal(gim_machine_post(guest->machine, 0, (uint8_t)sint, type, payload, sizeof(payload)), expected);
}

static void expect_slot(struct guest *guest, uint32_t sint, uint32_t type, uint8_t flags)
{
	const struct slot *slot = slot_of(guest, 0, sint);
	assert_int_equal(slot->type, type);
	assert_int_equal(slot->size, 8);
	assert_int_equal(slot->flags, flags);
	assert_int_equal(slot->payload[0], UINT64_C(0x1000000) + type);
	assert_int_equal(slot->origin, 0);
}

static void messages(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, false, NULL, 0);
	uint8_t vector;
	synic_on(guest, 0);
	slot_of(guest, 0, 2)->payload[1] = 0x77;
	post(guest, 2, 1, HV_STATUS_SUCCESS);
	expect_slot(guest, 2, 1, 0);
	assert_int_equal(slot_of(guest, 0, 2)->payload[1], 0x77); /* no more than the payload is written */
	assert_int_equal(interrupts(guest, &vector), 1);
	assert_int_equal(vector, 0x42);
	assert_false(guest->interrupts[0].auto_eoi);
	/* Busy: the guest learns that more waits; the others keep their order. */
	post(guest, 2, 2, HV_STATUS_SUCCESS);
	post(guest, 2, 3, HV_STATUS_SUCCESS);
	expect_slot(guest, 2, 1, HV_MESSAGE_PENDING);
	assert_int_equal(interrupts(guest, NULL), 0);
	/* EOM, before the slot is empty: nothing. */
	wrmsr(guest, 0, MSR_EOM, 0);
	expect_slot(guest, 2, 1, HV_MESSAGE_PENDING);
	empty_slot(guest, 0, 2);
	expect_slot(guest, 2, 2, HV_MESSAGE_PENDING);
	assert_int_equal(interrupts(guest, NULL), 1);
	/* An EOI of another vector, and of ours. */
	slot_of(guest, 0, 2)->type = 0;
	gim_machine_eoi(guest->machine, 0, 0x43);
	assert_int_equal(slot_of(guest, 0, 2)->type, 0);
	gim_machine_eoi(guest->machine, 0, 0x42);
	expect_slot(guest, 2, 3, 0);
	/* Another message. */
	post(guest, 2, 4, HV_STATUS_SUCCESS);
	slot_of(guest, 0, 2)->type = 0;
	post(guest, 2, 5, HV_STATUS_SUCCESS);
	expect_slot(guest, 2, 4, HV_MESSAGE_PENDING);
	empty_slot(guest, 0, 2);
	expect_slot(guest, 2, 5, 0);
	/* Other SINTs are on their own. */
	post(guest, 3, 6, HV_STATUS_SUCCESS);
	expect_slot(guest, 3, 6, 0);
	assert_true(guest->interrupts[guest->interrupt_count - 1].auto_eoi);
	assert_int_equal(counter(guest, "messages"), 6);
	guest_free(guest);
}

static void buffers(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, false, NULL, 0);
	synic_on(guest, 0);
	for (uint32_t i = 0; i <= HV_QUEUE_MAX; i++)
		post(guest, 4, 100 + i, HV_STATUS_SUCCESS);
	post(guest, 4, 200, HV_STATUS_INSUFFICIENT_BUFFERS);
	post(guest, 5, 201, HV_STATUS_SUCCESS);
	for (uint32_t i = 0; i <= HV_QUEUE_MAX; i++) {
		expect_slot(guest, 4, 100 + i, HV_MESSAGE_PENDING);
		if (i == 3) /* there is room again */
			post(guest, 4, 100 + HV_QUEUE_MAX + 1, HV_STATUS_SUCCESS);
		empty_slot(guest, 0, 4);
	}
	expect_slot(guest, 4, 100 + HV_QUEUE_MAX + 1, 0);
	post(guest, 2, 1, HV_STATUS_SUCCESS);
	guest_free(guest);
}

/* What waits in the whole machine is bounded, too; and all of it can be saved. */
static void pool(void **unused)
{
	(void)unused;
	enum { VCPUS = HV_MESSAGES_MAX / HV_QUEUE_MAX / HV_SINTS + 1 };
	struct guest *guest = guest_new(VCPUS, false, NULL, 0);
	unsigned posted = 0, delivered = 0;
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++)
		synic_on(guest, vcpu);
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++)
		for (uint32_t i = 0; i < HV_SINTS * (HV_QUEUE_MAX + 1); i++) {
			uint8_t number[4];
			gim_store(number, i, sizeof(number));
			posted += !gim_machine_post(guest->machine, vcpu, i % HV_SINTS, i + 1, number, sizeof(number));
		}
	assert_int_equal(posted, HV_MESSAGES_MAX + VCPUS * HV_SINTS);
	guest_migrate(guest);
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++)
		for (uint32_t i = 0; i < HV_SINTS * (HV_QUEUE_MAX + 1); i++) {
			const struct slot *slot = slot_of(guest, vcpu, i % HV_SINTS);
			delivered += slot->type == i + 1 && slot->payload[0] == i;
			if (slot->type)
				empty_slot(guest, vcpu, i % HV_SINTS);
		}
	assert_int_equal(delivered, posted);
	guest_free(guest);
}

static void refusals(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(2, true, NULL, 0);
	struct gim_machine *machine = guest->machine;
	const uint8_t payload[256] = {0};
	assert_int_equal(gim_machine_post(machine, 0, 2, 1, payload, 8), HV_STATUS_INVALID_SYNIC_STATE);
	assert_int_equal(gim_machine_signal(machine, 0, 2, 1), HV_STATUS_INVALID_SYNIC_STATE);
	assert_int_equal(gim_machine_raise(machine, 0, 2), HV_STATUS_INVALID_SYNIC_STATE);
	synic_on(guest, 0);
	assert_int_equal(gim_machine_post(machine, 2, 2, 1, payload, 8), HV_STATUS_INVALID_VP_INDEX);
	assert_int_equal(gim_machine_signal(machine, 2, 2, 1), HV_STATUS_INVALID_VP_INDEX);
	assert_int_equal(gim_machine_raise(machine, 2, 2), HV_STATUS_INVALID_VP_INDEX);
	assert_int_equal(gim_machine_post(machine, 0, 16, 1, payload, 8), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(gim_machine_post(machine, 0, 2, 0, payload, 8), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(gim_machine_post(machine, 0, 2, 1, payload, 241), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(gim_machine_signal(machine, 0, 16, 1), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(gim_machine_signal(machine, 0, 2, 2048), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(gim_machine_post(machine, 0, 2, 1, payload, 240), HV_STATUS_SUCCESS);
	assert_int_equal(gim_machine_post(machine, 0, 3, 1, NULL, 0), HV_STATUS_SUCCESS);
	/* Masked: the message comes without an interrupt, an event does not come. Polling: both come without. */
	(void)interrupts(guest, NULL);
	wrmsr(guest, 0, MSR_SINT + 6, 0x10060);
	assert_int_equal(gim_machine_post(machine, 0, 6, 1, payload, 8), HV_STATUS_SUCCESS);
	assert_int_equal(slot_of(guest, 0, 6)->type, 1);
	assert_int_equal(gim_machine_signal(machine, 0, 6, 1), HV_STATUS_INVALID_SYNIC_STATE);
	assert_int_equal(gim_machine_raise(machine, 0, 6), HV_STATUS_INVALID_SYNIC_STATE);
	wrmsr(guest, 0, MSR_SINT + 7, 0x40060);
	assert_int_equal(gim_machine_post(machine, 0, 7, 1, payload, 8), HV_STATUS_SUCCESS);
	assert_int_equal(gim_machine_signal(machine, 0, 7, 1), HV_STATUS_SUCCESS);
	assert_int_equal(gim_machine_raise(machine, 0, 7), HV_STATUS_SUCCESS);
	assert_int_equal(interrupts(guest, NULL), 0);
	assert_int_equal(gim_machine_raise(machine, 0, 8), HV_STATUS_SUCCESS);
	assert_int_equal(interrupts(guest, NULL), 1);
	/* The pages' memory goes away under the guest. */
	guest->hole = MESSAGES(0);
	assert_int_equal(gim_machine_post(machine, 0, 9, 1, payload, 8), HV_STATUS_SUCCESS); /* it waits */
	guest->hole = FLAGS(0);
	assert_int_equal(gim_machine_signal(machine, 0, 9, 1), HV_STATUS_INVALID_SYNIC_STATE);
	wrmsr(guest, 0, MSR_EOM, 0);
	assert_int_equal(slot_of(guest, 0, 9)->type, 1);
	guest_free(guest);
}

/* What waits while the SynIC or the page is off comes when it is on again. */
static void off_and_on(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(1, false, NULL, 0);
	synic_on(guest, 0);
	post(guest, 2, 1, HV_STATUS_SUCCESS);
	post(guest, 2, 2, HV_STATUS_SUCCESS);
	wrmsr(guest, 0, MSR_SCONTROL, 0);
	post(guest, 2, 3, HV_STATUS_INVALID_SYNIC_STATE);
	empty_slot(guest, 0, 2);
	assert_int_equal(slot_of(guest, 0, 2)->type, 0);
	wrmsr(guest, 0, MSR_SCONTROL, 1);
	expect_slot(guest, 2, 2, 0);
	post(guest, 2, 3, HV_STATUS_SUCCESS);
	wrmsr(guest, 0, MSR_SIMP, MESSAGES(0));
	wrmsr(guest, 0, MSR_SIMP, MESSAGES(0) | 1); /* emptied */
	expect_slot(guest, 2, 3, 0);
	guest_free(guest);
}

static void events(void **unused)
{
	(void)unused;
	for (unsigned callbacks = 0; callbacks < 2; callbacks++) {
		struct guest *guest = guest_new(2, callbacks, NULL, 0);
		uint8_t vector;
		synic_on(guest, 1);
		const uint8_t *flags = guest->ram + FLAGS(1);
		assert_int_equal(gim_machine_signal(guest->machine, 1, 15, 2047), HV_STATUS_SUCCESS);
		assert_int_equal(flags[4095], 0x80);
		assert_int_equal(interrupts(guest, &vector), 1);
		assert_int_equal(vector, 0x4f);
		assert_int_equal(gim_machine_signal(guest->machine, 1, 15, 2047), HV_STATUS_SUCCESS);
		assert_int_equal(interrupts(guest, NULL), 0);
		assert_int_equal(gim_machine_signal(guest->machine, 1, 15, 2045), HV_STATUS_SUCCESS);
		assert_int_equal(flags[4095], 0xa0);
		assert_int_equal(interrupts(guest, NULL), 1);
		assert_int_equal(counter(guest, "events"), 2);
		guest_free(guest);
	}
}

static void connections(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(2, false, NULL, 0);
	struct gim_machine *machine = guest->machine;
	struct gim_error error = GIM_ERROR_INIT;
	/* In any order, and all found. */
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(gim_machine_connect(machine, i % 2 ? GIM_CONNECTION_EVENT : GIM_CONNECTION_MESSAGE, i * 7919 % 1000, i % 2,
		                                     (uint8_t)(i % 16), (uint16_t)i, &error),
		                 0);
	for (uint32_t i = 0; i < 1000; i++) {
		const enum gim_connection_kind kind = i % 2 ? GIM_CONNECTION_EVENT : GIM_CONNECTION_MESSAGE;
		const struct hv_connection *found = hv_connection_find(machine, kind, i * 7919 % 1000);
		assert_non_null(found);
		assert_int_equal(found->flag, i);
		assert_null(hv_connection_find(machine, kind ^ 1, i * 7919 % 1000));
	}
	/* Again: replaced. Taken away: gone. */
	assert_int_equal(gim_machine_connect(machine, GIM_CONNECTION_EVENT, 1, 1, 3, 99, &error), 0);
	assert_int_equal(hv_connection_find(machine, GIM_CONNECTION_EVENT, 1)->flag, 99);
	assert_int_equal(gim_machine_connect(machine, GIM_CONNECTION_EVENT, 1, GIM_NO_VCPU, 0, 0, &error), 0);
	assert_null(hv_connection_find(machine, GIM_CONNECTION_EVENT, 1));
	assert_int_equal(gim_machine_connect(machine, GIM_CONNECTION_EVENT, 1, GIM_NO_VCPU, 0, 0, &error), GIM_E_ARGUMENT);
	static const struct {
		uint32_t kind, id, vcpu, sint, flag;
	} wrong[] = {{2, 1, 0, 0, 0}, {256, 1, 0, 0, 0}, {0, 0x1000000, 0, 0, 0}, {0, 1, 2, 0, 0}, {0, 1, 1, 16, 0}, {1, 1, 1, 15, 2048}};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(gim_machine_connect(machine, (enum gim_connection_kind)wrong[i].kind, wrong[i].id, wrong[i].vcpu,
		                                     (uint8_t)wrong[i].sint, (uint16_t)wrong[i].flag, NULL),
		                 GIM_E_ARGUMENT);
	guest_free(guest);
}

/* Nothing is lost in a save, and queues keep their order; connections stay through a reset, messages do not. */
static void save_and_reset(void **unused)
{
	(void)unused;
	struct guest *guest = guest_new(2, false, NULL, 0);
	struct gim_error error = GIM_ERROR_INIT;
	synic_on(guest, 0);
	synic_on(guest, 1);
	assert_int_equal(gim_machine_connect(guest->machine, GIM_CONNECTION_EVENT, 0x123456, 1, 3, 2047, &error), 0);
	assert_int_equal(gim_machine_connect(guest->machine, GIM_CONNECTION_MESSAGE, 5, 0, 9, 0, &error), 0);
	for (uint32_t i = 0; i < 5; i++) {
		post(guest, 2, 10 + i, HV_STATUS_SUCCESS);
		post(guest, 7, 20 + i, HV_STATUS_SUCCESS);
	}
	for (unsigned times = 0; times < 3; times++)
		guest_migrate(guest);
	/* An embedder's own connections, made before the load, stay. */
	struct gim_state *state = NULL;
	assert_int_equal(gim_machine_save(guest->machine, &state, &error), 0);
	gim_machine_free(&guest->machine);
	guest_bring_up(guest);
	assert_int_equal(gim_machine_connect(guest->machine, GIM_CONNECTION_EVENT, 0x777, 1, 3, 1, &error), 0);
	assert_int_equal(gim_machine_connect(guest->machine, GIM_CONNECTION_EVENT, 0x123456, 1, 3, 1, &error), 0);
	assert_int_equal(gim_machine_load(guest->machine, state, NULL, NULL, &error), 0);
	assert_int_equal(gim_machine_load_done(guest->machine, &error), 0);
	assert_non_null(hv_connection_find(guest->machine, GIM_CONNECTION_EVENT, 0x777));
	gim_state_free(&state);
	for (uint32_t i = 0; i < 5; i++) {
		expect_slot(guest, 2, 10 + i, i < 4 ? HV_MESSAGE_PENDING : 0);
		expect_slot(guest, 7, 20 + i, i < 4 ? HV_MESSAGE_PENDING : 0);
		empty_slot(guest, 0, 2);
		empty_slot(guest, 0, 7);
		guest_migrate(guest);
	}
	const struct hv_connection *event = hv_connection_find(guest->machine, GIM_CONNECTION_EVENT, 0x123456);
	assert_non_null(event);
	assert_true(event->vp == 1 && event->sint == 3 && event->flag == 2047);
	assert_non_null(hv_connection_find(guest->machine, GIM_CONNECTION_MESSAGE, 5));
	post(guest, 2, 30, HV_STATUS_SUCCESS);
	post(guest, 2, 31, HV_STATUS_SUCCESS);
	assert_int_equal(gim_machine_reset(guest->machine, &error), 0);
	assert_int_equal(rdmsr(guest, 0, MSR_GUEST_OS_ID), 0);
	memset(slot_of(guest, 0, 2), 0, 256);
	synic_on(guest, 0);
	wrmsr(guest, 0, MSR_EOM, 0);
	assert_int_equal(slot_of(guest, 0, 2)->type, 0);
	assert_non_null(hv_connection_find(guest->machine, GIM_CONNECTION_MESSAGE, 5));
	guest_free(guest);
}

/* A native state may hold anything; what cannot be is refused with its place, and the machine stays as it was. */
static int load_changed(struct guest *guest, const struct hv_message *message, uint32_t messages, const struct hv_connection *connection,
                        struct gim_error *error)
{
	struct gim_state *state = NULL;
	assert_int_equal(gim_machine_save(guest->machine, &state, error), 0);
	struct hv_state *saved = (struct hv_state *)(void *)gim_state_find(state, &hv_state_record)->data;
	assert_int_equal(gim_list_grow(&state->arena, &saved->message, &hv_message_record, messages, error), 0);
	for (uint32_t i = 0; i < messages; i++)
		((struct hv_message *)saved->message.items)[i] = *message;
	if (connection) {
		assert_int_equal(gim_list_grow(&state->arena, &saved->connection, &hv_connection_record, 1, error), 0);
		*(struct hv_connection *)saved->connection.items = *connection;
	}
	const int result = gim_machine_load(guest->machine, state, NULL, NULL, error);
	gim_state_free(&state);
	return result;
}

static void hostile_states(void **unused)
{
	(void)unused;
	static const char payload[300] = "payload";
	static const struct {
		struct hv_message message;
		uint32_t count;
	} messages[] = {
	    {{.vp = 2, .sint = 2, .type = 1}, 1},
	    {{.vp = UINT32_MAX, .sint = 2, .type = 1}, 1},
	    {{.vp = 0, .sint = 16, .type = 1}, 1},
	    {{.vp = 0, .sint = 2, .type = 0}, 1},
	    {{.vp = 0, .sint = 2, .type = 1, .payload = {payload, 241}}, 1},
	    {{.vp = 0, .sint = 2, .type = 1, .payload = {payload, 8}}, HV_QUEUE_MAX + 1},
	    {{.vp = 0, .sint = 2, .type = 1, .payload = {payload, 8}}, HV_MESSAGES_MAX + 1},
	};
	static const struct hv_connection connections[] = {
	    {.kind = 2, .id = 1}, {.kind = 1, .id = 1 << 24}, {.kind = 1, .vp = 2}, {.kind = 0, .sint = 16}, {.kind = 1, .flag = 2048}};
	struct guest *guest = guest_new(2, false, NULL, 0);
	/* The machine to load into has not run yet. */
	gim_machine_free(&guest->machine);
	guest_bring_up(guest);
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		struct gim_error error = GIM_ERROR_INIT;
		assert_true(load_changed(guest, &messages[i].message, messages[i].count, NULL, &error) < 0);
		assert_true(messages[i].count > HV_MESSAGES_MAX || !strncmp(error.path, "hyperv.message[", 15));
		assert_true(error.text[0]);
	}
	for (size_t i = 0; i < sizeof(connections) / sizeof(*connections); i++) {
		struct gim_error error = GIM_ERROR_INIT;
		assert_int_equal(load_changed(guest, NULL, 0, &connections[i], &error), GIM_E_CORRUPT);
		assert_string_equal(error.path, "hyperv.connection[0]");
	}
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(load_changed(guest, &messages[5].message, HV_QUEUE_MAX, NULL, &error), 0);
	assert_int_equal(gim_machine_load_done(guest->machine, &error), 0);
	synic_on(guest, 0);
	assert_int_equal(slot_of(guest, 0, 2)->type, 1);
	assert_memory_equal(slot_of(guest, 0, 2)->payload, "payload", 8);
	guest_free(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(registers),      cmocka_unit_test(messages),       cmocka_unit_test(buffers), cmocka_unit_test(pool),
	    cmocka_unit_test(refusals),       cmocka_unit_test(off_and_on),     cmocka_unit_test(events),  cmocka_unit_test(connections),
	    cmocka_unit_test(save_and_reset), cmocka_unit_test(hostile_states),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
