"""Pastes on the machine's console."""
from probe import reach

TIOCLINUX = 0x541C
reach("ioctl", 0, TIOCLINUX, b"\x03", answers=("ENOTTY",))
