# why: what the interpreter refuses is told in its own words
# status: 125
# stdout: nothing
# stderr has: PYTHONHASHSEED must be
progtc-run --env PYTHONHASHSEED=word -c 'print(1)'
