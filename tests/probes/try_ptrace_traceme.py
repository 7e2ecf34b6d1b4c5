"""Asks to be traced by its parent."""
from probe import reach

reach("ptrace", 0, 0, 0, 0)
