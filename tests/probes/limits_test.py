#!/usr/bin/env python3
"""What happens at each limit: the run ends or is refused, says why, and keeps what it printed.

    limits_test.py [--as-user] [PROGTC_RUN] GROUP

Every probe stops by itself at a bound that harms nobody, so a limit that does not hold is found out, not suffered.
"""

import os
import signal
import subprocess
import textwrap
import time

import harness
from harness import SandboxTest
from table import Blocked, Permitted, compose, refuse_without_limits

MEMORY_KILLED, TIMED_OUT = 137, 124
DIRECTORIES = ("/tmp", "/dev/shm", "/sandbox")


class LimitsTest(SandboxTest):
    def run_probe(self, probe, *arguments, options=(), policy="strict", **how):
        script = self.lab.write(f"try_{probe}.py", compose(probe))
        ended = self.lab.run(*options, script, *arguments, policy=policy, **how)
        refuse_without_limits(self, ended, policy)
        return ended

    def assert_meets(self, ended, expected):
        if fault := expected.fault(ended):
            self.fail(f"{fault}: {ended}")

    def assert_ends(self, ended, kind, status):
        self.assert_kind(ended, kind)
        self.assert_status(ended, status)
        self.assertTrue(ended.report.cause, f"no cause: {ended}")
        self.assertIn(ended.report.cause, ended.words)

    def assert_memory_bounded(self, ended):
        """Killed by the kernel's count where there is a control group; refused by the process's own limit elsewhere."""
        if ended.report and "cgroup" in ended.report.enforced_by("memory"):
            self.assert_ends(ended, "memory_limit", MEMORY_KILLED)
        elif ended.status != MEMORY_KILLED:
            self.assert_meets(ended, Blocked())


