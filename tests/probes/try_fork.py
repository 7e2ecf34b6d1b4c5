"""Forks."""
import os

from probe import attempt


def act():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


attempt(act)
