"""Restarts the machine, with magic numbers that the kernel refuses."""
from probe import reach

reach("reboot", 0, 0, 0, None, answers=("EINVAL",))
