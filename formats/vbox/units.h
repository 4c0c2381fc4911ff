/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The units of a VirtualBox saved state that are understood: their record, their layout, and decoding them. */
#ifndef GIM_VBOX_UNITS_H
#define GIM_VBOX_UNITS_H

#include "state.h"

/* Of the unit SSM. */
struct vbox_property {
	struct gim_text name, value;
};

struct vbox_device {
	struct gim_text name;
	uint32_t index, instance;
};

struct vbox_rom {
	struct gim_text device, description;
	uint64_t gpa, size;
	uint32_t instance;
	uint8_t id, region;
};

struct vbox_mmio2 {
	struct gim_text device, description;
	uint64_t size;
	uint32_t instance;
	uint8_t id, region;
};

/* The sizes count the end of a C string. */
struct vbox_folder {
	struct gim_text name, path, mount_point;
	uint32_t name_size, path_size, mount_point_size;
	uint8_t writable, auto_mount;
};

struct vbox_monitor {
	uint32_t offset, max_size, info_size, width, height, x, y, flags;
};

struct vbox_screenshot {
	struct gim_text image;
	uint32_t size, type, width, height;
};

struct vbox_words {
	uint32_t eax, ebx, ecx, edx;
};

struct vbox_cpum {
	struct gim_list host_standard, host_extended;
	uint32_t msr_bytes;
	uint8_t svm, vmx;
};

struct vbox_tm {
	uint64_t virtual_hz, sync_offset_ns, sync_given_up_ns, catchup_previous_ns, real_hz;
	uint8_t catchup;
};

struct vbox_mapping {
	struct gim_text name;
	uint64_t address, old_address;
	uint32_t number;
};

struct vbox_pgm {
	uint64_t mapping_address, ram_bytes;
	uint32_t mapping_bytes, ballooned_pages, hole_bytes;
	uint8_t mapping_fixed;
	struct gim_list rom, mmio2, mapping;
};

struct vbox_pdm {
	uint32_t dma_pending;
	struct gim_list device;
};

struct vbox_apic {
	uint32_t vcpus, max_mode;
	uint8_t io_apic;
};

struct vbox_display {
	struct gim_list monitor;
	uint32_t input_x, input_y, input_width, input_height, guest_caps, cursor_caps;
	struct gim_list screenshot;
};

struct vbox_hm {
	uint64_t patch_memory, patch_free;
	uint32_t patch_bytes, patches;
};

struct vbox {
	struct gim_list property;
	struct gim_list folder;
	struct gim_text trap_tables;
	struct vbox_cpum cpum;
	struct vbox_tm tm;
	struct vbox_pgm pgm;
	struct vbox_pdm pdm;
	struct vbox_apic apic;
	struct vbox_display display;
	struct vbox_hm hm;
	uint64_t ram_pages;
	uint32_t fixers;
};

extern const struct gim_record vbox_property_record, vbox_device_record, vbox_rom_record, vbox_mmio2_record, vbox_folder_record,
    vbox_monitor_record, vbox_screenshot_record, vbox_words_record, vbox_cpum_record, vbox_tm_record, vbox_mapping_record, vbox_pgm_record,
    vbox_pdm_record, vbox_apic_record, vbox_display_record, vbox_hm_record, vbox_record;

/* Flags of frames: which pass of a unit they read. */
enum {
	VBOX_FRAME_FINAL = 0,
	VBOX_FRAME_LIVE = 1, /* pass 0 of a live save */
	VBOX_FRAME_TAIL = 2, /* the CPUID block at the end of a cpum payload whose middle is not understood */
};

/* Flags of the codec: the file is a live save, whose final pass leaves out what pass 0 said; its producer's pointers have 4 bytes. */
enum { VBOX_CODEC_LIVE = 1, VBOX_CODEC_POINTER4 = 2 };

/* Several frames may serve one unit: the first that decodes its payload to the end is the right one, else the last. */
extern const struct gim_layout vbox_layout_units;

