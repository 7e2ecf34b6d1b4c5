# needs: root
# why: a forked process has a copy of what was not written yet, as with any buffer; spelled out, each flushes its own
# run: progtc-run --policy standard FILE
# status: 0
# stdout: before
# stdout: child
# stdout: before
# stdout: parent
# stderr: nothing
import os
import sys

print("before")
pid = os.fork()
if pid == 0:
    print("child")
    sys.exit(0)
os.waitpid(pid, 0)
print("parent")
