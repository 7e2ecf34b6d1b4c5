# run: progtc-run --timeout 1s --report report.json FILE; /usr/bin/python3 -c 'import json; print(json.load(open("report.json"))["stdout"])'
# status: 0
# stdout: step 1
# stdout: {'text': 'step 1\n', 'total': 7, 'truncated': False}
# stderr has: timeout
print("step 1")
while True: pass
