"""Climbs out of the working directory, past a root that was changed and not pivoted."""
import os
import sys

from probe import attempt

attempt(lambda: " ".join(os.listdir("../" * 64 + sys.argv[1])))
