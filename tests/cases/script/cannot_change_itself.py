# why: the script is shown read-only, alone
# run: progtc-run FILE
# status: 0
# stdout: EROFS
# stdout: ['cannot_change_itself.py']
# stderr: nothing
import errno
import os
try:
    open(__file__, "a")
except OSError as error:
    print(errno.errorcode[error.errno])
print(os.listdir(os.path.dirname(__file__)))
