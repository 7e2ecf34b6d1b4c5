"""Writes the bytes given in hex to the channel; WAIT as second argument then reads until the host hangs up."""
import os
import sys

CHANNEL = 3
data = bytes.fromhex(sys.argv[1])
os.set_blocking(CHANNEL, True)
print("writing", flush=True)
while data:
    data = data[os.write(CHANNEL, data) :]
if sys.argv[2:] == ["wait"]:
    while os.read(CHANNEL, 65536):
        pass
os._exit(0)
