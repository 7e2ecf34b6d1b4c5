#!/usr/bin/env python3
"""progtc-run as a person or a CI job uses it: cli_test.py [--as-user] [PROGTC_RUN] GROUP."""

import hashlib
import json
import os
import pathlib
import pty
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent / "probes"))
import harness  # noqa: E402
from harness import PYTHON, SECRET_NAME, SECRET_VALUE, SandboxTest  # noqa: E402

SETUP_FAILED, UNREADABLE, NOT_FOUND = 125, 126, 127


class CliTest(SandboxTest):
    def assert_prints(self, ended, out, status=0):
        self.assertEqual((ended.status, ended.out), (status, out if isinstance(out, bytes) else out.encode()), str(ended))

    def assert_refused(self, ended, *words, status=SETUP_FAILED):
        """Ended before any user line, with words that name the matter, and without a trace of our own insides."""
        self.assert_status(ended, status)
        self.assertEqual(ended.out, b"")
        for word in words:
            self.assertIn(word, ended.words)
        for word in ("Traceback", "terminate called", "Assertion", "std::"):
            self.assertNotIn(word, ended.words)


class Code(CliTest):
    """Ways to say what to run, and what the code sees of it."""

    def test_a_script(self):
        self.assert_prints(self.run_code("print('hello')"), "hello\n")

    def test_arguments_are_the_scripts(self):
        ended = self.run_code("import sys\nprint(sys.argv[1:])", "--timeout", "x y", "-c", "", "ü", "--", "--report=z")
        self.assert_prints(ended, "['--timeout', 'x y', '-c', '', 'ü', '--', '--report=z']\n")

    def test_the_scripts_name(self):
        ended = self.run_code("import sys\nprint(sys.argv[0], __name__, __file__ == sys.argv[0])")
        self.assertRegex(ended.text, r"script\.py __main__ True\n$")

    def test_standard_input(self):
        self.assert_prints(self.run_code("print(input()[::-1])", stdin=b"abc\n"), "cba\n")

    def test_end_of_standard_input(self):
        self.assert_prints(self.run_code("import sys\nprint(repr(sys.stdin.read()))"), "''\n")

    def test_code_on_the_command_line(self):
        self.assert_prints(self.lab.run("-c", "import sys; print(sys.argv)", "one", "-x"), "['-c', 'one', '-x']\n")

    def test_a_module(self):
        self.assert_prints(self.lab.run("-m", "json.tool", stdin=b'{"a":1}'), '{\n    "a": 1\n}\n')

    def test_a_module_with_arguments(self):
        ended = self.lab.run("-m", "base64", "-e", stdin=b"hello")
        self.assert_prints(ended, "aGVsbG8=\n")

    def test_a_module_that_is_missing(self):
        ended = self.lab.run("-m", "no_such_module_here")
        self.assert_status(ended, 1)
        self.assertIn("no_such_module_here", ended.words)

    def test_code_from_standard_input(self):
        self.assert_prints(self.lab.run("-", "one", stdin=b"import sys\nprint(sys.argv)"), "['-', 'one']\n")

    def test_top_level_await(self):
        self.assert_prints(self.run_code("import asyncio\nprint(await asyncio.sleep(0, 'awaited'))"), "awaited\n")

    def test_asyncio_run(self):
        code = "import asyncio\nasync def main():\n    await asyncio.gather(*[asyncio.sleep(0) for _ in range(100)])\n    return 7\n"
        self.assert_prints(self.run_code(code + "print(asyncio.run(main()))"), "7\n")

    def test_multiple_modules_of_ones_own(self):
        module = self.lab.write("helper.py", "def answer(): return 42\n")
        ended = self.run_code("from helper import answer\nprint(answer())", options=("--file", module))
        self.assert_prints(ended, "42\n")

    def test_threads_and_executors(self):
        code = "from concurrent.futures import ThreadPoolExecutor as T\nwith T(4) as t: print(list(t.map(abs, [-1, -2])))"
        self.assert_prints(self.run_code(code), "[1, 2]\n")

    def test_another_encoding(self):
        self.assert_prints(self.run_code("# -*- coding: latin-1 -*-\nprint(ord('\xe9'))".encode("latin-1")), "233\n")

    def test_windows_line_ends(self):
        self.assert_prints(self.run_code(b"if True:\r\n    print('a')\r\n"), "a\n")

    def test_an_empty_script(self):
        self.assert_prints(self.run_code(""), "")

    def test_a_byte_order_mark(self):
        self.assert_prints(self.run_code(b"\xef\xbb\xbfprint('a')"), "a\n")

    def test_the_environment_is_empty_but_for_the_policys(self):
        code = f"import os\nprint(os.environ.get({SECRET_NAME!r}), {SECRET_VALUE!r} in os.environ.values())"
        self.assert_prints(self.run_code(code), "None False\n")

    def test_variables_passed_and_set(self):
        code = f"import os\nprint(os.environ[{SECRET_NAME!r}], os.environ['COLOUR'], repr(os.environ['EMPTY']))"
        ended = self.run_code(code, options=("--env", SECRET_NAME, "--env", "COLOUR=green=ish", "--env", "EMPTY="))
        self.assert_prints(ended, f"{SECRET_VALUE} green=ish ''\n")

    def test_the_working_directory(self):
        self.assert_prints(self.run_code("import os\nprint(os.getcwd())\nopen('x', 'w').write('1')"), "/sandbox\n")

    def test_a_hundred_runs_one_after_the_other(self):
        for number in range(100):
            self.assert_prints(self.lab.run("-c", f"print({number})", has_report=False), f"{number}\n")

    def test_runs_at_the_same_time(self):
        command = self.lab.command("-c", "import os, sys; sys.stdin.read(); print(os.listdir('/tmp'), sum(range(10**5)))")
        processes = [self.lab.start(command, stdin=subprocess.PIPE) for _ in range(24)]
        for process in processes:
            out, err = process.communicate(b"", timeout=harness.slower(60))
            self.assertEqual((process.returncode, out), (0, b"[] 4999950000\n"), err)


