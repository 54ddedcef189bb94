#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Test of rules.py, in TAP: a rule without a test is noticed."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases                                            # noqa: E402
import rules                                            # noqa: E402

TEXT = """\
=========  ====
id         rule
=========  ====
V1-ACC-01  One.
V1-ACC-02  Two,
           in two lines.
V1-ST-03..05  Three of them.
V1-YZ-R1..R2  The same.
VER-01     Four.
=========  ====

Not tested
----------

=========  ====
V1-ACC-02  No device
           for it.
=========  ====
"""
GOOD = [("vmig/a", "x.V1_ACC_01_one"), ("vmig/a-none", "x.V1_ACC_01_one"),
        ("vmig/s", "V1_ST_03_V1_ST_04_both"), ("vmig/s", "V1-ST-05 last"),
        ("vmig/y", "V1_YZ_R1_is"), ("vmig/y", "V1_YZ_R2_is"),
        ("mimic/v-n", "VER-01 it")]


def verdict(text, results, have=None):
    points, want = rules.judge(text.splitlines(), results, have)
    if have is None:
        points, want = rules.judge(text.splitlines(), results, want)
    return [name for name, problem in points if problem], want


def main():
    _, want = verdict(TEXT, GOOD)
    points = [
        ("all is well", [], verdict(TEXT, GOOD)[0]),
        ("a rule is not shown", ["every rule is shown or excused"],
         verdict(TEXT, GOOD[:-1])[0]),
        ("one of a range is not shown", ["every rule is shown or excused"],
         verdict(TEXT, GOOD[:3] + GOOD[4:])[0]),
        ("an excused rule is shown", ["what is excused is not shown"],
         verdict(TEXT, GOOD + [("vmig/a", "V1_ACC_02_two")])[0]),
        ("an excuse without a reason", ["every excuse has a reason"],
         verdict(TEXT.replace("V1-ACC-02  No device\n           for it.",
                              "V1-ACC-02"), GOOD)[0]),
        ("a result names no rule", ["what results name is a rule"],
         verdict(TEXT, GOOD + [("vmig/a", "V1_ACC_17_x")])[0]),
        ("of another protocol, too", ["what results name is a rule"],
         verdict(TEXT, GOOD + [("vmig/a", "V2_FD_01_x")])[0]),
        ("the list of faults does not matter", [],
         verdict(TEXT, GOOD + [("vmig/a", "F_01_x")])[0]),
        ("the table is old", ["rules-tests.rst is up to date"],
         verdict(TEXT, GOOD, want + "x")[0]),
        ("types are one test", True, "vmig/a +none\n" in want),
        ("other names are not cut", True, "mimic/v-n\n" in want),
        ("machines are one test", True,
         verdict(TEXT, GOOD + [("vmig/a@trixie", "V1_ACC_01_one")])[1] == want),
        ("a rule that only other machines show has their names", True,
         "vmig/b@backports,trixie +none\n" in verdict(TEXT, GOOD[2:] + [
             (f"vmig/b{kind}@{machine}", "V1_ACC_01_one") for kind in ("", "-none")
             for machine in ("trixie", "backports")])[1]),
        ("a reason goes over lines", True,
         "not tested: No device for it." in want),
    ]
    return cases.report(points)


if __name__ == "__main__":
    sys.exit(main())
