# why: a variable that can have no effect is refused with the reason
# status: 125
# stdout: nothing
# stderr has: PYTHONHOME has no effect in a sandbox: the interpreter uses its own library
progtc-run --env PYTHONHOME=/opt -c 'print(1)'
