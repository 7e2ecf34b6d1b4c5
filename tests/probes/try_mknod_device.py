"""Makes a device node of its own: the disk's or the memory's would be made the same way."""
import os
import stat

from probe import attempt


def act():
    os.mknod("null-of-ours", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.unlink("null-of-ours")


attempt(act)
