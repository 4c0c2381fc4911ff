/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How VirtualBox writes the units that say what the state is: vCPUs, clocks, memory, devices, display. */
#include "guest.h"
#include "units.h"

/* Field-wise saved structures stand between two markers. */
#define BEGIN CONSTANT(4, 0x19200102)
#define END CONSTANT(4, 0x19920406)

/* SSM: pairs of texts, ended by two empty ones. Loaders take them into 128 and 1024 bytes, the end included. */
static const struct gim_row property_rows[] = {
    ON_(vbox_property, name, .limit = 127),
    ON_(vbox_property, value, .limit = 1023),
    END_ROWS,
};
static const struct gim_row ssm_rows[] = {
    EACH(vbox, property, vbox_property, property_rows, .count = GIM_COUNT_UNTIL, .wire = 4, .value = 0),
    CONSTANT(4, 0),
    END_ROWS,
};

/* HWACCM */
static const struct gim_row hm_rows[] = {
    ON(vbox, hm.patch_memory), ON(vbox, hm.patch_free), ON(vbox, hm.patch_bytes), ON(vbox, hm.patches), END_ROWS,
};

static const struct gim_row mm_rows[] = {ON(vbox, ram_pages), ON(guest, ram_bytes), END_ROWS};

static const struct gim_row gcm_rows[] = {ON(vbox, fixers), END_ROWS};

/* cpum */
#define CONTEXT_BYTES 532

#define SEGMENT(name)                                                                                                                      \
	ON(guest_vcpu, name.selector), ON(guest_vcpu, name.valid_selector), ON(guest_vcpu, name.flags), ON(guest_vcpu, name.base),         \
	    ON(guest_vcpu, name.limit), ON(guest_vcpu, name.attributes)
#define TABLE(name) ON(guest_vcpu, name.limit), ON(guest_vcpu, name.base)

static const struct gim_row context_rows[] = {
    BEGIN,
    ON(guest_vcpu, rdi),
    ON(guest_vcpu, rsi),
    ON(guest_vcpu, rbp),
    ON(guest_vcpu, rax),
    ON(guest_vcpu, rbx),
    ON(guest_vcpu, rdx),
    ON(guest_vcpu, rcx),
    ON(guest_vcpu, rsp),
    ON(guest_vcpu, rflags),
    ON(guest_vcpu, rip),
    ON(guest_vcpu, r8),
    ON(guest_vcpu, r9),
    ON(guest_vcpu, r10),
    ON(guest_vcpu, r11),
    ON(guest_vcpu, r12),
    ON(guest_vcpu, r13),
    ON(guest_vcpu, r14),
    ON(guest_vcpu, r15),
    SEGMENT(es),
    SEGMENT(cs),
    SEGMENT(ss),
    SEGMENT(ds),
    SEGMENT(fs),
    SEGMENT(gs),
    ON(guest_vcpu, cr0),
    ON(guest_vcpu, cr2),
    ON(guest_vcpu, cr3),
    ON(guest_vcpu, cr4),
    ON(guest_vcpu, dr0),
    ON(guest_vcpu, dr1),
    ON(guest_vcpu, dr2),
    ON(guest_vcpu, dr3),
    ON(guest_vcpu, dr6),
    ON(guest_vcpu, dr7),
    TABLE(gdtr),
    TABLE(idtr),
    ON(guest_vcpu, msr.sysenter_cs),
    ON(guest_vcpu, msr.sysenter_eip),
    ON(guest_vcpu, msr.sysenter_esp),
    ON(guest_vcpu, msr.efer),
    ON(guest_vcpu, msr.star),
    ON(guest_vcpu, msr.pat),
    ON(guest_vcpu, msr.lstar),
    ON(guest_vcpu, msr.cstar),
    ON(guest_vcpu, msr.sfmask),
    ON(guest_vcpu, msr.kernel_gs_base),
    SEGMENT(ldtr),
    SEGMENT(tr),
    ON(guest_vcpu, xcr0),
    ON(guest_vcpu, xcr1),
    ON(guest_vcpu, xsave_mask),
    END,
    END_ROWS,
};

