#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A destination of another type or memory size refuses, by migration_version and
by the stream alike; the source's guest goes on, and then migrates to a
compatible one (VER-11, STR-05)."""

import errno
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say

# What a destination may say when it refuses; that it says so is tested too
REFUSED = r"load of migration failed|[Ee]rror|[Ff]ailed|invalid|[Mm]ismatch"
# What a source says when its destination tells it so
TOLD = vmlib.CUT + r"|Sibling indicated error 1$"


def refused(tap, scene, load, mdev, what):
    """A migration to mdev fails, and the guest works on where it was."""
    src = load.vm
    error = mdev.accepts(src.mdev.version())
    tap.ok(error == errno.EXDEV, "VER-11 %s: the version is refused" % what,
           "errno %d: %s" % (error, os.strerror(error)))

    dst = scene.destination("refused-%s" % mdev.uuid[:8], mdev)
    dst.expected = REFUSED
    vmlib.start_migration(src, dst.uri)
    info, _ = vmlib.wait_migration(src, until=("failed",))
    vmlib.wait_running(src)
    status = dst.given_up()
    say("source: %s" % info.get("error-desc", "failed"))
    say(dst.stderr())
    tap.ok(status and "load of migration failed" in dst.stderr(),
           "STR-05 %s: the stream is refused" % what,
           "status %d: %s" % (status, dst.stderr()))
    say(load.wait_progress())
    tap.ok(True, "STR-05 %s: the source works on" % what)


def test(tap, scene):
    one, two, other = vmlib.twins()
    src = scene.vm("source", scene.mdev(one, "mimic-accel_8")).boot()
    src.expected = TOLD
    load = vmlib.Workload(src, seed=5).start()
    refused(tap, scene, load, scene.mdev(two, "mimic-accel_4"), "another type")
    refused(tap, scene, load, scene.mdev(other, "mimic-accel_8"),
            "the same type with more memory")

    target = scene.mdev(two, "mimic-accel_8")
    error = target.accepts(src.mdev.version())
    tap.ok(not error, "VER-11 a compatible one: the version is accepted",
           "errno %d" % error)
    vmlib.last_succeeds(tap, scene, load, target,
                        "VER-11 a compatible one: the stream is accepted")


vmlib.main(10, test)
