"""Makes COUNT empty files in DIRECTORY, then removes them."""
import os
import sys

from probe import attempt

directory, wanted = sys.argv[1], int(sys.argv[2])


def act():
    made = []
    try:
        for index in range(wanted):
            path = f"{directory}/inode-{index}"
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            made.append(path)
    finally:
        for path in made:
            os.unlink(path)
    return f"{wanted} files"


attempt(act)
