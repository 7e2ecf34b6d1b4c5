"""Looks for a set-user-id or device mount at the paths named by the arguments."""
import os
import sys

from probe import blocked, permitted

loose = []
for path in sys.argv[1:]:
    flags = os.statvfs(path).f_flag
    if not flags & os.ST_NOSUID:
        loose.append(f"{path} without nosuid")
    if not flags & os.ST_NODEV:
        loose.append(f"{path} without nodev")
if loose:
    permitted(", ".join(loose))
blocked("nosuid and nodev everywhere")
