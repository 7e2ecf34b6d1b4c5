"""Advises the kernel about the memory of another process, by a descriptor that is none."""
from probe import reach

reach("process_madvise", -1, b"\0" * 16, 1, 20, 0, answers=("EBADF",))
