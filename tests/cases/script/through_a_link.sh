# why: python3 resolves a link to the script for sys.path[0], and leaves __file__ as it was called
# needs: root
# status: 0
# stdout: 7 app.py
# stdout: 7 app.py
# stderr: nothing
mkdir real
echo 'N = 7' > real/near.py
echo 'import near, os; print(near.N, os.path.relpath(__file__))' > real/app.py
ln -s real/app.py app.py
/usr/bin/python3 -B app.py
progtc-run --policy ci app.py
