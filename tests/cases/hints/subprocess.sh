# why: one line is enough for a script that starts programs; the fix of each call would lead to the next denial
# needs: root
# status: 0
# stdout has: etc
# stderr has: allow: --policy standard, or a policy that `progtc policy learn` writes
# stderr has no: +processes
echo 'import subprocess; subprocess.run(["ls", "/"], check=True)' > app.py
progtc-run app.py
progtc-run --policy standard app.py
