#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A busy guest migrates there and back, HOPS times (the argument; default 6);
nothing is lost and nothing grows (V1-RES-24)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say

HOPS = int(sys.argv[1]) if len(sys.argv) > 1 else 6
# A chunk that happens to be zero is a hole in one hop and not in another
SLACK = 16 << 10


def test(tap, scene):
    one, two, _ = vmlib.twins()
    mdevs = [scene.mdev(one, "mimic-accel_8"), scene.mdev(two, "mimic-accel_8")]
    vm = scene.vm("hop-0", mdevs[0]).boot()
    load = vmlib.Workload(vm, seed=4).start()
    states = []
    for hop in range(1, HOPS + 1):
        dst = scene.destination("hop-%d" % hop, mdevs[hop % 2])
        # of a paused guest, so without pre-copy: its state is sent once, whole
        whole = hop in (1, HOPS)
        if whole:
            vm.qmp.execute("stop")
        figures = vmlib.migrate(vm, dst, state="paused" if whole else "running")
        vm = dst
        if whole:
            vm.qmp.execute("cont")
            vmlib.wait_running(vm)
        load.moved_to(vm)
        say(figures)
        say(load.wait_progress())
        states.append(figures.stop_device)
        tap.ok(figures.device > 0 and (not whole or not figures.precopy_device),
               "V1-RES-24 hop %d: the workload goes on" % hop, figures)
    say(states)
    tap.ok(max(states) <= states[0] + SLACK and states[-1] >= states[0] - SLACK,
           "V1-RES-24 the state is no larger after %d hops" % HOPS, states)
    vmlib.verify(tap, load,
                 "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, vm, "logs and QEMU are silent")
    vm.quit()


vmlib.main(HOPS + 3, test)
