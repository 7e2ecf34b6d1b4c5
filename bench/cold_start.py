#!/usr/bin/env python3
"""What a sandbox adds to a cold start, measured beside the peers in one run.

    bench/cold_start.py build/release/bin/progtc-run [--rounds 60]

Every round starts each command once, in an order that rotates, so that a machine that warms up or slows down does so
for all of them. A command is started with posix_spawn and reaped with waitpid: that part costs the same for each.
"added" is the median, over the rounds, of the difference to bare python3 in the same round. Processor time is not
shown: a sandbox need not wait for what runs in it, so the kernel does not count it to the command (bubblewrap's).

Exit status 1 when progtc-run or python3 could not be measured. A missed budget is printed, not an error: it is read
beside the peers' numbers of the same run.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PYTHON = "/usr/bin/python3"
# The same few variables for everyone: what a shell exports is not what is measured. main() adds a HOME of its own.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
EXPECTED = b"hi\n"
SCRIPTS = {
    "print": "print('hi')\n",
    "asyncio+json": "import asyncio, json\nasync def main(): print(json.loads('\"hi\"'))\nasyncio.run(main())\n",
}
OURS = "progtc-run"
BARE = "python3"
ADDED_BUDGET_MS = 5.0


def commands(progtc_run, script):
    """The contestants, by name. Each confines what its own manual calls a full sandbox for an offline program."""
    return {
        BARE: [PYTHON, script],
        OURS: [progtc_run, "--policy", "strict", "--python", PYTHON, script],
        "bubblewrap": [
            "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv",
            "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LANG", "C.UTF-8",
            "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
            "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", script, "/script.py",
            PYTHON, "/script.py",
        ],
        "firejail": [
            "firejail", "--quiet", "--noprofile", "--net=none", "--private", "--private-dev", "--caps.drop=all",
            "--nonewprivs", "--seccomp", "--read-only=/", PYTHON, script,
        ],
    }  # fmt: skip


def rehearse(argv):
    """Runs it once, untimed. Returns why it cannot be measured, or None."""
    if not shutil.which(argv[0], path=ENVIRONMENT["PATH"]):
        return "not installed"
    try:
        ended = subprocess.run(argv, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    except subprocess.TimeoutExpired:
        return "did not end within 30 s"
    if ended.returncode != 0 or ended.stdout != EXPECTED:
        words = (ended.stderr or ended.stdout).decode(errors="replace").strip().splitlines()
        return f"exit status {ended.returncode}: {words[-1] if words else 'no output'}"
    return None


def measure(path, argv, null):
    """Wall time from start to end, in milliseconds."""
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    begin = time.perf_counter()
    pid = os.posix_spawn(path, argv, ENVIRONMENT, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    wall = time.perf_counter() - begin
    if status != 0:
        sys.exit(f"cold_start.py: {argv[0]} ended with status {os.waitstatus_to_exitcode(status)} in a measured round")
    return wall * 1e3


def percentile(values, share):
    return sorted(values)[round(share * (len(values) - 1))]


def compare(progtc_run, script, rounds, null):
    """({name: [wall of each round]}, {name: why it was not measured})."""
    contestants, absent = {}, {}
    for name, argv in commands(progtc_run, script).items():
        if why := rehearse(argv):
            absent[name] = why
        else:
            contestants[name] = (shutil.which(argv[0], path=ENVIRONMENT["PATH"]), argv)
    samples = {name: [] for name in contestants}
    order = list(contestants)
    for _ in range(rounds):
        for name in order:
            samples[name].append(measure(*contestants[name], null))
        order = order[1:] + order[:1]
    return samples, absent


def verdict(label, value, bound, unit):
    print(f"budget: {label}: {value:.2f} {unit}, {'met' if value <= bound else 'MISSED'} (at most {bound:.2f} {unit})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("progtc_run")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    progtc_run = os.path.abspath(options.progtc_run)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)

    print(f"cold start: {options.rounds} rounds, interleaved; milliseconds")
    row = "{:<13} {:<11} {:>7} {:>7} {:>7} {:>7} {:>6}".format
    print(row("script", "command", "p10", "p50", "p90", "added", "ratio"))
    added = {}
    unmeasured = False
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)  # a sandbox that runs as somebody else reads the scripts too
        ENVIRONMENT["HOME"] = folder
        for label, source in SCRIPTS.items():
            script = pathlib.Path(folder, f"{label}.py")
            script.write_text(source)
            script.chmod(0o644)
            samples, absent = compare(progtc_run, str(script), options.rounds, null)
            bare = samples.get(BARE)
            for name in commands(progtc_run, ""):
                if name in absent:
                    print(f"{label:<13} {name:<11} not measured: {absent[name]}")
                    unmeasured = unmeasured or name in (OURS, BARE)
                    continue
                walls = samples[name]
                cells = [f"{percentile(walls, share):.2f}" for share in (0.1, 0.5, 0.9)] + ["", ""]
                if bare and name != BARE:
                    added[label, name] = statistics.median(a - b for a, b in zip(walls, bare))
                    ratio = statistics.median(walls) / statistics.median(bare)
                    cells[3:] = [f"{added[label, name]:.2f}", f"{ratio:.2f}"]
                print(row(label, name, *cells).rstrip())

    for label in SCRIPTS:
        if (label, OURS) not in added:
            continue
        verdict(f"progtc-run adds to {label}", added[label, OURS], ADDED_BUDGET_MS, "ms")
        if (label, "bubblewrap") in added:
            verdict(f"progtc-run over bubblewrap, {label}", added[label, OURS] - added[label, "bubblewrap"], 0.0, "ms")
    return 1 if unmeasured else 0


if __name__ == "__main__":
    sys.exit(main())
