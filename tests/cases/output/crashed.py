# run: progtc-run FILE
# status: 139
# stdout: step 1
# stderr has: killed by signal SIGSEGV
import ctypes

print("step 1")
ctypes.string_at(0)
