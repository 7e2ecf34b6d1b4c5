"""Registers with a ring through a descriptor that is none."""
from probe import reach

reach("io_uring_register", -1, 2, None, 0, answers=("EBADF", "EOPNOTSUPP", "EINVAL"))
