"""One job from start to end: how the process looks, what it prints, how it ends, what `done` says."""
import base64
import os
import signal
import sys
import tempfile
import unittest

from fake_host import BARE_ENV, run_bare, run_guest


class Process(unittest.TestCase):
    def test_argv_executable_and_environment(self):
        run = run_guest("import os, sys\n"
                        "[sys.argv, sys.executable, dict(os.environ), os.getenvb(b'U') == 'ü'.encode()]",
                        argv=["s.py", "-x", "ü"], env={"A": "1", "U": "ü"}, executable="/opt/python")
        self.assertEqual(run.done["value"], [["s.py", "-x", "ü"], "/opt/python", {"A": "1", "U": "ü"}, True])
        self.assertTrue(run.ready)

    def test_the_environment_when_os_was_preloaded(self):
        run = run_guest("import os\ndict(os.environ)", env={"A": "1"}, prelude="import os; os.environ['OLD'] = '1'")
        self.assertEqual(run.done["value"], {"A": "1"})

    def test_the_environment_reaches_c_code(self):
        run = run_guest("import time; time.tzset(); time.tzname[0]", env={"TZ": "XYZ3"})
        self.assertEqual(run.done["value"], "XYZ")

    def test_working_directory_and_path(self):
        with tempfile.TemporaryDirectory() as top:
            front, site, extra = (os.path.join(top, name) for name in ("front", "site", "extra"))
            for name in (front, site, extra):
                os.mkdir(name)
            with open(os.path.join(site, "a.pth"), "w") as file:
                file.write(f"# comment\n{extra}\nimport os; os.environ['RAN'] = '1'\n../missing\n")
            run = run_guest("import os, sys\n[os.getcwd(), sys.path[0], sys.path[-2:], os.environ.get('RAN'),\n"
                            " any('runner' in p for p in sys.path)]",
                            cwd=front, path=[front], site=[site, "/nonexistent"])
            self.assertEqual(run.done["value"], [os.path.realpath(front), front, [site, extra], None, False])

    def test_a_working_directory_that_is_not_there(self):
        run = run_guest("1", cwd="/nonexistent")
        self.assertEqual(run.done["error"]["errno"], 2)
        self.assertEqual(run.done["error"]["filename"], "/nonexistent")
        self.assertEqual(run.err, "FileNotFoundError: [Errno 2] No such file or directory: '/nonexistent'\n")
        self.assertEqual(run.returncode, 1)

    def test_the_main_module_is_as_bare_python_makes_it(self):
        source = ("import sys\nprint(sorted(k for k in globals() if k not in ('tools', 'ToolError')))\n"
                  "print(__name__, __file__, __doc__, __spec__, __package__)\n"
                  "print(type(__loader__).__name__, type(__builtins__))\n"
                  "print(sys.modules['__main__'].__dict__ is globals(), sys.argv)\n"
                  "import pickle\nclass C: x = 1\nprint(pickle.loads(pickle.dumps(C())).x, C.__module__)\n"
                  "if __name__ == '__main__': print('main')\n")
        run = run_guest(source, mode="script", argv=["script.py"])
        self.assertEqual((run.out, run.err, run.returncode), run_bare(source))

    def test_docstrings_and_future_statements(self):
        source = ("'''Doc.'''\nfrom __future__ import annotations\ndef f(x: nothing): pass\n"
                  "print(__doc__, f.__annotations__)\n1\n")
        for mode in ("code", "script"):
            self.assertEqual(run_guest(source, mode=mode).out, "Doc. {'x': 'nothing'}\n")

    def test_site_builtins(self):
        run = run_guest("exit(3)")
        self.assertEqual(run.returncode, 3)
        self.assertEqual(run_guest("quit").out, "")

    def test_code_in_another_encoding(self):
        source = "# -*- coding: latin-1 -*-\nprint(ascii('é'))\n".encode("latin-1")
        run = run_guest(None, mode="script", code_base64=base64.b64encode(source).decode())
        self.assertEqual(run.out, "'\\xe9'\n")

    def test_a_byte_order_mark(self):
        self.assertEqual(run_guest("\ufeffprint(1)", mode="script").out, "1\n")


    def test_a_warmed_template_runs_the_same(self):
        start = "from progtc_guest import runtime; runtime.warm()"
        self.assertEqual(run_guest("print(__name__)\n41 + 1", prelude=start).done, {"ok": True, "value": 42})


