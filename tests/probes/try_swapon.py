"""Swaps to a file that is not there."""
from probe import reach

reach("swapon", b"/nonexistent", 0, answers=("ENOENT",))
