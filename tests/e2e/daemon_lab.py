"""A daemon under test, what it holds of the machine, and the TestCase that the daemon's tests are made of."""

import asyncio
import contextlib
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import unittest
import urllib.parse

HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent / "probes"))
import harness  # noqa: E402
from raw_http import Connection  # noqa: E402
from progtc_client import Client  # noqa: E402
from table import wait_until  # noqa: E402

KEY = "k-7c1e55e0aa42"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
LISTENING = re.compile(r"listening on (http://\S+)")

_server_command = []  # what comes before a daemon's options


def use_server(command):
    _server_command[:] = shlex.split(command) if isinstance(command, str) else command


def processes():
    """{pid: (parent, start time)} of every process that this one can see."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = pathlib.Path("/proc", entry, "stat").read_text(errors="replace")
                rest = stat[stat.rindex(")") + 2 :].split()
                found[int(entry)] = (int(rest[1]), int(rest[19]))
    return found


def descendants(root):
    """{(pid, start time)} of everything below a process. The pair is that process for ever; a pid is handed out again."""
    now = processes()
    below, found = {}, set()
    for pid, (parent, _) in now.items():
        below.setdefault(parent, []).append(pid)
    queue = list(below.get(root, ()))
    while queue:
        pid = queue.pop()
        found.add((pid, now[pid][1]))
        queue += below.get(pid, ())
    return found


def alive(identities):
    """Those of {(pid, start time)} that have not ended; a zombie has."""
    found = set()
    for pid, start in identities:
        with contextlib.suppress(OSError):
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
            rest = stat[stat.rindex(")") + 2 :].split()
            if int(rest[19]) == start and rest[0] not in "ZX":
                found.add((pid, start))
    return found


def groups():
    """{(directory, inode)} of the control groups of runs, whoever's. The pair tells a new group of the same name."""
    found = set()
    for directory, names, _ in os.walk(CGROUPS, onerror=lambda _: None):
        for name in names:
            if name.startswith("progtc-"):
                with contextlib.suppress(OSError):
                    found.add((f"{directory}/{name}", os.stat(f"{directory}/{name}").st_ino))
    return found


def is_empty(group):
    """Whether a control group is there and holds no process. Other runs on the machine hold theirs."""
    directory, inode = group
    try:
        return not pathlib.Path(directory, "cgroup.procs").read_text().strip() and os.stat(directory).st_ino == inode
    except OSError:
        return False


def mounts(pid="self"):
    return sorted(pathlib.Path(f"/proc/{pid}/mountinfo").read_text(errors="replace").splitlines())


def files_of(pid):
    """What carries the process id in its name where a daemon might put files."""
    found = []
    for directory in ("/tmp", "/dev/shm", "/run", f"/run/user/{os.getuid()}"):
        with contextlib.suppress(OSError):
            names = os.listdir(directory)
            found += [f"{directory}/{name}" for name in names if "progtc" in name and re.search(rf"(?<!\d){pid}(?!\d)", name)]
    return found


class Daemon:
    """One started daemon. It listens on an ephemeral port of 127.0.0.1 unless the options name a --port. `log` is a
    descriptor to write its log to, instead of a file."""

    def __init__(self, lab, *options, key=KEY, unix=None, environment=(), command=None, log=None):
        self.lab, self.unix, self.key = lab, unix, key
        number = len(list(lab.path.glob("daemon-*.log")))
        self.log_path = lab.path / f"daemon-{number}.log"
        self.groups_before = groups()
        self.mounts_before = mounts()
        options = [str(option) for option in options]
        argv = list(command or _server_command)
        argv += [] if "--port" in options else ["--port", "0"]
        argv += ["--api-key", key] if key is not None else []
        argv += ["--unix", str(unix)] if unix else []
        home = lab.path / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        own = {"HOME": str(home)}
        own.update({f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "STATE", "DATA", "CACHE")})
        with open(self.log_path, "wb") as file:
            self.process = subprocess.Popen(
                argv + options, stdin=subprocess.DEVNULL, stdout=file, stderr=log or file, cwd=lab.path, start_new_session=True,
                env={**lab.environment, **own, **dict(environment)}, preexec_fn=harness.bound_the_damage,
            )  # fmt: skip
        self.pid = self.process.pid
        self.seen = set()  # descendants, each time one looked

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def __str__(self):
        return f"daemon {self.pid}, status {self.process.poll()}:\n{self.log[-4000:]}"

    def wait_until_listening(self):
        wait_until(lambda: self.process.poll() is not None or LISTENING.search(self.log), 30, "the daemon's first line")
        if self.process.poll() is not None:
            raise AssertionError(f"it ended: {self}")
        return self

    @property
    def url(self):
        return LISTENING.search(self.log)[1].rstrip("/")

    @property
    def address(self):
        parts = urllib.parse.urlsplit(self.url)
        return parts.hostname, parts.port

    def connect(self, timeout=60):
        return Connection(self.address, harness.slower(timeout))

    def client(self, wire="a", key=None, is_unix=False, **how):
        return Client(f"unix:{self.unix}" if is_unix else self.url, self.key if key is None else key, wire, **how)

    def descendants(self):
        now = descendants(self.pid)
        self.seen |= now
        return now

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def wait(self, seconds=60):
        """The exit status; a daemon that does not end in time is killed. Errors: AssertionError then."""
        try:
            return self.process.wait(harness.slower(seconds))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"no end within {seconds} s: {self}") from None

    def signal(self, number):
        self.descendants()
        self.process.send_signal(number)

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        if self.process.poll() is None:
            self.descendants()
            self.process.kill()
        self.process.wait()

    def finish(self):
        """In order if it can be: one that is killed leaves its control groups to the next start, and other tests find them."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(harness.slower(20))
        self.kill()

    def processes_left(self):
        return alive(self.seen)

    def groups_left(self):
        """New groups without a process. One with processes is somebody else's, as ours have been seen to end."""
        return {group for group in groups() - self.groups_before if is_empty(group)}


