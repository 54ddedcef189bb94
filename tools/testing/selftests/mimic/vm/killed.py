#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The destination's QEMU dies by SIGKILL: in pre-copy, at the switchover, and
when it has loaded everything but the source has not heard of it. The source
goes on, and the destination's device can be used again at once (V1-CAN-02,
V1-CAN-03, V1-CAN-04, V1-CAN-10)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import MIB, say


def in_precopy(src, dst):
    relay = src.scene.relay(src, dst, answers=True,
                            hold=lambda _, device: device > 4 * MIB)
    vmlib.start_migration(src, relay.uri, downtime=1)
    say("stream %d bytes, device %d bytes" % relay.wait_held(
        "4 MiB of device data"))
    dst.kill()
    relay.go_on()


def at_switchover(src, dst):
    vmlib.start_migration(src, dst.uri, phases=True)
    vmlib.wait_status(src, "pre-switchover")
    dst.kill()
    # wait_migration() lets the source go on into nothing


def when_loaded(src, dst):
    relay = src.scene.relay(src, dst)
    vmlib.start_migration(src, relay.uri)
    vmlib.wait_saved(src, dst)
    dst.kill()
    relay.cut()


def test(tap, scene):
    one, two, _ = vmlib.twins()
    trace = scene.trace
    src = scene.vm("source", scene.mdev(one, "mimic-accel_8")).boot()
    src.expected = vmlib.CUT
    load = vmlib.Workload(src, seed=8).start()
    target = scene.mdev(two, "mimic-accel_8")
    cases = (
        ("V1-CAN-02 destination killed in pre-copy", in_precopy,
         trace.PRE_COPY, trace.RESUMING),
        ("V1-CAN-03 destination killed at the switchover", at_switchover,
         trace.STOP, trace.RESUMING),
        ("V1-CAN-04 destination killed when all was loaded", when_loaded,
         trace.STOP, trace.RUNNING),
    )
    for number, (what, killed, at_source, at_target) in enumerate(cases):
        dst = scene.destination("killed-%d" % number, target)
        killed(src, dst)
        there = trace.path(target)
        vmlib.wait_migration(src, until=("failed",))
        vmlib.wait_running(src)
        here = trace.path(src.mdev, src.migrating_since)
        say(load.wait_progress())
        tap.ok(here[-2:] == [at_source, trace.RUNNING] and
               there[-1:] == [at_target],
               "%s: the source works on" % what,
               "source %s, destination %s" % (here, there))

    vmlib.last_succeeds(tap, scene, load, target)


vmlib.main(6, test)
