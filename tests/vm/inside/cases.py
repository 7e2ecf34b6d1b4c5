#!/usr/bin/env python3
"""What only a machine of its own can show: control groups v2 in every way progtc-run comes by them, settings that forbid
user namespaces, a masked /proc. Runs as root in the virtual machine; the names it is given in tests.txt narrow it."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.request

import tap
from machine import (CGROUPS, OTHER, TESTER, Started, environment, exists, groups_of_runs, processes_below, run, setting, sysctl,
                     user_systemctl, wait_until)

V2 = "cgroup v2"
MEBI = 1 << 20
FIRST_SANDBOX_ID, SANDBOX_IDS = 1_900_000_000, 4096  # runner/identity.h

BOMB = "kept = bytearray(300 << 20)"
BOMB_IN_CHILD = """
import subprocess, sys, time
subprocess.run([sys.executable, '-c', 'kept = bytearray(300 << 20)'])
time.sleep(60)
print('on')
"""
FORKS = """
import os, time
made = 0
try:
    while made < 500:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
except OSError as refused:
    print(made, refused.errno, flush=True)
os._exit(0)
"""
BURN = """
import time
since, used = time.monotonic(), time.process_time()
while time.process_time() - used < 1: pass
print(time.monotonic() - since)
"""
BURN_IN_FOUR = """
import os
for _ in range(3):
    if os.fork() == 0: break
