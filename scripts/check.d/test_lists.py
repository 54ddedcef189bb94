#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Test of lists.py, in TAP: what a line of a tests.list means, and a name."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases                                            # noqa: E402
import lists                                            # noqa: E402

KNOWN = ["bookworm", "trixie", "backports"]
LINES = [("", "build|host|9|x"), ("vmig", "states|vm@bookworm,trixie|9|x"),
         ("vmig", "states-none|vm|9|x"), ("vmig", "fd|vm-own@trixie|9|x"),
         ("vmig/unit", "unit|host-early|9|x"), ("mimic", "states|vm|9|x")]


def read(only=None):
    return [test for group, line in LINES
            for test in lists.read_line(line, group, KNOWN, only)]


def refused(line):
    try:
        lists.read_line(line, "vmig", KNOWN)
    except lists.Error:
        return True
    return False


def named(*patterns):
    try:
        return [test.full for test in lists.select(read(), patterns)]
    except lists.Error:
        return None


def main():
    ALL = ["build", "vmig/states", "vmig/states@trixie", "vmig/states-none",
           "vmig/fd@trixie", "vmig/unit/unit", "mimic/states"]
    points = [
        ("a line makes a test per machine", ALL, [t.full for t in read()]),
        ("exact names are exact", [[name] for name in ALL],
         [named(t.exact) if t.exact != "build" else ["build"] for t in read()]),
        ("main machine unless another is named", ["bookworm", "trixie"],
         lists.machines_of(read())),
        ("a machine that is asked for has everything",
         ["build@backports", "vmig/states@backports", "vmig/states-none@backports",
          "vmig/fd@backports", "vmig/unit/unit", "mimic/states@backports"],
         [t.full for t in read("backports")]),
        ("no machine of that name", True, refused("a|vm@buster|9|x")),
        ("what needs no machine has none", True, refused("a|host-early@trixie|9|x")),
        ("no such place", True, refused("a|here@trixie|9|x")),
        ("a time without digits", True, refused("a|vm|soon|x")),
        ("a test on all its machines", ALL[1:3], named("vmig/states")),
        ("on the main one", ALL[1:2], named("vmig/states@bookworm")),
        ("on another", ALL[2:3], named("vmig/states@trixie")),
        ("by its own name", ALL[1:3] + ALL[6:], named("states")),
        ("a directory, with those below", ALL[1:6], named("vmig")),
        ("a directory on a machine", [ALL[2], ALL[4]], named("vmig@trixie")),
        ("a glob", [ALL[1], ALL[2], ALL[3]], named("vmig/st*")),
        ("a glob on a glob of machines", ALL[2:3], named("vmig/st*@t*")),
        ("all of a machine", [ALL[2], ALL[4]], named("@trixie")),
        ("several, each once, in their order", ALL[1:4],
         named("states-none", "vmig/states", "states-none")),
        ("none", None, named("@backports")),
        ("all without a name", ALL, named()),
    ]
    return cases.report(points)


if __name__ == "__main__":
    sys.exit(main())
