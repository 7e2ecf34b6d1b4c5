"""Sends one datagram to ADDRESS PORT."""
import socket
import sys

from probe import attempt

attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], int(sys.argv[2]))))
