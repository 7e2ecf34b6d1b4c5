#!/usr/bin/env python3
"""Writes what each fuzz target starts from: well-formed input, which random bytes take long to reach. Usage: seeds.py DIR

Each target's file says what its first bytes mean.
"""

import json
import pathlib
import struct
import sys

ROOT = pathlib.Path(__file__).absolute().parent.parent.parent


def frame(kind, payload):
    data = json.dumps(payload).encode()
    return struct.pack("<IB", len(data), kind) + data


def channel():
    ready = frame(1, {})
    call = frame(2, {"id": 1, "tool": "git.log", "args": [1, "é", None], "kwargs": {"a": {"b": [1e9, -0.5, True]}}})
    request = frame(3, {"id": 2, "namespace": "tools", "op": "list", "query": "x"})
    done = frame(4, {"ok": True, "value": {"a": 1}})
    leave = frame(5, {"status": 0})
    return [b"\x00" + ready + call + request + done + leave, b"\x01" + call, b"\x07" + request + done]


def execute(**more):
    return json.dumps({"tool_names": ["add", "sub"], "code": "print(1)", **more}).encode()


def request():
    files = {"a.txt": "eA==", "b/c.txt": ""}
    return [
        b"\x00" + execute(),
        b"\x00" + execute(stream=True, timeout=1.5, policy="strict", files=files),
        b"\x02" + execute(files=files),
        b"\x01" + json.dumps({"execution_id": "e" * 32, "tool_call_id": "c" * 32, "result": {"a": [1, None]}}).encode(),
        b"\x01" + json.dumps({"execution_id": "e", "tool_call_id": "c", "error": {"type": "E", "message": "m"}}).encode(),
    ]


def http():
    get = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
    post = b"POST /execute-code HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: 5\r\n\r\nhello"
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n"
    old = b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    return [bytes([step, kind]) + get + post + chunked + old + get for step, kind in ((0, 0), (1, 1), (7, 2), (0, 128))]


def sse():
    text = b'\xef\xbb\xbf: hello\n\ndata: {"type":\ndata: "stdout"}\nid: 4\nevent: e\nretry: 10\r\n\r\ndata:x\r\rdata\n\n'
    return [b"\x00" + text, b"\x01" + text]


def tool_yaml():
    files = sorted([*ROOT.glob("examples/tools/*.yaml"), *ROOT.glob("examples/demo/tools/*.yaml")])
    return [path.read_bytes().rstrip() + b"\n" + b'{"a": 1, "path": "x"}' for path in files]


def portable_json():
    return [b'{"a":[1,-2.5e+3,"x\\n\\u00e9\\ud83d\\ude00\xc3\xa9",true,false,null,{}],"b":{"c":[[]],"\\u0063x":1e300}}',
            b"[" + b"9" * 308 + b",-0.0,1e-400]"]


def policy_decode():
    return [path.read_bytes() for path in sorted((ROOT / "policies").glob("*.json")) if path.name != "schema.json"]


def main():
    for make in (channel, portable_json, request, http, sse, tool_yaml, policy_decode):
        folder = pathlib.Path(sys.argv[1], make.__name__ + "_fuzz")
        folder.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(make()):
            (folder / f"seed-{number}").write_bytes(data)


if __name__ == "__main__":
    main()
