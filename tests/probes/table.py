"""The language of the tables of acts: what a probe has to meet inside a sandbox, and the twin that shows it to be a probe.

An Act is one probe with arguments. It runs under `policies` and has to end as `expected` says; the report has to name the
`denied` call. Its twin does the same act where it is permitted, and has to succeed: a probe that is broken is not taken for
one that was blocked. Words such as {victim} in arguments are filled in by Host.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time
import unittest

import harness
from harness import PYTHON, SECRET_NAME, Lab

PROBES = pathlib.Path(__file__).parent
# What a machine answers that has no such thing at all: its twin is skipped.
LACKING = {"blocked: ENOSYS", "blocked: EAFNOSUPPORT", "blocked: EPROTONOSUPPORT", "blocked: ESOCKTNOSUPPORT", "blocked: ENODEV"}


@dataclasses.dataclass(frozen=True)
class Blocked:
    """The probe says that it was blocked, for one of these reasons (their first words); without any, for whatever reason."""

    reasons: tuple = ()

    def fault(self, ended):
        said = last_line(ended)
        if ended.status == 0 and said.startswith("blocked: "):
            if not self.reasons or said.removeprefix("blocked: ").startswith(self.reasons):
                return None
        return f"expected 'blocked: {' or '.join(self.reasons) or '…'}'"


@dataclasses.dataclass(frozen=True)
class Killed:
    signal: int

    def fault(self, ended):
        if ended.status != 128 + self.signal:
            return f"expected the end by signal {self.signal}"
        return None


@dataclasses.dataclass(frozen=True)
class Permitted:
    pattern: str = ""

    def fault(self, ended):
        said = last_line(ended)
        if ended.status == 0 and said.startswith("permitted: ") and re.fullmatch(self.pattern or ".*", said[len("permitted: ") :]):
            return None
        return f"expected 'permitted: {self.pattern or '…'}'"


@dataclasses.dataclass(frozen=True)
class Listing:
    """A list of names that holds all of `required` and nothing beyond `allowed`."""

    required: frozenset
    allowed: frozenset = frozenset()

    def fault(self, ended):
        said = last_line(ended)
        names = set(said.removeprefix("permitted: ").split())
        if ended.status != 0 or not said.startswith("permitted: "):
            return "expected a list"
        if missing := self.required - names:
            return f"missing: {' '.join(sorted(missing))}"
        if beyond := names - self.required - self.allowed:
            return f"unexpected: {' '.join(sorted(beyond))}"
        return None


@dataclasses.dataclass(frozen=True)
class Without:
    """Whatever the probe says, this is no part of it."""

    word: str

    def fault(self, ended):
        if ended.status != 0 or ": " not in last_line(ended):
            return "expected a probe's line"
        return f"expected nothing about '{self.word}'" if self.word in last_line(ended) else None


EPERM, ENOSYS, ABSENT = Blocked(("EPERM",)), Blocked(("ENOSYS",)), Blocked(("ENOENT",))
UNWRITABLE = Blocked(("EROFS", "EACCES", "EPERM"))
UNREADABLE = Blocked(("EACCES", "EPERM", "ENOENT", "empty"))
PERMITTED = Permitted()


@dataclasses.dataclass(frozen=True)
class Twin:
    """Where the act is permitted. `arguments` replace the act's own where given."""

    where: str  # "bare", "namespaces", or a policy under which it runs in a sandbox
    arguments: tuple = None
    options: tuple = ()
    needs_root: bool = False
    expected: object = PERMITTED


def bare(*arguments, root=False):
    """The interpreter alone, on the host."""
    return Twin("bare", arguments or None, needs_root=root)


def namespaces(*arguments):
    """The interpreter alone, as root of user, mount, process, host name, IPC, network and cgroup namespaces of its own."""
    return Twin("namespaces", arguments or None)


def sandboxed(*arguments, policy="strict", options=()):
    return Twin(policy, arguments or None, tuple(options))


@dataclasses.dataclass(frozen=True)
class NoTwin:
    reason: str


@dataclasses.dataclass(frozen=True)
class Act:
    probe: str
    arguments: tuple
    expected: object
    twin: object
    denied: str = ""  # the call that the report's denials have to name
    rule: str = ""  # and a word of that denial's rule
    policies: tuple = ("strict",)
    options: tuple = ()
    leaks_fds: bool = False  # the host holds descriptors open that are inherited

    @property
    def name(self):
        words = "_".join((self.probe, *self.arguments, *(word for word in self.options if not word.startswith("-"))))
        return re.sub(r"[^a-zA-Z0-9]+", "_", words).strip("_")


