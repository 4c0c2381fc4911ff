/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runtime core from inside: the machine, what it offers to providers, and what a provider must offer to live in it. */
#ifndef GIM_MACHINE_H
#define GIM_MACHINE_H

#include "arena.h"
#include "scale.h"
#include "state.h"

struct gim_machine;

/*
 * Gates: what opens an MSR or a hypercall to the guest.
 */
struct gim_gate {
	uint16_t offset; /* in the provider's struct, of the CPUID word that the guest was shown: a uint32_t */
	uint32_t mask;   /* all of these bits must be set; 0: always open */
};
#define GATE(type, member, bit)                                                                                                            \
	{                                                                                                                                  \
		.offset = offsetof(struct type, member), .mask = 1u << (bit)                                                               \
	}
bool gim_gate_open(const struct gim_machine *machine, const struct gim_gate *gate);

/*
 * MSRs: a row for each, or for several of one kind in a row.
 */
enum {
	GIM_MSR_READ = 1,
	GIM_MSR_WRITE = 2,
	GIM_MSR_VCPU = 4,   /* each vCPU has its own: the member is one of the vCPU's struct */
	GIM_MSR_VBOX = 8,   /* VirtualBox serves it without a bit: open under GIM_GATING_PRODUCER */
	GIM_MSR_STATE = 16, /* only kept: no effect beyond reading back what was written */
};

struct gim_msr_row {
	uint32_t first, count, stride; /* numbers first + i * stride, i < count; count 0 is 1, stride 0 is 1 */
	const char *name; /* the specification's, e.g. "HV_X64_MSR_SINT#": the first # stands for the index of one of several */
	const struct gim_record *record; /* whose member holds it, NULL: none does; with GIM_MSR_VCPU the list item's */
	uint32_t offset, width, step;    /* of the member; bytes from one index to the next, 0: width */
	struct gim_gate gate[2];         /* both must be open */
	uint64_t reserved;               /* bits that must be written as 0, else #GP */
	uint8_t flags;
	/* What plain loading and storing of the member does not do; NULL: nothing. index: i of the number. read finds the member (or 0)
	 * in *value. write may change *value before it is stored, or store it itself and return GIM_ACCESS_NOT_OURS for "done, do not
	 * store". */
	enum gim_access (*read)(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);
	enum gim_access (*write)(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);
	const char *note; /* where VirtualBox or KVM differs */
};
#define GIM_MSR_MEMBER(type, member)                                                                                                       \
	.record = &type##_record, .offset = offsetof(struct type, member), .width = (uint8_t)GIM_WIDTH_OF(GIM_MEMBER(type, member))

/*
 * What a provider offers to the machine (struct gim_provider's runtime).
 */
struct gim_setting_row {
	const char *key, *help;
	/* Parse into the provider's memory; refuse with a sentence. NULL: key is the path of a member below the provider's record, which
	 * takes the value and is marked as stored. */
	int (*set)(struct gim_machine *machine, const char *value, struct gim_error *error);
};

struct gim_runtime {
	uint32_t newest_version;                /* what provider version 0 stands for */
	const struct gim_setting_row *settings; /* ended by a NULL key; may be NULL */
	const struct gim_msr_row *msrs;         /* ended by a NULL name; may be NULL */
	uint32_t list_offset;                   /* of the per-vCPU list in the provider's struct; its item's record is list_item */
	const struct gim_record *list_item;     /* NULL: it has none */
	size_t machine_bytes, vcpu_bytes;       /* memory of the provider's own, zeroed, for the machine and for each vCPU */
	const char *const *page_names;          /* of its pages, as gim_machine_page says them; NULL-terminated, may be NULL */
	const char *const *counter_names;       /* of its own counters (gim_count); NULL-terminated, may be NULL */
	const char *const *vcpu_counter_names;  /* of those that each vCPU has (gim_count_vcpu); NULL-terminated, may be NULL */

