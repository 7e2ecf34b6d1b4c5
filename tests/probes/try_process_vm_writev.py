"""Writes to the memory of the process named by the argument: no byte of it."""
import sys

from probe import reach

reach("process_vm_writev", int(sys.argv[1]), 0, 0, b"\0" * 16, 1, 0)