class Endings(CliTest):
    """Exit statuses and what stands on stderr."""

    def test_sys_exit(self):
        for value, status in (("3", 3), ("0", 0), ("None", 0), ("255", 255), ("256", 0), ("-1", 255), ("True", 1)):
            with self.subTest(value):
                self.assert_prints(self.run_code(f"import sys\nsys.exit({value})"), "", status)

    def test_sys_exit_with_words(self):
        ended = self.run_code("import sys\nsys.exit('words')")
        self.assert_prints(ended, "", 1)
        self.assertIn("words", ended.words)

    def test_reserved_statuses_can_be_the_codes_own(self):
        for status in (124, 125, 126, 127, 137):
            with self.subTest(status):
                ended = self.run_code(f"raise SystemExit({status})")
                self.assert_status(ended, status)
                self.assert_kind(ended, "exited")

    def test_os_exit(self):
        self.assert_status(self.run_code("import os\nos._exit(9)"), 9)

    def test_an_exception(self):
        ended = self.run_code("def f():\n    return 1 / 0\nprint('before')\nf()\n")
        self.assert_prints(ended, "before\n", 1)
        self.assertIn("Traceback (most recent call last):", ended.words)
        self.assertIn('script.py", line 2, in f', ended.words)
        self.assertIn("    return 1 / 0", ended.words)
        self.assertIn("ZeroDivisionError: division by zero", ended.words)
        self.assertNotIn("progtc_guest", ended.words)
        self.assertEqual(ended.report.error_type, "ZeroDivisionError")

    def test_a_syntax_error(self):
        ended = self.run_code("print('never')\nx = = 1\n")
        self.assert_prints(ended, "", 1)
        self.assertIn("SyntaxError: invalid syntax", ended.words)
        self.assertIn("line 2", ended.words)
        self.assertNotIn("progtc_guest", ended.words)

    def test_keyboard_interrupt_of_the_codes_own(self):
        ended = self.run_code("raise KeyboardInterrupt")
        self.assertIn(ended.status, (1, 130), str(ended))

    def test_what_the_interpreters_finalization_does_is_done(self):
        """Whatever is left behind: a run that leaves nothing ends without it."""
        bodies = {
            "nothing": ("x = [1, {'a': (2,)}]\ndef f(): pass\nprint('end')", "end\n"),
            "an object": ("class A:\n  def __del__(self): print('gone')\na = A()\nprint('end')", "end\ngone\n"),
            "a cycle": ("class A:\n  def __del__(self): print('gone')\na = A()\na.me = a\ndel a\nprint('end')", "end\ngone\n"),
            "a file": ("f = open(1, 'w', closefd=False)\nf.write('late')\nprint('end')", "end\nlate"),
            "a generator": ("def g():\n  try: yield\n  finally: print('closed')\nx = g()\nnext(x)\nprint('end')", "end\nclosed\n"),
            "a weak reference": ("import weakref\ndef f(): pass\nweakref.finalize(f, print, 'gone')\nprint('end')", "end\ngone\n"),
            "an object that the collector does not know": (
                "class A:\n  __slots__ = ()\n  def __del__(self): print('gone')\na = A()\nprint('end')", "end\ngone\n"),
            "an exit handler whose module is gone": (
                "import atexit, sys\natexit.register(print, 'handler')\ndel sys.modules['atexit']\nprint('end')", "end\nhandler\n"),
            "names that are gone": ("import gc, sys\ndel gc.callbacks, gc.get_objects, sys.gettrace\nprint('end')", "end\n"),
            "an exit handler": ("import atexit\natexit.register(print, 'handler')\nprint('end')", "end\nhandler\n"),
            "a thread": ("import _thread, time, threading\ndef f():\n  time.sleep(0.2)\n  print('joined')\n"
                         "threading.Thread(target=f).start()\nprint('end')", "end\njoined\n"),
            "a class hidden in a list": ("class A:\n  def __del__(self): print('gone')\nx = [[(A(),)]]\nprint('end')",
                                         "end\ngone\n"),
            "what is not flushed": ("import sys\nsys.stdout.write('end')", "end"),
            "what is not flushed of a stream that was replaced": ("import sys\nprint('end')\nsys.stdout = sys.stderr", "end\n"),
            "and of which nobody knows": (
                "import sys\nsys.stdout.write('end')\nsys.stdout = sys.__stdout__ = sys.stderr", "end"),
        }  # fmt: skip
        for name, (code, out) in bodies.items():
            with self.subTest(name):
                self.assert_prints(self.run_code(code), out)
        with self.subTest("what is not flushed of a replaced stderr"):
            ended = self.run_code("import sys\nsys.stderr.write('end')\nsys.stderr = sys.stdout")
            self.assertTrue(ended.words.startswith("end"), str(ended))
        with self.subTest("an output that cannot be written"):
            ended = self.run_code("import sys, posix\nsys.stdout.write('x')\nposix.close(1)")
            self.assertEqual(ended.status, 120, str(ended))

    def test_atexit_and_finally_run(self):
        code = "import atexit\natexit.register(print, 'at exit')\ntry:\n    raise SystemExit(4)\nfinally:\n    print('finally')"
        self.assert_prints(self.run_code(code), "finally\nat exit\n", 4)

    def test_a_thread_left_running_is_waited_for(self):
        code = "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\nprint('main')"
        self.assert_prints(self.run_code(code), "main\nthread\n")

    def test_a_signal(self):
        ended = self.run_code("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)")
        self.assert_status(ended, 128 + signal.SIGTERM)
        self.assert_kind(ended, "signaled")
        self.assertEqual(ended.report.signal, signal.SIGTERM)

    def test_quiet(self):
        ended = self.run_code("import time\ntime.sleep(60)", options=("-q", "--timeout", "1"))
        self.assert_status(ended, 124)
        self.assertLessEqual(len(ended.words.splitlines()), 1, str(ended))

    def test_ours_is_on_stderr_only(self):
        ended = self.run_code("import socket\ntry: socket.socket()\nexcept OSError: print('denied')", options=("-v",))
        self.assert_prints(ended, "denied\n")
        self.assertIn("network", ended.words)

    def test_a_run_that_ends_with_0_says_nothing(self):
        code = "import socket\ntry: socket.socket()\nexcept OSError: print('denied')"
        ended = self.run_code(code)
        self.assert_prints(ended, "denied\n")
        self.assertEqual(ended.words, "")
        self.assertTrue(ended.report.denials_of("socket"))

    def test_a_denial_says_which_line_would_allow_it(self):
        ended = self.run_code("import socket\nsocket.socket(socket.AF_INET, socket.SOCK_STREAM)")
        self.assert_status(ended, 1)
        denial = ended.report.denials_of("socket")[0]
        self.assertIn("AF_INET", denial["call"])
        self.assertIn("network", denial["rule"])
        self.assertIn("network", denial["fix"])
        self.assertIn("network", ended.words)

    def test_identical_denials_are_counted(self):
        ended = self.run_code("import socket\nfor _ in range(5):\n  try: socket.socket()\n  except OSError: pass")
        self.assertEqual([denial["count"] for denial in ended.report.denials_of("socket")], [5])

    def test_explain(self):
        ended = self.run_code("print('never')", options=("--explain",))
        self.assert_status(ended, 0)
        self.assertNotIn(b"never", ended.out)
        self.assertIn('"network": "none"', ended.text + ended.words)


