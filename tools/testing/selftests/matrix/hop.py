#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""One stop of a guest that goes from machine to machine, see "guest": it starts or
arrives, what it wrote on its way is verified, it goes on, and it departs or ends.

    hop.py FOLDER FROM TO ADDRESS

FROM and TO name the hops by which the guest comes and goes, or are "-" at the first
stop and at the last. ADDRESS is where this machine waits for it. FOLDER is shared by
the two machines of a hop, NAME: NAME.json is what the source tells of its device and
workload, NAME.ready says that the destination waits, and where, NAME.rounds how far the
workload was when the migration began. Invariants: the guest's kernel, and its hardware
as QEMU shows it, are the same at each stop; its workload is never started again, and is
at work while the guest migrates.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import say

FOLDER, FROM, TO, ADDRESS = sys.argv[1:5]
HERE = os.environ["MIMIC_MACHINE"]
# The newest that all QEMUs on the way know
HARDWARE = "pc-q35-7.2"
GUEST = os.path.join(vmlib.TOP, "build/bookworm/guest")
OLD = r"warning: Machine type '%s' is deprecated" % HARDWARE
SAME = ["-machine", HARDWARE, "-kernel", os.path.join(GUEST, "vmlinux"),
        "-initrd", os.path.join(GUEST, "initrd.img")]


# The other machine boots, and has a guest to look after
OTHER_LIMIT = 600


def tell(name, **known):
    """A file for the machine at the other end of a hop; whole when it is there."""
    path = os.path.join(FOLDER, name)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(known, file)
    os.rename(path + ".new", path)


def told(name):
    """What the other end tells, as soon as it does."""
    path = os.path.join(FOLDER, name)
    vmlib.wait_until(name, OTHER_LIMIT, lambda: os.path.exists(path), 0.5)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def start(tap, scene, mdev):
    vm = scene.vm("guest", mdev, extra=SAME).boot()
    vm.expected = OLD
    load = vmlib.Workload(vm, seed=11).start()
    tap.ok(True, "%s: a guest starts, and works" % HERE)
    return load


def arrive(tap, scene, mdev):
    """Is the device one that can be loaded, and does the guest come with it?"""
    before = told(FROM + ".json")
    way = "%s by v%d to %s by v%d" % (before["machine"], before["protocol"], HERE,
                                      vmlib.protocol())
    verdict = mdev.accepts(before["version"])
    vm = scene.vm("guest", mdev, incoming="defer", extra=SAME).connect()
    vm.expected = OLD
    vmlib.set_capabilities(vm)
    uri = "tcp:%s:4444" % ADDRESS
    vm.qmp.execute("migrate-incoming", uri=uri)
    tell(FROM + ".ready", uri=uri)
    vmlib.wait_until("arrival of the guest", OTHER_LIMIT,
                     lambda: vmlib.run_state(vm) == "running")
    vmlib.wait_running(vm)
    tap.ok(verdict == 0, "VER-11 STR-12 %s: accepted, and a guest arrives" % way,
           "the version is refused, errno %d" % verdict)
    load = vmlib.Workload(vm, seed=before["seed"])
    load.names = before["names"]
    rounds, now = told(FROM + ".rounds"), load.wait_progress()
    say("%s, then %s" % (rounds, now))
    tap.ok(now.keys() == rounds.keys() and all(now[n] > rounds[n] for n in now),
           "%s: the workload goes on from where it was" % way)
    return load


def depart(tap, scene, load):
    vm = load.vm
    tell(TO + ".json", machine=HERE, protocol=vmlib.protocol(),
         version=vm.mdev.version(), seed=load.seed, names=load.names)
    uri = told(TO + ".ready")["uri"]
    tell(TO + ".rounds", **load.rounds())
    # The guest goes when all of it has been sent once, and what the device stamps.
    # Before that it is too busy for 1 ms.
    vmlib.start_migration(vm, uri, downtime=1, phases=True)
    vmlib.wait_until("a pass of pre-copy over RAM and device", vmlib.MIGRATE_LIMIT,
                     lambda: vmlib.sent_once(vm) and vmlib.device_bytes(vm) >
                     4096 * vmlib.Workload.STAMPED)
    vmlib.allow_downtime(vm)
    info, stopped = vmlib.wait_migration(vm, progress=vmlib.progress_line)
    figures = vmlib.Figures(info, stopped,
                            scene.trace.sent(vm.mdev, vm.migrating_since))
    say(figures)
    vm.quit()
    tap.ok(figures.precopy_ram > figures.ram // 2,
           "%s: the guest departs live by v%d, with its device"
           % (HERE, vmlib.protocol()), figures)


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
