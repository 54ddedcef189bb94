#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The commands of the administration guide's "A migration by hand" do what the guide
shows: they are taken from it and typed into a shell, and what they print is compared
with what stands there (V1-Q7-T1)."""

import contextlib
import glob
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../../lib"))
# pylint: disable=wrong-import-position
import vmlib
from vmlib import Failure, say

GUIDE = os.path.join(vmlib.TOP, "Documentation/admin-guide.rst")
SECTION = "A migration by hand"
LIMIT = 400                     # s for two guests that start, and a migration
CONSOLES = "/tmp/console.*"     # where the guide's guests have them
MODULES = ("mimic", "vmig")


# --- The guide ---

def section(text, title):
    """What stands below a title, up to the next one of any level."""
    body = re.search(r"^%s\n=+\n(.*?)(?=^[^\n]+\n(?:=+|-+)\n|\Z)" % re.escape(title),
                     text, re.M | re.S)
    if not body:
        raise Failure("%s has no section '%s'" % (GUIDE, title))
    return body[1]


def literal_blocks(text):
    """[text without its indentation] of what follows each '::'."""
    blocks = []
    for body in re.findall(r"::\n\n((?: +.*\n|\n)+)", text):
        lines = body.rstrip("\n").split("\n")
        depth = len(lines[0]) - len(lines[0].lstrip())
        blocks.append("".join(line[depth:] + "\n" for line in lines))
    return blocks


def results(text):
    """[{"": what, name: figure}] of the lines that accelwork ends with."""
    return [dict([("", what)] + [figure.split("=") for figure in figures.split()])
            for what, figures in re.findall(r"^\| (info|run): (.*)$", text, re.M)]


# --- The machine ---

def qemus():
    """PIDs of all QEMUs here."""
    found = []
    for path in glob.glob("/proc/[0-9]*/exe"):
        try:
            if "/qemu-system-" in os.readlink(path):
                found.append(int(path.split("/")[2]))
        except OSError:         # it ended, or is the kernel's
            pass
    return found


def mdevs():
    return os.listdir(vmlib.MDEVS) if os.path.isdir(vmlib.MDEVS) else []


def loaded():
    return [name for name in MODULES if os.path.isdir("/sys/module/" + name)]


class Shell:
    """A bash that is typed into, with job control as where somebody does it."""

    def __init__(self):
        # pylint: disable=consider-using-with
        self.output = tempfile.NamedTemporaryFile()
        self.process = subprocess.Popen(["bash", "--norc", "-m"],
                                        stdin=subprocess.PIPE, stdout=self.output,
                                        stderr=subprocess.STDOUT, text=True)

    def type(self, commands, limit=LIMIT):
        """Returns what is printed until all of them are done."""
        end = "done-%d" % os.stat(self.output.name).st_size
        start = len(self.text())
        self.process.stdin.write(commands + "echo; echo %s\n" % end)
        self.process.stdin.flush()
        last = time.monotonic() + limit
        while "\n%s\n" % end not in self.text()[start:]:
            if time.monotonic() > last or self.process.poll() is not None:
                raise Failure("the shell is not done after %d s, or has ended: %s"
                              % (limit, self.text()[start:]))
            time.sleep(0.2)
        return self.text()[start:].replace("\n%s\n" % end, "")

    def text(self):
        with open(self.output.name, errors="replace") as file:
            return file.read()

    def close(self):
        """The end of it and of all that it started, however far it came."""
        self.process.kill()
        self.process.wait()
        for pid in qemus():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        vmlib.wait_until("end of QEMU", 60, lambda: not qemus())
        for mdev in mdevs():
            vmlib.write_file(os.path.join(vmlib.MDEVS, mdev, "remove"), "1")


# --- The test ---

def complaints(log_start, printed):
    """What this kernel and the guests' complain of, and QEMU and bash in what was
    printed up to the end."""
    found = ["kernel log: " + line
             for line in vmlib.splats(vmlib.kernel_log()[log_start:])]
    found += re.findall(r"^(?:qemu-system\S*: (?!terminating on signal 15)|bash:|"
                        r"unload:).*", printed, re.M)
    for path in glob.glob(CONSOLES):
        with open(path, errors="replace") as file:
            found += ["%s: %s" % (path, line) for line in vmlib.splats(file)]
    return found


def test(tap, shell):
    log_start = len(vmlib.kernel_log())
    with open(GUIDE) as file:
        blocks = literal_blocks(section(file.read(), SECTION))
    if len(blocks) != 3:
        raise Failure("'%s' has %d blocks, not the commands, what they show, and the "
                      "end" % (SECTION, len(blocks)))
    commands, shown, away = blocks

    printed = shell.type(commands)
    say(printed)
    tap.ok(len(qemus()) == 2 and len(mdevs()) == 2,
           "two guests, with a device each", "%s %s" % (qemus(), mdevs()))
    tap.ok(re.search(r'"status": "completed"', printed) and
           not re.search(r'"error"|error-desc', printed),
           "V1-Q7-T1 the commands of the guide migrate a guest")

    wanted, found = results(shown), results(printed)
    tap.ok([line[""] for line in wanted] == ["info", "run"] and
           [line[""] for line in found] == ["info", "run"] * 2,
           "as many lines as the guide shows, before and after", str(found))
    tap.ok(found and all(line["result"] == "ok" and line["bad"] == "0" and
               line.get("lost", "0") == "0" for line in found),
           "every byte and interrupt is right", str(found))
    # the one that varies
    irqs = [int(line.pop("irqs")) for line in wanted + found if "irqs" in line]
    tap.ok(found == wanted * 2 and len(irqs) == 3 and 0 < irqs[1] < irqs[2],
           "the figures are those of the guide",
           "guide: %s\nseen: %s\nirqs: %s" % (wanted, found, irqs))

    ended = shell.type(away, 60)
    say(ended)
    left = "%s %s %s" % (qemus(), mdevs(), loaded())
    tap.ok(left == "[] [] []", "no QEMU, device or module is left", left)
    found = complaints(log_start, printed + ended)
    tap.ok(not found, "logs, QEMU and the shell are silent", "\n".join(found))


def main():
    tap = vmlib.Tap(7)
    vmlib.check_machine()
    shell = Shell()
    try:
        if qemus() or mdevs():
            raise Failure("this needs a machine without QEMUs and devices")
        test(tap, shell)
    except (Failure, OSError, KeyError, ValueError) as error:
        tap.ok(False, "the test ran to its end",
               "%s: %s" % (type(error).__name__, error))
    with contextlib.suppress(Failure, OSError):
        shell.close()
    tap.end()


main()
