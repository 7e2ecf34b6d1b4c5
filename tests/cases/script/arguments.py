# run: progtc-run FILE --policy ci "two words" ''
# status: 0
# stdout: ['--policy', 'ci', 'two words', '']
# stderr: nothing
import sys
print(sys.argv[1:])
