"""Moves a mount that is not there."""
from probe import AT_FDCWD, reach

reach("move_mount", AT_FDCWD, b"/nonexistent", AT_FDCWD, b"/nonexistent", 0, answers=("ENOENT",))
