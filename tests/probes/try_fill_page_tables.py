"""Maps PAGES far from each other and writes to each, so that every one has page tables of its own; stays if there are many."""
import ctypes
import signal
import sys

from probe import attempt

PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_FIXED = 3, 0x100022  # MAP_FIXED_NOREPLACE
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_long
libc.mmap.argtypes = [ctypes.c_long, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


def act():
    pages = int(sys.argv[1])
    for index in range(1, pages + 1):
        if libc.mmap(index << 30, 4096, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_FIXED, -1, 0) == -1:
            raise OSError(ctypes.get_errno(), "mmap")
        ctypes.memset(index << 30, 1, 1)
    if pages > 1000:
        signal.pause()
    return f"{pages} pages"


attempt(act)
