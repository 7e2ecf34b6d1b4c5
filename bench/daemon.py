#!/usr/bin/env python3
"""What a run costs on the warm daemon, measured beside a server that polls, bare python3 and bubblewrap, in one run.

    bench/daemon.py build/release/bin/progtc [--rounds 200] [--seconds 5]

Latency: every round asks each contestant once, in an order that rotates ("in a row" is ours alone). The servers are asked
over a connection that stays open, by a client of a few lines on a socket; programs are started with posix_spawn. A tool
call's time is from the event of a first call to the event of the second, in one run: the answer posted, the code resumed,
the next call made. "In process" is a call of a function of the process that holds the sandbox (bench/host_call.cc), as the
code times it.
Rate: as many clients as --clients, then 64, keep each server busy; programs are started as many at once as there are
processors. The clients share the two cores with what they measure. "ratio" is to ours in the same row group: above 1 is
slower, for rates too. The memory of a parked sandbox is read before the daemon gets its first request, and needs root.

bench/reference_server.py is the server that polls: the protocol's reference, as far as a bench needs it.

Exit status 1 when ours or python3 could not be measured. A missed budget is printed, not an error.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import cold_start
from cold_start import BARE, ENVIRONMENT, percentile, verdict
from swarm import AUTHORIZED, HELLO, Server, progtc, reference, request_bytes, swarm

OURS, REFERENCE, BUBBLEWRAP, ASYNCIO = "progtc serve", "reference server", "bubblewrap", "python3+asyncio"
MANY_CLIENTS = 64
TWO_CALLS = "from tools import f\nawait f(1)\nawait f(2)\n"
RUN_BUDGET_MS = 1.5
TOOL_BUDGET_MS = 0.6
HOST_CALL_BUDGET_MS = 0.1
RATE_BUDGET = 300
PSS_BUDGET_MIB = 5
SPREAD_BUDGET = 10  # p99 over p50 with 64 clients


def run_once(connection):
    """One print('hi'), in milliseconds."""
    begin = time.perf_counter()
    connection.send(HELLO)
    [final] = connection.events(connection.head())
    wall = time.perf_counter() - begin
    if final["stdout"] != "hi\n":
        sys.exit(f"daemon.py: {final}")
    return wall * 1e3


def in_a_row(connection, rounds):
    """The same of a client that asks again and again, with 5 ms of its own work between, and nobody else."""
    walls = []
    for _ in range(rounds):
        walls.append(run_once(connection))
        time.sleep(0.005)
    return walls


class ToolCaller:
    """Runs code that calls two tools; results go over a second connection, as a client's pool has it."""

    REQUEST = request_bytes("POST", "/execute-code", {"tool_names": ["f"], "code": TWO_CALLS}, AUTHORIZED)

    def __init__(self, server):
        self.runs, self.results = server.connect(), server.connect()

    def answer(self, call):
        body = {"execution_id": call["execution_id"], "tool_call_id": call["id"], "result": None}
        self.results.send(request_bytes("POST", "/tool-results", body, AUTHORIZED))

    def taken(self):
        if (response := self.results.response()).status != 200:
            sys.exit(f"daemon.py: {response}")

    def measure(self):
        self.runs.send(self.REQUEST)
        events = self.runs.events(self.runs.head())
        first = next(events)
        begin = time.perf_counter()
        self.answer(first)
        second = next(events)
        wall = time.perf_counter() - begin
        self.taken()
        self.answer(second)
        [final] = events
        self.taken()
        if final["type"] != "success":
            sys.exit(f"daemon.py: {final}")
        return wall * 1e3


def host_calls(progtc):
    """Milliseconds of calls from code to a function of the host's own process; none where bench/host_call is not built."""
    build = pathlib.Path(progtc).resolve().parent.parent
    program = build / "bench" / "host_call"
    if not program.exists():
        return []
    ended = subprocess.run([program, build / "guest"], stdout=subprocess.PIPE, check=True)
    return [micros / 1e3 for micros in json.loads(ended.stdout)]


def interleave(contestants, rounds):
    """{name: [milliseconds of each round]} of {name: function}."""
    samples = {name: [] for name in contestants}
    order = list(contestants)
    for name in order:
        contestants[name]()  # once, untimed
    for _ in range(rounds):
        for name in order:
            samples[name].append(contestants[name]())
        order = order[1:] + order[:1]
    return samples


