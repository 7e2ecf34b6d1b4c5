"""Loads a new kernel, with flags that no kernel takes."""
from probe import reach

reach("kexec_load", 0, 0, None, 0xFFFF, answers=("EINVAL",))
