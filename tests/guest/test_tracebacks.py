"""Uncaught errors read as bare Python prints them: every text here is compared with the interpreter's own."""
import os
import re
import sys
import tempfile
import unittest

from fake_host import run_bare, run_guest

SAME = {
    "a plain error": "def f(x):\n    return 1 / x\n\nf(\n    0\n)\n",
    "an expression": "x = {'a': [1]}\nprint(x['a'][0] + x['b']['c'])\n",
    "a suggestion": "import sys\nprnt('x')\n",
    "an attribute suggestion": "import sys\nsys.stdot\n",
    "a syntax error": "x = 1\nif x\n    print(x)\n",
    "a syntax error in a bracket": "x = (1,\n     2 3)\n",
    "an unclosed bracket": "print((1, 2\nx = 3\n",
    "an unterminated string": "x = 'abc\n",
    "return outside": "x = 1\nreturn x\n",
    "break outside": "break\n",
    "nonlocal at the top": "nonlocal x\n",
    "a bad assignment": "f() = 1\n",
    "a tab error": "if 1:\n        x = 1\n\ty = 2\n",
    "an indentation error": "if 1:\nx = 1\n",
    "a bad global": "def f():\n    x = 1\n    global x\n",
    "non-ASCII columns": "ü = 'äöü' + 1; x = 2\n",
    "an explicit cause": "try:\n    1 / 0\nexcept Exception as e:\n    raise KeyError('k') from e\n",
    "a context": "try:\n    1 / 0\nexcept Exception:\n    {}['x']\n",
    "from None": "try:\n    1 / 0\nexcept Exception:\n    raise ValueError('v') from None\n",
    "a loop of contexts": "a = ValueError('a')\nb = KeyError('b')\na.__cause__ = b\nb.__context__ = a\nraise a\n",
    "a class of the user": "class Outer:\n    class Error(Exception): pass\nraise Outer.Error('x', 2)\n",
    "a broken __str__": "class E(Exception):\n    def __str__(self): 1 / 0\nraise E\n",
    "several lines of message": "raise ValueError('one\\ntwo\\n')\n",
    "a lone surrogate": "raise ValueError('\\ud800')\n",
    "recursion": "def f(n):\n    return f(n + 1)\nimport sys\nsys.setrecursionlimit(200)\nf(0)\n",
    "an imported module": "import helper\nhelper.fail(3)\n",
    "a broken imported module": "import broken\n",
    "a module that is missing": "import nothing_of_that_name\n",
    "an error while importing": "import failing\n",
    "exec": "exec('1 / 0')\n",
    "compiled under another name": "exec(compile('\\n\\n1 / 0', 'other.py', 'exec'))\n",
    "an error in a generator": "def g():\n    yield 1\n    raise StopIteration\nlist(g())\n",
    "an error in a comprehension": "print([1 / x for x in (1, 0)])\n",
    "an error in a decorator": "def d(f):\n    raise TypeError('d')\n\n@d\ndef f():\n    pass\n",
    "an error in a with": "import contextlib\n@contextlib.contextmanager\ndef c():\n    yield\nwith c():\n    1 / 0\n",
    "an error in C code": "int('x')\n",
    "an OSError": "open('/nonexistent/file')\n",
    "an assertion": "assert 1 == 2, 'message'\n",
    "asyncio.run of the user": "import asyncio\nasync def main():\n    1 / 0\nasyncio.run(main())\n",
    "an explicit SyntaxError": "raise SyntaxError('mine', ('f.py', 3, 2, 'line three\\n'))\n",
    "a string exception group": "raise BaseException('x')\n",
    "a keyboard interrupt": "def f():\n    raise KeyboardInterrupt\nf()\n",
    "stderr of the user": "import io, sys\nsys.stderr = sys.stdout\n1 / 0\n",
    "an excepthook that raises": "import sys\ndef hook(*a): {}['hook']\nsys.excepthook = hook\n1 / 0\n",
    "an excepthook that formats": "import sys, traceback\nsys.excepthook = traceback.print_exception\n1 / 0\n",
    "printing it oneself": "import traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.print_exc()\n",
    "linecache imported early": "import linecache\ndef f():\n    raise ValueError(linecache.getline(__file__, 2))\n"
                                "f()\n",
    "inspect of one's source": "import inspect\ndef f():\n    pass\nprint(inspect.getsource(f))\n",
    "a logged exception": "import logging\ntry:\n    1 / 0\nexcept Exception:\n    logging.exception('oops')\n",
}
if sys.version_info >= (3, 11):
    SAME["notes"] = "e = ValueError('x')\ne.add_note('a note')\nraise e\n"
    SAME["an exception group"] = (
        "def f(): 1 / 0\nerrors = []\nfor g in (f, lambda: {}['k']):\n    try:\n        g()\n"
        "    except Exception as e:\n        errors.append(e)\n"
        "raise ExceptionGroup('several', errors + [ExceptionGroup('in', [OSError(2, 'x')])])\n")
