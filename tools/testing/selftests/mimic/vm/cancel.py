#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A migration that is cancelled in pre-copy leaves the source as it was, at
whatever point that happens, and the next migration succeeds (V1-CAN-02,
V1-CAN-10, V1-Q7-T4)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import MIB, say

# A destination whose source went away may complain of any part of the stream
CANCELLED = r"^qemu-system-x86_64: "


def cancel_when(scene, src, name, mdev, reached):
    """Start a migration, and cancel it when reached()."""
    dst = scene.destination(name, mdev)
    dst.expected = CANCELLED
    relay = scene.relay(src, dst, hold=reached)
    vmlib.start_migration(src, relay.uri, downtime=1, return_path=False)
    sent = relay.wait_held("pre-copy of " + name)
    say("cancelled at: stream %d bytes, device %d bytes" % sent)
    src.qmp.execute("migrate_cancel")
    relay.go_on()
    vmlib.wait_migration(src, until=("cancelled",))
    vmlib.wait_running(src)
    dst.given_up()


def test(tap, scene):
    one, two, _ = vmlib.twins()
    src = scene.vm("source", scene.mdev(one, "mimic-accel_8")).boot()
    src.expected = vmlib.CUT
    load = vmlib.Workload(src, seed=3).start()
    target = scene.mdev(two, "mimic-accel_8")
    points = (
        ("before device data", lambda stream, _: stream > MIB),
        ("after the first device data", lambda _, device: device > 0),
        ("after 4 MiB of device data", lambda _, device: device > 4 * MIB),
    )
    for number, (where, reached) in enumerate(points):
        cancel_when(scene, src, "cancelled-%d" % number, target, reached)
        say(load.wait_progress())
        tap.ok(True, "V1-CAN-02 cancelled %s: the source works on" % where)

    vmlib.last_succeeds(tap, scene, load, target)


vmlib.main(6, test)
