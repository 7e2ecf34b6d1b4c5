"""Maps memory from the host's pool of huge pages, which the memory controller does not count; or, as "small", other memory."""
import mmap
import sys

from probe import attempt

MAP_HUGETLB = 0x40000


def act():
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with mmap.mmap(-1, 2 << 20, flags=flags if "small" in sys.argv else flags | MAP_HUGETLB):
        return "mapped"


attempt(act)
