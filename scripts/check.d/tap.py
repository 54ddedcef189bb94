# SPDX-License-Identifier: GPL-2.0-only
"""Read what a test prints (TAP, as the kernel's selftests write it) and decide
what it means.

Invariants: a test never passes by being silent. A missing plan, a plan that
does not match, an exit status that contradicts the results and a "Bail out!"
each add a failure of their own. A result line whose nested results are there
too (a test that runs another and indents its TAP by "# " or four spaces) is
replaced by those, and must agree with them.
"""

import re

PASS, FAIL, SKIP = "pass", "fail", "skip"
EXIT_SKIP = 4               # KSFT_SKIP

INDENT = re.compile(r"(?:# |    )*")
POINT = re.compile(r"(not ok|ok)\b[ \t]*(\d+)?[ \t]*(?:- )?(.*)$")
PLAN = re.compile(r"1\.\.(\d+)(?:[ \t]+#[ \t]*SKIP\b[ \t]*(.*))?[ \t]*$")
DIRECTIVE = re.compile(r"(?:^|[ \t]+)#[ \t]*(SKIP|XFAIL|TODO)\b[ \t]*(.*)$", re.I)
RUN = re.compile(r"#  RUN +(\S+) \.\.\.$")

ID = re.compile(
    r"(?<![A-Za-z0-9])"
    r"(V[12][-_][A-Z]+[0-9]*[-_][A-Z]?|(?:VER|STR|LIFE|DEV|MIX|F)[-_])"
    r"(\d+)(?!\d)(?:(?:\.\.|_to_)(\d+))?((?:[/+]\d+)*)")


class Point:
    """One result of a test: a name, PASS, FAIL or SKIP, and a reason."""

    def __init__(self, name, status, why=""):
        self.name, self.status, self.why = name, status, why

    def __repr__(self):
        return f"{self.status} {self.name} [{self.why}]"


class Level:
    """The results at one depth of nesting, as far as they are read."""

    def __init__(self):
        self.plan = None
        self.skip_all = None
        self.seen = 0
        self.disorder = False
        self.points = []
        self.problems = []

    def complete(self):
        """Problems with the plan, now that no more lines come."""
        if self.plan is None:
            return self.problems + ["no plan (1..N): did it end early?"]
        if self.plan != self.seen:
            return self.problems + [
                f"planned {self.plan} results, printed {self.seen}"]
        return self.problems


def point_of(match, number, running):
    """The Point of a result line; running: the name the harness gave last."""
    status = PASS if match.group(1) == "ok" else FAIL
    name, why = match.group(3).strip(), ""
    directive = DIRECTIVE.search(name)
    if directive:
        kind, why = directive.group(1).upper(), directive.group(2)
        name = name[:directive.start()].strip()
        if kind == "SKIP" and status == PASS:
            status = SKIP
    return Point(name or running or f"test {number}", status, why)


def parse(text):
    """Read TAP; returns (points, problems)."""
    levels = {0: Level()}
    running = None

    def close_below(depth):
        """Take in what is nested deeper than depth: its points, problems."""
        points, problems = [], []
        for deeper in sorted(d for d in levels if d > depth):
            level = levels.pop(deeper)
            if level.plan is None:      # comments that look like results
                continue
            points += level.points
            problems += level.complete()
        return points, problems

    for line in text.splitlines():
        line = line.rstrip("\r")
        run = RUN.match(line)
        if run:
            running = run.group(1)
            continue
        indent = INDENT.match(line).group(0)
        depth = indent.count("# ") + indent.count("    ")
        body = line[len(indent):]
        if body.startswith("Bail out!") and depth == 0:
            levels[0].problems.append(body)
            continue
        plan, point = PLAN.match(body), POINT.match(body)
        if not plan and not point:
            continue
        level = levels.setdefault(depth, Level())
        if plan:
            if level.plan is not None and depth == 0:
                level.problems.append("two plans")
            level.plan = int(plan.group(1))
            level.skip_all = plan.group(2)
            continue
        level.seen += 1
        outer = point_of(point, level.seen, running)
        running = None
        number = point.group(2)
        if number and int(number) != level.seen and not level.disorder:
            level.disorder = True
            level.problems.append(
                f"result {number} where {level.seen} was due")
        points, problems = close_below(depth)
        if not points:
            level.points.append(outer)
        else:
            level.points += points
            failed = any(p.status == FAIL for p in points)
            if failed != (outer.status == FAIL):
                level.points.append(Point(
                    outer.name, FAIL, "disagrees with its nested results"))
        level.problems += problems

    points, problems = close_below(0)
    top = levels[0]
    if points and not top.points and top.plan is None:
        return points, problems
    if top.plan == 0 and top.skip_all is not None and not top.points:
        return [Point("all of it", SKIP, top.skip_all)], top.problems
    return top.points, top.complete() + problems


def judge(text, status, expired=None):
    """All points of a test that printed text and ended with that exit status.

    expired: seconds after which it was stopped, or None.
    """
    points, problems = parse(text)
    failed = any(p.status == FAIL for p in points)
    if expired is not None:
        problems = [f"stopped after {expired} s"]
    elif status == EXIT_SKIP and not points:
        last = [l for l in text.splitlines() if l.strip()][-1:] or [""]
        return [Point("all of it", SKIP, last[0].lstrip("# "))]
    elif status == EXIT_SKIP and not failed and \
            any(p.status == SKIP for p in points):
        pass
    elif status != 0 and not failed:
        problems.append(f"exit status {status}, but no result says 'not ok'")
    elif status == 0 and failed:
        problems.append("a result says 'not ok', but the exit status is 0")
    if not points and not problems:
        problems.append("no results")
    return points + [Point("the run itself", FAIL, p) for p in problems]


def conformance_ids(name):
    """The rows of the conformance list that a name claims to show."""
    ids = set()
    for match in ID.finditer(name):
        prefix, first, last, more = match.groups()
        prefix, width = prefix.replace("_", "-"), len(first)
        numbers = range(int(first), int(last or first) + 1)
        for number in list(numbers) + re.findall(r"\d+", more):
            ids.add(f"{prefix}{int(number):0{width}d}")
    return ids


def section(row):
    """The section of the list that a row belongs to: V1-PRE, STR ..."""
    return row.rsplit("-", 1)[0]
