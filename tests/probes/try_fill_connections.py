"""Fills PAIRS of TCP connections to itself with bytes that nobody reads, in each of PROCESSES, up to MIB. Several
of them stay."""
import os
import signal
import socket
import sys

from probe import attempt

pairs, processes, bound = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) << 20


def fill(pair):
    sent = 0
    for one in pair:
        one.setblocking(False)
        try:
            while sent < bound // pairs:
                sent += one.send(bytes(65536))
        except BlockingIOError:
            pass
    return sent


def hold():
    held, kept = 0, []
    with socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(pairs):
            ours = socket.create_connection(server.getsockname())
            pair = (ours, server.accept()[0])
            held += fill(pair)
            kept.append(pair)
    return held, kept


def act():
    children = []
    for _ in range(processes - 1):
        child = os.fork()
        if child == 0:
            kept = hold()
            while kept:  # until the run ends
                signal.pause()
        children.append(child)
    held, kept = hold()
    for child in children:
        os.waitpid(child, 0)
    return f"{held >> 20} MiB in {len(kept)} pairs"


attempt(act)