class Memory(LimitsTest):
    def test_bomb(self):
        self.assert_memory_bounded(self.run_probe("take_memory", 512, options=("--memory", "64M")))

    def test_bomb__twin(self):
        self.assert_meets(self.run_probe("take_memory", 128, options=("--memory", "512M")), Permitted("128 MiB"))

    def test_output_so_far_is_kept(self):
        code = "print('before', flush=True)\nx = []\nfor _ in range(512): x.append(bytearray(b'x' * (1 << 20)))\nprint('after')"
        ended = self.run_code(code, options=("--memory", "64M"))
        self.assertTrue(ended.out.startswith(b"before\n"), str(ended))
        self.assertNotIn(b"after", ended.out)
        self.assertNotEqual(ended.status, 0)

    def test_anonymous_files_count(self):
        ended = self.run_probe("take_anonymous_files", 768, options=("--memory", "64M"))
        if ended.report and "cgroup" in ended.report.enforced_by("memory"):
            self.assert_ends(ended, "memory_limit", MEMORY_KILLED)
        else:  # RLIMIT_AS does not count what is written and never mapped, so there are none
            self.assertEqual(ended.out, b"blocked: EPERM\n", str(ended))
            self.assertTrue(ended.report.denials_of("memfd_create"), str(ended))

    def test_anonymous_files_count__twin(self):
        ended = self.run_probe("take_anonymous_files", 32, options=("--memory", "256M"))
        if ended.report and "cgroup" in ended.report.enforced_by("memory"):
            self.assert_meets(ended, Permitted("32 MiB"))

    def test_threads_share_one_limit(self):
        code = """
            import threading
            def take():
                hoard = [bytearray(b"x" * (1 << 20)) for _ in range(128)]
                taken.append(hoard)
            taken = []
            threads = [threading.Thread(target=take) for _ in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            print(len(taken), "whole")
        """
        ended = self.run_code(textwrap.dedent(code), options=("--memory", "256M", "--timeout", "20"))
        self.assertNotIn(b"4 whole", ended.out, str(ended))

    def test_several_processes_share_one_limit(self):
        code = """
            import os
            children = []
            for _ in range(4):
                pid = os.fork()
                if pid == 0:
                    hoard = [bytearray(b"x" * (1 << 20)) for _ in range(100)]
                    input()
                    os._exit(0)
                children.append(pid)
            print(sum(os.waitpid(pid, 0)[1] == 0 for pid in children), "whole")
        """
        ended = self.run_code(textwrap.dedent(code), policy="standard", options=("--memory", "200M", "--timeout", "20"), stdin=b"")
        refuse_without_limits(self, ended, "standard")
        self.assertNotIn(b"4 whole", ended.out, str(ended))

    def held(self, ended):
        """The MiB that connections held; the limit's end is an answer as well."""
        if ended.status == MEMORY_KILLED:
            self.assert_ends(ended, "memory_limit", MEMORY_KILLED)
            return 0
        self.assert_meets(ended, Permitted(r"\d+ MiB in \d+ pairs"))
        return int(ended.text.split()[1])

    def test_connections_count(self):
        # 8 of them hold what the buffers take, 250 what the kernel grants each in spite of a limit.
        for pairs in (8, 250):
            ended = self.run_probe("fill_connections", pairs, 1, 300, policy="standard", options=("--memory", "64M"))
            self.assertLess(self.held(ended), 64, str(ended))

    def test_connections_count__twin(self):
        ended = self.run_probe("fill_connections", 8, 1, 24, policy="standard", options=("--memory", "1G"))
        self.assertGreaterEqual(self.held(ended), 23, str(ended))

    def test_many_connections_end_the_run(self):
        policy = self.lab.policy("standard", limits={"memory": "128MiB"})
        script = self.lab.write("many.py", compose("fill_connections"))
        ended = self.lab.run("--timeout", "30", script, 400, 6, 300, policy=policy)
        refuse_without_limits(self, ended, "standard")
        self.assert_ends(ended, "memory_limit", MEMORY_KILLED)

    def test_pairs_of_sockets(self):
        """Without a control group nothing counts what they hold, so there are few of them."""
        ended = self.run_probe("fill_socketpairs", 300)
        if "cgroup" in ended.report.enforced_by("memory"):
            self.assert_memory_bounded(self.run_probe("fill_socketpairs", 300, options=("--memory", "48M")))
        else:
            self.assert_meets(ended, Permitted(r"\d+ MiB in \d+ pairs"))
            self.assertLess(int(ended.text.split()[1]), 32, str(ended))

    def test_pairs_of_sockets__twin(self):
        self.assert_meets(self.run_probe("fill_socketpairs", 2), Permitted(r"2 MiB in \d+ pairs"))

    def test_page_tables(self):
        self.assert_ends(self.run_probe("fill_page_tables", 60_000), "memory_limit", MEMORY_KILLED)

    def test_page_tables__twin(self):
        self.assert_meets(self.run_probe("fill_page_tables", 100), Permitted("100 pages"))

    def test_what_a_run_may_hold_without_a_control_group_is_told(self):
        ended = self.run_code("pass")
        if "cgroup" not in ended.report.enforced_by("memory"):
            self.assertRegex(" ".join(ended.report.notes), r"the run may hold \d+MiB of memory")

    def test_peak_is_reported(self):
        ended = self.run_probe("take_memory", 100)
        self.assert_meets(ended, Permitted("100 MiB"))
        self.assertGreater(ended.report.usage("memory_peak_bytes"), 100 << 20)


