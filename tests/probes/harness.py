"""Runs progtc-run for the tests that drive it from outside, and reads what it reports.

Environment: PROGTC_RUN, the program (or the first argument of a test); PROGTC_REQUIRE_SANDBOX=1, a machine without
sandboxes is a failure and not a skip; PROGTC_TWINS_ONLY=1, only what runs outside a sandbox.
"""

import contextlib
import ctypes
import functools
import json
import os
import pathlib
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).absolute().parent
PYTHON = "/usr/bin/python3"  # what the sandbox runs: the system's, whatever runs the tests
SETUP_FAILED = 125
SKIPPED = 77
UNPRIVILEGED = 54321  # a user id that nobody has
# What the host would have to lose. No name or value of it may ever be seen inside.
SECRET_NAME, SECRET_VALUE = "PROGTC_PROBE_SECRET", "hunter2-5f1c"

_program = os.environ.get("PROGTC_RUN", "")


def program():
    """The absolute path of progtc-run; /bin/false where none was named and only twins are run."""
    return str(pathlib.Path(_program or "/bin/false").absolute())


@functools.lru_cache
def is_sanitized():
    """Whether the program reserves address space by the terabyte, as AddressSanitizer and ThreadSanitizer do."""
    data = pathlib.Path(program()).read_bytes()
    return b"__asan_init" in data or b"__tsan_init" in data


def slower(seconds):
    return seconds * 5 if is_sanitized() else seconds


class Report:
    """The --report file. The only place that knows its keys."""

    def __init__(self, text):
        self.json = json.loads(text)

    def __getattr__(self, name):  # run_id, kind, exit_code, signal, cause, value, timing, policy, degraded, notes
        with contextlib.suppress(KeyError):
            return self.json[name]
        raise AttributeError(f"the report has no '{name}': {json.dumps(self.json)[:2000]}")

    @property
    def out(self):
        return self.json["stdout"]["text"]

    @property
    def out_total(self):
        return self.json["stdout"]["total"]

    @property
    def is_out_truncated(self):
        return self.json["stdout"]["truncated"]

    @property
    def err(self):
        return self.json["stderr"]["text"]

    @property
    def error_type(self):
        return (self.json.get("error") or {}).get("type", "")

    @property
    def denials(self):
        """[{"call", "rule", "fix", "count"}]"""
        return self.json.get("denials", [])

    def denials_of(self, call):
        return [denial for denial in self.denials if denial["call"].split("(")[0] == call]

    @property
    def files(self):
        """{path: size} of what was collected."""
        return {item["path"]: item["size"] for item in self.json.get("files", [])}

    def usage(self, name):
        return self.json["usage"][name]

    def enforced_by(self, control):
        return self.json.get("enforced_by", {}).get(control, "")

    @property
    def policy_name(self):
        return self.json["policy"]["name"]

    @property
    def policy_digest(self):
        return self.json["policy"]["digest"]


class Ended:
    """How one command ended: `status` is as a shell says it, 128+N for a signal."""

    def __init__(self, argv, status, out, err, report=None):
        self.argv, self.out, self.err, self.report = argv, out, err, report
        self.status = status if status >= 0 else 128 - status

    @property
    def text(self):
        return self.out.decode("utf-8", "backslashreplace")

    @property
    def words(self):
        """What the program itself said, for the person at the terminal."""
        return self.err.decode("utf-8", "backslashreplace")

    def __str__(self):
        text = f"{' '.join(map(str, self.argv))}\nstatus {self.status}\nstdout {self.out[-2000:]!r}\nstderr {self.err[-4000:]!r}"
        return text + (f"\nreport {json.dumps(self.report.json)[:4000]}" if self.report else "")