static const struct gim_row fpu_rows[] = {
    BEGIN,
    ON(guest_vcpu, fpu.fcw),
    ON(guest_vcpu, fpu.fsw),
    ON(guest_vcpu, fpu.ftw),
    ON(guest_vcpu, fpu.fop),
    ON(guest_vcpu, fpu.ip),
    ON(guest_vcpu, fpu.cs),
    ON(guest_vcpu, fpu.reserved1),
    ON(guest_vcpu, fpu.dp),
    ON(guest_vcpu, fpu.ds),
    ON(guest_vcpu, fpu.reserved2),
    ON(guest_vcpu, fpu.mxcsr),
    ON(guest_vcpu, fpu.mxcsr_mask),
    ON(guest_vcpu, fpu.st),
    ON(guest_vcpu, fpu.xmm),
    ON(guest_vcpu, fpu.reserved3),
    END,
    END_ROWS,
};

static const struct gim_row components_rows[] = {BEGIN, ON(guest_vcpu, xsave.components), END, END_ROWS};
static const struct gim_row ymm_rows[] = {BEGIN, ON(guest_vcpu, xsave.ymm_high), END, END_ROWS};
static const struct gim_row bound_rows[] = {BEGIN, ON(guest_vcpu, xsave.bound), END, END_ROWS};
static const struct gim_row bound_config_rows[] = {BEGIN, ON(guest_vcpu, xsave.bound_config), END, END_ROWS};
static const struct gim_row zmm_high_rows[] = {BEGIN, ON(guest_vcpu, xsave.zmm_high), END, END_ROWS};
static const struct gim_row zmm16_rows[] = {BEGIN, ON(guest_vcpu, xsave.zmm16), END, END_ROWS};

#define MTRR(n) ON(guest_vcpu, msr.mtrr[n].base), ON(guest_vcpu, msr.mtrr[n].mask)

/* 15 words in 5.0, 17 from late 5.2 on, 50 since 7.1. */
static const struct gim_row msr_rows[] = {
    ON(guest_vcpu, msr.tsc_aux),
    ON(guest_vcpu, msr.misc_enable),
    ON(guest_vcpu, msr.mtrr_def_type),
    ON(guest_vcpu, msr.mtrr_fix_64k_00000),
    ON(guest_vcpu, msr.mtrr_fix_16k_80000),
    ON(guest_vcpu, msr.mtrr_fix_16k_a0000),
    ON(guest_vcpu, msr.mtrr_fix_4k_c0000),
    ON(guest_vcpu, msr.mtrr_fix_4k_c8000),
    ON(guest_vcpu, msr.mtrr_fix_4k_d0000),
    ON(guest_vcpu, msr.mtrr_fix_4k_d8000),
    ON(guest_vcpu, msr.mtrr_fix_4k_e0000),
    ON(guest_vcpu, msr.mtrr_fix_4k_e8000),
    ON(guest_vcpu, msr.mtrr_fix_4k_f0000),
    ON(guest_vcpu, msr.mtrr_fix_4k_f8000),
    ON(guest_vcpu, msr.pkg_cst_config_control),
    ON(guest_vcpu, msr.spec_ctrl),
    ON(guest_vcpu, msr.arch_capabilities),
    ON(guest_vcpu, msr.mtrr_cap),
    MTRR(0),
    MTRR(1),
    MTRR(2),
    MTRR(3),
    MTRR(4),
    MTRR(5),
    MTRR(6),
    MTRR(7),
    MTRR(8),
    MTRR(9),
    MTRR(10),
    MTRR(11),
    MTRR(12),
    MTRR(13),
    MTRR(14),
    MTRR(15),
    END_ROWS,
};

