"""Links the file named by the argument into the working directory."""
import os
import sys

from probe import attempt


def act():
    os.link(sys.argv[1], "linked")
    os.unlink("linked")


attempt(act)