class Streams(unittest.TestCase):
    def test_stdin(self):
        run = run_guest("import sys\nprint(input('? '))\nprint(repr(sys.stdin.readline()))\n"
                        "try: input()\nexcept EOFError: print('end')", stdin=b"a\nb\r\n")
        self.assertEqual(run.out, "? a\n'b\\r\\n'\nend\n")
        self.assertEqual(run_guest("import sys\nprint(sys.stdin.buffer.read())", stdin=b"\xff").out, "b'\\xff'\n")

    def test_binary_output(self):
        run = run_guest("import os, sys\nsys.stdout.buffer.write(b'\\xff\\x00'); sys.stdout.flush()\n"
                        "n = os.write(1, b'\\xfe')\nn = os.write(2, b'\\xfd')")
        self.assertEqual((run.stdout, run.stderr), (b"\xff\x00\xfe", b"\xfd"))

    def test_10_mb_of_output(self):
        run = run_guest("for _ in range(100): print('x' * 99_999)")
        self.assertEqual((len(run.stdout), run.done), (10_000_000, {"ok": True}))

    def test_streams_are_as_bare_python_opens_them(self):
        source = ("import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr):\n"
                  "    print(s, s.errors, s.line_buffering, s.write_through, s.newlines)\n"
                  "    print(s.buffer, s.fileno(), s.isatty())\n"
                  "print(sys.stdout is sys.__stdout__, sys.stdin is sys.__stdin__, sys.stderr is sys.__stderr__)\n")
        for env in ({"LANG": "C.UTF-8"}, {}, {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
                    {"PYTHONIOENCODING": "latin-1:replace"}, {"PYTHONIOENCODING": ":backslashreplace"}):
            env = {"PATH": "/usr/bin", **env}
            run = run_guest(source, mode="script", env=env)
            self.assertEqual((run.out, run.err, run.returncode), run_bare(source, env=env), env)

    def test_stdout_is_flushed_before_done_and_at_the_end(self):
        run = run_guest("import atexit\nprint('body')\nx = atexit.register(print, 'atexit')\nprint('last')")
        self.assertEqual(run.out, "body\nlast\natexit\n")

    def test_open_files_are_flushed_at_the_end(self):
        with tempfile.TemporaryDirectory() as directory:
            run_guest("f = open('f', 'w'); n = f.write('text')", cwd=directory)
            with open(os.path.join(directory, "f")) as file:
                self.assertEqual(file.read(), "text")

    def test_closed_streams(self):
        for source in ("import sys; sys.stdin.close()", "import sys; sys.stdout.close()",
                       "import sys; sys.stdout = None", "import sys; del sys.stdout, sys.stderr",
                       "import os; os.close(0)"):
            run = run_guest(source)
            self.assertEqual((run.returncode, run.done, run.err), (0, {"ok": True}, ""), source)

    def test_a_descriptor_closed_beforehand(self):
        run = run_guest("import sys; sys.stdin is None", prelude="posix.close(0)")
        self.assertEqual(run.done["value"], True)

    def test_threads_are_waited_for(self):
        run = run_guest("import threading, time\n"
                        "def work(): go.wait(); print(tools.add(7)[1])\n"
                        "go = threading.Event()\nthreading.Thread(target=work).start()\nimport atexit\n"
                        "threading.Timer(0.01, go.set).start()\nprint('end')")
        self.assertEqual((run.out, run.done, run.returncode), ("end\n[7]\n", {"ok": True}, 0))


class Values(unittest.TestCase):
    def value(self, source, **job):
        run = run_guest(source, **job)
        self.assertEqual(run.returncode, 0, run.err)
        self.assertTrue(run.done["ok"])
        return run.done.get("value", "no value")

    def test_values(self):
        for source, expected in (
                ("1 + 1", 2), ("None", "no value"), ("x = 5", "no value"), ("", "no value"), ("# comment", "no value"),
                ("'text'", "text"), ("'''doc'''\n__doc__", "doc"), ("(1, [2], {'a': None})", [1, [2], {"a": None}]),
                ("float('nan')", "nan"), ("[float('inf'), {'x': -float('inf')}, 1.5]", ["inf", {"x": "-inf"}, 1.5]),
                ("{1, }", "{1}"), ("[object]", "[<class 'object'>]"), ("b'x'", "b'x'"),
                ("{1: 2, None: 3, True: 4}", None),
                ("x = '\\ud800x'; x", "\ufffdx"), ("['\\ud83d\\ude00', float('nan')]", ["\U0001f600", "nan"]),
                ("10 ** 400", "1" + "0" * 400),
                ("3; 4", 4), ("if 1: 5", "no value"), ("True", True), ("x = []\nx.append(x)\nx", "[[...]]"),
                ("class C:\n    def __str__(self): 1 / 0\nC()", "<unprintable C object>"),
                ("class C:\n    def __str__(self): raise SystemExit(3)\nC()", "<unprintable C object>"),
                ("(await tools_add(3))[1]", [3])):
            source = source.replace("(await tools_add(3))", "from tools import add\n(await add(3))")
            value = self.value(source)
            if expected is None:
                self.assertEqual(value, {"1": 4, "null": 3})
            else:
                self.assertEqual(value, expected, source)

    def test_deep_values(self):
        deep = "x = []\nfor _ in range({}): x = [x]\nx"
        self.assertIsInstance(self.value(deep.format(100)), list)
        self.assertEqual(self.value(deep.format(150)), "[" * 151 + "]" * 151)
        run = run_guest(deep.format(100_000))
        self.assertEqual(run.done["ok"], True)

    def test_values_are_cut_to_the_frame(self):
        value = self.value("'x' * 100_000", frame_bytes=4096)
        self.assertTrue(500 < len(value) < 4096 and set(value) == {"x"})
        self.assertEqual(self.value("['x' * 100_000]", frame_bytes=4096), "no value")
        self.assertEqual(len(self.value("'x' * 100_000", frame_bytes=200_000)), 100_000)

    def test_the_hidden_name_is_gone(self):
        self.assertEqual(self.value("def f(): return [n for n in globals() if 'progtc' in n]\nimport atexit\n"
                                    "class C:\n    def __str__(self): return str(f())\nC()"), "[]")

    def test_a_script_has_no_value(self):
        self.assertEqual(self.value("5", mode="script"), "no value")

    def test_indented_code(self):
        source = "\n    x = 1\n    if x:\n        y = '''\n  left\n    text'''\n\n  # note\n    [x, y]\n"
        self.assertEqual(self.value(source), [1, "\n  left\ntext"])
        self.assertEqual(self.value("\tx = 1\n\tx"), 1)

    def test_lines_keep_their_numbers(self):
        run = run_guest("\n\n    x = 1\n    x.y\n")
        self.assertIn('File "<string>", line 4, in <module>\n    x.y\n', run.err)

    def test_wrong_indentation_stays_an_error(self):
        run = run_guest("    x = 1\n  y = 2\n")
        self.assertEqual(run.done["error"]["type"], "IndentationError")


class Endings(unittest.TestCase):
    def test_exit_matrix(self):
        for call in ("sys.exit()", "sys.exit(0)", "sys.exit(None)", "sys.exit(3)", "sys.exit(256)", "sys.exit(-1)",
                     "sys.exit(True)", "sys.exit('message')", "sys.exit(('a', 1))", "raise SystemExit",
                     "sys.exit(10 ** 30)", "sys.exit('')",
                     "exit()", "exit(4)", "raise KeyError('k')", "1 / 0", "os._exit(9)", "os.abort()", "sys.exit(2.5)",
                     "os.kill(os.getpid(), 9)", "raise KeyboardInterrupt",
                     "import signal; os.kill(os.getpid(), signal.SIGINT)",
                     "threading.Thread(target=sys.exit, args=(3,)).start()", "atexit.register(sys.exit, 5)",
                     "sys.excepthook = lambda *a: print('hook', a[0].__name__, a[2].tb_lineno); 1 / 0",
                     "sys.excepthook = lambda *a: sys.exit(7); 1 / 0", "sys.stderr = None; 1 / 0",
                     "sys.excepthook = 5; 1 / 0", "del sys.excepthook; 1 / 0"):
            source = f"import atexit, os, sys, threading\nprint('out')\nsys.stdout.flush()\n{call}\n"
            run = run_guest(source, mode="script")
            self.assertEqual((run.out, run.err, run.returncode), run_bare(source), call)

    def test_what_done_says_of_exits(self):
        self.assertEqual(run_guest("import sys; sys.exit(0)").done, {"ok": True})
        self.assertEqual(run_guest("import sys; sys.exit()").done, {"ok": True})
        error = {"type": "SystemExit", "message": "3", "traceback": ""}
        self.assertEqual(run_guest("import sys; sys.exit(3)").done, {"ok": False, "error": error})
        self.assertEqual(run_guest("import sys; sys.exit('why')").done["error"]["message"], "why")
        self.assertIsNone(run_guest("import os; os._exit(0)").done)

    def test_what_done_says_of_errors(self):
        error = run_guest("open('/nonexistent/x')").done["error"]
        self.assertEqual((error["type"], error["errno"], error["filename"]), ("FileNotFoundError", 2, "/nonexistent/x"))
        self.assertTrue(error["traceback"].startswith("Traceback (most recent call last):\n"))
        error = run_guest("raise ValueError('\\ud800' * 3)").done["error"]
        self.assertEqual((error["type"], error["message"]), ("ValueError", "\ufffd" * 3))
        self.assertNotIn("errno", error)

    def test_errors_fit_their_frame(self):
        error = run_guest("raise ValueError('x' * 10_000_000)").done["error"]
        self.assertLess(len(error["message"]) + len(error["traceback"]), 400_000)
        self.assertTrue(error["traceback"].startswith("Traceback") and error["traceback"].endswith("xxx\n"))
        error = run_guest("raise ValueError('x' * 10_000)", frame_bytes=2048).done["error"]
        self.assertEqual(error["type"], "ValueError")

    def test_a_parked_worker_whose_host_goes_ends_in_silence(self):
        run = run_guest("1", prelude="posix.close(3)\nposix.dup2(posix.open('/dev/null', 0), 3)")
        self.assertEqual((run.out, run.err, run.returncode), ("", "", 1))

    def test_a_broken_pipe_on_stdout(self):
        source = "import os\nr, w = os.pipe()\nos.close(r)\nos.dup2(w, 1)\nprint('x')\n"
        run = run_guest(source, mode="script")
        self.assertEqual((run.out, run.err, run.returncode), run_bare(source))
        self.assertEqual(run.returncode, 120)


class Await(unittest.TestCase):
    def test_top_level_await_in_every_mode_with_source(self):
        source = "import asyncio\nawait asyncio.sleep(0)\nprint('awaited', [x async for x in agen()])\n"
        source = "async def agen():\n    yield 1\n" + source
        for mode in ("code", "script"):
            run = run_guest(source, mode=mode)
            self.assertEqual((run.out, run.err, run.returncode), ("awaited [1]\n", "", 0))

    def test_asyncio_is_not_imported_without_need(self):
        # Not linecache: Python 3.13 imports it for -c.
        heavy = "['asyncio', 'json', 're', 'enum', 'threading', 'traceback', 'tokenize', 'socket', 'collections']"
        run = run_guest(f"import sys\nx = tools.add(1)\n[m for m in {heavy} if m in sys.modules]")
        self.assertEqual(run.done["value"], [])

    def test_user_code_may_run_its_own_loop(self):
        run = run_guest("import asyncio\nfrom tools import add\nasync def main(): return await add(5)\n"
                        "[asyncio.run(main())[1], asyncio.run(main())[1]]")
        self.assertEqual(run.done["value"], [[5], [5]])

    def test_exits_from_coroutines(self):
        for call, code in (("sys.exit(4)", 4), ("raise SystemExit('x')", 1), ("1 / 0", 1),
                           ("raise KeyboardInterrupt", -signal.SIGINT)):
            run = run_guest(f"import asyncio, sys\nawait asyncio.sleep(0)\n{call}", mode="script")
            self.assertEqual(run.returncode, code, call)
            self.assertNotIn("asyncio", run.err)

    def test_asyncio_run_inside_an_awaiting_main_is_the_users_error(self):
        run = run_guest("import asyncio\nawait asyncio.sleep(0)\nasyncio.run(asyncio.sleep(0))")
        self.assertEqual(run.done["error"]["type"], "RuntimeError")


class Modules(unittest.TestCase):
    def run_module(self, module, files, **job):
        with tempfile.TemporaryDirectory() as directory:
            for name, text in files.items():
                path = os.path.join(directory, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w") as file:
                    file.write(text)
            run = run_guest(mode="module", module=module, path=[directory], cwd=directory, argv=["-m", "x"], **job)
            run.directory = directory
            return run

    def test_a_module_and_a_package(self):
        source = "import sys\nprint(__name__, __spec__.name, sys.argv, __file__ == sys.argv[0])\n"
        run = self.run_module("m", {"m.py": source})
        self.assertEqual(run.out, f"__main__ m ['{run.directory}/m.py', 'x'] True\n")
        files = {"p/__init__.py": "", "p/__main__.py": "from . import q\nprint(__package__)\n", "p/q.py": ""}
        run = self.run_module("p", files)
        self.assertEqual((run.out, run.done), ("p\n", {"ok": True}))

    def test_tracebacks_have_no_frame_of_runpy(self):
        run = self.run_module("m", {"m.py": "def f():\n    1 / 0\nf()\n"})
        lines = [line.replace(run.directory + "/", "") for line in run.err.splitlines() if set(line) - set(" ^~")]
        self.assertEqual(lines, ["Traceback (most recent call last):", '  File "m.py", line 3, in <module>', "    f()",
                                 '  File "m.py", line 2, in f', "    1 / 0", "ZeroDivisionError: division by zero"])

    def test_a_missing_module(self):
        run = self.run_module("nothing", {}, executable="/usr/bin/py")
        self.assertEqual((run.err, run.returncode), ("/usr/bin/py: No module named nothing\n", 1))
        self.assertEqual(run.done["error"]["type"], "SystemExit")

    def test_pip_like_use_of_the_standard_library(self):
        run = run_guest(mode="module", module="json.tool", stdin=b'{"a": 1}', argv=["-m"])
        self.assertEqual(run.out, '{\n    "a": 1\n}\n')


class HostileCode(unittest.TestCase):
    def test_a_run_survives_what_code_does_to_its_surroundings(self):
        for source in ("tools = None",
                       "import builtins\nfor n in ('len', 'isinstance', 'map', 'str', 'type', 'open', 'getattr'):\n"
                       "    setattr(builtins, n, None)",
                       "import sys\nsys.modules.clear()", "import sys\nsys.meta_path.clear()",
                       "import os\nos.write = os.read = None", "import json\njson.dumps = None",
                       "import sys\nfor n in list(sys.modules):\n    if 'progtc' in n: del sys.modules[n]",
                       "import posix, select\nposix.write = posix.read = select.poll = None",
                       "import gc\ngc.disable()",
                       "import io\nio.open = io.StringIO = None"):
            run = run_guest(source + "\n'fine'")
            self.assertEqual((run.done, run.returncode), ({"ok": True, "value": "fine"}, 0), source)
            run = run_guest(source + "\nraise KeyError('x')")
            self.assertEqual((run.done and run.done["error"]["type"], run.returncode), ("KeyError", 1), source)

    def test_tool_calls_survive_it_too(self):
        run = run_guest("import builtins, os, posix\nt = tools\n"
                        "for n in ('len', 'isinstance', 'map', 'next', 'slice', 'min', 'max', 'bytes', 'int'):\n"
                        "    setattr(builtins, n, None)\n"
                        "os.write = posix.write = None\nt.add(1)[1]")
        self.assertEqual(run.done["value"], [1])

    def test_the_channel_closed(self):
        run = run_guest("import os\nos.close(3)\ntry: tools.add()\nexcept ToolError as e: print(e)")
        self.assertEqual((run.out, run.returncode, run.done), ("the host has gone\n", 0, None))

    def test_no_descriptor_left_for_the_report(self):
        run = run_guest("import os, resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))\nfds = []\n"
                        "try:\n    while 1: fds.append(os.open('/dev/null', 0))\nexcept OSError: pass\n1 / 0")
        self.assertEqual((run.done["error"]["type"], run.returncode), ("ZeroDivisionError", 1))
        self.assertIn("ZeroDivisionError: division by zero", run.err)

    def test_recursion(self):
        run = run_guest("def f(): f()\nf()")
        self.assertEqual(run.done["error"]["type"], "RecursionError")
        self.assertIn("Previous line repeated", run.err)


if __name__ == "__main__":
    unittest.main()
