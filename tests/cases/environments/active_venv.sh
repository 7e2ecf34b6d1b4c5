# why: a policy that shows installed packages means those of the active virtual environment
# needs: root
# status: 0
# stdout: 7
# stdout: 7
# stdout: True
# stderr: nothing
/usr/bin/python3 -m venv --without-pip env
echo 'N = 7' > "$(echo env/lib/python3.*/site-packages)/inenv.py"
. env/bin/activate
progtc-run --policy ci -c 'import inenv; print(inenv.N)'
progtc-run --policy standard -c 'import inenv, sys; print(inenv.N)'
progtc-run --policy standard -c 'import sys; print(sys.prefix != sys.base_prefix and sys.executable.startswith(sys.prefix))'
