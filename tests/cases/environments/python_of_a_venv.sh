# why: the path of an environment's interpreter means that environment
# status: 0
# stdout: 7 True
# stdout: 7 True
# stderr: nothing
/usr/bin/python3 -m venv --without-pip env
echo 'N = 7' > "$(echo env/lib/python3.*/site-packages)/inenv.py"
progtc-run --python env/bin/python -c 'import inenv, sys; print(inenv.N, sys.prefix.endswith("/env"))'
progtc-run --python "$PWD/env/bin/python3" -c 'import inenv, sys; print(inenv.N, sys.prefix.endswith("/env"))'
