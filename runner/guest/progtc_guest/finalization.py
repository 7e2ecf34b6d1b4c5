"""Whether the interpreter's finalization could do anything that somebody would see.

It joins threads, runs `atexit`, destroys what is left, and returns memory that the process is about to lose anyway: a
millisecond or more, a good part of a short run. Where there are no threads, no exit handlers, and nothing left but plain
containers and functions, only the returning of memory remains, and it can be left out.
"""
import gc
import sys
from _thread import _count as count_threads
from atexit import _ncallbacks as count_exit_handlers
from sys import getprofile, gettrace

__builtins__ = __builtins__.copy()

_get_objects = gc.get_objects
_collector_hooks = gc.callbacks
_MOST = 500  # objects of the code's; more are no short run
_NEW_MODULES = 4  # beyond those that were there before the code


def _function():
    return _function


# What has no destructor that runs code, and holds nothing that its own entry in the list does not show. An object that
# the collector does not track holds no others.
_PLAIN = {dict, list, tuple, set, frozenset, type(sys), type(_function), type(len), type("".join),
          type((lambda x: lambda: x)(0).__closure__[0])}


class Before:
    """What was there before the code, of which nothing needs to be destroyed."""

    def __init__(self):
        self._modules = len(sys.modules)
        self._streams = (sys.stdout, sys.stderr)  # the interpreter's own, wherever the code puts others
        self._objects = _get_objects()  # held, so that no later object gets the place of one of them
        self._ids = set(map(id, self._objects))
        self._ids.update(map(id, (self, self._objects, self._ids, self._streams, self.__dict__)))

    def is_all(self):
        """Whether nothing has come since that finalization would have to take care of. Flushes stdout and stderr,
        those that the interpreter opened and those that the code may have put in their place."""
        try:
            return self._is_all()
        except BaseException:  # of the code's making: a module without its names, a stream that fails (status 120)
            return False

    def _is_all(self):
        if len(sys.modules) > self._modules + _NEW_MODULES or count_threads() > 0:
            return False
        if count_exit_handlers() > 0 or _collector_hooks or gettrace() or getprofile():
            return False
        objects = _get_objects()
        if len(objects) > len(self._objects) + _MOST:
            return False
        for each in objects:
            if type(each) not in _PLAIN and id(each) not in self._ids:
                return False
        for stream in (*self._streams, sys.stdout, sys.stderr):
            stream.flush()
        return True
