/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of commands, with the options that each takes. */
#include "command.h"
#include "shell.h"

#include <string.h>

#define AT(member) offsetof(struct options, member)
#define JSON                                                                                                                               \
	{                                                                                                                                  \
		"json", 0, AT(json), NULL, "print one JSON document"                                                                       \
	}
#define SNAPSHOT                                                                                                                           \
	{                                                                                                                                  \
		"snapshot", 0, AT(snapshot), "NAME", "the snapshot of that name or id in a disk image, as FILE//NAME"                      \
	}
#define INDEX                                                                                                                              \
	{                                                                                                                                  \
		"index", 0, AT(index), "OUT", "keep where each page is in the file OUT, and find it there the next time"                   \
	}
#define REPORTS                                                                                                                            \
	{"json", 0, AT(json), NULL, "print one JSON document"},                                                                            \
	    {"ndjson", 0, AT(ndjson), NULL, "print a JSON document for each result as it comes, each on a line, then their sum"},          \
	    {"junit", 0, AT(junit), NULL, "print a JUnit report, a test for each state and target"},                                       \
	    {"sarif", 0, AT(sarif), NULL, "print a SARIF 2.1.0 log, for code hosts"},                                                      \
	    {"tap", 0, AT(tap), NULL, "print TAP, a test for each state and target"},                                                      \
	    {"markdown", 0, AT(markdown), NULL, "print a matrix of states and targets, and what was found, in Markdown"},                  \
	    {"html", 0, AT(html), NULL, "print the same as a page for browsers"},                                                          \
	{                                                                                                                                  \
		"notes", 'n', AT(notes), NULL, "show notes, too"                                                                           \
	}
#define RECURSIVE                                                                                                                          \
	{                                                                                                                                  \
		"recursive", 'r', AT(recursive), NULL, "in folders find what begins like a state, links included"                          \
	}
#define END                                                                                                                                \
	{                                                                                                                                  \
		NULL, 0, 0, NULL, NULL                                                                                                     \
	}

static const struct option_row dump_options[] = {
    {"unit", 'u', AT(unit), "NAME[/INST]", "the fields of this unit only; @PASS after it: of that live pass"},
    {"all", 'a', AT(all), NULL, "all units that can be decoded, not the guest interface alone"},
    {"pages", 'p', AT(pages), NULL, "with what the guest interface keeps in guest memory: clocks, hypercall page, messages"},
    {"raw", 0, AT(raw), NULL, "the unit's payload as it is (default unit: GIM)"},
    {"hex", 0, AT(hex), NULL, "the unit's payload in hexadecimal (default unit: GIM)"},
    SNAPSHOT,
    JSON,
    END,
};

static const struct option_row json_options[] = {JSON, END};
static const struct option_row state_options[] = {SNAPSHOT, JSON, END};

static const struct option_row verify_options[] = {
    {"quick", 'q', AT(quick), NULL, "only what opening checks: header, directory and footer"}, RECURSIVE, SNAPSHOT, JSON,
    {"ndjson", 0, AT(ndjson), NULL, "print one JSON document per file, each on a line"},       END,
};

static const struct option_row extract_options[] = {
    {"unit", 'u', AT(unit), "NAME[/INST][@PASS]", "the payload of this unit; its final pass by default"},
    {"field", 0, AT(field), "PATH", "the bytes of this field"},
    {"screenshot", 0, AT(screenshot), NULL, "the screenshot, a PNG image"},
    {"ram", 0, AT(ram), NULL, "guest memory, so that an address is a place in OUT, with holes for zeros; needs -o"},
    {"elf", 0, AT(elf), "OUT", "guest memory with the vCPUs' registers, as an ELF core for debuggers"},
    {"output", 'o', AT(output), "OUT", "write to the file OUT instead of standard output"},
    {"force", 'f', AT(force), NULL, "overwrite OUT"},
    INDEX,
    SNAPSHOT,
    {"json", 0, AT(json), NULL, "print one JSON document about it; needs -o"},
    END,
};

static const struct option_row mem_options[] = {
    {"as", 0, AT(as), "FORM",
     "as hex (the default), strings, u32, u64, disasm, or a structure of a guest interface: pvclock, wall-clock, steal-time, pv-eoi, "
     "async-pf, hypercall-page, tsc-page, sim-page, sief-page"},
    {"bits", 0, AT(bits), "N", "code of 16, 32 or 64 bits; without it what the first vCPU ran"},
    INDEX,
    {"json", 0, AT(json), NULL, "print one JSON document about the memory; without GPA"},
    END,
};