/* What stands before the blocks of nested virtualisation. */
static const struct gim_row certain_rows[] = {
    ON_BYTES(guest_vcpu, private.context, CONTEXT_BYTES),
    GROUP(context_rows),
    GROUP(fpu_rows),
    GROUP(components_rows, WHEN(GIM_WHEN_NOT, guest_vcpu, xsave_mask, UINT64_MAX, 0)),
    GROUP(ymm_rows, WHEN(GIM_WHEN_ANY, guest_vcpu, xsave_mask, 1 << 2, 0)),
    GROUP(bound_rows, WHEN(GIM_WHEN_ANY, guest_vcpu, xsave_mask, 1 << 3, 0)),
    GROUP(bound_config_rows, WHEN(GIM_WHEN_ANY, guest_vcpu, xsave_mask, 1 << 4, 0)),
    GROUP(zmm_high_rows, WHEN(GIM_WHEN_ANY, guest_vcpu, xsave_mask, 1 << 6, 0)),
    GROUP(zmm16_rows, WHEN(GIM_WHEN_ANY, guest_vcpu, xsave_mask, 1 << 7, 0)),
    SINCE(21, guest_vcpu, pdpte),
    END_ROWS,
};

static const struct gim_row vcpu_rows[] = {
    GROUP(certain_rows),
    ON(guest_vcpu, private.use_flags),
    ON(guest_vcpu, private.changed_flags),
    WITHIN(vbox, cpum.msr_bytes, msr_rows),
    END_ROWS,
};

static const struct gim_row vcpu_begin_rows[] = {GROUP(certain_rows), STOP(), END_ROWS};

static const struct gim_row leaf_rows[] = {
    ON(guest_cpuid, leaf), ON(guest_cpuid, subleaf), ON(guest_cpuid, subleaf_mask),
    ON(guest_cpuid, eax),  ON(guest_cpuid, ebx),     ON(guest_cpuid, ecx),
    ON(guest_cpuid, edx),  ON(guest_cpuid, flags),   END_ROWS,
};

static const struct gim_row words_rows[] = {
    ON(vbox_words, eax), ON(vbox_words, ebx), ON(vbox_words, ecx), ON(vbox_words, edx), END_ROWS,
};

static const struct gim_row cpuid_rows[] = {
    CONSTANT(4, 32), /* bytes per leaf */
    EACH(guest, cpuid, guest_cpuid, leaf_rows, .count = GIM_COUNT_WIRE),
    ON(guest, cpuid_default.eax),
    ON(guest, cpuid_default.ebx),
    ON(guest, cpuid_default.ecx),
    ON(guest, cpuid_default.edx),
    EACH(vbox, cpum.host_standard, vbox_words, words_rows, .count = GIM_COUNT_WIRE),
    EACH(vbox, cpum.host_extended, vbox_words, words_rows, .count = GIM_COUNT_WIRE),
    END_ROWS,
};

static const struct gim_row cpum_rows[] = {
    SINCE(24, vbox, cpum.svm),
    SINCE(24, vbox, cpum.vmx),
    ON(guest, vcpus),
    ON(vbox, cpum.msr_bytes),
    EACH(guest, vcpu, guest_vcpu, vcpu_rows, COUNTED_BY(guest, vcpus)),
    GROUP(cpuid_rows),
    END_ROWS,
};

/* With nested virtualisation the length of a vCPU's data is not known: the first one's beginning is all that is certain. */
static const struct gim_row cpum_begin_rows[] = {
    SINCE(24, vbox, cpum.svm),
    SINCE(24, vbox, cpum.vmx),
    ON(guest, vcpus),
    ON(vbox, cpum.msr_bytes),
    EACH(guest, vcpu, guest_vcpu, vcpu_begin_rows, COUNTED_BY(guest, vcpus)),
    END_ROWS,
};

static const struct gim_row cpum_live_rows[] = {
    SINCE(24, vbox, cpum.svm),
    SINCE(24, vbox, cpum.vmx),
    GROUP(cpuid_rows),
    END_ROWS,
};

