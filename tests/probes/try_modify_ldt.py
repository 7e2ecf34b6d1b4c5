"""Reads its local descriptor table."""
import ctypes

from probe import reach

reach("modify_ldt", 0, ctypes.create_string_buffer(64), 64)