class Output(CliTest):
    """Streams, large and odd, and the report's account of them."""

    def test_bytes_arrive_unchanged(self):
        data = bytes(range(256)) * 16
        ended = self.run_code("import sys\nsys.stdout.buffer.write(bytes(range(256)) * 16)")
        self.assertEqual(ended.out, data)
        self.assertEqual(ended.report.out_total, len(data))

    def test_stderr_arrives_on_stderr(self):
        ended = self.run_code("import sys\nprint('out')\nprint('err', file=sys.stderr)")
        self.assert_prints(ended, "out\n")
        self.assertIn("err\n", ended.words)
        self.assertEqual(ended.report.err, "err\n")

    def test_a_hundred_megabytes(self):
        policy = self.lab.policy("strict", limits={"output": "200MiB"})
        code = "import sys\nblock = bytes(range(256)) * 4000\nfor _ in range(100): sys.stdout.buffer.write(block)"
        ended = self.run_code(code, policy=policy, timeout=120)
        self.assert_status(ended, 0)
        expected = hashlib.sha256(bytes(range(256)) * 4000 * 100).hexdigest()
        self.assertEqual(hashlib.sha256(ended.out).hexdigest(), expected)
        self.assertEqual(ended.report.out_total, 100 * 1024000)
        self.assertTrue(ended.report.is_out_truncated)

    def test_ten_megabytes_of_standard_input(self):
        data = os.urandom(10 << 20)
        ended = self.run_code("import hashlib, sys\nprint(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())", stdin=data)
        self.assert_prints(ended, hashlib.sha256(data).hexdigest() + "\n")

    def test_input_nobody_reads(self):
        self.assert_prints(self.run_code("print('done')", stdin=bytes(10 << 20)), "done\n")

    def test_output_comes_as_it_is_written(self):
        script = self.lab.write("slow.py", "import sys\nprint('first', flush=True)\nsys.stdin.readline()\nprint('second')")
        with self.lab.start(self.lab.command(script), stdin=subprocess.PIPE) as process:
            self.addCleanup(process.kill)
            self.assertEqual(harness.read_line(process), b"first\n")
            out, err = process.communicate(b"\n", timeout=harness.slower(30))
        self.assertEqual((process.returncode, out), (0, b"second\n"), err)

    def test_standard_input_closed(self):
        command = ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *self.lab.command("-c", "print('ran')")]
        self.assert_prints(self.lab.execute(command), "ran\n")

    def test_standard_output_closed(self):
        command = ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *self.lab.command("-c", "print('ran')")]
        ended = self.lab.execute(command)
        self.assertNotIn("terminate called", ended.words)
        self.assertLess(ended.status, 128, str(ended))

    def test_standard_error_closed(self):
        command = ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", *self.lab.command("-c", "print('ran')")]
        self.assert_prints(self.lab.execute(command), "ran\n")

    def test_a_quiet_stdin_holds_nobody_up(self):
        reader, writer = os.pipe()
        try:
            ended = subprocess.run(self.lab.command("-c", "print('done')"), stdin=reader, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.lab.environment, timeout=harness.slower(30))
        finally:
            os.close(reader)
            os.close(writer)
        self.assertEqual((ended.returncode, ended.stdout), (0, b"done\n"), ended.stderr)

    def test_a_terminal_nobody_reads_does_not_stop_the_clock(self):
        leader, follower = pty.openpty()
        script = self.lab.write("flood.py", "while True: print('x' * 1000, flush=True)")
        try:
            ended = subprocess.run(self.lab.command("--timeout", "1s", script), stdin=subprocess.DEVNULL, stdout=follower,
                                   stderr=subprocess.PIPE, env=self.lab.environment, timeout=harness.slower(60))
        finally:
            os.close(leader)
            os.close(follower)
        self.assertEqual(ended.returncode, 124, ended.stderr)

    def test_output_to_a_full_disk(self):
        command = ["/bin/sh", "-c", 'exec "$@" >/dev/full', "sh", *self.lab.command("-c", "print('x' * 100000)")]
        ended = self.lab.execute(command)
        self.assertNotIn("terminate called", ended.words)
        self.assertNotEqual(ended.status, 0)

    def test_a_terminal_is_not_handed_in(self):
        leader, follower = pty.openpty()
        script = self.lab.write("tty.py", "import os\nprint([os.isatty(fd) for fd in (0, 1, 2)])")
        try:
            ended = subprocess.run(self.lab.command(script), stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.lab.environment, timeout=harness.slower(30))
        finally:
            os.close(leader)
            os.close(follower)
        self.assertEqual(ended.stdout, b"[False, False, False]\n", ended.stderr)


    def test_a_reader_that_has_gone(self):
        """The code meets a broken pipe where it would without us, and what does not write does not notice."""
        waits = "import select\nprint('hi', flush=True)\ngone = select.poll()\ngone.register(1, 0)\ngone.poll()\n"
        for name, code, status in (("it writes no more", waits, 0),
                                   ("it writes again", waits + "print('again', flush=True)", 120),
                                   ("it has more to flush", waits + "print('again')", 120)):
            with self.subTest(name):
                script = self.lab.write("gone.py", code)
                with self.lab.start(self.lab.command(script)) as process:
                    process.stdout.close()
                    err = process.stderr.read().decode()
                    self.assertEqual(process.wait(harness.slower(60)), status, err)
                self.assertEqual("BrokenPipeError" in err, status != 0, err)


class Reports(CliTest):
    def test_what_a_report_holds(self):
        ended = self.run_code("print('hi')")
        report = ended.report
        self.assertRegex(report.run_id, r"^[0-9a-f]{32}$")
        self.assertEqual((report.kind, report.exit_code, report.out, report.out_total), ("exited", 0, "hi\n", 3))
        self.assertFalse(report.is_out_truncated)
        self.assertEqual((report.denials, report.degraded, report.files), ([], [], {}))
        self.assertEqual(report.policy_name, "strict")
        self.assertRegex(report.policy_digest, r"^[0-9a-f]{64}$")
        for name in ("wall_ms", "cpu_ms", "memory_peak_bytes", "tool_calls"):
            self.assertGreaterEqual(report.usage(name), 0)
        for control in ("memory", "processes"):
            self.assertTrue(report.enforced_by(control), control)

    def test_run_ids_differ_and_digests_do_not(self):
        one, two = self.lab.run("-c", "1").report, self.lab.run("-c", "1").report
        self.assertNotEqual(one.run_id, two.run_id)
        self.assertEqual(one.policy_digest, two.policy_digest)

    def test_output_that_is_not_text(self):
        ended = self.run_code("import sys\nsys.stdout.buffer.write(b'\\xff\\xfe\\x00ok')")
        self.assertEqual(ended.report.out_total, 5)
        self.assertIn("ok", ended.report.out)

    def test_a_value(self):
        ended = self.lab.run("-c", "{'answer': 42}")
        self.assertIn(ended.report.json.get("value"), (None, {"answer": 42}))

    def test_junit(self):
        for code, is_failure in (("print('fine')", False), ("1/0", True)):
            with self.subTest(code):
                path = self.lab.path / "junit.xml"
                self.run_code(code, options=("--junit", path))
                nodes = list(xml.etree.ElementTree.parse(path).iter())
                self.assertIn("testcase", [node.tag for node in nodes])
                self.assertEqual(any(node.tag in ("failure", "error") for node in nodes), is_failure)

    def test_junit_of_output_that_xml_cannot_hold(self):
        path = self.lab.path / "junit.xml"
        self.run_code("import sys\nsys.stdout.buffer.write(bytes(range(256)) + b'<&]]>')\n1/0", options=("--junit", path))
        xml.etree.ElementTree.parse(path)

    def test_a_report_that_cannot_be_written(self):
        for path in ("/dev/full", "/nonexistent/report.json", str(self.lab.path)):
            with self.subTest(path):
                ended = self.lab.execute(self.lab.command("-c", "print('ran')", report=path))
                self.assertNotEqual(ended.status, 0, "a report that was asked for and not written is an error")
                self.assertIn(path, ended.words)

    def test_a_report_of_a_setup_that_failed(self):
        ended = self.lab.run("--ro", "/nonexistent", "-c", "1")
        self.assert_kind(ended, "setup_failed")
        self.assertIn("/nonexistent", ended.report.cause)


