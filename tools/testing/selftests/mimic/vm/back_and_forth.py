#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A busy guest migrates there and back three times; nothing is lost and nothing
grows (V1-RES-24)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say

HOPS = 6


def test(tap, scene):
    one, two, _ = vmlib.twins()
    mdevs = [scene.mdev(one, "mimic-accel_8"), scene.mdev(two, "mimic-accel_8")]
    vm = scene.vm("hop-0", mdevs[0]).boot()
    load = vmlib.Workload(vm, seed=4).start()
    for hop in range(1, HOPS + 1):
        dst = scene.destination("hop-%d" % hop, mdevs[hop % 2])
        figures = vmlib.migrate(vm, dst, downtime=2000)
        vm = dst
        load.moved_to(vm)
        say(figures)
        say(load.wait_progress())
        tap.ok(figures.device > 0, "V1-RES-24 hop %d: the workload goes on" % hop,
               figures)
    vmlib.verify(tap, load, "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, vm, "logs and QEMU are silent")
    vm.quit()


vmlib.main(HOPS + 2, test)
