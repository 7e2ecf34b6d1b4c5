# why: what was printed before the time was up is there, though Python had not written it yet
# run: progtc-run --timeout 1s FILE
# status: 124
# stdout: step 1
# stderr has: progtc-run: timeout: wall time reached 1s
print("step 1")
while True: pass
