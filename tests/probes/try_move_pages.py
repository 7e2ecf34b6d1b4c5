"""Asks on which node its memory lies."""
from probe import reach

reach("move_pages", 0, 0, None, None, None, 0)