FILES = {"helper.py": "def fail(x):\n    y = x\n    raise ValueError(y)\n", "broken.py": "x = = 1\n",
         "failing.py": "import helper\nhelper.fail('at import')\n"}


def _without_depth(text):
    """How often a line repeats before the recursion ends also depends on what called the script."""
    return re.sub(r"repeated \d+ more times", "repeated", text) if isinstance(text, str) else text


class Tracebacks(unittest.TestCase):
    maxDiff = None

    def test_they_are_those_of_bare_python(self):
        for name, source in SAME.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as directory:
                directory = os.path.realpath(directory)
                for file, text in FILES.items():
                    with open(os.path.join(directory, file), "w") as out:
                        out.write(text)
                run = run_guest(source, mode="script", path=[directory], cwd=directory, argv=["script.py"],
                                filename=directory + "/script.py")
                actual = run.out.replace(directory + "/", ""), run.err.replace(directory + "/", ""), run.returncode
                bare = run_bare(source, files=FILES)
                self.assertEqual(tuple(map(_without_depth, actual)), tuple(map(_without_depth, bare)))

    def test_code_without_a_file_shows_its_lines(self):
        run = run_guest("def f():\n    prnt('x')\nif 1:\n    f()\n")
        lines = [line for line in run.err.splitlines() if set(line) - set(" ^~")]
        self.assertEqual(lines[:5], ["Traceback (most recent call last):",
                                     '  File "<string>", line 4, in <module>', "    f()",
                                     '  File "<string>", line 2, in f', "    prnt('x')"])
        self.assertEqual(run.done["error"]["traceback"], run.err)

    def test_code_without_a_file_shows_its_lines_where_it_prints_itself(self):
        run = run_guest("import traceback\ntry:\n    1 / 0\nexcept Exception:\n    print(traceback.format_exc())")
        self.assertIn('  File "<string>", line 3, in <module>\n    1 / 0\n', run.out)

    def test_errors_inside_awaited_coroutines(self):
        run = run_guest("import asyncio\nasync def inner():\n    await asyncio.sleep(0)\n    1 / 0\n"
                        "async def outer():\n    await inner()\nawait outer()\n", mode="script")
        lines = [line for line in run.err.splitlines() if set(line) - set(" ^~")]
        self.assertEqual(lines, [
            "Traceback (most recent call last):", '  File "script.py", line 7, in <module>', "    await outer()",
            '  File "script.py", line 6, in outer', "    await inner()",
            '  File "script.py", line 4, in inner', "    1 / 0", "ZeroDivisionError: division by zero"])

    def test_errors_of_gathered_tool_calls(self):
        run = run_guest("import asyncio\nfrom tools import add\nasync def one():\n    return await add()\n"
                        "await asyncio.gather(one(), one())\n", mode="script",
                        answer=lambda host, call: host.fail(call, "tool_error", "E", "m"))
        self.assertNotIn("progtc", run.err)
        self.assertTrue(run.err.endswith('line 4, in one\n    return await add()\n' + "tools.ToolError: E: m\n")
                        or '^' in run.err and run.err.endswith("tools.ToolError: E: m\n"), run.err)


if __name__ == "__main__":
    unittest.main()
