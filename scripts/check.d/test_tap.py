#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Test of tap.py, in TAP: what scripts/check takes for a failure."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases                                            # noqa: E402
import tap                                              # noqa: E402


def summary(text, status=0, expired=None):
    points = tap.judge(text, status, expired)
    return "".join(p.status[0] for p in points)


CASES = [
    ("two results, both good", "pp", "1..2\nok 1 a\nok 2 b\n"),
    ("plan at the end", "pp", "ok 1 a\nok 2 b\n1..2\n"),
    ("one fails", "pf", "1..2\nok 1 a\nnot ok 2 b\n", 1),
    ("one fails but the exit status hides it", "pff",
     "1..2\nok 1 a\nnot ok 2 b\n", 0),
    ("bad exit status alone", "pf", "1..1\nok 1 a\n", 139),
    ("silence", "f", ""),
    ("no plan", "pf", "ok 1 a\n"),
    ("fewer results than planned", "pf", "1..2\nok 1 a\n"),
    ("more results than planned", "ppf", "1..1\nok 1 a\nok 2 b\n"),
    ("numbers out of order", "ppf", "1..2\nok 2 a\nok 1 b\n"),
    ("skip", "ps", "1..2\nok 1 a\nok 2 b # SKIP no device\n"),
    ("skip of everything by plan", "s", "1..0 # SKIP no device\n", 4),
    ("skip of everything by exit status", "s", "# no device\n", 4),
    ("harness skip has no name", "s",
     "1..1\n#  RUN  global.x ...\nok 1 # SKIP why\n", 0),
    ("a failure is not skipped away", "f", "1..1\nnot ok 1 a # SKIP x\n", 1),
    ("TODO does not excuse", "f", "1..1\nnot ok 1 a # TODO x\n", 1),
    ("bail out", "pf", "1..1\nok 1 a\nBail out! no more\n", 0),
    ("timeout", "pf", "1..2\nok 1 a\n", 0, 30),
    ("nested results count, not their sum", "pp",
     "1..1\n# 1..2\n# ok 1 a\n# ok 2 b\nok 1 both\n"),
    ("nested by spaces", "pf",
     "1..1\n    1..2\n    ok 1 a\n    not ok 2 b\nnot ok 1 both\n", 1),
    ("nested failure that the outer result hides", "pff",
     "1..1\n# 1..2\n# ok 1 a\n# not ok 2 b\nok 1 both\n", 1),
    ("comment that looks like a result", "p", "1..1\n# ok then\nok 1 a\n"),
    ("carriage returns and bytes", "p", "1..1\r\nok 1 a\ufffd\r\n"),
    ("word that begins with ok", "p", "1..1\nokay\nok 1 a\n"),
]

IDS = [
    ("V1-PRE-04 dirty pages", {"V1-PRE-04"}),
    ("global.V1_PRE_04_dirty", {"V1-PRE-04"}),
    ("V1-Q7-T11 replay", {"V1-Q7-T11"}),
    ("V1-YZ-R1", {"V1-YZ-R1"}),
    ("V1-ST-08..10", {"V1-ST-08", "V1-ST-09", "V1-ST-10"}),
    ("VER-01/03 STR_02", {"VER-01", "VER-03", "STR-02"}),
    ("F-12", {"F-12"}),
    ("XF-12 UTF-8 V1-X", set()),
]


def main():
    results = []
    for name, want, text, *rest in CASES:
        results.append((name, want, summary(text, *rest)))
    # names without the ids, which would count as shown by this test
    for number, (name, want) in enumerate(IDS, 1):
        results.append((f"ids of name {number}", want,
                        tap.conformance_ids(name)))
    return cases.report(results)


if __name__ == "__main__":
    sys.exit(main())
