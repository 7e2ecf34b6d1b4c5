"""A client of the progtc protocol, independent of ours: written from the protocol's description, for the tests.

It behaves as the published clients do, in both revisions:
    "a"  Authorization: Bearer KEY; failures are {"type": "error", "code": "code_..._error", "message"}
    "c"  X-Progtc-API-Key: KEY; failures are {"type": "syntax_error" | "runtime_error" | "timeout_error"}
It gives up after 5 s without a byte, ignores keys that it does not know, and refuses types of messages that it does not
know, the other revision's among them. What the protocol adds to theirs (stream, error results) is used when asked for.
"""

import asyncio
import dataclasses
import json
import re

import httpx

READ_TIMEOUT = 5.0  # httpx's own default, which the published clients keep
HEX_ID = re.compile(r"[0-9a-f]{32}\Z")
KINDS = {
    "a": {"code_compilation_error": "compile", "code_runtime_error": "runtime", "code_timeout_error": "timeout"},
    "c": {"syntax_error": "compile", "runtime_error": "runtime", "timeout_error": "timeout"},
}


class ProtocolError(Exception):
    """What the server sent is not the protocol, in the client's revision."""


class StatusError(Exception):
    def __init__(self, status, headers, body):
        super().__init__(f"status {status}: {body[:2000]!r}")
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class ToolFailure(Exception):
    """Raised by a handler: the code gets ToolError(type, message)."""

    def __init__(self, type, message):
        super().__init__(type, message)
        self.type, self.message = type, message


@dataclasses.dataclass(frozen=True)
class ToolCall:
    id: str
    execution_id: str
    tool_name: str
    args: list
    kwargs: dict


@dataclasses.dataclass(frozen=True)
class Final:
    kind: str  # "success", "compile", "runtime" or "timeout", whatever the revision calls it
    stdout: str
    stderr: str
    message: str  # revision A's, else empty
    json: dict  # all of it
    output: list  # (stream, data) of the events that came with stream=True
    comments: int  # how many the server sent to keep the connection alive


def field(message, name, kind):
    if not isinstance(message.get(name), kind):
        raise ProtocolError(f"'{name}' is missing or of another type in {str(message)[:2000]}")
    return message[name]


def decode_tool_call(message):
    call = ToolCall(*(field(message, name, str) for name in ("id", "execution_id", "tool_name")),
                    field(message, "args", list), field(message, "kwargs", dict))  # fmt: skip
    for value in (call.id, call.execution_id):
        if not HEX_ID.match(value):
            raise ProtocolError(f"not 32 hex digits: {value!r}")
    return call


def decode_final(message, wire, output=(), comments=0):
    name = field(message, "type", str)
    if name == "success":
        kind = "success"
    elif wire == "a" and name == "error":
        kind = KINDS["a"].get(field(message, "code", str))
    else:
        kind = KINDS["c"].get(name) if wire == "c" else None
    if kind is None:
        raise ProtocolError(f"no message of revision {wire.upper()}: {str(message)[:2000]}")
    words = field(message, "message", str) if name == "error" else ""
    out, err = field(message, "stdout", str), field(message, "stderr", str)
    return Final(kind, out, err, words, message, list(output), comments)


class EventParser:
    """Server-sent events, as the HTML standard reads them: bytes in, data and comments out."""

    def __init__(self):
        self._line = b""
        self._data = []
        self.comments = 0

    @property
    def is_between_events(self):
        return not self._line and not self._data

    def feed(self, piece):
        *lines, self._line = (self._line + piece).split(b"\n")
        for line in lines:
            line = line.removesuffix(b"\r").decode("utf-8")
            if not line:
                if self._data:
                    yield "\n".join(self._data)
                self._data = []
            elif line.startswith(":"):
                self.comments += 1
            elif line.startswith("data:"):
                self._data.append(line[5:].removeprefix(" "))


