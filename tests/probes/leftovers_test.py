#!/usr/bin/env python3
"""What is left of a run when it has ended, however it ended: nothing.

    leftovers_test.py [--as-user] [PROGTC_RUN] leftovers

This process adopts orphans, so a process that outlives its run becomes its child and is found, whoever else is at work on
the machine. Control groups are looked for by the run's process id in their names, files in a TMPDIR of the run's own.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess

import harness
from harness import SandboxTest, adopt_orphans, children
from table import refuse_without_limits, wait_until

CGROUPS = pathlib.Path("/sys/fs/cgroup")
FOREVER = "import time\nprint('started', flush=True)\ntime.sleep(600)"
DAEMON = """
import os, signal, time
for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3):
            os.close(fd)
        time.sleep(600)
    os._exit(0)
print("started", flush=True)
"""


def groups_of(pid):
    """The control groups that carry this process id in their name."""
    found = []
    for directory, names, _ in os.walk(CGROUPS, onerror=lambda _: None):
        found += [f"{directory}/{name}" for name in names if "progtc" in name and re.search(rf"(?<!\d){pid}(?!\d)", name)]
    return found


def mounts():
    return pathlib.Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()


class Leftovers(SandboxTest):
    def setUp(self):
        super().setUp()
        adopt_orphans()
        self.mounts = mounts()
        self.own = children()

    def start(self, code, *options, policy="strict"):
        script = self.lab.write("script.py", code)
        process = self.lab.start(self.lab.command(*options, script, policy=policy))
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def wait_for_start(self, process):
        line = harness.read_line(process)
        if line != b"started\n":
            process.wait()
            words = process.stderr.read().decode(errors="replace")
            if "cgroup" in words and process.returncode == harness.SETUP_FAILED and os.geteuid() != 0:
                self.skipTest(f"no control groups for this user: {words.strip()}")
            self.fail(f"status {process.returncode}: {words}")

    def reap(self):
        """Reaps what was adopted; returns the processes that are still alive."""
        for pid in children().keys() - self.own.keys():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return {pid: name for pid, name in children().items() if pid not in self.own}

    def assert_nothing_left(self, pid, has_swept=True):
        wait_until(lambda: not self.reap(), what=f"the end of {self.reap()}")
        self.assertEqual(mounts(), self.mounts)
        self.assertEqual(sorted(str(path) for path in (self.lab.path / "tmp").rglob("*")), [])
        for directory in ("/tmp", "/dev/shm", "/run", f"/run/user/{os.getuid()}"):
            with contextlib.suppress(OSError):
                names = [name for name in os.listdir(directory) if "progtc" in name and str(pid) in name]
                self.assertEqual(names, [], directory)
        if has_swept:
            self.assertEqual(groups_of(pid), [])

    def run_to_the_end(self, code, *options, policy="strict"):
        process = self.start(code, *options, policy=policy)
        out, err = process.communicate(timeout=harness.slower(60))
        if policy == "standard":
            refuse_without_limits(self, harness.Ended([], process.returncode, out, err), policy)
        return process, out, err

    def test_after_an_orderly_end(self):
        process, out, err = self.run_to_the_end("print('hi')")
        self.assertEqual((process.returncode, out), (0, b"hi\n"), err)
        self.assert_nothing_left(process.pid)

    def test_after_a_timeout(self):
        process, _, err = self.run_to_the_end(FOREVER, "--timeout", "1")
        self.assertEqual(process.returncode, 124, err)
        self.assert_nothing_left(process.pid)

    def test_after_a_memory_limit(self):
        code = "x = []\nfor _ in range(512): x.append(bytearray(b'x' * (1 << 20)))"
        process, _, _ = self.run_to_the_end(code, "--memory", "64M")
        self.assert_nothing_left(process.pid)

    def test_after_a_protocol_violation(self):
        process, _, _ = self.run_to_the_end("import os, time\nos.write(3, b'\\xff' * 64)\ntime.sleep(60)")
        self.assert_nothing_left(process.pid)

    def test_after_a_crash(self):
        process, _, _ = self.run_to_the_end("import os\nos.abort()")
        self.assert_nothing_left(process.pid)

    def test_after_a_setup_that_failed(self):
        process, _, err = self.run_to_the_end("print('hi')", "--ro", "/nonexistent:/data")
        self.assertEqual(process.returncode, harness.SETUP_FAILED, err)
        self.assert_nothing_left(process.pid)

    def test_of_a_daemon_that_ignores_signals(self):
        process, out, err = self.run_to_the_end(DAEMON, policy="standard")
        self.assertEqual((process.returncode, out), (0, b"started\n"), err)
        self.assert_nothing_left(process.pid)

    def test_of_a_daemon_that_ignores_signals__twin(self):
        """The same daemon without a sandbox is adopted by this process, as a leftover would be."""
        script = self.lab.write("daemon.py", DAEMON)
        with self.lab.start([harness.PYTHON, script]) as process:
            process.communicate(timeout=30)
        left = wait_until(self.reap, what="the daemon")
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.assertEqual(len(left), 1)

    def test_after_an_interrupt(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number.name):
                process = self.start(FOREVER)
                self.wait_for_start(process)
                process.send_signal(number)
                process.communicate(timeout=harness.slower(20))
                self.assertNotEqual(process.returncode, 0)
                self.assert_nothing_left(process.pid)

    def test_after_the_host_was_killed(self):
        process = self.start(FOREVER)
        self.wait_for_start(process)
        process.kill()
        process.communicate(timeout=harness.slower(20))
        self.assert_nothing_left(process.pid, has_swept=False)
        self.assertEqual(self.lab.run("-c", "pass").status, 0)
        self.assertEqual(groups_of(process.pid), [], "the next run sweeps what a killed one has left")

    def test_after_the_host_of_a_daemon_was_killed(self):
        process = self.start(DAEMON + "time.sleep(600)\n", policy="standard")
        self.wait_for_start(process)
        process.kill()
        process.communicate(timeout=harness.slower(20))
        self.assert_nothing_left(process.pid, has_swept=False)

    def test_after_the_host_was_killed_while_it_set_up(self):
        for milliseconds in (1, 3, 6, 10, 15, 25, 40):
            process = self.start(FOREVER)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(milliseconds / 1000)
            process.kill()
            process.communicate(timeout=harness.slower(20))
            self.assert_nothing_left(process.pid, has_swept=False)

    def test_after_the_reader_of_its_output_went_away(self):
        process = self.start("while True: print('x' * 1000)", "--timeout", "20")
        process.stdout.read(1000)
        process.stdout.close()
        process.stdout = None
        process.communicate(timeout=harness.slower(30))
        self.assert_nothing_left(process.pid)

    def test_tools_under_way_end_with_the_run(self):
        self.lab.write("tools/wait.yaml", "name: wait\ncommand: sleep\nargs: '600'\ntimeout: 600\n")
        code = """
import asyncio
from tools import wait
async def main():
    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0.2)
    print("leaving", flush=True)
    import os
    os._exit(0)
asyncio.run(main())
"""
        process, out, err = self.run_to_the_end(code, "--tools", str(self.lab.path / "tools"), "--timeout", "30")
        self.assertEqual((process.returncode, out), (0, b"leaving\n"), err)
        self.assert_nothing_left(process.pid)

    def test_tools_under_way_end_when_the_host_is_killed(self):
        self.lab.write("tools/wait.yaml", "name: wait\ncommand: sleep\nargs: '600'\ntimeout: 600\n")
        code = """
import asyncio
from tools import wait
async def main():
    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0.2)
    print("started", flush=True)
    await task
asyncio.run(main())
"""
        process = self.start(code, "--tools", str(self.lab.path / "tools"), "--timeout", "60")
        self.wait_for_start(process)
        process.kill()
        process.communicate(timeout=harness.slower(20))
        self.assert_nothing_left(process.pid, has_swept=False)


GROUPS = {"leftovers": [Leftovers]}

if __name__ == "__main__":
    harness.main(GROUPS)
