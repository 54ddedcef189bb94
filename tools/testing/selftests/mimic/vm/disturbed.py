#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What ends the device's session in pre-copy, where QEMU speaks the v2 protocol: a
pause of the guest, and a reset from outside. QEMU does not begin another session
in the same stream, as it does by v1 (stop_cont.py, reboot.py): it reports a
migration that failed. The guest works on, or boots, where it was, and the next
migration succeeds (V1-Q7-T8, V1-Q7-T9, V2-FD-06)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import MIB, say

# A destination whose source gives up may complain of any part of the stream
CUT_OFF = r"^qemu-system-x86_64: "
# What the source says of it: there is another session, or the old one cannot be read
SESSION_ENDED = r"data_fd out of sync$|failed to save SaveStateEntry|Channel error: "


def precopy(scene, src, name, mdev):
    """A migration that is held in pre-copy, in the middle of the device."""
    dst = scene.destination(name, mdev)
    dst.expected = CUT_OFF
    relay = scene.relay(src, dst, answers=True,
                        hold=lambda _, device: device > 4 * MIB)
    vmlib.start_migration(src, relay.uri, downtime=1)
    sent = relay.wait_held("4 MiB of device data")
    say("stream %d bytes, device %d bytes" % sent)
    return dst, relay


def fails(src, dst, relay):
    """Let the stream go on, to a migration that fails. Returns the device's path."""
    vmlib.allow_downtime(src)
    relay.go_on()
    info, _ = vmlib.wait_migration(src, until=("failed",))
    say("source: %s" % info.get("error-desc", "failed"))
    vmlib.wait_running(src)
    dst.given_up()
    return src.scene.trace.path(src.mdev, src.migrating_since)


def paused(tap, scene, load, mdev):
    src = load.vm
    trace = scene.trace
    dst, relay = precopy(scene, src, "paused", mdev)
    src.qmp.execute("stop")
    src.qmp.execute("cont")
    path = fails(src, dst, relay)
    say(load.wait_progress())
    tap.ok(path[:5] == [trace.RUNNING, trace.PRE_COPY, trace.STOP_COPY, trace.STOP,
                        trace.RUNNING] and path[-1] == trace.RUNNING,
           "V1-Q7-T8 paused in pre-copy: it failed, and the guest works on", path)


def reset(tap, scene, load, mdev):
    src = load.vm
    trace = scene.trace
    dst, relay = precopy(scene, src, "reset", mdev)
    for vm in (src, dst):
        # QEMU was started to end at a reset
        vm.qmp.execute("set-action", reboot="reset")
    src.qmp.execute("system_reset")
    vmlib.wait_until("reset", vmlib.COMMAND_LIMIT, lambda: src.qmp.seen("RESET"))
    path = fails(src, dst, relay)
    tap.ok(path[:3] == [trace.RUNNING, trace.PRE_COPY, trace.RUNNING] and
           path[-1] == trace.RUNNING,
           "V1-Q7-T9 reset in pre-copy: it failed, and the device runs", path)
    src.agent.wait_ready(vmlib.BOOT_LIMIT)
    load = vmlib.Workload(src, seed=10).start()
    tap.ok(True, "V1-Q7-T9 the guest boots where it was, and works")
    return load


def test(tap, scene):
    one, two, _ = vmlib.twins()
    src = scene.vm("source", scene.mdev(one, "mimic-accel_8")).boot()
    src.expected = SESSION_ENDED
    load = vmlib.Workload(src, seed=9).start()
    target = scene.mdev(two, "mimic-accel_8")
    paused(tap, scene, load, target)
    load = reset(tap, scene, load, target)

    vmlib.last_succeeds(tap, scene, load, target)


vmlib.main(6, test)
