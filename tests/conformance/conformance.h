/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What conformance rows share: the table's row, and a guest that runs on the core with a clock that only steps when it is told to. */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "gimstate.h"
#include "scale.h"

/* a * b / c and a * b >> shift, without loss on the way. */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	return gim_div_wide(gim_mul_high(a, b), a * b, c);
}
static inline uint64_t mul_shift(uint64_t a, uint64_t b, unsigned shift)
{
	return shift < 64 ? gim_mul_high(a, b) << (64 - shift) | (a * b) >> shift : gim_mul_high(a, b) >> (shift - 64);
}

/*
 * A guest. What it finds and did not expect is kept in `failure`; the first one stays, and the row goes on without harm.
 */
enum {
	GUEST_VCPUS_MAX = 66,
	GUEST_PAGE = 4096,
	/* Where its pages are; those of each vCPU follow one another. */
	GUEST_HYPERCALL_PAGE = 0x2000,
	GUEST_TSC_PAGE = 0x3000,
	GUEST_INPUT = 0x4000,
	GUEST_OUTPUT = 0x5000,
	GUEST_CLOCK = 0x6000, /* KVM: the clock structures, 64 bytes each */
	GUEST_WALL_CLOCK = 0x9000,
	GUEST_STEAL = 0xa000,    /* KVM: 64 bytes each */
	GUEST_ASYNC_PF = 0xc000, /* KVM: 64 bytes each */
	GUEST_EOI = 0xe000,      /* KVM: 4 bytes each */
	GUEST_MESSAGES = 0x100000,
	GUEST_FLAGS = 0x200000,
	GUEST_RAM = 0x400000,
};

#define GUEST_TSC_HZ 2599998000u
#define GUEST_UTC_NS UINT64_C(1700000000123456789)

struct guest {
	struct gim_machine *machine;
	const struct guest_kind *kind;
	uint32_t vcpus;
	uint64_t tsc;
	int64_t saved_for_ns, utc_jump_ns; /* real time that passes while it is saved, and what has passed so */
	uint8_t *ram;
	char failure[256];
	/* Called with each interrupt that a vCPU takes, and counts of those. */
	void (*handler)(struct guest *guest, uint32_t vcpu, uint8_t vector);
	void *handler_data;
	unsigned interrupts[GUEST_VCPUS_MAX][256];
	/* What the machine asked of its embedder. */
	unsigned resets, crashes, flushes, wakes[GUEST_VCPUS_MAX];
	struct gim_flush flush;
	uint64_t flush_vcpus[16], flush_ranges[8];
	uint64_t ran_ns[GUEST_VCPUS_MAX], waited_ns[GUEST_VCPUS_MAX];
};

/* A field of a saved state that is changed before the guest goes on. */
struct guest_field {
	const char *path;
	uint64_t value;
};

/* Which machine it runs on. */
struct guest_kind {
	const char *provider;
	uint32_t vcpus;
	struct gim_setting settings[8];
};

/* Hyper-V and KVM with all that the core has, and two vCPUs. */
extern const struct guest_kind guest_hyperv, guest_kvm;

void guest_start(struct guest *guest, const struct guest_kind *kind);
void guest_stop(struct guest *guest);
/* Save, change fields of the saved state, and go on in a new machine with the same memory. */
void guest_restore(struct guest *guest, const struct guest_field *fields, size_t count);

