"""Opens a userfaultfd, for faults of user mode only: that needs no privilege, and slows copies by the kernel at will."""
import os

from probe import reach

UFFD_USER_MODE_ONLY = 1
reach("userfaultfd", UFFD_USER_MODE_ONLY | os.O_CLOEXEC)
