"""A call that no kernel has."""
import sys

from probe import reach

reach(int(sys.argv[1]))
