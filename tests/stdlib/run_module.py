"""Runs one module of CPython's own tests, bare or in a sandbox: run_module.py MODULE. The last line of stdout is a JSON
object: the outcome of each test by its id. Nothing else is printed, whatever the tests print."""

import json
import os
import sys
import unittest

MARK = "outcomes of the module: "


class Outcomes(unittest.TestResult):
    """What happened to each test; the worst of its subtests counts."""

    def __init__(self):
        super().__init__()
        self.of = {}
        self.words = {}

    def note(self, test, outcome, words=""):
        test = getattr(test, "test_case", test)
        self.of[test.id()] = outcome
        self.words.setdefault(test.id(), words)

    def addSuccess(self, test):
        if test.id() not in self.of:
            self.note(test, "ok")

    def addError(self, test, err):
        self.note(test, "error", f"{err[0].__name__}: {err[1]}")

    def addFailure(self, test, err):
        self.note(test, "fail", f"{err[0].__name__}: {err[1]}")

    def addSkip(self, test, reason):
        self.note(test, "skip", reason)

    def addExpectedFailure(self, test, err):
        self.note(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        self.note(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(test, "fail" if issubclass(err[0], test.failureException) else "error", f"{err[0].__name__}: {err[1]}")


def main():
    real = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    outcomes = Outcomes()
    try:
        from test import support

        support.use_resources = {}  # none: no network, no large files, no minutes of processor time
        suite = unittest.defaultTestLoader.loadTestsFromName(sys.argv[1])
        suite.run(outcomes)
    except unittest.SkipTest as skip:
        outcomes.of["the whole module"], outcomes.words["the whole module"] = "skip", str(skip)
    answer = {name: [outcome, outcomes.words.get(name, "")[:200]] for name, outcome in outcomes.of.items()}
    data = (MARK + json.dumps(answer) + "\n").encode()
    while data:
        data = data[os.write(real, data) :]
    os._exit(0)  # threads that a test has left behind are not waited for


if __name__ == "__main__":
    main()