class Files(CliTest):
    """--file, --ro, --rw, --out."""

    def collect(self, code, *options, policy="strict"):
        out = self.lab.path / "out"
        out.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            out.chmod(0o755)
        return self.run_code(code, options=("--out", out, *options), policy=policy), out

    def names(self, out):
        return sorted(str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir())

    def test_a_file_is_copied_in(self):
        data = self.lab.write("data.csv", "a,b\n1,2\n")
        ended = self.run_code("print(open('data.csv').read(), end='')\nopen('data.csv', 'w').write('changed')",
                              options=("--file", data))
        self.assert_prints(ended, "a,b\n1,2\n")
        self.assertEqual(data.read_text(), "a,b\n1,2\n")

    def test_a_file_is_copied_to_another_name(self):
        data = self.lab.write("data.csv", "x")
        ended = self.run_code("print(open('deep/er/y.csv').read())", options=("--file", f"{data}:deep/er/y.csv"))
        self.assert_prints(ended, "x\n")

    def test_a_file_may_not_leave_the_working_directory(self):
        data = self.lab.write("data.csv", "x")
        for target in ("../up.csv", "/etc/up.csv", "a/../../up.csv"):
            with self.subTest(target):
                self.assert_refused(self.run_code("1", options=("--file", f"{data}:{target}")), target)

    def test_a_private_file_of_the_callers(self):
        secret = self.lab.write("key.pem", "key", mode=0o600)
        self.assert_prints(self.run_code("print(open('key.pem').read())", options=("--file", secret)), "key\n")

    def test_read_only(self):
        self.lab.write("data/x", "content", mode=0o600)
        code = "print(open('/data/x').read())\ntry: open('/data/y', 'w')\nexcept OSError as e: print(type(e).__name__)"
        ended = self.run_code(code, options=("--ro", f"{self.lab.path / 'data'}:/data"))
        self.assertRegex(ended.text, "^content\n(OSError|PermissionError)\n$", str(ended))
        self.assertEqual(os.listdir(self.lab.path / "data"), ["x"])

    def test_read_only_at_its_own_place(self):
        self.lab.write("data/x", "content")
        source = self.lab.path / "data"
        self.assert_prints(self.run_code(f"print(open('{source}/x').read())", options=("--ro", source)), "content\n")

    def test_read_only_file(self):
        path = self.lab.write("one.txt", "content")
        self.assert_prints(self.run_code("print(open('/one.txt').read())", options=("--ro", f"{path}:/one.txt")), "content\n")

    def test_writable(self):
        data = self.lab.path / "data"
        data.mkdir()
        ended = self.run_code("open('/data/y', 'w').write('made')\nimport os\nprint(os.stat('/data/y').st_uid == os.getuid())",
                              options=("--rw", f"{data}:/data"))
        self.assert_prints(ended, "True\n")
        self.assertEqual((data / "y").read_text(), "made")
        self.assertEqual((data / "y").stat().st_uid, os.getuid(), "the caller owns what was made for it")
        self.assertFalse((data / "y").stat().st_mode & (stat.S_ISUID | stat.S_ISGID))

    def test_writable_gets_no_setuid_program(self):
        data = self.lab.path / "data"
        data.mkdir()
        code = "import os\nopen('/data/y', 'w').close()\nfor m in (0o4755, 0o2755):\n  try: os.chmod('/data/y', m)\n  except OSError: pass"
        self.run_code(code, options=("--rw", f"{data}:/data"))
        self.assertFalse((data / "y").stat().st_mode & (stat.S_ISUID | stat.S_ISGID))

    def test_a_link_in_a_bind_leads_into_the_sandbox(self):
        self.lab.write("outside/secret", "secret")
        data = self.lab.path / "data"
        data.mkdir()
        (data / "link").symlink_to(self.lab.path / "outside/secret")
        (data / "up").symlink_to("../outside/secret")
        code = "for n in ('link', 'up'):\n  try: print(open('/data/' + n).read())\n  except OSError as e: print(type(e).__name__)"
        ended = self.run_code(code, options=("--ro", f"{data}:/data"))
        self.assert_prints(ended, "FileNotFoundError\nFileNotFoundError\n")

    def test_a_bind_that_is_a_link_shows_what_it_leads_to(self):
        self.lab.write("real/x", "content")
        (self.lab.path / "link").symlink_to("real")
        ended = self.run_code("print(open('/data/x').read())", options=("--ro", f"{self.lab.path / 'link'}:/data"))
        self.assert_prints(ended, "content\n")

    def test_binds_that_are_refused(self):
        os.mkfifo(self.lab.path / "fifo")
        for source, word in (("/", "/"), ("/:/data", "root"), (f"{self.lab.path / 'fifo'}:/data", "fifo"),
                             ("/dev/null:/data", "/dev/null"), (f"{self.lab.path}:/", "/"), (f"{self.lab.path}:/proc/x", "/proc"),
                             (f"{self.lab.path}:data", "data"), (f"{self.lab.path}:/a/../../b", ".."), ("", ""), (":/data", "")):
            for option in ("--ro", "--rw"):
                with self.subTest(option=option, source=source):
                    self.assert_refused(self.run_code("print(1)", options=(option, source)), word)

    def test_output_is_collected(self):
        ended, out = self.collect("import os\nos.makedirs('/out/a/b')\nopen('/out/a/b/c.txt', 'w').write('made')\nopen('/out/d', 'w')")
        self.assert_status(ended, 0)
        self.assertEqual(self.names(out), ["a/b/c.txt", "d"])
        self.assertEqual((out / "a/b/c.txt").read_text(), "made")
        self.assertEqual(ended.report.files, {"a/b/c.txt": 4, "d": 0})
        self.assertEqual((out / "a/b/c.txt").stat().st_uid, os.getuid())

    def test_output_without_a_collector(self):
        ended = self.run_code("import os\nprint(os.path.ismount('/out'))\nopen('/out/x', 'w')")
        self.assertEqual(ended.out, b"False\n")
        self.assert_status(ended, 1)

    def test_output_after_a_timeout_is_kept(self):
        ended, out = self.collect("import time\nopen('/out/x', 'w').write('so far')\ntime.sleep(60)", "--timeout", "1")
        self.assert_status(ended, 124)
        self.assertEqual((out / "x").read_text(), "so far")

    def test_links_in_output_are_never_followed(self):
        secret = self.lab.write("secret", "secret")
        victim = self.lab.write("victim", "untouched", mode=0o666)
        ended, out = self.collect(f"""
import os
os.symlink({str(secret)!r}, '/out/to-file')
os.symlink('/etc/shadow', '/out/to-shadow')
os.symlink('/', '/out/to-root')
os.symlink('../victim', '/out/relative')
os.symlink('/out/loop', '/out/loop')
os.makedirs('/out/dir'); os.symlink({str(self.lab.path)!r}, '/out/dir/up')
open('/out/plain', 'w').write('kept')
""")
        self.assert_status(ended, 0)
        self.assertEqual(self.names(out), ["plain"])
        self.assertEqual(victim.read_text(), "untouched")

    def test_links_that_lie_in_the_output_directory_are_not_written_through(self):
        victim = self.lab.write("victim", "untouched", mode=0o666)
        (self.lab.path / "elsewhere").mkdir()
        out = self.lab.path / "out"
        out.mkdir()
        (out / "x").symlink_to(victim)
        (out / "dir").symlink_to(self.lab.path / "elsewhere")
        self.collect("import os\nopen('/out/x', 'w').write('new')\nos.mkdir('/out/dir')\nopen('/out/dir/y', 'w').write('new')")
        self.assertEqual(victim.read_text(), "untouched")
        self.assertEqual(os.listdir(self.lab.path / "elsewhere"), [])

    def test_what_is_no_regular_file_is_left_behind(self):
        ended, out = self.collect("""
import os, socket
os.mkfifo('/out/fifo')
open('/out/one', 'w').write('1')
os.link('/out/one', '/out/two')
try: os.mknod('/out/device', 0o20666, os.makedev(1, 3))
except OSError: pass
""")
        self.assert_status(ended, 0)
        self.assertIn("one", self.names(out))
        self.assertNotIn("fifo", self.names(out))
        self.assertNotIn("device", self.names(out))

    def test_a_sparse_file_does_not_fill_the_hosts_disk(self):
        """Twenty files of 60 MiB that hold nothing: more than all that is collected together."""
        code = "for i in range(20): open(f'/out/sparse{i}', 'w').truncate(60 << 20)\nopen('/out/x', 'w').write('kept')"
        ended, out = self.collect(code)
        self.assert_status(ended, 0)
        self.assertLess(sum(path.stat().st_blocks * 512 for path in out.rglob("*")), 512 << 20)
        self.assertIn("x", self.names(out))

    def test_a_sparse_file_beyond_every_limit(self):
        policy = self.lab.policy("strict", limits={"file_size": "1TiB"})
        ended, out = self.collect("open('/out/huge', 'w').truncate(1 << 39)\nopen('/out/x', 'w').write('kept')", policy=policy)
        used = sum(path.stat().st_blocks * 512 for path in out.rglob("*"))
        self.assertLess(used, 512 << 20, str(ended))
        self.assertIn("x", self.names(out))

    def test_results_are_not_written_through_links_the_code_has_planted(self):
        shared, victim = self.lab.path / "shared", self.lab.path / "victim"
        (shared / "out").mkdir(parents=True)
        victim.mkdir()
        code = (f"import os\nopen('/out/planted', 'w').write('x')\nos.rename('{shared}/out', '{shared}/moved')\n"
                f"os.symlink('{victim}', '{shared}/out')\n")
        ended = self.run_code(code, options=("--rw", shared, "--out", shared / "out"), has_report=False)
        self.assert_status(ended, 0)
        self.assertEqual(list(victim.iterdir()), [], str(ended))
        self.assertEqual((shared / "moved" / "planted").read_text(), "x", "it lies in the directory that was named")

    def test_a_result_that_the_code_could_replace_is_refused(self):
        """Nothing has run; the report outside of it says why."""
        shared = self.lab.path / "project"
        (shared / "sub").mkdir(parents=True)
        (self.lab.path / "link").symlink_to(shared / "sub")
        (shared / "single").write_text("")
        report = self.lab.path / "report.json"
        for name, result in (("below", shared / "sub" / "r.xml"), ("link", self.lab.path / "link" / "r.xml"),
                             ("relative", "sub/r.xml")):
            with self.subTest(name):
                ended = self.run_code("print('ran')", options=("--rw", shared, "--junit", result, "--report", report),
                                      has_report=False, cwd=shared)
                self.assert_refused(ended, "--junit", "lies in", str(shared))
                self.assertEqual(json.loads(report.read_text())["kind"], "setup_failed")
        ended = self.run_code("print('ran')", options=("--rw", shared / "single", "--junit", shared / "single"), has_report=False)
        self.assert_refused(ended, "--junit", "lies in")
        ended = self.run_code("print('ran')", policy="ci", options=("--junit", "r.xml"), has_report=False, cwd=shared)
        self.assert_refused(ended, "--junit", "lies in")
        ended = self.run_code("print('ran')", options=("--rw", shared / "sub", "--junit", shared / "r.xml"), has_report=False)
        self.assert_prints(ended, "ran\n")
        self.assertTrue((shared / "r.xml").exists())

    def test_a_forged_result_of_the_run_before_is_gone(self):
        results = self.lab.path / "results"
        results.mkdir()
        (results / "r.xml").write_text("forged")
        seen = f"import os\nprint(os.listdir({str(results)!r}))"
        self.assert_prints(self.run_code(seen, options=("--ro", results, "--junit", results / "r.xml"), has_report=False), "[]\n")
        self.assertEqual(os.listdir(results), ["r.xml"])
        self.assertIn("<testsuite", (results / "r.xml").read_text())

    @unittest.skipIf(os.geteuid(), "an ordinary user has one id")
    def test_the_id_of_a_sandbox_does_not_tell_our_pid(self):
        """The code reads it in /proc/self/uid_map, and temporary names once followed from the pid."""
        code = "print(int(open('/proc/self/uid_map').read().split()[1]))"
        distances = set()
        for _ in range(3):
            process = self.lab.start(self.lab.command("-c", code))
            out, _ = process.communicate(timeout=60)
            distances.add((int(out) - process.pid) % 4096)
        self.assertGreater(len(distances), 1)  # two may be equal by chance

    def test_a_result_that_cannot_be_written_is_125_whatever_the_code_says(self):
        for status in (0, 3):
            with self.subTest(status):
                ended = self.run_code(f"import sys; sys.exit({status})", options=("--junit", "/dev/full"), has_report=False)
                self.assertEqual(ended.status, SETUP_FAILED, str(ended))
                self.assertIn("--junit", ended.words)

    def test_a_result_on_the_standard_output_leaves_the_name_alone(self):
        link, result = self.lab.path / "stdout", self.lab.path / "captured"
        link.symlink_to("/proc/self/fd/1")
        with open(result, "wb") as out:
            subprocess.run([harness.program(), "--report", link, "-c", "1"], stdout=out, check=True, timeout=60)
        self.assertTrue(link.is_symlink())
        self.assertEqual(json.loads(result.read_text())["kind"], "exited")

    def test_hidden_and_odd_names(self):
        names = [".hidden", "with space", "-rf", "line\nbreak", "ünï", "a" * 255]
        ended, out = self.collect(f"import os\nfor n in {names!r}: open('/out/' + n, 'w').write('x')\nopen(b'/out/\\xff\\xfe', 'w')")
        self.assert_status(ended, 0)
        self.assertTrue(set(names) <= set(self.names(out)), str(ended))

    def test_depth_without_end(self):
        code = "import os\nos.chdir('/out')\nfor _ in range(3000):\n  os.mkdir('d'); os.chdir('d')\nopen('x', 'w')"
        ended, out = self.collect(code)
        self.assertLess(len(list(out.rglob("*"))), 1000, str(ended))
        shutil.rmtree(out)

    def test_modes_are_not_carried_out(self):
        ended, out = self.collect("import os\nfor m in (0o777, 0o4755, 0o000):\n  p = f'/out/{m:o}'\n  open(p, 'w').write('x')\n"
                                  "  try: os.chmod(p, m)\n  except OSError: pass")
        self.assert_status(ended, 0)
        for path in out.iterdir():
            self.assertFalse(path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX | stat.S_IWOTH), path)

    def test_many_files(self):
        ended, out = self.collect("for i in range(2000): open(f'/out/{i}', 'w').write(str(i))")
        self.assert_status(ended, 0)
        self.assertEqual(len(self.names(out)), 2000)


