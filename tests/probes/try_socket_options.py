"""Sets and reads the options that ordinary programs use: of a pair of sockets, and with the argument tcp of one over TCP."""
import socket
import struct
import sys

from probe import attempt

TIME = struct.pack("ll", 5, 0)
PAIR = [("SO_REUSEADDR", 1), ("SO_KEEPALIVE", 1), ("SO_BROADCAST", 1), ("SO_RCVTIMEO", TIME),
        ("SO_SNDTIMEO", TIME), ("SO_LINGER", struct.pack("ii", 1, 0)), ("SO_OOBINLINE", 1)]  # fmt: skip
ASKED = ["SO_ERROR", "SO_TYPE", "SO_PROTOCOL", "SO_DOMAIN", "SO_ACCEPTCONN", "SO_SNDBUF", "SO_RCVBUF"]
TCP = [("TCP_NODELAY", 1), ("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 1000),
       ("TCP_QUICKACK", 1)]  # fmt: skip


def act():
    ours = socket.create_server(("127.0.0.1", 0)) if "tcp" in sys.argv else socket.socketpair()[0]
    for name, value in PAIR:
        ours.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        ours.getsockopt(socket.SOL_SOCKET, getattr(socket, name), 16)
    for name in ASKED:
        ours.getsockopt(socket.SOL_SOCKET, getattr(socket, name))
    if ours.family == socket.AF_UNIX:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return
    for name, value in TCP:
        ours.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        ours.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    ours.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 64)
    ours.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR


attempt(act)
