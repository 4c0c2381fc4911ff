# gimstate: build, test, install.
#
#   make deps        install what building and testing need (Debian, as root; otherwise it prints what is missing)
#   make deps-ci     the rest: what only CI needs
#   make             library (static and shared) and command, under $(O)
#   make demo        build, and dump a sample state
#   make check       build and run all tests; ends with "N passed, M failed, K skipped"
#   make conformance run the rows of public test programs on the runtime core, one line each
#   make guests      kernels for gimstate replay --kernel, in $(O)/guests
#   make check-guests  boot them with all that they have, and save and resume them a hundred times, on /dev/kvm
#   make check-fresh what the README, make install and the tutorial say, in a fresh Debian, as root
#   make man         manual pages, in $(O)/man
#   make lint        headers, directions, symbols, analyser, formatting
#   make samples     make samples/ again
#   make fuzz T=gim  fuzz one target (clang) for FUZZ_SECONDS; AFL=1: with AFL++; tests/fuzz/campaign goes round them all
#   make coverage    run the tests, and tell which lines and branches of the library they reach; fails below 92 % and 80 %
#   make check-s390x check-m32   the library's tests big-endian, by emulation, and 32-bit
#   make interop     have the real VirtualBox and QEMU load what we write, and what check judges, where they are set up
#   make bench       measure, as ratios of one run, and write docs/performance.md of it
#   make abi         keep the library's binary interface as it is now: what CI compares with, renewed at a release
#   make install uninstall clean
#   make dist        a tarball of the last commit, the same bytes each time
#
# Variables: V=1 shows the commands; O=build; SAN=address,undefined; W=error; CC=clang; PREFIX=/usr/local; LIBDIR=$(PREFIX)/lib; DESTDIR=
# BUILD_CC=cc makes what runs while building; JOBS=N at a time, or -j, and without either as many as there are processors.
# A change of CC, CFLAGS, SAN or W builds everything in $(O) again. CPPFLAGS, CFLAGS and LDFLAGS are the user's and come last.

VERSION := $(shell sed -n 's/.define GIM_VERSION "\(.*\)"/\1/p' libgimstate/gimstate.h)
O ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DATADIR ?= $(PREFIX)/share
ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
FUZZ_SECONDS ?= 60
GUESTS_SAVES ?= 100
Q := $(if $(V),,@)
# Several goals come one after the other, e.g. clean all. What installs is waited for by what compiles.
JOBS ?= $(shell nproc)
INSTALLS := $(filter deps deps-ci,$(MAKECMDGOALS))
ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS))$(word 2,$(filter-out $(INSTALLS),$(MAKECMDGOALS))),)
MAKEFLAGS += -j$(JOBS)
endif

DEPS := gcc make pkg-config libjansson-dev libexpat1-dev libdeflate-dev zlib1g-dev libarchive-dev libzstd-dev nettle-dev libcmocka-dev libreadline-dev libseccomp-dev libcapstone-dev xz-utils bzip2 zstd procps
DEPS_CI := clang libclang-rt-14-dev clang-format cppcheck python3-jsonschema valgrind strace liblzf-dev mandoc libxml2-utils python3-yaml parallel chromium qemu-system-x86 qemu-utils \
	g++ abigail-tools debhelper dpkg-dev lintian debootstrap fish zsh gdb lzop \
	gcovr afl++ gcc-12-multilib gcc-s390x-linux-gnu qemu-user

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wformat=2 -Wundef -Wcast-qual -Wmissing-prototypes -Wstrict-prototypes
FLAGS := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(WARNINGS) $(if $(filter error,$(W)),-Werror) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all) $(if $(FUZZER),-fsanitize=fuzzer-no-link) -MMD -MP
LIBRARY_INCLUDES := -Ilibgimstate -Ilayers -Iproviders -Iformats
PKG_CONFIG ?= pkg-config
LIBS = $(LDFLAGS) $(shell $(PKG_CONFIG) --libs jansson expat libdeflate zlib) -pthread
CLI_LIBS = $(LIBS)
# The compiler of programs that run while building, also where CC's run elsewhere.
BUILD_CC ?= cc

