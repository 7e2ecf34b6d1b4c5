"""Opens the file named by the argument for reading, then again through /proc/self/fd for writing."""
import os
import sys

from probe import attempt


def act():
    fd = os.open(sys.argv[1], os.O_RDONLY)
    os.close(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY))


attempt(act)
