"""Forks COUNT processes that wait."""
import os
import signal
import sys
import time

from probe import blocked, permitted

children = []
refusal = None
try:
    for _ in range(int(sys.argv[1])):
        pid = os.fork()
        if pid == 0:
            time.sleep(30)
            os._exit(0)
        children.append(pid)
except OSError as error:
    refusal = error
for pid in children:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
if refusal:
    blocked(refusal)
permitted(f"{len(children)} processes")
