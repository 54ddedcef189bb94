#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a live migration of a nested guest costs with a device whose memory is
all touched, beside the same guest without it. Runs as root in a test machine
made by "scripts/lab run -n -M 8192", with the modules loaded; prints one JSON
object a line, as vmigbench does. The device is migrated by the protocol that
the machine's QEMU speaks. QEMU's bandwidth is not limited, its limit for the
downtime is its default."""

import argparse
import glob
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../testing/selftests/lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import MIB, DeviceTrace

DEVICE_MIB = 256
GUEST_MIB = 256
RAM_MIB = 96        # of those, filled with a pattern
BANDWIDTH = 1 << 40
DOWNTIME = 300      # QEMU's default, ms
START = time.monotonic()


def progress(text):
    print("qemu_bench: %4d s: %s" % (time.monotonic() - START, text),
          file=sys.stderr, flush=True)


def device_pair(mib):
    """[(parent, type)] of two devices of that much memory that fit each other."""
    by_version = {}
    for path in sorted(glob.glob(vmlib.MDEV_BUS + "/*/mdev_supported_types/*")):
        text = vmlib.read_file(path + "/description")
        if "memory: %d MiB" % mib not in text or "migration: yes" not in text:
            continue
        parts = path.split("/")
        pairs = by_version.setdefault(
            vmlib.read_file(path + "/migration_version"), {})
        pairs.setdefault(parts[4], parts[6])
    for pairs in by_version.values():
        if len(pairs) > 1:
            return list(pairs.items())[:2]
    raise vmlib.Failure("no two parents with a type of %d MiB" % mib)


def fill_ram(vm):
    """A pattern in the guest's memory, kept by a program that is stopped."""
    vm.must("accelwork ram-check -s 1 -m %d -p 0 -S /run/ram.status "
            ">/run/ram.out 2>&1 & echo $! >/run/ram.pid" % RAM_MIB)

    # the file is there after a round over all of it
    vmlib.wait_until("pattern in the guest's memory", 120, lambda:
                     "rounds=" in vm.run("cat /run/ram.status")[1], 0.5)
    vm.must("kill -STOP $(cat /run/ram.pid)")


def fill_device(vm):
    """The device stamps every page of its memory, then the job is stopped."""
    pages = DEVICE_MIB * MIB // 4096
    vm.must("accelwork stamp-start -r 1 -p 1000000 -d 0:%dM -g 0:4K" % DEVICE_MIB,
            300)

    def done():
        found = re.search(r" seq=(\d+)", vm.must("accelwork stamp-seq"))
        return int(found[1]) >= pages
    vmlib.wait_until("stamps in the device's memory", 300, done, 0.5)
    # it is verified at the destination
    vm.must("accelwork stamp-stop -n %d" % pages)


def ram_bytes(info):
    """Bytes of RAM that were sent: later versions count devices' in
    "transferred" too."""
    ram = info.get("ram", {})
    return ram.get("precopy-bytes", 0) + ram.get("downtime-bytes", 0)


def watch(src):
    """Wait for the end: (last info, [(time, RAM bytes sent)])."""
    samples = []
    while True:
        info = vmlib.migration_info(src)
        samples.append((time.monotonic(), ram_bytes(info)))
        status = info.get("status")
        if status == "completed" and info.get("total-time"):
            return info, samples
        if status in ("failed", "cancelled"):
            raise vmlib.Failure("the migration is '%s'" % status)
        time.sleep(0.05)


def rate(size, seconds):
    return size / MIB / seconds if seconds > 0 else 0


def counted_bytes(mdev):
    """What the engine counted in the device's last session."""
    text = vmlib.read_file(mdev.knob("migration"))
    return int(re.search(r"^bytes: (\d+)$", text, re.MULTILINE)[1])


def sent_bytes(mdev, stages):
    """(bytes before the stop, bytes after it); the trace must have all."""
    stop = sum(size for _, state, size in stages
               if state == DeviceTrace.STOP_COPY)
    every = sum(size for _, _, size in stages)
    counted = counted_bytes(mdev)
    if every != counted:
        raise vmlib.Failure("the trace has %d of %d bytes" % (every, counted))
    return every - stop, stop