def programs(script):
    """{name: argv} of what is started anew for each run, and {name: why it cannot be measured}."""
    commands = cold_start.commands("", script)
    start = "import asyncio\nasync def main(): print('hi')\nasyncio.run(main())"
    found = {BARE: [cold_start.PYTHON, "-c", "print('hi')"], ASYNCIO: [cold_start.PYTHON, "-c", start]}
    found[BUBBLEWRAP] = commands[BUBBLEWRAP]
    absent = {name: why for name, argv in found.items() if (why := cold_start.rehearse(argv))}
    return {name: argv for name, argv in found.items() if name not in absent}, absent


def start_rate(argv, seconds, null):
    """Starts of a program a second, as many at once as there are processors."""
    path = shutil.which(argv[0], path=ENVIRONMENT["PATH"])
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]

    def start():
        running.add(os.posix_spawn(path, argv, ENVIRONMENT, file_actions=actions))

    running, ended = set(), 0
    begin = time.perf_counter()
    for _ in range(os.cpu_count()):
        start()
    while running:
        pid, status = os.waitpid(-1, 0)
        if pid not in running:
            continue
        running.remove(pid)
        if status != 0:
            sys.exit(f"daemon.py: {argv[0]} ended with status {os.waitstatus_to_exitcode(status)}")
        ended += 1
        if time.perf_counter() - begin < seconds:
            start()
    return ended / (time.perf_counter() - begin)


def parked_pss_kib(daemon_pid):
    """The proportional memory of each parked sandbox, init and worker together. Errors: PermissionError."""
    inner, parents = {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = pathlib.Path("/proc", entry, "status").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        parents[int(entry)] = int(fields["PPid"])
        inner[int(entry)] = [int(pid) for pid in fields.get("NSpid", "").split()]

    def is_below(pid):
        while pid and pid != daemon_pid:
            pid = parents.get(pid, 0)
        return pid == daemon_pid

    # Sandboxes are the deepest pid namespaces; their init is number 1 there.
    ours = [pid for pid in inner if is_below(pid) and pid != daemon_pid]
    depth = max((len(inner[pid]) for pid in ours), default=0)
    members = {pid: [pid] for pid in ours if len(inner[pid]) == depth and inner[pid][-1] == 1}
    for pid in ours:
        if parents[pid] in members:
            members[parents[pid]].append(pid)

    def pss(pid):
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))

    return [sum(map(pss, each)) for each in members.values() if len(each) > 1]


def settled_pss_kib(daemon_pid):
    """Once the pool is as full as it gets without a request."""
    begin = time.monotonic()
    counts = []
    while time.monotonic() - begin < 20:
        values = parked_pss_kib(daemon_pid)
        counts.append(len(values))
        if len(counts) >= 10 and counts[-1] and len(set(counts[-10:])) == 1:
            return values
        time.sleep(0.1)
    return []


