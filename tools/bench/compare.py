#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Results of bench.py from several machines as one table in reStructuredText, a
column for each file. Within a column ratios can be compared; speeds and times
say something of the machine as well."""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
# pylint: disable=wrong-import-position
from bench import MIB, Results, best, median


def machine_rows(document):
    info = document["machine"]
    yield "kernel", info["kernel"]
    yield "QEMU", info["qemu"]
    yield "processor", "%d of %s" % (info["cores"], info["accelerator"])
    yield "date", document["date"][:10]


def transfer_rows(results):
    for mib, way in results.ways("resume"):
        for part in ("save", "resume"):
            speed, limit = best(results.of(part=part, memory_mib=mib, way=way))
            yield ("%s, %d MiB, %s: MiB/s (ratio)" % (part, mib, way),
                   "%.0f (%.2f)" % (speed, speed / limit))


def sample_rows(results):
    for part, name in (("arc", "arc "), ("drained", ""), ("info", "")):
        for line in results.of(part=part):
            yield ("%s%s, %s, %d MiB: us, median (p95)" % (
                name, line["what"], line["way"].split()[0],
                line["touched_mib"]),
                   "%.1f (%.1f)" % (line["median_us"], line["p95_us"]))


def fault_rows(results):
    for line in results.of(part="faults"):
        yield ("store, %s, %d MiB: ns, median" % (line["what"], line["memory_mib"]),
               "%.1f" % line["median_ns"])


def dirty_rows(results):
    for mib, way in results.ways("dirty"):
        for percent in (0, 1, 10):
            lines = results.of(part="dirty", memory_mib=mib, way=way,
                               percent=percent)
            if not lines:
                continue
            sent = max(line["stop_bytes"] for line in lines)
            yield ("sent at the stop, %d MiB, %s, %d %% dirty: bytes (aim)"
                   % (mib, way, percent),
                   "%d (%d)" % (sent, lines[0]["aim_bytes"]))


def memory_rows(results):
    for line in results.of(part="kernel_memory"):
        yield ("kernel memory, %s, %d MiB: MiB, most (bound)" % (
            line["session"], line["memory_mib"]),
               "%.1f (%.1f)" % (line["peak"] / MIB, line["bound"] / MIB))


def qemu_rows(results):
    for mib in results.sizes("qemu"):
        lines = results.of(part="qemu", memory_mib=mib)
        what = "device of %d MiB" % mib if mib else "no device"
        yield "by QEMU, %s: protocol" % what, lines[0]["protocol"] if mib else "-"
        for label, name in (("total ms", "total_ms"),
                            ("downtime ms", "downtime_ms"),
                            ("RAM MiB/s", "ram_mib_s"),
                            ("device MiB/s", "device_mib_s")):
            if name in lines[0]:
                yield ("by QEMU, %s: %s" % (what, label),
                       "%.0f" % median(lines, name))


def column(document):
    """{row: cell}, in order."""
    results = Results(document["results"])
    cells = dict(machine_rows(document))
    for rows in (transfer_rows, sample_rows, fault_rows, dirty_rows, memory_rows,
                 qemu_rows):
        cells.update(rows(results))
    return cells


def simple_table(head, rows):
    """Lines of a simple table; no cell is empty."""
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    rule = "  ".join("=" * width for width in widths)

    def line(row):
        return "  ".join(cell.ljust(width)
                         for cell, width in zip(row, widths)).rstrip()
    return [rule, line(head), rule] + [line(row) for row in rows] + [rule]


def compare(names, documents):
    columns = [column(document) for document in documents]
    labels = list(dict.fromkeys(label for cells in columns for label in cells))
    rows = [[label] + [cells.get(label, "-") for cells in columns]
            for label in labels]
    return simple_table(["figure"] + names, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+", metavar="NAME=FILE",
                        help="a machine's name, and the bench.json from there")
    options = parser.parse_args()
    names, documents = [], []
    for argument in options.results:
        name, found, path = argument.partition("=")
        if not found:
            parser.error("'%s': NAME=FILE is needed" % argument)
        names.append(name)
        with open(path) as file:
            documents.append(json.load(file))
    print("\n".join(compare(names, documents)))


if __name__ == "__main__":
    main()
