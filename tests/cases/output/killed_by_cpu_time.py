# run: echo '{"extends": "strict", "limits": {"cpu": "1s", "reason": "test"}}' > policy.json; progtc-run --policy ./policy.json FILE
# status: 137
# stdout: step 1
# stderr has: cpu_limit
print("step 1")
while True: pass
