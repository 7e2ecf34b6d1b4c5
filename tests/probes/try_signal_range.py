"""Looks for processes by signal 0, over the pids up to 4096 and the one named by the argument."""
import os
import sys

from probe import blocked, permitted

found = []
for pid in [*range(2, 4096), int(sys.argv[1])]:
    if pid in (os.getpid(), os.getppid()):
        continue
    try:
        os.kill(pid, 0)
        found.append(str(pid))
    except ProcessLookupError:
        pass
    except PermissionError:
        blocked("EPERM")
if found:
    permitted(f"{len(found)} processes")
blocked("none")
