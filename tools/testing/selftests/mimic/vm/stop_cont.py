#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The guest is paused and continued at random points of pre-copy: the device's
session ends, QEMU goes on with the same stream, and a second session carries
all of the device (V1-Q7-T8, V1-PRE-09).

VM_SEED in the environment repeats a run.
"""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import MIB, say

TIMES = 4
# So slow that a migration cannot end in a pause if so much is left, even if the
# longest pause, in seconds, takes far longer
SLOW = MIB // 4
LEFT = 4 * MIB
LONGEST = 0.5


def stop_and_cont(src, relay, held=False):
    """Pause the guest in pre-copy, where relay holds it: for a random time in which
    the stream goes on, or so that the stream does not move at all."""
    src.qmp.execute("stop")
    if not held:
        relay.go_on()
        time.sleep(random.uniform(0, LONGEST))
    src.qmp.execute("cont")
    relay.go_on()
    vmlib.precopy_info(src, "pre-copy after a pause")


def hold_after(relay, goal):
    """Hold a stream, goal bytes or more of it gone, with LEFT of RAM to go."""
    def held():
        relay.go_on(lambda stream, _: stream >= goal)
        sent = relay.wait_held("pre-copy before a pause")
        return sent if vmlib.ram_to_go(relay.src) > LEFT else None
    return vmlib.wait_until("RAM to send", vmlib.MIGRATE_LIMIT, held)


def hop(tap, scene, load, name, mdev, reached):
    """A migration that is disturbed when reached(), and again and again."""
    src = load.vm
    trace = scene.trace
    dst = scene.destination(name, mdev)
    relay = scene.relay(src, dst, hold=reached, answers=True)
    vmlib.start_migration(src, relay.uri, downtime=1)
    sent = relay.wait_held("first point of " + name)
    say("first pause: stream %d bytes, device %d bytes" % sent)
    vmlib.allow_bandwidth(src, SLOW)
    load.wait_progress()    # so that there is RAM to send, whatever was left
    # in the middle of a segment, or of RAM
    stop_and_cont(src, relay, held=True)
    for _ in range(1, TIMES):
        sent = hold_after(relay, sent[0] + random.randrange(MIB))
        say("next pause: stream %d bytes, device %d bytes" % sent)
        stop_and_cont(src, relay)
    path = trace.path(src.mdev, src.migrating_since)
    say(path)
    tap.ok(path == [trace.RUNNING, trace.PRE_COPY, trace.STOP_COPY] +
           [trace.STOP, trace.RUNNING] * TIMES,
           "V1-Q7-T8 %s: %d pauses in pre-copy" % (name, TIMES), path)

    vmlib.allow_bandwidth(src, 512 * MIB)
    vmlib.allow_downtime(src)
    figures = vmlib.end_migration(src, dst)
    say(figures)
    load.moved_to(dst)
    say(load.wait_progress())
    tap.ok(figures.stop_device > 0, "V1-PRE-09 %s: the workload goes on" % name,
           figures)


def test(tap, scene):
    seed = int(os.environ.get("VM_SEED") or random.randrange(1 << 32))
    say("VM_SEED=%d" % seed)
    random.seed(seed)
    one, two, _ = vmlib.twins()
    mdevs = [scene.mdev(one, "mimic-accel_8"), scene.mdev(two, "mimic-accel_8")]
    load = vmlib.Workload(scene.vm("zero", mdevs[0]).boot(), seed=12).start()
    first = random.randrange(MIB, 24 * MIB)
    hop(tap, scene, load, "before-device-data", mdevs[1],
        lambda ram, device: ram > first)
    data = random.randrange(0, 8 * MIB)
    hop(tap, scene, load, "in-device-data", mdevs[0],
        lambda ram, device: device > data)
    vmlib.verify(tap, load,
                 "V1-PRE-02 every page, memory and interrupt is right")
    vmlib.check_clean(tap, scene, load.vm, "logs and QEMU are silent")
    load.vm.quit()


vmlib.main(6, test)
