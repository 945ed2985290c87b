# cairn. `make help` lists the targets; `make run` and `make test` do all their own set-up.
CC      ?= gcc
BUILD   ?= build
MODE    ?= release
SHELL   := /bin/bash

PKGS     = libevent libevent_pthreads hiredis libcurl libssl libcrypto jansson
CSTD     = -std=c11 -D_GNU_SOURCE
WARN     = -Wall -Wextra -Wshadow -Wswitch-enum -Wmissing-prototypes -Werror
OPT.release = -O2 -g
OPT.debug   = -O0 -g3
OPT.asan    = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPT.tsan    = -O1 -g -fsanitize=thread
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
TESTSUP  = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/support/*.c))

.PHONY: all
all: $(BUILD)/cairn-server  ## build build/cairn-server

$(BUILD)/cairn-server: $(BUILD)/obj/server/main.o $(LIBS.server)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

define MODULE_LIB
$(BUILD)/lib$(1).a: $$(OBJ.$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call MODULE_LIB,$(m))))

define UNIT_RULE
$(BUILD)/tests/$(1)/%_test: $(BUILD)/obj/tests/$(1)/%_test.o $$(TESTSUP) $$(LIBS.$(1))
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS) -lcmocka
endef
$(foreach m,$(MODULES),$(eval $(call UNIT_RULE,$(m))))
.SECONDARY:

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