def bound_the_damage():
    """In the child before it executes: what holds if the sandbox should not."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
    if not is_sanitized():
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


class Lab:
    """A directory of its own for one test: scripts, policies, reports, and the environment of the commands it starts."""

    def __init__(self):
        # Readable for everyone: the sandbox's user is not the caller's.
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="probe-lab-"))
        self.path.chmod(0o755)
        (self.path / "tmp").mkdir()
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": os.path.expanduser("~"),
            "TMPDIR": str(self.path / "tmp"),
            SECRET_NAME: SECRET_VALUE,
        }
        for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        self._count = 0

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name, content, mode=0o644):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def policy(self, extends="strict", **sections):
        """A policy file; every section gets a reason, as relaxations need one."""
        self._count += 1
        layers = {key: {**value, "reason": "a test"} for key, value in sections.items()}
        return self.write(f"policy-{self._count}.json", json.dumps({"extends": extends, **layers}))

    def command(self, *arguments, policy="strict", report=None):
        command = [program(), "--policy", str(policy)]
        if "--python" not in arguments:
            command += ["--python", PYTHON]
        if report:
            command += ["--report", str(report)]
        return command + [str(argument) for argument in arguments]

    def run(self, *arguments, policy="strict", stdin=b"", timeout=60, pass_fds=(), has_report=True, cwd=None):
        """progtc-run with these arguments, to its end."""
        self._count += 1
        report = self.path / f"report-{self._count}.json" if has_report else None
        command = self.command(*arguments, policy=policy, report=report)
        ended = self.execute(command, stdin=stdin, timeout=timeout, pass_fds=pass_fds, cwd=cwd)
        if report and report.exists():
            with contextlib.suppress(ValueError):
                ended.report = Report(report.read_text(encoding="utf-8", errors="surrogateescape"))
        return ended

    def execute(self, command, stdin=b"", timeout=60, pass_fds=(), cwd=None):
        """Any command, with the lab's environment; its whole group is killed at the timeout."""
        with self.start(command, stdin=subprocess.PIPE, pass_fds=pass_fds, cwd=cwd) as process:
            try:
                out, err = process.communicate(stdin, timeout=slower(timeout))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                raise AssertionError(f"no end within {timeout} s: {Ended(command, process.returncode, out, err)}") from None
        return Ended(command, process.returncode, out, err)

    def start(self, command, stdin=subprocess.DEVNULL, pass_fds=(), cwd=None):
        return subprocess.Popen(
            [str(word) for word in command], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment,
            cwd=cwd or self.path, pass_fds=pass_fds, start_new_session=True, preexec_fn=bound_the_damage,
        )  # fmt: skip


class SandboxTest(unittest.TestCase):
    """Gives each test a Lab."""

    def setUp(self):
        if os.environ.get("PROGTC_TWINS_ONLY") == "1":
            self.skipTest("only twins are run")
        self.lab = Lab()
        self.addCleanup(self.lab.close)

    def run_code(self, code, *arguments, options=(), **how):
        """The code as a script file, with these arguments."""
        script = self.lab.write("script.py", code)
        return self.lab.run(*options, script, *arguments, **how)

    def assert_status(self, ended, status):
        self.assertEqual(ended.status, status, str(ended))

    def assert_kind(self, ended, kind):
        self.assertIsNotNone(ended.report, f"no report: {ended}")
        self.assertEqual(ended.report.kind, kind, str(ended))


def adopt_orphans():
    """Makes every process whose parent dies a child of this one, so that what a run leaves behind is found."""
    PR_SET_CHILD_SUBREAPER = 36
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_CHILD_SUBREAPER)")


def children(parent=None):
    """The live and dead children of a process (its own without an argument): {pid: command}."""
    parent = parent or os.getpid()
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            stat = pathlib.Path("/proc", entry, "stat").read_text(errors="replace")
            name, rest = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
            if int(rest[1]) == parent:
                found[int(entry)] = name
    return found


def read_line(process, seconds=30):
    """The next line of a command's output. Errors: AssertionError when none comes in time."""
    if not select.select([process.stdout], [], [], slower(seconds))[0]:
        raise AssertionError(f"no output within {seconds} s")
    return process.stdout.readline()


