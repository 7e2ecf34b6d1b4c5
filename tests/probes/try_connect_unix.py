"""Connects to the Unix socket named by the argument: a path, or @name for an abstract one."""
import socket
import sys

from probe import attempt


def act():
    name = sys.argv[1]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect("\0" + name[1:] if name.startswith("@") else name)
        return connection.recv(64).decode()


attempt(act)
