# why: an environment means its own interpreter, whichever python3 comes first on PATH
# needs: PYTHON312
# status: 0
# stdout: 7 (3, 12)
# stderr: nothing
"$PYTHON312" -m venv --without-pip env
echo 'N = 7' > env/lib/python3.12/site-packages/inenv.py
progtc-run --venv env -c 'import inenv, sys; print(inenv.N, sys.version_info[:2])'