while True: pass
"""
SLEEP = "import time; print('asleep', flush=True); time.sleep(120)"


class Case(unittest.TestCase):
    def tearDown(self):
        self.assertEqual(groups_of_runs(), [], "a run's control group is left over")

    def expect(self, ended, status, kind):
        self.assertEqual((ended.status, ended.report and ended.report["kind"]), (status, kind), str(ended))
        return ended.report

    def expect_refused(self, ended, *words):
        """Not set up, for a reason that says `words`; and never a line of the code ran."""
        self.assertEqual(ended.status, 125, str(ended))
        self.assertEqual(ended.out, "", str(ended))
        for word in words:
            self.assertIn(word, ended.err)


class V2Limits:
    """The limits under cgroup v2, whoever made the groups. A class with Case mixes it in and says how to start."""

    def progtc_run(self, *arguments):
        return self.start(*arguments).wait()

    def test_every_limit_is_a_cgroup_s(self):
        report = self.expect(self.progtc_run("-c", "print(1)"), 0, "exited")
        enforced = report["enforced_by"]
        self.assertEqual([enforced[name] for name in ("memory", "processes", "cpu", "cpus")], [V2] * 4, enforced)
        self.assertEqual(report["degraded"], [])

    def test_too_much_memory_is_told_as_such(self):
        report = self.expect(self.progtc_run("--memory", "64MiB", "-c", BOMB), 137, "memory_limit")
        self.assertIn("limits.memory", report["cause"])
        self.assertTrue(48 * MEBI <= report["usage"]["memory_peak_bytes"] <= 64 * MEBI, report["usage"])

    def test_a_child_that_takes_too_much_memory_ends_the_run(self):
        ended = self.progtc_run("--policy", "standard", "--memory", "64MiB", "-c", BOMB_IN_CHILD)
        self.expect(ended, 137, "memory_limit")
        self.assertEqual(ended.out, "")

    def test_as_much_memory_as_allowed_is_usable(self):
        report = self.expect(self.progtc_run("--memory", "96MiB", "-c", "kept = bytearray(48 << 20)"), 0, "exited")
        self.assertGreaterEqual(report["usage"]["memory_peak_bytes"], 48 * MEBI)

    def test_a_fork_bomb_stays_within_its_limit(self):
        ended = self.progtc_run("--policy", "standard", "--pids", "16", "-c", FORKS)
        report = self.expect(ended, 0, "exited")
        self.assertEqual(ended.out.split(), ["15", "11"])  # EAGAIN; the first process is the sixteenth
        if report["usage"]["processes_peak"] != 0:  # pids.peak: Linux 6.6
            self.assertEqual(report["usage"]["processes_peak"], 16)

    def test_half_a_processor_is_half_a_processor(self):
        ended = self.progtc_run("--cpus", "0.5", "-c", BURN)
        self.expect(ended, 0, "exited")
        self.assertGreater(float(ended.out), 1.6)

    def test_processor_time_is_that_of_all_processes(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"extends": "standard", "limits": {"reason": "short", "cpu": "2s"}}, file)
            file.flush()
            os.chmod(file.name, 0o644)
            report = self.expect(self.progtc_run("--policy", file.name, "-c", BURN_IN_FOUR), 137, "cpu_limit")
        self.assertTrue(2000 <= report["usage"]["cpu_ms"] <= 3000, report["usage"])

    def test_no_process_survives_a_killed_host(self):
        started = self.start("--policy", "standard", "-c", SLEEP)
        started.wait_for("asleep")
        (group,) = groups_of_runs()
        inside = processes_below(group)
        self.assertGreaterEqual(len(inside), 2)  # init and the worker
        started.kill()
        self.assertTrue(wait_until(lambda: not any(map(exists, inside))), f"left: {list(filter(exists, inside))}")
        self.forget_killed()

    def forget_killed(self):
        """What removes the group of a killed host: here systemd, with the scope."""
        self.assertTrue(wait_until(lambda: groups_of_runs() == []))

    def test_systemd_s_own_work_leaves_the_limits_alone(self):
        check_that_limits_stay(self, "memory.max", "pids.max", "cpu.max")

    def test_waiting_costs_the_host_nothing(self):
        if not self.is_direct:
            self.skipTest("another process stands between")
        ended = self.progtc_run("-c", "import time; time.sleep(2)")
        self.expect(ended, 0, "exited")
        self.assertLess(ended.usage.ru_nvcsw, 120)  # thirty or so; looking once a millisecond for a while adds hundreds


def check_that_limits_stay(case, *names):
    """systemd turns controllers off below what it has not delegated, and the limits are gone. So: whatever makes both
    instances of it look at the controllers of their groups again."""
    started = case.start("-c", SLEEP)
    started.wait_for("asleep")
    (group,) = groups_of_runs()
    limits = {name: (group / name).read_text() for name in names}
    as_tester = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"]
    for prefix, instance in ([], []), (as_tester, ["--user"]):
        for command in (["systemctl", *instance, "daemon-reload"],
                        ["systemd-run", *instance, "--quiet", "--wait", "-p", "CPUWeight=50", "true"]):
            subprocess.run(prefix + command, check=True, env=environment(TESTER if prefix else 0))
    after = {name: (group / name).read_text() if (group / name).exists() else "gone" for name in names}
    started.process.terminate()
    started.wait()
    case.assertEqual(after, limits)
    case.assertTrue(wait_until(lambda: groups_of_runs() == []))


class DelegatedScope(V2Limits, Case):
    """An ordinary user in a scope that systemd has delegated."""
    is_direct = True

    def start(self, *arguments):
        return Started(arguments, TESTER, prefix=["systemd-run", "--user", "--scope", "--quiet", "-p", "Delegate=yes"])

    def test_the_group_is_inside_the_delegated_scope(self):
        started = self.start("-c", SLEEP)
        started.wait_for("asleep")
        (group,) = groups_of_runs()
        scope = pathlib.Path(f"/proc/{started.pid}/cgroup").read_text().strip().partition("::")[2]
        started.kill()
        self.assertRegex(scope, r"/run-.*\.scope/progtc-host$")
        self.assertEqual(str(group.parent), str(CGROUPS) + os.path.dirname(scope))
        self.forget_killed()


class UndelegatedScope(V2Limits, Case):
    """An ordinary user in a scope of the user's systemd that is not delegated: its group is the user's all the same, but
    progtc-run has to ask for one of its own."""
    is_direct = True

    def start(self, *arguments):
        return Started(arguments, TESTER, prefix=["systemd-run", "--user", "--scope", "--quiet"])


class DelegatedService(Case):
    """An ordinary user in a service with Delegate=yes, beside whose processes there is room for groups of its own."""

    @classmethod
    def setUpClass(cls):
        user_systemctl("reset-failed")
        subprocess.run(["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "systemd-run", "--user", "--quiet",
                        "--unit=delegated", "-p", "Delegate=yes", "sleep", "infinity"], check=True,
                       env=environment(TESTER))
        cls.unit = CGROUPS / user_systemctl("show", "--value", "-p", "ControlGroup", "delegated").strip().lstrip("/")
        cls.make("keep")
        for pid in processes_below(cls.unit):
            (cls.unit / "keep" / "cgroup.procs").write_text(str(pid))

    @classmethod
    def tearDownClass(cls):
        user_systemctl("stop", "delegated")

    @classmethod
    def make(cls, name):
        """A group as the user would make it: owned by the user, and by nobody else."""
        group = cls.unit / name
        group.mkdir()
        for path in [group, group / "cgroup.procs", group / "cgroup.subtree_control", group / "cgroup.threads"]:
            os.chown(path, TESTER, TESTER)
        return group

    def offer(self, *controllers):
        file = self.unit / "cgroup.subtree_control"
        file.write_text(" ".join(f"-{name}" for name in file.read_text().split()) or "-pids")
        file.write_text(" ".join(f"+{name}" for name in controllers))

    def vacate(self, group):
        for below in group.glob("*/"):
            below.rmdir()
        group.rmdir()

    def test_a_service_s_own_group_bounds_the_run(self):
        self.offer("memory", "pids", "cpu")
        work = self.make("work")
        report = self.expect(run("--memory", "64MiB", "-c", BOMB, uid=TESTER, group=work), 137, "memory_limit")
        self.assertEqual(report["enforced_by"]["memory"], V2)
        self.vacate(work)

    def test_a_fraction_of_a_processor_is_refused_where_cpu_is_not_delegated(self):
        self.offer("memory", "pids")
        work = self.make("work")
        self.expect_refused(run("--cpus", "0.5", "-c", "print(1)", uid=TESTER, group=work), "limits.cpus", "cpu controller",
                            "--allow-degraded=cpus")
        self.reuse(work)
        ended = run("--cpus", "0.5", "--allow-degraded", "cpus", "-c", "print(1)", uid=TESTER, group=work)
        report = self.expect(ended, 0, "exited")
        self.assertEqual(report["degraded"], ["cpus"])
        self.assertEqual(report["enforced_by"]["memory"], V2)
        self.assertEqual(report["enforced_by"]["cpus"], "affinity")
        self.vacate(work)

    def reuse(self, group):
        """A group that hands out controllers takes no process (cgroups(7), "no internal processes")."""
        file = group / "cgroup.subtree_control"
        if file.read_text().split():
            file.write_text(" ".join(f"-{name}" for name in file.read_text().split()))

    def test_the_next_run_sweeps_what_a_killed_one_left(self):
        self.offer("memory", "pids", "cpu")
        work = self.make("work")
        started = Started(["-c", SLEEP], TESTER, group=work)
        started.wait_for("asleep")
        (left,) = groups_of_runs()
        inside = processes_below(left)
        started.kill()
        self.assertTrue(wait_until(lambda: not any(map(exists, inside))))
        self.assertEqual(groups_of_runs(), [left], "nobody was there to remove it")
        self.reuse(work)
        self.expect(run("-c", "print(1)", uid=TESTER, group=work), 0, "exited")
        self.assertFalse(left.exists())
        self.vacate(work)

    def test_a_group_of_a_living_host_is_not_swept(self):
        self.offer("memory", "pids", "cpu")
        work = self.make("work")
        started = Started(["-c", SLEEP], TESTER, group=work)
        started.wait_for("asleep")
        (left,) = groups_of_runs()
        # The second host shares the first one's leaf, so it goes elsewhere; what it sees there it leaves alone.
        self.expect(run("-c", "print(1)", uid=TESTER, group=work / "progtc-host"), 0, "exited")
        self.assertTrue(left.exists())
        started.kill()
        self.assertTrue(wait_until(lambda: processes_below(left) == set()))
        left.rmdir()
        self.vacate(work)


class TransientScope(V2Limits, Case):
    """An ordinary user beside other processes in a group of root's: progtc-run asks the user's systemd for a scope."""
    is_direct = True

    def start(self, *arguments):
        return Started(arguments, TESTER)

    def test_the_scope_is_the_user_s_and_goes_with_the_run(self):
        started = self.start("-c", SLEEP)
        started.wait_for("asleep")
        (group,) = groups_of_runs()
        self.assertRegex(str(group), rf"/user@{TESTER}\.service/.*/progtc-{started.pid}\.scope/")
        self.assertIn(f"progtc-{started.pid}.scope", user_systemctl("list-units", "--plain", "progtc-*"))
        started.kill()
        self.forget_killed()
        self.assertTrue(wait_until(lambda: ".scope" not in user_systemctl("list-units", "--all", "--plain", "progtc-*")))

    def test_two_at_once_have_a_scope_each(self):
        both = [self.start("--policy", "standard", "-c", SLEEP) for _ in range(2)]
        for started in both:
            started.wait_for("asleep")
        self.assertEqual(len({group.parent for group in groups_of_runs()}), 2)
        for started in both:
            started.kill()
        self.forget_killed()


class LoginSession(V2Limits, Case):
    """A login session's shell: its scope is root's, and logind's processes are only moved by systemd itself."""
    is_direct = False

    def start(self, *arguments):
        # PAM opens the session, which sets XDG_RUNTIME_DIR. su stays, to close it.
        return Started(arguments, 0, owner=TESTER, prefix=["su", "--login", "tester", "-c", 'exec "$0" "$@"', "--"])

    def test_a_login_s_group_is_a_session(self):
        """The ground this class stands on."""
        said = subprocess.run(["su", "--login", "tester", "-c", "cat /proc/self/cgroup"], stdout=subprocess.PIPE, text=True)
        self.assertRegex(said.stdout, r"/session-\w+\.scope$")

    def test_no_process_survives_a_killed_host(self):
        started = self.start("--policy", "standard", "-c", SLEEP)
        started.wait_for("asleep")
        (group,) = groups_of_runs()
        inside = processes_below(group)
        (host,) = processes_below(group.parent) - inside
        os.kill(host, 9)
        self.assertTrue(wait_until(lambda: not any(map(exists, inside))))
        started.wait()
        self.forget_killed()


