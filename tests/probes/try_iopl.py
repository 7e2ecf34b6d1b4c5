"""Sets its input/output privilege to the level it has."""
from probe import reach

reach("iopl", 0)
