"""Takes MIB of memory, and keeps it."""
import sys

from probe import blocked, permitted

hoard = []
try:
    for _ in range(int(sys.argv[1])):
        hoard.append(bytearray(b"x" * (1 << 20)))
except MemoryError:
    blocked(f"MemoryError at {len(hoard)} MiB")
permitted(f"{len(hoard)} MiB")
