#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A paused guest migrates: all of the device goes from the stop state, the
destination stays paused and its device unstarted until it is told to go on, and
then everything is as it was at the pause (V1-Q7-T3, V1-PRE-08)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say


def test(tap, scene):
    one, two, _ = vmlib.twins()
    trace = scene.trace
    src = scene.vm("source", scene.mdev(one, "mimic-accel_8")).boot()
    load = vmlib.Workload(src, seed=6).start()
    before = load.rounds()

    src.qmp.execute("stop")
    tap.ok(trace.state(src.mdev) == trace.STOP,
           "V1-Q7-T3 a pause stops the device", trace.path(src.mdev))

    dst = scene.destination("destination", scene.mdev(two, "mimic-accel_8"))
    figures = vmlib.migrate(src, dst, state="paused")
    say(figures)
    path = trace.path(src.mdev, src.migrating_since)
    tap.ok(path == [trace.STOP, trace.STOP_COPY, trace.STOP],
           "V1-Q7-T3 a paused guest migrates", path)
    tap.ok(figures.stop_device > 0 and not figures.precopy_device,
           "V1-PRE-08 the device is saved from its stop state", figures)
    tap.ok(vmlib.run_state(dst) == "paused" and
           trace.state(dst.mdev) == trace.RESUMING,
           "V1-Q7-T3 the destination stays paused", trace.path(dst.mdev))

    dst.qmp.execute("cont")
    vmlib.wait_running(dst)
    load.moved_to(dst)
    after = load.rounds()
    tap.ok(all(after[name] >= before[name] for name in before),
           "V1-PRE-08 nothing is older than the pause",
           "%s, then %s" % (before, after))
    say(load.wait_progress())
    tap.ok(True, "V1-Q7-T3 then the workload goes on")
    vmlib.verify(tap, load,
                 "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, dst, "logs and QEMU are silent")
    dst.quit()


vmlib.main(8, test)
