"""Lists the directory named by the argument."""
import os
import sys

from probe import attempt

attempt(lambda: " ".join(sorted(os.listdir(sys.argv[1]))))