static const struct option_row search_options[] = {
    {"as", 0, AT(as), "FORM", "PATTERN is a text (the default), or utf16, hex, u32, u64; numbers stand at multiples of their size"},
    {"from", 0, AT(from), "GPA", "from this address on"},
    {"to", 0, AT(to), "GPA", "before this address"},
    {"max", 0, AT(max), "N", "at most N places"},
    INDEX,
    JSON,
    END,
};

static const struct option_row set_options[] = {
    {"output", 'o', AT(output), "OUT", "write the changed state to the file OUT"},
    {"from", 0, AT(from), "STATE", "take the whole guest interface from STATE, e.g. what dump --json printed; changes come after that"},
    {"in-place", 'i', AT(in_place), NULL, "change FILE itself"},
    {"force", 'f', AT(force), NULL, "overwrite OUT"},
    {"gim-only", 0, AT(gim_only), NULL, "change feature words in the GIM unit alone, not where CPUID shows them"},
    {"lossy", 0, AT(lossy), NULL, "with --from: also when FILE has no place for some of the values"},
    SNAPSHOT,
    JSON,
    END,
};

static const struct option_row convert_options[] = {
    {"layout", 'l', AT(layout), "NAME", "into this layout, e.g. vbox-hyperv-3; of another interface only with --gim-only"},
    {"to", 't', AT(to), "RELEASE", "into the layout that this release writes, e.g. vbox:5.2"},
    {"container", 'c', AT(container), "VERSION", "into this container: 2.0"},
    {"producer", 0, AT(producer), "VERSIONrREV", "who wrote it, where container 1.1 does not say so (default 2.0.0r1)"},
    {"host-bits", 0, AT(host_bits), "N", "of its host, 32 or 64 (default 64)"},
    {"base", 'b', AT(base), "FILE", "carry the guest interface over into the rest of this state, of any hypervisor; with --gim-only"},
    {"gim-only", 0, AT(gim_only), NULL, "another interface in the GIM unit alone, though other units still have the old one"},
    {"lossy", 0, AT(lossy), NULL, "also when values are lost that the new layout cannot hold"},
    {"dry-run", 'n', AT(dry_run), NULL, "say what would be filled, dropped and lost, and write nothing"},
    {"force", 'f', AT(force), NULL, "overwrite OUT"},
    SNAPSHOT,
    JSON,
    END,
};

static const struct option_row diff_options[] = {
    {"all", 'a', AT(all), NULL, "show also what is no difference: clocks that went on, defaults, how the states are written"},
    {"exact", 'x', AT(exact), NULL, "all of that is a difference too"},
    SNAPSHOT,
    JSON,
    END,
};

static const struct option_row pack_options[] = {
    {"output", 'o', AT(output), "OUT", "write the bundle to the file OUT: .gimb, .zip, .tar, or .tar.gz, .bz2, .xz or .zst"},
    {"with", 'w', AT(with), "NAME[/INST][@PASS]...", "pack this unit beside the guest interface; may be given several times"},
    {"whole", 0, AT(whole), NULL, "pack all of FILE"},
    {"force", 'f', AT(force), NULL, "overwrite OUT"},
    SNAPSHOT,
    JSON,
    END,
};

static const struct option_row unpack_options[] = {
    {"output", 'o', AT(output), "OUT", "write the members into the new folder OUT, or the member to the file OUT"},
    {"member", 'm', AT(member), "NAME", "only this member, e.g. state.sav"},
    {"force", 'f', AT(force), NULL, "overwrite OUT, when it is a file"},
    JSON,
    END,
};

