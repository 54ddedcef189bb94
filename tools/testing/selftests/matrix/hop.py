#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""One stop of a guest that goes from machine to machine, see "guest": it starts or
arrives, what it wrote on its way is verified, it goes on, and it departs or ends.

    hop.py FOLDER FROM TO

FROM and TO name streams, by which the guest comes and goes, or are "-" at the first
stop and at the last. FOLDER/NAME.stream is what QEMU writes, FOLDER/NAME.json what
the next stop has to know besides. Invariants: the guest's kernel, and its hardware as
QEMU shows it, are the same at each stop; its workload is never started again.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say

FOLDER, FROM, TO = sys.argv[1:4]
HERE = os.environ["MIMIC_MACHINE"]
# The newest that all QEMUs on the way know
HARDWARE = "pc-q35-7.2"
GUEST = os.path.join(vmlib.TOP, "build/bookworm/guest")
OLD = r"warning: Machine type '%s' is deprecated" % HARDWARE
SAME = ["-machine", HARDWARE, "-kernel", os.path.join(GUEST, "vmlinux"),
        "-initrd", os.path.join(GUEST, "initrd.img")]


def stream(name):
    return os.path.join(FOLDER, name + ".stream")


def hand_over(name, **known):
    """Tell the next stop of the workload, of the device and how it was saved."""
    with open(os.path.join(FOLDER, name + ".json"), "w", encoding="utf-8") as file:
        json.dump(known, file)


def handed_over(name):
    with open(os.path.join(FOLDER, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def start(tap, scene, mdev):
    vm = scene.vm("guest", mdev, extra=SAME).boot()
    vm.expected = OLD
    load = vmlib.Workload(vm, seed=11).start()
    tap.ok(True, "%s: a guest starts, and works" % HERE)
    return load


def arrive(tap, scene, mdev):
    """Is the device one that can be loaded, and does the guest come with it?"""
    before = handed_over(FROM)
    way = "%s by v%d to %s by v%d" % (before["machine"], before["protocol"], HERE,
                                      vmlib.protocol())
    verdict = mdev.accepts(before["version"])
    vm = scene.vm("guest", mdev, incoming="defer", extra=SAME).connect()
    vm.expected = OLD
    vm.qmp.execute("migrate-incoming", uri="exec:cat " + stream(FROM))
    vmlib.wait_until("arrival of the guest", vmlib.MIGRATE_LIMIT,
                     lambda: vmlib.run_state(vm) == "paused")
    vm.qmp.execute("cont")
    vmlib.wait_running(vm)
    tap.ok(verdict == 0, "VER-11 STR-12 %s: accepted, and a guest arrives" % way,
           "the version is refused, errno %d" % verdict)
    load = vmlib.Workload(vm, seed=before["seed"])
    load.names = before["names"]
    now = load.wait_progress()
    say("%s, then %s" % (before["rounds"], now))
    tap.ok(all(now[name] > rounds for name, rounds in before["rounds"].items()),
           "%s: the workload goes on from where it was" % way)
    return load


def depart(tap, scene, load):
    vm = load.vm
    hand_over(TO, machine=HERE, protocol=vmlib.protocol(),
              version=vm.mdev.version(), seed=load.seed, names=load.names,
              rounds=load.rounds())
    # As for any save to a file: that takes data no faster than the device makes it.
    # The guest and its device stop in the middle of their work.
    vm.qmp.execute("stop")
    vmlib.start_migration(vm, "exec:cat >" + stream(TO), return_path=False)
    info, _ = vmlib.wait_migration(vm)
    sent = scene.trace.sent(vm.mdev, vm.migrating_since)
    say(vmlib.Figures(info, None, sent))
    vm.quit()
    tap.ok(sum(sent.values()) > 4096 * vmlib.Workload.STAMPED,
           "%s: the guest departs by v%d, with its device" % (HERE,
                                                             vmlib.protocol()))


def test(tap, scene):
    mdev = scene.mdev(vmlib.parents()[0][0], "mimic-accel_8")
    load = (start if FROM == "-" else arrive)(tap, scene, mdev)
    load.rest()
    load.go_on()
    load.wait_progress()
    tap.ok(True, "%s: all stamps are right, before and after a rest" % HERE)
    if TO == "-":
        vmlib.verify(tap, load, "%s: every page, memory and interrupt is right"
                     % HERE)
        vmlib.check_clean(tap, scene, load.vm, "%s: logs are silent" % HERE)
        load.vm.quit()
        return
    vmlib.check_clean(tap, scene, load.vm, "%s: logs are silent" % HERE)
    depart(tap, scene, load)
    tap.ok(not scene.complaints(), "%s: and are so after it" % HERE,
           "\n".join(scene.complaints()))


vmlib.main(4 + (FROM != "-") + (TO != "-"), test)
