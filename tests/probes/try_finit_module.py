"""Loads a kernel module from a descriptor that is none."""
from probe import reach

reach("finit_module", -1, b"", 0, answers=("EBADF",))