/* The first of these that does not hold is the row's failure. Each returns whether it held. */
bool expect(struct guest *guest, bool holds, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool expect_number(struct guest *guest, const char *what, uint64_t found, uint64_t expected);

/* An MSR's value, or 0 and a failure. */
uint64_t guest_rdmsr(struct guest *guest, uint32_t vcpu, uint32_t msr);
void guest_wrmsr(struct guest *guest, uint32_t vcpu, uint32_t msr, uint64_t value);
/* The access must be refused with #GP. */
void guest_rdmsr_gp(struct guest *guest, uint32_t vcpu, uint32_t msr);
void guest_wrmsr_gp(struct guest *guest, uint32_t vcpu, uint32_t msr, uint64_t value);

uint64_t guest_load(struct guest *guest, uint64_t gpa, unsigned width_bytes);
void guest_store(struct guest *guest, uint64_t gpa, unsigned width_bytes, uint64_t value);
void guest_fill(struct guest *guest, uint64_t gpa, const void *bytes, size_t size_bytes);
void guest_clear_page(struct guest *guest, uint64_t gpa);

/* Time passes; then each vCPU takes the interrupts that wait. */
void guest_step_ns(struct guest *guest, uint64_t ns);
void guest_take_interrupts(struct guest *guest);

/*
 * Hyper-V.
 */
enum {
	HV_GUEST_OS_ID = 0x40000000,
	HV_HYPERCALL = 0x40000001,
	HV_VP_INDEX = 0x40000002,
	HV_RESET = 0x40000003,
	HV_VP_RUNTIME = 0x40000010,
	HV_TIME_REF_COUNT = 0x40000020,
	HV_REFERENCE_TSC = 0x40000021,
	HV_TSC_FREQUENCY = 0x40000022,
	HV_APIC_FREQUENCY = 0x40000023,
	HV_EOI = 0x40000070,
	HV_SCONTROL = 0x40000080,
	HV_SVERSION = 0x40000081,
	HV_SIEFP = 0x40000082,
	HV_SIMP = 0x40000083,
	HV_EOM = 0x40000084,
	HV_SINT = 0x40000090,
	HV_STIMER_CONFIG = 0x400000b0,
	HV_STIMER_COUNT = 0x400000b1,
	HV_DEBUG_STATUS = 0x400000f2,
	HV_CRASH_P0 = 0x40000100,
	HV_REENLIGHTENMENT_CONTROL = 0x40000106,
	HV_TSC_EMULATION_CONTROL = 0x40000107,
	HV_TSC_EMULATION_STATUS = 0x40000108,
	HV_TSC_INVARIANT_CONTROL = 0x40000118,
};
#define HV_LINUX_OS_ID UINT64_C(0x8100000000000000)

/* Status of the code 15:0 of a control word by the page of input, which begins with these words, and which may answer in the page of output. UINT64_MAX: #UD. */
uint64_t hv_call(struct guest *guest, uint32_t vcpu, uint64_t control, const uint64_t *words, size_t count);
/* The same with the words of input in registers. */
uint64_t hv_call_fast(struct guest *guest, uint32_t vcpu, uint64_t control, const uint64_t *words, size_t count);
enum { HV_FAST = 1 << 16 };

struct hv_message {
	uint32_t type;
	uint8_t size, flags;
	uint16_t reserved;
	uint64_t origin;
	uint64_t payload[30];
};
static inline uint64_t hv_message_page(uint32_t vcpu)
{
	return GUEST_MESSAGES + (uint64_t)vcpu * GUEST_PAGE;
}
static inline uint64_t hv_message_slot(uint32_t vcpu, unsigned sint)
{
	return hv_message_page(vcpu) + sint * sizeof(struct hv_message);
}
static inline uint64_t hv_flags_page(uint32_t vcpu)
{
	return GUEST_FLAGS + (uint64_t)vcpu * GUEST_PAGE;
}
void hv_message(struct guest *guest, uint32_t vcpu, unsigned sint, struct hv_message *message);

/* Turn the SynIC on with its pages, on every vCPU; set a SINT. */
void hv_synic_on(struct guest *guest);
void hv_sint(struct guest *guest, uint32_t vcpu, unsigned sint, uint8_t vector, bool auto_eoi);

/* The reference time by the page, as a guest reads it. */
struct hv_tsc_page {
	uint32_t sequence, reserved;
	uint64_t scale;
	int64_t offset;
};
void hv_tsc_page(struct guest *guest, struct hv_tsc_page *page);
uint64_t hv_page_time(struct guest *guest);

/*
 * The table.
 */
struct row {
	const char *id, *title;
	void (*run)(struct guest *guest, const void *data);
	const void *data;
	const char *skip; /* why it cannot apply to the core */
};
#define ROW(id_, title_, ...)                                                                                                              \
	{                                                                                                                                  \
		.id = id_, .title = title_, __VA_ARGS__                                                                                    \
	}
#define ROW_END                                                                                                                            \
	{                                                                                                                                  \
		.id = NULL                                                                                                                 \
	}
/* Each ended by ROW_END. */
extern const struct row hv_synic_rows[], hv_clock_rows[], hv_feature_rows[], hv_processor_rows[], kvm_rows[];

#endif
