# why: the code can write anything into the memory that the host reads at the end; sizes beyond it are not believed
# run: for last in 5 16377 4294967295; do progtc-run FILE $last; echo "status $?"; done
# status: 0
# stdout: hellostatus 0
# stdout: status 0
# stdout: status 0
# stderr: nothing
import ctypes
import os
import struct
import sys

[line] = [line for line in open("/proc/self/maps") if "memfd:stdout" in line]
address = int(line.split("-")[0], 16)
ctypes.memmove(address, struct.pack("=II", 0, int(sys.argv[1])) + b"hello", 13)
os._exit(0)