def tool(name, script, **more):
    lines = {"name": name, "command": f"/bin/sh {script}", "args": "'{a}'", "timeout": 30, **more}
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items())


class Tools(CliTest):
    """Tools of a folder, called by code that has no network and no programs."""

    def setUp(self):
        super().setUp()
        self.shared = self.lab.path / "shared"
        self.shared.mkdir()

    def add_tool(self, name, body, **more):
        script = self.lab.write(f"bin/{name}.sh", body)
        self.lab.write(f"tools/{name}.yaml", tool(name, script, **more))

    def run_tools(self, code, *options, **how):
        return self.run_code(textwrap.dedent(code), options=("--tools", self.lab.path / "tools", *options), **how)

    def test_one(self):
        self.add_tool("say", 'printf "%s" "$1"')
        self.assert_prints(self.run_tools("from tools import say\nprint(await say(a='hello'))"), "hello\n")

    def test_the_injected_name_is_synchronous(self):
        self.add_tool("say", 'printf "%s" "$1"')
        self.assert_prints(self.run_tools("print(tools.say(a='hello'))"), "hello\n")

    def test_two_at_once(self):
        """Each waits for the other's mark: one after the other they would never end."""
        wait = 'touch "{0}/$1.here"; while [ ! -e "{0}/$2.here" ]; do sleep 0.01; done; printf "%s" "$1"'.format(self.shared)
        for name, other in (("left", "right"), ("right", "left")):
            self.add_tool(name, wait.replace("$1", name).replace("$2", other))
        ended = self.run_tools("""
            import asyncio
            from tools import left, right
            print(*await asyncio.gather(left(a="x"), right(a="x")))
        """, "--timeout", "25")
        self.assert_prints(ended, "left right\n")

    def test_a_hundred_overlapping_calls(self):
        """Every one of them waits until all hundred have begun."""
        count = 'touch "{0}/$1"; while [ "$(ls "{0}" | wc -l)" -lt 100 ]; do sleep 0.05; done; printf "%s" "$1"'.format(self.shared)
        self.add_tool("meet", count, timeout=120)
        policy = self.lab.policy("strict", tools={"timeout": "120s", "pending": 100}, limits={"wall": "120s"})
        ended = self.run_tools("""
            import asyncio
            from tools import meet
            print(sum(map(int, await asyncio.gather(*[meet(a=str(i)) for i in range(100)]))))
        """, policy=policy, timeout=150)
        self.assert_prints(ended, "4950\n")
        self.assertEqual(ended.report.usage("tool_calls"), 100)

    def test_one_that_fails(self):
        self.add_tool("fail", 'echo "out of order" >&2; exit 3')
        ended = self.run_tools("""
            from tools import fail
            try:
                await fail(a="x")
            except Exception as error:
                print(type(error).__name__, "out of order" in str(error))
        """)
        self.assert_prints(ended, "ToolError True\n")

    def test_one_failure_does_not_sink_the_others(self):
        self.add_tool("fail", "exit 3")
        self.add_tool("say", 'printf "%s" "$1"')
        ended = self.run_tools("""
            import asyncio
            from tools import fail, say
            bad, good = await asyncio.gather(fail(a="x"), say(a="fine"), return_exceptions=True)
            print(type(bad).__name__, good)
        """)
        self.assert_prints(ended, "ToolError fine\n")

    def test_one_that_hangs(self):
        self.add_tool("hang", "sleep 600", timeout=1)
        ended = self.run_tools("""
            from tools import hang
            try:
                await hang(a="x")
            except TimeoutError as error:
                print("TimeoutError")
        """)
        self.assert_prints(ended, "TimeoutError\n")

    def test_uncaught_errors(self):
        self.add_tool("fail", "exit 3")
        ended = self.run_tools("from tools import fail\nawait fail(a='x')")
        self.assert_status(ended, 1)
        self.assertEqual(ended.report.error_type, "ToolError")

    def test_a_tool_that_does_not_exist(self):
        self.add_tool("say", 'printf "%s" "$1"')
        ended = self.run_tools("try:\n    from tools import absent\nexcept ImportError as error:\n    print(error)")
        self.assert_status(ended, 0)
        self.assertIn("absent", ended.text)

    def test_arguments_that_try_to_become_options_or_commands(self):
        self.add_tool("count", 'printf "%s|" "$#" "$@"')
        for value in ("a b", "$(id)", "; id", "' --inject '", '"', "`id`", "*", "\\", "a\nb"):
            with self.subTest(value):
                ended = self.run_tools(f"from tools import count\nprint(await count(a={value!r}), end='')")
                self.assert_prints(ended, f"1|{value}|")
        for value in ("--inject", "-x", "--"):
            with self.subTest(value):
                ended = self.run_tools(f"from tools import count\nprint(await count(a={value!r}), end='')")
                self.assertIn(f"'{value}' begins with '-', and the program would read it as an option", ended.err.decode())

    def test_tools_run_outside_with_nothing_to_read(self):
        self.add_tool("read", "cat; printf end")
        self.assert_prints(self.run_tools("from tools import read\nprint(await read(a='x'))", stdin=b"the script's own"), "end\n")

    def test_five_megabytes_of_result(self):
        self.add_tool("big", "head -c 5242880 /dev/zero | tr '\\0' x")
        self.assert_prints(self.run_tools("from tools import big\nprint(len(await big(a='x')))"), "5242880\n")

    def test_a_result_beyond_the_frame(self):
        self.add_tool("big", "head -c 50000000 /dev/zero | tr '\\0' x")
        ended = self.run_tools("from tools import big\ntry:\n    await big(a='x')\nexcept Exception as e:\n    print(type(e).__name__)")
        self.assert_prints(ended, "ToolError\n")

    def test_more_calls_than_the_policy_allows(self):
        self.add_tool("say", 'printf "%s" "$1"')
        policy = self.lab.policy("strict", tools={"calls": 3})
        ended = self.run_tools("""
            from tools import say
            for i in range(5):
                try:
                    print(await say(a=str(i)))
                except Exception as error:
                    print(type(error).__name__)
        """, policy=policy)
        self.assert_prints(ended, "0\n1\n2\nToolError\nToolError\n")

    def test_tools_the_policy_does_not_allow(self):
        self.add_tool("read_it", "printf read")
        self.add_tool("write_it", "printf written")
        policy = self.lab.policy("strict", tools={"allow": ["read_*"]})
        ended = self.run_tools("""
            import tools as module
            print(await module.read_it(a="x"))
            try:
                print(await module.write_it(a="x"))
            except Exception as error:
                print(type(error).__name__)
        """, policy=policy)
        self.assertRegex(ended.text, r"^read\n(ToolError|AttributeError|ImportError)\n$", str(ended))

    def test_one_bad_file_does_not_stop_the_others(self):
        self.add_tool("say", 'printf "%s" "$1"')
        self.lab.write("tools/broken.yaml", "name: [unclosed\n")
        self.lab.write("tools/list.yaml", "- 1\n- 2\n")
        self.lab.write("tools/empty.yaml", "")
        self.lab.write("tools/nested.yaml", "[" * 10_000)
        self.lab.write("tools/missing_program.yaml", "name: gone\ncommand: /nonexistent/program\nargs: '{a}'\n")
        self.lab.write("tools/repeated.yaml", "name: one\nname: two\ncommand: echo\n")
        ended = self.run_tools("""
            import tools as module
            print(await module.say(a="fine"))
            try:
                print(await module.gone(a="x"))
            except Exception as error:
                print(type(error).__name__)
        """)
        self.assertRegex(ended.text, r"^fine\n(ToolError|AttributeError|ImportError)\n$", str(ended))
        for name in ("broken.yaml", "list.yaml", "nested.yaml"):
            self.assertIn(name, ended.words)

    def test_two_files_with_one_name(self):
        self.add_tool("say", 'printf "%s" "$1"')
        self.lab.write("tools/say_again.yaml", "name: say\ncommand: echo\nargs: 'other {a}'\n")
        ended = self.run_tools("from tools import say\nprint((await say(a='first')).strip())")
        self.assertIn("say", ended.words, "the clash is reported")
        self.assertIn(ended.text, ("first\n", "other first\n"))

    def test_a_tools_folder_that_is_missing(self):
        ended = self.run_code("print(1)", options=("--tools", self.lab.path / "absent"))
        self.assert_refused(ended, "absent")

    def test_the_wall_limit_holds_while_a_tool_runs(self):
        self.add_tool("hang", "sleep 600", timeout=600)
        ended = self.run_tools("from tools import hang\nprint('calling', flush=True)\nawait hang(a='x')", "--timeout", "1")
        self.assert_prints(ended, "calling\n", 124)