	/* Each may be NULL. */
	int (*configure)(struct gim_machine *machine,
	                 struct gim_error *error); /* after the settings: check them, set the words that the guest is shown */
	int (*init)(struct gim_machine *machine, struct gim_error *error);
	int (*init_completed)(struct gim_machine *machine, struct gim_error *error);
	/* The object is the loaded state's; presence says what its layout held, machine->saved what its clocks were. Refuse, or derive
	 * what is absent; what it became the core reports. Refusing, change nothing else: the object goes back to what it was. */
	int (*loaded)(struct gim_machine *machine, const struct gim_state *state, gim_report_fn *report, void *user,
	              struct gim_error *error);
	int (*load_done)(struct gim_machine *machine, struct gim_error *error);
	/* Bring members that follow from time and queues up to date; the object is copied after it. */
	int (*save)(struct gim_machine *machine, struct gim_error *error);
	void (*reset)(struct gim_machine *machine); /* after the members that have an MSR row went to their record's reset values */
	void (*term)(struct gim_machine *machine);
	/* What the provider's table of CPUID rows does not show; regs are zero, and the rows' words are laid over them afterwards. */
	enum gim_access (*cpuid)(struct gim_machine *machine, uint32_t vcpu, uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);
	enum gim_access (*hypercall)(struct gim_machine *machine, uint32_t vcpu, struct gim_registers *registers);
	/* The TSC at which it has something to do (GIM_UNKNOWN: nothing), and doing what is due at `tsc`, after which the deadline is a
	 * later one. */
	uint64_t (*deadline)(const struct gim_machine *machine);
	void (*advance)(struct gim_machine *machine, uint64_t tsc);
	void (*eoi)(struct gim_machine *machine, uint32_t vcpu, uint8_t vector);
	/* Of the built-in local APIC: it is about to look for an interrupt; and has put one in service, while others wait or not. */
	void (*interrupt_wanted)(struct gim_machine *machine, uint32_t vcpu);
	void (*interrupt_taken)(struct gim_machine *machine, uint32_t vcpu, uint8_t vector, bool others_wait);
	void (*run)(struct gim_machine *machine, uint32_t vcpu, bool running);
	void (*debug_ready)(struct gim_machine *machine);
	/* As the public functions of these names. */
	int (*connect)(struct gim_machine *machine, enum gim_connection_kind kind, uint32_t id, uint32_t vcpu, uint8_t sint, uint16_t flag,
	               struct gim_error *error);
	uint16_t (*post)(struct gim_machine *machine, uint32_t vcpu, uint8_t sint, uint32_t type, const void *payload, size_t size);
	uint16_t (*signal)(struct gim_machine *machine, uint32_t vcpu, uint8_t sint, uint16_t flag);
	uint16_t (*raise)(struct gim_machine *machine, uint32_t vcpu, uint8_t sint);
	int (*async_fault)(struct gim_machine *machine, uint32_t vcpu, uint32_t token, bool ready);
};

/*
 * What the machine offers to providers.
 */
enum gim_phase { GIM_PHASE_NEW, GIM_PHASE_INIT, GIM_PHASE_COMPLETED, GIM_PHASE_LOADED, GIM_PHASE_RUNNING };

#define GIM_PAGES_MAX 4

struct gim_overlay {
	const char *name;
	uint64_t gpa; /* GIM_UNKNOWN: not mapped */
	uint8_t *bytes;
};

/* The clocks of the state that was loaded, when it was saved; GIM_UNKNOWN: it does not say. */
struct gim_saved_clock {
	uint64_t tsc, tsc_hz, virtual_ns, utc_ns;
};

/* An MSR of the index (machine_msr.c). */
struct gim_msr_entry {
	uint32_t number, index;
	const struct gim_msr_row *row;
	uint64_t reads, writes, faults;
};

enum { GIM_DEBUG_COUNTERS = 4 };
extern const char *const gim_debug_counter_names[GIM_DEBUG_COUNTERS];