/* The unit pgm of 3.0, which is read for its pages alone: what stands before them says nothing of the guest. */
extern const struct gim_frame vbox_pgm_9;

/* As struct gim_format wants them. */
extern const struct gim_layout *const vbox_layouts[];
extern const struct gim_record *const vbox_records[];

/* Is there a table for this unit in this version and pass? */
bool vbox_unit_decodable(const struct gim_unit *unit);

/* Is it the GIM unit of the final pass? */
bool vbox_unit_is_gim(const struct gim_unit *unit);

/* Does verify look into the payload of this unit? */
bool vbox_unit_judged(const struct gim_state *state, const struct gim_unit *unit);

/* Report what VirtualBox's loader would not take of a judged unit's payload; what the unit says that later ones need goes to state. whole: size bytes are all of it.
 * GIM_E_MEMORY: it could not be judged; else 0. */
int vbox_judge_unit(struct gim_state *state, const struct gim_unit *unit, const uint8_t *bytes, size_t size, bool whole,
                    gim_report_fn *report, void *user);

/* Longer payloads than any release writes, and still little memory; and what decoding one for a trial may take. */
#define VBOX_PAYLOAD_LIMIT ((size_t)8 << 20)
#define VBOX_SCRATCH_LIMIT ((size_t)24 << 20)

/* What precedes the pages in pgm: even 1024 vCPUs and all ROMs fit. */
#define VBOX_PGM_LIMIT ((size_t)128 << 10)

/* How this unit's payload is coded. partial: only its beginning is at hand. */
struct gim_codec vbox_codec_for(const struct gim_state *state, const struct gim_unit *unit, bool partial);

/* Is it a live save, so that units have passes before the final one? */
bool vbox_is_live(const struct gim_state *state);

/* The first frame for this unit at or after `frame` (NULL: of all). */
const struct gim_frame *vbox_next_frame(const struct gim_frame *frame, const struct gim_unit *unit);

/* The frame of what stands at the end of this unit's payload, whatever is before it; NULL: none is known. */
const struct gim_frame *vbox_tail_frame(const struct gim_unit *unit);

/* Look for the CPUID leaves in a payload of the unit cpum, from byte `after` on. Returns at how many places they may begin; *from: the likeliest. */
size_t vbox_find_cpuid(const uint8_t *bytes, size_t size, size_t after, size_t *from);

/* Walk over the headers of the final pass's units, in the order of the directory where there is one, without reading payloads. *index begins at 0. 1: *unit is the next
 * one, 0: there are no more, or a negative code. The input can be seeked. */
int vbox_header_next(struct gim_state *state, uint32_t *index, struct gim_unit *unit, struct gim_error *error);

/* As struct gim_format wants them (releases.c, units_provider.c, units_cpuid.c). */
int vbox_check_provider(struct gim_state *state, const struct gim_provider *provider, gim_report_fn *report, void *user,
                        struct gim_error *error);
extern const struct gim_release vbox_releases[];
/* The first release that loads this version of a unit, version 0 where none is known to; NULL: nothing is known of the unit. */
const struct gim_release *vbox_unit_since(const struct gim_unit *unit, struct gim_release *since);
int vbox_check_release(struct gim_state *state, const struct gim_release *release, gim_report_fn *report, void *user,
                       struct gim_error *error);
int vbox_change_cpuid(struct gim_state *state, const struct gim_cpuid_word *words, size_t count, struct gim_changes *changes,
                      gim_report_fn *report, void *user, struct gim_error *error);

/* As gim_state_decode and gim_state_decode_unit. What is wrong with a unit is reported; it fails the call when the unit is GIM, or when all
 * units were asked for (GIM_PART_GUEST). The others are aids. */
int vbox_decode(struct gim_state *state, unsigned parts, gim_report_fn *report, void *user, struct gim_error *error);
int vbox_decode_unit(struct gim_state *state, const struct gim_unit *unit, gim_report_fn *report, void *user, struct gim_error *error);

#endif
