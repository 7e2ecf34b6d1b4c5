"""Makes itself undumpable, so that whoever reports its denied calls cannot look into it, and makes one."""
import ctypes
import socket

from probe import attempt

PR_SET_DUMPABLE = 4
ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close())
