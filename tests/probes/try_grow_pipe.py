"""Gives a pipe SIZE bytes. What pipes have in pages is counted per user of the host, whoever of them takes it (pipe(7))."""
import os
import sys

from probe import attempt, syscall

F_SETPIPE_SZ = 1031


def act():
    reader, _ = os.pipe()
    return f"{syscall('fcntl', reader, F_SETPIPE_SZ, int(sys.argv[1]))} bytes"


attempt(act)
