#!/usr/bin/env python3
"""Runs the examples as a reader would: examples_test.py PROGTC_RUN ROOT. Exit status 77: no sandbox on this machine."""

import os
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PROGTC_RUN, ROOT = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
SETUP_FAILED = 125
SKIPPED = 77


def run(*argv, cwd=None):
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    # Debian's python3 is the one that has Debian's pytest; another may come first on the caller's PATH.
    return subprocess.run(argv, cwd=cwd, env=os.environ | {"PATH": "/usr/bin:/bin"}, text=True, timeout=120, **pipes)


class ExamplesTest(unittest.TestCase):
    def test_demo_goes_as_it_says(self):
        ended = run(ROOT / "examples/demo/run.sh", PROGTC_RUN)
        self.assertEqual(ended.returncode, 0, ended.stdout)
        for words in ("factors: 4294967297: 641 6700417", "size:    4.1G", "network", "memory_limit"):
            self.assertIn(words, ended.stdout)

    def test_ci_project_passes_and_leaves_a_junit_file(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "examples/ci/project", f"{folder}/project")
            command = (PROGTC_RUN, "--policy", "ci", "--rw", ".", "--junit", "../result.xml", "-m", "pytest", "-q")
            ended = run(*command, cwd=f"{folder}/project")
            self.assertEqual(ended.returncode, 0, ended.stdout)
            self.assertIn("5 passed", ended.stdout)
            report = xml.etree.ElementTree.parse(f"{folder}/result.xml")
            self.assertIn("testsuite", {node.tag for node in report.iter()})

    def test_ci_project_fails_when_its_code_is_wrong(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "examples/ci/project", f"{folder}/project")
            code = pathlib.Path(folder, "project/compound.py")
            code.write_text(code.read_text().replace("(1 + rate)", "(1 - rate)"))
            ended = run(PROGTC_RUN, "--policy", "ci", "--rw", ".", "-m", "pytest", "-q", cwd=f"{folder}/project")
            self.assertEqual(ended.returncode, 1, ended.stdout)

    def test_workflow_runs_what_is_tested_here(self):
        workflow = (ROOT / "examples/ci/github-workflow.yml").read_text()
        self.assertIn("run: progtc-run --policy ci --rw . --junit ../result.xml -m pytest -q\n", workflow)


if __name__ == "__main__":
    first = run(PROGTC_RUN, "--policy", "strict", "-c", "pass")
    if first.returncode == SETUP_FAILED and os.environ.get("PROGTC_REQUIRE_SANDBOX") != "1":
        print(f"skipped: no sandbox on this machine: {first.stdout.strip()}")
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1])
