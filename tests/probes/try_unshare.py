"""Enters a new namespace of the kind named by the argument."""
import sys

from probe import CLONE_FLAGS, reach

reach("unshare", CLONE_FLAGS[sys.argv[1]])
