# why: no descriptor leads to the memory, and its file keeps its size
# run: progtc-run FILE
# status: 0
# stdout: the descriptor is closed
# stdout: PermissionError
# stderr: nothing
import os

[line] = [line for line in open("/proc/self/maps") if "memfd:stdout" in line]
names = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{fd}")]
print("open" if any("memfd" in name for name in names) else "the descriptor is closed")
try:
    os.open("/proc/self/map_files/" + line.split()[0], os.O_RDWR)
    print("reopened")
except OSError as error:
    print(type(error).__name__)
