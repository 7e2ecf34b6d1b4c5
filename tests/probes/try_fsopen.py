"""Opens a file system context."""
from probe import reach

reach("fsopen", b"tmpfs", 0)
