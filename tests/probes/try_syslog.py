"""Asks for the size of the kernel's log."""
from probe import reach

SYSLOG_ACTION_SIZE_BUFFER = 10
reach("syslog", SYSLOG_ACTION_SIZE_BUFFER, None, 0)
