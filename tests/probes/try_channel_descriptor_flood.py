"""Sends COUNT times 64 descriptors over the channel, which nobody asked for, inside calls that are well formed."""
import json
import os
import socket
import struct
import sys

os.set_blocking(3, True)
channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=os.dup(3))
for index in range(int(sys.argv[1])):
    payload = json.dumps({"id": 1_000_000 + index, "tool": "nothing", "args": [], "kwargs": {}}).encode()
    frame = struct.pack("<IB", len(payload), 2) + payload
    channel.sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("64i", *[0] * 64))])
    size, _ = struct.unpack("<IB", channel.recv(5, socket.MSG_WAITALL))
    channel.recv(size, socket.MSG_WAITALL)
print("permitted: sent", flush=True)
sys.stdin.read()