/* tm */
static const struct gim_row tsc_rows[] = {ON(guest_vcpu, tsc), END_ROWS};
static const struct gim_row tm_rows[] = {
    ON(vbox, tm.virtual_hz),
    ON(guest, virtual_ns),
    ON(guest, virtual_sync_ns),
    ON(vbox, tm.sync_offset_ns),
    ON(vbox, tm.sync_given_up_ns),
    ON(vbox, tm.catchup_previous_ns),
    ON(vbox, tm.catchup),
    ON(vbox, tm.real_hz),
    EACH(guest, vcpu, guest_vcpu, tsc_rows, .count = GIM_COUNT_REST),
    ON(guest, tsc_hz),
    END_ROWS,
};

/* vmm: a flag for every vCPU but the first. */
static const struct gim_row started_rows[] = {ON(guest_vcpu, started), END_ROWS};
static const struct gim_row vmm_rows[] = {
    EACH(guest, vcpu, guest_vcpu, started_rows, .count = GIM_COUNT_REST, .first = 1),
    CONSTANT(4, UINT32_MAX),
    END_ROWS,
};

/* em: until 2 only a flag */
static const struct gim_row run_rows[] = {
    ON(guest_vcpu, run.reserved),          SINCE(3, guest_vcpu, run.state),       SINCE(4, guest_vcpu, run.mwait_flags),
    SINCE(4, guest_vcpu, run.mwait_rax),   SINCE(4, guest_vcpu, run.mwait_rcx),   SINCE(4, guest_vcpu, run.monitor_rax),
    SINCE(4, guest_vcpu, run.monitor_rcx), SINCE(4, guest_vcpu, run.monitor_rdx), END_ROWS,
};
static const struct gim_row em_rows[] = {EACH(guest, vcpu, guest_vcpu, run_rows, .count = GIM_COUNT_REST), END_ROWS};

/* trpm */
static const struct gim_row event_rows[] = {
    ON(guest_vcpu, event.vector),
    ON(guest_vcpu, event.type),
    ON(guest_vcpu, event.error_code),
    ON(guest_vcpu, event.address),
    ON(guest_vcpu, event.instruction_bytes),
    ON(guest_vcpu, event.icebp),
    END_ROWS,
};
static const struct gim_row trpm_rows[] = {EACH(guest, vcpu, guest_vcpu, event_rows, .count = GIM_COUNT_REST), END_ROWS};

/* Until 6.0, with what raw mode needed. */
static const struct gim_row event_raw_rows[] = {
    ON(guest_vcpu, event.vector),
    ON(guest_vcpu, event.type),
    ON(guest_vcpu, event.error_code),
    ON(guest_vcpu, event.error_code_high),
    ON(guest_vcpu, event.address),
    ON_BYTES(guest_vcpu, private.trpm, 36),
    END_ROWS,
};
static const struct gim_row trpm_raw_rows[] = {
    EACH(guest, vcpu, guest_vcpu, event_raw_rows, .count = GIM_COUNT_CODEC),
    REST(vbox, trap_tables),
    END_ROWS,
};

/* pdm */
static const struct gim_row pending_rows[] = {
    ON(guest_vcpu, pending.apic),
    ON(guest_vcpu, pending.pic),
    SINCE(5, guest_vcpu, pending.nmi),
    SINCE(5, guest_vcpu, pending.smi),
    END_ROWS,
};
static const struct gim_row device_rows[] = {
    ON(vbox_device, index),
    ON(vbox_device, name),
    ON(vbox_device, instance),
    END_ROWS,
};
static const struct gim_row devices_rows[] = {
    EACH(vbox, pdm.device, vbox_device, device_rows, .count = GIM_COUNT_UNTIL, .wire = 4, .value = UINT32_MAX),
    END_ROWS,
};
static const struct gim_row pdm_rows[] = {
    EACH(guest, vcpu, guest_vcpu, pending_rows, .count = GIM_COUNT_CODEC),
    ON(vbox, pdm.dma_pending),
    GROUP(devices_rows),
    END_ROWS,
};

