"""The host's end of the channel, for tests of the guest: real frames over a real socketpair, answers from a function.

The guest runs in the interpreter that runs the tests, as the template would start it (`-I -S -B`), but confined by
nothing.
"""
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

GUEST = os.environ["PROGTC_GUEST"]  # the built guest: its package, and the helper, which is compiled
READY, CALL, REQUEST, DONE, LEAVE, JOB, REPLY, CANCEL = 1, 2, 3, 4, 5, 16, 17, 18
BARE_ENV = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}


class Run:
    """What one run left behind."""

    def __init__(self):
        self.ready = False
        self.calls = []
        self.done = None  # the last `done`
        self.done_count = 0
        self.stdout = b""
        self.stderr = b""
        self.returncode = None

    @property
    def out(self):
        return self.stdout.decode()

    @property
    def err(self):
        return self.stderr.decode()


class Host:
    """Answers calls. `answer(host, call)` is called for each, in the order of arrival, and uses `reply` and `send`."""

    def __init__(self, sock, answer, run):
        self.sock = sock
        self.answer = answer
        self.run = run

    def send(self, kind, payload):
        if not isinstance(payload, bytes):
            payload = json.dumps(payload, ensure_ascii=kind != JOB).encode()  # as the real host: no escapes in a job
        self.sock.sendall(struct.pack("<IB", len(payload), kind) + payload)

    def reply(self, call, result):
        self.send(REPLY, {"id": call["id"], "result": result})

    def fail(self, call, kind, type, message):
        self.send(REPLY, {"id": call["id"], "error": {"kind": kind, "type": type, "message": message}})

    def receive(self):
        header = self._exactly(5)
        if header is None:
            return None, None
        length, kind = struct.unpack("<IB", header)
        payload = self._exactly(length)
        return kind, json.loads(payload)

    def converse(self, job):
        while True:
            kind, message = self.receive()
            if kind is None:
                return
            if kind == READY:
                self.run.ready = True
                self.send(JOB, job)
            elif kind == CALL:
                self.run.calls.append(message)
                self.answer(self, message)
            elif kind == DONE:
                self.run.done = message
                self.run.done_count += 1
            elif kind == LEAVE:
                self.run.leaves = message
            else:
                raise AssertionError(f"frame of kind {kind}")

    def _exactly(self, length):
        data = bytearray()
        while len(data) < length:
            piece = self.sock.recv(min(length - len(data), 1 << 20))
            if not piece:
                assert not data, "end of file inside a frame"
                return None
            data += piece
        return bytes(data)


def echo(host, call):
    host.reply(call, [call["tool"], call["args"], call["kwargs"]])


def run_guest(code=None, *, mode="code", answer=echo, stdin=b"", tools=("add", "echo"), prelude="", **job):
    """Runs one job and returns its Run. `prelude` is Python that the template executes first."""
    with tempfile.TemporaryDirectory() as directory:
        job = {"mode": mode, "argv": ["-c"], "path": [], "site": [], "cwd": directory, "env": BARE_ENV,
               "tools": None if tools is None else list(tools), "frame_bytes": 16 << 20,
               "executable": sys.executable, **job}
        if code is not None:
            job["code"] = code
        job.setdefault("filename", "<string>" if mode == "code" else "script.py")
        return _run(job, answer, stdin, prelude)


def _run(job, answer, stdin, prelude):
    host_end, guest_end = socket.socketpair()
    fd = guest_end.fileno()
    start = (f"import posix; posix.dup2({fd}, 3); {fd} != 3 and posix.close({fd})\n"
             f"import sys; sys.path.insert(0, {os.path.abspath(GUEST)!r})\n"
             f"{prelude}\n"
             "from progtc_guest import runtime\n"
             "runtime.main(3)\n")
    process = subprocess.Popen([sys.executable, "-I", "-S", "-B", "-c", start], pass_fds=[fd, 3] if fd != 3 else [3],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=BARE_ENV)
    guest_end.close()
    run = Run()
    failures = []

    def serve():
        try:
            Host(host_end, answer, run).converse(job)
        except (ConnectionError, BrokenPipeError):
            pass
        except BaseException as error:
            failures.append(error)
            process.kill()

    server = threading.Thread(target=serve)
    server.start()
    run.stdout, run.stderr = process.communicate(stdin)
    run.returncode = process.returncode
    server.join()
    host_end.close()
    if failures:
        raise failures[0]
    return run


def run_bare(source, *, name="script.py", argv=(), stdin=b"", env=BARE_ENV, files=()):
    """Runs the source as a file under the bare interpreter; returns (stdout, stderr, returncode)."""
    with tempfile.TemporaryDirectory() as directory:
        for file, text in dict(files, **{name: source}).items():
            with open(os.path.join(directory, file), "wb") as out:
                out.write(text if isinstance(text, bytes) else text.encode())
        process = subprocess.run([sys.executable, "-B", name, *argv], input=stdin, env=env, cwd=directory,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Python makes the path of a script absolute; the tests' jobs give the name alone.
        prefix = os.path.realpath(directory) + "/"
        out, err = (text.decode().replace(prefix, "") for text in (process.stdout, process.stderr))
        return out, err, process.returncode
