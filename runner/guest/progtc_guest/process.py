"""Makes the process the job's: environment, directory, `sys`, standard streams."""
import builtins
import posix
import sys
from _io import TextIOWrapper, open as io_open  # nobody has imported `io` yet
from _sitebuiltins import Quitter, _Helper
from codecs import lookup

from _progtc import make_flags

from . import output

__builtins__ = __builtins__.copy()

_opened_as = None  # what the streams are that this process has opened before, in a rehearsal
_NEVER_STRICT = {"C", "POSIX", "C.UTF-8", "C.utf8"}  # locales in which Python's stdin and stdout take any byte


def prepare(job):
    """Errors: OSError when the working directory cannot be entered."""
    env = job.get("env") or {}
    _set_environment(env)
    _set_flags(env)
    sys.argv = list(job["argv"])
    sys.orig_argv = [job["executable"]] + sys.argv
    sys.executable = job["executable"]
    if job.get("prefix"):
        sys.prefix = sys.exec_prefix = job["prefix"]
    _set_path(job.get("path") or [], job.get("site") or [], env, job.get("cwd") or posix.getcwd())
    _open_streams(env, bool(job.get("line_buffered")))
    _add_site_builtins()
    _set_processors(job.get("processors"))
    if "linecache" in sys.modules:  # since Python 3.13 it holds the template's own `-c` text, as "<string>"
        sys.modules["linecache"].cache.clear()
    if job.get("cwd"):
        posix.chdir(job["cwd"])


def _set_environment(wanted):
    if "os" in sys.modules:
        environ = sys.modules["os"].environ
        environ.clear()
        environ.update(wanted)
        return
    # `os` makes its mapping from this one when it is imported, so it need not be imported for this.
    current = posix.environ
    for name in list(current):
        posix.unsetenv(name)
    current.clear()
    for name, value in wanted.items():
        name, value = name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape")
        posix.putenv(name, value)
        current[name] = value


def _set_flags(env):
    """What the code, and subprocess and multiprocessing for its children, take for the interpreter's options: not those
    that we start it with, but what the environment says."""
    names = [part.partition("=")[0] for part in repr(sys.flags)[len("sys.flags("):-1].split(", ")]
    values = dict(zip(names, sys.flags))
    is_safe_path = bool(env.get("PYTHONSAFEPATH"))
    writes_no_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    wanted = {"isolated": 0, "ignore_environment": 0, "no_user_site": 0, "no_site": 0, "safe_path": is_safe_path,
              "dont_write_bytecode": int(writes_no_bytecode)}
    values.update((name, value) for name, value in wanted.items() if name in values)
    sys.flags = make_flags(tuple(values.values()))
    sys.dont_write_bytecode = writes_no_bytecode


def _absolute(entry, cwd):
    if entry.startswith("/"):
        return entry
    return cwd + "/" + entry if entry else cwd


def _set_path(front, site, env, cwd):
    ours = __file__.rpartition("/")[0].rpartition("/")[0]  # the template found this package there; user code need not
    path = [entry for entry in sys.path if entry != ours]
    if sys.version_info >= (3, 11) and env.get("PYTHONSAFEPATH"):
        front = []
    if env.get("PYTHONPATH"):
        front = front + [_absolute(entry, cwd) for entry in env["PYTHONPATH"].split(":")]
    path[:0] = front
    known = set(path)
    for directory in site:
        if directory not in known and _exists(directory):
            known.add(directory)
            path.append(directory)
            path.extend(_pth_entries(directory, known))
    sys.path[:] = path


def _pth_entries(directory, known):
    """The directories that the `.pth` files in `directory` name. Their `import` lines are code and never run."""
    entries = []
    try:
        names = sorted(posix.listdir(directory))
    except OSError:
        return entries
    for name in names:
        if not name.endswith(".pth") or name.startswith("."):
            continue
        try:
            with io_open(directory + "/" + name, encoding="utf-8-sig", errors="surrogateescape") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        for line in lines:
            line = line.strip()
            if not line or line.startswith(("#", "import ", "import\t")):
                continue
            entry = line if line.startswith("/") else directory + "/" + line
            if entry not in known and _exists(entry):
                known.add(entry)
                entries.append(entry)
    return entries


def _exists(path):
    try:
        posix.stat(path)
        return True
    except (OSError, ValueError):
        return False


def _open_streams(env, is_line_buffered):
    """New text streams over 0, 1 and 2: the template's were made over other descriptors."""
    encoding, _, errors = env.get("PYTHONIOENCODING", "").partition(":")
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or "C"
    if not errors:
        errors = "surrogateescape" if locale in _NEVER_STRICT or env.get("PYTHONUTF8") == "1" else "strict"
    encoding = lookup(encoding).name if encoding else "utf-8"
    is_unbuffered = bool(env.get("PYTHONUNBUFFERED"))
    global _opened_as
    if _opened_as == (encoding, errors, is_unbuffered, is_line_buffered):
        return
    _opened_as = encoding, errors, is_unbuffered, is_line_buffered
    sys.stdin = sys.__stdin__ = _stream(0, "<stdin>", "r", encoding, errors, is_unbuffered, False)
    if output.is_usable(encoding, is_unbuffered):
        sys.stdout = sys.__stdout__ = output.open_stdout(errors, is_line_buffered)
    else:
        sys.stdout = sys.__stdout__ = _stream(1, "<stdout>", "w", encoding, errors, is_unbuffered, is_line_buffered)
    sys.stderr = sys.__stderr__ = _stream(2, "<stderr>", "w", encoding, "backslashreplace", is_unbuffered, True)


def _stream(fd, name, mode, encoding, errors, is_unbuffered, is_line_buffered):
    """As the interpreter makes them (create_stdio in pylifecycle.c); None when the descriptor is closed."""
    try:
        buffer = io_open(fd, mode + "b", 0 if is_unbuffered and mode == "w" else -1, closefd=False)
    except OSError:
        return None
    raw = getattr(buffer, "raw", buffer)
    raw.name = name
    is_line_buffered = not is_unbuffered and (is_line_buffered or raw.isatty())
    stream = TextIOWrapper(buffer, encoding, errors, "\n", is_line_buffered, is_unbuffered)
    stream.mode = mode
    return stream


def _set_processors(count):
    """The processors that the limits are worth. What asks for the affinity mask still sees the machine's."""
    if count:
        def cpu_count():
            """Return the number of CPUs that the limits of this process are worth."""
            return count
        cpu_count.__module__ = "posix"
        posix.cpu_count = cpu_count
        if "os" in sys.modules:
            sys.modules["os"].cpu_count = cpu_count


def _add_site_builtins():
    """What `site` adds (the template runs without it) and scripts use: exit, quit, help."""
    for name in ("exit", "quit"):
        setattr(builtins, name, Quitter(name, "Ctrl-D (i.e. EOF)"))
    builtins.help = _Helper()