class Client:
    """One httpx client, for any number of runs at a time. `base_url` is http://HOST:PORT, or unix:PATH. `wire` is the
    revision whose messages it accepts; its key goes into the header of the revision `key_header`, the same by default."""

    def __init__(self, base_url, api_key, wire="a", key_header=None, headers=()):
        transport = None
        if base_url.startswith("unix:"):
            transport = httpx.AsyncHTTPTransport(uds=base_url.removeprefix("unix:"))
            base_url = "http://localhost"
        is_bearer = (key_header or wire) == "a"
        own = {"Authorization": f"Bearer {api_key}"} if is_bearer else {"X-Progtc-API-Key": api_key}
        self.wire = wire
        self.http = httpx.AsyncClient(
            base_url=base_url, headers={**own, **dict(headers)}, timeout=httpx.Timeout(READ_TIMEOUT), transport=transport,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None), trust_env=False,
        )  # fmt: skip

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.http.aclose()

    async def ping(self):
        return (await self.http.get("/ping")).status_code

    async def post_result(self, execution_id, tool_call_id, **result):
        """result=VALUE or error={"type", "message"}. Errors: StatusError."""
        body = {"execution_id": execution_id, "tool_call_id": tool_call_id, **result}
        answer = await self.http.post("/tool-results", json=body)
        if answer.status_code != 200:
            raise StatusError(answer.status_code, answer.headers, answer.content)
        if answer.json() is not None:
            raise ProtocolError(f"/tool-results answers {answer.content[:200]!r}, not null")

    async def execute_code(self, code, tool_call_handlers=None, on_tool_call=None, **fields):
        """Runs code to its final message. Every tool call is answered by its handler (a function or coroutine function)
        in a task of its own; with `on_tool_call` instead, that is awaited with the ToolCall and answers it, or does not.
        Errors: StatusError, ProtocolError, those of httpx, and whatever `on_tool_call` raises."""
        handlers = tool_call_handlers or {}
        body = {"tool_names": list(handlers), "code": code, **fields}
        answers = set()
        try:
            # A pool limit of none: a run that waits for its results must not keep the results from being posted.
            async with self.http.stream("POST", "/execute-code", json=body) as response:
                if response.status_code != 200:
                    raise StatusError(response.status_code, response.headers, await response.aread())
                if not response.headers["content-type"].startswith("text/event-stream"):
                    raise ProtocolError(f"content type {response.headers['content-type']}")
                return await self._follow(response, handlers, on_tool_call, fields.get("stream", False), answers)
        finally:
            for answer in answers:
                answer.cancel()
            await asyncio.gather(*answers, return_exceptions=True)

    async def _follow(self, response, handlers, on_tool_call, is_streaming, answers):
        parser, output, final = EventParser(), [], None
        async for piece in response.aiter_raw():
            for data in parser.feed(piece):
                if final:
                    raise ProtocolError(f"an event behind the final message: {data[:2000]}")
                message = json.loads(data)
                name = field(message, "type", str)
                if name == "tool_call":
                    call = decode_tool_call(message)
                    answer = on_tool_call(call) if on_tool_call else self._answer(call, handlers)
                    answers.add(asyncio.ensure_future(answer))
                elif is_streaming and name in ("stdout", "stderr"):
                    output.append((name, field(message, "data", str)))
                else:
                    final = decode_final(message, self.wire)
        if final is None or not parser.is_between_events:
            raise ProtocolError("the stream ends without a final message")
        for answer in answers:
            if answer.done() and not answer.cancelled() and answer.exception():
                raise answer.exception()
        return dataclasses.replace(final, output=output, comments=parser.comments)

    async def _answer(self, call, handlers):
        if call.tool_name not in handlers:
            raise ProtocolError(f"a call of '{call.tool_name}', which was not offered")
        try:
            result = handlers[call.tool_name](*call.args, **call.kwargs)
            if asyncio.iscoroutine(result):
                result = await result
            answer = {"result": result}
        except ToolFailure as failure:
            answer = {"error": {"type": failure.type, "message": failure.message}}
        await self.post_result(call.execution_id, call.id, **answer)
