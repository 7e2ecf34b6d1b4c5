"""Connects to HOST PORT and reads a word from it."""
import socket
import sys

from probe import attempt, blocked


def act():
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5) as connection:
        return connection.recv(64).decode() or blocked("connected, and closed")


attempt(act)
