"""Makes a set-user-id program. The bit counts for nothing on a mount without set-user-id."""
import os
import stat

from probe import attempt, blocked


def act():
    with open("program", "w") as file:
        os.fchmod(file.fileno(), 0o4755)
    mode = os.stat("program").st_mode
    flags = os.statvfs("program").f_flag
    os.unlink("program")
    if not mode & stat.S_ISUID:
        blocked("the bit did not stay")
    if flags & os.ST_NOSUID:
        blocked("the mount has no set-user-id")


attempt(act)
