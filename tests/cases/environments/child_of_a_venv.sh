# why: a child started with sys.executable sees the same packages as its parent
# needs: root
# status: 0
# stdout: 7
# stdout: 7
# stderr: nothing
/usr/bin/python3 -m venv --without-pip env
echo 'N = 7' > "$(echo env/lib/python3.*/site-packages)/inenv.py"
progtc-run --policy standard --python /usr/bin/python3 --venv env -c '
import inenv, subprocess, sys; print(inenv.N, flush=True)
subprocess.run([sys.executable, "-c", "import inenv; print(inenv.N)"])'
