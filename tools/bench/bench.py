#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark, in a test machine: loads the modules, runs vmigbench on devices
of several sizes and qemu_bench, writes all results to one JSON file and prints
them as tables. It fails if something does not work, never because of a time."""

import argparse
import contextlib
import ctypes
import json
import mmap
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
# pylint: disable=wrong-import-position
import qemu_bench
from qemu_bench import vmlib
from vmlib import MIB

VMIGBENCH = os.path.join(vmlib.BUILT, "bench", "vmigbench")
# An eighth of 256 MiB is the 32 MiB device, a quarter of 512 the one of 128
PARAMETERS = ("parents=6", "memory_a=512", "memory_b=256")
# MiB of the device, and what vmigbench does with it
FULL = (
    (32, "-p stream,eight,v2,info,faults,arcs,drained,memory -r 3 -n 200 -c 10"),
    (128, "-p stream,v2,faults,arcs,drained,dirty,memory -r 2 -n 100 -c 4"),
    (512, "-p stream,v2,info,drained -r 1 -n 200 -c 2"),
)
QUICK = ((32, "-r 1 -n 20 -c 2"),)
WAYS = ("v1 mmap", "v1 pread/pwrite", "v1 8 bytes", "v2 1 MiB", "v2 4 KiB")


def progress(text):
    print("bench: " + text, file=sys.stderr, flush=True)


# --- Running ---

def warm_memory(mib):
    """Touch free memory, so that its first use costs the host nothing later."""
    progress("touching %d MiB of the machine's memory" % mib)
    with mmap.mmap(-1, mib * MIB) as area:
        ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(area)), 1,
                      mib * MIB)


@contextlib.contextmanager
def memory_cgroup():
    """A folder of a cgroup of our own with the memory controller, or None."""
    with open("/proc/mounts") as file:
        mounts = [line.split()[1] for line in file if line.split()[2] == "cgroup2"]
    root = mounts[0] if mounts else tempfile.mkdtemp(prefix="mimic-cgroup.")
    path = os.path.join(root, "mimic-bench")
    try:
        if not mounts:
            subprocess.run(["mount", "-t", "cgroup2", "none", root], check=True)
        vmlib.write_file(root + "/cgroup.subtree_control", "+memory")
        os.mkdir(path)
    except (OSError, subprocess.CalledProcessError) as error:
        progress("no cgroup: %s" % error)
        path = None
    yield path
    if path:
        os.rmdir(path)
    if not mounts:
        subprocess.run(["umount", root], check=False)
        os.rmdir(root)


def run_vmigbench(mib, options, group, output):
    def enter():
        if group:
            vmlib.write_file(group + "/cgroup.procs", str(os.getpid()))
    command = [VMIGBENCH, "-o", output] + options.split()
    if group:
        command += ["-g", group]
    mdevs = [vmlib.Mdev(*pair) for pair in qemu_bench.device_pair(mib)]
    try:
        # pylint: disable=subprocess-popen-preexec-fn
        subprocess.run(command + [mdev.uuid for mdev in mdevs], check=True,
                       preexec_fn=enter)
    finally:
        for mdev in mdevs:
            mdev.remove()


def run_all(quick, output):
    # both devices and the stream
    warm_memory(256 if quick else 2560)
    with memory_cgroup() as group:
        for mib, options in QUICK if quick else FULL:
            progress("devices of %d MiB: vmigbench %s" % (mib, options))
            run_vmigbench(mib, options, group, output)
    if not quick:
        progress("migrations of guests")
        subprocess.run([sys.executable, HERE + "/qemu_bench.py", "-o", output],
                       check=True, stdout=sys.stderr)


def machine():
    cpuinfo = vmlib.read_file("/proc/cpuinfo")
    cpu = re.search(r"model name\s*: (.*)", cpuinfo)[1]
    version = subprocess.run(["qemu-system-x86_64", "--version"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "accelerator": "tcg" if "QEMU TCG" in cpu else "kvm",
        "host_cpu": os.environ.get("BENCH_HOST_CPU", ""),
        "host_cores": os.environ.get("BENCH_HOST_CORES", ""),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * 4096 // MIB,
        "kernel": platform.release(),
        "qemu": re.search(r"version (\S+)", version)[1],
    }


# --- Tables ---

class Results:
    """The lines that the programs wrote."""

    def __init__(self, lines):
        self.lines = lines

    def of(self, **fields):
        return [line for line in self.lines
                if all(line.get(k) == v for k, v in fields.items())]

    def ways(self, part):
        """[(MiB of memory, way)] that there are results of, smaller ones first."""
        return [(mib, way) for mib in self.sizes(part) for way in WAYS
                if self.of(part=part, memory_mib=mib, way=way)]

    def sizes(self, part):
        return sorted({line["memory_mib"] for line in self.of(part=part)})


def median(lines, name):
    return statistics.median(line[name] for line in lines)


def table(title, head, rows, note=""):
    """Columns as wide as their widest cell; the first is to the left."""
    if not rows:
        return
    cells = [[str(cell) for cell in row] for row in [head] + rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    print("\n" + title)
    for row in cells:
        print("  " + "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
    if note:
        print("  " + note.replace("\n", "\n  "))
    sys.stdout.flush()


def show_limits(results):
    lines = results.of(part="limits")
    if not lines:
        return
    first = lines[0]
    rows = [(text, "%.0f" % median(lines, name)) for text, name in (
        ("copy inside the kernel (%s)" % first["kcopy"], "kcopy_save"),
        ("copy to user memory (%s)" % first["kcopy"], "user_copy_read"),
        ("copy from user memory (%s)" % first["kcopy"], "user_copy_write"),
        ("copy by the client (memcpy)", "memcpy_read"),
        ("crc32c of the kernel (%s, by AF_ALG)" % first["crc32c"],
         "crc32c_kernel"),
        ("crc32c by SSE4.2 in one stream", "crc32c_sse42"))
            if median(lines, name)]
    table("One pass over memory, this machine's limits", ("pass", "MiB/s"), rows)


def best(lines):
    """Speed and limit: of each the round that others disturbed least."""
    return (max(line["mib_s"] for line in lines),
            max(line["limit_mib_s"] for line in lines))


def transfer_cells(lines):
    speed, limit = best(lines)
    share = ""
    if "driver_ms" in lines[0]:
        share = "%.0f %%" % (100 * median(lines, "driver_ms") / median(lines, "ms"))
    return ["%.1f" % speed, "%.1f" % limit, "%.2f" % (speed / limit), share]


def show_transfers(results):
    rows = []
    for mib, way in results.ways("resume"):
        row = ["%d MiB, %s" % (
            results.of(part="save", memory_mib=mib, way=way)[0]["touched_mib"],
            way)]
        for part in ("save", "resume"):
            row += transfer_cells(results.of(part=part, memory_mib=mib, way=way))
        rows.append(row)
    table("Whole devices, stopped: MiB/s of stream",
          ("touched, moved by", "save", "limit", "ratio", "in driver",
           "resume", "limit", "ratio", "in driver"), rows,
          "The best round of each. Limit: what the passes allow that cannot be\n"
          "avoided. Save: crc32c, memory to section (v2: to the file's buffer),\n"
          "client's read. Resume: client's write, section to memory, crc32c. In\n"
          "steps: and a system call that does nothing for each. In driver: the\n"
          "part of the time spent in accesses to the region's header.")


def sample_rows(lines, digits):
    return [("%s, %s, %d MiB" % (line["way"].split()[0], line["what"],
                                 line["touched_mib"]),
             line["samples"]) +
            tuple("%.*f" % (digits, line[name])
                  for name in ("median_us", "p95_us", "max_us"))
            for line in lines]


def show_arcs(results):
    table("Changes of state of an idle device, microseconds",
          ("arc (by v1's states), touched", "samples", "median", "p95", "max"),
          sample_rows(results.of(part="arc") + results.of(part="drained"), 0),
          "drained: after a pre-copy that left nothing. The rest of the stream is\n"
          "what is read after that: blobs, and END with the sum over all chunks.")


def show_info(results):
    table("How much there is to send, as v2 tells it, microseconds",
          ("question, touched", "samples", "median", "p95", "max"),
          sample_rows(results.of(part="info"), 1),
          "Counters: the same with little memory in use as with much.")


def show_faults(results):
    rows = [("%s, %d MiB" % (line["what"], line["memory_mib"]), line["samples"],
             line["pages"], "%.1f" % line["min_ns"], "%.1f" % line["median_ns"],
             "%.1f" % line["max_ns"]) for line in results.of(part="faults")]
    table("A store of a client to a page of the mapped memory, nanoseconds",
          ("when, memory", "passes", "pages", "least", "median", "most"), rows,
          "The first store to a page after it was sent is caught by a fault.")


def show_dirty(results):
    rows = []
    for mib, way in results.ways("dirty"):
        for percent in (0, 1, 10):
            lines = results.of(part="dirty", memory_mib=mib, way=way,
                               percent=percent)
            if not lines:
                continue
            rows.append(("%d MiB, %s, %d %%" % (mib, way, percent),
                         "%.0f" % median(lines, "precopy_bytes"),
                         lines[0]["dirtied_bytes"],
                         lines[0]["aim_bytes"],
                         max(line["stop_bytes"] for line in lines),
                         "%.0f" % median(lines, "stop_set_us"),
                         "%.1f" % (median(lines, "stop_copy_us") / 1000)))
    table("The stop after pre-copy in rounds",
          ("memory, dirtied a round", "pre-copy", "dirtied", "aim", "at the stop",
           "3->2 us", "rest ms"), rows,
          "Bytes. The aim: at the stop at most the records of the chunks that were\n"
          "dirtied since the last round, and 4 KiB.")


def show_usage(results):
    rows = []
    for line in results.of(part="kernel_memory"):
        rows.append(["%s, %d MiB" % (line["session"], line["memory_mib"])] +
                    ["%.2f" % (line[name] / MIB) for name in
                     ("begin", "peak", "end", "after", "bound")])
    table("Kernel memory of a session, MiB more than before it",
          ("session, memory", "begun", "most", "all moved", "after", "bound"), rows,
          "bound: 8 bytes a chunk; for a resume also the memory once, which the\n"
          "device keeps afterwards, and the data section.")


def show_qemu(results):
    rows = []
    protocol = ""
    for mib in results.sizes("qemu"):
        lines = results.of(part="qemu", memory_mib=mib)
        protocol = lines[0]["protocol"]
        figures = ["%.0f" % median(lines, "total_ms"),
                   "%.0f" % median(lines, "downtime_ms"),
                   "%.1f" % (median(lines, "ram_bytes") / MIB),
                   "%.1f" % median(lines, "ram_mib_s")]
        if mib:
            figures += ["%.1f" % (median(lines, "device_precopy_bytes") / MIB),
                        "%.1f" % (median(lines, "device_stop_bytes") / MIB),
                        "%.1f" % median(lines, "device_mib_s")]
        else:
            figures += ["", "", ""]
        figures.append("%.0f" % median(lines, "dirty_syncs"))
        rows.append(["%d MiB" % mib if mib else "none"] + figures)
    table("Migration of a nested guest by QEMU (%s), bandwidth not limited" % protocol,
          ("device", "total ms", "downtime ms", "RAM MiB", "MiB/s",
           "device MiB in pre-copy", "at the stop", "MiB/s", "RAM syncs"), rows,
          "MiB/s: by v1 while each was sent, by v2 while both were, taking turns. Both\n"
          "ends are on this machine.")


def show(document):
    info = document["machine"]
    print("mimic benchmark, %s, %d s" % (document["date"], document["seconds"]))
    print("machine: %s, %d core(s), %s, %d MiB, Linux %s, QEMU %s" % (
        info["cpu"], info["cores"], info["accelerator"], info["memory_mib"],
        info["kernel"], info["qemu"]))
    print("on: %s, %s core(s)" % (info["host_cpu"], info["host_cores"]))
    results = Results(document["results"])
    for part in (show_limits, show_transfers, show_arcs, show_info, show_faults,
                 show_dirty, show_usage, show_qemu):
        part(results)


# --- Program ---

def run(options):
    start = time.monotonic()
    document = {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "machine": machine()}
    vmlib.check_machine()
    vmlib.load_modules(*PARAMETERS)
    with tempfile.NamedTemporaryFile("r", prefix="mimic-bench.") as lines:
        run_all(options.quick, lines.name)
        document["seconds"] = round(time.monotonic() - start)
        document["results"] = [json.loads(line) for line in lines]
    with open(options.output, "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    return document


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-q", "--quick", action="store_true",
                        help="a small device only, once, and no guests")
    parser.add_argument("-o", "--output", default="bench.json", metavar="FILE",
                        help="where the results go (bench.json)")
    parser.add_argument("-s", "--show", metavar="FILE",
                        help="only print the tables of an earlier run")
    options = parser.parse_args()
    if options.show:
        with open(options.show) as file:
            show(json.load(file))
    else:
        show(run(options))


if __name__ == "__main__":
    try:
        main()
    except (vmlib.Failure, OSError, subprocess.CalledProcessError) as failure:
        sys.exit("bench: %s" % failure)
