# run: progtc-run FILE | head -n 1
# status: 0
# stdout: 0
# stderr has no: timeout
# stderr has: BrokenPipeError
for n in range(1_000_000):
    print(n)
