"""sys.stdout with its buffer in memory that the host holds as well: what was printed is not lost when the process is
killed (runner/guest/output_memory.c). To the code it is the stream that Python opens.

The functions of `_progtc` are methods here without being bound: there is one stdout in a process.
"""
import posix
from _io import BufferedWriter, FileIO, TextIOWrapper
from codecs import lookup

from _progtc import output_close, output_flush, output_is_there, output_own, output_set
from _progtc import output_write_bytes, output_write_text

__builtins__ = __builtins__.copy()

_stdout = None  # the one stream: closing a second one would close this one's buffer


class _Encoded(TextIOWrapper):
    """For another encoding or other ends of lines: the text goes through the encoder and on to the buffer at once."""


class _Stdout(TextIOWrapper):
    write = output_write_text

    def reconfigure(self, **changes):
        super().reconfigure(**changes)
        if lookup(self.encoding).name == "utf-8" and changes.get("newline") in (None, "", "\n"):
            output_set(self.errors, self.line_buffering)
        else:
            self.__class__ = _Encoded
            self.reconfigure(write_through=True)

    def detach(self):
        buffer = super().detach()
        self.__class__ = _Encoded  # whose methods say that it is detached
        return buffer


class _Buffer(BufferedWriter):
    write = output_write_bytes
    flush = output_flush

    def close(self):
        try:
            super().close()
        finally:
            output_close()

    def __repr__(self):  # the inherited one would name the class without its module
        return f"<_io.BufferedWriter name={self.name!r}>"


for _class, _name in (_Encoded, "TextIOWrapper"), (_Stdout, "TextIOWrapper"), (_Buffer, "BufferedWriter"):
    _class.__name__ = _class.__qualname__ = _name
    _class.__module__ = "_io"


def is_usable(encoding, is_unbuffered):
    return encoding == "utf-8" and not is_unbuffered and output_is_there()


def open_stdout(errors, is_line_buffered):
    """Returns the stream, in its state at the start; None when the descriptor is closed."""
    global _stdout
    if _stdout is None:
        try:
            raw = FileIO(1, "wb", closefd=False)
        except OSError:
            return None
        raw.name = "<stdout>"
        _stdout = _Stdout(_Buffer(raw), "utf-8", errors, "\n", is_line_buffered)
        _stdout.mode = "w"
        posix.register_at_fork(after_in_child=output_own)
    _stdout.reconfigure(errors=errors, line_buffering=is_line_buffered)
    return _stdout
