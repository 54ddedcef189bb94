#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A migration that ends after the guest was stopped, cancelled or failed, with
the device in the middle of its save or already saved: the source goes on from
where it was, and the next migration succeeds (V1-Q7-T5, V1-CAN-03, V1-CAN-04,
V1-CAN-10)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say

# A destination whose source went away may complain of any part of the stream
CUT_OFF = r"^qemu-system-x86_64: "


def destination(scene, name, mdev):
    dst = scene.destination(name, mdev)
    dst.expected = CUT_OFF
    return dst


def goes_on(tap, load, until, name):
    """The migration ends so; the device was stopped, and the guest works on."""
    src = load.vm
    trace = src.scene.trace
    vmlib.wait_migration(src, until=until)
    vmlib.wait_running(src)
    path = trace.path(src.mdev, src.migrating_since)
    say(load.wait_progress())
    tap.ok(path[-3:] == [trace.STOP_COPY, trace.STOP, trace.RUNNING],
           name, path)


def cancelled_at_switchover(tap, scene, load, mdev):
    src = load.vm
    dst = destination(scene, "at-switchover", mdev)
    vmlib.start_migration(src, dst.uri, phases=True, return_path=False)
    vmlib.wait_status(src, "pre-switchover")
    path = scene.trace.path(src.mdev)
    src.qmp.execute("migrate_cancel")
    tap.ok(path[-1] == scene.trace.STOP_COPY,
           "V1-Q7-T5 the device is in stop-and-copy at the switchover", path)
    goes_on(tap, load, ("cancelled",),
            "V1-Q7-T5 V1-CAN-03 cancelled in stop-and-copy: "
            "the source works on")
    dst.given_up()


def saved(scene, load, name, mdev):
    """A migration whose device is saved, and whose source waits for the end."""
    dst = destination(scene, name, mdev)
    relay = scene.relay(load.vm, dst)
    vmlib.start_migration(load.vm, relay.uri)
    vmlib.wait_saved(load.vm, dst)
    return dst, relay


def cancelled_when_saved(tap, scene, load, mdev):
    dst, relay = saved(scene, load, "cancelled-when-saved", mdev)
    load.vm.qmp.execute("migrate_cancel")
    goes_on(tap, load, ("cancelled", "failed"),
            "V1-CAN-04 cancelled after the save: the source works on")
    relay.cut()
    dst.quit()


def failed_when_saved(tap, scene, load, mdev):
    dst, relay = saved(scene, load, "failed-when-saved", mdev)
    relay.cut()
    goes_on(tap, load, ("failed",),
            "V1-Q7-T5 V1-CAN-04 failed after the save: the source works on")
    dst.quit()


def test(tap, scene):
    one, two, _ = vmlib.twins()
    src = scene.vm("source", scene.mdev(one, "mimic-accel_8")).boot()
    src.expected = vmlib.CUT
    load = vmlib.Workload(src, seed=7).start()
    target = scene.mdev(two, "mimic-accel_8")
    cancelled_at_switchover(tap, scene, load, target)
    cancelled_when_saved(tap, scene, load, target)
    failed_when_saved(tap, scene, load, target)

    vmlib.last_succeeds(tap, scene, load, target)


vmlib.main(7, test)
