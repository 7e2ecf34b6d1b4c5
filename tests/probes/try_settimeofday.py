"""Sets the clock to a time with too many microseconds, which the kernel refuses to anyone."""
import struct

from probe import reach

reach("settimeofday", struct.pack("=qq", 0, 2_000_000), None, answers=("EINVAL",))