/* pgm: a head, the configuration, and then the pages, which are not for rows. */
static const struct gim_row paging_rows[] = {
    BEGIN,
    ON(guest_vcpu, paging.a20),
    ON(guest_vcpu, paging.a20_mask),
    ON(guest_vcpu, paging.mode),
    SINCE(14, guest_vcpu, paging.pdpt),
    END,
    END_ROWS,
};
/* Until 13: what of the hypervisor's own lay in the guest's address space. Its two addresses are as wide as the producer's pointers. */
static const struct gim_row mapping_rows[] = {
    ON(vbox_mapping, number),
    ON(vbox_mapping, name),
    ON_(vbox_mapping, address, .wire = 4, WHEN_CODEC(VBOX_CODEC_POINTER4, VBOX_CODEC_POINTER4)),
    ON_(vbox_mapping, old_address, .wire = 4, WHEN_CODEC(VBOX_CODEC_POINTER4, VBOX_CODEC_POINTER4)),
    ON_(vbox_mapping, address, WHEN_CODEC(VBOX_CODEC_POINTER4, 0)),
    ON_(vbox_mapping, old_address, WHEN_CODEC(VBOX_CODEC_POINTER4, 0)),
    END_ROWS,
};
static const struct gim_row mappings_rows[] = {
    EACH(vbox, pgm.mapping, vbox_mapping, mapping_rows, .count = GIM_COUNT_UNTIL, .wire = 4, .value = UINT32_MAX),
    END_ROWS,
};
static const struct gim_row rom_rows[] = {
    ON(vbox_rom, id),          ON(vbox_rom, device),  ON(vbox_rom, instance), ON(vbox_rom, region),
    ON(vbox_rom, description), ON_GPA(vbox_rom, gpa), ON(vbox_rom, size),     END_ROWS,
};
static const struct gim_row mmio2_rows[] = {
    ON(vbox_mmio2, id),
    ON(vbox_mmio2, device),
    ON(vbox_mmio2, instance),
    ON(vbox_mmio2, region),
    ON(vbox_mmio2, description),
    ON(vbox_mmio2, size),
    END_ROWS,
};
static const struct gim_row pgm_config_rows[] = {
    SINCE(11, vbox, pgm.hole_bytes),
    SINCE(11, vbox, pgm.ram_bytes),
    EACH(vbox, pgm.rom, vbox_rom, rom_rows, .count = GIM_COUNT_UNTIL, .wire = 1, .value = 0xff),
    EACH(vbox, pgm.mmio2, vbox_mmio2, mmio2_rows, .count = GIM_COUNT_UNTIL, .wire = 1, .value = 0xff),
    END_ROWS,
};
static const struct gim_row pgm_head_rows[] = {
    BEGIN,
    ON(vbox, pgm.mapping_fixed),
    ON(vbox, pgm.mapping_address),
    ON(vbox, pgm.mapping_bytes),
    SINCE(12, vbox, pgm.ballooned_pages),
    END,
    /* The number of vCPUs is not said, but each begins with a marker, which no size of a hole looks like. */
    EACH(guest, vcpu, guest_vcpu, paging_rows, .count = GIM_COUNT_WHILE, .wire = 4, .value = 0x19200102),
    GROUP(mappings_rows, .until = 13),
    END_ROWS,
};
static const struct gim_row pgm_rows[] = {
    GROUP(pgm_head_rows),
    GROUP(pgm_config_rows, WHEN_CODEC(VBOX_CODEC_LIVE, 0)),
    OPEN_END,
    END_ROWS,
};
static const struct gim_row pgm_9_rows[] = {GROUP(pgm_head_rows), OPEN_END, END_ROWS};
static const struct gim_row pgm_live_rows[] = {GROUP(pgm_config_rows), OPEN_END, END_ROWS};

