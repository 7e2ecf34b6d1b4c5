#!/usr/bin/env python3
"""`progtc serve` as its clients use it, from outside: the real daemon and a client that shares no code with it.

    /usr/bin/python3 tests/e2e/daemon_test.py [--as-user] [--progtc build/dev/bin/progtc] GROUP

Needs python3-httpx, hence the system's Python. progtc-run is expected beside progtc. Daemons listen on ephemeral ports of
127.0.0.1 and on Unix sockets in a directory of the test. What a daemon leaves behind is found by its process ids, by new
control groups without a process, by mounts, and by names that carry its process id, whoever else is at work on the machine.
"""

import argparse
import asyncio
import base64
import contextlib
import fcntl
import functools
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import stat
import subprocess
import textwrap
import time
import urllib.request

import daemon_lab
import harness
from daemon_lab import KEY, DaemonTest, alive, files_of, for_the_reference_too, mounts, settled
from progtc_client import Final, StatusError, ToolFailure, decode_final
from raw_http import Connection, request_bytes
from table import wait_until

AUTHORIZED = (("Authorization", f"Bearer {KEY}"),)
NO_ID = "0" * 32
FOREVER = "import time\nprint('started', flush=True)\ntime.sleep(600)\n"
SAY_STARTED = "from tools import started\nprint('started', flush=True)\nawait started()\n"
UNAUTHORIZED = "Unauthorized"


def is_truncated(final):
    """The flag is one for both streams, or an object with one for each."""
    truncated = final.json["truncated"]
    return any(truncated.values()) if isinstance(truncated, dict) else truncated


def words_of(final):
    """Where a failure is explained: revision A's message, revision C's stderr."""
    return final.message + final.stderr


async def wait_for(event, seconds=60):
    await asyncio.wait_for(event.wait(), harness.slower(seconds))


class Revisions(DaemonTest):
    """The two revisions of the protocol, and who decides which one is spoken."""

    @for_the_reference_too
    def test_ping_needs_no_key(self):
        with self.daemon.connect() as connection:
            self.assertEqual(connection.request("GET", "/ping").status, 200)

    @for_the_reference_too
    def test_success(self):
        for wire in self.in_both():
            final = self.execute("import sys\nprint('out')\nprint('err', file=sys.stderr)", wire=wire)
            self.assertEqual((final.kind, final.stdout, final.stderr), ("success", "out\n", "err\n"))
            self.assertEqual(final.json["type"], "success")

    @for_the_reference_too
    def test_compile_error(self):
        for wire in self.in_both():
            final = self.execute("print('never')\nx = = 1\n", wire=wire)
            self.assert_ends(final, "compile")
            self.assertEqual(final.stdout, "")
            self.assertIn("SyntaxError: invalid syntax", words_of(final))

    @for_the_reference_too
    def test_runtime_error(self):
        for wire in self.in_both():
            final = self.execute("print('before')\n1 / 0\n", wire=wire)
            self.assert_ends(final, "runtime")
            self.assertEqual(final.stdout, "before\n")
            self.assertIn("ZeroDivisionError: division by zero", words_of(final))

    @for_the_reference_too
    def test_timeout(self):
        daemon = self.serve("--code-execution-timeout", "1")
        for wire in self.in_both():
            self.assert_ends(self.execute("import time\ntime.sleep(600)", wire=wire, daemon=daemon), "timeout")

    def test_both_headers_at_once(self):
        """The protocol does not say which one wins; the answer has to be wholly of one revision."""
        with self.daemon.connect() as connection:
            headers = [*AUTHORIZED, ("X-Progtc-API-Key", KEY)]
            connection.send(request_bytes("POST", "/execute-code", {"tool_names": [], "code": "1/0"}, headers))
            *_, final = connection.events(connection.head())
        self.assertEqual(decode_final(final, "a" if final["type"] == "error" else "c").kind, "runtime")

    def test_the_request_names_the_revision(self):
        for wire, other in ("ac", "ca"):
            with self.subTest(wire):
                how = {"key_header": other, "headers": {"X-Progtc-Wire": wire}}
                self.assert_ends(self.execute("1/0", wire=wire, client=how), "runtime")

    def test_the_request_names_no_revision_there_is(self):
        with self.daemon.connect() as connection:
            headers = [*AUTHORIZED, ("X-Progtc-Wire", "z")]
            response = connection.request("POST", "/execute-code", {"tool_names": [], "code": "1"}, headers)
        self.assertIn(response.status, (400, 422), response)
        self.assertIn("wire", json.dumps(response.json()["detail"]).lower())

    def test_the_option_names_the_revision(self):
        for wire, other in ("ac", "ca"):
            daemon = self.serve("--wire", wire)
            with self.subTest(wire):
                self.assert_ends(self.execute("1/0", wire=wire, daemon=daemon, client={"key_header": other}), "runtime")
            with self.subTest(wire, over_the_option=other):
                how = {"key_header": wire, "headers": {"X-Progtc-Wire": other}}
                self.assert_ends(self.execute("1/0", wire=other, daemon=daemon, client=how), "runtime")

    @for_the_reference_too
    def test_frames(self):
        with self.daemon.connect() as connection:
            body = {"tool_names": [], "code": "print('a\\n\\nb\\r\\n')"}
            response = connection.request("POST", "/execute-code", body, AUTHORIZED)
        self.assertEqual(response.headers["content-type"].split(";")[0], "text/event-stream")
        self.assertTrue(response.body.endswith(b"\n\n"))
        frames = [frame for frame in response.body.split(b"\n\n") if frame and not frame.startswith(b":")]
        self.assertEqual(len(frames), 1, frames)
        self.assertTrue(frames[0].startswith(b"data: "))
        self.assertEqual(json.loads(frames[0][6:])["stdout"], "a\n\nb\r\n\n")

    def test_a_quiet_run_outlasts_the_clients_patience(self):
        """12 s without output: the client gives up after 5 s without a byte."""
        for wire in self.in_both():
            final = self.execute("import time\ntime.sleep(12)\nprint('done')", wire=wire)
            self.assert_prints(final, "done\n")
            self.assertGreaterEqual(final.comments, 3)

    def test_a_unix_socket(self):
        path = self.lab.path / "progtc.sock"
        daemon = self.start(unix=path)
        wait_until(lambda: daemon.process.poll() is not None or can_connect(path), 30, f"the socket of {daemon}")
        self.assertTrue(stat.S_ISSOCK(path.stat().st_mode), daemon)
        self.assertEqual(path.stat().st_mode & 0o077, 0, "others may not connect")
        for wire in self.in_both():
            final = self.execute("from tools import f\nprint(await f())", {"f": lambda: 7}, wire, daemon, {"is_unix": True})
            self.assert_prints(final, "7\n")
        self.assertEqual(daemon.stop(), 0, daemon)
        self.assertFalse(path.exists())


def can_connect(path):
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return True
    return False


class Code(DaemonTest):
    """What code sees, and what of its output comes back, however it ends."""

    options = ("--code-execution-timeout", "20")

    @for_the_reference_too
    def test_top_level_await(self):
        self.assert_prints(self.execute("import asyncio\nprint(await asyncio.sleep(0, 'awaited'))"), "awaited\n")

    @for_the_reference_too
    def test_names_that_functions_see(self):
        self.assert_prints(self.execute("import math\ndef area(r): return math.floor(math.pi * r)\nprint(area(2))"), "6\n")

    def test_code_of_its_own_event_loop(self):
        code = "import asyncio\nasync def main(): return await asyncio.sleep(0, 7)\nprint(asyncio.run(main()))"
        self.assert_prints(self.execute(code), "7\n")

    def test_name_is_main(self):
        self.assert_prints(self.execute("if __name__ == '__main__': print(__name__)"), "__main__\n")

    @for_the_reference_too
    def test_file_name_in_tracebacks(self):
        for wire in self.in_both():
            final = self.execute("def f():\n    raise ValueError('words')\nf()\n", wire=wire)
            self.assert_ends(final, "runtime")
            self.assertIn('File "<string>", line 2, in f', words_of(final))
            self.assertIn("ValueError: words", words_of(final))

    def test_no_insides_of_ours_in_tracebacks(self):
        for code in ("1/0", "x = = 1", "await 3", "from tools import f\nawait f()"):
            with self.subTest(code):
                final = self.execute(code, {"f": fail_with("E", "words")})
                self.assertNotIn("progtc_guest", words_of(final))

    def test_output_of_an_exception(self):
        self.assert_keeps_output("raise ValueError", "runtime", "exited")

    def test_output_of_a_timeout(self):
        self.assert_keeps_output("import time; time.sleep(600)", "timeout", "timeout", timeout=2)

    def test_output_of_a_busy_timeout(self):
        self.assert_keeps_output("while True: pass", "timeout", "timeout", timeout=2)

    def test_output_of_sys_exit(self):
        final = self.assert_keeps_output("sys.exit()", "success", "exited")
        self.assertEqual(final.json["exit"]["code"], 0)

    def test_output_of_sys_exit_with_a_status(self):
        final = self.assert_keeps_output("sys.exit(3)", "runtime", "exited")
        self.assertEqual(final.json["exit"]["code"], 3)

    def test_output_of_os_exit(self):
        final = self.assert_keeps_output("os._exit(4)", "runtime", "exited")
        self.assertEqual(final.json["exit"]["code"], 4)

    def test_output_of_a_signal(self):
        final = self.assert_keeps_output("os.abort()", "runtime", "signaled")
        self.assertEqual(final.json["exit"]["signal"], signal.SIGABRT)

    def assert_keeps_output(self, ending, kind, exit_kind, **fields):
        start = "import os, sys\nprint('out', flush=True)\nprint('err', file=sys.stderr, flush=True)\n"
        for wire in self.in_both():
            final = self.execute(start + ending, wire=wire, **fields)
            self.assert_ends(final, kind, exit_kind)
            self.assertEqual(final.stdout, "out\n")
            self.assertTrue(final.stderr.startswith("err\n"), final)
        return final

    def test_what_ended_the_code_is_the_last_line_of_stderr(self):
        """For revision C's clients, whose models drop `exit`; revision A has it in `message`."""
        limits = {"output": "64KiB", "cpu": "1s", "memory": "64MiB"}
        policy = self.lab.policy("strict", limits=limits)
        daemon = self.serve("--allow-policy", policy)
        start = "import os, sys\nos.write(2, b'no line end')\n"
        for code, line in (
            ("os._exit(3)", "the code ended with status 3"),
            ("sys.exit(4)", "the code ended with status 4"),
            ("import signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed by signal SIGKILL"),
            ("while True: print('x' * 1000)", "output reached 64KiB (limits.output)"),
            ("import time\ntime.sleep(600)", "wall time reached 2s (limits.wall)"),
            ("while True: pass", "processor time reached 1s (limits.cpu)"),
            ("x = []\nwhile True: x.append(bytearray(b'x' * (1 << 20)))", "memory reached 64MiB (limits.memory)"),
        ):
            if "memory" in line and not has_groups():
                continue
            with self.subTest(line):
                fields = {"policy": policy.stem, "timeout": 2 if "wall" in line else 20}
                final = self.execute(start + code, wire="c", daemon=daemon, stream=True, **fields)
                self.assertEqual(final.stderr, f"no line end\nprogtc: {line}\n")
                self.assertEqual("".join(data for name, data in final.output if name == "stderr"), final.stderr)
                final = self.execute(start + code, wire="a", daemon=daemon, **fields)
                self.assertEqual(final.stderr, "no line end")
        for code in ("1/0", "x = = 1", "sys.exit()", "pass"):
            with self.subTest(code):
                self.assertNotIn("progtc:", self.execute("import sys\n" + code, wire="c", daemon=daemon).stderr)

    def test_output_below_python(self):
        code = "import os\nos.write(1, b'raw out')\nos.write(2, b'raw err')"
        final = self.execute(code)
        self.assertEqual((final.kind, final.stdout, final.stderr), ("success", "raw out", "raw err"))

    def test_output_that_is_not_utf_8(self):
        final = self.execute("import os\nos.write(1, b'a\\xff\\xc3(b\\x00')")
        self.assertEqual(final.kind, "success")
        self.assertRegex(final.stdout, "^a\ufffd+\\(b\0$")

    @for_the_reference_too
    def test_output_of_a_megabyte(self):
        self.assert_prints(self.execute("print('x' * 1_000_000)"), "x" * 1_000_000 + "\n")

    def test_output_beyond_what_is_kept(self):
        final = self.execute("for _ in range(8): print('x' * (1 << 20), flush=True)")
        self.assertEqual(final.kind, "success")
        self.assertTrue(is_truncated(final))
        self.assertLess(len(final.stdout), 8 << 20)
        self.assertEqual(final.stdout[:1000], "x" * 1000)

    def test_output_right_before_the_end(self):
        for size in (1, 65_536, 65_537, 1_000_003):
            for wire in self.in_both():
                final = self.execute(f"print('x' * {size - 1})", wire=wire)
                self.assert_prints(final, "x" * (size - 1) + "\n")

    def test_code_that_says_it_leaves_and_stays(self):
        """The end of the conversation is the end of the run, whoever says it."""
        says = """
            import os, struct
            for kind, text in ((4, b'{"ok":true,"value":1}'), (5, b'{"status":0}')):
                os.write(3, struct.pack("<IB", len(text), kind) + text)
            %s
        """
        for stays in ("while True: pass", "while True: os.write(1, b'x')", "import time\n            time.sleep(600)"):
            with self.subTest(stays):
                before = self.daemon.descendants()
                self.assertEqual(self.execute(says % stays).kind, "success")
                run = self.daemon.descendants() - before
                wait_until(lambda gone=run: not daemon_lab.alive(gone - self.daemon.descendants()), 30, "its end")
        with self.subTest("with a status"):
            final = self.execute((says % "while True: pass").replace('"status":0', '"status":7'))
            self.assertEqual((final.kind, final.json["exit"]["code"]), ("runtime", 7), final)

    def test_nothing_on_standard_input(self):
        self.assert_prints(self.execute("import sys\nprint(repr(sys.stdin.read()))"), "''\n")

    def test_runs_share_nothing(self):
        code = "import builtins, os\nprint(os.listdir('.'), os.listdir('/tmp'), hasattr(builtins, 'mark'))\n"
        leave = "builtins.mark = 1\nopen('here', 'w').close()\nopen('/tmp/there', 'w').close()\n"
        for _ in range(5):
            self.assert_prints(self.execute(code + leave), "[] [] False\n")

    def test_secrets_of_the_host(self):
        code = f"""
            import os
            words = ({KEY!r}, {harness.SECRET_VALUE!r})
            print([word for word in words if word in str(os.environ) or word in open('/proc/self/cmdline').read()])
        """
        self.assert_prints(self.execute(code), "[]\n")

    def test_a_denial_is_named(self):
        final = self.execute("import socket\nsocket.create_connection(('127.0.0.1', 9))")
        self.assert_ends(final, "runtime", "exited")
        denials = [denial for denial in final.json["denials"] if denial["call"].startswith("socket(AF_INET")]
        self.assertEqual(len(denials), 1, final.json["denials"])
        self.assertIn("network", denials[0]["rule"])
        self.assertTrue(denials[0]["fix"])

    def test_a_memory_bomb(self):
        final = self.execute("x = []\nwhile True: x.append(bytearray(b'x' * (1 << 20)))")
        if has_groups():
            self.assert_ends(final, "runtime", "memory_limit")
        else:  # the limit is then each process's own, which Python can see coming
            self.assert_ends(final, "runtime")
            self.assertIn("MemoryError", words_of(final))


