#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A device that is plugged into a running guest migrates; after that it is
unplugged, and another one is plugged in; and the guest, from which all are gone,
migrates as well (V1-Q7-T1, V1-Q7-T2, LIFE-07)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say

# With room for the device's memory, which the firmware does not know of
PORT = ["-device", "pcie-root-port,id=slot1,slot=1,pref64-reserve=256M"]
# pciehp waits five seconds between an attention button and what it asks for
PLUG_LIMIT = 60


def has_device(vm):
    return vm.run("test -e /dev/mimic_accel0")[0] == 0


def plug(vm, mdev):
    """Plug a device in, and wait until the guest's driver has it."""
    options = dict(option.split("=") for option in
                   ("driver=" + vmlib.vfio_device(mdev)).split(","))
    vm.qmp.execute("device_add", bus="slot1", **options)
    vm.mdev = mdev
    vmlib.wait_until("device in the guest", PLUG_LIMIT, lambda: has_device(vm), 0.2)


def unplug(vm):
    """Ask the guest for a device back, and wait until QEMU has closed it."""
    vm.qmp.events.clear()
    vm.qmp.execute("device_del", id="mimic")
    vmlib.wait_until("device that is gone", PLUG_LIMIT,
                     lambda: vm.qmp.seen("DEVICE_DELETED"), 0.2)
    if has_device(vm):
        raise vmlib.Failure("%s: the device is gone, its driver is not" % vm.name)
    vm.mdev = None


def plugged_in(scene, name, mdev):
    """A destination for a guest whose device, if any, is in the port."""
    extra = PORT + (["-device", vmlib.vfio_device(mdev) + ",bus=slot1"] if mdev
                    else [])
    dst = scene.destination(name, extra=extra)
    dst.mdev = mdev
    return dst


def test(tap, scene):
    one, two, _ = vmlib.twins()
    src = scene.vm("source", extra=PORT).boot()
    plug(src, scene.mdev(one, "mimic-accel_8"))
    load = vmlib.Workload(src, seed=15).start()
    tap.ok(True, "a device that was plugged in works")

    dst = plugged_in(scene, "destination", scene.mdev(two, "mimic-accel_8"))
    figures = vmlib.migrate(src, dst)
    say(figures)
    tap.ok(figures.device > 0, "V1-Q7-T1 and migrates", figures)
    load.moved_to(dst)
    say(load.wait_progress())
    vmlib.verify(tap, load, "V1-PRE-02 every page, memory and interrupt is right")

    first = dst.mdev
    unplug(dst)
    first.remove()
    tap.ok(True, "it is unplugged after its migration")
    plug(dst, scene.mdev(one, "mimic-accel_8"))
    load = vmlib.Workload(dst, seed=16).start()
    vmlib.verify(tap, load, "LIFE-07 another one, plugged in there, works")
    unplug(dst)

    end = plugged_in(scene, "without", None)
    figures = vmlib.migrate(dst, end)
    tap.ok(not figures.device and not has_device(end),
           "the guest migrates without it", figures)
    vmlib.check_clean(tap, scene, end, "logs and QEMU are silent")
    end.quit()


vmlib.main(7, test)