def sent_until(samples, end):
    """The last (time, bytes of RAM) before end, or None."""
    return next((sample for sample in reversed(samples) if sample[0] <= end), None)


def speeds(begin, stop, stages, samples):
    """(device's, RAM's) MiB/s. QEMU 7.2 sends RAM first and then the device, each
    with the time that it took; later ones take turns, and both have the time
    until the stop."""
    if vmlib.protocol() == 1:
        device = rate(sum(size for _, _, size in stages),
                      stages[-1][0] - stages[0][0])
        end = stages[0][0]
    else:
        device = rate(sum(size for t, _, size in stages if t < stop), stop - begin)
        end = stop
    at, ram = sent_until(samples, end) or (begin, 0)
    return device, rate(ram, at - begin)


def device_figures(src, since, samples):
    """What the trace tells of the device, and of RAM beside it."""
    trace = src.scene.trace
    stages = trace.stages(src.mdev, since)
    states = trace.states(src.mdev, since)
    begin = next(t for t, _, to in states if to == DeviceTrace.PRE_COPY)
    stop = next(t for t, _, to in states if to == DeviceTrace.STOP_COPY)
    precopy, rest = sent_bytes(src.mdev, stages)
    device, ram = speeds(begin, stop, stages, samples)
    return {
        "device_precopy_bytes": precopy,
        "device_stop_bytes": rest,
        "device_mib_s": device,
        "ram_mib_s": ram,
        "stop_copy_ms": (stages[-1][0] - stop) * 1000,
    }


def migrate(src, dst):
    since = time.monotonic()
    vmlib.start_migration(src, dst.uri, bandwidth=BANDWIDTH, downtime=DOWNTIME)
    info, samples = watch(src)
    vmlib.wait_running(dst)
    found = {
        "total_ms": info["total-time"],
        "downtime_ms": info["downtime"],
        "setup_ms": info.get("setup-time", 0),
        "ram_bytes": ram_bytes(info),
        "dirty_syncs": info["ram"]["dirty-sync-count"],
        "device_bytes": 0,
    }
    if src.mdev:
        found.update(device_figures(src, since, samples))
        found["device_bytes"] = (found["device_precopy_bytes"] +
                                 found["device_stop_bytes"])
    else:
        busy = info["total-time"] - info["downtime"] - found["setup_ms"]
        found["ram_mib_s"] = rate(found["ram_bytes"], busy / 1000)
    return found


def measure(device):
    """One migration, from the guest's boot to its end."""
    with vmlib.Scene() as scene:
        mdevs = [None, None]
        if device:
            mdevs = [scene.mdev(*pair) for pair in device_pair(DEVICE_MIB)]
        progress("booting a guest")
        src = scene.vm("source", mdevs[0], memory=GUEST_MIB).boot()
        progress("filling its memory")
        fill_ram(src)
        if device:
            progress("filling the device's memory")
            fill_device(src)
        dst = scene.destination("destination", mdevs[1], memory=GUEST_MIB)
        progress("migrating")
        found = migrate(src, dst)
        if device:
            progress("verifying the device's memory")
            dst.must("accelwork stamp-verify -n 1", 300)
        src.quit()
        dst.quit()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-r", "--rounds", type=int, default=2,
                        help="migrations with and without the device (2)")
    parser.add_argument("-o", "--output", help="append to this file, not stdout")
    options = parser.parse_args()
    vmlib.check_machine()
    with open(options.output or "/dev/stdout", "a") as out:
        for number in range(options.rounds):
            for device in (False, True):
                progress("round %d of %d, %s" % (
                    number + 1, options.rounds,
                    "%d MiB device" % DEVICE_MIB if device else "no device"))
                found = {"part": "qemu",
                         "protocol": "v%d" % vmlib.protocol(),
                         "memory_mib": DEVICE_MIB if device else 0,
                         "touched_mib": DEVICE_MIB if device else 0,
                         "guest_ram_filled_mib": RAM_MIB}
                found.update(measure(device))
                print(json.dumps(found), file=out, flush=True)


if __name__ == "__main__":
    main()