@functools.lru_cache
def has_groups():
    """Whether sandboxes of this user have control groups on this machine."""
    lab = harness.Lab()
    try:
        ended = lab.run("-c", "pass")
    finally:
        lab.close()
    return "cgroup" in ended.report.enforced_by("memory")


def fail_with(kind, message):
    def handler(*_, **__):
        raise ToolFailure(kind, message)

    return handler


class Tools(DaemonTest):
    """Calls of the client's functions."""

    @for_the_reference_too
    def test_arguments(self):
        calls = []

        def note(*args, **kwargs):
            calls.append((list(args), kwargs))
            return "noted"

        values = [None, True, 0, -1.5, 2**53, "ü\n\u2028\"\\", [], {}, [1, [2, {"a": None}]], {"x": {"y": [False]}}]
        for wire in self.in_both():
            calls.clear()
            code = f"from tools import note\nvalues = {values!r}\nprint(await note(*values, first=values, second={{'k': values}}))"
            self.assert_prints(self.execute(code, {"note": note}, wire), "noted\n")
            self.assertEqual(calls, [(values, {"first": values, "second": {"k": values}})])

    @for_the_reference_too
    def test_results(self):
        values = [None, True, False, 0, -1.5, 2**53, "", "ü\n\u2028\"\\", [], {}, [1, [2, {"a": None}]], "x" * 1_000_000]
        answers = iter(values)
        code = "from tools import f\nfor _ in range(%d): print(ascii(await f()))" % len(values)
        out = "".join(ascii(value) + "\n" for value in values)
        self.assert_prints(self.execute(code, {"f": lambda: next(answers)}), out)

    @for_the_reference_too
    def test_one_after_the_other(self):
        code = "from tools import add\nn = 0\nfor i in range(5): n = await add(n, i)\nprint(n)"
        for wire in self.in_both():
            self.assert_prints(self.execute(code, {"add": lambda a, b: a + b}, wire), "10\n")

    @for_the_reference_too
    def test_in_parallel(self):
        code = "import asyncio\nfrom tools import double\nprint(sum(await asyncio.gather(*[double(i) for i in range(50)])))"
        for wire in self.in_both():
            self.assert_prints(self.execute(code, {"double": lambda n: 2 * n}, wire), "2450\n")

    @for_the_reference_too
    def test_overlapping(self):
        """No handler answers before all have been called, and they answer in the opposite order."""
        count, arrived, answered = 10, [], []

        async def meet(number):
            arrived.append(number)
            while len(arrived) < count or len(answered) < count - 1 - number:
                await asyncio.sleep(0.01)
            answered.append(number)
            return number

        code = f"import asyncio\nfrom tools import meet\nprint(await asyncio.gather(*[meet(i) for i in range({count})]))"
        self.assert_prints(self.execute(code, {"meet": meet}), f"{list(range(count))}\n")
        self.assertEqual(answered, list(reversed(range(count))))

    @for_the_reference_too
    def test_several_tools(self):
        code = """
            import asyncio
            from tools import left, right
            print(await left(1), await right(1), *await asyncio.gather(left(2), right(2)))
        """
        self.assert_prints(self.execute(code, {"left": lambda n: f"l{n}", "right": lambda n: f"r{n}"}), "l1 r1 l2 r2\n")

    @for_the_reference_too
    def test_a_tool_that_was_not_offered(self):
        code = "try:\n    from tools import absent\nexcept ImportError as error:\n    print('absent' in str(error))"
        self.assert_prints(self.execute(code, {"other": lambda: None}), "True\n")

    @for_the_reference_too
    def test_runs_at_the_same_time_get_their_own_results(self):
        async def run():
            async with self.daemon.client() as client:
                code = "from tools import who\nprint(await who(), await who())"
                runs = (client.execute_code(code, {"who": lambda n=n: n}) for n in range(12))
                return await asyncio.gather(*runs)

        self.assertEqual([final.stdout for final in asyncio.run(run())], [f"{n} {n}\n" for n in range(12)])

    def test_a_handler_that_fails(self):
        code = """
            from tools import f, ToolError
            try:
                await f()
            except ToolError as error:
                print(type(error).__name__, error.type, error.message)
        """
        for wire in self.in_both():
            final = self.execute(code, {"f": fail_with("KeyError", "no such ü")}, wire)
            self.assert_prints(final, "ToolError KeyError no such ü\n")

    def test_a_failure_that_the_code_does_not_catch(self):
        final = self.execute("from tools import f\nawait f()", {"f": fail_with("KeyError", "no such thing")})
        self.assert_ends(final, "runtime", "exited")
        self.assertIn("no such thing", words_of(final))

    @for_the_reference_too
    def test_a_handler_that_never_answers(self):
        daemon = self.serve("--tool-call-timeout", "1")
        code = "from tools import f\ntry:\n    await f()\nexcept TimeoutError:\n    print('timed out')"
        for wire in self.in_both():
            self.assert_prints(self.execute(code, {"f": lambda: asyncio.sleep(600)}, wire, daemon), "timed out\n")

    def attempt(self, attack, code="from tools import f\nprint(await f())", answer="good"):
        """Runs code that calls f; `attack(client, call)` is awaited while the call is pending, then it is answered.
        Returns what the attack did and the Final."""
        done = []

        async def run():
            async with self.daemon.client() as client:

                async def on_call(call):
                    try:
                        done.append(await attack(client, call))
                    finally:
                        await client.post_result(call.execution_id, call.id, result=answer)

                return await client.execute_code(code, {"f": None}, on_call)

        return asyncio.run(run()), done

    async def refused(self, client, execution_id, tool_call_id, **result):
        """The status and detail that such a result gets."""
        try:
            await client.post_result(execution_id, tool_call_id, **(result or {"result": "bad"}))
        except StatusError as error:
            return error.status, error.json()["detail"]
        return 200, ""

    def test_ids_that_do_not_exist(self):
        async def forge(client, call):
            return [
                await self.refused(client, NO_ID, call.id),
                await self.refused(client, call.execution_id, NO_ID),
                await self.refused(client, call.id, call.execution_id),
                await self.refused(client, "", call.id),
                await self.refused(client, "../" + call.execution_id, call.id),
                await self.refused(client, call.execution_id.upper() + "x", call.id),
            ]

        final, [answers] = self.attempt(forge)
        self.assert_prints(final, "good\n")
        for number, (status, detail) in enumerate(answers):
            self.assertIn(status, (404,) if number < 3 else (404, 422), answers)
            self.assertTrue(detail)

    def test_a_second_result(self):
        statuses = []
        code = "from tools import f\nprint(await f(1))\nprint(await f(2))"

        async def run():
            async with self.daemon.client() as client:

                async def on_call(call):
                    if call.args == [2]:  # the first call has been answered, and the code has gone on
                        statuses.append(await self.refused(client, call.execution_id, first[0].id))
                    else:
                        first.append(call)
                    await client.post_result(call.execution_id, call.id, result="good")

                first = []
                final = await client.execute_code(code, {"f": None}, on_call)
                statuses.append(await self.refused(client, first[0].execution_id, first[0].id))
                return final

        self.assert_prints(asyncio.run(run()), "good\ngood\n")
        self.assertEqual(statuses[0][0], 409, statuses)
        self.assertIn(statuses[1][0], (404, 409), "the run has ended")

    def test_the_same_result_twice_at_once(self):
        async def race(client, call):
            return sorted([status for status, _ in await asyncio.gather(
                *[self.refused(client, call.execution_id, call.id, result="good") for _ in range(8)])])  # fmt: skip

        async def run():
            async with self.daemon.client() as client:
                return await client.execute_code(
                    "from tools import f, end\nprint(await f())\nawait end()", {"f": None, "end": None}, on_call_of(client))

        statuses = []

        def on_call_of(client):
            async def on_call(call):
                if call.tool_name == "f":
                    statuses.append(await race(client, call))
                    raced.set()
                else:
                    await wait_for(raced)
                    await client.post_result(call.execution_id, call.id, result=None)

            return on_call

        raced = asyncio.Event()
        self.assert_prints(asyncio.run(run()), "good\n")
        self.assertEqual(statuses, [[200] + [409] * 7])

    def test_a_result_for_another_runs_call(self):
        async def run():
            pending, answers = {}, []
            async with self.daemon.client() as client:

                async def on_call(call):
                    pending[call.args[0]] = call
                    if len(pending) == 2:
                        one, two = pending[1], pending[2]
                        answers.append(await self.refused(client, one.execution_id, two.id))
                        answers.append(await self.refused(client, two.execution_id, one.id))
                        for number, call in pending.items():
                            await client.post_result(call.execution_id, call.id, result=number)

                runs = [client.execute_code(f"from tools import f\nprint(await f({n}))", {"f": None}, on_call) for n in (1, 2)]
                return await asyncio.gather(*runs), answers

        (one, two), answers = asyncio.run(run())
        self.assert_prints(one, "1\n")
        self.assert_prints(two, "2\n")
        self.assertEqual([status for status, _ in answers], [404, 404], answers)

    def test_a_result_after_the_timeout(self):
        daemon = self.serve("--tool-call-timeout", "1")
        code = """
            from tools import f, late
            try:
                await f()
            except TimeoutError:
                print('timed out', await late())
        """
        answers = []

        async def run():
            async with daemon.client() as client:
                first = []

                async def on_call(call):
                    if call.tool_name == "f":
                        first.append(call)
                        return
                    answers.append(await self.refused(client, first[0].execution_id, first[0].id))
                    await client.post_result(call.execution_id, call.id, result="late")

                return await client.execute_code(textwrap.dedent(code), {"f": None, "late": None}, on_call)

        self.assert_prints(asyncio.run(run()), "timed out late\n")
        self.assertIn(answers[0][0], (404, 409), answers)

    def test_a_result_with_another_key(self):
        async def forge(client, call):
            async with self.daemon.client(key="wrong") as other:
                return await self.refused(other, call.execution_id, call.id)

        final, [answer] = self.attempt(forge)
        self.assert_prints(final, "good\n")
        self.assertEqual(answer, (401, UNAUTHORIZED))

    def test_a_result_that_is_none(self):
        async def forge(client, call):
            both = {"result": 1, "error": {"type": "E", "message": "m"}}
            wrong = {"error": "words"}, {"error": {"type": 1, "message": "m"}}, {"error": {"type": "E"}}, both
            body = {"execution_id": call.execution_id, "tool_call_id": call.id}
            neither = (await client.http.post("/tool-results", json=body)).status_code
            return [neither] + [(await self.refused(client, call.execution_id, call.id, **each))[0] for each in wrong]

        final, [statuses] = self.attempt(forge)
        self.assert_prints(final, "good\n")
        self.assertEqual(statuses, [422] * 5)


