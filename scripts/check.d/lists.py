# SPDX-License-Identifier: GPL-2.0-only
"""The tests that there are, and which of them somebody means.

Each tests.list below tools/testing/selftests has a line per test

    NAME|WHERE|TIMEOUT|COMMAND

WHERE may name the machines on which the test runs, as "vm@bookworm,trixie"; without
"@" it is the first one, MAIN. On any other the test is called GROUP/NAME@MACHINE, and
is a test of its own.
"""

import fnmatch
import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MACHINES = os.path.join(TOP, "scripts/lab.d/machines")
MAIN = "bookworm"
NO_MACHINE = ("host-early",)    # needs nothing that is built for one
WHERE = ("host", "vm", "vm-single", "vm-poison", "vm-own", "vm-nested") + NO_MACHINE


class Error(Exception):
    """A list, or a name, that means nothing; says which and why."""


class Test:
    """One line of a tests.list on one machine, and what came of it."""

    def __init__(self, group, name, where, timeout, command, machine=None,
                 elsewhere=False):
        self.group, self.name, self.where = group, name, where
        self.timeout, self.command = timeout, command
        self.machine = machine          # None: it needs none
        self.elsewhere = elsewhere      # runs on another machine, too
        self.points, self.seconds = [], 0.0

    @property
    def base(self):
        return f"{self.group}/{self.name}" if self.group else self.name

    @property
    def full(self):
        if self.machine in (None, MAIN):
            return self.base
        return f"{self.base}@{self.machine}"

    @property
    def exact(self):
        """A name that means this test and no other."""
        return f"{self.base}@{self.machine}" if self.elsewhere else self.full


def known_machines():
    with open(MACHINES, encoding="utf-8") as lines:
        return [line.split("|")[0] for line in lines
                if "|" in line and not line.startswith("#")]


def read_line(line, group, known, only=None, make=Test):
    """The tests of a line. only: a machine to run it on, whatever it says; make:
    their class."""
    fields = line.split("|", 3)
    if len(fields) != 4 or not fields[2].isdigit():
        raise Error(f"not NAME|WHERE|TIMEOUT|COMMAND: {line}")
    name, where, timeout, command = fields
    where, at, machines = where.partition("@")
    if where not in WHERE or "@" in name:
        raise Error(f"not NAME|WHERE|TIMEOUT|COMMAND: {line}")
    machines = machines.split(",") if at else [MAIN]
    for machine in machines:
        if machine not in known:
            raise Error(f"no machine '{machine}': {line}")
    if where in NO_MACHINE:
        if at:
            raise Error(f"{where} has no machine: {line}")
        machines = [None]
    elif only:
        machines = [only]
    return [make(group, name, where, int(timeout), command, machine,
                 len(machines) > 1) for machine in machines]


def read_list(path, group, known, only=None, make=Test):
    tests = []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            try:
                tests += read_line(line, group, known, only, make)
            except Error as error:
                raise Error(f"{path}:{number}: {error}") from None
    return tests


def machines_of(tests):
    """The machines that tests need, the main one first."""
    names = {t.machine for t in tests if t.machine}
    return sorted(names, key=lambda name: (name != MAIN, name))


def is_meant(test, pattern):
    """Is it group/name, group, name or a glob of these, with or without @MACHINE?"""
    name, at, machine = pattern.partition("@")
    if at and not (test.machine and fnmatch.fnmatch(test.machine, machine)):
        return False
    return not name or name in (test.base, test.name) or \
        fnmatch.fnmatch(test.base, name) or \
        (test.group + "/").startswith(name.rstrip("/") + "/")


def select(tests, patterns):
    """The tests that somebody names, in their own order."""
    if not patterns:
        return tests
    chosen = []
    for pattern in patterns:
        found = [t for t in tests if is_meant(t, pattern)]
        if not found:
            raise Error(f"no test '{pattern}'; scripts/check -l lists them")
        chosen += found
    return [t for t in tests if t in chosen]
