"""Sets the host name to the one it has."""
import socket

from probe import reach

name = socket.gethostname().encode()
reach("sethostname", name, len(name))
