#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The device fails in the middle of a migration, at its begin, in pre-copy and
after the stop: QEMU reports a migration that failed, the guest works on, and the
next migration succeeds (V1-ST-08, V1-SAV-16)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say

ENOMEM = 12
# What QEMU says of it, at either end.
COMPLAINTS = r"^qemu-system-x86_64: "


def arm(mdev, step, skip):
    """It fails from then on: by v2 an error that does not last is none, if it comes
    in the middle of a read, which is short then."""
    vmlib.write_file(mdev.knob("fail/" + step), "%d %d 0" % (ENOMEM, skip))


def fails(scene, src, name, target, step, skip, phases):
    """A migration in which a step of the source fails."""
    dst = scene.destination(name, target)
    dst.expected = COMPLAINTS
    if not phases:
        arm(src.mdev, step, skip)
    vmlib.start_migration(src, dst.uri, phases=phases, return_path=False)
    if phases:
        vmlib.wait_status(src, "pre-switchover")
        arm(src.mdev, step, skip)
    vmlib.wait_migration(src, until=("failed",))
    vmlib.write_file(src.mdev.knob("fail/" + step), "0")
    vmlib.wait_running(src)
    dst.given_up()


def test(tap, scene):
    one, two, _ = vmlib.twins()
    src = scene.vm("source", scene.mdev(one, "mimic-accel_8")).boot()
    src.expected = COMPLAINTS
    load = vmlib.Workload(src, seed=12).start()
    target = scene.mdev(two, "mimic-accel_8")
    cases = (
        ("V1-ST-08 no memory for a session", "save", 0, False),
        ("V1-SAV-16 no memory for the third segment", "stage", 2, False),
        ("V1-SAV-16 no memory for a segment after the stop", "stage", 0, True),
    )
    for number, (what, step, skip, phases) in enumerate(cases):
        fails(scene, src, "failed-%d" % number, target, step, skip, phases)
        say(load.wait_progress())
        now = vmlib.device_migration(src)
        tap.ok((now["state"], now["session"]) == ("RUNNING", "none"),
               what + ": it failed, and the guest works on", now)

    vmlib.last_succeeds(tap, scene, load, target)


vmlib.main(6, test)
