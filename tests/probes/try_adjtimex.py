"""Reads the state of the clock's adjustment."""
import ctypes

from probe import reach

reach("adjtimex", ctypes.create_string_buffer(208))
