"""Unmounts what is not mounted: an unprivileged caller hears ENOENT from the kernel itself."""
from probe import reach

reach("umount2", b"/nonexistent", 0, answers=("ENOENT",))
