#!/usr/bin/env python3
"""What code can do to the host through its channel, descriptor 3: channel_test.py [--as-user] [PROGTC_RUN] channel."""

import json
import os
import struct

import harness
from harness import SandboxTest
from table import compose, wait_until

READY, CALL, REQUEST, DONE, LEAVE, JOB, REPLY, CANCEL = 1, 2, 3, 4, 5, 16, 17, 18


def frame(kind, payload):
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return struct.pack("<IB", len(data), kind) + data


def call(number, tool="nothing", **more):
    return frame(CALL, {"id": number, "tool": tool, "args": [], "kwargs": {}, **more})


class Channel(SandboxTest):
    def send(self, data, wait=True, options=(), policy="strict"):
        """A run that writes these bytes to the channel in the place of the guest's own code."""
        script = self.lab.write("bytes.py", compose("channel_bytes").replace("bytes.fromhex(sys.argv[1])", repr(data)))
        script.write_text(script.read_text().replace('sys.argv[2:] == ["wait"]', repr(wait)))
        return self.lab.run("--timeout", "10", *options, script, policy=policy, timeout=30)

    def assert_violation(self, ended):
        self.assert_kind(ended, "protocol_violation")
        self.assertNotEqual(ended.status, 0)
        self.assertEqual(ended.out, b"writing\n")
        self.assertTrue(ended.report.cause, str(ended))

    def assert_went_on(self, ended, line="writing"):
        self.assert_kind(ended, "exited")
        self.assert_status(ended, 0)
        self.assertEqual(ended.text, f"{line}\n")

    def test_length_of_four_gibibytes(self):
        self.assert_violation(self.send(b"\xff\xff\xff\xff" + bytes([CALL])))

    def test_length_beyond_the_policys_frame(self):
        policy = self.lab.policy("strict", limits={"frame": "64KiB"})
        self.assert_violation(self.send(struct.pack("<IB", (64 << 10) + 1, CALL), policy=policy))

    def test_half_a_frame_and_the_end(self):
        self.assert_violation(self.send(call(1)[:-3], wait=False))

    def test_half_a_header_and_the_end(self):
        self.assert_violation(self.send(b"\x10\x00", wait=False))

    def test_what_is_not_json(self):
        for payload in (b"", b"garbage", b"{", b"[]", b"1", b"null", b"{} {}", b"{'id': 1}", b'{"id": NaN}', b"\xef\xbb\xbf{}"):
            with self.subTest(payload):
                self.assert_violation(self.send(frame(CALL, payload)))

    def test_what_is_not_utf8(self):
        for text in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"):
            with self.subTest(text):
                self.assert_violation(self.send(frame(CALL, b'{"id":1,"tool":"' + text + b'","args":[],"kwargs":{}}')))

    def test_lone_surrogates(self):
        for place in (b'"tool":"\\ud800","args":[]', b'"tool":"x","args":["\\udfff"]'):
            with self.subTest(place):
                self.assert_violation(self.send(frame(CALL, b'{"id":1,' + place + b',"kwargs":{}}')))

    def test_values_that_break_their_readers(self):
        for value in (b"1" * 5000, b"-" + b"1" * 309, b"1e400", b'{"a":1,"a":2}', b'[[{"\\u0061":1,"b":2,"a":3}]]'):
            with self.subTest(value):
                self.assert_violation(self.send(frame(CALL, b'{"id":1,"tool":"x","args":[' + value + b'],"kwargs":{}}')))
                self.assert_violation(self.send(frame(CALL, b'{"id":1,"tool":"x","args":[],"kwargs":{"k":' + value + b"}}")))
                self.assert_violation(self.send(frame(DONE, b'{"ok":true,"value":' + value + b"}")))

    def test_done_twice(self):
        done = frame(DONE, b'{"ok":true,"value":1}')
        self.assert_violation(self.send(done + done))

    def test_a_value_that_every_reader_takes_stays_exact(self):
        number = "9" * 308
        done = frame(DONE, b'{"ok":true,"value":[' + number.encode() + b',1e-400,{"a":1},{"a":2}]}')
        ended = self.send(done, wait=False)
        self.assert_went_on(ended)
        self.assertEqual(ended.report.json["value"], [int(number), 0.0, {"a": 1}, {"a": 2}])

    def test_a_hundred_thousand_brackets(self):
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            inner = b"1" if opening != b"[" else b""
            nested = opening * 100_000 + inner + closing * 100_000
            with self.subTest(opening):
                self.assert_violation(self.send(frame(CALL, b'{"id":1,"tool":"x","args":[' + nested + b'],"kwargs":{}}')))

    def test_brackets_never_closed(self):
        self.assert_violation(self.send(frame(CALL, b"[" * 200_000)))

    def test_wrong_shapes(self):
        whole = {"id": 1, "tool": "x", "args": [], "kwargs": {}}
        wrong = [{**whole, key: value} for key, value in
                 (("id", "1"), ("id", 1.5), ("id", None), ("tool", 1), ("tool", None), ("args", {}), ("kwargs", []))]
        wrong += [{key: value for key, value in whole.items() if key != missing} for missing in whole]
        for payload in wrong:
            with self.subTest(payload):
                self.assert_violation(self.send(frame(CALL, payload)))
        for payload in ([], {"ok": "yes"}, {}, {"ok": False, "error": "words"}):
            with self.subTest(done=payload):
                self.assert_violation(self.send(frame(DONE, payload)))

        for payload in ([], {}, {"status": "0"}, {"status": 256}, {"status": -1}, {"status": 0.5}, {"status": 0, "x": 1}):
            with self.subTest(leave=payload):
                self.assert_violation(self.send(frame(LEAVE, payload)))

    def test_unknown_kinds(self):
        for kind in (0, 6, 15, 19, 255):
            with self.subTest(kind):
                self.assert_violation(self.send(frame(kind, {})))

    def test_kinds_of_the_host(self):
        for kind, payload in ((JOB, {"mode": "code", "code": "1"}), (REPLY, {"id": 1, "result": 1}), (CANCEL, {"id": 1})):
            with self.subTest(kind):
                self.assert_violation(self.send(frame(kind, payload)))

    def test_an_id_used_again_while_it_is_pending(self):
        self.lab.write("tools/wait.yaml", "name: wait\ncommand: sleep\nargs: '30'\ntimeout: 30\n")
        tools = ("--tools", self.lab.path / "tools")
        self.assert_violation(self.send(call(7, "wait") + call(7, "wait"), options=tools))

    def test_an_id_used_again_when_it_is_free(self):
        code = """
import json, os, struct
os.set_blocking(3, True)
def ask():
    data = json.dumps({"id": 9_000_000, "tool": "nothing", "args": [], "kwargs": {}}).encode()
    os.write(3, struct.pack("<IB", len(data), 2) + data)
    size, kind = struct.unpack("<IB", os.read(3, 5))
    return kind, json.loads(os.read(3, size))["error"]["kind"]
print(*ask(), *ask())
"""
        ended = self.run_code(code, options=("--timeout", "10"))
        self.assert_status(ended, 0)
        self.assertRegex(ended.text, r"^17 (\w+) 17 \1\n$")

    def test_ids_at_the_ends_of_their_range(self):
        for number in (0, -1, 2**31, 2**53, 2**63 - 1):
            with self.subTest(number):
                ended = self.send(call(number), wait=False)
                self.assertIsNotNone(ended.report, str(ended))
                self.assertIn(ended.report.kind, ("exited", "protocol_violation"))

    def test_closing_it_and_going_on(self):
        script = self.lab.write("close.py", compose("channel_close"))
        self.assert_went_on(self.lab.run(script), "permitted: went on")

    def test_a_lie_about_the_end(self):
        lie = frame(DONE, {"ok": True, "value": 42})
        script = f"import os\nos.write(3, {lie!r})\nos._exit(7)\n"
        ended = self.run_code(script)
        self.assert_kind(ended, "exited")
        self.assert_status(ended, 7)

    def test_leaving_and_going_on(self):
        """Whoever says that it leaves has no further turn: neither the code nor its threads, and no child of its own."""
        leave = f"import os, threading\nos.write(3, {frame(DONE, {'ok': True}) + frame(LEAVE, {'status': 7})!r})\n"
        for goes_on in ("while True: pass", "while True: os.write(1, b'x')",
                        "import time\nthreading.Thread(target=time.sleep, args=(600,)).start()"):
            with self.subTest(goes_on):
                ended = self.run_code(leave + goes_on, options=("--timeout", "60"))
                self.assert_kind(ended, "exited")
                self.assert_status(ended, 7)
        with self.subTest("a child"):
            code = "import os\nif os.fork():\n    " + leave.replace("\n", "\n    ") + "while True: pass\nelse:\n    while True: pass\n"
            ended = self.run_code(code, options=("--timeout", "60", "--allow-degraded=cgroup"), policy="standard")
            self.assert_kind(ended, "exited")
            self.assert_status(ended, 7)

    def test_leaving_behind_output__twin(self):
        leave = frame(DONE, {"ok": True}) + frame(LEAVE, {"status": 0})
        ended = self.run_code(f"import os\nos.write(1, b'x' * 60_000)\nos.write(3, {leave!r})\nwhile True: pass")
        self.assert_status(ended, 0)
        self.assertEqual(len(ended.out), 60_000)

    def test_an_early_done_does_not_hide_a_signal(self):
        script = f"import os\nos.write(3, {frame(DONE, {'ok': True})!r})\nos.abort()\n"
        self.assert_kind(self.run_code(script), "signaled")

    def test_descriptors_nobody_asked_for(self):
        script = self.lab.write("flood.py", compose("channel_descriptor_flood"))
        command = self.lab.command("--timeout", "30", script, 60)
        with self.lab.start(command, stdin=harness.subprocess.PIPE) as process:
            try:
                line = harness.read_line(process)
                self.assertEqual(line, b"permitted: sent\n", process.stderr.read() if not line else "")
                held = wait_until(lambda: os.listdir(f"/proc/{process.pid}/fd"), what="the host's descriptors")
                self.assertLess(len(held), 200, "the host keeps the descriptors it is sent")
            finally:
                process.communicate(b"", timeout=30)
        self.assertEqual(process.returncode, 0)

    def test_calls_whose_replies_nobody_reads(self):
        script = self.lab.write("flood.py", compose("channel_call_flood"))
        before = harness.resource.getrusage(harness.resource.RUSAGE_CHILDREN).ru_maxrss
        ended = self.lab.run("--timeout", "20", script, 200_000, timeout=60)
        self.assertIn(b"permitted: sent\n", ended.out, str(ended))
        peak = harness.resource.getrusage(harness.resource.RUSAGE_CHILDREN).ru_maxrss
        if not harness.is_sanitized():
            self.assertLess(peak, max(before, 400 << 10), "KiB of the largest process")

    def test_tools_that_were_not_offered(self):
        code = """
import asyncio, tools
async def main():
    try:
        await tools.absent()
    except Exception as error:
        print(type(error).__name__)
try:
    asyncio.run(main())
except (AttributeError, ImportError) as error:
    print(type(error).__name__)
"""
        ended = self.run_code(code)
        self.assert_status(ended, 0)
        self.assertRegex(ended.text, r"^(ToolError|AttributeError|ImportError|ModuleNotFoundError)\n$")

    def test_permitted_calls_are_answered__twin(self):
        self.lab.write("tools/echo.yaml", "name: say\ncommand: echo\nargs: '{words}'\n")
        code = "import asyncio\nfrom tools import say\nprint(asyncio.run(say(words='hello')).strip())"
        ended = self.run_code(code, options=("--tools", self.lab.path / "tools"))
        self.assertEqual(ended.out, b"hello\n", str(ended))
        self.assertEqual(ended.report.usage("tool_calls"), 1)

    def test_the_channel_is_no_way_to_a_path(self):
        names = "import os, socket\ns = socket.socket(fileno=os.dup(3))\nprint(repr(s.getsockname()), repr(s.getpeername()))"
        ended = self.run_code(names)
        self.assertRegex(ended.text, r"^(b?'' b?''|)\s*$")

    def test_probe_is_whole__twin(self):
        """The probe that writes raw bytes, with bytes that are well formed."""
        self.assert_went_on(self.send(frame(DONE, {"ok": True, "value": None}), wait=False))


GROUPS = {"channel": [Channel]}

if __name__ == "__main__":
    harness.main(GROUPS)
