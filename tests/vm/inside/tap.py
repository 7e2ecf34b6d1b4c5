"""Runs unittest cases and tells of each as a line of TAP (testanything.org), the moment it ends."""

import time
import traceback
import unittest


class TapResult(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out = out
        self.number = 0

    def say(self, line):
        self.out.write(line + "\n")
        self.out.flush()

    def line(self, verdict, test, remark=""):
        self.number += 1
        taken = time.monotonic() - self.started
        cls, _, name = test.id().rpartition(".")
        self.say(f"{verdict} {self.number} - {cls.rpartition('.')[2]}.{name}{remark or f' # {taken:.1f} s'}")

    def diagnose(self, failure):
        for line in "".join(traceback.format_exception(*failure)).splitlines():
            self.say(f"#   {line}")

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()
        self.has_failed = False

    def addSuccess(self, test):
        self.line("ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("ok", test, f" # SKIP {reason}")

    def addError(self, test, err):
        if getattr(self, "failed", None) is test:  # its tearDown fails too: one line a test
            self.diagnose(err)
            return
        self.failed = test
        if not isinstance(test, unittest.TestCase):  # setUpClass and the like: none of the class's tests runs
            self.started = time.monotonic()
        self.errors.append((test, ""))
        self.line("not ok", test)
        self.diagnose(err)

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err is not None and not self.has_failed:
            self.has_failed = True
            self.addError(test, err)


def run(tests, out):
    suite = unittest.TestSuite(tests)
    out.write(f"1..{suite.countTestCases()}\n")
    suite.run(TapResult(out))
