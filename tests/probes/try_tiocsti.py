"""Types into the terminal of whoever started the sandbox, with the bits added above the 32nd by the argument."""
import sys

from probe import reach

TIOCSTI = 0x5412
reach("ioctl", 0, TIOCSTI + (int(sys.argv[1]) << 32), b"x", answers=("ENOTTY",))
