#!/usr/bin/env python3
"""Runs small scripts as people write them: cases_test.py [--as-user] [PROGTC_RUN] GROUP. README.md says what a case is."""

import contextlib
import dataclasses
import glob
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent / "probes"))
import harness  # noqa: E402

PLACES = ("/tmp", "/var/tmp")  # the first is covered by a private file system of the sandbox, the second is not
TIMEOUT = 60
HEADER_LINE = re.compile(r"(?:#|//) ([a-z][a-z ]*):(?: (.*))?$")
NAMES = ("why", "needs", "at", "run", "status", "stdout", "stdout has", "stdout has no", "stderr", "stderr has",
         "stderr has no", "leaves")  # fmt: skip


class CaseError(Exception):
    """The case itself is wrong."""


@dataclasses.dataclass
class Case:
    path: pathlib.Path  # the file or the directory
    said: dict  # directive -> its values, in order

    def all(self, name):
        return self.said.get(name, [])

    def one(self, name, default=None):
        values = self.all(name)
        if len(values) > 1:
            raise CaseError(f"{self.path.name}: '{name}' stands twice")
        return values[0] if values else default


def read_case(path):
    """Errors: CaseError for whatever would let a case pass without having looked."""
    header = path / "CASE" if path.is_dir() else path
    if not header.is_file():
        raise CaseError(f"{path.name}: a directory needs a file CASE with the header")
    said = {}
    lines = header.read_text(encoding="utf-8").splitlines()
    if lines and lines[0].startswith("#!"):
        lines = lines[1:]
    for line in lines:
        if not line.startswith(("#", "//")):
            if path.is_dir():
                raise CaseError(f"{path.name}/CASE: not a directive: {line!r}")
            break
        found = HEADER_LINE.match(line)
        if not found or found[1] not in NAMES:
            raise CaseError(f"{path.name}: not a directive: {line!r} (one of {', '.join(NAMES)})")
        said.setdefault(found[1], []).append(found[2] or "")
    case = Case(path, said)
    check_case(case)
    return case


def check_case(case):
    name = case.path.name
    if case.one("run") is None and case.path.suffix != ".sh":
        raise CaseError(f"{name}: no 'run'")
    if not re.fullmatch(r"\d+", case.one("status", "")):
        raise CaseError(f"{name}: 'status' has to be a number")
    for stream in ("stdout", "stderr"):
        exact, parts = case.all(stream), case.all(f"{stream} has") + case.all(f"{stream} has no")
        if not exact and not case.all(f"{stream} has"):
            raise CaseError(f"{name}: nothing says what {stream} holds: '{stream}: …', '{stream}: nothing' or '{stream} has: …'")
        if exact and parts:
            raise CaseError(f"{name}: '{stream}' says all of it; '{stream} has' beside it says nothing more")
        if len(exact) > 1 and "nothing" in exact:
            raise CaseError(f"{name}: '{stream}: nothing' has a line beside it")
        if any(not part for part in parts):
            raise CaseError(f"{name}: '{stream} has' without a text is always true")
    if any(not path for path in case.all("leaves")):
        raise CaseError(f"{name}: 'leaves' without a path")
    for place in case.one("at", " ".join(PLACES)).split():
        if not place.startswith("/"):
            raise CaseError(f"{name}: 'at' takes absolute directories")
    if case.one("at") == "":
        raise CaseError(f"{name}: 'at' without a directory")


def find_pythons():
    """{"PYTHON312": path} of every interpreter that this user can start."""
    found = {}
    for minor in range(9, 15):
        for path in (f"/usr/bin/python3.{minor}", *sorted(glob.glob(f"/root/.pyenv/versions/3.{minor}.*/bin/python3.{minor}"))):
            if os.access(path, os.X_OK):
                found.setdefault(f"PYTHON3{minor}", path)
    return found


def what_is_missing(need):
    """Why a `needs` is not met here; empty when it is. "module NAME" is a module of /usr/bin/python3."""
    kind, _, name = need.partition(" ")
    if kind == "module" and name:
        tried = subprocess.run([harness.PYTHON, "-c", f"import {name}"], capture_output=True, check=False)
        return "" if tried.returncode == 0 else f"{harness.PYTHON} has no module {name}"
    if kind == "root" and not name:
        return "" if os.geteuid() == 0 else "not root"
    if re.fullmatch(r"PYTHON3\d+", kind) and not name:
        return "" if kind in find_pythons() else f"no {kind} on this machine"
    raise CaseError(f"no such need: {need!r} (module NAME, PYTHON312, root)")


