# run: progtc-run FILE
# status: 137
# stdout: step 1
# stderr has: killed by signal SIGKILL
import os
import signal

print("step 1")
os.kill(os.getpid(), signal.SIGKILL)
