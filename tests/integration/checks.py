# SPDX-License-Identifier: BSD-3-Clause
"""Counts what holds, and prints what does not, in the words that tests/run.sh adds up."""


class Checks:
    def __init__(self):
        self.passed = self.failed = 0
        self.case = ""  # named before what failed

    def check(self, good, what, seen=""):
        if good:
            self.passed += 1
            return
        self.failed += 1
        print(f"not ok {self.case}{': ' if self.case else ''}{what}{': ' if str(seen) else ''}{str(seen)[:600]}", flush=True)

    def end(self):
        """The last line, and the exit status."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0