class Processes(LimitsTest):
    def test_fork_bomb(self):
        self.assert_meets(self.run_probe("fork_bomb", 200, policy="standard", options=("--pids", 20)), Blocked(("EAGAIN",)))

    def test_fork_bomb__twin(self):
        ended = self.run_probe("fork_bomb", 50, policy="standard", options=("--pids", 100))
        self.assert_meets(ended, Permitted("50 processes"))

    def test_zombie_flood(self):
        self.assert_meets(self.run_probe("zombie_flood", 200, policy="standard", options=("--pids", 20)), Blocked(("EAGAIN",)))

    def test_orphans_are_reaped(self):
        ended = self.run_probe("orphan_flood", 600, policy="standard", options=("--pids", 200))
        self.assert_meets(ended, Permitted("600 orphans"))

    def test_threads(self):
        self.assert_meets(self.run_probe("thread_bomb", 2000), Blocked(("can't start new thread after some",)))

    def test_threads__twin(self):
        self.assert_meets(self.run_probe("thread_bomb", 8), Permitted("8 threads"))

    def test_pids_option_counts_threads(self):
        self.assert_meets(self.run_probe("thread_bomb", 40, options=("--pids", 10)), Blocked(("can't start new thread",)))


class Files(LimitsTest):
    def test_descriptors(self):
        self.assert_meets(self.run_probe("open_many", 5000), Blocked(("EMFILE",)))

    def test_descriptors__twin(self):
        self.assert_meets(self.run_probe("open_many", 16), Permitted("16 descriptors"))

    def test_bytes_of_each_private_directory(self):
        for directory in DIRECTORIES:
            with self.subTest(directory):
                self.assert_meets(self.run_probe("fill_directory", directory, 600), Blocked(("ENOSPC",)))

    def test_bytes_of_each_private_directory__twin(self):
        for directory in DIRECTORIES:
            with self.subTest(directory):
                self.assert_meets(self.run_probe("fill_directory", directory, 1), Permitted("1 MiB"))

    def test_number_of_files(self):
        for directory in DIRECTORIES:
            with self.subTest(directory):
                self.assert_meets(self.run_probe("make_many_files", directory, 20_000), Blocked(("ENOSPC",)))

    def test_number_of_files__twin(self):
        for directory in DIRECTORIES:
            with self.subTest(directory):
                self.assert_meets(self.run_probe("make_many_files", directory, 10), Permitted("10 files"))

    def test_a_private_directory_without_limits_is_none(self):
        nothing = {"size": 0, "inodes": 0}
        policy = self.lab.policy("strict", filesystem={"tmp": nothing, "shm": nothing, "work": nothing, "out": nothing})
        for directory in (*DIRECTORIES, "/out"):
            with self.subTest(directory):
                code = compose("fill_directory")  # by -c: a script's own file is shown, below /tmp here
                ended = self.lab.run("--memory", "64M", "-c", code, directory, 600, policy=policy)
                self.assert_meets(ended, Blocked(("ENOENT",)))
        ended = self.run_probe("fill_directory", "/tmp", 600, policy=policy, options=("--memory", "64M"))
        self.assert_meets(ended, Blocked(("EROFS",)))
        ended = self.run_code("import os\nprint(os.getcwd(), sorted(os.listdir('/dev')))", policy=policy)
        self.assertEqual(ended.out, b"/ ['full', 'null', 'random', 'urandom', 'zero']\n", str(ended))

    def test_what_needs_a_private_directory_that_is_none(self):
        nothing = {"size": 0, "inodes": 0}
        policy = self.lab.policy("strict", filesystem={"work": nothing, "out": nothing})
        for option, key in (("--out", "filesystem.out"), ("--file", "filesystem.work")):
            with self.subTest(option):
                ended = self.lab.run(option, self.lab.write("given/file", "x").parent, "-c", "print('ran')", policy=policy)
                self.assert_status(ended, harness.SETUP_FAILED)
                self.assertIn(key, ended.words)
                self.assertEqual(ended.out, b"")

    def test_length_of_a_file(self):
        self.assert_meets(self.run_probe("make_long_file", 1 << 40), Blocked(("EFBIG",)))

    def test_length_of_a_file__twin(self):
        self.assert_meets(self.run_probe("make_long_file", 1 << 20), Permitted())

    def test_a_private_directory_is_not_the_next_runs(self):
        code = "import os\nfor d in ('/tmp', '/dev/shm', '/sandbox'):\n    print(os.listdir(d))\n    open(d + '/left', 'w').close()"
        for _ in range(2):
            self.assertEqual(self.lab.run("-c", code).out, b"[]\n[]\n[]\n")


