"""Clones the root's mount tree."""
from probe import AT_FDCWD, reach

OPEN_TREE_CLONE, AT_RECURSIVE = 1, 0x8000
reach("open_tree", AT_FDCWD, b"/", OPEN_TREE_CLONE | AT_RECURSIVE)
