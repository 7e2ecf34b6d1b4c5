#!/usr/bin/env python3
"""The protocol as its reference server serves it, to be measured beside ours. UNSAFE BY DESIGN: the code runs as you.

    bench/reference_server.py --port 0 --api-key KEY [--tool-call-timeout 10] [--code-execution-timeout 30]

What it imitates: each run is a forked process of the same interpreter that executes the code, compiled with top-level
await, with sys.stdout and sys.stderr replaced by buffers; server and process talk through a pipe that both look at
every 100 ms. Its weaknesses are kept as well: a timeout returns no output, sys.exit() ends a run without a final
message, an unknown execution id is status 500, a client that has gone is not noticed. What it does not imitate is a web
framework: HTTP is the little that a bench and the tests' client need, on asyncio, so it is faster than the original.

It listens on 127.0.0.1 only and says where on stderr. Nobody but the bench and the tests' own check should start it.
"""

import argparse
import ast
import asyncio
import contextlib
import hmac
import inspect
import io
import json
import multiprocessing
import signal
import sys
import time
import traceback
import types
import uuid

POLL = 0.1  # seconds, on both sides
MOST_BODY = 16 << 20
REASONS = {200: "OK", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed", 422: "Unprocessable Entity"}
ROUTES = {"/ping": "GET", "/execute-code": "POST", "/tool-results": "POST"}
FIELDS = {
    "/execute-code": {"tool_names": list, "code": str},
    "/tool-results": {"execution_id": str, "tool_call_id": str, "result": object},
}
# (revision A's code, revision C's type) of each ending.
FAILURES = {
    "compile": ("code_compilation_error", "syntax_error"),
    "runtime": ("code_runtime_error", "runtime_error"),
    "timeout": ("code_timeout_error", "timeout_error"),
}


class Waiting:
    """The run's end of the pipe: calls go out, results are looked for every POLL seconds."""

    def __init__(self, pipe, execution_id, timeout):
        self.pipe, self.execution_id, self.timeout = pipe, execution_id, timeout
        self.results = {}

    def tool(self, name):
        async def call(*args, **kwargs):
            call_id = uuid.uuid4().hex
            message = {"type": "tool_call", "id": call_id, "execution_id": self.execution_id, "tool_name": name}
            self.pipe.send({**message, "args": list(args), "kwargs": kwargs})
            deadline = time.monotonic() + self.timeout
            while True:
                while self.pipe.poll():
                    for_call, result = self.pipe.recv()
                    self.results[for_call] = result
                if call_id in self.results:
                    return self.results.pop(call_id)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no result of {name} within {self.timeout} s")
                await asyncio.sleep(POLL)

        call.__name__ = name
        return call


def execute(pipe, execution_id, request, tool_timeout):
    """The forked process: runs the code and sends its ending, (kind or "success", message, stdout, stderr)."""
    signal.set_wakeup_fd(-1)
    asyncio._set_running_loop(None)  # that of the server came along with the fork
    waiting = Waiting(pipe, execution_id, tool_timeout)
    tools = types.ModuleType("tools")
    for name in request["tool_names"]:
        setattr(tools, name, waiting.tool(name))
    sys.modules["tools"] = tools
    out, err = io.StringIO(), io.StringIO()
    kind, message = "success", ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = compile(request["code"], "<string>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except (SyntaxError, ValueError):
            kind, message = "compile", traceback.format_exc()
        else:
            try:
                function = types.FunctionType(code, {"__builtins__": __builtins__})
                if code.co_flags & inspect.CO_COROUTINE:
                    asyncio.run(function())
                else:
                    function()
            except Exception:
                kind, message = "runtime", traceback.format_exc()
    pipe.send((kind, message, out.getvalue(), err.getvalue()))


class HttpError(Exception):
    def __init__(self, status, detail):
        super().__init__(status, detail)
        self.status, self.detail = status, detail


def authenticate(headers, key):
    """The revision that the client's header stands for."""
    bearer = headers.get("authorization", "")
    if "x-progtc-api-key" in headers:
        given, revision = headers["x-progtc-api-key"], "c"
    elif bearer.startswith("Bearer "):
        given, revision = bearer.removeprefix("Bearer "), "a"
    else:
        raise HttpError(401, "Unauthorized")
    if not hmac.compare_digest(given.encode(), key.encode()):
        raise HttpError(401, "Unauthorized")
    return revision


def decode(path, body):
    try:
        value = json.loads(body)
    except ValueError as error:
        raise HttpError(422, [{"loc": ["body"], "msg": str(error), "type": "json_invalid"}]) from None
    if not isinstance(value, dict):
        raise HttpError(422, [{"loc": ["body"], "msg": "not an object", "type": "dict_type"}])
    faults = []
    for name, kind in FIELDS[path].items():
        if name not in value:
            faults.append({"loc": ["body", name], "msg": "Field required", "type": "missing"})
        elif not isinstance(value[name], kind):
            faults.append({"loc": ["body", name], "msg": "wrong type", "type": f"{kind.__name__}_type"})
    if faults:
        raise HttpError(422, faults)
    return value


class Server:
    def __init__(self, options):
        self.options = options
        self.pipes = {}  # execution id -> our end
        self.fork = multiprocessing.get_context("fork")

    async def serve(self):
        server = await asyncio.start_server(self.converse, "127.0.0.1", self.options.port)
        port = server.sockets[0].getsockname()[1]
        print(f"reference server: listening on http://127.0.0.1:{port}", file=sys.stderr, flush=True)
        async with server:
            await server.serve_forever()

    async def converse(self, reader, writer):
        try:
            while head := await self.read_head(reader):
                await self.answer(reader, writer, *head)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone; its run goes on, as the reference's does
        finally:
            writer.close()

    @staticmethod
    async def read_head(reader):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return None
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return method, path, headers

    async def answer(self, reader, writer, method, path, headers):
        body = await reader.readexactly(min(int(headers.get("content-length", 0)), MOST_BODY))
        try:
            if path not in ROUTES:
                raise HttpError(404, "Not Found")
            if method != ROUTES[path]:
                raise HttpError(405, "Method Not Allowed")
            if path == "/ping":
                self.send(writer, 200, {"status": "ok"})
                return
            revision = authenticate(headers, self.options.api_key)
            request = decode(path, body)
            if path == "/execute-code":
                await self.run(writer, request, revision)
            else:
                pipe = self.pipes[request["execution_id"]]
                pipe.send((request["tool_call_id"], request["result"]))
                self.send(writer, 200, None)
        except HttpError as error:
            self.send(writer, error.status, {"detail": error.detail})
        except KeyError:
            self.send(writer, 500, {"detail": "Internal Server Error"})

    @staticmethod
    def send(writer, status, value):
        body = json.dumps(value).encode()
        reason = REASONS.get(status, "Internal Server Error")
        writer.write(
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode() + body
        )

    async def run(self, writer, request, revision):
        execution_id = uuid.uuid4().hex
        ours, theirs = self.fork.Pipe()
        arguments = (theirs, execution_id, request, self.options.tool_call_timeout)
        process = self.fork.Process(target=execute, args=arguments, daemon=True)
        process.start()
        theirs.close()
        self.pipes[execution_id] = ours
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        try:
            async for message in self.messages(ours, process, revision):
                frame = f"data: {json.dumps(message)}\n\n".encode()
                writer.write(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")
                await writer.drain()
            writer.write(b"0\r\n\r\n")
        finally:
            del self.pipes[execution_id]
            ours.close()
            process.kill()
            process.join()

    async def messages(self, pipe, process, revision):
        deadline = time.monotonic() + self.options.code_execution_timeout
        while True:
            await asyncio.sleep(POLL)  # before the first look as well: the original's process starts more slowly than this one
            is_ended = not process.is_alive()
            try:
                while pipe.poll():
                    message = pipe.recv()
                    if isinstance(message, dict):
                        yield message
                    else:
                        yield final(revision, *message)
                        return
            except EOFError:
                return  # sys.exit(): no final message
            if is_ended:
                return
            if time.monotonic() > deadline:
                yield final(revision, "timeout", "Code execution timed out", "", "")
                return


def final(revision, kind, message, out, err):
    if kind == "success":
        return {"type": "success", "stdout": out, "stderr": err}
    code, name = FAILURES[kind]
    if revision == "a":
        return {"type": "error", "code": code, "message": message, "stdout": out, "stderr": err}
    return {"type": name, "stdout": out, "stderr": err + message}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--tool-call-timeout", type=float, default=10.0)
    parser.add_argument("--code-execution-timeout", type=float, default=30.0)
    server = Server(parser.parse_args())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve())


if __name__ == "__main__":
    main()
