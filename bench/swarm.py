"""Servers to be measured and the clients that keep them busy; for daemon.py and soak.py."""

import collections
import contextlib
import os
import pathlib
import re
import selectors
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent / "tests/e2e"))
from raw_http import Connection, request_bytes  # noqa: E402

KEY = "bench-5f0c2d"
AUTHORIZED = (("Authorization", f"Bearer {KEY}"),)
HELLO = request_bytes("POST", "/execute-code", {"tool_names": [], "code": "print('hi')"}, AUTHORIZED)
LISTENING = re.compile(r"listening on http://([^:/\s]+):(\d+)")


class Server:
    """A started server of the protocol, on an ephemeral port of 127.0.0.1. Use it in a with statement."""

    def __init__(self, command):
        self._log = tempfile.NamedTemporaryFile(prefix="bench-server-", suffix=".log")
        argv = [*command, "--port", "0", "--api-key", KEY]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        self.pid = self.process.pid
        deadline = time.monotonic() + 30
        while not (found := LISTENING.search(self.log)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                sys.exit(f"{argv[0]} does not listen: {self.log.strip()[-2000:]}")
            time.sleep(0.01)
        self.address = (found[1], int(found[2]))

    @property
    def log(self):
        return pathlib.Path(self._log.name).read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def connect(self):
        return Connection(self.address)

    def resident_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{self.pid}/status").read_text())[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def progtc(path):
    """The command of our daemon. The queue holds every client of the bench: being refused is not what is measured."""
    return [os.path.abspath(path), "serve", "--host", "127.0.0.1", "--queue", "256"]


def reference():
    return ["/usr/bin/python3", "-B", str(HERE / "reference_server.py")]


class Client:
    """One keep-alive connection of a swarm. It looks for the end of an answer and no closer."""

    def __init__(self, address):
        self.socket = Connection(address).socket
        self.socket.setblocking(False)
        self.answer = b""
        self.begun = 0.0

    def start(self):
        self.answer = b""
        self.begun = time.perf_counter()
        if self.socket.send(HELLO) != len(HELLO):
            sys.exit("a request does not fit into a socket's buffer")

    def read(self):
        """Takes what has come; returns the status when the answer is complete."""
        piece = self.socket.recv(1 << 16)
        if not piece:
            sys.exit(f"the server closed a connection after {self.answer[-500:]!r}")
        self.answer += piece
        end = self.answer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self.answer[:end].lower()
        if b"transfer-encoding: chunked" in head:
            is_complete = self.answer.endswith(b"\r\n0\r\n\r\n")
        else:
            is_complete = len(self.answer) == end + 4 + int(re.search(rb"content-length: *(\d+)", head)[1])
        return int(head[9:12]) if is_complete else None


def swarm(address, count, seconds, rate=None, each_second=lambda: None):
    """`count` clients in one thread run print('hi'), each as soon as its last one has ended, or together `rate` times a
    second. Returns ([milliseconds of each run], {status: how many of those that are not 200}, elapsed seconds)."""
    clients = [Client(address) for _ in range(count)]
    selector = selectors.DefaultSelector()
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
    idle = collections.deque(clients)
    walls, refused = [], collections.Counter()
    begun = last_second = time.perf_counter()
    started = 0
    with contextlib.closing(selector):
        while (now := time.perf_counter()) - begun < seconds or len(idle) < count:
            is_over = now - begun >= seconds
            while idle and not is_over and (rate is None or started < (now - begun) * rate):
                idle.popleft().start()
                started += 1
            pause = 1.0 if rate is None or is_over or not idle else max(0.0, begun + (started + 1) / rate - now)
            for key, _ in selector.select(pause):
                client = key.data
                if (status := client.read()) is None:
                    continue
                if status != 200:
                    refused[status] += 1
                elif b'"success"' in client.answer and b"hi\\n" in client.answer:
                    walls.append((time.perf_counter() - client.begun) * 1e3)
                else:
                    sys.exit(f"an answer that is none: {client.answer[-1000:]!r}")
                idle.append(client)
            if now - last_second >= 1:
                last_second = now
                each_second()
    elapsed = time.perf_counter() - begun
    for client in clients:
        client.socket.close()
    return walls, dict(refused), elapsed
