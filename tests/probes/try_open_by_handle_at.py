"""Opens a file by handle, which passes by every mount: the inode in it does not exist."""
import os
import struct

from probe import reach

root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
reach("open_by_handle_at", root, struct.pack("=IiII", 8, 1, 0x7FFFFFF0, 1), 0, answers=("ESTALE",))
