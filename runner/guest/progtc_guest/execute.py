"""From the job's source to a finished `__main__`."""
import builtins
import sys

from _progtc import compile as compile_plain

__builtins__ = __builtins__.copy()

_ONLY_AST = 0x400  # ast.PyCF_ONLY_AST and ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, the same in every version
_TOP_LEVEL_AWAIT = 0x2000
_CO_COROUTINE = 0x80
# What takes the built-in compiler, and half a millisecond: top-level await, a coding line, an error to raise.
_NOT_PLAIN = ("await", "async", "coding", "\0")
_VALUE = "__progtc_value__"  # in the globals from the end of the last statement until `run` takes it out


def warm():
    """The first syntax tree creates the types of all its nodes: half a millisecond."""
    tree = compile("1", "", "exec", _ONLY_AST, True)
    _keep_last_value(tree)
    compile(tree, "", "exec", 0, True)


class Program:
    """One job's code. `source` and `filename` are None for a module; `code` is None until it is compiled."""

    def __init__(self, job):
        self.mode = job["mode"]
        self.module = job.get("module")
        self.filename = job.get("filename") or "<string>"
        self.source = None if self.mode == "module" else _source_of(job)
        self.code = None

    def prepare(self, injected):
        """Makes `__main__`, with the names in `injected`, and compiles the code. Errors: SyntaxError, and whatever else
        the compiler raises."""
        self._namespace = self._make_main()
        self._namespace.update(injected)
        if self.mode != "module":
            self.code = self._compile()

    def run(self):
        """Runs what is prepared, and returns the value of the last expression (mode "code" only; None without one).
        Errors: whatever the code raises."""
        namespace = self._namespace
        if self.mode == "module":
            from runpy import _run_module_as_main
            _run_module_as_main(self.module, self.module != "__main__")  # a directory or archive keeps sys.argv[0]
            return None
        if self.code.co_flags & _CO_COROUTINE:
            from asyncio import run
            run(eval(self.code, namespace))
        else:
            exec(self.code, namespace)
        return namespace.pop(_VALUE, None)

    def _make_main(self):
        external = sys.modules["_frozen_importlib_external"]
        main = type(sys)("__main__")
        namespace = main.__dict__
        namespace["__builtins__"] = builtins
        namespace["__annotations__"] = {}
        if self.mode == "script":
            namespace["__file__"] = self.filename
            namespace["__cached__"] = None
            namespace["__loader__"] = external.SourceFileLoader("__main__", self.filename)
        else:
            namespace["__loader__"] = sys.modules["_frozen_importlib"].BuiltinImporter
        sys.modules["__main__"] = main
        return namespace

    def _compile(self):
        if self.mode == "code":
            tree = compile(self.source, self.filename, "exec", _ONLY_AST | _TOP_LEVEL_AWAIT, True)
            _keep_last_value(tree)
            return compile(tree, self.filename, "exec", _TOP_LEVEL_AWAIT, True)
        if isinstance(self.source, str) and not any(map(self.source.__contains__, _NOT_PLAIN)):
            filename = self.filename.encode("utf-8", "surrogateescape")
            return compile_plain(self.source.encode("utf-8", "surrogatepass"), filename)
        return compile(self.source, self.filename, "exec", _TOP_LEVEL_AWAIT, True)


def _source_of(job):
    if job.get("code_base64") is not None:
        from binascii import a2b_base64
        return a2b_base64(job["code_base64"])
    source = job["code"]
    if source[:1] == "\ufeff":
        source = source[1:]
    return _dedent(source) if job["mode"] == "code" else source


def _dedent(source):
    """Removes the indentation of the first line of code from every line that has it. A line inside a string may stand
    further left and stays as it is, and so does a line of code that does, for the compiler to complain about."""
    lines = source.splitlines(True)
    for line in lines:
        bare = line.lstrip(" \t")
        if bare.strip() and bare[0] != "#":
            margin = line[:len(line) - len(bare)]
            break
    else:
        return source
    if not margin:
        return source
    return "".join([line[len(margin):] if line.startswith(margin) else line for line in lines])


def _keep_last_value(tree):
    """Makes a last statement that is an expression an assignment to _VALUE, in place: same code object, same lines."""
    import _ast
    if not tree.body or not isinstance(tree.body[-1], _ast.Expr):
        return
    last = tree.body[-1]
    place = {name: getattr(last, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")}
    keep = _ast.Assign(targets=[_ast.Name(id=_VALUE, ctx=_ast.Store(), **place)], value=last.value, **place)
    is_docstring = len(tree.body) == 1 and isinstance(last.value, _ast.Constant)
    if is_docstring:
        tree.body.append(keep)
    else:
        tree.body[-1] = keep
