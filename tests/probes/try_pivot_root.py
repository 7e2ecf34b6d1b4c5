"""Exchanges the root for a directory that is not there."""
from probe import reach

reach("pivot_root", b"/nonexistent", b"/nonexistent", answers=("ENOENT",))