class Output(LimitsTest):
    FLOOD = "import os\nwhile True: os.write(1, b'x' * 65536)"

    def test_flood(self):
        ended = self.run_code(self.FLOOD)
        self.assert_kind(ended, "output_limit")
        self.assertNotEqual(ended.status, 0)
        self.assertRegex(ended.out, rb"^x{65536}")
        self.assertTrue(ended.report.is_out_truncated or len(ended.report.out) > 1 << 20)
        self.assertIn("output", ended.report.cause)

    def test_flood_of_stderr(self):
        ended = self.run_code(self.FLOOD.replace("(1,", "(2,"))
        self.assert_kind(ended, "output_limit")

    def test_flood__twin(self):
        policy = self.lab.policy("strict", limits={"output": "200MiB", "memory": "512MiB"})
        ended = self.run_code("import os\nfor _ in range(1600): os.write(1, b'x' * 65536)", policy=policy, timeout=120)
        self.assert_status(ended, 0)
        self.assertEqual(len(ended.out), 1600 * 65536)


class Time(LimitsTest):
    def test_wall(self):
        ended = self.run_code("import time\nprint('so far', flush=True)\ntime.sleep(60)", options=("--timeout", "1"))
        self.assert_ends(ended, "timeout", TIMED_OUT)
        self.assertEqual(ended.out, b"so far\n")
        self.assertEqual(ended.report.out, "so far\n")

    def test_wall_cannot_be_caught(self):
        code = "import signal\nfor n in set(signal.Signals) - {9, 19}: signal.signal(n, signal.SIG_IGN)\nwhile True: pass"
        self.assert_ends(self.run_code(code, options=("--timeout", "1")), "timeout", TIMED_OUT)

    def test_wall_holds_when_standard_streams_are_closed(self):
        code = "import os, time\nfor fd in (0, 1, 2): os.close(fd)\ntime.sleep(60)"
        self.assert_ends(self.run_code(code, options=("--timeout", "1")), "timeout", TIMED_OUT)

    def test_wall_holds_for_a_stopped_process(self):
        code = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"
        self.assert_ends(self.run_code(code, options=("--timeout", "1")), "timeout", TIMED_OUT)

    def test_processor_time(self):
        policy = self.lab.policy("strict", limits={"cpu": "1s"})
        began = time.monotonic()
        ended = self.run_code("print('so far', flush=True)\nwhile True: pass", policy=policy)
        self.assert_kind(ended, "cpu_limit")
        self.assertEqual(ended.out, b"so far\n")
        self.assertNotEqual(ended.status, 0)
        self.assertGreaterEqual(ended.report.usage("cpu_ms"), 800)
        self.assertLess(time.monotonic() - began, harness.slower(25))

    def test_processor_time_cannot_be_caught(self):
        policy = self.lab.policy("strict", limits={"cpu": "1s"})
        code = "import signal\nsignal.signal(signal.SIGXCPU, lambda *_: None)\nwhile True: pass"
        self.assert_kind(self.run_code(code, policy=policy), "cpu_limit")

    def test_processor_time_of_all_threads_counts(self):
        policy = self.lab.policy("strict", limits={"cpu": "1s", "cpus": 2})
        code = """
            import hashlib, threading
            def spin():
                data = bytes(1 << 20)
                while True: hashlib.sha256(data)
            for _ in range(3): threading.Thread(target=spin).start()
        """
        self.assert_kind(self.run_code(textwrap.dedent(code), policy=policy), "cpu_limit")

    def test_processor_time_cannot_be_claimed(self):
        code = """
            import os, signal, time
            while time.process_time() < 1.2: pass
            os.kill(os.getpid(), getattr(signal, "SIG" + SIGNAL))
        """
        policy = self.lab.policy("strict", limits={"cpu": "2s"})
        for name in ("XCPU", "KILL"):
            with self.subTest(name):
                ended = self.run_code(textwrap.dedent(code).replace("SIGNAL", repr(name)), policy=policy)
                if "cgroup" not in ended.report.enforced_by("cpu"):
                    self.skipTest("no account of a group for this user: half the limit is enough, as its clock counts by the tick")
                self.assert_kind(ended, "signaled")
                self.assertEqual(ended.report.signal, getattr(signal, "SIG" + name))

    def test_sleep_costs_no_processor_time__twin(self):
        policy = self.lab.policy("strict", limits={"cpu": "1s"})
        ended = self.run_code("import time\ntime.sleep(1.5)\nprint('awake')", policy=policy)
        self.assert_status(ended, 0)
        self.assertEqual(ended.out, b"awake\n")

    def test_code_that_ends_leaves_nobody_to_wait_for(self):
        code = """
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(600)
                os._exit(0)
            print("done", flush=True)
        """
        began = time.monotonic()
        ended = self.run_code(textwrap.dedent(code), policy="standard")
        refuse_without_limits(self, ended, "standard")
        self.assert_status(ended, 0)
        self.assertEqual(ended.out, b"done\n")
        self.assertLess(time.monotonic() - began, harness.slower(20))


