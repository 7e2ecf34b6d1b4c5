"""Asks for the quota format of a device that is none."""
from probe import reach

Q_GETFMT = 0x800004
reach("quotactl", Q_GETFMT << 8, b"/nonexistent", 0, b"\0" * 8, answers=("ENOENT", "ENOTBLK", "ENODEV"))
