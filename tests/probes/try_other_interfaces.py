"""Looks for network interfaces beside the loopback."""
import fcntl
import socket
import struct

from probe import blocked, permitted

SIOCGIFNAME = 0x8910
names = []
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for index in range(1, 1024):
            try:
                answer = fcntl.ioctl(any_socket, SIOCGIFNAME, struct.pack("16si", b"", index) + bytes(20))
                names.append(answer[:16].rstrip(b"\0").decode())
            except OSError:
                pass
except OSError as error:
    blocked(error)
if names == ["lo"]:
    blocked("only lo")
permitted(" ".join(names))
