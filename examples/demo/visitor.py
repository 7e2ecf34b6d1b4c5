"""A script that nobody here has read. It may call two tools, and tries the network when told to."""

import asyncio
import socket
import sys

from tools import factor, human_size


async def main():
    factors, size = await asyncio.gather(factor(n=2**32 + 1), human_size(bytes=2**32 + 1))
    print("factors:", factors.strip())
    print("size:   ", size.strip())


asyncio.run(main())
if "--phone-home" in sys.argv:
    socket.create_connection(("192.0.2.1", 80), timeout=3)  # an address reserved for documentation
