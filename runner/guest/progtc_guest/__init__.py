"""The Python side of a sandbox: what happens between `clone` and the interpreter's own finalization.

Processes
    A trusted *template* (`python3 -s -S -B`) imports this package once and never runs anybody's code. A helper in C
    clones it. The clone, the *worker*, arrives confined (namespaces, seccomp, limits) with four descriptors: 0, 1 and 2
    are pipes, 3 is the channel to the host. It calls `runtime.main(3)` and is untrusted from the first line of user
    code on; nothing here is a security boundary. What this package owes is fidelity (a script must behave as under a
    bare `python3`) and an honest `done` frame; the host believes neither and takes the verdict from the kernel.

One run
    `runtime`     ready -> job -> prepare -> execute -> flush -> done -> return, so that the interpreter finalizes
                  as usual: threads are joined, `atexit` runs, open files are flushed, the exit status is the code's.
    `channel`     frames over the socket, shared by any number of threads and event loops.
    `jsontext`    JSON through the C accelerator, without importing `json`.
    `process`     environment, working directory, `sys.*` and the standard streams, as the job wants them.
    `output`      stdout, whose buffer outlives the process.
    `execute`     source -> code -> `__main__`; top-level `await`; the value of a last expression.
    `tools`       what user code sees of the host: the synchronous global `tools`, the asynchronous module `tools`.
    `errors`      what a failed call raises.
    `importing`   the finder behind `import tools`; gives `linecache` the source that is in no file here.
    `outcome`     the payload of `done`: value or error, always within the frame cap.
    `reseed`      random numbers of its own for each clone of a template that has imported modules.
    `finalization` whether the interpreter's would have an effect: a run that left nothing behind goes without.
    `tracebacks`  prints an uncaught exception as bare Python does, without a frame of ours.

Rules of the house
    Import cost is the run's latency, so only C modules and each other are imported up front: no `os`, `json`, `re`,
    `enum`, `threading`, `asyncio`, `traceback` until user code needs them. Functions are taken from `posix`, not `os`.
    User code may replace anything it can reach. It may break its own run with that, but the frames must stay well
    formed: C functions are bound to names here at import time, and each module starts with a private copy of the
    builtins (`__builtins__ = __builtins__.copy()`), so that `builtins.len = None` is the user's problem only.
"""