class Refusals(CliTest):
    """Bad input of whoever starts the run: named, never a crash, never a run with less than was asked for."""

    def test_a_script_that_is_missing(self):
        self.assert_refused(self.lab.run(self.lab.path / "absent.py"), "absent.py", status=NOT_FOUND)

    def test_a_script_that_is_a_directory(self):
        self.assert_refused(self.lab.run(self.lab.path), str(self.lab.path), status=UNREADABLE)

    def test_a_script_that_cannot_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        script = self.lab.write("private.py", "print(1)", mode=0o000)
        self.assert_refused(self.lab.run(script), "private.py", status=UNREADABLE)

    def test_a_script_that_is_not_text(self):
        ended = self.run_code(b"print('a')\n\xff\xfe\n")
        self.assert_refused(ended, "script.py", "UTF-8", "line 2", status=UNREADABLE)

    def test_a_script_with_a_null_byte(self):
        ended = self.run_code(b"print('a')\n\0\n")
        self.assert_status(ended, 1)
        self.assertEqual(ended.out, b"")

    def test_no_script(self):
        ended = self.lab.run()
        self.assertNotIn(ended.status, (0, 1))
        self.assertTrue(ended.words)

    def test_an_unknown_option(self):
        ended = self.lab.run("--memroy", "1G", "-c", "print(1)")
        self.assertNotEqual(ended.status, 0)
        self.assertIn("--memroy", ended.words)
        self.assertEqual(ended.out, b"")

    def test_an_unknown_policy_names_the_near_one(self):
        self.assert_refused(self.lab.run("-c", "print(1)", policy="strickt"), "strickt", "strict")

    def test_policies_that_are_wrong(self):
        nested = "[" * 10_000 + "]" * 10_000
        wrong = {
            "type": ('{"extends": "strict", "limits": {"wall": []}}', "$.limits.wall"),
            "unknown key": ('{"extends": "strict", "limits": {"memroy": "1GiB"}}', "memroy"),
            "near key": ('{"extends": "strict", "limts": {}}', "limits"),
            "repeated key": ('{"extends": "strict", "limits": {"wall": "1s", "wall": "2s"}}', "wall"),
            "brackets": (nested, "policy.json"),
            "deep value": ('{"extends": "strict", "env": {"set": {"A": ' + nested + "}}}", "policy.json"),
            "garbage": ("garbage", "policy.json"),
            "empty": ("", "policy.json"),
            "not utf-8": (b'{"description": "\xff"}', "policy.json"),
            "list": ("[]", "policy.json"),
            "itself": ('{"extends": "policy.json"}', "policy.json"),
            "no reason": ('{"extends": "strict", "network": {"mode": "host"}}', "reason"),
            "unknown network": ('{"extends": "strict", "network": "everything"}', "network"),
            "unknown group": ('{"extends": "strict", "syscalls": {"groups": ["+procesess"], "reason": "x"}}', "processes"),
            "unknown call": ('{"extends": "strict", "syscalls": {"allow": ["opennat"], "reason": "x"}}', "opennat"),
            "negative": ('{"extends": "strict", "limits": {"memory": -1}}', "$.limits.memory"),
            "extends nothing": ('{"extends": "absent.json"}', "absent.json"),
        }
        for name, (text, word) in wrong.items():
            with self.subTest(name):
                self.assert_refused(self.lab.run("-c", "print(1)", policy=self.lab.write("policy.json", text)), word)

    def test_policies_that_extend_each_other(self):
        self.lab.write("a.json", '{"extends": "b.json"}')
        self.lab.write("b.json", '{"extends": "a.json"}')
        self.assert_refused(self.lab.run("-c", "print(1)", policy=self.lab.path / "a.json"), "a.json")

    def test_sizes_and_times_that_are_none(self):
        for option, values in {
            "--memory": ("-1", "1e99", "0x10", "many", "", "nan", "99999999999999999999"),
            "--timeout": ("-1", "1e99", "soon", "", "nan", "inf", "-1s"),
            "--cpus": ("-1", "nan", "inf", "many", ""),
            "--pids": ("-1", "1e99", "99999999999999999999", "x", ""),
        }.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    ended = self.lab.run(f"{option}={value}", "-c", "print(1)")
                    self.assertNotEqual(ended.status, 0)
                    self.assertEqual(ended.out, b"")
                    self.assertTrue(ended.words)
                    if value:
                        self.assertIn(option.lstrip("-"), ended.words)

    def test_an_interpreter_that_is_none(self):
        for path in ("/nonexistent/python3", "/bin/true", "/etc/passwd", "/"):
            with self.subTest(path):
                self.assert_refused(self.lab.run("--python", path, "-c", "print(1)"), path)

    def test_a_venv_that_is_none(self):
        self.assert_refused(self.lab.run("--venv", "/nonexistent", "-c", "print(1)"), "/nonexistent")

    def test_an_output_directory_that_is_none(self):
        path = self.lab.write("file", "")
        for directory in (path, "/dev/null"):
            with self.subTest(directory):
                self.assert_refused(self.lab.run("--out", directory, "-c", "print(1)"), str(directory))

    def test_degradation_of_an_unknown_control(self):
        ended = self.lab.run("--allow-degraded=everything", "-c", "print(1)")
        self.assertNotEqual(ended.status, 0)
        self.assertIn("everything", ended.words)

    def test_no_user_namespaces(self):
        """Inside a user namespace in which no further one may be made."""
        inner = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
        unshare = ["unshare", "--user", "--map-root-user", "/bin/sh", "-c"]
        if subprocess.run([*unshare, inner.replace("exec", "true"), "sh"], capture_output=True).returncode != 0:
            self.skipTest("the limit of user namespaces cannot be set here")
        ended = self.lab.execute([*unshare, inner, "sh", *self.lab.command("-c", "print('ran')")])
        self.assert_refused(ended, "max_user_namespaces")

    def test_a_policy_of_several_processes_without_control_groups(self):
        """Where nobody can count the tasks of a sandbox, a policy that allows many is refused, not run."""
        if os.geteuid() == 0:
            self.skipTest("root has control groups")
        ended = self.lab.run("-c", "print('ran')", policy="standard")
        if ended.status == 0:
            self.assertRegex(ended.report.enforced_by("processes"), "cgroup")
        else:
            self.assert_refused(ended, "cgroup")
            degraded = self.lab.run("--allow-degraded=cgroup", "-c", "print('ran')", policy="standard")
            self.assert_prints(degraded, "ran\n")
            self.assertTrue(degraded.report.degraded)



