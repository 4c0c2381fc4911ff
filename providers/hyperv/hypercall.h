/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which hypercalls there are: their numbers, names and counters. What each does is in hypercall.c. */
#ifndef GIM_HYPERV_HYPERCALL_H
#define GIM_HYPERV_HYPERCALL_H

/* In order of their codes: identifier, code, the TLFS' name without HvCall. */
#define HV_CALLS(CALL)                                                                                                                     \
	CALL(FLUSH_SPACE, 0x0002, "FlushVirtualAddressSpace")                                                                              \
	CALL(FLUSH_LIST, 0x0003, "FlushVirtualAddressList")                                                                                \
	CALL(LONG_SPIN_WAIT, 0x0008, "NotifyLongSpinWait")                                                                                 \
	CALL(SEND_IPI, 0x000b, "SendSyntheticClusterIpi")                                                                                  \
	CALL(FLUSH_SPACE_EX, 0x0013, "FlushVirtualAddressSpaceEx")                                                                         \
	CALL(FLUSH_LIST_EX, 0x0014, "FlushVirtualAddressListEx")                                                                           \
	CALL(SEND_IPI_EX, 0x0015, "SendSyntheticClusterIpiEx")                                                                             \
	CALL(POST_MESSAGE, 0x005c, "PostMessage")                                                                                          \
	CALL(SIGNAL_EVENT, 0x005d, "SignalEvent")                                                                                          \
	CALL(POST_DEBUG, 0x0069, "PostDebugData")                                                                                          \
	CALL(RETRIEVE_DEBUG, 0x006a, "RetrieveDebugData")                                                                                  \
	CALL(RESET_DEBUG, 0x006b, "ResetDebugSession")                                                                                     \
	CALL(EXT_CAPABILITIES, 0x8001, "ExtCallQueryCapabilities")                                                                         \
	CALL(EXT_ZEROED_MEMORY, 0x8002, "ExtCallGetBootZeroedMemory")

#define HV_CALL_INDEX(id, code, name) HV_CALL_##id,
enum { HV_CALLS(HV_CALL_INDEX) HV_CALL_COUNT };

#define HV_CALL_CODE(id, code, name) HV_CODE_##id = code,
enum { HV_CALLS(HV_CALL_CODE) };

/* The names of their counters, as many strings with commas. */
#define HV_CALL_COUNTER(id, code, name) "hypercalls." name,
#define HV_CALL_COUNTERS HV_CALLS(HV_CALL_COUNTER)

#endif
