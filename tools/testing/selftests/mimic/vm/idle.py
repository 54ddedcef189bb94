#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Live migration of an idle guest: the device's state and memory are all that
has to arrive, and the device has to work afterwards (V1-Q7-T1, V1-Q7-T2)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say


def registers(vm):
    """What must not change while nothing happens; time goes on, of course."""
    text = vm.must("accelwork regs")
    return [word for word in text.split() if not word.startswith("tick_")]


def test(tap, scene):
    one, two, _ = vmlib.twins()
    src = scene.vm("source", scene.mdev(one, "mimic-accel_8")).boot()
    say(src.must("accelwork info"))

    # stamped pages with the job at rest, and memory with the writer at rest
    load = vmlib.Workload(src).start()
    load.rest()
    before = registers(src)

    dst = scene.destination("destination", scene.mdev(two, "mimic-accel_8"))
    figures = vmlib.migrate(src, dst, phases=True, precopy=14 * vmlib.MIB,
                            downtime=50)
    say(figures)
    tap.ok(figures.device > 0, "V1-Q7-T1 an idle guest migrates", figures)

    tap.ok(figures.stop_device * 4 < figures.precopy_device,
           "V1-PRE-04 at the stop only what changed is sent", figures)

    after = registers(dst)
    tap.ok(before == after, "V1-Q7-T2 the registers are as they were",
           "%s\n%s" % (before, after))
    load.moved_to(dst)
    load.go_on()
    say(load.wait_progress())
    tap.ok(True, "V1-Q7-T2 the device works on")
    vmlib.verify(tap, load, "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, dst, "logs and QEMU are silent")
    dst.quit()


vmlib.main(6, test)
