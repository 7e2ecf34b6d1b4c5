"""Looks up a cookie that is none."""
from probe import reach

reach("lookup_dcookie", 0, bytes(16), 16, answers=("EINVAL",))
