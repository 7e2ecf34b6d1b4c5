"""Takes MIB of memory through memfd_create, sixteen at a time: such files belong to no file system with a cap."""
import os
import sys

from probe import attempt


def act():
    for _ in range(int(sys.argv[1]) // 16):
        fd = os.memfd_create("hoard")
        for _ in range(16):
            os.write(fd, b"x" * (1 << 20))
    return f"{sys.argv[1]} MiB"


attempt(act)