class Signals(CliTest):
    def interrupted(self, code, *signals):
        """The run of `code`, which prints "started" and then is sent `signals`; each further one after a line of its own."""
        script = self.lab.write("wait.py", "import signal, sys, time\n" + code)
        report = self.lab.path / "report.json"
        command = self.lab.command("--report", report, script)
        with self.lab.start(command) as process:
            for number in signals:
                self.assertTrue(harness.read_line(process))
                process.send_signal(number)
            out, words = process.stdout.read(), process.stderr.read()  # by the same reader as read_line
            process.wait(harness.slower(20))
        return process.returncode, out.decode(), words.decode(), json.loads(report.read_text())

    def test_an_interrupt_is_a_KeyboardInterrupt(self):
        code = """try:
    print('started', flush=True)
    time.sleep(600)
except KeyboardInterrupt: print('interrupted')
finally: print('finally')
"""
        status, out, words, report = self.interrupted(code, signal.SIGINT)
        self.assertEqual((status, out, words), (0, "interrupted\nfinally\n", ""))
        self.assertEqual(report["kind"], "exited")

    def test_an_interrupt_that_nobody_catches_ends_the_code(self):
        code = """try:
    print('started', flush=True)
    time.sleep(600)
finally: print('finally')
"""
        status, out, words, report = self.interrupted(code, signal.SIGINT)
        self.assertIn(status, (130, -signal.SIGINT))
        self.assertEqual(out, "finally\n")
        self.assertIn("KeyboardInterrupt", words)
        self.assertEqual((report["kind"], report["signal"], report["cause"]), ("cancelled", signal.SIGINT, "ended by SIGINT"))

    def test_a_handler_of_SIGTERM_decides_the_status(self):
        code = """signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print('started', flush=True)
time.sleep(600)
"""
        status, _, _, report = self.interrupted(code, signal.SIGTERM)
        self.assertEqual((status, report["kind"], report["exit_code"]), (7, "exited", 7))

    def test_SIGTERM_without_a_handler_ends_the_code_and_keeps_its_output(self):
        code = "import os\nprint('kept')\nos.write(1, b'started\\n')\ntime.sleep(600)"
        status, out, _, report = self.interrupted(code, signal.SIGTERM)
        self.assertEqual(status, 128 + signal.SIGTERM)
        self.assertEqual(out, "kept\n")
        self.assertEqual((report["kind"], report["cause"]), ("cancelled", "ended by SIGTERM"))

    def test_code_that_ignores_a_signal_is_killed_after_its_grace(self):
        code = """signal.signal(signal.SIGINT, signal.SIG_IGN)
print('started', flush=True)
time.sleep(600)
"""
        status, _, words, report = self.interrupted(code, signal.SIGINT)
        self.assertIn(status, (130, -signal.SIGINT))
        self.assertEqual(report["kind"], "cancelled")
        self.assertRegex(report["cause"], "^ended by SIGINT, and killed as it still ran 2 s later$")
        self.assertIn(report["cause"], words)

    def test_a_second_signal_ends_the_code_at_once(self):
        code = """signal.signal(signal.SIGINT, lambda *_: print('handled', flush=True))
print('started', flush=True)
while True: time.sleep(600)
"""
        status, _, _, report = self.interrupted(code, signal.SIGINT, signal.SIGINT)
        self.assertIn(status, (130, -signal.SIGINT))
        self.assertEqual((report["kind"], report["cause"]), ("cancelled", "ended by SIGINT"))

    def test_code_of_a_tool_call_is_interrupted(self):
        code = "try:\n  print('started', flush=True)\n  tools.nap()\nexcept KeyboardInterrupt: print('interrupted')"
        folder = self.lab.path / "tools"
        folder.mkdir()
        (folder / "nap.yaml").write_text("name: nap\ndescription: waits\ncommand: /bin/sleep\nargs: '600'\n")
        script = self.lab.write("call.py", code)
        with self.lab.start(self.lab.command("--tools", folder, script)) as process:
            self.assertEqual(harness.read_line(process), b"started\n")
            process.send_signal(signal.SIGINT)
            out = process.stdout.read()
            process.wait(harness.slower(20))
        self.assertEqual((process.returncode, out), (0, b"interrupted\n"))


