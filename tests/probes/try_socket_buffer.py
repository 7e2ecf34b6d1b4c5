"""Gives a socket a buffer of BYTES in the kernel: OPTION is SO_SNDBUF or SO_RCVBUF."""
import socket
import sys

from probe import attempt


def act():
    ours, _ = socket.socketpair()
    option = getattr(socket, sys.argv[1])
    ours.setsockopt(socket.SOL_SOCKET, option, int(sys.argv[2]))
    return f"{ours.getsockopt(socket.SOL_SOCKET, option)} bytes"


attempt(act)
