# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of the modules here end with: cases, told in TAP."""


def report(cases):
    """Print (name, expected, got) of each, one result a case; the exit status."""
    print(f"TAP version 13\n1..{len(cases)}")
    bad = 0
    for number, (name, expected, got) in enumerate(cases, 1):
        good = expected == got
        if not good:
            bad += 1
            print(f"# {got}, not {expected}")
        print(f"{'ok' if good else 'not ok'} {number} {name}")
    return 1 if bad else 0
