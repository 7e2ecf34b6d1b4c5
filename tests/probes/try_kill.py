"""Ends the process named by the argument."""
import os
import signal
import sys

from probe import attempt, blocked

pid = int(sys.argv[1])
if pid <= 1 and os.getpid() > 1000:
    sys.exit("this is no sandbox: its pid 1 is the machine's")


def act():
    os.kill(pid, signal.SIGKILL)
    if pid == 1:
        blocked("pid 1 ignored it")


attempt(act)
