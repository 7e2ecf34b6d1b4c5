"""Opens the file named by the argument for writing, and writes nothing."""
import os
import sys

from probe import attempt

attempt(lambda: os.close(os.open(sys.argv[1], os.O_WRONLY)))