class Requests(DaemonTest):
    """HTTP as it comes, well meant and not."""

    RUN = {"tool_names": [], "code": "print('hi')"}

    def request(self, method, path, body=None, headers=AUTHORIZED, **how):
        with self.daemon.connect() as connection:
            return connection.request(method, path, body, headers, **how)

    def assert_serves(self):
        """Whatever was sent before: the next client is served."""
        self.assert_prints(self.execute("print('hi')"), "hi\n")

    @for_the_reference_too
    def test_keys(self):
        wrong = ["wrong", "", KEY[:-1], KEY[1:], KEY + "x", KEY + KEY, KEY.upper(), KEY * 50, "x" * len(KEY), f"{KEY}, {KEY}", "\xe9"]
        for path, body in (("/execute-code", self.RUN), ("/tool-results", {"execution_id": NO_ID, "tool_call_id": NO_ID, "result": 1})):
            headers = [[("Authorization", f"Bearer {key}")] for key in wrong] + [[("X-Progtc-API-Key", key)] for key in wrong]
            headers += [[], [("Authorization", "Bearer")], [("Authorization", KEY)], [("Authorization", f"Basic {KEY}")]]
            for each in headers:
                with self.subTest(path, headers=each):
                    self.assert_detail(self.request("POST", path, body, each), 401, UNAUTHORIZED)
        self.assert_serves()

    def test_nobody_without_a_key_learns_what_is_wrong_with_a_body(self):
        self.assert_detail(self.request("POST", "/execute-code", b"{", ()), 401, UNAUTHORIZED)

    @for_the_reference_too
    def test_no_such_path(self):
        for path in ("/", "/nothing", "/ping/x", "/execute-code/", "//ping", "/../ping"):
            with self.subTest(path):
                self.assert_detail(self.request("GET", path), 404, "Not Found")

    @for_the_reference_too
    def test_no_such_method(self):
        for method, path in (("POST", "/ping"), ("GET", "/execute-code"), ("DELETE", "/tool-results"), ("PUT", "/execute-code")):
            with self.subTest(f"{method} {path}"):
                self.assert_detail(self.request(method, path), 405, "Method Not Allowed")

    @for_the_reference_too
    def test_a_missing_field(self):
        for path, body, missing in (
            ("/execute-code", {"tool_names": []}, ["code"]),
            ("/execute-code", {"code": ""}, ["tool_names"]),
            ("/execute-code", {}, ["code", "tool_names"]),
            ("/tool-results", {"tool_call_id": NO_ID, "result": 1}, ["execution_id"]),
            ("/tool-results", {"execution_id": NO_ID, "result": 1}, ["tool_call_id"]),
        ):
            with self.subTest(path, missing=missing):
                response = self.request("POST", path, body)
                self.assertEqual(sorted(fault["loc"][1] for fault in self.faults(response)), missing)

    @for_the_reference_too
    def test_a_field_of_another_type(self):
        for body, loc in (
            ({"tool_names": [], "code": 5}, ["body", "code"]),
            ({"tool_names": [], "code": None}, ["body", "code"]),
            ({"tool_names": "f", "code": ""}, ["body", "tool_names"]),
        ):
            with self.subTest(str(body)):
                response = self.request("POST", "/execute-code", body)
                self.assertEqual([fault["loc"] for fault in self.faults(response)], [loc])

    def test_a_tool_name_that_is_none(self):
        for name in (1, None, "", "a b", "1x", "a-b.c/d", "class\n", "x" * 10_000):
            with self.subTest(str(name)[:20]):
                response = self.request("POST", "/execute-code", {"tool_names": ["f", name], "code": ""})
                self.assertEqual(self.faults(response)[0]["loc"][:2], ["body", "tool_names"])

    @for_the_reference_too
    def test_a_body_that_is_no_json(self):
        for body in (b"", b"{", b"code=print", b"\xff\xfe", b'{"code": "\xff", "tool_names": []}', b"[]", b"null", b"{} {}"):
            with self.subTest(body):
                self.assertEqual(self.faults(self.request("POST", "/execute-code", body))[0]["loc"][0], "body")
        self.assert_serves()

    def faults(self, response):
        """The list of a 422 answer, of FastAPI's shape."""
        self.assertEqual(response.status, 422, response)
        detail = response.json()["detail"]
        self.assertTrue(isinstance(detail, list) and detail, detail)
        for fault in detail:
            self.assertTrue(isinstance(fault["loc"], list) and fault["loc"], fault)
            self.assertTrue(isinstance(fault["msg"], str) and fault["msg"], fault)
            self.assertTrue(isinstance(fault["type"], str) and fault["type"], fault)
        return detail

    def test_a_body_of_many_brackets(self):
        for body in (b"[" * 500_000, b'{"code": ' + b"[" * 500_000, b'{"tool_names": [], "code": "", "files": ' + b'{"a":' * 100_000):
            self.faults(self.request("POST", "/execute-code", body))
        self.assert_serves()

    def test_a_body_that_is_too_large(self):
        with self.daemon.connect() as connection:
            head = [*AUTHORIZED, ("Content-Length", str(10 << 30)), ("Content-Type", "application/json")]
            connection.send(request_bytes("POST", "/execute-code", None, head) + b"{")
            response = connection.response()
        self.assertEqual(response.status, 413)
        self.assertIsInstance(response.json()["detail"], str)
        self.assert_serves()

    def test_a_chunked_body_that_is_too_large(self):
        """It names no length, so it has to be stopped on its way."""
        with self.daemon.connect() as connection, contextlib.suppress(ConnectionError):
            connection.send(request_bytes("POST", "/execute-code", None, [*AUTHORIZED, ("Transfer-Encoding", "chunked")]))
            for _ in range(1024):
                connection.send(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")
            self.fail("a gigabyte was taken")
        self.assert_serves()

    def test_what_is_no_http(self):
        key = f"Authorization: Bearer {KEY}\r\n".encode()
        post = b"POST /execute-code HTTP/1.1\r\nHost: localhost\r\n" + key
        for data in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"nonsense\r\n\r\n",
            b"GET /ping HTTP/9.9\r\nHost: localhost\r\n\r\n",
            b"GET /ping HTTP/1.1\r\nHost localhost\r\n\r\n",
            b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /ping HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
            post + b"Content-Length: -1\r\n\r\n",
            post + b"Content-Length: 99999999999999999999999\r\n\r\n",
            post + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
            post + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
            post + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ):
            with self.subTest(data[:60]), self.daemon.connect() as connection, contextlib.suppress(ConnectionError, EOFError):
                connection.send(data)
                response = connection.response()
                self.assertTrue(400 <= response.status < 506 and response.status != 500, response)
                self.assertTrue(connection.is_closed_by_peer())
        self.assert_serves()

    def test_hosts_of_ones_own(self):
        _, port = self.daemon.address
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost", "127.0.0.1", f"LOCALHOST:{port}"):
            with self.subTest(host):
                self.assertEqual(self.request("POST", "/execute-code", self.RUN, host=host).status, 200)

    def test_a_host_of_somebody_elses(self):
        """A page of an evil site whose name now points to 127.0.0.1 (DNS rebinding) says the site's name as host."""
        _, port = self.daemon.address
        evil = ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", "evil@localhost", "[::2]", "")
        for host in evil:
            for method, path, body in (("POST", "/execute-code", self.RUN), ("GET", "/ping", None), ("GET", "/metrics", None)):
                with self.subTest(f"{path} {host}"):
                    response = self.request(method, path, body, host=host)
                    self.assertIn(response.status, (400, 403, 421), response)
                    self.assertIn("host", response.json()["detail"].lower())

    def test_no_host(self):
        self.assertEqual(self.request("GET", "/ping", host=None).status, 400)

    def test_two_hosts(self):
        response = self.request("GET", "/ping", headers=(*AUTHORIZED, ("Host", "evil.example")))
        self.assertIn(response.status, (400, 403, 421), response)

    def test_an_origin(self):
        for origin in ("http://evil.example", "null", "http://localhost.evil.example"):
            with self.subTest(origin):
                response = self.request("POST", "/execute-code", self.RUN, (*AUTHORIZED, ("Origin", origin)))
                self.assertIn(response.status, (400, 403), response)
                self.assertIn("origin", response.json()["detail"].lower())
                self.assertNotIn("access-control-allow-origin", response.headers)

    @for_the_reference_too
    def test_a_connection_is_used_again(self):
        with self.daemon.connect() as connection:
            for number in range(20):
                body = {"tool_names": [], "code": f"print({number})"}
                connection.send(request_bytes("POST", "/execute-code", body, AUTHORIZED))
                [final] = connection.events(connection.head())
                self.assertEqual(final["stdout"], f"{number}\n")
                self.assertEqual(connection.request("GET", "/ping").status, 200)

    def test_a_connection_is_used_again_after_a_refusal(self):
        with self.daemon.connect() as connection:
            for _ in range(3):
                self.assert_detail(connection.request("POST", "/execute-code", self.RUN), 401, UNAUTHORIZED)
                self.assertEqual(connection.request("POST", "/execute-code", {}, AUTHORIZED).status, 422)
                self.assertEqual(connection.request("GET", "/nothing").status, 404)
                self.assertEqual(connection.request("POST", "/execute-code", self.RUN, AUTHORIZED).status, 200)

    def test_a_connection_that_is_to_be_closed(self):
        with self.daemon.connect() as connection:
            self.assertEqual(connection.request("GET", "/ping", headers=[("Connection", "close")]).status, 200)
            self.assertTrue(connection.is_closed_by_peer())

    def test_a_client_that_closes_late(self):
        """The connection outlives the execution by as long as the client takes to close it."""
        body = json.dumps({"tool_names": [], "code": "print(1)"}).encode()
        for _ in range(4):
            with self.daemon.connect() as one, self.daemon.connect() as other:
                for connection in (one, other):
                    response = connection.request("POST", "/execute-code", body, [*AUTHORIZED, ("Connection", "close")])
                    self.assertEqual(response.status, 200)
                self.assert_prints(self.execute("print(2)"), "2\n")
        self.assert_prints(self.execute("print(3)"), "3\n")

    def test_http_1_0(self):
        with self.daemon.connect() as connection:
            connection.send(b"GET /ping HTTP/1.0\r\n\r\n")
            self.assertEqual(connection.response().status, 200)
            self.assertTrue(connection.is_closed_by_peer())

    @for_the_reference_too
    def test_pipelined_requests(self):
        """All sent before the first answer is read; answered in order."""
        requests = [request_bytes("POST", "/execute-code", {"tool_names": [], "code": f"print({n})"}, AUTHORIZED) for n in range(5)]
        with self.daemon.connect() as connection:
            connection.send(b"".join([*requests, request_bytes("GET", "/ping")]))
            for number in range(5):
                [final] = connection.events(connection.head())
                self.assertEqual(final["stdout"], f"{number}\n")
            self.assertEqual(connection.response().status, 200)

    def test_a_request_in_small_pieces(self):
        with self.daemon.connect() as connection:
            for byte in request_bytes("POST", "/execute-code", self.RUN, AUTHORIZED):
                connection.send(bytes([byte]))
            [final] = connection.events(connection.head())
            self.assertEqual(final["stdout"], "hi\n")

    def test_clients_that_say_nothing_keep_nobody_out(self):
        whole = request_bytes("POST", "/execute-code", self.RUN, AUTHORIZED)
        with contextlib.ExitStack() as stack:
            for number in range(100):
                connection = stack.enter_context(self.daemon.connect())
                connection.send(whole[: (0, 20, len(whole) - 5)[number % 3]])
            self.assert_serves()

    def test_idle_connections_keep_nobody_out(self):
        """More than there may be: a client with the key is served at once, and stays."""
        daemon = self.serve("--max-concurrent", "1", "--queue", "1")
        with contextlib.ExitStack() as stack:
            known = stack.enter_context(daemon.connect())
            self.assertEqual(known.request("GET", "/metrics", headers=AUTHORIZED).status, 200)
            for _ in range(600):
                stack.enter_context(daemon.connect())
            self.assert_prints(self.execute("print(1)", daemon=daemon), "1\n")
            text = known.request("GET", "/metrics", headers=AUTHORIZED).body.decode()
            self.assertRegex(text, r"progtc_connections_displaced_total [1-9]")
            self.assertRegex(text, r"progtc_connections_refused_total 0\n")

    def test_lines_about_missing_keys_are_few(self):
        daemon = self.serve()
        with daemon.connect() as connection:
            for _ in range(500):
                self.assertEqual(connection.request("GET", "/metrics").status, 401)
            text = connection.request("GET", "/metrics", headers=AUTHORIZED).body.decode()
        self.assertIn("progtc_unauthorized_total 500\n", text)
        self.assertEqual(daemon.stop(), 0, daemon)
        self.assertLess(daemon.log.count(" unauthorized "), 300)  # ten a second

    def test_a_chunked_body(self):
        body = json.dumps(self.RUN).encode()
        with self.daemon.connect() as connection:
            for _ in range(2):
                connection.send(request_bytes("POST", "/execute-code", None, [*AUTHORIZED, ("Transfer-Encoding", "chunked")]))
                for byte in body:
                    connection.send(b"1;extension=x\r\n" + bytes([byte]) + b"\r\n")
                connection.send(b"0\r\nTrailer: x\r\n\r\n")
                [final] = connection.events(connection.head())
                self.assertEqual(final["stdout"], "hi\n")

    def test_a_client_that_asks_before_it_sends(self):
        body = json.dumps(self.RUN).encode()
        head = [*AUTHORIZED, ("Expect", "100-continue"), ("Content-Length", str(len(body)))]
        with self.daemon.connect() as connection:
            connection.send(request_bytes("POST", "/execute-code", None, head))
            self.assertEqual(connection.head().status, 100)
            connection.send(body)
            [final] = connection.events(connection.head())
            self.assertEqual(final["stdout"], "hi\n")

    def test_a_client_that_asks_without_a_key(self):
        with self.daemon.connect() as connection:
            connection.send(request_bytes("POST", "/execute-code", None, [("Expect", "100-continue"), ("Content-Length", "100000")]))
            self.assert_detail(connection.response(), 401, UNAUTHORIZED)

    def test_head(self):
        with self.daemon.connect() as connection:
            head = connection.request("HEAD", "/ping")
            self.assertEqual(head.status, 200, head)
            response = connection.request("GET", "/ping")
            self.assertEqual(response.status, 200)
            self.assertEqual(head.headers.get("content-length"), response.headers.get("content-length"))

    def test_head_runs_nothing(self):
        with self.daemon.connect() as connection:
            self.assertEqual(connection.request("HEAD", "/execute-code", headers=AUTHORIZED).status, 405)
            self.assertEqual(connection.request("GET", "/ping").status, 200)

    def test_options(self):
        for path, method in (("/ping", "GET"), ("/execute-code", "POST"), ("/tool-results", "POST")):
            with self.subTest(path):
                response = self.request("OPTIONS", path)
                self.assertIn(response.status, (200, 204, 405), response)
                self.assertIn(method, re.split(r",\s*", response.headers["allow"]))
                self.assertNotIn("access-control-allow-origin", response.headers)


