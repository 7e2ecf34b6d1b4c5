"""Makes a ring for asynchronous calls, which pass by every filter."""
from probe import reach

reach("io_uring_setup", 1, bytes(120))
