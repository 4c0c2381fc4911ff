/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of migration streams, one a row; texts say what QEMU answers where it looks. */
#include "qemu/rules.h"

#include <stddef.h>

#define NO_STATUS 0, NULL
#define SOURCE .source = "QEMU's migration stream and its loader"
#define AGAIN "take the file again from where it was made, or from a backup, and see whether verify finds that one whole"
#define DAMAGED .why = "QEMU goes through the stream in this order and ends the load here", .mend = AGAIN, SOURCE
#define ACCEPTED(why_, mend_) .why = why_, .mend = mend_, SOURCE

const struct gim_rule qemu_rules[QEMU_RULES] = {
    [QEMU_MAGIC] = {"GIM-QEMU-MAGIC", GIM_ERROR, GIM_E_FORMAT, NO_STATUS, "the stream begins with QEVM",
                    .why = "QEMU says \"Not a migration stream\"", .mend = "see what the file is", SOURCE},
    [QEMU_VERSION] = {"GIM-QEMU-VERSION", GIM_ERROR, GIM_E_VERSION, NO_STATUS, "the stream has version 3",
                      .why = "QEMU says \"Unsupported migration stream version\", or of version 2 that it is obsolete",
                      .mend = "see who wrote the stream: no QEMU of the last fifteen years did", SOURCE},
    [QEMU_CONFIGURATION] = {"GIM-QEMU-CONFIGURATION", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "the configuration is well formed", DAMAGED},
    [QEMU_END_OF_FILE] = {"GIM-QEMU-END-OF-FILE", GIM_ERROR, GIM_E_TRUNCATED, NO_STATUS, "the stream does not end before its end mark",
                          DAMAGED},
    [QEMU_ELEMENT] = {"GIM-QEMU-ELEMENT", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "a section, a command or the end follows a section",
                      .why = "QEMU says \"Unknown savevm section type\"", .mend = AGAIN, SOURCE},
    [QEMU_SECTION_ID] = {"GIM-QEMU-SECTION-ID", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "a section that goes on was begun before",
                         .why = "QEMU says \"Unknown savevm section\"", .mend = AGAIN, SOURCE},
    [QEMU_COMMAND] = {"GIM-QEMU-COMMAND", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "a command is known and has its length",
                      .why = "QEMU says \"received with bad length\" or \"unknown\"", .mend = AGAIN, SOURCE},
    [QEMU_FOOTER] = {"GIM-QEMU-FOOTER", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "a footer ends each section",
                     .why = "QEMU says \"Missing section footer\"", .mend = AGAIN, SOURCE},
    [QEMU_FOOTER_ID] = {"GIM-QEMU-FOOTER-ID", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "a section's footer has the section's number",
                        .why = "QEMU says \"Mismatched section id in footer\"", .mend = AGAIN, SOURCE},
    [QEMU_SECTION_VERSION] = {"GIM-QEMU-SECTION-VERSION", GIM_ERROR, GIM_E_VERSION, NO_STATUS, "a section has a version that QEMU loads",
                              .why = "QEMU says \"unsupported version\" of a newer one, \"too old\" of an older one",
                              .mend = "see who wrote the stream: no release of QEMU did", SOURCE},
    [QEMU_SUBSECTION] =
	{"GIM-QEMU-SUBSECTION", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "a section's subsections are known ones",
         .why = "QEMU ends the load: newer ones say that the subsection does not exist, older ones only \"No such file or directory\"",
         .mend = "load it by the QEMU that wrote it, or by a newer one", SOURCE},
    [QEMU_SUBSECTION_VERSION] = {"GIM-QEMU-SUB-VERSION", GIM_ERROR, GIM_E_VERSION, NO_STATUS, "a subsection has a version that QEMU loads",
                                 .why = "QEMU says that it is too new, or too old",
                                 .mend = "see who wrote the stream: no release of QEMU did", SOURCE},
    [QEMU_SECTION_SIZE] = {"GIM-QEMU-SECTION-SIZE", GIM_WARNING, GIM_E_CORRUPT, NO_STATUS,
                           "a section has the bytes that the description says",
                           ACCEPTED("QEMU does not read the description, but who does so finds other sections than there are",
                                    "nothing, to load it; a stream that QEMU saves again has a sound description")},
    [QEMU_RAM_FLAGS] = {"GIM-QEMU-RAM-FLAGS", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "a RAM record is of a known kind",
                        .why = "QEMU says \"Unknown combination of migration flags\"", .mend = AGAIN, SOURCE},
    [QEMU_RAM_BLOCK] = {"GIM-QEMU-RAM-BLOCK", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "a RAM record belongs to a block that the stream lists",
                        .why = "QEMU says \"Can't find block\"", .mend = AGAIN, SOURCE},
    [QEMU_RAM_PAGE] = {"GIM-QEMU-RAM-PAGE", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "a RAM record's page lies inside its block",
                       .why = "QEMU says \"Illegal RAM offset\"", .mend = AGAIN, SOURCE},
    [QEMU_RAM_MAPPED] = {"GIM-QEMU-RAM-MAPPED", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "the head of mapped RAM points behind itself",
                         DAMAGED},
    [QEMU_RAM_DATA] = {"GIM-QEMU-RAM-DATA", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "a packed page has a possible size", DAMAGED},
    [QEMU_NO_DESCRIPTION] = {"GIM-QEMU-NO-DESCRIPTION", GIM_NOTE, GIM_E_CORRUPT, NO_STATUS, "a description of the sections follows the end",
                             ACCEPTED("QEMU says \"Expected vmdescription section\" and goes on; only known sections can be shown",
                                      "nothing; machines with suppress-vmdesc=on leave it out")},
    [QEMU_DESCRIPTION] = {"GIM-QEMU-DESCRIPTION", GIM_WARNING, GIM_E_CORRUPT, NO_STATUS,
                          "the description is well formed and fits the sections",
                          ACCEPTED("QEMU does not read it, but who does so cannot tell the sections", "nothing, to load it")},
    [QEMU_TRAILING] = {"GIM-QEMU-TRAILING", GIM_WARNING, GIM_E_CORRUPT, NO_STATUS, "nothing follows the stream's end",
                       ACCEPTED("QEMU does not look, but who searches the description from the end does not find it",
                                "see what appended it; a program that copies a device by blocks does")},
    [QEMU_REENLIGHTENMENT] = {"GIM-QEMU-REENLIGHT", GIM_WARNING, GIM_E_VALUE, NO_STATUS,
                              "re-enlightenment notifications are off, or the target names its TSC frequency",
                              .why = "QEMU says \"Guest enabled re-enlightenment notifications, 'tsc-frequency=' has to be specified\"",
                              .mend = "load it with -cpu …,tsc-frequency=HZ, the frequency that cpu/tsc_khz says", SOURCE},
    [QEMU_NO_KVMCLOCK] = {"GIM-QEMU-NO-KVMCLOCK", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "a guest that uses kvmclock has its section",
                          ACCEPTED("QEMU loads it without a word, and the guest's clock jumps back to when the target was started",
                                   "take the stream again from where it was made, or set kvm.clock_ns")},
    [QEMU_CLOCK_UNRELIABLE] = {"GIM-QEMU-CLOCK-FLAG", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "kvmclock was read from the host, and says so",
                               ACCEPTED("QEMU computes the clock anew from the guest's memory and TSC",
                                        "nothing, where the machine is older than 2.9; else see what removed the subsection")},
    [QEMU_VCPUS_DIFFER] = {"GIM-QEMU-VCPUS-DIFFER", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "all vCPUs say the same of what is the VM's",
                           ACCEPTED("QEMU hands the value of its first vCPU to KVM, or of the last, and the others are lost",
                                    "find out which vCPU was changed")},
    [QEMU_SYNIC_BLOCKS] = {"GIM-QEMU-SYNIC-BLOCKS", GIM_WARNING, GIM_E_VALUE, NO_STATUS,
                           "a guest that uses the synthetic interrupt controller has its pages among the RAM blocks",
                           ACCEPTED(
			       "QEMU loads it without a word where hv-synic is off, and the guest's interrupts and timers are lost",
			       "load it with the enlightenments that it was saved with; a stream of such a VM has the blocks synic-…")},
    [QEMU_UNDECODED] = {"GIM-QEMU-UNDECODED", GIM_NOTE, GIM_E_CORRUPT, NO_STATUS, "what a section holds is described, or in a table",
                        ACCEPTED("its bytes cannot be shown", "nothing; extract gives them")},
    [QEMU_CONFIGURED] = {"GIM-QEMU-CONFIGURED", GIM_WARNING, GIM_E_VALUE, NO_STATUS,
                         "a save image's description of the VM fits the stream in it",
                         ACCEPTED(
			     "libvirt starts QEMU as the description says, which then refuses the stream, or loses state without a word",
			     "see the field libvirt.xml, and mend it with virsh save-image-edit")},
};
