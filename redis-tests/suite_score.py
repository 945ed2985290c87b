#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Scores a run of Redis's suite: what redis-server passes must pass here, name by name.

Knows only the logs that suite.sh leaves and the format of skip.txt. A name may occur more than once in
a unit, so names are counted, not collected.
"""
import argparse
import collections
import os
import re
import sys

OK = re.compile(r"^\[ok\]: (.*?)(?: \(\d+ ms\))?$")
ERR = re.compile(r"^\[err\]: (.*) in tests/\S+\.tcl$")


def read_skips(path):
    """Returns {unit: [name]}; every line must be a comment or "unit | name | reason"."""
    skips = collections.defaultdict(list)
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            parts = line.split(" | ")
            if len(parts) != 3 or not all(part.strip() for part in parts):
                sys.exit(f"{path}:{number}: not of the form 'unit | test name | reason'")
            skips[parts[0]].append(parts[1])
    return skips


def read_log(path):
    """Returns the passed names with their counts, and {failed name: first line of its message}."""
    passed, errors = collections.Counter(), {}
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            lines = log.read().split("\n")
    except FileNotFoundError:
        return passed, errors, ["there is no log; the unit did not run"]
    notes = []
    for index, line in enumerate(lines):
        if match := OK.match(line):
            passed[match.group(1)] += 1
        elif match := ERR.match(line):
            errors[match.group(1)] = lines[index + 1].strip() if index + 1 < len(lines) else ""
        elif line.startswith(("[exception]", "[TIMEOUT]", "the server did not")):
            notes.append(line.strip()[:300])
    return passed, errors, notes


def score(work, units, skips, excused):
    passed_here = passed_there = skipped = failed = 0
    missing, notes = [], []
    print(f"{'unit':<22}{'passed here':>13}{'by redis-server':>18}{'skipped':>10}")
    for unit in sorted(units):
        name = unit.replace("/", "_")
        reference, _, _ = read_log(os.path.join(work, "reference", name))
        here, errors, unit_notes = read_log(os.path.join(work, "logs", "cairn", name + ".log"))
        lacking = reference - here - collections.Counter(excused[unit])
        print(f"{unit:<22}{sum(here.values()):>13}{sum(reference.values()):>18}{len(skips[unit]):>10}")
        passed_here += sum((reference & here).values())
        passed_there += sum(reference.values())
        skipped += len(skips[unit])
        failed += sum(lacking.values())
        if not reference:
            failed += 1
            notes.append(f"{unit}: redis-server passed nothing; the reference run is broken")
        if here or errors:
            missing += [(unit, test, errors.get(test, "it did not run")) for test in sorted(lacking.elements())]
        else:
            notes.append(f"{unit}: none of its tests ran, see {work}/logs/cairn/{name}.log and .server")
        notes += [f"{unit}: {note}" for note in unit_notes]
    print(f"{'all':<22}{passed_here:>13}{passed_there:>18}{skipped:>10}")
    for unit, test, message in missing:
        print(f"missing: {unit}: {test}\n         {message[:300]}")
    for unit in sorted(units):
        for test in excused[unit]:
            print(f"excused: {unit}: {test}")
    for note in notes:
        print(f"note: {note}")
    print(f"{passed_here} passed, {failed} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skips", metavar="FILE", help="print the names FILE skips in the one unit given")
    parser.add_argument("--work", help="the folder with reference/ and logs/")
    parser.add_argument("--skip-list", metavar="FILE")
    parser.add_argument("--excused", metavar="FILE", help="of the form of skip.txt: may be missing here")
    parser.add_argument("units", nargs="+")
    args = parser.parse_args()
    if args.skips:
        print("\n".join(read_skips(args.skips)[args.units[0]]))
        return 0
    excused = read_skips(args.excused) if args.excused else collections.defaultdict(list)
    return score(args.work, args.units, read_skips(args.skip_list), excused)


if __name__ == "__main__":
    sys.exit(main())
