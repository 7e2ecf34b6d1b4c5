"""Makes the root's mount tree writable and executable again with mount_setattr(2)."""
import struct

from probe import AT_FDCWD, reach

MOUNT_ATTR_NOSUID = 2
reach("mount_setattr", AT_FDCWD, b"/tmp", 0, struct.pack("=QQQQ", MOUNT_ATTR_NOSUID, 0, 0, 0), 32, answers=("EINVAL",))