class Root(V2Limits, Case):
    """Root in a service beside other processes."""
    is_direct = True

    def start(self, *arguments):
        return Started(arguments, 0)

    def test_the_code_runs_as_an_unprivileged_id_of_its_own(self):
        both = [self.start("-c", SLEEP) for _ in range(2)]
        for started in both:
            started.wait_for("asleep")
        ids = []
        for group in groups_of_runs():
            seen = {os.stat(f"/proc/{pid}").st_uid for pid in processes_below(group)}
            seen |= {int(field) for pid in processes_below(group) for line in open(f"/proc/{pid}/status")
                     if line.startswith(("Uid:", "Gid:")) for field in line.split()[1:]}
            ids.append(seen - {0})  # what is not dumpable belongs to root in /proc
        for started in both:
            started.process.terminate()
            started.wait()
        self.assertEqual([len(seen) for seen in ids], [1, 1], ids)
        self.assertNotEqual(*ids)
        for seen in ids:
            self.assertIn(seen.pop() - FIRST_SANDBOX_ID, range(SANDBOX_IDS))

    def test_files_made_in_a_writable_directory_belong_to_its_owner(self):
        for owner in (TESTER, 0):
            with self.subTest(owner=owner), tempfile.TemporaryDirectory() as folder:
                os.chown(folder, owner, owner)
                code = f"open({folder!r} + '/made', 'w').write('x'); print(oct(__import__('os').stat({folder!r}).st_uid))"
                self.expect(self.progtc_run("--rw", folder, "-c", code), 0, "exited")
                made = os.stat(folder + "/made")
                self.assertEqual((made.st_uid, made.st_gid), (owner, owner))

    def test_another_user_s_file_is_not_writable_there(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chown(folder, TESTER, TESTER)
            pathlib.Path(folder, "root-s").write_text("kept")
            ended = self.progtc_run("--rw", folder, "-c", f"open({folder!r} + '/root-s', 'w')")
            self.expect(ended, 1, "exited")
            self.assertEqual(pathlib.Path(folder, "root-s").read_text(), "kept")

    def test_in_a_delegated_scope_of_the_system(self):
        ended = Started(["-c", "print(1)"], 0, prefix=["systemd-run", "--scope", "--quiet", "-p", "Delegate=yes"]).wait()
        report = self.expect(ended, 0, "exited")
        self.assertEqual(report["enforced_by"]["memory"], V2)


class RootWithoutBus(Case):
    """Root where systemd cannot be asked: a group beside its own, the last resort."""

    def start(self, *arguments):
        return Started(arguments, 0, prefix=["env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere"])

    def test_a_group_beside_its_own_bounds_the_run(self):
        report = self.expect(self.start("--memory", "64MiB", "-c", BOMB).wait(), 137, "memory_limit")
        self.assertEqual(report["enforced_by"]["memory"], V2)

    def test_the_next_run_sweeps_what_a_killed_one_left(self):
        started = self.start("-c", SLEEP)
        started.wait_for("asleep")
        (left,) = groups_of_runs()
        inside = processes_below(left)
        started.kill()
        self.assertTrue(wait_until(lambda: not any(map(exists, inside))))
        self.assertTrue(left.exists(), "nobody was there to remove it")
        self.expect(self.start("-c", "print(1)").wait(), 0, "exited")
        self.assertFalse(left.exists())


class UnitOfSystem(Case):
    """The daemon as its units start it, for the whole machine: root, a socket of systemd's, groups below the service's."""
    kind, uid, key_file = "system", 0, pathlib.Path("/etc/progtc/environment")

    def systemctl(self, *arguments):
        return subprocess.run(["systemctl", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout

    def setUp(self):
        self.key_file.parent.mkdir(parents=True, exist_ok=True)
        self.key_file.write_text("PROGTC_API_KEY=of-the-units\n")
        for path in (self.key_file, self.key_file.parent, self.key_file.parent.parent):
            os.chown(path, self.uid, self.uid)
        self.systemctl("link", *(f"/payload/lib/systemd/{self.kind}/progtc.{unit}" for unit in ("service", "socket")))
        self.said = self.systemctl("start", "progtc.socket")

    def tearDown(self):
        self.systemctl("stop", "progtc.socket", "progtc.service")
        state = self.show("Result"), self.show("ActiveState")
        self.systemctl("disable", "progtc.socket", "progtc.service")
        super().tearDown()
        self.assertEqual(state, ("success", "inactive"))

    def show(self, name):
        return self.systemctl("show", "--value", "-p", name, "progtc.service").strip()

    def execute(self, code):
        """The final message of one execution; the first of them starts the service."""
        request = urllib.request.Request(
            "http://127.0.0.1:8000/execute-code", json.dumps({"tool_names": [], "code": code}).encode(),
            {"Authorization": "Bearer of-the-units", "Content-Type": "application/json"})  # fmt: skip
        with urllib.request.urlopen(request, timeout=60) as answer:
            events = [line[6:] for line in answer.read().split(b"\n") if line.startswith(b"data: ")]
        return json.loads(events[-1])

    def expect_final(self, code, kind, **words):
        final = self.execute(code)
        self.assertEqual(final["type"], kind, self.said + str(final) + self.systemctl("status", "progtc.service"))
        for name, word in words.items():
            self.assertEqual(final[name], word, final)
        return final

    def test_the_first_request_starts_it(self):
        self.assertEqual(self.show("ActiveState"), "inactive")
        self.expect_final("print(6 * 7)", "success", stdout="42\n")
        self.assertEqual(self.show("ActiveState"), "active")
        for number in range(20):
            self.expect_final(f"print({number})", "success", stdout=f"{number}\n")

    def test_groups_are_the_service_s_and_bound_the_code(self):
        self.expect_final("print(1)", "success")
        unit = CGROUPS / self.show("ControlGroup").lstrip("/")
        self.assertTrue(groups_of_runs())
        for group in groups_of_runs():
            self.assertTrue(group.is_relative_to(unit), group)
        final = self.expect_final(BOMB, "error")
        self.assertEqual(final["exit"]["kind"], "memory_limit")

    def test_a_reload_goes_on(self):
        self.expect_final("print(1)", "success")
        before = self.show("MainPID")
        self.systemctl("reload", "progtc.service")
        self.expect_final("print(2)", "success", stdout="2\n")
        self.assertEqual(self.show("MainPID"), before)

    def test_one_that_is_killed_is_started_again(self):
        self.expect_final("print(1)", "success")
        before, left = self.show("MainPID"), groups_of_runs()
        inside = {pid for group in left for pid in processes_below(group)}
        self.assertTrue(inside)
        self.systemctl("kill", "--kill-who=main", "-s", "KILL", "progtc.service")
        self.assertTrue(wait_until(lambda: self.show("MainPID") not in ("0", before)))
        self.expect_final("print(2)", "success", stdout="2\n")
        self.assertFalse(any(map(exists, inside)))
        self.assertFalse([group for group in left if group.exists()])


class UnitOfUser(UnitOfSystem):
    """The same for one user, in that user's systemd."""
    kind, uid, key_file = "user", TESTER, pathlib.Path("/home/tester/.config/progtc/environment")

    def systemctl(self, *arguments):
        return user_systemctl(*arguments)


class NoCgroup(Case):
    """An ordinary user without a user instance of systemd, in a group of root's."""

    def progtc_run(self, *arguments):
        return run(*arguments, uid=OTHER)

    def test_strict_is_bounded_by_resource_limits_and_says_so(self):
        report = self.expect(self.progtc_run("-c", "print(1)"), 0, "exited")
        self.assertEqual({name: report["enforced_by"][name] for name in ("memory", "processes", "cpu", "cpus")},
                         {"memory": "rlimit (RLIMIT_AS)", "processes": "rlimit (RLIMIT_NPROC)", "cpu": "rlimit (RLIMIT_CPU)",
                          "cpus": "affinity"})
        self.assertTrue(any("no cgroup" in note for note in report["notes"]), report["notes"])
        self.assertEqual(report["degraded"], [])

    def test_too_much_memory_is_refused_to_the_code(self):
        ended = self.progtc_run("-c", BOMB)
        self.expect(ended, 1, "exited")
        self.assertIn("MemoryError", ended.err)

    def test_threads_are_bounded(self):
        ended = self.progtc_run("--pids", "8", "-c", """
import threading
stop = threading.Event()
made = 0
try:
    while made < 100:
        threading.Thread(target=stop.wait, daemon=True).start()
        made += 1
except RuntimeError:
    print(made)
stop.set()
""")
        self.expect(ended, 0, "exited")
        self.assertLess(int(ended.out), 8)

    def test_processor_time_is_bounded(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"extends": "strict", "limits": {"reason": "short", "cpu": "1s"}}, file)
            file.flush()
            os.chmod(file.name, 0o644)
            self.expect(self.progtc_run("--policy", file.name, "-c", "while True: pass"), 137, "cpu_limit")

    def test_several_processes_are_refused(self):
        self.expect_refused(self.progtc_run("--policy", "standard", "-c", "print(1)"), "cgroup", "--allow-degraded=cgroup",
                            "not delegated")

    def test_several_processes_run_where_the_cgroup_is_given_up(self):
        ended = self.progtc_run("--policy", "standard", "--allow-degraded", "cgroup", "-c",
                                "import subprocess; subprocess.run(['echo', 'hi'])")
        report = self.expect(ended, 0, "exited")
        self.assertEqual(ended.out, "hi\n")
        self.assertEqual(report["degraded"], ["cgroup"])

    def test_no_process_survives_a_killed_host(self):
        started = Started(["-c", SLEEP], OTHER)
        started.wait_for("asleep")
        ours = {int(entry) for entry in os.listdir("/proc")
                if entry.isdigit() and os.stat(f"/proc/{entry}").st_uid in (OTHER, 0)
                and f"\nUid:\t{OTHER}\t" in pathlib.Path(f"/proc/{entry}/status").read_text()}
        self.assertGreaterEqual(len(ours), 3)
        started.kill()
        self.assertTrue(wait_until(lambda: not any(map(exists, ours))))


class ForbiddenNamespaces(Case):
    """Hosts whose settings forbid user namespaces: the message names the setting."""

    def test_user_max_user_namespaces(self):
        for uid in (OTHER, TESTER, 0):
            with self.subTest(uid=uid), setting("user.max_user_namespaces", "0"):
                self.expect_refused(run("-c", "print(1)", uid=uid), "user.max_user_namespaces")

    def test_kernel_unprivileged_userns_clone(self):
        name = "kernel.unprivileged_userns_clone"  # Debian's
        if not sysctl(name).exists():
            self.skipTest("this kernel has no such setting")
        with setting(name, "0"):
            self.expect_refused(run("-c", "print(1)", uid=OTHER), name)

    def test_with_both_as_they_were_it_runs(self):
        self.expect(run("-c", "print(1)", uid=OTHER), 0, "exited")


class MaskedProc(Case):
    """A mount namespace whose /proc is covered in places, as containers cover theirs."""

    def progtc_run(self, *arguments, mask):
        script = f'mount --make-rprivate / && {mask} && exec setpriv --reuid={OTHER} --regid={OTHER} --clear-groups "$0" "$@"'
        return run(*arguments, uid=0, owner=OTHER, prefix=["unshare", "--mount", "sh", "-euc", script])

    CODE = "import os; print(os.path.exists('/proc/self/status'), os.listdir('/proc'))"

    def test_a_file_masked_by_a_device(self):
        ended = self.progtc_run("-c", self.CODE, mask="mount --bind /dev/null /proc/kcore")
        report = self.expect(ended, 0, "exited")
        self.assertEqual(ended.out, "False []\n")
        self.assertTrue(any("no /proc" in note for note in report["notes"]), report["notes"])

    def test_a_directory_masked_by_a_file_system(self):
        ended = self.progtc_run("-c", self.CODE, mask="mount -t tmpfs -o ro tmpfs /proc/sys/kernel")
        report = self.expect(ended, 0, "exited")
        self.assertEqual(ended.out, "False []\n")
        self.assertTrue(any("no /proc" in note for note in report["notes"]), report["notes"])

    def test_with_nothing_masked_there_is_a_proc(self):
        ended = self.progtc_run("-c", self.CODE, mask="true")
        report = self.expect(ended, 0, "exited")
        self.assertTrue(ended.out.startswith("True "), ended.out)
        self.assertFalse(any("no /proc" in note for note in report["notes"]), report["notes"])


def main():
    names = pathlib.Path("/payload/tests.txt").read_text().split()
    loader = unittest.TestLoader()
    module = sys.modules["__main__"]
    tests = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    subprocess.run(["loginctl", "enable-linger", "tester"], check=True)
    subprocess.run(["systemctl", "start", f"user@{TESTER}.service"], check=True)
    tap.run(tests, sys.stdout)


if __name__ == "__main__":
    main()
