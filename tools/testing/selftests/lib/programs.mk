# SPDX-License-Identifier: GPL-2.0-only
# How the C tests of a folder are built, for its Makefile to include. That sets
#	PROGRAMS	tests, one source each, on the harness and the library
#	PROGRAMS32	those of them that are also built for 32 bits, as NAME32;
#			static, since machines have no libraries for that
#	TOOLS		helpers, one source each, on the library alone
#	HEADER		header that the programs share
#
# Variables: OUTPUT  where the programs go
#            KSFT    folder with kselftest_harness.h; without it the header is
#                    taken from the distribution's kernel source package
#            TOP     the repository

OUTPUT ?= $(CURDIR)
TOP ?= $(abspath ../../../..)
KSFT ?= $(OUTPUT)/ksft

PATHS := $(addprefix $(OUTPUT)/,$(PROGRAMS))
PATHS32 := $(PROGRAMS32:%=$(OUTPUT)/%32)
TOOL_PATHS := $(addprefix $(OUTPUT)/,$(TOOLS))
LIB := vfio_client vfio_v2 vfio_model vmig_records
LIB_OBJS := $(LIB:%=$(OUTPUT)/%.o)
LIB_HEADERS := $(wildcard ../lib/*.h)

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Werror
INCLUDES := -I../lib -isystem $(TOP)/include/uapi
COMPILE = $(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) $(INCLUDES)

all: $(PATHS) $(PATHS32) $(TOOL_PATHS)

$(shell mkdir -p $(OUTPUT))

$(KSFT)/kselftest_harness.h:
	../get-harness $(KSFT)

$(OUTPUT)/%.o: ../lib/%.c $(LIB_HEADERS)
	$(COMPILE) -c $< -o $@

# The harness is the distribution's: its warnings are not ours (-isystem).
$(PATHS): $(OUTPUT)/%: %.c $(HEADER) $(LIB_OBJS) $(LIB_HEADERS) \
		$(KSFT)/kselftest_harness.h
	$(COMPILE) -isystem $(KSFT) -I. $< $(filter %.o,$^) -o $@ -lpthread

$(PATHS32): $(OUTPUT)/%32: %.c $(HEADER) $(LIB:%=../lib/%.c) $(LIB_HEADERS) \
		$(KSFT)/kselftest_harness.h
	$(COMPILE) -m32 -static -D_FILE_OFFSET_BITS=64 -isystem $(KSFT) -I. \
		$< $(LIB:%=../lib/%.c) -o $@ -lpthread

$(TOOL_PATHS): $(OUTPUT)/%: %.c $(LIB_OBJS) $(LIB_HEADERS)
	$(COMPILE) $< $(LIB_OBJS) -o $@

clean:
	rm -rf $(PATHS) $(PATHS32) $(TOOL_PATHS) $(LIB_OBJS) $(OUTPUT)/ksft

.PHONY: all clean
