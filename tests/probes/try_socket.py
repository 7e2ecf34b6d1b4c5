"""Makes a socket: FAMILY TYPE PROTOCOL, numbers or names of the socket module."""
import socket
import sys

from probe import attempt

# Families that the module of some interpreter does not name.
FAMILIES = {"AF_ALG": 38, "AF_VSOCK": 40, "AF_TIPC": 30, "AF_XDP": 44, "AF_KEY": 15, "AF_RDS": 21, "AF_CAN": 29,
            "AF_BLUETOOTH": 31, "AF_QIPCRTR": 42, "AF_SMC": 43, "AF_NETLINK": 16, "AF_PACKET": 17}  # fmt: skip


def value(word):
    return int(word) if word.isdigit() else int(FAMILIES.get(word) or getattr(socket, word))


attempt(lambda: socket.socket(*map(value, sys.argv[1:4])).close())
