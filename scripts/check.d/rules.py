# SPDX-License-Identifier: GPL-2.0-only
"""Which rules of migration-rules.rst the results of a whole run have shown.

A rule is what a table of that document has an id for. Those under the heading
"Not tested" are excused, with the reason that stands there. All others have to be
named by a result that passed, and what a result names has to be a rule: so a typing
error in a test's name cannot pass for coverage. The map from rules to tests is kept
in rules-tests.rst, to be read, and has to be what the results say.
"""

import os
import re
import textwrap

import tap

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    "../../Documentation")
RULES = os.path.join(DOCS, "migration-rules.rst")
TABLE = os.path.join(DOCS, "rules-tests.rst")
ROW = re.compile(r"^((?:V1|V2|VER|STR|LIFE|DEV|MIX)-\S+)(?:\s{2,}|$)")
# They name rules, but look at the model that other tests compare with.
ABOUT_TESTS = ("vmig/unit/unit-oracle", "vmig/unit/unit-walker")
HEAD = """\
.. SPDX-License-Identifier: GPL-2.0-only

=================================
Which test shows which rule
=================================

Made from the results of a whole ``make check``, which also says if it is out of
date; the new one is ``build/check/rules-tests.rst`` then. The rules are in
``migration-rules.rst``. ``vmig/access +none`` is vmig/access and the same on a
device of type mimic-probe_none. A test that shows a rule only on some machines, and
not on the main one, has their names.

::

"""


def read_rules(lines):
    """(all rules, {excused rule: reason}) of the document's lines."""
    rules, excused, excusing, last = set(), {}, False, None
    for line in lines:
        if line.startswith("Not tested"):
            excusing = True
        match = ROW.match(line)
        if match:
            ids = tap.conformance_ids(match.group(1).replace("..R", ".."))
            rules |= ids
            last = ids if excusing else None
            if excusing:
                for row in ids:
                    excused[row] = line[match.end():].strip()
        elif last and line.startswith(" "):
            for row in last:
                excused[row] = f"{excused[row]} {line.strip()}".strip()
        else:
            last = None
    return rules, excused


def shown_by(results):
    """{rule: set of tests} of (test, name of a result that passed)."""
    shown = {}
    for test, name in results:
        if test.partition("@")[0] in ABOUT_TESTS:
            continue
        for row in tap.conformance_ids(name):
            shown.setdefault(row, set()).add(test)
    return shown


def order(row):
    """Rules of a section by number."""
    number = re.search(r"\d+$", row).group()
    return tap.section(row), row[:-len(number)], int(number)


def on_machines(tests):
    """Each test once: as it is if the main machine shows it, or with the others."""
    machines = {}
    for test in sorted(tests):
        base, _, machine = test.partition("@")
        machines.setdefault(base, []).append(machine)
    return [(base, "" if "" in where else "@" + ",".join(where))
            for base, where in machines.items()]


def short(tests):
    """Tests, those that differ in the type of device as one."""
    types = {}
    for test, where in on_machines(tests):
        base, dash, kind = test.rpartition("-")
        if dash and base.startswith(("vmig/", "mimic/probe", "mimic/golden")) \
                and kind in ("none", "byte", "odd", "small", "huge"):
            types.setdefault(base + where, []).append("+" + kind)
        else:
            types.setdefault(test + where, [])
    return ", ".join(" ".join([test] + more) for test, more in types.items())


def table(rules, excused, shown):
    text = HEAD
    for row in sorted(rules, key=order):
        tests = short(shown[row]) if row in shown else \
            f"not tested: {excused.get(row, '')}"
        text += textwrap.fill(tests, 80, initial_indent=f"  {row:11} ",
                              subsequent_indent=" " * 14,
                              break_on_hyphens=False) + "\n"
    return text


def judge(lines, results, have):
    """Pairs of a statement and what is wrong with it, "" if it holds, and the
    table as it should be.

    lines: of migration-rules.rst; results: as for shown_by(); have: rules-tests.rst
    """
    rules, excused = read_rules(lines)
    shown = shown_by(results)
    ours = {row for row in shown if ROW.match(row)}
    want = table(rules, excused, shown)

    def some(rows):
        return " ".join(sorted(rows, key=order))
    return [
        ("every rule is shown or excused",
         some(rules - set(excused) - set(shown))),
        ("what is excused is not shown", some(set(excused) & set(shown))),
        ("every excuse has a reason",
         some(row for row, why in excused.items() if not why)),
        ("what results name is a rule", some(ours - rules)),
        ("rules-tests.rst is up to date",
         "" if have == want else "build/check/rules-tests.rst is not it"),
    ], want
