"""Makes a pair of sockets that lead nowhere else."""
import socket

from probe import attempt


def act():
    ours, theirs = socket.socketpair()
    ours.sendall(b"x")
    theirs.recv(1)


attempt(act)
