"""Calls from user code to the host."""
import os
import signal
import tempfile
import unittest

from fake_host import CANCEL, REPLY, run_guest


class SynchronousTools(unittest.TestCase):
    def test_a_call_carries_positional_and_keyword_arguments(self):
        run = run_guest("tools.add(1, 'two', c=[3.5, None, True], self=4)")
        self.assertEqual(run.done, {"ok": True, "value": ["add", [1, "two"], {"c": [3.5, None, True], "self": 4}]})

    def test_recipes_and_call_by_name(self):
        run = run_guest("[tools.git.log(n=1), tools.call('x y', {'a': 1}), tools.call('z')]")
        self.assertEqual(run.done["value"], [["git.log", [], {"n": 1}], ["x y", [], {"a": 1}], ["z", [], {}]])

    def test_attributes_exist_except_private_ones(self):
        run = run_guest("[repr(tools.nmap), hasattr(tools, '_x'), hasattr(tools.a, '__len__')]")
        self.assertEqual(run.done["value"], ["<Tool: nmap>", False, False])

    def test_list_and_search(self):
        entries = ["fetch", {"name": "read", "description": "Fetches a file", "params": {"path": "where"}}]
        run = run_guest("[tools.list(), [t['name'] for t in tools.search('FETCH')], len(tools.search(''))]",
                        tools=entries)
        self.assertEqual(run.done["value"], [
            [{"name": "fetch", "description": "", "params": {}},
             {"name": "read", "description": "Fetches a file", "params": {"path": "where"}}], ["fetch", "read"], 2])

    def test_errors_of_a_tool(self):
        def answer(host, call):
            host.fail(call, *call["args"])
        run = run_guest(
            "import builtins\n"
            "seen = []\n"
            "for error in (('tool_error', 'ValueError', 'bad'), ('timeout', 'TimeoutError', 'late'),\n"
            "              ('denied', 'ToolDenied', 'no')):\n"
            "    try: tools.add(*error)\n"
            "    except ToolError as e: seen.append(['tool', e.type, e.message, str(e)])\n"
            "    except TimeoutError as e: seen.append(['timeout', str(e)])\n"
            "from tools import ToolError as imported\n"
            "seen + [imported is ToolError]", answer=answer)
        self.assertEqual(run.done["value"], [["tool", "ValueError", "bad", "ValueError: bad"], ["timeout", "late"],
                                             ["tool", "ToolDenied", "no", "ToolDenied: no"], True])

    def test_the_traceback_of_a_tool_error_ends_in_user_code(self):
        run = run_guest("def f():\n    tools.add(1)\nf()\n", mode="script",
                        answer=lambda host, call: host.fail(call, "tool_error", "KeyError", "k"))
        lines = [line for line in run.err.splitlines() if set(line) - set(" ^~")]
        self.assertEqual(lines, [
            "Traceback (most recent call last):", '  File "script.py", line 3, in <module>', "    f()",
            '  File "script.py", line 2, in f', "    tools.add(1)", "tools.ToolError: KeyError: k"])
        self.assertEqual(run.returncode, 1)

    def test_arguments_that_cannot_be_sent_are_local_errors(self):
        run = run_guest(
            "deep = []\n"
            "for _ in range(127): deep = [deep]\n"
            "seen = []\n"
            "loop = []; loop.append(loop)\n"
            "for value in ('\\ud800', float('nan'), 'x' * 9000, deep, 10 ** 308, loop, {1: 2, '1': 3}, [{'a': {None: 1, 'null': 2}}]):\n"
            "    try: tools.add(value)\n"
            "    except ValueError as e: seen.append(isinstance(e, ToolError) and str(e))\n"
            "try: tools.add({1})\n"
            "except TypeError as e: seen.append(str(e))\n"
            "seen", frame_bytes=4096)
        seen = run.done["value"]
        self.assertEqual(run.calls, [])
        self.assertEqual(seen[0], "tools.add: text with a lone surrogate ('\\ud800') has no form in JSON")
        self.assertTrue(seen[1].startswith("tools.add: Out of range float values are not JSON compliant"), seen[1])
        self.assertRegex(seen[2], r"^tools\.add: the arguments take 90\d\d bytes, the limit is 4096$")
        self.assertEqual(seen[3], "tools.add: nested more than 128 levels deep")
        self.assertEqual(seen[4], "tools.add: integer of more than 308 digits")
        self.assertEqual(seen[5], "tools.add: Circular reference detected")
        self.assertEqual(seen[6], "tools.add: two keys of a dict are written '1' in JSON")
        self.assertEqual(seen[7], "tools.add: two keys of a dict are written 'null' in JSON")
        self.assertEqual(seen[8], "tools.add: Object of type set is not JSON serializable")

    def test_keys_that_are_no_strings_are_sent_as_their_texts(self):
        run = run_guest("tools.add({1: 2, '2': {True: 3, 'x1': 4}, 0.5: 5}, {'1': 2}, [{1: 1}, {'1': 1}])")
        self.assertEqual(run.calls[0]["args"], [
            {"1": 2, "2": {"true": 3, "x1": 4}, "0.5": 5}, {"1": 2}, [{"1": 1}, {"1": 1}]])

    def test_what_just_fits_is_sent(self):
        run = run_guest("deep = []\n"
                        "for _ in range(125): deep = [deep]\n"
                        "tools.add(deep, '[' * 500 + '9' * 500 + '\\\\\"', 10 ** 307)\n"
                        "'ok'")
        self.assertEqual(run.done, {"ok": True, "value": "ok"})
        self.assertEqual(run.calls[0]["args"][1:], ["[" * 500 + "9" * 500 + '\\"', 10 ** 307])

    def test_a_result_of_5_mb(self):
        run = run_guest("r = tools.add()\n[len(r), r == 'é' * 2_500_000]",
                        answer=lambda host, call: host.reply(call, "é" * 2_500_000))
        self.assertEqual(run.done["value"], [2_500_000, True])

    def test_arguments_of_5_mb(self):
        run = run_guest("len(tools.add('x' * 5_000_000)[1][0])")
        self.assertEqual(run.done["value"], 5_000_000)

    def test_a_long_integer_in_a_result(self):
        def answer(host, call):
            host.send(REPLY, b'{"id":%d,"result":-7%s}' % (call["id"], b"0" * 5000))
        run = run_guest("tools.add() == -7 * 10 ** 5000", answer=answer)
        self.assertEqual(run.done["value"], True)

    def test_replies_nobody_waits_for_and_unknown_frames_are_ignored(self):
        def answer(host, call):
            host.send(REPLY, {"id": 4711, "result": "forged"})
            host.send(REPLY, {"id": -1, "error": {"kind": "tool_error", "type": "T", "message": "m"}})
            host.send(99, {"x": 1})
            host.reply(call, "right")
            host.reply(call, "again")
        run = run_guest("[tools.add(), tools.add()]", answer=answer)
        self.assertEqual(run.done["value"], ["right", "right"])

    def test_a_cancelled_call_raises(self):
        run = run_guest("try: tools.add()\nexcept ToolError as e: r = e.type\nr",
                        answer=lambda host, call: host.send(CANCEL, {"id": call["id"]}))
        self.assertEqual(run.done["value"], "Cancelled")

    def test_the_host_goes(self):
        def answer(host, call):
            host.sock.shutdown(2)
        run = run_guest("import sys\n"
                        "for _ in range(2):\n"
                        "    try: tools.add()\n"
                        "    except ToolError as e: print(e)\n", answer=answer)
        self.assertEqual(run.out, "the host has gone\n" * 2)
        self.assertEqual(run.returncode, 0)

    def test_a_host_that_goes_wrong_fails_the_call(self):
        run = run_guest("try: tools.add()\nexcept ToolError as e: print(e)\n",
                        answer=lambda host, call: host.send(REPLY, b"]"))
        self.assertEqual(run.out, "the host has gone\n")

    def test_threads_overlap(self):
        waiting = []

        def answer(host, call):
            waiting.append(call)
            if len(waiting) == 20:
                for held in reversed(waiting):
                    host.reply(held, held["args"][0] * 2)
        run = run_guest("from threading import Thread\n"
                        "results = {}\n"
                        "def work(n): results[n] = tools.add(n)\n"
                        "threads = [Thread(target=work, args=(n,)) for n in range(20)]\n"
                        "for t in threads: t.start()\n"
                        "for t in threads: t.join()\n"
                        "all(results[n] == 2 * n for n in range(20)), len(results)", answer=answer)
        self.assertEqual(run.done["value"], [True, 20])

    def test_many_calls_from_many_threads(self):
        run = run_guest("from threading import Thread\n"
                        "wrong = []\n"
                        "def work(n):\n"
                        "    for i in range(100):\n"
                        "        if tools.add(n, i)[1] != [n, i]: wrong.append((n, i))\n"
                        "threads = [Thread(target=work, args=(n,)) for n in range(8)]\n"
                        "for t in threads: t.start()\n"
                        "for t in threads: t.join()\n"
                        "wrong")
        self.assertEqual(run.done["value"], [])
        self.assertEqual(len(run.calls), 800)

    def test_a_signal_handler_may_call_a_tool_and_may_raise(self):
        def answer(host, call):
            if call["tool"] == "hang":
                os.kill(call["args"][0], signal.SIGUSR1)
            else:
                host.reply(call, call["tool"])
        run = run_guest("import os, signal\n"
                        "def handler(*_):\n"
                        "    seen.append(tools.inner())\n"
                        "    raise RuntimeError('stop')\n"
                        "seen = []\n"
                        "h = signal.signal(signal.SIGUSR1, handler)\n"
                        "for _ in range(20):\n"
                        "    try: tools.hang(os.getpid())\n"
                        "    except RuntimeError as e: seen.append(str(e))\n"
                        "seen.append(tools.after())\n"
                        "seen == ['inner', 'stop'] * 20 + ['after']", answer=answer)
        self.assertEqual((run.done, run.err), ({"ok": True, "value": True}, ""))

    def test_a_signal_handler_may_take_the_reply_of_the_call_beneath_it(self):
        def answer(host, call):
            if call["tool"] == "inner":
                host.reply(host.run.calls[0], "outer")
                host.reply(call, "inner")
            else:
                os.kill(call["args"][0], signal.SIGUSR1)
        run = run_guest("import os, signal\nseen = []\n"
                        "def handler(*_): seen.append(tools.inner())\n"
                        "h = signal.signal(signal.SIGUSR1, handler)\n"
                        "seen.append(tools.outer(os.getpid()))\nseen", answer=answer)
        self.assertEqual(run.done["value"], ["inner", "outer"])

    def test_a_host_that_stops_reading_gets_no_deadlock(self):
        # It reads nothing until its replies, more than a socket buffer holds, are taken.
        def answer(host, call):
            if call["tool"] == "first":
                host.reply(call, "x" * 4_000_000)
            else:
                host.reply(call, len(call["args"][0]))
        run = run_guest("from threading import Thread\n"
                        "def first(): results.append(len(tools.first()))\n"
                        "def second(): results.append(tools.second('y' * 4_000_000))\n"
                        "results = []\n"
                        "threads = [Thread(target=f) for f in (first, second) * 3]\n"
                        "for t in threads: t.start()\n"
                        "for t in threads: t.join()\n"
                        "results", answer=answer)
        self.assertEqual(run.done["value"], [4_000_000] * 6)

    def test_a_fork_has_no_tools_and_says_nothing_to_the_host(self):
        run = run_guest("import os, sys\n"
                        "pid = os.fork()\n"
                        "if pid == 0:\n"
                        "    try: tools.add()\n"
                        "    except ToolError as e: print('child:', e)\n"
                        "else:\n"
                        "    os.waitpid(pid, 0)\n"
                        "    print('parent:', tools.add()[0])\n")
        self.assertEqual(run.out, "child: the host has gone\nparent: add\n")
        self.assertEqual(run.done_count, 1)

    def test_a_run_without_a_tool_host(self):
        run = run_guest("try: tools.add()\nexcept ToolError as e: r = str(e)\n[r, tools.list()]", tools=None)
        self.assertEqual(run.done["value"], ["tools.add: this run has no tools", []])


