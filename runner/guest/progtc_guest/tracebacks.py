"""Prints an uncaught exception as bare Python does: the user's frames only, with source lines.

The text comes from the interpreter's own printer, behind `sys.__excepthook__`. Up to Python 3.12 that is C code with
features the `traceback` module lacks (suggestions, before 3.12), it needs no imports, and it reads source lines with
`io.open`. As the source is in no file here, `io.open` answers with a memory file for that name while it prints.
From 3.13 on it is the `traceback` module, which asks `linecache`, where `importing.SourceFinder` puts the source.
"""
import posix
import sys
from _io import StringIO

__builtins__ = __builtins__.copy()

_OURS = __file__.rpartition("/")[0] + "/"
_print_exception = sys.__excepthook__


def strip(error, program):
    """Removes the frames that are not the user's from `error` and from every exception it brings along."""
    seen = set()
    waiting = [error]
    while waiting:
        error = waiting.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        error.__traceback__ = _strip(error.__traceback__, program)
        _complete(error, program)
        waiting += [error.__cause__, error.__context__]
        if hasattr(error, "__traceback__") and sys.version_info >= (3, 11) and isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions


def format(error, program):
    """Returns the text that bare Python would print for the stripped `error`."""
    import io
    real_open, real_stderr = io.open, getattr(sys, "stderr", None)
    captured = StringIO()
    memory = _memory_file(program) if sys.version_info < (3, 13) else None

    def open_source(name, *args, **kwargs):
        if memory is None or name != program.filename:
            return real_open(name, *args, **kwargs)
        fd = posix.dup(memory)
        posix.lseek(fd, 0, 0)
        return real_open(fd, *args, **kwargs)

    try:
        io.open, sys.stderr = open_source, captured
        _print_exception(type(error), error, error.__traceback__)
    finally:
        io.open, sys.stderr = real_open, real_stderr
        if memory is not None:
            posix.close(memory)
    text = captured.getvalue()
    if memory is not None and program.filename[:1] == "<" and sys.version_info >= (3, 11):
        text = _add_source_lines(text, program)
    return text


def report(error, text, program):
    """Hands the error to `sys.excepthook`; `text` is what the default one prints. Returns the SystemExit that a hook of
    the user raised, or None."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    hook = getattr(sys, "excepthook", None)
    if hook is _print_exception:
        _write(text)
    elif hook is None:
        _write("sys.excepthook is missing\n" + text)
    else:
        try:
            hook(type(error), error, error.__traceback__)
        except SystemExit as exit:
            return exit
        except BaseException as failure:
            strip(failure, program)
            _write("Error in sys.excepthook:\n" + format(failure, program) + "\nOriginal exception was:\n" + text)
    return None


def _write(text):
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except BaseException:  # None, deleted, a stream of the user's making, or a closed one
        pass


def _strip(traceback, program):
    """Cuts what leads to the program's own code object, then our frames and, in front, runpy's."""
    if program is not None and program.code is not None:
        entry = traceback
        while entry is not None and entry.tb_frame.f_code is not program.code:
            entry = entry.tb_next
        traceback = entry or traceback
    kept = []
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        is_runpy = not kept and filename.endswith(("/runpy.py", "<frozen runpy>"))
        if not is_runpy and not filename.startswith(_OURS):
            kept.append(traceback)
        traceback = traceback.tb_next
    for entry, following in zip(kept, kept[1:] + [None]):
        entry.tb_next = following
    return kept[0] if kept else None


def _complete(error, program):
    """Gives a SyntaxError of the compiler's later passes its line, which it would read from the file."""
    if not isinstance(error, SyntaxError) or error.text is not None or program is None or program.source is None:
        return
    if error.filename == program.filename and isinstance(error.lineno, int):
        from .importing import text_of
        lines = text_of(program.source).splitlines(True)
        if 0 < error.lineno <= len(lines):
            error.text = lines[error.lineno - 1]


def _add_source_lines(text, program):
    """Python 3.11 and 3.12 look for no source under a name like <string>."""
    from .importing import text_of
    source = text_of(program.source).splitlines()
    start = f'File "{program.filename}", line '
    lines = []
    for line in text.splitlines(True):
        lines.append(line)
        place = line.lstrip(" |")  # the margin of an exception group
        number, comma, _ = place[len(start):].partition(", in ")
        if place.startswith(start) and comma and number.isdigit() and 0 < int(number) <= len(source):
            margin = line[:len(line) - len(place)]
            lines.append(f"{margin}  {source[int(number) - 1].strip()}\n")
    return "".join(lines)


def _memory_file(program):
    if program is None or program.source is None:
        return None
    source = program.source
    if isinstance(source, str):
        source = source.encode("utf-8", "replace")
    try:
        # On the private file system, which the policy caps; an anonymous file may be refused, as no limit counts it.
        fd = posix.open("/tmp", posix.O_RDWR | posix.O_TMPFILE | posix.O_CLOEXEC, 0o600)
        while source:
            source = source[posix.write(fd, source):]
        return fd
    except (OSError, AttributeError):  # refused by the policy: no source lines then
        return None
