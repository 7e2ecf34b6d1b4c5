"""Holds more descriptors than RLIMIT_NOFILE lets one table have, in tables that threads have for themselves: HOW is
close_range (CLOSE_RANGE_UNSHARE) or clone (without CLONE_FILES)."""
import ctypes
import mmap
import os
import resource
import sys
import threading

from probe import attempt, syscall

CLOSE_RANGE_UNSHARE = 2
CLONE_VM, CLONE_FS, CLONE_SIGHAND, CLONE_THREAD, CLONE_SYSVSEM = 0x100, 0x200, 0x800, 0x10000, 0x40000
NOWHERE = 1 << 30  # beyond every table
TABLES, STACK = 4, 1 << 16


def fill(count):
    return [os.dup(0) for _ in range(count)]


def in_a_thread(count, filled, errors):
    try:
        syscall("close_range", NOWHERE, NOWHERE, CLOSE_RANGE_UNSHARE)
        fill(count)
    except OSError as error:
        errors.append(error)
    filled.release()
    threading.Event().wait()


def by_close_range(count):
    filled, errors = threading.Semaphore(0), []
    for _ in range(TABLES):
        threading.Thread(target=in_a_thread, args=(count, filled, errors), daemon=True).start()
        filled.acquire()
        if errors:
            raise errors[0]


def by_clone(count):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.clone.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    for _ in range(TABLES):
        mine = fill(count)
        stack = mmap.mmap(-1, STACK)
        top = ctypes.addressof(ctypes.c_char.from_buffer(stack)) + STACK
        flags = CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM
        # The thread has a copy of the table and waits for a signal that never comes.
        if libc.clone(ctypes.cast(libc.pause, ctypes.c_void_p), top, flags, None) == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        STACKS.append(stack)
        for fd in mine:
            os.close(fd)


STACKS = []


def act():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard > 256:  # outside, where a table may be large
        soft = 256
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    count = soft // 2
    {"close_range": by_close_range, "clone": by_clone}[sys.argv[1]](count)
    return f"{TABLES * count} descriptors where {soft} are the limit"


attempt(act)
