"""Makes COUNT calls and reads none of the replies; ends when the host stops reading."""
import json
import os
import struct
import sys

os.set_blocking(3, False)
sent = 0
try:
    for index in range(int(sys.argv[1])):
        payload = json.dumps({"id": 1_000_000 + index, "tool": "nothing", "args": ["x" * 1000], "kwargs": {}}).encode()
        os.write(3, struct.pack("<IB", len(payload), 2) + payload)
        sent += 1
except BlockingIOError:
    pass
print("permitted: sent", flush=True)
os._exit(0)