class AsynchronousTools(unittest.TestCase):
    def test_a_hundred_calls_overlap(self):
        waiting = []

        def answer(host, call):
            waiting.append(call)
            if len(waiting) == 100:
                for held in reversed(waiting):
                    host.reply(held, held["args"][0] + 1)
        run = run_guest("import asyncio\nfrom tools import add\n"
                        "r = await asyncio.gather(*[add(n) for n in range(100)])\n"
                        "r == list(range(1, 101))", answer=answer)
        self.assertEqual(run.done, {"ok": True, "value": True})

    def test_the_module_in_all_its_forms(self):
        run = run_guest("import inspect, tools as t\n"
                        "from tools import *\n"
                        "from tools import git, srv, call\n"
                        "[inspect.iscoroutinefunction(t.add), t.add.__name__, sorted(t.__all__), await add(1),\n"
                        " await git(), await git.log(), await srv.one(a=1), await call('add', {'b': 2}),\n"
                        " hasattr(t, 'nothing'), ToolError is t.ToolError]",
                        tools=["add", "git.log", "git", "srv.one"])
        self.assertEqual(run.done.get("value"), [
            True, "add", ["ToolError", "add", "git", "srv"], ["add", [1], {}], ["git", [], {}], ["git.log", [], {}],
            ["srv.one", [], {"a": 1}], ["add", [], {"b": 2}], False, True], run.err)

    def test_an_unknown_name_names_the_known_ones(self):
        run = run_guest("from tools import x", mode="script")
        self.assertEqual(run.err, 'Traceback (most recent call last):\n  File "script.py", line 1, in <module>\n'
                         "    from tools import x\n"
                         "ImportError: cannot import name 'x' from 'tools' (available: add, echo)\n")

    def test_errors(self):
        def answer(host, call):
            host.fail(call, *call["args"])
        run = run_guest("import asyncio\nfrom tools import add, ToolError\nseen = []\n"
                        "for error in (asyncio.TimeoutError, TimeoutError):\n"
                        "    try: await add('timeout', 'T', 'late')\n"
                        "    except error as e: seen.append(str(e))\n"
                        "try: await add('denied', '', 'no')\n"
                        "except ToolError as e: seen.append(e.type)\n"
                        "seen", answer=answer)
        self.assertEqual(run.done["value"], ["late", "late", "ToolDenied"])

    def test_a_cancelled_call_is_forgotten(self):
        held = []

        def answer(host, call):
            if call["tool"] == "slow":
                held.append(call)
            else:
                for late in held:
                    host.reply(late, "late")
                host.reply(call, "right")
        run = run_guest("import asyncio, tools\nfrom tools import add\n"
                        "try: await asyncio.wait_for(tools.call('slow'), 0.001)\n"
                        "except asyncio.TimeoutError: print('gave up')\n"
                        "await add()", answer=answer)
        self.assertEqual((run.out, run.done.get("value")), ("gave up\n", "right"))

    def test_several_loops_in_several_threads(self):
        run = run_guest("import asyncio, threading\nfrom tools import add\n"
                        "async def many(n):\n"
                        "    return await asyncio.gather(*[add(n, i) for i in range(50)])\n"
                        "results = {}\n"
                        "def work(n):\n"
                        "    for _ in range(3): results[n] = asyncio.run(many(n))\n"
                        "threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]\n"
                        "for t in threads: t.start()\n"
                        "sync = [tools.add(9, i)[1][1] for i in range(50)]\n"
                        "for t in threads: t.join()\n"
                        "sync == list(range(50)) and all([r[1] for r in results[n]] == [[n, i] for i in range(50)]\n"
                        "                                for n in range(4))")
        self.assertEqual(run.done["value"], True)
        self.assertEqual(len(run.calls), 650)

    def test_a_synchronous_call_inside_a_coroutine(self):
        run = run_guest("import asyncio\nfrom tools import add\n"
                        "async def mixed(n):\n"
                        "    return [tools.add(n)[1], (await add(n))[1]]\n"
                        "await asyncio.gather(*[mixed(n) for n in range(5)])")
        self.assertEqual(run.done["value"], [[[n], [n]] for n in range(5)])

    def test_large_arguments_and_results_at_once(self):
        run = run_guest("import asyncio\nfrom tools import add\n"
                        "r = await asyncio.gather(*[add('x' * 1_000_000) for _ in range(8)])\n"
                        "[len(x[1][0]) for x in r]")
        self.assertEqual(run.done["value"], [1_000_000] * 8)

    def test_the_host_goes(self):
        run = run_guest("import asyncio\nfrom tools import add, ToolError\n"
                        "try: await asyncio.gather(add(), add())\nexcept ToolError as e: print(e)\n",
                        answer=lambda host, call: host.sock.shutdown(2))
        self.assertEqual(run.out, "the host has gone\n")

    def test_without_a_tool_host_a_module_of_the_user_wins(self):
        source = "import tools as t\nprint(getattr(t, 'MINE', 'ours'))\n"
        with tempfile.TemporaryDirectory() as path:
            with open(os.path.join(path, "tools.py"), "w") as file:
                file.write("MINE = 'mine'\n")
            self.assertEqual(run_guest(source, tools=None, path=[path]).out, "mine\n")
            self.assertEqual(run_guest(source, tools=[], path=[path]).out, "ours\n")
            self.assertEqual(run_guest(source, tools=None).out, "ours\n")


if __name__ == "__main__":
    unittest.main()
