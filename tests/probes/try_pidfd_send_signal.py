"""Signals the process named by the argument through a pidfd (signal 0: only the check)."""
import sys

from probe import attempt, syscall

attempt(lambda: syscall("pidfd_send_signal", syscall("pidfd_open", int(sys.argv[1]), 0), 0, None, 0) and None)