struct gim_machine {
	struct gim_machine_config config; /* resolved: no 0 that stands for a default; settings are not kept */
	struct gim_host host;
	const struct gim_provider *provider;
	enum gim_phase phase;
	enum gim_gating gating;
	bool device; /* registered: pages can be enabled */
	uint32_t vcpus;
	uint64_t tsc_hz;
	struct gim_arena arena;       /* the providers' */
	struct gim_arena state_arena; /* of what follows; loading makes it anew */
	struct gim_object object;     /* the provider's record: its registers live here */
	struct gim_object head;       /* of the GIM unit that was loaded; record NULL: none was */
	uint8_t *vcpu_data;           /* the items of its per-vCPU list, vcpu_size bytes each */
	size_t vcpu_size;
	void *own;         /* runtime.machine_bytes */
	uint8_t *vcpu_own; /* runtime.vcpu_bytes each */
	struct gim_overlay pages[GIM_PAGES_MAX];
	unsigned page_count;
	struct machine_apic *lapics; /* NULL: the embedder's */
	uint8_t *ram;                /* flat RAM, or NULL: the host's callbacks */
	bool ram_owned;
	uint64_t clock_tsc;                     /* the built-in clock */
	uint64_t clock_since_tsc, clock_utc_ns; /* when its TSC was this, its UTC was that */
	uint64_t virtual_since_tsc, virtual_ns; /* the same of virtual time */
	struct gim_saved_clock saved;
	struct gim_msr_entry *msrs;
	unsigned msr_count;
	uint16_t *msr_slots; /* hashed: 1 + the entry's number */
	bool newest;         /* the version was given as 0 */
	uint64_t hypercalls, debug_counters[GIM_DEBUG_COUNTERS];
	uint64_t *counters; /* runtime.counter_names, then runtime.vcpu_counter_names for each vCPU */
	unsigned counter_count, vcpu_counter_count;
};

/* May the guest have its answer? Before all is set up, and while a state is half loaded, it may not. */
bool gim_machine_runs(struct gim_machine *machine);

static inline void *gim_machine_own(const struct gim_machine *machine)
{
	return machine->own;
}
/* The vCPU's item of the provider's list, and the provider's own memory for it. */
static inline void *gim_machine_vcpu(const struct gim_machine *machine, uint32_t vcpu)
{
	return machine->vcpu_data + (size_t)vcpu * machine->vcpu_size;
}
void *gim_machine_vcpu_own(const struct gim_machine *machine, uint32_t vcpu);

/* Now in ns since 1970, and in ns that the machine has run: virtual time goes on over saving and loading, and between load and load-done
 * it stands. */
uint64_t gim_machine_utc_ns(const struct gim_machine *machine);
uint64_t gim_machine_virtual_ns(const struct gim_machine *machine);

/* RAM below all pages; non-zero when a byte of it is no ordinary RAM, and then nothing was written. */
int gim_ram_read(struct gim_machine *machine, uint64_t gpa, void *bytes, size_t size);
int gim_ram_write(struct gim_machine *machine, uint64_t gpa, const void *bytes, size_t size);
/* Is [gpa, gpa + size) ordinary RAM? */
bool gim_ram_is(struct gim_machine *machine, uint64_t gpa, size_t size);
int gim_ram_zero_page(struct gim_machine *machine, uint64_t gpa);

/* Could page `index` be laid over gpa now? GIM_E_VALUE with the rule that it would break in a state that is loaded. */
int gim_page_check(struct gim_machine *machine, unsigned index, uint64_t gpa, struct gim_error *error);
/* Lay page `index` (of runtime.page_names) over guest memory, or move it there. GIM_E_ARGUMENT: the device is not registered, or gpa is
 * not aligned, no RAM, or under another page. What was below shows again when it goes. The content is written to overlay->bytes before,
 * and gim_page_changed tells the embedder of later changes. */
int gim_page_map(struct gim_machine *machine, unsigned index, uint64_t gpa, struct gim_error *error);
void gim_page_unmap(struct gim_machine *machine, unsigned index);
void gim_page_changed(struct gim_machine *machine, unsigned index);

/* Raise a vCPU's interrupt: the embedder's local APIC or the built-in one. Vectors below 16 are none. */
void gim_machine_raise_vector(struct gim_machine *machine, uint32_t vcpu, uint8_t vector, bool auto_eoi);
int gim_apic_read(struct gim_machine *machine, uint32_t vcpu, uint32_t offset, uint64_t *value);
int gim_apic_write(struct gim_machine *machine, uint32_t vcpu, uint32_t offset, uint64_t value);

/* So much more of runtime.counter_names[index], or of a vCPU's runtime.vcpu_counter_names[index]. */
void gim_count(struct gim_machine *machine, unsigned index, uint64_t amount);
void gim_count_vcpu(struct gim_machine *machine, uint32_t vcpu, unsigned index, uint64_t amount);
/* Send a packet to the debugger, receive one: bytes, 0: there is none, negative: it failed, or there is no transport to send to.
 * Counted. */
int64_t gim_debug_send(struct gim_machine *machine, const void *bytes, size_t size);
int64_t gim_debug_receive(struct gim_machine *machine, void *bytes, size_t size);
void gim_log(struct gim_machine *machine, enum gim_severity severity, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
