#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Live migration while everything writes: the stamp job, the command rings, the
processor through the mapped BAR and to plain memory. Whatever was written up to
the stop has to be there afterwards (V1-PRE-02, V1-Q7-T1, V1-Q7-T2)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say


def test(tap, scene):
    one, two, _ = vmlib.twins()
    src = scene.vm("source", scene.mdev(one, "mimic-accel_8")).boot()
    load = vmlib.Workload(src, seed=2).start()
    say(load.rounds())

    dst = scene.destination("destination", scene.mdev(two, "mimic-accel_8"))
    figures = vmlib.migrate(src, dst, phases=True, precopy=20 * vmlib.MIB,
                            load=load)
    say(figures)
    tap.ok(figures.device > 0 and figures.precopy_ram > figures.ram // 2,
           "V1-Q7-T1 a busy guest migrates, most of it while it runs", figures)
    tap.ok(figures.precopy_device > figures.stop_device,
           "V1-PRE-04 device memory is sent while the device runs", figures)

    load.moved_to(dst)
    say(load.wait_progress())
    tap.ok(True, "V1-Q7-T2 the workload goes on")
    vmlib.verify(tap, load, "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, dst, "logs and QEMU are silent")
    dst.quit()


vmlib.main(5, test)