def settled(function, what):
    """The value once it is the same for ten looks in a row: the pool has been filled, the runs have been cleared away."""
    values = []

    def is_same():
        values.append(function())
        return len(values) >= 10 and all(value == values[-1] for value in values[-10:])

    wait_until(is_same, 60, what)
    return values[-1]


def for_the_reference_too(test):
    """Marks a test that any server of the protocol passes: with --server-command those alone are run."""
    test.is_for_the_reference_too = True
    return test


class DaemonTest(unittest.TestCase):
    """The tests of a class share a daemon with the class's options; the last one sees it end in order."""

    options = ()
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.shared_lab = harness.Lab()
        cls.addClassCleanup(cls.shared_lab.close)
        cls._shared = None

    @classmethod
    def tearDownClass(cls):
        if cls._shared and (status := cls._shared.stop()) != 0:
            raise AssertionError(f"SIGTERM should end it with 0: {cls._shared} ({status})")

    def setUp(self):
        self.lab = harness.Lab()
        self.addCleanup(self.lab.close)

    @property
    def daemon(self):
        cls = type(self)
        if cls._shared is None:
            cls._shared = Daemon(cls.shared_lab, *cls.options)
            cls.addClassCleanup(cls._shared.kill)
            cls._shared.wait_until_listening()
        if cls._shared.process.poll() is not None:
            self.fail(f"the daemon has ended: {cls._shared}")
        return cls._shared

    def start(self, *options, **how):
        """A daemon of this test's own, perhaps not listening yet."""
        daemon = Daemon(self.lab, *options, **how)
        self.addCleanup(daemon.finish)
        return daemon

    def serve(self, *options, **how):
        return self.start(*options, **how).wait_until_listening()

    def execute(self, code, tools=None, wire="a", daemon=None, client=(), **fields):
        """One run, to its Final. `client` are more arguments of Daemon.client()."""

        async def run():
            async with (daemon or self.daemon).client(wire, **dict(client)) as connected:
                return await connected.execute_code(textwrap.dedent(code), tools, **fields)

        return asyncio.run(run())

    def in_both(self):
        """For wire in self.in_both(): a subtest for each revision."""
        for wire in "ac":
            with self.subTest(wire=wire):
                yield wire

    def assert_prints(self, final, out):
        self.assertEqual((final.kind, final.stdout), ("success", out), str(final)[:4000])

    def assert_ends(self, final, kind, exit_kind=None):
        self.assertEqual(final.kind, kind, str(final)[:4000])
        if exit_kind:
            self.assertEqual(final.json["exit"]["kind"], exit_kind, str(final)[:4000])

    def assert_detail(self, response, status, detail):
        self.assertEqual((response.status, response.json()), (status, {"detail": detail}))

    def assert_nothing_left(self, daemon):
        """Of a daemon that has ended."""
        wait_until(lambda: not daemon.processes_left(), 20, f"the end of {daemon.processes_left()}")
        wait_until(lambda: not daemon.groups_left(), 20, f"the end of {daemon.groups_left()}")
        self.assertEqual(mounts(), daemon.mounts_before)
        self.assertEqual(sorted(str(path) for path in (self.lab.path / "tmp").rglob("*")), [])
        self.assertEqual(files_of(daemon.pid), [])
