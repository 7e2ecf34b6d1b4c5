# why: -n leaves the loop's input alone
# status: 0
# stdout: job 1
# stdout: job 2
# stdout: job 3
# stdout: b''
# stderr: nothing
printf '1\n2\n3\n' | while read n; do progtc-run -n -c "print('job', $n)"; done
echo text | progtc-run -n -c 'import sys; print(sys.stdin.buffer.read())'
