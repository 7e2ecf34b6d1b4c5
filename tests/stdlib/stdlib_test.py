#!/usr/bin/env python3
"""Holds what `strict` allows against CPython's own tests: each module of modules.txt runs bare and in the sandbox, and every
test in it has to end alike, but for what differences.txt expects.

    stdlib_test.py PROGTC_RUN [--jobs N] [MODULE …]

A list of allowed calls that rots, or an interpreter that needs a new one, fails here by the name of a test. The tests are
those of Debian's libpython3.11-testsuite; without them, or without a sandbox, this is skipped.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent / "probes"))
import harness  # noqa: E402
from harness import PYTHON, SKIPPED, Lab  # noqa: E402

RUNNER = HERE / "run_module.py"
MARK = "outcomes of the module: "
# As policies/strict.json sets it, so that nothing differs but the sandbox.
ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC"}
# The calls are what is compared, so only quantities are given more room.
LIMITS = {"wall": "100s", "cpu": "100s", "memory": "2GiB", "processes": 256, "file_size": "8GiB"}
SECONDS = 120


def read_lines(name):
    for line in (HERE / name).read_text().splitlines():
        line = line.split("#", 1)[0].strip()
        if line:
            yield line


def outcomes_of(out, why):
    """{id: [outcome, words]} of the marked line; one made-up test where there is none. In the sandbox, what the tests
    left in the buffer of sys.stdout comes behind that line; a bare interpreter drops it in os._exit."""
    for line in out.decode(errors="replace").splitlines():
        if line.startswith(MARK):
            return json.loads(line[len(MARK) :])
    return {"the whole module": ["no outcome", why]}


def run_bare(module):
    with tempfile.TemporaryDirectory(prefix="probe-stdlib-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o777)
        command = [PYTHON, "-s", "-S", "-B", "-", f"test.{module}"]
        if os.geteuid() == 0:  # some tests are skipped or differ for root, who is nobody in a sandbox
            ids = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]  # somebody whom /etc/passwd knows
            command = ["setpriv", *ids, *command]
        environment = {**ENVIRONMENT, "HOME": folder, "TMPDIR": folder}
        try:
            with open(RUNNER, "rb") as script:
                ended = subprocess.run(command, stdin=script, capture_output=True, env=environment, cwd=folder, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return {"the whole module": ["no outcome", "too slow"]}
    return outcomes_of(ended.stdout, f"status {ended.returncode}: {ended.stderr[-500:]!r}")


def run_in_sandbox(module):
    lab = Lab()
    try:
        ended = lab.run(RUNNER, f"test.{module}", policy=lab.policy("strict", limits=LIMITS), timeout=SECONDS)
        return outcomes_of(ended.out, str(ended)[-1500:])
    except AssertionError as error:
        return {"the whole module": ["no outcome", str(error)[-1500:]]}
    finally:
        lab.close()


def compare(module):
    """[(id, bare, in the sandbox)] of the tests that differ, and how many there were."""
    bare, boxed = run_bare(module), run_in_sandbox(module)
    absent = ["absent", ""]
    names = bare.keys() | boxed.keys()
    pairs = [(name, bare.get(name, absent), boxed.get(name, absent)) for name in sorted(names)]
    return [(f"{module}: {name}" if " " in name else name, *pair) for name, *pair in pairs if pair[0][0] != pair[1][0]], len(names)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("modules", nargs="*")
    arguments = parser.parse_args()
    harness._program = arguments.program
    found = subprocess.run([PYTHON, "-I", "-S", "-c", "import sys, test.test_json; print(sys.version_info[:2])"], capture_output=True)
    if found.returncode != 0 or b"(3, 11)" not in found.stdout or (os.geteuid() == 0 and not shutil.which("setpriv")):
        print("skipped: the tests of CPython 3.11 are not installed (libpython3.11-testsuite)")
        sys.exit(SKIPPED)
    if words := harness.why_no_sandbox():
        print(f"no sandbox on this machine: {words}")
        sys.exit(1 if os.environ.get("PROGTC_REQUIRE_SANDBOX") == "1" else SKIPPED)
    modules = arguments.modules or list(read_lines("modules.txt"))
    expected = list(read_lines("differences.txt"))
    used, faults, total = set(), [], 0
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for differences, count in pool.map(compare, modules):
            total += count
            for name, bare, boxed in differences:
                matching = [pattern for pattern in expected if fnmatch.fnmatchcase(name, pattern)]
                used.update(matching)
                if not matching:
                    faults.append(f"{name}: {bare[0]} bare, {boxed[0]} in the sandbox: {boxed[1] or bare[1]}")
    if not arguments.modules:
        faults += [f"differences.txt: nothing differs any more for {pattern}" for pattern in expected if pattern not in used]
    for fault in faults:
        print(fault)
    print(f"{len(modules)} modules, {total} tests, {len(faults)} faults, {time.monotonic() - began:.0f} s")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
