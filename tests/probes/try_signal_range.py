"""Looks for processes by signal 0, over the pids up to 4096 and the one named by the argument."""
import os
import sys

from probe import blocked, permitted

try:
    os.kill(os.getpid(), 0)
except PermissionError:
    blocked("EPERM")
found = []
for pid in [*range(2, 4096), int(sys.argv[1])]:
    if pid in (os.getpid(), os.getppid()):
        continue
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        continue
    except PermissionError:
        pass  # it is there, and somebody else's
    found.append(str(pid))
if found:
    permitted(f"{len(found)} processes")
blocked("none")
