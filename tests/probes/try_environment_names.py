"""Lists the names of its environment."""
import os

from probe import permitted

permitted(" ".join(sorted(os.environ)))
