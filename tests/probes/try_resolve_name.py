"""Resolves the name given by the argument."""
import socket
import sys

from probe import blocked, permitted

try:
    permitted(socket.getaddrinfo(sys.argv[1], 80)[0][4][0])
except socket.gaierror as error:
    blocked(f"gaierror {error.errno}")
except OSError as error:
    blocked(error)
