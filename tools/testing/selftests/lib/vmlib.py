# SPDX-License-Identifier: GPL-2.0-only
"""Nested guests with a mimic device, for tests and for the demo.

Runs as root in a test machine (scripts/lab run) with the modules loaded, and
needs nothing but python3's own library, QEMU and the guest image that
scripts/mkguest made. Invariants:
 - every QEMU that was started is gone, and every mdev that was created is
   removed, when the Scene is closed, however the test ended;
 - a QEMU may write to stderr only what the test declared as expected, and what
   HARMLESS has;
 - waiting always has an end, and what was waited for is in the message.
"""

import contextlib
import functools
import glob
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../../.."))
BUILT = os.environ.get("MIMIC_BUILD") or os.path.join(
    TOP, "build", os.environ.get("MIMIC_MACHINE", "bookworm"))
MDEV_BUS = "/sys/class/mdev_bus"
MDEVS = "/sys/bus/mdev/devices"
DEBUGFS = "/sys/kernel/debug/mimic"
MIB = 1 << 20

# Of a guest, MiB: its kernel, some 60, what the workload takes, 16, and little that
# is free, since every page costs time in each migration
MEMORY = 128

# Every time limit is for a guest on an emulated processor. Seconds.
BOOT_LIMIT = 180
COMMAND_LIMIT = 90
MIGRATE_LIMIT = 300
# A downtime in which all that a Workload writes again and again can be sent, 40 MiB,
# where an emulated processor sends the least; all there is would take longer. ms
CONVERGES = 8000

# Lines of a kernel log that nobody may overlook, here and in the guest: an
# extended regular expression, for Python's re and for sed
SPLATS_TEXT = (
    r"WARNING:|BUG:|kernel BUG|Oops|Call Trace|general protection|"
    r"blocked for more than|soft lockup|hard LOCKUP|rcu:.*(stall|detected)|"
    r"refcount_t|use-after-free|page allocation failure|Bad page|"
    r"possible recursive|possible circular|lost interrupt|"
    r"mimic_accel_guest.*(halted|stopped|refused|cannot)")
SPLATS = re.compile(SPLATS_TEXT)
CONTEXT = 40                    # lines to show from the first of them on


class Failure(Exception):
    """The test found something wrong; the message says what."""


def say(text):
    """A line of progress: a TAP diagnostic."""
    for line in str(text).splitlines() or [""]:
        print("# " + line, flush=True)


def wait_until(what, limit, probe, step=0.1):
    """Call probe until it returns something true; Failure after limit s."""
    end = time.monotonic() + limit
    while True:
        got = probe()
        if got:
            return got
        if time.monotonic() > end:
            raise Failure("%s: not within %d s" % (what, limit))
        time.sleep(step)


