"""Creates a BPF map."""
import struct

from probe import reach

BPF_MAP_CREATE, BPF_MAP_TYPE_ARRAY = 0, 2
reach("bpf", BPF_MAP_CREATE, struct.pack("=IIII", BPF_MAP_TYPE_ARRAY, 4, 4, 1) + bytes(56), 72)
