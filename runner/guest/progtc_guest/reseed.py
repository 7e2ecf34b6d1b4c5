"""Gives each clone of a template that serves many runs random numbers of its own.

Modules that the template has imported may hold the state of a generator, and every clone starts with a copy of it. The
hook of os.register_at_fork runs in the clone, before those of the preload modules, which may have their own.
"""
import posix
import sys

__builtins__ = __builtins__.copy()

_is_done = False


def register():
    """For the template, before it imports anything that a run might share."""
    posix.register_at_fork(after_in_child=_reseed)


def check():
    """Raises RuntimeError in a clone whose generators are still the template's."""
    if not _is_done:
        raise RuntimeError("the random generators of a clone could not be reseeded")


def _reseed():
    global _is_done
    if _is_done:  # a fork by the code, which keeps the states, as with python3
        return
    for name, reseed in _MODULES:
        if name in sys.modules:
            reseed(sys.modules[name])
    _is_done = True


def _numpy(module):
    module.seed()  # the global RandomState; new generators (default_rng) ask the kernel


def _multiprocessing(module):
    module.current_process().authkey = posix.urandom(32)


def _openssl(module):
    module.RAND_add(posix.urandom(64), 64.0)  # OpenSSL knows a new process by its number alone, and each clone has the same


def _tempfile(module):
    module._name_sequence = None  # made when it is first used
    module.tempdir = None  # likewise, from the environment of the run


def _uuid(module):
    module._node = None  # random where the machine tells no address


_MODULES = (("numpy.random", _numpy), ("multiprocessing.process", _multiprocessing), ("_ssl", _openssl), ("tempfile", _tempfile),
            ("uuid", _uuid))