def connect(path, limit, alive):
    """Connect to a unix socket that another process is about to open."""
    def attempt():
        if not alive():
            raise Failure("QEMU ended before it opened " + path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
            return sock
        except OSError:
            sock.close()
            return None
    return wait_until("connection to " + path, limit, attempt)


class LineSocket:
    """Lines over a socket, with time limits and no lost halves."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""

    def send(self, text):
        self.sock.sendall(text.encode())

    def line(self, limit):
        """The next line without its end, or None after limit seconds."""
        end = time.monotonic() + limit
        while b"\n" not in self.data:
            left = end - time.monotonic()
            if not select.select([self.sock], [], [], max(left, 0))[0]:
                return None
            got = self.sock.recv(65536)
            if not got:
                raise Failure("the other end closed the connection")
            self.data += got
        line, self.data = self.data.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def close(self):
        self.sock.close()


class Qmp:
    """QEMU's machine protocol."""

    def __init__(self, path, alive):
        self.lines = LineSocket(connect(path, 30, alive))
        self.events = []
        self._message(30)
        self.execute("qmp_capabilities")

    def _message(self, limit):
        line = self.lines.line(limit)
        if line is None:
            raise Failure("QEMU does not answer on its QMP socket")
        return json.loads(line)

    def execute(self, command, **arguments):
        """Run a command, return what it returns; events are kept."""
        request = {"execute": command}
        if arguments:
            request["arguments"] = {
                k.replace("_", "-"): v for k, v in arguments.items()}
        self.lines.send(json.dumps(request) + "\n")
        while True:
            message = self._message(120)
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise Failure("QMP %s: %s" % (command,
                                              message["error"]["desc"]))
            else:
                return message["return"]

    def seen(self, event):
        """Has QEMU told of this event?"""
        self.execute("query-status")
        return any(e["event"] == event for e in self.events)

    def job(self, command, **arguments):
        """Run a command that makes a job, and wait for the job's end."""
        self.execute(command, job_id="job", **arguments)

        def ended():
            return next((job for job in self.execute("query-jobs")
                         if job["status"] == "concluded"), None)
        job = wait_until("job " + command, 60, ended, 0.02)
        self.execute("job-dismiss", id="job")
        if "error" in job:
            raise Failure("%s: %s" % (command, job["error"]))

    def close(self):
        self.lines.close()


class Agent:
    """The agent in the guest, see tools/guest/init."""

    def __init__(self, path, alive):
        self.lines = LineSocket(connect(path, 30, alive))
        self.serial = 0

    def came_up(self, limit):
        """Has the agent begun anew, or does it within limit s?"""
        end = time.monotonic() + limit
        while True:
            line = self.lines.line(max(end - time.monotonic(), 0))
            if line is None:
                return False
            if line == "= ready":
                return True

    def wait_ready(self, limit):
        if not self.came_up(limit):
            raise Failure("the guest's agent is not there after %d s" % limit)

    def post(self, command):
        """Send a command that has no answer: it ends the agent."""
        self.lines.send("last %s\n" % command)

    def run(self, command, limit=COMMAND_LIMIT):
        """(exit status, output) of a command in the guest."""
        assert "\n" not in command
        self.serial += 1
        name = "%d-%d" % (os.getpid(), self.serial)
        self.lines.send("%s %s\n" % (name, command))
        output = []
        end = time.monotonic() + limit
        while time.monotonic() < end:
            line = self.lines.line(max(end - time.monotonic(), 0))
            if line is None:
                break
            if line.startswith("| "):
                output.append(line[2:])
            elif line.startswith("< %s " % name):
                return int(line.split()[2]), "\n".join(output)
        raise Failure("guest: '%s': no answer in %d s" % (command, limit))

    def close(self):
        self.lines.close()


def probe_accel():
    """KVM where it can be opened (the lab loads it only if it works)."""
    accel = os.environ.get("MIMIC_GUEST_ACCEL")
    if accel:
        return accel
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
        return "kvm"
    except OSError:
        return "tcg"


@functools.lru_cache(maxsize=None)
def qemu_version():
    """(major, minor) of the machine's QEMU."""
    text = subprocess.run(["qemu-system-x86_64", "--version"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    major, minor = re.search(r"version (\d+)\.(\d+)", text).groups()
    return int(major), int(minor)


def protocol():
    """By which of the device's two protocols QEMU migrates it: 1 or 2."""
    return 1 if qemu_version() < (8, 0) else 2


# What QEMU prints of a device without trouble. A type1 container tracks the pages
# that a device dirties, where the kernel cannot do it by device; and a kernel
# before 6.16 has no dma-buf of a device's memory.
HARMLESS = {
    1: None,
    2: r"VFIO device doesn't support device and IOMMU dirty tracking$|"
       r"VFIO dma-buf not supported in kernel",
}


def vfio_device(mdev, name="mimic"):
    """Argument of -device for an mdev that is to migrate."""
    # "auto", the later default, wants a kernel that tracks pages by device
    option = {1: "x-enable-migration", 2: "enable-migration"}[protocol()]
    return "vfio-pci,id=%s,sysfsdev=%s,%s=on" % (name, mdev.path, option)


class Vm:
    """One QEMU. incoming is a migration URI, for a destination; extra are
    further arguments."""

    def __init__(self, scene, name, mdev=None, incoming=None, memory=MEMORY,
                 extra=()):
        self.scene = scene
        self.name = name
        self.mdev = mdev
        self.dir = os.path.join(scene.dir, name)
        os.mkdir(self.dir)
        self.expected = None
        self.migrating_since = None
        self.agent = None
        self.qmp = None
        self.command = self._command(mdev, incoming, memory) + list(extra)
        with open(self.path("stderr"), "wb") as err:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=err, stderr=err)

    def path(self, name):
        return os.path.join(self.dir, name)

    def _command(self, mdev, incoming, memory):
        accel = probe_accel()
        command = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-machine", "q35",
            "-accel", accel, "-cpu", "qemu64,-svm", "-smp", "1",
            "-m", str(memory),
            "-kernel", os.path.join(BUILT, "guest", "vmlinux"),
            "-initrd", os.path.join(BUILT, "guest", "initrd.img"),
            "-append", "console=ttyS0 quiet loglevel=5 panic=-1 "
                       "mitigations=off tsc=reliable "
                       "rcupdate.rcu_cpu_stall_timeout=120",
            "-chardev", "file,id=console,path=" + self.path("console"),
            "-serial", "chardev:console",
            "-chardev", "socket,id=agent,server=on,wait=off,path="
                        + self.path("agent"),
            "-device", "virtio-serial-pci",
            "-device", "virtserialport,chardev=agent,name=agent",
            "-qmp", "unix:%s,server=on,wait=off" % self.path("qmp"),
        ]
        if mdev:
            command += ["-device", vfio_device(mdev)]
        if incoming:
            command += ["-incoming", incoming]
        return command

    def alive(self):
        return self.process.poll() is None

    def connect(self):
        """Connect to QEMU and to the agent's port."""
        try:
            self.qmp = Qmp(self.path("qmp"), self.alive)
            self.agent = Agent(self.path("agent"), self.alive)
        except Failure as failure:
            raise Failure("%s: %s; stderr: %s" % (self.name, failure,
                                                  self.stderr())) from None
        return self

    def boot(self):
        """Wait for a guest that was started, not migrated, here."""
        self.connect()
        try:
            self.agent.wait_ready(BOOT_LIMIT)
        except Failure as failure:
            raise Failure("%s: %s; stderr: %s; console: %s" % (
                self.name, failure, self.stderr(),
                self.console()[-2000:])) from None
        return self

    def run(self, command, limit=COMMAND_LIMIT):
        return self.agent.run(command, limit)

    def must(self, command, limit=COMMAND_LIMIT):
        """Output of a command that has to succeed in the guest."""
        status, output = self.run(command, limit)
        if status:
            raise Failure("%s: '%s' in the guest: status %d: %s" % (
                self.name, command, status, output))
        return output

    def stderr(self):
        with open(self.path("stderr"), errors="replace") as file:
            return file.read()

    def console(self):
        try:
            with open(self.path("console"), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_exit(self, limit=60):
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failure("%s: QEMU does not end" % self.name) from None

    def given_up(self):
        """Wait for a destination whose migration has failed, and end it. Returns
        its exit status; a death by a signal is a Failure."""
        status = self.wait_exit()
        self.close()
        if status < 0:
            raise Failure("%s: killed by signal %d" % (self.name, -status))
        return status

    def monitor(self, line):
        """What QEMU's human monitor answers to a line."""
        return self.qmp.execute("human-monitor-command", command_line=line)

    def snapshot(self, verb, tag):
        """savevm, loadvm or delvm; they are silent if they succeed."""
        answer = self.monitor("%s %s" % (verb, tag))
        if answer:
            raise Failure("%s: %s %s: %s" % (self.name, verb, tag, answer))

    def registers(self):
        """{name: value} of the virtual processor."""
        text = self.monitor("info registers")
        return {name: int(value, 16) for name, value in re.findall(
            r"\b(R..|CR4)\s*=([0-9a-f]+)", text)}

    def broken_by_emulator(self):
        """Does the guest have registers that it cannot have?

        QEMU's emulated SVM can, rarely and on a busy machine, leave the outer
        kernel's RIP, RSP and RAX in the guest's processor. That is certain if
        RSP is no address at all with the guest's four levels of page tables.
        """
        if not self.qmp or not self.alive():
            return False
        try:
            found = self.registers()
        except (Failure, OSError):
            return False
        # a processor that is not in 64-bit mode has neither
        la57 = found.get("CR4", 0) >> 12 & 1
        return not la57 and found.get("RSP", 0) >> 47 not in (0, 0x1ffff)

    def postmortem(self):
        """What is known of a guest that does not answer."""
        found = ["%s: stderr: %s" % (self.name, self.stderr()),
                 "%s: console: %s" % (self.name, self.console()[-1500:])]
        if not self.alive() or not self.qmp:
            return found
        for question in ("info status", "info registers", "info lapic",
                         "info pic", "info chardev"):
            with contextlib.suppress(Failure, OSError):
                found.append(self.monitor(question))
        for path in glob.glob("/proc/%d/task/*/stack" % self.process.pid):
            with contextlib.suppress(OSError):
                found.append("%s %s\n%s" % (
                    path, read_file(os.path.dirname(path) + "/comm"),
                    read_file(path)))
        return found

    def quit(self):
        """End QEMU in an orderly way; it must like that."""
        self.qmp.execute("quit")
        status = self.wait_exit()
        self.close()
        if status:
            raise Failure("%s: QEMU ended with status %d: %s" % (
                self.name, status, self.stderr()))

    def kill(self):
        """SIGKILL, and nothing of it is left when this returns."""
        self.process.kill()
        self.close()

    def close(self):
        for part in (self.agent, self.qmp):
            if part:
                part.close()
        self.agent = self.qmp = None
        if self.alive():
            self.process.kill()
        self.process.wait()

    def complaint(self):
        """What QEMU printed beyond what is expected, or an empty string."""
        fine = [text for text in (self.expected, HARMLESS[protocol()]) if text]
        lines = [line for line in self.stderr().splitlines()
                 if not any(re.search(text, line) for text in fine)]
        return "\n".join(lines)


class Mdev:
    """A mediated device, made and removed by sysfs as a user would."""

    def __init__(self, parent, mtype):
        self.parent = parent
        self.type = mtype
        self.uuid = str(uuid.uuid4())
        self.path = os.path.join(MDEVS, self.uuid)
        write_file(os.path.join(type_path(parent, mtype), "create"), self.uuid)

    def version(self):
        return read_file(os.path.join(self.path, "mdev_type",
                                      "migration_version"))

    def accepts(self, version):
        """0, or the errno with which the device refuses a version."""
        try:
            write_file(os.path.join(self.path, "mdev_type",
                                    "migration_version"), version)
            return 0
        except OSError as error:
            return error.errno

    def knob(self, name):
        """A file that the driver has for tests of this device."""
        if not os.path.isdir(DEBUGFS):
            subprocess.run(["mount", "-t", "debugfs", "none",
                            "/sys/kernel/debug"], check=True)
        return os.path.join(DEBUGFS, self.uuid, name)

    def remove(self):
        write_file(os.path.join(self.path, "remove"), "1")


def read_file(path):
    with open(path) as file:
        return file.read().strip()


def write_file(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def type_path(parent, mtype):
    return os.path.join(MDEV_BUS, parent, "mdev_supported_types", mtype)


def parents():
    """[(name, SKU's PCI device id)] of the parents, in order."""
    return [(os.path.basename(p), read_file(os.path.join(p, "device")))
            for p in sorted(glob.glob(MDEV_BUS + "/*"))]


def twins():
    """Two parents of one SKU, and one of another (or None)."""
    by_sku = {}
    for name, sku in parents():
        by_sku.setdefault(sku, []).append(name)
    pair = next((names[:2] for names in by_sku.values() if len(names) > 1), None)
    if not pair:
        raise Failure("no two parents of one SKU: %s" % by_sku)
    other = next((names[0] for names in by_sku.values() if pair[0] not in names),
                 None)
    return pair[0], pair[1], other


def load_modules(*parameters):
    """Load the modules unless they are there already."""
    if os.path.isdir("/sys/module/mimic"):
        return
    subprocess.run([os.path.join(TOP, "scripts/load"), *parameters],
                   check=True, stdout=sys.stderr)


def check_machine():
    """Guests in an emulated machine want scripts/lab run -n, which says why."""
    if "QEMU TCG" in read_file("/proc/cpuinfo") and os.cpu_count() > 1:
        say("an emulated machine with several processors may lose interrupts "
            "when guests run in it: use scripts/lab run -n")


def kernel_log():
    return subprocess.run(["dmesg"], check=True, stdout=subprocess.PIPE,
                          text=True, errors="replace").stdout.splitlines()


def splats(lines):
    return [line for line in lines if SPLATS.search(line)]


def guest_splats(vm):
    """The guest's log from the first of such lines on; nothing without one.

    The guest looks for it: all of the log takes 9 s through an emulated UART.
    """
    return vm.must("dmesg >/run/dmesg && grep -q 'Linux version' /run/dmesg && "
                   "sed -nE '/%s/,$p' /run/dmesg | head -n %d"
                   % (SPLATS_TEXT, CONTEXT)).splitlines()


class Scene:
    """What a test starts and creates, and its end."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="mimic-vm.")
        self.vms = []
        self.mdevs = []
        self.relays = []
        self.log_start = len(kernel_log())
        self.trace = DeviceTrace()

    def mdev(self, parent, mtype):
        mdev = Mdev(parent, mtype)
        self.mdevs.append(mdev)
        return mdev

    def vm(self, name, mdev=None, incoming=None, extra=(), memory=MEMORY):
        vm = Vm(self, name, mdev, incoming, memory, extra)
        self.vms.append(vm)
        return vm

    def uri(self, name):
        return "unix:" + os.path.join(self.dir, name + ".migrate")

    def destination(self, name, mdev=None, extra=(), memory=MEMORY):
        """A QEMU that waits for a migration; .uri says where."""
        uri = self.uri(name)
        vm = self.vm(name, mdev, uri, extra, memory)
        vm.uri = uri
        vm.connect()
        # both sides report phases, and the source hears of a failed load
        set_capabilities(vm)
        return vm

    def relay(self, src, dst, **options):
        """A Relay from a source to a destination()."""
        relay = Relay(src, self.uri(dst.name + ".relay"), dst.uri, **options)
        self.relays.append(relay)
        return relay

    def complaints(self):
        """All that QEMUs, guests' consoles and this kernel complain of."""
        found = []
        for vm in self.vms:
            if vm.complaint():
                found.append("%s: QEMU says: %s" % (vm.name, vm.complaint()))
            found += ["%s: guest's console: %s" % (vm.name, line)
                      for line in splats(vm.console().splitlines())]
        log = kernel_log()[self.log_start:]
        found += ["kernel log: " + line for line in splats(log)]
        return found

    def close(self):
        for relay in self.relays:
            relay.cut()
        for vm in self.vms:
            vm.close()
        for mdev in self.mdevs:
            with contextlib.suppress(FileNotFoundError):
                mdev.remove()
        self.trace.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- Migration ---

def set_capabilities(vm, phases=False, return_path=True):
    vm.qmp.execute("migrate-set-capabilities", capabilities=[
        {"capability": "events", "state": True},
        {"capability": "return-path", "state": return_path},
        {"capability": "pause-before-switchover", "state": phases},
    ])


# What a source may say when its connection is cut by either side
CUT = r"Unable to (write to|read from) socket|failed to save SaveStateEntry|" \
      r"Failed to save buffer|vfio_save_buffer failed|Unable to shut|" \
      r"Channel error: Input/output error$"


class DeviceTrace:
    """What the engine did, by its own tracepoints.

    QEMU 7.2 has a counter of device bytes but never reports it, and no QEMU
    reports it by phase.
    """

    TRACING = "/sys/kernel/tracing"
    STAGE = re.compile(r"\s(\d+\.\d+): vmig_stage: (\S+) state (\d+): .* (\d+) bytes")
    STATE = re.compile(r"\s(\d+\.\d+): vmig_state: (\S+) (\d+) -> (\d+)")
    STOP = 1
    RUNNING = 2
    STOP_COPY = 3
    RESUMING = 4
    PRE_COPY = 6
    RUNNING_P2P = 5
    PRE_COPY_P2P = 7
    P2P = (RUNNING_P2P, PRE_COPY_P2P)

    def __init__(self):
        self.dir = os.path.join(self.TRACING, "instances",
                                "mimic-vm-%d" % os.getpid())
        if not os.path.isdir(os.path.join(self.TRACING, "instances")):
            subprocess.run(["mount", "-t", "tracefs", "tracefs", self.TRACING],
                           check=True)
        os.mkdir(self.dir)
        write_file(os.path.join(self.dir, "trace_clock"), "mono")
        write_file(os.path.join(self.dir, "events/vmig/enable"), "1")

    def _lines(self):
        with open(os.path.join(self.dir, "trace"), errors="replace") as file:
            return file.readlines()

    def stages(self, mdev, since=0.0):
        """[(time, state, bytes)] of the segments that the device gave out."""
        return [(float(match[1]), int(match[3]), int(match[4]))
                for match in map(self.STAGE.search, self._lines())
                if match and mdev.uuid in match[2] and float(match[1]) >= since]

    def sent(self, mdev, since=0.0):
        """{state: bytes} that the device gave out since that time."""
        found = {self.PRE_COPY: 0, self.STOP_COPY: 0}
        for _, state, size in self.stages(mdev, since):
            found[state] = found.get(state, 0) + size
        return found

    def states(self, mdev, since=0.0):
        """[(time, from, to)] of the device's state changes."""
        return [(float(match[1]), int(match[3]), int(match[4]))
                for match in map(self.STATE.search, self._lines())
                if match and mdev.uuid in match[2] and float(match[1]) >= since]

    def state(self, mdev):
        """The device's state after the last change that was traced."""
        states = self.states(mdev)
        return states[-1][2] if states else None

    def path(self, mdev, since=0.0):
        """[state, ...] that the device went through, from where it was, but
        for steps between two of them that v1 does not know, and resets of a
        running one."""
        path = []
        for _, start, to in self.states(mdev, since):
            path += [state for state in ([to] if path else [start, to])
                     if state not in self.P2P and path[-1:] != [state]]
        return path

    def close(self):
        with contextlib.suppress(OSError):
            write_file(os.path.join(self.dir, "events/vmig/enable"), "0")
            os.rmdir(self.dir)


class Figures:
    """What a migration cost. Times in ms, bytes."""

    def __init__(self, info, stopped, sent):
        self.total = info.get("total-time", 0)
        self.downtime = info.get("downtime", 0)
        self.ram = info.get("ram", {}).get("transferred", 0)
        self.rounds = info.get("ram", {}).get("dirty-sync-count", 0)
        self.precopy_device = sent.get(DeviceTrace.PRE_COPY, 0)
        self.stop_device = sent.get(DeviceTrace.STOP_COPY, 0)
        self.device = sum(sent.values())
        # RAM at the moment the guest was stopped, if QEMU was asked to say
        self.phases = stopped is not None
        if self.phases:
            self.precopy_ms = stopped.get("total-time", 0)
            self.precopy_ram = stopped.get("ram", {}).get("transferred", 0)

    def __str__(self):
        text = ("total %d ms, downtime %d ms, RAM %d bytes, device %d bytes\n"
                "of the device %d bytes in pre-copy, %d in stop-and-copy" % (
                    self.total, self.downtime, self.ram, self.device,
                    self.precopy_device, self.stop_device))
        if self.phases:
            text += "\nof RAM %d bytes in pre-copy, %d in stop-and-copy" % (
                self.precopy_ram, self.ram - self.precopy_ram)
        return text


def start_migration(src, uri, bandwidth=512 * MIB, downtime=CONVERGES, phases=False,
                    return_path=True):
    """Begin, and return. With return_path the source hears that a load failed;
    but QEMU 7.2 may call a cancelled migration 'failed' then."""
    set_capabilities(src, phases, return_path)
    src.qmp.execute("migrate-set-parameters", max_bandwidth=bandwidth,
                    downtime_limit=downtime)
    src.migrating_since = time.monotonic()
    src.qmp.execute("migrate", uri=uri)


def migration_info(src):
    return src.qmp.execute("query-migrate")


def device_migration(vm):
    """What the VM's device says of its migration now, by the names of the lines.
    It is asked often, and the trace would take long."""
    lines = read_file(vm.mdev.knob("migration")).splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def device_bytes(src):
    """What the device gave out in the session that it saves now, if any."""
    now = device_migration(src) if src.mdev else {}
    return int(now["bytes"]) if now.get("session") == "saving" else 0


def wait_status(src, status, limit=MIGRATE_LIMIT):
    """Wait for a status of the migration, and do nothing about it."""
    wait_until("migration of %s is '%s'" % (src.name, status), limit,
               lambda: migration_info(src).get("status") == status, 0.02)


def wait_migration(src, until=("completed",), limit=MIGRATE_LIMIT, progress=None):
    """Wait for a status; returns (last info, info when the guest stopped)."""
    end = time.monotonic() + limit
    stopped = None
    shown = time.monotonic()
    while True:
        info = migration_info(src)
        status = info.get("status")
        if status == "completed" and not info.get("total-time"):
            continue    # the figures come a moment after the status
        if status in until:
            return info, stopped
        if status == "pre-switchover" and stopped is None:
            stopped = info
            src.qmp.execute("migrate-continue", state="pre-switchover")
        if status in ("completed", "failed", "cancelled"):
            raise Failure("the migration is '%s' instead of '%s'; %s" % (
                status, "/".join(until), info.get("error-desc", "")))
        if time.monotonic() > end:
            raise Failure("the migration is still '%s' after %d s: %s" % (
                status, limit, json.dumps(info)))
        if progress and time.monotonic() > shown + 2:
            shown = time.monotonic()
            progress(info)
        time.sleep(0.02)


def allow_downtime(src, ms=CONVERGES):
    """Change the limit of a running migration, so that it can converge."""
    src.qmp.execute("migrate-set-parameters", downtime_limit=ms)


def allow_bandwidth(src, bandwidth):
    """Change the limit of a running migration, in bytes per second."""
    src.qmp.execute("migrate-set-parameters", max_bandwidth=bandwidth)


def ram_to_go(src):
    """Bytes of RAM that are left of this round."""
    return migration_info(src).get("ram", {}).get("remaining", 0)


def progress_line(info):
    ram = info.get("ram", {})
    say("%5.1f s: %s, RAM %d MiB sent, %d MiB to go" % (
        info.get("total-time", 0) / 1000, info.get("status"),
        ram.get("transferred", 0) >> 20, ram.get("remaining", 0) >> 20))


def run_state(vm):
    """QEMU's word for it: running, paused, postmigrate, ..."""
    return vm.qmp.execute("query-status")["status"]


def device_runs(vm):
    """Does the VM's device run, where it has one?"""
    return not vm.mdev or device_migration(vm)["state"] == "RUNNING"


def wait_running(vm, state="running"):
    """Wait for a run state of QEMU, by default that of a guest that runs.

    After a migration that failed QEMU says so before it has told its devices: its
    migration thread starts the guest, and lets others go on in between.
    """
    wait_until("%s in %s" % (state, vm.name), 60,
               lambda: run_state(vm) == state, 0.02)
    if state == "running":
        wait_until("a device that runs in %s" % vm.name, 60,
                   lambda: device_runs(vm), 0.02)


def precopy_info(src, what):
    """query-migrate; Failure if pre-copy ended before what was waited for."""
    info = migration_info(src)
    if info.get("status") not in ("setup", "active"):
        raise Failure("%s: the migration is '%s': %s" % (
            what, info.get("status"), info.get("error-desc", "")))
    return info


def sent_once(src):
    """Has all RAM been sent, in pre-copy, which is not over?"""
    info = precopy_info(src, "a pass of pre-copy over RAM")
    return info.get("ram", {}).get("dirty-sync-count", 0) > 1


def end_migration(src, dst, progress=progress_line, state="running"):
    """Wait for the end of a migration that may converge, and end the source.
    state is the guest's at the destination. Returns Figures."""
    info, stopped = wait_migration(src, progress=progress)
    wait_running(dst, state)
    since = src.migrating_since
    sent = src.scene.trace.sent(src.mdev, since) if src.mdev else {}
    figures = Figures(info, stopped, sent)
    src.quit()
    return figures


def migrate(src, dst, progress=progress_line, precopy=0, load=None,
            downtime=CONVERGES, state="running", **options):
    """Migrate to a destination() and end the source. Returns Figures.

    precopy: bytes of device data that have to go before the guest is stopped;
    until then QEMU is given 1 ms of downtime, afterwards downtime ms. It is less than
    the device has, or load is a Workload: it stamps everything again when half
    of that is gone, and all RAM has to go once as well.
    """
    if not precopy:
        start_migration(src, dst.uri, downtime=downtime, **options)
        return end_migration(src, dst, progress, state)
    stops = ([precopy // 2] if load else []) + [precopy]
    points = [lambda _, device, stop=stop: device >= stop for stop in stops]
    relay = src.scene.relay(src, dst, hold=points[0], answers=True)
    start_migration(src, relay.uri, downtime=1, **options)
    for stop, following in zip(stops, points[1:] + [None]):
        relay.wait_held("%d bytes of device data in pre-copy" % stop, progress)
        if following:
            load.wait_stamped()
            relay.go_on(following)
    # By v2 RAM and device take turns, and the device may be through sooner. A guest
    # that is idle may be through altogether before one looks.
    while load and not sent_once(src):
        relay.go_on(lambda passed, _, goal=relay.passed + 4 * MIB: passed >= goal)
        relay.wait_held("a pass of pre-copy over RAM", progress)
    allow_downtime(src, downtime)
    relay.go_on()
    return end_migration(src, dst, progress, state)


class Relay:
    """Between a source and a destination.

    It makes a point of a migration certain, where a look at it from time to time
    might come too late: the stream is passed on in small pieces up to the first
    at which hold(bytes passed on, bytes the device gave out) is true. There the
    source gets no further than what fits in its socket, until go_on().

    Without answers, what the destination says is not passed on: so the source,
    with its device saved and stopped, waits for the word that all was loaded,
    until cut().
    """

    PIECE = 512 << 10

    def __init__(self, src, uri, to, hold=None, answers=False):
        self.src = src
        self.uri = uri
        self.to = to[len("unix:"):]
        self.hold = hold
        self.answers = answers
        self.passed = 0
        self.look_at = 0
        self.open = True
        self.held = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(uri[len("unix:"):])
        self.listener.listen(1)
        self.thread = threading.Thread(target=self._pass, daemon=True)
        self.thread.start()

    def _there(self):
        """Is the stream where it has to be held? Then it stays so."""
        if self.hold and not self.held.is_set() and self.passed >= self.look_at:
            self.look_at = self.passed + self.PIECE
            if self.hold(self.passed, device_bytes(self.src)):
                self.held.set()
        return self.held.is_set()

    def _pass(self):
        source = self._accept()
        if not source:
            return
        sink = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with source, sink, contextlib.suppress(OSError):
            sink.connect(self.to)
            sink.settimeout(MIGRATE_LIMIT)
            while self.open and self._step(source, sink):
                pass

    def _step(self, source, sink):
        """Pass a piece on in each direction; False at the end."""
        ways = ([] if self._there() else [source]) + \
            ([sink] if self.answers else [])
        for way in select.select(ways, [], [], 0.05)[0]:
            data = way.recv(self.PIECE)
            if not data:
                return False
            (sink if way is source else source).sendall(data)
            if way is source:
                self.passed += len(data)
        return True

    def _accept(self):
        with self.listener:
            while self.open:
                if select.select([self.listener], [], [], 0.05)[0]:
                    return self.listener.accept()[0]
        return None

    def wait_held(self, what, progress=None, limit=MIGRATE_LIMIT):
        """Wait until the stream is held, which is in pre-copy. Returns (bytes
        passed on, bytes that the device gave out)."""
        end = time.monotonic() + limit
        shown = time.monotonic()
        while not self.held.wait(0.02):
            info = precopy_info(self.src, what)
            if time.monotonic() > end:
                raise Failure("%s: not within %d s: %s"
                              % (what, limit, json.dumps(info)))
            if progress and time.monotonic() > shown + 2:
                shown = time.monotonic()
                progress(info)
        precopy_info(self.src, what)
        return self.passed, device_bytes(self.src)

    def go_on(self, hold=None):
        """Pass on what is held, and the rest up to another point, if hold is
        given."""
        self.hold = hold
        self.held.clear()

    def cut(self):
        """End the connection on both sides."""
        self.open = False
        self.thread.join()


def wait_saved(src, dst):
    """Wait until the device is saved and stopped and its migration is not yet
    over, which a Relay sees to, and dst has loaded everything and runs."""
    trace = src.scene.trace
    # by the v2 protocol QEMU leaves the session open until the migration is over
    end = {1: [trace.STOP_COPY, trace.STOP], 2: [trace.STOP_COPY]}[protocol()]

    def saved():
        path = trace.path(src.mdev, src.migrating_since)
        return path[-len(end):] == end
    wait_until("saved device of " + src.name, MIGRATE_LIMIT, saved)
    wait_running(dst)
    status = migration_info(src).get("status")
    if status not in ("active", "device"):
        raise Failure("the migration did not wait for its destination: '%s'"
                      % status)


# --- The workload in the guest ---

class Workload:
    """accelwork in the guest: which programs, on which ranges.

    The ranges are apart from each other and fit the smallest type, 32 MiB.
    """

    RUN = "run -s %d -d 0:4M -g 0:512K"
    BAR = "bar-check -s %d -d 20M:4M -p 4000"
    RAM = "ram-check -s %d -m 16 -p 4000"
    STAMP = "stamp-start -r 1 -p %d -d 8M:8M -g 1M:2M"
    STAMPED = 8 * MIB // 4096

    def __init__(self, vm, seed=1, device=True, rate=2000):
        self.seed = seed
        self.device = device
        self.rate = rate
        self.names = []
        self.vm = vm

    def _spawn(self, name, arguments):
        self.vm.must("rm -f /run/%s.*" % name)
        # what the harness asks for comes first: it has to wait for each answer
        self.vm.must("accelwork %s -S /run/%s.status >/run/%s.out 2>&1 & "
                     "echo $! >/run/%s.pid; renice -n 19 -p $! >/dev/null"
                     % (arguments, name, name, name))
        self.names.append(name)

    def start(self):
        """Everything at once, and wait until all of it makes progress."""
        if self.device:
            self.vm.must("accelwork " + self.STAMP % self.rate)
            self._spawn("run", self.RUN % self.seed)
            self._spawn("bar", self.BAR % self.seed)
        self._spawn("ram", self.RAM % self.seed)
        self.wait_progress()
        if self.device:
            self.wait_stamped()
        return self

    def rounds(self):
        """{program: rounds so far}; a program that ended is a failure."""
        # of the shell alone, since a program more is dear in a busy guest
        text = self.vm.must(
            "cd /run; for n in %s; do read -r p <$n.pid; "
            "if ! kill -0 $p 2>/dev/null; then echo $n ended; "
            "elif [ -e $n.status ]; then read -r s <$n.status; echo $n $s; "
            "else echo $n rounds=0; fi; done%s" % (
                " ".join(self.names),
                "; accelwork stamp-seq" if self.device else ""))
        found = {name: int(count) for name, count in
                 re.findall(r"^(\w+) rounds=(\d+)", text, re.M)}
        for name in self.names:
            if name not in found:
                raise Failure("%s in the guest: %s %s" % (
                    name, text, self.vm.run("cat /run/%s.out" % name)[1]))
        if self.device:
            found["stamp"] = self.stamp_count(text)
        return found

    @staticmethod
    def stamp_count(text):
        return int(re.search(r" seq=(\d+)", text).group(1))

    def stamps(self):
        return self.stamp_count(self.vm.must("accelwork stamp-seq"))

    def wait_stamped(self, limit=120):
        """Wait until the device has stamped all of its range once from now on."""
        goal = self.stamps() + self.STAMPED
        wait_until("stamps", limit, lambda: self.stamps() >= goal, 0.2)

    def wait_progress(self, limit=120):
        """Wait until every part has done at least one round from now on."""
        before = self.rounds()
        now = before
        end = time.monotonic() + limit
        while not all(now[name] > before[name] for name in now):
            if time.monotonic() > end:
                raise Failure("no progress in the guest in %d s: %s, then %s\n%s"
                              % (limit, before, now, self.state()))
            time.sleep(0.5)
            now = self.rounds()
        return now

    def state(self):
        """All that may tell why something does not go on."""
        found = []
        for command in ("ps", "tail -n 3 /run/*.out", "accelwork counters",
                        "accelwork regs", "cat /proc/interrupts",
                        "for p in $(pidof accelwork); do grep -E 'State|Sig|Shd' "
                        "/proc/$p/status; cat /proc/$p/stack; done",
                        "dmesg | tail -n 15"):
            try:
                found.append("%s: %s" % (command, self.vm.run(command, 30)[1]))
            except Failure as failure:
                found.append(str(failure))
                break
        return "\n".join(found)

    def rest(self):
        """Everything stays as it is, until go_on(); what is stamped is right."""
        say(self.vm.must("accelwork stamp-verify -n 1"))
        self.vm.must("kill -STOP $(cat /run/*.pid)")

    def go_on(self):
        """What was stamped is right still; go on."""
        say(self.vm.must("accelwork stamp-verify -n 1"))
        self.vm.must("kill -CONT $(cat /run/*.pid)")
        self.vm.must("accelwork %s -k" % (self.STAMP % self.rate))

    def moved_to(self, vm):
        self.vm = vm

    def _wait_end(self, name, limit=150):
        """Wait for a program that was told to end, and know why it did not."""
        end = time.monotonic() + limit
        while not self.vm.run("read -r p </run/%s.pid; kill -0 $p 2>/dev/null"
                              % name)[0]:
            if time.monotonic() > end:
                raise Failure("%s in the guest does not end in %d s\n%s" % (
                    name, limit, self.state()))
            time.sleep(0.2)

    def finish(self):
        """Stop everything; verify everything. Returns lines to show."""
        shown = []
        if self.device:
            shown.append(self.vm.must("accelwork stamp-verify -n 1"))
        for name in self.names:
            self.vm.must("kill -TERM $(cat /run/%s.pid)" % name)
        for name in self.names:
            self._wait_end(name)
            line = self.vm.must("tail -n 1 /run/%s.out" % name)
            shown.append(line)
            if "result=ok" not in line:
                raise Failure(self.vm.must("cat /run/%s.out" % name))
        if self.device:
            shown.append(self.vm.must("accelwork irqs"))
            shown.append(self.vm.must("accelwork counters"))
        return shown


# --- TAP ---

# Tests name rules of the v1 protocol. What the same result shows where QEMU speaks
# the v2 protocol; a rule that is not here says nothing of that.
RULES_OF_V2 = {
    "V1-Q7-T1": "V2-FSM-73",
    "V1-Q7-T2": "V2-FSM-73",
    "V1-PRE-02": "V2-FD-12",
    "V1-PRE-04": "V2-DS-04",
    "V1-CAN-02": "V2-FSM-69",
    "V1-CAN-03": "V2-FSM-69",
    "V1-CAN-04": "V2-FSM-69",
    "V1-CAN-10": "V2-FD-09",
    "V1-Q7-T4": "V2-FSM-69",
    "V1-Q7-T5": "V2-FSM-69",
    "V1-Q7-T8": "V2-FD-06",
    "V1-Q7-T9": "V2-FD-06",
}


def by_protocol(name):
    """The name of a result, with rules of the protocol by which QEMU migrates."""
    if protocol() == 1:
        return name
    words = [RULES_OF_V2.get(word, "" if re.match(r"V1-[A-Z]", word) else word)
             for word in name.split()]
    return " ".join(word for number, word in enumerate(words)
                    if word and word not in words[:number]
                    or not re.match(r"V2-|$", word))


class Tap:
    """Test Anything Protocol, as kselftest wants it."""

    def __init__(self, plan):
        self.count = 0
        self.failed = 0
        self.plan = plan
        print("TAP version 13\n1..%d" % plan, flush=True)

    def ok(self, good, name, detail=""):
        self.count += 1
        if not good:
            self.failed += 1
            say(detail)
        print("%s %d %s" % ("ok" if good else "not ok", self.count,
                            by_protocol(name)), flush=True)
        return good

    def end(self):
        while self.count < self.plan:
            self.ok(False, "not reached")
        print("# Totals: pass:%d fail:%d xfail:0 xpass:0 skip:0 error:0" % (
            self.count - self.failed, self.failed), flush=True)
        sys.exit(1 if self.failed else 0)


def verify(tap, workload, name):
    """End the workload and report that all of it was right."""
    for line in workload.finish():
        say(line)
    tap.ok(True, name)


def check_clean(tap, scene, vm, name):
    """The end of every VM test: nobody has a reason to complain."""
    found = ["guest's log: " + line for line in guest_splats(vm)]
    found += scene.complaints()
    tap.ok(not found, name, "\n".join(found))


def last_succeeds(tap, scene, load, target,
                  name="V1-CAN-10 then a whole migration succeeds"):
    """The end of a test of migrations that fail: one to target does not, and
    nothing was lost. Three results."""
    dst = scene.destination("destination", target)
    figures = migrate(load.vm, dst)
    say(figures)
    tap.ok(figures.device > 0, name, figures)
    load.moved_to(dst)
    say(load.wait_progress())
    verify(tap, load, "V1-PRE-02 every page, memory and interrupt is right")
    check_clean(tap, scene, dst, "logs and QEMU are silent")
    dst.quit()


def main(plan, test):
    """Run test(tap, scene); a Failure or error fails what is left."""
    tap = Tap(plan)
    check_machine()
    load_modules()
    with Scene() as scene:
        try:
            test(tap, scene)
        except (Failure, OSError, AssertionError) as error:
            say("%s: %s" % (type(error).__name__, error))
            for vm in scene.vms:
                say("\n".join(vm.postmortem()))
                if vm.broken_by_emulator():
                    say("%s: the emulator of this test machine has put its own "
                        "registers into the guest's" % vm.name)
            for line in kernel_log()[scene.log_start:][-30:]:
                say("kernel log: " + line)
            tap.ok(False, "the test ran to its end", str(error))
    tap.end()
