"""Writes the byte at offset BYTES of a file."""
import os
import signal
import sys

from probe import attempt

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def act():
    with open("long", "wb", buffering=0) as file:
        os.pwrite(file.fileno(), b"x", int(sys.argv[1]))
    os.unlink("long")
    return "written"


attempt(act)
