#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""savevm and loadvm: the device's state, its memory and the guest's go back to
the snapshot together, in the same QEMU and in a new one with another device
(V1-Q7-T6, V1-Q7-T7, V1-PRE-07)."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say


def attach_new_disk(vm, path):
    """Make an empty qcow2 image and attach it, to no device of the guest: all
    that a snapshot wants is a place for itself."""
    vm.qmp.job("blockdev-create", options={
        "driver": "file", "filename": path, "size": 0})
    vm.qmp.execute("blockdev-add", driver="file", filename=path,
                   node_name="file")
    vm.qmp.job("blockdev-create", options={
        "driver": "qcow2", "file": "file", "size": vmlib.MIB})
    vm.qmp.execute("blockdev-add", driver="qcow2", file="file",
                   node_name="disk")


def at_rest(vm):
    """What must not change while the workload rests."""
    text = vm.must("accelwork regs") + vm.must("accelwork counters")
    return [word for word in text.split() if not word.startswith("tick_")]


def older(now, then):
    """Is everything of a set of rounds back before another?"""
    return all(now[name] < then[name] for name in then)


def same_qemu(tap, load):
    """A snapshot of everything at work; work; back to the snapshot."""
    vm = load.vm
    trace = vm.scene.trace
    first = load.rounds()
    since = time.monotonic()
    vm.snapshot("savevm", "busy")
    vmlib.wait_running(vm)
    path = trace.path(vm.mdev, since)
    say(trace.sent(vm.mdev, since))
    tap.ok(path == [trace.RUNNING, trace.STOP, trace.STOP_COPY, trace.STOP,
                    trace.RUNNING],
           "V1-Q7-T6 V1-PRE-07 savevm saves the device", path)
    load.wait_progress()
    last = load.wait_progress()
    say("%s, then %s" % (first, last))
    since = time.monotonic()
    vm.snapshot("loadvm", "busy")
    vmlib.wait_running(vm)
    path = trace.path(vm.mdev, since)
    tap.ok(path == [trace.RUNNING, trace.STOP, trace.RUNNING, trace.STOP,
                    trace.RESUMING, trace.STOP, trace.RUNNING],
           "V1-Q7-T7 loadvm loads the device", path)
    now = load.rounds()
    tap.ok(older(now, last) and not older(now, first),
           "V1-Q7-T7 the workload is back where it was",
           "%s, then %s, then %s" % (first, last, now))
    say(load.wait_progress())
    tap.ok(True, "V1-Q7-T7 and goes on")


def exactly(tap, load):
    """The same at rest: nothing but time may differ."""
    vm = load.vm
    load.rest()
    before = at_rest(vm)
    vm.snapshot("savevm", "rest")
    load.go_on()
    load.wait_progress()
    vm.snapshot("loadvm", "rest")
    after = at_rest(vm)
    tap.ok(before == after, "V1-Q7-T7 the registers are as they were",
           "%s\n%s" % (before, after))
    load.go_on()
    say(load.wait_progress())
    tap.ok(True, "V1-Q7-T7 and the device works on")


def test(tap, scene):
    one, two, _ = vmlib.twins()
    disk = os.path.join(scene.dir, "disk.qcow2")
    vm = scene.vm("first", scene.mdev(one, "mimic-accel_8")).boot()
    attach_new_disk(vm, disk)
    load = vmlib.Workload(vm, seed=9).start()
    same_qemu(tap, load)
    exactly(tap, load)
    vmlib.verify(tap, load,
                 "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, vm, "logs and QEMU are silent")
    vm.quit()

    # what had ended above was at work in the snapshot
    vm = scene.vm("second", scene.mdev(two, "mimic-accel_8"), extra=[
        "-drive", "if=none,format=qcow2,file=" + disk, "-loadvm", "busy"])
    vm.connect()
    vmlib.wait_running(vm)
    load.moved_to(vm)
    say(load.wait_progress())
    tap.ok(True, "V1-Q7-T7 another QEMU starts from the snapshot")
    vmlib.verify(tap, load,
                 "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, vm, "logs and QEMU are silent")
    vm.quit()


vmlib.main(11, test)
