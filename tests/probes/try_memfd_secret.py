"""Makes memory that not even the kernel maps, and that no limit of ours would see into."""
from probe import reach

reach("memfd_secret", 0)
