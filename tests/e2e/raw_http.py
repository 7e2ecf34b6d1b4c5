"""HTTP/1.1 by hand on a blocking socket: says exactly what a test wants said, and costs a bench next to nothing."""

import dataclasses
import json
import socket

PIECE = 1 << 16
MOST_HEAD = 1 << 16


@dataclasses.dataclass(frozen=True)
class Head:
    status: int
    headers: dict  # names in lower case

    def says(self, name, word):
        return word in self.headers.get(name, "").lower()


@dataclasses.dataclass(frozen=True)
class Response:
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


def request_bytes(method, path, body=None, headers=(), host="127.0.0.1"):
    """A whole request. `body` is bytes, or a value to be sent as JSON; `headers` are pairs."""
    lines = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host is not None else [])]
    if body is not None:
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            lines.append("Content-Type: application/json")
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


class Connection:
    """`address` is (host, port) or the path of a Unix socket. Errors: EOFError when the server closes inside an answer,
    ValueError for what is no HTTP, socket.timeout."""

    def __init__(self, address, timeout=60):
        if isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(str(address))
        self._read = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def is_closed_by_peer(self):
        """Waits for the server to close; False when it sends something instead."""
        return not self._read and not self._more()

    def request(self, method, path, body=None, headers=(), host="127.0.0.1"):
        self.send(request_bytes(method, path, body, headers, host))
        return self.response(method == "HEAD")

    def response(self, is_to_head=False):
        head = self.head()
        body = b"" if is_to_head else b"".join(self.pieces(head))
        return Response(head.status, head.headers, body)

    def head(self):
        end = -1
        while (end := self._read.find(b"\r\n\r\n")) < 0:
            if len(self._read) > MOST_HEAD:
                raise ValueError(f"no end of the head within {MOST_HEAD} bytes")
            self._need_more("an answer's head")
        first, *lines = self._take(end + 4)[:-4].decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise ValueError(f"not HTTP: {first!r}")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Head(int(rest[:3]), headers)

    def pieces(self, head):
        """The body, as it comes."""
        if head.status in (204, 304) or head.status < 200:
            return
        if head.says("transfer-encoding", "chunked"):
            while size := int(self._line(), 16):
                yield self._exactly(size)
                if self._line() != b"":
                    raise ValueError("no line end behind a chunk")
            while self._line() != b"":
                pass  # trailers
        elif "content-length" in head.headers:
            if length := int(head.headers["content-length"]):
                yield self._exactly(length)
        else:
            while self._read or self._more():
                yield self._take(len(self._read))

    def events(self, head):
        """The JSON objects of a stream of server-sent events; comments are left out."""
        text = b""
        for piece in self.pieces(head):
            text += piece
            while (end := text.find(b"\n\n")) >= 0:
                frame, text = text[:end], text[end + 2 :]
                if frame.startswith(b"data: "):
                    yield json.loads(frame[6:])
        if text:
            raise EOFError(f"the stream ends inside an event: {text[:200]!r}")

    def _more(self):
        data = self.socket.recv(PIECE)
        self._read += data
        return bool(data)

    def _need_more(self, what):
        if not self._more():
            raise EOFError(f"closed where {what} was to come, after {bytes(self._read[:200])!r}")

    def _take(self, size):
        data = bytes(self._read[:size])
        del self._read[:size]
        return data

    def _exactly(self, size):
        while len(self._read) < size:
            self._need_more(f"a body of {size} bytes")
        return self._take(size)

    def _line(self):
        while (end := self._read.find(b"\r\n")) < 0:
            self._need_more("a line")
        return self._take(end + 2)[:-2]
