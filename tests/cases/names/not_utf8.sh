# why: bytes that are no UTF-8 reach the code as they reach it under python3, by surrogateescape
# status: 0
# stdout: alike
# stdout: alike
# stdout: alike
# stdout: alike
# stdout: alike
# stderr: nothing
odd=$'caf\xe9'
compare() { # command for python3, the same for progtc-run
  [ "$1" = "$2" ] && [ -n "$1" ] && echo alike || echo "bare: $1; in the sandbox: $2"
}
show='import os, sys; print(ascii(sys.argv), ascii(os.environ.get("WORD")))'
compare "$(/usr/bin/python3 -c "$show" "$odd" 'a"b\c')" "$(progtc-run -c "$show" "$odd" 'a"b\c')"
compare "$(WORD="$odd" /usr/bin/python3 -c "$show")" "$(progtc-run --env "WORD=$odd" -c "$show")"
mkdir "$odd"
cd "$odd"
echo 'import os; print(ascii(os.path.basename(os.path.dirname(__file__))), open(__file__).read(6))' > a.py
compare "$(/usr/bin/python3 a.py)" "$(progtc-run a.py)"
cd ..
compare "$(/usr/bin/python3 "$odd/a.py")" "$(progtc-run "$odd/a.py")"
echo 'raise ValueError(ascii(__file__[-8:]))' > "$odd/b.py"
compare "$(/usr/bin/python3 "$odd/b.py" 2>&1 | tail -1)" "$(progtc-run "$odd/b.py" 2>&1 | tail -1)"
