"""Serves on its own loopback and talks to itself: ADDRESS, 127.0.0.1 or ::1."""
import socket
import sys

from probe import attempt


def act():
    with socket.create_server((sys.argv[1], 0), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET) as server:
        with socket.create_connection(server.getsockname()[:2], timeout=5) as client:
            accepted, _ = server.accept()
            client.sendall(b"hello")
            return accepted.recv(16).decode()


attempt(act)
