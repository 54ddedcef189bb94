#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A guest with two devices of different types migrates. By the v2 protocol, no
device may stop before all of them have left the others alone, and none may go on
with the others before all are there: QEMU refuses two devices without P2P states
(V1-Q7-T1, V1-Q7-T2, V2-FSM-73)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say

# Registers of the probe, and its commands; see uapi/linux/mimic_probe.h
PROBE = "0xacc2"
SCRATCH, SIZE_LO, TICK_LO = 0x008, 0x010, 0x018
FIRST, COUNT, VALUE_LO, VALUE_HI = 0x020, 0x024, 0x028, 0x02c
COMMAND, STATUS = 0x030, 0x034
FILL, READ, OK = 1, 2, 0
UNIT = 4096
HALVES = (0x5eed0001, 0x5eed0002)


class Probe:
    """The probe of a guest that has no driver for it: busybox's devmem."""

    def __init__(self, vm):
        self.vm = vm
        node = vm.must("dirname $(grep -l %s /sys/bus/pci/devices/*/device)" % PROBE)
        vm.must("echo 1 > %s/enable" % node)
        start = vm.must("head -n 1 %s/resource" % node).split()[0]
        self.base = int(start, 16)

    def read(self, register):
        return int(self.vm.must("devmem %#x 32" % (self.base + register)), 16)

    def write(self, register, value):
        self.vm.must("devmem %#x 32 %#x" % (self.base + register, value))

    def _do(self, command, first):
        self.write(FIRST, first)
        self.write(COMMAND, command)
        status = self.read(STATUS)
        if status != OK:
            raise vmlib.Failure("probe: command %d: status %d" % (command, status))

    def fill(self):
        """Each half of the state with a number of its own."""
        units = self.read(SIZE_LO) // UNIT
        self.write(SCRATCH, units)
        self.write(COUNT, units // 2)
        self.write(VALUE_HI, 0)
        for half, value in enumerate(HALVES):
            self.write(VALUE_LO, value)
            self._do(FILL, half * (units // 2))

    def found(self):
        """[what fills the first and the last unit of each half]"""
        units = self.read(SCRATCH)
        values = []
        for first in (0, units // 2 - 1, units // 2, units - 1):
            self._do(READ, first)
            values.append(self.read(VALUE_LO))
        return values


class Pair:
    """A guest's two devices."""

    def __init__(self, scene, parent):
        self.accel = scene.mdev(parent, "mimic-accel_8")
        self.probe = scene.mdev(parent, "mimic-probe_small")
        self.extra = ["-device", vmlib.vfio_device(self.probe, "probe")]


def first_time(trace, mdev, state, since):
    """When a device came to a state; the end of time if it did not."""
    return next((time for time, _, to in trace.states(mdev, since) if to == state),
                float("inf"))


def in_step(trace, pair, quiet, then, since):
    """Was each of them in state quiet before any came to state then?"""
    both = (pair.accel, pair.probe)
    return max(first_time(trace, mdev, quiet, since) for mdev in both) < \
        min(first_time(trace, mdev, then, since) for mdev in both) < float("inf")


def check_p2p(tap, trace, here, there, since):
    if vmlib.protocol() == 1:
        return
    states = "\n".join("%s: %s" % (mdev.uuid, trace.states(mdev, since)) for mdev in
                       (here.accel, here.probe, there.accel, there.probe))
    tap.ok(in_step(trace, here, trace.PRE_COPY_P2P, trace.STOP_COPY, since),
           "V2-FSM-73 both left the other alone before either stopped", states)
    tap.ok(in_step(trace, there, trace.RUNNING_P2P, trace.RUNNING, since),
           "V2-FSM-73 both were there before either went on", states)


def test(tap, scene):
    one, two, _ = vmlib.twins()
    here, there = Pair(scene, one), Pair(scene, two)
    src = scene.vm("source", here.accel, extra=here.extra).boot()
    load = vmlib.Workload(src, seed=14).start()
    probe = Probe(src)
    probe.fill()
    tick = probe.read(TICK_LO)

    dst = scene.destination("destination", there.accel, there.extra)
    figures = vmlib.migrate(src, dst)
    since = src.migrating_since
    say(figures)
    sent = sum(scene.trace.sent(here.probe, since).values())
    say("of the probe %d bytes" % sent)
    tap.ok(figures.device > 0 and sent > 0, "V1-Q7-T1 two devices migrate", figures)
    check_p2p(tap, scene.trace, here, there, since)

    load.moved_to(dst)
    probe.vm = dst
    want = [value for value in HALVES for _ in range(2)]
    found = probe.found()
    tap.ok(found == want and probe.read(TICK_LO) > tick,
           "V1-Q7-T2 the second has its registers and its state",
           "%s instead of %s" % (found, want))
    say(load.wait_progress())
    vmlib.verify(tap, load, "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, dst, "logs and QEMU are silent")
    dst.quit()


vmlib.main(4 if vmlib.protocol() == 1 else 6, test)