class Locks(LimitsTest):
    """A lock of a byte range is memory of the kernel's that no control group counts."""

    COUNT = 2000
    CODE = """
        import fcntl, tempfile
        with tempfile.TemporaryFile(dir="/tmp") as file:
            for i in range({count}): fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 2 * i)
            print("locked", flush=True)
            input()
    """

    def locks_of_the_host(self, policy):
        """How many more the host has than before while the code holds COUNT of its own."""
        before = self.count()
        script = self.lab.write("locks.py", textwrap.dedent(self.CODE).format(count=self.COUNT))
        command = self.lab.command(script, policy=policy)
        with self.lab.start(command, stdin=subprocess.PIPE) as process:
            if harness.read_line(process) != b"locked\n":
                _, err = process.communicate()
                if process.returncode == harness.SETUP_FAILED and b"cgroup" in err:
                    self.skipTest("no control groups for this user")
                self.fail(err)
            held = self.count() - before
            process.communicate(b"\n")
        self.assertEqual(process.returncode, 0)
        return held

    @staticmethod
    def count():
        with open("/proc/locks", "rb") as locks:
            return sum(1 for _ in locks)

    def test_ranges_that_only_the_code_itself_could_meet(self):
        self.assertLess(self.locks_of_the_host("strict"), self.COUNT // 2)

    def test_ranges_that_only_the_code_itself_could_meet__twin(self):
        self.assertGreaterEqual(self.locks_of_the_host("standard"), self.COUNT - 100)

    def test_sqlite(self):
        code = """
            import sqlite3, threading
            for mode in ("delete", "wal"):
                name = f"/tmp/{mode}.db"
                with sqlite3.connect(name) as first:
                    print(first.execute(f"pragma journal_mode={mode}").fetchone())
                    first.execute("create table t(x)")
                    first.execute("insert into t values (1)")
                second = sqlite3.connect(name, timeout=0)
                first.execute("begin immediate")
                try: second.execute("begin immediate")
                except sqlite3.OperationalError as error: print(error)
                first.commit()
                second.execute("insert into t values (2)")
                second.commit()
                print(first.execute("select sum(x) from t").fetchone())
        """
        ended = self.run_code(textwrap.dedent(code))
        answers = b"".join(b"('%s',)\ndatabase is locked\n(3,)\n" % mode for mode in (b"delete", b"wal"))
        self.assertEqual(ended.out, answers, str(ended))
        self.assertEqual(ended.report.denials, [], str(ended))


class Processors(LimitsTest):
    """Where no control group has the `cpu` controller, limits.cpus is the processors that the code may run on."""

    ALL = "import os\ntry: os.sched_setaffinity(0, range(1024))\nexcept OSError as e: print(type(e).__name__)\n"
    COUNT = "print(len(os.sched_getaffinity(0)))"

    def test_affinity_cannot_be_widened_where_it_is_the_limit(self):
        more = {"groups": ["+scheduling"]}
        for sections in ({"syscalls": more}, {"syscalls": {"allow": ["sched_setaffinity"]}}):
            policy = self.lab.policy("strict", **sections)
            ended = self.run_code(self.ALL + self.COUNT, policy=policy, options=("--allow-degraded=cgroup",))
            self.assertEqual(ended.report.enforced_by("cpus"), "affinity")
            self.assertEqual(ended.out, b"PermissionError\n1\n", str(ended))
            self.assertTrue(ended.report.denials_of("sched_setaffinity"), str(ended))

    def test_affinity_cannot_be_widened_where_it_is_the_limit__twin(self):
        policy = self.lab.policy("strict", syscalls={"groups": ["+scheduling"]})
        ended = self.run_code(self.ALL + self.COUNT, policy=policy)
        if "cgroup" not in ended.report.enforced_by("cpus"):
            self.skipTest("no cpu controller for this user")
        self.assertEqual(ended.out, f"{len(os.sched_getaffinity(0))}\n".encode(), str(ended))


class Faults(LimitsTest):
    def test_recursion_without_end(self):
        ended = self.run_probe("recurse", options=("--timeout", "20"))
        self.assert_kind(ended, "signaled")
        self.assert_status(ended, 128 + signal.SIGSEGV)
        self.assertEqual(ended.out, b"recursing\n")

    def test_abort(self):
        ended = self.run_code("import os\nos.abort()")
        self.assert_kind(ended, "signaled")
        self.assertEqual(ended.report.signal, signal.SIGABRT)
        self.assert_status(ended, 128 + signal.SIGABRT)

    def test_killing_oneself_is_not_taken_for_a_limit(self):
        ended = self.run_code("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
        self.assert_kind(ended, "signaled")
        self.assert_status(ended, 128 + signal.SIGKILL)

    def test_no_core_file(self):
        code = "import os, resource\nprint(resource.getrlimit(resource.RLIMIT_CORE)[1])"
        # 1 rather than 0: no file either, and no helper of core_pattern's outside the sandbox (core(5)).
        self.assertEqual(self.run_code(code).out, b"1\n")

    def test_limits_cannot_be_raised(self):
        code = """
            import resource
            raised = []
            for name in ("AS", "CPU", "FSIZE", "NOFILE", "NPROC", "CORE", "STACK", "MEMLOCK", "DATA", "RTPRIO", "NICE", "MSGQUEUE"):
                kind = getattr(resource, "RLIMIT_" + name, None)
                if kind is None: continue
                soft, hard = resource.getrlimit(kind)
                if hard == resource.RLIM_INFINITY: continue
                try:
                    resource.setrlimit(kind, (soft, hard + 1))
                    raised.append(name)
                except (ValueError, OSError):
                    pass
            print("raised:", *raised)
        """
        self.assertEqual(self.run_code(textwrap.dedent(code)).out, b"raised:\n")

    def test_a_denial_flood_slows_only_its_author(self):
        code = "import socket\nfor _ in range(20_000):\n  try: socket.socket()\n  except OSError: pass\nprint('through')"
        ended = self.run_code(code, options=("--timeout", "20"), timeout=60)
        self.assertIn(ended.status, (0, TIMED_OUT), str(ended))
        self.assertLess(len(ended.report.denials), 100)
        self.assertGreater(sum(denial["count"] for denial in ended.report.denials_of("socket")), 1)


GROUPS = {
    "memory": [Memory],
    "processes": [Processes],
    "files": [Files],
    "output": [Output],
    "time": [Time],
    "locks": [Locks],
    "processors": [Processors],
    "faults": [Faults],
}

if __name__ == "__main__":
    os.umask(0o022)
    harness.main(GROUPS)
