"""The virtual machine as the tests use it: who runs progtc-run, in which control group, and what is left of it."""

import contextlib
import fnmatch
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

PROGTC_RUN = "/payload/bin/progtc-run"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
TESTER = 1000  # has a user instance of systemd, with a bus
OTHER = 1001   # has none
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def environment(uid):
    """What a program of this user has, with the way to the user's bus where there is one."""
    home = {0: "/root", TESTER: "/home/tester", OTHER: "/home/other"}[uid]
    found = {"PATH": PATH, "HOME": home, "LANG": "C.UTF-8"}
    if uid == TESTER:
        found["XDG_RUNTIME_DIR"] = f"/run/user/{uid}"
    return found


def wait_until(claim, seconds=20):
    """Whether `claim()` came to be true."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def groups_of_runs():
    """The groups of single runs, wherever they are: progtc-NAMESPACE-PID-STARTTIME-SERIAL."""
    return [pathlib.Path(folder, name) for folder, names, _ in os.walk(CGROUPS)  # which minds no folder that goes meanwhile
            for name in names if fnmatch.fnmatch(name, "progtc-*-*-*-*")]


def processes_below(group):
    pids = set()
    for folder, _, _ in os.walk(group):
        file = pathlib.Path(folder, "cgroup.procs")
        with contextlib.suppress(OSError):
            pids |= {int(line) for line in file.read_text().split()}
    return pids


def exists(pid):
    """A zombie nobody has reaped yet is gone for our purposes."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Ended:
    """One progtc-run that has come to its end."""

    def __init__(self, status, out, err, report, usage=None):
        self.status = status
        self.out = out
        self.err = err
        self.report = report
        self.usage = usage  # rusage of progtc-run and of all it has waited for

    def __str__(self):
        return f"status {self.status}\nstdout: {self.out}\nstderr: {self.err}\nreport: {json.dumps(self.report, indent=1)}"


class Started:
    """progtc-run under way. `prefix` is a command that runs the rest of its line, as `owner` in the end;
    `group` is the control group that root puts it into before it becomes `uid`."""

    def __init__(self, arguments, uid, prefix=(), group=None, owner=None):
        self.directory = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.directory.name)
        os.chown(folder, owner or uid, owner or uid)
        self.report = folder / "report.json"
        self.streams = [open(folder / name, "w+b") for name in ("out", "err")]

        def become():
            if group:
                (group / "cgroup.procs").write_text("0")
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)

        self.process = subprocess.Popen([*prefix, PROGTC_RUN, "--report", self.report, *arguments], cwd="/",
                                        stdin=subprocess.DEVNULL, stdout=self.streams[0], stderr=self.streams[1],
                                        env=environment(uid), preexec_fn=become)
        self.pid = self.process.pid

    def said(self):
        texts = []
        for stream in self.streams:
            texts.append(os.pread(stream.fileno(), 1 << 20, 0).decode(errors="replace"))
        return texts

    def wait_for(self, text):
        """Until the code has printed `text`."""
        found = wait_until(lambda: text in self.said()[0] or self.process.poll() is not None, 60)
        if not found or text not in self.said()[0]:
            raise AssertionError(f"the code never said {text!r}: {self.kill()}")

    def kill(self):
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        return self.wait()

    def wait(self, seconds=30):
        deadline = time.monotonic() + seconds
        usage = None
        while self.process.returncode is None:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.process.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                os.kill(self.process.pid, signal.SIGKILL)
            time.sleep(0.01)
        out, err = self.said()
        report = json.loads(self.report.read_text()) if self.report.exists() else None
        for stream in self.streams:
            stream.close()
        self.directory.cleanup()
        return Ended(self.process.returncode, out, err, report, usage)


def run(*arguments, uid, **where):
    return Started(arguments, uid, **where).wait()


def user_systemctl(*arguments):
    return subprocess.run(["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "systemctl", "--user", *arguments],
                          env=environment(TESTER), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


def sysctl(name):
    return pathlib.Path("/proc/sys", *name.split("."))


@contextlib.contextmanager
def setting(name, value):
    """A kernel setting, for as long as the block lasts."""
    file = sysctl(name)
    before = file.read_text()
    file.write_text(value)
    try:
        yield
    finally:
        file.write_text(before)