def environment(home):
    pythons = find_pythons()
    folder = str(pathlib.Path(harness.program()).parent)
    kept = ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
    return {
        "PATH": f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": home, **pythons,
        **{name: os.environ[name] for name in kept if name in os.environ},
    }  # fmt: skip


def command_of(case):
    line = case.one("run", "bash FILE")
    return line if case.path.is_dir() else re.sub(r"\bFILE\b", shlex.quote(case.path.name), line)


def copy_to(case, work):
    if case.path.is_dir():
        shutil.copytree(case.path, work, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("CASE"))
    else:
        shutil.copy2(case.path, work)


def execute(command, work, home):
    """Returns (status as a shell says it, stdout, stderr). The whole group is killed at the timeout."""
    process = subprocess.Popen(
        ["/bin/bash", "-c", command], cwd=work, env=environment(home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True, preexec_fn=harness.bound_the_damage,
    )  # fmt: skip
    with process:
        try:
            out, err = process.communicate(timeout=harness.slower(TIMEOUT))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(f"no end within {TIMEOUT} s: {out!r} {err!r}") from None
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return status, out.decode("utf-8", "backslashreplace"), err.decode("utf-8", "backslashreplace")


def faults(case, work, status, streams):
    """What is not as the case says, one line each. `{here}` in a text is the directory of the case."""
    if status != int(case.one("status")):
        yield f"status {status}, expected {case.one('status')}"
    for stream, text in streams.items():
        exact = [line.replace("{here}", str(work)) for line in case.all(stream)]
        if exact and text != ("" if exact == ["nothing"] else "".join(line + "\n" for line in exact)):
            yield f"{stream} is not {exact}"
        for part in case.all(f"{stream} has"):
            if part.replace("{here}", str(work)) not in text:
                yield f"{stream} lacks {part!r}"
        for part in case.all(f"{stream} has no"):
            if part.replace("{here}", str(work)) in text:
                yield f"{stream} has {part!r}"
    for path in case.all("leaves"):
        if not (work / path).is_file():
            yield f"no file {path} was left"


def run_case(case, place, home):
    """Errors: AssertionError with everything that was seen."""
    with tempfile.TemporaryDirectory(prefix="case-", dir=place) as folder:
        work = pathlib.Path(folder, "work")  # without the random name: some cases print it
        work.mkdir()
        os.chmod(folder, 0o755)
        copy_to(case, work)
        command = command_of(case)
        status, out, err = execute(command, work, home)
        found = list(faults(case, work, status, {"stdout": out, "stderr": err}))
    if found:
        raise AssertionError(f"{case.path.name} at {place}: {'; '.join(found)}\n$ {command}\nstatus {status}\n"
                             f"--- stdout\n{out[-3000:]}--- stderr\n{err[-6000:]}")  # fmt: skip


def cases_of(folder):
    """The paths of a group's cases; only files of these kinds and directories are any."""
    found = sorted(path for path in folder.iterdir() if path.is_dir() or path.suffix in (".py", ".sh", ".json"))
    found = [path for path in found if path.name != "__pycache__"]
    if not found:
        raise CaseError(f"{folder} has no case")
    return found


def test_class(folder):
    def setUpClass(cls):
        home = tempfile.TemporaryDirectory(prefix="case-home-")
        cls.addClassCleanup(home.cleanup)
        cls.home = home.name

    def test_of(path):
        def test(self):
            case = read_case(path)
            for need in case.all("needs"):
                if missing := what_is_missing(need):
                    self.skipTest(missing)
            for place in case.one("at", " ".join(PLACES)).split():
                with self.subTest(place):
                    run_case(case, place, self.home)

        return test

    tests = {f"test_{path.name}": test_of(path) for path in cases_of(folder)}
    return type(f"Cases_{folder.name}", (unittest.TestCase,), {"setUpClass": classmethod(setUpClass), **tests})


def main():
    folders = [path for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__"]
    harness.main({folder.name: [test_class(folder)] for folder in sorted(folders)})


if __name__ == "__main__":
    main()
