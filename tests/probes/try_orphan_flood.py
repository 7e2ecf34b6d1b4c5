"""Leaves COUNT orphans behind, one after the other: pid 1 has to reap them, or the limit is reached."""
import os
import sys

from probe import attempt


def act():
    for _ in range(int(sys.argv[1])):
        pid = os.fork()
        if pid == 0:
            if os.fork() == 0:
                os._exit(0)
            os._exit(0)
        os.waitpid(pid, 0)
    return f"{sys.argv[1]} orphans"


attempt(act)
