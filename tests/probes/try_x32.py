"""A call through the x32 table: getpid with the bit that marks the table."""
from probe import IS_X86_64, reach, unsupported

if not IS_X86_64:
    unsupported("no x32 table on this machine")
reach(0x40000000 + 39)