class Fields(DaemonTest):
    """What our daemon adds to requests and answers."""

    options = ("--code-execution-timeout", "10")

    def assert_refused(self, *words, statuses=(422,), **fields):
        with self.assertRaises(StatusError) as caught:
            self.execute("print('never')", **fields)
        self.assertIn(caught.exception.status, statuses)
        for word in words:
            self.assertIn(word, json.dumps(caught.exception.json()["detail"]))

    def test_stream(self):
        code = """
            import sys
            from tools import f
            print('one', flush=True)
            print(await f(), file=sys.stderr, flush=True)
            print('ü' * 10, flush=True)
        """
        for wire in self.in_both():
            final = self.execute(code, {"f": lambda: "two"}, wire, stream=True)
            self.assertEqual(final.kind, "success")
            streams = {name: "".join(data for each, data in final.output if each == name) for name in ("stdout", "stderr")}
            self.assertEqual(streams, {"stdout": "one\n" + "ü" * 10 + "\n", "stderr": "two\n"})
            self.assertEqual((final.stdout, final.stderr), (streams["stdout"], streams["stderr"]))

    def test_stream_comes_as_it_happens(self):
        """The output has come before the call that follows it is answered."""
        with self.daemon.connect() as connection, self.daemon.connect() as other:
            body = {"tool_names": ["f"], "code": "from tools import f\nprint('one')\nawait f()", "stream": True}
            connection.send(request_bytes("POST", "/execute-code", body, AUTHORIZED))
            events = connection.events(connection.head())
            first = [next(events), next(events)]
            self.assertIn({"type": "stdout", "data": "one\n"}, first)
            [call] = [event for event in first if event["type"] == "tool_call"]
            result = {"execution_id": call["execution_id"], "tool_call_id": call["id"], "result": None}
            self.assertEqual(other.request("POST", "/tool-results", result, AUTHORIZED).status, 200)
            self.assertEqual([event["type"] for event in events], ["success"])

    def test_characters_cut_in_two_are_put_together(self):
        code = "import os, time\nfor byte in 'ü€😀'.encode():\n    os.write(1, bytes([byte]))\n    time.sleep(0.02)"
        final = self.execute(code, stream=True)
        self.assertEqual("".join(data for _, data in final.output), "ü€😀")
        self.assertEqual(final.stdout, "ü€😀")

    def test_no_stream_unless_asked_for(self):
        with self.daemon.connect() as connection:
            connection.send(request_bytes("POST", "/execute-code", {"tool_names": [], "code": "print(1)"}, AUTHORIZED))
            self.assertEqual([event["type"] for event in connection.events(connection.head())], ["success"])

    def test_a_shorter_timeout(self):
        final = self.execute("import time\ntime.sleep(600)", timeout=0.5)
        self.assert_ends(final, "timeout", "timeout")
        self.assertLess(final.json["usage"]["wall_ms"], 9_000)

    def test_what_was_printed_before_the_timeout(self):
        final = self.execute("print('step 1')\nwhile True: pass", timeout=0.5)
        self.assert_ends(final, "timeout", "timeout")
        self.assertEqual(final.stdout, "step 1\n")

    def test_a_longer_timeout_is_capped(self):
        daemon = self.serve("--code-execution-timeout", "2")
        final = self.execute("import time\ntime.sleep(600)", daemon=daemon, timeout=3600)
        self.assert_ends(final, "timeout", "timeout")
        self.assertGreaterEqual(final.json["usage"]["wall_ms"], 1_500)

    def test_a_timeout_that_is_none(self):
        for timeout in (0, -1, "1", [], True, 1e999):
            with self.subTest(str(timeout)):
                body = json.dumps({"tool_names": [], "code": "1", "timeout": timeout}).encode()
                with self.daemon.connect() as connection:
                    response = connection.request("POST", "/execute-code", body, AUTHORIZED)
                self.assertEqual(response.status, 422, response)
                self.assertIn("timeout" if timeout != 1e999 else "", json.dumps(response.json()))

    def test_a_policy(self):
        code = "import subprocess\nprint(subprocess.run(['/bin/true']).returncode)"
        if not has_groups():
            return self.assert_refuses_several_processes(code)
        daemon = self.serve("--allow-policy", "standard")
        self.assert_ends(self.execute(code, daemon=daemon), "runtime")
        self.assert_ends(self.execute(code, daemon=daemon, policy="strict"), "runtime")
        self.assert_prints(self.execute(code, daemon=daemon, policy="standard"), "0\n")

    def assert_refuses_several_processes(self, code):
        """Without control groups they cannot be bounded. The daemon says so when it starts, in its answer, or as the
        ending of a run of which no line was executed."""
        daemon = self.start("--allow-policy", "standard")
        wait_until(lambda: daemon.process.poll() is not None or daemon_lab.LISTENING.search(daemon.log), 30, "what it does")
        if daemon.process.poll() is not None:
            words = daemon.log
        else:
            try:
                final = self.execute("print('never')\n" + code, daemon=daemon, policy="standard")
            except StatusError as refusal:
                words = json.dumps(refusal.json()["detail"])
            else:
                self.assert_ends(final, "runtime", "setup_failed")
                self.assertEqual(final.stdout, "")
                words = final.json["exit"]["cause"]
        self.assertIn("cgroup", words)

    def test_a_policy_that_is_not_allowed(self):
        for name in ("permissive", "standard", "no-such-policy", "", "../permissive", "/etc/passwd"):
            with self.subTest(name):
                self.assert_refused("policy", policy=name, statuses=(403, 422))

    def test_a_policy_that_is_no_name(self):
        self.assert_refused("policy", policy={"extends": "permissive"})

    def test_files(self):
        files = {"a.txt": b"text \xc3\xbc", "deep/er/b.bin": bytes(range(256)), "helper.py": b"def answer(): return 42\n"}
        code = """
            import os
            from helper import answer
            print(open('a.txt', 'rb').read(), open('deep/er/b.bin', 'rb').read() == bytes(range(256)), answer(), sorted(os.listdir()))
        """
        encoded = {name: base64.b64encode(data).decode() for name, data in files.items()}
        for wire in self.in_both():
            out = f"{files['a.txt']!r} True 42 ['a.txt', 'deep', 'helper.py']\n"
            self.assert_prints(self.execute(code, wire=wire, files=encoded), out)
        self.assert_prints(self.execute("import os\nprint(os.listdir())"), "[]\n")

    def test_files_that_would_be_elsewhere(self):
        for name in ("/etc/x", "../x", "a/../../x", "", ".", "a//../..", "a\0b", "a/" * 3000 + "x", "x" * 300):
            with self.subTest(name[:20]):
                self.assert_refused("files", files={name: "eA=="})

    def test_files_that_are_none(self):
        for files in ({"a": "%%%"}, {"a": 5}, ["a"], "a", {"a": "eA==", "a/b": "eA=="}):
            with self.subTest(str(files)):
                self.assert_refused("files", files=files)

    def test_answers(self):
        ids = set()
        code = "from tools import f\nawait f()\nawait f()\nx = bytearray(20 << 20)\nsum(range(10**6))\n{'a': [1, None]}"
        for wire in self.in_both():
            final = self.execute(code, {"f": lambda: None}, wire)
            self.assertEqual(final.kind, "success", final)
            ids.add(final.json["run_id"])
            self.assertRegex(final.json["run_id"], "^[0-9a-f]{32}$")
            leaving = final.json["exit"]
            self.assertEqual((leaving["kind"], leaving["code"]), ("exited", 0))
            self.assertFalse(leaving["signal"])
            self.assertIn("cause", leaving)
            usage = final.json["usage"]
            self.assertGreater(usage["wall_ms"], 0)
            self.assertGreater(usage["cpu_ms"], 0)
            self.assertGreater(usage["memory_peak_bytes"], 20 << 20)
            self.assertEqual(usage["tool_calls"], 2)
            self.assertFalse(is_truncated(final))
            self.assertEqual(final.json["denials"], [])
            self.assertEqual(final.json["value"], {"a": [1, None]})
        self.assertEqual(len(ids), 2)

    def test_answers_of_failures(self):
        for code, exit_kind in (("x = = 1", "exited"), ("1/0", "exited"), ("import os; os.abort()", "signaled")):
            for wire in self.in_both():
                final = self.execute(code, wire=wire)
                self.assertEqual(final.json["exit"]["kind"], exit_kind)
                self.assertTrue({"run_id", "usage", "truncated", "denials", "value"} <= final.json.keys(), final.json.keys())

    def test_no_value(self):
        for code in ("None", "x = 1", "", "def f(): return 1"):
            with self.subTest(code):
                self.assertIsNone(self.execute(code).json["value"])

    def test_a_value_that_json_cannot_hold(self):
        """At most its repr: the message has to be JSON for every reader."""
        for code in ("object()", "float('nan')", "{1, 2}", "b'x'", "x = []; x.append(x); x", "'\\ud800'"):
            with self.subTest(code):
                final = self.execute(code)
                self.assertEqual(final.kind, "success")
                self.assertIsInstance(final.json["value"], (str, type(None)))


