"""Writes accounts of all processes to a file that is not there."""
from probe import reach

reach("acct", b"/nonexistent", answers=("ENOENT",))
