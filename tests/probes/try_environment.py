"""Looks for the variable named by the argument, in os.environ and in what the kernel keeps."""
import os
import sys

from probe import blocked, permitted

if sys.argv[1] in os.environ:
    permitted("os.environ")
try:
    with open("/proc/self/environ", "rb") as file:
        if sys.argv[1].encode() in file.read():
            permitted("/proc/self/environ")
except OSError:
    pass
blocked("not set")
