#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""QEMU with a downtime limit of 1 ms moves an idle guest: in pre-copy the
device's pending falls to what can be sent in that time. What only the stop can
deliver is little, and by v2 it is pending (V2-DS-03, V2-DS-04). That by v1 it is
not (V1-SAV-10) cannot be seen here, since it fits into that time.

The bandwidth is so small that in 1 ms less goes than one page of RAM. So QEMU stops
the guest only in a moment in which no page of RAM waits and pending is next to
nothing. A guest without a device shows that this guest's RAM has such moments.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import MIB, say

DOWNTIME = 1
SLOW = 2 * MIB
# QEMU sends a segment whole, whatever is left of a tenth of a second's share
SECTION = 32 << 10
# What an idle device keeps for the stop at most
AT_STOP = 4096
# What QEMU takes for a millisecond's worth of sending, at most
IN_TIME = DOWNTIME * (SLOW // 10 + SECTION + 4096) // 100


def migrate(scene, src, dst, point):
    """Pre-copy up to a point as fast as can be, the rest slowly."""
    relay = scene.relay(src, dst, hold=point, answers=True)
    vmlib.start_migration(src, relay.uri, downtime=DOWNTIME)
    say("stream %d bytes, device %d bytes" % relay.wait_held("slow pre-copy"))
    vmlib.allow_bandwidth(src, SLOW)
    relay.go_on()
    figures = vmlib.end_migration(src, dst)
    say(figures)
    say("RAM: %d rounds" % figures.rounds)
    return figures


def control(tap, scene):
    """The same guest, with no device."""
    src = scene.vm("control").boot()
    dst = scene.destination("control-destination")
    figures = migrate(scene, src, dst, lambda stream, _: stream > 48 * MIB)
    tap.ok(figures.ram > 0, "an idle guest without a device migrates", figures)
    dst.quit()


def section(mdev):
    """By v1 a device sends a section at a time; by v2 it has none."""
    if vmlib.protocol() == 1:
        vmlib.write_file(mdev.knob("section_size"), str(SECTION))
    return mdev


def check_stop(tap, figures):
    """What was sent after the stop."""
    rules = "" if vmlib.protocol() == 1 else "V2-DS-03 V2-DS-04 "
    tap.ok(0 < figures.stop_device <= AT_STOP,
           rules + "only what the stop alone can deliver was left", figures)


def test(tap, scene):
    control(tap, scene)
    one, two, _ = vmlib.twins()
    trace = scene.trace
    src = scene.vm("source", section(scene.mdev(one, "mimic-accel_8"))).boot()
    load = vmlib.Workload(src, seed=13).start()
    load.rest()
    dst = scene.destination("destination",
                            section(scene.mdev(two, "mimic-accel_8")))
    figures = migrate(scene, src, dst, lambda _, device: device > 8 * MIB)
    say("QEMU stops a guest if it can send all within %d ms: %d bytes" % (
        DOWNTIME, IN_TIME))
    path = trace.path(src.mdev, src.migrating_since)
    tap.ok(path == [trace.RUNNING, trace.PRE_COPY, trace.STOP_COPY, trace.STOP],
           "an idle guest migrates with a downtime of 1 ms",
           path)
    check_stop(tap, figures)
    load.moved_to(dst)
    load.go_on()
    say(load.wait_progress())
    vmlib.verify(tap, load, "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, dst, "logs and QEMU are silent")
    dst.quit()


vmlib.main(5, test)
