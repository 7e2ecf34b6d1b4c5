"""Loads a kernel module of no bytes."""
from probe import reach

reach("init_module", b"", 0, b"", answers=("ENOEXEC", "EFAULT", "EINVAL"))
