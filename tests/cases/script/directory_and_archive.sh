# why: a directory or archive with a __main__.py runs as with python3
# status: 0
# stdout: alike
# stderr: nothing
mkdir app
echo 'import sys, other; print(sys.argv, __file__, sys.path[0], __name__, other.x)' > app/__main__.py
echo 'x = 3' > app/other.py
/usr/bin/python3 -m zipapp app -o app.pyz
for program in app "$PWD/app" app.pyz; do
  bare=$(/usr/bin/python3 -B $program one)
  boxed=$(progtc-run --python /usr/bin/python3 $program one)
  [ "$bare" = "$boxed" ] || echo "bare: $bare; in the sandbox: $boxed"
done
echo alike
