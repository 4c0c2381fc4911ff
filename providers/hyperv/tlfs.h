/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers of the TLFS that the runtime's files share: status codes, bits of registers, layouts of pages. */
#ifndef GIM_HYPERV_TLFS_H
#define GIM_HYPERV_TLFS_H

#include <stdint.h>

/* HV_STATUS */
enum hv_status {
	HV_STATUS_SUCCESS = 0,
	HV_STATUS_INVALID_HYPERCALL_CODE = 2,
	HV_STATUS_INVALID_HYPERCALL_INPUT = 3,
	HV_STATUS_INVALID_ALIGNMENT = 4,
	HV_STATUS_INVALID_PARAMETER = 5,
	HV_STATUS_ACCESS_DENIED = 6,
	HV_STATUS_OPERATION_DENIED = 8,
	HV_STATUS_INSUFFICIENT_MEMORY = 0xb,
	HV_STATUS_INVALID_VP_INDEX = 0xe,
	HV_STATUS_INVALID_CONNECTION_ID = 0x12,
	HV_STATUS_INSUFFICIENT_BUFFERS = 0x13,
	HV_STATUS_INVALID_SYNIC_STATE = 0x18,
	HV_STATUS_NO_DATA = 0x1b,
	HV_STATUS_INSUFFICIENT_BUFFER = 0x33,
};

/* SCONTROL, SIEFP, SIMP */
#define HV_ENABLE UINT64_C(1)
#define HV_PAGE_MASK (~UINT64_C(0xfff))

/* SINTx */
#define HV_SINT_MASKED (UINT64_C(1) << 16)
#define HV_SINT_AUTO_EOI (UINT64_C(1) << 17)
#define HV_SINT_POLLING (UINT64_C(1) << 18)
#define HV_VECTOR_MIN 16

/* STIMERx_CONFIG */
#define HV_STIMER_PERIODIC (UINT64_C(1) << 1)
#define HV_STIMER_LAZY (UINT64_C(1) << 2)
#define HV_STIMER_AUTO_ENABLE (UINT64_C(1) << 3)
#define HV_STIMER_DIRECT (UINT64_C(1) << 12)
#define HV_STIMER_VECTOR(config) ((uint8_t)((config) >> 4))
#define HV_STIMER_SINT(config) ((uint8_t)((config) >> 16 & 15))

/* HV_MESSAGE: a slot of the message page. type at 0, payload size at 4, flags at 5, origin at 8, payload at 16. */
enum {
	HV_MESSAGE_BYTES = 256,
	HV_MESSAGE_HEAD = 16,
	HV_MESSAGE_PAYLOAD = 240,
	HV_MESSAGE_FLAGS_AT = 5,
	HV_MESSAGE_PENDING = 1, /* flag: further ones wait */
};
#define HV_MESSAGE_TIMER_EXPIRED UINT32_C(0x80000010)
#define HV_MESSAGE_OF_HYPERVISOR UINT32_C(0x80000000) /* bit of types that a partition may not send */

/* SYNDBG_OPTIONS */
#define HV_DEBUG_BY_HYPERCALLS (UINT64_C(1) << 2)

/* HV_CONNECTION_ID: the other bits are reserved. */
#define HV_CONNECTION_ID_MAX UINT32_C(0xffffff)

/* The event flags page: so many flags of each SINT. */
enum { HV_EVENT_FLAGS = 2048 };

#endif
