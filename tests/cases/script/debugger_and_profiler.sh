# why: -m pdb and -m cProfile find the script
# status: 0
# stdout has: hi
# stdout has: function calls
# stderr: nothing
echo 'print("hi")' > app.py
progtc-run -m pdb -c c -c q app.py < /dev/null | grep -x hi
progtc-run -m cProfile app.py | grep 'function calls'
