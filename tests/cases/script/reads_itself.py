# why: __file__ is absolute, exists and can be read, wherever the code goes; inspect finds its source
# run: progtc-run FILE
# status: 0
# stdout: True True
# stdout: # why: __file__ is absolute, exists and can be read, wherever the code goes; inspect finds its source
# stdout: def answer():
# stderr: nothing
import inspect
import os


def answer():
    return 42


os.chdir("/")
print(os.path.isabs(__file__), os.path.exists(__file__))
with open(__file__) as file:
    print(file.readline().strip())
print(inspect.getsource(answer).splitlines()[0])
