/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Hyper-V guest interface as state: what any hypervisor saves of it, as structs and their records. */
#ifndef GIM_HYPERV_H
#define GIM_HYPERV_H

#include "check.h"

/* CPUID words as the guest was shown them. */
struct hv_features {
	uint32_t base, partition, power, misc; /* leaf 0x40000003 */
	uint32_t hints;                        /* leaf 0x40000004 */
	uint32_t spin_retries;                 /* leaf 0x40000004 ebx */
	uint32_t host;                         /* leaf 0x40000006 */
	uint32_t nested;                       /* leaf 0x4000000a */
	uint32_t syndbg;                       /* leaf 0x40000082 */
};

/* A page that the hypervisor lays over guest memory. */
struct hv_page {
	uint64_t gpa;
	struct gim_text description;
	uint32_t size;
	uint8_t index, raw_mode;
};

/* The debug transport. */
struct hv_debug {
	uint64_t pending_buffer, send_buffer, receive_buffer, status, control, options;
	uint32_t reply, bootp_xid, guest_ip4;
	uint16_t udp_guest_dst_port, udp_guest_src_port;
	uint8_t guest_mac[6];
};

/* A synthetic timer: what the TLFS saves of one. */
struct hv_stimer {
	uint64_t config, count, adjustment, expiration;
	uint32_t undelivered;
};

/* The timer that counts only while the virtual processor runs. */
struct hv_unhalted_timer {
	uint64_t config, count;
};

#define HV_SINTS 16
#define HV_STIMERS 4

struct hv_vp {
	uint64_t scontrol, siefp, simp;
	uint64_t sint[HV_SINTS];
	uint64_t vp_assist;
	struct hv_stimer stimer[HV_STIMERS];
	uint64_t runtime;
	struct hv_unhalted_timer unhalted_timer;
};

/* A message that waits for its slot. */
struct hv_message {
	uint64_t origin;
	struct gim_text payload;
	uint32_t vp, type;
	uint8_t sint;
};

/* What a guest's HvPostMessage or HvSignalEvent reaches. */
struct hv_connection {
	uint32_t id, vp;
	uint16_t flag;
	uint8_t sint, kind; /* enum gim_connection_kind */
};

struct hv_crash {
	uint64_t p0, p1, p2, p3, p4, control;
};

struct hv_reenlightenment {
	uint64_t control, emulation_control, emulation_status;
};

struct hv_state {
	uint64_t guest_os_id, hypercall, reference_tsc;
	struct hv_features features;
	struct hv_page hypercall_page, tsc_page;
	uint32_t tsc_sequence;
	uint64_t tsc_scale, tsc_offset;
	struct hv_debug debug;
	struct gim_list vp, message, connection;
	struct hv_crash crash;
	struct hv_reenlightenment reenlightenment;
	uint64_t time_ref_count, tsc_invariant_control;
	uint8_t boot_zeroed;
};

extern const struct gim_record hv_features_record, hv_page_record, hv_debug_record, hv_stimer_record, hv_unhalted_timer_record,
    hv_vp_record, hv_message_record, hv_connection_record, hv_crash_record, hv_reenlightenment_record, hv_state_record;

/* Names of bits and values (names.c). */
extern const struct gim_bit hv_bits_base[], hv_bits_partition[], hv_bits_power[], hv_bits_misc[], hv_bits_hints[], hv_bits_host[],
    hv_bits_nested[], hv_bits_syndbg[];
extern const struct gim_bit hv_bits_hypercall[], hv_bits_page_msr[], hv_bits_scontrol[], hv_bits_sint[], hv_bits_stimer[],
    hv_bits_debug_status[], hv_bits_debug_control[], hv_bits_debug_options[], hv_bits_crash_control[], hv_bits_reenlightenment[],
    hv_bits_emulation_control[], hv_bits_emulation_status[], hv_bits_unhalted_timer[], hv_bits_tsc_invariant[];
extern const struct gim_name hv_names_debug_reply[], hv_names_connection[];

/* What a guest OS id says: vendor, system, version (guest_os.c). */
void hv_explain_guest_os(uint64_t id, char *text, size_t size);

extern const struct gim_layout hv_layout_vbox, hv_layout_qemu;
extern const struct gim_cpuid_row hv_cpuid[];
extern const struct gim_check_rule hv_checks[];

#endif
