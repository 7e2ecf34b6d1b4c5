"""A call that no kernel has."""
from probe import reach

reach(100_000)