class Lifecycle(DaemonTest):
    """Beginnings and ends: of clients, of runs, of daemons."""

    def test_a_client_that_goes_takes_its_run_along(self):
        daemon = self.serve("--pool", "1")
        parked = settled(daemon.descendants, "a parked sandbox")
        self.assertGreaterEqual(len(parked), 2, daemon)
        with daemon.connect() as connection:
            body = {"tool_names": ["started"], "code": SAY_STARTED + FOREVER}
            connection.send(request_bytes("POST", "/execute-code", body, AUTHORIZED))
            call = next(connection.events(connection.head()))
            self.assertEqual(call["tool_name"], "started")
            self.assertEqual(alive(parked), parked, "those that were parked are at work")
        gone_at = time.monotonic()
        wait_until(lambda: len(parked - alive(parked)) >= 2, 10, f"the end of the run, init and worker; {daemon}")
        self.assertLess(time.monotonic() - gone_at, harness.slower(5))
        self.assert_prints(self.execute("print(1)", daemon=daemon), "1\n")

    def test_a_client_that_goes_while_it_waits_in_the_queue(self):
        daemon = self.serve("--max-concurrent", "1", "--queue", "4")

        async def run():
            started, release = asyncio.Event(), asyncio.Event()

            async def hold():
                started.set()
                await wait_for(release)

            async with daemon.client() as client:
                first = asyncio.ensure_future(client.execute_code("from tools import f\nawait f()", {"f": hold}))
                await wait_for(started)
                for _ in range(20):  # more than the queue holds, one after the other
                    await self.wait_in_queue_and_go(client)
                release.set()
                self.assertEqual((await first).kind, "success")
                return await client.execute_code("print(1)")

        self.assert_prints(asyncio.run(run()), "1\n")

    async def wait_in_queue_and_go(self, client):
        """Errors: AssertionError when for 20 s there is no place to wait in."""
        deadline = time.monotonic() + harness.slower(20)
        while time.monotonic() < deadline:
            try:
                await asyncio.wait_for(client.execute_code("print('never')"), 0.1)
            except asyncio.TimeoutError:
                return
            except StatusError as error:
                self.assertEqual(error.status, 503)
        self.fail("the places of clients that have gone are not free again")

    def test_overload(self):
        """One runs, one waits, one is sent away: which of the two that come second is not ours to say."""
        daemon = self.serve("--max-concurrent", "1", "--queue", "1")

        async def run():
            started, release = asyncio.Event(), asyncio.Event()

            async def hold():
                started.set()
                await wait_for(release)

            async with daemon.client() as client:
                first = asyncio.ensure_future(client.execute_code("from tools import f\nawait f()\nprint(1)", {"f": hold}))
                await wait_for(started)
                others = {asyncio.ensure_future(client.execute_code("print(2)")) for _ in range(2)}
                done, _ = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED, timeout=harness.slower(20))
                self.assertEqual(len(done), 1)
                refusal = done.pop().exception()
                self.assertIsInstance(refusal, StatusError)
                self.assertEqual(refusal.status, 503)
                self.assertGreaterEqual(int(refusal.headers["retry-after"]), 1)
                self.assertIsInstance(refusal.json()["detail"], str)
                self.assertEqual(await client.ping(), 200)
                release.set()
                ended = await asyncio.gather(first, *others, return_exceptions=True)
                return [each.stdout for each in ended if isinstance(each, Final)]

        self.assertEqual(asyncio.run(run()), ["1\n", "2\n"])

    def test_who_sends_many_does_not_keep_others_waiting(self):
        path = self.lab.path / "fair.sock"
        daemon = self.serve("--max-concurrent", "1", "--queue", "8", unix=path)
        order = []

        async def queued(number):
            deadline = time.monotonic() + harness.slower(20)
            while time.monotonic() < deadline:
                with daemon.connect() as connection:
                    if connection.request("GET", "/health").json()["queued"] == number:
                        return
                await asyncio.sleep(0.01)
            self.fail(f"never {number} in the queue")

        async def run():
            started, release = asyncio.Event(), asyncio.Event()

            async def hold():
                started.set()
                await wait_for(release)

            async with daemon.client() as many, daemon.client(is_unix=True) as few:
                runs = [asyncio.ensure_future(many.execute_code("from tools import f\nawait f()", {"f": hold}))]
                await wait_for(started)
                for number, (name, client) in enumerate([("many", many)] * 3 + [("few", few)] * 2, 1):
                    tools = {"f": lambda name=name: order.append(name)}
                    runs.append(asyncio.ensure_future(client.execute_code("from tools import f\nawait f()", tools)))
                    await queued(number)
                release.set()
                return [final.kind for final in await asyncio.gather(*runs)]

        self.assertEqual(asyncio.run(run()), ["success"] * 6)
        self.assertEqual(order, ["few", "many", "few", "many", "many"])

    def test_waiting_in_the_queue_is_not_silent(self):
        """A client gives up after 5 s without a byte, whether its code has begun or not."""
        daemon = self.serve("--max-concurrent", "1", "--queue", "1")

        async def run():
            started, release = asyncio.Event(), asyncio.Event()

            async def hold():
                started.set()
                await wait_for(release)

            async with daemon.client() as client:
                first = asyncio.ensure_future(client.execute_code("from tools import f\nawait f()", {"f": hold}))
                await wait_for(started)
                second = asyncio.ensure_future(client.execute_code("print(2)"))
                await asyncio.wait({second}, timeout=7)
                release.set()
                self.assertEqual((await first).kind, "success")
                return await second

        self.assert_prints(asyncio.run(run()), "2\n")

    def test_a_reader_that_does_not_read(self):
        """15 MB of output for a client that takes none of it: bounded memory, and nobody else has to wait."""
        daemon = self.serve()
        self.execute("print(1)", daemon=daemon)
        before = resident_bytes(daemon.pid)
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                connection = stack.enter_context(daemon.connect())
                code = "for _ in range(15): print('x' * 1_000_000, flush=True)"
                body = {"tool_names": [], "code": code, "stream": True}
                connection.send(request_bytes("POST", "/execute-code", body, AUTHORIZED))
            for _ in range(10):
                self.assert_prints(self.execute("print(1)", daemon=daemon), "1\n")
            self.assertLess(resident_bytes(daemon.pid) - before, harness.slower(48 << 20))

    def test_a_second_daemon_on_the_port(self):
        _, port = self.daemon.address
        second = self.start("--port", port)
        self.assertNotIn(second.wait(), (0, None), second)
        self.assertIn(str(port), second.log)
        self.assertIn("in use", second.log.lower())
        for word in ("terminate called", "Assertion", "std::"):
            self.assertNotIn(word, second.log)
        self.assert_prints(self.execute("print(1)"), "1\n")

    def test_a_second_daemon_on_the_socket(self):
        path = self.lab.path / "progtc.sock"
        first = self.start(unix=path)
        wait_until(lambda: first.process.poll() is not None or can_connect(path), 30, f"the socket of {first}")
        second = self.start(unix=path)
        self.assertNotIn(second.wait(), (0, None), second)
        self.assertIn(str(path), second.log)
        self.assertTrue(can_connect(path), "the first one's socket is still its own")

    def test_a_socket_that_was_left_behind(self):
        path = self.lab.path / "progtc.sock"
        first = self.start(unix=path)
        wait_until(lambda: first.process.poll() is not None or can_connect(path), 30, f"the socket of {first}")
        first.kill()
        second = self.start(unix=path)
        wait_until(lambda: second.process.poll() is not None or can_connect(path), 30, f"the socket of {second}")
        self.assert_prints(self.execute("print(1)", daemon=second, client={"is_unix": True}), "1\n")

    def test_sigterm_when_idle(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                daemon = self.serve()
                self.execute("print(1)", daemon=daemon)
                daemon.signal(number)
                self.assertEqual(daemon.wait(), 0, daemon)
                self.assert_nothing_left(daemon)

    def test_sigterm_lets_a_run_finish(self):
        daemon = self.serve()
        code = SAY_STARTED + "import time\ntime.sleep(1)\nprint('ended')"

        async def run():
            async with daemon.client() as client:

                async def on_call(call):
                    await client.post_result(call.execution_id, call.id, result=None)
                    daemon.signal(signal.SIGTERM)

                return await client.execute_code(code, {"started": None}, on_call)

        self.assert_prints(asyncio.run(run()), "started\nended\n")
        self.assertEqual(daemon.wait(), 0, daemon)
        self.assert_nothing_left(daemon)

    def test_sigterm_ends_a_run_that_does_not(self):
        daemon = self.serve("--code-execution-timeout", "600")
        with daemon.connect() as connection:
            body = {"tool_names": ["started"], "code": SAY_STARTED + FOREVER}
            connection.send(request_bytes("POST", "/execute-code", body, AUTHORIZED))
            next(connection.events(connection.head()))
            daemon.signal(signal.SIGTERM)
            wait_until(lambda: not can_connect_to(daemon.address), 30, "the end of listening")
            self.assertEqual(daemon.wait(), 0, daemon)
        self.assert_nothing_left(daemon)

    def unread(self, daemon, count, stack):
        """Connections whose executions each answer 8 MB, and which read nothing. On Unix sockets, whose buffers hold little."""
        code = "import sys\nfor to in (sys.stdout, sys.stderr): print('x' * 4_000_000, file=to)"
        request = request_bytes("POST", "/execute-code", {"tool_names": [], "code": code}, AUTHORIZED)
        connections = []
        for _ in range(count):
            connection = stack.enter_context(Connection(daemon.unix, harness.slower(60)))
            connection.send(request)
            connections.append(connection)
        return connections

    def test_answers_that_nobody_reads(self):
        """40 of 8 MB: what is held of them is bounded, and all arrive in the end."""
        daemon = self.serve("--max-concurrent", "2", "--code-execution-timeout", "60", unix=self.lab.path / "progtc.sock")
        self.execute("print(1)", daemon=daemon)
        before = resident_bytes(daemon.pid)
        with contextlib.ExitStack() as stack:
            connections = self.unread(daemon, 40, stack)
            settled(lambda: daemon.log.count(" run "), "as many executions as there will be")
            # 64 MiB, two executions of 8 MiB, and what the allocator has in reserve.
            self.assertLess(resident_bytes(daemon.pid) - before, harness.slower(128 << 20))
            for connection in connections:
                answer = b"".join(connection.pieces(connection.head()))
                self.assertRegex(answer[-2000:], b'"kind": ?"exited"')
                self.assertGreater(len(answer), 8_000_000)

    def test_sigterm_does_not_wait_for_readers(self):
        daemon = self.serve("--shutdown-timeout", "1", unix=self.lab.path / "progtc.sock")
        with contextlib.ExitStack() as stack:
            self.unread(daemon, 3, stack)
            wait_until(lambda: daemon.log.count(" run ") == 3, 30, "the end of the executions")
            daemon.signal(signal.SIGTERM)
            self.assertEqual(daemon.wait(10), 0, daemon)  # the client's patience is 30 s
        self.assert_nothing_left(daemon)

    def test_a_reload(self):
        policy = self.lab.policy("strict", env={"set": {"COLOUR": "red"}})
        daemon = self.serve("--policy", policy)

        def colour():
            return self.execute("import os\nprint(os.environ.get('COLOUR'))", daemon=daemon).stdout.strip()

        self.assertEqual(colour(), "red")
        with self.subTest("a broken file changes nothing, and is named"):
            good = policy.read_text()
            policy.write_text("{ nonsense")
            daemon.signal(signal.SIGHUP)
            wait_until(lambda: policy.name in daemon.log.split("listening on")[-1], 30, f"the message of {daemon}")
            self.assertEqual(colour(), "red")
        policy.write_text(good.replace("red", "blue"))
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: colour() == "blue", 30, f"the new policy in {daemon}")
        self.assertEqual(daemon.stop(), 0, daemon)
        self.assert_nothing_left(daemon)

    def test_a_reload_does_not_disturb_a_run(self):
        daemon = self.serve()

        async def run():
            async def reload():
                daemon.signal(signal.SIGHUP)
                return (await client.execute_code("print('meanwhile')")).stdout

            async with daemon.client() as client:
                return await client.execute_code("from tools import reload\nprint(await reload(), end='')", {"reload": reload})

        self.assert_prints(asyncio.run(run()), "meanwhile\n")

    def test_a_template_that_dies_is_replaced(self):
        daemon = self.serve()
        self.execute("print(1)", daemon=daemon)
        for pid, start in settled(daemon.descendants, "the pool"):
            with contextlib.suppress(ProcessLookupError):
                if alive({(pid, start)}):
                    os.kill(pid, signal.SIGKILL)

        def serves():
            with contextlib.suppress(StatusError):
                return self.execute("print(1)", daemon=daemon).stdout == "1\n"

        wait_until(serves, 30, f"a new template of {daemon}")