static const struct option_row replay_options[] = {
    {"engine", 'e', AT(engine), "ENGINE",
     "kvm: a VM of /dev/kvm; core: the runtime core alone; auto (the default): kvm where it can be used"},
    {"probe", 'p', AT(probe), "FILE...", "run this probe (gimstate help probe) instead of the built-in ones; may be given several times"},
    {"clock", 0, AT(clock), "kernel|core", "who serves KVM's clock to the guest: the host's kernel, or (the default) the core"},
    {"repeat", 0, AT(repeat), "N", "all of it N times"},
    {"timeout", 0, AT(timeout), "SECONDS", "give a guest up that does not come to an end; 10 where nothing is said, of a kernel 60"},
    {"save-after", 'o', AT(output), "OUT",
     "write the machine's state after the probes to the file OUT; after --resume with its memory, to a bundle"},
    {"layout", 'l', AT(layout), "NAME", "write it as FILE with this guest interface, in this layout, e.g. vbox-hyperv-4"},
    {"force", 'f', AT(force), NULL, "overwrite OUT"},
    {"verbose", 'v', AT(verbose), NULL, "show every operation, not only what failed"},
    {"kernel", 'k', AT(kernel), "IMAGE", "instead of probes boot this kernel, a 32-bit multiboot ELF file, on the state's guest interface"},
    {"append", 'a', AT(append), "TEXT", "the kernel's command line, after its name"},
    {"provider", 0, AT(provider), "NAME", "without FILE: boot on a new guest interface, hyperv, kvm, minimal or none"},
    {"smp", 0, AT(smp), "N", "with so many vCPUs (default: the state's, or 1)"},
    {"mem", 'm', AT(mem), "SIZE", "with so much RAM: MiB, or a number with K, M or G (default: the state's, or 128)"},
    {"for", 0, AT(for_time), "TIME",
     "end the kernel after TIME: seconds, or a number with ms or s; a state with --resume after 1s where nothing is said"},
    {"save-at", 0, AT(save_at), "MS OUT", "after MS milliseconds write the whole machine to OUT, a bundle, and end"},
    {"resume", 0, AT(resume), NULL,
     "go on with the guest itself that FILE holds: a machine that --save-at wrote, or a saved state with memory"},
    {"gdb", 0, AT(gdb), "PORT", "with --resume: the guest waits for a debugger (GDB's target remote) at this TCP port of 127.0.0.1"},
    {"symbols", 0, AT(symbols), "MAP", "with --resume: name where each vCPU came to by this System.map"},
    SNAPSHOT,
    JSON,
    {"junit", 0, AT(junit), NULL, "print a JUnit report, a test for each expectation"},
    {"tap", 0, AT(tap), NULL, "print TAP, a test for each expectation"},
    END,
};

static const struct option_row check_options[] = {
    {"target", 't', AT(target), "TARGET...",
     "what to load into: vbox:7.2, VM.vbox, 'qemu:7.2 -M pc', libvirt:VM.xml, a profile, state:FILE, host; may be repeated"},
    {"strict", 's', AT(strict), NULL, "warnings count as errors do"},
    {"error", 0, AT(error), "RULE...", "this rule's findings are errors"},
    {"ignore", 0, AT(ignore), "RULE...", "leave this rule's findings out"},
    RECURSIVE,
    {"jobs", 'j', AT(jobs), "N", "judge N states at a time; without it as many as there are processors"},
    {"cache", 0, AT(cache), "DIR", "remember findings by content in this folder, and take them from there"},
    {"shard", 0, AT(shard), "K/N", "only the K-th of N parts of the states; every state is in one of them"},
    {"config", 'c', AT(config), "FILE", "the configuration; without it .gimstate.json of this folder"},
    {"write-baseline", 0, AT(write_baseline), "OUT", "write a configuration that accepts all that is found now"},
    {"force", 'f', AT(force), NULL, "overwrite that"},
    SNAPSHOT,
    REPORTS,
    END,
};

static const struct option_row report_options[] = {
    {"html", 0, AT(html), NULL, "print a page for browsers, which needs nothing else"},
    {"svg", 0, AT(svg), NULL, "print the map of the file alone, as an image"},
    SNAPSHOT,
    END,
};

static const struct option_row merge_options[] = {
    {"origin", 'o', AT(origin), NULL, "put the report's name before the states', as web1: for web1.ndjson"},
    REPORTS,
    END,
};

static const struct option_row fields_options[] = {
    {"layout", 'l', AT(layout), "NAME", "only what this layout can hold, e.g. vbox-hyperv-4, or what a release saves, e.g. qemu:7.2"},
    {"against", 0, AT(against), "NAME", "only what one of that layout and this can hold, and the other cannot"},
    JSON,
    END,
};

static const struct option_row shell_options[] = {
    {"command", 'c', AT(command), "COMMAND...", "run this line, and end; may be given several times"},
    {"keep-going", 'k', AT(keep_going), NULL, "go on after a line that fails"},
    SNAPSHOT,
    END,
};

