# why: stdout and stderr are one file: the order is that of the writes
# run: progtc-run FILE 2>&1
# status: 0
# stdout: out 0
# stdout: err 0
# stdout: out 1
# stdout: err 1
# stdout: out 2
# stdout: err 2
# stderr: nothing
import sys

for n in range(3):
    print("out", n, flush=True)
    print("err", n, file=sys.stderr, flush=True)
