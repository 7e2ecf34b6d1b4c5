#!/usr/bin/env python3
"""A case that says nothing, or something else than what happens, does not pass."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # the source tree stays as it was
import cases_test

GOOD = "# run: cat FILE >/dev/null; echo one; echo two >&2; touch left; exit 3\n"
TOLD = "# status: 3\n# stdout: one\n# stderr: two\n"


class HarnessTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def case(self, text, name="a.py"):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return cases_test.read_case(path)

    def run_text(self, text):
        cases_test.run_case(self.case(text), "/tmp", str(self.folder))

    def test_what_is_as_it_says_passes(self):
        self.run_text(GOOD + TOLD)
        self.run_text(GOOD + "# why: words\n# status: 3\n# stdout has: on\n# stdout has no: two\n# stderr has: tw\n# leaves: left\nx = 1\n")

    def test_what_is_otherwise_fails(self):
        for told in (
            TOLD.replace("3", "0"), TOLD.replace("one", "on"), TOLD.replace("two", "nothing"), TOLD + "# stdout: more\n",
            TOLD + "# leaves: absent\n", "# status: 3\n# stdout has: two\n# stderr: two\n",
            "# status: 3\n# stdout has: one\n# stdout has no: ne\n# stderr: two\n",
        ):  # fmt: skip
            with self.subTest(told), self.assertRaises(AssertionError):
                self.run_text(GOOD + told)

    def test_what_says_nothing_is_an_error(self):
        for text in (
            "", "x = 1\n", GOOD, TOLD, GOOD + "# status: 3\n# stdout: one\n", GOOD + "# status: 3\n# stderr: two\n",
            GOOD + "# stdout: one\n# stderr: two\n", GOOD + TOLD + "# stdout has: o\n", GOOD + TOLD + "# sdtout: one\n",
            GOOD + "# status: 3\n# stdout has no: x\n# stderr: two\n", GOOD + "# status: 3\n# stdout has:\n# stderr: two\n",
            GOOD + GOOD + TOLD, GOOD + TOLD + "# and prose\n", GOOD + TOLD + "# status: 3\n", GOOD + TOLD + "# at: tmp\n",
            GOOD + TOLD + "# at:\n", GOOD + TOLD + "# stdout: nothing\n", GOOD + TOLD + "# leaves:\n",
        ):  # fmt: skip
            with self.subTest(text), self.assertRaises(cases_test.CaseError):
                self.case(text)

    def test_a_directory_has_its_header_in_CASE(self):
        folder = self.folder / "dir"
        folder.mkdir()
        with self.assertRaises(cases_test.CaseError):
            cases_test.read_case(folder)
        (folder / "CASE").write_text("# run: cat word\n# status: 0\n# stdout: w\n# stderr: nothing\n")
        (folder / "word").write_text("w\n")
        cases_test.run_case(cases_test.read_case(folder), "/tmp", str(self.folder))

    def test_needs(self):
        self.assertEqual(cases_test.what_is_missing("module json"), "")
        self.assertNotEqual(cases_test.what_is_missing("module no_such_module_here"), "")
        with self.assertRaises(cases_test.CaseError):
            cases_test.what_is_missing("something")

    def test_a_group_without_cases_is_an_error(self):
        with self.assertRaises(cases_test.CaseError):
            cases_test.cases_of(self.folder)


if __name__ == "__main__":
    unittest.main()