/* apic: the registers stand differently in x2APIC mode, which the base says per vCPU. */
#define X2APIC_MODE 0xc00

static const struct gim_row xapic_head_rows[] = {
    ON_(guest_vcpu, apic.id, .wire = 1),
    ON(guest_vcpu, apic.version),
    ON(guest_vcpu, apic.tpr),
    ON(guest_vcpu, apic.apr),
    ON(guest_vcpu, apic.ppr),
    ON(guest_vcpu, apic.ldr),
    ON(guest_vcpu, apic.dfr),
    END_ROWS,
};
static const struct gim_row x2apic_head_rows[] = {
    ON(guest_vcpu, apic.id),  ON(guest_vcpu, apic.version), ON(guest_vcpu, apic.tpr),
    ON(guest_vcpu, apic.ppr), ON(guest_vcpu, apic.ldr),     END_ROWS,
};
static const struct gim_row expiry_rows[] = {ON(guest_vcpu, apic.timer_expiry), END_ROWS};
static const struct gim_row apic_vcpu_rows[] = {
    ON(guest_vcpu, apic.base),
    ON(guest_vcpu, apic.internal_esr),
    BEGIN,
    GROUP(xapic_head_rows, WHEN(GIM_WHEN_NOT, guest_vcpu, apic.base, X2APIC_MODE, X2APIC_MODE)),
    GROUP(x2apic_head_rows, WHEN(GIM_WHEN_EQUAL, guest_vcpu, apic.base, X2APIC_MODE, X2APIC_MODE)),
    ON(guest_vcpu, apic.svr),
    ON(guest_vcpu, apic.isr),
    ON(guest_vcpu, apic.tmr),
    ON(guest_vcpu, apic.irr),
    ON(guest_vcpu, apic.esr),
    ON(guest_vcpu, apic.icr_low),
    ON(guest_vcpu, apic.icr_high),
    ON(guest_vcpu, apic.lvt_timer),
    ON(guest_vcpu, apic.lvt_thermal),
    ON(guest_vcpu, apic.lvt_performance),
    ON(guest_vcpu, apic.lvt_lint0),
    ON(guest_vcpu, apic.lvt_lint1),
    ON(guest_vcpu, apic.lvt_error),
    ON(guest_vcpu, apic.timer_initial_count),
    ON(guest_vcpu, apic.timer_current_count),
    ON(guest_vcpu, apic.timer_divide),
    END,
    ON(guest_vcpu, apic.timer_start),
    ON(guest_vcpu, apic.timer_state),
    GROUP(expiry_rows, WHEN(GIM_WHEN_EQUAL, guest_vcpu, apic.timer_state, 0xff, 7)),
    GROUP(expiry_rows, WHEN(GIM_WHEN_EQUAL, guest_vcpu, apic.timer_state, 0xff, 8)),
    SINCE(5, guest_vcpu, apic.lint0),
    SINCE(5, guest_vcpu, apic.lint1),
    END_ROWS,
};
static const struct gim_row apic_rows[] = {
    ON(vbox, apic.vcpus),
    ON(vbox, apic.io_apic),
    ON(vbox, apic.max_mode),
    EACH(guest, vcpu, guest_vcpu, apic_vcpu_rows, COUNTED_BY(vbox, apic.vcpus)),
    END_ROWS,
};

