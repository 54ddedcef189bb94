#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The demonstration that "make demo" runs in a test machine: what a user does
with mimic, from the types to a live migration under load. Every command is
shown before it runs; whatever has a plain command is done by that command.

Exit status 0 only if every page of the workload was right."""

import os
import re
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../testing/selftests/lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import MDEV_BUS, MDEVS, MIB, Failure

TYPE = "mimic-accel_8"
START = time.monotonic()
BOLD, PLAIN = ("\033[1m", "\033[0m") if os.environ.get("DEMO_COLOUR") else ("", "")


def head(text):
    print("\n%s=== %s%s  [%d s]" % (BOLD, text, PLAIN, time.monotonic() - START),
          flush=True)


def note(text):
    print("    " + text, flush=True)


def show(prompt, command):
    print("%s%s %s%s" % (BOLD, prompt, command, PLAIN), flush=True)


def host(command, good=True):
    """Run a command on the host that a user would type. Returns its output."""
    show("host#", command)
    done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    output = done.stdout.replace("bash: line 1: ", "")
    print(output, end="", flush=True)
    if good != (done.returncode == 0):
        raise Failure("'%s': status %d" % (command, done.returncode))
    return output


def guest(vm, command):
    show("guest#", command)
    output = vm.must(command)
    print(output, flush=True)
    return output


class Step:
    """A long step: says that it goes on, and how long it took."""

    def __init__(self, text):
        self.text = text

    def __enter__(self):
        self.start = time.monotonic()
        note(self.text + " ...")

    def __exit__(self, kind, *_):
        note("%s: %s after %.1f s" % (self.text, "failed" if kind else "done",
                                      time.monotonic() - self.start))


def show_machine():
    head("The machine")
    host("uname -sr; qemu-system-x86_64 --version | head -n 1")
    note("this QEMU migrates a device by %s" % {
        1: "its migration region, the v1 protocol",
        2: "the kernel's migration ioctls, the v2 protocol"}[vmlib.protocol()])


def show_types():
    head("The parents and their types")
    host("lspci -nnd 4d49:")
    host("cd %s; for t in */mdev_supported_types/*; do printf '%%-52s %%3s  %%s\\n' "
         "$t \"$(cat $t/available_instances)\" \"$(cat $t/name)\"; done" % MDEV_BUS)
    note("(columns: parent and type, available_instances, name)")


def create(scene, parent):
    """An mdev, by the command that a user types."""
    mdev = vmlib.Mdev.__new__(vmlib.Mdev)
    mdev.parent, mdev.type, mdev.uuid = parent, TYPE, str(uuid.uuid4())
    mdev.path = os.path.join(MDEVS, mdev.uuid)
    host("echo %s > %s/create" % (mdev.uuid, vmlib.type_path(parent, TYPE)))
    scene.mdevs.append(mdev)
    return mdev


def show_versions(first, second, other):
    head("Can the one migrate to the other? Ask migration_version")
    version = host("cat %s/mdev_type/migration_version" % first.path).strip()
    host("echo %s > %s/mdev_type/migration_version && echo compatible" % (
        version, second.path))
    note("The same type on a parent of the other SKU has more memory:")
    host("echo %s > %s/migration_version" % (
        version, vmlib.type_path(other, TYPE)), good=False)
    host("dmesg | grep migration_version | tail -n 1")


def boot(scene, mdev):
    head("A guest with the first device")
    src = scene.vm("source", mdev)
    show("host#", " ".join(src.command))
    with Step("booting the guest"):
        src.boot()
    guest(src, "grep mimic /proc/modules")
    guest(src, "dmesg | grep -E 'acc1|mimic_accel[0-9]'")
    guest(src, "accelwork info")
    guest(src, "grep mimic_accel /proc/interrupts")
    return src


def start_load(src):
    head("A verified workload: stamp job, commands, mapped memory, RAM")
    load = vmlib.Workload(src, seed=int(time.time()) & 0xffff)
    for name, line in (("the device stamps pages", load.STAMP % load.rate),
                       ("random commands against a model", load.RUN % load.seed),
                       ("stores through the mapped BAR", load.BAR % load.seed),
                       ("a pattern in plain memory", load.RAM % load.seed)):
        show("guest#", "accelwork %s &" % line)
        note(name)
    with Step("starting it"):
        load.start()
    note("rounds so far: %s" % rounds(load))
    return load


def rounds(load):
    return ", ".join("%s %d" % item for item in load.rounds().items())


def progress(info):
    ram = info.get("ram", {})
    note("%5.1f s: %-14s RAM sent %4d MiB, to go %4d MiB" % (
        info.get("total-time", 0) / 1000, info.get("status"),
        ram.get("transferred", 0) >> 20, ram.get("remaining", 0) >> 20))


def precopy(src, bytes_wanted):
    """Until so much of the device has gone, or pre-copy is over. A test would
    not leave to chance which: see vmlib.Relay, which has its price."""
    vmlib.wait_until("pre-copy", vmlib.MIGRATE_LIMIT, lambda:
                     vmlib.device_bytes(src) >= bytes_wanted or
                     vmlib.migration_info(src).get("status") not in ("setup", "active"),
                     0.02)


def live_migrate(scene, src, mdev):
    head("Live migration to a second QEMU with the second device")
    dst = scene.destination("destination", mdev)
    show("host#", " ".join(dst.command))
    show("qmp>", "migrate uri=%s" % dst.uri)
    vmlib.start_migration(src, dst.uri, downtime=1, phases=True)
    with Step("pre-copy, until 20 MiB of the device have gone"):
        precopy(src, 20 * MIB)
    show("qmp>", "migrate-set-parameters downtime-limit=3000")
    vmlib.allow_downtime(src, 3000)
    figures = vmlib.end_migration(src, dst, progress)
    note("the source QEMU has ended; the guest runs in the second one")
    return dst, figures


def table(figures):
    head("What it cost")
    rows = (
        ("pre-copy (guest runs)", figures.precopy_ms, figures.precopy_ram,
         figures.precopy_device),
        ("stop-and-copy", figures.total - figures.precopy_ms,
         figures.ram - figures.precopy_ram, figures.stop_device),
        ("total", figures.total, figures.ram, figures.device),
    )
    print("%-24s %9s %14s %14s" % ("phase", "ms", "RAM bytes", "device bytes"))
    for row in rows:
        print("%-24s %9d %14d %14d" % row)
    print("%-24s %9d" % ("downtime, as QEMU has it", figures.downtime), flush=True)


def verify(dst, load):
    head("Does the workload go on, and was every page right?")
    load.moved_to(dst)
    with Step("waiting until every part has gone on"):
        load.wait_progress()
    note("rounds so far: %s" % rounds(load))
    with Step("stopping and verifying everything"):
        for line in load.finish():
            print(line, flush=True)


def check_silence(scene, dst):
    found = vmlib.splats(dst.must("dmesg").splitlines()) + scene.complaints()
    if found:
        raise Failure("\n".join(found))
    for line in scene.vms[0].stderr().splitlines():
        note("QEMU says, as of any device that dirties memory in software: "
             + line.split("warning: ")[-1])
    note("QEMU, the guest's kernel and the host's kernel had nothing to complain of")


def demo(scene):
    show_machine()
    show_types()
    one, two, other = vmlib.twins()
    head("Two devices of type %s on two parents" % TYPE)
    first, second = create(scene, one), create(scene, two)
    host("ls -l %s" % MDEVS)
    show_versions(first, second, other)
    src = boot(scene, first)
    load = start_load(src)
    dst, figures = live_migrate(scene, src, second)
    verify(dst, load)
    check_silence(scene, dst)
    dst.quit()
    table(figures)


def main():
    vmlib.check_machine()
    if not os.path.isdir("/sys/module/mimic"):
        head("Load the modules")
        host(os.path.join(vmlib.TOP, "scripts/load"))
    status = 0
    with vmlib.Scene() as scene:
        try:
            demo(scene)
        except (Failure, OSError) as error:
            print("demo: %s" % error, file=sys.stderr)
            for vm in scene.vms:
                print(re.sub(r"(?m)^", "demo: ", "\n".join(vm.postmortem())),
                      file=sys.stderr)
            status = 1
    sys.exit(status)


main()