def can_connect_to(address):
    with contextlib.suppress(OSError), socket.create_connection(address, 10):
        return True
    return False


def resident_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10


class Keys(DaemonTest):
    """Where the key comes from, and where it must be given."""

    def hidden_files(self):
        """{path: content} of everything below the daemon's home but caches."""
        home = self.lab.path / "home"
        found = (path for path in home.rglob("*") if path.is_file() and home / "cache" not in path.parents)
        return {path: path.read_text().strip() for path in found}

    def test_a_key_is_made(self):
        (self.lab.path / "home/runtime").mkdir(mode=0o700, parents=True)
        (self.lab.path / "home").chmod(0o700)
        environment = {"XDG_RUNTIME_DIR": str(self.lab.path / "home/runtime")}
        first = self.serve(key=None, environment=environment)
        [(path, key)] = [(path, text) for path, text in self.hidden_files().items() if text and text in first.log]
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertGreaterEqual(len(key), 32)
        self.assertEqual(first.log.count(key), 1, first)
        self.assert_prints(self.execute("print(1)", daemon=first, client={"key": key}), "1\n")
        with self.assertRaises(StatusError) as caught:
            self.execute("print(1)", daemon=first, client={"key": "1234567890"})
        self.assertEqual(caught.exception.status, 401)
        self.assertEqual(first.stop(), 0, first)
        with self.subTest("the next one takes the same key, and does not print it again"):
            second = self.serve(key=None, environment=environment)
            self.assertNotIn(key, second.log)
            self.assert_prints(self.execute("print(1)", daemon=second, client={"key": key}), "1\n")
        self.assertEqual(second.stop(), 0, second)
        with self.subTest("a file that others can read is not trusted"):
            path.chmod(0o644)
            third = self.start(key=None, environment=environment)
            wait_until(lambda: third.process.poll() is not None or daemon_lab.LISTENING.search(third.log), 30, "what it does")
            if third.process.poll() is None:
                self.assertEqual(path.stat().st_mode & 0o777, 0o600, third)
            else:
                self.assertIn(path.name, third.log)

    def test_the_environment_names_the_key(self):
        daemon = self.serve(key=None, environment={"PROGTC_API_KEY": "from-the-environment"})
        self.assert_prints(self.execute("print(1)", daemon=daemon, client={"key": "from-the-environment"}), "1\n")
        self.assertNotIn("from-the-environment", daemon.log)
        self.assertEqual(self.hidden_files(), {})

    def test_an_option_wins_over_the_environment(self):
        daemon = self.serve(environment={"PROGTC_API_KEY": "from-the-environment"})
        self.assert_prints(self.execute("print(1)", daemon=daemon), "1\n")
        with self.assertRaises(StatusError):
            self.execute("print(1)", daemon=daemon, client={"key": "from-the-environment"})

    def test_an_empty_key_is_none(self):
        daemon = self.start(key="")
        self.assertNotIn(daemon.wait(), (0, None), daemon)
        self.assertIn("key", daemon.log)

    def test_beyond_loopback_only_with_a_key(self):
        for host in ("0.0.0.0", "::"):
            with self.subTest(host):
                daemon = self.start("--host", host, key=None)
                self.assertNotIn(daemon.wait(), (0, None), daemon)
                self.assertIn("key", daemon.log)
                self.assertNotIn("listening on", daemon.log)
        self.assertEqual(self.hidden_files(), {})


METRIC = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"')


def parse_metrics(text):
    """({name: type}, {(name, sorted labels): value}). Errors: AssertionError for what Prometheus would not read."""
    types, values = {}, {}
    assert text.endswith("\n"), "no line end at the end"
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram", "summary", "untyped"), line
            types[name] = kind
        elif line and not line.startswith("#"):
            found = METRIC.fullmatch(line)
            assert found, line
            key = (found[1], tuple(sorted(LABEL.findall(found[2] or ""))))
            assert key not in values, f"twice: {line}"
            values[key] = float(found[3])
    return types, values