/* Until 5.0: the registers' contents, one by one. */
#define VECTORS(n) ON(guest_vcpu, apic.isr[n]), ON(guest_vcpu, apic.tmr[n]), ON(guest_vcpu, apic.irr[n])
static const struct gim_row apic_old_vcpu_rows[] = {
    ON_(guest_vcpu, apic.base, .wire = 4),
    ON_(guest_vcpu, apic.id, .wire = 1, .until = 1),
    ON_(guest_vcpu, apic.physical_id, .wire = 1, .until = 1),
    SINCE(2, guest_vcpu, apic.id),
    SINCE(2, guest_vcpu, apic.physical_id),
    SINCE(2, guest_vcpu, apic.arbitration_id),
    ON_(guest_vcpu, apic.tpr, .wire = 4),
    ON(guest_vcpu, apic.svr),
    ON(guest_vcpu, apic.logical_id),
    ON(guest_vcpu, apic.destination_model),
    VECTORS(0),
    VECTORS(1),
    VECTORS(2),
    VECTORS(3),
    VECTORS(4),
    VECTORS(5),
    VECTORS(6),
    VECTORS(7),
    ON(guest_vcpu, apic.lvt_timer),
    ON(guest_vcpu, apic.lvt_thermal),
    ON(guest_vcpu, apic.lvt_performance),
    ON(guest_vcpu, apic.lvt_lint0),
    ON(guest_vcpu, apic.lvt_lint1),
    ON(guest_vcpu, apic.lvt_error),
    ON(guest_vcpu, apic.esr),
    ON(guest_vcpu, apic.icr_low),
    ON(guest_vcpu, apic.icr_high),
    ON(guest_vcpu, apic.timer_divide),
    ON(guest_vcpu, apic.timer_shift),
    ON(guest_vcpu, apic.timer_initial_count),
    ON(guest_vcpu, apic.timer_start),
    ON(guest_vcpu, apic.timer_next),
    ON(guest_vcpu, apic.timer_state),
    GROUP(expiry_rows, WHEN(GIM_WHEN_EQUAL, guest_vcpu, apic.timer_state, 0xff, 7)),
    GROUP(expiry_rows, WHEN(GIM_WHEN_EQUAL, guest_vcpu, apic.timer_state, 0xff, 8)),
    END_ROWS,
};
static const struct gim_row apic_old_rows[] = {
    SINCE(3, vbox, apic.vcpus),
    SINCE(3, vbox, apic.io_apic),
    SINCE(3, vbox, apic.max_mode),
    EACH(guest, vcpu, guest_vcpu, apic_old_vcpu_rows, .count = GIM_COUNT_CODEC),
    END_ROWS,
};

/* ConsoleData: shared folders; since 0x00010002 with a mount point. */
static const struct gim_row folder_rows[] = {
    ON(vbox_folder, name_size),
    ON(vbox_folder, name),
    ON(vbox_folder, path_size),
    ON(vbox_folder, path),
    ON(vbox_folder, writable),
    ON(vbox_folder, auto_mount),
    END_ROWS,
};
static const struct gim_row folder_mount_rows[] = {
    GROUP(folder_rows),
    ON(vbox_folder, mount_point_size),
    ON(vbox_folder, mount_point),
    END_ROWS,
};
static const struct gim_row console_old_rows[] = {EACH(vbox, folder, vbox_folder, folder_rows, .count = GIM_COUNT_WIRE), END_ROWS};
static const struct gim_row console_rows[] = {EACH(vbox, folder, vbox_folder, folder_mount_rows, .count = GIM_COUNT_WIRE), END_ROWS};

/* DisplayData */
static const struct gim_row monitor_rows[] = {
    ON(vbox_monitor, offset), ON(vbox_monitor, max_size), ON(vbox_monitor, info_size),
    ON(vbox_monitor, width),  ON(vbox_monitor, height),   ON(vbox_monitor, x),
    ON(vbox_monitor, y),      ON(vbox_monitor, flags),    END_ROWS,
};
static const struct gim_row display_rows[] = {
    EACH(vbox, display.monitor, vbox_monitor, monitor_rows, .count = GIM_COUNT_WIRE),
    ON(vbox, display.input_x),
    ON(vbox, display.input_y),
    ON(vbox, display.input_width),
    ON(vbox, display.input_height),
    ON(vbox, display.guest_caps),
    ON(vbox, display.cursor_caps),
    END_ROWS,
};

