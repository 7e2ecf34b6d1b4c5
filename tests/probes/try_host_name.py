"""Says the host's name, as uname and gethostname know it."""
import os
import socket

from probe import permitted

permitted(" ".join(sorted({os.uname().nodename, socket.gethostname()})))
