"""Locks a byte of a file for its open description: such a lock outlives the descriptor as long as the file is mapped."""
import fcntl
import struct
import tempfile

from probe import attempt

F_OFD_SETLK = 37


def act():
    with tempfile.TemporaryFile(dir=".") as file:
        fcntl.fcntl(file, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 1, 0))


attempt(act)
