# why: with a control group the kernel kills the process, without one it raises MemoryError
# run: progtc-run --memory 64MiB FILE 2> error; status=$?; cat error >&2; test $status = 137 -o $status = 1
# status: 0
# stdout: step 1
# stderr has: emory
print("step 1")
hoard = [bytearray(1 << 20) for _ in range(500)]
