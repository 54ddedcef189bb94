# SPDX-License-Identifier: GPL-2.0-only
# How the C tests of a folder are built, for its Makefile to include. That sets
#	PROGRAMS	tests, one source each, on the harness and the library
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
TOOL_PATHS := $(addprefix $(OUTPUT)/,$(TOOLS))
LIB := vfio_client vfio_model vmig_records
LIB_OBJS := $(LIB:%=$(OUTPUT)/%.o)
LIB_HEADERS := $(wildcard ../lib/*.h)

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Werror
INCLUDES := -I../lib -isystem $(TOP)/include/uapi
COMPILE = $(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) $(INCLUDES)

all: $(PATHS) $(TOOL_PATHS)

$(shell mkdir -p $(OUTPUT))

$(KSFT)/kselftest_harness.h:
	../get-harness $(KSFT)

$(OUTPUT)/%.o: ../lib/%.c $(LIB_HEADERS)
	$(COMPILE) -c $< -o $@

# The harness is the distribution's: its warnings are not ours (-isystem).
$(PATHS): $(OUTPUT)/%: %.c $(HEADER) $(LIB_OBJS) $(LIB_HEADERS) \
		$(KSFT)/kselftest_harness.h
	$(COMPILE) -isystem $(KSFT) -I. $< $(LIB_OBJS) -o $@ -lpthread

$(TOOL_PATHS): $(OUTPUT)/%: %.c $(LIB_OBJS) $(LIB_HEADERS)
	$(COMPILE) $< $(LIB_OBJS) -o $@

clean:
	rm -rf $(PATHS) $(TOOL_PATHS) $(LIB_OBJS) $(OUTPUT)/ksft

.PHONY: all clean
