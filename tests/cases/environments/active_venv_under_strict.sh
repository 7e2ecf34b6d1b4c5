# why: strict shows no packages; the hint names the active environment, and its line leads to a pass
# status: 0
# stdout: 7
# stderr has: --venv {here}/env
/usr/bin/python3 -m venv --without-pip env
echo 'N = 7' > "$(echo env/lib/python3.*/site-packages)/inenv.py"
. env/bin/activate
progtc-run -c 'import inenv; print(inenv.N)'
progtc-run --venv env -c 'import inenv; print(inenv.N)'
