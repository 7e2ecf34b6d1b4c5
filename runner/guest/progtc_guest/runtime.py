"""The worker's main function."""
import gc
import posix
import sys

from . import execute, finalization, importing, jsontext, outcome, process, reseed, tools, tracebacks
from .channel import DONE, LEAVE, READY, Channel
from .errors import ToolError

__builtins__ = __builtins__.copy()


def main(fd):
    """Runs one job from the channel `fd` and returns when the interpreter should finalize. Raises what makes that end
    with the right status: SystemExit for anything but success, KeyboardInterrupt for a death by SIGINT."""
    channel = Channel(fd)
    posix.register_at_fork(after_in_child=channel.abandon)
    channel.send((READY, b"{}"))
    job = channel.receive_job()
    if job is None:
        raise SystemExit(1)  # nobody is there to be told
    if job.get("tools") is not None or job["mode"] == "code":  # calls, and a last value
        jsontext.load()
    channel.frame_bytes = job.get("frame_bytes") or channel.frame_bytes
    ending = _run(job, channel)
    if ending is not None:
        raise ending


def precede_preload():
    """For a template that serves many runs, before it imports the preload modules."""
    reseed.register()


def warm():
    """For a template that serves many runs: does once, before it is cloned, what each run would do first. Optional; a
    template of one run loses by it."""
    execute.warm()
    jsontext.load()


def rehearse():
    """For a worker that is parked: goes through the motions of a run. A clone of the template shares its memory until it
    writes to it, and nobody waits for these pages yet. Errors: RuntimeError in a clone that shares its random generators."""
    reseed.check()
    job = jsontext.decode_job(b'{"mode":"code","code":"x = [1]\\nx","argv":["-c"],"env":{},"executable":"/usr/bin/python3"}')
    process.prepare(job)
    program = execute.Program(job)
    finders = sys.meta_path[:]
    program.prepare(_inject(job, None, program))
    sys.meta_path[:] = finders
    before = finalization.Before()
    outcome.success(program.run(), 1 << 16)
    before.is_all()
    gc.freeze()  # what finalization looks at begins here


def _run(job, channel):
    """Returns the exception to leave with, or None."""
    program = value = failure = before = None
    try:
        process.prepare(job)
        program = execute.Program(job)
        program.prepare(_inject(job, channel, program))
        before = finalization.Before()
        value = program.run()
    except BaseException as error:
        failure = error
    # Handled out here, where no exception is being handled that would become the context of the next one.
    if isinstance(failure, SystemExit):
        return _exit(failure, channel)
    if failure is not None:
        return _fail(failure, program, channel)
    payload = outcome.success(value, channel.frame_bytes)
    del value
    if before.is_all():
        # The host need not wait until the kernel has taken this process apart.
        channel.send((DONE, payload), (LEAVE, b'{"status":0}'))
        posix._exit(0)
    _finish(channel, payload)
    return None


def _inject(job, channel, program):
    """Arranges for `tools`, and returns the names that user code finds among its globals."""
    catalogue = tools.Catalogue(channel, job.get("tools"))
    finder = importing.ToolsFinder(catalogue)
    sys.meta_path.insert(0 if catalogue.has_host else len(sys.meta_path), finder)
    if program.source is not None:
        sys.meta_path.insert(0, importing.SourceFinder(program.filename, program.source))
    return {"tools": tools.Tools(catalogue), "ToolError": ToolError}


def _exit(error, channel):
    code = error.code
    is_success = code is None or isinstance(code, int) and code & 0xFF == 0
    payload = outcome.success(None, 0) if is_success else outcome.exit_failure(code, channel.frame_bytes)
    _finish(channel, payload)
    # The interpreter prints a code that is no number, and turns it into the exit status.
    return error.with_traceback(None)


def _fail(error, program, channel):
    tracebacks.strip(error, program)
    try:
        text = tracebacks.format(error, program)
    except BaseException:  # out of memory, or of the user's making
        text = f"{type(error).__name__}\n"
    _flush("stdout")
    exit_error = tracebacks.report(error, text, program)
    _finish(channel, outcome.failure(error, text, channel.frame_bytes))
    if exit_error is not None:
        return exit_error.with_traceback(None)
    if isinstance(error, KeyboardInterrupt):
        # Python kills itself by SIGINT when one leaves the outermost frame, after having finalized.
        sys.excepthook = lambda *_: None  # it is printed already
        return error.with_traceback(None)
    return SystemExit(1)


def _finish(channel, payload):
    _flush("stdout")
    _flush("stderr")
    channel.send((DONE, payload))


def _flush(name):
    try:
        getattr(sys, name).flush()
    except BaseException:  # deleted, None or closed; a broken pipe shows again when the interpreter finalizes
        pass
