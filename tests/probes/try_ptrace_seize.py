"""Attaches to the process named by the argument."""
import sys

from probe import reach

PTRACE_SEIZE = 0x4206
reach("ptrace", PTRACE_SEIZE, int(sys.argv[1]), 0, 0)
