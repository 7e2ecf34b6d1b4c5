"""Creates a file in the directory named by the argument, and removes it."""
import os
import sys

from probe import attempt


def act():
    path = f"{sys.argv[1]}/progtc-probe-{os.getpid()}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)


attempt(act)
