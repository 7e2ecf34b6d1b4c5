"""Fills pairs of sockets, as many as there are descriptors and as many again in flight between them, up to MIB."""
import array
import os
import socket
import sys

from probe import attempt

bound, held = int(sys.argv[1]) << 20, 0


def fill(one, size=32768):
    global held
    one.setblocking(False)
    try:
        while held < bound:
            held += one.send(bytes(size))
            if size == 1:
                return
    except OSError:
        pass


def pairs():
    found = []
    try:
        while held < bound:
            found.append(socket.socketpair())
            for one in found[-1]:
                fill(one)
    except OSError:
        pass
    return found


def act():
    carriers = [socket.socketpair() for _ in range(4)]
    loads = pairs()
    for index, load in enumerate(loads):  # what is in flight takes no number of the table
        try:
            fds = array.array("i", [one.fileno() for one in load])
            carriers[index % 4][0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)], socket.MSG_DONTWAIT)
        except OSError:
            break
        for one in load:
            one.close()
    loads += pairs()
    return f"{held >> 20} MiB in {len(loads)} pairs"


attempt(act)
