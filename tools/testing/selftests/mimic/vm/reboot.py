#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A guest reboots in pre-copy, from outside and from inside: the reset ends the
device's session, QEMU goes on with the same stream, and a second session
carries all of the device. The guest boots at the destination or has done so at
the source, and works (V1-Q7-T9, V1-PRE-09)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import MIB, say

# So slow that a migration cannot end while the guest boots if so much of its
# RAM is left, for which the workload cares: it writes more in each round
SLOW = 64 << 10
LEFT = 10 * MIB


def begin(scene, load, name, mdev):
    """A migration in the middle of the device's first session."""
    src = load.vm
    dst = scene.destination(name, mdev)
    for vm in (src, dst):
        # QEMU was started to end at a reset. There may be a second one, also at
        # the destination: SeaBIOS resets once more if it has run before
        vm.qmp.execute("set-action", reboot="reset")
        vm.qmp.events.clear()
    relay = scene.relay(src, dst, answers=True,
                        hold=lambda _, device: device > 4 * MIB)
    vmlib.start_migration(src, relay.uri, downtime=1)
    sent = relay.wait_held("4 MiB of device data")
    say("stream %d bytes, device %d bytes" % sent)
    vmlib.allow_bandwidth(src, SLOW)
    load.wait_progress()
    relay.go_on()
    vmlib.wait_until("RAM to send", vmlib.MIGRATE_LIMIT,
                     lambda: vmlib.ram_to_go(src) > LEFT)
    return dst


def wait_reset(tap, src, name):
    trace = src.scene.trace
    vmlib.wait_until("reset", vmlib.COMMAND_LIMIT,
                     lambda: src.qmp.seen("RESET"))
    path = trace.path(src.mdev, src.migrating_since)
    tap.ok(path == [trace.RUNNING, trace.PRE_COPY, trace.RUNNING], name, path)
    vmlib.precopy_info(src, "pre-copy after the reset")


def end(tap, src, dst, name):
    """Let the migration end; two sessions were in its stream."""
    trace = src.scene.trace
    vmlib.allow_bandwidth(src, 512 * MIB)
    vmlib.allow_downtime(src)
    vmlib.wait_migration(src)
    came_up = src.agent.came_up(0)
    figures = vmlib.end_migration(src, dst)
    say(figures)
    path = trace.path(src.mdev, src.migrating_since)
    tap.ok(figures.precopy_device and figures.stop_device and
           path == [trace.RUNNING, trace.PRE_COPY, trace.RUNNING, trace.STOP,
                    trace.STOP_COPY, trace.STOP],
           "V1-PRE-09 V1-Q7-T9 the migration %s completes" % name,
           "%s\n%s" % (figures, path))
    return came_up


def outside(tap, scene, load, mdev):
    """system_reset; the guest is moved while it boots."""
    src = load.vm
    dst = begin(scene, load, "one", mdev)
    src.qmp.execute("system_reset")
    wait_reset(tap, src, "V1-Q7-T9 a reset ends the session")
    if end(tap, src, dst, "with a reset from outside"):
        say("the guest had booted at the source")
    else:
        dst.agent.wait_ready(vmlib.BOOT_LIMIT)
    return dst


def inside(tap, scene, load, mdev):
    """reboot; the guest boots and begins to work while it is moved."""
    src = load.vm
    dst = begin(scene, load, "two", mdev)
    src.agent.post("reboot -f")
    wait_reset(tap, src, "V1-Q7-T9 a reboot ends the session")
    src.agent.wait_ready(vmlib.BOOT_LIMIT)
    load = vmlib.Workload(src, seed=11).start()
    vmlib.precopy_info(src, "pre-copy after the boot")
    end(tap, src, dst, "with a reboot from inside")
    load.moved_to(dst)
    return load


def test(tap, scene):
    one, two, _ = vmlib.twins()
    mdevs = [scene.mdev(one, "mimic-accel_8"), scene.mdev(two, "mimic-accel_8")]
    vm = scene.vm("zero", mdevs[0]).boot()
    load = vmlib.Workload(vm, seed=9).start()
    vm = outside(tap, scene, load, mdevs[1])
    load = vmlib.Workload(vm, seed=10).start()
    tap.ok(True, "V1-PRE-09 the workload starts where the guest booted")
    vmlib.verify(tap, load,
                 "V1-PRE-02 every page, memory and interrupt is right")

    load = vmlib.Workload(vm, seed=10).start()
    load = inside(tap, scene, load, mdevs[0])
    say(load.wait_progress())
    tap.ok(True, "V1-PRE-09 the workload started after the boot goes on")
    vmlib.verify(tap, load,
                 "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, load.vm, "logs and QEMU are silent")
    load.vm.quit()


vmlib.main(9, test)
