"""Finds the module `tools`, and sees `linecache` come."""
import sys

from _frozen_importlib import ModuleSpec

from .tools import ToolsModule

__builtins__ = __builtins__.copy()


class ToolsFinder:
    """On `sys.meta_path`: in front when the run has tools, at the end otherwise, where a `tools` of the user wins."""

    def __init__(self, catalogue):
        self._catalogue = catalogue

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec("tools", self, origin="progtc") if name == "tools" else None

    def create_module(self, spec):
        return ToolsModule()

    def exec_module(self, module):
        module.fill(self._catalogue)


class SourceFinder:
    """Puts source text that is in no file into `linecache` when somebody imports that. Importing it for the sake of it
    would cost 10 ms; without the text, user code that prints a traceback would show no source lines."""

    def __init__(self, filename, source):
        self._filename = filename
        self._source = source
        if "linecache" in sys.modules:
            self.seed(sys.modules["linecache"])

    def seed(self, linecache):
        text = text_of(self._source)
        # No modification time: `linecache.checkcache` then keeps the entry.
        linecache.cache[self._filename] = (len(text), None, text.splitlines(True), self._filename)

    def find_spec(self, name, path=None, target=None):
        if name != "linecache":
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        spec = None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        if spec is not None and spec.loader is not None:
            self._loader = spec.loader
            spec.loader = self
        return spec

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self.seed(module)


def text_of(source):
    """Returns source as text; bytes say their encoding themselves, as in a file."""
    if isinstance(source, str):
        return source
    try:
        from tokenize import detect_encoding
        lines = iter(source.splitlines(True))
        encoding = detect_encoding(lambda: next(lines, b""))[0]
        return source.decode(encoding, "replace")
    except (SyntaxError, LookupError):
        return source.decode("utf-8", "replace")
