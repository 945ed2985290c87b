# cairn. `make help` lists the targets; `make run` and `make test` do all their own set-up.
CC      ?= gcc
BUILD   ?= build
MODE    ?= release
SHELL   := /bin/bash
.DEFAULT_GOAL := all
V       ?= 0
Q        = $(if $(filter 0,$(V)),@)

PKGS     = libevent libevent_pthreads hiredis libcurl libssl libcrypto jansson
CSTD     = -std=c11 -D_GNU_SOURCE
WARN     = -Wall -Wextra -Wshadow -Wswitch-enum -Wmissing-prototypes -Werror
OPT.release = -O2 -g
OPT.debug   = -O0 -g3
OPT.asan    = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPT.tsan    = -O1 -g -fsanitize=thread
OPT.fuzz    = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ALLOC.release = -ljemalloc
ALLOC.debug   = -ljemalloc
CFLAGS  += $(CSTD) $(WARN) $(OPT.$(MODE)) -I. -pthread $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS  += $(shell pkg-config --libs $(PKGS) 2>/dev/null) $(ALLOC.$(MODE)) -lm
LDFLAGS += $(OPT.$(MODE)) -pthread

MODULES  = resp ops persistence server
OBJ.resp        = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard resp/*.c))
OBJ.ops         = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard ops/*.c))
OBJ.persistence = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard persistence/*.c))
OBJ.server      = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out server/main.c,$(wildcard server/*.c)))
LIBS.server      = $(BUILD)/libserver.a $(BUILD)/libpersistence.a $(BUILD)/libops.a $(BUILD)/libresp.a
LIBS.persistence = $(BUILD)/libpersistence.a $(BUILD)/libops.a
LIBS.ops         = $(BUILD)/libops.a
LIBS.resp        = $(BUILD)/libresp.a

UNIT_SRC = $(wildcard tests/resp/*_test.c tests/ops/*_test.c tests/persistence/*_test.c tests/server/*_test.c)
UNIT_BIN = $(patsubst %.c,$(BUILD)/%,$(UNIT_SRC))
# An archive, so that a test links only what it uses: resp's tests know nothing of ops.
TESTSUP  = $(BUILD)/libtestsupport.a
OBJ.testsupport = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/support/*.c))

# What a machine with only Debian's packages must get; `deps` installs what is missing.
DEPS      = gcc make pkg-config libhiredis-dev libevent-dev libcurl4-openssl-dev libssl-dev \
            libjansson-dev libjemalloc-dev
DEPS_TEST = $(DEPS) clang clang-format llvm libcmocka-dev libclang-rt-dev redis-tools \
            tcl8.6 jq python3 python3-redis nodejs npm git procps util-linux iproute2 dpkg-dev lz4 \
            curl openssl radosgw ceph-mon ceph-osd

# One make at a time in a set-up: deps first, then the build.
.PHONY: run all objects deps deps-test test crash bench bench-quick asan tsan fuzz fuzz-targets sim \
        redis-tests tidy format install clean help
run: deps  ## install what is missing, build, and start on 127.0.0.1:6379 with data in ./data
	@$(MAKE) --no-print-directory all
	$(BUILD)/cairn-server $(ARGS)

all: $(BUILD)/cairn-server  ## build build/cairn-server

test: deps-test  ## install what is missing, build, and run the everyday tests (under 10 minutes)
	@$(MAKE) --no-print-directory -j2 all units
	tests/run.sh tidy clang unit cli packages clients suite differences faults crash sim sharing arrivals+lock+outage s3

redis-tests: deps-test  ## Redis's own suite and real client libraries against the server
	@$(MAKE) --no-print-directory all
	tests/run.sh clients suite

bench: deps-test  ## side by side with redis-server: throughput, processor time, memory
	@$(MAKE) --no-print-directory all
	tests/bench/bench.sh

bench-quick: deps-test  ## does each benchmark still run to its end (two minutes)
	@$(MAKE) --no-print-directory all
	tests/run.sh benches

asan: deps-test  ## unit tests, packages, clients, Redis's suite, crashes, servers that share, with AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory -j2 MODE=asan BUILD=$(BUILD)/asan all units
	@rm -f $(BUILD)/asan/report.*
	ASAN_OPTIONS=log_path=$(CURDIR)/$(BUILD)/asan/report UBSAN_OPTIONS=log_path=$(CURDIR)/$(BUILD)/asan/report:print_stacktrace=1 \
	    BUILD=$(BUILD)/asan SUITE_WORK=$(CURDIR)/$(BUILD)/redis-suite \
	    SUITE_EXCUSED=$(CURDIR)/redis-tests/excused-sanitizers.txt tests/run.sh unit packages clients suite crash sharing arrivals lock reports

tsan: deps-test  ## the same with ThreadSanitizer
	@$(MAKE) --no-print-directory -j2 MODE=tsan BUILD=$(BUILD)/tsan all units
	@rm -f $(BUILD)/tsan/report.*
	TSAN_OPTIONS=log_path=$(CURDIR)/$(BUILD)/tsan/report \
	    BUILD=$(BUILD)/tsan SUITE_WORK=$(CURDIR)/$(BUILD)/redis-suite \
	    SUITE_EXCUSED=$(CURDIR)/redis-tests/excused-sanitizers.txt tests/run.sh unit packages clients suite crash sharing arrivals lock reports

crash: deps-test  ## kill -9 at random moments: nothing acknowledged is lost (CRASH_ROUNDS=200)
	@$(MAKE) --no-print-directory all
	CRASH_ROUNDS=$(or $(CRASH_ROUNDS),200) tests/run.sh crash

fuzz: deps-test  ## a short run of every fuzz target (FUZZ_SECONDS=20 each)
	tests/run.sh fuzz

SEEDS ?= 1000
sim: deps-test  ## many replicas on one store in virtual time (SEEDS=1000, FIRST=1)
	@$(MAKE) --no-print-directory $(BUILD)/tests/simulation/simulation
	$(BUILD)/tests/simulation/simulation $(SEEDS) $(or $(FIRST),1)

tidy: deps-test  ## what a machine sees of style: layering, lengths of functions and files, formatting
	tests/tidy/tidy.sh

format:  ## lay the sources out anew with clang-format
	git ls-files -co --exclude-standard -- '*.c' '*.h' | xargs clang-format -i

PREFIX ?= /usr/local
install: all  ## install the server and its example configuration under PREFIX (/usr/local)
	install -D -m 755 $(BUILD)/cairn-server $(DESTDIR)$(PREFIX)/bin/cairn-server
	install -D -m 644 cairn.conf $(DESTDIR)$(PREFIX)/share/doc/cairn/cairn.conf

clean:  ## remove what was built
	rm -rf $(BUILD)

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

# Installs only what dpkg does not know as installed; `sudo` when not root. Debian names the clang
# runtime by version, so its row is looked up.
define APT_INSTALL
	@missing=; for p in $(1); do \
	    case $$p in libclang-rt-dev) \
	        p=$$(apt-cache depends clang 2>/dev/null | sed -nE 's/.*Depends: clang-([0-9]+)$$/libclang-rt-\1-dev/p'); \
	        [ -n "$$p" ] || p=libclang-rt-14-dev;; esac; \
	    case $$p in nodejs|npm) command -v $${p%js} >/dev/null && continue;; esac; \
	    dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || missing="$$missing $$p"; \
	done; \
	if [ -n "$$missing" ]; then \
	    echo "installing:$$missing"; \
	    SUDO=; [ "$$(id -u)" = 0 ] || SUDO=sudo; \
	    $$SUDO apt-get update -qq && \
	    $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
endef
deps:
	$(call APT_INSTALL,$(DEPS))
# redis-server is unpacked, not installed: its package would start it on 6379, now and at each boot.
# redis-tools has the libraries it needs, and the program that its name is a link to.
REDIS_AT = $(CURDIR)/build/debian
export PATH := $(PATH):$(REDIS_AT)/usr/bin
deps-test:
	$(call APT_INSTALL,$(DEPS_TEST))
	@command -v redis-server >/dev/null || { \
	    echo "unpacking: redis-server"; SUDO=; [ "$$(id -u)" = 0 ] || SUDO=sudo; \
	    rm -rf $(REDIS_AT) $(REDIS_AT).new && mkdir -p $(REDIS_AT).new && cd $(REDIS_AT).new && \
	    { apt-get download -qq redis-server redis-tools 2>/dev/null || \
	      { $$SUDO apt-get update -qq && apt-get download -qq redis-server redis-tools; }; } && \
	    for deb in *.deb; do dpkg -x $$deb . || exit 1; done && mv $(REDIS_AT).new $(REDIS_AT); }

$(BUILD)/cairn-server: $(BUILD)/obj/server/main.o $(LIBS.server)
	@echo "  LINK $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

define MODULE_LIB
$(BUILD)/lib$(1).a: $$(OBJ.$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach m,$(MODULES) testsupport,$(eval $(call MODULE_LIB,$(m))))

define UNIT_RULE
$(BUILD)/tests/$(1)/%_test: $(BUILD)/obj/tests/$(1)/%_test.o $$(TESTSUP) $$(LIBS.$(1))
	@mkdir -p $$(@D)
	@echo "  LINK $$@"
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS) -lcmocka
endef
$(foreach m,$(MODULES),$(eval $(call UNIT_RULE,$(m))))
SIM_OBJ = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/simulation/*.c))
$(BUILD)/tests/simulation/simulation: $(SIM_OBJ) $(TESTSUP) $(LIBS.persistence)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
.SECONDARY:

.PHONY: units
units: $(UNIT_BIN)
objects: $(foreach m,$(MODULES),$(OBJ.$(m))) $(BUILD)/obj/server/main.o

# Fuzz targets have a build of their own with clang: libFuzzer wants its instrumentation everywhere.
FUZZ_BIN = $(patsubst tests/fuzz/%.c,$(BUILD)/%,$(wildcard tests/fuzz/*_fuzz.c))
.PHONY: fuzz-link
fuzz-targets:
	@$(MAKE) --no-print-directory -j2 CC=clang MODE=fuzz BUILD=$(BUILD)/fuzz fuzz-link
fuzz-link: $(FUZZ_BIN)
$(BUILD)/%_fuzz: $(BUILD)/obj/tests/fuzz/%_fuzz.o $(BUILD)/libtestsupport.a $(LIBS.server)
	@echo "  LINK $@"
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
