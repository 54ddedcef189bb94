#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Source and destination have data sections of other sizes: QEMU cuts what comes
from the larger one to pieces, and the stream does not mind (V1-RES-09,
V1-RES-10)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say

KIB = 1024


def section(mdev, size):
    """Give a device, which nobody has open, a data section of size bytes."""
    knob = mdev.knob("section_size")
    vmlib.write_file(knob, str(size))
    if int(vmlib.read_file(knob)) != size:
        raise vmlib.Failure("%s is not %d" % (knob, size))
    return mdev


def test(tap, scene):
    one, two, _ = vmlib.twins()
    src = scene.vm("source", section(scene.mdev(one, "mimic-accel_8"),
                                     1024 * KIB)).boot()
    load = vmlib.Workload(src, seed=11).start()
    hops = (
        ("V1-RES-09 from 1 MiB to 64 KiB", two, 64 * KIB),
        ("V1-RES-10 from 64 KiB to 4 MiB", one, 4096 * KIB),
        ("V1-RES-09 from 4 MiB to 32 KiB", two, 32 * KIB),
    )
    for number, (what, parent, size) in enumerate(hops):
        target = section(scene.mdev(parent, "mimic-accel_8"), size)
        dst = scene.destination("hop-%d" % number, target)
        figures = vmlib.migrate(src, dst)
        say("%s: %s" % (what, figures))
        load.moved_to(dst)
        say(load.wait_progress())
        tap.ok(figures.device > 0, what, figures)
        src = dst
    vmlib.verify(tap, load, "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, src, "logs and QEMU are silent")
    src.quit()


vmlib.main(5, test)
