/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of saved states, one a row, each with the status that VirtualBox's loader gives where it looks. */
#include "vbox/rules.h"

#include "status.h"

#include <stddef.h>

#define NO_STATUS 0, NULL

/* What is the same for many. */
#define SOURCE .source = "VirtualBox's saved-state format and its loader"
#define AGAIN "take the file again from where it was made, or from a backup, and see whether verify finds that one whole"
#define DAMAGED .why = "VirtualBox goes through the file in this order and refuses it here", .mend = AGAIN, SOURCE
#define MAGIC                                                                                                                              \
	.why = "VirtualBox takes the file for something else",                                                                             \
	.mend = "see what the file is: a state may be compressed, or encrypted by VirtualBox 7", SOURCE
#define TOOLS                                                                                                                              \
	.tools = true, .why = "VirtualBox loads the state, but tools that look single units up miss them",                                 \
	.mend = "nothing, to load it; a state that VirtualBox saves again has a sound directory", SOURCE
#define NO_END                                                                                                                             \
	.why = "VirtualBox's loader expects a unit or the end of units, and refuses the directory that it finds",                          \
	.mend = "write the state by VirtualBox's savestate, not by a tool that writes single units", SOURCE
#define UNREAD .why = "what the unit holds cannot be shown or judged, and is left out", .mend = AGAIN, SOURCE
#define UNKNOWN .why = "a newer release may have written it; what is not known is not judged", .mend = "look for a newer gimstate", SOURCE
#define PAYLOAD                                                                                                                            \
	.why = "the unit's loader in VirtualBox reads another number of bytes than there are, and the load fails",                         \
	.mend = "load it by the release that wrote the state; where that fails too, the file is damaged: " AGAIN, SOURCE

