# why: a module beside the script that is shown
# run: echo 'N = 7' > near.py; progtc-run --file near.py FILE
# status: 0
# stdout: 7
# stderr: nothing
import near
print(near.N)