class Interpreters(CliTest):
    def test_a_virtual_environment(self):
        venv = self.lab.path / "venv"
        made = subprocess.run([PYTHON, "-m", "venv", "--without-pip", venv], capture_output=True)
        if made.returncode != 0:
            self.skipTest("no venv module for the system's interpreter")
        site = next(venv.glob("lib/python3*/site-packages"))
        self.lab.write(str((site / "planted.py").relative_to(self.lab.path)), "value = 'from the venv'\n")
        moved = shutil.move(venv, f"/var/tmp/progtc-venv-{os.getpid()}")  # /tmp is private to each sandbox
        self.addCleanup(shutil.rmtree, moved, True)
        ended = self.lab.run("--venv", moved, "-c", "import planted, sys; print(planted.value, sys.prefix != sys.base_prefix)")
        self.assertIn("from the venv", ended.text, str(ended))

    def test_installed_packages_are_not_strict(self):
        ended = self.run_code("import sys\nprint([p for p in sys.path if p.endswith('-packages')])")
        self.assert_prints(ended, "[]\n")

    def test_modules_of_the_standard_library(self):
        names = """argparse array ast asyncio base64 bisect bz2 calendar cmath collections concurrent.futures configparser contextlib
            copy csv ctypes dataclasses datetime decimal difflib dis email enum fractions functools gzip hashlib heapq hmac html
            http.client inspect io ipaddress itertools json keyword locale logging lzma math mimetypes operator os pathlib pickle
            platform pprint queue random re secrets select shutil signal socket sqlite3 ssl statistics string struct subprocess
            tempfile textwrap threading time timeit tokenize traceback types typing unicodedata unittest urllib.parse urllib.request
            uuid warnings weakref xml.etree.ElementTree zipfile zlib zoneinfo""".split()
        code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)\nprint(len({names!r}))"
        ended = self.run_code(code)
        self.assert_prints(ended, f"{len(names)}\n")
        self.assertEqual(ended.report.denials, [])

    def test_everyday_work_is_not_denied(self):
        code = """
            import decimal, hashlib, json, os, random, sqlite3, ssl, tempfile, threading, time, uuid, zoneinfo, datetime
            with tempfile.NamedTemporaryFile() as file:
                file.write(b"x"); file.flush(); os.fsync(file.fileno())
            with tempfile.TemporaryDirectory() as folder:
                open(os.path.join(folder, "a"), "w").write("b")
            database = sqlite3.connect("data.db")
            database.execute("create table t (x)"); database.execute("insert into t values (1)"); database.commit()
            print(database.execute("select x from t").fetchall(), uuid.uuid4().version, len(os.urandom(8)), os.cpu_count() > 0)
            print(datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).isoformat())
            ssl.create_default_context()
            import shutil; shutil.copytree("/usr/share/zoneinfo/Europe", "copy"); shutil.rmtree("copy")
        """
        ended = self.run_code(textwrap.dedent(code))
        self.assert_prints(ended, "[(1,)] 4 8 True\n2026-07-01T00:00:00+02:00\n")
        self.assertEqual(ended.report.denials, [])


GROUPS = {
    "code": [Code],
    "endings": [Endings],
    "signals": [Signals],
    "output": [Output],
    "reports": [Reports],
    "files": [Files],
    "tools": [Tools],
    "refusals": [Refusals],
    "interpreters": [Interpreters],
}

if __name__ == "__main__":
    os.umask(0o022)
    harness.main(GROUPS)
