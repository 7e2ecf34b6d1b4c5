"""Counts its own processor time with perf: user mode only, which needs no privilege."""
import struct

from probe import reach

TYPE_SOFTWARE, SIZE, CPU_CLOCK = 1, 112, 0
EXCLUDE_KERNEL, EXCLUDE_HV = 1 << 5, 1 << 6
attributes = struct.pack("=IIQQQQQ", TYPE_SOFTWARE, SIZE, CPU_CLOCK, 0, 0, 0, EXCLUDE_KERNEL | EXCLUDE_HV)
reach("perf_event_open", attributes.ljust(SIZE, b"\0"), 0, -1, -1, 0)