static const struct option_row open_options[] = {
    {"force", 'f', AT(force), NULL, "forget changes that are not saved"},
    SNAPSHOT,
    END,
};

static const struct option_row quit_options[] = {
    {"force", 'f', AT(force), NULL, "forget changes that are not saved"},
    END,
};

static const struct option_row save_options[] = {
    {"force", 'f', AT(force), NULL, "overwrite OUT, or a file that somebody else has changed"},
    END,
};

static const struct option_row stats_options[] = {
    {"all", 'a', AT(all), NULL, "those of value 0, too"},
    END,
};

static const struct option_row no_options[] = {END};

const struct option_row common_options[] = {
    {"sandbox", 0, AT(sandbox), "MODE", "give up all that it does not need: auto (the default), require, or off"},
    END,
};

const struct command commands[] = {
    {"dump", "FILE", "show every field of the guest interface's state", dump_options, 1, 1, run_dump, .implied = 1, .access = ACCESS_NAMED},
    {"info", "FILE", "say on one screen what the state is", state_options, 1, 1, run_info, .implied = 1, .access = ACCESS_NAMED},
    {"units", "FILE", "list the units with their sizes", state_options, 1, 1, run_units, .implied = 1, .access = ACCESS_NAMED},
    {"report", "FILE", "show the state as a page: what it is, its map, its guest interface explained, its vCPUs", report_options, 1, 1,
     run_report, .implied = 1, .access = ACCESS_NAMED},
    {"verify", "FILE...", "check the integrity and report all findings", verify_options, 1, -1, run_verify, .implied = 1,
     .access = ACCESS_NAMED},
    {"extract", "FILE", "give the bytes of a unit or a field, unpacked", extract_options, 1, 1, run_extract, .implied = 1,
     .access = ACCESS_NAMED},
    {"mem", "FILE [GPA] [BYTES]", "say what memory the guest has, or show what is in it, 256 bytes where nothing is said", mem_options, 1,
     3, run_mem, .implied = 1, .access = ACCESS_NAMED},
    {"search", "FILE PATTERN", "find a text, bytes or a number in guest memory", search_options, 2, 2, run_search, .implied = 1,
     .informs = true, .access = ACCESS_NAMED},
    {"get", "FILE PATH...", "print the values of fields", state_options, 2, -1, run_get, .implied = 1, .access = ACCESS_NAMED},
    {"set", "FILE [PATH=VALUE...]", "change fields, and write the state with them", set_options, 1, -1, run_set, .implied = 1,
     .access = ACCESS_COPIES},
    {"convert", "IN [OUT]", "write the state in another layout or container, and say what that changes", convert_options, 1, 2, run_convert,
     .implied = 1, .access = ACCESS_COPIES},
    {"diff", "A B [PATH...]", "compare two states field by field, whatever they are written in", diff_options, 2, -1, run_diff,
     .implied = 2, .informs = true, .access = ACCESS_NAMED},
    {"pack", "FILE", "make a portable bundle of a state, or of its guest interface", pack_options, 1, 1, run_pack, .implied = 1,
     .access = ACCESS_COPIES},
    {"unpack", "BUNDLE", "check a bundle, and write its members as files", unpack_options, 1, 1, run_unpack, .needs = NEEDS_NOTHING,
     .access = ACCESS_NAMED},
    {"check", "STATE...", "say whether states load into a target and run there, and why not", check_options, 1, -1, run_check, .implied = 1,
     .access = ACCESS_AROUND},
    {"merge", "REPORT...", "join reports of check (--ndjson or --json) into one, in any form", merge_options, 1, -1, run_merge,
     .needs = NEEDS_NOTHING, .access = ACCESS_COPIES},
    {"profile", "TARGET", "print a target as a profile, to keep and to check against", json_options, 1, 1, run_profile,
     .needs = NEEDS_NOTHING, .access = ACCESS_AROUND},
    {"rules", "[ID]", "list the rules that states are judged by, or explain one", json_options, 0, 1, run_rules, .needs = NEEDS_NOTHING,
     .access = ACCESS_NAMED},
    {"replay", "[FILE]", "bring the state to life in a machine, run probes on it, and say whether it is what it was", replay_options, 0, 1,
     run_replay, .implied = 1, .access = ACCESS_MACHINE},
    {"shell", "[FILE]", "hold a state in memory, and run commands on it: typed, from a script, or given", shell_options, 0, 1, run_shell,
     .needs = NEEDS_NOTHING, .access = ACCESS_SESSION},
    {"fields", "[PATH]", "list the fields that exist, and the names of their bits and values", fields_options, 0, 1, run_fields,
     .needs = NEEDS_NOTHING, .access = ACCESS_NAMED},
    {"help", "[COMMAND]", "explain a command, or the language of probes (help probe)", no_options, 0, 1, run_help, .needs = NEEDS_NOTHING,
     .access = ACCESS_NAMED},
    {"complete", "LINE", "print what can stand at the end of a command line, for completions of shells", no_options, 1, 1, run_complete,
     .needs = NEEDS_NOTHING, .hidden = true, .access = ACCESS_AROUND},
    {"open", "FILE", "hold this state", open_options, 1, 1, run_open, .needs = NEEDS_SHELL},
    {"save", "[OUT]", "write the state as it is now, to its file or to another one, which it is from then on", save_options, 0, 1, run_save,
     .needs = NEEDS_STATE},
    {"undo", "", "take the last change back", no_options, 0, 0, run_undo, .needs = NEEDS_STATE},
    {"redo", "", "do again what was taken back", no_options, 0, 0, run_redo, .needs = NEEDS_STATE},
    {"changes", "", "list the changes that can be undone and redone", no_options, 0, 0, run_changes, .needs = NEEDS_STATE},
    {"source", "SCRIPT", "run the lines of a file", no_options, 1, 1, run_source, .needs = NEEDS_SHELL},
    {"echo", "[TEXT...]", "print a line", no_options, 0, -1, run_echo, .needs = NEEDS_SHELL},
    {"quit", "", "end the shell; asks when changes are not saved, and in a script refuses", quit_options, 0, 0, run_quit,
     .needs = NEEDS_SHELL},
    {"quit!", "", "end the shell, and forget changes that are not saved", no_options, 0, 0, run_quit_anyway, .needs = NEEDS_SHELL},
    {"start", "[ENGINE]", "bring the state to life in a machine: engine kvm, core, or auto", no_options, 0, 1, run_start,
     .needs = NEEDS_STATE},
    {"stop", "", "end the machine", no_options, 0, 0, run_stop, .needs = NEEDS_MACHINE},
    {"step", "TIME", "let all vCPUs idle for TIME, taking interrupts: 500us, 10ms, 2s", no_options, 1, 1, run_step, .needs = NEEDS_MACHINE},
    {"run", "[TIME]", "the same in real time, until Ctrl-C or for TIME, and say what came", no_options, 0, 1, run_run,
     .needs = NEEDS_MACHINE},
    {"events", "", "say which interrupts and messages came, and when the next is due", no_options, 0, 0, run_events,
     .needs = NEEDS_MACHINE},
    {"pages", "", "say where the interface's pages lie", no_options, 0, 0, run_pages, .needs = NEEDS_MACHINE},
    {"stats", "", "show the counters", stats_options, 0, 0, run_stats, .needs = NEEDS_MACHINE},
    {"trace", "on|off", "show interrupts, messages, pages that move, and what the interface logs", no_options, 1, 1, run_trace,
     .needs = NEEDS_MACHINE},
    {"watch", "[PATH...]", "tell when a field of the machine's state has changed", no_options, 0, -1, run_watch, .needs = NEEDS_MACHINE},
    {"unwatch", "[PATH...]", "do not any more", no_options, 0, -1, run_unwatch, .needs = NEEDS_MACHINE},
    {"snapshot", "[NAME]", "keep the machine as it is now, its memory too", no_options, 0, 1, run_snapshot, .needs = NEEDS_MACHINE},
    {"restore", "[NAME]", "make the machine what it was then", no_options, 0, 1, run_restore, .needs = NEEDS_MACHINE},
    {"reset", "", "reset the guest interface", no_options, 0, 0, run_reset, .needs = NEEDS_MACHINE},
    {"take", "", "change the state that is held into the machine's", no_options, 0, 0, run_take, .needs = NEEDS_MACHINE},
    {NULL, NULL, NULL, NULL, 0, 0, NULL, .needs = NEEDS_NOTHING},
};

const struct command *command_find(const char *name)
{
	for (const struct command *command = commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}
