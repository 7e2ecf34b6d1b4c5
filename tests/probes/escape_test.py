#!/usr/bin/env python3
"""Runs one group of the acts of acts.py: escape_test.py [--as-user] [PROGTC_RUN] GROUP."""

import acts
import harness
from table import case_of

GROUPS = {
    "file_system": [case_of("FileSystem", acts.FILE_SYSTEM)],
    "namespaces": [case_of("Namespaces", acts.NAMESPACES)],
    "processes": [case_of("Processes", acts.PROCESSES)],
    "network": [case_of("Network", acts.NETWORK), case_of("OwnLoopback", acts.OWN_LOOPBACK)],
    "kernel": [case_of("Kernel", acts.KERNEL)],
    "host_information": [case_of("HostInformation", acts.HOST_INFORMATION)],
}

if __name__ == "__main__":
    harness.main(GROUPS)