def open_to_everyone(path):
    """Whether any user can reach and read the path."""
    path = pathlib.Path(path).absolute()
    return all(part.stat().st_mode & 0o1 for part in [*path.parents, path])


def become_unprivileged(argv):
    """Runs this test again as a user of no importance, and ends with its status. The programs are copied if they lie
    where that user cannot reach them."""
    if not shutil.which("setpriv"):
        print("skipped: no setpriv to become an ordinary user with")
        sys.exit(SKIPPED)
    environment = {**os.environ, "HOME": "/nonexistent", "PROGTC_RUN": program()}
    with tempfile.TemporaryDirectory(prefix="probe-user-") as copy:
        os.chmod(copy, 0o755)
        tests, binary = HERE.parent, pathlib.Path(program())
        if not open_to_everyone(binary):
            os.mkdir(f"{copy}/bin")
            environment["PROGTC_RUN"] = shutil.copy2(binary, f"{copy}/bin")
            if (binary.parent / "progtc").is_file():
                shutil.copy2(binary.parent / "progtc", f"{copy}/bin")
            for beside in ("guest", "lib/progtc/guest"):  # the program finds its other half from where it lies
                if (binary.parent.parent / beside).is_dir():
                    shutil.copytree(binary.parent.parent / beside, f"{copy}/{beside}")
        if not open_to_everyone(tests):
            shutil.copytree(tests, f"{copy}/tests")
            tests = pathlib.Path(copy, "tests")
        script = tests / pathlib.Path(sys.argv[0]).absolute().relative_to(HERE.parent)
        ids = ["--reuid", str(UNPRIVILEGED), "--regid", str(UNPRIVILEGED), "--clear-groups"]
        command = ["setpriv", *ids, sys.executable, "-B", str(script), *argv]
        sys.exit(subprocess.run(command, env=environment, cwd="/", check=False).returncode)


def why_no_sandbox():
    """The words of progtc-run when this machine cannot make a sandbox; empty when it can."""
    lab = Lab()
    try:
        ended = lab.run("-c", "pass", has_report=False)
    finally:
        lab.close()
    return ended.words.strip() or "status 125" if ended.status == SETUP_FAILED else ""


def use_program(path):
    """Names progtc-run, where neither the environment nor the first argument does."""
    global _program
    _program = str(path)


def main(groups):
    """Runs the TestCase classes of one group: argv is [--as-user] [PROGTC_RUN] GROUP. Skips, saying so, where no sandbox
    can be made."""
    global _program
    arguments = sys.argv[1:]
    is_as_user = "--as-user" in arguments
    if is_as_user:
        arguments.remove("--as-user")
    if len(arguments) == 2:
        _program = arguments.pop(0)
    if len(arguments) != 1 or arguments[0] not in groups:
        sys.exit(f"usage: {sys.argv[0]} [--as-user] [PROGTC_RUN] {'|'.join(groups)}")
    if is_as_user and os.geteuid() == 0:
        become_unprivileged(arguments)
    if os.environ.get("PROGTC_TWINS_ONLY") != "1":
        if not _program:
            sys.exit("PROGTC_RUN names no program")
        need_sandbox()
    run_cases(groups[arguments[0]])


def need_sandbox():
    """Ends the test as skipped, or as failed where that is asked for, on a machine that cannot make a sandbox."""
    if words := why_no_sandbox():
        if os.environ.get("PROGTC_REQUIRE_SANDBOX") == "1":
            sys.exit(f"no sandbox on this machine: {words}")
        print(f"skipped: no sandbox on this machine: {words}")
        sys.exit(SKIPPED)


def run_cases(cases, is_wanted=lambda test: True):
    """Runs the tests of these classes, and ends with their status."""
    found = (test for case in cases for test in unittest.defaultTestLoader.loadTestsFromTestCase(case))
    suite = unittest.TestSuite(test for test in found if is_wanted(test))
    result = unittest.TextTestRunner(verbosity=int(os.environ.get("PROGTC_VERBOSE", "1"))).run(suite)
    sys.exit(0 if result.wasSuccessful() else 1)