LIBRARY_SOURCES := $(wildcard libgimstate/*.c layers/*.c providers/*.c providers/*/*.c formats/*.c formats/*/*.c)
CLI_SOURCES := $(wildcard cli/*.c cli/harness/*.c)
CONFORMANCE := tests/conformance/conformance
TESTS := $(patsubst %.c,%,$(wildcard tests/unit/test_*.c tests/corpus/test_*.c tests/faults/test_*.c tests/harness/test_*.c tests/shell/test_*.c)) $(CONFORMANCE)
FUZZERS := $(patsubst %.c,%,$(wildcard tests/fuzz/fuzz_*.c))
# Tests that make archives of their own.
ARCHIVERS := %/unit/test_packed %/unit/test_bundle %/unit/test_bundle_archive
# Tests in which memory runs out.
STARVED := %/unit/test_machine_memory %/unit/test_bundle_memory %/unit/test_library_memory
# Pages by hand, and those that docs/man/pages.c makes of the tables: it says which by its prose.
PAGES = $(wildcard docs/*.[1-9]) $(MADE_PAGES)
MADE_PAGES = $(patsubst docs/man/%.mdoc,$(O)/man/gimstate-%.1,$(filter-out %/gimstate.mdoc %/rules-list.mdoc,$(wildcard docs/man/*.mdoc))) $(O)/man/gimstate.1 \
	$(O)/man/gimstate-rules.7
TOOLS := $(patsubst %.c,%,$(wildcard tests/tools/*.c))
EXAMPLES := $(patsubst %.c,%,$(wildcard docs/examples/*.c))
BENCHES := $(patsubst %.c,%,$(wildcard tests/bench/*.c tests/harness/bench_*.c))

# Guests that boot: 64-bit code in 32-bit files, since that is what a multiboot loader takes. A test each, but for what they share.
GUEST_SHARED := crt guest hyperv
GUESTS := $(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),$(filter-out $(GUEST_SHARED),$(patsubst tests/harness/guests/%.c,%,$(wildcard tests/harness/guests/*.c))))
GUEST_FLAGS := -std=c11 -O2 $(WARNINGS) $(if $(filter error,$(W)),-Werror) -MMD -MP -m64 -march=x86-64 -ffreestanding -fno-pic -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none

LIBRARY_OBJECTS := $(LIBRARY_SOURCES:%.c=$(O)/%.o)
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(O)/%.o) $(O)/cli/harness/guest64.o $(O)/cli/page.o
# What tests of the command's own parts are linked with.
HARNESS_OBJECTS := $(filter $(O)/cli/harness/%,$(CLI_OBJECTS)) $(O)/cli/output.o $(O)/cli/stop.o $(O)/cli/written.o
STATIC := $(O)/libgimstate.a
SONAME := libgimstate.so.0
SHARED := $(O)/libgimstate.so.$(VERSION)
BINARY := $(O)/gimstate

.PHONY: all deps deps-ci demo check coverage check-library check-s390x check-m32 conformance lint interop bench fuzz fuzzers samples abi check-abi install uninstall dist clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(STATIC) $(SHARED) $(BINARY)

.PHONY: man
man: $(PAGES)

# Written only when it changes, so that objects never mix flags.
COMPILE := $(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
$(O)/flags: always | $(INSTALLS)
	@mkdir -p $(@D)
	@echo '$(COMPILE)' | cmp -s - $@ || echo '$(COMPILE)' > $@
.PHONY: always

$(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	@$(if $(V),,echo "CC    $<")
	$(Q)$(CC) $(FLAGS) $(LIBRARY_INCLUDES) -fPIC $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(O)/%.o: %.S $(O)/flags
	@mkdir -p $(@D)
	@$(if $(V),,echo "AS    $<")
	$(Q)$(CC) $(FLAGS) $(CPPFLAGS) -c -o $@ $<

# What it takes in whole.
$(O)/cli/page.o: cli/page.css cli/page.js cli/report.js

# Manual pages of the tables, by a program that is linked with them.
$(MADE_PAGES) &: $(O)/docs/man/pages $(wildcard docs/man/*.mdoc)
	@$(if $(V),,echo "MAN   $(O)/man")
	$(Q)mkdir -p $(O)/man && $(O)/docs/man/pages $(O)/man

$(O)/docs/man/pages: $(O)/docs/man/pages.o $(filter-out $(O)/cli/main.o,$(CLI_OBJECTS)) $(STATIC)
	@$(if $(V),,echo "LD    $@")
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -o $@ $^ $(CLI_LIBS)

# The command and the examples see the one public header and nothing else of the library.
$(CLI_SOURCES:%.c=$(O)/%.o) $(EXAMPLES:%=$(O)/%.o) $(O)/docs/man/pages.o: $(O)/%.o: %.c $(O)/include/gimstate.h $(O)/flags
	@mkdir -p $(@D)
	@$(if $(V),,echo "CC    $<")
	$(Q)$(CC) $(FLAGS) -I$(O)/include -Icli $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# The sandbox's filters of system calls, made ahead for all architectures by a program of this machine.
$(O)/cli/sandbox.o: $(O)/include/seccomp/filters.h
$(O)/include/seccomp/filters.h: cli/seccomp/filter.c | $(INSTALLS)
	@mkdir -p $(@D)
	@$(if $(V),,echo "GEN   $@")
	$(Q)$(BUILD_CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) -o $(@D)/filter $< $(shell pkg-config --cflags --libs libseccomp) && $(@D)/filter > $@

$(O)/include/gimstate.h: libgimstate/gimstate.h
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(STATIC): $(LIBRARY_OBJECTS)
	@$(if $(V),,echo "AR    $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(SHARED): $(LIBRARY_OBJECTS) libgimstate/libgimstate.map
	@$(if $(V),,echo "LD    $@")
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -shared -Wl,-soname,$(SONAME) $(if $(SAN),,-Wl,-z$(comma)defs) \
		-Wl,--version-script=libgimstate/libgimstate.map -o $@ $(LIBRARY_OBJECTS) $(LIBS)
	$(Q)ln -sf $(@F) $(O)/$(SONAME) && ln -sf $(SONAME) $(O)/libgimstate.so
comma := ,

$(BINARY): $(CLI_OBJECTS) $(STATIC)
	@$(if $(V),,echo "LD    $@")
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -o $@ $^ $(CLI_LIBS)

# Tests of the command's own parts see them, but not the library's.
$(O)/tests/harness/%.o: tests/harness/%.c $(O)/include/gimstate.h $(O)/flags
	@mkdir -p $(@D)
	@$(if $(V),,echo "CC    $<")
	$(Q)$(CC) $(FLAGS) -I$(O)/include -Icli $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# These write states themselves.
$(patsubst %.c,$(O)/%.o,$(wildcard tests/harness/foreign.c tests/harness/test_resume*.c)): CPPFLAGS += $(LIBRARY_INCLUDES)
$(patsubst %.c,$(O)/%,$(wildcard tests/harness/test_resume*.c)): $(O)/tests/harness/foreign.o

$(O)/tests/harness/%: $(O)/tests/harness/%.o $(HARNESS_OBJECTS) $(STATIC)
	@$(if $(V),,echo "LD    $@")
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -o $@ $^ -lcmocka $(LIBS)

$(O)/tests/%: $(O)/tests/%.o $(STATIC)
	@$(if $(V),,echo "LD    $@")
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -o $@ $< $(STATIC) -lcmocka $(if $(filter $(STARVED),$@),$(patsubst %,-Wl$(comma)--wrap=%,$(if $(filter %/test_machine_memory,$@),aligned_alloc,malloc realloc strdup) calloc)) $(if $(filter %/bench/lzf %/bench/memory,$@),-llzf) $(if $(filter $(ARCHIVERS),$@),-larchive) $(LIBS)

$(EXAMPLES:%=$(O)/%): %: %.o $(STATIC)
	@$(if $(V),,echo "LD    $@")
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -o $@ $^ $(LIBS)

# Replayed by a main of ours, or with FUZZER searched on by libFuzzer, by AFL++ (CC=afl-clang-fast), or by another engine (FUZZ_ENGINE). Some are of the command's parts.
FUZZERS_HARNESS := tests/fuzz/fuzz_probe tests/fuzz/fuzz_gdb tests/fuzz/fuzz_image
FUZZERS_CLI := tests/fuzz/fuzz_line tests/fuzz/fuzz_config
FUZZ_ENGINE ?= -fsanitize=fuzzer
$(FUZZERS_HARNESS:%=$(O)/%.o) $(FUZZERS_CLI:%=$(O)/%.o): LIBRARY_INCLUDES += -Icli
$(FUZZERS_HARNESS:%=$(O)/%): $(HARNESS_OBJECTS)
$(FUZZERS_CLI:%=$(O)/%): $(filter-out $(O)/cli/main.o,$(CLI_OBJECTS))
$(FUZZERS:%=$(O)/%): $(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/mutate.o $(if $(FUZZER),,$(O)/tests/fuzz/replay.o) $(STATIC)
	@$(if $(V),,echo "LD    $@")
	$(Q)$(CC) $(FLAGS) $(CFLAGS) $(if $(FUZZER),$(FUZZ_ENGINE)) -o $@ $(if $(filter %/fuzz_faults,$@),$(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc strdup pread64)) $(filter %.o,$^) $(STATIC) $(if $(filter $(FUZZERS_CLI:%=$(O)/%),$@),$(CLI_LIBS),$(LIBS))

# What goes wrong in the command: a shim that is preloaded into it, as it is, and tests that see the table of commands.
$(O)/tests/faults/shim.so: tests/faults/shim.c tests/faults/plan.h $(O)/flags
	@mkdir -p $(@D)
	@$(if $(V),,echo "CC    $<")
	$(Q)$(CC) $(filter-out -fsanitize=%,$(FLAGS)) -U_FILE_OFFSET_BITS -DFAULT_MEMORY=$(if $(SAN)$(findstring --coverage,$(CFLAGS)),0,1) -O2 -g -fPIC -shared -o $@ $<

FAULTS := $(filter-out test_kill,$(notdir $(filter tests/faults/%,$(TESTS))))
$(patsubst %,$(O)/tests/faults/%.o,$(FAULTS) faults): LIBRARY_INCLUDES = -I$(O)/include -Icli
$(patsubst %,$(O)/tests/faults/%.o,$(FAULTS) faults): $(O)/include/gimstate.h
$(FAULTS:%=$(O)/tests/faults/%): %: %.o $(O)/tests/faults/faults.o $(filter-out $(O)/cli/main.o,$(CLI_OBJECTS)) $(STATIC)
	@$(if $(V),,echo "LD    $@")
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -o $@ $^ $(CLI_LIBS)

# The command with a parser that was taken over.
$(O)/tests/sandbox/gimstate: $(CLI_OBJECTS) $(O)/tests/sandbox/misdeed.o $(STATIC)
	@$(if $(V),,echo "LD    $@")
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -Wl,--wrap=gim_input_read -o $@ $^ $(CLI_LIBS)

$(O)/$(CONFORMANCE): $(patsubst %.c,$(O)/%.o,$(wildcard tests/conformance/*.c tests/conformance/rows/*.c)) $(STATIC)
	@$(if $(V),,echo "LD    $@")
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -o $@ $(filter %.o,$^) $(STATIC) $(LIBS)

$(O)/guests/%.o: tests/harness/guests/%.c $(O)/flags
	@mkdir -p $(@D)
	@$(if $(V),,echo "CC    $<")
	$(Q)$(CC) $(GUEST_FLAGS) -c -o $@ $<

$(O)/guests/%.o: tests/harness/guests/%.S $(O)/flags
	@mkdir -p $(@D)
	@$(if $(V),,echo "AS    $<")
	$(Q)$(CC) -MMD -MP -m64 -c -o $@ $<

$(O)/guests/%.elf: $(O)/guests/%.o $(GUEST_SHARED:%=$(O)/guests/%.o) tests/harness/guests/link.ld
	@$(if $(V),,echo "LD    $@")
	$(Q)$(LD) -m elf_x86_64 -static -z max-page-size=4096 --build-id=none --no-warn-rwx-segments -T tests/harness/guests/link.ld -o $@.64 $(filter %.o,$^)
	$(Q)objcopy -O elf32-i386 $@.64 $@ && rm -f $@.64

.PHONY: guests
guests: all $(GUESTS:%=$(O)/guests/%.elf)

.PHONY: check-guests
check-guests: guests
	@GIMSTATE=$(abspath $(BINARY)) O=$(abspath $(O)) GUESTS_LONG=1 GUESTS_SAVES=$(GUESTS_SAVES) tests/harness/run; status=$$?; [ $$status = 77 ] || exit $$status

# What a stranger does, in a fresh Debian.
.PHONY: check-fresh
check-fresh:
	@tests/install/fresh

deps:
	@tests/tools/need $(DEPS)

deps-ci: deps
	@tests/tools/need $(DEPS_CI)

DEMO := samples/hyperv-4.sav
demo: all
	$(BINARY) dump $(DEMO)

check: all guests $(EXAMPLES:%=$(O)/%) $(TESTS:%=$(O)/%) $(FUZZERS:%=$(O)/%) $(O)/tests/faults/shim.so $(O)/tests/sandbox/gimstate
	@GIMSTATE=$(abspath $(BINARY)) O=$(abspath $(O)) tests/run $(TESTS:%=$(O)/%) $(FUZZERS:%=$(O)/%)

# The library's own tests, also where nothing else of the program runs: RUNNER runs programs of another machine.
LIBRARY_TESTS := $(filter tests/unit/% tests/corpus/% $(CONFORMANCE),$(TESTS)) $(filter-out $(FUZZERS_HARNESS) $(FUZZERS_CLI),$(FUZZERS))
check-library: $(STATIC) $(LIBRARY_TESTS:%=$(O)/%)
	@O=$(abspath $(O)) RUNNER="$(or $(RUNNER),env)" ROUNDS=$(ROUNDS) tests/run $(LIBRARY_TESTS:%=$(O)/%)

# Other machines: a compiler of Debian's, and the libraries in a folder of their own, where nothing is installed.
FOREIGN := libc6 libc6-dev linux-libc-dev libgcc-s1 libjansson4 libjansson-dev libexpat1 libexpat1-dev libdeflate0 libdeflate-dev zlib1g zlib1g-dev libcmocka0 libcmocka-dev \
	libnettle8 nettle-dev libarchive13 libarchive-dev libacl1 libbz2-1.0 liblz4-1 liblzma5 libxml2 libzstd1 libzstd-dev libicu72 libstdc++6 libreadline8 libreadline-dev libtinfo6 libcapstone4 libcapstone-dev
# $(call foreign,COMPILER,FOLDER,TRIPLET): the variables of a build with it.
foreign = O=$(2) CC="$(1) --sysroot=$(abspath $(2)/sysroot)" \
	PKG_CONFIG="env PKG_CONFIG_SYSROOT_DIR=$(abspath $(2)/sysroot) PKG_CONFIG_LIBDIR=$(abspath $(2)/sysroot)/usr/lib/$(3)/pkgconfig pkg-config"

# Big-endian, by emulation.
check-s390x:
	$(Q)tests/tools/sysroot s390x $(O)-s390x/sysroot $(FOREIGN)
	$(Q)$(MAKE) --no-print-directory $(call foreign,s390x-linux-gnu-gcc,$(O)-s390x,s390x-linux-gnu) AR=s390x-linux-gnu-ar \
		RUNNER="qemu-s390x -L $(abspath $(O)-s390x/sysroot)" ROUNDS=10 check-library

# 32-bit: numbers that hold sizes are half as long.
check-m32:
	$(Q)tests/tools/sysroot i386 $(O)-m32/sysroot $(FOREIGN)
	$(Q)LD_LIBRARY_PATH=$(abspath $(O)-m32/sysroot)/usr/lib/i386-linux-gnu:$(abspath $(O)-m32/sysroot)/lib/i386-linux-gnu \
		$(MAKE) --no-print-directory $(call foreign,gcc -m32,$(O)-m32,i386-linux-gnu) check-library

conformance: $(O)/$(CONFORMANCE)
	@$<

lint: all man
	@O=$(O) CC=$(CC) tests/lint/run

interop: all guests $(TOOLS:%=$(O)/%)
	@failed=0; for test in $(or $(INTEROP),$(wildcard tests/interop/*)); do O=$(O) GIMSTATE=$(abspath $(BINARY)) $$test; case $$? in 0 | 77) ;; *) failed=1 ;; esac; done; exit $$failed

bench: all $(BENCHES:%=$(O)/%)
	@O=$(O) GIMSTATE=$(abspath $(BINARY)) CC="$(CC)" CFLAGS="$(CFLAGS)" tests/bench/run $(BENCHES:%=$(O)/%)

samples: all $(TOOLS:%=$(O)/%)
	$(O)/tests/tools/make_samples samples
	@for state in samples/*.sav samples/*.mig; do $(BINARY) dump $$state > $${state%.*}.dump || exit; done

# Everything again with coverage for the fuzzer, in a folder of its own. AFL=1: AFL++.
FUZZ_FOLDER = $(O)/$(if $(AFL),afl,fuzz)
FUZZ_BUILD = $(MAKE) --no-print-directory O=$(FUZZ_FOLDER)/build CC=$(if $(AFL),afl-clang-fast,clang) CFLAGS="-g -O1" \
	SAN=$(if $(AFL),address,address$(comma)undefined) FUZZER=1
fuzzers:
	+$(Q)$(FUZZ_BUILD) $(FUZZERS:%=$(FUZZ_FOLDER)/build/%)

fuzz:
	@$(if $(filter tests/fuzz/fuzz_$(T),$(FUZZERS)),,echo "name a target: make fuzz T=NAME, of: $(FUZZERS:tests/fuzz/fuzz_%=%)"; exit 2)
	+$(Q)$(FUZZ_BUILD) $(FUZZ_FOLDER)/build/tests/fuzz/fuzz_$(T)
	@$(if $(V),,echo "FUZZ  $(T), $(FUZZ_SECONDS) s")
	$(Q)tests/fuzz/run $(FUZZ_FOLDER)/build/tests/fuzz/fuzz_$(T) $(T) $(FUZZ_SECONDS) $(FUZZ_FOLDER)

# Which lines and branches of the library the tests reach. An assertion's other branch is none: no input reaches it. Counts are written by those too whom a test
# takes rights from, and what libgcov says of those that it cannot write is no output of the command.
COVERED ?= check
coverage:
	$(Q)find $(O)-coverage -name '*.gcda' -delete 2>/dev/null || true
	$(Q)umask 002; GCOV_ERROR_FILE=/dev/null $(MAKE) --no-print-directory O=$(O)-coverage CFLAGS="-O0 -g --coverage" $(COVERED)
	$(Q)gcovr --root . --filter libgimstate/ --filter providers/ --filter formats/ --filter layers/ --exclude-lines-by-pattern '.*\bassert\(.*' \
		--exclude-unreachable-branches --print-summary --fail-under-line 92 --fail-under-branch 80 --txt $(O)-coverage/report.txt \
		--gcov-ignore-parse-errors $(O)-coverage

# All that is installed, a word each: mode, file, place; or what a link says, "link", its place.
INSTALLED = 755:$(BINARY):$(PREFIX)/bin/gimstate 644:libgimstate/gimstate.h:$(PREFIX)/include/gimstate.h 644:$(STATIC):$(LIBDIR)/libgimstate.a \
	644:$(SHARED):$(LIBDIR)/$(notdir $(SHARED)) $(notdir $(SHARED)):link:$(LIBDIR)/$(SONAME) $(SONAME):link:$(LIBDIR)/libgimstate.so \
	644:$(O)/libgimstate.pc:$(LIBDIR)/pkgconfig/libgimstate.pc \
	$(foreach page,$(PAGES),644:$(page):$(DATADIR)/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page))) \
	644:cli/completions/gimstate.bash:$(DATADIR)/bash-completion/completions/gimstate \
	644:cli/completions/_gimstate:$(DATADIR)/zsh/site-functions/_gimstate \
	644:cli/completions/gimstate.fish:$(DATADIR)/fish/vendor_completions.d/gimstate.fish \
	$(foreach schema,$(wildcard docs/*.schema.json),644:$(schema):$(DATADIR)/gimstate/$(notdir $(schema))) \
	644:cli/harness/70-kvm-uaccess.rules:$(DATADIR)/gimstate/70-kvm-uaccess.rules

install: all $(PAGES) $(O)/libgimstate.pc
	@for entry in $(INSTALLED); do \
		file=$${entry#*:} file=$${file%%:*} place=$(DESTDIR)$${entry##*:}; \
		$(if $(V),echo "$$place" &&) mkdir -p "$${place%/*}" && \
		if [ "$$file" = link ]; then ln -sf "$${entry%%:*}" "$$place"; else install -m "$${entry%%:*}" "$$file" "$$place"; fi || exit; \
	done

uninstall:
	@for entry in $(INSTALLED); do rm -f "$(DESTDIR)$${entry##*:}" || exit; done
	@rmdir "$(DESTDIR)$(DATADIR)/gimstate" 2>/dev/null || true

# Anew each time: the folders are no file that it could depend on.
$(O)/libgimstate.pc: libgimstate/libgimstate.pc.in always
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' $< > $@

# Time, owner and order are the commit's.
dist:
	git -c tar.umask=0022 archive --format=tar --prefix=gimstate-$(VERSION)/ HEAD | xz -T1 > gimstate-$(VERSION).tar.xz

# Of public types only: what is opaque may change.
ABI := tests/abi/libgimstate.abi
$(O)/libgimstate.abi: $(SHARED)
	$(Q)abidw --header-file libgimstate/gimstate.h --drop-private-types --exported-interfaces-only --drop-undefined-syms --no-elf-needed --no-corpus-path \
		--no-comp-dir-path --no-show-locs --type-id-style hash --out-file $@ $(SHARED)

abi: $(O)/libgimstate.abi
	cp $< $(ABI)

# A function may come; none may change or go.
check-abi: $(O)/libgimstate.abi
	$(Q)abidiff --no-added-syms $(ABI) $<

clean:
	rm -rf $(O)

-include $(shell find $(O) -name '*.d' -type f 2>/dev/null)