const struct gim_rule vbox_rules[VBOX_RULES] = {
    /* The file header. */
    [SSM_MAGIC] = {"SSM-MAGIC", GIM_ERROR, GIM_E_FORMAT, STATUS(VERR_SSM_INTEGRITY_MAGIC), "the file begins with a saved state's magic",
                   MAGIC},
    [SSM_VERSION] = {"SSM-VERSION", GIM_ERROR, GIM_E_VERSION, STATUS(VERR_SSM_INTEGRITY_VERSION),
                     "the container version is 1.1, 1.2 or 2.0", MAGIC},
    [SSM_HEADER_END] = {"SSM-HEADER-END", GIM_ERROR, GIM_E_TRUNCATED, STATUS(VERR_EOF), "the file header is whole", DAMAGED},
    [SSM_HEADER_CRC] = {"SSM-HEADER-CRC", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_CRC),
                        "the file header has the CRC that it says", DAMAGED},
    [SSM_HEADER_FLAGS] = {"SSM-HEADER-FLAGS", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY),
                          "the file header's reserved bits are zero, and its block size is possible", DAMAGED},
    [SSM_PRODUCT] = {"SSM-PRODUCT", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_VBOX_VERSION), "the product's version is possible",
                     DAMAGED},
    [SSM_HOST] = {"SSM-HOST", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_HEADER),
                  "the host's bits and the sizes of addresses are possible", DAMAGED},

    /* The footer. */
    [SSM_FOOTER] = {"SSM-FOOTER", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_FOOTER), "a sound footer ends the file", DAMAGED},
    [SSM_FOOTER_CRC] = {"SSM-FOOTER-CRC", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_CRC), "the footer has the CRC that it says",
                        DAMAGED},
    [SSM_STREAM_CRC] = {"SSM-STREAM-CRC", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_CRC),
                        "the file up to the footer has the CRC that the footer says", DAMAGED},

    /* Units. */
    [SSM_END_OF_FILE] = {"SSM-END-OF-FILE", GIM_ERROR, GIM_E_TRUNCATED, STATUS(VERR_EOF), "the file does not end within a structure",
                         DAMAGED},
    [SSM_UNIT_MAGIC] = {"SSM-UNIT-MAGIC", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_UNIT_MAGIC),
                        "a unit, or the end of units, follows a unit", DAMAGED},
    [SSM_UNIT_NAME] = {"SSM-UNIT-NAME", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_UNIT),
                       "a unit's name has at most 47 bytes and is terminated", DAMAGED},
    [SSM_UNIT_NAMELESS] = {"SSM-UNIT-NAMELESS", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY), "a unit has a name", DAMAGED},
    [SSM_UNIT_CRC] = {"SSM-UNIT-CRC", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_CRC), "a unit's header has the CRC that it says",
                      DAMAGED},
    [SSM_UNIT_OFFSET] = {"SSM-UNIT-OFFSET", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_UNIT),
                         "a unit's header says its own offset", DAMAGED},
    [SSM_UNIT_RUNNING_CRC] = {"SSM-UNIT-RUNNING-CRC", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_UNIT),
                              "the file up to a unit has the CRC that the unit's header says", DAMAGED},
    [SSM_UNIT_FLAGS] = {"SSM-UNIT-FLAGS", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_UNIT), "a unit's flags are zero", DAMAGED},
    [SSM_END_UNIT] = {"SSM-END-UNIT", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_UNIT),
                      "the header that ends the units holds nothing else", DAMAGED},
    [SSM_NO_END_UNIT] = {"SSM-NO-END-UNIT", GIM_WARNING, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_UNIT_MAGIC),
                         "the end of units is marked; VirtualBox's own tools that write units one by one leave it out", NO_END},

    /* Records. */
    [SSM_RECORD] = {"SSM-RECORD", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_REC_HDR),
                    "a record's type, flags and size are well formed", DAMAGED},
    [SSM_RECORD_NAMED] = {"SSM-RECORD-NAMED", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_BAD_REC_TYPE), "there are no named records",
                          DAMAGED},
    [SSM_UNPACK] = {"SSM-UNPACK", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_DECOMPRESSION),
                    "a packed record expands to the size that it says", DAMAGED},
    [SSM_TERMINATOR] = {"SSM-TERMINATOR", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_REC_TERM),
                        "a unit's terminator is well formed and says the unit's size", DAMAGED},
    [SSM_TERMINATOR_CRC] = {"SSM-TERMINATOR-CRC", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_REC_TERM_CRC),
                            "the file up to a terminator has the CRC that the terminator says", DAMAGED},

    /* The directory. */
    [SSM_DIRECTORY_MAGIC] = {"SSM-DIRECTORY-MAGIC", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_DIR_MAGIC),
                             "the directory follows the units", DAMAGED},
    [SSM_DIRECTORY_CRC] = {"SSM-DIRECTORY-CRC", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_CRC),
                           "the directory has the CRC that it says", DAMAGED},
    [SSM_DIRECTORY_COUNT] = {"SSM-DIRECTORY-COUNT", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_DIR),
                             "the directory has fewer than 65536 entries, as many as the footer says", DAMAGED},
    [SSM_DIRECTORY_OFFSET] = {"SSM-DIRECTORY-OFFSET", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_DIR),
                              "the directory's entries point to units", DAMAGED},
    [SSM_DIRECTORY_ENTRY] = {"SSM-DIRECTORY-ENTRY", GIM_WARNING, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_UNIT),
                             "a directory entry's unit stands where it says; VirtualBox looks only when it reads single units", TOOLS},
    [SSM_DIRECTORY_NAME] = {"SSM-DIRECTORY-NAME", GIM_WARNING, GIM_E_CORRUPT, STATUS(VERR_SSM_UNIT_NOT_FOUND),
                            "a directory entry has its unit's name; VirtualBox looks only when it reads single units", TOOLS},
    [SSM_DIRECTORY_MISSING] = {"SSM-DIRECTORY-MISSING", GIM_WARNING, GIM_E_CORRUPT, STATUS(VERR_SSM_UNIT_NOT_FOUND),
                               "the directory lists every final unit; VirtualBox looks only when it reads single units", TOOLS},

    /* The old containers 1.1 and 1.2. */
    [SSM1_UUID] = {"SSM1-UUID", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SMM_INTEGRITY_MACHINE), "the machine's UUID is nil", DAMAGED},
    [SSM1_SIZE] = {"SSM1-SIZE", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_SIZE), "the file is as long as its header says",
                   DAMAGED},
    [SSM1_CRC] = {"SSM1-CRC", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_SSM_INTEGRITY_CRC),
                  "the file, but for its last bytes, has the CRC that its header says", DAMAGED},
    [SSM1_UNIT_SIZE] = {"SSM1-UNIT-SIZE", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_EOF), "a unit ends within the file", DAMAGED},
    [SSM1_METHOD] = {"SSM1-METHOD", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_GENERAL_FAILURE),
                     "a unit's data begin with a known compression method", DAMAGED},
    [SSM1_UNSUPPORTED] = {"SSM1-UNSUPPORTED", GIM_ERROR, GIM_E_UNSUPPORTED, NO_STATUS,
                          "a unit is stored, or compressed by zlib or LZF, as releases wrote it", UNREAD},
    [SSM1_DATA] = {"SSM1-DATA", GIM_ERROR, GIM_E_CORRUPT, STATUS(VERR_GENERAL_FAILURE), "compressed data expand to the size that they say",
                   DAMAGED},

    /* What units hold. */
    [UNIT_DAMAGED] = {"UNIT-DAMAGED", GIM_ERROR, GIM_E_CORRUPT, NO_STATUS, "a unit that was asked for can be read and decoded", UNREAD},
    [UNIT_SKIPPED] = {"UNIT-SKIPPED", GIM_WARNING, GIM_E_CORRUPT, NO_STATUS,
                      "a unit that helps to understand others can be read and decoded", UNREAD},
    [UNIT_UNDECODED] = {"UNIT-UNDECODED", GIM_NOTE, GIM_E_CORRUPT, NO_STATUS, "all of a known unit is decoded", UNKNOWN},
    [UNIT_VERSION] = {"UNIT-VERSION", GIM_NOTE, GIM_E_VERSION, NO_STATUS, "a known unit has a known version", UNKNOWN},
    [UNIT_TEXT] = {"UNIT-TEXT", GIM_ERROR, GIM_E_LIMIT, STATUS(VERR_TOO_MUCH_DATA), "a text fits into the loader's buffer", PAYLOAD},
    [UNIT_SHORT] = {"UNIT-SHORT", GIM_WARNING, GIM_E_TRUNCATED, STATUS(VERR_SSM_LOADED_TOO_MUCH), "a unit holds all that its loader reads",
                    PAYLOAD},
    [UNIT_LONG] = {"UNIT-LONG", GIM_WARNING, GIM_E_CORRUPT, STATUS(VERR_SSM_LOADED_TOO_LITTLE),
                   "a unit holds nothing that its loader does not read", PAYLOAD},
    [UNIT_PASS] = {"UNIT-PASS", GIM_WARNING, GIM_E_CORRUPT, STATUS(VERR_SSM_LOADED_TOO_LITTLE),
                   "a unit without live data is in the final pass only", PAYLOAD},
    [PROVIDER_DEVICE] = {"PROVIDER-DEVICE", GIM_WARNING, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH),
                         "the device list has GIMDev exactly when there is a provider",
                         .why = "VirtualBox compares the list with the VM's devices, and refuses one too many or too few",
                         .mend = "keep the provider", SOURCE},
    [PROVIDER_RANGE] = {"PROVIDER-RANGE", GIM_WARNING, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH),
                        "ranges of memory of GIMDev are those that its provider has",
                        .why = "VirtualBox refuses a range that the VM's device does not have", .mend = "keep the provider", SOURCE},
    [PROVIDER_LEAVES] = {"PROVIDER-LEAVES", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the saved CPUID leaves are the provider's",
                         .why = "the guest goes on with the interface that it sees by CPUID", .mend = "keep the provider", SOURCE},
    [RELEASE_UNIT] = {"RELEASE-UNIT", GIM_WARNING, GIM_E_VERSION, STATUS(VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION),
                      "the release loads every unit's version", .why = "VirtualBox refuses a unit in a version that it does not know",
                      .mend = "restore the state by a release that loads it; only the guest interface is converted", SOURCE},
    [RELEASE_UNKNOWN] = {"RELEASE-UNKNOWN", GIM_NOTE, GIM_E_VERSION, NO_STATUS, "it is known which releases load every unit's version",
                         .why = "what is not known may be refused", .mend = "try it", SOURCE},
    [SSM_MANY] = {"SSM-MANY", GIM_ERROR, GIM_E_LIMIT, NO_STATUS, "there are at most 1000 findings; the rest of the file is not looked at",
                  DAMAGED},
};
