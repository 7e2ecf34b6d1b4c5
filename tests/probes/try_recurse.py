"""Recurses in C, past the interpreter's own count, until the stack ends."""
import ctypes
import sys

sys.setrecursionlimit(10**9)


class Deep:
    def __repr__(self):
        return repr([self])


print("recursing", flush=True)
del ctypes
repr(Deep())
print("permitted: came back")
