"""Looks for processes beside itself, its ancestors and pid 1, by their entries in /proc."""
import os

from probe import blocked, permitted

others = []
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) not in (1, os.getpid(), os.getppid()):
        others.append(name)
if others:
    permitted(f"{len(others)} processes")
blocked("none")