class Table:
    ROW = "{:<24} {:<17} {:>8} {:>8} {:>8} {:>8}  {:<8} {:>7}".format

    def __init__(self):
        print(self.ROW("what", "who", "p10", "p50", "p90", "p99", "unit", "ratio"))

    def latency(self, what, samples, absent=()):
        ours = statistics.median(samples[OURS])
        for name, walls in samples.items():
            cells = [f"{percentile(walls, share):.2f}" for share in (0.1, 0.5, 0.9, 0.99)]
            print(self.ROW(what, name, *cells, "ms", f"{statistics.median(walls) / ours:.1f}"))
        for name, why in dict(absent).items():
            print(f"{what:<24} {name:<17} not measured: {why}")

    def rate(self, what, rates):
        for name, value in rates.items():
            print(self.ROW(what, name, "", f"{value:.0f}", "", "", "1/s", f"{rates[OURS] / value:.1f}"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("progtc")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each rate")
    parser.add_argument("--clients", type=int, default=8, help="for the rate")
    parser.add_argument("--server-command", help=argparse.SUPPRESS)  # in the place of progtc, to try the bench itself
    parser.add_argument("--json", help="write all samples to this file")
    options = parser.parse_args()
    command = options.server_command.split() if options.server_command else progtc(options.progtc)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)

    with tempfile.TemporaryDirectory() as folder, Server(command) as ours, Server(reference()) as polling:
        try:
            parked, why_no_pss = settled_pss_kib(ours.pid), "no parked sandbox found"
        except PermissionError:
            parked, why_no_pss = [], "reading the memory of a sandbox takes root"

        pathlib.Path(folder).chmod(0o755)
        ENVIRONMENT["HOME"] = folder
        script = pathlib.Path(folder, "print.py")
        script.write_text("print('hi')\n")
        starts, absent = programs(str(script))

        print(f"warm runs: {options.rounds} rounds, interleaved; rates: {options.seconds:g} s each")
        table = Table()
        servers = {OURS: ours, REFERENCE: polling}
        warm = {name: (lambda each=server.connect(): run_once(each)) for name, server in servers.items()}
        for name in (BARE, BUBBLEWRAP):
            if name in starts:
                path = shutil.which(starts[name][0], path=ENVIRONMENT["PATH"])
                warm[name] = lambda path=path, argv=starts[name]: cold_start.measure(path, argv, null)
        runs = interleave(warm, options.rounds)
        table.latency("print('hi')", runs, absent)
        row = in_a_row(ours.connect(), options.rounds)
        table.latency("print('hi'), in a row", {OURS: row})

        calls = interleave({name: ToolCaller(server).measure for name, server in servers.items()}, options.rounds)
        table.latency("tool call", calls)

        if in_process := host_calls(options.progtc):
            table.latency("tool call in process", {OURS: in_process})

        rates, crowd = {}, {}
        for name, server in servers.items():
            for count, seconds in ((options.clients, options.seconds), (MANY_CLIENTS, options.seconds)):
                walls, refused, elapsed = swarm(server.address, count, seconds)
                if refused:
                    print(f"{count} clients: {name} refused {refused}")
                if count == MANY_CLIENTS:
                    crowd[name] = walls
                else:
                    rates[name] = len(walls) / elapsed
        rates.update({name: start_rate(argv, options.seconds, null) for name, argv in starts.items()})
        table.rate(f"runs, {options.clients} clients", rates)
        table.latency(f"print('hi'), {MANY_CLIENTS} clients", crowd)
        if parked:
            mib = [kib / 1024 for kib in parked]
            cells = [f"{percentile(mib, share):.2f}" for share in (0.1, 0.5, 0.9, 0.99)]
            print(table.ROW(f"PSS parked, {len(mib)} of them", OURS, *cells, "MiB", ""))

    verdict("warm print('hi'), p50", statistics.median(runs[OURS]), RUN_BUDGET_MS, "ms")
    verdict("print('hi') in a row, p50", statistics.median(row), RUN_BUDGET_MS, "ms")
    verdict("tool call through SSE, p50", statistics.median(calls[OURS]), TOOL_BUDGET_MS, "ms")
    if in_process:
        verdict("tool call in process, p50", statistics.median(in_process), HOST_CALL_BUDGET_MS, "ms")
    else:
        print("budget: tool call in process: not measured: bench/host_call is not built")
    rate = rates[OURS]
    print(f"budget: runs a second: {rate:.0f}, {'met' if rate >= RATE_BUDGET else 'MISSED'} (at least {RATE_BUDGET})")
    spread = percentile(crowd[OURS], 0.99) / percentile(crowd[OURS], 0.5)
    verdict(f"{MANY_CLIENTS} clients, p99 over p50", spread, SPREAD_BUDGET, "times")
    if parked:
        verdict("memory of a parked sandbox (PSS)", statistics.median(parked) / 1024, PSS_BUDGET_MIB, "MiB")
    else:
        print(f"budget: memory of a parked sandbox: not measured: {why_no_pss}")
    if options.json:
        samples = {"runs": runs, "row": row, "calls": calls, "in_process": in_process, "rates": rates, "crowd": crowd, "parked_pss_kib": parked}
        pathlib.Path(options.json).write_text(json.dumps(samples))
    return 0 if parked and BARE in starts else 1


if __name__ == "__main__":
    sys.exit(main())
