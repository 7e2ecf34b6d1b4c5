"""Runs a program with posix_spawn."""
import os
import sys

from probe import attempt


def act():
    pid = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", "pass"], {})
    os.waitpid(pid, 0)


attempt(act)
