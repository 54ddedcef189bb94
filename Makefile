# SPDX-License-Identifier: GPL-2.0-only
# Every verb a user of mimic needs; "make help" lists them. The modules
# themselves are in Kbuild, which the kernel's build system reads.
#
# Variables: KDIR     kernel headers to build against, default: the running
#                     kernel's
#            MACHINE  test machine (see scripts/lab list), default bookworm;
#                     for "make check" all that a test names
#            PARAMS   module parameters for "make load"
#            TESTS    tests for "make check", default all
#            V=1      show what is run; for "make demo" V=MACHINE does as MACHINE

KDIR ?= /lib/modules/$(shell uname -r)/build
ifneq ($(MACHINE),)
export MIMIC_MACHINE = $(MACHINE)
endif
export V

# What was said to this make is not for those that the scripts call
SCRIPT = env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL scripts

all: modules

modules: $(KDIR)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

modules_install: modules
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install

# Headers of the running kernel that are not there yet: install them if that
# can be done. Test machines have their own.
$(KDIR):
ifeq ($(origin KDIR),file)
	$(SCRIPT)/deps build
endif
	@test -e $(KDIR) || { echo "no kernel headers: $(KDIR)" >&2; exit 1; }

load:
	$(SCRIPT)/load $(PARAMS)

unload:
	$(SCRIPT)/unload

# V may name the machine here; then it is no wish to see what is run
DEMO_MACHINE = $(filter-out 0 1,$(V))
demo:
	$(if $(DEMO_MACHINE),env -u V) $(SCRIPT)/demo $(addprefix -m ,$(DEMO_MACHINE))

check:
	$(SCRIPT)/deps check
	$(SCRIPT)/check $(TESTS)

bench:
	$(SCRIPT)/bench

style:
	$(SCRIPT)/deps style lab
	$(SCRIPT)/style

lab:
	$(SCRIPT)/lab build

shell: lab
	$(SCRIPT)/lab shell

clean:
	$(if $(wildcard $(KDIR)),$(MAKE) -C $(KDIR) M=$(CURDIR) clean)

# the test machines as well, and everything else below build/
distclean: clean
	$(SCRIPT)/lab clean
	rm -rf build

help:
	@echo "make                  the modules, for the running kernel (KDIR=...)"
	@echo "sudo make load        load them (PARAMS=\"...\"), then use plain sysfs or mdevctl"
	@echo "sudo make unload      and away again"
	@echo "sudo make modules_install"
	@echo "make demo             a live migration in a test machine, step by step"
	@echo "                      (V=trixie or V=backports: with a newer kernel and QEMU)"
	@echo "make check            every test (TESTS=\"NAME...\", V=1)"
	@echo "make bench            how fast devices migrate, beside this machine's limits"
	@echo "make style            the style checks only"
	@echo "make lab              build for a test machine (MACHINE=bookworm)"
	@echo "make shell            a root shell in a test machine"
	@echo "make clean            remove what make built; distclean: test machines too"

.PHONY: all modules modules_install load unload demo check bench style lab
.PHONY: shell clean distclean help
