"""What ordinary programs do with tables of descriptors: threads use one, and close_range closes or marks a range of it."""
import fcntl
import os
import threading

from probe import attempt, syscall

CLOSE_RANGE_CLOEXEC = 4


def act():
    opened = []
    thread = threading.Thread(target=lambda: opened.extend(os.dup(0) for _ in range(3)))
    thread.start()
    thread.join()
    for fd in opened:
        os.set_inheritable(fd, True)
    first, last = min(opened), max(opened)
    syscall("close_range", first, last, CLOSE_RANGE_CLOEXEC)
    if not all(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC for fd in opened):
        return "not marked"
    syscall("close_range", first, last, 0)
    return "done"


attempt(act)