class Operations(DaemonTest):
    """What whoever runs the daemon sees of it."""

    def test_a_configuration_file(self):
        house = self.lab.write("house.json", """{"extends": "strict", "env": {"reason": "a test", "set": {"HOUSE": "ours"}}}""")
        config = self.lab.write("serve.json", f"""{{
            // comments are allowed
            "code-execution-timeout": 1,
            "allow-policy": ["{house}"],
            "log-format": "json",
        }}""")  # fmt: skip
        daemon = self.serve("--config", config)
        self.assert_ends(self.execute("import time\ntime.sleep(60)", daemon=daemon), "timeout")
        self.assert_prints(self.execute("import os\nprint(os.environ.get('HOUSE'))", daemon=daemon, policy="house"), "ours\n")
        with self.subTest("what is typed wins"):
            daemon = self.serve("--config", config, "--code-execution-timeout", "20")
            self.assert_prints(self.execute("import time\ntime.sleep(1.5)\nprint(1)", daemon=daemon), "1\n")

    def test_a_configuration_file_that_is_wrong(self):
        for text, word in (('{"prot": 1}', "port"), ('{"port": [1, {}]}', "port"), ("{", "serve.json"), ('{"queue": "many"}', "many"),
                           ('{"host": true}', "host"), ('{"config": "x"}', "config")):  # fmt: skip
            with self.subTest(text):
                daemon = self.start("--config", self.lab.write("serve.json", text))
                self.assertNotIn(daemon.wait(), (0, None), daemon)
                self.assertIn(word, daemon.log)
        daemon = self.start("--config", self.lab.path / "missing.json")
        self.assertNotIn(daemon.wait(), (0, None), daemon)
        self.assertIn("missing.json", daemon.log)

    def test_tls(self):
        key, certificate = self.lab.path / "key.pem", self.lab.path / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True,
        )  # fmt: skip
        daemon = self.start("--tls-cert", certificate, "--tls-key", key)
        wait_until(lambda: daemon.process.poll() is not None or "listening on https://" in daemon.log, 30, "its first line")
        url = re.search(r"https://\S+", daemon.log)[0]
        context = ssl.create_default_context(cafile=certificate)
        with urllib.request.urlopen(url + "/ping", context=context, timeout=30) as answer:
            self.assertEqual(answer.status, 200)
        with self.subTest("a key that is missing"):
            daemon = self.start("--tls-cert", certificate, "--tls-key", self.lab.path / "nothing.pem")
            self.assertNotIn(daemon.wait(), (0, None), daemon)
            self.assertIn("nothing.pem", daemon.log)

    def metrics(self, daemon):
        with daemon.connect() as connection:
            response = connection.request("GET", "/metrics", headers=AUTHORIZED)
        self.assertEqual(response.status, 200, response)
        self.assertTrue(response.headers["content-type"].startswith("text/plain"), response.headers)
        return parse_metrics(response.body.decode())

    @staticmethod
    def total(metrics, name, *words):
        """The sum of a counter's values whose labels hold one of the words (any, without words)."""
        _, values = metrics
        return sum(
            value for (each, labels), value in values.items()
            if each == name and (not words or any(label in words for _, label in labels))
        )  # fmt: skip

    def test_metrics_count_runs(self):
        daemon = self.serve()
        before = self.metrics(daemon)
        self.assertEqual(before[0].get("progtc_runs_total"), "counter", before[0])
        for _ in range(3):
            self.execute("print(1)", daemon=daemon)
        self.execute("import time\ntime.sleep(600)", daemon=daemon, timeout=0.5)
        self.execute("import socket\nsocket.socket()", daemon=daemon)
        self.execute("from tools import f\nawait f()\nawait f()", {"f": lambda: 1}, daemon=daemon)
        after = self.metrics(daemon)

        def grown(name, *words):
            return self.total(after, name, *words) - self.total(before, name, *words)

        self.assertEqual(grown("progtc_runs_total"), 6, after)
        self.assertEqual(grown("progtc_runs_total", "timeout"), 1)
        self.assertEqual(grown("progtc_denials_total"), 1)
        self.assertEqual(grown("progtc_tool_calls_total"), 2)
        self.assertEqual(grown("progtc_tool_calls_total", "ok"), 2)

    def test_metrics_are_what_prometheus_reads(self):
        daemon = self.serve()
        self.execute("print(1)", daemon=daemon)
        types, values = self.metrics(daemon)
        histograms = [name for name, kind in types.items() if kind == "histogram"]
        self.assertTrue(histograms)
        self.assertTrue([name for name, kind in types.items() if kind == "gauge"])
        for name in types:
            self.assertRegex(name, "^progtc_|^process_")
        for name in histograms:
            series = {}
            for (each, labels), value in values.items():
                if each == f"{name}_bucket":
                    rest = tuple(label for label in labels if label[0] != "le")
                    series.setdefault(rest, []).append((float(dict(labels)["le"]), value))
            for rest, buckets in series.items():
                buckets.sort()
                counts = [count for _, count in buckets]
                self.assertEqual(counts, sorted(counts), f"{name}{rest}")
                self.assertEqual(buckets[-1], (float("inf"), values[f"{name}_count", rest]))
                self.assertIn((f"{name}_sum", rest), values)

    def test_every_metric_is_documented(self):
        types, _ = self.metrics(self.daemon)
        text = (daemon_lab.HERE.parents[1] / "docs/daemon.md").read_text()
        documented = set(re.findall(r"(?:progtc|process)_[a-z_]+", text[text.index("## Metrics") : text.index("## systemd")]))
        self.assertEqual(documented, set(types))

    def test_metrics_are_not_for_everyone_to_fill(self):
        """Names that a client chooses do not become series."""
        daemon = self.serve()
        names = [f"tool_{n}" for n in range(30)]
        code = "import tools\n" + "".join(f"await tools.{name}()\n" for name in names)
        self.execute(code, {name: (lambda: None) for name in names}, daemon=daemon)
        for n in range(30):
            with daemon.connect() as connection:
                connection.request("GET", f"/path-{n}", headers=[("X-Progtc-Wire", f"w{n}")])
        _, values = self.metrics(daemon)
        self.assertNotRegex(str(values), r"tool_29|path-29|w29")

    def test_health(self):
        with self.daemon.connect() as connection:
            response = connection.request("GET", "/health", headers=AUTHORIZED)
        self.assertEqual(response.status, 200, response)
        self.assertIsInstance(response.json(), dict)

    def test_logs(self):
        """Each run's id is there; the key, the code, what it prints and what its tools are told are not."""
        marks = ["mark-of-code", "mark-of-output", "mark-of-arguments", "mark-of-results", "mark-of-errors"]
        code = f"""
            # {marks[0]}
            import base64, tools
            print(base64.b64decode({base64.b64encode(marks[1].encode())!r}).decode())
            await tools.f({marks[2]!r})
            raise ValueError({marks[4]!r})
        """
        for form in ("text", "json"):
            with self.subTest(form):
                daemon = self.serve("--log-format", form)
                finals = [self.execute(code, {"f": lambda _: marks[3]}, wire, daemon) for wire in "ac"]
                self.assertEqual({final.kind for final in finals}, {"runtime"})
                with daemon.connect() as connection:
                    connection.request("GET", f"/ping?key={KEY}", headers=[("Authorization", "Bearer wrong-key-xyz")])
                    connection.request("POST", "/execute-code", {}, [("Authorization", "Bearer wrong-key-xyz")])
                self.assertEqual(daemon.stop(), 0, daemon)
                for final in finals:
                    self.assertIn(final.json["run_id"], daemon.log)
                for mark in (*marks, KEY, "wrong-key-xyz"):
                    self.assertNotIn(mark, daemon.log)
                if form == "json":
                    lines = [json.loads(line) for line in daemon.log.splitlines() if not daemon_lab.LISTENING.search(line)]
                    self.assertTrue({final.json["run_id"] for final in finals} <= {line.get("run_id") for line in lines})

    def test_a_log_reader_that_stops(self):
        """2,500 lines for a pipe of 4 KiB that nobody reads: executions, metrics and SIGTERM go on."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        unix = self.lab.path / "progtc.sock"
        try:
            daemon = self.start("--no-tcp", unix=unix, log=writer)
        finally:
            os.close(writer)
        wait_until(unix.exists, 30, "the daemon's socket")
        with Connection(unix, harness.slower(20)) as connection:
            for _ in range(2_500):
                body = {"tool_names": [], "code": "1"}
                self.assertEqual(connection.request("POST", "/execute-code", body, AUTHORIZED).status, 200)
            response = connection.request("GET", "/metrics", headers=AUTHORIZED)
        dropped = self.total(parse_metrics(response.body.decode()), "progtc_log_lines_dropped_total")
        self.assertGreater(dropped, 0)
        self.assertEqual(daemon.stop(), 0)
        os.set_blocking(reader, False)
        self.assertRegex(os.read(reader, 4096).decode(), "(?m)^progtc serve: listening on unix:")

    def test_what_a_client_says_cannot_forge_a_line(self):
        daemon = self.serve()
        with daemon.connect() as connection:
            connection.request("GET", "/%0aforged-line%0d%0a", headers=[("User-Agent", "\x1b[2Jforged-escape")])
        self.assertEqual(daemon.stop(), 0, daemon)
        self.assertNotRegex(daemon.log, "(?m)^forged-line|\x1b")


class Load(DaemonTest):
    """Many runs, one after the other and all at once: nothing is left of them."""

    RUN = "from tools import f\nimport os\nopen('/tmp/x', 'w').write('x')\nprint(await f(os.getpid() and %d))"

    async def run_many(self, daemon, count, at_once):
        """Runs, half of them in each revision, with a tool call each. A daemon that is busy says so, and is asked again."""
        turn = asyncio.Semaphore(at_once)

        async def run(client, number):
            while True:
                async with turn:
                    try:
                        final = await client.execute_code(self.RUN % number, {"f": lambda n: n})
                    except StatusError as error:
                        self.assertEqual(error.status, 503)
                    else:
                        return self.assert_prints(final, f"{number}\n")
                await asyncio.sleep(0.05)

        async with daemon.client("a") as one, daemon.client("c") as two:
            await asyncio.gather(*[run(two if number % 2 else one, number) for number in range(count)])

    def held(self, daemon):
        """What a daemon holds of the machine when nothing runs: processes, descriptors, mounts, control groups."""
        count = settled(lambda: len(daemon.descendants()), "the pool")
        return count, daemon.descriptors(), len(mounts(daemon.pid))

    def assert_holds_no_more(self, daemon, before):
        wait_until(lambda: all(now <= was for now, was in zip(self.held(daemon), before)), 60, f"{self.held(daemon)} as {before}")
        self.assertEqual(files_of(daemon.pid), [])
        self.assertEqual(sorted((self.lab.path / "tmp").rglob("*")), [])
        self.assertEqual(mounts(), daemon.mounts_before)

    def test_a_thousand_one_after_the_other(self):
        daemon = self.serve()
        asyncio.run(self.run_many(daemon, 50, 1))
        before = self.held(daemon)
        asyncio.run(self.run_many(daemon, 1000, 1))
        self.assert_holds_no_more(daemon, before)
        self.assertEqual(daemon.stop(), 0, daemon)
        self.assert_nothing_left(daemon)

    def test_two_hundred_at_once(self):
        daemon = self.serve("--queue", "200")
        asyncio.run(self.run_many(daemon, 200, 200))
        before = self.held(daemon)
        asyncio.run(self.run_many(daemon, 200, 200))
        self.assert_holds_no_more(daemon, before)
        self.assertEqual(daemon.stop(), 0, daemon)
        self.assert_nothing_left(daemon)

    def test_a_killed_daemon_takes_everything_along(self):
        daemon = self.serve("--max-concurrent", "50", "--tool-call-timeout", "600", "--code-execution-timeout", "600")

        async def run():
            started = asyncio.Semaphore(0)

            async def on_call(_):
                started.release()

            async with daemon.client() as client:
                code = SAY_STARTED + FOREVER
                runs = [asyncio.ensure_future(client.execute_code(code, {"started": None}, on_call)) for _ in range(50)]
                for _ in range(50):
                    await asyncio.wait_for(started.acquire(), harness.slower(60))
                daemon.kill()
                return await asyncio.gather(*runs, return_exceptions=True)

        ended = asyncio.run(run())
        self.assertFalse([each for each in ended if isinstance(each, Final)])
        self.assertGreaterEqual(len(daemon.seen), 50)
        wait_until(lambda: not daemon.processes_left(), 20, f"the end of {len(daemon.processes_left())} processes")
        self.assertEqual(mounts(), daemon.mounts_before)
        following = self.serve()
        wait_until(lambda: not daemon.groups_left(), 20, f"the sweep of {len(daemon.groups_left())} control groups")
        self.assertEqual(files_of(daemon.pid), [])
        self.assert_prints(self.execute("print(1)", daemon=following), "1\n")
        self.assertEqual(following.stop(), 0, following)
        self.assert_nothing_left(following)


class Connect(DaemonTest):
    """progtc-run as the client of a daemon."""

    def run_connected(self, target, *arguments, key=KEY):
        self.lab.environment["PROGTC_API_KEY"] = key
        return self.lab.execute([harness.program(), "--connect", target, *arguments])

    def test_a_script(self):
        script = self.lab.write("script.py", "import sys\nprint('out')\nprint('err', file=sys.stderr)\n")
        ended = self.run_connected(self.daemon.url, script)
        self.assertEqual((ended.status, ended.text), (0, "out\n"), str(ended))
        self.assertIn("err\n", ended.words)

    def test_a_directory_is_refused(self):
        directory = self.lab.write("app/__main__.py", "print('never')").parent
        ended = self.run_connected(self.daemon.url, directory)
        self.assertEqual((ended.status, ended.out), (harness.SETUP_FAILED, b""), str(ended))
        self.assertIn("is a directory or archive", ended.words)

    def test_endings(self):
        for code, status in (("import sys\nsys.exit(3)", 3), ("1/0", 1), ("x = = 1", 1), ("import os\nos.abort()", 128 + signal.SIGABRT)):
            with self.subTest(code):
                ended = self.run_connected(self.daemon.url, self.lab.write("script.py", "print('out', flush=True)\n" + code))
                self.assertEqual(ended.status, status, str(ended))

    def test_a_traceback(self):
        ended = self.run_connected(self.daemon.url, self.lab.write("script.py", "print('out')\n1/0\n"))
        self.assertEqual((ended.status, ended.text), (1, "out\n"), str(ended))
        self.assertIn("ZeroDivisionError: division by zero", ended.words)

    def test_a_timeout(self):
        daemon = self.serve("--code-execution-timeout", "1")
        ended = self.run_connected(daemon.url, self.lab.write("script.py", FOREVER))
        self.assertEqual((ended.status, ended.text), (124, "started\n"), str(ended))

    def test_tools_are_on_the_clients_side(self):
        path = self.lab.path / "progtc.sock"
        daemon = self.start(unix=path)
        wait_until(lambda: daemon.process.poll() is not None or can_connect(path), 30, f"the socket of {daemon}")
        say = self.lab.write("bin/say.sh", '#!/bin/sh\nprintf "%s from %s" "$1" "$WHERE"\n', 0o755)
        self.lab.write("tools/say.yaml", f"name: say\ncommand: {say}\nargs: \"'{{text}}'\"\nenv: {{WHERE: here}}\n")
        self.lab.write("tools/fail.yaml", "name: fail\ncommand: sh -c 'echo words >&2; exit 3'\nargs: --\n")
        script = self.lab.write("script.py", """
