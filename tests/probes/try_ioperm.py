"""Gives up access to one input/output port."""
from probe import reach

reach("ioperm", 0x80, 1, 0)