/* DisplayScreenshot: a size of 8 or less stands for no picture, and nothing follows. */
static const struct gim_row image_rows[] = {
    ON(vbox_screenshot, width),
    ON(vbox_screenshot, height),
    REST(vbox_screenshot, image),
    END_ROWS,
};
static const struct gim_row screenshot_rows[] = {
    ON(vbox_screenshot, size),
    ON(vbox_screenshot, type),
    WITHIN(vbox_screenshot, size, image_rows, WHEN(GIM_WHEN_ABOVE, vbox_screenshot, size, 0, 8)),
    END_ROWS,
};
static const struct gim_row screenshots_rows[] = {
    EACH(vbox, display.screenshot, vbox_screenshot, screenshot_rows, .count = GIM_COUNT_WIRE),
    END_ROWS,
};

static const struct gim_frame frames[] = {
    {.name = "SSM", .instance = 0, .first = 1, .last = 1, .rows = ssm_rows},
    {.name = "HWACCM", .instance = 0, .first = 6, .last = 6, .rows = hm_rows},
    {.name = "mm", .instance = 1, .first = 2, .last = 2, .rows = mm_rows},
    {.name = "cpum", .instance = 1, .first = 17, .last = 24, .rows = cpum_rows},
    {.name = "cpum", .instance = 1, .first = 18, .last = 24, .rows = cpum_begin_rows},
    {.name = "cpum", .instance = 1, .first = 17, .last = 24, .flags = VBOX_FRAME_LIVE, .rows = cpum_live_rows},
    {.name = "cpum", .instance = 1, .first = 17, .last = 24, .flags = VBOX_FRAME_TAIL, .rows = cpuid_rows},
    {.name = "pgm", .instance = 1, .first = 10, .last = 14, .rows = pgm_rows},
    {.name = "pgm", .instance = 1, .first = 10, .last = 14, .flags = VBOX_FRAME_LIVE, .rows = pgm_live_rows},
    {.name = "tm", .instance = 1, .first = 3, .last = 3, .rows = tm_rows},
    {.name = "vmm", .instance = 1, .first = 4, .last = 4, .rows = vmm_rows},
    {.name = "trpm", .instance = 1, .first = 9, .last = 9, .rows = trpm_raw_rows},
    {.name = "trpm", .instance = 1, .first = 10, .last = 11, .rows = trpm_rows},
    {.name = "em", .instance = 0, .first = 2, .last = 5, .rows = em_rows},
    {.name = "GCM", .instance = 0, .first = 1, .last = 1, .rows = gcm_rows},
    {.name = "apic", .instance = 0, .first = 1, .last = 3, .rows = apic_old_rows},
    {.name = "apic", .instance = 0, .first = 4, .last = 5, .rows = apic_rows},
    {.name = "pdm", .instance = 1, .first = 3, .last = 3, .rows = pdm_rows},
    {.name = "pdm", .instance = 1, .first = 5, .last = 5, .rows = pdm_rows},
    {.name = "pdm", .instance = 1, .first = 5, .last = 5, .flags = VBOX_FRAME_LIVE, .rows = devices_rows},
    {.name = "ConsoleData", .instance = 0, .first = 0x10001, .last = 0x10001, .rows = console_old_rows},
    {.name = "ConsoleData", .instance = 0, .first = 0x10002, .last = 0x10002, .rows = console_rows},
    {.name = "DisplayData", .instance = 0, .first = 0x10005, .last = 0x10005, .rows = display_rows},
    {.name = "DisplayScreenshot", .instance = 1100, .first = 0x10001, .last = 0x10001, .rows = screenshots_rows},
};

const struct gim_frame vbox_pgm_9 = {.name = "pgm", .instance = 1, .first = 9, .last = 9, .rows = pgm_9_rows};

const struct gim_layout vbox_layout_units = {
    .name = "vbox-units",
    .format = "vbox",
    .frames = frames,
    .frame_count = sizeof(frames) / sizeof(frames[0]),
};

const struct gim_layout *const vbox_layouts[] = {&vbox_layout_units, NULL};