import asyncio
from tools import say, fail, ToolError
print(await say(text="one"))
print(*await asyncio.gather(*[say(text=str(i)) for i in range(10)]), sep=", ")
try:
    await fail()
except ToolError as error:
    print("words" in str(error))
""")  # fmt: skip
        out = "one from here\n" + ", ".join(f"{i} from here" for i in range(10)) + "\nTrue\n"
        for target in (self.daemon.url, f"unix:{path}"):
            with self.subTest(target.split(":")[0]):
                ended = self.run_connected(target, "--tools", self.lab.path / "tools", script)
                self.assertEqual((ended.status, ended.text), (0, out), str(ended))

    def test_output_comes_as_it_happens(self):
        self.lab.environment["PROGTC_API_KEY"] = KEY
        process = self.lab.start([harness.program(), "--connect", self.daemon.url, self.lab.write("script.py", FOREVER)])
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(harness.read_line(process), b"started\n")

    def test_what_cannot_be_reached(self):
        with socket.socket() as unused:  # bound and not listening: refuses, and nobody else can take it
            unused.bind(("127.0.0.1", 0))
            script = self.lab.write("script.py", "print('never')")
            nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"
            for target in (nowhere, f"unix:{self.lab.path}/nothing.sock", "nonsense", "ftp://127.0.0.1/", ""):
                with self.subTest(target):
                    ended = self.run_connected(target, script)
                    self.assertEqual((ended.status, ended.out), (harness.SETUP_FAILED, b""), str(ended))
                    self.assertTrue(ended.words.strip())

    def test_the_doctor_has_it_execute_a_line(self):
        progtc = str(harness.program()).removesuffix("-run")
        for key, status, word in ((KEY, 0, "ok"), ("wrong-key-xyz", 1, "failed")):
            with self.subTest(word):
                self.lab.environment["PROGTC_API_KEY"] = key
                ended = self.lab.execute([progtc, "doctor", "--daemon", self.daemon.url])
                self.assertEqual((ended.status, ended.text.split()[0]), (status, word), str(ended))

    def test_a_wrong_key(self):
        ended = self.run_connected(self.daemon.url, self.lab.write("script.py", "print('never')"), key="wrong-key-xyz")
        self.assertEqual((ended.status, ended.out), (harness.SETUP_FAILED, b""), str(ended))
        self.assertIn("key", ended.words.lower())
        self.assertNotIn("wrong-key-xyz", ended.words)


class Preload(DaemonTest):
    """Modules that every run finds imported."""

    def test_pandas(self):
        daemon = self.serve("--policy", "data", "--preload", "numpy,pandas")
        code = """
            import time
            begin = time.perf_counter()
            import pandas, numpy
            took = time.perf_counter() - begin
            print(int(pandas.DataFrame({'a': numpy.arange(5)}).a.sum()))
            took
        """
        took = []
        for _ in range(10):
            final = self.execute(code, daemon=daemon)
            self.assert_prints(final, "10\n")
            took.append(final.json["value"])
        # The best of ten: a busy machine delays some, an import that is not there delays all (it takes most of a second).
        self.assertLess(min(took), 0.010)

    # Each draws from a generator whose state the template holds already; two runs must not draw the same.
    DRAWS = {
        "random": "import random; random.getrandbits(64)",
        "numpy": "import numpy; [int(n) for n in numpy.random.randint(0, 2**31, 4)]",
        "ctypes": "import ctypes; libc = ctypes.CDLL(None); libc.drand48.restype = ctypes.c_double; [libc.rand(), libc.drand48()]",
        "multiprocessing": "import multiprocessing; bytes(multiprocessing.current_process().authkey).hex()",
        "tempfile": "import tempfile; next(tempfile._get_candidate_names())",
        "ssl": "import ssl; ssl.RAND_bytes(8).hex()",
        "uuid": "import uuid; str(uuid.uuid4())",
    }

    def test_runs_do_not_share_random_numbers(self):
        daemon = self.serve("--policy", "data", "--preload", ",".join(self.DRAWS))
        for module, code in self.DRAWS.items():
            with self.subTest(module):
                code = f"import sys\nassert {module!r} in sys.modules\n" + code.replace("; ", "\n")
                drawn = [self.execute(code, daemon=daemon) for _ in range(3)]
                for final in drawn:
                    self.assertIsNotNone(final.json["value"], final.json)
                self.assertEqual(len({json.dumps(final.json["value"]) for final in drawn}), 3)

    def test_variables_that_the_interpreter_reads(self):
        policy = self.lab.policy("strict", env={"set": {"PYTHONHASHSEED": "0", "PYTHONOPTIMIZE": "1", "TZ": "Asia/Tokyo"}})
        daemon = self.serve("--policy", policy)
        code = "import sys, time\n[hash('word'), sys.flags.optimize, time.tzname[0]]"
        values = [self.execute(code, daemon=daemon).json["value"] for _ in range(3)]
        self.assertEqual(values[0][1:], [1, "JST"])
        self.assertEqual(values, [values[0]] * 3)

    def test_a_fork_of_the_code_keeps_the_state_of_its_generators(self):
        policy = self.lab.policy("standard", python={"site": "system"}, limits={"memory": "512MiB"})
        daemon = self.serve("--policy", policy, "--preload", "numpy", "--allow-degraded", "cgroup")
        final = self.execute("""
            import numpy, os
            numpy.random.seed(7)
            reading, writing = os.pipe()
            if os.fork() == 0:
                os.write(writing, str(numpy.random.randint(2**31)).encode())
                os._exit(0)
            os.wait()
            os.read(reading, 100).decode() == str(numpy.random.randint(2**31))
            """, daemon=daemon)
        self.assertIs(final.json["value"], True)


GROUPS = {
    "revisions": [Revisions],
    "code": [Code],
    "tools": [Tools],
    "requests": [Requests],
    "fields": [Fields],
    "lifecycle": [Lifecycle],
    "keys": [Keys],
    "operations": [Operations],
    "load": [Load],
    "connect": [Connect],
    "preload": [Preload],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--as-user", action="store_true", help="where this is root: as a user of no importance")
    parser.add_argument("--progtc", help="the program; beside progtc-run otherwise")
    # Another server instead, e.g. "bench/reference_server.py", to hold the client's half of the tests to something known.
    parser.add_argument("--server-command", help=argparse.SUPPRESS)
    parser.add_argument("group", choices=GROUPS)
    options = parser.parse_args()
    if options.server_command:
        daemon_lab.use_server(options.server_command)
        harness.use_program("/bin/true")
        harness.run_cases(
            GROUPS[options.group],
            lambda test: hasattr(getattr(test, test._testMethodName), "is_for_the_reference_too"),
        )
    if options.progtc:
        harness.use_program(pathlib.Path(options.progtc).absolute().parent / "progtc-run")
    if harness.program() == "/bin/false":
        parser.error("name the program: --progtc")
    if options.as_user and os.geteuid() == 0:
        harness.become_unprivileged([options.group])
    daemon_lab.use_server([str(pathlib.Path(harness.program()).parent / "progtc"), "serve", "--host", "127.0.0.1"])
    harness.need_sandbox()
    harness.run_cases(GROUPS[options.group])


if __name__ == "__main__":
    main()
