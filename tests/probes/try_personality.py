"""Turns off the randomisation of its addresses."""
from probe import reach

ADDR_NO_RANDOMIZE = 0x0040000
reach("personality", ADDR_NO_RANDOMIZE)
