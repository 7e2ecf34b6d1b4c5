"""Enters a ring through a descriptor that is none."""
from probe import reach

reach("io_uring_enter", -1, 0, 0, 0, None, 0, answers=("EBADF", "EOPNOTSUPP"))