def act(line, expected, twin, denied="", rule="", policies=("strict",), options=(), leaks_fds=False):
    """An Act from "probe argument …"."""
    probe, *arguments = line.split()
    return Act(probe, tuple(arguments), expected, twin, denied, rule, tuple(policies), tuple(options), leaks_fds)


def last_line(ended):
    lines = ended.text.splitlines()
    return lines[-1] if lines else ""


class Host:
    """What there is to steal: files, a process, servers on the loopback and on Unix sockets."""

    def __init__(self, lab):
        self.lab = lab
        self._victims = []
        self._sockets = []
        self.files = lab.path / "host"
        self.files.mkdir()
        self.files.chmod(0o777)
        lab.write("host/marker", "a file of the host's\n", 0o666)
        lab.write("host/home/.ssh/id_ed25519", "a private key\n")
        lab.environment["HOME"] = str(self.files / "home")
        self.words = {
            "scratch": str(self.files),
            "marker": str(self.files / "marker"),
            "home": str(self.files / "home"),
            "secret": SECRET_NAME,
            "stdlib": os.path.dirname(str(STDLIB_FILE)),
            "stdlib_file": str(STDLIB_FILE),
            "port": str(self._serve(socket.AF_INET, ("127.0.0.1", 0))),
            "socket": str(self.files / "socket"),
            "abstract": f"@progtc-probe-{os.getpid()}",
        }
        self.words["port6"] = str(self._serve(socket.AF_INET6, ("::1", 0)) or 1)
        self._serve(socket.AF_UNIX, self.words["socket"])
        self._serve(socket.AF_UNIX, "\0" + self.words["abstract"][1:])
        os.chmod(self.words["socket"], 0o777)

    def close(self):
        for victim in self._victims:
            victim.kill()
            victim.wait()
        for server in self._sockets:
            server.close()

    def victim(self):
        """A process that lets itself be traced, asleep until it is killed."""
        code = "import ctypes,sys; ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1)); print(flush=True); sys.stdin.read()"
        victim = subprocess.Popen([PYTHON, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        victim.stdout.readline()
        self._victims.append(victim)
        return str(victim.pid)

    def fill(self, words):
        return [
            re.sub(r"\{(\w+)\}", lambda m: self.victim() if m[1] == "victim" else self.words[m[1]], word) for word in words
        ]

    def _serve(self, family, address):
        try:
            server = socket.socket(family)
            server.bind(address)
        except OSError:
            return 0  # no IPv6 here
        server.listen(16)
        self._sockets.append(server)
        threading.Thread(target=self._answer, args=(server,), daemon=True).start()
        name = server.getsockname()
        return name[1] if isinstance(name, tuple) else 0

    @staticmethod
    def _answer(server):
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.sendall(b"reached")


def _stdlib_file():
    found = subprocess.run([PYTHON, "-I", "-S", "-c", "import os; print(os.__file__)"], capture_output=True, text=True, check=True)
    return pathlib.Path(found.stdout.strip())


STDLIB_FILE = _stdlib_file()


def compose(probe):
    """One script of a probe and what it shares with the others."""
    shared, text = (PROBES / "probe.py").read_text(), (PROBES / f"try_{probe}.py").read_text()
    preamble = (
        "import sys as _sys, types as _types\n"
        "_module = _types.ModuleType('probe')\n"
        f"exec(compile({shared!r}, 'probe.py', 'exec'), _module.__dict__)\n"
        "_sys.modules['probe'] = _module\n"
    )
    return preamble + text


# Probes that list what is shown. Their code is given by -c: a script's own file would be in the list (cases_script).
LISTS = ("list_directory", "host_paths_in_mounts")


class ActsTest(unittest.TestCase):
    """A TestCase is made of this for each group, with two methods an act: the act itself and its twin."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.host = Host(cls.lab)
        cls.addClassCleanup(cls.host.close)

    def check(self, one):
        if os.environ.get("PROGTC_TWINS_ONLY") == "1":
            self.skipTest("only twins are run")
        if one.probe in LISTS:
            script = ("-c", compose(one.probe))
        else:
            script = (self.lab.write(f"try_{one.probe}.py", compose(one.probe)),)
        for policy in one.policies:
            with self.subTest(policy=policy):
                pass_fds = self.leaking_fds() if one.leaks_fds else ()
                arguments = (*self.host.fill(one.options), *script, *self.host.fill(one.arguments))
                ended = self.lab.run(*arguments, policy=self.effective(policy), pass_fds=pass_fds)
                refuse_without_limits(self, ended, policy)
                if fault := one.expected.fault(ended):
                    self.fail(f"{fault}: {ended}")
                if one.denied:
                    self.check_denial(ended, one)

    def check_denial(self, ended, one):
        self.assertIsNotNone(ended.report, f"no report: {ended}")
        names = one.denied if isinstance(one.denied, tuple) else (one.denied,)
        denials = [denial for name in names for denial in ended.report.denials_of(name)]
        self.assertTrue(denials, f"no denial of {one.denied} is reported: {ended}")
        for key in ("call", "rule", "fix"):
            self.assertTrue(denials[0][key], f"a denial without '{key}': {ended}")
        self.assertIn(one.rule, denials[0]["rule"])

    def check_twin(self, one):
        twin = one.twin
        if twin.needs_root and os.geteuid() != 0:
            self.skipTest("permitted to root only")
        self.assertTrue(hasattr(twin, "where"))
        arguments = self.host.fill(one.arguments if twin.arguments is None else twin.arguments)
        ended = self.run_twin(one, twin, arguments)
        said = last_line(ended)
        if twin.where in ("bare", "namespaces") and (said in LACKING or said.startswith("unsupported: ")):
            self.skipTest(f"this machine: {said}")
        if fault := twin.expected.fault(ended):
            self.fail(f"the twin: {fault}: {ended}")

    def run_twin(self, one, twin, arguments):
        script = self.lab.write(f"try_{one.probe}.py", compose(one.probe))
        if twin.where in ("bare", "namespaces"):
            command = [PYTHON, script, *arguments]
            if twin.where == "namespaces":
                if not can_unshare():
                    self.skipTest("no user namespaces for this user")
                flags = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--cgroup"]
                command = ["unshare", *flags, "--mount-proc", *command]
            directory = self.lab.path / "bare"
            directory.mkdir(exist_ok=True)
            pass_fds = self.leaking_fds() if one.leaks_fds else ()
            return self.lab.execute(command, pass_fds=pass_fds, cwd=directory)
        if os.environ.get("PROGTC_TWINS_ONLY") == "1":
            self.skipTest("a twin that runs in a sandbox")
        ended = self.lab.run(*self.host.fill(twin.options), script, *arguments, policy=self.effective(twin.where))
        refuse_without_limits(self, ended, twin.where)
        return ended

    def effective(self, policy):
        """A policy's name, or a file for the ones that are made here."""
        if policy == "loopback":
            return self.lab.policy("strict", network={"mode": "loopback"})
        return policy

    def leaking_fds(self):
        """Descriptors as a careless parent leaves them: a directory and a secret, both inherited."""
        if not hasattr(self.host, "leaking"):
            self.host.leaking = [os.open("/", os.O_RDONLY | os.O_DIRECTORY), os.open(self.host.words["marker"], os.O_RDONLY)]
            for fd in self.host.leaking:
                self.addClassCleanup(os.close, fd)
        return tuple(self.host.leaking)


def refuse_without_limits(test, ended, policy):
    """Skips where this user has no control groups and a policy of several processes is therefore refused, as it should be."""
    if policy == "standard" and ended.status == harness.SETUP_FAILED and "cgroup" in ended.words:
        if os.geteuid() == 0 and os.environ.get("PROGTC_REQUIRE_SANDBOX") == "1":
            test.fail(str(ended))
        test.skipTest(f"no control groups for this user: {ended.words.strip()}")


_can_unshare = None


def can_unshare():
    global _can_unshare
    if _can_unshare is None:
        found = shutil.which("unshare")
        command = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true"]
        _can_unshare = bool(found) and subprocess.run(command, capture_output=True).returncode == 0
    return _can_unshare


def case_of(name, acts):
    """A TestCase class with a test for each act and one for each twin. Errors: ValueError for an act without a probe, and
    for two tests of one name."""
    methods = {}
    for one in acts:
        if not (PROBES / f"try_{one.probe}.py").exists():
            raise ValueError(f"no probe try_{one.probe}.py")
        test = f"test_{one.name}"
        if test in methods:
            test += "__" + "_".join(one.policies)
        if test in methods:
            raise ValueError(f"two acts are called {test}")
        methods[test] = lambda self, one=one: self.check(one)
        if not isinstance(one.twin, NoTwin):
            methods[f"{test}__twin"] = lambda self, one=one: self.check_twin(one)
    return type(name, (ActsTest,), methods)


def wait_until(claim, seconds=20, what="the event"):
    """Waits for a condition that nothing announces. Errors: AssertionError after `seconds`."""
    deadline = time.monotonic() + harness.slower(seconds)
    while not (value := claim()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(0.02)
    return value


__all__ = [name for name in dir() if not name.startswith("_")]
